//! The workloads: trainings as data, and the random samples that they train on.

use std::f32::consts::TAU;
use std::fmt;
use std::str::FromStr;

use serde::{Serialize, Serializer};

use crate::data::Batch;
use crate::doctor::Numbers;
use crate::graph::TargetKind;
use crate::nn::{Layer, Model};
use crate::{Error, Result};

/// Most numbers of a data set: 4 GiB of them.
const MOST: usize = 1 << 30;

/// The widths of a network, from its features to its outputs: `784-512-256-10`.
#[derive(Clone, Debug, PartialEq)]
pub struct Widths(pub Vec<usize>);

impl FromStr for Widths {
    type Err = String;

    fn from_str(text: &str) -> Result<Widths, String> {
        let widths: Result<Vec<usize>, _> = text.split('-').map(str::parse).collect();
        match widths {
            Ok(widths) if widths.len() >= 2 && widths.iter().all(|width| (1..=1 << 24).contains(width)) => {
                Ok(Widths(widths))
            }
            _ => Err("give two widths or more, each from 1 to 16777216, as in 784-512-256-10".to_owned()),
        }
    }
}

impl fmt::Display for Widths {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.iter().map(usize::to_string).collect::<Vec<_>>().join("-"))
    }
}

impl Serialize for Widths {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// A training by plain SGD, on data that stays on the GPU in its own order.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Workload {
    /// Its name in the tables.
    pub name: String,
    /// The widths.
    pub shape: Widths,
    /// The activation between two layers.
    pub activation: String,
    /// The loss.
    pub loss: String,
    /// Samples.
    pub rows: usize,
    /// Rows at once.
    pub micro_batch: usize,
    /// Micro-batches of an update.
    pub accumulation_steps: usize,
    /// The learning rate.
    pub lr: f64,
}

impl Workload {
    /// The workload called `W1`, `W2` or `W3`.
    pub fn of(name: &str) -> Workload {
        let (widths, loss, rows, micro_batch, accumulation_steps): (&[usize], _, _, _, _) = match name {
            "W1" => (&[8, 16, 1], "mse", 1200, 40, 3),
            "W2" => (&[8, 128, 128, 1], "mse", 20_000, 256, 4),
            _ => (&[784, 512, 256, 10], "cross_entropy", 8192, 64, 8),
        };
        Workload {
            name: name.to_owned(),
            shape: Widths(widths.to_vec()),
            activation: "relu".to_owned(),
            loss: loss.to_owned(),
            rows,
            micro_batch,
            accumulation_steps,
            lr: 0.01,
        }
    }

    /// Samples of an update.
    pub fn batch(&self) -> usize {
        self.micro_batch.saturating_mul(self.accumulation_steps)
    }

    /// The network.
    pub fn model(&self) -> Result<Model> {
        let mut layers: Vec<Layer> = Vec::new();
        for (at, &width) in self.shape.0[1..].iter().enumerate() {
            if at > 0 {
                layers.push(self.activation.as_str().into());
            }
            layers.push(width.into());
        }
        Model::new(self.shape.0[0], &layers, &self.loss)
    }

    /// Floating-point operations per sample, 2 for each multiplication with its addition: forward, the gradients of all
    /// weights, and those of all layers' inputs but the first's. Biases, activations, loss and update are not counted.
    pub fn flop_per_sample(&self) -> u64 {
        let products: Vec<u64> = self.shape.0.windows(2).map(|pair| (pair[0] * pair[1]) as u64).collect();
        6 * products.iter().sum::<u64>() - 2 * products[0]
    }

    /// Checks that the rows make at least one whole update, and that they can be held.
    pub fn check(&self) -> Result<()> {
        if self.rows < self.batch() {
            let message = format!("{} rows, but an update takes {}; give as many or more", self.rows, self.batch());
            return Err(Error::config("--rows", message));
        }
        let widest = self.shape.0[0].max(self.shape.0[self.shape.0.len() - 1]);
        if self.rows.saturating_mul(widest) > MOST {
            let message = format!("{} rows of {widest} numbers; give {} or less", self.rows, MOST / widest);
            return Err(Error::config("--rows", message));
        }
        Ok(())
    }

