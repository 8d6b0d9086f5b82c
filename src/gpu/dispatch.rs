//! Kernels, and dispatches whose pipeline, bind group and grid are fixed before the first one runs.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::texels::Copy;
use super::{Access, Cost, Entry, Gpu, Label, Profiler, Recorder, Reflection, Shader, Texels, adapter};
use crate::{Error, Result};

/// The distance of changing uniforms in their buffer; it satisfies every adapter's alignment.
pub const SLOT: u32 = 256;

/// A pipeline and its bindings.
pub struct Kernel {
    pipeline: wgpu::ComputePipeline,
    layout: wgpu::BindGroupLayout,
    entry: Entry,
    label: String,
}

/// The number of invocations of a dispatch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Grid {
    /// `columns` along x; along y one for each `rows_each` lines of the micro-batch.
    Tiles {
        /// Invocations along x.
        columns: u32,
        /// Lines per invocation.
        rows_each: u32,
    },
    /// One for each of `columns` vec4 of each line of the micro-batch, in workgroups of `place_of` in `shaders/lib/clock.wgsl`.
    Elements {
        /// Of a line, in vec4.
        columns: u32,
    },
    /// One along x for each line of the micro-batch.
    Rows,
    /// `columns` × `rows`, independent of the micro-batch.
    Fixed {
        /// Invocations along x.
        columns: u32,
        /// Invocations along y.
        rows: u32,
    },
    /// This many in one line, folded if it is longer than a dimension allows.
    Line(u32),
    /// One workgroup.
    Group,
}

impl Grid {
    /// The vec4 side by side in a workgroup of [`Grid::Elements`]: `ACROSS`.
    pub fn wide(columns: u32) -> u32 {
        columns.next_power_of_two().min(8)
    }

    /// Workgroups along x and y for a micro-batch of `rows` lines.
    pub fn groups(self, workgroup: [u32; 3], rows: u32, most: u32) -> [u32; 2] {
        let [wide, high, _] = workgroup;
        match self {
            Grid::Tiles { columns, rows_each } => [columns.div_ceil(wide), rows.div_ceil(rows_each).div_ceil(high)],
            Grid::Elements { columns } => {
                let wide = Grid::wide(columns);
                [columns.div_ceil(wide), rows.div_ceil((workgroup.iter().product::<u32>() / wide).max(1))]
            }
            Grid::Rows => [rows.div_ceil(wide), 1],
            Grid::Fixed { columns, rows } => [columns.div_ceil(wide), rows.div_ceil(high)],
            Grid::Line(count) => {
                let groups = count.div_ceil(wide);
                let x = groups.min(most);
                [x, groups.div_ceil(x.max(1))]
            }
            Grid::Group => [1, 1],
        }
    }
}

/// A buffer, or a part of one, for one variable of a kernel.
#[derive(Clone)]
pub struct Bound {
    /// The buffer.
    pub buffer: wgpu::Buffer,
    /// First byte.
    pub offset: u64,
    /// Bytes.
    pub size: u64,
}

impl Bound {
    /// All of a buffer.
    pub fn whole(buffer: &wgpu::Buffer) -> Bound {
        Bound { buffer: buffer.clone(), offset: 0, size: buffer.size() }
    }
}

/// Everything about a dispatch except the rows of the micro-batch.
pub struct Dispatch {
    kernel: Arc<Kernel>,
    group: wgpu::BindGroup,
    grid: Grid,
    lines: u32,
    scalars: bool,
    label: Arc<Label>,
    parts: Vec<Dispatch>,
    copies: Vec<Copy>,
}

impl Dispatch {
    /// Names it, for a profile.
    pub fn labelled(self, label: Label) -> Dispatch {
        Dispatch { label: Arc::new(label), ..self }
    }

    /// Sets finer dispatches with the same result.
    pub fn with_parts(self, parts: Vec<Dispatch>) -> Dispatch {
        Dispatch { parts, ..self }
    }

    /// Finer dispatches with the same result; empty if it is never long.
    pub fn parts(&self) -> &[Dispatch] {
        &self.parts
    }

    /// Its cost.
    pub fn cost(&self) -> &Cost {
        &self.label.cost
    }
}

