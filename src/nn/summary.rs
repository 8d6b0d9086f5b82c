//! What there is to say of the layers of a model.

use serde::Serialize;

use super::build::{Built, Module, ModuleKind};
use crate::graph::{Node, Shape};

/// What there is to say of one layer of a model.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LayerSummary {
    /// Its name, which its weights' names begin with: `0`, `3.body.0`.
    pub name: String,
    /// Its op.
    pub kind: String,
    /// Columns of what it makes, which are channels if there are positions.
    pub columns: usize,
    /// What it makes of a sample: `[columns]`, `[tokens, columns]`, `[height, width, channels]`.
    pub output: Vec<usize>,
    /// How many numbers it learns.
    pub parameters: u64,
    /// Multiplications for one sample, in use.
    pub multiplications: u64,
    /// Bytes of what it makes of a sample, as it lies in memory.
    pub activation_bytes: u64,
}

impl LayerSummary {
    /// The layers in the order of computation.
    pub(crate) fn of(built: &Built) -> Vec<LayerSummary> {
        let mut rows = Vec::new();
        let names = names(&built.modules, built.graph.nodes().len());
        for (node, name) in built.graph.nodes().iter().zip(names) {
            rows.push(row(built, node, name));
        }
        rows
    }

    /// What it makes, as in `28×28×16`.
    pub fn shape(&self) -> String {
        let dims: Vec<String> = self.output.iter().map(usize::to_string).collect();
        dims.join("×")
    }
}

fn row(built: &Built, node: &Node, name: String) -> LayerSummary {
    let shapes = built.graph.shapes(node);
    // What another layer has is counted there.
    let own = node
        .inputs
        .iter()
        .enumerate()
        .filter(|&(k, &input)| built.graph.is_parameter(input) && built.graph.use_of(node, k) == 0);
    let parameters = own.map(|(_, &input)| match built.graph.shape(input) {
        Shape::Parameters(parts) => parts.iter().map(|part| part.elements() as u64).sum(),
        Shape::Sample { .. } => 0,
    });
    let parameters = parameters.sum();
    let y: &Shape = built.graph.shape(node.output);
    LayerSummary {
        name,
        kind: node.op.name().to_owned(),
        columns: y.columns().unwrap_or(0),
        output: y.dims().to_vec(),
        parameters,
        multiplications: node.op.multiplications(shapes[0]),
        activation_bytes: 4 * y.padded() as u64,
    }
}

/// The name of each node.
fn names(modules: &[Module], nodes: usize) -> Vec<String> {
    let mut names = vec![String::new(); nodes];
    name(modules, &mut names);
    names
}

fn name(modules: &[Module], names: &mut [String]) {
    for module in modules {
        match &module.kind {
            ModuleKind::Op { node } | ModuleKind::Tied { node } => names[*node].clone_from(&module.name),
            ModuleKind::Residual { node, body, shortcut } => {
                names[*node].clone_from(&module.name);
                name(body, names);
                name(shortcut, names);
            }
            ModuleKind::Repeat(times) => times.iter().for_each(|modules| name(modules, names)),
            ModuleKind::Attention { nodes: [inside, own, out], .. } => {
                names[*inside] = format!("{}.in_proj", module.name);
                names[*own].clone_from(&module.name);
                names[*out] = format!("{}.out_proj", module.name);
            }
            ModuleKind::Concat { node, branches } => {
                names[*node].clone_from(&module.name);
                branches.iter().for_each(|modules| name(modules, names));
            }
        }
    }
}

/// What the layers of a model come to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Totals {
    /// How many numbers are learned.
    pub parameters: u64,
    /// Multiplications for one sample, in use.
    pub multiplications: u64,
    /// Bytes of what all layers make of a sample.
    pub activation_bytes: u64,
}

impl Totals {
    /// The sums over layers.
    pub fn of(layers: &[LayerSummary]) -> Totals {
        let sum = |of: fn(&LayerSummary) -> u64| layers.iter().map(of).fold(0, u64::saturating_add);
        Totals {
            parameters: sum(|layer| layer.parameters),
            multiplications: sum(|layer| layer.multiplications),
            activation_bytes: sum(|layer| layer.activation_bytes),
        }
    }
}
