//! Metrics beside those of scikit-learn 1.9.1 (numpy 2.4.6) on the same numbers, drawn by numpy's `default_rng(7)`.

use super::*;
use crate::data::{Elements, Target};

const ROWS: usize = 16;

/// One row has none.
const WEIGHTS: [f32; ROWS] =
    [1.88, 2.69, 2.33, 0.0, 0.9, 2.62, 0.02, 2.46, 2.39, 1.4, 0.91, 0.84, 0.76, 1.34, 1.51, 1.66];

fn measured(model: (usize, &str), outputs: &[f32], targets: Target, weighted: bool) -> Evaluation {
    let model = Model::new(1, &[model.0.into()], model.1).unwrap();
    let weights = weighted.then_some(&WEIGHTS[..]);
    evaluate(&model, outputs, &Batch { features: Elements::F32(&[0.0; ROWS]), targets, weights }, None).unwrap()
}

#[track_caller]
fn near(found: impl IntoIterator<Item = f64>, wanted: &[f64]) {
    let found: Vec<f64> = found.into_iter().collect();
    assert_eq!(found.len(), wanted.len());
    // scikit-learn computes log loss from rounded probabilities.
    assert!(found.iter().zip(wanted).all(|(f, w)| (f - w).abs() < 1e-9 * w.abs().max(1.0)), "{found:?}\n{wanted:?}");
}

/// Accuracy, balanced accuracy, F1, ROC AUC and log loss; precision, recall, F1 and support of each class; confusion.
#[track_caller]
fn classes_are(found: &Evaluation, all: &[f64], each: [&[f64]; 4], confusion: &[&[f64]]) {
    let names: Vec<&str> = found.metrics.iter().map(|&(name, _)| name).collect();
    assert_eq!(names, ["accuracy", "balanced_accuracy", "f1", "auc", "log_loss"]);
    near(found.metrics.iter().map(|&(_, value)| value), all);
    let Detail::Classes(classes) = &found.detail else { panic!("{found:?}") };
    near(classes.each.iter().map(|class| class.precision), each[0]);
    near(classes.each.iter().map(|class| class.recall), each[1]);
    near(classes.each.iter().map(|class| class.f1), each[2]);
    near(classes.each.iter().map(|class| class.support), each[3]);
    near(classes.confusion.iter().flatten().flatten().copied(), &confusion.concat());
}

#[test]
fn two_classes_are_measured_as_scikit_learn_does() {
    #[rustfmt::skip]
    let logits = [
        -0.75, -0.25, -1.0, -0.75, -1.0, 0.0, -0.75, 0.25, 0.0, 0.0, -1.25, -0.25, 0.0, 0.0, -0.75, -0.25, -0.5, -0.5,
        0.5, -0.5, 0.0, 0.5, -0.25, 0.0, 0.0, 0.0, -0.5, 0.0, 0.75, -0.75, 0.5, 0.0,
    ];
    let labels = [1, 1, 1, 0, 1, 1, 0, 0, 1, 0, 1, 0, 0, 0, 0, 1];
    let plain = measured((2, "cross_entropy"), &logits, Target::Classes(&labels), false);
    classes_are(
        &plain,
        &[0.5625, 0.5625, 0.5607843137254902, 0.6171875, 0.6562070319346027],
        [
            &[0.5714285714285714, 0.5555555555555556],
            &[0.5, 0.625],
            &[0.5333333333333333, 0.5882352941176471],
            &[8.0, 8.0],
        ],
        &[&[4.0, 4.0], &[3.0, 5.0]],
    );
    assert!((plain.loss - plain.metric("log_loss").unwrap()).abs() < 1e-12);
    let weighted = measured((2, "cross_entropy"), &logits, Target::Classes(&labels), true);
    classes_are(
        &weighted,
        &[0.595529307539573, 0.5605653135770585, 0.559971276460627, 0.6706196044813897, 0.5904114777582524],
        [
            &[0.4270833281009317, 0.692103512551172],
            &[0.442977185567768, 0.6781534415863492],
            &[0.43488508606679543, 0.6850574668544588],
            &[8.330000001937151, 15.379999935626984],
        ],
        &[&[3.689999956637621, 4.64000004529953], &[4.950000047683716, 10.429999887943268]],
    );
    // One logit that is their difference says the same.
    let differences: Vec<f32> = logits.chunks(2).map(|row| row[1] - row[0]).collect();
    for (weighted, wanted) in [(false, plain), (true, weighted)] {
        let found = measured((1, "bce"), &differences, Target::Classes(&labels), weighted);
        near(found.metrics.iter().map(|&(_, value)| value), &wanted.metrics.iter().map(|m| m.1).collect::<Vec<_>>());
        assert_eq!(found.detail, wanted.detail);
    }
}

