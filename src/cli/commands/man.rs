//! `accrue man`: the manual pages.

use std::path::{Path, PathBuf};

use clap::{Args, CommandFactory};
use clap_mangen::Man as Page;

use super::Command;
use crate::cli::args::Cli;
use crate::cli::exit::Stop;
use crate::cli::progress::print_bytes;
use crate::{Error, Result, durable};

/// Print the manual page, or write one for every command.
///
/// The pages are roff, which `man` reads: `accrue man DIR && man DIR/accrue-train.1`
#[derive(Debug, PartialEq, Args)]
pub struct Man {
    /// The folder to write `accrue.1` and a page for every command to, as `accrue-train.1`; without it the first is printed.
    #[arg(value_name = "DIR")]
    pub folder: Option<PathBuf>,
}

impl Command for Man {
    fn run(&self) -> Result<(), Stop> {
        let mut all = Cli::command().disable_help_subcommand(true);
        all.build();
        match &self.folder {
            None => print_bytes(&text(&page(&all))?)?,
            Some(folder) => write(&all, folder)?,
        }
        Ok(())
    }
}

/// Writes the page of `accrue` and those of its commands.
fn write(all: &clap::Command, folder: &Path) -> Result<()> {
    durable::create_folder(folder)?;
    for page in all.get_subcommands().chain([all]).map(page) {
        durable::write_bytes(&folder.join(page.get_filename()), &text(&page)?)?;
    }
    Ok(())
}

fn page(command: &clap::Command) -> Page {
    Page::new(command.clone()).source(format!("accrue {}", env!("CARGO_PKG_VERSION")))
}

fn text(page: &Page) -> Result<Vec<u8>> {
    let mut text = Vec::new();
    page.render(&mut text).map_err(|error| Error::io(Path::new("the manual page"), error))?;
    Ok(text)
}
