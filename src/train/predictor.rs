//! Forward only: outputs for features, read back or left on the GPU.

use std::mem::offset_of;

use super::trainer::Trainer;
use super::work::Clock;
use crate::gpu::{Gpu, encode};
use crate::graph::pad4;
use crate::nn::{Arrays, Model};
use crate::ops::{Place, Span};
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
}

impl Predictor {
    /// Plans inference for `rows` rows at once.
    ///
    /// # Errors
    /// [`Error::Config`] when the weights do not fit the model, [`Error::Memory`] when the plan does not fit the device.
    pub fn new(gpu: &Gpu, model: &Model, weights: &Arrays, rows: usize) -> Result<Predictor> {
        let plan = plan(gpu, model, rows)?;
        let flat = plan.layout.pack(weights).map_err(|message| Error::config("model", message))?;
        let all = Span { start: 0, len: (plan.layout.floats() / 4) as u32 };
        let program = Program::new(gpu, plan)?;
        gpu.upload(program.at(Place::Parameters(all))?.0, bytemuck::cast_slice(&flat))?;
        Ok(Predictor { program, features: model.inputs, outputs: model.outputs() })
    }

    /// The plan: its steps, and every buffer with its bytes.
    pub fn plan(&self) -> &Plan {
        &self.program.plan
    }

    /// (rows, features), each row padded to [`Predictor::input_stride`] floats.
    pub fn input(&self) -> Result<&wgpu::Buffer> {
        Ok(self.program.at(Place::Record)?.0)
    }

    /// From one row of the input to the next, in floats.
    pub fn input_stride(&self) -> usize {
        self.plan().record.stride
    }

    /// Fills the first rows of the input with features (rows, features) from the host's memory.
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
        let records = records(features, self.features, self.input_stride());
        self.program.gpu().upload(self.input()?, bytemuck::cast_slice(&records))
    }

    /// (rows, outputs), each row padded to [`Predictor::output_stride`] floats. For classes these are logits.
    pub fn output(&self) -> Result<&wgpu::Buffer> {
        Ok(self.program.at(Place::Value(self.plan().output))?.0)
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
        encode_forward(&self.program, encoder, rows).map(drop)
    }

    /// Outputs (rows, outputs) for features (rows, features), however many rows there are.
    pub fn predict(&self, features: &[f32]) -> Result<Vec<f32>> {
        forward(&self.program, features, self.features, self.outputs)
    }
}

impl Trainer {
    /// Plans inference for `rows` rows at once with this trainer's own parameters: nothing is copied, and what is asked
    /// for after an update was submitted shows that update.
    ///
    /// # Errors
    /// [`Error::Memory`] when the plan does not fit the device.
    pub fn predictor(&self, rows: usize) -> Result<Predictor> {
        self.alive()?;
        let program = Program::on_parameters_of(&self.program, plan(self.gpu(), &self.model, rows)?)?;
        Ok(Predictor { program, features: self.model.inputs, outputs: self.model.outputs() })
    }
}

fn plan(gpu: &Gpu, model: &Model, rows: usize) -> Result<Plan> {
    let network = model.network(false)?;
    Plan::inference(&network.graph, network.output, rows, &Kernels::of(gpu, None))
}

/// Returns the pass's number, and the byte of the clocks at which its [`Clock`] lies.
fn encode_forward(program: &Program, encoder: &mut wgpu::CommandEncoder, rows: usize) -> Result<(u32, u32)> {
    let most = program.plan.micro_batch;
    if rows == 0 || rows > most {
        let message = format!("{rows} rows; this model was planned for 1 to {most}");
        return Err(Error::Shape { op: "forward", message });
    }
    // A slot of its own for each of many calls that a host may encode before it submits.
    let (number, at) = program.next_clock();
    let clock = Clock { rows: rows as u32, link: number, ..Clock::default() };
    program.gpu().write(program.clocks(), u64::from(at), bytemuck::bytes_of(&clock));
    let descriptor = wgpu::ComputePassDescriptor { label: Some("accrue.forward"), timestamp_writes: None };
    let mut pass = encoder.begin_compute_pass(&descriptor);
    encode(program.gpu(), &mut pass, &program.forward, rows as u32, at, None);
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

/// Runs a program forward, micro-batch after micro-batch, and brings the outputs back.
pub(super) fn forward(program: &Program, features: &[f32], columns: usize, outputs: usize) -> Result<Vec<f32>> {
    if !features.len().is_multiple_of(columns) {
        let message = format!("{} numbers are no rows of {columns} features", features.len());
        return Err(Error::Shape { op: "forward", message });
    }
    let gpu = program.gpu();
    let (input, _) = program.at(Place::Record)?;
    let (output, range) = program.at(Place::Value(program.plan.output))?;
    let mut all = Vec::with_capacity(features.len() / columns * outputs);
    for rows in features.chunks(columns * program.plan.micro_batch) {
        let count = rows.len() / columns;
        let records = records(rows, columns, program.plan.record.stride);
        gpu.write(input, 0, bytemuck::cast_slice(&records));
        let mut encoder = gpu.device().create_command_encoder(&Default::default());
        let (number, at) = encode_forward(program, &mut encoder, count)?;
        let bytes = 4 * (count * pad4(outputs)) as u64;
        let (staging, proof) = program.output_staging();
        encoder.copy_buffer_to_buffer(output, range.start, staging, 0, bytes);
        let link = u64::from(at) + offset_of!(Clock, link) as u64;
        encoder.copy_buffer_to_buffer(program.clocks(), link, staging, proof, 4);
        let landed = gpu.land(encoder, staging)?;
        if landed[proof as usize..][..4] != number.to_le_bytes() {
            return Err(Error::DeviceLost("a forward pass was submitted but never done".to_owned()));
        }
        let landed: Vec<f32> = bytemuck::pod_collect_to_vec(&landed[..bytes as usize]);
        all.extend(landed.chunks(pad4(outputs)).take(count).flat_map(|row| &row[..outputs]));
    }
    Ok(all)
}
