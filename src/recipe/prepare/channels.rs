//! The scale of images as the first layer of their model: pixels stay bytes on their way to the GPU, and a model file, an export and
//! a host need no other place for it.

use serde_json::json;

use crate::data::scale::Standardizer;
use crate::nn::Layer;
use crate::ops::MOST_CHANNELS;

/// The layer's name.
const NAME: &str = "normalize";

/// The layer of a scale of channels; `None` for more channels than it takes, and for a deviation that is 0 as a float.
pub(super) fn layer(scale: &Standardizer) -> Option<Layer> {
    let (mean, std) = (scale.mean.iter().map(short), scale.std.iter().map(short));
    let (mean, std): (Vec<f64>, Vec<f64>) = (mean.collect(), std.collect());
    let fits = scale.columns() <= MOST_CHANNELS && std.iter().all(|&std| std > 0.0);
    fits.then(|| Layer::With([(NAME.to_owned(), json!({ "mean": mean, "std": std }))].into()))
}

/// Whether a layer is of this kind.
pub(super) fn normalizes(layer: &Layer) -> bool {
    matches!(layer, Layer::With(given) if given.contains_key(NAME))
}

/// The float next to a number, in as few digits as say which: text gives the same again.
fn short(number: &f64) -> f64 {
    let float = *number as f32;
    float.to_string().parse().unwrap_or(f64::from(float))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scale_is_a_layer_that_a_text_gives_back_exactly() {
        let scale = Standardizer { mean: vec![33.318_421_449_829_93, 7.0], std: vec![78.567_489_983_330_2, 1.0] };
        let layer = layer(&scale).unwrap();
        assert!(normalizes(&layer) && !normalizes(&"relu".into()) && !normalizes(&Layer::Linear(3)));
        let text = serde_json::to_string(&layer).unwrap();
        assert_eq!(text, r#"{"normalize":{"mean":[33.31842,7.0],"std":[78.56749,1.0]}}"#);
        assert_eq!(serde_json::from_str::<Layer>(&text).unwrap(), layer);
    }

    #[test]
    fn what_the_layer_does_not_take_is_scaled_otherwise() {
        assert!(layer(&Standardizer { mean: vec![0.0; 65], std: vec![1.0; 65] }).is_none());
        assert!(layer(&Standardizer { mean: vec![0.0], std: vec![1e-60] }).is_none());
    }
}
