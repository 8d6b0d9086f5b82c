//! Submissions that are dropped where work goes in parts: on a slow adapter, within a budget.

use std::ops::ControlFlow;
use std::time::Duration;

use accrue::plan::ExecutionMode;
use accrue::train::{FitConfig, Run, Trainer};
use accrue::{Error, Result};
use common::runs::Task;

use crate::*;

#[test]
fn a_part_of_a_micro_batch_that_is_dropped_is_found_where_a_slow_adapter_gets_each_dispatch_alone() {
    for mode in [ExecutionMode::Ops, ExecutionMode::Fused] {
        let task = task(mode);
        let dropped = each_drop_is_found(&task, Some(1e9), |trainer| {
            micro_steps(trainer, &task, 0).and_then(|()| trainer.finish().map(drop))
        });
        assert!(dropped > 10, "{mode}: only {dropped} submissions");
    }
}

/// Drops each submission of `train` in turn, with a trainer of its own, and returns how many there were.
fn each_drop_is_found(task: &Task, slow: Option<f64>, mut train: impl FnMut(&mut Trainer) -> Result<()>) -> u64 {
    let gpu = own();
    let mut dropped = 0;
    loop {
        let mut trainer = task.trainer(&gpu, 48, true);
        if let Some(times) = slow {
            trainer.pretend_slow(times);
        }
        let before = gpu.counts().submits;
        gpu.drop_submission(dropped + 1);
        let done = train(&mut trainer);
        if gpu.counts().submits - before <= dropped {
            gpu.drop_submission(0);
            done.unwrap();
            return dropped;
        }
        assert!(matches!(done, Err(Error::DeviceLost(_))), "submission {dropped}: {done:?}");
        dropped += 1;
    }
}

#[test]
fn a_drop_is_found_in_a_run_with_a_budget_and_in_its_validation() {
    let task = task(ExecutionMode::Ops);
    let fit = FitConfig { validation: Some(task.data.all()), epochs: 1, ..task.fit() };
    let dropped = each_drop_is_found(&task, None, |trainer| {
        let mut run = Run::new(trainer, &fit)?;
        let budget = Duration::from_millis(20);
        while run.advance_within(trainer, &fit, budget, |_| ControlFlow::Continue(()))?.is_none() {}
        Ok(())
    });
    assert!(dropped >= 3, "only {dropped} submissions");
}

#[test]
fn a_dropped_part_of_a_prediction_is_found_on_a_slow_adapter() {
    let task = task(ExecutionMode::Ops);
    let dropped = each_drop_is_found(&task, Some(1e9), |trainer| trainer.predict(&task.data.features).map(drop));
    assert!(dropped > 10, "only {dropped} submissions");
}
