//! `train.class_weight`: rows of some classes count more.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::data::{Dataset, Targets};
use crate::quote::shown;
use crate::{Error, Result};

/// How much the rows of each class count in training.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum ClassWeight {
    /// By a rule.
    Rule(ClassWeightRule),
    /// This much, by the names of the classes; those of other classes count 1.
    Table(BTreeMap<String, f64>),
}

/// A rule for the weights of classes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ClassWeightRule {
    /// Training rows / (classes · rows of the class): all classes count the same together. Only classes that occur in the
    /// training rows are counted, and rows count as rows, whatever they weigh.
    Balanced,
}

impl ClassWeight {
    /// Multiplies the weights of training rows with those of their classes.
    ///
    /// # Errors
    /// [`Error::Config`] for a class that is not there, a weight that no row can have, or weights of which none is above 0.
    pub fn apply(&self, train: &mut Dataset) -> Result<()> {
        let Targets::Classes { classes, labels, .. } = &train.targets else {
            return Err(wrong("there are no classes: the target is a number".to_owned()));
        };
        let of_classes = match self {
            ClassWeight::Rule(ClassWeightRule::Balanced) => balanced(labels, classes.len()),
            ClassWeight::Table(table) => named(table, classes)?,
        };
        let weights = train.weights.get_or_insert_with(|| vec![1.0; labels.len()]);
        for (weight, &label) in weights.iter_mut().zip(labels) {
            *weight = (f64::from(*weight) * of_classes[label as usize]) as f32;
        }
        if let Some(weight) = weights.iter().find(|weight| !weight.is_finite()) {
            return Err(wrong(format!("a row's weight becomes {weight}; give smaller numbers")));
        }
        if weights.iter().all(|&weight| weight == 0.0) {
            return Err(wrong("no row to train on has a weight above 0; give one of their classes one".to_owned()));
        }
        Ok(())
    }
}

fn balanced(labels: &[u32], classes: usize) -> Vec<f64> {
    let mut rows = vec![0u64; classes];
    labels.iter().for_each(|&label| rows[label as usize] += 1);
    let occurring = rows.iter().filter(|&&rows| rows > 0).count() as f64;
    let weight = |&rows: &u64| if rows > 0 { labels.len() as f64 / (occurring * rows as f64) } else { 1.0 };
    rows.iter().map(weight).collect()
}

fn named(table: &BTreeMap<String, f64>, classes: &[String]) -> Result<Vec<f64>> {
    for (name, weight) in table {
        if !classes.contains(name) {
            let most = classes.iter().take(12).map(|class| shown(class)).collect::<Vec<_>>().join(", ");
            let more = if classes.len() > 12 { ", …" } else { "" };
            return Err(wrong(format!("{} is none of the {} classes {most}{more}", shown(name), classes.len())));
        }
        if !(*weight >= 0.0 && (*weight as f32).is_finite()) {
            return Err(wrong(format!("{} has {weight}; give a finite number from 0", shown(name))));
        }
    }
    Ok(classes.iter().map(|class| table.get(class).copied().unwrap_or(1.0)).collect())
}

fn wrong(message: String) -> Error {
    Error::config("train.class_weight", message)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::Features;

    fn data(weights: Option<Vec<f32>>) -> Dataset {
        Dataset {
            features: Features { names: vec!["x".into()], shape: vec![], values: vec![0.0; 6].into() },
            targets: Targets::Classes {
                name: "y".into(),
                classes: ["no", "perhaps", "yes"].map(str::to_owned).to_vec(),
                labels: vec![0, 0, 2, 0, 0, 2],
            },
            weights,
        }
    }

    fn weighted(weight: &ClassWeight, weights: Option<Vec<f32>>) -> Result<Vec<f32>> {
        let mut data = data(weights);
        weight.apply(&mut data).map(|()| data.weights.unwrap())
    }

    fn table(of: &[(&str, f64)]) -> ClassWeight {
        ClassWeight::Table(of.iter().map(|&(name, weight)| (name.to_owned(), weight)).collect())
    }

    #[test]
    fn balanced_classes_count_the_same_together_as_in_scikit_learn() {
        let balanced = ClassWeight::Rule(ClassWeightRule::Balanced);
        // compute_class_weight("balanced", classes=[0, 2], y=[0, 0, 2, 0, 0, 2]) of scikit-learn 1.9.1: 0.75 and 1.5.
        assert_eq!(weighted(&balanced, None).unwrap(), [0.75, 0.75, 1.5, 0.75, 0.75, 1.5]);
        let product = weighted(&balanced, Some(vec![2.0, 0.0, 1.0, 1.0, 1.0, 4.0])).unwrap();
        assert_eq!(product, [1.5, 0.0, 1.5, 0.75, 0.75, 6.0]);
    }

    #[test]
    fn classes_without_a_weight_of_their_own_count_1() {
        assert_eq!(weighted(&table(&[("yes", 2.5)]), None).unwrap(), [1.0, 1.0, 2.5, 1.0, 1.0, 2.5]);
    }

    #[test]
    fn weights_that_no_row_can_have_are_refused() {
        let said = |weight: &ClassWeight| weighted(weight, None).unwrap_err().to_string();
        assert_eq!(
            said(&table(&[("maybe", 1.0)])),
            "train.class_weight: \"maybe\" is none of the 3 classes \"no\", \"perhaps\", \"yes\""
        );
        for bad in [-1.0, f64::NAN, f64::INFINITY, 1e39] {
            assert!(said(&table(&[("yes", bad)])).ends_with("; give a finite number from 0"), "{bad}");
        }
        assert!(said(&table(&[("yes", 0.0), ("no", 0.0)])).contains("no row to train on has a weight above 0"));
        let large = weighted(&table(&[("yes", 1e30)]), Some(vec![1e30; 6])).unwrap_err().to_string();
        assert!(large.contains("a row's weight becomes inf"), "{large}");
    }
}
