//! Tokens that come as numbers: an array of one axis is one line of them, and each row of an array of two axes a sequence.

use std::path::Path;

use super::tokenizer::MOST;
use super::{Chunks, FeatureNames, Spec, TargetKind, Values};
use crate::{Error, Result};

/// Whether a file is one of arrays, by its name.
pub fn is_array(path: &Path) -> bool {
    path.extension().is_some_and(|extension| ["npy", "npz"].iter().any(|known| extension.eq_ignore_ascii_case(known)))
}

/// Tokens by number, as a file has them.
pub struct Numbers {
    /// All of them, row after row; a number below 0 stands for what is no target.
    values: Vec<f32>,
    /// Tokens of a row; 1 for a line.
    pub each: usize,
    place: String,
}

impl Numbers {
    /// Reads an array of whole numbers.
    ///
    /// # Errors
    /// [`Error::Io`]; [`Error::Data`] for what are no whole numbers, or too large ones.
    pub fn read(path: &Path) -> Result<Numbers> {
        if !is_array(path) {
            let message = "has no arrays; what data.tokens = \"numbers\" means comes in a file .npy";
            return Err(Error::data(path.display().to_string(), message));
        }
        let spec = Spec { kind: TargetKind::Unread, features: FeatureNames::Rest, ..Spec::features(&[]) };
        let features = Chunks::open(path, &spec)?.rest()?.features;
        let (each, place) = (features.names.len(), path.display().to_string());
        let values = features.values.to_f32().into_owned();
        match values.iter().position(|&value| value.fract() != 0.0 || value >= MOST as f32) {
            Some(at) => {
                let message = format!(
                    "{} is no token; whole numbers below {MOST} are, and those below 0 are no targets",
                    values[at]
                );
                Err(Error::data(format!("{place}, row {}", at / each.max(1)), message))
            }
            None => Ok(Numbers { values, each, place }),
        }
    }

    /// What errors call the file.
    pub fn place(&self) -> &str {
        &self.place
    }

    /// The largest one and one more; 0 where none is from 0.
    pub fn count(&self) -> usize {
        self.values.iter().filter(|&&value| value >= 0.0).fold(0, |most, &value| most.max(value as usize + 1))
    }

    /// Checks that rows are sequences of so many tokens and the one behind them, or the whole is a line, of so many different ones at
    /// most.
    ///
    /// # Errors
    /// [`Error::Data`].
    pub fn check(&self, context: usize, known: usize) -> Result<()> {
        let each = self.each;
        if each != 1 && each != context + 1 {
            let message = format!(
                "has rows of {each} tokens, but a line of them is wanted, or rows of {}: a context of {context}, and the one behind it",
                context + 1
            );
            return Err(Error::data(self.place(), message));
        }
        match self.count() {
            0 => Err(Error::data(self.place(), "has no token: all are below 0, which is no target")),
            count if count > known => {
                Err(Error::data(self.place(), format!("has the token {}, but the model has {known}", count - 1)))
            }
            _ => Ok(()),
        }
    }

    /// All of them as tokens, `none` in the place of what is no target.
    pub fn tokens(&self, none: u16) -> Values {
        let token = |&value: &f32| if value < 0.0 { none } else { value as u16 };
        Values::U16(self.values.iter().map(token).collect())
    }
}
