//! The commented configuration to start from.

use super::config::{class_losses, number_losses};
use super::keys;
use crate::train::metrics::Metric;
use crate::{ops, optim};

/// The configuration to start from: every key, its default, and one line about it.
pub fn template() -> String {
    let optimizers: Vec<&str> = optim::ALL.iter().map(|kind| kind.name).collect();
    include_str!("template.toml")
        .replace("@layers@", &ops::layers().join(", "))
        .replace("@class_losses@", &class_losses().join(", "))
        .replace("@number_losses@", &number_losses().join(", "))
        .replace("@optimizers@", &keys::listed(&optimizers, "or"))
        .replace("@metrics@", &keys::listed(&Metric::ALL.map(Metric::name), "or"))
        .replace("@kinds@", &ops::parameter_kinds().join(", "))
        .replace("@settings@\n", &settings())
}

/// The lines of the optimizers' settings, each with the optimizers that have it unless all do, and with the examples of those that
/// have another one: optimizers have defaults of their own.
fn settings() -> String {
    let line = |(setting, kinds): (&optim::Setting, Vec<&optim::Kind>)| {
        let shown = format!("# {} = {}", setting.name, setting.example);
        let names: Vec<&str> = kinds.iter().map(|kind| kind.name).collect();
        let whose = if names.len() == optim::ALL.len() { String::new() } else { format!("{}: ", names.join(", ")) };
        let own = |kind: &&optim::Kind| kind.settings.iter().find(|own| own.name == setting.name);
        let others = kinds.iter().filter_map(|kind| Some((kind.name, own(kind)?.example)));
        let others = others.filter(|(_, example)| *example != setting.example);
        let others: String = others.map(|(name, example)| format!("; {name}: {example}")).collect();
        format!("{shown:<26}# {whose}{}{others}\n", setting.about)
    };
    optim::settings().into_iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::nn::Layer;
    use crate::recipe::keys::KEYS;
    use crate::recipe::{Automatic, Batch, Config, MicroBatch, Names};

    #[test]
    fn the_template_loads_and_shows_the_defaults() {
        let config = Config::parse(&template(), "init.toml", &[], Path::new("/")).unwrap();
        let mut wanted = Config::default();
        wanted.data.path = std::path::absolute("/data.csv").unwrap();
        wanted.data.target = Names::One("label".into());
        wanted.model.layers = vec![Layer::Linear(64), Layer::Named("relu".into())];
        wanted.model.loss = "cross_entropy".into();
        let auto = MicroBatch::Automatic(Automatic::Auto);
        (wanted.train.batch, wanted.train.micro_batch) = (Some(Batch::One(64)), Some(auto));
        assert_eq!(config.train.accumulation_steps, None);
        assert_eq!(config, wanted);
    }

    #[test]
    fn the_template_shows_every_key_once_and_explains_it() {
        for key in KEYS.iter().map(|key| format!("{} = ", key.name)) {
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
        for key in [
            "weight =",
            "features",
            "layout",
            "label_smoothing",
            "init",
            "accumulation_steps",
            "patience",
            "stop_after",
            "refit",
            "class_weight",
            "lr_factors",
            "momentum",
            "weight_decay",
            "clip_norm",
            "clip_value",
        ] {
            all = all.replacen(&format!("# {key}"), key, 1);
        }
        Config::parse(&all, "init.toml", &[], Path::new("/")).unwrap();
    }

    #[test]
    fn the_template_names_every_layer_and_loss() {
        for name in ops::layers().into_iter().chain(ops::losses()) {
            assert!(template().contains(name), "{name}");
        }
    }
}
