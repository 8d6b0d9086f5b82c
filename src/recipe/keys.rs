//! Every key of a configuration: its name, what it takes, an example. A new key is one field in `config/`, one line here and
//! one line in `template.toml`; tests find a missing one. An optimizer's settings are in its own file.

use std::fmt::Display;
use std::sync::LazyLock;

use crate::Error;
use crate::nearest::{closeness, nearest};
use crate::nn::WIDEST;
use crate::optim::{self, Scaling, ScheduleShape};
use crate::quote::short;
use crate::train::metrics::Metric;

/// One key of a configuration.
#[derive(Debug)]
pub struct Key {
    /// The section, as in `train`.
    pub section: &'static str,
    /// Its name in the section, as in `batch`.
    pub name: &'static str,
    /// The values it takes, to be read after "is not".
    pub wanted: String,
    /// A valid value, as TOML.
    pub example: &'static str,
    /// Its names in other trainers.
    pub elsewhere: &'static [&'static str],
}

/// Every key, section by section.
pub static KEYS: LazyLock<Vec<Key>> =
    LazyLock::new(|| [data(), model(), train(), optimizer()].into_iter().flatten().collect());

const COUNT: &str = "a whole number from 1 to 4294967295";
const BATCH: &str = "a whole number from 1 to 4294967295, or a schedule such as [[0, 64], [1000, 256]]";
const MICRO_BATCH: &str = "a whole number from 1 to 4294967295, \"auto\" or \"fastest\"";
const CHECKPOINT: &str = "a time such as \"10min\", a number of updates from 1, or \"end\"";
const KINDS: &str =
    "a section [data.columns] with a kind for each column: number, category, boolean, date, text or drop";
const CLASS_WEIGHT: &str = "\"balanced\" or a table of weights such as { yes = 2.0 }";
const SWITCH: &str = "true or false";
const SIZE: &str = "a height and a width of 1 to 16384 pixels, at most 1048576 pixels in all";
const AUGMENT: &str = "a list of \"flip\" and { crop = N }, a number of pixels from 1 to 16383";
const OUTPUT: &str = "{ tied = true } for the weight of the first layer, or { bias = false }";
const LR_FACTORS: &str = "a table of numbers from 0 or \"fan_in\", by kind of parameter";
const FROM_ZERO: &str = "a finite number from 0";

fn keys_of(section: &'static str) -> impl Fn(&'static str, &str, &'static str) -> Key {
    move |name, wanted, example| Key { section, name, wanted: wanted.to_owned(), example, elsewhere: &[] }
}

/// `"a", "b" or "c"`
fn choice<'a>(names: impl Iterator<Item = &'a str>) -> String {
    let names: Vec<String> = names.map(|name| format!("{name:?}")).collect();
    listed(&names, "or")
}

/// `a, b and c`
pub(super) fn listed(names: &[impl AsRef<str>], and: &str) -> String {
    let names: Vec<&str> = names.iter().map(AsRef::as_ref).collect();
    match names.split_last() {
        Some((last, rest)) if !rest.is_empty() => format!("{} {and} {last}", rest.join(", ")),
        _ => names.concat(),
    }
}

