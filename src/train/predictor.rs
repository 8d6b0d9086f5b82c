//! Forward only: outputs for features, read back or left on the GPU.

use std::mem::offset_of;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use super::encode::{Job, dispatches, encode_some};
use super::pace::{Pace, SUBMISSION, whole_rows};
use super::trainer::Trainer;
use super::work::Clock;
use crate::gpu::{Gpu, ReadbackRing, encode};
use crate::graph::pad4;
use crate::graph::{Resource, Span};
use crate::nn::{Arrays, Model};
use crate::plan::{Kernels, Plan, Program};
use crate::{Error, Result};

/// A model for inference.
///
/// Its input and output stay on the GPU, as rows padded to a multiple of four floats: a host that fills
/// [`Predictor::input`] with its own kernels and reads [`Predictor::output`] with them moves no bytes at all.
pub struct Predictor {
    program: Program,
    features: usize,
    outputs: usize,
    pace: Mutex<Pace>,
}

impl Predictor {
    /// Plans inference for `rows` rows at once. Waits until weights and sizes are there, and so for all earlier work.
    ///
    /// # Errors
    /// [`Error::Config`] when the weights do not fit the model, [`Error::Memory`] when the plan does not fit the device,
    /// [`Error::DeviceLost`] when they did not arrive.
    pub fn new(gpu: &Gpu, model: &Model, weights: &Arrays, rows: usize) -> Result<Predictor> {
        let plan = plan(gpu, model, rows)?;
        let flat = plan.layout.pack(weights).map_err(|message| Error::config("model", message))?;
        let all = Span { start: 0, len: (plan.layout.floats() / 4) as u32 };
        let program = Program::new(gpu, plan)?;
        gpu.upload(program.at(Resource::Parameters(all))?.0, bytemuck::cast_slice(&flat))?;
        let (features, outputs) = (model.inputs, model.outputs());
        Ok(Predictor { program, features, outputs, pace: Mutex::default() })
    }

    /// The plan: its steps, and every buffer with its bytes.
    pub fn plan(&self) -> &Plan {
        self.program.plan()
    }

    /// (rows, features), each row padded to [`Predictor::input_stride`] floats.
    pub fn input(&self) -> Result<&wgpu::Buffer> {
        Ok(self.program.at(Resource::Record)?.0)
    }

    /// From one row of the input to the next, in floats.
    pub fn input_stride(&self) -> usize {
        self.plan().record.stride
    }

    /// Fills the first rows of the input with features (rows, features) from the host's memory, with the next submission.
    ///
    /// # Errors
    /// [`Error::Shape`] when they are no whole rows, or more than were planned.
    pub fn set_input(&self, features: &[f32]) -> Result<()> {
        let most = self.features * self.plan().micro_batch;
        if features.len() > most || !features.len().is_multiple_of(self.features) {
            let (given, columns) = (features.len(), self.features);
            let message = format!("{given} numbers; this model was planned for {most} at most, in rows of {columns}");
            return Err(Error::Shape { op: "input", message });
        }
        write_input(&self.program, features, self.features)
    }

    /// (rows, outputs), each row padded to [`Predictor::output_stride`] floats. For classes these are logits.
    pub fn output(&self) -> Result<&wgpu::Buffer> {
        Ok(self.program.at(Resource::Value(self.plan().output))?.0)
    }

    /// From one row of the output to the next, in floats.
    pub fn output_stride(&self) -> usize {
        pad4(self.outputs)
    }

    /// Encodes the way from input to output for the first `rows` rows into a host's encoder. There is one input and one
    /// output: the next pass, also of fewer rows, overwrites all of the output.
    ///
    /// # Errors
    /// [`Error::Shape`] when there are more rows than were planned.
    pub fn encode(&self, encoder: &mut wgpu::CommandEncoder, rows: usize) -> Result<()> {
        self.program.check_parameters()?;
        encode_forward(&self.program, encoder, rows)
    }

    /// Outputs (rows, outputs) for features (rows, features), however many rows there are.
    ///
    /// # Errors
    /// [`Error::Shape`] for numbers that are no whole rows; [`Error::DeviceLost`] when they did not come back.
    pub fn predict(&self, features: &[f32]) -> Result<Vec<f32>> {
        self.program.check_parameters()?;
        let mut pace = self.pace.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        forward(&self.program, &mut pace, features, self.features, self.outputs)
    }
}

