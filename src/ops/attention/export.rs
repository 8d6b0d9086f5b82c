//! Attention with its projections, in the words of other libraries.

use super::{Attention, SelfAttention};
use crate::graph::{Export, OnnxNode};

/// In PyTorch, whose `nn.MultiheadAttention` has the same parameters, but takes no fewer heads of keys.
const CLASS: &str = r#"class Attention(nn.Module):
    """Attention of tokens to each other, with the parameters of nn.MultiheadAttention."""

    def __init__(self, columns, heads, kv_heads, causal, bias):
        super().__init__()
        self.heads, self.kv_heads, self.causal = heads, kv_heads, causal
        width = columns // heads * (heads + 2 * kv_heads)
        self.in_proj_weight = nn.Parameter(nn.init.xavier_uniform_(torch.empty(width, columns)))
        self.in_proj_bias = nn.Parameter(torch.zeros(width)) if bias else None
        self.out_proj = nn.Linear(columns, columns, bias)

    def forward(self, x):
        rows, tokens, columns = x.shape
        x = nn.functional.linear(x, self.in_proj_weight, self.in_proj_bias)
        x = x.view(rows, tokens, -1, columns // self.heads).transpose(1, 2)
        q, k, v = x.split([self.heads, self.kv_heads, self.kv_heads], dim=1)
        k, v = (part.repeat_interleave(self.heads // self.kv_heads, dim=1) for part in (k, v))
        y = nn.functional.scaled_dot_product_attention(q, k, v, is_causal=self.causal)
        return self.out_proj(y.transpose(1, 2).reshape(rows, tokens, columns))
"#;

impl SelfAttention {
    /// The layer for so many columns; `None` with rotary positions.
    pub fn export(&self, columns: usize) -> Option<Export> {
        let SelfAttention { attention: Attention { heads, kv_heads, causal }, bias, rotary: None } = *self else {
            return None;
        };
        let word = |flag| if flag { "True" } else { "False" };
        let torch = format!("Attention({columns}, {heads}, {kv_heads}, {}, {})", word(causal), word(bias));
        let mut nodes = projection("x", "in_proj_weight", bias.then_some("in_proj_bias"), "inside");
        nodes.extend(self.attention.onnx(columns / heads));
        nodes.extend(projection("seen", "out_proj.weight", bias.then_some("out_proj.bias"), "y"));
        Some(Export::new(torch, nodes).with_class(CLASS))
    }
}

impl Attention {
    /// From `inside`, queries, keys and values in columns, to `seen`.
    fn onnx(&self, width: usize) -> Vec<OnnxNode> {
        let (heads, kv_heads, width) = (self.heads as i64, self.kv_heads as i64, width as i64);
        let all = heads + 2 * kv_heads;
        let mut nodes = vec![
            wholes("split", &[0, 0, all, width]),
            OnnxNode::new("Reshape", &["inside", "split"], "parts"),
            turned("parts", &[0, 2, 1, 3], "heads"),
            wholes("axis", &[1]),
        ];
        for (name, begin, end) in [("q", 0, heads), ("k", heads, heads + kv_heads), ("v", heads + kv_heads, all)] {
            let [from, to] = ["from", "to"].map(|end| format!("{name}.{end}"));
            nodes.extend([wholes(&from, &[begin]), wholes(&to, &[end])]);
            nodes.push(OnnxNode::new("Slice", &["heads", &from, &to, "axis"], name));
        }
        let [mut k, mut v] = ["k", "v"].map(str::to_owned);
        if kv_heads < heads {
            nodes.extend([wholes("apart", &[2]), wholes("times", &[1, 1, heads / kv_heads, 1, 1])]);
            nodes.push(wholes("together", &[0, heads, -1, width]));
            for name in [&mut k, &mut v] {
                let [one, many, all] = ["one", "many", "all"].map(|part| format!("{name}.{part}"));
                nodes.push(OnnxNode::new("Unsqueeze", &[name, "apart"], &one));
                nodes.push(OnnxNode::new("Expand", &[&one, "times"], &many));
                nodes.push(OnnxNode::new("Reshape", &[&many, "together"], &all));
                *name = all;
            }
        }
        nodes.extend([
            turned(&k, &[0, 1, 3, 2], "turned"),
            OnnxNode::new("MatMul", &["q", "turned"], "products"),
            OnnxNode::new("Constant", &[], "scale").with("value_float", 1.0 / (width as f32).sqrt()),
            OnnxNode::new("Mul", &["products", "scale"], "scores"),
        ]);
        let scores = if self.causal {
            nodes.extend(causal());
            "masked"
        } else {
            "scores"
        };
        nodes.extend([
            OnnxNode::new("Softmax", &[scores], "weights").with("axis", -1),
            OnnxNode::new("MatMul", &["weights", &v], "sums"),
            turned("sums", &[0, 2, 1, 3], "rows"),
            wholes("columns", &[0, 0, heads * width]),
            OnnxNode::new("Reshape", &["rows", "columns"], "seen"),
        ]);
        nodes
    }
}

/// From `scores`, (rows, heads, tokens, tokens), to `masked`: -∞ for a token behind the one that looks.
fn causal() -> Vec<OnnxNode> {
    let whole = |name: &str, value: i64| OnnxNode::new("Constant", &[], name).with("value_int", value);
    vec![
        OnnxNode::new("Shape", &["scores"], "shape"),
        whole("third", 2),
        OnnxNode::new("Gather", &["shape", "third"], "tokens"),
        whole("zero", 0),
        whole("step", 1),
        OnnxNode::new("Range", &["zero", "tokens", "step"], "places"),
        wholes("first_axis", &[0]),
        wholes("second_axis", &[1]),
        OnnxNode::new("Unsqueeze", &["places", "second_axis"], "who"),
        OnnxNode::new("Unsqueeze", &["places", "first_axis"], "whom"),
        OnnxNode::new("GreaterOrEqual", &["who", "whom"], "sees"),
        OnnxNode::new("Constant", &[], "least").with("value_float", f32::NEG_INFINITY),
        OnnxNode::new("Where", &["sees", "scores", "least"], "masked"),
    ]
}

fn projection(x: &str, weight: &str, bias: Option<&str>, y: &str) -> Vec<OnnxNode> {
    let [turned, product] = ["turned", "product"].map(|part| format!("{y}.{part}"));
    let made = if bias.is_some() { product.as_str() } else { y };
    let mut nodes = vec![OnnxNode::new("Transpose", &[weight], &turned), OnnxNode::new("MatMul", &[x, &turned], made)];
    nodes.extend(bias.map(|bias| OnnxNode::new("Add", &[&product, bias], y)));
    nodes
}

fn wholes(name: &str, values: &[i64]) -> OnnxNode {
    OnnxNode::new("Constant", &[], name).with("value_ints", values.to_vec())
}

fn turned(x: &str, axes: &[i64], y: &str) -> OnnxNode {
    OnnxNode::new("Transpose", &[x], y).with("perm", axes.to_vec())
}
