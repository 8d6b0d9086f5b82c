//! What is known of a device before anything runs on it.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::gpu::{Gpu, adapter};

/// An adapter, its driver, and the limits and features that matter here.
#[derive(Clone, Debug, Serialize)]
pub struct Device {
    /// The adapter's name.
    pub name: String,
    /// Discrete, integrated, software, …
    pub kind: &'static str,
    /// Vulkan, Metal or DX12.
    pub backend: String,
    /// The driver and its version.
    pub driver: String,
    /// Why this adapter was taken.
    pub why: String,
    /// The device limits that decide what fits.
    pub limits: Limits,
    /// Optional features, and whether the adapter has them.
    pub features: BTreeMap<&'static str, bool>,
}

/// The limits that decide what fits.
#[derive(Clone, Debug, Serialize)]
pub struct Limits {
    /// Bytes of a buffer.
    pub buffer: u64,
    /// Bytes of a binding.
    pub binding: u64,
    /// Bytes of workgroup memory.
    pub workgroup_memory: u32,
    /// Storage buffers per kernel.
    pub storage_buffers: u32,
    /// Invocations per workgroup.
    pub invocations: u32,
    /// Workgroups along one dimension.
    pub workgroups: u32,
}

impl Device {
    /// Describes this device.
    pub fn of(gpu: &Gpu) -> Device {
        let (info, limits, offers) = (gpu.info(), gpu.limits(), gpu.offers());
        let has = |feature| offers.contains(feature);
        let driver: Vec<&str> =
            [info.driver.as_str(), info.driver_info.as_str()].into_iter().filter(|part| !part.is_empty()).collect();
        Device {
            name: info.name.clone(),
            kind: adapter::kind(info.device_type),
            backend: info.backend.to_string(),
            driver: driver.join(" "),
            why: gpu.why().to_owned(),
            limits: Limits {
                buffer: limits.max_buffer_size,
                binding: limits.max_storage_buffer_binding_size,
                workgroup_memory: limits.max_compute_workgroup_storage_size,
                storage_buffers: limits.max_storage_buffers_per_shader_stage,
                invocations: limits.max_compute_invocations_per_workgroup,
                workgroups: limits.max_compute_workgroups_per_dimension,
            },
            features: BTreeMap::from([
                ("timestamp queries", has(wgpu::Features::TIMESTAMP_QUERY)),
                ("subgroups", has(wgpu::Features::SUBGROUP)),
                ("f16", has(wgpu::Features::SHADER_F16)),
                ("cooperative matrices", has(wgpu::Features::EXPERIMENTAL_COOPERATIVE_MATRIX)),
            ]),
        }
    }
}
