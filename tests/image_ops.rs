//! Poolings and norms of images beside numbers of PyTorch's, and the arguments of layers of images.

mod common;

use std::sync::Arc;

use accrue::doctor::rig::Rig;
use accrue::doctor::{Case, compare};
use accrue::graph::{Graph, Op, Shape};
use accrue::ops;
use accrue::optim::{Clip, Sgd};
use accrue::reference::{Matrix, Operand};
use common::{check, gpu, op};
use serde_json::{Value, json};

#[test]
fn a_pooling_of_equal_values_agrees_with_its_reference() {
    // Whole numbers from -1 to 1 everywhere: most windows have several largest values.
    for (at, op) in (ops::ALL.iter()).flat_map(|samples| samples(5)).filter(|op| op.name() == "max_pool").enumerate() {
        let mut case = Case::at_positions(op, 7, &[6, 9], 5, at as u64).unwrap();
        for (tensor, matrix) in &mut case.given {
            if case.graph.info(*tensor).name != "after" {
                matrix.values.iter_mut().for_each(|value| *value = value.clamp(-1.0, 1.0).round());
            }
        }
        check(gpu(), &case);
    }
}

/// A maximum over the windows of an image of one column, whose gradient by its output is 1, 2, 3, …
fn pooled(op: &dyn Op, image: [[f64; 5]; 4]) -> (Vec<f64>, Vec<f64>) {
    let values = Matrix { rows: 20, columns: 1, values: image.concat() };
    let x = [Operand { shape: &Shape::of(&[4, 5, 1]), values: &values, counts: &[] }];
    let y = op.reference_forward(&x);
    let dy = Matrix::build(y.rows, 1, |r, _| r as f64 + 1.0);
    (y.values.clone(), op.reference_backward(&x, &y, &dy).swap_remove(0).values)
}

/// The elements that are not 0.
fn sparse(values: &[f64]) -> Vec<(usize, f64)> {
    values.iter().copied().enumerate().filter(|&(_, value)| value != 0.0).collect()
}

const NAN: f64 = f64::NAN;
const INF: f64 = f64::INFINITY;

/// Every window has several largest values.
const TIES: [[f64; 5]; 4] =
    [[1.0, 1.0, 0.0, 2.0, 2.0], [1.0, 0.0, 2.0, 2.0, 1.0], [0.0, 3.0, 3.0, 0.0, 1.0], [3.0, 3.0, 0.0, 0.0, -1.0]];

/// Numbers that are none, infinite ones, and zeros of both signs.
const SPECIAL: [[f64; 5]; 4] =
    [[NAN, 1.0, 0.0, 2.0, NAN], [1.0, NAN, 2.0, -INF, 1.0], [-0.0, 0.0, 3.0, 0.0, 1.0], [3.0, 3.0, 0.0, INF, -1.0]];

fn max_pools() -> [ops::MaxPool; 3] {
    let side_by_side = ops::Windows::side_by_side(2);
    let padded = ops::Windows { kernel: [3, 3], stride: [2, 2], padding: [1, 1] };
    let close = ops::Windows { kernel: [2, 3], stride: [1, 1], padding: [0, 0] };
    [side_by_side, padded, close].map(|windows| ops::MaxPool { windows })
}

#[test]
fn a_maximum_and_its_gradient_are_those_of_pytorch_with_ties_overlaps_padding_and_what_is_no_number() {
    let [side_by_side, padded, close] = max_pools();
    // Of PyTorch 2.15: nn.MaxPool2d(2), nn.MaxPool2d(3, stride=2, padding=1) and nn.MaxPool2d((2, 3), stride=1).
    let (y, dx) = pooled(&side_by_side, TIES);
    assert_eq!(y, [1.0, 2.0, 3.0, 3.0]);
    assert_eq!(sparse(&dx), [(0, 1.0), (3, 2.0), (11, 3.0), (12, 4.0)]);
    let (y, dx) = pooled(&padded, TIES);
    assert_eq!(y, [1.0, 2.0, 2.0, 3.0, 3.0, 2.0]);
    assert_eq!(sparse(&dx), [(0, 1.0), (3, 5.0), (8, 6.0), (11, 9.0)]);
    let (y, dx) = pooled(&close, TIES);
    assert_eq!(y, [2.0, 2.0, 2.0, 3.0, 3.0, 3.0, 3.0, 3.0, 3.0]);
    assert_eq!(sparse(&dx), [(3, 5.0), (7, 1.0), (11, 24.0), (12, 15.0)]);
    // Not a number is written as 9, which no image has.
    let number = |values: Vec<f64>| values.into_iter().map(|v| if v.is_nan() { 9.0 } else { v }).collect::<Vec<_>>();
    let (y, dx) = pooled(&side_by_side, SPECIAL);
    assert_eq!((number(y), sparse(&dx)), (vec![9.0, 2.0, 3.0, INF], vec![(3, 2.0), (6, 1.0), (15, 3.0), (18, 4.0)]));
    let (y, dx) = pooled(&padded, SPECIAL);
    assert_eq!((number(y), sparse(&dx)), (vec![9.0, 9.0, 9.0, 9.0, 9.0, INF], vec![(4, 3.0), (6, 12.0), (18, 6.0)]));
    let (y, dx) = pooled(&close, SPECIAL);
    assert_eq!(number(y), [9.0, 9.0, 9.0, 9.0, 9.0, 3.0, 3.0, INF, INF]);
    assert_eq!(sparse(&dx), [(4, 3.0), (6, 12.0), (12, 13.0), (18, 17.0)]);
}

