//! The networks of the workloads.

use std::fmt;
use std::str::FromStr;

use serde::{Serialize, Serializer};
use serde_json::{Value, json};

use crate::Result;
use crate::graph::{Shape, Tensor, TensorKind};
use crate::nn::{Layers, Model};

/// The widths of a network, from its features to its outputs: `784-512-256-10`.
#[derive(Clone, Debug, PartialEq)]
pub struct Widths(pub Vec<usize>);

impl FromStr for Widths {
    type Err = String;

    fn from_str(text: &str) -> Result<Widths, String> {
        let widths: Result<Vec<usize>, _> = text.split('-').map(str::parse).collect();
        match widths {
            Ok(widths) if widths.len() >= 2 && widths.iter().all(|width| (1..=1 << 24).contains(width)) => {
                Ok(Widths(widths))
            }
            _ => Err("give two widths or more, each from 1 to 16777216, as in 784-512-256-10".to_owned()),
        }
    }
}

impl fmt::Display for Widths {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.iter().map(usize::to_string).collect::<Vec<_>>().join("-"))
    }
}

/// A network with its loss.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Network {
    /// In short, from the features to the outputs: widths, as in `8-16-1`, or layers.
    pub shape: String,
    /// Its activation.
    pub activation: String,
    /// Its layers, and its loss.
    #[serde(rename = "loss", serialize_with = "loss")]
    pub model: Model,
}

fn loss<S: Serializer>(model: &Model, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&model.loss)
}

impl Network {
    /// Linear layers of these widths, with the activation between two of them.
    pub fn mlp(widths: &Widths, activation: &str, loss: &str) -> Result<Network> {
        let mut layers = Layers::new();
        for (at, &width) in widths.0[1..].iter().enumerate() {
            layers = if at > 0 { layers.named(activation) } else { layers }.linear(width);
        }
        let model = layers.model(&widths.0[..1], loss)?;
        Ok(Network { shape: widths.to_string(), activation: activation.to_owned(), model })
    }

    /// Two convolutions, each with a pooling behind it, for digits.
    pub fn small_cnn() -> Result<Network> {
        let conv = |channels: usize| json!({ "channels": channels, "kernel": 3, "padding": 1 });
        let layers = [16, 32].into_iter().fold(Layers::new(), |layers, channels| {
            layers.with("conv2d", conv(channels)).named("relu").with("max_pool", json!(2))
        });
        Ok(Network {
            shape: "28×28×1 - conv 16 - max_pool - conv 32 - max_pool - 10".to_owned(),
            activation: "relu".to_owned(),
            model: layers.named("flatten").linear(10).model(&[28, 28, 1], "cross_entropy")?,
        })
    }

    /// Three residual blocks behind a convolution, for small photographs.
    pub fn resnet8() -> Result<Network> {
        let layers = convolution(Layers::new(), 16, 3, 1).named("relu");
        let layers = layers.residual(|body| twice(body, 16, 1)).named("relu");
        let layers = [32, 64].into_iter().fold(layers, |layers, channels| {
            let shortcut = |shortcut| convolution(shortcut, channels, 1, 2);
            layers.residual_with(|body| twice(body, channels, 2), shortcut).named("relu")
        });
        Ok(Network {
            shape: "32×32×3 - conv 16 - residual 16 - residual 32 - residual 64 - global_avg_pool - 10".to_owned(),
            activation: "relu".to_owned(),
            model: layers.named("global_avg_pool").linear(10).model(&[32, 32, 3], "cross_entropy")?,
        })
    }

    /// So many layers of causal attention, 128 wide with 4 heads, that predict each next of 65 tokens: nanoGPT's, without biases.
    pub fn gpt(layers: usize, context: usize) -> Result<Network> {
        const WIDTH: usize = 128;
        let linear = |outputs: usize| json!({ "out_features": outputs, "bias": false });
        let attention = json!({ "heads": 4, "causal": true, "bias": false });
        let embedding = json!({ "num_embeddings": 65, "embedding_dim": WIDTH });
        let layers_of = Layers::new().with("embedding", embedding).with("positions", json!("learned"));
        let layers_of = layers_of.repeat(layers, |block| {
            block.residual(|body| body.named("layer_norm").with("attention", attention)).residual(|body| {
                body.named("layer_norm").with("linear", linear(4 * WIDTH)).named("gelu").with("linear", linear(WIDTH))
            })
        });
        let model = layers_of.named("layer_norm").with("tied", json!("0")).model(&[context, 1], "cross_entropy")?;
        let shape =
            format!("{context} tokens of 65 - embedding 128 - {layers} × (attention of 4 heads, 512, 128) - tied");
        Ok(Network { shape, activation: "gelu".to_owned(), model })
    }

