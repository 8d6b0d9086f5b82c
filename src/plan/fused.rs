//! Networks that are a chain of linear layers with one activation between them: kernels that do all of it at once, over an
//! arena that holds all that has rows.

use super::kernels::{Kernels, Passes, SUBGROUP};
use super::limits::TURNS;
use super::{BLOCK, Plan, Training};
use crate::gpu::{Grid, Scalar, Shader};
use crate::graph::{Graph, Kind, Tensor, pad4};
use crate::ops::{self, Loops, Piece, Place, Saved, Span, Step};

/// Layers at most: the length of `layers` in `shaders/fused/net.wgsl`.
const LAYERS: usize = 16;

/// Outputs of one tile of a weight's gradient, in vec4.
const OUTPUTS: u32 = 4;

/// Wider layers than this are better off with kernels of their own, on a GPU.
const NARROW: usize = 128;

/// Multiplications of a micro-batch up to which one workgroup is faster than starting several kernels.
const FEW: u64 = 300_000;

/// A network as these kernels see it.
pub(super) struct Net {
    layers: Vec<Layer>,
    activation: &'static [&'static str],
    saved: Saved,
    loss: &'static [&'static str],
    name: String,
    /// vec4 of the arena.
    pub len: u64,
    rows_at: u64,
    tile: u32,
    lanes: u32,
    shared: bool,
    /// Whether whole windows are done at once.
    pub windows: bool,
}

struct Layer {
    inputs: usize,
    outputs: usize,
    parameters: Tensor,
    /// After the activation.
    y: Tensor,
    activated: bool,
    x_at: u64,
    y_at: u64,
    d_at: u64,
}

/// The chain of a graph, if it is one: its layers, its activation and its loss.
struct Chain {
    layers: Vec<Layer>,
    activation: Option<&'static dyn ops::Op>,
    loss: &'static dyn ops::Op,
}

fn chain(graph: &Graph, output: Tensor, loss: Tensor) -> Option<Chain> {
    let (last, nodes) = graph.nodes().split_last()?;
    if last.output != loss || last.inputs.first() != Some(&output) {
        return None;
    }
    let mut chain = Chain { layers: Vec::new(), activation: None, loss: last.op };
    let mut at = graph.only(Kind::Input)?;
    for node in nodes {
        if node.inputs.first() != Some(&at) {
            return None;
        }
        match (node.op.piece()?, chain.layers.last_mut()) {
            (Piece::Linear, _) => chain.layers.push(Layer {
                inputs: graph.columns(at),
                outputs: graph.columns(node.output),
                parameters: node.inputs[1],
                y: node.output,
                activated: false,
                x_at: 0,
                y_at: 0,
                d_at: 0,
            }),
            (Piece::Activation(..), Some(layer)) if !layer.activated => {
                if chain.activation.is_some_and(|known| known.name() != node.op.name()) {
                    return None;
                }
                chain.activation = Some(node.op);
                (layer.activated, layer.y) = (true, node.output);
            }
            _ => return None,
        }
        at = node.output;
    }
    // The loss's gradient is that of a sum, not of an activation.
    let ends_well = at == output && chain.layers.last().is_some_and(|layer| !layer.activated);
    (ends_well && chain.layers.len() <= LAYERS).then_some(chain)
}

