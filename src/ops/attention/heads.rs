//! How the heads lie in the columns of a line, and the scores of one of them in f64.

use super::{Attention, WIDEST_HEAD};
use crate::tensor::Matrix;

/// Attention of sequences of so many tokens, with heads of so many columns.
pub(super) struct Heads {
    pub op: Attention,
    pub width: usize,
    pub tokens: usize,
}

/// The query of one head of one token.
pub(super) struct Query<'a> {
    heads: &'a Heads,
    pub line: usize,
    pub head: usize,
}

impl Heads {
    pub fn scale(&self) -> f64 {
        1.0 / (self.width as f64).sqrt()
    }

    /// The columns of x that hold column d of a head's query, key and value.
    pub fn columns(&self, head: usize, d: usize) -> [usize; 3] {
        let Attention { heads, kv_heads, .. } = self.op;
        let of = head * kv_heads / heads;
        [head, heads + of, heads + kv_heads + of].map(|at| at * self.width + d)
    }

    pub fn value(&self, x: &Matrix, line: usize, head: usize, d: usize) -> f64 {
        x.at(line, self.columns(head, d)[2])
    }

    /// Calls `with` for each line and head, in order.
    pub fn each_query(&self, x: &Matrix, mut with: impl FnMut(Query)) {
        for line in 0..x.rows {
            (0..self.op.heads).for_each(|head| with(Query { heads: self, line, head }));
        }
    }

    /// Loop iterations of an invocation that looks at each token, and there loops over a head so many times.
    pub fn turns(&self, loops: u64) -> u64 {
        self.tokens as u64 * (1 + self.turns_of_head(loops)) + 1
    }

    /// Loop iterations of so many loops over a head.
    pub fn turns_of_head(&self, loops: u64) -> u64 {
        loops * (self.width as u64 / 4 + 1)
    }
}

impl Query<'_> {
    /// The lines that it sees.
    pub fn seen(&self) -> std::ops::Range<usize> {
        let begin = self.line / self.heads.tokens * self.heads.tokens;
        begin..if self.heads.op.causal { self.line + 1 } else { begin + self.heads.tokens }
    }

    /// A score with another line, from what `size` makes of each number.
    pub fn score(&self, x: &Matrix, j: usize, size: fn(f64) -> f64) -> f64 {
        let product = |d| {
            let [q, k, _] = self.heads.columns(self.head, d);
            size(x.at(self.line, q)) * size(x.at(j, k))
        };
        (0..self.heads.width).map(product).sum::<f64>() * self.heads.scale()
    }

    /// The lines that it sees, each with its weight: the softmax of the scores.
    pub fn weights(&self, x: &Matrix) -> impl Iterator<Item = (usize, f64)> + use<> {
        let scores: Vec<f64> = self.seen().map(|j| self.score(x, j, f64::from)).collect();
        let most = scores.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let sum: f64 = scores.iter().map(|score| (score - most).exp()).sum();
        self.seen().zip(scores).map(move |(j, score)| (j, (score - most).exp() / sum))
    }
}

/// The line before the shader that says how wide a head is, for every width.
#[rustfmt::skip]
pub(super) static LINES: [&str; WIDEST_HEAD / 4] = [
    "const HEAD4: u32 = 1u;\n",
    "const HEAD4: u32 = 2u;\n",
    "const HEAD4: u32 = 3u;\n",
    "const HEAD4: u32 = 4u;\n",
    "const HEAD4: u32 = 5u;\n",
    "const HEAD4: u32 = 6u;\n",
    "const HEAD4: u32 = 7u;\n",
    "const HEAD4: u32 = 8u;\n",
    "const HEAD4: u32 = 9u;\n",
    "const HEAD4: u32 = 10u;\n",
    "const HEAD4: u32 = 11u;\n",
    "const HEAD4: u32 = 12u;\n",
    "const HEAD4: u32 = 13u;\n",
    "const HEAD4: u32 = 14u;\n",
    "const HEAD4: u32 = 15u;\n",
    "const HEAD4: u32 = 16u;\n",
    "const HEAD4: u32 = 17u;\n",
    "const HEAD4: u32 = 18u;\n",
    "const HEAD4: u32 = 19u;\n",
    "const HEAD4: u32 = 20u;\n",
    "const HEAD4: u32 = 21u;\n",
    "const HEAD4: u32 = 22u;\n",
    "const HEAD4: u32 = 23u;\n",
    "const HEAD4: u32 = 24u;\n",
    "const HEAD4: u32 = 25u;\n",
    "const HEAD4: u32 = 26u;\n",
    "const HEAD4: u32 = 27u;\n",
    "const HEAD4: u32 = 28u;\n",
    "const HEAD4: u32 = 29u;\n",
    "const HEAD4: u32 = 30u;\n",
    "const HEAD4: u32 = 31u;\n",
    "const HEAD4: u32 = 32u;\n",
];
