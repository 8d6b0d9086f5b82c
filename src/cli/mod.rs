//! The command `accrue`: arguments, commands, and the only place that prints.

pub mod args;
pub mod bench;
mod columns;
pub mod commands;
mod curve;
mod ended;
mod exit;
mod findings;
mod interrupts;
mod measured;
mod model;
mod noticed;
mod predictions;
mod profile;
mod progress;
pub mod report;
mod spread;
mod summary;
mod tensorboard;
mod tune;

use std::process::ExitCode;

use clap::Parser;
use clap::error::ErrorKind;

pub use args::Cli;
pub use exit::{Stop, exit_code};

use commands::Command;

use crate::Error;
use crate::gpu::{adapter, is_caught_panic};

/// Parses the arguments, runs the command, and prints an error in one line.
pub fn main() -> ExitCode {
    let mut cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return usage(error),
    };
    quiet_layers();
    quiet_loss_of_the_device();
    env_logger::Builder::from_env(env_logger::Env::default().default_filter_or("warn,wgpu_hal=off,wgpu_core=off"))
        .format_timestamp(None)
        .init();
    let done = loop {
        match cli.command.0.run() {
            Err(Stop::Error(error @ Error::Kernel { .. })) if pass_over(&mut *cli.command.0) => {
                progress::complain(&format!(
                    "warning: {}; the next adapter is taken",
                    exit::one_line(&error.to_string())
                ));
            }
            done => break done,
        }
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(stop) => {
            if !stop.is_said() {
                progress::complain(&stop.to_string());
            }
            ExitCode::from(stop.code())
        }
    }
}

/// Lets a command take the next adapter; false if none is left, or if the user named one.
fn pass_over(command: &mut dyn Command) -> bool {
    let Some(common) = command.common_mut() else { return false };
    let asked = common.adapter.is_some() || adapter::name_from_environment().is_some();
    let left = !asked && pollster::block_on(adapter::list()).len() > common.passed_over + 1;
    common.passed_over += usize::from(left);
    left
}

/// Help and version go where they should; an error in the arguments is one line like every other error.
fn usage(error: clap::Error) -> ExitCode {
    let code = u8::try_from(error.exit_code()).unwrap_or(2);
    if error.use_stderr() && error.kind() != ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand {
        progress::complain(&exit::usage_line(error));
    } else {
        let _ = error.print();
    }
    ExitCode::from(code)
}

/// On a Linux without a desktop, a layer of Mesa that chooses among adapters writes an error about the missing desktop for
/// every process. We choose ourselves, so the command starts itself once more with that layer turned off.
fn quiet_layers() {
    #[cfg(target_os = "linux")]
    {
        use std::os::unix::process::CommandExt;
        let set = |name: &str| std::env::var_os(name).is_some();
        if set("XDG_RUNTIME_DIR") || set("NODEVICE_SELECT") {
            return;
        }
        let Ok(program) = std::env::current_exe() else { return };
        // Returns only if it failed; then the line about the desktop does no harm.
        let _ =
            std::process::Command::new(program).args(std::env::args_os().skip(1)).env("NODEVICE_SELECT", "1").exec();
    }
}

/// A lost device makes wgpu panic; the library catches that, and the command reports it as an error like every other.
fn quiet_loss_of_the_device() {
    let usual = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        if !is_caught_panic(panic.payload()) {
            usual(panic);
        }
    }));
}
