//! A plan made real: its buffers, pipelines and bind groups, each made once.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use super::{BufferRole, CLOCKS, ExecutionMode, ITEMS, Lowering, Plan, memory};
use crate::gpu::{Bound, Dispatch, Gpu, SLOT, Texels, fresh};
use crate::graph::{LoopBound, Packing, Resource, Step};
use crate::{Error, Result};

/// A plan on a device.
pub struct Program {
    plan: Plan,
    forward: Vec<Dispatch>,
    /// The forward pass of a model in use, if it differs from that of its training.
    in_use: Option<Vec<Dispatch>>,
    training: Option<TrainingDispatches>,
    attached: Option<Attached>,
    gpu: Gpu,
    buffers: Vec<wgpu::Buffer>,
    texels: Vec<Texels>,
    clock: AtomicU32,
    /// Whether the parameters, possibly shared with others, were only partly replaced.
    partially_written: Arc<AtomicBool>,
    /// Bytes of the sizes of all steps but those that take their rows from the data.
    fixed_dims: usize,
}

/// The dispatches of [`TrainingSteps`](super::TrainingSteps).
struct TrainingDispatches {
    /// A micro-batch out of the records: in mode `ops` what follows the forward dispatches, else all of it.
    micro_batch: Vec<Dispatch>,
    close: Dispatch,
    mark: Dispatch,
    update: Vec<Dispatch>,
}

/// The dispatches that take their rows from data on the GPU.
struct Attached {
    /// Whether the data is packed: its rows are unpacked into the records, and a micro-batch continues from there.
    packed: bool,
    /// In mode `ops` what precedes the forward dispatches; with packed data, unpacking; else a whole micro-batch.
    micro_batch: Vec<Dispatch>,
    windows: Option<WholeWindows>,
}

/// The kernel that does micro-batches and updates out of data on the GPU.
pub struct WholeWindows {
    /// The kernel.
    pub dispatch: Dispatch,
    /// Bound on its loop iterations for each micro-batch or update.
    pub loops: LoopBound,
}

impl Program {
    /// Makes every buffer, pipeline and bind group of a plan.
    ///
    /// # Errors
    /// [`Error::Memory`] naming what does not fit the device. See [`Plan::check`].
    pub fn new(gpu: &Gpu, plan: Plan) -> Result<Program> {
        Self::make(gpu, plan, None)
    }

    /// As [`Program::new`], on the parameters of another program of the same network. That program owns and counts them.
    ///
    /// # Errors
    /// As [`Program::new`].
    pub fn on_parameters_of(other: &Program, mut plan: Plan) -> Result<Program> {
        for buffer in plan.buffers.iter_mut().filter(|buffer| buffer.role == BufferRole::Parameters) {
            (buffer.name, buffer.bytes) = ("parameters of another plan".to_owned(), 0);
        }
        let made = Self::make(&other.gpu, plan, other.of_role(BufferRole::Parameters))?;
        Ok(Program { partially_written: other.partially_written.clone(), ..made })
    }

    /// Records, for all that share the parameters, that they were only partly replaced.
    pub fn mark_partially_written(&self) {
        self.partially_written.store(true, Ordering::Relaxed);
    }

    /// Fails if the parameters were only partly replaced.
    ///
    /// # Errors
    /// [`Error::DeviceLost`].
    pub fn check_parameters(&self) -> Result<()> {
        if self.partially_written.load(Ordering::Relaxed) {
            return Err(Error::DeviceLost("the parameters were replaced in part".to_owned()));
        }
        Ok(())
    }

    fn make(gpu: &Gpu, plan: Plan, parameters: Option<&wgpu::Buffer>) -> Result<Program> {
        plan.check(gpu)?;
        let make = |buffer: &memory::Buffer| match parameters {
            Some(parameters) if buffer.role == BufferRole::Parameters => Ok(parameters.clone()),
            _ => gpu.buffer(&format!("accrue.{}", buffer.name), buffer.bytes, buffer.usage),
        };
        let (texels, buffers): (Vec<_>, Vec<_>) =
            plan.buffers.iter().partition(|buffer| buffer.role == BufferRole::Copies);
        let buffers = buffers.into_iter().map(make).collect::<Result<Vec<_>>>()?;
        let texels = texels.into_iter().map(|texels| gpu.texels(texels.bytes)).collect::<Result<Vec<_>>>()?;
        let mut program = Program {
            plan,
            forward: Vec::new(),
            in_use: None,
            training: None,
            attached: None,
            gpu: gpu.clone(),
            buffers,
            texels,
            clock: AtomicU32::new(fresh() as u32),
            partially_written: Arc::default(),
            fixed_dims: 0,
        };
        let mut dims = Vec::new();
        program.forward = program.compile(&program.plan.forward, &mut dims, None)?;
        let in_use = program.plan.in_use.as_ref().map(|steps| program.compile(steps, &mut dims, None));
        program.in_use = in_use.transpose()?;
        program.training = program.compile_training(&mut dims)?;
        gpu.upload(&program.buffers[program.plan.places.dims], &dims)?;
        program.fixed_dims = dims.len();
        Ok(program)
    }

