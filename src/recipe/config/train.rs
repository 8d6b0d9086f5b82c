//! The section `[train]`.

use bytesize::ByteSize;
use serde::{Deserialize, Serialize};

use super::{Checkpoint, is_default};
use crate::plan::ExecutionMode;
use crate::quote::shown;
use crate::recipe::class_weight::ClassWeight;
use crate::train::OnNonFinite;
use crate::train::metrics::Metric;
use crate::window::{Batches, Tail, resolve_partition};
use crate::{Error, Result};

/// The section `[train]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Train {
    /// Passes over the training rows.
    pub epochs: u32,
    /// Samples of one update: what the maths sees.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub batch: Option<Batch>,
    /// The unit of the first numbers of a batch schedule.
    pub batch_unit: BatchUnit,
    /// Rows that the GPU holds at once: what the memory sees.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub micro_batch: Option<MicroBatch>,
    /// Micro-batches of one update. Any two of the three give the third.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub accumulation_steps: Option<u32>,
    /// The GPU memory that `micro_batch = "auto"` may use, as in "256MiB".
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory: Option<Memory>,
    /// Which kernels to take, if they fit the network and the adapter; with "auto" these decide. Kernels do not change the
    /// result.
    #[serde(with = "auto")]
    pub kernels: Option<ExecutionMode>,
    /// What happens to an epoch's last samples if they do not fill a batch.
    pub tail: Tail,
    /// When the run is saved while it trains.
    pub checkpoint: Checkpoint,
    /// What happens at a window whose loss or gradient is not finite.
    pub on_nonfinite: OnNonFinite,
    /// The validation metric by which the best model is kept, and by which `patience` counts; of equally good epochs the
    /// first is the best.
    #[serde(skip_serializing_if = "is_default")]
    pub best: Metric,
    /// Ends the training after so many epochs in a row that are no better; without it all epochs are made.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub patience: Option<u32>,
    /// Ends the training after so many epochs, while the learning rate's schedule is that of all `epochs`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stop_after: Option<u32>,
    /// Whether to train once more, on the rows held back too, for as many epochs as the best one had: see
    /// [`Config::refitted`](crate::recipe::Config::refitted).
    #[serde(skip_serializing_if = "is_default")]
    pub refit: bool,
    /// How much the rows of each class count in training, times their own weight; without it all count the same.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub class_weight: Option<ClassWeight>,
    /// Whether every epoch takes the rows in a new order.
    pub shuffle: bool,
    /// Decides the split, the first weights and the order of the rows.
    pub seed: u64,
}

impl Default for Train {
    fn default() -> Self {
        Self {
            epochs: 10,
            batch: None,
            batch_unit: BatchUnit::Updates,
            micro_batch: None,
            accumulation_steps: None,
            memory: None,
            kernels: None,
            tail: Tail::Flush,
            checkpoint: Checkpoint::default(),
            on_nonfinite: OnNonFinite::Stop,
            best: Metric::Loss,
            patience: None,
            stop_after: None,
            refit: false,
            class_weight: None,
            shuffle: true,
            seed: 0,
        }
    }
}

/// `train.batch`: one number, or a schedule.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Batch {
    /// The same for all updates.
    One(u32),
    /// From when on, and how many: `[[0, 64], [1000, 256]]`.
    Schedule(Vec<(u64, u32)>),
}

/// `train.memory`: bytes, or a size in words.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Memory {
    /// This many bytes.
    Bytes(u64),
    /// As in "256MiB".
    Text(String),
}

/// The unit of the first numbers of a batch schedule.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum BatchUnit {
    /// Updates made before.
    #[default]
    Updates,
    /// Epochs finished before.
    Epochs,
}

/// `train.micro_batch`: a number, or a word for how to find one.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum MicroBatch {
    /// This many rows.
    Rows(u32),
    /// Found automatically.
    Automatic(Automatic),
}

/// How a micro-batch is found. The choice does not change the result.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Automatic {
    /// The most rows that fit the memory.
    Auto,
    /// The fastest of those that fit, by a short trial.
    Fastest,
}

/// A word, or "auto" for `None`.
mod auto {
    use std::fmt::Display;
    use std::str::FromStr;

    use serde::de::{Deserialize, Deserializer, Error};
    use serde::ser::Serializer;

    const NONE: &str = "auto";

    pub fn serialize<T: Display, S: Serializer>(value: &Option<T>, serializer: S) -> Result<S::Ok, S::Error> {
        match value {
            None => serializer.serialize_str(NONE),
            Some(value) => serializer.collect_str(value),
        }
    }

    pub fn deserialize<'de, T: FromStr<Err = String>, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<T>, D::Error> {
        match String::deserialize(deserializer)?.as_str() {
            NONE => Ok(None),
            word => word.parse().map(Some).map_err(D::Error::custom),
        }
    }
}

/// The windows of a run and how they are cut.
#[derive(Clone, Debug, PartialEq)]
pub struct Cut {
    /// Samples of each update.
    pub batches: Batches,
    /// Rows at once, or how to find their number.
    pub micro_batch: MicroBatch,
    /// Micro-batches of one update, if both numbers are known.
    pub accumulation_steps: Option<u32>,
}

