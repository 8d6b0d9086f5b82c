//! The layout of a sample in memory.

use super::{Graph, Tensor, TensorKind, pad4};

/// The layout of a sample in memory: inputs | target | weights | padding, all of them floats.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record {
    /// Features of the first input: the rows of a table.
    pub features: usize,
    /// Floats of the target.
    pub targets: usize,
    /// Offset of the target, in floats.
    pub target_at: usize,
    /// Offset of the sample's weights, in floats.
    pub weight_at: usize,
    /// Weights of a sample: one, or one per position of the loss.
    pub weights: usize,
    /// Floats from one record to the next; a multiple of four.
    pub stride: usize,
}

impl Record {
    /// The layout for this many features and target columns.
    pub fn new(features: usize, targets: usize) -> Record {
        Record::with(features, pad4(features), targets, 1)
    }

    /// The same with a target and a weight for each of so many positions.
    pub fn of_positions(features: usize, targets: usize, positions: usize) -> Record {
        Record::with(features, pad4(features), targets * positions, positions)
    }

    fn with(features: usize, inputs: usize, targets: usize, weights: usize) -> Record {
        let weight_at = inputs + targets;
        Record { features, targets, target_at: inputs, weight_at, weights, stride: pad4(weight_at + weights) }
    }
}

/// How a data set on the GPU keeps whole numbers in their own type: so many bits each, in words of 32.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Packing {
    /// Each sample's features, then its targets and weights as floats, one word each.
    Rows {
        /// Bits of a feature: 8, 16 or 32.
        bits: usize,
    },
    /// One line of tokens, of which samples are sequences.
    Line {
        /// Bits of a token: 8, 16 or 32.
        bits: usize,
        /// Tokens of the line.
        tokens: usize,
        /// Tokens from the beginning of one sample to that of the next.
        stride: usize,
        /// The token that is no target; `u32::MAX` if all are.
        ignore: u32,
    },
}

impl Packing {
    /// Bits of a number.
    pub fn bits(self) -> usize {
        match self {
            Packing::Rows { bits } | Packing::Line { bits, .. } => bits,
        }
    }

    /// Words that so many numbers take.
    pub fn words_of(self, numbers: usize) -> usize {
        numbers.div_ceil(32 / self.bits())
    }

    /// Words of so many samples.
    pub fn words(self, record: &Record, samples: usize) -> usize {
        match self {
            Packing::Rows { .. } => samples * (self.words_of(record.features) + record.targets + record.weights),
            Packing::Line { tokens, .. } => self.words_of(tokens),
        }
    }
}

impl Graph {
    /// The layout of a sample of this graph: the numbers of each input, padded at their end to a multiple of four, and the target
    /// unpadded.
    pub fn record(&self) -> Record {
        let inputs = self.of_kind(TensorKind::Input).map(|input| self.floats_of(input)).sum();
        let features = self.only(TensorKind::Input).map_or(0, |input| self.shape(input).dims().iter().product());
        let targets = self.only(TensorKind::Target).map_or(0, |target| self.shape(target).dims().iter().product());
        Record::with(features, inputs, targets, self.weights.unwrap_or(1))
    }

    /// Offset of an input in a record, in floats.
    pub fn input_at(&self, input: Tensor) -> usize {
        let before = self.of_kind(TensorKind::Input).take_while(|&other| other != input);
        before.map(|input| self.floats_of(input)).sum()
    }

    /// Floats that an input takes in a record.
    fn floats_of(&self, input: Tensor) -> usize {
        pad4(self.shape(input).dims().iter().product())
    }

    /// Whether kernels read a tensor in the records: the target, and the only input if it is a row of columns (its rows are a
    /// record's stride apart). All other inputs are first copied out of the records; an image of one pixel is, too.
    pub fn in_records(&self, tensor: Tensor) -> bool {
        match self.info(tensor).kind {
            TensorKind::Target => true,
            TensorKind::Input => self.shape(tensor).dims().len() == 1 && self.only(TensorKind::Input) == Some(tensor),
            TensorKind::Parameter | TensorKind::Statistic | TensorKind::Intermediate => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_holds_inputs_target_and_weights_one_after_the_other() {
        let mut table = Graph::new();
        let x = table.input(5);
        table.target(2);
        assert_eq!(table.record(), Record::new(5, 2));
        assert_eq!(
            table.record(),
            Record { features: 5, targets: 2, target_at: 8, weight_at: 10, weights: 1, stride: 12 }
        );
        assert!(table.in_records(x));

        let mut pixel = Graph::new();
        let x = pixel.input_of(&[1, 1, 3]);
        assert!(!pixel.in_records(x), "kernels of images know of no stride");

        let mut image = Graph::new();
        let pixels = image.input_of(&[4, 3, 3]);
        let more = image.input(2);
        image.target_of(&[4, 3, 1]);
        image.weigh_positions(12);
        let record = image.record();
        assert_eq!((image.input_at(pixels), image.input_at(more)), (0, 36));
        assert_eq!((record.target_at, record.weight_at, record.weights, record.stride), (40, 52, 12, 64));
        assert!(!image.in_records(pixels) && !image.in_records(more));
    }
}
