//! From a file and the overrides to a checked [`Config`], and back to TOML.

use std::path::{Path, PathBuf};

use serde::Deserialize;
use toml::{Table, Value};

use super::check;
use super::config::{Augmentation, Batch, Config, Data, Names, Validation};
use super::keys::{self, Key};
use super::overrides;
use super::settings::{Setting, Settings};
use crate::data::source::source_of;
use crate::data::table::Kind;
use crate::nearest::nearest;
use crate::quote::{self, short};
use crate::{Error, Result};

impl Config {
    /// Reads a file, applies the overrides (`train.batch=64`), checks the result, and fills in what follows from it: the
    /// third of `batch`, `micro_batch` and `accumulation_steps`, and paths, which are relative to the file's folder.
    pub fn load(path: &Path, overrides: &[String]) -> Result<Config> {
        Self::from_settings(Settings::read(path)?, overrides, path.parent().unwrap_or(Path::new("")))
    }

    /// As [`Config::load`], from the text of a file in `folder` that errors call `file`.
    pub fn parse(text: &str, file: &str, overrides: &[String], folder: &Path) -> Result<Config> {
        Self::from_settings(Settings::parse(text, file)?, overrides, folder)
    }

    /// The section `[data]` for a table, of path, target and settings such as `data.header=false`; the path is relative to where
    /// the program runs.
    ///
    /// # Errors
    /// [`Error::Config`] for a setting that is none of `[data]`, and for what it cannot be.
    pub fn for_data(path: &Path, target: &[String], overrides: &[String]) -> Result<Data> {
        let file = "--set";
        let mut settings = Settings::parse("", file)?;
        overrides::apply(overrides, &mut settings)?;
        for setting in settings.iter() {
            check_alone(setting)?;
            if !setting.name.starts_with("data.") {
                return Err(Error::config(&setting.name, "is not of [data]; set it in the file that is written"));
            }
        }
        let config = build(settings.iter()).map_err(|error| Error::Internal(error.to_string()))?;
        let target = match target {
            [] => config.data.target,
            [name] => Names::One(name.clone()),
            names => Names::Many(names.to_vec()),
        };
        let data = Data { path: path.to_owned(), target, ..config.data };
        check::data(&data)?;
        Ok(data)
    }

    /// The configuration as TOML; [`Config::load`] reads it back unchanged from any folder.
    pub fn to_toml(&self) -> Result<String> {
        toml::to_string(self).map_err(|error| Error::config("config", format!("cannot be written as TOML: {error}")))
    }

    fn from_settings(mut settings: Settings, overrides: &[String], folder: &Path) -> Result<Config> {
        overrides::apply(overrides, &mut settings)?;
        for setting in settings.iter() {
            check_alone(setting).map_err(|error| settings.locate(error))?;
        }
        let mut config = build(settings.iter())
            .map_err(|error| Error::Internal(format!("keys that fit alone do not fit together: {error}")))?;
        config.fill_in_target(folder);
        config.check().map_err(|error| settings.locate(error))?;
        config.fill_in(folder)?;
        Ok(config)
    }

    /// The target of a folder of images, or of an IDX file, needs no name.
    fn fill_in_target(&mut self, folder: &Path) {
        let data = &mut self.data;
        if !data.target.names().is_empty() || data.path.as_os_str().is_empty() {
            return;
        }
        if data.is_text() {
            data.target = Names::One("token".to_owned());
            return;
        }
        let source = source_of(&absolute(folder, &data.path)).ok();
        if let Some(target) = source.and_then(|source| source.target()) {
            data.target = Names::One(target.to_owned());
        }
    }

    fn fill_in(&mut self, folder: &Path) -> Result<()> {
        let cut = self.train.cut()?;
        if cut.batches.is_constant() {
            self.train.batch = Some(Batch::One(cut.batches.first()));
        }
        self.train.micro_batch = Some(cut.micro_batch);
        self.train.accumulation_steps = cut.accumulation_steps;
        self.data.path = absolute(folder, &self.data.path);
        if let Validation::File(file) = &mut self.data.validation {
            *file = absolute(folder, file);
        }
        if let Some(init) = &mut self.model.init {
            *init = absolute(folder, init);
        }
        Ok(())
    }
}