impl Trainer {
    /// Plans inference for `rows` rows at once with this trainer's own parameters: nothing is copied, and what is asked
    /// for after an update was submitted shows that update, if it was made: only the trainer knows. Waits for earlier work.
    ///
    /// # Errors
    /// [`Error::Memory`] when the plan does not fit the device, [`Error::DeviceLost`] after work was lost.
    pub fn predictor(&self, rows: usize) -> Result<Predictor> {
        self.alive()?;
        let program = Program::on_parameters_of(&self.program, plan(self.gpu(), &self.model, rows)?)?;
        let (features, outputs) = (self.model.inputs, self.model.outputs());
        Ok(Predictor { program, features, outputs, pace: Mutex::default() })
    }
}

fn plan(gpu: &Gpu, model: &Model, rows: usize) -> Result<Plan> {
    let network = model.network(false)?;
    Plan::inference(&network.graph, network.output, rows, &Kernels::of(gpu, None))
}

fn encode_forward(program: &Program, encoder: &mut wgpu::CommandEncoder, rows: usize) -> Result<()> {
    let most = program.plan().micro_batch;
    if rows == 0 || rows > most {
        let message = format!("{rows} rows; this model was planned for 1 to {most}");
        return Err(Error::Shape { op: "forward", message });
    }
    let (_, at) = write_clock(program, rows)?;
    let descriptor = wgpu::ComputePassDescriptor { label: Some("accrue.forward"), timestamp_writes: None };
    let mut pass = encoder.begin_compute_pass(&descriptor);
    encode(program.gpu(), &mut pass, program.forward(), rows as u32, at, None);
    Ok(())
}

/// The number of a forward pass, and the byte of a slot of its own for each of many that a host may encode before it
/// submits.
fn write_clock(program: &Program, rows: usize) -> Result<(u32, u32)> {
    let (number, at) = program.next_clock();
    let clock = Clock { rows: rows as u32, sequence: number, ..Clock::default() };
    program.gpu().write(program.clocks(), u64::from(at), bytemuck::bytes_of(&clock))?;
    Ok((number, at))
}

/// Rows of so many columns, padded with +0.
fn records(features: &[f32], columns: usize, stride: usize) -> Vec<f32> {
    let mut records = vec![0.0; features.len() / columns * stride];
    for (record, row) in records.chunks_mut(stride).zip(features.chunks(columns)) {
        record[..columns].copy_from_slice(row);
    }
    records
}

/// Runs a program forward, slice after slice, and brings the outputs back.
pub(super) fn forward(
    program: &Program,
    pace: &mut Pace,
    features: &[f32],
    columns: usize,
    outputs: usize,
) -> Result<Vec<f32>> {
    if !features.len().is_multiple_of(columns) {
        let message = format!("{} numbers are no rows of {columns} features", features.len());
        return Err(Error::Shape { op: "forward", message });
    }
    let mut all = Vec::with_capacity(features.len() / columns * outputs);
    let mut left = features;
    while !left.is_empty() {
        let most = whole_rows(pace.rates().rows(program.forward()), program.plan().micro_batch, true);
        let (rows, rest) = left.split_at(left.len().min(most * columns));
        // Something else may be on its way before the first slice, and then it takes longer than by itself.
        let alone = rest.len() + rows.len() < features.len();
        forward_slice(program, (&mut *pace, alone), rows, (columns, outputs), &mut all)?;
        left = rest;
    }
    Ok(all)
}

fn forward_slice(
    program: &Program,
    (pace, alone): (&mut Pace, bool),
    features: &[f32],
    (columns, outputs): (usize, usize),
    all: &mut Vec<f32>,
) -> Result<()> {
    let gpu = program.gpu();
    let count = features.len() / columns;
    write_input(program, features, columns)?;
    let (_, clock) = write_clock(program, count)?;
    let jobs = [Job { list: program.forward(), rows: count as u32, clock }];
    let rates = pace.rates();
    let mut work = dispatches(&jobs, rates).peekable();
    let mut alone = alone;
    loop {
        let mut encoder = gpu.encoder()?;
        let load = encode_some(gpu, &mut encoder, &mut work, (rates, SUBMISSION), None);
        let begin = Instant::now();
        let landed = if work.peek().is_some() {
            land(program, encoder, count, 0)?;
            None
        } else {
            let bytes = copy_outputs(program, &mut encoder, count, outputs)?;
            Some(land(program, encoder, count, bytes)?)
        };
        let took = begin.elapsed().as_secs_f64();
        pace.note(&load, took);
        pace.learn(&load, if alone { took } else { 0.0 }, took);
        alone = true;
        let Some(landed) = landed else { continue };
        all.extend(unpadded(&landed, outputs));
        return Ok(());
    }
}