    fn compile_training(&self, dims: &mut Vec<u8>) -> Result<Option<TrainingDispatches>> {
        let Some(steps) = &self.plan.training else { return Ok(None) };
        let micro_batch = match &steps.lowering {
            Lowering::Ops(ops) => {
                let mut micro_batch = self.compile(&ops.loss, dims, None)?;
                micro_batch.extend(self.compile(&ops.gradient, dims, None)?);
                micro_batch
            }
            Lowering::Fused(micro_batch) | Lowering::Windows { micro_batch, .. } => {
                self.compile(micro_batch, dims, None)?
            }
        };
        Ok(Some(TrainingDispatches {
            micro_batch,
            close: self.compile_step(&steps.close, dims, None)?,
            mark: self.compile_step(&steps.mark, dims, None)?,
            update: self.compile(&steps.update, dims, None)?,
        }))
    }

    /// The plan.
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// The dispatches from the records to the output, as of a model in use.
    pub fn forward(&self) -> &[Dispatch] {
        self.in_use.as_ref().unwrap_or(&self.forward)
    }

    /// The dispatches of a micro-batch, list after list, with its rows from `attached` data or from the records.
    pub fn micro_batch(&self, attached: bool) -> [&[Dispatch]; 3] {
        let data = self.attached.as_ref().filter(|_| attached);
        let unpacks = data.is_some_and(|attached| attached.packed);
        let data = data.map(|attached| &attached.micro_batch[..]);
        let Some(training) = &self.training else { return [&[], &self.forward, &[]] };
        match (self.plan.mode(false), data) {
            (ExecutionMode::Ops, data) => [data.unwrap_or_default(), &self.forward, &training.micro_batch],
            (_, Some(data)) if unpacks => [data, &[], &training.micro_batch],
            (_, Some(data)) => [data, &[], &[]],
            (_, None) => [&training.micro_batch, &[], &[]],
        }
    }

    /// The kernel of whole windows, if the plan has one and data is attached.
    pub fn windows(&self) -> Option<&WholeWindows> {
        self.attached.as_ref()?.windows.as_ref()
    }

    /// Closes an open block; empty in a program for inference.
    pub fn close(&self) -> &[Dispatch] {
        self.training.as_ref().map_or(&[], |training| std::slice::from_ref(&training.close))
    }

    /// Marks a submission that ends inside a micro-batch; empty in a program for inference.
    pub fn mark(&self) -> &[Dispatch] {
        self.training.as_ref().map_or(&[], |training| std::slice::from_ref(&training.mark))
    }

    /// Computes new parameters from the gradients; empty in a program for inference.
    pub fn update(&self) -> &[Dispatch] {
        self.training.as_ref().map_or(&[], |training| &training.update)
    }

    /// Whether kernels that compute a whole micro-batch take its rows from attached data by themselves.
    pub fn gathers(&self) -> bool {
        self.attached.as_ref().is_some_and(|attached| !attached.packed)
    }

    /// Detaches the data of [`Program::attach`].
    pub fn detach(&mut self) {
        self.attached = None;
    }

    /// Takes the rows of micro-batches from `data` on the GPU: records, or samples in this `packing`. Makes the bind groups for
    /// them.
    ///
    /// # Errors
    /// Whatever the driver reports; then no data is attached.
    pub fn attach(&mut self, data: &wgpu::Buffer, packing: Option<Packing>) -> Result<()> {
        self.attached = None;
        let at = self.fixed_dims;
        let mut dims = vec![0; at];
        self.plan.set_packed(packing.is_some());
        let Some(steps) = &self.plan.training else { return Ok(()) };
        let unpack = packing.map(|packing| self.plan.unpack_step(packing));
        let (micro_batch, windows) = match &steps.lowering {
            _ if unpack.is_some() => (unpack.as_slice(), None),
            Lowering::Ops(ops) => (std::slice::from_ref(&ops.gather), None),
            Lowering::Fused(micro_batch) => (&micro_batch[..], None),
            Lowering::Windows { micro_batch, windows } => (&micro_batch[..], Some(windows)),
        };
        let micro_batch = self.compile(micro_batch, &mut dims, Some(data))?;
        let windows = windows.map(|step| {
            let dispatch = self.compile_step(step, &mut dims, Some(data))?;
            Ok::<_, Error>(WholeWindows { dispatch, loops: step.loops })
        });
        let attached = Attached { packed: packing.is_some(), micro_batch, windows: windows.transpose()? };
        self.gpu.upload_at(&self.buffers[self.plan.places.dims], at as u64, &dims[at..])?;
        self.attached = Some(attached);
        Ok(())
    }

