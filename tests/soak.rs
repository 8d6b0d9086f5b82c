//! What takes minutes: `make soak`.

mod common;

use std::collections::BTreeMap;
use std::time::Instant;

use accrue::gpu::profile::Profile;
use accrue::gpu::{Choice, Gpu};
use accrue::nn::Model;
use accrue::optim::{Adam, Clip, Sgd};
use accrue::train::Trainer;
use accrue::window::Tail;
use common::Numbers;
use common::runs::{Data, Rest, Task};

const BATCH: usize = 512;

/// Times of what was done again and again, in milliseconds: by its name.
type Times = BTreeMap<String, Vec<f64>>;

/// What dispatches of each kind, on as many rows, took on the adapter's own clock.
fn times(profile: &Profile, dispatches: &mut Times) {
    for one in &profile.dispatches {
        let label = &profile.kernels[one.kernel].label;
        let name = format!("{} {}, {} rows", label.step, label.kernel, one.rows);
        dispatches.entry(name).or_default().push(1e3 * one.seconds);
    }
}

fn sorted(times: &[f64]) -> Vec<f64> {
    let mut times = times.to_vec();
    times.sort_by(f64::total_cmp);
    times
}

/// Trains some windows, of which the first three warm up. Others may use the same cores, so one window in which nobody comes between
/// is enough: what is compared is the least of the windows' longest dispatch and longest submission. All are printed.
fn quick(name: &str, trainer: &mut Trainer, mut window: impl FnMut(&mut Trainer)) {
    let (mut dispatches, mut longest) = (Times::new(), (f64::INFINITY, f64::INFINITY));
    trainer.time_submissions();
    for at in 0..8 {
        trainer.start_profile(1 << 20).unwrap();
        let begin = Instant::now();
        window(trainer);
        trainer.finish().unwrap();
        let wall = begin.elapsed().as_secs_f64();
        let profile = trainer.finish_profile().unwrap().unwrap();
        assert_eq!(profile.left_out, 0);
        let rows = profile.dispatches.iter().map(|dispatch| dispatch.rows).max().unwrap_or(0);
        let dispatch = profile.dispatches.iter().map(|one| 1e3 * one.seconds).fold(0.0, f64::max);
        let host = trainer.submissions().iter().map(|one| 1e3 * one.seconds).fold(0.0, f64::max);
        println!(
            "{name}, window {at}: {wall:5.1} s, {} dispatches on {rows} rows at most, the longest {dispatch:6.1} ms; {} \
             submissions, the longest {host:6.1} ms as the host sees it",
            profile.calls(),
            profile.submissions
        );
        if at >= 3 {
            times(&profile, &mut dispatches);
            longest = (longest.0.min(dispatch), longest.1.min(host));
        }
    }
    for (name, times) in &dispatches {
        let times = sorted(times);
        let (least, middle, most) = (times[0], times[times.len() / 2], times[times.len() - 1]);
        if most > 20.0 {
            println!("    {:4} × {least:6.1} {middle:6.1} {most:6.1} ms  {}", times.len(), name);
        }
    }
    let (dispatch, submission) = longest;
    println!("{name}: the longest dispatch {dispatch:.1} ms, the longest submission {submission:.1} ms");
    assert!(dispatch > 0.0 && dispatch <= 100.0, "{name}: a dispatch of {dispatch} ms");
    assert!(submission > 0.0 && submission <= 250.0, "{name}: a submission of {submission} ms");
}

/// The widths are the largest that an adapter takes that binds 128 MiB: all parameters at once, and Adam's moments.
#[test]
#[ignore = "takes a minute"]
fn no_dispatch_takes_100_ms_and_no_submission_250_ms_on_a_network_4096_wide() {
    let gpu = Gpu::new(&Choice { timestamps: true, ..Choice::default() }).unwrap();
    for adam in [false, true] {
        let mut layers = vec![4000.into(), "relu".into(), 4096.into(), "relu".into(), 10.into()];
        if adam {
            layers.drain(2..4);
        }
        let model = Model::new(4096, &layers, "cross_entropy").unwrap();
        let data = Data::new(&model, BATCH, &mut Numbers::new(1));
        let clip = Clip { norm: adam.then_some(1.0), value: None };
        let rest = Rest { adam: adam.then(Adam::default), clip, ..Rest::default() };
        let (batch, tail) = (BATCH as u32, Tail::Flush);
        let task = Task { model, data, sgd: Sgd::default(), lr: 1e-4, epochs: 1, batch, tail, shuffle: None, rest };
        let samples: Vec<u32> = (0..batch).collect();
        let name = if adam { "Adam" } else { "SGD" };

        let mut trainer = task.trainer(&gpu, BATCH, false);
        trainer.attach(&task.data.all()).unwrap();
        quick(name, &mut trainer, |trainer| trainer.schedule_window(&samples).unwrap());

        // The same trainer from the host's memory; its pace is known.
        let all = task.data.all();
        quick(&format!("{name}, streamed"), &mut trainer, |trainer| {
            trainer.micro_step(&all).unwrap();
            trainer.update().unwrap();
            trainer.predict(&all.features.to_f32()).unwrap();
        });
    }
}