#[test]
fn classes_that_do_not_occur_are_measured_as_scikit_learn_does() {
    // No row is of the last class, and one is taken for it.
    #[rustfmt::skip]
    let logits = [
        0.0, 0.25, 0.75, -1.25, 0.0, -0.25, 0.0, -1.5, -0.25, 0.0, 0.5, -0.5, -0.75, -0.5, 0.25, -2.0,
        -0.25, 0.0, 0.75, -0.75, -0.25, -0.25, -0.25, 9.0, -0.25, -0.25, 0.25, -1.0, 0.0, -0.5, 0.0, -1.25,
        0.5, 0.25, 0.0, -0.75, -0.25, 0.5, 0.0, -0.75, -0.75, 0.25, -0.75, -2.0, -0.25, -0.5, 0.0, 0.0,
        -0.5, -0.25, 0.0, -0.75, 0.0, 0.0, 0.25, -0.75, -0.5, 0.0, 0.0, -1.5, 0.25, -0.5, 0.5, -1.0,
    ];
    let labels = [2, 1, 1, 2, 2, 1, 0, 2, 0, 0, 0, 0, 2, 1, 0, 0];
    classes_are(
        &measured((4, "cross_entropy"), &logits, Target::Classes(&labels), false),
        &[0.3125, 0.3142857142857143, 0.19285714285714284, 0.6320707070707071, 1.7098490430745328],
        [
            &[0.3333333333333333, 0.0, 0.4444444444444444, 0.0],
            &[0.14285714285714285, 0.0, 0.8, 0.0],
            &[0.2, 0.0, 0.5714285714285714, 0.0],
            &[7.0, 4.0, 5.0, 0.0],
        ],
        &[&[1.0, 3.0, 3.0, 0.0], &[1.0, 0.0, 2.0, 1.0], &[1.0, 0.0, 4.0, 0.0], &[0.0; 4]],
    );
    classes_are(
        &measured((4, "cross_entropy"), &logits, Target::Classes(&labels), true),
        &[0.25010544421648045, 0.2879228728170779, 0.18597190566436456, 0.59039585731167, 2.106760157209266],
        [
            &[0.3169761328147023, 0.0, 0.36382322848854853, 0.0],
            &[0.2737686248090624, 0.0, 0.5899999936421713, 0.0],
            &[0.29379226428359867, 0.0, 0.4500953583738595, 0.0],
            &[8.730000037699938, 8.979999899864197, 6.0, 0.0],
        ],
        &[
            &[2.390000104904175, 3.8199999928474426, 2.5199999399483204, 0.0],
            &[2.690000057220459, 0.0, 3.6699999570846558, 2.619999885559082],
            &[2.4600000381469727, 0.0, 3.5399999618530273, 0.0],
            &[0.0; 4],
        ],
    );
}

#[test]
fn numbers_are_measured_as_scikit_learn_does() {
    #[rustfmt::skip]
    let outputs = [
        -0.24, -12.43, 2.46, -12.21, 5.39, -35.37, 8.75, -5.58, 4.8, -22.74, 4.52, -29.75, 8.3, -25.43, 4.85, -27.93,
        3.12, -32.78, 8.77, -21.54, 7.9, -19.87, 2.92, -23.27, 3.32, -19.92, 3.87, -23.0, 0.86, -28.07, 9.96, -26.71,
    ];
    #[rustfmt::skip]
    let targets = [
        -1.29, -11.08, 3.87, -18.03, 5.18, -37.9, 6.99, -2.64, 4.78, -22.45, 3.77, -27.93, 7.76, -26.0, 3.74, -32.79,
        4.46, -34.81, 9.06, -21.68, 7.46, -21.9, 3.55, -24.48, 3.17, -19.83, 5.05, -20.28, 1.24, -30.32, 8.58, -22.91,
    ];
    for (weighted, rmse, mae, r2) in [
        (
            false,
            [0.9438220607647934, 2.67762626009678],
            [0.7900000149384141, 2.153125062584877],
            [0.8709013414900773, 0.8998425966701455],
        ),
        (
            true,
            [0.9679688848251021, 3.132886719230693],
            [0.8468410066747207, 2.632442435430937],
            [0.8525022872548339, 0.8336318379182712],
        ),
    ] {
        let found = measured((2, "mse"), &outputs, Target::Values(&targets), weighted);
        let Detail::Numbers(each) = &found.detail else { panic!("{found:?}") };
        near(each.iter().map(|of| of.rmse), &rmse);
        near(each.iter().map(|of| of.mae), &mae);
        near(each.iter().map(|of| of.r2), &r2);
        // The one RMSE of all outputs is that of all errors together.
        let all = ((rmse[0].powi(2) + rmse[1].powi(2)) / 2.0).sqrt();
        near(found.metrics.iter().map(|m| m.1), &[all, (mae[0] + mae[1]) / 2.0, (r2[0] + r2[1]) / 2.0]);
    }
}

#[test]
fn a_row_without_weight_leaves_no_trace_in_any_metric() {
    for (loss, targets) in [("mse", Target::Values(&[1.0, 2.0, 3.0])), ("cross_entropy", Target::Classes(&[0, 1, 0]))] {
        let outputs: &[f32] = if loss == "mse" { &[1.5, 2.0, f32::NAN] } else { &[0.5, 0.0, 1.0, 2.0, f32::NAN, 0.0] };
        let columns = outputs.len() / 3;
        let model = Model::new(1, &[columns.into()], loss).unwrap();
        let batch = Batch { features: (&[0.0; 3]).into(), targets, weights: Some(&[1.0, 2.0, 0.0]) };
        let found = evaluate(&model, outputs, &batch, None).unwrap();
        let all = found.metrics.iter().map(|&(_, value)| value).chain([found.loss]);
        assert!(all.into_iter().all(f64::is_finite), "{found:?}");
    }
}

#[test]
fn many_classes_are_measured_without_a_confusion_matrix() {
    let model = Model::new(1, &[101.into()], "cross_entropy").unwrap();
    let batch = Batch { features: (&[0.0; 2]).into(), targets: Target::Classes(&[0, 100]), weights: None };
    let mut outputs = [0.0; 202];
    (outputs[0], outputs[201]) = (1.0, 1.0);
    let found = evaluate(&model, &outputs, &batch, None).unwrap();
    let Detail::Classes(classes) = found.detail else { panic!() };
    assert!(classes.confusion.is_none() && classes.each[100].recall == 1.0);
}
