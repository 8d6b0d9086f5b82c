//! The commands, one file each: its arguments with their `--help`, and its action. [`ALL`] lists them.

mod bench;
mod completions;
mod cv;
mod devices;
mod doctor;
mod eval;
mod export;
mod generate;
mod init;
mod inspect;
mod lr_find;
mod man;
mod plan;
mod predict;
mod train;
mod tune;
mod verify;

use std::fmt;

use clap::{ArgMatches, Args};

use super::args::Common;
use super::exit::Stop;
use crate::Result;
use crate::gpu::{Choice, Gpu};

/// Every command, in the order of `accrue --help`.
pub static ALL: &[Entry] = &[
    entry::<train::Train>("train"),
    entry::<plan::Plan>("plan"),
    entry::<verify::Verify>("verify"),
    entry::<tune::Tune>("tune"),
    entry::<lr_find::LrFind>("lr-find"),
    entry::<cv::Cv>("cv"),
    entry::<inspect::Inspect>("inspect"),
    entry::<eval::Eval>("eval"),
    entry::<predict::Predict>("predict"),
    entry::<generate::Generate>("generate"),
    entry::<export::Export>("export"),
    entry::<devices::Devices>("devices"),
    entry::<doctor::Doctor>("doctor"),
    entry::<bench::Bench>("bench"),
    entry::<init::Init>("init"),
    entry::<completions::Completions>("completions"),
    entry::<man::Man>("man"),
];

/// A command with its arguments.
pub trait Command: fmt::Debug {
    /// Runs it.
    ///
    /// # Errors
    /// The reason for ending early.
    fn run(&self) -> Result<(), Stop>;

    /// The adapter it computes on; `None` if it concerns a named adapter, all of them, or none.
    fn common_mut(&mut self) -> Option<&mut Common> {
        None
    }
}

/// A line of [`ALL`].
pub struct Entry {
    /// The command's name.
    pub name: &'static str,
    /// Adds its arguments and its help.
    pub arguments: fn(clap::Command) -> clap::Command,
    /// Takes it out of parsed arguments.
    pub parse: fn(&ArgMatches) -> Result<Box<dyn Command>, clap::Error>,
}

const fn entry<C: Command + Args + 'static>(name: &'static str) -> Entry {
    Entry { name, arguments: C::augment_args, parse: |matches| Ok(Box::new(C::from_arg_matches(matches)?)) }
}

impl Entry {
    /// The command of this name.
    pub fn find(name: &str) -> Option<&'static Entry> {
        ALL.iter().find(|entry| entry.name == name)
    }
}

fn open(common: &Common) -> Result<Gpu> {
    timed(common, false)
}

/// Opens the adapter, with timestamps for every kernel if wanted.
fn timed(common: &Common, timestamps: bool) -> Result<Gpu> {
    Gpu::new(&Choice { name: common.adapter.clone(), passed_over: common.passed_over, timestamps })
}
