//! `accrue devices`: the adapters, and which one would be taken.

use clap::Args;

use super::Command;
use crate::cli::exit::Stop;
use crate::cli::progress::print;
use crate::gpu::adapter::{self, Choice};
use crate::plan::size;

/// List the adapters, their limits, and which one would be chosen.
#[derive(Debug, PartialEq, Args)]
pub struct Devices {}

impl Command for Devices {
    fn run(&self) -> Result<(), Stop> {
        let found = pollster::block_on(adapter::list());
        let lines: Vec<(String, [String; 2])> = found
            .iter()
            .map(|found| {
                let limits = found.adapter.limits();
                let sizes = format!(
                    "buffer {}, binding {}, workgroup memory {}",
                    size(limits.max_buffer_size),
                    size(limits.max_storage_buffer_binding_size),
                    size(u64::from(limits.max_compute_workgroup_storage_size)),
                );
                let counts = format!(
                    "{} storage buffers a kernel, {} invocations a workgroup, {} workgroups a dimension",
                    limits.max_storage_buffers_per_shader_stage,
                    limits.max_compute_invocations_per_workgroup,
                    limits.max_compute_workgroups_per_dimension,
                );
                (found.describe(), [sizes, counts])
            })
            .collect();
        let (chosen, why) = adapter::choose(found, &Choice::default())?;
        let chosen = chosen.describe();
        let mut text = String::new();
        let mut marked = false;
        for (name, limits) in lines {
            let mark = if name == chosen && !marked { "*" } else { " " };
            marked |= mark == "*";
            text += &format!("{mark} {name}\n");
            for line in limits {
                text += &format!("    {line}\n");
            }
        }
        text += &format!("* would be used: {why}\n");
        Ok(print(&text)?)
    }
}
