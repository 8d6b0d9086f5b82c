//! The identity of a run: if it changes, a checkpoint belongs to another run.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::Xxh3;

use super::Options;
use crate::data::{Batch, Sequences, Target};
use crate::gpu::adapter;
use crate::nn::Model;
use crate::quote::short;
use crate::train::FitConfig;
use crate::train::metrics::Metric;
use crate::window::Tail;
use crate::{Error, Result};

/// Everything that decides a run's bits.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Identity {
    /// The resolved configuration as the crate `toml` writes it: one key and its value per line, in sections or not.
    pub config: String,
    /// A checksum over the training and validation rows.
    pub data: String,
    /// Adapter and driver.
    pub adapter: String,
    /// The version of this program.
    pub version: String,
}

/// Keys that decide where and how fast a run is computed, or how it is reported.
const HARMLESS: [&str; 8] = [
    "train.micro_batch",
    "train.accumulation_steps",
    "train.memory",
    "train.kernels",
    "train.checkpoint",
    "train.on_nonfinite",
    "train.patience",
    "train.refit",
];

/// Keys whose change does not matter: those that name rows, which the checksum covers, and those that count only at the start.
const FREE: [&str; 3] = ["data.path", "data.validation", "model.init"];

/// So many differences are named.
const SHOWN: usize = 6;

/// How the differences begin that are named first.
const DECIDING: [&str; 2] = ["data.target", "other rows of data"];

/// One difference.
struct Change {
    words: String,
    harmless: bool,
}

impl Identity {
    /// The identity of a run with this configuration and this [`checksum`] over its data, on an adapter.
    pub fn new(config: String, data: String, info: &wgpu::AdapterInfo) -> Identity {
        Identity {
            config,
            data,
            adapter: format!("{}, driver {} {}", adapter::describe(info), info.driver, info.driver_info),
            version: env!("CARGO_PKG_VERSION").to_owned(),
        }
    }

    /// Whether a run begun as `self` may resume as `now`; true if it accepts a change.
    ///
    /// # Errors
    /// [`Error::Config`] with every difference, unless there is none, or `take` is set and none can spoil the result.
    pub fn goes_on_as(&self, now: &Identity, folder: &str, take: bool) -> Result<bool> {
        let changes = self.changes(now);
        if changes.is_empty() {
            return Ok(false);
        }
        let harmless = changes.iter().all(|change| change.harmless);
        if harmless && take {
            return Ok(true);
        }
        let spoiling = changes.iter().filter(|change| !change.harmless || !take);
        let mut words: Vec<&str> = spoiling.map(|change| change.words.as_str()).collect();
        // What decides comes first: another target, other rows.
        words.sort_by_key(|words| !DECIDING.iter().any(|start| words.starts_with(start)));
        let more = words.len().saturating_sub(SHOWN);
        words.truncate(SHOWN);
        let more = if more > 0 { format!(" and {more} other differences") } else { String::new() };
        let remedy = if harmless {
            "--resume-with-changes goes on with that, --fresh starts over"
        } else {
            "that would be another run: change it back, give another folder, or start over with --fresh"
        };
        Err(Error::config(
            "--out",
            format!("{folder} has a run that was saved with {}{more}; {remedy}", words.join(", ")),
        ))
    }

    fn changes(&self, now: &Identity) -> Vec<Change> {
        let (old, new) = (flat(&self.config), flat(&now.config));
        let mut keys: Vec<&String> = old.keys().chain(new.keys()).collect();
        keys.sort_unstable();
        keys.dedup();
        let shown = |keys: &Keys, key: &str| keys.get(key).map_or("unset".to_owned(), |value| short(value));
        let epochs = Epochs::of(&old, &new);
        let why = |key: &str| match key {
            "train.epochs" if epochs == Epochs::EndKnown => {
                ", but the schedule or the carried tail depends on their number"
            }
            _ => "",
        };
        let differs = |key: &str| !FREE.contains(&key) && old.get(key) != new.get(key);
        // The steps follow from the micro-batch.
        let follows = |key: &str| key == "train.accumulation_steps" && differs("train.micro_batch");
        let differing = keys.into_iter().filter(|key| differs(key) && !follows(key));
        let mut changes: Vec<Change> = differing
            .map(|key| Change {
                words: format!("{key} = {} (now {}{})", shown(&old, key), shown(&new, key), why(key)),
                harmless: HARMLESS.contains(&key.as_str())
                    || (epochs == Epochs::More && key == "train.epochs")
                    || (key == "train.stop_after" && may_stop_later(&old, &new)),
            })
            .collect();
        if self.data != now.data {
            changes.push(Change { words: "other rows of data".to_owned(), harmless: false });
        }
        if self.adapter != now.adapter {
            let words = format!("the adapter {} (now {})", self.adapter, now.adapter);
            changes.push(Change { words, harmless: true });
        }
        if self.version != now.version {
            let words = format!("version {} of accrue (now {})", self.version, now.version);
            changes.push(Change { words, harmless: true });
        }
        changes
    }
}

