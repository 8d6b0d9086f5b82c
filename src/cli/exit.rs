//! How the command ends: a line for people and a code for scripts.

use std::fmt;

use clap::error::ContextKind;

use crate::Error;

/// Why a command ended early.
#[derive(Debug)]
pub enum Stop {
    /// Something went wrong.
    Error(Error),
    /// Something went wrong in a training; and what is kept of it.
    Broken(Error, String),
    /// Ctrl-C; the progress is saved.
    Interrupted(String),
    /// A check failed. The command has already printed it with its findings.
    NotRight(String),
}

impl Stop {
    /// The process's exit code.
    pub fn code(&self) -> u8 {
        match self {
            Stop::Error(error) | Stop::Broken(error, _) => exit_code(error),
            Stop::Interrupted(_) => 130,
            Stop::NotRight(_) => 1,
        }
    }

    /// Whether the command has printed it already.
    pub fn is_said(&self) -> bool {
        matches!(self, Stop::NotRight(_))
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
            Stop::Broken(error, kept) => write!(f, "error: {}; {kept}", one_line(&error.to_string())),
            Stop::Interrupted(message) => write!(f, "interrupted: {message}"),
            Stop::NotRight(verdict) => f.write_str(verdict),
        }
    }
}

/// Driver messages can be long; here they take one line, without its middle if it is too long. Escapes in paths and names
/// cannot move the cursor.
pub fn one_line(message: &str) -> String {
    let line = message.split('\n').map(str::trim).filter(|line| !line.is_empty()).collect::<Vec<_>>().join("; ");
    let line = line.replace(char::is_control, " ");
    let count = line.chars().count();
    if count <= 2000 {
        return line;
    }
    let (start, end): (String, String) = (line.chars().take(1500).collect(), line.chars().skip(count - 400).collect());
    format!("{start} … {end}")
}

/// Returns what is wrong with the arguments, with clap's tips, in one line, and the command whose help says more.
pub fn usage_line(mut error: clap::Error) -> String {
    let usage = error.remove(ContextKind::Usage).map(|usage| usage.to_string()).unwrap_or_default();
    let words = usage.split_whitespace().skip(1).take(2).filter(|word| word.starts_with(char::is_alphabetic));
    let command = words.collect::<Vec<_>>().join(" ");
    let command = if command.is_empty() { "accrue" } else { &command };
    let text = error.to_string();
    let mut line = String::new();
    for part in text.lines().map(str::trim).filter(|part| !part.is_empty() && !part.starts_with("For more information"))
    {
        let joint = match line.chars().last() {
            None => "",
            Some(':') => " ",
            Some(_) => "; ",
        };
        line += joint;
        line += part;
    }
    format!("{line}; `{command} --help` says what there is")
}

/// The exit code of each kind of error; `accrue --help` lists them. 2, wrong usage, is clap's.
pub fn exit_code(error: &Error) -> u8 {
    match error {
        Error::Internal(_) | Error::Shape { .. } => 1,
        Error::Config { .. } => 3,
        Error::Data { .. } | Error::ModelFile { .. } => 4,
        Error::NoAdapter(_) | Error::Kernel { .. } => 5,
        Error::DeviceLost(_) => 6,
        Error::Memory(_) => 7,
        Error::Diverged { .. } => 8,
        Error::Io { .. } => 9,
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::cli::Cli;

    #[test]
    fn what_clap_says_becomes_one_line() {
        let line = |words: &str| usage_line(Cli::try_parse_from(words.split(' ')).unwrap_err());
        assert_eq!(
            line("accrue train c.toml --out r --forse"),
            "error: unexpected argument '--forse' found; tip: a similar argument exists: '--fresh'; \
             `accrue train --help` says what there is"
        );
        assert_eq!(
            line("accrue train"),
            "error: the following required arguments were not provided: --out <DIR>; <CONFIG>; \
             `accrue train --help` says what there is"
        );
        assert_eq!(line("accrue 0"), "error: unrecognized subcommand '0'; `accrue --help` says what there is");
        let value = line("accrue bench --rounds x");
        assert!(value.starts_with("error: invalid value 'x' for '--rounds <N>': "), "{value}");
    }

    #[test]
    fn an_error_is_one_line_whatever_it_quotes() {
        let stop = Stop::Error(Error::Internal("a\n\n  b\n".to_owned()));
        assert_eq!(stop.to_string(), "error: internal error: a; b");
        let stop = Stop::Error(Error::data("a\u{1b}[2J.csv", "\r\0"));
        assert!(!stop.to_string().contains(char::is_control), "{stop}");
    }
}
