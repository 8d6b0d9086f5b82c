//! Every shader × entry point × values of its constants.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use accrue::doctor::{Case, updates};
use accrue::gpu::Shader;
use accrue::graph::{Blocks, Graph, Op, Packing, Role, Shape, Step, Tensor};
use accrue::nn::{Layer, Model};
use accrue::ops::linear::matmul;
use accrue::ops::{self, Linear};
use accrue::optim::{self, Clip, LrFactors, Optimizer, Sgd};
use accrue::plan::{self, Kernels, Plan, Training};
use naga::back::{PipelineConstants, pipeline_constants::process_overrides};
use naga::valid::{Capabilities, ModuleInfo, ShaderStages, SubgroupOperationSet, ValidationFlags, Validator};
use naga::{Module, ShaderStage, TypeInner};
use serde_json::json;

/// The shaders that each are a file of their own and what it shares with others.
pub fn shaders() -> Vec<&'static Shader> {
    let ops = ops::each(1).map(|op| op.shader());
    ops.chain(optim::shaders()).chain(plan::SHADERS.iter().copied()).collect()
}

/// Those that plans join for a network, and with which constants they enter them where.
pub fn joined() -> BTreeMap<&'static str, (&'static Shader, Vec<Step>)> {
    let known: BTreeSet<&str> = shaders().iter().map(|shader| shader.name).collect();
    let mut joined = BTreeMap::new();
    for step in steps().into_iter().filter(|step| !known.contains(step.shader.name)) {
        let (_, steps) = joined.entry(step.shader.name).or_insert_with(|| (step.shader, Vec::<Step>::new()));
        if !steps.iter().any(|known| (known.entry, &known.constants) == (step.entry, &step.constants)) {
            steps.push(step);
        }
    }
    joined
}

/// Both kinds.
pub fn all_shaders() -> Vec<&'static Shader> {
    shaders().into_iter().chain(joined().into_values().map(|(shader, _)| shader)).collect()
}

pub fn parse(shader: &Shader) -> (Module, ModuleInfo) {
    let source = shader.source();
    let module = naga::front::wgsl::parse_str(&source)
        .unwrap_or_else(|e| panic!("{}: {}", shader.name, e.emit_to_string_with_path(&source, shader.name)));
    let info = Validator::new(ValidationFlags::all(), Capabilities::SUBGROUP | Capabilities::SUBGROUP_BARRIER)
        .subgroup_stages(ShaderStages::COMPUTE)
        .subgroup_operations(SubgroupOperationSet::all())
        .validate(&module)
        .unwrap_or_else(|e| panic!("{}: {}", shader.name, e.emit_to_string_with_path(&source, shader.name)));
    (module, info)
}

/// The constants that say how many lines a row has, and which of them are a block.
const BLOCKS: [&str; 3] = ["POSITIONS", "BLOCK_ROWS", "BLOCK_LINES"];

/// Every combination of values of a shader's constants: both of a flag, zero and others of a number; for rows of one position,
/// of a few and of many.
fn constants(module: &Module) -> Vec<PipelineConstants> {
    let mut all = vec![PipelineConstants::default()];
    for (_, constant) in module.overrides.iter() {
        let name = constant.name.clone().expect("an override has a name");
        if BLOCKS.contains(&name.as_str()) {
            continue;
        }
        let values: &[f64] = match module.types[constant.ty].inner {
            TypeInner::Scalar(naga::Scalar::BOOL) => &[0.0, 1.0],
            TypeInner::Scalar(naga::Scalar::F32) => &[0.0, 0.9],
            TypeInner::Scalar(naga::Scalar::U32) if name == "BITS" => &[8.0, 16.0, 32.0],
            TypeInner::Scalar(naga::Scalar::U32) if name == "CROP" => &[0.0, 2.0],
            // Sizes of an image or of a window.
            TypeInner::Scalar(naga::Scalar::U32) => &[3.0],
            ref other => panic!("override {name} is {other:?}: say here which values to try"),
        };
        let with = |constants: &PipelineConstants, value: f64| {
            let mut constants = constants.clone();
            constants.insert(name.clone(), value);
            constants
        };
        all = all.iter().flat_map(|constants| values.iter().map(|&value| with(constants, value))).collect();
    }
    let over = |constants: &PipelineConstants, positions: usize| {
        let Blocks { rows, lines, .. } = Blocks::of(positions);
        let blocks = BLOCKS.map(str::to_owned).into_iter().zip([positions, rows, lines].map(|value| value as f64));
        constants.clone().into_iter().chain(blocks).collect()
    };
    let positions: Vec<PipelineConstants> =
        all.iter().flat_map(|constants| [3, 300].map(|positions| over(constants, positions))).collect();
    all.into_iter().chain(positions).collect()
}

