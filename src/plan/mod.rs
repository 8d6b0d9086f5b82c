//! Everything that is decided before the first dispatch: which kernels run in which order, in which memory, in how many
//! bytes. A plan is data; [`Program`] makes it real on a device.

mod choose;
mod fused;
mod fusion;
mod kernels;
mod limits;
mod memory;
mod parameters;
mod program;

use std::fmt;

use fused::Net;
use fusion::Fusion;

pub use crate::graph::BLOCK;
pub use crate::tensor::Array;
pub use choose::{Budget, Chosen, choose, needs_open_blocks};
pub use kernels::{ExecutionMode, Kernels};
pub use limits::{LOOP_LIMIT, size};
pub use memory::{Buffer, BufferRole};
pub use parameters::Layout;
pub use program::Program;

use crate::gpu::{Grid, Shader};
use crate::graph::{Blocks, Graph, LoopBound, Record, Resource, Span, Step, Tensor, TensorKind, Work, backward};
use crate::optim::{Clip, Optimizer};
use crate::wgsl::{CLOCK, STATS, SUM};
use crate::{Error, Result};

/// Results of so many updates fit into one submission.
pub const RESULTS: usize = 64;

/// Micro-batches and updates of one submission need so many slots for their clocks at most.
pub const CLOCKS: usize = 512;

/// Slots that one dispatch of whole windows takes at most: the length of `items` in `shaders/fused/windows.wgsl`.
pub const ITEMS: usize = 64;

/// Samples of one submission, unless one micro-batch has more.
pub const SAMPLES: usize = 1 << 16;

/// How windows begin, are summed and end.
static WINDOW: Shader =
    Shader { name: "window", parts: &[CLOCK, STATS, SUM, include_str!("../../shaders/window.wgsl")] };

/// Rows of a micro-batch out of the data on the GPU.
static GATHER: Shader = Shader { name: "gather", parts: &[CLOCK, include_str!("../../shaders/gather.wgsl")] };

/// The shaders that belong to no op and no optimizer.
pub static SHADERS: &[&Shader] = &[&WINDOW, &GATHER];

/// What is trained and how: what a [`Plan`] for training needs beside the graph.
pub struct Training<'a> {
    /// (rows, 1)
    pub loss: Tensor,
    /// What makes the updates.
    pub optimizer: &'a dyn Optimizer,
    /// How large the gradient may be.
    pub clip: Clip,
    /// Whether micro-batches may end inside a block of rows, which is then kept open in memory of its own.
    pub open_blocks: bool,
    /// Which kernels may be taken.
    pub kernels: Kernels,
}

/// Lists of steps, and the memory that they need.
pub struct Plan {
    /// Rows that the GPU holds at once.
    pub micro_batch: usize,
    /// How a sample lies in memory.
    pub record: Record,
    /// How the parameters lie in memory.
    pub layout: Layout,
    /// How their gradients lie in memory: as the parameters, and after them those of later uses.
    pub gradients: Layout,
    /// The network's output.
    pub output: Tensor,
    /// Rows out of the data on the GPU; only where training data stays there.
    pub gather: Vec<Step>,
    /// From the records to the output.
    pub forward: Vec<Step>,
    /// From the output to the loss of each row, its gradient, and the window's sums.
    pub loss: Vec<Step>,
    /// From the loss to every parameter's gradient.
    pub gradient: Vec<Step>,
    /// A whole micro-batch, by kernels that do all ops at once; the three lists above but `forward` are empty then.
    pub micro_step: Vec<Step>,
    /// Whole windows out of the data on the GPU, where the network is small enough for that.
    pub windows: Vec<Step>,
    /// Closes an open block before an update that was not foreseen.
    pub close: Vec<Step>,
    /// Counts a submission that ends inside a micro-batch.
    pub mark: Vec<Step>,
    /// From the gradients to new parameters.
    pub update: Vec<Step>,
    /// All memory.
    pub buffers: Vec<Buffer>,
    places: memory::Places,
}

impl Plan {
    /// Plans inference, or training where `training` is given, with `micro_batch` rows at once.
    ///
    /// # Errors
    /// [`Error::Config`] for a micro-batch of no rows, [`Error::Memory`] for parameters that are more than can be numbered,
    /// [`Error::Shape`] for a loss of something that nothing is learned for.
    pub fn new(graph: &Graph, output: Tensor, micro_batch: usize, training: Option<Training>) -> Result<Plan> {
        let kernels = training.as_ref().map_or(Kernels::FUSED_OPS, |training| training.kernels);
        Plan::with(graph, output, micro_batch, &kernels, training)
    }

