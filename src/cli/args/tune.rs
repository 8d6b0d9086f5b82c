//! The arguments of `accrue tune`.

use std::path::PathBuf;

use clap::Args;

use super::Common;

/// `accrue tune CONFIG`
#[derive(Clone, Debug, PartialEq, Args)]
pub struct Tune {
    /// The configuration, a TOML file; paths in it are relative to its folder.
    #[arg(required_unless_present = "forget")]
    pub config: Option<PathBuf>,
    /// Use VALUE for one key of the configuration, as in `--set train.micro_batch=64`; may be given many times.
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub sets: Vec<String>,
    /// How long to measure, about: every kernel is measured in every round, even if that takes longer.
    #[arg(long, value_name = "S", default_value = "3", value_parser = super::bench::seconds)]
    pub seconds: f64,
    /// Remove the table of this adapter and driver.
    #[arg(long, conflicts_with_all = ["config", "sets", "seconds"])]
    pub forget: bool,
    /// Print one JSON object in place of text.
    #[arg(long)]
    pub json: bool,
    /// What every command that computes takes.
    #[command(flatten)]
    pub common: Common,
}