impl Net {
    /// The network of a graph as one chain, if it is one and the kernels for it are wanted.
    pub(super) fn of(graph: &Graph, plan: &Plan, training: &Training) -> Option<Net> {
        let kernels = &training.kernels;
        if kernels.passes == Some(Passes::Ops) {
            return None;
        }
        let chain = chain(graph, plan.output, training.loss)?;
        // Without an activation any will do: no layer asks for it.
        let activation = chain.activation.or_else(|| ops::find("relu"))?;
        let (Piece::Activation(wgsl, saved), Piece::Loss(loss)) = (activation.piece()?, chain.loss.piece()?) else {
            return None;
        };
        let lanes = if kernels.cpu { SUBGROUP } else { 4 * SUBGROUP };
        let mut net = Net {
            layers: chain.layers,
            activation: wgsl,
            saved,
            loss,
            name: format!("{}.{}", activation.name(), chain.loss.name()),
            len: 0,
            rows_at: 0,
            tile: std::env::var("TILE").map_or(if plan.micro_batch < 48 { 8 } else { 16 }, |t| t.parse().unwrap()),
            lanes,
            shared: kernels.subgroups && lanes == SUBGROUP,
            windows: false,
        };
        net.place(plan.micro_batch);
        net.windows = net.takes_windows(plan, training);
        (net.fits(plan, kernels) && net.is_wanted(kernels)).then_some(net)
    }

    /// Gives everything that has rows its place in the arena.
    fn place(&mut self, micro_batch: usize) {
        let rows = micro_batch.next_multiple_of(16) as u64;
        let mut at = 0;
        let mut take = |columns: usize| {
            let start = at;
            at += rows * (pad4(columns) / 4) as u64;
            start
        };
        let mut x_at = self.layers.first().map_or(0, |layer| take(layer.inputs));
        for layer in &mut self.layers {
            layer.x_at = x_at;
            layer.y_at = take(layer.outputs);
            layer.d_at = take(layer.outputs);
            x_at = layer.y_at;
        }
        self.rows_at = take(4);
        self.len = self.rows_at + rows;
    }

    fn fits(&self, plan: &Plan, kernels: &Kernels) -> bool {
        let parameters = 4 * plan.layout.floats() as u64;
        let turns = self.loops_of_tile().max(self.loops_of_gradient().of(plan.micro_batch));
        let bytes = (16 * self.len).max(parameters);
        turns <= TURNS && self.len < u64::from(u32::MAX) && bytes <= kernels.binding
    }

    /// Products of a row forward, and on the way back, which ends above the first layer.
    fn products(&self, forward: bool) -> u64 {
        let layers = self.layers.iter().skip(usize::from(!forward));
        layers.map(|layer| (layer.inputs * layer.outputs) as u64).sum()
    }

    /// Floats of a row that pass through the arena once.
    fn floats(&self) -> u32 {
        self.layers.iter().map(|layer| (layer.inputs + layer.outputs) as u32).sum()
    }

    /// Turns of the loops that a tile of rows takes.
    fn loops_of_tile(&self) -> u64 {
        let wide = |columns: usize| columns.div_ceil(4 * self.lanes as usize) as u64;
        let rows = u64::from(self.tile.div_ceil(self.lanes));
        let mut turns = 0;
        for layer in &self.layers {
            let (inputs4, outputs4) = (layer.inputs.div_ceil(4) as u64, layer.outputs.div_ceil(4) as u64);
            turns += 4 + wide(layer.outputs) * (1 + inputs4) + wide(layer.inputs) * (1 + outputs4);
        }
        let (first, last) = (self.layers.first(), self.layers.last());
        let features4 = first.map_or(0, |layer| layer.inputs.div_ceil(4) as u64);
        let outputs = last.map_or(0, |layer| layer.outputs as u64);
        turns + rows * (2 + features4 + 5 * (outputs + 4))
    }

    /// Those of a tile of a gradient, which may be that of a bias or the window's loss.
    fn loops_of_gradient(&self) -> Loops {
        Loops { fixed: LAYERS as u64 + 16, block: 40 }
    }

    /// Those of everything that one slot of whole windows can be: a micro-batch, or the parameters once.
    fn loops_of_windows(&self, plan: &Plan) -> Loops {
        let (mut weights, mut biases) = (0, 0);
        for (weight, bias) in self.layers.iter().map(|layer| self.layer_tiles(layer)) {
            (weights, biases) = (weights + u64::from(weight), biases + u64::from(bias));
        }
        let update = (plan.layout.floats() / 4) as u64 / u64::from(self.lanes);
        let tiles = (BLOCK as u64).div_ceil(u64::from(self.tile));
        Loops {
            fixed: (weights + biases) * (LAYERS as u64 + 8) + update + 16,
            block: tiles * (1 + self.loops_of_tile()) + weights * 14 + biases * 36 + 40,
        }
    }

