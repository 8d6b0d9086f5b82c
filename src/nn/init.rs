//! First weights.

use std::collections::BTreeMap;
use std::f64::consts::PI;

use rand::Rng;
use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_64;

use super::{Arrays, Layer, Model};
use crate::random::{Purpose, stream};
use crate::tensor::{Array, Init, ParameterSpec};

/// The distributions of first weights.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum FirstWeights {
    /// Those of the ops: for linear layers PyTorch's, uniform in ±1/√inputs for weights and biases.
    #[default]
    PyTorch,
    /// For linear layers N(0, 1/inputs) for weights and N(0, 1) for biases, and zeros in the last of them that is in no other layer; for others as
    /// [`FirstWeights::PyTorch`]. So begins RealMLP-TD-S (Holzmüller, Grinsztajn & Steinwart, *Better by default*, 2024), there
    /// with weights N(0, 1) that are divided by √inputs where they are used.
    Normal,
    /// N(0, 0.02) for weights and embeddings, whose deviation is divided by √residuals in the last matrix of each residual's body, and 0
    /// for biases. So begins GPT-2 (Radford et al., 2019).
    Gpt2,
}

/// Deviation of GPT-2's weights.
const GPT2: f64 = 0.02;

impl FirstWeights {
    /// The first values of a parameter of a layer; `closes` says of how many residuals there are, if it is the last of one.
    fn of(self, is_linear: bool, is_last: bool, closes: Option<usize>, spec: &ParameterSpec) -> Init {
        match (self, is_linear) {
            (FirstWeights::Gpt2, _) if spec.shape.len() > 1 => {
                Init::Normal(GPT2 / closes.map_or(1.0, |residuals| (residuals as f64).sqrt()))
            }
            (FirstWeights::Gpt2, _) if spec.name.ends_with("bias") => Init::Constant(0.0),
            (FirstWeights::Normal, true) if is_last => Init::Constant(0.0),
            (FirstWeights::Normal, true) => match spec.shape[..] {
                [_, inputs] => Init::Normal(1.0 / (inputs as f64).sqrt()),
                _ => Init::Normal(1.0),
            },
            _ => spec.init,
        }
    }
}

/// First weights by seed, from the distributions of the ops: linear layers like PyTorch's `nn.Linear`, uniform in ±1/√inputs
/// for weights and biases.
///
/// The distributions are PyTorch's, the numbers are not: pass PyTorch's weights if they must be the same.
pub fn initial(model: &Model, seed: u64) -> Arrays {
    initial_of(model, FirstWeights::default(), seed)
}

/// First weights by seed, from these distributions. The numbers of a layer depend on the seed and on its name alone.
pub fn initial_of(model: &Model, first: FirstWeights, seed: u64) -> Arrays {
    let specs = model.specs();
    let is_outermost = |name: &str| !name.contains('.');
    let is_layer = |parts: &[ParameterSpec]| parts.first().is_some_and(|part| part.name == "weight");
    let mut outermost = specs.iter().filter(|(name, is_linear, _)| *is_linear && is_outermost(name));
    let last = outermost.next_back().filter(|(name, _, parts)| is_layer(parts) && !is_tied_behind(model, name));
    let last = last.map(|(name, ..)| name);
    let matrices = specs.iter().filter(|(.., parts)| parts.iter().any(|part| part.shape.len() > 1));
    let ends = ends_of_bodies(matrices.map(|(name, ..)| name.as_str()));
    let mut arrays = Arrays::new();
    for (name, is_linear, parts) in &specs {
        let closes = ends.values().any(|end| end == name).then_some(ends.len());
        let mut random = stream(seed, Purpose::Init, index_of(name));
        for spec in parts {
            let count = spec.elements();
            let values = match first.of(*is_linear, Some(name) == last, closes, spec) {
                Init::Constant(value) => vec![value; count],
                Init::Uniform(bound) => (0..count).map(|_| uniform(random.next_u32(), bound)).collect(),
                Init::Normal(deviation) => {
                    let draw = |_| normal([random.next_u32(), random.next_u32()], deviation);
                    (0..count).map(draw).collect()
                }
            };
            arrays.insert(format!("{name}.{}", spec.name), Array { shape: spec.shape.clone(), values });
        }
    }
    arrays
}

