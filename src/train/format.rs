//! What joins data and network: whether the samples of a batch fit a model, and how they lie on the GPU.

use std::borrow::Cow;

use crate::data::elements::EXACT;
use crate::data::{Batch, Elements, Sequences, Target};
use crate::graph::{Packing, Record, TargetKind};
use crate::nn::Model;
use crate::tensor::Element;
use crate::window::Order;
use crate::{Error, Result};

/// What a model reads: the layout of a sample, the kind of target, and how many classes there are.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Format {
    pub record: Record,
    pub reads: TargetKind,
    /// Positions of the output, each with a target and a weight of its own.
    pub positions: usize,
    /// Outputs of a position.
    pub outputs: usize,
}

impl Format {
    /// What a model reads.
    pub fn of(model: &Model) -> Format {
        let (output, reads) = (model.output(), model.reads());
        let (positions, outputs) = (output.positions(), output.columns().unwrap_or(0));
        let targets = if reads == TargetKind::Class { 1 } else { outputs };
        Format { record: Record::of_positions(model.inputs, targets, positions), reads, positions, outputs }
    }

    /// Rows of a batch, after checking that all of it fits the model.
    pub fn check(&self, batch: &Batch) -> Result<usize> {
        let wrong = |message: String| Err(Error::Shape { op: "batch", message });
        let (given, each) = match &batch.targets {
            Target::Next(sequences) => return self.check_sequences(batch, sequences),
            Target::Values(values) => (values.len(), self.record.targets),
            Target::Classes(labels) => (labels.len(), self.positions),
        };
        let rows = batch.features.len() / self.record.features.max(1);
        if rows == 0 || rows > u32::MAX as usize || batch.features.len() != rows * self.record.features {
            let (given, wanted) = (batch.features.len(), self.record.features);
            return wrong(format!("{given} numbers are no rows of {wanted} features"));
        }
        let wanted = rows * each;
        if given != wanted {
            let each =
                if self.positions > 1 { format!(", for {} positions of each", self.positions) } else { String::new() };
            return wrong(format!("{rows} rows of features, but {given} targets; {wanted} are wanted{each}"));
        }
        self.check_weights(batch, rows)?;
        self.check_kind(batch, rows)?;
        if let Some(at) = batch.features.inexact() {
            let (row, feature) = (at / self.record.features, at % self.record.features);
            return wrong(format!(
                "row {row}, feature {feature} is above {EXACT}, which a float does not hold exactly"
            ));
        }
        Ok(rows)
    }

    /// Rows of sequences: each token has one of the model's outputs, and each position a target.
    fn check_sequences(&self, batch: &Batch, sequences: &Sequences) -> Result<usize> {
        let wrong = |message: String| Err(Error::Shape { op: "batch", message });
        let (tokens, context) = (batch.features.len(), sequences.context);
        if self.record.features != context || self.positions != context {
            let (features, positions) = (self.record.features, self.positions);
            return wrong(format!(
                "sequences of {context} tokens, each with a target, but the model takes {features} numbers and has an output \
                 at {positions} positions"
            ));
        }
        if self.reads != TargetKind::Class {
            return wrong("the next token is one of several, but the model's loss does not want classes".to_owned());
        }
        if batch.features.element() == Element::F32 || batch.weights.is_some() {
            return wrong("tokens are whole numbers, u8, u16 or u32, and have no weights".to_owned());
        }
        let most = u32::MAX as usize - 2 * context;
        if tokens > most {
            return wrong(format!("{tokens} tokens; {most} are the most in one line, so train on a part of them"));
        }
        if !sequences.fits(tokens) {
            return wrong(format!("{} sequences of {context} tokens do not lie in {tokens}", sequences.count));
        }
        let known = |token| (token as usize) < self.outputs || Some(token) == sequences.ignore;
        match batch.features.whole().position(|token| !known(token)) {
            Some(at) => wrong(format!("token {at} is {}, but the model has {}", batch.features.at(at), self.outputs)),
            None => Ok(sequences.count),
        }
    }

    /// Rows of a batch that [`Format::check`] has let through.
    pub fn rows(&self, batch: &Batch) -> usize {
        match &batch.targets {
            Target::Next(sequences) => sequences.count,
            Target::Values(_) | Target::Classes(_) => batch.features.len() / self.record.features.max(1),
        }
    }

    /// The order in which epochs take the rows of a batch that [`Format::check`] has let through.
    pub fn order(&self, batch: &Batch, rows: usize, shuffle: Option<u64>) -> Order {
        match &batch.targets {
            Target::Next(sequences) => {
                let (places, spacing) = sequences.spacing();
                Order::spaced(sequences.epoch as u32, places as u32, spacing as u32, shuffle)
            }
            Target::Values(_) | Target::Classes(_) => Order::new(rows as u32, shuffle),
        }
    }

