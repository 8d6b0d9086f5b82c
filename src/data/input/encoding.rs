//! Text in other encodings as UTF-8.

use std::io::{self, Read};

use encoding_rs::{Decoder, DecoderResult, UTF_8, UTF_16LE, WINDOWS_1252};

use super::{Ahead, damage};
use crate::data::table::Charset;

/// The bytes of a text as UTF-8, without a byte order mark. A mark says more than `encoding`; without either it is UTF-8, and what
/// of it is none comes through as it is.
pub(in crate::data) fn decoded<R: Read>(reader: R, encoding: Option<Charset>) -> Decoded<R> {
    Decoded { bytes: Ahead::new(reader), given: encoding, decoder: None, ready: false, malformed: false }
}

/// See [`decoded`].
pub(in crate::data) struct Decoded<R> {
    bytes: Ahead<R>,
    given: Option<Charset>,
    /// `None` for UTF-8.
    decoder: Option<Decoder>,
    /// The mark was looked for.
    ready: bool,
    /// The next bytes are no text.
    malformed: bool,
}

impl<R: Read> Decoded<R> {
    fn prepare(&mut self) -> io::Result<()> {
        let start = self.bytes.look(3)?;
        let given = match self.given {
            Some(Charset::Latin1) => WINDOWS_1252,
            Some(Charset::Utf16) => UTF_16LE,
            Some(Charset::Utf8) | None => UTF_8,
        };
        let (encoding, mark) = encoding_rs::Encoding::for_bom(start).unwrap_or((given, 0));
        self.bytes.used(mark);
        if encoding != UTF_8 {
            self.decoder = Some(encoding.new_decoder_without_bom_handling());
        }
        self.ready = true;
        Ok(())
    }
}

impl<R: Read> Read for Decoded<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if !self.ready {
            self.prepare()?;
        }
        loop {
            if self.malformed {
                let message = "a character is cut in half, so this is no UTF-16 text; save the file as UTF-8";
                return Err(damage(message));
            }
            let bytes = self.bytes.look(1)?;
            let Some(decoder) = &mut self.decoder else {
                let count = bytes.len().min(into.len());
                into[..count].copy_from_slice(&bytes[..count]);
                self.bytes.used(count);
                return Ok(count);
            };
            debug_assert!(into.len() >= 4, "room for a character");
            let last = bytes.is_empty();
            let (result, read, written) = decoder.decode_to_utf8_without_replacement(bytes, into, last);
            self.bytes.used(read);
            self.malformed = matches!(result, DecoderResult::Malformed(..));
            if last && !self.malformed {
                self.decoder = None;
            }
            if written > 0 {
                return Ok(written);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(bytes: &[u8], encoding: Option<Charset>) -> (String, Option<String>) {
        let mut bytes = Ahead::new(decoded(bytes, encoding));
        let mut text = Vec::new();
        let error = loop {
            match bytes.look(1).map(<[u8]>::to_vec) {
                Ok(more) if more.is_empty() => break None,
                Ok(more) => {
                    bytes.used(more.len());
                    text.extend(more);
                }
                Err(error) => break Some(error.to_string()),
            }
        };
        (String::from_utf8_lossy(&text).into_owned(), error)
    }

    fn utf16(text: &str, bytes: fn(u16) -> [u8; 2]) -> Vec<u8> {
        text.encode_utf16().flat_map(bytes).collect()
    }

    #[test]
    fn a_mark_says_what_the_text_is() {
        let word = "a,é\u{1f600}\n";
        for bytes in [
            utf16(&format!("\u{feff}{word}"), u16::to_le_bytes),
            utf16(&format!("\u{feff}{word}"), u16::to_be_bytes),
            format!("\u{feff}{word}").into_bytes(),
        ] {
            for given in [None, Some(Charset::Utf8), Some(Charset::Utf16), Some(Charset::Latin1)] {
                assert_eq!(text(&bytes, given), (word.into(), None));
            }
        }
        assert_eq!(text(word.as_bytes(), None), (word.into(), None));
        assert_eq!(text(&utf16(word, u16::to_le_bytes), Some(Charset::Utf16)), (word.into(), None));
        assert_eq!(text(b"\xe9\x80\n", Some(Charset::Latin1)), ("é€\n".into(), None));
        assert_eq!(text(b"", Some(Charset::Utf16)), (String::new(), None));
    }

    #[test]
    fn long_texts_are_decoded_piece_by_piece() {
        let long = "0123456789,ü\u{1f600}\n".repeat(20_000);
        assert!(text(&utf16(&format!("\u{feff}{long}"), u16::to_be_bytes), None) == (long, None));
    }

    #[test]
    fn half_a_character_is_an_error_after_all_that_is_before_it() {
        let whole = utf16("\u{feff}a,b\n", u16::to_le_bytes);
        for wrong in [&b"\x31"[..], b"\x00\xd8\x41\x00", b"\x00\xdc"] {
            let (text, error) = text(&[&whole, wrong].concat(), None);
            assert_eq!(text, "a,b\n");
            assert!(error.unwrap().starts_with("a character is cut in half"), "{wrong:?}");
        }
    }
}
