//! A saved model for other programs, preparation of raw cells included: an ONNX graph, or a program in Python with PyTorch.
//!
//! What becomes of a cell is said by the model's [`Preparation`], and what a layer is by its op ([`Op::export`]).

mod onnx;
mod pytorch;
#[cfg(test)]
mod samples;

use std::borrow::Cow;

pub use onnx::onnx;
pub use pytorch::pytorch;

use crate::data::table::{Column, Dialect, Encoding, Kind, Missing, Preparation, Scale, TRUTHS};
use crate::graph::{Export, Graph, Node, OnnxNode, Op, Shape};
use crate::nn::{self, Built, Model, ModelFile, ModuleKind};
use crate::{Error, Result};

/// An op of a model, in the words of other libraries.
struct Layer {
    /// What its parameters' names begin with, such as `3.body.0`.
    name: String,
    export: Export,
    /// The names of its parameters and statistics, such as `weight`.
    parameters: Vec<String>,
}

/// A layer of a model, in the words of other libraries.
enum Module {
    Op(Layer),
    Residual {
        name: String,
        body: Vec<Module>,
        shortcut: Vec<Module>,
    },
    Repeat(Vec<Vec<Module>>),
    Concat {
        name: String,
        branches: Vec<Vec<Module>>,
        /// The axis of channels in other libraries, rows included.
        axis: i64,
    },
}

/// The layers of a model, in the order of computation.
fn modules(model: &Model) -> Result<Vec<Module>> {
    model.network(false)?;
    let Built { graph, modules, output } = model.built()?;
    let mut layers = sequence(&graph, &modules)?;
    let made = graph.shape(output);
    if made.positions() > 1 {
        let message =
            format!("the last layer makes {made}; a model whose output has several positions cannot be exported yet");
        return Err(Error::config("model.layers", message));
    }
    if made.dims().len() > 1 {
        // One position is a dimension in other libraries, and no feature.
        let export = Export::new("nn.Flatten()", vec![OnnxNode::new("Flatten", &["x"], "y")]);
        layers.push(Module::Op(Layer { name: modules.len().to_string(), export, parameters: Vec::new() }));
    }
    Ok(layers)
}

fn sequence(graph: &Graph, modules: &[nn::Module]) -> Result<Vec<Module>> {
    modules.iter().map(|module| in_words(graph, module)).collect()
}

fn in_words(graph: &Graph, module: &nn::Module) -> Result<Module> {
    let each = |lists: &[Vec<nn::Module>]| -> Result<Vec<Vec<Module>>> {
        lists.iter().map(|modules| sequence(graph, modules)).collect()
    };
    let name = module.name.clone();
    Ok(match &module.kind {
        ModuleKind::Op { node } => Module::Op(layer(graph, name, &graph.nodes()[*node])?),
        ModuleKind::Tied { .. } => {
            let message = format!("layer {name} uses the weight of another, which cannot be exported yet");
            return Err(Error::config("model.layers", message));
        }
        ModuleKind::Attention { export: None, .. } => {
            let message = format!("layer {name} is attention with rotary positions, which cannot be exported yet");
            return Err(Error::config("model.layers", message));
        }
        ModuleKind::Attention { nodes, export: Some(export) } => {
            let [inside, _, out] = nodes.map(|node| parts(graph, &graph.nodes()[node]));
            let out = out.into_iter().map(|part| format!("out_proj.{part}"));
            Module::Op(Layer { name, export: export.clone(), parameters: inside.into_iter().chain(out).collect() })
        }
        ModuleKind::Residual { body, shortcut, .. } => {
            Module::Residual { name, body: sequence(graph, body)?, shortcut: sequence(graph, shortcut)? }
        }
        ModuleKind::Repeat(times) => Module::Repeat(each(times)?),
        ModuleKind::Concat { node, branches } => {
            let dims = graph.shape(graph.nodes()[*node].output).dims().len();
            Module::Concat { name, branches: each(branches)?, axis: if dims == 2 { 2 } else { 1 } }
        }
    })
}

fn layer(graph: &Graph, name: String, node: &Node) -> Result<Layer> {
    let shapes = graph.shapes(node);
    let export = exported(&*node.op, shapes[0])?;
    Ok(Layer { name, export, parameters: parts(graph, node) })
}

/// The names of a node's parameters and statistics.
fn parts(graph: &Graph, node: &Node) -> Vec<String> {
    let names = graph.shapes(node).into_iter().filter_map(|shape| match shape {
        Shape::Parameters(parts) => Some(parts.iter().map(|part| part.name.to_string())),
        Shape::Sample { .. } => None,
    });
    names.flatten().collect()
}

/// An op in the words of other libraries.
fn exported(op: &dyn Op, x: &Shape) -> Result<Export> {
    let nothing = || format!("the op of the layer {:?} does not say what it is in PyTorch and ONNX", op.name());
    op.export(x).ok_or_else(|| Error::config("model.layers", nothing()))
}

/// How cells become features; for a model of plain numbers, as numbers that may not be missing.
fn preparation(saved: &ModelFile) -> Cow<'_, Preparation> {
    if let Some(preparation) = &saved.preparation {
        return Cow::Borrowed(preparation);
    }
    let scale = |at: usize| match &saved.feature_scale {
        Some(scale) => {
            let (mean, std) = scale.of(at);
            Scale { center: mean, factor: 1.0 / std, clip: false }
        }
        None => Scale::NONE,
    };
    let column = |(at, name): (usize, &String)| Column {
        name: name.clone(),
        kind: Kind::Number,
        encoding: Encoding::Number { dialect: Dialect::default(), fill: 0.0, indicator: false, scale: scale(at) },
    };
    Cow::Owned(Preparation {
        columns: saved.features.iter().enumerate().map(column).collect(),
        target: None,
        weight: None,
        missing: Missing::Error,
        missing_values: Vec::new(),
    })
}

/// The spellings of a level, in any letter case, if it is that of a boolean column.
fn spellings(column: &Column, level: &str) -> Option<[&'static str; TRUTHS.len()]> {
    let truth = (column.kind == Kind::Boolean).then(|| TRUTHS[0].iter().position(|word| *word == level))??;
    Some(TRUTHS.map(|pair| pair[truth]))
}

/// For each column, the places of its features among those of the model: indices come behind all others.
fn places(preparation: &Preparation) -> Vec<std::ops::Range<usize>> {
    let is_index = |column: &Column| matches!(column.encoding, Encoding::Index { .. });
    let columns = || preparation.columns.iter();
    let mut next = [0, columns().filter(|column| !is_index(column)).map(|column| column.encoding.width()).sum()];
    let place = |column: &Column| {
        let next = &mut next[usize::from(is_index(column))];
        let first = *next;
        *next += column.encoding.width();
        first..*next
    };
    columns().map(place).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_op_that_says_nothing_is_refused_by_its_name() {
        let loss = crate::ops::find("mse").unwrap();
        let said = exported(&*loss, &Shape::columns_of(2)).unwrap_err().to_string();
        assert_eq!(said, "model.layers: the op of the layer \"mse\" does not say what it is in PyTorch and ONNX");
    }

    #[test]
    fn indices_come_behind_all_other_features() {
        let places: Vec<Vec<usize>> = places(&samples::every_encoding()).into_iter().map(Iterator::collect).collect();
        let seen = (2..10).collect();
        assert_eq!(places, [vec![0, 1], vec![14], seen, vec![10], vec![11, 12, 13]]);
    }
}