    fn check_weights(&self, batch: &Batch, rows: usize) -> Result<()> {
        let wrong = |message: String| Err(Error::Shape { op: "batch", message });
        let Some(weights) = batch.weights else { return Ok(()) };
        if ![rows, rows * self.positions].contains(&weights.len()) {
            return wrong(format!("{rows} rows of features, but {} weights", weights.len()));
        }
        match weights.iter().position(|weight| !(weight.is_finite() && *weight >= 0.0)) {
            Some(at) => {
                let place = place(at, weights.len() / rows);
                wrong(format!("{place} has weight {}; give a number from 0", weights[at]))
            }
            None => Ok(()),
        }
    }

    /// Some rows of a batch that [`Format::check`] has let through.
    pub fn stretch<'a>(&self, all: &Batch<'a>, rows: std::ops::Range<usize>) -> Batch<'a> {
        let Record { features, targets, .. } = self.record;
        let each = |len: usize| len / (all.features.len() / features).max(1);
        let of = |each: usize| rows.start * each..rows.end * each;
        let targets = match all.targets {
            Target::Next(sequences) => {
                let features = all.features.range(sequences.range(rows.clone(), all.features.len()));
                let targets = Target::Next(Sequences { count: rows.len(), epoch: rows.len(), ..sequences });
                return Batch { features, targets, weights: None };
            }
            Target::Values(values) => Target::Values(&values[of(targets)]),
            Target::Classes(labels) => Target::Classes(&labels[of(targets)]),
        };
        Batch {
            features: all.features.range(of(features)),
            targets,
            weights: all.weights.map(|weights| &weights[of(each(weights.len()))]),
        }
    }

    /// A position of weight 0 may have any label.
    fn check_kind(&self, batch: &Batch, rows: usize) -> Result<()> {
        let wrong = |message: String| Err(Error::Shape { op: "batch", message });
        let labels = match (batch.targets, self.reads) {
            (Target::Values(_), TargetKind::Values | TargetKind::Flags) | (Target::Next(_), _) => return Ok(()),
            (Target::Values(_), TargetKind::Class) => {
                return wrong("the model's loss wants classes, but the targets are numbers".to_owned());
            }
            (Target::Classes(_), TargetKind::Values) => {
                return wrong("the model's loss wants numbers, but the targets are classes".to_owned());
            }
            (Target::Classes(_), TargetKind::Flags) if self.outputs != 1 => {
                return wrong(format!(
                    "{} outputs of yes and no cannot be classes; give numbers, 0 and 1",
                    self.outputs
                ));
            }
            (Target::Classes(labels), _) => labels,
        };
        let classes = if self.reads == TargetKind::Flags { 2 } else { self.outputs };
        let mut weighed = labels.iter().zip((0..rows).flat_map(|row| self.weights(batch, row)));
        match weighed.position(|(&label, weight)| label as usize >= classes && weight != 0.0) {
            Some(at) => {
                let place = place(at, self.positions);
                wrong(format!("{place} is of class {}, but the model has {classes}", labels[at]))
            }
            None => Ok(()),
        }
    }

    /// Appends some rows of a batch that [`Format::check`] has let through, packed.
    pub fn pack(&self, batch: &Batch, packing: Packing, rows: std::ops::Range<usize>, into: &mut Vec<u32>) {
        let features = self.record.features;
        let words = packing.words(&self.record, 1);
        for r in rows {
            let begin = into.len();
            into.resize(begin + words, 0);
            let sample = &mut into[begin..];
            if !self.counts(batch, r) {
                continue;
            }
            let row = batch.features.range(r * features..(r + 1) * features);
            pack(row, packing.bits(), sample);
            let tail = &mut sample[packing.words_of(features)..];
            let values = self.targets(batch, r).chain(self.weights(batch, r));
            tail.iter_mut().zip(values).for_each(|(to, value)| *to = value.to_bits());
        }
    }

    /// Appends the records of some rows of a batch that [`Format::check`] has let through.
    pub fn write(&self, batch: &Batch, rows: impl ExactSizeIterator<Item = usize>, into: &mut Vec<f32>) {
        let Record { target_at, stride, .. } = self.record;
        let before = into.len();
        into.resize(before + rows.len() * stride, 0.0);
        for (r, record) in rows.zip(into[before..].chunks_mut(stride)) {
            if !self.counts(batch, r) {
                // It counts nothing, so what is not a number in it must not either: 0 · NaN would.
                continue;
            }
            let features = self.features_of(batch, r);
            features.write(&mut record[..features.len()]);
            // The weights follow the targets.
            let values = self.targets(batch, r).chain(self.weights(batch, r));
            record[target_at..].iter_mut().zip(values).for_each(|(to, value)| *to = value);
        }
    }

    /// The features of some rows as floats, (rows, features), padded with 0 where a text ends.
    pub fn features<'a>(&self, batch: &Batch<'a>, rows: std::ops::Range<usize>) -> Cow<'a, [f32]> {
        let each = self.record.features;
        if !matches!(batch.targets, Target::Next(_)) {
            return batch.features.range(rows.start * each..rows.end * each).to_f32();
        }
        let mut all = vec![0.0; rows.len() * each];
        for (row, to) in rows.zip(all.chunks_mut(each)) {
            let features = self.features_of(batch, row);
            features.write(&mut to[..features.len()]);
        }
        all.into()
    }

    /// The features of a row; fewer where a text ends.
    fn features_of<'a>(&self, batch: &Batch<'a>, row: usize) -> Elements<'a> {
        let each = self.record.features;
        match batch.targets {
            Target::Next(sequences) => {
                let range = sequences.range(row..row + 1, batch.features.len());
                batch.features.range(range.start..range.end.min(range.start + each))
            }
            Target::Values(_) | Target::Classes(_) => batch.features.range(row * each..(row + 1) * each),
        }
    }

    /// The targets of a row's positions, a class as its number; 0 at a position of weight 0, whatever stands there.
    pub fn targets<'a>(&self, batch: &Batch<'a>, row: usize) -> impl Iterator<Item = f32> + use<'a> {
        let (targets, features, begin) = (batch.targets, batch.features, row * self.record.targets);
        let each = self.record.targets / self.positions;
        let of = move |(position, weight)| (0..each).map(move |k| (begin + position * each + k, weight));
        let places = self.weights(batch, row).enumerate().flat_map(of);
        places.map(move |(at, weight)| match targets {
            _ if weight == 0.0 => 0.0,
            Target::Values(values) => values[at],
            Target::Classes(labels) => labels[at] as f32,
            Target::Next(sequences) => next(&features, &sequences, row, at - begin).map_or(0.0, |token| token as f32),
        })
    }

    /// The weights of a row's positions.
    pub fn weights<'a>(&self, batch: &Batch<'a>, row: usize) -> impl Iterator<Item = f32> + use<'a> {
        let rows = batch.features.len() / self.record.features.max(1);
        let (weights, targets, features) = (batch.weights, batch.targets, batch.features);
        let each = weights.map_or(1, |weights| weights.len() / rows.max(1));
        (0..self.positions).map(move |position| match (targets, weights) {
            (Target::Next(sequences), _) => f32::from(next(&features, &sequences, row, position).is_some()),
            // A row's own weight is that of all its positions.
            (_, Some(weights)) => weights[row * each + position % each],
            (_, None) => 1.0,
        })
    }

    /// Whether any position of a row has a weight.
    fn counts(&self, batch: &Batch, row: usize) -> bool {
        self.weights(batch, row).any(|weight| weight != 0.0)
    }
}

