//! Whole training runs against PyTorch's, made in f64 by `tests/golden/make_goldens.py`.

mod common;

use std::ops::ControlFlow;
use std::path::Path;

use accrue::data::{Batch, Target};
use accrue::nn::{Arrays, Layer, Model};
use accrue::optim::{self, Clip, Optimizer, Setting};
use accrue::plan::Array;
use accrue::train::{Event, FitConfig, Settings, Trainer};
use accrue::window::Tail;
use common::{distance, gpu};
use safetensors::SafeTensors;
use serde_json::Value;

struct Case {
    entry: Value,
    bytes: Vec<u8>,
}

impl Case {
    fn all() -> Vec<Case> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
        let list: Vec<Value> = serde_json::from_slice(&std::fs::read(folder.join("cases.json")).unwrap()).unwrap();
        let list = list.into_iter();
        list.map(|entry| {
            let bytes = std::fs::read(folder.join(entry["file"].as_str().unwrap())).unwrap();
            Case { entry, bytes }
        })
        .collect()
    }

    fn name(&self) -> &str {
        self.entry["name"].as_str().unwrap()
    }

    fn number(&self, key: &str) -> usize {
        self.entry[key].as_u64().unwrap() as usize
    }

    fn model(&self) -> Model {
        let layers = self.entry["layers"].as_array().unwrap();
        let layer = |value: &Value| serde_json::from_value::<Layer>(value.clone()).unwrap();
        let hidden: Vec<Layer> = layers[1..].iter().map(layer).collect();
        let loss = self.entry["loss"].as_str().unwrap();
        let loss = if loss == "bce_with_logits" { "bce" } else { loss };
        Model::new(layers[0].as_u64().unwrap() as usize, &hidden, loss).unwrap()
    }

    fn optimizer(&self) -> (Box<dyn Optimizer>, Clip, f64) {
        let settings = &self.entry["optimizer"];
        let number = |key: &str| settings[key].as_f64().unwrap();
        let clip = Clip { norm: settings["clip_norm"].as_f64(), value: None };
        let kind = optim::find(settings["type"].as_str().unwrap()).unwrap();
        let name = |own: &Setting| if own.name == "epsilon" { "eps" } else { own.name };
        let given = kind.settings.iter().map(|own| (own.name.to_owned(), settings[name(own)].clone())).collect();
        let optimizer = (kind.make)(serde_json::from_value(Value::Object(given)).unwrap()).unwrap();
        (optimizer, clip, number("lr"))
    }

    fn tail(&self) -> Tail {
        match self.entry["tail"].as_str().unwrap() {
            "flush" => Tail::Flush,
            "drop" => Tail::Drop,
            _ => Tail::Carry,
        }
    }

    fn floats(&self, name: &str) -> Vec<f32> {
        bytemuck::pod_collect_to_vec(SafeTensors::deserialize(&self.bytes).unwrap().tensor(name).unwrap().data())
    }

    fn losses(&self) -> Vec<f64> {
        bytemuck::pod_collect_to_vec(SafeTensors::deserialize(&self.bytes).unwrap().tensor("losses").unwrap().data())
    }

    fn classes(&self) -> Vec<u32> {
        bytemuck::pod_collect_to_vec(SafeTensors::deserialize(&self.bytes).unwrap().tensor("targets").unwrap().data())
    }

    /// The arrays whose names begin with `prefix`, without it.
    fn arrays(&self, prefix: &str) -> Arrays {
        let tensors = SafeTensors::deserialize(&self.bytes).unwrap();
        let mut arrays = Arrays::new();
        for (name, view) in tensors.tensors() {
            if let Some(rest) = name.strip_prefix(prefix) {
                let values = bytemuck::pod_collect_to_vec(view.data());
                arrays.insert(rest.to_owned(), Array { shape: view.shape().to_vec(), values });
            }
        }
        arrays
    }

    /// Calls `with` with the data of the case.
    fn with_batch<T>(&self, with: impl FnOnce(Batch) -> T) -> T {
        let features = self.floats("inputs");
        if self.entry["loss"] == "cross_entropy" {
            let classes = self.classes();
            return with(Batch { features: (&features).into(), targets: Target::Classes(&classes), weights: None });
        }
        let values = self.floats("targets");
        with(Batch { features: (&features).into(), targets: Target::Values(&values), weights: None })
    }

    fn trainer(&self) -> Trainer {
        let (optimizer, clip, lr) = self.optimizer();
        let settings = Settings {
            micro_batch: self.number("micro_batch"),
            optimizer,
            clip,
            lr,
            lr_factors: serde_json::from_value(self.entry["lr_factors"].clone()).unwrap_or_default(),
            start: Some(self.arrays("start.")),
            label_smoothing: self.entry["label_smoothing"].as_f64().unwrap_or_default(),
            ..Settings::default()
        };
        Trainer::new(gpu(), &self.model(), settings).unwrap()
    }
}