/// Calls `with` for every entry point of every shader with every combination of constants; of shaders that plans join,
/// with those that they set.
pub fn each_kernel(mut with: impl FnMut(&str, &str, &Module, &ModuleInfo)) {
    let mut each = |shader: &Shader, (module, info): (&Module, &ModuleInfo), entry: &str, constants| {
        let label = format!("{}.{entry} {constants:?}", shader.name);
        let chosen = Some((ShaderStage::Compute, entry));
        let (module, info) =
            process_overrides(module, info, chosen, &constants).unwrap_or_else(|e| panic!("{label}: {e}"));
        with(&label, entry, &module, &info);
    };
    for shader in shaders() {
        let (module, info) = parse(shader);
        for entry in &module.entry_points {
            constants(&module).into_iter().for_each(|set| each(shader, (&module, &info), &entry.name, set));
        }
    }
    for (shader, steps) in joined().into_values() {
        let (module, info) = parse(shader);
        for step in steps {
            let set = step.constants.iter().map(|&(name, value)| (name.to_owned(), value)).collect();
            each(shader, (&module, &info), step.entry, set);
        }
    }
}

/// What plans choose between.
fn kernels() -> Vec<Kernels> {
    let most = Kernels { mode: None, storage_buffers: 8, binding: 1 << 27, ..Kernels::FUSED_OPS };
    let cpu = Kernels { cpu: true, ..most };
    let gpu = Kernels { lanes: 32, ..most };
    vec![Kernels::OPS, Kernels::FUSED_OPS, most, gpu, cpu, Kernels { subgroups: true, ..cpu }]
}

/// The steps of a network so small that whole windows are worth it, with FXC or with another compiler.
pub fn chosen(fxc: bool) -> Vec<Step> {
    let kernels = Kernels { mode: None, fxc, storage_buffers: 8, binding: 1 << 27, lanes: 32, ..Kernels::FUSED_OPS };
    steps_of(&[5.into(), "relu".into(), 3.into()], "mse", &Sgd::default(), kernels, 8)
}

/// All steps of a plan.
fn steps_of(layers: &[Layer], loss: &str, optimizer: &dyn Optimizer, kernels: Kernels, rows: usize) -> Vec<Step> {
    steps_with(layers, loss, optimizer, LrFactors::default(), kernels, rows)
}

/// The same with factors of the learning rate.
fn steps_with(
    layers: &[Layer],
    loss: &str,
    optimizer: &dyn Optimizer,
    lr_factors: LrFactors,
    kernels: Kernels,
    rows: usize,
) -> Vec<Step> {
    let network = Model::new(4, layers, loss).unwrap().network(true).unwrap();
    let norm = (kernels.mode.is_some()).then_some(1.0);
    let clip = Clip { norm, value: Some(0.1) };
    let training = Training {
        loss: network.loss.unwrap(),
        optimizer,
        clip,
        decay: Default::default(),
        lr_factors,
        open_blocks: true,
        kernels,
        seed: 0,
        augment: Default::default(),
    };
    steps_of_plan(Plan::new(&network.graph, network.output, rows, Some(training)).unwrap())
}