/// Whether a layer behind this one uses the weight of another, so that this one is not the last linear layer.
fn is_tied_behind(model: &Model, name: &str) -> bool {
    let tied = |layer: &Layer| matches!(layer, Layer::With(given) if given.contains_key("tied"));
    let behind = name.parse().map_or(0, |place: usize| place + 1);
    model.layers.iter().skip(behind).any(tied)
}

/// The last of these layers in the body of each residual, those in residuals of the body included, by what the names in that body
/// begin with.
fn ends_of_bodies<'a>(names: impl Iterator<Item = &'a str>) -> BTreeMap<&'a str, &'a str> {
    names.flat_map(|name| name.match_indices(".body.").map(move |(at, _)| (&name[..at], name))).collect()
}

/// The number by which a layer draws: its place in the list of layers or, inside of another layer, the XXH3 of 64 bits of its name
/// (`3.body.0`) with the highest bit set. It never changes: a seed gives the same weights for years.
fn index_of(name: &str) -> u64 {
    name.parse().unwrap_or_else(|_| xxh3_64(name.as_bytes()) | 1 << 63)
}

/// The upper 24 bits as one of 2²⁴ equally spaced numbers in (-bound, bound).
fn uniform(bits: u32, bound: f64) -> f32 {
    ((2.0 * unit(bits) - 1.0) * bound) as f32
}

/// A normal number, by Box and Muller.
fn normal(bits: [u32; 2], deviation: f64) -> f32 {
    let [radius, angle] = bits.map(unit);
    (deviation * (-2.0 * radius.ln()).sqrt() * (2.0 * PI * angle).cos()) as f32
}

