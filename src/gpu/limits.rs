//! The limits that a device must allow to run any of our kernels.

use crate::{Error, Result};

/// The least device limits for our smallest kernels, under wgpu's names; workgroup memory is what every adapter has.
///
/// A test compares them with all shaders. The plan checks what grows with a network: bytes of buffers and numbers of
/// workgroups.
pub const LEAST: wgpu::Limits = wgpu::Limits {
    max_bindings_per_bind_group: 12,
    max_storage_buffers_per_shader_stage: 4,
    max_uniform_buffers_per_shader_stage: 4,
    max_dynamic_uniform_buffers_per_pipeline_layout: 2,
    max_uniform_buffer_binding_size: 16 << 10,
    max_compute_workgroup_storage_size: 16352,
    max_compute_invocations_per_workgroup: 256,
    max_compute_workgroup_size_x: 256,
    max_compute_workgroup_size_y: 32,
    ..wgpu::Limits::downlevel_defaults()
};

/// Checks that a device with these limits can run our kernels. An error names the device (`whose`) and the `remedy`.
///
/// # Errors
/// [`Error::NoAdapter`] naming the limit that is too small, and the least value.
pub(super) fn check(limits: &wgpu::Limits, whose: &str, remedy: &str) -> Result<()> {
    let (has, least) = (values(limits), values(&LEAST));
    let Some(((name, has), (_, least))) = has.into_iter().zip(least).find(|(has, least)| has.1 < least.1) else {
        return Ok(());
    };
    Err(Error::NoAdapter(format!(
        "{whose} allows {name} = {has}, but {least} is the least that Accrue needs; {remedy}"
    )))
}

fn values(limits: &wgpu::Limits) -> [(&'static str, u64); 9] {
    [
        ("max_bindings_per_bind_group", limits.max_bindings_per_bind_group.into()),
        ("max_storage_buffers_per_shader_stage", limits.max_storage_buffers_per_shader_stage.into()),
        ("max_uniform_buffers_per_shader_stage", limits.max_uniform_buffers_per_shader_stage.into()),
        (
            "max_dynamic_uniform_buffers_per_pipeline_layout",
            limits.max_dynamic_uniform_buffers_per_pipeline_layout.into(),
        ),
        ("max_uniform_buffer_binding_size", limits.max_uniform_buffer_binding_size),
        ("max_compute_workgroup_storage_size", limits.max_compute_workgroup_storage_size.into()),
        ("max_compute_invocations_per_workgroup", limits.max_compute_invocations_per_workgroup.into()),
        ("max_compute_workgroup_size_x", limits.max_compute_workgroup_size_x.into()),
        ("max_compute_workgroup_size_y", limits.max_compute_workgroup_size_y.into()),
    ]
}
