//! The types of elements, and one element as a number or as text.

use crate::quote::shown;
use crate::tensor::Element;

/// A text may have this many bytes; no class has a longer name.
const LONGEST: usize = 1 << 16;

/// The type of an array's elements.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Dtype {
    kind: Kind,
    /// Bytes of one element.
    pub size: usize,
    big: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Bool,
    Unsigned,
    Signed,
    Float,
    /// Bytes of text.
    Text,
    /// Letters of four bytes each.
    Unicode,
}

impl Dtype {
    /// The type of a `descr`, as in `<f4`; an error is the message about the array.
    pub fn parse(descr: &str) -> Result<Dtype, String> {
        let (order, rest) = match descr.strip_prefix(['<', '>', '|', '=']) {
            Some(rest) => (&descr[..1], rest),
            None => ("=", descr),
        };
        let kind = rest.get(..1).unwrap_or_default();
        let count: Option<usize> = rest.get(1..).and_then(|digits| digits.parse().ok());
        let kind = match (kind, count) {
            ("b", Some(1)) => Kind::Bool,
            ("u", Some(1 | 2 | 4 | 8)) => Kind::Unsigned,
            ("i", Some(1 | 2 | 4 | 8)) => Kind::Signed,
            ("f", Some(4 | 8)) => Kind::Float,
            ("S", Some(1..=LONGEST)) => Kind::Text,
            ("U", Some(count)) if (1..=LONGEST / 4).contains(&count) => Kind::Unicode,
            _ => return Err(refusal(descr)),
        };
        let size = count.unwrap_or_default() * if kind == Kind::Unicode { 4 } else { 1 };
        let big = order == ">" || (order == "=" && cfg!(target_endian = "big"));
        Ok(Dtype { kind, size, big })
    }

    /// The type in which all of its numbers can be kept as they are, if there is one; `f32` otherwise.
    pub fn element(self) -> Element {
        match (self.kind, self.size) {
            (Kind::Bool, _) | (Kind::Unsigned, 1) => Element::U8,
            (Kind::Unsigned, 2) => Element::U16,
            (Kind::Unsigned, 4) => Element::U32,
            _ => Element::F32,
        }
    }

    /// An element as a finite number, rounded once; an error is the message about it.
    pub fn number(self, bytes: &[u8]) -> Result<f32, String> {
        let number = match self.kind {
            Kind::Bool => f32::from(bytes[0] != 0),
            Kind::Unsigned => self.word(bytes) as f32,
            Kind::Signed => self.signed(bytes) as f32,
            Kind::Float => self.float(bytes) as f32,
            Kind::Text | Kind::Unicode => {
                return Err(format!(
                    "{} is text, but a number is wanted; leave the array out",
                    shown(&self.text(bytes)?)
                ));
            }
        };
        if number.is_finite() {
            return Ok(number);
        }
        Err(match self.float(bytes) {
            given if given.is_finite() => {
                format!("{given:e} is too large; a number must lie within ±3.4e38 (scale the array)")
            }
            given => format!("{given} is not finite; every number must be (fill it in or remove the row)"),
        })
    }

    /// An element as the label of a class; an error is the message about it.
    pub fn text(self, bytes: &[u8]) -> Result<String, String> {
        let text = match self.kind {
            Kind::Bool => if bytes[0] == 0 { "False" } else { "True" }.to_owned(),
            Kind::Unsigned => self.word(bytes).to_string(),
            Kind::Signed => self.signed(bytes).to_string(),
            Kind::Float => self.number(bytes).map(|_| self.float(bytes).to_string())?,
            Kind::Text => {
                let end = bytes.iter().rposition(|&byte| byte != 0).map_or(0, |last| last + 1);
                String::from_utf8(bytes[..end].to_vec())
                    .map_err(|_| format!("{} is not UTF-8", shown(&String::from_utf8_lossy(&bytes[..end]))))?
            }
            Kind::Unicode => {
                let letters = bytes.chunks_exact(4).map(|letter| self.word(letter) as u32);
                let text: Option<String> = letters.map(char::from_u32).collect();
                text.ok_or("is no text that can be read")?.trim_end_matches('\0').to_owned()
            }
        };
        match text.trim() {
            "" => Err("is empty; fill it in or remove the row".to_owned()),
            trimmed => Ok(trimmed.to_owned()),
        }
    }

