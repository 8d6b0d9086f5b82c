//! Ops at the values where formulas break: zeros of both signs, huge and tiny numbers, infinities, not-a-number.
//!
//! WGSL lets a driver flush subnormal numbers and assume that nothing is not a number: what becomes of such a row is not asked here, only
//! that other rows do not see it. That it reaches no weight is in `not_finite.rs`.

mod common;

use std::sync::Arc;

use accrue::doctor::Case;
use accrue::doctor::case::target_kind;
use accrue::doctor::compare::{Ran, each_op, ran};
use accrue::doctor::rig::Rig;
use accrue::graph::{Graph, Op, Role, Shape, TargetKind, Tensor, TensorKind};
use accrue::ops;
use accrue::optim::{Clip, Sgd};
use accrue::reference::Matrix;
use common::{assert_right, gpu, linear, op};

fn activations() -> impl Iterator<Item = Arc<dyn Op>> {
    some(ops::of_role(|role| role == Role::Activation))
}

fn losses() -> impl Iterator<Item = Arc<dyn Op>> {
    some(ops::of_role(|role| matches!(role, Role::Loss(_))))
}

/// The same ops, after a look whether there are any.
fn some(ops: impl IntoIterator<Item = Arc<dyn Op>>) -> impl Iterator<Item = Arc<dyn Op>> {
    let ops: Vec<_> = ops.into_iter().collect();
    assert!(ops.len() > 1, "{} ops", ops.len());
    ops.into_iter()
}

/// The identity as a linear layer: finite values come through exactly.
fn identity(case: &mut Case, layer: &str) {
    let mut layers = 0;
    for tensor in case.graph.tensors().filter(|&t| case.graph.info(t).name == layer) {
        let Shape::Parameters(parts) = case.graph.shape(tensor) else { continue };
        layers += 1;
        let (weights, columns) = (parts[0].elements(), parts[0].shape[1]);
        let diagonal = |at| f64::from(u8::from(at < weights && at / columns == at % columns));
        let matrix = Matrix::build(1, weights + parts[1].elements(), |_, at| diagonal(at));
        case.given.insert(tensor, matrix);
    }
    assert_eq!(layers, 1, "{layer}");
}

/// x → identity → activation → identity → mse: each value of `x` is a row, and the gradient that comes back is 2 (y - t).
fn activation(op_: &Arc<dyn Op>, x: &[f32]) -> Case {
    let mut graph = Graph::new();
    let input = graph.input(1);
    let before = linear(&mut graph, "before", input, 1);
    let middle = graph.apply(op_.clone(), "op", &[before]).unwrap();
    let output = linear(&mut graph, "after", middle, 1);
    let mut case = given(op_.name(), graph, output, op("mse"), x.len());
    case.given.insert(input, Matrix::from_f32(x.len(), 1, x));
    identity(&mut case, "before");
    identity(&mut case, "after");
    case
}

/// y → identity → loss against a target: each row of `y` is one of logits.
fn loss(op: &Arc<dyn Op>, y: &Matrix, target_of: fn(usize) -> f64) -> Case {
    let mut graph = Graph::new();
    let input = graph.input(y.columns);
    let output = linear(&mut graph, "before", input, y.columns);
    let mut case = given(op.name(), graph, output, op.clone(), y.rows);
    case.given.insert(input, y.clone());
    let target = case.graph.only(TensorKind::Target).unwrap();
    let columns = case.graph.columns(target);
    case.given.insert(target, Matrix::build(y.rows, columns, |r, _| target_of(r)));
    identity(&mut case, "before");
    case
}

fn given(name: &str, graph: Graph, output: Tensor, loss: Arc<dyn Op>, rows: usize) -> Case {
    let name = format!("{name} at special values");
    Case { name, ..Case::ending(graph, output, loss, rows, 1).unwrap() }
}

/// What a micro-step of a case writes, looked at together with what made it.
fn with<T>(case: &Case, look: impl FnOnce(&Rig, Ran) -> T) -> T {
    let rig = Rig::new(gpu(), case, &Sgd::default(), Clip::default()).unwrap();
    let written = rig.micro_step().unwrap();
    look(&rig, ran(&rig, &written).unwrap())
}

fn run(case: &Case) -> Ran {
    with(case, |_, ran| ran)
}

/// The same, each op compared with its reference.
fn right(case: &Case) -> Ran {
    with(case, |rig, ran| {
        assert_right(&case.name, &each_op(rig, &ran));
        ran
    })
}

#[test]
fn activations_are_right_and_finite_at_zero_and_at_huge_and_tiny_values() {
    let sizes = [
        0.0, 1e-40, 1.1e-38, 1e-30, 1e-7, 0.1499, 0.15, 0.1501, 0.5, 1.0, 3.0, 5.0, 10.0, 20.0, 80.0, 89.0, 104.0, 1e4,
        1e15,
    ];
    let x: Vec<f32> = sizes.into_iter().flat_map(|size| [size, -size]).collect();
    for op in activations() {
        let case = activation(&op, &x);
        let ran = right(&case);
        for matrix in ran.values.values().chain(ran.gradients.values()) {
            assert!(matrix.values.iter().all(|v| v.is_finite()), "{}: {matrix:?}", case.name);
        }
    }
}

