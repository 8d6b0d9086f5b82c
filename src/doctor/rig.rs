//! Runs the steps of a plan one by one and reads back what each wrote. After the last step much of it would be overwritten,
//! because tensors that are not alive together share memory.

use std::collections::{BTreeMap, HashMap};
use std::ops::Range;

use super::Case;
use crate::gpu::{Access, Dispatch, Gpu, Recorder, SLOT, Scalar, encode};
use crate::graph::{Graph, Resource, Role, Shape, Span, Step, Tensor, TensorKind};
use crate::optim::{Clip, Decay, LrFactors, Optimizer};
use crate::plan::{Array, Kernels, Plan, Program, SHADERS, Training};
use crate::reference::Matrix;
use crate::{Error, Result};

/// A case on a device.
pub struct Rig<'a> {
    /// The case.
    pub case: &'a Case,
    /// Its plan, made real.
    pub program: Program,
}

/// The content of each resource after the last step that wrote it, padding included.
pub type Written = HashMap<Resource, Vec<f32>>;

/// Padding that is not +0: row, column, and value.
pub type Spot = (usize, usize, f32);

impl<'a> Rig<'a> {
    /// Plans a case and uploads its inputs; every other float is a NaN, so that a missing write shows.
    ///
    /// # Errors
    /// The driver's error.
    pub fn new(gpu: &Gpu, case: &'a Case, optimizer: &dyn Optimizer, clip: Clip) -> Result<Rig<'a>> {
        Rig::with(gpu, case, optimizer, clip, Kernels::OPS)
    }

    /// As [`Rig::new`], with other kernels. If they compute several ops at once, some tensors are never in memory.
    ///
    /// # Errors
    /// The driver's error.
    pub fn with(gpu: &Gpu, case: &'a Case, optimizer: &dyn Optimizer, clip: Clip, kernels: Kernels) -> Result<Rig<'a>> {
        let lr_factors = LrFactors::default();
        Rig::of(
            gpu,
            case,
            Training {
                loss: case.loss,
                optimizer,
                clip,
                lr_factors,
                decay: Decay::All,
                open_blocks: true,
                kernels,
                seed: 0,
                augment: Default::default(),
            },
        )
    }

    /// As [`Rig::new`], with all that a plan takes.
    ///
    /// # Errors
    /// The driver's error.
    pub fn of(gpu: &Gpu, case: &'a Case, training: Training) -> Result<Rig<'a>> {
        let plan = Plan::new(&case.graph, case.output, case.rows, Some(training))?;
        let rig = Rig { case, program: Program::new(gpu, plan)? };
        for step in rig.plan().micro_batch_steps(false) {
            for &(_, place) in &step.bindings {
                rig.fill(place, f32::NAN)?;
            }
        }
        rig.upload(Resource::Record, &rig.records(0..case.rows))?;
        let parameters = rig.flat(|tensor| rig.case.given[&tensor].clone())?;
        rig.upload(Resource::Parameters(rig.all()), &parameters)?;
        Ok(rig)
    }

    /// The plan.
    pub fn plan(&self) -> &Plan {
        self.program.plan()
    }

    /// All parameters.
    pub fn all(&self) -> Span {
        Span { start: 0, len: (self.plan().layout.floats() / 4) as u32 }
    }

    /// The steps of a micro-batch and their dispatches.
    pub fn micro_batch(&self) -> impl Iterator<Item = (&Step, &Dispatch)> {
        let dispatches = self.program.micro_batch(false).into_iter().flatten();
        self.plan().micro_batch_steps(false).into_iter().zip(dispatches)
    }

    /// Runs forward, loss and gradient of one micro-batch that is a window by itself, step by step.
    pub fn micro_step(&self) -> Result<Written> {
        self.clock(&[("rows", self.case.rows as u32), ("first", 1), ("last", 1)], &[])?;
        let mut written = Written::new();
        for (step, dispatch) in self.micro_batch() {
            self.run(std::slice::from_ref(dispatch))?;
            for place in self.writes(step)? {
                written.insert(place, self.read(place)?);
            }
        }
        self.fold()?;
        Ok(written)
    }

    /// Runs the same window in micro-batches of these rows, which together are all rows.
    pub fn micro_steps(&self, cut: &[usize]) -> Result<()> {
        let (all, mut row0) = (self.case.rows, 0);
        for &rows in cut {
            let last = u32::from(row0 + rows == all);
            let clock = [("rows", rows), ("row0", row0), ("first", usize::from(row0 == 0))];
            let clock: Vec<_> =
                clock.iter().map(|&(name, value)| (name, value as u32)).chain([("last", last)]).collect();
            self.clock(&clock, &[])?;
            self.upload(Resource::Record, &self.records(row0..row0 + rows))?;
            for list in self.program.micro_batch(false) {
                self.run_rows(list, rows)?;
            }
            row0 += rows;
        }
        self.fold()
    }

    /// Adds the gradients of later uses of parameters to those of the first, as an update begins.
    pub fn fold(&self) -> Result<()> {
        self.run(&self.program.update()[..self.plan().folds()])
    }

    /// Encodes and submits dispatches for all rows.
    pub fn run(&self, dispatches: &[Dispatch]) -> Result<()> {
        self.run_rows(dispatches, self.case.rows)
    }

    fn run_rows(&self, dispatches: &[Dispatch], rows: usize) -> Result<()> {
        let gpu = self.program.gpu();
        let mut encoder = gpu.encoder()?;
        let mut recorder = Recorder::new(&mut encoder, "accrue.rig");
        encode(gpu, &mut recorder, dispatches, rows as u32, 0, None);
        drop(recorder);
        gpu.submit(gpu.finish(encoder)?).map(drop)
    }

    /// Sets fields of the clock (the others become 0) and the update's scalars.
    pub fn clock(&self, fields: &[(&str, u32)], scalars: &[u8]) -> Result<()> {
        let names = [
            "rows", "row0", "first", "last", "index0", "update", "slot", "hold", "gather", "kind", "slots", "sequence",
        ];
        let value = |name| fields.iter().find(|(given, _)| *given == name).map_or(0, |&(_, value)| value);
        let fields: Vec<_> = names.iter().map(|&name| (name, Scalar::U32(value(name)))).collect();
        let reflection = SHADERS[0].reflection()?;
        let mut bytes = reflection.pack("clock", &fields).map_err(Error::Internal)?;
        bytes.resize(SLOT as usize, 0);
        bytes.extend(scalars);
        self.program.gpu().upload(self.program.clocks(), &bytes)
    }

    /// Fills a resource with one value.
    pub fn fill(&self, place: Resource, value: f32) -> Result<()> {
        let (_, range) = self.program.at(place)?;
        self.upload(place, &vec![value; (range.end - range.start) as usize / 4])
    }

    /// Writes the beginning of a resource.
    pub fn upload(&self, place: Resource, values: &[f32]) -> Result<()> {
        let (buffer, range) = self.program.at(place)?;
        self.program.gpu().upload_at(buffer, range.start, bytemuck::cast_slice(values))
    }

    /// Reads all of a resource.
    pub fn read(&self, place: Resource) -> Result<Vec<f32>> {
        let (buffer, range) = self.program.at(place)?;
        let floats = self.program.gpu().read_f32(buffer, range.end as usize / 4)?;
        Ok(floats[range.start as usize / 4..].to_vec())
    }

    fn writes(&self, step: &Step) -> Result<Vec<Resource>> {
        let reflection = step.shader.reflection()?;
        let bindings = reflection.entries.get(step.entry).map_or(&[][..], |entry| &entry.bindings);
        let writes = |name| bindings.iter().any(|b| b.name == name && b.access == Access::ReadWrite);
        Ok(step.bindings.iter().filter(|&&(name, _)| writes(name)).map(|&(_, place)| place).collect())
    }

    /// The kernel that writes a resource last in a micro-step: `linear.forward`.
    pub fn writer(&self, place: Resource) -> String {
        let mut steps = self.plan().micro_batch_steps(false).into_iter();
        let writer = steps.rfind(|step| self.writes(step).is_ok_and(|places| places.contains(&place)));
        writer.map_or_else(String::new, kernel)
    }

    /// The records, with zeros as padding. Rows after the last stay as they are.
    fn records(&self, rows: Range<usize>) -> Vec<f32> {
        let record = self.plan().record;
        let mut records = vec![0.0; record.stride * rows.len()];
        for (r, record_of_row) in rows.zip(records.chunks_mut(record.stride)) {
            for tensor in self.case.graph.tensors() {
                let (at, apart) = match self.case.graph.info(tensor).kind {
                    TensorKind::Input => (self.case.graph.input_at(tensor), self.case.graph.columns(tensor)),
                    TensorKind::Target => (record.target_at, self.case.graph.columns(tensor)),
                    _ => continue,
                };
                let matrix = &self.case.given[&tensor];
                for (position, line) in self.case.lines_of(r, tensor).enumerate() {
                    for c in 0..matrix.columns {
                        record_of_row[at + position * apart + c] = matrix.at(line, c) as f32;
                    }
                }
            }
            for (k, line) in self.case.lines_of(r, self.case.loss).take(record.weights).enumerate() {
                record_of_row[record.weight_at + k] = self.case.weights[line] as f32;
            }
        }
        records
    }

    /// The flat array of a value for each parameter, given in the references' layout: one row, part after part.
    pub fn flat(&self, value: impl Fn(Tensor) -> Matrix) -> Result<Vec<f32>> {
        let mut arrays = BTreeMap::new();
        for (tensor, name, shape, range) in parts(&self.case.graph) {
            let values = value(tensor).values[range].iter().map(|&v| v as f32).collect();
            arrays.insert(name, Array { shape, values });
        }
        self.plan().layout.pack(&arrays).map_err(Error::Internal)
    }

    /// The values of each parameter in the references' layout, from a flat array.
    pub fn unflat(&self, flat: &[f32]) -> HashMap<Tensor, Matrix> {
        let arrays = self.plan().layout.unpack(flat);
        let mut values: HashMap<Tensor, Vec<f32>> = HashMap::new();
        for (tensor, name, _, _) in parts(&self.case.graph) {
            values.entry(tensor).or_default().extend(&arrays[&name].values);
        }
        values.into_iter().map(|(tensor, row)| (tensor, Matrix::from_f32(1, row.len(), &row))).collect()
    }

    /// The first float of a flat array's padding that is not +0.
    pub fn flat_padding(&self, flat: &[f32]) -> Result<Option<Spot>> {
        let layout = &self.plan().layout;
        let again = layout.pack(&layout.unpack(flat)).map_err(Error::Internal)?;
        let at = (0..flat.len()).find(|&at| again[at].to_bits() != flat[at].to_bits());
        Ok(at.map(|at| (0, at, flat[at])))
    }

    /// The real columns of a tensor's rows.
    pub fn matrix(&self, tensor: Tensor, floats: &[f32]) -> Matrix {
        let columns = self.case.graph.columns(tensor);
        let rows: Vec<&[f32]> = floats.chunks(self.stride(tensor)).take(self.lines(tensor)).collect();
        let values: Vec<f32> = rows.iter().flat_map(|row| &row[..columns]).copied().collect();
        Matrix::from_f32(rows.len(), columns, &values)
    }

    /// The first float of the padding of a tensor's rows that is not +0.
    pub fn padding(&self, tensor: Tensor, floats: &[f32]) -> Option<Spot> {
        let columns = self.case.graph.columns(tensor);
        let rows = floats.chunks(self.stride(tensor)).take(self.lines(tensor)).enumerate();
        let mut padding = rows.flat_map(|(r, row)| (columns..row.len()).map(move |c| (r, c, row[c])));
        padding.find(|(_, _, value)| value.to_bits() != 0)
    }

    /// Rows × positions.
    fn lines(&self, tensor: Tensor) -> usize {
        self.case.rows * self.case.graph.shape(tensor).positions()
    }

    /// The lines' losses lie side by side; everything else is padded to multiples of four.
    fn stride(&self, tensor: Tensor) -> usize {
        let makes = self.case.graph.nodes().iter().find(|node| node.output == tensor);
        let is_loss = makes.is_some_and(|node| matches!(node.op.role(), Role::Loss(_)));
        if is_loss { 1 } else { self.case.graph.columns(tensor).next_multiple_of(4) }
    }
}

/// The name of a step's kernel: `linear.forward`.
pub fn kernel(step: &Step) -> String {
    format!("{}.{}", step.shader.name, step.entry)
}

type PartOf = (Tensor, String, Vec<usize>, Range<usize>);

/// Every part of every parameter: its name, its shape, and its offset in the references' row.
fn parts(graph: &Graph) -> Vec<PartOf> {
    let mut all = Vec::new();
    for tensor in graph.tensors() {
        let Shape::Parameters(parts) = graph.shape(tensor) else { continue };
        let mut at = 0;
        for part in parts {
            let name = format!("{}.{}", graph.info(tensor).name, part.name);
            all.push((tensor, name, part.shape.clone(), at..at + part.elements()));
            at += part.elements();
        }
    }
    all
}
