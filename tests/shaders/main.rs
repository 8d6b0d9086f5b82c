//! Every shader × entry point × values of its constants, without a GPU: valid for naga, writable for every backend, and taken by
//! the compilers that are there.

mod compilers;
#[path = "../common/skip.rs"]
mod skip;
mod variants;
mod words;
mod written;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use accrue::gpu::limits::LEAST;
use accrue::gpu::{Access, Grid};
use accrue::graph::LoopBound;
use accrue::wgpu::Limits;
use naga::AddressSpace;
use variants::{all_shaders, chosen, each_kernel, steps};

/// What a device must allow at least, as the shaders have it: no kernel needs more, and some kernel needs all of it, but for
/// workgroup memory, of which kernels may come to use what every adapter has.
#[test]
fn the_least_limits_are_those_of_the_shaders_and_every_adapter_has_them() {
    let mut most = LEAST;
    let raised: [&mut u32; 7] = [
        &mut most.max_bindings_per_bind_group,
        &mut most.max_storage_buffers_per_shader_stage,
        &mut most.max_uniform_buffers_per_shader_stage,
        &mut most.max_dynamic_uniform_buffers_per_pipeline_layout,
        &mut most.max_compute_invocations_per_workgroup,
        &mut most.max_compute_workgroup_size_x,
        &mut most.max_compute_workgroup_size_y,
    ];
    let tables: BTreeSet<&str> = steps().iter().flat_map(|step| &step.tables).map(|table| table.name).collect();
    let mut needed = [0; 7];
    for shader in all_shaders() {
        for (name, entry) in &shader.reflect().unwrap().entries {
            let label = format!("{}.{name}", shader.name);
            let (uniform, storage): (Vec<_>, Vec<_>) = entry.bindings.iter().partition(|b| b.access == Access::Uniform);
            let mut uniform: Vec<&str> = uniform.iter().map(|b| b.name.as_str()).collect();
            // Whole windows are only planned where there are eight storage buffers.
            let few = if name == "windows" { storage.len() - 4 } else { storage.len() };
            assert!(few <= 4, "{label} binds {} storage buffers: {storage:?}", storage.len());
            let last = entry.bindings.last().map_or(0, |binding| binding.index + 1);
            let moving = uniform.iter().filter(|name| ["clock", "items", "scalars"].contains(name)).count();
            let [x, y, z] = entry.workgroup;
            let needs = [last, few as u32, uniform.len() as u32, moving as u32, x * y * z, x, y];
            needed = std::array::from_fn(|at| needed[at].max(needs[at]));
            uniform.retain(|name| !["clock", "items", "dims", "scalars"].contains(name) && !tables.contains(name));
            assert!(uniform.is_empty(), "{label} reads the uniforms {uniform:?}, which nobody binds");
            assert_eq!(z, 1, "{label}: grids have two dimensions");
        }
    }
    raised.into_iter().zip(needed).for_each(|(limit, needed)| *limit = needed);
    let (shared, uniform) = bytes();
    most.max_uniform_buffer_binding_size = uniform.into();
    assert_eq!(most, LEAST);
    let (least, every) = (LEAST.max_compute_workgroup_storage_size, Limits::downlevel_defaults());
    assert!(shared > 0 && shared <= least, "kernels take {shared} bytes of workgroup memory, {least} are there");
    assert_eq!(least, every.max_compute_workgroup_storage_size);
    assert!(LEAST.check_limits(&every), "every adapter has them");
}

