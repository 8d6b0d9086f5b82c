//! Runs the steps of a plan one by one and reads back what each of them wrote. After the last step much of it would be
//! gone, because tensors that are not alive together share memory.

use std::collections::{BTreeMap, HashMap};

use accrue::gpu::{Access, Dispatch, Gpu, Scalar, encode};
use accrue::graph::{Graph, Kind, Shape, Tensor};
use accrue::ops::{Op, Place, Role, Span, Step};
use accrue::optim::{Clip, Optimizer};
use accrue::plan::{Array, Plan, Program, SHADERS, Training};
use accrue::twin::Matrix;

use super::bits;
use super::case::Case;

/// A case on a device.
pub struct Rig<'a> {
    /// The case.
    pub case: &'a Case,
    /// Its plan, made real.
    pub program: Program,
}

/// What each place held after the last step that wrote it, padding included.
pub type Written = HashMap<Place, Vec<f32>>;

impl<'a> Rig<'a> {
    /// Plans a case and uploads what it is given; every other float is a NaN, so that what is not written shows.
    pub fn new(gpu: &Gpu, case: &'a Case, optimizer: &dyn Optimizer) -> Rig<'a> {
        let training = Training { loss: case.loss, optimizer, clip: Clip::default(), open_blocks: true };
        let plan = Plan::new(&case.graph, case.output, case.rows(), Some(training)).unwrap();
        let rig = Rig { case, program: Program::new(gpu, plan).unwrap() };
        for step in rig.plan().forward.iter().chain(&rig.plan().loss).chain(&rig.plan().gradient) {
            for &(_, place) in &step.bindings {
                rig.fill(place, f32::NAN);
            }
        }
        rig.upload_records();
        let parameters = rig.flat(|tensor| rig.case.given[&tensor].clone());
        rig.upload(Place::Parameters(rig.all()), &parameters);
        rig
    }

    /// The plan.
    pub fn plan(&self) -> &Plan {
        &self.program.plan
    }

    /// All parameters.
    pub fn all(&self) -> Span {
        Span { start: 0, len: (self.plan().layout.floats() / 4) as u32 }
    }

    /// Forward, loss and gradient of one micro-batch that is a window of its own.
    pub fn micro_step(&self) -> Written {
        self.clock(&[("rows", self.case.rows() as u32), ("first", 1), ("last", 1)], &[]);
        let (plan, program) = (&self.program.plan, &self.program);
        let mut written = Written::new();
        let lists =
            [(&plan.forward, &program.forward), (&plan.loss, &program.loss), (&plan.gradient, &program.gradient)];
        for (steps, dispatches) in lists {
            for (step, dispatch) in steps.iter().zip(dispatches) {
                self.run(std::slice::from_ref(dispatch));
                for place in self.writes(step) {
                    written.insert(place, self.read(place));
                }
            }
        }
        written
    }

    /// Encodes and submits dispatches.
    pub fn run(&self, dispatches: &[Dispatch]) {
        let gpu = self.program.gpu();
        let mut encoder = gpu.device().create_command_encoder(&Default::default());
        let mut pass = encoder.begin_compute_pass(&Default::default());
        encode(gpu, &mut pass, dispatches, self.case.rows() as u32, 0);
        drop(pass);
        gpu.queue().submit([encoder.finish()]);
    }

    /// Sets fields of the clock (the others are 0) and the update's scalars.
    pub fn clock(&self, fields: &[(&str, u32)], scalars: &[u8]) {
        let names = ["rows", "row0", "first", "last", "index0", "update", "slot", "hold"];
        let value = |name| fields.iter().find(|(given, _)| *given == name).map_or(0, |&(_, value)| value);
        let fields: Vec<_> = names.iter().map(|&name| (name, Scalar::U32(value(name)))).collect();
        let mut bytes = SHADERS[0].reflect().unwrap().pack("clock", &fields).unwrap();
        bytes.resize(accrue::gpu::SLOT as usize, 0);
        bytes.extend(scalars);
        self.program.gpu().upload(self.program.clocks(), &bytes).unwrap();
    }

    /// Fills a place with one value.
    pub fn fill(&self, place: Place, value: f32) {
        let (_, range) = self.program.at(place).unwrap();
        self.upload(place, &vec![value; (range.end - range.start) as usize / 4]);
    }

    /// Writes the beginning of a place.
    pub fn upload(&self, place: Place, values: &[f32]) {
        let (buffer, range) = self.program.at(place).unwrap();
        self.program.gpu().queue().write_buffer(buffer, range.start, bytemuck::cast_slice(values));
    }

    /// All of a place.
    pub fn read(&self, place: Place) -> Vec<f32> {
        let (buffer, range) = self.program.at(place).unwrap();
        let floats = self.program.gpu().read_f32(buffer, range.end as usize / 4).unwrap();
        floats[range.start as usize / 4..].to_vec()
    }

    fn writes(&self, step: &Step) -> Vec<Place> {
        let reflection = self.program.gpu().reflection(step.shader).unwrap();
        let bindings = &reflection.entries[step.entry].bindings;
        let writes = |name| bindings.iter().any(|b| b.name == name && b.access == Access::ReadWrite);
        step.bindings.iter().filter(|&&(name, _)| writes(name)).map(|&(_, place)| place).collect()
    }

    /// Records with zeros as padding. The rows after the last stay NaN.
    fn upload_records(&self) {
        let record = self.plan().record;
        let mut records = vec![0.0; record.stride * self.case.rows()];
        for (r, record_of_row) in records.chunks_mut(record.stride).enumerate() {
            for (kind, at) in [(Kind::Input, 0), (Kind::Target, record.target_at)] {
                let matrix = &self.case.given[&self.case.graph.only(kind).unwrap()];
                for c in 0..matrix.columns {
                    record_of_row[at + c] = matrix.at(r, c) as f32;
                }
            }
            record_of_row[record.weight_at] = self.case.weights[r] as f32;
        }
        self.upload(Place::Record, &records);
    }

    /// The flat array of a value for each parameter, given as the twins have it: one row, part after part.
    pub fn flat(&self, value: impl Fn(Tensor) -> Matrix) -> Vec<f32> {
        let mut arrays = BTreeMap::new();
        for (tensor, name, shape, range) in parts(&self.case.graph) {
            let values = value(tensor).values[range].iter().map(|&v| v as f32).collect();
            arrays.insert(name, Array { shape, values });
        }
        self.plan().layout.pack(&arrays).unwrap()
    }

    /// The values of each parameter, as the twins have it, from a flat array, whose padding is tested to be +0.
    pub fn unflat(&self, flat: &[f32]) -> HashMap<Tensor, Matrix> {
        let arrays = self.plan().layout.unpack(flat);
        let again = self.plan().layout.pack(&arrays).unwrap();
        assert!(bits(&again) == bits(flat), "{}: padding of the parameters is not +0", self.case.name);
        let mut values: HashMap<Tensor, Vec<f32>> = HashMap::new();
        for (tensor, name, _, _) in parts(&self.case.graph) {
            values.entry(tensor).or_default().extend(&arrays[&name].values);
        }
        values.into_iter().map(|(tensor, row)| (tensor, Matrix::from_f32(1, row.len(), &row))).collect()
    }

    /// The real columns of a tensor's rows, whose padding is tested to be +0.
    pub fn matrix(&self, tensor: Tensor, rows: &[f32]) -> Matrix {
        let columns = self.case.graph.columns(tensor);
        // The losses of the rows lie side by side; everything else is padded to multiples of four.
        let stride = if self.is_loss(tensor) { 1 } else { columns.next_multiple_of(4) };
        let rows: Vec<&[f32]> = rows.chunks(stride).take(self.case.rows()).collect();
        let name = &self.case.graph.info(tensor).name;
        for (r, row) in rows.iter().enumerate() {
            assert!(row[columns..].iter().all(|v| v.to_bits() == 0), "{}: {name}, row {r}: padding", self.case.name);
        }
        let values: Vec<f32> = rows.iter().flat_map(|row| &row[..columns]).copied().collect();
        Matrix::from_f32(rows.len(), columns, &values)
    }

    fn is_loss(&self, tensor: Tensor) -> bool {
        let makes = self.case.graph.nodes().iter().find(|node| node.output == tensor);
        makes.is_some_and(|node| matches!(node.op.role(), Role::Loss(_)))
    }
}

type PartOf = (Tensor, String, Vec<usize>, std::ops::Range<usize>);

/// Every part of every parameter: its name, its shape, and where it lies in the twins' row.
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

/// The op of a name.
pub fn op(name: &str) -> &'static dyn Op {
    accrue::ops::find(name).unwrap()
}
