//! Every key of a configuration: its name, what it takes, an example. A new key is one field in
//! [`config`](super::config), one line here and one line in `init.toml`; tests find what was forgotten.

use std::fmt::Display;

use crate::Error;
use crate::nearest::{closeness, nearest};

/// One key of a configuration.
#[derive(Debug)]
pub struct Key {
    /// Section and name, as in `train.batch`.
    pub name: &'static str,
    /// What it takes, to be read after "is not".
    pub wanted: &'static str,
    /// A value that can be used, as TOML.
    pub example: &'static str,
    /// What other trainers call it.
    pub elsewhere: &'static [&'static str],
}

const fn key(name: &'static str, wanted: &'static str, example: &'static str) -> Key {
    Key { name, wanted, example, elsewhere: &[] }
}

const COUNT: &str = "a whole number from 1 to 4294967295";
const BATCH: &str = "a whole number from 1 to 4294967295, or a schedule such as [[0, 64], [1000, 256]]";
const MICRO_BATCH: &str = "a whole number from 1 to 4294967295, \"auto\" or \"fastest\"";
const CHECKPOINT: &str = "a time such as \"10min\", a number of updates from 1, or \"end\"";
const SWITCH: &str = "true or false";
const FROM_ZERO: &str = "a finite number from 0";
const LAYERS: &str = "a list of widths (1 to 65536), each followed by an activation or not";

