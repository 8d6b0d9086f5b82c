//! Where a token stands in its sequence: rows that are learned or fixed and added to it, or an angle by which pairs of columns are
//! turned.

mod learned;
mod rotary;
mod sinusoidal;

use std::f64::consts::TAU;
use std::sync::Arc;

use serde_json::Value;

pub use learned::Positions;
pub use rotary::Rotary;
pub use sinusoidal::Sinusoidal;

use crate::gpu::Scalar;
use crate::graph::{Op, Shape, Table};

pub(super) fn samples(_: usize) -> Vec<Arc<dyn Op>> {
    vec![Arc::new(Positions), Arc::new(Sinusoidal)]
}

pub(super) fn rotary_samples(_: usize) -> Vec<Arc<dyn Op>> {
    let one = Rotary { heads: 1, columns: 8, base: Rotary::BASE };
    vec![Arc::new(one), Arc::new(Rotary { heads: 2, base: 100.0, ..one })]
}

/// What `{ positions = … }` stands for.
fn named(arguments: &Value) -> Result<Arc<dyn Op>, String> {
    match arguments.as_str() {
        Some("learned") => Ok(Arc::new(Positions)),
        Some("sinusoidal") => Ok(Arc::new(Sinusoidal)),
        Some("rotary") => {
            Err("\"rotary\" belongs to attention: { attention = { heads = 4, rotary = true } }".to_owned())
        }
        _ => Err("takes \"learned\" or \"sinusoidal\", as in { positions = \"learned\" }".to_owned()),
    }
}

/// Tokens and columns of a sequence.
fn sequence(x: &Shape) -> Result<[usize; 2], String> {
    match x.dims()[..] {
        [tokens, columns] => Ok([tokens, columns]),
        _ => Err(format!("x is {x}, but (rows, tokens, columns) are wanted")),
    }
}

/// The angle from one token to the next of pair i of so many: base^(-i / pairs).
fn angle(i: usize, pairs: usize, base: f64) -> f64 {
    base.powf(-(i as f64) / pairs as f64)
}

/// These angles in parts of a turn, 2⁻³² each, as the table `turns` of a shader with so many rows of four.
fn table(pairs: usize, base: f64, rows: usize) -> Table {
    let part = |i: usize| match i < pairs {
        true => (angle(i, pairs, base) / TAU * 2f64.powi(32)).round() as u64 as u32,
        false => 0,
    };
    let row = |row: usize| {
        let fields = ["x", "y", "z", "w"].into_iter().enumerate();
        fields.map(|(at, name)| (name, Scalar::U32(part(4 * row + at)))).collect()
    };
    Table { name: "turns", rows: (0..rows).map(row).collect(), bytes: 16 * rows as u64 }
}

/// How far a sine may be off at a late token: the polynomial, and half a part of a turn for each token.
fn off(token: usize) -> f64 {
    3e-7 + token as f64 * TAU / 2f64.powi(33)
}