/// How the number of epochs changed.
#[derive(Clone, Copy, PartialEq)]
enum Epochs {
    /// More, which changes nothing about those already done.
    More,
    /// More, but something in the run depended on the end.
    EndKnown,
    /// Fewer.
    Fewer,
}

impl Epochs {
    fn of(old: &Keys, new: &Keys) -> Epochs {
        let epochs = |keys: &Keys| keys.get("train.epochs").and_then(|value| value.parse::<u64>().ok());
        let is = |key: &str, value: &str| new.get(key).is_some_and(|own| *own == format!("{value:?}"));
        match epochs(new) >= epochs(old) {
            false => Epochs::Fewer,
            true if ["cosine", "coslog4"].iter().any(|shape| is("optimizer.schedule", shape))
                || is("train.tail", &Tail::Carry.to_string()) =>
            {
                Epochs::EndKnown
            }
            true => Epochs::More,
        }
    }
}

/// Whether a run that stops before its last epoch now stops later, with nothing in it that depends on that.
fn may_stop_later(old: &Keys, new: &Keys) -> bool {
    let last = |keys: &Keys| {
        let value = keys.get("train.stop_after").or(keys.get("train.epochs"))?;
        value.parse::<u64>().ok()
    };
    let carries = new.get("train.tail").is_some_and(|tail| *tail == format!("{:?}", Tail::Carry.to_string()));
    last(new) >= last(old) && !carries
}

/// The values of all keys, as written, by names such as `train.batch`.
type Keys = BTreeMap<String, String>;

fn flat(config: &str) -> Keys {
    let (mut keys, mut section, mut last) = (Keys::new(), String::new(), None::<String>);
    for line in config.lines() {
        if let Some(name) = line.strip_prefix('[').and_then(|line| line.strip_suffix(']')) {
            section = format!("{name}.");
        } else if let Some((name, value)) = line.split_once(" = ") {
            let name = format!("{section}{}", name.trim());
            keys.insert(name.clone(), value.trim().to_owned());
            last = Some(name);
        } else if let Some(value) = last.as_ref().and_then(|last| keys.get_mut(last)) {
            // A text of several lines.
            value.push('\n');
            value.push_str(line);
        }
    }
    keys
}

/// The configuration of a run without one: the network, how it is fitted, and what the app adds.
pub(super) fn of_fit(model: &Model, fit: &FitConfig, options: &Options) -> String {
    let best = if options.best == Metric::Loss { String::new() } else { format!("best = {:?}\n", options.best.name()) };
    let patience = options.patience.map_or_else(String::new, |epochs| format!("patience = {epochs}\n"));
    let shape = if model.shape.is_empty() { String::new() } else { format!("shape = {:?}\n", model.shape) };
    let layers: Vec<String> = model.layers.iter().map(|layer| format!("{layer:?}")).collect();
    format!(
        "{}\n[model]\ninputs = {}\n{shape}layers = {}\nloss = {:?}\n[train]\nepochs = {}\nbatch = {:?}\ntail = \"{}\"\nshuffle = {:?}\nlr_scaling = {:?}\non_nonfinite = {:?}\n{best}{patience}",
        options.config.trim_end(),
        model.inputs,
        layers.join(", "),
        model.loss,
        fit.epochs,
        fit.batch,
        fit.tail,
        fit.shuffle,
        fit.lr_scaling,
        fit.on_nonfinite,
    )
}

/// A checksum over rows of data, each with the names of its classes, if any.
pub fn checksum<'a>(data: impl IntoIterator<Item = (&'a Batch<'a>, &'a [String])>) -> String {
    let mut hash = Xxh3::new();
    data.into_iter().for_each(|(batch, classes)| add(&mut hash, batch, classes));
    format!("{:032x}", hash.digest128())
}

/// Numbers that are made floats at once.
const PIECE: usize = 1 << 16;

