//! Between a text and the numbers of its tokens.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use super::Values;
use crate::quote::short;
use crate::{Error, Result};

/// The most tokens that there can be: one number of 16 bits stands for what is no target.
pub(crate) const MOST: usize = (1 << 16) - 1;

/// How a text is tokens.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Tokenizer {
    /// Each byte is one: 256 of them, for any file.
    Bytes,
    /// Each character is one, if it is one of these, which ascend.
    Characters(String),
    /// Each is a whole number below this one; as text, numbers with blanks between them.
    Numbers(u32),
}

impl Tokenizer {
    /// The characters of a text.
    ///
    /// # Errors
    /// [`Error::Data`] for a text of more kinds of characters than 65 535.
    pub fn characters(text: &str, place: &str) -> Result<Tokenizer> {
        let mut kinds: Vec<char> = text.chars().collect::<std::collections::HashSet<char>>().into_iter().collect();
        if kinds.len() > MOST {
            let message = format!("{} kinds of characters; {MOST} are the most, or take bytes", kinds.len());
            return Err(Error::data(place, message));
        }
        kinds.sort_unstable();
        Ok(Tokenizer::Characters(kinds.into_iter().collect()))
    }

    /// How many tokens there are.
    pub fn count(&self) -> usize {
        match self {
            Tokenizer::Bytes => 256,
            Tokenizer::Characters(kinds) => kinds.chars().count(),
            Tokenizer::Numbers(count) => *count as usize,
        }
    }

    /// The tokens by name, in order: a character as such, a byte as a number.
    pub fn names(&self) -> Vec<String> {
        match self {
            Tokenizer::Bytes => (0..256).map(|byte| byte.to_string()).collect(),
            Tokenizer::Characters(kinds) => kinds.chars().map(String::from).collect(),
            Tokenizer::Numbers(count) => (0..*count).map(|token| token.to_string()).collect(),
        }
    }

    /// The token that a text begins after: the end of a line, or the first token of all where there is none.
    pub fn beginning(&self) -> u32 {
        match self {
            Tokenizer::Bytes => u32::from(b'\n'),
            Tokenizer::Characters(kinds) => kinds.chars().position(|c| c == '\n').unwrap_or(0) as u32,
            Tokenizer::Numbers(_) => 0,
        }
    }

    /// The tokens of a text, which errors call `place`.
    ///
    /// # Errors
    /// [`Error::Data`] for what is no token, with its line.
    pub fn encode(&self, text: &[u8], place: &str) -> Result<Values> {
        let kinds = match self {
            Tokenizer::Bytes => return Ok(Values::U8(text.to_vec())),
            Tokenizer::Numbers(count) => return numbers(as_text(text, place)?, *count, place),
            Tokenizer::Characters(kinds) => kinds,
        };
        let numbers: HashMap<char, u16> = kinds.chars().zip(0..=u16::MAX).collect();
        let mut tokens = Vec::with_capacity(text.len());
        for (at, c) in as_text(text, place)?.char_indices() {
            let Some(&token) = numbers.get(&c) else {
                let message = format!(
                    "the character {} is none of the {} that the model was trained on",
                    short(&format!("{c:?}")),
                    numbers.len()
                );
                return Err(Error::data(line_of(text, at, place), message));
            };
            tokens.push(token);
        }
        Ok(match numbers.len() {
            0..=256 => Values::U8(tokens.into_iter().map(|token| token as u8).collect()),
            _ => Values::U16(tokens),
        })
    }

    /// The text of some tokens; what is no text in bytes becomes U+FFFD.
    pub fn decode(&self, tokens: &[u32]) -> String {
        match self {
            Tokenizer::Bytes => {
                let bytes: Vec<u8> = tokens.iter().map(|&token| token as u8).collect();
                String::from_utf8_lossy(&bytes).into_owned()
            }
            Tokenizer::Characters(kinds) => {
                let kinds: Vec<char> = kinds.chars().collect();
                tokens.iter().filter_map(|&token| kinds.get(token as usize)).collect()
            }
            Tokenizer::Numbers(_) => tokens.iter().map(|token| format!(" {token}")).collect::<String>(),
        }
    }

