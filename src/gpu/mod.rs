//! Everything that knows `wgpu`: adapter, device, shaders, buffers, the one submit, read-back and
//! timestamps. It knows no mathematics.

pub mod adapter;
mod buffer;
mod cost;
mod dispatch;
pub mod limits;
mod pending_map;
pub mod profile;
mod profiler;
mod queue;
mod recorder;
mod shader;
mod texels;

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

pub use adapter::Choice;
pub(crate) use buffer::fresh;
pub use buffer::usage;
pub use cost::{Cost, CostKind, Label};
pub use dispatch::{Bound, Dispatch, Grid, Kernel, SLOT, encode};
pub use pending_map::ReadbackRing;
pub use profiler::{Profiler, TIMED, TIMESTAMPS};
pub use queue::{PATIENCE, is_caught_panic};
pub use recorder::Recorder;
pub use shader::{Access, Binding, Entry, Reflection, Scalar, Shader};
pub use texels::Texels;
pub(crate) use texels::{height as texels_high, size as texels_size};

use crate::{Error, Result};

/// Features used if the adapter offers them: subgroups that exchange values and have barriers.
pub const SUBGROUPS: wgpu::Features = wgpu::Features::SUBGROUP.union(wgpu::Features::SUBGROUP_BARRIER);

/// A device, its queue and the pipelines made for it. Cloning is cheap and shares all of it.
///
/// A `Gpu` made from a host's device installs no callback on it and leaves its error scopes as they are.
#[derive(Clone)]
pub struct Gpu {
    inner: Arc<Inner>,
}

struct Inner {
    device: wgpu::Device,
    queue: wgpu::Queue,
    info: wgpu::AdapterInfo,
    why: String,
    limits: wgpu::Limits,
    offers: wgpu::Features,
    counters: Counters,
    /// Buffers until one fails on purpose; 0: none does.
    failing: AtomicU64,
    /// Submissions until one is dropped on purpose; 0: none is.
    dropping: AtomicU64,
    /// Most milliseconds to wait for work.
    patience: AtomicU64,
    kernels: Mutex<HashMap<String, Arc<Kernel>>>,
}

#[derive(Default)]
struct Counters {
    buffers: AtomicU64,
    bytes: AtomicU64,
    bind_groups: AtomicU64,
    pipelines: AtomicU64,
    submits: AtomicU64,
    dispatches: AtomicU64,
    waits: AtomicU64,
    written: AtomicU64,
}

/// What was made and done on a [`Gpu`] since it was created.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ResourceCounts {
    /// Buffers made.
    pub buffers: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Bind groups made.
    pub bind_groups: u64,
    /// Pipelines made.
    pub pipelines: u64,
    /// Command buffers submitted.
    pub submits: u64,
    /// Dispatches encoded.
    pub dispatches: u64,
    /// Times that the host waited for the device.
    pub waits: u64,
    /// Bytes that the host wrote to buffers.
    pub written: u64,
}

impl Gpu {
    /// Opens a device of our own, on the chosen adapter or else on the best one.
    ///
    /// # Errors
    /// [`Error::NoAdapter`], with a list of adapters, if none matches, or if timestamps are wanted and the adapter has none.
    /// Whether the driver compiles our kernels shows when they are made, as [`Error::Kernel`]; [`Choice::passed_over`] then
    /// takes the next adapter.
    pub fn new(choice: &Choice) -> Result<Gpu> {
        pollster::block_on(Self::open(choice, None))
    }

    /// As [`Gpu::new`], but with exactly these limits: what runs here runs on the smallest adapter that grants them.
    pub fn with_limits(choice: &Choice, limits: wgpu::Limits) -> Result<Gpu> {
        pollster::block_on(Self::open(choice, Some(limits)))
    }

    async fn open(choice: &Choice, limits: Option<wgpu::Limits>) -> Result<Gpu> {
        let (found, why) = adapter::choose(adapter::list().await, choice)?;
        // Exact limits also mean no optional features.
        let features = if limits.is_some() { wgpu::Features::empty() } else { SUBGROUPS & found.adapter.features() };
        let limits = limits.unwrap_or_else(|| found.adapter.limits());
        limits::check(&limits, &found.describe(), "take another adapter (`accrue devices` lists them)")?;
        let offers = found.adapter.features();
        if choice.timestamps && !offers.contains(TIMESTAMPS) {
            return Err(Error::NoAdapter(format!(
                "{} cannot time kernels: it has no timestamps inside of passes; train without a profile, or take another \
                 adapter (`accrue devices` lists them)",
                found.describe()
            )));
        }
        let descriptor = wgpu::DeviceDescriptor {
            label: Some("accrue"),
            required_features: if choice.timestamps { features | TIMESTAMPS } else { features },
            required_limits: limits.clone(),
            memory_hints: wgpu::MemoryHints::MemoryUsage,
            ..Default::default()
        };
        let (device, queue) = found
            .adapter
            .request_device(&descriptor)
            .await
            .map_err(|e| Error::NoAdapter(format!("{} gives no device: {e}", found.describe())))?;
        // Our own device: an error outside our error scopes is logged, and does not abort.
        device.on_uncaptured_error(Arc::new(|error: wgpu::Error| log::error!("wgpu: {error}")));
        Ok(Self::assemble(device, queue, found.info, why, offers))
    }

