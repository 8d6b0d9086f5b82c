//! Checks whether a plan fits a device before anything is allocated.

use super::{BLOCK, Buffer, BufferRole, Plan};
use crate::gpu::{Gpu, Grid};
use crate::graph::Step;
use crate::{Error, Result};

/// Most loop iterations of one invocation. Mesa's llvmpipe ends a loop after 65535 iterations.
pub const LOOP_LIMIT: u64 = 60_000;

/// Something that exceeds a device's limits, and the rows of a micro-batch that would not; `None` if fewer rows do not help.
struct Excess {
    what: String,
    rows: Option<usize>,
}

impl Plan {
    /// Refuses a plan that the device's limits do not allow, and says what would fit. Whether the device has free memory shows
    /// only at allocation; the limits of one buffer and one binding are known before.
    ///
    /// # Errors
    /// [`Error::Memory`] naming what is too large, and the largest micro-batch that fits.
    pub fn check(&self, gpu: &Gpu) -> Result<()> {
        let mut excess = self.excess_of_sizes(gpu.limits());
        for step in self.steps() {
            excess.extend(self.excess_of_groups(gpu, step)?);
            if gpu.info().device_type == wgpu::DeviceType::Cpu {
                excess.extend(self.excess_of_loops(step));
            }
        }
        refuse(excess)
    }

    /// The part of [`Plan::check`] that needs only limits: the sizes of buffers and bindings.
    pub(super) fn check_sizes(&self, limits: &wgpu::Limits) -> Result<()> {
        refuse(self.excess_of_sizes(limits))
    }

    fn excess_of_sizes(&self, limits: &wgpu::Limits) -> Vec<Excess> {
        let most = limits.max_buffer_size;
        let mut excess: Vec<Excess> =
            self.buffers.iter().filter_map(|buffer| self.excess(buffer, buffer.bytes, most, "a buffer")).collect();
        let most = limits.max_storage_buffer_binding_size;
        let bindings = self.steps().flat_map(|step| &step.bindings);
        for stretch in bindings.filter_map(|&(_, place)| self.places.find(place)) {
            excess.extend(self.excess(&self.buffers[stretch.buffer], stretch.size, most, "a kernel"));
        }
        excess
    }

    fn excess(&self, buffer: &Buffer, bytes: u64, most: u64, whose: &str) -> Option<Excess> {
        if bytes <= most {
            return None;
        }
        let (need, most_text) = (size(bytes), size(most));
        let limit = format!("but {whose} of this adapter takes {most_text} at most");
        Some(match buffer.role {
            BufferRole::Parameters | BufferRole::Gradients | BufferRole::Optimizer => {
                Excess { what: format!("{} need {need} at once, {limit}", buffer.role.name()), rows: None }
            }
            BufferRole::Activations | BufferRole::Records | BufferRole::Control | BufferRole::Copies => {
                let rows = self.micro_batch.next_multiple_of(4) as u128 * u128::from(most) / u128::from(bytes);
                let what = format!("a micro-batch of {} rows needs {need} at once, {limit}", self.micro_batch);
                Excess { what, rows: Some(rows as usize / 4 * 4) }
            }
        })
    }

    fn excess_of_groups(&self, gpu: &Gpu, step: &Step) -> Result<Option<Excess>> {
        let reflection = step.shader.reflection()?;
        let Some(entry) = reflection.entries.get(step.entry) else { return Ok(None) };
        let most = gpu.limits().max_compute_workgroups_per_dimension;
        let [wide, high, _] = entry.workgroup;
        let positions = step.blocks.positions as u64;
        let lines = u32::try_from(self.micro_batch as u64 * positions).unwrap_or(u32::MAX);
        let [x, y] = step.grid.groups(entry.workgroup, lines, most);
        let rows = match step.grid {
            Grid::Tiles { rows_each, .. } if x <= most => {
                Some(u64::from(most) * u64::from(high * rows_each) / positions)
            }
            Grid::Elements { columns } if x <= most => {
                let high = u64::from(wide * high / Grid::wide(columns));
                Some(u64::from(most) * high / positions)
            }
            Grid::Rows => Some(u64::from(most) * u64::from(wide) / positions),
            _ => None,
        };
        let excess = x.max(y) > most;
        let what = format!("{} takes {x} × {y} workgroups, but this adapter allows {most} a dimension", step.label);
        Ok(excess.then_some(Excess { what, rows: rows.map(|rows| rows as usize) }))
    }
}