/// The token that follows one of a sequence, if it is a target.
fn next(line: &Elements, sequences: &Sequences, row: usize, position: usize) -> Option<u32> {
    let at = row * sequences.stride + position + 1;
    (at < line.len()).then(|| line.at(at)).filter(|&token| Some(token) != sequences.ignore)
}

/// How a batch is packed where it stays on the GPU; `None` for floats.
pub fn packing(batch: &Batch) -> Option<Packing> {
    let bits = 8 * batch.features.element().bytes();
    match (batch.targets, batch.features.element()) {
        (Target::Next(Sequences { stride, ignore, .. }), _) => {
            let tokens = batch.features.len();
            Some(Packing::Line { bits, tokens, stride, ignore: ignore.unwrap_or(u32::MAX) })
        }
        (_, Element::F32) => None,
        _ => Some(Packing::Rows { bits }),
    }
}

/// Writes whole numbers into words of 0, so many bits each.
pub(crate) fn pack(numbers: Elements, bits: usize, into: &mut [u32]) {
    let each = 32 / bits;
    numbers.whole().enumerate().for_each(|(at, value)| into[at / each] |= value << (at % each * bits));
}

/// The place of one of several numbers of each row in messages.
fn place(at: usize, each: usize) -> String {
    match each {
        1 => format!("row {at}"),
        _ => format!("row {}, position {}", at / each, at % each),
    }
}