    fn is_wanted(&self, kernels: &Kernels) -> bool {
        let narrow = self.layers.iter().all(|layer| layer.inputs.max(layer.outputs) <= NARROW);
        self.windows || kernels.cpu || narrow || kernels.passes == Some(Passes::Fused)
    }

    fn takes_windows(&self, plan: &Plan, training: &Training) -> bool {
        let kernels = &training.kernels;
        let products: usize = self.layers.iter().map(|layer| layer.inputs * layer.outputs).sum();
        let few = 3 * (products * plan.micro_batch) as u64 <= FEW;
        let asked = kernels.passes.map_or(few, |passes| passes == Passes::Windows);
        let turns = self.loops_of_windows(plan).of(plan.micro_batch);
        asked && turns <= TURNS && kernels.storage_buffers >= 8 && training.clip.norm.is_none()
    }

    /// Adds the steps to a plan.
    pub(super) fn add_to(&self, plan: &mut Plan, training: &Training) {
        let all = Span { start: 0, len: (plan.layout.floats() / 4) as u32 };
        let shader = self.shader(&format!("fused.{}", self.name), &[include_str!("../../shaders/fused/kernels.wgsl")]);
        let by_rows = Grid::Tiles { columns: self.lanes, rows_each: self.tile };
        let rows = |entry| {
            self.step(plan, "all layers", shader, entry, by_rows)
                .loops(self.loops_of_tile(), 0)
                .bind("sample", Place::Sample)
                .bind("data", Place::Data)
                .bind("parameters", Place::Parameters(all))
        };
        let (forward, rows) = (rows("forward"), rows("rows"));
        let forward = forward.computes(2 * self.products(true)).moves(self.floats(), self.products(true));
        let rows = rows
            .computes(2 * (self.products(true) + self.products(false)))
            .moves(2 * self.floats(), 2 * self.products(true));
        let weights = self
            .step(plan, "all gradients", shader, "weights", Grid::Line((self.tiles() + 1) * self.lanes))
            .loops(self.loops_of_gradient().fixed, self.loops_of_gradient().block)
            .bind("gradients", Place::Gradients(all))
            .bind("open_gradients", Place::OpenGradients(all))
            .bind("stats", Place::Stats);
        let weights = weights.computes(2 * self.products(true)).moves(2 * self.floats(), self.products(true));
        plan.forward = vec![forward];
        plan.micro_step = vec![rows, weights];
        if self.windows {
            plan.windows = vec![self.windows_step(plan, training, all)];
        }
    }

    fn windows_step(&self, plan: &Plan, training: &Training, all: Span) -> Step {
        let update = training.clip.apply(training.optimizer.step(all));
        let own = update.shader.parts.last().copied().unwrap_or_default();
        let parts = [crate::optim::UPDATE, own, include_str!("../../shaders/fused/windows.wgsl")];
        let shader = self.shader(&format!("windows.{}.{}", self.name, update.shader.name), &parts);
        let mut step = self
            .step(plan, "whole windows", shader, "windows", Grid::Group)
            .bind("sample", Place::Sample)
            .bind("data", Place::Data)
            .bind("open_gradients", Place::OpenGradients(all));
        step = step.computes(2 * (2 * self.products(true) + self.products(false))).moves(4 * self.floats(), 0);
        step.loops = self.loops_of_windows(plan);
        step.bindings.extend(update.bindings);
        step.constants.extend(update.constants);
        step
    }