impl Gpu {
    /// The pipeline of an entry point with these constants, made once; it reads the variables `through` through textures.
    ///
    /// # Errors
    /// [`Error::Kernel`] if the driver does not compile it; some drivers report that by losing the device.
    pub fn kernel(
        &self,
        shader: &Shader,
        entry: &str,
        constants: &[(&'static str, f64)],
        through: &[&str],
    ) -> Result<Arc<Kernel>> {
        let reads = if through.is_empty() { String::new() } else { format!(" through textures: {through:?}") };
        let label = format!("accrue.{}.{entry} {constants:?}{reads}", shader.name);
        let mut kernels = self.inner.kernels.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        if let Some(kernel) = kernels.get(&label) {
            return Ok(kernel.clone());
        }
        let reflection = shader.reflection_reading(entry, through)?;
        let found = reflection.entries.get(entry);
        let found =
            found.ok_or_else(|| Error::Internal(format!("shader {} has no entry {entry}", shader.name)))?.clone();
        self.alive()?;
        let made = self.checked("the driver", || self.make_kernel(&reflection, entry, found, constants, &label));
        let kernel = match made {
            // If a driver gives up its device, wgpu returns an invalid kernel but no error.
            Ok(_) if matches!(self.alive(), Err(Error::DeviceLost(_))) => {
                Err(self.not_compiled(&label, "the driver gave up its device".to_owned()))
            }
            Err(Error::Internal(message) | Error::DeviceLost(message)) => Err(self.not_compiled(&label, message)),
            made => made,
        }?;
        self.inner.counters.pipelines.fetch_add(1, Ordering::Relaxed);
        let kernel = Arc::new(kernel);
        kernels.insert(label, kernel.clone());
        Ok(kernel)
    }

    fn not_compiled(&self, kernel: &str, message: String) -> Error {
        Error::Kernel { adapter: adapter::describe(&self.inner.info), kernel: kernel.to_owned(), message }
    }

    fn make_kernel(
        &self,
        reflection: &Reflection,
        name: &str,
        entry: Entry,
        constants: &[(&'static str, f64)],
        label: &str,
    ) -> Kernel {
        let device = &self.inner.device;
        let module = device.create_shader_module(wgpu::ShaderModuleDescriptor {
            label: Some(label),
            source: wgpu::ShaderSource::Naga(std::borrow::Cow::Owned(reflection.module.clone())),
        });
        let entries: Vec<_> = entry.bindings.iter().map(|b| layout_entry(b.index, &b.name, b.access)).collect();
        let layout =
            device.create_bind_group_layout(&wgpu::BindGroupLayoutDescriptor { label: Some(label), entries: &entries });
        let pipeline_layout = device.create_pipeline_layout(&wgpu::PipelineLayoutDescriptor {
            label: Some(label),
            bind_group_layouts: &[Some(&layout)],
            immediate_size: 0,
        });
        let pipeline = device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
            label: Some(label),
            layout: Some(&pipeline_layout),
            module: &module,
            entry_point: Some(name),
            compilation_options: wgpu::PipelineCompilationOptions {
                constants,
                // Every kernel writes its workgroup memory before reading it.
                zero_initialize_workgroup_memory: false,
            },
            cache: None,
        });
        Kernel { pipeline, layout, entry, label: label.to_owned() }
    }

    /// Binds a kernel's variables, each by its name; what it reads through textures is copied to those in `texels`, in their
    /// order. A row of the micro-batch takes `lines` of the grid.
    pub fn dispatch(
        &self,
        kernel: Arc<Kernel>,
        bound: &[(&str, Bound)],
        texels: &[Texels],
        grid: Grid,
        lines: u32,
        most_rows: u32,
    ) -> Result<Dispatch> {
        let mut entries = Vec::with_capacity(kernel.entry.bindings.len());
        let (mut copies, mut texels) = (Vec::new(), texels.iter());
        for binding in &kernel.entry.bindings {
            let found = bound.iter().find(|(name, _)| *name == binding.name);
            let (_, found) =
                found.ok_or_else(|| Error::Internal(format!("{}: {} is not bound", kernel.label, binding.name)))?;
            let limits = &self.inner.limits;
            if binding.access != Access::Uniform && found.size > limits.max_storage_buffer_binding_size {
                return Err(Error::Memory(format!(
                    "{}: {} has {} bytes, but this adapter binds {} at most; make the layer or train.micro_batch smaller",
                    kernel.label, binding.name, found.size, limits.max_storage_buffer_binding_size
                )));
            }
            if binding.access == Access::Texels {
                let texels = texels.next();
                let texels = texels.ok_or_else(|| Error::Internal(format!("{}: too few texels", kernel.label)))?;
                let resource = wgpu::BindingResource::TextureView(&texels.view);
                entries.push(wgpu::BindGroupEntry { binding: binding.index, resource });
                copies.push(Copy::new(found.clone(), texels.clone()));
                continue;
            }
            let resource = wgpu::BufferBinding {
                buffer: &found.buffer,
                offset: found.offset,
                size: std::num::NonZeroU64::new(found.size),
            };
            entries.push(wgpu::BindGroupEntry {
                binding: binding.index,
                resource: wgpu::BindingResource::Buffer(resource),
            });
        }
        let most = self.inner.limits.max_compute_workgroups_per_dimension;
        let groups = grid.groups(kernel.entry.workgroup, most_rows.saturating_mul(lines), most);
        if groups.iter().any(|&n| n > most) {
            return Err(Error::Memory(format!(
                "{}: {groups:?} workgroups, but this adapter allows {most} a dimension; make train.micro_batch smaller",
                kernel.label
            )));
        }
        let descriptor =
            wgpu::BindGroupDescriptor { label: Some(&kernel.label), layout: &kernel.layout, entries: &entries };
        let group = self.checked(&kernel.label, || self.inner.device.create_bind_group(&descriptor))?;
        self.inner.counters.bind_groups.fetch_add(1, Ordering::Relaxed);
        let scalars = kernel.entry.bindings.iter().any(|binding| binding.name == "scalars");
        Ok(Dispatch { kernel, group, grid, lines, scalars, label: Arc::default(), parts: Vec::new(), copies })
    }
}

/// The uniforms `clock` and `scalars` change from dispatch to dispatch; `dims` stays.
fn layout_entry(index: u32, name: &str, access: Access) -> wgpu::BindGroupLayoutEntry {
    let has_dynamic_offset = matches!(name, "clock" | "scalars" | "items");
    let buffer = |ty| wgpu::BindingType::Buffer { ty, has_dynamic_offset, min_binding_size: None };
    let ty = match access {
        Access::Uniform => buffer(wgpu::BufferBindingType::Uniform),
        Access::Read => buffer(wgpu::BufferBindingType::Storage { read_only: true }),
        Access::ReadWrite => buffer(wgpu::BufferBindingType::Storage { read_only: false }),
        Access::Texels => wgpu::BindingType::Texture {
            sample_type: wgpu::TextureSampleType::Float { filterable: false },
            view_dimension: wgpu::TextureViewDimension::D2,
            multisampled: false,
        },
    };
    wgpu::BindGroupLayoutEntry { binding: index, visibility: wgpu::ShaderStages::COMPUTE, ty, count: None }
}

/// Encodes dispatches for a micro-batch of `rows` rows. `clock` is the offset of the clock's [`SLOT`]; an update's scalars lie
/// one slot further. A profiler times each dispatch.
pub fn encode(
    gpu: &Gpu,
    recorder: &mut Recorder<'_>,
    dispatches: &[Dispatch],
    rows: u32,
    clock: u32,
    mut profiler: Option<&mut Profiler>,
) {
    for dispatch in dispatches {
        dispatch.encode(gpu, recorder, rows, clock, profiler.as_deref_mut());
    }
}

impl Dispatch {
    /// Encodes this dispatch, as [`encode`] does.
    pub fn encode(
        &self,
        gpu: &Gpu,
        recorder: &mut Recorder<'_>,
        rows: u32,
        clock: u32,
        profiler: Option<&mut Profiler>,
    ) {
        let bindings = &self.kernel.entry.bindings;
        let clocked = bindings.iter().any(|binding| matches!(binding.name.as_str(), "clock" | "items"));
        let offsets = [clock + SLOT, clock];
        let offsets = match (self.scalars, clocked) {
            (true, true) => &offsets[..],
            (true, false) => &offsets[..1],
            (false, true) => &offsets[1..],
            (false, false) => &[],
        };
        let most = gpu.inner.limits.max_compute_workgroups_per_dimension;
        let [x, y] = self.grid.groups(self.kernel.entry.workgroup, rows.saturating_mul(self.lines), most);
        let timed = profiler.and_then(|p| p.before(recorder.pass(), &self.label, rows).then_some(p));
        self.copies.iter().for_each(|copy| copy.record(recorder.between_passes()));
        let pass = recorder.pass();
        pass.set_pipeline(&self.kernel.pipeline);
        pass.set_bind_group(0, &self.group, offsets);
        pass.dispatch_workgroups(x, y, 1);
        if let Some(profiler) = timed {
            profiler.after(pass);
        }
        gpu.inner.counters.dispatches.fetch_add(1, Ordering::Relaxed);
    }
}
