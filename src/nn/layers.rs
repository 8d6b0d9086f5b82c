//! Layers written down in Rust.

use std::sync::Arc;

use serde_json::{Value, json};

use super::{Layer, Model};
use crate::graph::Op;
use crate::{Error, Result};

/// A list of layers being written, in words of Rust: the same layers as in a configuration, and ops of your own.
///
/// ```
/// use accrue::nn::Layers;
/// let model = Layers::new()
///     .linear(64)
///     .residual(|body| body.named("layer_norm").linear(64).named("relu").linear(64))
///     .repeat(3, |layers| layers.linear(64).named("relu"))
///     .concat([Layers::new(), Layers::new().linear(8)])
///     .linear(1)
///     .model(&[20], "mse")?;
/// assert_eq!(model.parameters()["2.1.0.weight"], [64, 64]);
/// # Ok::<(), accrue::Error>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct Layers {
    layers: Vec<Layer>,
    ops: Vec<Arc<dyn Op>>,
}

impl Layers {
    /// No layer yet.
    pub fn new() -> Layers {
        Layers::default()
    }

    /// A linear layer with this many outputs.
    pub fn linear(self, outputs: usize) -> Layers {
        self.layer(Layer::Linear(outputs))
    }

    /// An op whose bare name is enough: `relu`, `layer_norm`.
    pub fn named(self, name: &str) -> Layers {
        self.layer(name.into())
    }

    /// An op with arguments: `.with("embedding", json!([[12, 4]]))`.
    pub fn with(self, name: &str, arguments: Value) -> Layers {
        self.layer(Layer::with(name, arguments))
    }

    /// An op of your own. Its name stands in the model's description, and in its file; the file is read again by
    /// [`ModelFile::read_with`](super::ModelFile::read_with), which is given the op. An op with other attributes takes arguments:
    /// see [`Layers::knows`].
    pub fn op(self, op: Arc<dyn Op>) -> Layers {
        let name = op.name();
        self.knows(op).named(name)
    }

    /// Makes an op of your own known, without a layer: [`Layers::named`] and [`Layers::with`] then find it, and so does the loss.
    pub fn knows(mut self, op: Arc<dyn Op>) -> Layers {
        self.ops.push(op);
        self
    }

    /// What the layers make of x, plus x.
    pub fn residual(self, body: impl FnOnce(Layers) -> Layers) -> Layers {
        let body = body(Layers::new());
        let arguments = body.list();
        self.nest("residual", arguments, [body])
    }

    /// What the layers make of x, plus what the shortcut makes of it.
    pub fn residual_with(self, body: impl FnOnce(Layers) -> Layers, shortcut: impl FnOnce(Layers) -> Layers) -> Layers {
        let (body, shortcut) = (body(Layers::new()), shortcut(Layers::new()));
        let arguments = json!({ "body": body.list(), "shortcut": shortcut.list() });
        self.nest("residual", arguments, [body, shortcut])
    }

    /// The layers again and again, each time with weights of their own.
    pub fn repeat(self, times: usize, layers: impl FnOnce(Layers) -> Layers) -> Layers {
        let layers = layers(Layers::new());
        let arguments = json!({ "times": times, "layers": layers.list() });
        self.nest("repeat", arguments, [layers])
    }

    /// Branches side by side, joined along channels; one without layers passes x through.
    pub fn concat(self, branches: impl IntoIterator<Item = Layers>) -> Layers {
        let branches: Vec<Layers> = branches.into_iter().collect();
        let arguments = branches.iter().map(Layers::list).collect();
        self.nest("concat", Value::Array(arguments), branches)
    }

    /// Any layer.
    pub fn layer(mut self, layer: Layer) -> Layers {
        self.layers.push(layer);
        self
    }

    /// The model of these layers for samples with these dimensions: `[columns]`, or channels last `[height, width, channels]`
    /// and `[tokens, channels]`.
    ///
    /// # Errors
    /// As [`Model::new`], and [`Error::Config`] for two ops of one name that differ.
    pub fn model(mut self, dims: &[usize], loss: &str) -> Result<Model> {
        let mut known: Vec<Arc<dyn Op>> = Vec::new();
        for op in self.ops.drain(..) {
            match known.iter().find(|other| other.name() == op.name()) {
                None => known.push(op),
                Some(other) if format!("{other:?}") == format!("{op:?}") => {}
                Some(other) => {
                    let message = format!(
                        "two ops are called \"{}\", {other:?} and {op:?}; give one name one op, and what differs as \
                         arguments of Op::with",
                        op.name()
                    );
                    return Err(Error::config("model.layers", message));
                }
            }
        }
        Model::of_ops(known, dims, &self.layers, loss)
    }

    fn list(&self) -> Value {
        json!(self.layers)
    }

    fn nest(mut self, name: &str, arguments: Value, inner: impl IntoIterator<Item = Layers>) -> Layers {
        self.ops.extend(inner.into_iter().flat_map(|layers| layers.ops));
        self.with(name, arguments)
    }
}
