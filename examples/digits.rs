//! Handwritten digits, 8×8 pixels: from a CSV file to a saved model with `fit`.
//!
//! A fifth of the rows is kept back by seed; the network sees each pixel standardised by the training rows, and the saved
//! model remembers how. PyTorch loads the file's weights with `load_state_dict`.
//!
//!     cargo run --release --example digits

use std::ops::ControlFlow;
use std::path::Path;

use accrue::Result;
use accrue::data::{Spec, Targets, read_file, scale::Standardizer, split::split};
use accrue::gpu::{Choice, Gpu};
use accrue::nn::{Model, ModelFile, TargetNames};
use accrue::optim::Sgd;
use accrue::train::{Event, FitConfig, Settings, Trainer};

const SEED: u64 = 0;

fn main() -> Result<()> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/data/digits.csv");
    let data = read_file(&file, &Spec::classes("digit"))?;
    let (train_rows, validation_rows) = split(data.rows(), 0.2, SEED)?;
    let (mut train, mut validation) = (data.select(&train_rows)?, data.select(&validation_rows)?);

    let pixels = train.features.names.len();
    let scale = Standardizer::fit(train.features.values.floats(), pixels)?;
    scale.apply(train.features.values.floats(), pixels)?;
    scale.apply(validation.features.values.floats(), pixels)?;

    let gpu = Gpu::new(&Choice::default())?;
    println!("{} rows to train on, {} to validate with, on {}", train.rows(), validation.rows(), gpu.info().name);

    let layers = [64.into(), "relu".into(), 64.into(), "relu".into(), train.targets.outputs().into()];
    let model = Model::new(pixels, &layers, "cross_entropy")?;
    let sgd = Sgd { momentum: 0.9, weight_decay: 0.005, ..Sgd::default() };
    let settings = Settings { micro_batch: 40, optimizer: Box::new(sgd), lr: 0.1, seed: SEED, ..Settings::default() };
    let mut trainer = Trainer::new(&gpu, &model, settings)?;

    let fit = FitConfig {
        validation: Some(validation.batch()),
        shuffle: Some(SEED),
        ..FitConfig::new(train.batch(), 120, 30)
    };
    trainer.fit(&fit, |event| {
        if let Event::Epoch { epoch, train_loss, validation: Some(validation), .. } = event {
            let (loss, accuracy) = (validation.loss, 100.0 * validation.metric("accuracy").unwrap_or_default());
            println!(
                "epoch {epoch:>2}: train loss {train_loss:.4}, validation loss {loss:.4}, accuracy {accuracy:.2} %"
            );
        }
        ControlFlow::Continue(()) // or Break(()), to stop early
    })?;

    let accuracy = trainer.evaluate(&validation.batch(), None)?.metric("accuracy").unwrap_or_default();
    println!("accuracy after training: {:.2} %", 100.0 * accuracy);
    assert!(accuracy >= 0.96, "the digits are learned to 96 %");

    let Targets::Classes { name, classes, .. } = train.targets else { unreachable!("the file was read as classes") };
    let saved = ModelFile {
        model,
        arrays: trainer.parameters()?,
        features: train.features.names,
        feature_scale: Some(scale),
        target: TargetNames::Classes { name, classes },
        ..ModelFile::unnamed(&trainer.model().clone())
    };
    let path = std::env::temp_dir().join("accrue-digits.safetensors");
    saved.write(&path)?;
    assert_eq!(ModelFile::read(&path)?, saved);
    println!("saved as {}", path.display());
    Ok(())
}
