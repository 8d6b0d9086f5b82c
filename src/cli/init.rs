//! `accrue init`: the commented configuration to start from.

use std::fs::OpenOptions;
use std::io::{self, ErrorKind, Write};
use std::path::Path;

use super::config::{class_losses, number_losses};
use super::progress::print;
use crate::ops;
use crate::{Error, Result};

/// The configuration to start from: every key, its default, and one line about it.
pub fn template() -> String {
    include_str!("init.toml")
        .replace("@activations@", &ops::activations().join(", "))
        .replace("@class_losses@", &class_losses().join(", "))
        .replace("@number_losses@", &number_losses().join(", "))
}

/// Writes [`template`] to a file, or to standard output for `-`. A file that is there stays unless `force` is given.
pub fn write(file: &Path, force: bool) -> Result<()> {
    if file == Path::new("-") {
        return print(&template());
    }
    to_file(file, force).map_err(|error| match error.kind() {
        ErrorKind::AlreadyExists => Error::io(file, io::Error::new(error.kind(), "exists; --force overwrites it")),
        _ => Error::io(file, error),
    })
}

fn to_file(file: &Path, force: bool) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true);
    if force {
        options.create(true).truncate(true)
    } else {
        options.create_new(true)
    };
    options.open(file)?.write_all(template().as_bytes())
}

#[cfg(test)]
mod tests {
    use super::super::config::{Automatic, Batch, Config, Layer, MicroBatch, Target};
    use super::super::keys::{KEYS, Key};
    use super::*;

    #[test]
    fn the_template_loads_and_shows_the_defaults() {
        let config = Config::parse(&template(), "init.toml", &[], Path::new("/")).unwrap();
        let mut wanted = Config::default();
        wanted.data.path = std::path::absolute("/data.csv").unwrap();
        wanted.data.target = Target::One("label".into());
        wanted.model.layers = vec![Layer::Width(64), Layer::Activation("relu".into())];
        wanted.model.loss = "cross_entropy".into();
        let auto = MicroBatch::Automatic(Automatic::Auto);
        (wanted.train.batch, wanted.train.micro_batch) = (Some(Batch::One(64)), Some(auto));
        assert_eq!(config.train.accumulation_steps, None);
        assert_eq!(config, wanted);
    }

    #[test]
    fn the_template_shows_every_key_once_and_explains_it() {
        for key in KEYS.iter().map(Key::parts).map(|(_, name)| format!("{name} = ")) {
            let template = template();
            let lines: Vec<_> =
                template.lines().filter(|line| line.trim_start_matches("# ").starts_with(&key)).collect();
            assert_eq!(lines.len(), 1, "{key}");
            assert!(lines[0].contains("  # ") && lines[0].len() <= 120, "{}", lines[0]);
        }
    }

    #[test]
    fn what_the_template_leaves_out_can_be_put_in() {
        let mut all = template().replace("micro_batch = \"auto\"", "# micro_batch =").replacen("# memory", "memory", 1);
        for key in ["weight =", "init", "accumulation_steps", "momentum", "weight_decay", "clip_norm", "clip_value"] {
            all = all.replacen(&format!("# {key}"), key, 1);
        }
        Config::parse(&all, "init.toml", &[], Path::new("/")).unwrap();
    }

    #[test]
    fn the_template_names_every_activation_and_loss() {
        for name in ops::activations().into_iter().chain(ops::losses()) {
            assert!(template().contains(name), "{name}");
        }
    }

    #[test]
    fn a_file_that_is_there_stays_unless_forced() {
        let file = std::env::temp_dir().join(format!("accrue-init-{}.toml", std::process::id()));
        write(&file, false).unwrap();
        std::fs::write(&file, "mine").unwrap();
        let error = write(&file, false).unwrap_err();
        assert!(matches!(error, Error::Io { .. }) && error.to_string().ends_with("exists; --force overwrites it"));
        assert_eq!(std::fs::read_to_string(&file).unwrap(), "mine");
        write(&file, true).unwrap();
        assert_eq!(std::fs::read_to_string(&file).unwrap(), template());
        std::fs::remove_file(&file).unwrap();
    }
}
