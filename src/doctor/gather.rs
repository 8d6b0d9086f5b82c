//! The gather that begins a micro-batch, compared with its input: records, and packed samples.

use super::Numbers;
use super::compare::Compared;
use super::rig::{Rig, kernel};
use super::updates::of_one_layer;
use crate::Result;
use crate::gpu::{Gpu, usage};
use crate::graph::{Packing, Resource};
use crate::optim::{Clip, Sgd};
use crate::reference::Matrix;

/// Rows from data on the GPU, by number, from the middle of a list. Exact.
///
/// # Errors
/// The driver's error.
pub fn gather(gpu: &Gpu, rows: usize, features: usize) -> Result<Vec<Compared>> {
    let (case, _) = of_one_layer(features, 3, rows)?;
    let mut rig = Rig::new(gpu, &case, &Sgd::default(), Clip::default())?;
    let (all, stride, first) = (2 * rows + 1, rig.plan().record.stride, 3);
    let mut numbers = Numbers::new(4);
    let data = numbers.floats(all * stride);
    let samples: Vec<u32> = (0..first + rows).map(|_| numbers.below(all) as u32).collect();
    let ours = records(&mut rig, bytemuck::cast_slice(&data), None, &samples, first)?;
    let reference = Matrix::build(rows, stride, |r, c| f64::from(data[samples[first + r] as usize * stride + c]));
    let name = rig.plan().micro_batch_steps(true).first().copied().map_or_else(String::new, kernel);
    Ok(vec![Compared::new(name, "records", &ours, &reference, |_, _| 0.0, None)])
}

/// The records that the first step of a micro-batch makes of these samples, from the `first` of them on, out of data on the GPU.
fn records(rig: &mut Rig, data: &[u8], packing: Option<Packing>, samples: &[u32], first: usize) -> Result<Matrix> {
    let (gpu, stride) = (rig.program.gpu().clone(), rig.plan().record.stride);
    let rows = samples.len() - first;
    let buffer = gpu.buffer("accrue.doctor.data", data.len() as u64, usage::STORAGE)?;
    gpu.upload(&buffer, data)?;
    let (list, _) = rig.program.at(Resource::Samples)?;
    gpu.write(list, 0, bytemuck::cast_slice(samples))?;
    rig.program.attach(&buffer, packing)?;
    rig.clock(&[("rows", rows as u32), ("index0", first as u32)], &[])?;
    rig.run(rig.program.micro_batch(true)[0])?;
    Ok(Matrix::from_f32(rows, stride, &rig.read(Resource::Record)?[..rows * stride]))
}

/// Rows from packed samples, features of 8, 16 and 32 bits. Exact.
///
/// # Errors
/// The driver's error.
pub fn unpack(gpu: &Gpu, rows: usize, features: usize) -> Result<Vec<Compared>> {
    let (case, _) = of_one_layer(features, 3, rows)?;
    let mut compared = Vec::new();
    for bits in [8, 16, 32] {
        let mut rig = Rig::new(gpu, &case, &Sgd::default(), Clip::default())?;
        let (all, record, packing) = (2 * rows + 1, rig.plan().record, Packing::Rows { bits });
        let (words, tail_at) = (packing.words(&record, 1), packing.words_of(features));
        let mut numbers = Numbers::new(6);
        // Every float of a feature, up to 2²⁴; target and weight are floats as they are.
        let data: Vec<u32> = (0..all * words)
            .map(|at| match at % words {
                feature if feature < tail_at && bits == 32 => numbers.below(1 << 24) as u32,
                feature if feature < tail_at => (numbers.below(1 << 16) << 16 | numbers.below(1 << 16)) as u32,
                _ => numbers.float().to_bits(),
            })
            .collect();
        let samples: Vec<u32> = (0..rows).map(|_| numbers.below(all) as u32).collect();
        let ours = records(&mut rig, bytemuck::cast_slice(&data), Some(packing), &samples, 0)?;
        let each = 32 / bits;
        let reference = Matrix::build(rows, record.stride, |r, c| {
            let sample = &data[samples[r] as usize * words..][..words];
            let tail = c.checked_sub(record.target_at).filter(|&at| tail_at + at < words);
            match tail {
                _ if c < features => {
                    let word = u64::from(sample[c / each]) >> (c % each * bits);
                    (word & ((1 << bits) - 1)) as f64
                }
                Some(at) => f64::from(f32::from_bits(sample[tail_at + at])),
                None => 0.0,
            }
        });
        compared.push(Compared::new("gather.unpack".to_owned(), "records", &ours, &reference, |_, _| 0.0, None));
    }
    Ok(compared)
}

/// Sequences out of a line of tokens of 8, 16 and 32 bits, also where they reach beyond its end. Exact.
///
/// # Errors
/// The driver's error.
pub fn cut(gpu: &Gpu, rows: usize, features: usize) -> Result<Vec<Compared>> {
    let (case, _) = of_one_layer(features, 3, rows)?;
    let mut compared = Vec::new();
    for bits in [8, 16, 32] {
        let mut rig = Rig::new(gpu, &case, &Sgd::default(), Clip::default())?;
        let (record, stride, ignore) = (rig.plan().record, 3, 7);
        let tokens = 2 * rows * stride + features / 2 + 1;
        let packing = Packing::Line { bits, tokens, stride, ignore };
        let mut numbers = Numbers::new(8);
        let line: Vec<u32> = (0..tokens).map(|_| numbers.below(1 << bits.min(20)) as u32 % 200).collect();
        let mut data = vec![0u32; packing.words_of(tokens)];
        let each = 32 / bits;
        line.iter().enumerate().for_each(|(at, token)| data[at / each] |= token << (at % each * bits));
        // The first of them reaches beyond the end of the line.
        let samples: Vec<u32> = (0..rows).map(|row| (2 * (rows - row)) as u32).collect();
        let ours = records(&mut rig, bytemuck::cast_slice(&data), Some(packing), &samples, 0)?;
        let reference = Matrix::build(rows, record.stride, |r, c| {
            let token = |at: usize| line.get(samples[r] as usize * stride + at).copied();
            let next = |at: usize| token(at + 1).filter(|&token| token != ignore);
            match (c.checked_sub(record.target_at), c.checked_sub(record.weight_at)) {
                _ if c < features => f64::from(token(c).unwrap_or(0)),
                (_, Some(at)) if at < record.weights => f64::from(u8::from(next(at).is_some())),
                (Some(at), None) => f64::from(next(at).unwrap_or(0)),
                _ => 0.0,
            }
        });
        compared.push(Compared::new("gather.cut".to_owned(), "records", &ours, &reference, |_, _| 0.0, None));
    }
    Ok(compared)
}