/// Rows that were handed over, and whose outputs will come.
pub(super) struct Ahead {
    /// With the number of the pass and the bytes of its outputs.
    ring: ReadbackRing<(u32, u64)>,
}

impl Ahead {
    /// Hands over as many of some rows as take the GPU about so long.
    pub fn begin(
        program: &Program,
        pace: &mut Pace,
        (features, columns, outputs): (&[f32], usize, usize),
        time: Duration,
    ) -> Result<(Ahead, wgpu::SubmissionIndex)> {
        let (gpu, rates) = (program.gpu(), pace.rates());
        let within =
            rates.rows_within(program.forward(), time.as_secs_f64().min(SUBMISSION)).min(rates.rows(program.forward()));
        let rows = whole_rows(within, program.plan().micro_batch, true).min(features.len() / columns);
        write_input(program, &features[..rows * columns], columns)?;
        let (number, at) = write_clock(program, rows)?;
        let jobs = [Job { list: program.forward(), rows: rows as u32, clock: at }];
        let mut encoder = gpu.encoder()?;
        let mut work = dispatches(&jobs, rates).peekable();
        let load = encode_some(gpu, &mut encoder, &mut work, (rates, f64::INFINITY), None);
        let bytes = copy_outputs(program, &mut encoder, rows, outputs)?;
        copy_proof(program, &mut encoder, at);
        let submission = gpu.submit(gpu.finish(encoder)?)?;
        pace.sent(load, false);
        let mut ring = ReadbackRing::new(gpu, vec![program.output_staging().0.clone()], 0);
        ring.sent(Some(submission.clone()), (number, bytes));
        Ok((Ahead { ring }, submission))
    }

    /// Their outputs, (rows, outputs).
    pub fn take(mut self, program: &Program, outputs: usize) -> Result<Vec<f32>> {
        let Some(((number, bytes), landed)) = self.ring.receive(true)? else {
            return Err(Error::Internal("outputs that were handed over are on no way".to_owned()));
        };
        Ok(unpadded(&proven(program, landed, number, bytes)?, outputs))
    }
}

/// Puts features where a pass begins.
fn write_input(program: &Program, features: &[f32], columns: usize) -> Result<()> {
    let (input, _) = program.at(Resource::Record)?;
    let records = records(features, columns, program.plan().record.stride);
    program.gpu().write(input, 0, bytemuck::cast_slice(&records))
}

/// Copies the outputs of so many rows to where they travel to the host, and returns their bytes.
fn copy_outputs(program: &Program, encoder: &mut wgpu::CommandEncoder, rows: usize, outputs: usize) -> Result<u64> {
    let (output, range) = program.at(Resource::Value(program.plan().output))?;
    let bytes = 4 * (rows * pad4(outputs)) as u64;
    encoder.copy_buffer_to_buffer(output, range.start, program.output_staging().0, 0, bytes);
    Ok(bytes)
}

/// Copies the number of the pass whose clock lies there beside them.
fn copy_proof(program: &Program, encoder: &mut wgpu::CommandEncoder, clock: u32) {
    let (staging, proof) = program.output_staging();
    let sequence = u64::from(clock) + offset_of!(Clock, sequence) as u64;
    encoder.copy_buffer_to_buffer(program.clocks(), sequence, staging, proof, 4);
}

/// What arrived, if it is of the pass of this number and not of another.
fn proven(program: &Program, mut landed: Vec<u8>, number: u32, bytes: u64) -> Result<Vec<u8>> {
    let (_, proof) = program.output_staging();
    if landed[proof as usize..][..4] != number.to_le_bytes() {
        return Err(Error::DeviceLost("a forward pass was submitted but never done".to_owned()));
    }
    landed.truncate(bytes as usize);
    Ok(landed)
}

/// The outputs of padded rows.
fn unpadded(landed: &[u8], outputs: usize) -> Vec<f32> {
    let padded: Vec<f32> = bytemuck::pod_collect_to_vec(landed);
    padded.chunks(pad4(outputs)).flat_map(|row| &row[..outputs]).copied().collect()
}

/// Submits an encoder, waits, and returns the first `bytes` bytes that arrived, after a proof that they are those of this
/// submission and not of another.
fn land(program: &Program, mut encoder: wgpu::CommandEncoder, rows: usize, bytes: u64) -> Result<Vec<u8>> {
    let (number, at) = write_clock(program, rows)?;
    copy_proof(program, &mut encoder, at);
    let landed = program.gpu().land(encoder, program.output_staging().0)?;
    proven(program, landed, number, bytes)
}
