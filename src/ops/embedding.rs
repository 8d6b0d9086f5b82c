//! Embeddings, like PyTorch's `nn.Embedding`: a whole number is that of a row in a table that is learned, and the row takes its
//! place. The last columns of a table's row may be such numbers of categories, and so may the tokens of a sequence.

use std::sync::Arc;

use serde::Deserialize;
use serde_json::Value;

use super::arguments::Arguments;
use crate::gpu::{Grid, Scalar, Shader};
use crate::graph::tolerance::rounds;
use crate::graph::{
    Checked, Export, Init, LoopBound, OnnxNode, Op, OpContext, ParameterSpec, Role, Scratch, Shape, Step, Table,
    Tolerance, Work, sample,
};
use crate::tensor::{Matrix, Operand};
use crate::wgsl::{CLOCK, PADDING};

/// Most tables of an embedding: the length of `lookups` in `shaders/embedding.wgsl`.
pub const MOST_TABLES: usize = 256;

/// Most levels of a table, below which a float holds every whole number, and most columns of one.
const MOST: usize = 1 << 24;

/// In PyTorch, whose `nn.Embedding` is one table.
const CLASS: &str = r#"class Embedding(nn.ModuleList):
    """Replaces each of the last columns, a number of a row, by that row of a table."""

    def __init__(self, *tables):
        super().__init__(nn.Embedding(levels, width) for levels, width in tables)

    def forward(self, x):
        floats, numbers = x[:, : -len(self)], x[:, -len(self) :].long()
        rows = [table(numbers[:, at].clamp(0, table.num_embeddings - 1)) for at, table in enumerate(self)]
        return torch.cat([floats, *rows], dim=1)
"#;

/// The same for tokens, which are numbers in a column of their own.
const TOKENS_CLASS: &str = r#"class Tokens(nn.Embedding):
    """Replaces each token by its row of the table."""

    def forward(self, x):
        return super().forward(x.squeeze(-1).long().clamp(0, self.num_embeddings - 1))
"#;

/// Iterations of the search for a table.
const SEARCH: u64 = MOST_TABLES.ilog2() as u64 + 1;

/// (rows, n) whose last k columns are whole numbers, to (rows, n - k + Σ widths): the first columns as they are, then for each of
/// the k tables the row of that number. A number that is none of a table counts as the nearest one.
#[derive(Clone, Debug)]
pub struct Embedding {
    /// Levels and width of each table, in the order of the columns.
    pub tables: Vec<(usize, usize)>,
    /// Whether x is tokens, of one column, and the only table is called as in `nn.Embedding`: `weight`.
    pub of_tokens: bool,
}

pub(super) fn samples(columns: usize) -> Vec<Arc<dyn Op>> {
    let all = [vec![(3, 2)], vec![(4, 5), (2, 3)], vec![(2, 1), (5, 4), (3, 6)]];
    let fit = all.into_iter().filter(|tables| tables.len() <= columns.max(1));
    let of_columns = fit.map(|tables| Embedding { tables, of_tokens: false });
    let of_tokens = (columns == 1).then(|| Embedding::of_tokens(5, 6));
    of_columns.chain(of_tokens).map(|op| Arc::new(op) as Arc<dyn Op>).collect()
}

/// A table, and where it finds its levels and puts its rows.
struct Lookup {
    column: usize,
    index: usize,
    levels: usize,
    width: usize,
}

impl Embedding {
    /// One table, for tokens.
    pub fn of_tokens(levels: usize, width: usize) -> Embedding {
        Embedding { tables: vec![(levels, width)], of_tokens: true }
    }

    /// Columns before the indices.
    fn floats(&self, columns: usize) -> usize {
        columns - self.tables.len()
    }

    fn outputs(&self, columns: usize) -> usize {
        self.floats(columns) + self.tables.iter().map(|&(_, width)| width).sum::<usize>()
    }

    fn lookups(&self, columns: usize) -> Vec<Lookup> {
        let floats = self.floats(columns);
        let mut column = floats;
        let lookup = |(t, &(levels, width)): (usize, &(usize, usize))| {
            column += width;
            Lookup { column: column - width, index: floats + t, levels, width }
        };
        self.tables.iter().enumerate().map(lookup).collect()
    }

