//! Batch normalisation by groups of rows: the same bits for every cut between groups, and running statistics that move with updates.

mod common;

use std::sync::Arc;

use accrue::data::Batch;
use accrue::doctor::Case;
use accrue::doctor::compare;
use accrue::graph::Graph;
use accrue::nn::{Layer, Model};
use accrue::ops::{BatchNorm, Running};
use accrue::train::{Settings, Trainer};
use common::{assert_right, gpu, linear, op, small_gpu};
use serde_json::json;

/// linear → batch norm → linear → numbers
fn case(norm: BatchNorm, rows: usize, positions: &[usize], width: usize) -> Case {
    let mut graph = Graph::new();
    let x = graph.input_of(&[positions, &[3]].concat());
    let before = linear(&mut graph, "before", x, width);
    let middle = graph.layer(Arc::new(norm), "norm", "norm", before).unwrap();
    let output = linear(&mut graph, "after", middle, 2);
    let name = format!("{norm:?} of {rows} × {positions:?} × {width}");
    Case { name, ..Case::ending(graph, output, op("mse"), rows, 5).unwrap() }
}

#[test]
fn a_group_is_normalised_as_its_reference_says_and_cut_only_between_groups() {
    for (group, rows, positions, width) in [
        (4, 9, &[][..], 3),
        (32, 70, &[], 13),
        (5, 11, &[3, 3], 4),
        (2, 5, &[41, 7], 5),
        (1, 3, &[20, 30], 8),
        (8, 3, &[2], 1),
        (65536, 12, &[5, 5], 6),
    ] {
        for running in [Running::Update, Running::Group] {
            let norm = BatchNorm { group, running, ..BatchNorm::default() };
            for gpu in [gpu(), small_gpu()] {
                let case = case(norm, rows, positions, width);
                assert_right(&case.name, &compare::case(gpu, &case).unwrap());
            }
        }
    }
}

#[test]
fn a_row_without_weight_is_no_part_of_its_group() {
    for (group, row) in [(4, 1), (4, 8), (1, 0), (16, 3)] {
        let mut case = case(BatchNorm { group, ..BatchNorm::default() }, 9, &[3, 5], 5);
        case.mask(row);
        assert_right(&case.name, &compare::case(gpu(), &case).unwrap());
    }
}

#[test]
fn running_statistics_move_once_an_update_and_not_by_a_window_that_is_left_out() {
    let layers: Vec<Layer> = serde_json::from_value(json!([3, { "batch_norm": { "group": 2 } }, 1])).unwrap();
    let model = Model::new(2, &layers, "mse").unwrap();
    let mut trainer = Trainer::new(gpu(), &model, Settings { micro_batch: 4, ..Settings::default() }).unwrap();
    let statistics = |trainer: &mut Trainer| {
        let mut all = trainer.parameters().unwrap();
        all.retain(|name, _| name.starts_with("1.running") || name == "1.num_batches_tracked");
        all
    };
    let (x, y) = ([0.5, -1.0, 2.0, 0.25, -0.5, 1.0, 3.0, -2.0], [1.0, 0.0, -1.0, 2.0]);
    let first = statistics(&mut trainer);
    trainer.micro_step(&Batch::values(&x, &y)).unwrap();
    trainer.micro_step(&Batch::values(&x, &y)).unwrap();
    assert_eq!(statistics(&mut trainer), first, "micro-batches move nothing");
    trainer.update().unwrap();
    let once = statistics(&mut trainer);
    assert_eq!(once["1.num_batches_tracked"].values, [1.0], "two micro-batches are one update");
    assert!(once["1.running_mean"] != first["1.running_mean"] && once["1.running_var"] != first["1.running_var"]);
    for left_out in [Batch { weights: Some(&[0.0; 4]), ..Batch::values(&x, &y) }, Batch::values(&x, &[f32::MAX; 4])] {
        trainer.micro_step(&left_out).unwrap();
        trainer.update().unwrap();
        assert!(trainer.finish().unwrap().last().is_some_and(|update| !update.made()));
        assert_eq!(statistics(&mut trainer), once, "a window that is left out moves nothing");
    }
}
