//! Everything decided before the first dispatch: which kernels run, in which order, in which memory, in how many bytes. A
//! plan is data; [`Program`] makes it real on a device.

mod choose;
mod kernels;
mod limits;
mod liveness;
mod lower;
mod memory;
mod parameters;
mod program;
mod rates;
mod stats;
mod texels;
mod window;

use std::fmt;

use lower::{Source, lower};

pub use crate::graph::BLOCK;
pub use crate::tensor::Array;
pub use choose::{Budget, Chosen, blocks_of_groups, choose, needs_open_blocks};
pub use kernels::{ExecutionMode, Kernels, Reads};
pub use limits::{LOOP_LIMIT, size};
pub use lower::{Lowering, OpSteps};
pub use memory::{Buffer, BufferRole};
pub use parameters::Layout;
pub use program::{Program, WholeWindows};
pub use stats::Stats;
pub use window::TrainingSteps;

use crate::gpu::Shader;
use crate::graph::{Graph, Packing, Record, Resource, Span, Step, Tensor, TensorKind};
use crate::optim::{Clip, Decay, LrFactors, Optimizer};
use crate::{Error, Result};

/// Most updates of one submission: each result needs a slot.
pub const RESULTS: usize = 64;

/// Most clock slots of one submission's micro-batches and updates.
pub const CLOCKS: usize = 512;

/// Most slots of one dispatch of whole windows: the length of `items` in `shaders/fused/windows.wgsl`.
pub const ITEMS: usize = 64;

/// Most samples of one submission, unless one micro-batch has more.
pub const SAMPLES: usize = 1 << 16;

/// The shaders that belong to no op and no optimizer.
pub static SHADERS: &[&Shader] = &[&window::WINDOW, &lower::GATHER];

/// What a [`Plan`] for training needs besides the graph.
pub struct Training<'a> {
    /// The loss of each position of each row: (rows, positions, 1).
    pub loss: Tensor,
    /// The optimizer.
    pub optimizer: &'a dyn Optimizer,
    /// How the gradient is clipped.
    pub clip: Clip,
    /// What the learning rate of each kind of parameter is multiplied with.
    pub lr_factors: LrFactors,
    /// Which parameters the weight decay acts on.
    pub decay: Decay,
    /// Whether micro-batches may end inside a block of rows, which is then kept open in memory of its own.
    pub open_blocks: bool,
    /// Which kernels may be taken.
    pub kernels: Kernels,
    /// The seed of what ops draw.
    pub seed: u64,
    /// What is done to images at random.
    pub augment: Augment,
}

/// What is done to the images of a window at random, drawn anew for each of its rows. A model in use sees images as they are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Augment {
    /// Whether half of them are flipped from left to right.
    pub flip: bool,
    /// So many rows and columns of 0 are put around an image, and one of its size is cut out anywhere.
    pub crop: u32,
}

/// Lists of steps, and the memory that they need.
pub struct Plan {
    /// Rows that the GPU holds at once.
    pub micro_batch: usize,
    /// How a sample lies in memory.
    pub record: Record,
    /// The parameters' layout in memory.
    pub layout: Layout,
    /// The gradients' layout in memory: the parameters' layout, then the gradients of later uses.
    pub gradients: Layout,
    /// The network's output.
    pub output: Tensor,
    /// The steps from the records to the output.
    pub forward: Vec<Step>,
    /// The same for a model in use, in a plan for training some of whose ops compute something else there.
    pub in_use: Option<Vec<Step>>,
    /// Rows that ops look at together; see [`Op::group`](crate::graph::Op::group).
    pub group: usize,
    /// The steps of training; `None` in a plan for inference.
    pub training: Option<TrainingSteps>,
    /// All buffers.
    pub buffers: Vec<Buffer>,
    /// How its kernels may read what they only read.
    pub reads: Reads,
    places: memory::Places,
    /// Whether data that stays on the GPU is packed.
    packed: bool,
}

