use std::collections::HashSet;

use super::*;
use crate::export::samples::{of_a_table, of_numbers, of_shape};
use crate::graph::Shape;
use crate::ops;
use crate::protobuf::reader::{Value, fields, of, texts};

/// A node that was read back.
#[derive(Debug)]
struct Node {
    operator: String,
    inputs: Vec<String>,
    outputs: Vec<String>,
    attributes: Vec<Vec<u8>>,
}

fn graph_of(saved: &ModelFile) -> Vec<u8> {
    let mut graphs = of(&onnx(saved).unwrap(), 7);
    assert_eq!(graphs.len(), 1);
    graphs.remove(0)
}

fn nodes(graph: &[u8]) -> Vec<Node> {
    let node = |bytes: Vec<u8>| Node {
        operator: texts(&bytes, 4).remove(0),
        inputs: texts(&bytes, 1),
        outputs: texts(&bytes, 2),
        attributes: of(&bytes, 5),
    };
    of(graph, 1).into_iter().map(node).collect()
}

/// The names and the types of inputs or outputs.
fn values(graph: &[u8], field: u32) -> Vec<(String, i64)> {
    let value = |bytes: Vec<u8>| {
        let tensor = of(&of(&bytes, 2)[0], 1).remove(0);
        let kind = fields(&tensor).into_iter().find_map(|(at, value)| match value {
            Value::Int(kind) if at == 1 => Some(kind),
            _ => None,
        });
        (texts(&bytes, 1).remove(0), kind.unwrap())
    };
    of(graph, field).into_iter().map(value).collect()
}

/// The texts and the numbers of a table of levels.
fn table(node: &Node) -> Vec<(String, f32)> {
    let attribute = |name: &str| node.attributes.iter().find(|bytes| texts(bytes, 1)[0] == name);
    let numbers = match (attribute("values_floats"), attribute("values_int64s")) {
        (Some(floats), None) => fields(floats),
        (None, Some(ints)) => fields(ints),
        other => panic!("{other:?}"),
    };
    let number = |(field, value)| match (field, value) {
        (7, Value::Float(number)) => Some(number),
        (8, Value::Int(number)) => Some(number as f32),
        _ => None,
    };
    let numbers: Vec<f32> = numbers.into_iter().filter_map(number).collect();
    let keys = texts(attribute("keys_strings").unwrap(), 9);
    assert_eq!(keys.len(), numbers.len());
    keys.into_iter().zip(numbers).collect()
}

/// Names that are read were made before, and no name is made twice.
fn assert_is_in_order(graph: &[u8]) {
    let constants = of(graph, 5).into_iter().map(|constant| texts(&constant, 8).remove(0));
    let inputs = values(graph, 11).into_iter().map(|(name, _)| name);
    let mut known = HashSet::new();
    constants.chain(inputs).for_each(|name| assert!(known.insert(name.clone()), "{name} is there twice"));
    for node in nodes(graph) {
        node.inputs.iter().for_each(|name| assert!(known.contains(name), "{node:?}"));
        node.outputs.iter().for_each(|name| assert!(known.insert(name.clone()), "{node:?}"));
    }
    values(graph, 12).iter().for_each(|(name, _)| assert!(known.contains(name), "{name}"));
}

#[test]
fn a_column_is_an_input_of_its_type_and_outputs_take_names_that_are_free() {
    let graph = graph_of(&of_a_table());
    assert_is_in_order(&graph);
    let inputs = [("price", 11), ("town", 8), ("seen", 11), ("member", 8), ("label", 8)];
    assert_eq!(values(&graph, 11), inputs.map(|(name, kind)| (name.to_owned(), kind)));
    assert_eq!(values(&graph, 12), [("label_2".to_owned(), 8), ("probabilities".to_owned(), 1)]);

    let graph = graph_of(&of_numbers(&[4.into(), "relu".into(), 1.into()]));
    assert_is_in_order(&graph);
    assert_eq!(values(&graph, 11), [("a".to_owned(), 11), ("prediction".to_owned(), 11)]);
    assert_eq!(values(&graph, 12), [("prediction_2".to_owned(), 11)]);
}

#[test]
fn the_file_says_its_versions() {
    let bytes = onnx(&of_a_table()).unwrap();
    assert_eq!(fields(&bytes)[0], (1, Value::Int(9)));
    let version = |bytes: &Vec<u8>| (texts(bytes, 1).remove(0), fields(bytes)[1].clone());
    let versions: Vec<_> = of(&bytes, 8).iter().map(version).collect();
    assert_eq!(versions, [("".into(), (2, Value::Int(20))), ("ai.onnx.ml".into(), (2, Value::Int(3)))]);
}

#[test]
fn levels_blanks_and_the_spellings_of_truth_are_looked_up() {
    let graph = graph_of(&of_a_table());
    let nodes = nodes(&graph);
    let found = |column: &str, key: &str| {
        let node = nodes.iter().find(|node| node.operator == "LabelEncoder" && node.inputs == [column]).unwrap();
        table(node).into_iter().find(|(known, _)| known == key).map(|(_, number)| number)
    };
    let town = ["Ulm", "Bonn", "", "nAn", "unknown", "Kiel"].map(|key| found("town", key));
    assert_eq!(town, [Some(0.0), Some(1.0), Some(3.0), Some(3.0), Some(3.0), None]);
    let member = ["False", "NO", "t", "yEs", "?", "2"].map(|key| found("member", key));
    assert_eq!(member, [Some(-1.0), Some(-1.0), Some(1.0), Some(1.0), Some(0.0), None]);
    // A missing cell has no feature here: its index is that of none.
    let label = ["red", "\"blue\"", "n/A", "RED"].map(|key| found("label", key));
    assert_eq!(label, [Some(0.0), Some(1.0), Some(3.0), None]);
}