fn data() -> Vec<Key> {
    let key = keys_of("data");
    vec![
        key("path", "the path of a file of data or of a folder of images", r#""digits.csv""#).elsewhere(&["file"]),
        key("target", "the name of a column or a list of names", r#""digit""#).elsewhere(&["label", "targets", "y"]),
        key("features", "the name of a column or a list of names", r#"["height", "width"]"#)
            .elsewhere(&["inputs", "x"]),
        key("ignore", "the name of a column or a list of names", r#""id""#).elsewhere(&["drop", "exclude", "skip"]),
        key("columns", KINDS, r#"{ zip = "category", note = "drop" }"#)
            .elsewhere(&["dtype", "dtypes", "kinds", "types"]),
        key("separator", r#""comma", "semicolon", "tab", "pipe" or "blanks""#, r#""tab""#)
            .elsewhere(&["sep", "delimiter"]),
        key("decimal", r#"".", or ",""#, r#"",""#),
        key("encoding", r#""utf-8", "utf-16" or "latin-1""#, r#""latin-1""#).elsewhere(&["charset"]),
        key("header", "true, false or a list of names", r#"["a", "b"]"#).elsewhere(&["names"]),
        key("missing", r#""fill", "error" or "drop""#, r#""fill""#).elsewhere(&["impute", "fillna"]),
        key("missing_values", "a list of texts", r#"["unknown"]"#).elsewhere(&["na_values"]),
        key("one_hot", COUNT, "16"),
        key("layout", r#""hwc", "chw" or "series""#, r#""chw""#).elsewhere(&["data_format", "memory_format"]),
        key("size", SIZE, "[32, 32]").elsewhere(&["image_size", "input_size", "resize"]),
        key("tokens", r#""characters", "bytes" or "numbers""#, r#""characters""#)
            .elsewhere(&["tokenizer", "vocabulary"]),
        key("context", COUNT, "64").elsewhere(&["block_size", "context_length", "seq_len", "text"]),
        key("sequences", COUNT, "4000").elsewhere(&["samples_per_epoch", "steps_per_epoch"]),
        key("augment", AUGMENT, r#"["flip", { crop = 4 }]"#).elsewhere(&["augmentation", "transform", "transforms"]),
        key("validation", "a share of the rows (0 to below 1) or the path of a file", "0.2").elsewhere(&["val"]),
        key("split", r#""stratified", "random", "last" or "group""#, r#""last""#).elsewhere(&["stratify"]),
        key("group", "the name of a column", r#""patient""#).elsewhere(&["groups"]),
        key("standardize", r#"true, false or "robust""#, "true").elsewhere(&["normalize", "scale"]),
        key("weight", "the name of a column", r#""weight""#).elsewhere(&["sample_weight"]),
    ]
}

fn model() -> Vec<Key> {
    let layers = format!(
        "a list of layers: widths (1 to {WIDEST}), names such as \"relu\", and tables such as {{ residual = [64, \"relu\"] }}"
    );
    let key = keys_of("model");
    vec![
        key("layers", &layers, r#"[64, "relu", 64, "relu"]"#).elsewhere(&["hidden"]),
        key("output", OUTPUT, "{ tied = true }").elsewhere(&["head", "lm_head", "tie_weights", "tie_word_embeddings"]),
        key("loss", "the name of a loss", r#""cross_entropy""#).elsewhere(&["criterion"]),
        key("label_smoothing", "a number from 0 to below 1", "0.1").elsewhere(&["smoothing"]),
        key("first_weights", r#""pytorch", "normal" or "gpt2""#, r#""normal""#)
            .elsewhere(&["initializer", "weight_init"]),
        key("init", "the path of a safetensors file", r#""start.safetensors""#).elsewhere(&["weights"]),
    ]
}

fn train() -> Vec<Key> {
    let key = keys_of("train");
    let metrics = choice(Metric::ALL.into_iter().map(Metric::name));
    vec![
        key("epochs", COUNT, "10").elsewhere(&["max_epochs", "num_epochs"]),
        key("batch", BATCH, "120").elsewhere(&["batch_size"]),
        key("batch_unit", r#""updates" or "epochs""#, r#""updates""#),
        key("micro_batch", MICRO_BATCH, "40").elsewhere(&["micro_batch_size"]),
        key("accumulation_steps", COUNT, "3").elsewhere(&["gradient_accumulation_steps", "accumulate_grad_batches"]),
        key("memory", r#"a size such as "256MiB""#, r#""256MiB""#).elsewhere(&["gpu_memory"]),
        key("kernels", r#""auto", "ops", "fused" or "windows""#, r#""fused""#),
        key("tail", r#""flush", "drop" or "carry""#, r#""flush""#).elsewhere(&["drop_last"]),
        key("checkpoint", CHECKPOINT, r#""10min""#).elsewhere(&["save_steps", "save_every", "checkpointing"]),
        key("on_nonfinite", r#""stop" or "skip""#, r#""stop""#).elsewhere(&["skip_nan", "detect_anomaly"]),
        key("best", &metrics, r#""loss""#).elsewhere(&["monitor", "metric_for_best_model", "val_metric"]),
        key("patience", COUNT, "20").elsewhere(&["early_stopping", "n_iter_no_change", "early_stopping_patience"]),
        key("stop_after", COUNT, "5"),
        key("refit", SWITCH, "true").elsewhere(&["retrain", "refit_full"]),
        key("class_weight", CLASS_WEIGHT, r#""balanced""#).elsewhere(&["class_weights", "pos_weight"]),
        key("shuffle", SWITCH, "true"),
        key("seed", "a whole number from 0 to 9223372036854775807", "0").elsewhere(&["random_state"]),
    ]
}

fn optimizer() -> Vec<Key> {
    let key = keys_of("optimizer");
    let types = choice(optim::ALL.iter().map(|kind| kind.name));
    let schedules = choice(ScheduleShape::ALL.iter().map(ScheduleShape::name));
    let scalings = choice(Scaling::ALL.into_iter().map(Scaling::name));
    let first = [
        key("type", &types, r#""sgd""#).elsewhere(&["name"]),
        key("lr", FROM_ZERO, "0.01").elsewhere(&["learning_rate"]),
    ];
    let settings = optim::settings().into_iter();
    let settings = settings.map(|(own, _)| key(own.name, own.wanted, own.example).elsewhere(own.elsewhere));
    let rest = [
        key("lr_factors", LR_FACTORS, r#"{ bias = 0.1, weight = "fan_in" }"#).elsewhere(&["param_groups", "lr_mult"]),
        key("decay", r#""all" or "matrices""#, r#""matrices""#),
        key("clip_norm", "a number above 0", "1.0").elsewhere(&["max_grad_norm", "gradient_clip_val"]),
        key("clip_value", "a number above 0", "0.5"),
        key("schedule", &schedules, r#""cosine""#).elsewhere(&["lr_schedule"]),
        key("warmup", "a whole number of updates from 0", "100").elsewhere(&["warmup_steps"]),
        key("step_every", COUNT, "1000").elsewhere(&["step_size"]),
        key("step_factor", FROM_ZERO, "0.1").elsewhere(&["gamma"]),
        key("min_lr", FROM_ZERO, "0.0001").elsewhere(&["eta_min"]),
        key("lr_scaling", &scalings, r#""linear""#),
        key("base_batch", COUNT, "64"),
    ];
    first.into_iter().chain(settings).chain(rest).collect()
}

impl Key {
    fn elsewhere(self, elsewhere: &'static [&'static str]) -> Key {
        Key { elsewhere, ..self }
    }

    /// The key of this section and name, as in `train.batch`.
    pub fn find(path: &str) -> Option<&'static Key> {
        let (section, name) = path.split_once('.')?;
        KEYS.iter().find(|key| (key.section, key.name) == (section, name))
    }

    /// Section and name, as in `train.batch`.
    pub fn path(&self) -> String {
        format!("{}.{}", self.section, self.name)
    }

    /// The distance of this key from an unknown name: wrong letters, plus one for the wrong section.
    fn distance(&self, section: &str, name: &str) -> Option<usize> {
        let names = std::iter::once(self.name).chain(self.elsewhere.iter().copied());
        let letters = names.filter_map(|own| closeness(name, own)).min()?;
        Some(2 * letters + usize::from(section != self.section))
    }
}

/// The sections, in the order of [`KEYS`].
pub fn sections() -> Vec<&'static str> {
    let mut sections: Vec<_> = KEYS.iter().map(|key| key.section).collect();
    sections.dedup();
    sections
}

/// The error for an unknown key: names the nearest known key, or all of them.
pub fn unknown(name: &str) -> Error {
    let (section, last) = name.split_once('.').unwrap_or(("", name));
    let near = KEYS.iter().filter_map(|key| Some((key.distance(section, last)?, key))).min_by_key(|near| near.0);
    let siblings: Vec<_> = KEYS.iter().filter(|key| key.section == section).map(|key| key.name).collect();
    let remedy = if let Some((_, near)) = near {
        format!("did you mean {}?", near.path())
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
    let (given, last) = (short(&given.to_string()), key.name);
    let message = format!("{given} is not {}; write, for example, {last} = {}", key.wanted, key.example);
    Error::config(name, message)
}

/// The error for a missing key that has no default.
pub fn missing(name: &str) -> Error {
    let Some(key) = Key::find(name) else { return unknown(name) };
    Error::config(name, format!("missing; add `{} = {}` to [{}]", key.name, key.example, key.section))
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
