//! Every shader × entry point × values of its constants, without a GPU: valid for naga, and writable for every backend.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use accrue::gpu::{Access, Shader};
use accrue::nn::{Layer, Model};
use accrue::ops::linear::tiles;
use accrue::ops::{self, Step};
use accrue::optim::{self, Adam, Clip, Optimizer, Sgd};
use accrue::plan::{self, Kernels, Plan, Training};
use naga::back::{PipelineConstants, hlsl, msl, pipeline_constants::process_overrides, spv};
use naga::valid::{Capabilities, ModuleInfo, ShaderStages, SubgroupOperationSet, ValidationFlags, Validator};
use naga::{AddressSpace, Module, ShaderStage, TypeInner};

/// The shaders that each are a file of their own and what it shares with others.
fn shaders() -> Vec<&'static Shader> {
    let ops = ops::ALL.iter().map(|op| op.shader());
    ops.chain(optim::SHADERS.iter().copied()).chain(plan::SHADERS.iter().copied()).collect()
}

/// Those that plans join for a network, and with which constants they enter them where.
fn joined() -> BTreeMap<&'static str, (&'static Shader, Vec<Step>)> {
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
fn all_shaders() -> Vec<&'static Shader> {
    shaders().into_iter().chain(joined().into_values().map(|(shader, _)| shader)).collect()
}

fn parse(shader: &Shader) -> (Module, ModuleInfo) {
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

/// Every combination of values of a shader's constants: both of a flag, zero and others of a number.
fn constants(module: &Module) -> Vec<PipelineConstants> {
    let mut all = vec![PipelineConstants::default()];
    for (_, constant) in module.overrides.iter() {
        let name = constant.name.clone().expect("an override has a name");
        let values: &[f64] = match module.types[constant.ty].inner {
            TypeInner::Scalar(naga::Scalar::BOOL) => &[0.0, 1.0],
            TypeInner::Scalar(naga::Scalar::F32) => &[0.0, 0.9],
            ref other => panic!("override {name} is {other:?}: say here which values to try"),
        };
        let with = |constants: &PipelineConstants, value: f64| {
            let mut constants = constants.clone();
            constants.insert(name.clone(), value);
            constants
        };
        all = all.iter().flat_map(|constants| values.iter().map(|&value| with(constants, value))).collect();
    }
    all
}

/// Calls `with` for every entry point of every shader with every combination of constants; of shaders that plans join,
/// with those that they set.
fn each_kernel(mut with: impl FnMut(&str, &str, &Module, &ModuleInfo)) {
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

#[test]
fn every_kernel_is_written_for_vulkan_metal_and_dx12() {
    let mut kernels = 0;
    each_kernel(|label, entry, module, info| {
        let chosen = spv::PipelineOptions { shader_stage: ShaderStage::Compute, entry_point: entry.to_owned() };
        let words = spv::write_vec(module, info, &spv::Options::default(), Some(&chosen));
        assert!(words.unwrap_or_else(|e| panic!("{label}: SPIR-V: {e}")).len() > 5, "{label}: SPIR-V");

        let chosen = msl::PipelineOptions {
            entry_point: Some((ShaderStage::Compute, entry.to_owned())),
            ..msl::PipelineOptions::default()
        };
        let options = msl::Options { lang_version: (2, 1), ..msl::Options::default() };
        let (text, made) =
            msl::write_string(module, info, &options, &chosen).unwrap_or_else(|e| panic!("{label}: MSL: {e}"));
        assert!(made.entry_point_names.iter().all(|name| name.is_ok()), "{label}: MSL: {:?}", made.entry_point_names);
        assert!(text.contains("kernel void"), "{label}: MSL");

        let chosen = hlsl::PipelineOptions { entry_point: Some((ShaderStage::Compute, entry.to_owned())) };
        let (mut text, options) =
            (String::new(), hlsl::Options { shader_model: hlsl::ShaderModel::V6_0, ..hlsl::Options::default() });
        let made = hlsl::Writer::new(&mut text, &options, &chosen).write(module, info, None);
        let made = made.unwrap_or_else(|e| panic!("{label}: HLSL: {e}"));
        assert!(made.entry_point_names.iter().all(|name| name.is_ok()), "{label}: HLSL: {:?}", made.entry_point_names);
        assert!(text.contains("numthreads"), "{label}: HLSL");
        kernels += 1;
    });
    assert!(kernels > 2 * shaders().len(), "{kernels} kernels");
}

#[test]
fn every_kernel_fits_the_smallest_device() {
    let limits = accrue::wgpu::Limits::downlevel_defaults();
    for shader in all_shaders() {
        let reflection = shader.reflect().unwrap();
        for (name, entry) in &reflection.entries {
            let label = format!("{}.{name}", shader.name);
            let storage: Vec<_> = entry.bindings.iter().filter(|b| b.access != Access::Uniform).collect();
            // Whole windows are only planned where there are eight.
            let most = if name == "windows" { 8 } else { limits.max_storage_buffers_per_shader_stage as usize };
            assert!(storage.len() <= most, "{label} binds {} storage buffers: {storage:?}", storage.len());
            let mut uniforms: Vec<&str> =
                entry.bindings.iter().filter(|b| b.access == Access::Uniform).map(|b| b.name.as_str()).collect();
            uniforms.retain(|name| !["clock", "items", "layers"].contains(name));
            assert!(
                uniforms.iter().all(|name| ["dims", "scalars"].contains(name)),
                "{label} reads the uniforms {uniforms:?}; a clock, dims and scalars are bound"
            );
            let [x, y, z] = entry.workgroup;
            assert!(x * y * z <= limits.max_compute_invocations_per_workgroup, "{label} has {x}·{y}·{z} invocations");
            assert!(x <= limits.max_compute_workgroup_size_x && y <= limits.max_compute_workgroup_size_y, "{label}");
            assert_eq!(z, 1, "{label}: grids have two dimensions");
        }
    }
    each_kernel(|label, _, module, _| {
        let shared = module.global_variables.iter().filter(|(_, v)| v.space == AddressSpace::WorkGroup);
        let bytes: u32 = shared.map(|(_, v)| module.types[v.ty].inner.size(module.to_ctx())).sum();
        assert!(bytes <= limits.max_compute_workgroup_storage_size, "{label} takes {bytes} bytes of workgroup memory");
    });
}

/// Every file below `shaders/`, and its text.
fn files() -> BTreeMap<PathBuf, String> {
    let mut files = BTreeMap::new();
    let mut folders = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("shaders")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                files.insert(path.clone(), fs::read_to_string(&path).unwrap());
            }
        }
    }
    files
}

