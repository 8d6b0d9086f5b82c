//! Every shader × entry point × values of its constants, without a GPU: valid for naga, writable for every backend, and taken by
//! the compilers that are there.

mod compilers;
mod variants;
mod words;
mod written;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use accrue::gpu::Access;
use naga::AddressSpace;
use variants::{all_shaders, each_kernel, steps};

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
