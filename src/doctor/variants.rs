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
use crate::plan::{Kernels, Reads};
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
        watch(Event::Found(finding(gpu, &case, name, [Kernels::OPS, epilogues], &CUTS)?));
    }
    watch(Event::Begins("chosen kernels".to_owned()));
    check_chosen(gpu, &mut watch)?;
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
            watch(Event::Found(finding(gpu, &case, name, [small, other], &CUTS)?));
        }
    }
    Ok(())
}

/// Rows, positions and columns of the cases.
const SHAPES: [(usize, &[usize], usize); 4] = [(37, &[], 13), (5, &[9], 24), (3, &[6, 7], 8), (2, &[19], 96)];

/// Every op by the kernels, and with the reads, that this adapter takes in a training, beside those that every adapter can take.
fn check_chosen(gpu: &Gpu, watch: &mut impl FnMut(Event)) -> Result<()> {
    let own = Kernels::of(gpu, None);
    let reads = match own.reads {
        Reads::Buffers => Reads::Buffers,
        Reads::Textures { .. } => Reads::through_textures(gpu, 0),
    };
    let chosen = Kernels { fuse: false, reads, ..own };
    for samples in ops::ALL {
        let mut all: Option<Finding> = None;
        for (rows, positions, columns) in SHAPES {
            for op in samples(columns) {
                let name = format!("{}.chosen", op.name());
                let Some(case) = Case::if_it_fits(op, rows, positions, columns, 5)? else { continue };
                let found = finding(gpu, &case, name, [Kernels::OPS, chosen], &[&[rows]])?;
                let known = all.get_or_insert(Finding { cases: 0, ..found.clone() });
                known.cases += found.cases;
                known.wrong = known.wrong.take().or(found.wrong);
            }
        }
        all.into_iter().for_each(|finding| watch(Event::Found(finding)));
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

/// A window at once, and one that is cut inside blocks.
const CUTS: [&[usize]; 2] = [&[ROWS], &[5, 40, ROWS - 45]];

/// Compares two choices of kernels on windows that are cut so.
fn finding(gpu: &Gpu, case: &Case, name: String, [known, other]: [Kernels; 2], cuts: &[&[usize]]) -> Result<Finding> {
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
    Some(format!("gradient[{at}] is {:e}, but {:e} by the other kernels", other[at], known[at]))
}

#[cfg(test)]
mod tests {
    use super::apart;

    #[test]
    fn zeros_of_different_signs_are_apart() {
        assert_eq!(apart(&[1.0, 0.0], &[1.0, 0.0]), None);
        let text = apart(&[1.0, 0.0], &[1.0, -0.0]).unwrap();
        assert_eq!(text, "gradient[1] is -0e0, but 0e0 by the other kernels");
    }
}