fn steps_of_plan(plan: Plan) -> Vec<Step> {
    let packings =
        [8, 16, 32].map(|bits| [Packing::Rows { bits }, Packing::Line { bits, tokens: 99, stride: 1, ignore: 7 }]);
    let packed = packings.concat().into_iter().map(|packing| plan.unpack_step(packing)).collect::<Vec<_>>();
    plan.steps().cloned().chain(packed).collect()
}

/// The steps of training 8 rows by plain SGD.
fn steps_of_training(graph: &Graph, output: Tensor, loss: Tensor, kernels: Kernels) -> Vec<Step> {
    let training = Training {
        loss,
        optimizer: &Sgd::default(),
        clip: Clip::default(),
        decay: Default::default(),
        lr_factors: Default::default(),
        open_blocks: true,
        kernels,
        seed: 0,
        augment: Default::default(),
    };
    steps_of_plan(Plan::new(graph, output, 8, Some(training)).unwrap())
}

/// Three of the same convolution, one after the other, without activations.
fn steps_of_convolution(conv: Arc<ops::Conv2d>, kernels: Kernels) -> Vec<Step> {
    let mut graph = Graph::new();
    let mut x = graph.input_of(&[9, 8, conv.channels]);
    for name in ["first", "second", "third"] {
        x = graph.layer(conv.clone(), name, name, x).unwrap();
    }
    let case = Case::ending(graph, x, ops::find("mse").unwrap(), 8, 1).unwrap();
    steps_of_training(&case.graph, case.output, case.loss, kernels)
}

/// Convolutions with each activation behind and before them, and a pooling, by each kind of kernels.
fn steps_of_convolutions() -> Vec<Step> {
    let on_cpu = Kernels { cpu: true, subgroups: true, ..Kernels::FUSED_OPS };
    let mut steps = Vec::new();
    // Images large enough that the blocks of a weight's gradient are summed apart.
    for conv in [
        json!({ "channels": 16, "kernel": 3, "padding": "same" }),
        json!({ "channels": 16, "kernel": 3, "stride": 2 }),
        json!({ "channels": 8, "kernel": 3, "groups": 8 }),
        json!({ "channels": 12, "kernel": 1, "groups": 4 }),
    ] {
        for kernels in [Kernels::FUSED_OPS, on_cpu] {
            let layers = json!([{ "conv2d": conv }, "global_avg_pool", 2]);
            let layers: Vec<Layer> = serde_json::from_value(layers).unwrap();
            steps.extend(steps_on_images(&[48, 40, 8], &layers, kernels));
        }
    }
    for (channels, kernels) in
        [4, 8, 16].into_iter().flat_map(|channels| [(channels, Kernels::FUSED_OPS), (channels, on_cpu)])
    {
        for activation in ops::activations() {
            let conv = || json!({ "conv2d": { "channels": channels, "kernel": 3 } });
            let layers = json!([conv(), activation, conv(), activation, { "max_pool": 2 }, "flatten", 2]);
            let layers: Vec<Layer> = serde_json::from_value(layers).unwrap();
            steps.extend(steps_on_images(&[7, 8, channels], &layers, kernels));
        }
    }
    steps
}

fn steps_on_images(shape: &[usize], layers: &[Layer], kernels: Kernels) -> Vec<Step> {
    let network = Model::of_shape(shape, layers, "mse").unwrap().network(true).unwrap();
    steps_of_training(&network.graph, network.output, network.loss.unwrap(), kernels)
}

