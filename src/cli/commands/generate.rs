//! `accrue generate`: text that a saved model writes.

use std::io::{IsTerminal, Read, stdin};
use std::ops::ControlFlow;
use std::path::Path;

use clap::Args;
use serde_json::json;

use super::{Command, open};
use crate::cli::args::Common;
use crate::cli::exit::Stop;
use crate::cli::model::WhichModel;
use crate::cli::progress::{json_line, print, print_while_read};
use crate::data::Tokenizer;
use crate::recipe::{predictor, tokenizer_of};
use crate::train::{Sampling, generate};
use crate::{Error, Result};

/// Write text with a saved model of texts.
#[derive(Debug, PartialEq, Args)]
pub struct Generate {
    /// The model.
    #[command(flatten)]
    pub model: WhichModel,
    /// The text to go on from; `-` is standard input. Without it the model begins a line.
    #[arg(long, value_name = "TEXT")]
    pub prompt: Option<String>,
    /// How many tokens to write.
    #[arg(long, value_name = "N", default_value_t = 200)]
    pub tokens: usize,
    /// Divide the logits by T: below 1 makes likely tokens likelier, above 1 less so; 0 always takes the likeliest.
    #[arg(long, value_name = "T", default_value_t = 1.0)]
    pub temperature: f64,
    /// Draw from the K likeliest tokens only.
    #[arg(long, value_name = "K")]
    pub top_k: Option<usize>,
    /// The seed: the same model, prompt and seed write the same text on the same adapter.
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub seed: u64,
    /// Print one JSON object instead of text.
    #[arg(long)]
    pub json: bool,
    /// What every command that computes takes.
    #[command(flatten)]
    pub common: Common,
}

impl Command for Generate {
    /// Writes the prompt, then token after token as they are drawn.
    fn run(&self) -> Result<(), Stop> {
        let (path, saved) = self.model.read()?;
        let tokenizer = tokenizer_of(&saved, &path)?;
        let prompt = self.prompt()?;
        let begin = match &prompt {
            Some(prompt) => tokenizer.encode(prompt.as_bytes(), "--prompt")?.elements().whole().collect(),
            None => vec![tokenizer.beginning()],
        };
        let sampling = Sampling { temperature: self.temperature, top_k: self.top_k, seed: self.seed };
        sampling.check()?;
        let gpu = open(&self.common)?;
        let predictor = predictor(&gpu, &saved, 1)?;
        let mut written = Written::new(tokenizer, !self.json);
        written.said(prompt.as_deref().unwrap_or_default())?;
        let predict = |features: &[f32]| predictor.predict(features);
        let mut told = Ok(true);
        generate(&saved.model, &sampling, &begin, self.tokens, predict, |token| {
            told = written.token(token);
            if matches!(told, Ok(true)) { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        })?;
        told?;
        let text = written.finish()?;
        if self.json {
            let page =
                json!({ "model": path, "epoch": saved.epoch, "prompt": prompt, "tokens": self.tokens, "text": text });
            print(&json_line(&page))?;
        } else if !self.common.quiet {
            self.model.tell(&path, &saved);
        }
        Ok(())
    }

    fn common_mut(&mut self) -> Option<&mut Common> {
        Some(&mut self.common)
    }
}

impl Generate {
    fn prompt(&self) -> Result<Option<String>> {
        let Some(prompt) = &self.prompt else { return Ok(None) };
        match prompt.as_str() {
            "" => Err(Error::config("--prompt", "an empty text says nothing; leave it out, or give a text")),
            "-" if stdin().is_terminal() => {
                Err(Error::config("--prompt", "standard input is a terminal; pipe a text into it, or give one"))
            }
            "-" => {
                let mut bytes = Vec::new();
                stdin().read_to_end(&mut bytes).map_err(|error| Error::io(Path::new("standard input"), error))?;
                let text = String::from_utf8(bytes).ok().filter(|text| !text.is_empty());
                let message = "is empty, or not UTF-8; give a text to go on from";
                text.map(Some).ok_or_else(|| Error::data("standard input", message))
            }
            text => Ok(Some(text.to_owned())),
        }
    }
}

/// The text so far, printed as it grows.
struct Written<'a> {
    tokenizer: &'a Tokenizer,
    /// Tokens that are no whole character yet.
    held: Vec<u32>,
    text: String,
    prints: bool,
}

impl<'a> Written<'a> {
    fn new(tokenizer: &'a Tokenizer, prints: bool) -> Written<'a> {
        Written { tokenizer, held: Vec::new(), text: String::new(), prints }
    }

    /// False once nobody reads any more, as in `… | head -1`.
    fn said(&self, text: &str) -> Result<bool> {
        if self.prints { print_while_read(text) } else { Ok(true) }
    }

    fn token(&mut self, token: u32) -> Result<bool> {
        self.held.push(token);
        // The last character may lack bytes that are still to come, three at most.
        let text = self.tokenizer.decode(&self.held);
        if text.ends_with(char::REPLACEMENT_CHARACTER) && self.held.len() < 4 { Ok(true) } else { self.show(&text) }
    }

    fn show(&mut self, text: &str) -> Result<bool> {
        self.held.clear();
        self.text.push_str(text);
        self.said(text)
    }

    fn finish(mut self) -> Result<String> {
        let rest = self.tokenizer.decode(&self.held);
        self.show(&rest)?;
        self.said("\n")?;
        Ok(self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::args::tests::parse;

    #[test]
    fn a_generate_command_has_defaults() {
        let generate: Generate = parse("accrue generate r --prompt Call --top-k 5").unwrap();
        assert_eq!((generate.prompt.as_deref(), generate.tokens, generate.top_k), (Some("Call"), 200, Some(5)));
        assert_eq!((generate.temperature, generate.seed), (1.0, 0));
    }

    #[test]
    fn a_character_of_several_bytes_comes_whole() {
        let bytes = Tokenizer::Bytes;
        let mut written = Written::new(&bytes, false);
        for (byte, text) in [(b'a', "a"), (0xc3, "a"), (0xa9, "aé"), (0xff, "aé"), (b'b', "aé\u{fffd}b")] {
            written.token(u32::from(byte)).unwrap();
            assert_eq!(written.text, text);
        }
        assert_eq!(written.finish().unwrap(), "aé\u{fffd}b");
    }
}