    /// Up to eight bytes as a number without sign.
    fn word(self, bytes: &[u8]) -> u64 {
        let add = |sum: u64, &byte: &u8| sum << 8 | u64::from(byte);
        if self.big { bytes.iter().fold(0, add) } else { bytes.iter().rev().fold(0, add) }
    }

    fn signed(self, bytes: &[u8]) -> i64 {
        let unused = 64 - 8 * bytes.len() as u32;
        ((self.word(bytes) << unused) as i64) >> unused
    }

    fn float(self, bytes: &[u8]) -> f64 {
        match self.size {
            4 => f64::from(f32::from_bits(self.word(bytes) as u32)),
            _ => f64::from_bits(self.word(bytes)),
        }
    }
}

/// What is said of a type that is not read.
fn refusal(descr: &str) -> String {
    let what = match descr.trim_start_matches(['<', '>', '|', '=']).chars().next() {
        Some('c') => "complex numbers",
        Some('O') => "Python objects, which only Python can read",
        Some('V' | '[') => "a structure of several fields; save each as an array of its own",
        _ => "numbers that are not read",
    };
    format!("is of type {}, {what}; save it with .astype(\"float32\") or another plain type", shown(descr))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dtype(descr: &str) -> Dtype {
        Dtype::parse(descr).unwrap()
    }

    #[test]
    fn numbers_of_both_byte_orders_are_read() {
        assert_eq!(dtype("<i2").number(&[0xfe, 0xff]), Ok(-2.0));
        assert_eq!(dtype(">i2").number(&[0xff, 0xfe]), Ok(-2.0));
        assert_eq!(dtype("|i1").number(&[0x80]), Ok(-128.0));
        assert_eq!(dtype("<u8").number(&[0xff; 8]), Ok(u64::MAX as f32));
        assert_eq!(dtype("<i8").number(&[0xff; 8]), Ok(-1.0));
        assert_eq!(dtype(">f4").number(&1.5f32.to_be_bytes()), Ok(1.5));
        assert_eq!(dtype("<f8").number(&0.1f64.to_le_bytes()), Ok(0.1));
        assert_eq!(dtype("|b1").number(&[7]), Ok(1.0));
    }

    #[test]
    fn what_is_no_finite_number_is_refused() {
        let message = |number: f64| dtype("<f8").number(&number.to_le_bytes()).unwrap_err();
        assert_eq!(message(f64::NAN), "NaN is not finite; every number must be (fill it in or remove the row)");
        assert_eq!(message(1e39), "1e39 is too large; a number must lie within ±3.4e38 (scale the array)");
        assert!(dtype("|S3").number(b"abc").unwrap_err().starts_with("\"abc\" is text"));
    }

    #[test]
    fn labels_are_text_as_python_prints_it() {
        assert_eq!(dtype("|u1").text(&[7]).unwrap(), "7");
        assert_eq!(dtype("<f8").text(&3.0f64.to_le_bytes()).unwrap(), "3");
        assert_eq!(dtype("|b1").text(&[1]).unwrap(), "True");
        assert_eq!(dtype("|S4").text(b"yes\0").unwrap(), "yes");
        assert_eq!(dtype(">U2").text(&[0, 0, 0, 0xfc, 0, 0, 0, 0]).unwrap(), "ü");
        assert!(dtype("<U1").text(&[0xff; 4]).is_err() && dtype("|S2").text(&[0xff; 2]).is_err());
        assert!(dtype("|S2").text(&[0; 2]).unwrap_err().starts_with("is empty"));
    }

    #[test]
    fn types_of_other_sizes_are_refused() {
        for descr in ["", "<", "<f2", "<f16", "<i3", "<U0", "<U99999999999999", "|S65537", "ü", "<M8[ns]", "f"] {
            assert!(Dtype::parse(descr).unwrap_err().starts_with("is of type"), "{descr}");
        }
    }
}
