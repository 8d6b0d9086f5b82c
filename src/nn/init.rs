//! First weights.

use rand::Rng;

use super::{Arrays, Model};
use crate::random::{Purpose, stream};
use crate::tensor::{Array, Init};

/// First weights by seed, from the distributions of the ops: linear layers like PyTorch's `nn.Linear`, uniform in ±1/√inputs
/// for weights and biases.
///
/// The distributions are PyTorch's, the numbers are not: pass PyTorch's weights if they must be the same.
pub fn initial(model: &Model, seed: u64) -> Arrays {
    let mut arrays = Arrays::new();
    for (at, specs) in model.specs() {
        let mut random = stream(seed, Purpose::Init, at as u64);
        for spec in specs {
            let count = spec.elements();
            let values = match spec.init {
                Init::Constant(value) => vec![value; count],
                Init::Uniform(bound) => (0..count).map(|_| uniform(random.next_u32(), bound)).collect(),
            };
            arrays.insert(format!("{at}.{}", spec.name), Array { shape: spec.shape, values });
        }
    }
    arrays
}

/// The upper 24 bits as one of 2²⁴ equally spaced numbers in (-bound, bound).
fn uniform(bits: u32, bound: f64) -> f32 {
    let unit = (f64::from(bits >> 8) + 0.5) / f64::from(1u32 << 24);
    ((2.0 * unit - 1.0) * bound) as f32
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
    fn a_layers_weights_depend_on_seed_and_place_alone() {
        let small = Model::new(4, &[3.into()], "mse").unwrap();
        let large = Model::new(4, &[3.into(), "relu".into(), 2.into()], "mse").unwrap();
        assert_eq!(initial(&small, 7)["0.weight"], initial(&large, 7)["0.weight"]);
        assert_ne!(initial(&small, 7)["0.weight"], initial(&small, 8)["0.weight"]);
    }
}
