//! The stretches of the parameters that have a learning rate or a weight decay of their own.

use super::{Layout, Training};
use crate::graph::{Graph, Node, ParameterSpec, Shape, Step};
use crate::optim::{Decay, LrFactors, MOST_STRETCHES, Stretch, factored, heeds_decay, takes_factors};
use crate::{Error, Result};

/// Where the factors of learning rate and weight decay change. Empty if they are 1 for all parameters.
pub(super) fn stretches(graph: &Graph, layout: &Layout, factors: &LrFactors, decay: Decay) -> Vec<Stretch> {
    let mut found: Vec<Stretch> = Vec::new();
    for (tensor, _, range) in layout.layers().filter(|&(tensor, ..)| graph.is_parameter(tensor)) {
        let node = graph.nodes().iter().find(|node| node.inputs.contains(&tensor));
        let (Some(node), Shape::Parameters(parts)) = (node, graph.shape(tensor)) else { continue };
        let inputs = inputs(graph, node, parts);
        let mut at = range.start;
        for part in parts {
            let factor = [factors.of(node.op.kind_of(part), inputs) as f32, decay.of(&part.shape)];
            if found.last().is_none_or(|last| last.1 != factor) {
                found.push(((at / 4) as u32, factor));
            }
            let (rows, columns) = part.padded();
            at += rows * columns;
        }
    }
    if found.iter().all(|&(_, factor)| factor == [1.0, 1.0]) { Vec::new() } else { found }
}

/// Numbers that one output of a layer is made of: all but the first dimension of its matrix, or else the columns that it reads.
fn inputs(graph: &Graph, node: &Node, parts: &[ParameterSpec]) -> usize {
    let matrix = parts.iter().find(|part| part.shape.len() > 1);
    matrix.map_or_else(|| graph.columns(node.inputs[0]), |part| part.shape[1..].iter().product())
}

impl Training<'_> {
    /// The step that updates all parameters.
    pub(super) fn update_step(&self, graph: &Graph, layout: &Layout) -> Step {
        let step = self.clip.apply(self.optimizer.step(layout.learned()));
        factored(step, &stretches(graph, layout, &self.lr_factors, self.decay))
    }

    /// Refuses factors that the update kernel does not take.
    pub(super) fn check_factors(&self, graph: &Graph, layout: &Layout) -> Result<()> {
        let stretches = stretches(graph, layout, &self.lr_factors, self.decay).len();
        let key = if self.decay == Decay::All { "optimizer.lr_factors" } else { "optimizer.decay" };
        let wrong = |message: String| Err(Error::config(key, message));
        if stretches > MOST_STRETCHES {
            let remedy = match self.decay {
                Decay::All => "name fewer kinds, or take fewer layers",
                Decay::Matrices => "take layers without bias, fewer of them, or \"all\"",
            };
            return wrong(format!(
                "{stretches} stretches of parameters with factors of their own; at most {MOST_STRETCHES} are possible: {remedy}"
            ));
        }
        if self.decay == Decay::Matrices && !heeds_decay(&self.optimizer.step(layout.learned())) {
            return wrong(format!("the kernel of {} does not ask decay_of, so all would decay", self.optimizer.name()));
        }
        if stretches > 0 && !takes_factors(&self.optimizer.step(layout.learned())) {
            return wrong(format!("{} has a kernel of its own, which takes none; leave it out", self.optimizer.name()));
        }
        Ok(())
    }
}
