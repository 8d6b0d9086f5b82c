//! A plan made real: buffers, pipelines and bind groups, each made once.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use super::{BufferRole, CLOCKS, ITEMS, Plan, memory};
use crate::gpu::{Bound, Dispatch, Gpu, SLOT, fresh};
use crate::graph::{Resource, Step};
use crate::{Error, Result};

/// A plan on a device.
pub struct Program {
    /// The plan.
    pub plan: Plan,
    /// Rows out of the data on the GPU; empty until [`Program::attach`].
    pub gather: Vec<Dispatch>,
    /// From the records to the output.
    pub forward: Vec<Dispatch>,
    /// From the output to the window's sums.
    pub loss: Vec<Dispatch>,
    /// From the loss to the gradients.
    pub gradient: Vec<Dispatch>,
    /// A whole micro-batch out of the records, where kernels do all ops at once.
    pub micro_step: Vec<Dispatch>,
    /// The same out of the data on the GPU; empty until [`Program::attach`].
    pub attached: Vec<Dispatch>,
    /// Whole windows out of the data on the GPU; empty until [`Program::attach`].
    pub windows: Vec<Dispatch>,
    /// Closes an open block.
    pub close: Vec<Dispatch>,
    /// Counts a submission that ends inside a micro-batch.
    pub mark: Vec<Dispatch>,
    /// From the gradients to new parameters.
    pub update: Vec<Dispatch>,
    gpu: Gpu,
    buffers: Vec<wgpu::Buffer>,
    clock: AtomicU32,
    /// Whether the parameters, which others may share, were replaced in part.
    partially_written: Arc<AtomicBool>,
    /// Bytes of the sizes of all steps but those that take their rows from the data.
    fixed_dims: usize,
}

impl Program {
    /// Makes every buffer, pipeline and bind group of a plan.
    ///
    /// # Errors
    /// [`Error::Memory`] when something does not fit the device, and then says what. See [`Plan::check`].
    pub fn new(gpu: &Gpu, plan: Plan) -> Result<Program> {
        Self::make(gpu, plan, None)
    }

    /// As [`Program::new`], on the parameters of another program of the same network, which made them and counts them.
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

    /// Remembers that not all of the parameters were replaced, for all that share them.
    pub fn mark_partially_written(&self) {
        self.partially_written.store(true, Ordering::Relaxed);
    }

