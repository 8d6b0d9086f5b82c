//! Every op of a case on the GPU against its reference in f64, one dispatch at a time.

use std::cmp::Ordering::Equal;
use std::collections::HashMap;
use std::fmt;
use std::ops::Range;

use super::Case;
use super::rig::{Rig, Spot, Written, kernel};
use crate::Result;
use crate::gpu::Gpu;
use crate::graph::tolerance::{EPS, rounds};
use crate::graph::{Checked, Node, Resource, Tensor, TensorKind};
use crate::optim::{Clip, Sgd};
use crate::reference::{self, Matrix, operands};

/// An array that a kernel wrote, compared with its reference on the same inputs.
#[derive(Clone, Debug)]
pub struct Compared {
    /// The kernel: `linear.forward`.
    pub kernel: String,
    /// The array: `d before`.
    pub what: String,
    /// Row and column of the first wrong element, or else of the one nearest to its tolerance.
    pub at: (usize, usize),
    /// The element.
    pub ours: f64,
    /// Its reference value.
    pub reference: f64,
    /// The source of the reference value, in words: the reference, or the same window cut differently.
    pub beside: String,
    /// The tolerance.
    pub allowed: f64,
    /// Whether the difference exceeds the tolerance.
    pub wrong: bool,
}

impl Compared {
    /// The difference.
    pub fn apart(&self) -> f64 {
        apart(self.ours, self.reference)
    }

    /// The difference as a share of the tolerance.
    pub(super) fn share(&self) -> f64 {
        share(self.apart(), self.allowed)
    }

    /// No difference so far.
    fn equal(kernel: String, what: String) -> Compared {
        let beside = "its reference".to_owned();
        Compared { kernel, what, at: (0, 0), ours: 0.0, reference: 0.0, beside, allowed: 0.0, wrong: false }
    }

    /// Compares arrays; lines of weight 0 may be left out.
    pub(super) fn new(
        kernel: String,
        what: impl Into<String>,
        ours: &Matrix,
        reference: &Matrix,
        allowed: impl Fn(usize, usize) -> f64,
        skip: Option<Range<usize>>,
    ) -> Compared {
        assert_eq!(
            (ours.rows, ours.columns),
            (reference.rows, reference.columns),
            "{kernel} and its reference make the same shape"
        );
        let mut worst = Compared::equal(kernel, what.into());
        for r in (0..reference.rows).filter(|r| !skip.as_ref().is_some_and(|skip| skip.contains(r))) {
            for c in 0..reference.columns {
                let (ours, reference, allowed) = (ours.at(r, c), reference.at(r, c), allowed(r, c));
                // A NaN is never within the tolerance.
                let apart = apart(ours, reference);
                let right = apart <= allowed;
                if !right || share(apart, allowed) > worst.share() || worst.allowed == 0.0 {
                    worst = Compared { at: (r, c), ours, reference, allowed, wrong: !right, ..worst };
                }
                if !right {
                    return worst;
                }
            }
        }
        worst
    }

    /// Reports padding that is not +0.
    pub(super) fn padding(kernel: String, what: &str, spot: Option<Spot>) -> Option<Compared> {
        let (r, c, value) = spot?;
        let what = format!("padding of {what}");
        Some(Compared { at: (r, c), ours: f64::from(value), wrong: true, ..Compared::equal(kernel, what) })
    }
}

/// The difference of two numbers; NaN where the reference is NaN counts as equal.
fn apart(ours: f64, reference: f64) -> f64 {
    if ours == reference || (ours.is_nan() && reference.is_nan()) { 0.0 } else { (ours - reference).abs() }
}

/// The difference as a share of the tolerance.
pub(super) fn share(apart: f64, allowed: f64) -> f64 {
    if apart == 0.0 { 0.0 } else { apart / allowed }
}

impl fmt::Display for Compared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (r, c) = self.at;
        write!(
            f,
            "{}[{r}, {c}] is {:e}, {} {:.8e}: {:.1e} apart, {:.1e} allowed",
            self.what,
            self.ours as f32,
            self.beside,
            self.reference,
            self.apart(),
            self.allowed
        )
    }
}

