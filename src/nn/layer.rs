//! One layer of a model, as a file or a configuration says it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// One layer of a [`Model`](super::Model).
///
/// In TOML and JSON it is a number, a text, or a table of one name:
///
/// ```
/// # use accrue::nn::{Layer, Model};
/// let layers: Vec<Layer> = serde_json::from_str(r#"[
///     64, "relu",
///     { "residual": [64, "relu", 64] },
///     { "residual": { "body": [32, "relu", 32], "shortcut": [32] } },
///     { "repeat": { "times": 3, "layers": [32, "relu"] } },
///     { "concat": [[8, "tanh"], [8], []] },
///     1
/// ]"#).unwrap();
/// let model = Model::new(8, &layers, "mse")?;
/// assert_eq!(model.parameters()["3.shortcut.0.weight"], [32, 64]);
/// # Ok::<(), accrue::Error>(())
/// ```
///
/// | layer | what it makes | names of its weights at place 3 |
/// |---|---|---|
/// | a number | a linear layer of so many outputs | `3.weight` |
/// | a name | an op with what it takes by default | `3.weight` |
/// | `{ op = … }` | an op with arguments | `3.weight` |
/// | `{ residual = [ … ] }` | what the layers make of x, plus x | `3.body.0.weight` |
/// | `{ residual = { body = [ … ], shortcut = [ … ] } }` | what both make of x, added | `3.shortcut.0.weight` |
/// | `{ repeat = { times = 2, layers = [ … ] } }` | the layers again and again, each time with weights of its own | `3.0.1.weight`: time 0, layer 1 |
/// | `{ concat = [[ … ], [ … ], []] }` | branches side by side, joined along channels; an empty one gives x | `3.0.1.weight`: branch 0, layer 1 |
/// | `{ attention = { heads = 2 } }` | attention of tokens, with its projections | `3.in_proj_weight`, `3.out_proj.weight` |
/// | `{ tied = "0" }` | a linear layer without bias that uses the weight of layer 0 | none of its own |
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Layer {
    /// A linear layer of so many outputs.
    Linear(usize),
    /// An activation, or another layer whose bare name is enough.
    Named(String),
    /// A layer with arguments, or one that is made of others: its name, and what it takes.
    With(BTreeMap<String, Value>),
}

impl Layer {
    /// A layer with arguments: `Layer::with("embedding", json!([[12, 4]]))`.
    pub fn with(name: &str, arguments: Value) -> Layer {
        Layer::With(BTreeMap::from([(name.to_owned(), arguments)]))
    }
}

impl From<usize> for Layer {
    fn from(width: usize) -> Layer {
        Layer::Linear(width)
    }
}

impl From<&str> for Layer {
    fn from(name: &str) -> Layer {
        Layer::Named(name.to_owned())
    }
}
