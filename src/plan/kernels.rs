//! Which of several kernels for the same thing a plan takes. All of them give the same bits.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;
use std::sync::Mutex;

use serde::{Deserialize, Serialize};

use crate::gpu::{Gpu, SUBGROUPS};
use crate::graph::Hardware;
use crate::ops::linear::matmul::SMALL;
use crate::ops::{MatmulKernel, MatmulPolicy};

/// How a micro-batch goes through a network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ExecutionMode {
    /// Op by op, each by kernels of its own.
    Ops,
    /// All ops with rows in one kernel, all gradients of parameters in another.
    Fused,
    /// Whole windows in one kernel, by a single workgroup.
    Windows,
}

impl ExecutionMode {
    /// All of them.
    pub const ALL: [ExecutionMode; 3] = [ExecutionMode::Ops, ExecutionMode::Fused, ExecutionMode::Windows];

    /// Its name in a configuration.
    pub fn name(self) -> &'static str {
        match self {
            ExecutionMode::Ops => "ops",
            ExecutionMode::Fused => "fused",
            ExecutionMode::Windows => "windows",
        }
    }

    /// What the environment variable `ACCRUE_KERNELS` asks for.
    pub fn from_environment() -> Option<ExecutionMode> {
        wish("ACCRUE_KERNELS")
    }
}

impl fmt::Display for ExecutionMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for ExecutionMode {
    type Err = String;

    fn from_str(name: &str) -> Result<ExecutionMode, String> {
        let found = ExecutionMode::ALL.into_iter().find(|mode| mode.name() == name);
        found.ok_or_else(|| format!("{name:?} is none of ops, fused and windows"))
    }
}

/// What the choice of kernels follows from, beside the network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kernels {
    /// What is asked for; where a network or an adapter does not allow it, what comes before it is taken.
    pub mode: Option<ExecutionMode>,
    /// Whether layers do the activations around them along the way, where they go op by op.
    pub fuse: bool,
    /// Which kernels matrix products are asked to take, op by op; else sizes and adapter say.
    pub tiles: Option<&'static MatmulKernel>,
    /// Whether the adapter computes on the CPU.
    pub cpu: bool,
    /// Whether its compiler is FXC, which takes up to 47 seconds for a kernel of whole windows and a few for any other.
    pub fxc: bool,
    /// Whether invocations come in subgroups of eight that can hand values round.
    pub subgroups: bool,
    /// Invocations of a workgroup of the kernels that do a whole network: 8 or 32.
    pub lanes: u32,
    /// Storage buffers that a kernel may have.
    pub storage_buffers: u32,
    /// Bytes of one binding.
    pub binding: u64,
}

/// Invocations of a subgroup on the software driver.
pub(super) const SUBGROUP: u32 = 8;

impl Kernels {
    /// Every op by kernels of its own, which every adapter and network can take: each can be looked at alone.
    pub const OPS: Kernels = Kernels {
        mode: Some(ExecutionMode::Ops),
        fuse: false,
        tiles: Some(&SMALL),
        cpu: false,
        fxc: false,
        subgroups: false,
        lanes: SUBGROUP,
        storage_buffers: 4,
        binding: 0,
    };

    /// Op by op, activations along the way: what every adapter and network can take.
    pub const FUSED_OPS: Kernels = Kernels { fuse: true, tiles: None, ..Kernels::OPS };

    /// The choice for an adapter. `asked` wins over the environment variable `ACCRUE_KERNELS`, and that over our own;
    /// `ACCRUE_TILES` wins over our choice of the kernels of a layer.
    pub fn of(gpu: &Gpu, asked: Option<ExecutionMode>) -> Kernels {
        let info = gpu.info();
        let cpu = info.device_type == wgpu::DeviceType::Cpu;
        let eight = info.subgroup_min_size == SUBGROUP && info.subgroup_max_size == SUBGROUP;
        Kernels {
            mode: asked.or_else(ExecutionMode::from_environment),
            fuse: true,
            tiles: wish("ACCRUE_TILES"),
            cpu,
            fxc: gpu.compiles_with_fxc(),
            lanes: match wish::<Lanes>("ACCRUE_LANES") {
                Some(Lanes(lanes)) => lanes,
                None if cpu => SUBGROUP,
                None => 4 * SUBGROUP,
            },
            subgroups: cpu && eight && gpu.device().features().contains(SUBGROUPS),
            storage_buffers: gpu.limits().max_storage_buffers_per_shader_stage,
            binding: gpu.limits().max_storage_buffer_binding_size,
        }
    }

    /// What the choice of an op's kernels follows from, in micro-batches of so many rows.
    pub fn hardware(&self, rows: usize) -> Hardware {
        Hardware { cpu: self.cpu, subgroups: self.subgroups, matmul: self.tiles.map(|kernel| kernel.name), rows }
    }

    /// What the choice of kernels for matrix products follows from, in micro-batches of so many rows.
    pub fn matmul(&self, rows: usize) -> MatmulPolicy {
        MatmulPolicy { asked: self.tiles, cpu: self.cpu, subgroups: self.subgroups, rows }
    }
}

/// Invocations of a workgroup, for tests of what other adapters would take.
struct Lanes(u32);

impl FromStr for Lanes {
    type Err = String;

    fn from_str(text: &str) -> Result<Lanes, String> {
        let found = [SUBGROUP, 4 * SUBGROUP].into_iter().find(|lanes| lanes.to_string() == text);
        found.map(Lanes).ok_or_else(|| format!("{text:?} is neither 8 nor 32"))
    }
}

/// What an environment variable asks for. One that cannot be understood changes nothing but is told, once.
fn wish<T: FromStr<Err = String>>(variable: &str) -> Option<T> {
    static TOLD: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());
    let tell = |message: &String| {
        if TOLD.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).insert(variable.to_owned()) {
            log::warn!("{variable}: {message}; it is ignored");
        }
    };
    std::env::var(variable).ok()?.parse().inspect_err(tell).ok()
}
