//! How the command ends: a line for people and a code for scripts.

use std::fmt;

use crate::Error;

/// Why a command ended before it was done.
#[derive(Debug)]
pub enum Stop {
    /// Something went wrong.
    Error(Error),
    /// Ctrl-C; what was reached is saved.
    Interrupted(String),
}

impl Stop {
    /// The process's exit code.
    pub fn code(&self) -> u8 {
        match self {
            Stop::Error(error) => exit_code(error),
            Stop::Interrupted(_) => 130,
        }
    }
}

impl From<Error> for Stop {
    fn from(error: Error) -> Stop {
        Stop::Error(error)
    }
}

impl fmt::Display for Stop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Stop::Error(error) => write!(f, "error: {}", one_line(&error.to_string())),
            Stop::Interrupted(message) => write!(f, "interrupted: {message}"),
        }
    }
}

/// Drivers write long reports; the first line says what, `RUST_LOG=debug` says more.
fn one_line(message: &str) -> String {
    message.split('\n').map(str::trim).filter(|line| !line.is_empty()).collect::<Vec<_>>().join("; ")
}

/// The exit code of each kind of error; `accrue --help` lists them. 2, wrong usage, is clap's.
pub fn exit_code(error: &Error) -> u8 {
    match error {
        Error::Internal(_) | Error::Shape { .. } => 1,
        Error::Config { .. } => 3,
        Error::Data { .. } | Error::ModelFile { .. } => 4,
        Error::NoAdapter(_) => 5,
        Error::DeviceLost(_) => 6,
        Error::Memory(_) => 7,
        Error::Diverged { .. } => 8,
        Error::Io { .. } => 9,
    }
}
