//! Whether a preparation that was read from a file can be used.

use std::collections::HashSet;

use super::{Column, Encoding, Kind, Learned, Preparation};
use crate::quote::shown;

/// More features than this are taken for a damaged file; an index up to it is exact in a float.
const MOST: usize = 1 << 24;

/// A column has no more levels than this.
const MOST_LEVELS: usize = 65_536;

impl Preparation {
    /// Says whether it can be used: what [`Preparation::fit`] gives always can, what a file holds may not.
    ///
    /// # Errors
    /// The message about the first thing that is wrong.
    pub fn check(&self) -> Result<(), String> {
        if self.columns.is_empty() {
            return Err("uses no column".into());
        }
        let mut known = HashSet::new();
        let mut features = 0_usize;
        for column in &self.columns {
            column.check()?;
            features = features.saturating_add(column.encoding.width());
            if !known.insert(&column.name) {
                return Err(format!("uses column {} twice", shown(&column.name)));
            }
        }
        if features > MOST {
            return Err(format!("makes {features} features; {MOST} are the most"));
        }
        let targets = match &self.target {
            None => &[][..],
            Some(target) => target.check()?,
        };
        for name in targets.iter().chain(self.weight.as_ref().map(|weight| &weight.name)) {
            if !known.insert(name) {
                return Err(format!("uses column {} twice", shown(name)));
            }
        }
        self.weight.as_ref().map_or(Ok(()), |weight| weight.dialect.check())
    }
}

impl Column {
    pub(super) fn check(&self) -> Result<(), String> {
        let fits = match self.encoding {
            Encoding::Number { .. } => self.kind == Kind::Number,
            Encoding::Date { .. } => self.kind == Kind::Date,
            _ => matches!(self.kind, Kind::Category | Kind::Boolean),
        };
        if !fits {
            return Err(format!("encodes column {} in another way than its kind", shown(&self.name)));
        }
        self.encoding.check().map_err(|message| format!("column {}: {message}", shown(&self.name)))
    }
}

impl Encoding {
    fn check(&self) -> Result<(), String> {
        match self {
            Encoding::Number { dialect, fill, scale, .. } => {
                dialect.check()?;
                scale.check()?;
                finite(*fill)
            }
            Encoding::Date { fill, scale, cycles, .. } => {
                let ordered = cycles.windows(2).all(|pair| (pair[0] as u8) < pair[1] as u8);
                if !ordered {
                    return Err("its cycles are not in their order".into());
                }
                scale.check()?;
                finite(*fill)
            }
            Encoding::Pair { levels } => different(levels),
            Encoding::OneHot { levels, .. } if self.width() == 0 && levels.is_empty() => Err("has no feature".into()),
            Encoding::OneHot { levels, .. } => different(levels),
            Encoding::Index { levels, fallback, width, .. } => {
                let indices = self.indices().unwrap_or_default();
                if *fallback as usize >= indices || *width == 0 || *width as usize > MOST {
                    return Err(format!("index {fallback} of {indices}, {width} numbers wide, cannot be used"));
                }
                different(levels)
            }
        }
    }
}

impl Learned {
    /// The columns, if they can be used.
    fn check(&self) -> Result<&[String], String> {
        match self {
            Learned::Classes { name, classes } => {
                if classes.len() < 2 {
                    return Err(format!("target {} has {} classes", shown(name), classes.len()));
                }
                different(classes)?;
                Ok(std::slice::from_ref(name))
            }
            Learned::Numbers { names, dialects, scale } => {
                if names.is_empty() || dialects.len() != names.len() {
                    return Err(format!("writes {} of {} targets", dialects.len(), names.len()));
                }
                dialects.iter().try_for_each(|dialect| dialect.check())?;
                let Some(scale) = scale else { return Ok(names) };
                let good = |(mean, std): (&f64, &f64)| mean.is_finite() && std.is_finite() && *std > 0.0;
                let counts = (scale.mean.len(), scale.std.len()) == (names.len(), names.len());
                match counts && scale.mean.iter().zip(&scale.std).all(good) {
                    true => Ok(names),
                    false => Err("the scale of its targets cannot be used".into()),
                }
            }
        }
    }
}

fn finite(number: f64) -> Result<(), String> {
    if number.is_finite() { Ok(()) } else { Err("a number of it is not finite".into()) }
}

fn different(levels: &[String]) -> Result<(), String> {
    if levels.len() > MOST_LEVELS {
        return Err(format!("has {} levels; {MOST_LEVELS} are the most", levels.len()));
    }
    let mut known = HashSet::new();
    match levels.iter().find(|level| !known.insert(*level)) {
        Some(level) => Err(format!("has {} twice", shown(level))),
        None => Ok(()),
    }
}
