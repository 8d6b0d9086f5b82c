//! Which buffer holds which resource. Rows that are not alive together share a buffer.

use std::collections::HashMap;

use wgpu::BufferUsages;

use super::liveness::{row_bytes, share_rows};
use super::lower::Arena;
use super::{CLOCKS, ITEMS, Layout, Plan, RESULTS, SAMPLES, Training};
use crate::gpu::{SLOT, usage};
use crate::graph::{Blocks, Graph, Node, Resource, Step, Tensor, TensorKind, pad4};
use crate::optim::Clip;

/// A buffer that a plan needs.
#[derive(Clone, Debug)]
pub struct Buffer {
    /// Its content.
    pub name: String,
    /// Its role.
    pub role: BufferRole,
    /// Its size.
    pub bytes: u64,
    /// Its `wgpu` usages.
    pub usage: BufferUsages,
}

/// The role of a buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum BufferRole {
    /// Learned parameters.
    Parameters,
    /// Their gradients, open blocks included.
    Gradients,
    /// Optimizer state.
    Optimizer,
    /// Rows of the micro-batch and their gradients.
    Activations,
    /// The samples of the micro-batch.
    Records,
    /// Clocks, sizes and results.
    Control,
    /// Textures for copies of what a kernel reads, where that is faster.
    Copies,
}

impl BufferRole {
    /// The role, in words.
    pub fn name(self) -> &'static str {
        match self {
            BufferRole::Parameters => "parameters",
            BufferRole::Gradients => "gradients",
            BufferRole::Optimizer => "optimizer state",
            BufferRole::Activations => "activations",
            BufferRole::Records => "records",
            BufferRole::Control => "control",
            BufferRole::Copies => "copies",
        }
    }
}

/// A stretch of one of the plan's buffers, in bytes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stretch {
    pub buffer: usize,
    pub offset: u64,
    pub size: u64,
}

#[derive(Default)]
pub(super) struct Places {
    at: HashMap<Resource, Stretch>,
    pub dims: usize,
    pub clock: usize,
    pub output: usize,
    pub results: Vec<usize>,
}

impl Places {
    pub(super) fn find(&self, place: Resource) -> Option<Stretch> {
        self.at.get(&place).copied()
    }
}

/// Bytes of one result: `Result` in `shaders/lib/stats.wgsl`.
pub(super) const RESULT: usize = 16;

/// Bytes of all results and of the header before them: `Stats` in `shaders/lib/stats.wgsl`.
pub(super) const STATS: usize = STATS_HEADER + RESULT * RESULTS;

/// Offset of the results.
pub(super) const STATS_HEADER: usize = 64;

/// Offset of `sequence`.
pub(super) const STATS_SEQUENCE: usize = 48;

/// Offset of `unfit`.
pub(super) const STATS_UNFIT: usize = 52;

/// Offset of `marks`.
pub(super) const STATS_MARKS: usize = 60;

/// Offset of `broken`.
pub(super) const STATS_BROKEN: usize = 56;

/// Bytes after the outputs in their staging buffer, which prove that the outputs are those of the requested pass.
pub(super) const PROOF: u64 = 16;

/// Most submissions with updates in flight.
const IN_FLIGHT: usize = 2;