#[test]
fn every_file_is_wgsl_begins_with_its_formula_and_belongs_to_a_shader() {
    let parts: BTreeSet<&str> = all_shaders().iter().flat_map(|shader| shader.parts).copied().collect();
    for (path, text) in files() {
        let path = path.display();
        assert!(path.to_string().ends_with(".wgsl"), "{path} is no .wgsl");
        assert!(text.starts_with("// "), "{path} does not begin with a comment that says what it computes");
        assert!(
            parts.contains(text.as_str()),
            "{path} belongs to no op, optimizer or plan: is a line missing in a list?"
        );
    }
    let texts: BTreeSet<String> = files().into_values().collect();
    // A few lines of constants may stand before files, and those are no text to read.
    let other = parts.iter().filter(|&&part| !texts.contains(part));
    let numbers = |part: &str| part.lines().all(|line| line.starts_with("const ") && line.ends_with("u;"));
    assert!(other.clone().all(|part| numbers(part)), "every part is a file: {:?}", other.collect::<Vec<_>>());
}

#[test]
fn shaders_have_names_of_their_own_because_pipelines_are_found_by_them() {
    let names: BTreeSet<&str> = all_shaders().iter().map(|shader| shader.name).collect();
    assert_eq!(names.len(), all_shaders().len());
}

/// What plans choose between.
fn kernels() -> Vec<Kernels> {
    let most = Kernels { passes: None, storage_buffers: 8, binding: 1 << 27, ..Kernels::FUSED_OPS };
    let cpu = Kernels { cpu: true, ..most };
    vec![Kernels::OPS, Kernels::FUSED_OPS, most, cpu, Kernels { subgroups: true, ..cpu }]
}

