//! `accrue devices`: the adapters, and which one would be taken.

use clap::Args;
use serde_json::{Value, json};

use super::Command;
use crate::cli::exit::Stop;
use crate::cli::progress::{json_line, print};
use crate::gpu::adapter::{self, Choice, Found};
use crate::plan::size;

/// List the adapters, their limits, and which one would be chosen.
#[derive(Debug, PartialEq, Args)]
pub struct Devices {
    /// Print one JSON object instead of text.
    #[arg(long)]
    pub json: bool,
}

impl Command for Devices {
    fn run(&self) -> Result<(), Stop> {
        let found = pollster::block_on(adapter::list());
        let listed: Vec<Value> = found.iter().map(page).collect();
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
        if self.json {
            return Ok(print(&json_line(&json!({ "adapters": listed, "chosen": chosen, "why": why })))?);
        }
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

/// An adapter for programs.
fn page(found: &Found) -> Value {
    let (info, limits) = (&found.info, found.adapter.limits());
    json!({
        "description": found.describe(),
        "name": info.name,
        "backend": info.backend.to_string(),
        "kind": adapter::kind(info.device_type),
        "driver": info.driver,
        "driver_info": info.driver_info,
        "limits": {
            "buffer_bytes": limits.max_buffer_size,
            "binding_bytes": limits.max_storage_buffer_binding_size,
            "workgroup_bytes": limits.max_compute_workgroup_storage_size,
            "storage_buffers": limits.max_storage_buffers_per_shader_stage,
            "invocations": limits.max_compute_invocations_per_workgroup,
            "workgroups": limits.max_compute_workgroups_per_dimension,
        },
    })
}