/// Checks that a key is known and its value has the right type.
fn check_alone(setting: &Setting) -> Result<()> {
    let name = &setting.name;
    if keys::sections().contains(&name.as_str()) {
        let given = short(&shown(&setting.value));
        let message = format!("{given} is not a section; write [{name}] on a line of its own and its keys below it");
        return Err(Error::config(name, message));
    }
    if Key::find(name).is_none() {
        return Err(keys::unknown(name));
    }
    build(std::iter::once(setting)).map(drop).map_err(|_| match &setting.value {
        Value::Array(all) if name == "data.augment" => wrong_augmentation(all).unwrap_or_else(|| unusable(setting)),
        Value::Table(kinds) if name == "data.columns" => wrong_kind(kinds).unwrap_or_else(|| unusable(setting)),
        _ => unusable(setting),
    })
}

fn unusable(setting: &Setting) -> Error {
    keys::unusable(&setting.name, shown(&setting.value))
}

/// The first name in `data.augment` that is none.
fn wrong_augmentation(all: &[Value]) -> Option<Error> {
    let names = all.iter().filter_map(|one| match one {
        Value::String(name) => Some(name),
        Value::Table(given) => given.keys().next(),
        _ => None,
    });
    let given = names.into_iter().find(|name| !Augmentation::NAMES.contains(&name.as_str()))?;
    let near = nearest(given, Augmentation::NAMES)?;
    Some(Error::config("data.augment", format!("{:?} is not known; did you mean {near:?}?", short(given))))
}

/// The first column of `data.columns` whose kind is none.
fn wrong_kind(kinds: &Table) -> Option<Error> {
    let (column, kind) = kinds.iter().find(|(_, kind)| Kind::deserialize((*kind).clone()).is_err())?;
    let given = short(&shown(kind));
    let names = Kind::ALL.map(Kind::name);
    let hint = match kind.as_str().and_then(|kind| nearest(kind, names)) {
        Some(near) => format!("did you mean {near:?}?"),
        None => format!("there is: {}", names.join(", ")),
    };
    Some(Error::config(
        "data.columns",
        format!("{} is {given}, which is no kind of column; {hint}", quote::shown(column)),
    ))
}

/// Whether a value can be written for a key, apart from what other keys say.
pub(super) fn takes(name: &str, value: Value) -> bool {
    check_alone(&Setting { name: name.to_owned(), value, line: None }).is_ok()
}

/// A value on one line, as a user would write it.
fn shown(value: &Value) -> String {
    match value {
        Value::String(text) => format!("{text:?}"),
        other => other.to_string(),
    }
}

/// A configuration of these keys and the defaults of all others.
fn build<'a>(settings: impl Iterator<Item = &'a Setting>) -> Result<Config, toml::de::Error> {
    let mut document = Table::new();
    for Setting { name, value, .. } in settings {
        let (section, key) = name.split_once('.').unwrap_or(("", name));
        let section = document.entry(section).or_insert_with(|| Value::Table(Table::new()));
        if let Value::Table(section) = section {
            section.insert(key.to_owned(), value.clone());
        }
    }
    document.try_into()
}

