//! How the columns, or arrays, of a file are used.

use std::collections::HashSet;

use serde::{Deserialize, Serialize};

use super::{Dataset, Targets};
use crate::quote::shown;
use crate::{Error, Result};

/// How the columns, or arrays, of a file are used.
#[derive(Debug, Clone, PartialEq)]
pub struct Spec {
    /// The columns to learn: one for classes, one or more for values.
    pub target: Vec<String>,
    /// What the target holds.
    pub kind: TargetKind,
    /// The column that says how much each row counts, 0 or more.
    pub weight: Option<String>,
    /// The columns that the model sees.
    pub features: FeatureNames,
    /// How images lie in the file.
    pub layout: Layout,
    /// `[height, width]` that the images of a folder are resized to; without it all files have one size.
    pub size: Option<[usize; 2]>,
}

/// The order of the axes of an image, or of a series, in a file.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Layout {
    /// Height, width, channels: the order that a model sees.
    #[default]
    Hwc,
    /// Channels, height, width, as PyTorch has it.
    Chw,
    /// No image: time, channels, or time alone.
    Series,
}

/// Which columns are features.
#[derive(Debug, Clone, PartialEq)]
pub enum FeatureNames {
    /// Every column that is neither target nor weight, in the file's order.
    Rest,
    /// These, in this order; all others are left unread.
    Given(Vec<String>),
    /// Those of a saved model, or of a first file, in its order; all others are left unread.
    Model(Vec<String>),
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
    /// Nothing: there is no target, and features alone are read.
    Unread,
}

impl Spec {
    /// One column of class labels; everything else is a feature.
    pub fn classes(target: impl Into<String>) -> Self {
        Spec { kind: TargetKind::Classes, ..Spec::values([target]) }
    }

    /// One or more columns of numbers; everything else is a feature.
    pub fn values<S: Into<String>>(targets: impl IntoIterator<Item = S>) -> Self {
        let target = targets.into_iter().map(Into::into).collect();
        Spec {
            target,
            kind: TargetKind::Values,
            weight: None,
            features: FeatureNames::Rest,
            layout: Layout::Hwc,
            size: None,
        }
    }

    /// The features of a saved model alone, in its order; no target is read.
    pub fn features(names: &[String]) -> Self {
        let features = FeatureNames::Model(names.to_vec());
        Spec { kind: TargetKind::Unread, features, ..Spec::values([""; 0]) }
    }

    /// The same, for a second file that must fit `data`: its features in its order, and its classes.
    pub fn like(&self, data: &Dataset) -> Self {
        let kind = match &data.targets {
            Targets::Classes { classes, .. } => TargetKind::KnownClasses(classes.clone()),
            Targets::Values { .. } | Targets::Next { .. } => TargetKind::Values,
        };
        Spec { kind, features: FeatureNames::Model(data.features.names.clone()), ..self.clone() }
    }

    /// Contradictions that can be seen without a file.
    pub(super) fn check(&self) -> Result<()> {
        let names = match &self.features {
            FeatureNames::Rest => &[][..],
            FeatureNames::Given(names) | FeatureNames::Model(names) if names.is_empty() => {
                return Err(Error::config("features", "no column is named; a model has at least one feature"));
            }
            FeatureNames::Given(names) | FeatureNames::Model(names) => names,
        };
        self.check_target()?;
        let targets: HashSet<_> = self.target.iter().collect();
        let used = |name: &&String| targets.contains(name) || self.weight.as_ref() == Some(name);
        match names.iter().find(used) {
            Some(name) => {
                let message = format!("{} is a feature of the model; it cannot be target or weight", shown(name));
                Err(Error::config(FIELD, message))
            }
            None => Ok(()),
        }
    }

    fn check_target(&self) -> Result<()> {
        let labels = matches!(self.kind, TargetKind::Classes | TargetKind::KnownClasses(_));
        match &self.target[..] {
            [] if self.kind == TargetKind::Unread => {}
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
        Ok(())
    }
}

const FIELD: &str = "data.target";

#[cfg(test)]
mod tests {
    use super::*;

    fn message(spec: &Spec) -> String {
        spec.check().unwrap_err().to_string()
    }

    #[test]
    fn a_classification_has_one_target() {
        let two = Spec { kind: TargetKind::Classes, ..Spec::values(["a", "b"]) };
        assert!(message(&two).starts_with("data.target: 2 columns are named, but a classification has one target"));
        let none = Spec::values([""; 0]);
        assert!(message(&none).starts_with("data.target: no column is named"));
        Spec::values(["a", "b"]).check().unwrap();
        Spec::classes("a").check().unwrap();
    }

    #[test]
    fn a_column_has_one_use() {
        assert!(message(&Spec::values(["a", "b", "a"])).contains("\"a\" is named twice"));
        let weight = Spec { weight: Some("a".into()), ..Spec::classes("a") };
        assert!(message(&weight).starts_with("data.weight: \"a\" is the target too"));
        let feature = Spec { features: FeatureNames::Given(vec!["b".into(), "a".into()]), ..Spec::classes("a") };
        assert!(message(&feature).starts_with("data.target: \"a\" is a feature of the model"));
    }
}