/// Everything that a micro-step wrote, without padding.
pub struct Ran {
    /// Values by tensor.
    pub values: HashMap<Tensor, Matrix>,
    /// Gradients by tensor.
    pub gradients: HashMap<Tensor, Matrix>,
    /// Padding that is not +0.
    pub padding: Vec<Compared>,
}

/// What a micro-step wrote, by tensor.
pub fn ran(rig: &Rig, written: &Written) -> Result<Ran> {
    let case = rig.case;
    let mut ran = Ran { values: case.given.clone(), gradients: HashMap::new(), padding: Vec::new() };
    for (&place, floats) in written {
        let tensor = match place {
            Resource::Value(tensor) => tensor,
            Resource::Gradient(tensor) if case.graph.info(tensor).kind == TensorKind::Intermediate => tensor,
            _ => continue,
        };
        let list = if matches!(place, Resource::Value(_)) { &mut ran.values } else { &mut ran.gradients };
        list.insert(tensor, rig.matrix(tensor, floats));
        let (name, spot) = (&case.graph.info(tensor).name, rig.padding(tensor, floats));
        ran.padding.extend(Compared::padding(rig.writer(place), name, spot));
    }
    let gradients = rig.read(Resource::Gradients(rig.all()))?;
    let writer =
        || case.graph.only(TensorKind::Parameter).map_or_else(String::new, |t| rig.writer(Resource::Gradient(t)));
    ran.padding.extend(Compared::padding(writer(), "the gradients", rig.flat_padding(&gradients)?));
    ran.gradients.extend(rig.unflat(&gradients));
    let weights = Matrix { rows: case.weights.len(), columns: 1, values: case.weights.clone() };
    ran.gradients.insert(case.loss, weights);
    Ok(ran)
}

/// Compares each op with its reference, both on the GPU's inputs, so that no other op's rounding enters the difference.
pub fn each_op(rig: &Rig, ran: &Ran) -> Vec<Compared> {
    let case = rig.case;
    let mut all = ran.padding.clone();
    for input in case.graph.of_kind(TensorKind::Input).filter(|&input| !case.graph.in_records(input)) {
        let (kernel, name) = (rig.writer(Resource::Value(input)), &case.graph.info(input).name);
        all.push(Compared::new(kernel, name, &ran.values[&input], &case.given[&input], |_, _| 0.0, None));
    }
    let mut sums: HashMap<Tensor, (Matrix, Matrix)> = HashMap::new();
    let counts = case.counts();
    for node in case.graph.nodes().iter().rev() {
        let inputs = operands(&case.graph, node, &ran.values, &counts);
        let (output, doutput) = (&ran.values[&node.output], &ran.gradients[&node.output]);
        let reference = node.op.reference_forward(&inputs);
        let references = node.op.reference_backward(&inputs, &reference, doutput);
        let checked = Checked { inputs: &inputs, output: &reference, doutput, gradients: &references };
        let allowed = node.op.tolerance(&checked);
        let skip = case.masked.map(|row| case.lines_of(row, node.output));
        let (name, kernel) = (&case.graph.info(node.output).name, rig.writer(Resource::Value(node.output)));
        all.push(Compared::new(kernel, name, output, &reference, |r, c| allowed.value.at(r, c), skip));
        for ((&input, reference), allowed) in node.inputs.iter().zip(references).zip(allowed.inputs) {
            match sums.get_mut(&input) {
                None => drop(sums.insert(input, (reference, allowed))),
                Some((sum, bound)) => {
                    sum.values.iter_mut().zip(&reference.values).for_each(|(s, v)| *s += v);
                    // One more addition.
                    let terms = allowed.values.iter().zip(&sum.values);
                    bound.values.iter_mut().zip(terms).for_each(|(b, (a, s))| *b += a + 2.0 * EPS * s.abs());
                }
            }
        }
    }
    let mut sums: Vec<_> = sums.into_iter().collect();
    sums.sort_by_key(|&(tensor, _)| tensor);
    for (tensor, (reference, allowed)) in &sums {
        if matches!(case.graph.info(*tensor).kind, TensorKind::Intermediate | TensorKind::Parameter) {
            let what = format!("d {}", case.graph.info(*tensor).name);
            let kernel = rig.writer(Resource::Gradient(*tensor));
            let ours = &ran.gradients[tensor];
            all.push(Compared::new(kernel, what, ours, reference, |r, c| allowed.at(r, c), None));
        }
    }
    all.extend(helpers(rig, &all));
    all
}

