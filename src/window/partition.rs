//! `batch`, `micro_batch`, `accumulation_steps`: any two give the third, a contradiction is an error.

use crate::{Error, Result};

/// How the samples of one update are cut into micro-batches. The last micro-batch may be short.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Partition {
    /// Samples of one update.
    pub batch: u32,
    /// Rows that the GPU holds at once.
    pub micro_batch: u32,
    /// Micro-batches of one update: `batch / micro_batch`, rounded up.
    pub accumulation_steps: u32,
}

/// Completes the partition from the numbers given.
pub fn resolve_partition(batch: Option<u32>, micro_batch: Option<u32>, steps: Option<u32>) -> Result<Partition> {
    for (field, value) in [(BATCH, batch), (MICRO_BATCH, micro_batch), (STEPS, steps)] {
        if value == Some(0) {
            return Err(Error::config(field, "0 is not a whole number from 1"));
        }
    }
    match (batch, micro_batch, steps) {
        (Some(batch), Some(micro_batch), None) => from_batch_and_micro_batch(batch, micro_batch),
        (Some(batch), None, Some(steps)) => from_batch_and_steps(batch, steps),
        (None, Some(micro_batch), Some(steps)) => from_micro_batch_and_steps(micro_batch, steps),
        (Some(batch), Some(micro_batch), Some(steps)) => from_all(batch, micro_batch, steps),
        (Some(rows), None, None) | (None, Some(rows), None) => from_batch_and_micro_batch(rows, rows),
        (None, None, Some(steps)) => Err(Error::config(
            STEPS,
            format!("{steps} alone does not say how many samples make one update; add batch or micro_batch to [train]"),
        )),
        (None, None, None) => {
            Err(Error::config(BATCH, "missing; add `batch = 64`, the samples of one update, to [train]"))
        }
    }
}

const BATCH: &str = "train.batch";
const MICRO_BATCH: &str = "train.micro_batch";
const STEPS: &str = "train.accumulation_steps";

fn from_batch_and_micro_batch(batch: u32, micro_batch: u32) -> Result<Partition> {
    if micro_batch > batch {
        let message = format!("{micro_batch} is more than train.batch = {batch}; write micro_batch = {batch} or less");
        return Err(Error::config(MICRO_BATCH, message));
    }
    Ok(Partition { batch, micro_batch, accumulation_steps: batch.div_ceil(micro_batch) })
}

fn from_micro_batch_and_steps(micro_batch: u32, steps: u32) -> Result<Partition> {
    let batch = micro_batch.checked_mul(steps).ok_or_else(|| {
        let product = u64::from(micro_batch) * u64::from(steps);
        let message = format!("{steps} times micro_batch = {micro_batch} is {product} samples, more than {}", u32::MAX);
        Error::config(STEPS, message)
    })?;
    Ok(Partition { batch, micro_batch, accumulation_steps: steps })
}

fn from_batch_and_steps(batch: u32, steps: u32) -> Result<Partition> {
    let micro_batch = batch.div_ceil(steps);
    let fewer = batch.div_ceil(micro_batch);
    if fewer == steps {
        return Ok(Partition { batch, micro_batch, accumulation_steps: steps });
    }
    // `micro_batch` rows make too few steps, one row less makes too many.
    let smaller = if micro_batch > 1 {
        let rows = micro_batch - 1;
        format!(" or {} (micro-batches of {rows})", batch.div_ceil(rows))
    } else {
        String::new()
    };
    let message = format!(
        "batch = {batch} cannot be cut into {steps} micro-batches of one size; \
         the nearest that work are {fewer} (micro-batches of {micro_batch}){smaller}"
    );
    Err(Error::config(STEPS, message))
}

