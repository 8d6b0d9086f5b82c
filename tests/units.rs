//! Weights say how samples count beside each other: their unit cancels out.

mod common;

use accrue::data::{Batch, Target};
use accrue::nn::{Arrays, Model};
use accrue::optim::{Adam, Clip, Optimizer, Sgd};
use accrue::train::{Settings, Trainer};
use common::{Numbers, bits, gpu};

fn trained(optimizer: Box<dyn Optimizer>, clip: Clip, unit: f32) -> Arrays {
    let mut numbers = Numbers::new(4);
    let (x, y) = (numbers.floats(60 * 5), numbers.floats(60 * 2));
    let weights: Vec<f32> = (0..60).map(|_| unit * (1.0 + numbers.float().abs())).collect();
    let model = Model::new(5, &[9.into(), "tanh".into(), 2.into()], "mse").unwrap();
    let mut trainer =
        Trainer::new(gpu(), &model, Settings { optimizer, clip, lr: 0.5, ..Settings::default() }).unwrap();
    for _ in 0..4 {
        let batch = Batch { features: (&x).into(), targets: Target::Values(&y), weights: Some(&weights) };
        trainer.micro_step(&batch).unwrap();
        trainer.update().unwrap();
    }
    let updates = trainer.finish().unwrap();
    assert!(updates.len() == 4 && updates.iter().all(|update| update.made()), "{updates:?}");
    trainer.parameters().unwrap()
}

/// A power of two changes no digit of a float, so it may change no bit of the result, however large or small it is.
#[test]
fn the_unit_of_the_weights_changes_no_bit_clipped_or_not() {
    let clips = [Clip::default(), Clip { norm: Some(0.05), value: None }, Clip { norm: Some(0.05), value: Some(0.01) }];
    for clip in clips {
        for adam in [false, true] {
            let optimizer = || -> Box<dyn Optimizer> {
                if adam { Box::new(Adam::default()) } else { Box::new(Sgd { momentum: 0.9, ..Sgd::default() }) }
            };
            let one = trained(optimizer(), clip, 1.0);
            for power in [-80, -3, 3, 80] {
                let other = trained(optimizer(), clip, 2f32.powi(power));
                for (name, array) in &one {
                    assert_eq!(
                        bits(&array.values),
                        bits(&other[name].values),
                        "{name}, {clip:?}, weights in 2^{power}"
                    );
                }
            }
        }
    }
}
