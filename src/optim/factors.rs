//! Learning-rate factors by kind of parameter: what PyTorch does with groups of parameters.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::gpu::{Scalar, Shader};
use crate::graph::{LoopBound, Step, Table};
use crate::nearest::nearest;
use crate::quote::short;
use crate::wgsl::{ONE_RATE, RATES};
use crate::{Error, Result};

/// What the learning rate of each kind of parameter is multiplied with; 1 for kinds that are not named. A kind is what
/// [`Op::kind_of`](crate::graph::Op::kind_of) says: `weight` and `bias` of linear layers, else the layer's name.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct LrFactors(BTreeMap<String, Factor>);

/// Which parameters the optimizer's weight decay acts on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Decay {
    /// All of them, PyTorch's default.
    #[default]
    All,
    /// Those with two dimensions or more: weights and embeddings, but neither biases nor the scales of norms. So does nanoGPT.
    Matrices,
}

impl Decay {
    /// Its name in a configuration.
    pub fn name(self) -> &'static str {
        match self {
            Decay::All => "all",
            Decay::Matrices => "matrices",
        }
    }

    /// What the weight decay of a parameter of this shape is multiplied with.
    pub fn of(self, shape: &[usize]) -> f32 {
        if self == Decay::Matrices && shape.len() < 2 { 0.0 } else { 1.0 }
    }
}

/// A stretch of the parameters: the vec4 that it begins with, the factor of its learning rate, and that of its weight decay.
pub(crate) type Stretch = (u32, [f32; 2]);

/// One factor.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Factor {
    /// This number, from 0.
    Number(f64),
    /// A word.
    Word(Word),
}

/// A factor that follows from the layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Word {
    /// 1 / √inputs, with the inputs of one output of the layer.
    FanIn,
}

/// Most stretches of parameters with factors of their own: the length of `stretches` in `shaders/lib/rates.wgsl`.
pub(crate) const MOST_STRETCHES: usize = 256;

impl<const N: usize> From<[(&str, Factor); N]> for LrFactors {
    fn from(factors: [(&str, Factor); N]) -> LrFactors {
        LrFactors(factors.into_iter().map(|(kind, factor)| (kind.to_owned(), factor)).collect())
    }
}

impl LrFactors {
    /// Checks that all kinds are `known` and all factors numbers from 0.
    ///
    /// # Errors
    /// [`Error::Config`] naming the kind.
    pub fn check(&self, known: &[&str]) -> Result<()> {
        for (kind, factor) in &self.0 {
            let field = || format!("optimizer.lr_factors.{}", short(kind));
            if !known.contains(&kind.as_str()) {
                let remedy = match nearest(kind, known.iter().copied()) {
                    Some(near) => format!("did you mean {near}?"),
                    None => format!("there is: {}", known.join(", ")),
                };
                return Err(Error::config(field(), format!("no kind of parameter; {remedy}")));
            }
            if let Factor::Number(number) = factor
                && !(*number >= 0.0 && (*number as f32).is_finite())
            {
                return Err(Error::config(field(), format!("{number}; give a number from 0, or \"fan_in\"")));
            }
        }
        Ok(())
    }

    /// The factor of a kind of parameter in a layer of so many inputs.
    pub fn of(&self, kind: &str, inputs: usize) -> f64 {
        match self.0.get(kind) {
            Some(Factor::Number(number)) => *number,
            Some(Factor::Word(Word::FanIn)) => 1.0 / (inputs.max(1) as f64).sqrt(),
            None => 1.0,
        }
    }

    /// In one line: `bias 0.1, scale 6`; empty if there are none.
    pub fn describe(&self) -> String {
        let one = |(kind, factor): (&String, &Factor)| match factor {
            Factor::Number(number) => format!("{kind} {number}"),
            Factor::Word(Word::FanIn) => format!("{kind} fan_in"),
        };
        self.0.iter().map(one).collect::<Vec<_>>().join(", ")
    }
}

/// The update, with a learning rate and a weight decay of its own for each stretch of the parameters. Without stretches it stays
/// as it is.
pub(crate) fn apply(step: Step, stretches: &[Stretch]) -> Step {
    if stretches.is_empty() {
        return step;
    }
    let parts = step.shader.parts.iter().map(|&part| if part == ONE_RATE { RATES } else { part });
    let shader = Shader::joined(format!("{}.rates", step.shader.name), parts.collect());
    step.and_its_parts(|step| {
        step.shader = shader;
        step.tables.push(table(stretches));
        step.loops = LoopBound { fixed: step.loops.fixed + SEARCH, ..step.loops };
    })
}

/// Iterations of the loop in `shaders/lib/rates.wgsl`.
pub(crate) const SEARCH: u64 = MOST_STRETCHES.ilog2() as u64 + 1;

/// The table `stretches` of `shaders/lib/rates.wgsl`.
pub(crate) fn table(stretches: &[Stretch]) -> Table {
    let row = |(begins, [factor, decay]): Stretch| {
        vec![("begins", Scalar::U32(begins)), ("factor", Scalar::F32(factor)), ("decay", Scalar::F32(decay))]
    };
    let unused = std::iter::repeat((u32::MAX, [1.0, 1.0]));
    let rows = stretches.iter().copied().chain(unused).take(MOST_STRETCHES).map(row).collect();
    Table { name: "stretches", rows, bytes: 16 * MOST_STRETCHES as u64 }
}

/// Whether the kernel of a step asks how much of the weight decay acts on a parameter, if it has any.
pub(crate) fn heeds_decay(step: &Step) -> bool {
    let has = |text: &str| step.shader.parts.iter().any(|part| part.contains(text));
    !has("WEIGHT_DECAY") || has("decay_of(WEIGHT_DECAY")
}

/// Whether the kernel of a step can take factors: its shader is joined from [`ONE_RATE`].
pub(crate) fn takes(step: &Step) -> bool {
    step.shader.parts.contains(&ONE_RATE)
}
