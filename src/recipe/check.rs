//! The checks that a configuration's types cannot express: ranges, names, and keys that depend on each other.

use std::collections::HashSet;
use std::mem::discriminant;
use std::path::Path;

use super::config::{Augmentation, Config, Data, Model, Train, Validation, class_losses};
use super::keys::{listed, missing, unusable};
use crate::data::split::Split;
use crate::graph::Role;
use crate::nearest::nearest;
use crate::nn::{Kind, MOST_LAYERS, Part, parse};
use crate::ops::losses;
use crate::quote::short;
use crate::train::metrics::Metric;
use crate::{Error, Result};

/// The largest height and width of an image.
const MOST_SIDE: usize = 16_384;

/// Pixels of an image: a row has no more numbers.
const MOST_PIXELS: usize = crate::data::pixels::MOST;

impl Config {
    /// Fails for a configuration that cannot be trained, with the key, its value, and the allowed values.
    pub fn check(&self) -> Result<()> {
        data(&self.data)?;
        model(&self.model)?;
        targets(&self.data, &self.model)?;
        kind(&self.train, &self.model.loss)?;
        train(&self.train)?;
        self.optimizer.check()
    }
}

/// Fails for a section `[data]` that contradicts itself.
pub(super) fn data(data: &Data) -> Result<()> {
    if data.path.as_os_str().is_empty() {
        return Err(missing("data.path"));
    }
    let names = data.target.names();
    if names.is_empty() && data.path.extension().is_none() {
        let path = short(&data.path.to_string_lossy());
        let message = format!(
            "missing; a folder of images needs none, but there is no folder {path}: correct data.path, or name it"
        );
        return Err(Error::config("data.target", message));
    }
    if names.is_empty() {
        return Err(missing("data.target"));
    }
    once("data.target", names)?;
    if let Some(features) = &data.features {
        if features.names().is_empty() {
            return Err(unusable("data.features", "[]"));
        }
        once("data.features", features.names())?;
        if let Some(name) =
            features.names().iter().find(|name| names.contains(name) || data.weight.as_ref() == Some(name))
        {
            let message = format!("{:?} is target or weight too; a column has one use", short(name));
            return Err(Error::config("data.features", message));
        }
    }
    if let Some(weight) = &data.weight
        && (weight.is_empty() || names.contains(weight))
    {
        return Err(Error::config(
            "data.weight",
            format!("{:?} must be a column of its own; name another or leave it out", short(weight)),
        ));
    }
    table(data)?;
    if let Some(size @ [height, width]) = data.size
        && !(size.iter().all(|side| (1..=MOST_SIDE).contains(side)) && height * width <= MOST_PIXELS)
    {
        return Err(unusable("data.size", format!("[{height}, {width}]")));
    }
    augment(&data.augment)?;
    match &data.validation {
        Validation::Share(share) if !(0.0..1.0).contains(share) => Err(unusable("data.validation", share)),
        Validation::File(file) => not_empty("data.validation", file),
        Validation::Share(_) => Ok(()),
    }
}

/// Each of them once, and no crop that keeps nothing of the largest image.
fn augment(all: &[Augmentation]) -> Result<()> {
    let twice =
        |(at, one): (usize, &Augmentation)| all[..at].iter().any(|other| discriminant(other) == discriminant(one));
    if all.iter().enumerate().any(twice) {
        return Err(Error::config("data.augment", "has one of them twice; write it once"));
    }
    match all.iter().find(|one| matches!(one, Augmentation::Crop(by) if !(1..MOST_SIDE as u32).contains(by))) {
        Some(Augmentation::Crop(by)) => Err(unusable("data.augment", format!("{{ crop = {by} }}"))),
        _ => Ok(()),
    }
}

/// What is said of the columns of a table.
fn table(data: &Data) -> Result<()> {
    if let Some(ignored) = &data.ignore {
        once("data.ignore", ignored.names())?;
        let used = |name: &&String| {
            let features = data.features.iter().flat_map(|names| names.names());
            data.target.names().iter().chain(features).chain(&data.weight).any(|used| used == *name)
        };
        if let Some(name) = ignored.names().iter().find(used) {
            let message = format!("{:?} is used elsewhere; name it once", short(name));
            return Err(Error::config("data.ignore", message));
        }
    }
    match (&data.group, data.split) {
        (None, Some(Split::Group)) => {
            let message = "\"group\" needs the column whose equal cells stay together; name it in data.group";
            return Err(Error::config("data.split", message));
        }
        (Some(_), Some(split)) if split != Split::Group => {
            let message = "belongs to data.split = \"group\"; set that, or leave data.group out";
            return Err(Error::config("data.group", message));
        }
        (Some(name), _) if data.target.names().contains(name) => {
            return Err(Error::config(
                "data.group",
                format!("{:?} is the target too; name another column", short(name)),
            ));
        }
        _ => {}
    }
    match data.one_hot {
        Some(0) => Err(unusable("data.one_hot", 0)),
        _ => Ok(()),
    }
}