impl Plan {
    /// Plans inference, or training if `training` is given, with `micro_batch` rows at once.
    ///
    /// # Errors
    /// [`Error::Config`] for a micro-batch of no rows or too many learning-rate factors, [`Error::Memory`] for too many parameters to number, [`Error::Shape`]
    /// for a loss that depends on no parameter.
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
        if let Some(training) = &training {
            check_graph(graph, training.loss)?;
        }
        let record = graph.record();
        let (layout, gradients) = (Layout::new(graph)?, Layout::of_gradients(graph)?);
        if let Some(training) = &training {
            training.check_factors(graph, &layout)?;
        }
        let source = Source { graph, output, micro_batch, record, layout: &layout };
        let lowered = lower(&source, kernels, training.as_ref());
        let steps = training.as_ref().zip(lowered.training);
        let steps = steps.map(|(training, lowering)| {
            TrainingSteps::new(lowering, graph, (&layout, &gradients), lowered.statistics, training)
        });
        let mut plan = Plan {
            micro_batch,
            record,
            layout,
            gradients,
            output,
            packed: false,
            forward: lowered.forward,
            in_use: lowered.in_use,
            group: graph.group(),
            training: steps,
            buffers: Vec::new(),
            reads: kernels.reads,
            places: memory::Places::default(),
        };
        memory::place(&mut plan, graph, training.as_ref(), lowered.arena.as_ref());
        plan.read_through_textures()?;
        Ok(plan)
    }

    /// The gradients of all parameters, those of later uses included.
    pub fn all_gradients(&self) -> Span {
        self.gradients.all()
    }

    /// The step that unpacks the rows of a micro-batch from packed samples into the records.
    pub fn unpack_step(&self, packing: Packing) -> Step {
        lower::unpack(&self.record, packing)
    }

    /// Whether the plan has memory for open blocks of gradients.
    pub fn has_open_blocks(&self) -> bool {
        let open = self.places.find(Resource::OpenGradients(self.all_gradients()));
        open.is_some_and(|stretch| stretch.size == 4 * self.all_gradients().floats())
    }

    /// Bytes of all buffers together.
    pub fn bytes(&self) -> u64 {
        self.buffers.iter().map(|buffer| buffer.bytes).sum()
    }

    /// The same plan for data that is `packed` where it stays on the GPU: whole windows are not computed at once then.
    pub fn for_packed(self, packed: bool) -> Plan {
        Plan { packed, ..self }
    }

    /// Notes whether the data that is on the GPU now is packed.
    pub(super) fn set_packed(&mut self, packed: bool) {
        self.packed = packed;
    }

    /// The execution mode of micro-batches; whole windows need `resident` data, that is data on the GPU, of floats.
    pub fn mode(&self, resident: bool) -> ExecutionMode {
        let resident = resident && !self.packed;
        self.training.as_ref().map_or(ExecutionMode::Ops, |training| training.lowering.mode(resident))
    }

    /// The steps of one micro-batch, with its rows from `resident` data or from the records.
    pub fn micro_batch_steps(&self, resident: bool) -> Vec<&Step> {
        match &self.training {
            Some(training) => training.lowering.micro_batch(&self.forward, resident).into_iter().flatten().collect(),
            None => self.forward.iter().collect(),
        }
    }

    /// The step that computes whole windows of resident data, if the network is small enough for it.
    pub fn windows_step(&self) -> Option<&Step> {
        match &self.training.as_ref()?.lowering {
            Lowering::Windows { windows, .. } => Some(windows),
            Lowering::Ops(_) | Lowering::Fused(_) => None,
        }
    }

    /// The steps of an update; empty in a plan for inference.
    pub fn update_steps(&self) -> &[Step] {
        self.training.as_ref().map_or(&[], |training| &training.update)
    }

    /// The number of leading update steps that add the gradients of later uses to those of the first.
    pub fn folds(&self) -> usize {
        self.update_steps().iter().take_while(|step| step.entry == "fold").count()
    }

    /// All steps.
    pub fn steps(&self) -> impl Iterator<Item = &Step> {
        self.lists().into_iter().flat_map(|(_, steps)| steps)
    }

    fn lists(&self) -> Vec<(&'static str, &[Step])> {
        let Some(training) = &self.training else { return vec![("forward", &self.forward)] };
        let TrainingSteps { lowering, close, mark, update } = training;
        let mut lists = lowering.lists(&self.forward);
        lists.extend(self.in_use.as_ref().map(|steps| ("in use", &steps[..])));
        lists.push(("close", std::slice::from_ref(close)));
        lists.push(("mark", std::slice::from_ref(mark)));
        lists.push(("update", update));
        lists
    }
}

/// Refuses what would be summed wrongly: a use of a shared parameter that the loss does not depend on, whose sums nobody would
/// write, and weights that are none for each position of the loss.
fn check_graph(graph: &Graph, loss: Tensor) -> Result<()> {
    let wrong = |op, message: String| Err(Error::Shape { op, message });
    let (weights, positions) = (graph.record().weights, graph.shape(loss).positions());
    if weights != 1 && weights != positions {
        return wrong(
            "loss",
            format!("has {positions} positions, but a sample has {weights} weights; give one, or {positions}"),
        );
    }
    let mut needed = std::collections::HashSet::from([loss]);
    for node in graph.nodes().iter().rev() {
        if needed.contains(&node.output) {
            needed.extend(&node.inputs);
            continue;
        }
        if let Some(&shared) = node.inputs.iter().find(|&&input| graph.uses(input) > 1 && graph.is_parameter(input)) {
            let name = &graph.info(shared).name;
            return wrong(
                node.op.name(),
                format!("uses {name}, which is shared, but the loss does not depend on it; leave it out"),
            );
        }
    }
    Ok(())
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