/// Gives every resource of the plan's steps a stretch of a buffer.
pub(super) fn place(plan: &mut Plan, graph: &Graph, training: Option<&Training>, arena: Option<&Arena>) {
    let flat = 4 * plan.layout.floats() as u64;
    let all = plan.layout.all();
    let parameters = plan.add("parameters", BufferRole::Parameters, flat, usage::STORAGE);
    plan.put(Resource::Parameters(all), parameters);
    plan.put_layers(&plan.layout.clone(), parameters, |tensor, _| Resource::Value(tensor));

    let record = 4 * (plan.record.stride * pad4(plan.micro_batch)) as u64;
    let record = plan.add("records", BufferRole::Records, record, usage::STORAGE);
    plan.put(Resource::Record, record);
    for tensor in graph.tensors().filter(|&tensor| graph.in_records(tensor)) {
        plan.put(Resource::Value(tensor), record);
    }
    if let Some(training) = training {
        place_training(plan, graph, training);
    }
    match arena {
        Some(arena) => place_arena(plan, arena, record),
        None => share_rows(plan, graph),
    }

    let output = row_bytes(plan, graph, Resource::Value(plan.output)) + PROOF;
    plan.places.output = plan.add("output staging", BufferRole::Control, output, usage::READBACK);
    // Steps that take their rows from the data on the GPU are bound a second time.
    let twice = plan.training.iter().flat_map(|training| training.lowering.bound_twice());
    let slots = plan.steps().chain(twice).map(slots).sum::<u64>();
    plan.places.dims = plan.add("dims", BufferRole::Control, u64::from(SLOT) * slots.max(1), usage::UNIFORM);
    let clocks = u64::from(SLOT) * (CLOCKS + ITEMS) as u64;
    plan.places.clock = plan.add("clocks", BufferRole::Control, clocks, usage::UNIFORM | BufferUsages::COPY_SRC);
}

fn place_training(plan: &mut Plan, graph: &Graph, training: &Training) {
    let (learned, all, every) = (plan.layout.learned(), plan.layout.all(), plan.all_gradients());
    let gradients = plan.add("gradients", BufferRole::Gradients, 4 * every.floats(), usage::STORAGE);
    plan.put(Resource::Gradients(every), gradients);
    plan.put_stretch(Resource::Gradients(all), gradients, 0..all.floats());
    plan.put_stretch(Resource::Gradients(learned), gradients, 0..learned.floats());
    plan.put_stretch(Resource::Parameters(learned), 0, 0..learned.floats());
    let layout = plan.gradients.clone();
    plan.put_layers(&layout, gradients, Resource::of_use);

    // Without open blocks no kernel uses them; one vec4 is bound in their place.
    let has_open = training.open_blocks && can_be_open(graph);
    let open = if has_open { 4 * every.floats() } else { 16 };
    let open = plan.add("open blocks", BufferRole::Gradients, open, usage::STORAGE);
    plan.put(Resource::OpenGradients(every), open);
    if has_open {
        plan.put_layers(&layout, open, Resource::open_of_use);
    } else {
        for (tensor, nth, _) in plan.gradients.layers().collect::<Vec<_>>() {
            plan.put(Resource::open_of_use(tensor, nth), open);
        }
    }
    let moments = training.optimizer.state_slots() as u64;
    if moments > 0 {
        let moments = plan.add("moments", BufferRole::Optimizer, moments * learned.floats() * 4, usage::STORAGE);
        plan.put(Resource::OptimizerState(learned), moments);
    }
    if training.clip.norm.is_some() {
        let norms = 4 * Clip::norms(learned.floats() as usize) as u64;
        let norms = plan.add("norms", BufferRole::Control, norms, usage::STORAGE);
        plan.put(Resource::Norms, norms);
    }
    let stats = plan.add("stats", BufferRole::Control, STATS as u64, usage::STORAGE);
    plan.put(Resource::Stats, stats);
    for _ in 0..IN_FLIGHT {
        let staging = plan.add("results staging", BufferRole::Control, STATS as u64, usage::READBACK);
        plan.places.results.push(staging);
    }
    let samples = 4 * SAMPLES.max(plan.micro_batch) as u64;
    let samples = plan.add("samples", BufferRole::Control, samples, usage::STORAGE);
    plan.put(Resource::Samples, samples);
}

/// Slots for the sizes of a step and its parts.
pub(super) fn slots(step: &Step) -> u64 {
    let tables: u64 = step.tables.iter().map(|table| table.bytes.div_ceil(u64::from(SLOT))).sum();
    u64::from(!step.dims.is_empty()) + tables + step.parts.iter().map(slots).sum::<u64>()
}

/// Whether a micro-batch can end inside a block of some parameter's gradient.
fn can_be_open(graph: &Graph) -> bool {
    let learns = |node: &&Node| node.inputs.iter().any(|&input| graph.info(input).kind == TensorKind::Parameter);
    let terms = |node: &Node| if node.op.sums_rows() { 1 } else { graph.shape(node.output).positions() };
    graph.nodes().iter().filter(learns).any(|node| Blocks::of(terms(node)).can_be_open())
}

