//! What an op is in the words of other libraries: a module of PyTorch and operators of ONNX.

/// The version of ONNX's default operators that [`OnnxNode`]s are of.
pub const ONNX_OPERATORS: i64 = 20;

/// An op in the words of other libraries, with the same parameters under the same names.
#[derive(Clone, Debug, PartialEq)]
pub struct Export {
    /// The expression that makes the module of PyTorch, such as `nn.LeakyReLU(0.01)`; `torch` and `nn` are imported.
    pub torch: String,
    /// The definition of the class that the expression names, where PyTorch has none; otherwise empty.
    pub torch_class: &'static str,
    /// Nodes that make `y` of `x` and of the op's parameters, by their names.
    pub onnx: Vec<OnnxNode>,
}

impl Export {
    /// An op that PyTorch has too.
    pub fn new(torch: impl Into<String>, onnx: Vec<OnnxNode>) -> Export {
        Export { torch: torch.into(), torch_class: "", onnx }
    }

    /// The op with the definition of its class.
    pub fn with_class(self, torch_class: &'static str) -> Export {
        Export { torch_class, ..self }
    }
}

/// Nodes that see channels last, of an image that other libraries hold channels first: (rows, channels, height, width). They read
/// `x_last` and make `y_last`.
pub fn on_images(nodes: Vec<OnnxNode>) -> Vec<OnnxNode> {
    let turned = |from: &str, to: &str, axes: [i64; 4]| {
        OnnxNode::new("Transpose", &[from], to).with("perm", Attribute::Ints(axes.to_vec()))
    };
    let first = turned("x", "x_last", [0, 2, 3, 1]);
    std::iter::once(first).chain(nodes).chain([turned("y_last", "y", [0, 3, 1, 2])]).collect()
}

/// A node of an ONNX graph. Names that are neither `x`, `y` nor a parameter's are known within the op only.
#[derive(Clone, Debug, PartialEq)]
pub struct OnnxNode {
    /// The operator.
    pub operator: &'static str,
    /// What it reads, in the operator's order.
    pub inputs: Vec<String>,
    /// What it makes.
    pub output: String,
    /// The attributes that differ from the operator's defaults.
    pub attributes: Vec<(&'static str, Attribute)>,
}

impl OnnxNode {
    /// A node with the operator's defaults.
    pub fn new(operator: &'static str, inputs: &[&str], output: &str) -> OnnxNode {
        let inputs = inputs.iter().map(|&name| name.to_owned()).collect();
        OnnxNode { operator, inputs, output: output.to_owned(), attributes: Vec::new() }
    }

    /// The node with this attribute.
    pub fn with(mut self, name: &'static str, value: impl Into<Attribute>) -> OnnxNode {
        self.attributes.push((name, value.into()));
        self
    }
}

/// The value of an attribute of an ONNX node.
#[derive(Clone, Debug, PartialEq)]
pub enum Attribute {
    /// A whole number.
    Int(i64),
    /// A number.
    Float(f32),
    /// A text.
    Text(String),
    /// Whole numbers.
    Ints(Vec<i64>),
    /// Numbers.
    Floats(Vec<f32>),
    /// Texts.
    Texts(Vec<String>),
}

impl From<i64> for Attribute {
    fn from(value: i64) -> Attribute {
        Attribute::Int(value)
    }
}

impl From<f32> for Attribute {
    fn from(value: f32) -> Attribute {
        Attribute::Float(value)
    }
}

impl From<&str> for Attribute {
    fn from(value: &str) -> Attribute {
        Attribute::Text(value.to_owned())
    }
}

impl From<Vec<i64>> for Attribute {
    fn from(values: Vec<i64>) -> Attribute {
        Attribute::Ints(values)
    }
}

impl From<Vec<f32>> for Attribute {
    fn from(values: Vec<f32>) -> Attribute {
        Attribute::Floats(values)
    }
}

impl From<Vec<String>> for Attribute {
    fn from(values: Vec<String>) -> Attribute {
        Attribute::Texts(values)
    }
}