    /// Fails unless it is what [`Tokenizer::characters`] makes; an error is the message about the file.
    pub(crate) fn check(&self) -> Result<(), String> {
        let kinds = match self {
            Tokenizer::Bytes => return Ok(()),
            Tokenizer::Numbers(count) if (1..=MOST).contains(&(*count as usize)) => return Ok(()),
            Tokenizer::Numbers(count) => return Err(format!("has {count} tokens; 1 to {MOST} can be")),
            Tokenizer::Characters(kinds) => kinds,
        };
        let kinds: Vec<char> = kinds.chars().collect();
        let ascend = kinds.windows(2).all(|pair| pair[0] < pair[1]);
        if ascend && kinds.len() <= MOST { Ok(()) } else { Err("its characters are not in order".to_owned()) }
    }
}

/// Whole numbers with blanks between them.
fn numbers(text: &str, count: u32, place: &str) -> Result<Values> {
    let number = |word: &str| {
        let token = word.parse::<u16>().ok().filter(|&token| u32::from(token) < count);
        token.ok_or_else(|| {
            let message = format!(
                "{:?} is no token; the model was trained on whole numbers from 0 to {}",
                short(word),
                count.saturating_sub(1)
            );
            Error::data(place, message)
        })
    };
    Ok(Values::U16(text.split_whitespace().map(number).collect::<Result<_>>()?))
}

/// A text in UTF-8, without a byte order mark.
///
/// # Errors
/// [`Error::Data`] with the line where it is none.
pub fn as_text<'a>(bytes: &'a [u8], place: &str) -> Result<&'a str> {
    std::str::from_utf8(bytes).map(|text| text.trim_start_matches('\u{feff}')).map_err(|error| {
        let message = "is not UTF-8; convert it, or take data.tokens = \"bytes\"";
        Error::data(line_of(bytes, error.valid_up_to(), place), message)
    })
}

fn line_of(text: &[u8], at: usize, place: &str) -> String {
    let line = 1 + text[..at.min(text.len())].iter().filter(|&&byte| byte == b'\n').count();
    format!("{place}, line {line}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_comes_back_from_its_tokens() {
        let text = "Call me Ishmael.\nÉté ☃";
        let characters = Tokenizer::characters(text, "t").unwrap();
        assert_eq!(characters.count(), characters.names().len());
        for tokenizer in [Tokenizer::Bytes, characters] {
            let tokens: Vec<u32> = tokenizer.encode(text.as_bytes(), "t").unwrap().elements().whole().collect();
            assert!(tokens.iter().all(|&token| (token as usize) < tokenizer.count()));
            assert_eq!(tokenizer.decode(&tokens), text);
            tokenizer.check().unwrap();
        }
        let numbers = Tokenizer::Numbers(300);
        assert_eq!(numbers.encode(b"7 299\n0", "t").unwrap(), Values::U16(vec![7, 299, 0]));
        assert_eq!(numbers.decode(&[7, 299, 0]), " 7 299 0");
        assert!(numbers.encode(b"7 300", "t").unwrap_err().to_string().contains("\"300\" is no token"));
        let many: String = (0..300).filter_map(|at| char::from_u32(0x4e00 + at)).collect();
        let tokens = Tokenizer::characters(&many, "t").unwrap().encode(many.as_bytes(), "t").unwrap();
        assert_eq!(tokens, Values::U16((0..300).collect()));
    }

    #[test]
    fn what_is_no_token_is_named_with_its_line() {
        let few = Tokenizer::characters("abc\n", "t").unwrap();
        let text = few.encode("ab\ncad".as_bytes(), "new.txt").unwrap_err().to_string();
        assert_eq!(text, "new.txt, line 2: the character 'd' is none of the 4 that the model was trained on");
        let text = as_text(b"a\n\xff", "new.txt").unwrap_err().to_string();
        assert_eq!(text, "new.txt, line 2: is not UTF-8; convert it, or take data.tokens = \"bytes\"");
        assert!(Tokenizer::Characters("ba".into()).check().is_err());
    }
}
