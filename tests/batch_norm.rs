//! Batch normalisation by groups of rows: the same bits for every cut between groups, and running statistics that move with updates.

mod common;

use std::sync::Arc;

use accrue::doctor::Case;
use accrue::doctor::compare;
use accrue::graph::Graph;
use accrue::ops::{BatchNorm, Running};
use common::{assert_right, gpu, linear, op, small_gpu};

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