impl Train {
    /// The epochs that are made at most.
    pub fn last_epoch(&self) -> u32 {
        self.stop_after.unwrap_or(self.epochs)
    }

    /// The batch and its cut, completed from the keys given.
    pub fn cut(&self) -> Result<Cut> {
        let rows = match self.micro_batch {
            Some(MicroBatch::Rows(rows)) => Some(rows),
            _ => None,
        };
        let found = match self.micro_batch {
            Some(MicroBatch::Automatic(how)) => Some(how),
            None if self.accumulation_steps.is_none() && self.batch.is_some() => Some(Automatic::Auto),
            _ => None,
        };
        if let (Some(_), Some(steps)) = (found, self.accumulation_steps) {
            let message =
                format!("{steps} fixes the micro-batch, which train.micro_batch leaves open; leave one of the two out");
            return Err(Error::config("train.accumulation_steps", message));
        }
        match (&self.batch, found) {
            (Some(Batch::Schedule(steps)), _) => self.scheduled(steps, rows, found),
            (Some(Batch::One(batch)), Some(how)) => {
                let micro_batch = MicroBatch::Automatic(how);
                Ok(Cut { batches: Batches::constant(*batch)?, micro_batch, accumulation_steps: None })
            }
            (batch, _) => {
                let batch = match batch {
                    Some(Batch::One(batch)) => Some(*batch),
                    _ => None,
                };
                let partition = resolve_partition(batch, rows, self.accumulation_steps)?;
                Ok(Cut {
                    batches: Batches::constant(partition.batch)?,
                    micro_batch: MicroBatch::Rows(partition.micro_batch),
                    accumulation_steps: Some(partition.accumulation_steps),
                })
            }
        }
    }

    fn scheduled(&self, steps: &[(u64, u32)], rows: Option<u32>, found: Option<Automatic>) -> Result<Cut> {
        if let Some(steps) = self.accumulation_steps {
            let message = format!("{steps} does not fit a batch that changes; give train.micro_batch instead");
            return Err(Error::config("train.accumulation_steps", message));
        }
        let batches = Batches::new(steps, self.batch_unit == BatchUnit::Epochs)?;
        let most = batches.most();
        if let Some(rows) = rows.filter(|&rows| rows == 0 || rows > most) {
            let message = format!("{rows} does not fit the largest batch, {most}; write 1 to {most} or \"auto\"");
            return Err(Error::config("train.micro_batch", message));
        }
        let micro_batch = rows.map_or(MicroBatch::Automatic(found.unwrap_or(Automatic::Auto)), MicroBatch::Rows);
        Ok(Cut { batches, micro_batch, accumulation_steps: None })
    }

    /// The bytes of `train.memory`.
    pub fn memory_bytes(&self) -> Result<Option<u64>> {
        let bytes = |memory: &Memory| match memory {
            Memory::Bytes(bytes) => parse_bytes(&bytes.to_string()),
            Memory::Text(text) => parse_bytes(text),
        };
        self.memory.as_ref().map(bytes).transpose()
    }
}

/// A size as people write it: 300000000, 256MiB, 1.5 GB.
fn parse_bytes(text: &str) -> Result<u64> {
    let wrong = || {
        let message = format!(
            "{} is not a size; write, for example, memory = \"256MiB\" (KiB, MiB, GiB, KB, MB, GB)",
            shown(text)
        );
        Error::config("train.memory", message)
    };
    let bytes = text.trim().parse::<ByteSize>().map_err(|_| wrong())?.as_u64();
    if (1..1 << 60).contains(&bytes) { Ok(bytes) } else { Err(wrong()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_as_people_write_them() {
        for (text, bytes) in
            [("300", 300), ("256MiB", 256 << 20), ("1.5 GB", 1_500_000_000), (" 2 kib ", 2048), ("2G", 2_000_000_000)]
        {
            assert_eq!(parse_bytes(text).unwrap(), bytes, "{text}");
        }
        for text in ["", "MiB", "-3MiB", "3 apples", "0", "0.5B", "1e99", "1.2.3MiB", "9EiB"] {
            assert!(parse_bytes(text).unwrap_err().to_string().contains("is not a size"), "{text}");
        }
    }

    #[test]
    fn only_a_batch_leaves_the_micro_batch_to_the_plan() {
        let cut = Train { batch: Some(Batch::One(120)), ..Train::default() }.cut().unwrap();
        assert_eq!(cut.micro_batch, MicroBatch::Automatic(Automatic::Auto));
        assert_eq!(cut.batches.most(), 120);
    }

    #[test]
    fn steps_contradict_a_micro_batch_that_is_left_open_and_a_batch_that_changes() {
        let auto = Some(MicroBatch::Automatic(Automatic::Auto));
        let open =
            Train { batch: Some(Batch::One(8)), micro_batch: auto, accumulation_steps: Some(2), ..Train::default() };
        assert!(open.cut().unwrap_err().to_string().contains("leaves open"));
        let batch = Some(Batch::Schedule(vec![(0, 8), (5, 16)]));
        let changes = Train { batch, accumulation_steps: Some(2), ..Train::default() };
        assert!(changes.cut().unwrap_err().to_string().contains("a batch that changes"));
    }
}