/// The most workgroup memory that a kernel takes, and the largest uniform.
fn bytes() -> (u32, u32) {
    let (mut shared, mut uniform) = (0, 0);
    each_kernel(|_, _, module, _| {
        let sizes = |space| {
            let of_space = module.global_variables.iter().filter(move |(_, variable)| variable.space == space);
            of_space.map(|(_, variable)| module.types[variable.ty].inner.size(module.to_ctx()))
        };
        shared = shared.max(sizes(AddressSpace::WorkGroup).sum());
        uniform = uniform.max(sizes(AddressSpace::Uniform).max().unwrap_or(0));
    });
    (shared, uniform)
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

#[test]
fn every_entry_point_is_a_step_of_some_plan() {
    let used: BTreeSet<(&str, &str)> = steps().iter().map(|step| (step.shader.name, step.entry)).collect();
    for shader in all_shaders() {
        for entry in shader.reflect().unwrap().entries.keys() {
            // The gradient of a weight is the same whatever the activation is, and a pool only goes back through one.
            let activates = shader.name.starts_with("conv2d.") && shader.name.matches('.').count() > 1;
            let of_weight = ["backward_weight", "weight_blocks", "fold"].contains(&entry.as_str());
            let linear = shader.name.starts_with("linear.") && entry == "backward_weight";
            let shared = linear || (activates && of_weight) || shader.name.starts_with("max_pool.");
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
        let elements = matches!(step.grid, Grid::Elements { .. });
        assert_eq!(elements, entry.workgroup == [256, 1, 1], "{label} has its place by place_of");
        let buffers = entry.bindings.iter().filter(|b| b.access != Access::Uniform).map(|b| b.name.as_str());
        let given: BTreeSet<&str> = step.bindings.iter().map(|&(name, _)| name).collect();
        assert_eq!(given, buffers.collect(), "{label} is bound to");
        if entry.bindings.iter().any(|b| b.name == "dims") {
            reflection.pack("dims", &step.dims).unwrap_or_else(|e| panic!("{label}: {e}"));
        }
        for table in &step.tables {
            let row = |row: &Vec<_>| reflection.pack(table.name, row).unwrap_or_else(|e| panic!("{label}: {e}")).len();
            let bytes: usize = table.rows.iter().map(row).sum();
            assert!(bytes as u64 <= table.bytes, "{label}: {} has {bytes} bytes", table.name);
        }
        for (name, _) in &step.constants {
            let mut known = reflection.module.overrides.iter();
            assert!(known.any(|(_, o)| o.name.as_deref() == Some(*name)), "{label} has no override {name}");
        }
    }
}

/// Whether a function has a loop, or calls one that does.
fn has_loop(module: &naga::Module, function: &naga::Function) -> bool {
    fn any(module: &naga::Module, block: &naga::Block) -> bool {
        block.iter().any(|statement| match statement {
            naga::Statement::Loop { .. } => true,
            naga::Statement::Block(block) => any(module, block),
            naga::Statement::If { accept, reject, .. } => any(module, accept) || any(module, reject),
            naga::Statement::Switch { cases, .. } => cases.iter().any(|case| any(module, &case.body)),
            naga::Statement::Call { function, .. } => any(module, &module.functions[*function].body),
            _ => false,
        })
    }
    any(module, &function.body)
}

/// A driver that ends long loops in silence is only kept from it by what a step says of its loops.
#[test]
fn a_step_whose_kernel_has_a_loop_says_how_long_it_is() {
    let (mut with, mut without) = (0, 0);
    for step in steps() {
        let module = step.shader.reflect().unwrap().module.clone();
        let entry = module.entry_points.iter().find(|entry| entry.name == step.entry).unwrap();
        let label = format!("{}.{}", step.shader.name, step.entry);
        match has_loop(&module, &entry.function) {
            true => assert_ne!(step.loops, LoopBound::NONE, "{label} has a loop"),
            false => assert_eq!(step.loops, LoopBound::NONE, "{label} has no loop"),
        }
        *(if step.loops == LoopBound::NONE { &mut without } else { &mut with }) += 1;
    }
    assert!(with > 0 && without > 0, "{with} with loops, {without} without");
}

#[test]
fn whole_windows_are_chosen_but_never_with_fxc() {
    let windows = |fxc| chosen(fxc).iter().filter(|step| step.entry == "windows").count();
    assert_eq!((windows(false), windows(true)), (1, 0));
    assert!(chosen(true).iter().any(|step| step.entry == "rows"), "all rows at once are");
}
