//! How the numbers of a column are written.

use serde::{Deserialize, Serialize};

/// How the numbers of a column are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Dialect {
    /// The decimal sign: `.` or `,`.
    pub decimal: char,
    /// What separates groups of three digits.
    pub thousands: Option<char>,
    /// A sign of currency before or behind the number, or `%` behind it. 12 % is 12.
    pub sign: Option<char>,
}

impl Default for Dialect {
    fn default() -> Self {
        Dialect { decimal: '.', thousands: None, sign: None }
    }
}