    fn shader(&self, name: &str, last: &[&'static str]) -> &'static Shader {
        let (lanes, kind) =
            if self.lanes == SUBGROUP { ("const LANES: u32 = 8u;\n", 8) } else { ("const LANES: u32 = 32u;\n", 32) };
        let rows = if self.shared {
            include_str!("../../shaders/fused/shared.wgsl")
        } else {
            include_str!("../../shaders/fused/plain.wgsl")
        };
        let mut parts = vec![
            lanes,
            crate::optim::CLOCK,
            crate::optim::STATS,
            include_str!("../../shaders/fused/net.wgsl"),
            include_str!("../../shaders/lib/padding.wgsl"),
            include_str!("../../shaders/lib/chain.wgsl"),
            include_str!("../../shaders/lib/special.wgsl"),
            include_str!("../../shaders/lib/sum.wgsl"),
            rows,
            include_str!("../../shaders/fused/rows.wgsl"),
            include_str!("../../shaders/fused/weights.wgsl"),
        ];
        parts.extend(self.activation);
        parts.extend(self.loss);
        parts.extend(last);
        Shader::joined(format!("{name}.{kind}{}", if self.shared { ".shared" } else { "" }), parts)
    }

    fn step(&self, plan: &Plan, label: &str, shader: &'static Shader, entry: &'static str, grid: Grid) -> Step {
        let output = self.layers.last();
        let mut step = Step::new(label, shader, entry, grid)
            .dims(&[
                ("layers", self.layers.len() as u32),
                ("tiles", self.tiles()),
                ("rows_at", self.rows_at as u32),
                ("columns", output.map_or(0, |layer| layer.outputs) as u32),
                ("y_at", output.map_or(0, |layer| layer.y_at) as u32),
                ("y_stride4", output.map_or(0, |layer| layer.outputs.div_ceil(4)) as u32),
                ("d_at", output.map_or(0, |layer| layer.d_at) as u32),
                ("features4", plan.record.features.div_ceil(4) as u32),
                ("record_stride4", (plan.record.stride / 4) as u32),
                ("target_at", plan.record.target_at as u32),
                ("weight_at", plan.record.weight_at as u32),
            ])
            .constant("TILE", f64::from(self.tile))
            .constant("KEEPS_INPUT", f64::from(u8::from(self.saved == Saved::Input)))
            .bind("arena", Place::Arena);
        let mut tile_at = 0;
        for layer in &self.layers {
            let (weight, bias) = self.layer_tiles(layer);
            let fields = [
                ("inputs", layer.inputs as u32),
                ("inputs4", layer.inputs.div_ceil(4) as u32),
                ("outputs", layer.outputs as u32),
                ("outputs4", layer.outputs.div_ceil(4) as u32),
                ("x_at", layer.x_at as u32),
                ("y_at", layer.y_at as u32),
                ("d_at", layer.d_at as u32),
                ("parameters_at", (plan.layout.range(layer.parameters).start / 4) as u32),
                ("activated", u32::from(layer.activated)),
                ("tile_at", tile_at),
                ("tiles", weight),
            ];
            step.layers.push(fields.map(|(name, value)| (name, Scalar::U32(value))).to_vec());
            tile_at += weight + bias;
        }
        step
    }

    /// Tiles of a layer's gradient: of its weight and of its bias.
    fn layer_tiles(&self, layer: &Layer) -> (u32, u32) {
        let (inputs4, outputs4) = (layer.inputs.div_ceil(4) as u32, layer.outputs.div_ceil(4) as u32);
        (inputs4.div_ceil(self.lanes) * outputs4.div_ceil(OUTPUTS), outputs4.div_ceil(self.lanes))
    }

    fn tiles(&self) -> u32 {
        self.layers.iter().map(|layer| self.layer_tiles(layer)).map(|(weight, bias)| weight + bias).sum()
    }

    /// Where the values of tensors lie in the arena: first vec4, and how many of a row.
    pub(super) fn values(&self) -> impl Iterator<Item = (Tensor, u64, u64)> {
        self.layers.iter().map(|layer| (layer.y, layer.y_at, layer.outputs.div_ceil(4) as u64))
    }
}
