//! `accrue init`: a commented configuration to start from, and what to do with it.

use std::path::Path;

use crate::cli::args::Init;
use crate::cli::exit::Stop;
use crate::cli::init::write;
use crate::cli::progress::say;

/// Writes the configuration and says what comes next; `-` prints it and nothing else.
pub fn init(arguments: &Init) -> Result<(), Stop> {
    write(&arguments.file, arguments.force)?;
    if arguments.file != Path::new("-") {
        let file = arguments.file.display();
        say(&format!("wrote {file}; set data.path, data.target and model.loss in it, and then:"));
        say(&format!("  accrue train {file} --out runs/first"));
    }
    Ok(())
}