/// Every key there is, section by section.
pub const KEYS: &[Key] = &[
    key("data.path", "the path of a CSV file", r#""digits.csv""#).elsewhere(&["file"]),
    key("data.target", "the name of a column or a list of names", r#""digit""#).elsewhere(&["label", "targets", "y"]),
    key("data.validation", "a share of the rows (0 to below 1) or the path of a CSV file", "0.2").elsewhere(&["val"]),
    key("data.standardize", SWITCH, "true").elsewhere(&["normalize"]),
    key("data.weight", "the name of a column", r#""weight""#).elsewhere(&["sample_weight"]),
    key("model.layers", LAYERS, r#"[64, "relu", 64, "relu"]"#).elsewhere(&["hidden"]),
    key("model.loss", "the name of a loss", r#""cross_entropy""#).elsewhere(&["criterion"]),
    key("model.init", "the path of a safetensors file", r#""start.safetensors""#).elsewhere(&["weights"]),
    key("train.epochs", COUNT, "10").elsewhere(&["max_epochs", "num_epochs"]),
    key("train.batch", BATCH, "120").elsewhere(&["batch_size"]),
    key("train.batch_unit", r#""updates" or "epochs""#, r#""updates""#),
    key("train.micro_batch", MICRO_BATCH, "40").elsewhere(&["micro_batch_size"]),
    key("train.accumulation_steps", COUNT, "3").elsewhere(&["gradient_accumulation_steps", "accumulate_grad_batches"]),
    key("train.memory", r#"a size such as "256MiB""#, r#""256MiB""#).elsewhere(&["gpu_memory"]),
    key("train.kernels", r#""auto", "ops", "fused" or "windows""#, r#""fused""#),
    key("train.tail", r#""flush", "drop" or "carry""#, r#""flush""#).elsewhere(&["drop_last"]),
    key("train.checkpoint", CHECKPOINT, r#""10min""#).elsewhere(&["save_steps", "save_every", "checkpointing"]),
    key("train.on_nonfinite", r#""stop" or "skip""#, r#""stop""#).elsewhere(&["skip_nan", "detect_anomaly"]),
    key("train.shuffle", SWITCH, "true"),
    key("train.seed", "a whole number from 0 to 9223372036854775807", "0").elsewhere(&["random_state"]),
    key("optimizer.type", r#""sgd", "adam" or "adamw""#, r#""sgd""#).elsewhere(&["name"]),
    key("optimizer.lr", FROM_ZERO, "0.01").elsewhere(&["learning_rate"]),
    key("optimizer.momentum", FROM_ZERO, "0.9"),
    key("optimizer.nesterov", SWITCH, "true"),
    key("optimizer.dampening", FROM_ZERO, "0.0"),
    key("optimizer.betas", "a list of two numbers from 0 to below 1", "[0.9, 0.999]"),
    key("optimizer.epsilon", "a number above 0", "1e-8").elsewhere(&["eps"]),
    key("optimizer.weight_decay", FROM_ZERO, "0.0001").elsewhere(&["l2"]),
    key("optimizer.clip_norm", "a number above 0", "1.0").elsewhere(&["max_grad_norm", "gradient_clip_val"]),
    key("optimizer.clip_value", "a number above 0", "0.5"),
    key("optimizer.schedule", r#""constant", "step" or "cosine""#, r#""cosine""#).elsewhere(&["lr_schedule"]),
    key("optimizer.warmup", "a whole number of updates from 0", "100").elsewhere(&["warmup_steps"]),
    key("optimizer.step_every", COUNT, "1000").elsewhere(&["step_size"]),
    key("optimizer.step_factor", FROM_ZERO, "0.1").elsewhere(&["gamma"]),
    key("optimizer.min_lr", FROM_ZERO, "0.0001").elsewhere(&["eta_min"]),
    key("optimizer.lr_scaling", r#""none", "linear" or "sqrt""#, r#""linear""#),
    key("optimizer.base_batch", COUNT, "64"),
];

impl Key {
    const fn elsewhere(self, elsewhere: &'static [&'static str]) -> Key {
        Key { elsewhere, ..self }
    }

    /// The key of this name.
    pub fn find(name: &str) -> Option<&'static Key> {
        KEYS.iter().find(|key| key.name == name)
    }

    /// Section and name apart.
    pub fn parts(&self) -> (&'static str, &'static str) {
        self.name.split_once('.').unwrap_or(("", self.name))
    }

    /// How far this key is from a name that is not known: wrong letters, and one for the wrong section.
    fn distance(&self, section: &str, name: &str) -> Option<usize> {
        let (own_section, own_name) = self.parts();
        let names = std::iter::once(own_name).chain(self.elsewhere.iter().copied());
        let letters = names.filter_map(|own| closeness(name, own)).min()?;
        Some(2 * letters + usize::from(section != own_section))
    }
}

/// The sections, in the order of [`KEYS`].
pub fn sections() -> Vec<&'static str> {
    let mut sections: Vec<_> = KEYS.iter().map(|key| key.parts().0).collect();
    sections.dedup();
    sections
}

/// The error for a key that is not known: the nearest that is, or the list of what there is.
pub fn unknown(name: &str) -> Error {
    let (section, last) = name.split_once('.').unwrap_or(("", name));
    let near = KEYS.iter().filter_map(|key| Some((key.distance(section, last)?, key.name))).min_by_key(|near| near.0);
    let siblings: Vec<_> = KEYS.iter().map(Key::parts).filter(|key| key.0 == section).map(|key| key.1).collect();
    let remedy = if let Some((_, near)) = near {
        format!("did you mean {near}?")
    } else if !siblings.is_empty() {
        format!("[{section}] takes {}", siblings.join(", "))
    } else if let Some(near) = nearest(if section.is_empty() { last } else { section }, sections()) {
        format!("did you mean the section [{near}]?")
    } else {
        format!("the sections are [{}]", sections().join("], ["))
    };
    Error::config(short(name), format!("unknown key; {remedy}"))
}

/// The error for a value that the key does not take.
pub fn unusable(name: &str, given: impl Display) -> Error {
    let Some(key) = Key::find(name) else { return unknown(name) };
    let (given, last) = (short(&given.to_string()), key.parts().1);
    let message = format!("{given} is not {}; write, for example, {last} = {}", key.wanted, key.example);
    Error::config(name, message)
}

/// The error for a key that must be there and is not.
pub fn missing(name: &str) -> Error {
    let Some(key) = Key::find(name) else { return unknown(name) };
    let (section, last) = key.parts();
    Error::config(name, format!("missing; add `{last} = {}` to [{section}]", key.example))
}

/// One line of at most 60 characters of something that a user wrote.
pub fn short(text: &str) -> String {
    const MOST: usize = 60;
    let mut line: String = text.chars().take(MOST).map(|c| if c.is_control() { ' ' } else { c }).collect();
    if text.chars().nth(MOST).is_some() {
        line.push('…');
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_in_a_name_finds_the_key() {
        assert_eq!(unknown("train.bach").to_string(), "train.bach: unknown key; did you mean train.batch?");
        assert_eq!(unknown("trian.batch").to_string(), "trian.batch: unknown key; did you mean train.batch?");
        assert_eq!(unknown("Train.Batch").to_string(), "Train.Batch: unknown key; did you mean train.batch?");
    }

    #[test]
    fn a_key_in_the_wrong_section_or_none_finds_its_section() {
        assert_eq!(unknown("train.lr").to_string(), "train.lr: unknown key; did you mean optimizer.lr?");
        assert_eq!(unknown("lr").to_string(), "lr: unknown key; did you mean optimizer.lr?");
        assert_eq!(unknown("train.los").to_string(), "train.los: unknown key; did you mean model.loss?");
    }

    #[test]
    fn the_words_of_other_trainers_are_understood() {
        assert!(unknown("train.batch_size").to_string().ends_with("did you mean train.batch?"));
        assert!(unknown("train.learning_rate").to_string().ends_with("did you mean optimizer.lr?"));
    }

    #[test]
    fn a_name_near_to_nothing_lists_what_there_is() {
        assert!(unknown("optimizer.quux").to_string().contains("[optimizer] takes type, lr, momentum, nesterov"));
        assert!(unknown("quux.zzzzzz").to_string().ends_with("the sections are [data], [model], [train], [optimizer]"));
        assert!(unknown("modell").to_string().ends_with("did you mean the section [model]?"));
    }

    #[test]
    fn what_a_user_wrote_is_cut_to_one_line() {
        assert_eq!(short("a\nb"), "a b");
        assert_eq!(short(&"é".repeat(100)).chars().count(), 61);
    }
}