    /// The arguments of `accrue bench` that describe it.
    pub fn arguments(&self) -> Vec<String> {
        let number = |value: usize| value.to_string();
        let pairs = [
            ("--shape", self.shape.to_string()),
            ("--activation", self.activation.clone()),
            ("--loss", self.loss.clone()),
            ("--rows", number(self.rows)),
            ("--micro-batch", number(self.micro_batch)),
            ("--steps", number(self.accumulation_steps)),
        ];
        pairs.into_iter().flat_map(|(name, value)| [name.to_owned(), value]).collect()
    }
}

/// Random samples, always the same.
pub struct Data {
    features: Vec<f32>,
    values: Vec<f32>,
    classes: Vec<u32>,
}

impl Data {
    /// Features and numeric targets are normal; classes, and answers of yes or no, are equally frequent.
    pub fn random(workload: &Workload, model: &Model) -> Data {
        let mut numbers = Numbers::new(1);
        let rows = workload.rows;
        let mut data = Data { features: normal(&mut numbers, rows * model.inputs), values: vec![], classes: vec![] };
        match model.reads() {
            TargetKind::Class => data.classes = (0..rows).map(|_| numbers.below(model.outputs()) as u32).collect(),
            TargetKind::Values => data.values = normal(&mut numbers, rows * model.targets()),
            TargetKind::Flags => {
                data.values = (0..rows * model.targets()).map(|_| numbers.below(2) as f32).collect();
            }
        }
        data
    }

    /// All rows.
    pub fn batch(&self) -> Batch<'_> {
        if self.values.is_empty() {
            Batch::classes(&self.features, &self.classes)
        } else {
            Batch::values(&self.features, &self.values)
        }
    }
}

/// This many normal numbers, by Box and Muller.
fn normal(numbers: &mut Numbers, count: usize) -> Vec<f32> {
    let mut all = Vec::with_capacity(count + 1);
    while all.len() < count {
        // Both in (0, 1): a word's halves, each with 24 bits.
        let word = numbers.word();
        let [u, v] = [word >> 40, word >> 8 & 0xff_ffff].map(|bits| (bits as f32 + 0.5) / (1u32 << 24) as f32);
        let (radius, (sin, cos)) = ((-2.0 * u.ln()).sqrt(), (TAU * v).sin_cos());
        all.extend([radius * cos, radius * sin]);
    }
    all.truncate(count);
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shape_is_read_as_it_is_written() {
        for text in ["4-1", "784-512-256-10"] {
            assert_eq!(text.parse::<Widths>().unwrap().to_string(), text);
        }
        for text in ["", "4", "4-", "4-0-1", "4-x", "4-99999999", "-4-1"] {
            assert!(text.parse::<Widths>().is_err(), "{text:?}");
        }
    }

    #[test]
    fn the_operations_of_a_sample_are_those_of_its_three_matrix_products_but_one() {
        // 8·16 and 16·1 products: forward 2 each, weights 2 each, inputs of the second layer alone 2.
        assert_eq!(Workload::of("W1").flop_per_sample(), 2 * (128 + 16) + 2 * (128 + 16) + 2 * 16);
        let macs = 784 * 512 + 512 * 256 + 256 * 10;
        assert_eq!(Workload::of("W3").flop_per_sample(), 6 * macs - 2 * 784 * 512);
    }

    #[test]
    fn rows_that_make_no_update_or_too_many_are_refused() {
        let workload = |rows| Workload { rows, ..Workload::of("W3") };
        assert!(workload(511).check().unwrap_err().to_string().contains("511 rows, but an update takes 512"));
        assert!(workload(usize::MAX).check().unwrap_err().to_string().contains("1369568 or less"));
        for name in ["W1", "W2", "W3"] {
            Workload::of(name).check().unwrap();
        }
    }

    #[test]
    fn the_data_is_normal_and_every_class_occurs() {
        let workload = Workload { rows: 600, ..Workload::of("W3") };
        let data = Data::random(&workload, &workload.model().unwrap());
        let (n, sum) = (data.features.len() as f64, data.features.iter().map(|&x| f64::from(x)).sum::<f64>());
        let squares: f64 = data.features.iter().map(|&x| f64::from(x) * f64::from(x)).sum();
        assert!((sum / n).abs() < 0.01 && (squares / n - 1.0).abs() < 0.01, "{} {}", sum / n, squares / n);
        assert!((0..10).all(|class| data.classes.contains(&class)) && data.classes.iter().all(|&class| class < 10));
    }
}