fn close(case: &Case, what: &str, ours: &Arrays, wanted: &Arrays, by: f64) {
    assert_eq!(ours.keys().collect::<Vec<_>>(), wanted.keys().collect::<Vec<_>>(), "{}: {what}", case.name());
    for (name, wanted) in wanted {
        let ours = &ours[name];
        assert_eq!(ours.shape, wanted.shape, "{}: {what} {name}", case.name());
        let apart = distance(ours.values.iter().map(|&v| f64::from(v)), wanted.values.iter().map(|&v| f64::from(v)));
        assert!(apart < by, "{}: {what} {name} is {apart:e} away from PyTorch's", case.name());
    }
}

#[test]
fn every_update_has_pytorchs_loss_and_the_run_ends_at_pytorchs_weights() {
    let cases = Case::all();
    assert!(cases.len() >= 40, "the golden cases are there");
    for case in &cases {
        let mut trainer = case.trainer();
        let mut losses = Vec::new();
        case.with_batch(|train| {
            let (batch, epochs) = (case.number("batch") as u32, case.number("epochs") as u32);
            let fit = FitConfig { tail: case.tail(), ..FitConfig::new(train, batch, epochs) };
            let watch = |event| {
                if let Event::Update { update, .. } = event {
                    losses.push(update.loss);
                }
                ControlFlow::Continue(())
            };
            trainer.fit(&fit, watch).unwrap();
        });
        let wanted = case.losses();
        assert!(losses.len() == wanted.len() && !wanted.is_empty(), "{}: updates", case.name());
        for (at, (ours, wanted)) in losses.iter().zip(&wanted).enumerate() {
            let apart = (ours - wanted).abs() / wanted.abs();
            assert!(apart < 1e-5, "{}: loss of update {} is {ours}, PyTorch's {wanted}", case.name(), at + 1);
        }
        close(case, "final", &trainer.parameters().unwrap(), &case.arrays("final."), 1e-5);
    }
}

#[test]
fn the_first_windows_gradient_is_pytorchs() {
    let mut compared = 0;
    for case in &Case::all() {
        let mut trainer = case.trainer();
        let rows = case.number("batch").min(case.number("rows"));
        let rows = if case.tail() == Tail::Carry { case.number("batch").min(rows) } else { rows };
        case.with_batch(|train| {
            trainer.attach(&train).unwrap();
            let samples: Vec<u32> = (0..rows as u32).collect();
            for micro_batch in samples.chunks(case.number("micro_batch")) {
                let last = micro_batch.last() == samples.last();
                trainer.schedule(micro_batch, last).unwrap();
            }
        });
        if case.tail() == Tail::Carry && case.number("batch") > case.number("rows") {
            continue; // its first window takes rows twice; the run above covers it
        }
        let mut sums = trainer.gradient_sums().unwrap();
        sums.values_mut().flat_map(|array| &mut array.values).for_each(|value| *value /= rows as f32);
        close(case, "gradient", &sums, &case.arrays("gradient."), 1e-5);
        compared += 1;
    }
    assert!(compared >= 40, "{compared} gradients were compared");
}
