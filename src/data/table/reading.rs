//! How a file of a table is read, where looking at it does not say.

use serde::{Deserialize, Serialize};

#[cfg(feature = "csv")]
use crate::{Error, Result};

/// How a file is read. Each field that is `None` is found by looking at the file.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Reading {
    /// What stands between the cells of a row; found by looking at the first rows.
    pub separator: Option<Separator>,
    /// How letters are bytes; a byte order mark says more than this, and without either it is UTF-8.
    pub encoding: Option<Charset>,
    /// The names of the columns; looked for in the first row.
    pub header: Option<Header>,
    /// What stands between the cells unless looking says something else, as it does not for a file of few rows.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub likely: Option<Separator>,
}

impl Reading {
    /// What of it concerns a format whose cells have names and no separator.
    pub fn of_named_cells(&self) -> Reading {
        Reading { encoding: self.encoding, ..Reading::default() }
    }

    /// Whether all is found by looking.
    pub fn is_default(&self) -> bool {
        *self == Reading::default()
    }
}

/// What stands between the cells of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Separator {
    /// `,`
    #[serde(alias = ",")]
    Comma,
    /// `;`
    #[serde(alias = ";")]
    Semicolon,
    /// A tab.
    #[serde(alias = "\t")]
    Tab,
    /// `|`
    #[serde(alias = "|")]
    Pipe,
    /// Any number of blanks and tabs; those at the ends of a row are none.
    #[serde(alias = " ")]
    Blanks,
}

/// How letters are bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Charset {
    /// UTF-8.
    #[serde(rename = "utf-8", alias = "utf8")]
    Utf8,
    /// UTF-16; without a byte order mark, the low byte comes first.
    #[serde(rename = "utf-16", alias = "utf16")]
    Utf16,
    /// ISO 8859-1, with the letters that Windows-1252 adds.
    #[serde(rename = "latin-1", alias = "latin1")]
    Latin1,
}

/// Where the names of the columns are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Header {
    /// In the first row, or nowhere: then they are `column1`, `column2` and so on.
    Present(bool),
    /// Here. A first row of just these names is left out.
    Names(Vec<String>),
}

impl Reading {
    /// Whether it fits a format whose cells have names and no separator.
    #[cfg(feature = "csv")]
    pub(super) fn check_for_named_cells(&self, format: &str) -> Result<()> {
        let wrong = |field: &str| {
            Err(Error::config(field, format!("it is for delimited text, and the file is {format}; remove it")))
        };
        match (&self.separator, &self.header) {
            (Some(_), _) => wrong("data.separator"),
            (_, Some(Header::Names(_) | Header::Present(false))) => wrong("data.header"),
            _ => Ok(()),
        }
    }
}

impl Separator {
    /// Returns the name, as in a message.
    pub fn name(self) -> &'static str {
        match self {
            Separator::Comma => "comma",
            Separator::Semicolon => "semicolon",
            Separator::Tab => "tab",
            Separator::Pipe => "'|'",
            Separator::Blanks => "blank",
        }
    }

    /// Whether a byte separates cells.
    #[cfg(feature = "csv")]
    pub(in crate::data) fn is(self, byte: u8) -> bool {
        match self {
            Separator::Comma => byte == b',',
            Separator::Semicolon => byte == b';',
            Separator::Tab => byte == b'\t',
            Separator::Pipe => byte == b'|',
            Separator::Blanks => byte == b' ' || byte == b'\t',
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_written_as_people_say_them() {
        let read = |text: &str| serde_json::from_str::<Reading>(text);
        assert_eq!(read("{}").unwrap(), Reading::default());
        let reading = read(r#"{"separator": ";", "encoding": "latin-1", "header": ["a", "b"]}"#).unwrap();
        let header = Some(Header::Names(vec!["a".into(), "b".into()]));
        let (separator, encoding) = (Some(Separator::Semicolon), Some(Charset::Latin1));
        assert_eq!(reading, Reading { separator, encoding, header, likely: None });
        assert_eq!(read(r#"{"header": false}"#).unwrap().header, Some(Header::Present(false)));
        for text in [r#"{"separator": "x"}"#, r#"{"encoding": "ebcdic"}"#, r#"{"header": 1}"#] {
            assert!(read(text).is_err(), "{text}");
        }
        let written = serde_json::to_string(&reading).unwrap();
        assert_eq!(read(&written).unwrap(), reading);
        assert!(written.contains("\"semicolon\""), "{written}");
    }
}