/// One buffer for everything with rows. Until data is attached, the records are bound in its place.
fn place_arena(plan: &mut Plan, arena: &Arena, record: usize) {
    let rows = plan.add("all rows", BufferRole::Activations, 16 * arena.len, usage::STORAGE);
    plan.put(Resource::Arena, rows);
    plan.put(Resource::Data, record);
    for &(tensor, at, columns4) in &arena.values {
        let size = 16 * columns4 * plan.micro_batch as u64;
        plan.places.at.insert(Resource::Value(tensor), Stretch { buffer: rows, offset: 16 * at, size });
    }
}

impl Plan {
    pub(super) fn add(&mut self, name: &str, role: BufferRole, bytes: u64, usage: BufferUsages) -> usize {
        self.buffers.push(Buffer { name: name.to_owned(), role, bytes, usage });
        self.buffers.len() - 1
    }

    pub(super) fn put(&mut self, place: Resource, buffer: usize) {
        let size = self.buffers[buffer].bytes;
        self.places.at.insert(place, Stretch { buffer, offset: 0, size });
    }

    fn put_stretch(&mut self, resource: Resource, buffer: usize, floats: std::ops::Range<u64>) {
        let stretch = Stretch { buffer, offset: 4 * floats.start, size: 4 * (floats.end - floats.start) };
        self.places.at.insert(resource, stretch);
    }

    /// Places the parameters, or the gradients of their uses, one after the other in a buffer.
    fn put_layers(&mut self, layout: &Layout, buffer: usize, resource: fn(Tensor, u16) -> Resource) {
        for (tensor, nth, range) in layout.layers() {
            self.put_stretch(resource(tensor, nth), buffer, range.start as u64..range.end as u64);
        }
    }
}

#[cfg(test)]
mod tests {
    use naga::{Module, TypeInner};

    use super::{RESULT, STATS_BROKEN, STATS_HEADER, STATS_MARKS, STATS_SEQUENCE, STATS_UNFIT};
    use crate::plan::SHADERS;

    /// Names and offsets of a struct's members, and its bytes.
    fn layout(module: &Module, name: &str) -> (Vec<(String, u32)>, u32) {
        let (_, found) = module.types.iter().find(|(_, ty)| ty.name.as_deref() == Some(name)).unwrap();
        let TypeInner::Struct { members, span } = &found.inner else { panic!("{name} is no struct") };
        (members.iter().map(|m| (m.name.clone().unwrap_or_default(), m.offset)).collect(), *span)
    }

    #[test]
    fn results_lie_where_the_host_reads_them() {
        let shader = SHADERS.iter().find(|shader| shader.name == "window").unwrap();
        let module = shader.reflect().unwrap().module;
        let named = |members: &[(&str, u32)]| members.iter().map(|&(n, at)| (n.to_owned(), at)).collect::<Vec<_>>();
        let result = named(&[("sum", 0), ("update", 8), ("outcome", 12)]);
        assert_eq!(layout(&module, "Result"), (result, RESULT as u32), "what Trainer::receive takes apart");
        let stats = named(&[
            ("sum", 0),
            ("open_sum", 8),
            ("corrections", 16),
            ("made", 32),
            ("stopped", 36),
            ("scale", 40),
            ("due", 44),
            ("sequence", STATS_SEQUENCE as u32),
            ("unfit", STATS_UNFIT as u32),
            ("broken", STATS_BROKEN as u32),
            ("marks", STATS_MARKS as u32),
            ("results", STATS_HEADER as u32),
        ]);
        assert_eq!(layout(&module, "Stats").0, stats, "what Stats::results leaves out");
        let strides = module.types.iter().filter_map(|(_, ty)| match ty.inner {
            TypeInner::Array { base, stride, .. } if module.types[base].name.as_deref() == Some("Result") => {
                Some(stride)
            }
            _ => None,
        });
        assert_eq!(strides.collect::<Vec<_>>(), [RESULT as u32]);
    }
}
