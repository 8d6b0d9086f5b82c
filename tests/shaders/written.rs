//! What naga writes of a kernel for each back end, with the options that wgpu gives it.

use naga::back::{hlsl, msl, spv};
use naga::proc::{BoundsCheckPolicies, BoundsCheckPolicy};
use naga::valid::ModuleInfo;
use naga::{MathFunction, Module, ShaderStage};

use super::variants::{each_kernel, shaders};

/// What every index is held to on Vulkan and Metal, as in modules that nobody trusts.
const CHECKS: BoundsCheckPolicies = BoundsCheckPolicies {
    index: BoundsCheckPolicy::Restrict,
    buffer: BoundsCheckPolicy::Restrict,
    image_load: BoundsCheckPolicy::Restrict,
    binding_array: BoundsCheckPolicy::Unchecked,
};

/// For Vulkan 1.1 and later, as SPIR-V of this version.
pub fn spirv(module: &Module, info: &ModuleInfo, entry: &str, version: (u8, u8)) -> Result<Vec<u32>, String> {
    let chosen = spv::PipelineOptions { shader_stage: ShaderStage::Compute, entry_point: entry.to_owned() };
    let options = spv::Options {
        lang_version: version,
        bounds_check_policies: CHECKS,
        zero_initialize_workgroup_memory: spv::ZeroInitializeWorkgroupMemoryMode::None,
        ..spv::Options::default()
    };
    spv::write_vec(module, info, &options, Some(&chosen)).map_err(|e| e.to_string())
}

/// For Metal 2.1, as in macOS 10.14.
pub fn metal(module: &Module, info: &ModuleInfo, entry: &str) -> Result<String, String> {
    let chosen = msl::PipelineOptions {
        entry_point: Some((ShaderStage::Compute, entry.to_owned())),
        ..msl::PipelineOptions::default()
    };
    let options = msl::Options {
        lang_version: (2, 1),
        bounds_check_policies: CHECKS,
        zero_initialize_workgroup_memory: false,
        ..msl::Options::default()
    };
    let (text, made) = msl::write_string(module, info, &options, &chosen).map_err(|e| e.to_string())?;
    made.entry_point_names.into_iter().try_for_each(|name| name.map(drop)).map_err(|e| e.to_string())?;
    Ok(text)
}

/// For DX12, and the name of the entry point in it.
pub fn direct3d(
    module: &Module,
    info: &ModuleInfo,
    entry: &str,
    model: hlsl::ShaderModel,
) -> Result<(String, String), String> {
    let chosen = hlsl::PipelineOptions { entry_point: Some((ShaderStage::Compute, entry.to_owned())) };
    let options = hlsl::Options {
        shader_model: model,
        // Where wgpu gives the number of workgroups.
        special_constants_binding: Some(hlsl::BindTarget { space: 9, register: 0, ..hlsl::BindTarget::default() }),
        zero_initialize_workgroup_memory: false,
        ..hlsl::Options::default()
    };
    let mut text = String::new();
    let made = hlsl::Writer::new(&mut text, &options, &chosen).write(module, info, None).map_err(|e| e.to_string())?;
    let name = made.entry_point_names.into_iter().next().ok_or("no entry point")?.map_err(|e| e.to_string())?;
    Ok((text, name))
}

#[test]
fn every_kernel_is_written_for_vulkan_metal_and_dx12() {
    let mut kernels = 0;
    each_kernel(|label, entry, module, info| {
        let words = spirv(module, info, entry, (1, 3)).unwrap_or_else(|e| panic!("{label}: SPIR-V: {e}"));
        assert!(words.len() > 5, "{label}: SPIR-V");
        let text = metal(module, info, entry).unwrap_or_else(|e| panic!("{label}: MSL: {e}"));
        assert!(text.contains("kernel void"), "{label}: MSL");
        for model in [hlsl::ShaderModel::V5_1, hlsl::ShaderModel::V6_0] {
            let made = direct3d(module, info, entry, model);
            let (text, _) = made.unwrap_or_else(|e| panic!("{label}: HLSL {model:?}: {e}"));
            assert!(text.contains("numthreads"), "{label}: HLSL");
        }
        kernels += 1;
    });
    assert!(kernels > 2 * shaders().len(), "{kernels} kernels");
}

/// What is known to differ on Metal, as far as its text shows it; no compiler for it is here. Every `fma` stays one, and nothing asks for
/// the faster and less exact functions.
#[test]
fn the_text_for_metal_keeps_every_fma_and_asks_for_nothing_inexact() {
    let mut all = 0;
    each_kernel(|label, entry, module, info| {
        let text = metal(module, info, entry).unwrap_or_else(|e| panic!("{label}: MSL: {e}"));
        let entries = module.entry_points.iter().map(|entry| &entry.function);
        let functions = module.functions.iter().map(|(_, function)| function).chain(entries);
        let expressions = functions.flat_map(|function| function.expressions.iter());
        let fma = |(_, e): &(_, &naga::Expression)| matches!(e, naga::Expression::Math { fun: MathFunction::Fma, .. });
        let fused = expressions.filter(fma).count();
        assert_eq!(text.matches("metal::fma(").count(), fused, "{label}: fma");
        assert!(!text.contains("fast::") && !text.contains("half"), "{label}: something inexact");
        all += fused;
    });
    assert!(all > 1000, "{all} calls");
}
