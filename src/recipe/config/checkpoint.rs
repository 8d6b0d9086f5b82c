//! `train.checkpoint`: when a run is saved while it trains.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::Result;
use crate::recipe::keys;
use crate::run::Every;

/// When a run is saved while it trains. It is always saved at its end and on Ctrl-C.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Checkpoint {
    /// After this many updates.
    Updates(u64),
    /// After this time, as in "10min", or only at the "end".
    Text(String),
}

impl Default for Checkpoint {
    fn default() -> Checkpoint {
        Checkpoint::Text("10min".to_owned())
    }
}

impl Checkpoint {
    /// The meaning of the value.
    ///
    /// # Errors
    /// [`Error::Config`](crate::Error::Config) if it is neither a number nor a time.
    pub fn every(&self) -> Result<Every> {
        match self {
            Checkpoint::Updates(0) => Err(keys::unusable("train.checkpoint", 0)),
            Checkpoint::Updates(updates) => Ok(Every::Updates(*updates)),
            Checkpoint::Text(text) if text.trim() == "end" => Ok(Every::End),
            Checkpoint::Text(text) => {
                let wrong = || keys::unusable("train.checkpoint", format!("{text:?}"));
                time(text.trim()).map(Every::Time).ok_or_else(wrong)
            }
        }
    }
}

/// A time as people write it: 30s, 10min, 1.5 h.
fn time(text: &str) -> Option<Duration> {
    let digits = text.find(|c: char| !(c.is_ascii_digit() || c == '.'))?;
    let number: f64 = text[..digits].parse().ok()?;
    let unit = match text[digits..].trim() {
        "s" => 1.0,
        "min" => 60.0,
        "h" => 3600.0,
        _ => return None,
    };
    let seconds = number * unit;
    (seconds > 0.0 && seconds <= 1e9).then(|| Duration::from_secs_f64(seconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Result<Every> {
        Checkpoint::Text(text.to_owned()).every()
    }

    #[test]
    fn times_are_read_as_people_write_them() {
        for (text, seconds) in [("30s", 30.0), ("10min", 600.0), (" 1.5 h ", 5400.0), ("0.1s", 0.1)] {
            assert_eq!(of(text).unwrap(), Every::Time(Duration::from_secs_f64(seconds)), "{text}");
        }
        assert_eq!(of("end").unwrap(), Every::End);
        assert_eq!(Checkpoint::Updates(7).every().unwrap(), Every::Updates(7));
    }

    #[test]
    fn what_is_no_time_is_refused_with_one_that_is() {
        for text in ["", "min", "10", "0s", "-1s", "1.2.3s", "10 minutes", "1e300h", "9999999999h"] {
            let error = of(text).unwrap_err().to_string();
            assert!(error.starts_with("train.checkpoint: ") && error.contains("\"10min\""), "{error}");
        }
        assert!(Checkpoint::Updates(0).every().is_err());
    }
}