    /// Plans inference with these kernels.
    ///
    /// # Errors
    /// As [`Plan::new`].
    pub fn inference(graph: &Graph, output: Tensor, micro_batch: usize, kernels: &Kernels) -> Result<Plan> {
        Plan::with(graph, output, micro_batch, kernels, None)
    }

    fn with(
        graph: &Graph,
        output: Tensor,
        micro_batch: usize,
        kernels: &Kernels,
        training: Option<Training>,
    ) -> Result<Plan> {
        if micro_batch == 0 || micro_batch > u32::MAX as usize / 4 {
            return Err(Error::config("train.micro_batch", format!("{micro_batch} rows; give 1 or more")));
        }
        if let Some(training) = &training
            && let Some(loss) = graph.nodes().iter().find(|node| node.output == training.loss)
            && graph.info(loss.inputs[0]).kind == TensorKind::Input
        {
            let message =
                "compares the features themselves, for which nothing is learned; put a layer before it".to_owned();
            return Err(Error::Shape { op: loss.op.name(), message });
        }
        let record = graph.record();
        let (layout, gradients) = (Layout::new(graph)?, Layout::of_gradients(graph)?);
        let mut plan = Plan {
            micro_batch,
            record,
            layout,
            gradients,
            output,
            gather: Vec::new(),
            forward: Vec::new(),
            loss: Vec::new(),
            gradient: Vec::new(),
            micro_step: Vec::new(),
            windows: Vec::new(),
            close: Vec::new(),
            mark: Vec::new(),
            update: Vec::new(),
            buffers: Vec::new(),
            places: memory::Places::default(),
        };
        let net = training.as_ref().and_then(|training| Net::of(graph, &plan, training));
        match (&net, &training) {
            (Some(net), Some(training)) => net.add_to(&mut plan, training),
            _ => plan.op_by_op(graph, kernels, training.as_ref()),
        }
        if let Some(training) = &training {
            let all = Span { start: 0, len: (plan.layout.floats() / 4) as u32 };
            plan.close.push(close(plan.all_gradients()));
            let mark = Step::new("submission", &WINDOW, "mark", Grid::Group, Work::moves_once(1));
            plan.mark.push(mark.bind("stats", Resource::Stats));
            plan.update = plan.fold_steps();
            // Clipping by norm reads all gradients, and looks at them on the way.
            plan.update.extend(training.clip.steps(all).unwrap_or_else(|| vec![check(all)]));
            plan.update.push(training.clip.apply(training.optimizer.step(all)));
        }
        memory::place(&mut plan, graph, training.as_ref(), net.as_ref());
        Ok(plan)
    }

    fn op_by_op(&mut self, graph: &Graph, kernels: &Kernels, training: Option<&Training>) {
        let loss = training.map(|training| training.loss);
        let fusion = Fusion::new(graph, self.output, kernels, self.micro_batch, training.is_some());
        self.forward.extend(fields(graph, &self.record));
        for node in graph.nodes() {
            let list = if Some(node.output) == loss { &mut self.loss } else { &mut self.forward };
            list.extend(fusion.forward(node));
        }
        if let Some(loss) = loss {
            self.gather.push(gather(&self.record));
            self.loss.push(sum(graph, &self.record, loss));
            self.gradient = backward(graph, loss, |node, wants| fusion.backward(node, wants));
        }
    }

    /// The gradients of all parameters, those of later uses included.
    pub fn all_gradients(&self) -> Span {
        Span { start: 0, len: (self.gradients.floats() / 4) as u32 }
    }

    /// Adds the gradients of later uses of parameters to those of the first, in the order of the uses.
    fn fold_steps(&self) -> Vec<Step> {
        let later = self.gradients.layers().filter(|&(_, nth, _)| nth > 0);
        let fold = |(tensor, _, range): (Tensor, u16, std::ops::Range<usize>)| {
            let len = (range.len() / 4) as u32;
            Step::new(
                "gradient of a later use",
                &WINDOW,
                "fold",
                Grid::Line(len),
                Work::moves_once(3 * range.len() as u64),
            )
            .bind("gradients", Resource::Gradients(self.all_gradients()))
            .dims(&WINDOW_DIMS)
            .set_dims(&[
                ("into", (self.gradients.start_of(tensor) / 4) as u32),
                ("later", (range.start / 4) as u32),
                ("len", len),
            ])
            .in_parts("first", 1)
        };
        later.map(fold).collect()
    }

    /// Bytes of all buffers together.
    pub fn bytes(&self) -> u64 {
        self.buffers.iter().map(|buffer| buffer.bytes).sum()
    }

