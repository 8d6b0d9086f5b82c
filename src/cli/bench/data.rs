//! The random samples that the workloads train on.

use std::f32::consts::TAU;

use super::workloads::Workload;
use crate::Result;
use crate::data::{Batch, Sequences};
use crate::doctor::Numbers;
use crate::graph::TargetKind;

/// Random samples, always the same.
#[derive(Default)]
pub struct Data {
    features: Vec<f32>,
    values: Vec<f32>,
    classes: Vec<u32>,
    /// A line of tokens, and how its sequences lie, where each position has a target.
    text: Option<(Vec<u8>, Sequences)>,
}

impl Data {
    /// Features and numeric targets are normal; classes, tokens, and answers of yes or no are equally frequent.
    ///
    /// # Errors
    /// That of [`Sequences::end_to_end`].
    pub fn random(workload: &Workload) -> Result<Data> {
        let (mut numbers, model) = (Numbers::new(1), &workload.network.model);
        let rows = workload.rows;
        if model.positions() > 1 {
            let tokens: Vec<u8> = (0..=rows * model.inputs).map(|_| numbers.below(model.outputs()) as u8).collect();
            let sequences = Sequences::end_to_end(tokens.len(), model.inputs)?;
            return Ok(Data { text: Some((tokens, sequences)), ..Data::default() });
        }
        let mut data = Data { features: normal(&mut numbers, rows * model.inputs), ..Data::default() };
        match model.reads() {
            TargetKind::Class => {
                let classes = model.outputs();
                data.classes = (0..rows).map(|_| numbers.below(classes) as u32).collect();
            }
            TargetKind::Values => data.values = normal(&mut numbers, rows * model.targets()),
            TargetKind::Flags => {
                data.values = (0..rows * model.targets()).map(|_| numbers.below(2) as f32).collect();
            }
        }
        Ok(data)
    }

    /// All rows.
    pub fn batch(&self) -> Batch<'_> {
        if let Some((tokens, sequences)) = &self.text {
            Batch::sequences(&tokens[..], *sequences)
        } else if self.values.is_empty() {
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
    fn the_data_is_normal_and_every_class_occurs() {
        let workload = Workload { rows: 600, ..Workload::of("W3").unwrap() };
        let data = Data::random(&workload).unwrap();
        let (n, sum) = (data.features.len() as f64, data.features.iter().map(|&x| f64::from(x)).sum::<f64>());
        let squares: f64 = data.features.iter().map(|&x| f64::from(x) * f64::from(x)).sum();
        assert!((sum / n).abs() < 0.01 && (squares / n - 1.0).abs() < 0.01, "{} {}", sum / n, squares / n);
        assert!((0..10).all(|class| data.classes.contains(&class)) && data.classes.iter().all(|&class| class < 10));
    }
}
