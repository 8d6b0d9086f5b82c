use std::ops::ControlFlow;
use std::time::Duration;

use super::{Event, FitConfig, Run};
use crate::data::Batch;
use crate::gpu::{Choice, Gpu};
use crate::nn::Model;
use crate::train::{Settings, Trainer};

/// Features and targets of this many rows.
fn rows(count: usize) -> (Vec<f32>, Vec<f32>) {
    (0..count).map(|r| ((0.7 * r as f32).sin(), (1.3 * r as f32).cos())).unzip()
}

/// A host that has a frame to draw returns from a call with a budget while the epoch's last update is still in flight. The
/// next call, with a budget or without, must validate before it schedules anything.
#[test]
fn an_epoch_whose_last_update_is_on_its_way_is_validated_before_the_next_one_begins() {
    let gpu = Gpu::new(&Choice::default()).unwrap();
    let model = Model::new(1, &[5.into(), "tanh".into(), 1.into()], "mse").unwrap();
    let ((x, y), (held_x, held_y)) = (rows(40), rows(7));
    let fit =
        FitConfig { validation: Some(Batch::values(&held_x, &held_y)), ..FitConfig::new(Batch::values(&x, &y), 10, 4) };
    let trainer =
        || Trainer::new(&gpu, &model, Settings { micro_batch: 10, open_blocks: true, ..Settings::default() }).unwrap();
    let mut wanted = Vec::new();
    let mut whole = trainer();
    whole
        .fit(&fit, |event| {
            wanted.push(format!("{event:?}"));
            ControlFlow::Continue(())
        })
        .unwrap();
    assert_eq!(wanted.len(), 4 * (4 + 1));

    let (mut trainer, mut told) = (trainer(), Vec::new());
    let mut run = Run::new(&mut trainer, &fit).unwrap();
    let mut watch = |event: Event| {
        told.push(format!("{event:?}"));
        ControlFlow::Continue(())
    };
    let mut left = 0;
    loop {
        // As a call with a budget, but without the wait at the beginning of the next one.
        for _ in 0..20 {
            run.fill(&mut trainer, &fit, Some(Duration::from_secs(1))).unwrap();
            trainer.submit().unwrap();
        }
        left += u32::from(run.expected.back().is_some_and(|window| window.ends_epoch) && run.ended.is_none());
        if run.advance(&mut trainer, &fit, &mut watch).unwrap().is_some() {
            break;
        }
    }
    assert_eq!(left, 4, "each epoch's last update was on its way");
    assert_eq!(told, wanted);
    assert_eq!(trainer.parameters().unwrap(), whole.parameters().unwrap());
}