fn add(hash: &mut Xxh3, batch: &Batch, classes: &[String]) {
    // The numbers themselves, whatever type they are kept in.
    hash.update(&(4 * batch.features.len() as u64).to_le_bytes());
    for first in (0..batch.features.len()).step_by(PIECE) {
        let piece = batch.features.range(first..batch.features.len().min(first + PIECE));
        hash.update(bytemuck::cast_slice(&piece.to_f32()));
    }
    let mut bytes = |bytes: &[u8]| {
        hash.update(&(bytes.len() as u64).to_le_bytes());
        hash.update(bytes);
    };
    match batch.targets {
        Target::Classes(labels) => {
            classes.iter().for_each(|class| bytes(class.as_bytes()));
            bytes(bytemuck::cast_slice(labels));
        }
        Target::Values(values) => bytes(bytemuck::cast_slice(values)),
        Target::Next(Sequences { context, stride, count, epoch, ignore }) => {
            classes.iter().for_each(|token| bytes(token.as_bytes()));
            let numbers = [context, stride, count, epoch, ignore.map_or(usize::MAX, |token| token as usize)];
            numbers.into_iter().for_each(|number| bytes(&(number as u64).to_le_bytes()));
        }
    }
    batch.weights.iter().for_each(|weights| bytes(bytemuck::cast_slice(weights)));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(config: &str) -> Identity {
        let text = |text: &str| text.to_owned();
        Identity { config: text(config), data: text("d"), adapter: text("a"), version: text("1") }
    }

    const CONFIG: &str = "[train]\nepochs = 3\nmicro_batch = 8\n[optimizer]\nlr = 0.1\nschedule = \"constant\"\n";

    fn said(now: &Identity, take: bool) -> String {
        run(CONFIG).goes_on_as(now, "r", take).unwrap_err().to_string()
    }

    #[test]
    fn the_same_run_goes_on() {
        assert!(!run(CONFIG).goes_on_as(&run(CONFIG), "r", false).unwrap());
    }

    #[test]
    fn what_cannot_spoil_the_result_is_taken_when_that_is_asked_for() {
        let now = run(&CONFIG.replace("= 8", "= 16"));
        assert_eq!(
            said(&now, false),
            "--out: r has a run that was saved with train.micro_batch = 8 (now 16); --resume-with-changes goes on with that, \
             --fresh starts over"
        );
        assert!(run(CONFIG).goes_on_as(&now, "r", true).unwrap());
        let (share, file) = ("[data]\nvalidation = 0.2\n", "[data]\nvalidation = \"held.csv\"\n");
        let same_rows = run(&(share.to_owned() + CONFIG)).goes_on_as(&run(&(file.to_owned() + CONFIG)), "r", false);
        assert!(!same_rows.unwrap(), "no change at all");
        let elsewhere = Identity { adapter: "b".to_owned(), ..run(CONFIG) };
        assert!(run(CONFIG).goes_on_as(&elsewhere, "r", false).is_err());
        assert!(run(CONFIG).goes_on_as(&elsewhere, "r", true).unwrap());
    }

    #[test]
    fn what_would_spoil_it_is_refused_and_named_alone() {
        let now = run(&CONFIG.replace("= 8", "= 16").replace("0.1", "0.2"));
        let both = said(&now, false);
        assert!(both.contains("optimizer.lr = 0.1 (now 0.2), train.micro_batch = 8 (now 16)"), "{both}");
        let one = said(&now, true);
        assert!(one.contains("was saved with optimizer.lr = 0.1 (now 0.2); that would be another run"), "{one}");
        let data = Identity { data: "e".to_owned(), ..run(CONFIG) };
        assert!(said(&data, true).contains("other rows of data"));
    }

    #[test]
    fn a_run_may_be_made_longer_unless_its_schedule_knows_its_end() {
        let longer = |config: &str| run(config).goes_on_as(&run(&config.replace("= 3", "= 9")), "r", true);
        assert!(longer(CONFIG).unwrap());
        let shorter = run(&CONFIG.replace("= 3", "= 2"));
        assert!(said(&shorter, true).contains("train.epochs = 3 (now 2); that would be another run"));
        assert!(longer(&CONFIG.replace("constant", "cosine")).is_err());
        assert!(longer(&CONFIG.replace("constant", "coslog4")).is_err());
        assert!(longer(&CONFIG.replace("epochs", "tail = \"carry\"\nepochs")).is_err());
        // Where a run stops before its end, the schedule does not.
        let stops = |after: &str| CONFIG.replace("constant", "cosine").replace("epochs", &format!("{after}epochs"));
        let goes_on = |old: &str, new: &str| run(&stops(old)).goes_on_as(&run(&stops(new)), "r", true);
        assert!(goes_on("stop_after = 1\n", "stop_after = 2\n").unwrap() && goes_on("stop_after = 1\n", "").unwrap());
        assert!(goes_on("stop_after = 2\n", "stop_after = 1\n").is_err() && goes_on("", "stop_after = 1\n").is_err());
    }
}
