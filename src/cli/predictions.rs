//! Predictions as CSV.

use std::io::Write;
use std::path::Path;

use crate::nn::{ModelFile, TargetNames, probabilities};
use crate::train::metrics::class_of;
use crate::{Error, Result};

/// The table being written.
pub struct Table<'a> {
    saved: &'a ModelFile,
    path: &'a Path,
    csv: csv::Writer<&'a mut dyn Write>,
    /// What the rows to be written are called, the last first; `None` where rows have no names.
    names: Option<Vec<String>>,
}

impl<'a> Table<'a> {
    /// Writes the header; where rows are `named`, the column `file` is the first. Errors call the output `path`.
    pub fn new(saved: &'a ModelFile, path: &'a Path, file: &'a mut dyn Write, named: bool) -> Result<Table<'a>> {
        let names = named.then(|| vec!["file".to_owned()]);
        let mut table = Table { saved, path, csv: csv::Writer::from_writer(file), names };
        match &saved.target {
            TargetNames::Classes { name, classes } => {
                let probabilities = classes.iter().map(|class| format!("p_{class}"));
                table.line(std::iter::once(name.clone()).chain(probabilities))?;
            }
            TargetNames::Values { names, .. } => table.line(names)?,
        }
        Ok(table)
    }

    /// Writes the lines of some rows of outputs; `first` is the first one's number, and `names` are their names if they have any.
    pub fn rows(&mut self, outputs: &[f32], first: usize, names: &[String]) -> Result<()> {
        self.names = self.names.take().map(|_| names.iter().rev().cloned().collect());
        let columns = self.saved.model.outputs();
        match &self.saved.target {
            TargetNames::Classes { classes, .. } => outputs.chunks(columns).try_for_each(|row| {
                let class = classes.get(class_of(row)).cloned().unwrap_or_default();
                let shares = probabilities(row).into_iter().map(|p| share(p as f32));
                self.line(std::iter::once(class).chain(shares))
            }),
            TargetNames::Values { scale: None, .. } => {
                outputs.chunks(columns).try_for_each(|row| self.line(row.iter().map(f32::to_string)))
            }
            TargetNames::Values { scale: Some(scale), .. } => {
                let numbers = scale.inverted(outputs, columns, first)?;
                let cells = |(y, x): (&[f32], &[f64])| {
                    let cells = y.iter().zip(x).zip(&scale.std).map(|((&y, &x), &std)| digits(x, y, std));
                    self.line(cells)
                };
                outputs.chunks(columns).zip(numbers.chunks(columns)).try_for_each(cells)
            }
        }
    }

    /// Ends the table.
    pub fn finish(mut self) -> Result<()> {
        self.csv.flush().map_err(|error| Error::io(self.path, error))
    }

    fn line(&mut self, cells: impl IntoIterator<Item = impl AsRef<[u8]>>) -> Result<()> {
        let name = self.names.as_mut().and_then(Vec::pop);
        let name = name.map_or(Ok(()), |name| self.csv.write_field(name));
        let cells = cells.into_iter();
        let written = name.and_then(|()| self.csv.write_record(cells));
        written.map_err(|error| match error.into_kind() {
            csv::ErrorKind::Io(source) => Error::io(self.path, source),
            other => Error::Internal(format!("predictions: {other:?}")),
        })
    }
}

/// A probability, with its power of ten where there are many zeros.
fn share(p: f32) -> String {
    if p > 0.0 && p < 1e-4 { format!("{p:e}") } else { p.to_string() }
}

/// The number x = y · std + mean of an output y, with as many decimals as tell it from that of the next output.
fn digits(x: f64, y: f32, std: f64) -> String {
    // Outputs are sums of numbers around 1: below that they are no finer.
    let y = y.abs().max(1.0 / 1024.0);
    let step = f64::from(y.next_up() - y) * std;
    let decimals = (-(step / 2.0).log10()).ceil();
    let all = x.to_string();
    if !(0.0..=17.0).contains(&decimals) {
        return all;
    }
    let decimals = decimals as usize;
    let rounded = format!("{x:.decimals$}");
    let rounded = if rounded.contains('.') { rounded.trim_end_matches('0').trim_end_matches('.') } else { &rounded };
    // -0 is 0.
    let rounded = if rounded.trim_start_matches('-') == "0" { "0" } else { rounded };
    if rounded.len() < all.len() { rounded.to_owned() } else { all }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::scale::Standardizer;

    #[test]
    fn probabilities_are_short_and_read_back_as_they_are() {
        for (p, text) in [(0.0, "0"), (1.0, "1"), (0.00044974947, "0.00044974947"), (2.7777344e-16, "2.7777344e-16")] {
            assert_eq!(share(p), text);
            assert_eq!(text.parse::<f32>().unwrap().to_bits(), p.to_bits());
        }
    }

    #[test]
    fn outputs_that_differ_give_numbers_that_differ_and_no_digits_that_mean_nothing() {
        for (mean, std) in [(0.0, 1.0), (1_700_000_199.5, 115.4), (5e-5, 3e-6), (-4e9, 1e8), (1e300, 1e299)] {
            let scale = Standardizer { mean: vec![mean], std: vec![std] };
            let mut outputs = vec![0.25, 1.5, -2.75, 0.1234];
            outputs.extend_from_within(..);
            outputs[4..].iter_mut().for_each(|y: &mut f32| *y = y.next_up());
            let numbers = scale.inverted(&outputs, 1, 0).unwrap();
            let texts: Vec<String> = outputs.iter().zip(&numbers).map(|(&y, &x)| digits(x, y, std)).collect();
            for (text, (&y, &x)) in texts.iter().zip(outputs.iter().zip(&numbers)) {
                let read: f64 = text.parse().unwrap();
                let step = f64::from(y.abs().next_up() - y.abs()) * std;
                assert!((read - x).abs() <= step, "{text} of {x}");
            }
            assert!((0..4).all(|at| texts[at] != texts[at + 4]), "{texts:?}");
        }
        // Seven digits of the output are worth no more than these of the number.
        assert_eq!(digits(1_700_000_257.2, 0.5, 115.4), "1700000257.2");
        assert_eq!(digits(0.1 + 0.2, 0.3, 1.0), "0.3");
        assert_eq!(digits(-0.0, 0.0, 1.0), "0");
    }
}