#[test]
fn a_mean_and_its_gradient_are_those_of_pytorch_with_and_without_its_padding() {
    let windows = ops::Windows { kernel: [3, 3], stride: [2, 2], padding: [1, 1] };
    let close = |ours: &[f64], theirs: &[f64]| {
        assert!(ours.len() == theirs.len() && ours.iter().zip(theirs).all(|(a, b)| (a - b).abs() < 1e-6), "{ours:?}");
    };
    // Of PyTorch 2.15: nn.AvgPool2d(3, stride=2, padding=1), and with count_include_pad=False; the first two lines of gradients.
    let (y, dx) = pooled(&ops::AvgPool { windows, count_include_pad: true }, TIES);
    close(&y, &[0.333333, 0.777778, 0.777778, 1.111111, 1.444444, 0.333333]);
    let lines = [0.111111, 0.333333, 0.222222, 0.555556, 0.333333, 0.555556, 1.333333, 0.777778, 1.777778, 1.0];
    close(&dx[..10], &lines);
    let (y, dx) = pooled(&ops::AvgPool { windows, count_include_pad: false }, TIES);
    close(&y, &[0.75, 1.166667, 1.75, 1.666667, 1.444444, 0.5]);
    let lines = [0.25, 0.583333, 0.333333, 1.083333, 0.75, 0.916667, 1.805556, 0.888889, 2.638889, 1.75];
    close(&dx[..10], &lines);
}

#[test]
fn the_kernels_of_a_maximum_do_with_what_is_no_number_as_its_reference_does() {
    for pool in max_pools() {
        let mut graph = Graph::new();
        let x = graph.input_of(&[4, 5, 1]);
        let h = graph.layer(op("scale"), "scale", "scale", x).unwrap();
        let output = graph.apply(Arc::new(pool), "pool", &[h]).unwrap();
        let mut case = Case::ending(graph, output, op("mse"), 1, 2).unwrap();
        case.given.insert(x, Matrix { rows: 20, columns: 1, values: SPECIAL.concat() });
        let rig = Rig::new(gpu(), &case, &Sgd::default(), Clip::default()).unwrap();
        let ran = compare::ran(&rig, &rig.micro_step().unwrap()).unwrap();
        let operand = [Operand { shape: case.graph.shape(h), values: &ran.values[&h], counts: &[] }];
        let y = pool.reference_forward(&operand);
        let dx = pool.reference_backward(&operand, &y, &ran.gradients[&output]).swap_remove(0);
        assert!(y.values.iter().filter(|v| v.is_nan()).count() > 0 && dx.values.iter().any(|v| v.is_nan()), "{pool:?}");
        for (ours, reference) in [(&ran.values[&output], &y), (&ran.gradients[&h], &dx)] {
            let same = |(a, b): (&f64, &f64)| a == b || (a.is_nan() && b.is_nan()) || (a - b).abs() < 1e-5 * b.abs();
            assert!(ours.values.iter().zip(&reference.values).all(same), "{pool:?}: {ours:?} for {reference:?}");
        }
    }
}

