//! Which kernels a plan takes among several for the same work. All give the same bits.

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
    /// Op by op, each op with its own kernels.
    Ops,
    /// One kernel for all ops with rows, one for all gradients of parameters.
    Fused,
    /// Whole windows in one kernel, run by a single workgroup.
    Windows,
}

impl ExecutionMode {
    /// All modes.
    pub const ALL: [ExecutionMode; 3] = [ExecutionMode::Ops, ExecutionMode::Fused, ExecutionMode::Windows];

    /// Its name in a configuration.
    pub fn name(self) -> &'static str {
        match self {
            ExecutionMode::Ops => "ops",
            ExecutionMode::Fused => "fused",
            ExecutionMode::Windows => "windows",
        }
    }

    /// The mode that the environment variable `ACCRUE_KERNELS` requests.
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

/// What decides the choice of kernels, besides the network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kernels {
    /// The requested mode; if network or adapter do not allow it, the plan takes the one before it.
    pub mode: Option<ExecutionMode>,
    /// Whether layers compute the activations around them, in mode `ops`.
    pub fuse: bool,
    /// The requested matmul kernel for mode `ops`; by default sizes and adapter decide.
    pub tiles: Option<&'static MatmulKernel>,
    /// Whether the adapter computes on the CPU.
    pub cpu: bool,
    /// Whether the adapter's compiler is FXC, which takes up to 47 seconds for a kernel of whole windows and a few for any
    /// other.
    pub fxc: bool,
    /// Whether invocations come in subgroups of eight that can exchange values.
    pub subgroups: bool,
    /// Invocations per workgroup of the kernels that compute a whole network: 8 or 32.
    pub lanes: u32,
    /// Storage buffers allowed per kernel.
    pub storage_buffers: u32,
    /// Bytes of one binding.
    pub binding: u64,
    /// How kernels read what they only read.
    pub reads: Reads,
}

/// Invocations of a subgroup on the software driver.
pub(super) const SUBGROUP: u32 = 8;

impl Kernels {
    /// Every op with its own kernels, so that each can be checked alone; every adapter and network allows this.
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
        reads: Reads::Buffers,
    };

    /// Op by op, with fused activations; every adapter and network allows this.
    pub const FUSED_OPS: Kernels = Kernels { fuse: true, tiles: None, ..Kernels::OPS };

    /// The choice for an adapter. `asked` wins over the environment variable `ACCRUE_KERNELS`, which wins over the default;
    /// `ACCRUE_TILES` wins over the default matmul kernel, and `ACCRUE_READS` over the default way to read.
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
            reads: Reads::of(gpu),
        }
    }

    /// As [`Kernels::of`]; without `copies`, everything is read from buffers.
    pub fn with(gpu: &Gpu, asked: Option<ExecutionMode>, copies: bool) -> Kernels {
        let kernels = Kernels::of(gpu, asked);
        if copies { kernels } else { Kernels { reads: Reads::Buffers, ..kernels } }
    }

    /// What decides the choice of an op's kernels, for micro-batches of this many rows.
    pub fn hardware(&self, rows: usize) -> Hardware {
        Hardware { cpu: self.cpu, subgroups: self.subgroups, matmul: self.tiles.map(|kernel| kernel.name), rows }
    }

    /// What decides the choice of matmul kernels, for micro-batches of this many rows.
    pub fn matmul(&self, rows: usize) -> MatmulPolicy {
        MatmulPolicy { asked: self.tiles, cpu: self.cpu, subgroups: self.subgroups, rows }
    }
}

/// Invocations per workgroup, so that tests can try other adapters' choice.
struct Lanes(u32);

impl FromStr for Lanes {
    type Err = String;

    fn from_str(text: &str) -> Result<Lanes, String> {
        let found = [SUBGROUP, 4 * SUBGROUP].into_iter().find(|lanes| lanes.to_string() == text);
        found.map(Lanes).ok_or_else(|| format!("{text:?} is neither 8 nor 32"))
    }
}

/// How kernels read what they only read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reads {
    /// From the buffers that hold it.
    Buffers,
    /// Through textures, in copies.
    Textures {
        /// Most lines of a texture.
        lines: u64,
        /// A kernel that reads fewer bytes reads them from buffers.
        from: u64,
    },
}

impl Reads {
    /// Below this many bytes a copy takes longer than it saves.
    const WORTH: u64 = 16 << 10;

    /// The choice for an adapter: Mesa's software driver reads faster through textures.
    pub fn of(gpu: &Gpu) -> Reads {
        let faster = if gpu.info().driver == "llvmpipe" { Wish::Textures } else { Wish::Buffers };
        match wish("ACCRUE_READS").unwrap_or(faster) {
            Wish::Buffers => Reads::Buffers,
            Wish::Textures => Reads::through_textures(gpu, Reads::WORTH),
        }
    }

    /// Through textures, what has at least so many bytes.
    pub fn through_textures(gpu: &Gpu, from: u64) -> Reads {
        Reads::Textures { lines: u64::from(gpu.limits().max_texture_dimension_2d), from }
    }
}

/// A value of `ACCRUE_READS`.
enum Wish {
    Buffers,
    Textures,
}

impl FromStr for Wish {
    type Err = String;

    fn from_str(text: &str) -> Result<Wish, String> {
        match text {
            "buffers" => Ok(Wish::Buffers),
            "textures" => Ok(Wish::Textures),
            _ => Err(format!("{text:?} is neither buffers nor textures")),
        }
    }
}

/// The value of an environment variable. A value that cannot be parsed is ignored, with one warning.
fn wish<T: FromStr<Err = String>>(variable: &str) -> Option<T> {
    static TOLD: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());
    let tell = |message: &String| {
        if TOLD.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).insert(variable.to_owned()) {
            log::warn!("{variable}: {message}; it is ignored");
        }
    };
    std::env::var(variable).ok()?.parse().inspect_err(tell).ok()
}
