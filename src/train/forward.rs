//! Forward passes: features in, outputs back.

use std::mem::offset_of;

use super::clock::Clock;
use super::encode::{Job, dispatches, encode_some};
use super::rates::{SUBMISSION, whole_rows};
use super::submitter::Submitter;
use crate::gpu::{Recorder, encode};
use crate::graph::{Resource, pad4};
use crate::nn::Model;
use crate::plan::Program;
use crate::{Error, Result};

/// Columns of a forward pass.
#[derive(Clone, Copy)]
pub(super) struct Columns {
    /// Features per row.
    pub features: usize,
    /// Positions per row of the output.
    pub positions: usize,
    /// Outputs per position.
    pub outputs: usize,
}

impl Columns {
    /// Those of a model.
    pub fn of(model: &Model) -> Columns {
        let output = model.output();
        Columns { features: model.inputs, positions: output.positions(), outputs: output.columns().unwrap_or(0) }
    }
}

/// Runs a program forward, slice after slice, and returns the outputs (rows, positions, outputs).
///
/// # Errors
/// [`Error::Shape`] for numbers that are no whole rows; [`Error::DeviceLost`] if outputs did not come back.
pub(super) fn forward(
    program: &Program,
    submitter: &mut Submitter,
    features: &[f32],
    columns: Columns,
) -> Result<Vec<f32>> {
    if !features.len().is_multiple_of(columns.features) {
        let message = format!("{} numbers are no rows of {} features", features.len(), columns.features);
        return Err(Error::Shape { op: "forward", message });
    }
    let mut all = Vec::with_capacity(features.len() / columns.features * columns.positions * columns.outputs);
    let mut left = features;
    while !left.is_empty() {
        let most = whole_rows(submitter.rates().rows(program.forward()), program.plan().micro_batch, true, 1);
        let (rows, rest) = left.split_at(left.len().min(most * columns.features));
        // Other work may be in flight before the first slice, which then takes longer than by itself.
        let alone = rest.len() + rows.len() < features.len();
        all.extend(forward_slice(program, submitter, rows, columns, alone)?);
        left = rest;
    }
    Ok(all)
}

fn forward_slice(
    program: &Program,
    submitter: &mut Submitter,
    features: &[f32],
    columns: Columns,
    mut alone: bool,
) -> Result<Vec<f32>> {
    let gpu = program.gpu();
    let pass = Pass::begin(program, features, columns)?;
    let (rates, staging) = (submitter.rates(), program.output_staging().0);
    let jobs = pass.jobs(program);
    let mut work = dispatches(&jobs, rates).peekable();
    loop {
        let mut encoder = gpu.encoder()?;
        let load = encode_some(gpu, &mut encoder, &mut work, (rates, SUBMISSION), None);
        let last = work.peek().is_none();
        if last {
            pass.copy_outputs(program, &mut encoder)?;
        }
        // Each submission returns a number of its own as proof that it was done.
        let proof = write_clock(program, pass.rows)?;
        copy_proof(program, &mut encoder, proof.at);
        let landed = submitter.land(encoder, staging, (load, alone))?;
        let landed = proven(program, landed, proof.number)?;
        if last {
            return Ok(pass.outputs(&landed));
        }
        alone = true;
    }
}

/// A forward pass of some rows.
pub(super) struct Pass {
    rows: usize,
    columns: Columns,
    clock: Numbered,
}

/// The number of a forward pass, and the offset of the slot with its clock.
#[derive(Clone, Copy)]
struct Numbered {
    number: u32,
    at: u32,
}

impl Pass {
    /// Writes features, (rows, features), to the pass's input, with the next submission.
    pub fn begin(program: &Program, features: &[f32], columns: Columns) -> Result<Pass> {
        write_input(program, features, columns.features)?;
        let rows = features.len() / columns.features;
        Ok(Pass { rows, columns, clock: write_clock(program, rows)? })
    }

