//! A model as an ONNX graph: raw cells in, predictions out.

mod columns;
mod dates;
mod graph;
mod outputs;
#[cfg(test)]
mod tests;

use std::collections::HashMap;

use graph::{Constant, Graph};

use super::{Layer, Module, modules, preparation};
use crate::nn::ModelFile;
use crate::{Error, Result};

/// The largest file that ONNX allows, with room for all but the weights.
const MOST_BYTES: usize = (2 << 30) - (64 << 20);

/// The bytes of an ONNX file that takes raw cells and gives predictions, for operators 20 and those for tables 3.
///
/// Each column is an input of its name, (rows, 1): numbers as `double`, not a number where missing; dates as `double`, the days
/// since 1970, with the time as a part of a day; all others as `string`, empty where missing. Classes come out as `label`, (rows),
/// and `probabilities`, (rows, classes); numbers as `prediction`, (rows, columns), in their own unit. A name that a column has
/// already gets `_2`.
///
/// Where training did not allow missing cells, a missing number makes the row's outputs not a number.
///
/// # Errors
/// [`Error::Config`] for a layer whose op does not say what it is in ONNX, and for weights of more than 2 GiB.
pub fn onnx(saved: &ModelFile) -> Result<Vec<u8>> {
    let modules = modules(&saved.model)?;
    let bytes: usize = saved.arrays.values().map(|array| 4 * array.values.len()).sum();
    if bytes > MOST_BYTES {
        let message = format!("the weights are {bytes} bytes, but a file in ONNX holds {MOST_BYTES}; take --pytorch");
        return Err(Error::config("--onnx", message));
    }
    let preparation = preparation(saved);
    let mut graph = Graph::default();
    let inputs = columns::inputs(&mut graph, &preparation);
    let outputs = outputs::named(&mut graph, &saved.target);
    let x = columns::features(&mut graph, &preparation, &inputs);
    let x = shaped(&mut graph, &saved.model.shape, x);
    let x = sequence(&mut graph, &modules, saved, x)?;
    outputs::write(&mut graph, saved, &outputs, &x);
    Ok(graph.finish("accrue", "A model of Accrue: raw cells in, predictions out."))
}

/// Features as samples of this shape, channels first.
fn shaped(graph: &mut Graph, shape: &[usize], x: String) -> String {
    if shape.is_empty() {
        return x;
    }
    "shape".clone_into(&mut graph.scope);
    let dims: Vec<i64> = std::iter::once(-1).chain(shape.iter().map(|&dim| dim as i64)).collect();
    let dims = graph.constant("shape", &[dims.len()], Constant::Ints(&dims));
    let x = graph.node("Reshape", &[&x, &dims], &[]);
    match shape.len() {
        3 => graph.node("Transpose", &[&x], &[("perm", vec![0, 3, 1, 2].into())]),
        _ => x,
    }
}

fn sequence(graph: &mut Graph, modules: &[Module], saved: &ModelFile, x: String) -> Result<String> {
    modules.iter().try_fold(x, |x, module| add_module(graph, module, saved, x))
}

/// Adds a layer, or layers in a layer, and returns what it makes.
fn add_module(graph: &mut Graph, module: &Module, saved: &ModelFile, x: String) -> Result<String> {
    match module {
        Module::Op(layer) => add(graph, layer, saved, &x),
        Module::Residual { name, body, shortcut } => {
            let a = sequence(graph, body, saved, x.clone())?;
            let b = sequence(graph, shortcut, saved, x)?;
            graph.scope.clone_from(name);
            Ok(graph.node("Add", &[&a, &b], &[]))
        }
        Module::Repeat(times) => times.iter().try_fold(x, |x, modules| sequence(graph, modules, saved, x)),
        Module::Concat { name, branches, axis } => {
            let branch = |modules: &Vec<Module>| sequence(graph, modules, saved, x.clone());
            let made: Vec<String> = branches.iter().map(branch).collect::<Result<_>>()?;
            graph.scope.clone_from(name);
            let made: Vec<&str> = made.iter().map(String::as_str).collect();
            Ok(graph.node("Concat", &made, &[("axis", (*axis).into())]))
        }
    }
}

/// Adds an op and returns what it makes.
fn add(graph: &mut Graph, layer: &Layer, saved: &ModelFile, x: &str) -> Result<String> {
    // An input that an operator does without has no name.
    let mut names = HashMap::from([("x".to_owned(), x.to_owned()), (String::new(), String::new())]);
    for parameter in &layer.parameters {
        let name = format!("{}.{parameter}", layer.name);
        let array = saved.arrays.get(&name).ok_or_else(|| Error::config("model", format!("has no weights {name}")))?;
        names.insert(parameter.clone(), graph.constant(&name, &array.shape, Constant::Floats(&array.values)));
    }
    graph.scope.clone_from(&layer.name);
    let known = |names: &HashMap<String, String>, name: &str| {
        let missing = || Error::Internal(format!("layer {}: no node of its ONNX makes {name}", layer.name));
        names.get(name).cloned().ok_or_else(missing)
    };
    for node in &layer.export.onnx {
        let inputs: Vec<String> = node.inputs.iter().map(|name| known(&names, name)).collect::<Result<_>>()?;
        let inputs: Vec<&str> = inputs.iter().map(String::as_str).collect();
        names.insert(node.output.clone(), graph.node(node.operator, &inputs, &node.attributes));
    }
    known(&names, "y")
}