    /// The table `lookups` of the shader.
    fn table(&self, columns: usize) -> Table {
        let (mut at4, mut begin) = (0, 0);
        let row = |lookup: &Lookup| {
            let here = at4;
            at4 += lookup.levels.next_multiple_of(4) * lookup.width.div_ceil(4);
            begin += lookup.levels;
            let before = begin - lookup.levels;
            [lookup.column, lookup.index, here, lookup.levels, lookup.width, before].map(|value| value as u32)
        };
        let used: Vec<[u32; 6]> = self.lookups(columns).iter().map(row).collect();
        let unused = std::iter::repeat([u32::MAX, 0, u32::MAX, 1, 1, u32::MAX]);
        let names = ["column", "index", "at4", "levels", "width", "begin"];
        let fields = |row: [u32; 6]| names.into_iter().zip(row.map(Scalar::U32)).collect();
        let rows = used.into_iter().chain(unused).take(MOST_TABLES).map(fields).collect();
        Table { name: "lookups", rows, bytes: 32 * MOST_TABLES as u64 }
    }

    /// Parameters in vec4, padding included.
    fn parameters4(&self) -> u32 {
        self.tables.iter().map(|(levels, width)| levels.next_multiple_of(4) * width.div_ceil(4)).sum::<usize>() as u32
    }

    /// Levels of all tables.
    fn levels(&self) -> u32 {
        self.tables.iter().map(|&(levels, _)| levels).sum::<usize>() as u32
    }

    fn step(&self, cx: &OpContext, entry: &'static str, grid: Grid, work: Work) -> Step {
        let x = cx.input(0);
        let (columns, outputs) = (cx.columns(x), cx.columns(cx.output()));
        let mut step = cx.step(entry, grid, work).dims(&[
            ("floats", self.floats(columns as usize) as u32),
            ("columns", outputs),
            ("columns4", outputs.div_ceil(4)),
            ("inputs4", columns.div_ceil(4)),
            ("x_stride", cx.stride(x)),
            ("parameters4", self.parameters4()),
            ("first", 0),
            ("levels", self.levels()),
            ("tables", self.tables.len() as u32),
        ]);
        step.tables.push(self.table(columns as usize));
        step
    }

    /// The level of a number: the nearest one of the table, of the whole part of the number.
    fn level(x: f64, levels: usize) -> usize {
        (x as usize).min(levels - 1)
    }

    /// The nodes of ONNX for x of so many columns.
    fn onnx(&self, columns: i64) -> Vec<OnnxNode> {
        const TO_INT64: i64 = 7;
        let floats = columns - self.tables.len() as i64;
        let whole = |value: i64, name: &str| OnnxNode::new("Constant", &[], name).with("value_int", value);
        let wholes = |value: i64, name: &str| OnnxNode::new("Constant", &[], name).with("value_ints", vec![value]);
        let mut nodes = vec![wholes(0, "begin"), wholes(floats, "end"), wholes(1, "axis"), whole(0, "least")];
        nodes.push(OnnxNode::new("Slice", &["x", "begin", "end", "axis"], "floats"));
        let mut parts = vec!["floats".to_owned()];
        for (t, (levels, _)) in self.tables.iter().enumerate() {
            let [at, most, number, level, near, weight, row] =
                ["at", "most", "number", "level", "near", "weight", "row"].map(|name| format!("{t}.{name}"));
            nodes.push(whole(floats + t as i64, &at));
            nodes.push(whole(*levels as i64 - 1, &most));
            nodes.push(OnnxNode::new("Gather", &["x", &at], &number).with("axis", 1));
            nodes.push(OnnxNode::new("Cast", &[&number], &level).with("to", TO_INT64));
            nodes.push(OnnxNode::new("Clip", &[&level, "least", &most], &near));
            nodes.push(OnnxNode::new("Gather", &[&weight, &near], &row));
            parts.push(row);
        }
        let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
        nodes.push(OnnxNode::new("Concat", &parts, "y").with("axis", 1));
        nodes
    }

    fn export_of_tokens(&self) -> Export {
        const TO_INT64: i64 = 7;
        let (levels, width) = self.tables[0];
        let whole = |value: i64, name: &str| OnnxNode::new("Constant", &[], name).with("value_int", value);
        let onnx = vec![
            whole(0, "least"),
            whole(levels as i64 - 1, "most"),
            OnnxNode::new("Constant", &[], "last").with("value_ints", vec![-1]),
            OnnxNode::new("Squeeze", &["x", "last"], "number"),
            OnnxNode::new("Cast", &["number"], "level").with("to", TO_INT64),
            OnnxNode::new("Clip", &["level", "least", "most"], "near"),
            OnnxNode::new("Gather", &["weight", "near"], "y"),
        ];
        Export::new(format!("Tokens({levels}, {width})"), onnx).with_class(TOKENS_CLASS)
    }

