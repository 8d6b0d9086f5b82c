//! The header of a `.npy` array: a Python dictionary of type, order and shape.

use std::io::Read;

use super::archive::{MAGIC, damaged};
use super::dtype::Dtype;
use crate::quote::shown;

/// A header may have this many bytes; NumPy itself takes no more than 10 000 unless it is told to trust the file.
const MOST_HEADER: u32 = 1 << 16;

/// What a header says.
#[derive(Debug, PartialEq)]
pub(super) struct Header {
    pub dtype: Dtype,
    /// The first axis is the one that varies fastest.
    pub fortran: bool,
    pub shape: Vec<u64>,
    /// Bytes before the first element.
    pub bytes: u64,
}

impl Header {
    /// Reads a header and nothing behind it; an error is the message about the array.
    pub fn read(reader: &mut dyn Read) -> Result<Header, String> {
        let mut read = |bytes: &mut [u8]| reader.read_exact(bytes).map_err(|error| damaged(&error));
        let mut start = [0; 8];
        read(&mut start)?;
        if &start[..6] != MAGIC {
            return Err("is no array of NumPy; np.save and np.savez write one".to_owned());
        }
        let mut length = [0; 4];
        let long = match start[6] {
            1 => 2,
            2 | 3 => 4,
            other => return Err(format!("has version {other} of the format; versions 1 to 3 can be read")),
        };
        read(&mut length[..long])?;
        let length = u32::from_le_bytes(length);
        if length > MOST_HEADER {
            return Err(format!("has a header of {length} bytes; {MOST_HEADER} are the most"));
        }
        let mut text = vec![0; length as usize];
        read(&mut text)?;
        let (dtype, fortran, shape) = dictionary(&String::from_utf8_lossy(&text))?;
        Ok(Header { dtype: Dtype::parse(&dtype)?, fortran, shape, bytes: 8 + long as u64 + u64::from(length) })
    }
}

/// Type, order and shape, each of which must be there.
fn dictionary(text: &str) -> Result<(String, bool, Vec<u64>), String> {
    let mut left = Tokens(text);
    let (mut dtype, mut fortran, mut shape) = (None, None, None);
    let understood = (|| {
        left.take('{')?;
        while !left.skip('}') {
            let key = left.quoted()?;
            left.take(':')?;
            match key {
                "descr" => dtype = Some(left.dtype()?),
                "fortran_order" => fortran = Some(left.truth()?),
                "shape" => shape = Some(left.shape()?),
                _ => return None,
            }
            let _ = left.skip(',');
        }
        Some((dtype.take()?, fortran?, shape.take()?))
    })();
    understood.ok_or_else(|| format!("has a header that cannot be read: {}", shown(text.trim())))
}

/// The rest of a header. Every function takes what it names, or gives `None` where something else stands.
struct Tokens<'a>(&'a str);

impl<'a> Tokens<'a> {
    /// Whether this comes next; then it is taken.
    fn skip(&mut self, letter: char) -> bool {
        let rest = self.0.trim_start().strip_prefix(letter);
        self.0 = rest.unwrap_or(self.0);
        rest.is_some()
    }

    fn take(&mut self, letter: char) -> Option<()> {
        self.skip(letter).then_some(())
    }

    fn quoted(&mut self) -> Option<&'a str> {
        let quote = if self.skip('\'') { '\'' } else { self.skip('"').then_some('"')? };
        let (text, rest) = self.0.split_once(quote)?;
        self.0 = rest;
        Some(text)
    }

    /// A type; the list of a structured one is taken as the text that it is.
    fn dtype(&mut self) -> Option<String> {
        if !self.skip('[') {
            return self.quoted().map(str::to_owned);
        }
        let (text, rest) = self.0.split_once(']')?;
        self.0 = rest;
        Some(format!("[{text}]"))
    }

    fn truth(&mut self) -> Option<bool> {
        let text = self.0.trim_start();
        let (value, rest) = match text.strip_prefix("True") {
            Some(rest) => (true, rest),
            None => (false, text.strip_prefix("False")?),
        };
        self.0 = rest;
        Some(value)
    }

    fn shape(&mut self) -> Option<Vec<u64>> {
        let mut shape = Vec::new();
        self.take('(')?;
        while !self.skip(')') {
            let text = self.0.trim_start();
            let digits = text.find(|letter: char| !letter.is_ascii_digit())?;
            shape.push(text[..digits].parse().ok()?);
            self.0 = &text[digits..];
            let _ = self.skip('L') || self.skip(',');
        }
        Some(shape)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Header, String> {
        let mut bytes = [MAGIC, b"\x01\0"].concat();
        bytes.extend_from_slice(&(text.len() as u16).to_le_bytes());
        bytes.extend_from_slice(text.as_bytes());
        Header::read(&mut &bytes[..])
    }

    #[test]
    fn headers_as_numpy_writes_them_are_read() {
        let read = |text| read(text).map(|header| (header.fortran, header.shape));
        let header = "{'descr': '<f8', 'fortran_order': True, 'shape': (3, 4, 5), }   \n";
        assert_eq!(read(header).unwrap(), (true, vec![3, 4, 5]));
        assert_eq!(read("{'descr':'|u1','fortran_order':False,'shape':(7,)}").unwrap(), (false, vec![7]));
        assert_eq!(read("{\"shape\": (), \"fortran_order\": False, \"descr\": \"|b1\"}").unwrap(), (false, vec![]));
    }

    #[test]
    fn what_is_no_header_is_refused() {
        for text in [
            "",
            "{",
            "{}",
            "{'descr': '<f4', 'fortran_order': False}",
            "{'descr': '<f4', 'fortran_order': False, 'shape': (3, -1)}",
            "{'descr': '<f4', 'fortran_order': False, 'shape': (99999999999999999999,)}",
            "{'descr': '<f4', 'fortran_order': False, 'shape': (3 4",
            "{'descr': '<f4', 'fortran_order': None, 'shape': (3,)}",
            "{'descr': '<f4', 'other': False, 'shape': (3,)}",
        ] {
            assert!(read(text).unwrap_err().starts_with("has a header that cannot be read"), "{text}");
        }
        for (dtype, part) in
            [("'<c16'", "complex"), ("'|O'", "objects"), ("[('a', '<f4')]", "structure"), ("'<f2'", "<f2")]
        {
            let text = format!("{{'descr': {dtype}, 'fortran_order': False, 'shape': (3,)}}");
            assert!(read(&text).unwrap_err().contains(part), "{text}");
        }
        let claims = [MAGIC, b"\x02\0\xff\xff\xff\xff"].concat();
        assert!(Header::read(&mut &claims[..]).unwrap_err().contains("4294967295 bytes"));
        assert!(Header::read(&mut &b"\x93NUMPY\x09\0"[..]).unwrap_err().contains("version 9"));
        assert!(Header::read(&mut &b"PK"[..]).unwrap_err().contains("cut short"));
    }
}
