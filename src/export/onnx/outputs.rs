//! From the outputs of a network to predictions.

use super::graph::{Constant, Graph, Type};
use crate::nn::{ModelFile, TargetNames};

/// Takes the names of the outputs: before those of values in between, and behind those of the columns.
pub fn named(graph: &mut Graph, target: &TargetNames) -> Vec<String> {
    let wanted: &[&str] = match target {
        TargetNames::Classes { .. } => &["label", "probabilities"],
        TargetNames::Values { .. } => &["prediction"],
    };
    wanted.iter().map(|name| graph.name(name)).collect()
}

/// Adds what makes predictions of the network's outputs `y`, and declares them.
pub fn write(graph: &mut Graph, saved: &ModelFile, names: &[String], y: &str) {
    "predict".clone_into(&mut graph.scope);
    let y64 = graph.node("Cast", &[y], &[("to", (Type::Double as i64).into())]);
    match &saved.target {
        TargetNames::Classes { classes, .. } => {
            let (index, probabilities) =
                if saved.model.outputs() == 1 { yes_or_no(graph, y, &y64) } else { one_of(graph, y, &y64) };
            let texts = graph.constant("classes", &[classes.len()], Constant::Texts(classes));
            graph.named_node("", "Gather", &[&texts, &index], &names[0], &[]);
            graph.named_node("", "Cast", &[&probabilities], &names[1], &[("to", (Type::Float as i64).into())]);
            graph.output(&names[0], Type::Text, None, "the class");
            let about = format!("the probability of each class: {}", classes.join(", "));
            graph.output(&names[1], Type::Float, Some(classes.len()), &about);
        }
        TargetNames::Values { names: columns, scale } => {
            let (std, mean) = match scale {
                Some(scale) => (scale.std.clone(), scale.mean.clone()),
                None => (vec![1.0; columns.len()], vec![0.0; columns.len()]),
            };
            let (std, mean) = (graph.row("std", &std), graph.row("mean", &mean));
            let scaled = graph.node("Mul", &[&y64, &std], &[]);
            graph.named_node("", "Add", &[&scaled, &mean], &names[0], &[]);
            graph.output(&names[0], Type::Double, Some(columns.len()), &columns.join(", "));
        }
    }
}

/// The class of the largest output, and the softmax of the outputs.
fn one_of(graph: &mut Graph, y: &str, y64: &str) -> (String, String) {
    let index = graph.node("ArgMax", &[y], &[("axis", 1.into()), ("keepdims", 0.into())]);
    (index, graph.node("Softmax", &[y64], &[]))
}

/// Yes where the one output is above 0; the probabilities of no and yes.
fn yes_or_no(graph: &mut Graph, y: &str, y64: &str) -> (String, String) {
    let zero = graph.constant("zero", &[1, 1], Constant::Floats(&[0.0]));
    let above = graph.node("Greater", &[y, &zero], &[]);
    let above = graph.node("Cast", &[&above], &[("to", (Type::Int as i64).into())]);
    let axis = graph.constant("axis", &[1], Constant::Ints(&[1]));
    let index = graph.node("Squeeze", &[&above, &axis], &[]);
    let one = graph.row("one", &[1.0]);
    let yes = graph.node("Sigmoid", &[y64], &[]);
    let no = graph.node("Sub", &[&one, &yes], &[]);
    (index, graph.node("Concat", &[&no, &yes], &[("axis", 1.into())]))
}