#[test]
fn a_normalisation_of_groups_and_its_gradients_are_those_of_pytorch() {
    // (height, width, channels) of (4, 2, 3) in PyTorch.
    let image = [
        [1.0, 0.0, 5.0, -1.0],
        [2.0, 1.0, 5.0, 0.0],
        [0.0, 4.0, 1.0, 1.0],
        [-1.0, 2.0, 0.0, 0.0],
        [3.0, -2.0, 2.0, 3.0],
        [1.0, 1.0, 2.0, -3.0],
    ];
    let x = Matrix { rows: 6, columns: 4, values: image.concat() };
    let dy = Matrix::build(6, 4, |p, c| ((6 * c + p) as f64 - 7.0).abs());
    let weights = vec![1.0, 2.0, 0.5, -1.0, 0.0, 1.0, -1.0, 2.0];
    let parameters = Matrix { rows: 1, columns: 8, values: weights };
    let group = ops::GroupNorm { groups: 2, eps: 1e-5, affine: true };
    let shapes = [Shape::of(&[2, 3, 4]), Shape::Parameters(group.parameters(&Shape::of(&[2, 3, 4])))];
    let inputs =
        [(&shapes[0], &x), (&shapes[1], &parameters)].map(|(shape, values)| Operand { shape, values, counts: &[] });
    let close = |ours: &[f64], theirs: &[f64]| {
        assert!(ours.len() >= theirs.len() && ours.iter().zip(theirs).all(|(a, b)| (a - b).abs() < 1e-4), "{ours:?}");
    };
    // Of PyTorch 2.15, the first two pixels: nn.GroupNorm(2, 4), then nn.InstanceNorm2d(4).
    let y = group.reference_forward(&inputs);
    close(&y.values, &[0.0, -0.26491, -0.16322, 3.00414, 0.63245, 1.0, -0.16322, 2.55786]);
    let gradients = group.reference_backward(&inputs, &y, &dy);
    close(&gradients[0].values, &[1.84466, -1.54951, -0.15647, -0.6648, 1.4441, -2.58252, 0.06667, -2.0305]);
    close(&gradients[1].values, &[-0.63245, -3.16227, 19.52494, -45.63258, 27.0, 11.0, 45.0, 81.0]);
    let instance = ops::InstanceNorm::default();
    let y = instance.reference_forward(&inputs[..1]);
    close(&y.values, &[0.0, -0.54772, 1.32067, -0.54772, 0.77459, 0.0, 1.32067, 0.0]);
    let gradients = instance.reference_backward(&inputs[..1], &y, &dy);
    close(&gradients[0].values, &[1.93649, -0.59336, -0.55284, -1.39669, 1.23935, -1.00416, -0.02457, -0.82158]);
}

#[test]
fn layers_of_images_take_arguments_spelt_as_in_pytorch_and_refuse_others_in_a_sentence() {
    let with = |name: &str, arguments: Value| ops::find(name).unwrap().with(&arguments).map(|op| format!("{op:?}"));
    let windows = |kernel: [usize; 2], stride: [usize; 2], padding: [usize; 2]| {
        format!("Windows {{ kernel: {kernel:?}, stride: {stride:?}, padding: {padding:?} }}")
    };
    let max = |windows| Ok(format!("MaxPool {{ windows: {windows} }}"));
    assert_eq!(with("max_pool", json!(2)), max(windows([2, 2], [2, 2], [0, 0])));
    assert_eq!(with("max_pool", json!([3, 1])), max(windows([3, 1], [3, 1], [0, 0])));
    let given = json!({ "kernel": 3, "stride": [2, 1], "padding": 1 });
    assert_eq!(with("max_pool", given), max(windows([3, 3], [2, 1], [1, 1])));
    let given = json!({ "kernel": 3, "count_include_pad": false });
    let average = format!("AvgPool {{ windows: {}, count_include_pad: false }}", windows([3, 3], [3, 3], [0, 0]));
    assert_eq!(with("avg_pool", given), Ok(average));
    assert_eq!(with("upsample", json!([2, 3])), Ok("Upsample { factor: [2, 3] }".to_owned()));
    assert_eq!(with("group_norm", json!(4)), Ok("GroupNorm { groups: 4, eps: 1e-5, affine: true }".to_owned()));
    let given = json!({ "affine": true });
    assert_eq!(with("instance_norm", given), Ok("InstanceNorm { eps: 1e-5, affine: true }".to_owned()));
    let refused = |name: &str, arguments: Value| with(name, arguments).unwrap_err();
    let said = refused("max_pool", json!({ "kernel": 3, "padding": 2 }));
    assert_eq!(said, "padding [2, 2] is more than half of the kernel [3, 3]");
    let said = refused("avg_pool", json!({ "kernel": 3, "strides": 2 }));
    assert_eq!(said, "\"strides\" is not a known argument; did you mean \"stride\"?");
    assert!(refused("max_pool", json!({ "stride": 2 })).starts_with("takes the size of its windows, as in { max_pool"));
    assert!(refused("add", json!(2)).starts_with("takes nothing"));
    let shape = |op: Arc<dyn Op>, dims: &[usize]| op.shape_of(&Shape::of(dims)).unwrap_err();
    let said = shape(ops::find("group_norm").unwrap().with(&json!(4)).unwrap(), &[2, 2, 6]);
    assert_eq!(said, "x is (rows, 2, 2, 6), whose 6 channels are no multiple of 4 groups");
    let said = shape(ops::find("flatten").unwrap(), &[6]);
    assert_eq!(said, "x is (rows, 6), but images (rows, height, width, channels) are wanted");
    let said = shape(ops::find("max_pool").unwrap().with(&json!(4)).unwrap(), &[3, 9, 1]);
    assert_eq!(said, "x is (rows, 3, 9, 1), in which no window of [4, 4] fits with a padding of [0, 0]");
}