#[test]
fn the_gradient_of_an_activation_is_finite_wherever_floats_reach() {
    let x = [1e20, -1e20, 1e30, -1e30, 3e38, -3e38];
    for op in activations() {
        let mut case = activation(&op, &x);
        // (y - t)² is infinite here, so the rows count nothing; what comes back must then be 0 and not 0 · ∞.
        case.weights.fill(0.0);
        let ran = run(&case);
        assert!(ran.gradients.len() > 2, "{}: {:?}", case.name, ran.gradients);
        for (tensor, gradient) in &ran.gradients {
            let name = &case.graph.info(*tensor).name;
            assert!(gradient.values.iter().all(|v| *v == 0.0), "{}: d {name} is {gradient:?}", case.name);
        }
    }
}

/// What an activation makes of features directly: any bits reach it.
fn apply(op_: &Arc<dyn Op>, x: &[f32]) -> Vec<f64> {
    let mut graph = Graph::new();
    let input = graph.input(1);
    let output = graph.apply(op_.clone(), "op", &[input]).unwrap();
    let after = linear(&mut graph, "after", output, 1);
    let mut case = given(op_.name(), graph, after, op("mse"), x.len());
    case.given.insert(input, Matrix::from_f32(x.len(), 1, x));
    run(&case).values[&output].values.clone()
}

#[test]
fn not_a_number_changes_no_other_row_of_an_activation() {
    for op in activations() {
        let y = apply(&op, &[f32::NAN, 1.0, -f32::NAN, f32::from_bits(0x7f80_0001)]);
        assert_eq!(y[1], apply(&op, &[1.0])[0], "{}: {y:?}", op.name());
    }
}

#[test]
fn infinities_end_where_the_limit_is() {
    let at = |name: &str| apply(&op(name), &[f32::INFINITY, f32::NEG_INFINITY]);
    assert_eq!(at("relu"), [f64::INFINITY, 0.0]);
    assert_eq!(at("leaky_relu"), [f64::INFINITY, f64::NEG_INFINITY]);
    assert_eq!(at("tanh"), [1.0, -1.0]);
    assert_eq!(at("sigmoid"), [1.0, 0.0]);
}

#[test]
fn minus_zero_is_zero_to_every_activation() {
    for op in activations() {
        let y = apply(&op, &[0.0, -0.0]);
        assert_eq!(y[0], y[1], "{}", op.name());
    }
    assert_eq!(apply(&op("relu"), &[-0.0])[0].to_bits(), 0, "relu makes +0 of -0");
}

/// Rows of logits that overflow exp, or underflow it, or are all the same.
fn logits(columns: usize) -> Matrix {
    let sizes = [0.0, 1.0, 80.0, 88.0, 89.0, 1e4, 1e15];
    let rows = 6 * sizes.len();
    Matrix::build(rows, columns, |r, c| {
        let size = sizes[r / 6];
        match r % 6 {
            0 => size,
            1 => -size,
            2 if c == 0 => size,
            3 if c == 0 => -size,
            4 if c % 2 == 0 => size,
            _ => -size,
        }
    })
}

#[test]
fn losses_are_right_and_finite_at_huge_logits() {
    for op in losses() {
        for columns in [1, 2, 3, 8] {
            // Right and wrong answers: with a class the first one, otherwise 0 and 1 in turn.
            let target_of = |r| if r % 2 == 0 { 0.0 } else { 1.0 };
            let target_of = if target_kind(&*op) == TargetKind::Class { |_| 0.0 } else { target_of };
            let case = loss(&op, &logits(columns), target_of);
            let ran = right(&case);
            for matrix in ran.values.values().chain(ran.gradients.values()) {
                assert!(matrix.values.iter().all(|v| v.is_finite()), "{}: {matrix:?}", case.name);
            }
        }
    }
}

#[test]
fn not_a_number_in_one_logit_leaves_the_losses_of_other_rows_as_they_are() {
    for op in losses() {
        for at in 0..3 {
            // No layer, which would spread the one value over its row: these go through relu as they are.
            let mut graph = Graph::new();
            let x = graph.input(3);
            let y = graph.apply(common::op("relu"), "y", &[x]).unwrap();
            let mut case = given(op.name(), graph, y, op.clone(), 3);
            let logit = |r, c| if r == 1 && c == at { f64::NAN } else { (r + c) as f64 };
            case.given.insert(x, Matrix::build(3, 3, logit));
            let ran = run(&case);
            let losses = &ran.values[&case.loss].values;
            assert!(losses[0].is_finite() && losses[2].is_finite(), "{}: {losses:?}", op.name());
        }
    }
}