    /// Floating-point operations per sample, 2 for each multiplication with its addition: forward, the gradients of all
    /// weights, and those of what layers with weights read, except for the data itself. Biases, activations, normalisations,
    /// poolings, loss and update are not counted.
    pub fn flop_per_sample(&self) -> Result<u64> {
        let graph = self.model.network(false)?.graph;
        // What no gradient is computed for: the data, and what layers without weights make of it.
        let mut data: Vec<Tensor> = graph.only(TensorKind::Input).into_iter().collect();
        let mut flop = 0;
        for node in graph.nodes() {
            let shapes = graph.shapes(node);
            let has_weights = shapes.iter().any(|shape| matches!(shape, Shape::Parameters(_)));
            let reads_data = node
                .inputs
                .iter()
                .zip(&shapes)
                .all(|(input, shape)| matches!(shape, Shape::Parameters(_)) || data.contains(input));
            if reads_data && !has_weights {
                data.push(node.output);
            }
            flop += 2 * node.op.multiplications(shapes[0]) * if reads_data { 2 } else { 3 };
        }
        Ok(flop)
    }
}

/// A convolution that keeps the size of an image, or divides it by the stride, and a normalisation by groups of 32 rows.
fn convolution(layers: Layers, channels: usize, kernel: usize, stride: usize) -> Layers {
    let padding = kernel / 2;
    let arguments: Value =
        json!({ "channels": channels, "kernel": kernel, "stride": stride, "padding": padding, "bias": false });
    layers.with("conv2d", arguments).with("batch_norm", json!({ "group": 32 }))
}

fn twice(layers: Layers, channels: usize, stride: usize) -> Layers {
    convolution(convolution(layers, channels, 3, stride).named("relu"), channels, 3, 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shape_is_read_as_it_is_written() {
        for text in ["4-1", "784-512-256-10"] {
            assert_eq!(text.parse::<Widths>().unwrap().to_string(), text);
        }
        for text in ["", "4", "4-", "4-0-1", "4-x", "4-99999999", "-4-1"] {
            assert!(text.parse::<Widths>().is_err(), "{text:?}");
        }
    }

    fn mlp(widths: &[usize]) -> Network {
        Network::mlp(&Widths(widths.to_vec()), "relu", "mse").unwrap()
    }

    #[test]
    fn the_operations_of_a_sample_are_those_of_its_three_matrix_products_but_one() {
        // 8·16 and 16·1 products: forward 2 each, weights 2 each, inputs of the second layer alone 2.
        assert_eq!(mlp(&[8, 16, 1]).flop_per_sample().unwrap(), 2 * (128 + 16) + 2 * (128 + 16) + 2 * 16);
        let macs = 784 * 512 + 512 * 256 + 256 * 10;
        assert_eq!(mlp(&[784, 512, 256, 10]).flop_per_sample().unwrap(), 6 * macs - 2 * 784 * 512);
    }

    #[test]
    fn a_convolution_counts_its_products_at_every_pixel() {
        let (first, second, last) = (28 * 28 * 16 * 9, 14 * 14 * 32 * 9 * 16, 7 * 7 * 32 * 10);
        let flop = Network::small_cnn().unwrap().flop_per_sample().unwrap();
        assert_eq!(flop, 4 * first + 6 * (second + last));

        let first = 32 * 32 * 16 * 9 * 3;
        let same = 2 * 32 * 32 * 16 * 9 * 16;
        // The convolution of stride 2, the one behind it, and the shortcut's.
        let half = 16 * 16 * 32 * (9 * 16 + 9 * 32 + 16);
        let quarter = 8 * 8 * 64 * (9 * 32 + 9 * 64 + 32);
        let flop = Network::resnet8().unwrap().flop_per_sample().unwrap();
        assert_eq!(flop, 4 * first + 6 * (same + half + quarter + 64 * 10));
    }

    #[test]
    fn a_sequence_counts_its_products_at_every_token_and_for_every_pair_that_is_seen() {
        let (tokens, width) = (64, 128);
        let linear = tokens * (width * 3 * width + width * width + 2 * width * 4 * width);
        let pairs = tokens * (tokens + 1) / 2;
        let output = tokens * width * 65;
        let flop = Network::gpt(4, 64).unwrap().flop_per_sample().unwrap();
        assert_eq!(flop, 6 * (4 * (linear + 2 * pairs * width) + output));
    }

    #[test]
    fn no_gradient_is_counted_of_what_layers_without_weights_make_of_the_data() {
        let layers = Layers::new().with("max_pool", json!(2)).named("flatten").linear(3).named("relu").linear(2);
        let model = layers.model(&[4, 4, 1], "mse").unwrap();
        let network = Network { model, ..mlp(&[1, 1]) };
        assert_eq!(network.flop_per_sample().unwrap(), 4 * 4 * 3 + 6 * 3 * 2);
    }

    #[test]
    fn the_residual_network_has_the_parameters_of_its_layers() {
        let model = Network::resnet8().unwrap().model;
        let parameters: u64 = model.summary().iter().map(|layer| layer.parameters).sum();
        let convolutions = 9 * (3 * 16 + 2 * 16 * 16 + 16 * 32 + 32 * 32 + 32 * 64 + 64 * 64) + 16 * 32 + 32 * 64;
        let norms = 2 * (3 * 16 + 3 * 32 + 3 * 64);
        assert_eq!(parameters, convolutions + norms + 64 * 10 + 10);
        assert_eq!(model.outputs(), 10);
    }
}