/// Kernels that write only what later kernels of their op read are as right as those are: each with the comparison of its
/// shader's that is nearest to its tolerance.
fn helpers(rig: &Rig, all: &[Compared]) -> Vec<Compared> {
    let mut helpers = Vec::new();
    for step in rig.plan().micro_batch_steps(false) {
        let kernel = kernel(step);
        if all.iter().chain(&helpers).any(|compared: &Compared| compared.kernel == kernel) {
            continue;
        }
        let shader = format!("{}.", step.shader.name);
        let of_shader = all.iter().filter(|compared| compared.kernel.starts_with(&shader));
        let worst = of_shader.max_by(|a, b| (a.wrong, a.share()).partial_cmp(&(b.wrong, b.share())).unwrap_or(Equal));
        helpers.extend(worst.map(|worst| Compared { kernel, ..worst.clone() }));
    }
    helpers
}

/// Compares the window's loss and weight with the sums over its rows.
fn sums(rig: &Rig, ran: &Ran, stats: &[f32]) -> Compared {
    let case = rig.case;
    let rows: Vec<(f64, f64)> = (0..case.weights.len())
        .map(|r| (case.weights[r], ran.values[&case.loss].at(r, 0)))
        .filter(|row| row.0 != 0.0)
        .collect();
    // The positions of a row weigh the same: then all additions may round the same way.
    let by = [rounds(rows.len()), rows.len() as f64 * EPS];
    let (weight, loss) = rows.iter().fold((0.0, 0.0), |sum, row| (sum.0 + row.0, sum.1 + row.0 * row.1));
    let size: f64 = rows.iter().map(|row| (row.0 * row.1).abs()).sum();
    let reference = Matrix { rows: 1, columns: 2, values: vec![loss, weight] };
    let ours = Matrix::from_f32(1, 2, &stats[..2]);
    Compared::new(
        rig.writer(Resource::Stats),
        "loss and weight of the window",
        &ours,
        &reference,
        |_, c| by[c] * [size, weight][c],
        None,
    )
}

/// The name of comparisons of whole networks.
pub const NETWORK: &str = "network";

/// A matrix with errors as large as the tolerance, up and down in turn.
fn off(m: &Matrix, allowed: &Matrix) -> Matrix {
    let sign = |at: usize| if at.is_multiple_of(2) { 1.0 } else { -1.0 };
    let values = m.values.iter().zip(&allowed.values).enumerate().map(|(at, (v, by))| v + sign(at) * by).collect();
    Matrix { values, ..*m }
}

/// The gradients of a network in which each op errs by its tolerance.
fn off_everywhere(case: &Case) -> HashMap<Tensor, Matrix> {
    let exact = {
        let mut run = reference::forward(&case.graph, &case.given);
        reference::backward(&case.graph, &mut run, case.loss, &case.weights);
        run
    };
    let (mut values, mut gradients) = (exact.values.clone(), exact.gradients.clone());
    gradients.retain(|&tensor, _| tensor == case.loss);
    let checked = |node: &Node, values: &HashMap<Tensor, Matrix>, doutput: &Matrix| {
        let inputs = operands(&case.graph, node, values, &[]);
        let output = node.op.reference_forward(&inputs);
        let made = node.op.reference_backward(&inputs, &output, doutput);
        let allowed = node.op.tolerance(&Checked { inputs: &inputs, output: &output, doutput, gradients: &made });
        (off(&output, &allowed.value), made.iter().zip(&allowed.inputs).map(|(m, by)| off(m, by)).collect::<Vec<_>>())
    };
    for node in case.graph.nodes() {
        let (output, _) = checked(node, &values, &exact.gradients[&node.output]);
        values.insert(node.output, output);
    }
    for node in case.graph.nodes().iter().rev() {
        let (_, made) = checked(node, &values, &gradients[&node.output]);
        for (&input, gradient) in node.inputs.iter().zip(made) {
            match gradients.get_mut(&input) {
                None => drop(gradients.insert(input, gradient)),
                Some(sum) => sum.values.iter_mut().zip(&gradient.values).for_each(|(s, g)| *s += g),
            }
        }
    }
    gradients
}

