//! Every op's reference by central differences, in f64, in the middle of a network: the references are what the kernels are checked
//! against, so they have to be right themselves.

mod common;

use std::collections::HashMap;
use std::sync::Arc;

use accrue::doctor::Case;
use accrue::graph::{Graph, Op, Role, Tensor, TensorKind};
use accrue::ops::ALL;
use accrue::reference::{self, Matrix, Operand};
use common::changed::Changed;

/// Steps of the differences. The second derivative cancels; the third leaves h² ≈ 1e-9 and rounding 1e-16 / h ≈ 3e-12.
const H: f64 = 3e-5;

/// How far from a kink the op's input must stay: much more than H moves it.
const CLEAR: f64 = 1e-2;

/// Whether no value that an op sees is close to one of its kinks.
fn clear(case: &Case) -> bool {
    let run = reference::forward(&case.graph, &case.given);
    case.graph.nodes().iter().all(|node| {
        let x = &run.values[&node.inputs[0]];
        if !node.op.is_smooth(&reference::operands(&case.graph, node, &run.values, &[]), CLEAR) {
            return false;
        }
        let is_loss = matches!(node.op.role(), Role::Loss(_));
        (0..x.values.len()).all(|at| {
            let t = if is_loss { run.values[&node.inputs[1]].values.get(at).copied().unwrap_or(0.0) } else { 0.0 };
            node.op.kinks().iter().all(|kink| (x.values[at] - t - kink).abs() > CLEAR)
        })
    })
}

/// A case whose op stays clear of its kinks; the first of many seeds. `None` if the op does not take such a shape.
fn case(op: &Arc<dyn Op>, rows: usize, positions: &[usize], width: usize) -> Option<Case> {
    let case = |seed| Case::if_it_fits(op.clone(), rows, positions, width, seed).unwrap();
    case(0)?;
    Some((0..10_000).filter_map(case).find(clear).expect("some seed stays clear of the kinks"))
}

/// Σ_r weight_r · loss_r
fn total(case: &Case, given: &HashMap<Tensor, Matrix>) -> f64 {
    let losses = &reference::forward(&case.graph, given).values[&case.loss];
    losses.values.iter().zip(&case.weights).map(|(loss, weight)| loss * weight).sum()
}

/// The largest difference between the gradients of the input and of all parameters and what differences say, relative
/// to the largest gradient of each tensor (or 1, where all are small); not a number where any of them is none.
fn error(case: &Case) -> f64 {
    let mut run = reference::forward(&case.graph, &case.given);
    reference::backward(&case.graph, &mut run, case.loss, &case.weights);
    let mut worst = 0.0;
    for tensor in
        case.graph.tensors().filter(|&t| matches!(case.graph.info(t).kind, TensorKind::Input | TensorKind::Parameter))
    {
        let gradient = &run.gradients[&tensor];
        let size = gradient.values.iter().fold(1.0, |most: f64, g| most.max(g.abs()));
        for (at, gradient) in gradient.values.iter().enumerate() {
            let moved = |by: f64| {
                let mut given = case.given.clone();
                given.get_mut(&tensor).unwrap().values[at] += by;
                total(case, &given)
            };
            let difference = (moved(H) - moved(-H)) / (2.0 * H);
            // `f64::max` would leave out what is not a number.
            worst = [worst, (difference - gradient).abs() / size].into_iter().max_by(f64::total_cmp).unwrap();
        }
    }
    worst
}

/// What central differences leave; a wrong gradient is above 1e-3.
const ALLOWED: f64 = 1e-7;

const SHAPES: [(usize, &[usize], usize); 14] = [
    (1, &[], 1),
    (2, &[], 3),
    (3, &[], 2),
    (5, &[], 4),
    (4, &[], 7),
    (3, &[], 8),
    (3, &[2], 3),
    (2, &[2, 3], 2),
    (2, &[3, 4], 1),
    (1, &[5, 7], 3),
    (2, &[4, 3], 5),
    (2, &[5], 12),
    (1, &[4], 24),
    (1, &[6], 32),
];

/// Fewest shapes that an op takes.
const FEWEST: usize = 3;

#[test]
fn every_reference_has_the_gradient_that_differences_say() {
    for samples in ALL {
        let mut shapes = 0;
        for (rows, positions, width) in SHAPES {
            let cases: Vec<Case> = samples(width).iter().filter_map(|op| case(op, rows, positions, width)).collect();
            for case in &cases {
                let error = error(case);
                assert!(error < ALLOWED, "{}: the gradient is {error:e} away", case.name);
            }
            shapes += usize::from(!cases.is_empty());
        }
        assert!(shapes >= FEWEST, "{:?} takes {shapes} shapes", samples(1)[0]);
    }
}

/// A mistake in the backward pass of a reference.
#[derive(Clone, Copy, Debug)]
enum Mistake {
    /// It takes 1 for the gradient of its output.
    Deaf,
    /// Its derivative is a little too large.
    TooLarge,
    /// It says that what it makes does not depend on its first input.
    Silent,
}

/// The op with this mistake.
fn spoiled(op: Arc<dyn Op>, mistake: Mistake) -> Arc<dyn Op> {
    let gradients = move |op: &dyn Op, inputs: &[Operand], output: &Matrix, doutput: &Matrix| {
        let ones = Matrix::build(doutput.rows, doutput.columns, |_, _| 1.0);
        let given = if matches!(mistake, Mistake::Deaf) { &ones } else { doutput };
        let mut gradients = op.reference_backward(inputs, output, given);
        let by = match mistake {
            Mistake::Deaf => 1.0,
            Mistake::TooLarge => 1.01,
            Mistake::Silent => 0.0,
        };
        gradients[0].values.iter_mut().for_each(|g| *g *= by);
        gradients
    };
    Changed::gradients(op, Box::new(gradients))
}

#[test]
fn a_reference_with_any_of_three_mistakes_would_be_found_out() {
    for samples in ALL {
        for op in samples(5) {
            for spoil in [Mistake::Deaf, Mistake::TooLarge, Mistake::Silent] {
                let op = spoiled(op.clone(), spoil);
                let shapes = [(4, &[][..], 5), (2, &[3, 4], 5), (2, &[4], 24), (2, &[3], 32)];
                let case = shapes.into_iter().find_map(|(rows, positions, width)| case(&op, rows, positions, width));
                let case = case.expect("it takes one of the shapes");
                let error = error(&case);
                assert!(error > 1e-3, "a spoiled {} passes: its gradient is {error:e} away", case.name);
            }
        }
    }
}

#[test]
fn an_op_that_ignores_its_upstream_gradient_passes_at_the_end_which_is_why_ops_are_checked_in_the_middle() {
    let spoiled = spoiled(common::op("mse"), Mistake::Deaf);
    let mut graph = Graph::new();
    let x = graph.input(3);
    let output = common::linear(&mut graph, "before", x, 2);
    let mut case = Case::ending(graph, output, spoiled, 4, 1).unwrap();
    assert!(error(&case) > 1e-3, "weights other than 1 find it");
    case.weights.fill(1.0);
    assert!(error(&case) < ALLOWED, "with weights of 1 nothing does");
}