/// The steps of a network in the middle of which an op stands, for images or, where it takes none, for sequences, and which uses one
/// parameter twice.
fn steps_of_images(op: Arc<dyn Op>, kernels: Kernels) -> Vec<Step> {
    let mut graph = Graph::new();
    let takes = |dims: &&[usize]| op.role() != Role::Layer || op.shape_of(&Shape::of(dims)).is_ok();
    let shapes: [&[usize]; 3] = [&[3, 5, 4], &[15, 24], &[15, 32]];
    let dims = shapes.into_iter().find(takes).unwrap();
    let columns = dims[dims.len() - 1];
    let x = graph.input_of(dims);
    let layer = Arc::new(Linear::new(columns));
    let shared = graph.parameters("shared", layer.parameters(graph.shape(x)));
    let first = graph.apply(layer.clone(), "first", &[x, shared]).unwrap();
    let is_loss = matches!(op.role(), Role::Loss(_));
    // What joins any columns gets some that fill no vec4.
    let [wide, narrow] = [4, 3].map(|columns| Shape::of(&[3, 5, columns]));
    let read = match op.role() {
        Role::Join if op.output(&[&wide, &narrow]).is_ok() => {
            let outputs = Arc::new(Linear::new(3));
            vec![first, graph.layer(outputs, "narrow", "narrow", x).unwrap(), first]
        }
        Role::Join => vec![first; 3],
        _ => vec![first],
    };
    let middle = if is_loss { first } else { graph.join(op.clone(), "op", "op", &read).unwrap() };
    let width = graph.columns(middle);
    let output = match width {
        width if width == columns => graph.apply(layer, "second", &[middle, shared]).unwrap(),
        _ => middle,
    };
    let loss = if is_loss { op } else { ops::find("mse").unwrap() };
    let case = Case::ending(graph, output, loss, 8, 1).unwrap();
    let optimizer = &Sgd::default();
    let training = Training {
        loss: case.loss,
        optimizer,
        clip: Clip::default(),
        decay: Default::default(),
        lr_factors: Default::default(),
        open_blocks: true,
        kernels,
        seed: 0,
        augment: Default::default(),
    };
    steps_of_plan(Plan::new(&case.graph, case.output, 8, Some(training)).unwrap())
}

/// Every step of networks with each activation and loss, trained by each kind of optimizer, for each choice of kernels; and
/// every way to make a layer, with each activation.
pub fn steps() -> Vec<Step> {
    let optimizers: Vec<Box<dyn Optimizer>> = optim::ALL.iter().flat_map(|kind| (kind.cases)()).collect();
    let mut steps = Vec::new();
    for (tiles, activation) in
        matmul::ALL.into_iter().flat_map(|tiles| ops::activations().into_iter().map(move |name| (tiles, name)))
    {
        let kernels = Kernels { tiles: Some(tiles), subgroups: true, ..Kernels::FUSED_OPS };
        let layers = [5.into(), activation.into(), 6.into(), 7.into()];
        steps.extend(steps_of(&layers, "mse", &*optimizers[0], kernels, 8));
    }
    let trainings =
        ops::losses().into_iter().flat_map(|loss| optimizers.iter().map(move |optimizer| (loss, &**optimizer)));
    for (loss, optimizer) in trainings {
        for activation in ops::activations() {
            let layers = [5.into(), activation.into(), 6.into(), activation.into(), 3.into()];
            for (kernels, rows) in kernels().into_iter().flat_map(|kernels| [8, 64].map(|rows| (kernels, rows))) {
                steps.extend(steps_of(&layers, loss, optimizer, kernels, rows));
            }
        }
    }
    let on_cpu = Kernels { cpu: true, subgroups: true, tiles: None, ..Kernels::OPS };
    let in_images = |op: Arc<dyn Op>| {
        [Kernels::OPS, on_cpu].into_iter().flat_map(move |kernels| steps_of_images(op.clone(), kernels))
    };
    steps.extend(ops::ALL.iter().flat_map(|samples| samples(4)).flat_map(in_images));
    for channels in [4, 8, 16] {
        let plain = Arc::new(ops::Conv2d::new(channels, 3));
        steps.extend(
            [Kernels::OPS, on_cpu].into_iter().flat_map(|kernels| steps_of_convolution(plain.clone(), kernels)),
        );
    }
    steps.extend(steps_of_convolutions());
    for optimizer in &optimizers {
        for kernels in kernels() {
            let layers = [5.into(), "relu".into(), 3.into()];
            steps.extend(steps_with(&layers, "mse", &**optimizer, updates::factors(), kernels, 8));
        }
    }
    steps
}
