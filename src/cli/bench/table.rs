//! The measurements, as tables for people.

use super::{Accumulation, BenchReport, Matmul, Network, STEPS, Spread, Training};
use crate::cli::columns::columns;
use crate::cli::progress::{rate, three};
use crate::plan::size;

/// All tables.
pub fn lines(report: &BenchReport) -> Vec<String> {
    let (device, platform) = (&report.device, &report.platform);
    let driver = [device.backend.as_str(), device.kind, device.driver.as_str()].join(", ");
    let mut lines = vec![
        format!("adapter   {} ({driver})", device.name),
        format!(
            "accrue    {}, {} build; {}, {}, {} cores",
            report.version, report.build, platform.os, platform.arch, platform.cores
        ),
        format!("measured  {} interleaved rounds of {} s; medians (least to most)", report.rounds, report.seconds),
    ];
    if !report.training.is_empty() {
        lines.push(String::new());
        lines.extend(columns(1, &speeds(&report.training)));
        lines.push(String::new());
        lines.extend(columns(1, &costs(&report.training)));
        lines.push(String::new());
        lines.extend(report.training.iter().map(describe));
        lines.push(
            "GFLOP/s: 2 FLOP for a multiplication with its addition; forward, gradients of weights, and of all"
                .to_owned(),
        );
        lines.push(
            "inputs but the first layer's. Cold start: from starting a process, without a driver's cache, to its"
                .to_owned(),
        );
        lines.push(
            "first update; the memory of that process at its peak, what a software driver takes included.".to_owned(),
        );
    }
    if !report.accumulation.is_empty() {
        lines.push(String::new());
        lines.extend(columns(1, &accumulated(&report.accumulation)));
    }
    if let Some(matmul) = &report.matmul {
        lines.push(String::new());
        lines.extend(columns(1, &products(matmul)));
    }
    lines
}

fn speeds(training: &[Training]) -> Vec<Vec<String>> {
    let mut table = vec![row(&["training", "samples/s", "µs an update", "GFLOP/s", "submissions/s"])];
    for one in training {
        table.push(vec![
            one.workload.name.clone(),
            spread(&one.samples_per_s, rate),
            three(one.us_per_update.median),
            three(one.gflops),
            three(one.submits_per_s.median),
        ]);
    }
    table
}

fn costs(training: &[Training]) -> Vec<Vec<String>> {
    let head = ["an update takes", "dispatches (a micro-batch)", "writes", "on the GPU", "cold start", "process"];
    let mut table = vec![row(&head)];
    for one in training {
        table.push(vec![
            one.workload.name.clone(),
            format!("{} ({})", three(one.dispatches_per_update), three(one.dispatches_per_micro_batch)),
            format!("{} bytes", three(one.bytes_to_gpu_per_update)),
            size(one.gpu_bytes),
            format!("{} s", spread(&one.cold_start_s, three)),
            one.peak_resident_bytes.map_or("not known".to_owned(), size),
        ]);
    }
    table
}

fn describe(one: &Training) -> String {
    let w = &one.workload;
    let Network { shape, activation, model } = &w.network;
    format!(
        "{}: {} with {}, {}; {} rows, micro-batches of {}, {} an update",
        w.name, shape, activation, model.loss, w.rows, w.micro_batch, w.accumulation_steps
    )
}

fn accumulated(all: &[Accumulation]) -> Vec<Vec<String>> {
    let head = STEPS.map(|steps| if steps == 1 { "1 step".to_owned() } else { format!("{steps} steps") });
    let mut table = vec![[vec!["accumulation".to_owned()], head.to_vec()].concat()];
    for one in all {
        let cells = one.steps.iter().map(|s| match s.accumulation_steps {
            1 => format!("{} µs a sample", three(s.us_per_sample.median)),
            _ => format!("× {}", spread(&s.beside_one_step, |ratio| format!("{ratio:.2}"))),
        });
        table.push(std::iter::once(format!("{}, {} rows", one.name, one.micro_batch)).chain(cells).collect());
    }
    table
}

fn products(matmul: &Matmul) -> Vec<Vec<String>> {
    let name = format!("matmul {0} × {0} × {0}", matmul.size);
    let cell = |gflops| spread(gflops, three);
    vec![
        row(&[&name, "forward", "input gradient", "weight gradient"]),
        vec![
            "GFLOP/s".to_owned(),
            cell(&matmul.forward_gflops),
            cell(&matmul.backward_input_gflops),
            cell(&matmul.backward_weight_gflops),
        ],
    ]
}

fn row(cells: &[&str]) -> Vec<String> {
    cells.iter().map(|cell| (*cell).to_owned()).collect()
}

/// The median, and with several rounds the minimum and the maximum.
fn spread(spread: &Spread, show: fn(f64) -> String) -> String {
    match spread.rounds.len() {
        1 => show(spread.median),
        _ => format!("{} ({} to {})", show(spread.median), show(spread.min), show(spread.max)),
    }
}