    /// Uses the device and queue of a host.
    ///
    /// # Errors
    /// [`Error::NoAdapter`] if the device was made with a limit below [`limits::LEAST`]; it names the limit.
    pub fn from_host(device: &wgpu::Device, queue: &wgpu::Queue) -> Result<Gpu> {
        let remedy = "request it with wgpu::Limits::downlevel_defaults() or more";
        limits::check(&device.limits(), "the host's device", remedy)?;
        let why = "the host's device".to_owned();
        Ok(Self::assemble(device.clone(), queue.clone(), device.adapter_info(), why, device.features()))
    }

    fn assemble(
        device: wgpu::Device,
        queue: wgpu::Queue,
        info: wgpu::AdapterInfo,
        why: String,
        offers: wgpu::Features,
    ) -> Gpu {
        let limits = device.limits();
        let patience = queue::patience_with(info.device_type);
        let inner = Inner {
            device,
            queue,
            info,
            why,
            limits,
            offers,
            counters: Counters::default(),
            failing: AtomicU64::new(0),
            dropping: AtomicU64::new(0),
            patience: AtomicU64::new(patience.as_millis() as u64),
            kernels: Mutex::default(),
        };
        Gpu { inner: Arc::new(inner) }
    }

    /// The device, for a host that makes its own buffers and encoders.
    pub fn device(&self) -> &wgpu::Device {
        &self.inner.device
    }

    /// The queue of all submissions.
    pub fn queue(&self) -> &wgpu::Queue {
        &self.inner.queue
    }

    /// The adapter's name, backend, driver and kind.
    pub fn info(&self) -> &wgpu::AdapterInfo {
        &self.inner.info
    }

    /// Why this adapter was taken.
    pub fn why(&self) -> &str {
        &self.inner.why
    }

    /// What the device allows.
    pub fn limits(&self) -> &wgpu::Limits {
        &self.inner.limits
    }

    /// Optional features of the adapter; for a host's device, the features it was made with. Only needed ones are used.
    pub fn offers(&self) -> wgpu::Features {
        self.inner.offers
    }

    /// Whether FXC, Microsoft's older compiler, compiles the kernels: on DX12 without `dxcompiler.dll`, and so without
    /// subgroups, which none of FXC's shader models has. A host's DX12 device made without subgroups counts as such, too.
    pub fn compiles_with_fxc(&self) -> bool {
        self.inner.info.backend == wgpu::Backend::Dx12 && !self.inner.offers.contains(wgpu::Features::SUBGROUP)
    }

    /// What was made and done so far.
    pub fn counts(&self) -> ResourceCounts {
        let c = &self.inner.counters;
        let get = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        ResourceCounts {
            buffers: get(&c.buffers),
            bytes: get(&c.bytes),
            bind_groups: get(&c.bind_groups),
            pipelines: get(&c.pipelines),
            submits: get(&c.submits),
            dispatches: get(&c.dispatches),
            waits: get(&c.waits),
            written: get(&c.written),
        }
    }

    /// Makes the `nth` buffer from now on, counted from 1, fail once as if the device had no memory left: for tests.
    #[doc(hidden)]
    pub fn fail_allocation(&self, nth: u64) {
        self.inner.failing.store(nth, Ordering::Relaxed);
    }

    /// Whether the next buffer is the one to fail.
    fn fails_now(&self) -> bool {
        counted_down(&self.inner.failing)
    }

    /// Runs `make` and turns a driver's complaint into an error, without a callback on the device.
    pub(crate) fn checked<T>(&self, what: &str, make: impl FnOnce() -> T) -> Result<T> {
        let (made, error) = self.scoped(make);
        match error {
            None => Ok(made),
            Some(wgpu::Error::OutOfMemory { .. }) => Err(no_memory(what)),
            // On a lost device wgpu makes invalid objects without an error; using them is an error.
            Some(_) if self.is_lost() => Err(queue::took_no_more()),
            Some(error) => Err(Error::Internal(format!("{what}: {error}"))),
        }
    }

    /// What was made, and the error, if there was one.
    fn scoped<T>(&self, make: impl FnOnce() -> T) -> (T, Option<wgpu::Error>) {
        let memory = self.inner.device.push_error_scope(wgpu::ErrorFilter::OutOfMemory);
        let validation = self.inner.device.push_error_scope(wgpu::ErrorFilter::Validation);
        let internal = self.inner.device.push_error_scope(wgpu::ErrorFilter::Internal);
        let made = make();
        let internal = pollster::block_on(internal.pop());
        let validation = pollster::block_on(validation.pop());
        let memory = pollster::block_on(memory.pop());
        (made, memory.or(internal).or(validation))
    }
}

/// Whether a counter that counts down reaches 0 now.
fn counted_down(left: &AtomicU64) -> bool {
    left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)) == Ok(1)
}

fn no_memory(what: &str) -> Error {
    Error::Memory(format!("the device has no memory left for {what}; use a smaller train.micro_batch"))
}
