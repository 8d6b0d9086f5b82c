//! A text as a line of tokens, to be predicted one by one.

use std::io::Read;
use std::path::Path;

use super::input::Input;
use super::{Dataset, Features, Sequences, Targets, Tokenizer, Values};
use crate::{Error, Result};

/// A file that holds a text.
pub struct Text {
    bytes: Vec<u8>,
    place: String,
}

impl Text {
    /// Reads a file; a name that ends in `.gz` says that gzip packed it, and `-` is standard input.
    ///
    /// # Errors
    /// [`Error::Io`] when it cannot be read.
    pub fn read(path: &Path) -> Result<Text> {
        let input = Input::new(path);
        let place = input.place();
        if super::tokens::is_array(path) {
            return Err(Error::data(place, "is an array, not a text; its tokens are data.tokens = \"numbers\""));
        }
        let mut bytes = Vec::new();
        input.open()?.read_to_end(&mut bytes).map_err(|error| Error::io(Path::new(&place), error))?;
        if bytes.starts_with(b"\xef\xbb\xbf") {
            bytes.drain(..3);
        }
        Ok(Text { bytes, place })
    }

    /// The tokens that it has, each character one.
    ///
    /// # Errors
    /// [`Error::Data`] if it is not UTF-8, or has too many kinds of characters.
    pub fn characters(&self) -> Result<Tokenizer> {
        Tokenizer::characters(super::tokenizer::as_text(&self.bytes, &self.place)?, &self.place)
    }

    /// Its tokens.
    ///
    /// # Errors
    /// [`Error::Data`] for what is no token.
    pub fn tokens(&self, tokenizer: &Tokenizer) -> Result<Values> {
        tokenizer.encode(&self.bytes, &self.place)
    }
}

/// Sequences of a line of tokens, as rows.
pub fn dataset(tokens: Values, tokenizer: &Tokenizer, sequences: Sequences) -> Dataset {
    let names = (0..sequences.context).map(|at| at.to_string()).collect();
    let features = Features { names, shape: vec![sequences.context, 1], values: tokens };
    Dataset { features, targets: Targets::Next { tokens: tokenizer.names(), sequences }, weights: None }
}
