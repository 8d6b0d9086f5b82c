//! Attention as a layer of a configuration: with its projections, and with rotary positions if they are wanted.

use serde_json::Value;

use super::Attention;
use crate::ops::Rotary;
use crate::ops::arguments::Arguments;

/// Attention between a projection into queries, keys and values and another out of it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SelfAttention {
    pub attention: Attention,
    /// Whether the projections have a bias.
    pub bias: bool,
    /// The base of rotary positions.
    pub rotary: Option<f64>,
}

impl SelfAttention {
    /// From the arguments of a layer.
    ///
    /// # Errors
    /// One sentence that says what it takes.
    pub fn with(arguments: &Value) -> Result<SelfAttention, String> {
        let given = Arguments::new(arguments, &["heads", "kv_heads", "causal", "bias", "rotary"])?;
        let heads =
            given.whole("heads", 1)?.ok_or("takes heads, as in { attention = { heads = 4, causal = true } }")?;
        let kv_heads = given.whole("kv_heads", 1)?.unwrap_or(heads);
        if !heads.is_multiple_of(kv_heads) {
            return Err(format!("kv_heads is {kv_heads}, which does not divide heads, {heads}"));
        }
        let causal = given.flag("causal")?.unwrap_or(false);
        let bias = given.flag("bias")?.unwrap_or(true);
        let rotary = given.flag_or_positive("rotary", Rotary::BASE)?;
        Ok(SelfAttention { attention: Attention { heads, kv_heads, causal }, bias, rotary })
    }

    /// The op that turns queries and keys, for heads of so many columns.
    pub fn rotary(&self, columns: usize) -> Option<Rotary> {
        let Attention { heads, kv_heads, .. } = self.attention;
        self.rotary.map(|base| Rotary { heads: heads + kv_heads, columns, base })
    }
}