/// All steps of a plan.
fn steps_of(layers: &[Layer], loss: &str, optimizer: &dyn Optimizer, kernels: Kernels, rows: usize) -> Vec<Step> {
    let network = Model::new(4, layers, loss).unwrap().network(true).unwrap();
    let norm = (kernels.passes.is_some()).then_some(1.0);
    let clip = Clip { norm, value: Some(0.1) };
    let training = Training { loss: network.loss.unwrap(), optimizer, clip, open_blocks: true, kernels };
    let plan = Plan::new(&network.graph, network.output, rows, Some(training)).unwrap();
    let lists =
        [plan.gather, plan.forward, plan.loss, plan.gradient, plan.micro_step, plan.windows, plan.close, plan.mark];
    lists.into_iter().flatten().chain(plan.update).collect()
}

/// Every step of networks with each activation and loss, trained by each kind of optimizer, for each choice of kernels; and
/// every way to make a layer, with each activation.
fn steps() -> Vec<Step> {
    let momentum = Sgd { momentum: 0.9, nesterov: true, ..Sgd::default() };
    let optimizers: [&dyn Optimizer; 3] = [&Sgd::default(), &momentum, &Adam::decoupled()];
    let mut steps = Vec::new();
    for (tiles, activation) in
        tiles::ALL.into_iter().flat_map(|tiles| ops::activations().into_iter().map(move |name| (tiles, name)))
    {
        let kernels = Kernels { tiles: Some(tiles), subgroups: true, ..Kernels::FUSED_OPS };
        let layers = [5.into(), activation.into(), 6.into(), 7.into()];
        steps.extend(steps_of(&layers, "mse", optimizers[0], kernels, 8));
    }
    for (loss, optimizer) in ops::losses().into_iter().flat_map(|loss| optimizers.map(|optimizer| (loss, optimizer))) {
        for activation in ops::activations() {
            let layers = [5.into(), activation.into(), 6.into(), activation.into(), 3.into()];
            for (kernels, rows) in kernels().into_iter().flat_map(|kernels| [8, 64].map(|rows| (kernels, rows))) {
                steps.extend(steps_of(&layers, loss, optimizer, kernels, rows));
            }
        }
    }
    steps
}

#[test]
fn every_entry_point_is_a_step_of_some_plan() {
    let used: BTreeSet<(&str, &str)> = steps().iter().map(|step| (step.shader.name, step.entry)).collect();
    for shader in all_shaders() {
        for entry in shader.reflect().unwrap().entries.keys() {
            // The gradient of a weight is the same whatever the activation is.
            let shared = shader.name.starts_with("linear.") && entry == "backward_weight";
            assert!(shared || used.contains(&(shader.name, entry.as_str())), "{}.{entry} is never used", shader.name);
        }
    }
}

#[test]
fn every_step_binds_what_its_kernel_declares_and_sets_all_its_dims_and_only_constants_that_it_has() {
    for step in steps() {
        let reflection = step.shader.reflect().unwrap();
        let entry = &reflection.entries[step.entry];
        let label = format!("{}.{}", step.shader.name, step.entry);
        let buffers = entry.bindings.iter().filter(|b| b.access != Access::Uniform).map(|b| b.name.as_str());
        let given: BTreeSet<&str> = step.bindings.iter().map(|&(name, _)| name).collect();
        assert_eq!(given, buffers.collect(), "{label} is bound to");
        if entry.bindings.iter().any(|b| b.name == "dims") {
            reflection.pack("dims", &step.dims).unwrap_or_else(|e| panic!("{label}: {e}"));
        }
        for (name, _) in &step.constants {
            let mut known = reflection.module.overrides.iter();
            assert!(known.any(|(_, o)| o.name.as_deref() == Some(*name)), "{label} has no override {name}");
        }
    }
}

#[test]
fn tint_accepts_every_shader_where_it_is_installed() {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("tint");
    fs::create_dir_all(&folder).unwrap();
    for shader in all_shaders() {
        let path = folder.join(format!("{}.wgsl", shader.name));
        let source = shader.source();
        // A word of naga's own; it stands where a workgroup is one subgroup.
        let source = source.replace("subgroupBarrier()", "workgroupBarrier()");
        // What tint wants to be told, naga does not know.
        let first = if source.contains("subgroupShuffle(") { "enable subgroups;\n" } else { "" };
        fs::write(&path, format!("{first}{source}")).unwrap();
        let Ok(output) = Command::new("tint").args(["--format", "wgsl"]).arg(&path).output() else {
            println!("tint is not installed: what naga says is all that is known");
            return;
        };
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "tint rejects {}:\n{said}", shader.name);
    }
}