    /// Refuses to compute with parameters that were replaced in part.
    ///
    /// # Errors
    /// [`Error::DeviceLost`] then.
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
        let buffers = plan.buffers.iter().map(make).collect::<Result<Vec<_>>>()?;
        let mut program = Program {
            plan,
            gather: Vec::new(),
            forward: Vec::new(),
            loss: Vec::new(),
            gradient: Vec::new(),
            micro_step: Vec::new(),
            attached: Vec::new(),
            windows: Vec::new(),
            close: Vec::new(),
            mark: Vec::new(),
            update: Vec::new(),
            gpu: gpu.clone(),
            buffers,
            clock: AtomicU32::new(fresh() as u32),
            partially_written: Arc::default(),
            fixed_dims: 0,
        };
        let mut dims = Vec::new();
        program.forward = program.compile(&program.plan.forward, &mut dims, None)?;
        program.loss = program.compile(&program.plan.loss, &mut dims, None)?;
        program.gradient = program.compile(&program.plan.gradient, &mut dims, None)?;
        program.micro_step = program.compile(&program.plan.micro_step, &mut dims, None)?;
        program.close = program.compile(&program.plan.close, &mut dims, None)?;
        program.mark = program.compile(&program.plan.mark, &mut dims, None)?;
        program.update = program.compile(&program.plan.update, &mut dims, None)?;
        gpu.upload(&program.buffers[program.plan.places.dims], &dims)?;
        program.fixed_dims = dims.len();
        Ok(program)
    }

    /// What a micro-batch goes through: out of the data on the GPU with `gather`, else out of the records.
    pub fn micro_step_lists(&self, gather: bool) -> Vec<&[Dispatch]> {
        match (self.plan.micro_step.is_empty(), gather) {
            (true, true) => vec![&self.gather, &self.forward, &self.loss, &self.gradient],
            (true, false) => vec![&self.forward, &self.loss, &self.gradient],
            (false, true) => vec![&self.attached],
            (false, false) => vec![&self.micro_step],
        }
    }

    /// Lets go of the data that [`Program::attach`] was given.
    pub fn detach(&mut self) {
        self.gather.clear();
        self.attached.clear();
        self.windows.clear();
    }

    /// Takes the rows of micro-batches from `data`, records that stay on the GPU. What only such rows need is made here.
    ///
    /// # Errors
    /// What the driver has against it.
    pub fn attach(&mut self, data: &wgpu::Buffer) -> Result<()> {
        let at = self.fixed_dims;
        let mut dims = vec![0; at];
        self.gather = self.compile(&self.plan.gather, &mut dims, Some(data))?;
        self.attached = self.compile(&self.plan.micro_step, &mut dims, Some(data))?;
        self.windows = self.compile(&self.plan.windows, &mut dims, Some(data))?;
        self.gpu.upload_at(&self.buffers[self.plan.places.dims], at as u64, &dims[at..])
    }

    fn compile(&self, steps: &[Step], dims: &mut Vec<u8>, data: Option<&wgpu::Buffer>) -> Result<Vec<Dispatch>> {
        steps.iter().map(|step| self.compile_step(step, dims, data)).collect()
    }

    fn compile_step(&self, step: &Step, dims: &mut Vec<u8>, data: Option<&wgpu::Buffer>) -> Result<Dispatch> {
        let kernel = self.gpu.kernel(step.shader, step.entry, &step.constants)?;
        let mut bound = Vec::with_capacity(step.bindings.len() + 2);
        for &(name, place) in &step.bindings {
            bound.push((name, self.bound(step, place, data)?));
        }
        let reflection = self.gpu.reflection(step.shader)?;
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
        if !step.layers.is_empty() {
            let layers = step.layers.iter().map(|layer| pack("layers", layer)).collect::<Result<Vec<_>>>()?;
            bound.push(("layers", self.sizes(layers.concat(), memory::LAYERS_SLOTS, dims)));
        }
        let dispatch =
            self.gpu.dispatch(kernel, &bound, step.grid, step.blocks.positions as u32, self.plan.micro_batch as u32)?;
        let dispatch = dispatch.labelled(step.to_label());
        Ok(dispatch.with_parts(self.compile(&step.parts, dims, data)?))
    }

    /// The next slots of the sizes, filled with these.
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

    /// The device that it was made for.
    pub fn gpu(&self) -> &Gpu {
        &self.gpu
    }

    /// The buffer and the bytes of it that hold a place of the plan.
    ///
    /// # Errors
    /// [`Error::Internal`] when the plan has no such place.
    pub fn at(&self, place: Resource) -> Result<(&wgpu::Buffer, std::ops::Range<u64>)> {
        let stretch = self.plan.places.find(place);
        let stretch = stretch.ok_or_else(|| Error::Internal(format!("the plan has no memory for {place:?}")))?;
        Ok((&self.buffers[stretch.buffer], stretch.offset..stretch.offset + stretch.size))
    }

    /// The buffer of clocks and scalars: [`CLOCKS`] slots of [`SLOT`] bytes.
    pub fn clocks(&self) -> &wgpu::Buffer {
        &self.buffers[self.plan.places.clock]
    }

    /// The number of the next forward pass, and the byte of the slot that it may use: each in turn.
    pub fn next_clock(&self) -> (u32, u32) {
        let number = self.clock.fetch_add(1, Ordering::Relaxed).wrapping_add(1);
        (number, number % CLOCKS as u32 * SLOT)
    }

    /// The buffers in which results travel to the host.
    pub fn results(&self) -> Vec<wgpu::Buffer> {
        self.plan.places.results.iter().map(|&at| self.buffers[at].clone()).collect()
    }

    /// The buffer in which outputs travel to the host, and the byte behind them at which a word proves which they are.
    pub fn output_staging(&self) -> (&wgpu::Buffer, u64) {
        let at = self.plan.places.output;
        (&self.buffers[at], self.plan.buffers[at].bytes - memory::PROOF)
    }

    /// Bytes of the stats: the open window's sums, then the results.
    pub fn stats_bytes(&self) -> u64 {
        memory::STATS as u64
    }

    /// Bytes of the stats before the results.
    pub fn stats_header(&self) -> u64 {
        memory::STATS_HEADER as u64
    }

    /// The results among the bytes of the stats, 16 bytes each.
    pub fn results_of(stats: &[u8]) -> impl Iterator<Item = &[u8]> {
        stats[memory::STATS_HEADER..].chunks_exact(memory::RESULT)
    }

    /// The number of the micro-batch or update that comes next, if all before it were done; by the bytes of the stats.
    pub fn sequence_of(stats: &[u8]) -> u32 {
        word(stats, memory::STATS_SEQUENCE)
    }

    /// How many submissions that end inside a micro-batch were done, by the bytes of the stats.
    pub fn marks_of(stats: &[u8]) -> u32 {
        word(stats, memory::STATS_MARKS)
    }

    /// Whether the sums of the window's closed blocks are finite, and no gradient was found that is not, by the bytes of the stats.
    pub fn is_finite(stats: &[u8]) -> bool {
        let sums = [0, 4].map(|at| f32::from_bits(word(stats, at)));
        sums.into_iter().all(f32::is_finite) && word(stats, memory::STATS_UNFIT) == 0
    }

    /// Sets in the bytes of the stats what counts work, to what the host has counted, and no update as broken.
    pub fn set_counts(stats: &mut [u8], sequence: u32, marks: u32) {
        for (at, word) in [(memory::STATS_SEQUENCE, sequence), (memory::STATS_MARKS, marks), (memory::STATS_BROKEN, 0)]
        {
            stats[at..at + 4].copy_from_slice(&word.to_le_bytes());
        }
    }

    /// The update that would have made a value infinite or not a number, by the bytes of the stats; 0: none.
    pub fn broken_of(stats: &[u8]) -> u32 {
        word(stats, memory::STATS_BROKEN)
    }
}

fn word(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}