fn from_all(batch: u32, micro_batch: u32, steps: u32) -> Result<Partition> {
    let partition = from_batch_and_micro_batch(batch, micro_batch)?;
    if partition.accumulation_steps == steps {
        return Ok(partition);
    }
    let message = format!(
        "{steps} contradicts batch = {batch} and micro_batch = {micro_batch}, which make {}; leave one of the three out",
        partition.accumulation_steps
    );
    Err(Error::config(STEPS, message))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resolved(batch: Option<u32>, micro_batch: Option<u32>, steps: Option<u32>) -> (u32, u32, u32) {
        let partition = resolve_partition(batch, micro_batch, steps).unwrap();
        (partition.batch, partition.micro_batch, partition.accumulation_steps)
    }

    fn refusal(batch: Option<u32>, micro_batch: Option<u32>, steps: Option<u32>) -> String {
        resolve_partition(batch, micro_batch, steps).unwrap_err().to_string()
    }

    #[test]
    fn any_two_give_the_third() {
        assert_eq!(resolved(Some(120), Some(40), None), (120, 40, 3));
        assert_eq!(resolved(Some(120), None, Some(3)), (120, 40, 3));
        assert_eq!(resolved(None, Some(40), Some(3)), (120, 40, 3));
        assert_eq!(resolved(Some(120), Some(40), Some(3)), (120, 40, 3));
    }

    #[test]
    fn the_last_micro_batch_may_be_short() {
        assert_eq!(resolved(Some(100), Some(40), None), (100, 40, 3));
        assert_eq!(resolved(Some(100), None, Some(3)), (100, 34, 3));
        assert_eq!(resolved(Some(100), Some(40), Some(3)), (100, 40, 3));
    }

    #[test]
    fn one_alone_is_one_micro_batch() {
        assert_eq!(resolved(Some(64), None, None), (64, 64, 1));
        assert_eq!(resolved(None, Some(64), None), (64, 64, 1));
        assert_eq!(resolved(Some(u32::MAX), None, None), (u32::MAX, u32::MAX, 1));
    }

    #[test]
    fn steps_alone_or_nothing_says_what_to_add() {
        assert!(refusal(None, None, Some(4)).contains("add batch or micro_batch"));
        assert!(refusal(None, None, None).contains("add `batch = 64`"));
    }

    #[test]
    fn a_contradiction_names_the_numbers() {
        let text = refusal(Some(120), Some(40), Some(4));
        assert_eq!(
            text,
            "train.accumulation_steps: 4 contradicts batch = 120 and micro_batch = 40, which make 3; \
             leave one of the three out"
        );
        assert!(refusal(Some(32), Some(64), None).starts_with("train.micro_batch: 64 is more than train.batch = 32"));
    }

    #[test]
    fn steps_that_cannot_be_had_name_the_nearest_that_can() {
        let text = refusal(Some(10), None, Some(6));
        assert!(
            text.ends_with("the nearest that work are 5 (micro-batches of 2) or 10 (micro-batches of 1)"),
            "{text}"
        );
        let text = refusal(Some(10), None, Some(11));
        assert!(text.ends_with("the nearest that work are 10 (micro-batches of 1)"), "{text}");
    }

    #[test]
    fn the_nearest_steps_are_the_nearest_for_every_small_batch() {
        for batch in 1..=60u32 {
            let can: Vec<u32> = (1..=batch).map(|rows| batch.div_ceil(rows)).collect();
            for steps in 1..=70u32 {
                match resolve_partition(Some(batch), None, Some(steps)) {
                    Ok(cut) => assert_eq!(batch.div_ceil(cut.micro_batch), steps),
                    Err(error) => {
                        let text = error.to_string();
                        let fewer = can.iter().filter(|&&s| s < steps).max().unwrap();
                        assert!(!can.contains(&steps) && text.contains(&format!("are {fewer} (")), "{text}");
                        if let Some(more) = can.iter().filter(|&&s| s > steps).min() {
                            assert!(text.contains(&format!("or {more} (")), "{text}");
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn zero_and_overflow_are_refused() {
        assert!(refusal(Some(0), None, None).starts_with("train.batch: 0"));
        assert!(refusal(Some(8), Some(0), None).starts_with("train.micro_batch: 0"));
        assert!(refusal(Some(8), None, Some(0)).starts_with("train.accumulation_steps: 0"));
        assert!(refusal(None, Some(1 << 20), Some(1 << 20)).contains("is 1099511627776 samples"));
    }
}