impl Plan {
    /// The software driver silently ends an invocation's loops after 65535 iterations.
    fn excess_of_loops(&self, step: &Step) -> Option<Excess> {
        let turns = step.loops.of(self.micro_batch, step.blocks);
        if turns <= LOOP_LIMIT {
            return None;
        }
        let what =
            format!("{} takes loops of {turns} iterations, but this driver allows {LOOP_LIMIT} at most", step.label);
        Some(Excess { what, rows: step.loops.rows_within(LOOP_LIMIT, step.blocks) })
    }
}

fn refuse(excess: Vec<Excess>) -> Result<()> {
    // First what fewer rows do not cure, then what allows the fewest rows.
    let Some(worst) = excess.into_iter().min_by_key(|excess| excess.rows.unwrap_or(0)) else { return Ok(()) };
    let remedy = match worst.rows {
        None | Some(0) => "make model.layers narrower, or take another adapter (`accrue devices` lists them)".into(),
        Some(rows) if rows > BLOCK => format!("give train.micro_batch = {} or less", rows / BLOCK * BLOCK),
        Some(rows) => format!("give train.micro_batch = {rows} or less"),
    };
    Err(Error::Memory(format!("{}; {remedy}", worst.what)))
}

/// A number of bytes, for people.
pub fn size(bytes: u64) -> String {
    match bytes {
        b if b >= 1 << 30 => format!("{:.2} GiB", b as f64 / f64::from(1 << 30)),
        b if b >= 1 << 20 => format!("{:.2} MiB", b as f64 / f64::from(1 << 20)),
        b if b >= 1 << 10 => format!("{:.1} KiB", b as f64 / 1024.0),
        b => format!("{b} bytes"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gpu::Choice;
    use crate::nn::Model;

    fn check(model: &Model, rows: usize, limits: wgpu::Limits) -> Result<()> {
        let gpu = Gpu::with_limits(&Choice::default(), limits)?;
        let network = model.network(false)?;
        let done = Plan::new(&network.graph, network.output, rows, None)?.check(&gpu);
        assert_eq!(gpu.counts().buffers, 0, "nothing is made");
        done
    }

    #[test]
    fn the_micro_batch_that_is_suggested_is_the_largest_of_whole_blocks_that_fits() {
        let model = Model::new(3, &[1000.into(), "relu".into(), 2.into()], "mse").unwrap();
        let limits = wgpu::Limits { max_storage_buffer_binding_size: 1 << 20, ..wgpu::Limits::downlevel_defaults() };
        let text = check(&model, 4000, limits.clone()).unwrap_err().to_string();
        assert!(
            text.contains("4000 rows needs 15.26 MiB at once, but a kernel of this adapter takes 1.00 MiB"),
            "{text}"
        );
        assert!(text.ends_with("give train.micro_batch = 256 or less"), "{text}");
        check(&model, 256, limits.clone()).unwrap();
        assert!(matches!(check(&model, 288, limits), Err(Error::Memory(_))));
    }

    #[test]
    fn parameters_that_cannot_be_bound_are_no_matter_of_rows() {
        let model = Model::new(1000, &[1000.into()], "mse").unwrap();
        let limits = wgpu::Limits { max_storage_buffer_binding_size: 1 << 20, ..wgpu::Limits::downlevel_defaults() };
        let text = check(&model, 1, limits).unwrap_err().to_string();
        assert!(text.starts_with("parameters need 3.8") && text.contains("make model.layers narrower"), "{text}");
    }
}