    /// The dispatches of the pass.
    pub fn jobs<'a>(&self, program: &'a Program) -> [Job<'a>; 1] {
        [Job { list: program.forward(), rows: self.rows as u32, clock: self.clock.at }]
    }

    /// Copies the outputs to their staging buffer.
    pub fn copy_outputs(&self, program: &Program, encoder: &mut wgpu::CommandEncoder) -> Result<()> {
        let (output, range) = program.at(Resource::Value(program.plan().output))?;
        encoder.copy_buffer_to_buffer(output, range.start, program.output_staging().0, 0, self.bytes() as u64);
        Ok(())
    }

    /// Copies the pass's own number beside the outputs.
    pub fn copy_proof(&self, program: &Program, encoder: &mut wgpu::CommandEncoder) {
        copy_proof(program, encoder, self.clock.at);
    }

    /// Returns the outputs (rows, positions, outputs) if they arrived with the pass's own number.
    ///
    /// # Errors
    /// [`Error::DeviceLost`] if they are those of another pass.
    pub fn proven_outputs(&self, program: &Program, landed: Vec<u8>) -> Result<Vec<f32>> {
        Ok(self.outputs(&proven(program, landed, self.clock.number)?))
    }

    fn bytes(&self) -> usize {
        4 * self.rows * self.columns.positions * pad4(self.columns.outputs)
    }

    fn outputs(&self, landed: &[u8]) -> Vec<f32> {
        let padded: Vec<f32> = bytemuck::pod_collect_to_vec(&landed[..self.bytes()]);
        let outputs = self.columns.outputs;
        padded.chunks(pad4(outputs)).flat_map(|line| &line[..outputs]).copied().collect()
    }
}

/// Encodes a pass over the first `rows` rows of the input into a host's encoder.
///
/// # Errors
/// [`Error::Shape`] for more rows than were planned.
pub(super) fn encode_forward(program: &Program, encoder: &mut wgpu::CommandEncoder, rows: usize) -> Result<()> {
    let most = program.plan().micro_batch;
    if rows == 0 || rows > most {
        let message = format!("{rows} rows; this model was planned for 1 to {most}");
        return Err(Error::Shape { op: "forward", message });
    }
    let clock = write_clock(program, rows)?;
    let mut recorder = Recorder::new(encoder, "accrue.forward");
    encode(program.gpu(), &mut recorder, program.forward(), rows as u32, clock.at, None);
    Ok(())
}

/// Writes features to the pass's input, in rows padded with +0.
pub(super) fn write_input(program: &Program, features: &[f32], columns: usize) -> Result<()> {
    let stride = program.plan().record.stride;
    let mut records = vec![0.0f32; features.len() / columns * stride];
    for (record, row) in records.chunks_mut(stride).zip(features.chunks(columns)) {
        record[..columns].copy_from_slice(row);
    }
    let (input, _) = program.at(Resource::Record)?;
    program.gpu().write(input, 0, bytemuck::cast_slice(&records))
}

/// Numbers a pass, and gives it one of the many slots: a host may encode several passes before it submits.
fn write_clock(program: &Program, rows: usize) -> Result<Numbered> {
    let (number, at) = program.next_clock();
    let clock = Clock { rows: rows as u32, sequence: number, ..Clock::default() };
    program.gpu().write(program.clocks(), u64::from(at), bytemuck::bytes_of(&clock))?;
    Ok(Numbered { number, at })
}

/// Copies the pass's number out of its clock beside the outputs.
fn copy_proof(program: &Program, encoder: &mut wgpu::CommandEncoder, clock: u32) {
    let (staging, proof) = program.output_staging();
    let sequence = u64::from(clock) + offset_of!(Clock, sequence) as u64;
    encoder.copy_buffer_to_buffer(program.clocks(), sequence, staging, proof, 4);
}

/// The outputs that arrived, if the number beside them is the pass's own.
fn proven(program: &Program, landed: Vec<u8>, number: u32) -> Result<Vec<u8>> {
    let (_, proof) = program.output_staging();
    if landed[proof as usize..][..4] != number.to_le_bytes() {
        return Err(Error::DeviceLost("a forward pass was submitted but never done".to_owned()));
    }
    Ok(landed)
}
