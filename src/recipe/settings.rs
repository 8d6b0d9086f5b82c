//! A user's settings, key by key, each with its place: the file and line, or `--set`.

use std::io::Read;
use std::path::Path;

use serde::Deserialize;
use toml::de::{DeTable, DeValue, ValueDeserializer};
use toml::{Spanned, Value};

use super::keys;
use crate::{Error, Result};

/// Most bytes of a configuration file.
const MOST_BYTES: u64 = 1 << 20;

/// One key with its value.
#[derive(Clone, Debug, PartialEq)]
pub struct Setting {
    /// Section and name, as in `train.batch`; or whatever is in the place of a section.
    pub name: String,
    /// Its value.
    pub value: Value,
    /// Its line in the file, or `None` for `--set`.
    pub line: Option<usize>,
}

/// All keys that were written, in the order of the file.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    file: String,
    list: Vec<Setting>,
}

impl Settings {
    /// Reads a file of at most 1 MiB.
    pub fn read(path: &Path) -> Result<Self> {
        let file = std::fs::File::open(path).map_err(|error| Error::io(path, error))?;
        let mut bytes = Vec::new();
        file.take(MOST_BYTES + 1).read_to_end(&mut bytes).map_err(|error| Error::io(path, error))?;
        let name = path.display().to_string();
        if bytes.len() as u64 > MOST_BYTES {
            return Err(Error::config(name, "larger than 1 MiB; is this a configuration?"));
        }
        let text = String::from_utf8(bytes).map_err(|error| {
            let at = error.utf8_error().valid_up_to();
            Error::config(&name, format!("byte {at} is not UTF-8 text; is this a configuration?"))
        })?;
        Self::parse(&text, &name)
    }

    /// Parses a TOML document. Errors call it `file`.
    pub fn parse(text: &str, file: &str) -> Result<Self> {
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let document = DeTable::parse(text).map_err(|error| {
            let (line, column) = position(text, error.span().map_or(0, |span| span.start));
            Error::config(format!("{file}:{line}:{column}"), error.message().replace('\n', " "))
        })?;
        let mut settings = Self { file: file.to_owned(), list: Vec::new() };
        let (mut line, mut counted) = (1, 0);
        for (name, start, value) in flatten(document.into_inner()) {
            line += text.get(counted..start).unwrap_or_default().matches('\n').count();
            counted = start;
            // Only a number that is too large fails here; as text it is refused where a number is wanted.
            let raw = Value::String(text.get(value.span()).unwrap_or_default().to_owned());
            let value = Value::deserialize(ValueDeserializer::from(value)).unwrap_or(raw);
            settings.list.push(Setting { name, value, line: Some(line) });
        }
        Ok(settings)
    }

    /// The keys in order.
    pub fn iter(&self) -> impl Iterator<Item = &Setting> {
        self.list.iter()
    }

    /// The key of this name, if it was written.
    pub fn get(&self, name: &str) -> Option<&Setting> {
        self.list.iter().find(|setting| setting.name == name)
    }

    /// Replaces the value of a key, or adds the key.
    pub fn put(&mut self, setting: Setting) {
        self.remove(&setting.name);
        self.list.push(setting);
    }

    /// Removes a key.
    pub fn remove(&mut self, name: &str) {
        self.list.retain(|setting| setting.name != name);
    }

    /// Adds to an error about a key the place where it was written.
    pub fn locate(&self, error: Error) -> Error {
        let Error::Config { field, message } = error else { return error };
        // A place in a value, such as `model.layers[3]`, is where its key is.
        let key = field.split('[').next().unwrap_or(&field);
        let place = match self.get(key).map(|setting| setting.line) {
            Some(Some(line)) => format!("{}:{line}", self.file),
            Some(None) => "--set".to_owned(),
            None => self.file.clone(),
        };
        Error::config(field, format!("{message} ({place})"))
    }
}

/// The keys of all sections and where they start, in the order of the file.
fn flatten(document: DeTable) -> Vec<(String, usize, Spanned<DeValue>)> {
    let mut found = Vec::new();
    for (section, value) in document {
        let name = section.get_ref().to_string();
        let span = value.span();
        match value.into_inner() {
            DeValue::Table(table) if !table.is_empty() || keys::sections().contains(&&*name) => {
                let keys = table.into_iter();
                found.extend(keys.map(|(key, value)| (format!("{name}.{}", key.get_ref()), key.span().start, value)));
            }
            other => found.push((name, section.span().start, Spanned::new(span, other))),
        }
    }
    found.sort_by_key(|&(_, start, _)| start);
    found
}

/// Line and column, counted from 1, of a byte of a text.
fn position(text: &str, byte: usize) -> (usize, usize) {
    let before = text.get(..byte).unwrap_or(text);
    let start = before.rfind('\n').map_or(0, |newline| newline + 1);
    (before.matches('\n').count() + 1, before[start..].chars().count() + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_come_in_the_order_of_the_file_with_their_lines() {
        let settings =
            Settings::parse("\u{feff}[train]\r\nseed = 1\r\nbatch = 2\r\n[data]\npath = 'x'\n", "c").unwrap();
        let found: Vec<_> = settings.iter().map(|s| (s.name.as_str(), s.line.unwrap())).collect();
        assert_eq!(found, [("train.seed", 2), ("train.batch", 3), ("data.path", 5)]);
    }

    #[test]
    fn a_syntax_error_is_one_line_with_file_line_and_column() {
        let text = Settings::parse("[train]\nepochs = = 3\n", "c.toml").unwrap_err().to_string();
        assert!(text.starts_with("c.toml:2:10: "), "{text}");
        assert!(!text.contains('\n'), "{text}");
        let text = Settings::parse("[train]\nseed = 1\nseed = 2\n", "c.toml").unwrap_err().to_string();
        assert_eq!(text, "c.toml:3:1: duplicate key");
    }

    #[test]
    fn a_file_that_is_not_there_too_large_or_not_text_is_refused() {
        let folder = std::env::temp_dir().join(format!("accrue-settings-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let path = folder.join("c.toml");
        assert!(matches!(Settings::read(&path), Err(Error::Io { .. })));
        std::fs::write(&path, "#".repeat(1 << 20)).unwrap();
        assert!(Settings::read(&path).is_ok());
        std::fs::write(&path, "#".repeat((1 << 20) + 1)).unwrap();
        assert!(Settings::read(&path).unwrap_err().to_string().contains("larger than 1 MiB"));
        std::fs::write(&path, [b'#', 0xff]).unwrap();
        assert!(Settings::read(&path).unwrap_err().to_string().contains("byte 1 is not UTF-8"));
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