/// A path that means the same file from any folder; `-` is standard input.
fn absolute(folder: &Path, path: &Path) -> PathBuf {
    if path == Path::new("-") {
        return path.to_owned();
    }
    let joined = folder.join(path);
    std::path::absolute(&joined).unwrap_or(joined)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nn::Layer;
    use crate::optim::{self, Given};
    use crate::recipe::{Automatic, MicroBatch, Names, Standardize};
    use crate::window::Tail;

    const SMALLEST: &str = "[data]\npath = 'd.csv'\ntarget = 'y'\n[model]\nloss = 'mse'\n[train]\nbatch = 120\n";

    fn parse(text: &str, overrides: &[&str]) -> Result<Config> {
        let overrides: Vec<_> = overrides.iter().map(|&text| text.to_owned()).collect();
        Config::parse(text, "c.toml", &overrides, Path::new("/runs"))
    }

    fn refusal(text: &str, overrides: &[&str]) -> String {
        parse(text, overrides).unwrap_err().to_string()
    }

    #[test]
    fn the_smallest_configuration_gets_the_documented_defaults() {
        let config = parse(SMALLEST, &[]).unwrap();
        let auto = MicroBatch::Automatic(Automatic::Auto);
        assert_eq!((config.train.batch, config.train.micro_batch), (Some(Batch::One(120)), Some(auto)));
        assert_eq!((config.train.accumulation_steps, config.train.epochs), (None, 10));
        assert_eq!((config.train.tail, config.train.shuffle, config.train.seed), (Tail::Flush, true, 0));
        assert_eq!(
            (config.data.validation, config.data.standardize),
            (Validation::Share(0.2), Standardize::Switch(true))
        );
        assert_eq!((config.optimizer.lr, config.optimizer.settings), (0.01, Given::default()));
        assert!(config.model.layers.is_empty() && config.model.init.is_none());
    }

    #[test]
    fn a_resolved_configuration_comes_back_from_its_toml_in_any_folder() {
        let text = SMALLEST.replace("'y'", "['y', 'z']").replace("[train]", "layers = [64, 'relu', 3]\n[train]");
        let sets =
            ["train.accumulation_steps=5", "data.validation=v.csv", "model.init=w.safetensors", "train.tail=carry"];
        let config = parse(&text, &sets).unwrap();
        assert_eq!(config.model.layers[1..], [Layer::Named("relu".into()), Layer::Linear(3)]);
        assert_eq!(config.data.target, Names::Many(vec!["y".into(), "z".into()]));
        let written = config.to_toml().unwrap();
        assert_eq!(Config::parse(&written, "r.toml", &[], Path::new("elsewhere")).unwrap(), config, "{written}");
    }

    #[test]
    fn paths_are_relative_to_the_file() {
        let sets = ["data.validation=../v.csv", "model.init=/w/start.safetensors"];
        let config = parse(SMALLEST, &sets).unwrap();
        assert!(config.data.path.is_absolute());
        assert!(config.data.path.ends_with("runs/d.csv"), "{config:?}");
        assert!(matches!(&config.data.validation, Validation::File(file) if file.ends_with("runs/../v.csv")));
        assert!(config.model.init.unwrap().ends_with("w/start.safetensors"));
    }

    #[test]
    fn an_unknown_key_names_the_nearest_and_the_line() {
        let text = refusal(&SMALLEST.replace("batch", "bach"), &[]);
        assert_eq!(text, "train.bach: unknown key; did you mean train.batch? (c.toml:7)");
        let text = refusal(SMALLEST, &["train.lr=0.1"]);
        assert_eq!(text, "train.lr: unknown key; did you mean optimizer.lr? (--set)");
        let text = refusal(&format!("{SMALLEST}[optimiser]\n"), &[]);
        assert_eq!(text, "optimiser: unknown key; did you mean the section [optimizer]? (c.toml:8)");
        let text = refusal("batch = 3", &[]);
        assert_eq!(text, "batch: unknown key; did you mean train.batch? (c.toml:1)");
    }

    #[test]
    fn a_value_of_the_wrong_type_names_field_value_wish_and_line() {
        let text = refusal(&SMALLEST.replace("120", "'many'"), &[]);
        let wish = "is not a whole number from 1 to 4294967295, or a schedule such as [[0, 64], [1000, 256]]; write, for \
                    example, batch = 120";
        assert_eq!(text, format!("train.batch: \"many\" {wish} (c.toml:7)"));
        let text = refusal(SMALLEST, &["train.tail=wag"]);
        assert_eq!(
            text,
            "train.tail: \"wag\" is not \"flush\", \"drop\" or \"carry\"; write, for example, tail = \"flush\" (--set)"
        );
        let text = refusal("[train]\nseed = 99999999999999999999", &[]);
        assert!(text.starts_with("train.seed: \"99999999999999999999\" is not a whole number"), "{text}");
        let text = refusal("train = 3\n", &[]);
        assert!(text.starts_with("train: 3 is not a section; write [train] on a line of its own"), "{text}");
        for set in ["train.epochs=-1", "train.epochs=1.5", "model.layers=[1.5]", "optimizer.type=adm", "train.seed=-1"]
        {
            assert!(refusal(SMALLEST, &[set]).ends_with(" (--set)"), "{set}");
        }
    }

    #[test]
    fn an_error_of_meaning_names_the_line_too() {
        let text = refusal(&format!("{SMALLEST}epochs = 0"), &[]);
        assert!(text.starts_with("train.epochs: 0 is not a whole number") && text.ends_with("(c.toml:8)"), "{text}");
        let text = refusal("", &[]);
        assert_eq!(text, "data.path: missing; add `path = \"digits.csv\"` to [data] (c.toml)");
    }

    #[test]
    fn whole_numbers_are_taken_where_fractions_are_wanted() {
        let config = parse(SMALLEST, &["optimizer.lr=1", "data.validation=0"]).unwrap();
        assert_eq!((config.optimizer.lr, config.data.validation), (1.0, Validation::Share(0.0)));
    }

    #[test]
    fn the_target_of_images_has_a_name_of_its_own() {
        for (path, target) in [("photos/", "class"), ("train-images-idx3-ubyte.gz", "labels")] {
            let text = SMALLEST.replace("'d.csv'\ntarget = 'y'", &format!("'{path}'")).replace("mse", "cross_entropy");
            assert_eq!(parse(&text, &["data.size=[9, 7]"]).unwrap().data.target, Names::One(target.into()));
            assert_eq!(parse(&text, &["data.target=y"]).unwrap().data.target, Names::One("y".into()));
        }
        let text = refusal(&SMALLEST.replace("target = 'y'\n", ""), &[]);
        assert!(text.starts_with("data.target: missing; add `target = "), "{text}");
        let text = refusal("[data]\npath = 'phtos'\n[model]\nloss = 'cross_entropy'\n[train]\nbatch = 4\n", &[]);
        assert!(text.starts_with("data.target: missing; a folder of images needs none, but there is no folder phtos"));
    }

    #[test]
    fn every_key_has_a_field_and_an_example_of_its_type() {
        // Configurations that set every key between them: some keys exclude each other.
        let data = [
            "data.weight=w",
            "data.features=x",
            "data.ignore=i",
            "data.columns={ z = \"category\" }",
            "data.separator=tab",
            "data.decimal=','",
            "data.encoding=latin-1",
            "data.header=false",
            "data.missing=drop",
            "data.missing_values=['x']",
            "data.one_hot=3",
            "data.layout=chw",
            "data.size=[32, 48]",
            "data.augment=['flip', { crop = 2 }]",
            "data.split=group",
            "data.group=g",
        ];
        let smooth = [
            "model.loss=cross_entropy",
            "model.label_smoothing=0.1",
            "optimizer.lr_factors={bias=0.1}",
            "optimizer.decay=matrices",
        ];
        let common = ["model.init=w", "model.first_weights=normal", "train.memory=1GiB", "train.accumulation_steps=3"];
        let best = ["train.best=auc", "train.patience=3", "train.stop_after=2", "train.refit=true"];
        let classes = ["train.class_weight={ a = 2 }"];
        let step = ["clip_norm=1", "clip_value=1", "schedule=step", "step_every=5", "step_factor=0.5", "warmup=3"];
        let cosine = ["lr_scaling=sqrt", "base_batch=64", "schedule=cosine", "min_lr=0.1"];
        let (mut seen, mut configs) = (std::collections::BTreeSet::new(), Vec::new());
        for (kind, schedule) in optim::ALL.iter().zip([&step[..], &cosine].into_iter().cycle()) {
            let own = kind.settings.iter().map(|own| format!("optimizer.{}={}", own.name, own.example));
            let mut sets: Vec<String> = schedule.iter().map(|set| format!("optimizer.{set}")).chain(own).collect();
            sets.push(format!("optimizer.type={}", kind.name));
            sets.extend(
                common.iter().chain(&data).chain(&smooth).chain(&classes).chain(&best).map(|&set| set.to_owned()),
            );
            let config = Config::parse(SMALLEST, "c.toml", &sets, Path::new("/runs")).unwrap();
            configs.push(config);
        }
        let text = ["data.context=8", "data.tokens=bytes", "data.sequences=9", "model.output={ bias = false }"];
        let text = text
            .iter()
            .chain(&["model.loss=cross_entropy", "data.target=token"])
            .map(|&set| set.to_owned())
            .collect::<Vec<_>>();
        configs.push(Config::parse(SMALLEST, "c.toml", &text, Path::new("/runs")).unwrap());
        for config in configs {
            for (section, keys) in config.to_toml().unwrap().parse::<Table>().unwrap() {
                seen.extend(keys.as_table().unwrap().keys().map(|key| format!("{section}.{key}")));
            }
        }
        let known: std::collections::BTreeSet<String> = keys::KEYS.iter().map(Key::path).collect();
        assert_eq!(seen, known);
        for Key { section, name, example, .. } in &*keys::KEYS {
            let settings = Settings::parse(&format!("[{section}]\n{name} = {example}\n"), "c.toml").unwrap();
            for setting in settings.iter() {
                check_alone(setting).unwrap_or_else(|error| panic!("{error}"));
            }
        }
    }
}