/// Every column has a name, and none has two uses.
fn once(field: &str, names: &[String]) -> Result<()> {
    let mut seen = HashSet::new();
    for name in names {
        if name.is_empty() {
            return Err(unusable(field, "\"\""));
        }
        if !seen.insert(name) {
            return Err(Error::config(field, format!("{:?} is named twice; name it once", short(name))));
        }
    }
    Ok(())
}

fn not_empty(field: &str, path: &Path) -> Result<()> {
    if path.as_os_str().is_empty() { Err(unusable(field, "\"\"")) } else { Ok(()) }
}

fn model(model: &Model) -> Result<()> {
    if model.layers.len() >= MOST_LAYERS {
        let message = format!("{} items; give {} at most", model.layers.len(), MOST_LAYERS - 1);
        return Err(Error::config("model.layers", message));
    }
    follows_a_width(&parse(&model.layers, &[])?, false)?;
    if model.loss.is_empty() {
        return Err(missing("model.loss"));
    }
    if !losses().contains(&model.loss.as_str()) {
        return Err(unknown_name("model.loss", &model.loss, "a loss", &losses()));
    }
    if !(0.0..1.0).contains(&model.label_smoothing) || model.label_smoothing as f32 >= 1.0 {
        return Err(unusable("model.label_smoothing", model.label_smoothing));
    }
    if model.label_smoothing != 0.0 && model.loss != "cross_entropy" {
        let message = format!("belongs to loss = \"cross_entropy\", but this is {}; leave it out", model.loss);
        return Err(Error::config("model.label_smoothing", message));
    }
    model.init.as_deref().map_or(Ok(()), |path| not_empty("model.init", path))
}

/// An activation stands alone: two in a row, or one of the features themselves, are mistakes more often than not. Returns whether
/// what comes next may be one; `may` says so of the first.
fn follows_a_width(layers: &[Part], may: bool) -> Result<bool> {
    let mut may = may;
    for Part { path, kind } in layers {
        may = match kind {
            Kind::Op(op) if op.role() == Role::Activation && !may => {
                let name = op.name();
                let message = format!("{name:?} is an activation; it must follow a width, as in [64, {name:?}]");
                return Err(Error::config(path, message));
            }
            Kind::Op(op) => op.role() != Role::Activation,
            // What goes in is added to what comes out, or stands beside it: none of it is activated twice.
            Kind::Residual { body, shortcut } => {
                follows_a_width(body, true)?;
                follows_a_width(shortcut, true)?;
                true
            }
            Kind::Concat(branches) => {
                branches.iter().try_for_each(|branch| follows_a_width(branch, true).map(drop))?;
                true
            }
            Kind::Repeat { layers, .. } => {
                let after = follows_a_width(layers, may)?;
                follows_a_width(layers, after)?
            }
        };
    }
    Ok(may)
}

fn unknown_name(field: &str, given: &str, what: &str, known: &[&str]) -> Error {
    let remedy = match nearest(given, known.iter().copied()) {
        Some(near) => format!("did you mean {near:?}?"),
        None => format!("write one of {}", known.join(", ")),
    };
    Error::config(field, format!("{:?} is not {what}; {remedy}", short(given)))
}

fn targets(data: &Data, model: &Model) -> Result<()> {
    let columns = data.target.names().len();
    if columns > 1 && class_losses().contains(&model.loss.as_str()) {
        let loss = &model.loss;
        let message =
            format!("{columns} columns, but loss = {loss:?} takes one column of labels; name one, or use \"mse\"");
        return Err(Error::config("data.target", message));
    }
    Ok(())
}

/// What is for classes alone, or for numbers.
fn kind(train: &Train, loss: &str) -> Result<()> {
    let classes = class_losses().contains(&loss);
    let (own, other) = if classes { ("classes", "numbers") } else { ("numbers", "classes") };
    if !train.best.is_of(classes) {
        let fitting = Metric::ALL.into_iter().filter(|metric| metric.is_of(classes)).map(Metric::name);
        let fitting = listed(&fitting.collect::<Vec<_>>(), "or");
        let name = train.best.name();
        let message = format!("{name:?} is for {other}, but loss = {loss:?} is for {own}; write {fitting}");
        return Err(Error::config("train.best", message));
    }
    if train.class_weight.is_some() && !classes {
        let message =
            format!("loss = {loss:?} is for numbers, which have no classes; leave it out, or use data.weight");
        return Err(Error::config("train.class_weight", message));
    }
    Ok(())
}