    fn compile(&self, steps: &[Step], dims: &mut Vec<u8>, data: Option<&wgpu::Buffer>) -> Result<Vec<Dispatch>> {
        steps.iter().map(|step| self.compile_step(step, dims, data)).collect()
    }

    fn compile_step(&self, step: &Step, dims: &mut Vec<u8>, data: Option<&wgpu::Buffer>) -> Result<Dispatch> {
        let kernel = self.gpu.kernel(step.shader, step.entry, &step.constants, &step.through_textures)?;
        let mut bound = Vec::with_capacity(step.bindings.len() + 2);
        for &(name, place) in &step.bindings {
            bound.push((name, self.bound(step, place, data)?));
        }
        let reflection = step.shader.reflection()?;
        let clock = &self.buffers[self.plan.places.clock];
        bound.push(("items", Bound { buffer: clock.clone(), offset: 0, size: u64::from(SLOT) * ITEMS as u64 }));
        bound.push(("clock", Bound { buffer: clock.clone(), offset: 0, size: u64::from(SLOT) }));
        bound.push(("scalars", Bound { buffer: clock.clone(), offset: 0, size: u64::from(SLOT) }));
        let pack = |name, fields: &[_]| {
            let packed = reflection.pack(name, fields);
            packed.map_err(|message| Error::Internal(format!("shader {}: {message}", step.shader.name)))
        };
        if !step.dims.is_empty() {
            bound.push(("dims", self.sizes(pack("dims", &step.dims)?, 1, dims)));
        }
        for table in &step.tables {
            let rows = table.rows.iter().map(|row| pack(table.name, row)).collect::<Result<Vec<_>>>()?;
            bound.push((table.name, self.sizes(rows.concat(), table.bytes.div_ceil(u64::from(SLOT)), dims)));
        }
        let (lines, rows) = (step.blocks.positions as u32, self.plan.micro_batch as u32);
        let dispatch = self.gpu.dispatch(kernel, &bound, &self.texels, step.grid, lines, rows)?;
        let dispatch = dispatch.labelled(step.to_label());
        Ok(dispatch.with_parts(self.compile(&step.parts, dims, data)?))
    }

    /// Fills the next slots of the sizes.
    fn sizes(&self, packed: Vec<u8>, slots: u64, dims: &mut Vec<u8>) -> Bound {
        let (offset, size) = (dims.len() as u64, slots * u64::from(SLOT));
        dims.extend(packed);
        dims.resize((offset + size) as usize, 0);
        Bound { buffer: self.buffers[self.plan.places.dims].clone(), offset, size }
    }

    fn bound(&self, step: &Step, place: Resource, data: Option<&wgpu::Buffer>) -> Result<Bound> {
        if let (Resource::Data, Some(data)) = (place, data) {
            return Ok(Bound::whole(data));
        }
        let stretch = self.plan.places.find(place);
        let stretch = stretch.ok_or_else(|| Error::Internal(format!("{}: no memory for {place:?}", step.label)))?;
        Ok(Bound { buffer: self.buffers[stretch.buffer].clone(), offset: stretch.offset, size: stretch.size })
    }

    fn of_role(&self, role: BufferRole) -> Option<&wgpu::Buffer> {
        let at = self.plan.buffers.iter().position(|buffer| buffer.role == role)?;
        Some(&self.buffers[at])
    }

    /// The device of this program.
    pub fn gpu(&self) -> &Gpu {
        &self.gpu
    }

    /// The buffer, and the bytes of it, that hold a resource of the plan.
    ///
    /// # Errors
    /// [`Error::Internal`] if the plan has no memory for it.
    pub fn at(&self, place: Resource) -> Result<(&wgpu::Buffer, std::ops::Range<u64>)> {
        let stretch = self.plan.places.find(place);
        let stretch = stretch.ok_or_else(|| Error::Internal(format!("the plan has no memory for {place:?}")))?;
        Ok((&self.buffers[stretch.buffer], stretch.offset..stretch.offset + stretch.size))
    }

    /// The buffer of clocks and scalars: [`CLOCKS`] slots of [`SLOT`] bytes.
    pub fn clocks(&self) -> &wgpu::Buffer {
        &self.buffers[self.plan.places.clock]
    }

    /// The number of the next forward pass, and the offset of the clock slot that it may use; slots rotate.
    pub fn next_clock(&self) -> (u32, u32) {
        let number = self.clock.fetch_add(1, Ordering::Relaxed).wrapping_add(1);
        (number, number % CLOCKS as u32 * SLOT)
    }

    /// The staging buffers of results.
    pub fn results(&self) -> Vec<wgpu::Buffer> {
        self.plan.places.results.iter().map(|&at| self.buffers[at].clone()).collect()
    }

    /// The staging buffer of outputs, and the offset behind them of the word that proves which pass they are of.
    pub fn output_staging(&self) -> (&wgpu::Buffer, u64) {
        let at = self.plan.places.output;
        (&self.buffers[at], self.plan.buffers[at].bytes - memory::PROOF)
    }
}