    /// Where each table begins in the reference's row of parameters.
    fn begins(&self) -> Vec<usize> {
        let mut at = 0;
        let begin = |&(levels, width): &(usize, usize)| {
            at += levels * width;
            at - levels * width
        };
        self.tables.iter().map(begin).collect()
    }
}

/// What an embedding of tokens takes.
const TOKENS: &str = "{ num_embeddings = 65, embedding_dim = 128 }";

fn of_tokens(given: &Arguments) -> Result<Embedding, String> {
    let missing = |name: &str| format!("{name} is missing; write {{ embedding = {TOKENS} }}");
    let levels = given.whole_up_to("num_embeddings", 1, MOST)?.ok_or_else(|| missing("num_embeddings"))?;
    let width = given.whole("embedding_dim", 1)?.ok_or_else(|| missing("embedding_dim"))?;
    Ok(Embedding::of_tokens(levels, width))
}

impl Op for Embedding {
    fn name(&self) -> &'static str {
        "embedding"
    }

    fn role(&self) -> Role {
        Role::Layer
    }

    fn shader(&self) -> &'static Shader {
        let own = include_str!("../../shaders/embedding.wgsl");
        Shader::joined(self.name().to_owned(), vec![CLOCK, PADDING, own])
    }

    fn parameters(&self, _: &Shape) -> Vec<ParameterSpec> {
        // As PyTorch's `nn.Embedding`.
        let spec = |(t, &(levels, width)): (usize, &(usize, usize))| {
            let name = if self.of_tokens { "weight".to_owned() } else { format!("{t}.weight") };
            ParameterSpec::new(name, &[levels, width], Init::Normal(1.0))
        };
        self.tables.iter().enumerate().map(spec).collect()
    }

    fn stands_alone(&self) -> bool {
        false
    }

    fn with(&self, arguments: &Value) -> Result<Arc<dyn Op>, String> {
        if arguments.is_object() {
            return Ok(Arc::new(of_tokens(&Arguments::new(arguments, &["num_embeddings", "embedding_dim"])?)?));
        }
        let wanted = "a list of [levels, width], one for each column of categories, as in [[12, 4], [3, 2]]";
        let Ok(tables) = Vec::<(usize, usize)>::deserialize(arguments) else {
            return Err(format!("takes {wanted}; or, for tokens, {TOKENS}"));
        };
        if tables.is_empty() || tables.len() > MOST_TABLES {
            return Err(format!("{} tables; give 1 to {MOST_TABLES}: {wanted}", tables.len()));
        }
        let fits = |size: usize| (1..=MOST).contains(&size);
        if let Some((levels, width)) = tables.iter().find(|&&(levels, width)| !fits(levels) || !fits(width)) {
            return Err(format!("a table of {levels} levels and width {width}; give 1 to {MOST} of both"));
        }
        match tables.iter().map(|(_, width)| width).sum::<usize>() {
            widths if widths > MOST => Err(format!("{widths} columns in all; give {MOST} at most")),
            _ => Ok(Arc::new(Embedding { tables, of_tokens: false })),
        }
    }

    fn output(&self, inputs: &[&Shape]) -> Result<Shape, String> {
        let [x, Shape::Parameters(given)] = inputs else { return Err("takes x and its tables".to_owned()) };
        let x = sample(x, "x")?;
        let columns = x.columns().unwrap_or(0);
        if self.of_tokens && columns != 1 {
            return Err(format!("x is {x}, but tokens have one column"));
        }
        if columns < self.tables.len() {
            return Err(format!("x is {x}, which are fewer columns than the {} tables", self.tables.len()));
        }
        if *given != self.parameters(x) {
            return Err(format!("the tables are {}, but {:?} are wanted", inputs[1], self.tables));
        }
        Ok(x.with_columns(self.outputs(columns)))
    }

    /// The first line of each level, and for each line and table the next line of the same level.
    fn scratch(&self, inputs: &[&Shape]) -> Vec<Scratch> {
        let tables = self.tables.len();
        vec![Scratch { per_row: inputs[0].positions() * tables, fixed: self.levels() as usize }]
    }

    fn forward(&self, cx: &OpContext) -> Vec<Step> {
        let outputs = cx.columns(cx.output());
        let grid = Grid::Elements { columns: outputs.div_ceil(4) };
        let work = Work::moves(cx.columns(cx.input(0)) + 2 * outputs, LoopBound::fixed(4 * SEARCH));
        let step = self.step(cx, "forward", grid, work);
        vec![step.bind("x", cx.value(0)).bind("parameters", cx.value(1)).bind("y", cx.output_value())]
    }

    fn backward(&self, cx: &OpContext) -> Vec<Step> {
        let columns = cx.columns(cx.input(0));
        let input = cx.wants[0].map(|write| {
            let grid = Grid::Elements { columns: columns.div_ceil(4) };
            self.step(cx, "backward_input", grid, Work::moves(2 * columns, LoopBound::NONE))
                .bind("dy", cx.output_gradient())
                .bind("dinput", cx.gradient(0))
                .write(write)
        });
        // Of each block: its lines, and a loop's end. Every level looks at the index of every line.
        let loops = LoopBound { fixed: SEARCH + 2, block: 34 };
        let (levels, parameters4) = (self.levels(), self.parameters4());
        let work = Work { once: u64::from(levels), ..Work::moves(self.tables.len() as u32, loops) };
        let link = self
            .step(cx, "link", Grid::Line(levels), work.computing(2 * u64::from(levels)))
            .bind("x", cx.value(0))
            .bind("links", cx.scratch(0))
            .in_parts("first", 1);
        let work = Work { once: 8 * u64::from(parameters4), ..Work::moves(2 * cx.columns(cx.output()), loops) };
        let parameters = self
            .step(cx, "backward_parameters", Grid::Line(parameters4), work)
            .bind("links", cx.scratch(0))
            .bind("dy", cx.output_gradient())
            .bind("dparameters", cx.gradient(1))
            .bind("open_parameters", cx.open(1))
            .in_parts("first", 1);
        input.into_iter().chain([link, parameters]).collect()
    }

    fn export(&self, x: &Shape) -> Option<Export> {
        if self.of_tokens {
            return Some(self.export_of_tokens());
        }
        let tables: Vec<String> = self.tables.iter().map(|(levels, width)| format!("({levels}, {width})")).collect();
        let torch = format!("Embedding({})", tables.join(", "));
        Some(Export::new(torch, self.onnx(x.columns()? as i64)).with_class(CLASS))
    }

    fn reference_forward(&self, inputs: &[Operand]) -> Matrix {
        let (x, weights) = (inputs[0], inputs[1]);
        let mut y = Matrix::zeros(x.rows, self.outputs(x.columns));
        for r in 0..x.rows {
            for c in 0..self.floats(x.columns) {
                y.values[r * y.columns + c] = x.at(r, c);
            }
            for (lookup, begin) in self.lookups(x.columns).iter().zip(self.begins()) {
                let level = Embedding::level(x.at(r, lookup.index), lookup.levels);
                for j in 0..lookup.width {
                    y.values[r * y.columns + lookup.column + j] = weights.at(0, begin + level * lookup.width + j);
                }
            }
        }
        y
    }

    fn reference_backward(&self, inputs: &[Operand], _: &Matrix, dy: &Matrix) -> Vec<Matrix> {
        let (x, weights) = (inputs[0], inputs[1]);
        let floats = self.floats(x.columns);
        let dx = Matrix::build(x.rows, x.columns, |r, c| if c < floats { dy.at(r, c) } else { 0.0 });
        let mut dweights = Matrix::zeros(1, weights.columns);
        for (lookup, begin) in self.lookups(x.columns).iter().zip(self.begins()) {
            for r in 0..x.rows {
                let level = Embedding::level(x.at(r, lookup.index), lookup.levels);
                for j in 0..lookup.width {
                    dweights.values[begin + level * lookup.width + j] += dy.at(r, lookup.column + j);
                }
            }
        }
        vec![dx, dweights]
    }

    /// Numbers are copied; only the gradient of a table is a sum.
    fn tolerance(&self, checked: &Checked) -> Tolerance {
        let exact = |m: &Matrix| Matrix::zeros(m.rows, m.columns);
        let dy = checked.doutput;
        let sizes = Matrix::build(dy.rows, dy.columns, |r, c| dy.at(r, c).abs());
        let by = rounds(dy.rows);
        let sums = self.reference_backward(checked.inputs, checked.output, &sizes).swap_remove(1);
        let least = dy.rows as f64 * f64::from(f32::MIN_POSITIVE);
        let sums = Matrix::build(1, sums.columns, |_, c| by * sums.at(0, c) + least);
        Tolerance { value: exact(checked.output), inputs: vec![exact(&checked.gradients[0]), sums] }
    }

    /// Where a number comes to another level.
    fn kinks(&self) -> &'static [f64] {
        &[1.0, 2.0, 3.0, 4.0]
    }
}