    /// How micro-batches go through the network: whole windows only out of data on the GPU, which may not be `resident`.
    pub fn mode(&self, resident: bool) -> ExecutionMode {
        match (self.windows.is_empty(), self.micro_step.is_empty()) {
            (false, _) if resident => ExecutionMode::Windows,
            (_, false) => ExecutionMode::Fused,
            (_, true) => ExecutionMode::Ops,
        }
    }

    /// The steps of one micro-batch, which comes out of the data on the GPU if that is `resident`.
    pub fn micro_batch_steps(&self, resident: bool) -> Vec<&Step> {
        if !self.micro_step.is_empty() {
            return self.micro_step.iter().collect();
        }
        let gather = if resident { &self.gather[..] } else { &[] };
        [gather, &self.forward, &self.loss, &self.gradient].into_iter().flatten().collect()
    }

    fn lists(&self) -> [(&'static str, &[Step]); 9] {
        [
            ("gather", &self.gather),
            ("forward", &self.forward),
            ("loss", &self.loss),
            ("gradient", &self.gradient),
            ("micro", &self.micro_step),
            ("windows", &self.windows),
            ("close", &self.close),
            ("mark", &self.mark),
            ("update", &self.update),
        ]
    }
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, steps) in self.lists() {
            for step in steps {
                writeln!(f, "{name:<9} {:<28} {}.{}", step.label, step.shader.name, step.entry)?;
            }
        }
        for buffer in &self.buffers {
            writeln!(f, "{:>12} bytes  {:<16} {}", buffer.bytes, buffer.role.name(), buffer.name)?;
        }
        write!(f, "{:>12} bytes  in all", self.bytes())
    }
}

fn gather(record: &Record) -> Step {
    let stride4 = (record.stride / 4) as u32;
    let work = Work::moves(2 * record.stride as u32 + 1);
    Step::new("record", &GATHER, "gather", Grid::Tiles { columns: stride4, rows_each: 1 }, work)
        .dims(&[("stride4", stride4), ("at4", 0), ("columns4", 0)])
        .bind("samples", Resource::Samples)
        .bind("data", Resource::Data)
        .bind("record", Resource::Record)
}

/// Copies the inputs that ops read in memory of their own out of the records.
fn fields(graph: &Graph, record: &Record) -> Vec<Step> {
    let copy = |input: Tensor| {
        let columns4 = graph.columns(input).div_ceil(4) as u32;
        let grid = Grid::Tiles { columns: columns4, rows_each: 1 };
        Step::new(&graph.info(input).name, &GATHER, "field", grid, Work::moves(8 * columns4))
            .over(Blocks::of(graph.shape(input).positions()))
            .dims(&[
                ("stride4", (record.stride / 4) as u32),
                ("at4", (graph.input_at(input) / 4) as u32),
                ("columns4", columns4),
            ])
            .bind("records", Resource::Record)
            .bind("value", Resource::Value(input))
    };
    graph.of_kind(TensorKind::Input).filter(|&input| !graph.in_records(input)).map(copy).collect()
}

/// The fields of `dims` in `shaders/window.wgsl`; a step sets those that it needs.
const WINDOW_DIMS: [(&str, u32); 7] =
    [("record_stride", 0), ("weight_at", 0), ("weights", 0), ("apart", 0), ("into", 0), ("later", 0), ("len", 0)];

fn sum(graph: &Graph, record: &Record, loss: Tensor) -> Step {
    let blocks = Blocks::of(graph.shape(loss).positions());
    // A lane takes every 64th block; all lanes go through all blocks.
    let loops = LoopBound { fixed: 32 + blocks.lines as u64, block: 2 };
    Step::new("window loss", &WINDOW, "sum", Grid::Group, Work::moves(2).with_loops(loops))
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

fn close(every: Span) -> Step {
    Step::new("open block", &WINDOW, "close", Grid::Line(every.len), Work::moves_once(3 * every.floats()))
        .bind("stats", Resource::Stats)
        .bind("gradients", Resource::Gradients(every))
        .bind("open_gradients", Resource::OpenGradients(every))
        .dims(&WINDOW_DIMS)
        .in_parts("first", 1)
}

/// vec4 that each invocation looks at.
const LOOKS: u32 = 4;

fn check(all: Span) -> Step {
    let work = Work::moves_once(all.floats()).with_loops(LoopBound::fixed(u64::from(LOOKS) + 1));
    Step::new("finite gradient", &WINDOW, "check", Grid::Line(all.len.div_ceil(LOOKS)), work)
        .bind("stats", Resource::Stats)
        .bind("gradients", Resource::Gradients(all))
        .dims(&WINDOW_DIMS)
        .set_dims(&[("apart", all.len.div_ceil(LOOKS))])
        .in_parts("first", 1)
}
