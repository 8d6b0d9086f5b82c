//! The other kernels of layers besides those compared with references: all must give the same bits.

use std::sync::Arc;

use super::case::{self, linear};
use super::rig::Rig;
use super::{Case, Event, Extent, Finding, Section};
use crate::gpu::Gpu;
use crate::graph::{Graph, Op, Resource, Role};
use crate::ops;
use crate::ops::linear::matmul::{self, SMALL};
use crate::optim::{Clip, Sgd};
use crate::plan::Kernels;
use crate::{Error, Result};

/// Rows, features, and outputs of the layers: neither fits a workgroup's tile.
const ROWS: usize = 75;
const FEATURES: usize = 21;
const WIDTHS: [usize; 3] = [44, 70, 5];

/// Layers with each activation fused, and layers with each matmul kernel that this device can run, or would choose.
///
/// # Errors
/// If nothing can be said: the device is lost or out of memory.
pub(super) fn check(gpu: &Gpu, extent: Extent, mut watch: impl FnMut(Event)) -> Result<()> {
    let activations: Vec<_> = ops::of_role(|role| role == Role::Activation).collect();
    for activation in &activations {
        let case = network(activation)?;
        let epilogues = Kernels { fuse: true, ..Kernels::OPS };
        let name = format!("linear + {}", activation.name());
        watch(Event::Begins(name.clone()));
        watch(Event::Found(finding(gpu, &case, name, [Kernels::OPS, epilogues])?));
    }
    let Some(first) = activations.first() else { return Ok(()) };
    let case = network(first)?;
    let own = Kernels { tiles: None, ..Kernels::of(gpu, None) };
    let chosen = |tiles| extent == Extent::All || own.matmul(ROWS).may_choose(tiles);
    for tiles in matmul::ALL.into_iter().filter(|&tiles| *tiles != SMALL && chosen(tiles)) {
        let small = Kernels { tiles: Some(&SMALL), ..Kernels::of(gpu, None) };
        let other = Kernels { tiles: Some(tiles), ..small };
        if other.matmul(ROWS).of_rows(FEATURES) == tiles {
            let name = format!("linear.{tiles}");
            watch(Event::Begins(name.clone()));
            watch(Event::Found(finding(gpu, &case, name, [small, other])?));
        }
    }
    Ok(())
}

fn network(activation: &Arc<dyn Op>) -> Result<Case> {
    let mut graph = Graph::new();
    let mut at = graph.input(FEATURES);
    for (name, width) in ["first", "second", "last"].into_iter().zip(WIDTHS) {
        at = linear(&mut graph, name, at, width)?;
        if name != "last" {
            at = graph.apply(activation.clone(), "activation", &[at])?;
        }
    }
    Case::ending(graph, at, case::loss_of_values(), ROWS, 13)
}

/// Compares two choices of kernels on a window at once and on one that is cut inside blocks.
fn finding(gpu: &Gpu, case: &Case, name: String, [known, other]: [Kernels; 2]) -> Result<Finding> {
    let cuts: [&[usize]; 2] = [&[ROWS], &[5, 40, ROWS - 45]];
    let mut wrong = None;
    for cut in cuts {
        wrong = wrong.or(match (left(gpu, case, known, cut), left(gpu, case, other, cut)) {
            (Ok(known), Ok(other)) => apart(&known, &other).map(|place| format!("{place}, in {cut:?} rows")),
            (Err(Error::Kernel { kernel, message, .. }), _) | (_, Err(Error::Kernel { kernel, message, .. })) => {
                Some(format!("{kernel}: {message}"))
            }
            (Err(Error::Internal(message)), _) | (_, Err(Error::Internal(message))) => Some(message),
            (Err(error), _) | (_, Err(error)) => return Err(error),
        });
    }
    Ok(Finding { part: Section::Kernel, name, cases: cuts.len(), rounding: None, wrong })
}

/// The gradients of all parameters after a window.
fn left(gpu: &Gpu, case: &Case, kernels: Kernels, cut: &[usize]) -> Result<Vec<f32>> {
    let kernels = Kernels { mode: Kernels::OPS.mode, ..kernels };
    let rig = Rig::with(gpu, case, &Sgd::default(), Clip::default(), kernels)?;
    rig.micro_steps(cut)?;
    rig.read(Resource::Gradients(rig.all()))
}

fn apart(known: &[f32], other: &[f32]) -> Option<String> {
    let at = (0..known.len()).find(|&at| known[at].to_bits() != other[at].to_bits())?;
    Some(format!("gradient[{at}] is {:e}, but {:e} by the kernels of other sizes", other[at], known[at]))
}

#[cfg(test)]
mod tests {
    use super::apart;

    #[test]
    fn zeros_of_different_signs_are_apart() {
        assert_eq!(apart(&[1.0, 0.0], &[1.0, 0.0]), None);
        let text = apart(&[1.0, 0.0], &[1.0, -0.0]).unwrap();
        assert_eq!(text, "gradient[1] is -0e0, but 0e0 by the kernels of other sizes");
    }
}