/// The upper 24 bits as one of 2²⁴ equally spaced numbers in (0, 1).
fn unit(bits: u32) -> f64 {
    (f64::from(bits >> 8) + 0.5) / f64::from(1u32 << 24)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights_are_spread_evenly_within_pytorchs_bound() {
        let model = Model::new(100, &[200.into()], "mse").unwrap();
        let weights = &initial(&model, 0)["0.weight"].values;
        let mean: f64 = weights.iter().map(|&w| f64::from(w)).sum::<f64>() / weights.len() as f64;
        let square: f64 = weights.iter().map(|&w| f64::from(w) * f64::from(w)).sum::<f64>() / weights.len() as f64;
        assert!(weights.iter().all(|w| w.abs() < 0.1), "beyond 1/√100");
        assert!(mean.abs() < 0.002, "mean {mean}");
        assert!((square - 0.01 / 3.0).abs() < 1e-4, "variance {square}");
    }

    #[test]
    fn normal_weights_have_the_moments_of_a_normal_distribution_and_the_last_layer_has_none() {
        let model = Model::new(100, &[200.into(), "relu".into(), 3.into(), "scale".into()], "mse").unwrap();
        let first = initial_of(&model, FirstWeights::Normal, 5);
        let moment = |name: &str, power: i32| {
            let values = &first[name].values;
            values.iter().map(|&w| f64::from(w).powi(power)).sum::<f64>() / values.len() as f64
        };
        for (name, deviation, by) in [("0.weight", 0.1, 0.03), ("0.bias", 1.0, 0.25)] {
            let moments = [1, 2, 3, 4].map(|power| moment(name, power) / f64::powi(deviation, power));
            let wanted = [0.0, 1.0, 0.0, 3.0];
            assert!(moments.iter().zip(wanted).all(|(found, wanted)| (found - wanted).abs() < 4.0 * by), "{moments:?}");
            assert!((moments[1] - 1.0).abs() < by, "{name}: {moments:?}");
        }
        assert!(["2.weight", "2.bias"].iter().all(|name| first[*name].values.iter().all(|w| w.to_bits() == 0)));
        assert!(first["3.weight"].values.iter().all(|&w| w == 1.0));
        // The format's own: a seed gives the same weights for years.
        let bits: Vec<u32> = first["0.weight"].values[..3].iter().map(|w| w.to_bits()).collect();
        assert_eq!(bits, [1011580829, 3178093086, 3191625256]);
    }

    #[test]
    fn gpt2s_weights_have_its_deviations() {
        let layers = r#"[{"embedding": {"num_embeddings": 500, "embedding_dim": 16}}, {"positions": "learned"},
            {"repeat": {"times": 2, "layers": [
                {"residual": ["layer_norm", {"attention": {"heads": 2}}]}, {"residual": ["layer_norm", 64, "gelu", 16]}]}}, 9]"#;
        let layers: Vec<Layer> = serde_json::from_str(layers).unwrap();
        let model = Model::of_shape(&[30, 1], &layers, "cross_entropy").unwrap();
        let first = initial_of(&model, FirstWeights::Gpt2, 3);
        for (name, array) in &first {
            let square: f64 =
                array.values.iter().map(|&w| f64::from(w).powi(2)).sum::<f64>() / array.values.len() as f64;
            let wanted = match name.as_str() {
                _ if name.ends_with("bias") => 0.0,
                "2.0.0.body.0.weight" | "2.0.1.body.0.weight" | "2.1.0.body.0.weight" | "2.1.1.body.0.weight" => 1.0,
                _ if name.ends_with("out_proj.weight") || name.ends_with("body.3.weight") => 0.01,
                _ => 0.02,
            };
            let by = 4.0 / (2.0 * array.values.len() as f64).sqrt();
            assert!(
                (square.sqrt() - wanted).abs() <= by * wanted * f64::from(wanted < 1.0),
                "{name}: {}",
                square.sqrt()
            );
        }
    }

    #[test]
    fn the_last_matrix_of_a_body_ends_it_and_an_output_of_anothers_weight_is_not_made_0() {
        let model = |layers: &str| {
            let layers: Vec<Layer> = serde_json::from_str(layers).unwrap();
            Model::of_shape(&[3, 1], &layers, "mse").unwrap()
        };
        let deviation = |model: &Model, first, name: &str| {
            let values = &initial_of(model, first, 1)[name].values;
            (values.iter().map(|&w| f64::from(w).powi(2)).sum::<f64>() / values.len() as f64).sqrt()
        };
        let nested = model(r#"[64, {"residual": [64, {"residual": [64, "layer_norm"]}]}]"#);
        for (name, wanted) in
            [("0.weight", 0.02), ("1.body.0.weight", 0.02), ("1.body.1.body.0.weight", 0.02 / 2f64.sqrt())]
        {
            let found = deviation(&nested, FirstWeights::Gpt2, name);
            let by = if name == "0.weight" { 0.3 } else { 0.05 };
            assert!((found / wanted - 1.0).abs() < by, "{name}: {found}");
        }
        let embedding = r#"{"embedding": {"num_embeddings": 9, "embedding_dim": 8}}"#;
        let tied = model(&format!(r#"[{embedding}, 8, {{"tied": "0"}}]"#));
        assert!(deviation(&tied, FirstWeights::Normal, "1.weight") > 0.1);
        let attentive = model(&format!(r#"[{embedding}, {{"attention": {{"heads": 2}}}}]"#));
        assert!(deviation(&attentive, FirstWeights::Normal, "1.in_proj_weight") > 0.1);
    }

    #[test]
    fn a_layers_weights_depend_on_seed_and_place_alone() {
        let small = Model::new(4, &[3.into()], "mse").unwrap();
        let large = Model::new(4, &[3.into(), "relu".into(), 2.into()], "mse").unwrap();
        assert_eq!(initial(&small, 7)["0.weight"], initial(&large, 7)["0.weight"]);
        assert_ne!(initial(&small, 7)["0.weight"], initial(&small, 8)["0.weight"]);
    }
}
