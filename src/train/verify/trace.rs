//! The result of a training, to the bit, and the first difference between two of them.

use std::fmt;

use crate::nn::Arrays;
use crate::train::Update;

/// The result of the first updates of a training, to the bit.
#[derive(Clone, Debug)]
pub struct Trace {
    /// The updates, with their losses.
    pub updates: Vec<Update>,
    /// Parameters and optimizer state after every update, or after the last if all would take too much memory.
    pub states: Vec<Snapshot>,
    /// The number of micro-batches.
    pub micro_batches: u64,
}

/// Parameters and optimizer state after an update.
#[derive(Clone, Debug)]
pub struct Snapshot {
    /// The update, counted from 1.
    pub update: u64,
    /// The parameters, by name.
    pub parameters: Arrays,
    /// The optimizer's state, by the parameters' names.
    pub moments: Vec<Arrays>,
}

/// The first difference between two traces.
#[derive(Clone, Debug, PartialEq)]
pub struct Difference {
    /// The update, counted from 1.
    pub update: u64,
    /// What differs after it: `loss`, `weight`, a parameter such as `0.weight`, or `moment 1 of 0.weight`.
    pub array: String,
    /// The index in the array; empty for a number that stands alone.
    pub index: Vec<usize>,
    /// The first trace's value.
    pub wanted: Bits,
    /// The other trace's value.
    pub found: Bits,
}

/// A number and its bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bits {
    /// An `f32`.
    F32(u32),
    /// An `f64`.
    F64(u64),
    /// A number of samples, or 1 for yes and 0 for no.
    Count(u64),
}

impl fmt::Display for Bits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Bits::F32(bits) => write!(f, "{:e} (0x{bits:08x})", f32::from_bits(*bits)),
            Bits::F64(bits) => write!(f, "{:e} (0x{bits:016x})", f64::from_bits(*bits)),
            Bits::Count(count) => write!(f, "{count}"),
        }
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "update {}: {}", self.update, self.array)?;
        if !self.index.is_empty() {
            write!(f, "{:?}", self.index)?;
        }
        write!(f, " is {}, not {}", self.found, self.wanted)
    }
}

impl Trace {
    /// The first difference of another trace, in the order of the updates; within an update first the loss, then the
    /// parameters, then the optimizer's state.
    pub fn difference(&self, other: &Trace) -> Option<Difference> {
        for (at, ours) in self.updates.iter().enumerate() {
            let numbers = |u: &Update| {
                [
                    ("samples", Bits::Count(u64::from(u.samples))),
                    ("weight", Bits::F64(u.weight.to_bits())),
                    ("loss", Bits::F64(u.loss.to_bits())),
                    ("lr", Bits::F64(u.lr.to_bits())),
                    ("made", Bits::Count(u64::from(u.made()))),
                ]
            };
            let update = ours.update;
            let Some(theirs) = other.updates.get(at) else {
                let (wanted, found) = (Bits::Count(1), Bits::Count(0));
                return Some(Difference { update, array: "made".to_owned(), index: Vec::new(), wanted, found });
            };
            for ((array, wanted), (_, found)) in numbers(ours).into_iter().zip(numbers(theirs)) {
                if wanted != found {
                    return Some(Difference { update, array: array.to_owned(), index: Vec::new(), wanted, found });
                }
            }
            let state = |trace: &'_ Trace| trace.states.iter().position(|state| state.update == update);
            if let (Some(a), Some(b)) = (state(self), state(other))
                && let Some(difference) = self.states[a].difference(&other.states[b])
            {
                return Some(difference);
            }
        }
        None
    }
}

impl Snapshot {
    fn difference(&self, other: &Snapshot) -> Option<Difference> {
        let parts = || std::iter::once((String::new(), &self.parameters, &other.parameters));
        let moments = self.moments.iter().zip(&other.moments).enumerate();
        let moments = moments.map(|(at, (ours, theirs))| (format!("moment {} of ", at + 1), ours, theirs));
        for (prefix, ours, theirs) in parts().chain(moments) {
            for ((name, a), (_, b)) in ours.iter().zip(theirs) {
                let apart = a.values.iter().zip(&b.values).position(|(a, b)| a.to_bits() != b.to_bits());
                let Some(at) = apart else { continue };
                return Some(Difference {
                    update: self.update,
                    array: format!("{prefix}{name}"),
                    index: place(at, &a.shape),
                    wanted: Bits::F32(a.values[at].to_bits()),
                    found: Bits::F32(b.values[at].to_bits()),
                });
            }
        }
        None
    }
}

/// The index of the `at`-th element of an array, row-major.
fn place(mut at: usize, shape: &[usize]) -> Vec<usize> {
    let mut index = vec![0; shape.len()];
    for (axis, &size) in shape.iter().enumerate().rev() {
        index[axis] = at % size.max(1);
        at /= size.max(1);
    }
    index
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_difference_names_the_array_and_the_index() {
        let array = |values: &[f32]| crate::plan::Array { shape: vec![2, 3], values: values.to_vec() };
        let state = |values: &[f32]| {
            let arrays = Arrays::from([("0.weight".to_owned(), array(values))]);
            Snapshot { update: 3, parameters: Arrays::new(), moments: vec![Arrays::new(), arrays] }
        };
        let (ours, theirs) = (state(&[1.0; 6]), state(&[1.0, 1.0, 1.0, 1.0, 1.0, -0.0]));
        assert_eq!(ours.difference(&ours), None);
        assert_eq!(
            ours.difference(&theirs).unwrap().to_string(),
            "update 3: moment 2 of 0.weight[1, 2] is -0e0 (0x80000000), not 1e0 (0x3f800000)"
        );
    }
}