/// From end to end: the ops are also in the right order and get the right tensors. If numbers nearly cancel, as after a
/// normalisation of two columns, a gradient may err by what the tolerances of all ops together make of it.
fn end_to_end(rig: &Rig, ran: &Ran) -> Vec<Compared> {
    let case = rig.case;
    let mut reference = reference::forward(&case.graph, &case.given);
    reference::backward(&case.graph, &mut reference, case.loss, &case.weights);
    let off = off_everywhere(case);
    let parameters = case.graph.of_kind(TensorKind::Parameter);
    let compare = |tensor| {
        let (ours, reference) = (&ran.gradients[&tensor], &reference.gradients[&tensor]);
        let what = format!("d {}, from end to end", case.graph.info(tensor).name);
        let moved = Matrix::build(reference.rows, reference.columns, |r, c| off[&tensor].at(r, c) - reference.at(r, c));
        let allowed = 1e-4 * largest(reference) + largest(&moved);
        Compared::new(NETWORK.to_owned(), what, ours, reference, |_, _| allowed, None)
    };
    parameters.map(compare).collect()
}

/// The largest of all |elements|.
pub(super) fn largest(m: &Matrix) -> f64 {
    m.values.iter().fold(0.0, |most: f64, v| most.max(v.abs()))
}

/// Trains the same window again, cut into awkward pieces: gradients and sums must have the same bits.
fn cut(rig: &Rig, stats: &[f32]) -> Result<Vec<Compared>> {
    let (rows, group) = (rig.case.rows, rig.case.graph.group());
    let whole = |rows: usize| rows.div_ceil(group) * group;
    let first = whole(5.min(rows - 1)).min(rows);
    let second = first.max(whole(rows * 3 / 5)).min(rows);
    let cut: Vec<usize> = [first, second - first, rows - second].into_iter().filter(|&rows| rows > 0).collect();
    let parameters =
        rig.case.graph.tensors().filter(|&tensor| rig.case.graph.info(tensor).kind == TensorKind::Parameter);
    let mut whole = vec![(Resource::Stats, "loss and weight of the window".to_owned(), stats[..2].to_vec())];
    for tensor in parameters {
        let place = Resource::Gradient(tensor);
        whole.push((place, format!("d {}", rig.case.graph.info(tensor).name), rig.read(place)?));
    }
    rig.micro_steps(&cut)?;
    let mut all = Vec::new();
    for (place, name, whole) in whole {
        let again = rig.read(place)?;
        let at = (0..whole.len()).find(|&at| again[at].to_bits() != whole[at].to_bits());
        let mut compared = Compared::equal(rig.writer(place), name);
        if let Some(at) = at {
            let (ours, reference) = (f64::from(whole[at]), f64::from(again[at]));
            let beside = format!("but of {cut:?} rows one after the other");
            compared = Compared { at: (0, at), ours, reference, beside, wrong: true, ..compared };
        }
        all.push(compared);
    }
    Ok(all)
}

/// Runs one micro-step and compares everything it wrote: values, gradients, sums, padding; then the same rows as a window of
/// several micro-batches, whose gradients must have the same bits.
///
/// # Errors
/// The driver's error.
pub fn case(gpu: &Gpu, case: &Case) -> Result<Vec<Compared>> {
    let rig = Rig::new(gpu, case, &Sgd::default(), Clip::default())?;
    let written = rig.micro_step()?;
    let ran = ran(&rig, &written)?;
    let stats = &written[&Resource::Stats];
    let mut all = each_op(&rig, &ran);
    all.push(sums(&rig, &ran, stats));
    // The comparisons below go through all kernels, and would blame the wrong one.
    if all.iter().any(|compared| compared.wrong) {
        return Ok(all);
    }
    // A masked, huge row has other numbers in f64 than in f32, and none of them count.
    if case.masked.is_none() {
        all.extend(end_to_end(&rig, &ran));
    }
    if case.rows > 1 {
        all.extend(cut(&rig, stats)?);
    }
    Ok(all)
}
