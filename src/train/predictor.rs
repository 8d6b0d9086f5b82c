//! Forward only: outputs for features, read back or left on the GPU.

use std::sync::Mutex;

use super::forward::{Columns, encode_forward, forward, write_input};
use super::submitter::Submitter;
use crate::gpu::Gpu;
use crate::graph::{Resource, Span, pad4};
use crate::nn::{Arrays, Model};
use crate::plan::{Kernels, Plan, Program};
use crate::{Error, Result};

/// A model for inference.
///
/// Its input and output stay on the GPU, as rows padded to a multiple of four floats: a host that fills
/// [`Predictor::input`] with its own kernels and reads [`Predictor::output`] with them moves no bytes at all.
pub struct Predictor {
    program: Program,
    columns: Columns,
    submitter: Mutex<Submitter>,
}

impl Predictor {
    /// Plans inference for `rows` rows at once. Waits until weights and sizes are there, and so for all earlier work.
    ///
    /// # Errors
    /// [`Error::Config`] if the weights do not fit the model, [`Error::Memory`] if the plan does not fit the device,
    /// [`Error::DeviceLost`] if the weights did not arrive.
    pub fn new(gpu: &Gpu, model: &Model, weights: &Arrays, rows: usize) -> Result<Predictor> {
        let plan = plan(gpu, model, rows)?;
        let flat = plan.layout.pack(weights).map_err(|message| Error::config("model", message))?;
        let all = Span { start: 0, len: (plan.layout.floats() / 4) as u32 };
        let program = Program::new(gpu, plan)?;
        gpu.upload(program.at(Resource::Parameters(all))?.0, bytemuck::cast_slice(&flat))?;
        Ok(Predictor::of(program, model))
    }

    /// Predicts with the parameters of another program, as that program changes them.
    pub(super) fn sharing(other: &Program, model: &Model, rows: usize) -> Result<Predictor> {
        let program = Program::on_parameters_of(other, plan(other.gpu(), model, rows)?)?;
        Ok(Predictor::of(program, model))
    }

    fn of(program: Program, model: &Model) -> Predictor {
        let submitter = Mutex::new(Submitter::new(&program));
        Predictor { program, columns: Columns::of(model), submitter }
    }

    /// The plan: its steps, and every buffer with its bytes.
    pub fn plan(&self) -> &Plan {
        self.program.plan()
    }

    /// The input buffer: (rows, features), each row padded to [`Predictor::input_stride`] floats.
    pub fn input(&self) -> Result<&wgpu::Buffer> {
        Ok(self.program.at(Resource::Record)?.0)
    }

    /// Floats from one row of the input to the next.
    pub fn input_stride(&self) -> usize {
        self.plan().record.stride
    }

    /// Writes features (rows, features) from the host's memory to the first rows of the input, with the next submission.
    ///
    /// # Errors
    /// [`Error::Shape`] for numbers that are no whole rows, or more rows than were planned.
    pub fn set_input(&self, features: &[f32]) -> Result<()> {
        let columns = self.columns.features;
        let most = columns * self.plan().micro_batch;
        if features.len() > most || !features.len().is_multiple_of(columns) {
            let given = features.len();
            let message = format!("{given} numbers; this model was planned for {most} at most, in rows of {columns}");
            return Err(Error::Shape { op: "input", message });
        }
        write_input(&self.program, features, columns)
    }

    /// The output buffer: (rows, positions, outputs), each position padded to [`Predictor::output_stride`] floats. For classes
    /// these are logits.
    pub fn output(&self) -> Result<&wgpu::Buffer> {
        Ok(self.program.at(Resource::Value(self.plan().output))?.0)
    }

    /// Floats from one position of the output to the next; from one row to the next where a row has one.
    pub fn output_stride(&self) -> usize {
        pad4(self.columns.outputs)
    }

    /// Encodes the forward pass of the first `rows` rows into a host's encoder. There is one input and one output: the next
    /// pass overwrites all of the output, even if it has fewer rows.
    ///
    /// # Errors
    /// [`Error::Shape`] for more rows than were planned.
    pub fn encode(&self, encoder: &mut wgpu::CommandEncoder, rows: usize) -> Result<()> {
        self.program.check_parameters()?;
        encode_forward(&self.program, encoder, rows)
    }

    /// Returns outputs (rows, positions, outputs) for features (rows, features), any number of rows.
    ///
    /// # Errors
    /// [`Error::Shape`] for numbers that are no whole rows; [`Error::DeviceLost`] if the outputs did not come back.
    pub fn predict(&self, features: &[f32]) -> Result<Vec<f32>> {
        self.program.check_parameters()?;
        let mut submitter = self.submitter.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        forward(&self.program, &mut submitter, features, self.columns)
    }
}

fn plan(gpu: &Gpu, model: &Model, rows: usize) -> Result<Plan> {
    let network = model.network(false)?;
    Plan::inference(&network.graph, network.output, rows, &Kernels::of(gpu, None))
}
