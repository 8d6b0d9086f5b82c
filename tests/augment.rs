//! What is done to images at random, against the same done here by the draws that the kernel documents.

mod common;

use std::ops::ControlFlow;

use accrue::data::{Batch, Elements, Target};
use accrue::nn::{Layer, Model};
use accrue::plan::Augment;
use accrue::random::philox;
use accrue::train::{Event, FitConfig, Settings, Trainer};
use common::{bits, gpu};

const SHAPE: [usize; 3] = [5, 6, 3];
const NUMBERS: usize = 90;
const ROWS: usize = 40;
const BATCH: usize = 16;
const SEED: u64 = 0x1234_5678_9abc_def0;

/// Images whose pixels all differ from each other and from 0.
fn images() -> Vec<u8> {
    (0..ROWS * NUMBERS).map(|at| 1 + (at * 37 % 251) as u8).collect()
}

/// An image as the kernel draws it for a row of the window of an update, which counts from 1.
fn drawn(image: &[u8], augment: Augment, row: usize, update: usize) -> Vec<u8> {
    let words = philox([0, row as u32, update as u32, u32::MAX], [SEED as u32, (SEED >> 32) as u32]);
    let [high, wide, channels] = SHAPE.map(|side| side as i64);
    let moved = |word: u32| i64::from(word % (2 * augment.crop + 1)) - i64::from(augment.crop);
    let mut all = Vec::with_capacity(image.len());
    for y in 0..high {
        for x in 0..wide {
            let (from_y, mut from_x) = (y + moved(words[1]), x + moved(words[2]));
            if augment.flip && words[0] % 2 == 1 {
                from_x = wide - 1 - from_x;
            }
            let there = (0..high).contains(&from_y) && (0..wide).contains(&from_x);
            let at = (from_y * wide + from_x) * channels;
            all.extend((0..channels).map(|channel| if there { image[(at + channel) as usize] } else { 0 }));
        }
    }
    all
}

/// The losses of two epochs in the order of the rows, the weights, and what the model then says of the images as they are.
fn train(pixels: &[u8], augment: Augment, micro_batch: usize, epochs: u32, stream: bool) -> [Vec<u32>; 3] {
    let layers = r#"[{"normalize": {"mean": [120, 130, 125], "std": [70, 75, 72]}}, {"conv2d": {"channels": 4, "kernel": 3}},
                    "relu", {"dropout": 0.25}, "flatten", 3]"#;
    let layers: Vec<Layer> = serde_json::from_str(layers).unwrap();
    let model = Model::of_shape(&SHAPE, &layers, "cross_entropy").unwrap();
    let settings = Settings { micro_batch, augment, seed: SEED, stream, ..Settings::default() };
    let mut trainer = Trainer::new(gpu(), &model, settings).unwrap();
    let labels: Vec<u32> = (0..ROWS as u32).map(|row| row % 3).collect();
    let batch = Batch { features: Elements::U8(pixels), targets: Target::Classes(&labels), weights: None };
    let fit = FitConfig { shuffle: None, ..FitConfig::new(batch, BATCH as u32, epochs) };
    let mut losses = Vec::new();
    let watch = |event| {
        if let Event::Update { update, .. } = event {
            losses.push(update.loss as f32);
        }
        ControlFlow::Continue(())
    };
    trainer.fit(&fit, watch).unwrap();
    let weights: Vec<f32> = trainer.parameters().unwrap().into_values().flat_map(|array| array.values).collect();
    let said = trainer.predict(&Elements::U8(&images()).to_f32()).unwrap();
    [bits(&losses), bits(&weights), bits(&said)]
}

const ALL: [Augment; 3] =
    [Augment { flip: true, crop: 0 }, Augment { flip: false, crop: 2 }, Augment { flip: true, crop: 3 }];

#[test]
fn images_are_flipped_and_cut_out_as_drawn_from_seed_update_and_row() {
    let pixels = images();
    for augment in ALL {
        let rows = pixels.chunks(NUMBERS).enumerate();
        let changed = rows.flat_map(|(row, image)| drawn(image, augment, row % BATCH, 1 + row / BATCH));
        let changed: Vec<u8> = changed.collect();
        assert_ne!(changed, pixels, "{augment:?}");
        let wanted = train(&changed, Augment::default(), BATCH, 1, false);
        assert_eq!(wanted[0].len(), 3, "three updates");
        assert_eq!(train(&pixels, augment, BATCH, 1, false), wanted, "{augment:?}");
        assert_ne!(train(&pixels, Augment::default(), BATCH, 1, false), wanted, "{augment:?} changes something");
    }
}

#[test]
fn the_cut_of_a_window_and_where_the_data_stays_change_no_bit_of_what_is_drawn() {
    let pixels = images();
    for augment in ALL {
        let whole = train(&pixels, augment, BATCH, 3, false);
        for (micro_batch, stream) in [(1, false), (7, false), (BATCH, true), (5, true)] {
            let cut = train(&pixels, augment, micro_batch, 3, stream);
            assert_eq!(cut, whole, "{augment:?}, {micro_batch} rows at once, streamed: {stream}");
        }
    }
}
