//! Op by op: each node by its op's kernels, with activations fused into neighbouring layers.

use super::fusion::Fusion;
use super::{Lowered, Lowering, Source};
use crate::gpu::{Grid, Shader};
use crate::graph::{Blocks, Graph, LoopBound, Packing, Record, Resource, Step, Tensor, TensorKind, Work, backward};
use crate::plan::window::{WINDOW, WINDOW_DIMS};
use crate::plan::{Augment, Kernels, Training};
use crate::wgsl::{CLOCK, PHILOX};

/// Copies a micro-batch's rows out of the data on the GPU.
pub(in crate::plan) static GATHER: Shader =
    Shader { name: "gather", parts: &[CLOCK, PHILOX, include_str!("../../../shaders/gather.wgsl")] };

/// The steps of a training's micro-batch around its forward steps.
pub struct OpSteps {
    /// Copies rows out of the data on the GPU; only if training data stays there.
    pub gather: Step,
    /// From the output to each row's loss, the loss's gradient, and the window's sums.
    pub loss: Vec<Step>,
    /// From the loss to every parameter's gradient.
    pub gradient: Vec<Step>,
}

/// Lowers any graph.
pub(super) fn lower(source: &Source, kernels: &Kernels, training: Option<&Training>) -> Lowered {
    let end = training.map(|training| training.loss);
    let seed = training.map(|training| training.seed);
    let fusion = Fusion::new(source.graph, source.output, kernels, source.micro_batch, seed);
    let (mut forward, mut loss) = (fields(source.graph, &source.record, training), Vec::new());
    for node in source.graph.nodes() {
        let list = if Some(node.output) == end { &mut loss } else { &mut forward };
        list.extend(fusion.forward(node));
    }
    let augments = training.is_some_and(|training| training.augment != Augment::default());
    let differs = augments || source.graph.nodes().iter().any(|node| node.op.differs_in_training());
    let differs = end.is_some() && differs;
    let in_use = differs.then(|| {
        let fusion = Fusion::new(source.graph, source.output, kernels, source.micro_batch, None);
        let nodes = source.graph.nodes().iter().filter(|node| Some(node.output) != end);
        let fields = fields(source.graph, &source.record, None);
        fields.into_iter().chain(nodes.flat_map(|node| fusion.forward(node))).collect()
    });
    let statistics = match end {
        Some(_) => source.graph.nodes().iter().flat_map(|node| fusion.update(node)).collect(),
        None => Vec::new(),
    };
    let training = end.map(|end| {
        loss.push(sum(source.graph, &source.record, end));
        let gradient = backward(source.graph, end, |node, wants| fusion.backward(node, wants));
        Lowering::Ops(OpSteps { gather: gather(&source.record), loss, gradient })
    });
    Lowered { forward, in_use, statistics, training, arena: None }
}

/// The fields of `dims` in `shaders/gather.wgsl`; a step sets those that it needs.
const GATHER_DIMS: [(&str, u32); 16] = [
    ("stride4", 0),
    ("at", 0),
    ("columns", 0),
    ("words", 0),
    ("features", 0),
    ("target_at", 0),
    ("tail", 0),
    ("tail_at", 0),
    ("high", 0),
    ("wide", 0),
    ("seed_low", 0),
    ("seed_high", 0),
    ("weight_at", 0),
    ("tokens", 0),
    ("stride", 0),
    ("ignored", 0),
];

/// The same as [`OpSteps::gather`] out of packed samples.
pub(in crate::plan) fn unpack(record: &Record, packing: Packing) -> Step {
    let stride4 = (record.stride / 4) as u32;
    let step = |entry: &'static str, reads: usize| {
        let work = Work::moves((record.stride + reads + 1) as u32, LoopBound::NONE);
        Step::new("record", &GATHER, entry, Grid::Elements { columns: stride4 }, work)
            .dims(&GATHER_DIMS)
            .set_dims(&[
                ("stride4", stride4),
                ("features", record.features as u32),
                ("target_at", record.target_at as u32),
                ("weight_at", record.weight_at as u32),
                ("tail", (record.targets + record.weights) as u32),
            ])
            .bind("samples", Resource::Samples)
            .bind("packed", Resource::Data)
            .bind("record", Resource::Record)
            .constant("BITS", packing.bits() as f64)
    };
    match packing {
        Packing::Rows { .. } => {
            let words = packing.words(record, 1);
            step("unpack", words)
                .set_dims(&[("words", words as u32), ("tail_at", packing.words_of(record.features) as u32)])
        }
        Packing::Line { tokens, stride, ignore, .. } => {
            let line = [("tokens", tokens as u32), ("stride", stride as u32), ("ignored", ignore)];
            step("cut", packing.words_of(record.features + 1)).set_dims(&line)
        }
    }
}

fn gather(record: &Record) -> Step {
    let stride4 = (record.stride / 4) as u32;
    let work = Work::moves(2 * record.stride as u32 + 1, LoopBound::NONE);
    Step::new("record", &GATHER, "gather", Grid::Elements { columns: stride4 }, work)
        .dims(&GATHER_DIMS)
        .set_dims(&[("stride4", stride4)])
        .bind("samples", Resource::Samples)
        .bind("data", Resource::Data)
        .bind("record", Resource::Record)
}

/// Copies the inputs that ops do not read in the records out of them; in training with what is drawn for each image.
fn fields(graph: &Graph, record: &Record, training: Option<&Training>) -> Vec<Step> {
    let copy = |input: Tensor| {
        let drawn = training.filter(|_| graph.shape(input).dims().len() == 3);
        let (augment, seed) = drawn.map_or((Augment::default(), 0), |training| (training.augment, training.seed));
        let dims = graph.shape(input).dims();
        let columns = graph.columns(input) as u32;
        let columns4 = columns.div_ceil(4);
        let grid = Grid::Elements { columns: columns4 };
        // Words are drawn in ten rounds.
        let work = Work::moves(8 * columns4, LoopBound::fixed(11));
        Step::new(&graph.info(input).name, &GATHER, "field", grid, work)
            .over(Blocks::of(graph.shape(input).positions()))
            .dims(&GATHER_DIMS)
            .set_dims(&[
                ("stride4", (record.stride / 4) as u32),
                ("at", graph.input_at(input) as u32),
                ("columns", columns),
                ("high", dims[0] as u32),
                ("wide", dims.get(1).copied().unwrap_or(1) as u32),
                ("seed_low", seed as u32),
                ("seed_high", (seed >> 32) as u32),
            ])
            .constant("FLIP", f64::from(u8::from(augment.flip)))
            .constant("CROP", f64::from(augment.crop))
            .bind("records", Resource::Record)
            .bind("value", Resource::Value(input))
    };
    graph.of_kind(TensorKind::Input).filter(|&input| !graph.in_records(input)).map(copy).collect()
}

fn sum(graph: &Graph, record: &Record, loss: Tensor) -> Step {
    let blocks = Blocks::of(graph.shape(loss).positions());
    // A lane takes every 64th block; together the lanes go through all blocks.
    let loops = LoopBound { fixed: 32 + blocks.lines as u64, block: 2 };
    Step::new("window loss", &WINDOW, "sum", Grid::Group, Work::moves(2, loops))
        .over(blocks)
        .dims(&WINDOW_DIMS)
        .set_dims(&[
            ("record_stride", record.stride as u32),
            ("weight_at", record.weight_at as u32),
            ("weights", record.weights as u32),
        ])
        .dims(&[("first", 0)])
        .bind("row_loss", Resource::Value(loss))
        .bind("record", Resource::Record)
        .bind("stats", Resource::Stats)
}
