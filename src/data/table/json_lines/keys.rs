//! The keys of objects.

use std::collections::HashMap;

use crate::data::input::MOST_LINE;
use crate::quote::shown;

/// Keys in the order in which they first appeared.
#[derive(Debug, Default)]
pub(super) struct Keys {
    pub names: Vec<String>,
    places: HashMap<String, usize>,
    /// Bytes of all names.
    bytes: u64,
}

impl Keys {
    /// Returns the place of a key.
    pub fn place(&self, key: &str) -> Result<usize, String> {
        self.places.get(key).copied().ok_or_else(|| format!("the key {} was not there before", shown(key)))
    }

    /// Adds a key if it is new. All of them together may be as long as the longest line of other formats.
    pub fn add(&mut self, key: &str) -> Result<(), String> {
        if self.places.contains_key(key) {
            return Ok(());
        }
        if key.trim().is_empty() {
            return Err(String::from("a key is empty; name every column"));
        }
        self.bytes += key.len() as u64 + 1;
        if self.bytes > MOST_LINE {
            let most = MOST_LINE >> 20;
            return Err(format!(
                "all different keys so far have more than {most} MiB; the same keys are wanted in each line"
            ));
        }
        self.places.insert(key.to_owned(), self.names.len());
        self.names.push(key.to_owned());
        Ok(())
    }
}
