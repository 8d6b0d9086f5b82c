//! Attention of the tokens of a sequence to each other, without its projections:
//! `y[t] = Σ_j softmax_j(q[t] · k[j] / √d) · v[j]`, head by head.

mod export;
mod heads;
mod layer;
mod tolerance;

use std::sync::Arc;

use serde_json::Value;

use self::heads::Heads;
pub(crate) use self::layer::SelfAttention;
use crate::gpu::{Grid, Shader};
use crate::graph::{Checked, Export, LoopBound, Op, OpContext, Role, Scratch, Shape, Step, Tolerance, Work, sample};
use crate::tensor::{Matrix, Operand};
use crate::wgsl::CLOCK;

/// Most columns of a head: its query and what is summed for it are registers of an invocation. Mesa's software driver compiles heads
/// of 64 columns in 4 s, of 128 in 18 s, and of 192 in 126 s.
pub const WIDEST_HEAD: usize = 128;

const ATTENTION: &str = include_str!("../../../shaders/attention/attention.wgsl");
const EACH: &str = include_str!("../../../shaders/attention/each.wgsl");
const SHARED: &str = include_str!("../../../shaders/attention/shared.wgsl");

/// Tokens of a workgroup: `LANES` of these files.
const EACH_LANES: usize = 32;
const SHARED_LANES: usize = 8;

/// Attention of each token to the others: columns are the queries of all heads, the keys and the values of `kv_heads` heads.
/// Several heads share keys and values where there are fewer of those (grouped queries).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Attention {
    /// Heads of the queries.
    pub heads: usize,
    /// Heads of keys and values; a divisor of `heads`.
    pub kv_heads: usize,
    /// Whether a token sees those before it and itself alone.
    pub causal: bool,
}

pub(super) fn samples(_: usize) -> Vec<Arc<dyn Op>> {
    let one = Attention { heads: 1, kv_heads: 1, causal: false };
    let all =
        [one, Attention { heads: 2, kv_heads: 2, causal: true }, Attention { heads: 4, kv_heads: 2, causal: true }];
    all.into_iter().map(|op| Arc::new(op) as Arc<dyn Op>).collect()
}

impl Attention {
    /// Columns of a head.
    pub(crate) fn width(&self, columns: usize) -> Result<usize, String> {
        let (heads, all) = (self.heads, self.heads + 2 * self.kv_heads);
        let width = columns / all;
        if columns != width * all || !width.is_multiple_of(4) || width == 0 {
            return Err(format!(
                "{columns} columns are no {heads} heads of queries and {} of keys and of values, whose width is a multiple of 4",
                self.kv_heads
            ));
        }
        match width {
            0..=WIDEST_HEAD => Ok(width),
            _ => Err(format!("heads of {width} columns; {WIDEST_HEAD} are the most, so give more heads")),
        }
    }

    fn heads(&self, x: &Shape) -> Heads {
        let width = self.width(x.columns().unwrap_or(0)).unwrap_or(4);
        Heads { op: *self, width, tokens: x.positions() }
    }

    fn shader_of(&self, width: usize, shared: bool) -> &'static Shader {
        let (name, loads) = if shared { (".shared", SHARED) } else { ("", EACH) };
        let parts = vec![heads::LINES[width / 4 - 1], CLOCK, ATTENTION, loads];
        Shader::joined(format!("attention.{width}{name}"), parts)
    }

    /// A step whose workgroups are a tile of tokens and one of so many heads; an invocation counts `loops`. It makes so many
    /// products of two heads for each query and token.
    fn over_tiles(&self, cx: &OpContext, entry: &'static str, heads: usize, products: usize, loops: u64) -> Step {
        let Heads { width, tokens, .. } = self.heads(cx.graph.shape(cx.input(0)));
        let lanes = if cx.hardware.subgroups { SHARED_LANES } else { EACH_LANES };
        let columns = (heads * tokens.next_multiple_of(lanes)) as u32;
        let computes = 2 * (products * self.heads * width * tokens * tokens) as u64;
        let moves = cx.columns(cx.input(0)).saturating_mul(3).saturating_mul(tokens as u32);
        let work = Work::moves(moves, LoopBound::fixed(loops)).computing(computes);
        self.sized(cx, cx.step_over_rows(entry, Grid::Tiles { columns, rows_each: 1 }, work))
    }

    fn sized(&self, cx: &OpContext, step: Step) -> Step {
        let Heads { width, tokens, .. } = self.heads(cx.graph.shape(cx.input(0)));
        let step = step.dims(&[
            ("tokens", tokens as u32),
            ("heads", self.heads as u32),
            ("kv_heads", self.kv_heads as u32),
            ("stride4", cx.stride(cx.input(0)) / 4),
            ("keys", (self.heads * width / 4) as u32),
            ("values", ((self.heads + self.kv_heads) * width / 4) as u32),
        ]);
        let step = step.constant("CAUSAL", f64::from(u8::from(self.causal)));
        Step {
            shader: self.shader_of(width, cx.hardware.subgroups),
            ..step.constant("SCALE", f64::from(1.0 / (width as f32).sqrt()))
        }
    }
}