fn train(train: &Train) -> Result<()> {
    if train.patience == Some(0) {
        return Err(unusable("train.patience", 0));
    }
    if train.epochs == 0 {
        return Err(unusable("train.epochs", 0));
    }
    match train.stop_after {
        Some(0) => return Err(unusable("train.stop_after", 0)),
        Some(after) if after > train.epochs => {
            let message =
                format!("{after} is more than the {} of train.epochs; leave one of the two out", train.epochs);
            return Err(Error::config("train.stop_after", message));
        }
        _ => {}
    }
    if i64::try_from(train.seed).is_err() {
        return Err(unusable("train.seed", train.seed));
    }
    train.memory_bytes()?;
    train.checkpoint.every()?;
    train.cut().map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "[data]\npath = 'd.csv'\ntarget = 'y'\n[model]\nloss = 'mse'\n[train]\nbatch = 120\n";

    fn check(overrides: &[&str]) -> Result<Config> {
        let overrides: Vec<_> = overrides.iter().map(|&text| text.to_owned()).collect();
        Config::parse(GOOD, "c.toml", &overrides, Path::new(""))
    }

    fn refusal(overrides: &[&str]) -> String {
        check(overrides).unwrap_err().to_string().replace(" (--set)", "")
    }

    #[test]
    fn the_default_lacks_what_has_no_default() {
        assert!(Config::default().check().unwrap_err().to_string().starts_with("data.path: missing"));
    }

    #[test]
    fn layers_are_widths_each_followed_by_an_activation_or_not() {
        for good in [
            "[]",
            "[64]",
            "[64, 32]",
            "[64, 'relu', 16777216, 'gelu_tanh']",
            "[1, 2, 'silu']",
            "['layer_norm', 8, 'layer_norm', 'relu']",
        ] {
            check(&[&format!("model.layers={good}")]).unwrap();
        }
        let text = refusal(&["model.layers=['relu', 64]"]);
        let rule = "is an activation; it must follow a width, as in [64,";
        assert_eq!(text, format!("model.layers[0]: \"relu\" {rule} \"relu\"]"));
        assert!(refusal(&["model.layers=[64, 'relu', 'tanh']"]).starts_with("model.layers[2]: \"tanh\" is an"));
        assert!(refusal(&["model.layers=[0]"]).starts_with("model.layers[0]: a layer of width 0; give 1 to 16777216"));
        assert!(refusal(&["model.layers=[16777217]"]).starts_with("model.layers[0]: a layer of width 16777217;"));
        assert!(refusal(&["model.layers=[1.5]"]).starts_with("model.layers: [1.5] is not a list of layers"));
    }

    #[test]
    fn activations_in_layers_of_layers_follow_a_width_too() {
        for good in [
            "[8, {residual=['layer_norm', 'relu', 8, 'relu', 8]}, 'relu']",
            "[8, 'relu', {residual=['relu', 8]}]",
            "[{concat=[[], ['tanh'], [4, 'tanh']]}, 'relu']",
            "[{repeat={times=3, layers=[8, 'relu']}}, 4]",
            "[8, {repeat={times=3, layers=['relu', 8]}}]",
        ] {
            check(&[&format!("model.layers={good}")]).unwrap();
        }
        for (bad, place) in [
            ("[8, {residual=[8, 'relu', 'tanh']}]", "[1].residual[2]: \"tanh\" is an activation"),
            ("[8, 'relu', {repeat={times=2, layers=['tanh', 8]}}]", "[2].repeat.layers[0]: \"tanh\" is an"),
            ("[8, {repeat={times=2, layers=['tanh']}}]", "[1].repeat.layers[0]: \"tanh\" is an activation"),
            ("[{concat=[[8], [8, 'relu', 'relu']]}]", "[0].concat[1][2]: \"relu\" is an activation"),
        ] {
            let text = refusal(&[&format!("model.layers={bad}")]);
            assert!(text.starts_with(&format!("model.layers{place}")), "{text}");
        }
    }

    #[test]
    fn names_that_are_not_known_find_the_nearest() {
        assert_eq!(
            refusal(&["model.layers=[8, 'ReLU']"]),
            "model.layers[1]: \"ReLU\" is not a known layer; did you mean \"relu\"?"
        );
        assert_eq!(
            refusal(&["model.loss=cross-entropy"]),
            "model.loss: \"cross-entropy\" is not a loss; did you mean \"cross_entropy\"?"
        );
        assert_eq!(
            refusal(&["model.loss=hinge"]),
            "model.loss: \"hinge\" is not a loss; write one of mse, cross_entropy, huber, bce"
        );
    }

    #[test]
    fn numbers_out_of_range_are_refused() {
        for set in ["data.validation=1.0", "data.validation=-0.1", "data.validation=nan", "train.epochs=0"] {
            assert!(refusal(&[set]).contains(" is not "), "{set}");
        }
        for name in ["lr", "momentum", "dampening", "weight_decay"] {
            for value in ["-0.1", "nan", "inf", "1e39"] {
                assert!(refusal(&[&format!("optimizer.{name}={value}")]).contains("number from 0"));
            }
            check(&[&format!("optimizer.{name}=0")]).unwrap();
        }
    }

    #[test]
    fn nesterov_needs_momentum_and_no_dampening() {
        let wish = "needs momentum above 0 and dampening 0; set them or leave nesterov out";
        assert!(refusal(&["optimizer.nesterov=true"]).contains(wish));
        let sets = ["optimizer.nesterov=true", "optimizer.momentum=0.9"];
        check(&sets).unwrap();
        assert!(refusal(&[&sets[..], &["optimizer.dampening=0.1"]].concat()).contains(wish));
    }

    #[test]
    fn what_is_for_classes_is_refused_for_numbers_and_the_other_way_round() {
        assert_eq!(
            refusal(&["train.best=auc"]),
            "train.best: \"auc\" is for classes, but loss = \"mse\" is for numbers; write loss, rmse, mae or r2"
        );
        check(&["train.best=r2", "train.patience=3"]).unwrap();
        let classes = ["model.loss=bce", "train.best=auc", "train.class_weight={ \"1\" = 2 }"];
        check(&classes).unwrap();
        assert!(
            refusal(&["model.loss=bce", "train.best=mae"]).contains("write loss, accuracy, balanced_accuracy, f1,")
        );
        for weight in ["balanced", "{ a = 2.0 }"] {
            let text = refusal(&[&format!("train.class_weight={weight}")]);
            assert!(text.starts_with("train.class_weight: loss = \"mse\" is for numbers"), "{text}");
        }
        for bad in ["train.class_weight=even", "train.class_weight={ a = 'b' }", "train.patience=0", "train.best=aux"] {
            assert!(refusal(&["model.loss=bce", bad]).contains(" is not "), "{bad}");
        }
    }

    #[test]
    fn a_classification_has_one_target_and_every_target_one_name() {
        check(&["data.target=['a', 'b']"]).unwrap();
        assert!(refusal(&["data.target=['a', 'b']", "model.loss=bce"]).starts_with("data.target: 2 columns"));
        assert!(refusal(&["data.target=['a', 'a']"]).contains("\"a\" is named twice"));
        assert!(refusal(&["data.target=[]"]).contains("missing"));
        assert!(refusal(&["data.target=['']"]).contains("\"\" is not the name"));
        check(&["data.features=['a', 'b']"]).unwrap();
        assert!(refusal(&["data.features=['a', 'a']"]).starts_with("data.features: \"a\" is named twice"));
        assert!(refusal(&["data.features=['a', 'y']"]).starts_with("data.features: \"y\" is target or weight too"));
        assert!(refusal(&["data.features=[]"]).starts_with("data.features: [] is not the name"));
        for bad in ["[0, 3]", "[3]", "[3, 16385]", "[1025, 1024]", "3", "[-1, 3]"] {
            let text = refusal(&[&format!("data.size={bad}")]);
            assert!(text.contains("is not a height and a width of 1 to 16384 pixels"), "{text}");
        }
        check(&["data.size=[1024, 1024]"]).unwrap();
        for (bad, said) in [
            ("['flp']", "\"flp\" is not known; did you mean \"flip\"?"),
            ("[{ corp = 4 }]", "\"corp\" is not known; did you mean \"crop\"?"),
            ("['flip', 'flip']", "has one of them twice"),
            ("[{ crop = 4 }, { crop = 2 }]", "has one of them twice"),
            ("[{ crop = 0 }]", "{ crop = 0 } is not a list of \"flip\" and { crop = N }"),
            ("['crop']", "is not a list of"),
            ("[{ flip = 4 }]", "is not a list of"),
            ("[{ crop = -4 }]", "is not a list of"),
            ("'flip'", "\"flip\" is not a list of"),
            ("['mirror']", "is not a list of"),
        ] {
            let text = refusal(&[&format!("data.augment={bad}")]);
            assert!(text.starts_with("data.augment: ") && text.contains(said), "{text}");
        }
        check(&["data.augment=[{ crop = 16383 }, 'flip']"]).unwrap();
        assert!(refusal(&["data.layout=nchw"]).starts_with("data.layout: "));
        assert!(refusal(&["data.path=''"]).contains("missing"));
        assert!(refusal(&["model.init=''"]).contains("is not the path"));
    }
}
