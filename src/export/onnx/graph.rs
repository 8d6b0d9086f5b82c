//! An ONNX graph being written, as messages of `onnx.proto`.

use std::collections::HashMap;

use crate::graph::{Attribute, ONNX_OPERATORS};
use crate::protobuf::Message;

/// The version of `onnx.proto` that belongs to these versions of the operators.
const FORMAT: i64 = 9;

/// The version of the operators for tables.
const TABLE_OPERATORS: i64 = 3;

/// Their domain.
pub const TABLES: &str = "ai.onnx.ml";

/// The dimension of rows, as inputs and outputs name it.
const ROWS: &str = "N";

/// The type of elements, by its number in `TensorProto.DataType`.
#[derive(Clone, Copy)]
pub enum Type {
    Float = 1,
    Int = 7,
    Text = 8,
    Double = 11,
}

/// The numbers of a constant.
pub enum Constant<'a> {
    Floats(&'a [f32]),
    Ints(&'a [i64]),
    Doubles(&'a [f64]),
    Texts(&'a [String]),
}

/// A graph being written. Inputs and outputs are named first, so that they get the names that they are to have.
#[derive(Default)]
pub struct Graph {
    /// How often each name was wanted.
    names: HashMap<String, usize>,
    /// What the names of values in between begin with.
    pub scope: String,
    nodes: Vec<Message>,
    constants: Vec<Message>,
    inputs: Vec<Message>,
    outputs: Vec<Message>,
}

impl Graph {
    /// A name that nothing else has: the wanted one, if it is free.
    pub fn name(&mut self, wanted: &str) -> String {
        let count = self.names.entry(wanted.to_owned()).or_default();
        *count += 1;
        match *count {
            1 => wanted.to_owned(),
            count => self.name(&format!("{wanted}_{count}")),
        }
    }

    /// Adds an input, (rows, 1), and returns its name.
    pub fn input(&mut self, column: &str, kind: Type, about: &str) -> String {
        let name = self.name(if column.is_empty() { "column" } else { column });
        self.inputs.push(value(&name, kind, Some(1), about));
        name
    }

    /// Adds an output of a name that was taken before: (rows, columns), or (rows) without columns.
    pub fn output(&mut self, name: &str, kind: Type, columns: Option<usize>, about: &str) {
        self.outputs.push(value(name, kind, columns, about));
    }

    /// Adds a constant and returns its name.
    pub fn constant(&mut self, wanted: &str, dims: &[usize], constant: Constant) -> String {
        let name = self.name(wanted);
        let message = Message::new().each(dims, |message, &dim| message.int(1, dim as i64));
        let message = match constant {
            Constant::Floats(floats) => {
                message.int(2, Type::Float as i64).bytes(9, packed(floats, |x| x.to_le_bytes()))
            }
            Constant::Ints(ints) => message.int(2, Type::Int as i64).bytes(9, packed(ints, |x| x.to_le_bytes())),
            Constant::Doubles(doubles) => {
                message.int(2, Type::Double as i64).bytes(9, packed(doubles, |x| x.to_le_bytes()))
            }
            Constant::Texts(texts) => {
                message.int(2, Type::Text as i64).each(texts, |message, text| message.bytes(6, text))
            }
        };
        self.constants.push(message.bytes(8, &name));
        name
    }

    /// Adds a row of numbers, (1, columns).
    pub fn row(&mut self, wanted: &str, row: &[f64]) -> String {
        self.constant(wanted, &[1, row.len()], Constant::Doubles(row))
    }

    /// Adds a node of the default operators and returns the name of what it makes.
    pub fn node(&mut self, operator: &str, inputs: &[&str], attributes: &[(&str, Attribute)]) -> String {
        self.node_of("", operator, inputs, attributes)
    }

    /// Adds a node of the operators for tables.
    pub fn table_node(&mut self, operator: &str, inputs: &[&str], attributes: &[(&str, Attribute)]) -> String {
        self.node_of(TABLES, operator, inputs, attributes)
    }

    fn node_of(&mut self, domain: &str, operator: &str, inputs: &[&str], attributes: &[(&str, Attribute)]) -> String {
        let output = self.name(&format!("{}/{operator}", self.scope));
        self.named_node(domain, operator, inputs, &output, attributes);
        output
    }

    /// Adds a node that makes a value of a name that was taken before.
    pub fn named_node(
        &mut self,
        domain: &str,
        operator: &str,
        inputs: &[&str],
        output: &str,
        more: &[(&str, Attribute)],
    ) {
        let message = Message::new().each(inputs, |message, name| message.bytes(1, name)).bytes(2, output);
        let message = message.bytes(3, output).bytes(4, operator);
        let message = message.each(more, |message, (name, value)| message.bytes(5, attribute(name, value)));
        self.nodes.push(message.bytes(7, domain));
    }

    /// The file.
    pub fn finish(self, name: &str, about: &str) -> Vec<u8> {
        let graph = Message::new()
            .each(&self.nodes, |graph, node| graph.bytes(1, node))
            .bytes(2, name)
            .each(&self.constants, |graph, constant| graph.bytes(5, constant))
            .bytes(10, about)
            .each(&self.inputs, |graph, input| graph.bytes(11, input))
            .each(&self.outputs, |graph, output| graph.bytes(12, output));
        let operators = [("", ONNX_OPERATORS), (TABLES, TABLE_OPERATORS)];
        Message::new()
            .int(1, FORMAT)
            .bytes(2, "accrue")
            .bytes(3, env!("CARGO_PKG_VERSION"))
            .bytes(7, &graph)
            .each(operators, |model, (domain, version)| model.bytes(8, Message::new().bytes(1, domain).int(2, version)))
            .into_bytes()
    }
}

/// Numbers one after the other.
fn packed<T: Copy, const N: usize>(numbers: &[T], bytes: impl Fn(T) -> [u8; N]) -> Vec<u8> {
    numbers.iter().flat_map(|&number| bytes(number)).collect()
}

/// A `ValueInfoProto`.
fn value(name: &str, kind: Type, columns: Option<usize>, about: &str) -> Message {
    let rows = Message::new().bytes(2, ROWS);
    let columns = columns.map(|columns| Message::new().int(1, columns as i64));
    let shape = Message::new().each([rows].iter().chain(&columns), |shape, dim| shape.bytes(1, dim));
    let tensor = Message::new().int(1, kind as i64).bytes(2, &shape);
    Message::new().bytes(1, name).bytes(2, Message::new().bytes(1, &tensor)).bytes(3, about)
}

/// An `AttributeProto`.
fn attribute(name: &str, value: &Attribute) -> Message {
    let message = Message::new().bytes(1, name);
    match value {
        Attribute::Float(value) => message.float(2, *value).int(20, 1),
        Attribute::Int(value) => message.int(3, *value).int(20, 2),
        Attribute::Text(value) => message.bytes(4, value).int(20, 3),
        Attribute::Floats(values) => message.each(values, |message, &value| message.float(7, value)).int(20, 6),
        Attribute::Ints(values) => message.each(values, |message, &value| message.int(8, value)).int(20, 7),
        Attribute::Texts(values) => message.each(values, |message, value| message.bytes(9, value)).int(20, 8),
    }
}
