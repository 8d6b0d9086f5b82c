//! Features that are whole numbers stay in their type on the host, and train to the same bits as floats.

use accrue::data::{Batch, Elements, Target};
use accrue::gpu::{Choice, Gpu};
use accrue::nn::{Arrays, Model};
use accrue::train::{Settings, Trainer};

const ROWS: usize = 64;
const PIXELS: usize = 6;

fn labels() -> Vec<u32> {
    (0..ROWS as u32).map(|row| row * 7 % 3).collect()
}

/// The parameters after an update from rows of the host and one from rows that were attached.
fn trained(gpu: &Gpu, features: Elements) -> Arrays {
    let model = Model::new(PIXELS, &[8.into(), "relu".into(), 3.into()], "cross_entropy").unwrap();
    let mut trainer =
        Trainer::new(gpu, &model, Settings { micro_batch: ROWS, lr: 1e-3, ..Settings::default() }).unwrap();
    let labels = labels();
    let batch = Batch { features, targets: Target::Classes(&labels), weights: None };
    trainer.micro_step(&batch).unwrap();
    trainer.update().unwrap();
    trainer.attach(&batch).unwrap();
    trainer.schedule_window(&(0..ROWS as u32).rev().collect::<Vec<_>>()).unwrap();
    assert!(trainer.evaluate(&batch, None).unwrap().loss.is_finite());
    trainer.parameters().unwrap()
}

#[test]
fn whole_numbers_train_as_the_same_floats_do() {
    let gpu = Gpu::new(&Choice::default()).unwrap();
    let bytes: Vec<u8> = (0..ROWS * PIXELS).map(|at| (at * 37 % 256) as u8).collect();
    let halves: Vec<u16> = bytes.iter().map(|&byte| u16::from(byte)).collect();
    let words: Vec<u32> = bytes.iter().map(|&byte| u32::from(byte)).collect();
    let floats: Vec<f32> = bytes.iter().map(|&byte| f32::from(byte)).collect();
    let wanted = trained(&gpu, Elements::F32(&floats));
    for elements in [Elements::U8(&bytes), Elements::U16(&halves), Elements::U32(&words)] {
        assert_eq!(trained(&gpu, elements), wanted, "{:?}", elements.element());
    }
}

#[test]
fn a_whole_number_that_no_float_holds_is_refused() {
    let gpu = Gpu::new(&Choice::default()).unwrap();
    let model = Model::new(PIXELS, &[3.into()], "cross_entropy").unwrap();
    let mut trainer = Trainer::new(&gpu, &model, Settings { micro_batch: ROWS, ..Settings::default() }).unwrap();
    let mut words = vec![1u32 << 24; ROWS * PIXELS];
    words[PIXELS + 2] += 1;
    let labels = labels();
    let error = trainer.micro_step(&Batch::classes(&words[..], &labels)).unwrap_err().to_string();
    assert_eq!(error, "batch: row 1, feature 2 is above 16777216, which a float does not hold exactly");
}
