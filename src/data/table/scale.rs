//! The scale of a column of numbers: from the number in the file to the feature.

use serde::{Deserialize, Serialize};

/// From a number to a feature: `v = (x − center) · factor`, and with `clip` `v / √(1 + (v/3)²)`, which stays within ±3.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scale {
    /// What becomes 0.
    pub center: f64,
    /// What one unit becomes; 0 for a column that does not vary.
    pub factor: f64,
    /// Whether far values are drawn in.
    pub clip: bool,
}

impl Scale {
    /// Numbers stay as they are.
    pub const NONE: Scale = Scale { center: 0.0, factor: 1.0, clip: false };

    /// The feature of a number, in `f64`.
    pub fn apply(&self, x: f64) -> f64 {
        let v = (x - self.center) * self.factor;
        if self.clip { v / (1.0 + (v / 3.0).powi(2)).sqrt() } else { v }
    }
}
