//! Models for the tests: one with columns of every encoding, one of plain numbers.

use std::collections::BTreeMap;

use crate::data::scale::Standardizer;
use crate::data::table::{Column, Cycle, Dialect, Encoding, Kind, Missing, Preparation, Reading, Scale};
use crate::nn::{Layer, Model, ModelFile, TargetNames};
use crate::tensor::Array;

fn texts<const N: usize>(texts: [&str; N]) -> [String; N] {
    texts.map(str::to_owned)
}

fn column(name: &str, kind: Kind, encoding: Encoding) -> Column {
    Column { name: name.to_owned(), kind, encoding }
}

/// A column of every encoding. The index stands before others, whose features come before it.
pub fn every_encoding() -> Preparation {
    let dialect = Dialect { decimal: ',', thousands: Some('.'), sign: Some('€') };
    let scale = Scale { center: 1.5, factor: 0.25, clip: true };
    let town = texts(["Ulm", "Bonn"]).to_vec();
    let colour = texts(["red", "\"blue\""]).to_vec();
    Preparation {
        columns: vec![
            column("price", Kind::Number, Encoding::Number { dialect, fill: 2.0, indicator: true, scale }),
            column(
                "town",
                Kind::Category,
                Encoding::Index { levels: town, other: true, missing: true, fallback: 2, width: 8 },
            ),
            column(
                "seen",
                Kind::Date,
                Encoding::Date { fill: 100.5, indicator: true, scale: Scale::NONE, cycles: Cycle::ALL.to_vec() },
            ),
            column("member", Kind::Boolean, Encoding::Pair { levels: texts(["false", "true"]) }),
            column("label", Kind::Category, Encoding::OneHot { levels: colour, other: true, missing: false }),
        ],
        target: None,
        weight: None,
        missing: Missing::Fill,
        missing_values: texts(["unknown", "-9"]).to_vec(),
    }
}

/// A model of these layers, whose weights count from 0.
fn with_weights(model: Model, target: TargetNames) -> ModelFile {
    let array = |shape: Vec<usize>| {
        let count: usize = shape.iter().product();
        Array { values: (0..count).map(|at| at as f32).collect(), shape }
    };
    let arrays: BTreeMap<_, _> = model.parameters().into_iter().map(|(name, shape)| (name, array(shape))).collect();
    ModelFile { arrays, target, ..ModelFile::unnamed(&model) }
}

/// A model of two classes on columns of every encoding.
pub fn of_a_table() -> ModelFile {
    let preparation = every_encoding();
    let inputs = preparation.columns.iter().map(|column| column.encoding.width()).sum();
    let model = Model::new(inputs, &[3.into(), "gelu_tanh".into(), "layer_norm".into(), 2.into()], "cross_entropy");
    let target = TargetNames::Classes { name: "answer".into(), classes: texts(["no", "yes"]).to_vec() };
    ModelFile { preparation: Some(preparation), ..with_weights(model.unwrap(), target) }
}

/// A regression on two plain numbers.
pub fn of_numbers(layers: &[Layer]) -> ModelFile {
    of_shape(&[2], layers)
}

/// The same on two numbers of this shape.
pub fn of_shape(dims: &[usize], layers: &[Layer]) -> ModelFile {
    let model = Model::of_shape(dims, layers, "mse").unwrap();
    let scale = Some(Standardizer { mean: vec![10.0], std: vec![4.0] });
    let target = TargetNames::Values { names: vec!["y".into()], scale: scale.clone() };
    let feature_scale = Some(Standardizer { mean: vec![1.0, 2.0], std: vec![2.0, 0.5] });
    let features = texts(["a", "prediction"]).to_vec();
    ModelFile { features, feature_scale, reading: Reading::default(), ..with_weights(model, target) }
}
