//! `accrue completions`: what a shell needs to complete words of the command.

use clap::{Args, CommandFactory};
use clap_complete::Shell;

use super::Command;
use crate::cli::args::Cli;
use crate::cli::exit::Stop;
use crate::cli::progress::print_bytes;

/// Print a script that completes commands, options and paths in a shell.
///
/// For bash, for example: `accrue completions bash > ~/.local/share/bash-completion/completions/accrue`
#[derive(Debug, PartialEq, Args)]
pub struct Completions {
    /// The shell to print it for.
    pub shell: Shell,
}

impl Command for Completions {
    fn run(&self) -> Result<(), Stop> {
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut Cli::command(), "accrue", &mut script);
        Ok(print_bytes(&script)?)
    }
}