#[test]
fn features_come_in_the_model_s_order() {
    let graph = graph_of(&of_a_table());
    let takes: Vec<Node> = nodes(&graph).into_iter().filter(|node| node.operator == "Gather").collect();
    let last = takes.iter().find(|node| node.inputs[0].contains("Concat")).expect("an order");
    let constant = of(&graph, 5).into_iter().find(|constant| texts(constant, 8)[0] == last.inputs[1]).unwrap();
    let numbers: Vec<i64> =
        of(&constant, 9)[0].chunks(8).map(|bytes| i64::from_le_bytes(bytes.try_into().unwrap())).collect();
    // Made: seen, seen missing, price, price missing, town, six of seen's circles, member, three of label.
    assert_eq!(numbers, [2, 3, 0, 5, 6, 7, 8, 9, 10, 1, 11, 12, 13, 14, 4]);
}

#[test]
fn weights_are_constants_under_their_names() {
    let saved = of_numbers(&[4.into(), "relu".into(), 1.into()]);
    let graph = graph_of(&saved);
    let constants = of(&graph, 5);
    for (name, array) in &saved.arrays {
        let constant = constants.iter().find(|constant| texts(constant, 8)[0] == *name).unwrap();
        let bytes: Vec<u8> = array.values.iter().flat_map(|value| value.to_le_bytes()).collect();
        assert_eq!(of(constant, 9), [bytes], "{name}");
        let dims = fields(constant).into_iter().filter(|(field, _)| *field == 1);
        let dims: Vec<Value> = dims.map(|(_, dim)| dim).collect();
        assert_eq!(dims, array.shape.iter().map(|&dim| Value::Int(dim as i64)).collect::<Vec<_>>());
    }
    let gemm = nodes(&graph).into_iter().find(|node| node.operator == "Gemm").unwrap();
    assert_eq!(gemm.inputs[1..], ["0.weight", "0.bias"]);
}

#[test]
fn a_model_of_every_layer_can_be_exported() {
    let takes_columns = |name: &&str| ops::find(name).unwrap().shape_of(&Shape::columns_of(4)).is_ok();
    let each: Vec<&str> = ops::layers().into_iter().filter(takes_columns).collect();
    assert!(each.len() > 5);
    let layers: Vec<_> = each.iter().flat_map(|&name| [4.into(), name.into()]).chain([1.into()]).collect();
    assert_is_in_order(&graph_of(&of_numbers(&layers)));
}

#[test]
fn a_model_without_its_weights_is_refused() {
    let saved = ModelFile::unnamed(&of_numbers(&[1.into()]).model);
    assert_eq!(onnx(&saved).unwrap_err().to_string(), "model: has no weights 0.weight");
}

#[test]
fn layers_of_layers_are_nodes_under_their_names() {
    let layers = r#"[3, {"residual": [4, "relu", 3]}, {"repeat": {"times": 2, "layers": [3, "scale"]}},
        {"concat": [[4, "relu"], []]}, 1]"#;
    let layers: Vec<crate::nn::Layer> = serde_json::from_str(layers).unwrap();
    let saved = of_numbers(&layers);
    let graph = graph_of(&saved);
    assert_is_in_order(&graph);
    let constants: HashSet<String> = of(&graph, 5).iter().map(|constant| texts(constant, 8).remove(0)).collect();
    assert!(saved.arrays.keys().all(|name| constants.contains(name)));
    let nodes = nodes(&graph);
    let made = |name: &str| nodes.iter().find(|node| node.outputs == [name]).unwrap();
    assert_eq!(made("1/Add").inputs, ["1.body.2/Gemm", "0/Gemm"]);
    assert_eq!(made("3/Concat").inputs, ["3.0.1/Relu", "2.1.1/Mul"]);
}

#[test]
fn attention_is_nodes_that_read_the_weights_of_its_projections() {
    let layers = r#"[{"attention": {"heads": 2, "kv_heads": 1, "causal": true}}, "flatten", 1]"#;
    let layers: Vec<crate::nn::Layer> = serde_json::from_str(layers).unwrap();
    let saved = of_shape(&[2, 8], &layers);
    let graph = graph_of(&saved);
    assert_is_in_order(&graph);
    let constants: HashSet<String> = of(&graph, 5).iter().map(|constant| texts(constant, 8).remove(0)).collect();
    assert!(saved.arrays.keys().all(|name| constants.contains(name)), "{constants:?}");
    let operators: Vec<String> = nodes(&graph).into_iter().map(|node| node.operator).collect();
    for (operator, times) in [("MatMul", 4), ("Expand", 2), ("Where", 1), ("Softmax", 1)] {
        assert!(operators.iter().filter(|found| *found == operator).count() >= times, "{operator}: {operators:?}");
    }
}

#[test]
fn an_output_of_several_positions_is_refused() {
    let said = onnx(&of_shape(&[2, 4], &["layer_norm".into(), 1.into()])).unwrap_err().to_string();
    assert!(said.contains("the last layer makes (rows, 2, 1)"), "{said}");
}

#[test]
fn samples_of_a_shape_are_given_it_back() {
    let graph = graph_of(&of_shape(&[1, 2], &["layer_norm".into(), 1.into()]));
    assert_is_in_order(&graph);
    let operators: Vec<String> = nodes(&graph).into_iter().map(|node| node.operator).collect();
    let network = operators.iter().position(|operator| operator == "Reshape").unwrap();
    // A linear layer of a sequence is no Gemm.
    assert_eq!(operators[network + 1], "LayerNormalization");
    assert!(operators.contains(&"Flatten".to_owned()), "{operators:?}");
}