impl Op for Attention {
    fn name(&self) -> &'static str {
        "attention"
    }

    fn looks_ahead(&self) -> bool {
        !self.causal
    }

    fn role(&self) -> Role {
        Role::Layer
    }

    fn shader(&self) -> &'static Shader {
        self.shader_of(4, false)
    }

    fn stands_alone(&self) -> bool {
        false
    }

    fn with(&self, arguments: &Value) -> Result<Arc<dyn Op>, String> {
        Ok(Arc::new(SelfAttention::with(arguments)?.attention))
    }

    fn output(&self, inputs: &[&Shape]) -> Result<Shape, String> {
        let [x] = inputs else { return Err(format!("takes x, but {} tensors were given", inputs.len())) };
        let x = sample(x, "x")?;
        let [_, columns] = x.dims()[..] else {
            return Err(format!("x is {x}, but (rows, tokens, columns) are wanted"));
        };
        Ok(x.with_columns(self.heads * self.width(columns)?))
    }

    /// The largest score and the sum of exponentials of each token and head, in four floats.
    fn saved(&self, inputs: &[&Shape]) -> Vec<usize> {
        vec![4 * self.heads * inputs[0].positions()]
    }

    fn scratch(&self, inputs: &[&Shape]) -> Vec<Scratch> {
        vec![Scratch { per_row: 4 * self.heads * inputs[0].positions(), fixed: 0 }]
    }

    fn forward(&self, cx: &OpContext) -> Vec<Step> {
        let heads = self.heads(cx.graph.shape(cx.input(0)));
        let step =
            self.over_tiles(cx, "forward", self.heads, 3, heads.turns(2) + heads.turns(4) + heads.turns_of_head(2));
        vec![step.bind("x", cx.value(0)).bind("y", cx.output_value()).bind("saved", cx.saved(0))]
    }

    fn backward(&self, cx: &OpContext) -> Vec<Step> {
        let Some(write) = cx.wants[0] else { return Vec::new() };
        let heads = self.heads(cx.graph.shape(cx.input(0)));
        let grid = Grid::Tiles { columns: self.heads as u32, rows_each: 1 };
        let moves = Work::moves(3 * cx.columns(cx.input(0)), LoopBound::fixed(heads.turns_of_head(1)));
        let sums =
            self.sized(cx, cx.step("sums", grid, moves)).bind("kept", cx.saved(0)).bind("made", cx.output_value());
        let sums = sums.bind("dy", cx.output_gradient()).bind("part", cx.scratch(0));
        let whole = |entry, count, products, turns| {
            let step = self
                .over_tiles(cx, entry, count, products, turns)
                .bind("x", cx.value(0))
                .bind("dy", cx.output_gradient());
            step.bind("parts", cx.scratch(0)).bind("dinput", cx.gradient(0)).write(write)
        };
        let shared_by = (self.heads / self.kv_heads) as u64;
        let queries = whole("backward_queries", self.heads, 3, heads.turns(5) + heads.turns_of_head(3));
        let keys = shared_by * (heads.turns(6) + 1) + heads.turns_of_head(3) + 1;
        vec![sums, queries, whole("backward_keys", self.kv_heads, 4, keys)]
    }

    fn multiplications(&self, x: &Shape) -> u64 {
        let Heads { width, tokens, .. } = self.heads(x);
        let seen = if self.causal { tokens * (tokens + 1) / 2 } else { tokens * tokens };
        2 * (seen * self.heads * width) as u64
    }

    fn export(&self, _: &Shape) -> Option<Export> {
        None
    }

    fn reference_forward(&self, inputs: &[Operand]) -> Matrix {
        let x = inputs[0];
        let heads = self.heads(x.shape);
        let mut y = Matrix::zeros(x.rows, self.heads * heads.width);
        heads.each_query(&x, |query| {
            for (j, weight) in query.weights(&x) {
                for d in 0..heads.width {
                    y.values[query.line * y.columns + query.head * heads.width + d] +=
                        weight * heads.value(&x, j, query.head, d);
                }
            }
        });
        y
    }

    fn reference_backward(&self, inputs: &[Operand], _: &Matrix, dy: &Matrix) -> Vec<Matrix> {
        let x = inputs[0];
        let heads = self.heads(x.shape);
        let mut dx = Matrix::zeros(x.rows, x.columns);
        heads.each_query(&x, |query| {
            let slope = |d: usize| dy.at(query.line, query.head * heads.width + d);
            let all: Vec<(usize, f64)> = query.weights(&x).collect();
            let by_weight = |j| (0..heads.width).map(|d| slope(d) * heads.value(&x, j, query.head, d)).sum::<f64>();
            let mean: f64 = all.iter().map(|&(j, weight)| weight * by_weight(j)).sum();
            for &(j, weight) in &all {
                let by_score = weight * (by_weight(j) - mean) * heads.scale();
                for d in 0..heads.width {
                    let [q, k, v] = heads.columns(query.head, d);
                    dx.values[query.line * x.columns + q] += by_score * x.at(j, k);
                    dx.values[j * x.columns + k] += by_score * x.at(query.line, q);
                    dx.values[j * x.columns + v] += weight * slope(d);
                }
            }
        });
        vec![dx]
    }

    fn tolerance(&self, checked: &Checked) -> Tolerance {
        tolerance::of(&self.heads(checked.inputs[0].shape), checked)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn workgroups_have_as_many_tokens_as_the_grid_counts() {
        let op = Attention { heads: 1, kv_heads: 1, causal: true };
        for (shared, lanes) in [(false, EACH_LANES), (true, SHARED_LANES)] {
            let entries = op.shader_of(8, shared).reflect().unwrap().entries;
            for entry in ["forward", "backward_queries", "backward_keys"] {
                assert_eq!(entries[entry].workgroup, [lanes as u32, 1, 1], "{entry}");
            }
        }
    }
}
