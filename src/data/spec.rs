//! How the columns of a CSV file are used.

use std::collections::HashSet;

use super::{Dataset, Targets};
use crate::quote::shown;
use crate::{Error, Result};

/// How the columns of a CSV file are used. Columns that are not named here are features.
#[derive(Debug, Clone, PartialEq)]
pub struct CsvSpec {
    /// The columns to learn: one for classes, one or more for values.
    pub target: Vec<String>,
    /// What the target holds.
    pub kind: TargetKind,
    /// The column that says how much each row counts, 0 or more.
    pub weight: Option<String>,
    /// Exactly these features, in this order, as a saved model needs them; all other columns are left unread.
    pub features: Option<Vec<String>>,
}

/// What a target column holds.
#[derive(Debug, Clone, PartialEq)]
pub enum TargetKind {
    /// Labels: whole numbers or text. They are compared as text and sorted by number if all are whole numbers,
    /// otherwise by their text; that is the order of the classes.
    Classes,
    /// Labels of a saved model, in its order. Any other label is an error.
    KnownClasses(Vec<String>),
    /// Numbers.
    Values,
}

impl CsvSpec {
    /// One column of class labels; everything else is a feature.
    pub fn classes(target: impl Into<String>) -> Self {
        CsvSpec { target: vec![target.into()], kind: TargetKind::Classes, weight: None, features: None }
    }

    /// One or more columns of numbers; everything else is a feature.
    pub fn values<S: Into<String>>(targets: impl IntoIterator<Item = S>) -> Self {
        let target = targets.into_iter().map(Into::into).collect();
        CsvSpec { target, kind: TargetKind::Values, weight: None, features: None }
    }

    /// The same, for a second file that must fit `data`: its features in its order, and its classes.
    pub fn like(&self, data: &Dataset) -> Self {
        let kind = match &data.targets {
            Targets::Classes { classes, .. } => TargetKind::KnownClasses(classes.clone()),
            Targets::Values { .. } => TargetKind::Values,
        };
        CsvSpec { kind, features: Some(data.features.names.clone()), ..self.clone() }
    }

    /// Contradictions that can be seen without a file.
    pub(super) fn check(&self) -> Result<()> {
        const FIELD: &str = "data.target";
        let labels = self.kind != TargetKind::Values;
        match &self.target[..] {
            [] => return Err(Error::config(FIELD, "no column is named; name the column to learn")),
            [_, _, ..] if labels => {
                let message = format!(
                    "{} columns are named, but a classification has one target; name one, or use loss = \"mse\"",
                    self.target.len()
                );
                return Err(Error::config(FIELD, message));
            }
            _ => {}
        }
        let mut targets = HashSet::new();
        for name in &self.target {
            let shown = shown(name);
            if !targets.insert(name) {
                return Err(Error::config(FIELD, format!("{shown} is named twice; name each column once")));
            }
            if self.weight.as_ref() == Some(name) {
                let message = format!("{shown} is the target too; name another column or none");
                return Err(Error::config("data.weight", message));
            }
        }
        let used = |name: &&String| targets.contains(name) || self.weight.as_ref() == Some(name);
        match self.features.iter().flatten().find(used) {
            Some(name) => {
                let message = format!("{} is a feature of the model; it cannot be target or weight", shown(name));
                Err(Error::config(FIELD, message))
            }
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(spec: &CsvSpec) -> String {
        spec.check().unwrap_err().to_string()
    }

    #[test]
    fn a_classification_has_one_target() {
        let two = CsvSpec { kind: TargetKind::Classes, ..CsvSpec::values(["a", "b"]) };
        assert!(message(&two).starts_with("data.target: 2 columns are named, but a classification has one target"));
        let none = CsvSpec::values([""; 0]);
        assert!(message(&none).starts_with("data.target: no column is named"));
        CsvSpec::values(["a", "b"]).check().unwrap();
        CsvSpec::classes("a").check().unwrap();
    }

    #[test]
    fn a_column_has_one_use() {
        assert!(message(&CsvSpec::values(["a", "b", "a"])).contains("\"a\" is named twice"));
        let weight = CsvSpec { weight: Some("a".into()), ..CsvSpec::classes("a") };
        assert!(message(&weight).starts_with("data.weight: \"a\" is the target too"));
        let feature = CsvSpec { features: Some(vec!["b".into(), "a".into()]), ..CsvSpec::classes("a") };
        assert!(message(&feature).starts_with("data.target: \"a\" is a feature of the model"));
    }
}
