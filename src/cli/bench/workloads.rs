//! The workloads: trainings as data.

use serde::Serialize;

use super::networks::{Network, Widths};
use crate::{Error, Result};

/// Most numbers of a data set: 4 GiB of them.
const MOST: usize = 1 << 30;

/// The name of a workload that is a user's own.
pub const OWN: &str = "own";

/// A training by plain SGD, on data that stays on the GPU in its own order.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Workload {
    /// Its name in the tables.
    pub name: String,
    /// What is trained.
    #[serde(flatten)]
    pub network: Network,
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
    /// The workload called `W1`, `W2`, `W3`, `W7`, `W8`, `W9` or `W10`.
    pub fn of(name: &str) -> Result<Workload> {
        let mlp = |widths: &[usize], loss| Network::mlp(&Widths(widths.to_vec()), "relu", loss);
        let (network, rows, micro_batch, accumulation_steps) = match name {
            "W1" => (mlp(&[8, 16, 1], "mse"), 1200, 40, 3),
            "W2" => (mlp(&[8, 128, 128, 1], "mse"), 20_000, 256, 4),
            "W7" => (Network::small_cnn(), 1024, 64, 4),
            "W8" => (Network::resnet8(), 512, 32, 4),
            "W9" => (Network::gpt(4, 64), 192, 12, 4),
            "W10" => (Network::gpt(2, 512), 64, 4, 8),
            _ => (mlp(&[784, 512, 256, 10], "cross_entropy"), 8192, 64, 8),
        };
        Ok(Workload { name: name.to_owned(), network: network?, rows, micro_batch, accumulation_steps, lr: 0.01 })
    }

    /// Samples of an update.
    pub fn batch(&self) -> usize {
        self.micro_batch.saturating_mul(self.accumulation_steps)
    }

    /// Checks that the rows make at least one whole update, and that they can be held.
    pub fn check(&self) -> Result<()> {
        if self.rows < self.batch() {
            let message = format!("{} rows, but an update takes {}; give as many or more", self.rows, self.batch());
            return Err(Error::config("--rows", message));
        }
        let widest = self.network.model.inputs.max(self.network.model.outputs());
        if self.rows.saturating_mul(widest) > MOST {
            let message = format!("{} rows of {widest} numbers; give {} or less", self.rows, MOST / widest);
            return Err(Error::config("--rows", message));
        }
        Ok(())
    }

    /// The arguments of `accrue bench` that describe it.
    pub fn arguments(&self) -> Vec<String> {
        if self.name != OWN {
            return vec![self.name.clone()];
        }
        let number = |value: usize| value.to_string();
        let pairs = [
            ("--shape", self.network.shape.clone()),
            ("--activation", self.network.activation.clone()),
            ("--loss", self.network.model.loss.clone()),
            ("--rows", number(self.rows)),
            ("--micro-batch", number(self.micro_batch)),
            ("--steps", number(self.accumulation_steps)),
        ];
        pairs.into_iter().flat_map(|(name, value)| [name.to_owned(), value]).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_that_make_no_update_or_too_many_are_refused() {
        let workload = |rows| Workload { rows, ..Workload::of("W3").unwrap() };
        assert!(workload(511).check().unwrap_err().to_string().contains("511 rows, but an update takes 512"));
        assert!(workload(usize::MAX).check().unwrap_err().to_string().contains("1369568 or less"));
        for name in ["W1", "W2", "W3", "W7", "W8", "W9", "W10"] {
            Workload::of(name).unwrap().check().unwrap();
        }
    }

    #[test]
    fn a_workload_is_described_by_its_name_and_one_of_ones_own_by_its_widths() {
        let workload = Workload::of("W2").unwrap();
        assert_eq!(workload.arguments(), ["W2"]);
        let own = Workload { name: OWN.to_owned(), ..workload }.arguments();
        assert_eq!(own[..6], ["--shape", "8-128-128-1", "--activation", "relu", "--loss", "mse"]);
    }

    #[test]
    fn the_fields_of_a_workload_lie_side_by_side_in_json() {
        let workload = serde_json::to_value(Workload::of("W7").unwrap()).unwrap();
        let fields: Vec<&str> = workload.as_object().unwrap().keys().map(String::as_str).collect();
        let mut wanted = ["name", "shape", "activation", "loss", "rows", "micro_batch", "accumulation_steps", "lr"];
        wanted.sort_unstable();
        assert_eq!(fields, wanted);
        assert_eq!((&workload["loss"], &workload["activation"]), (&"cross_entropy".into(), &"relu".into()));
    }
}
