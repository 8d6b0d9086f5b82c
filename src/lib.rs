//! Trains neural networks on any GPU, with WGSL compute shaders through [`wgpu`], inside your app or from the command line.
//!
//! > The batch is for the maths. The micro-batch is for the memory. The bits are the same.
//!
//! You say how many samples make one update and how many rows the GPU may hold at once. Each update then sees the whole
//! batch, divided once by what was really in it, and how the batch was cut into micro-batches does not change one bit of
//! the result on one adapter and driver.
//!
//! ```no_run
//! use accrue::{data::Batch, gpu::{Choice, Gpu}, nn::Model, train::{Settings, Trainer}};
//!
//! # let (micro_batches, features) = (vec![(vec![0f32; 320], vec![0f32; 40]); 30], vec![0f32; 8]);
//! let gpu = Gpu::new(&Choice::default())?;            // or Gpu::from_host(&device, &queue)?
//! let model = Model::new(8, &[16.into(), "relu".into(), 1.into()], "mse")?;
//! let mut trainer = Trainer::new(&gpu, &model, Settings { micro_batch: 40, ..Settings::default() })?;
//! for window in micro_batches.chunks(3) {             // 3 micro-batches of 40 rows: a batch of 120
//!     for (x, y) in window {
//!         trainer.micro_step(&Batch::values(x, y))?;  // forward and backward
//!     }
//!     trainer.update()?;                              // one update by SGD, and the next window begins
//! }
//! println!("loss {}", trainer.finish()?.last().map_or(f64::NAN, |update| update.loss));
//! println!("{:?}", trainer.predict(&features)?);
//! # Ok::<(), accrue::Error>(())
//! ```
//!
//! [`Trainer::fit`](train::Trainer::fit) does the two loops for whole epochs, with shuffling and validation. A
//! [`Run`](train::Run) does the same piece by piece: a host gives it the milliseconds that a frame has left, and saves it as a
//! [`Checkpoint`](train::Checkpoint) to go on from; [`run::train`] does that in a folder. Or a host encodes training into its own frames with
//! [`Trainer::encode`](train::Trainer::encode). The folder
//! `examples/` has one program for each of the three ways: `tutorial`, `digits` and `embed`.
//!
//! # Where things are
//!
//! | module | what it knows |
//! |---|---|
//! | `cli` | arguments, commands and printing; with the feature `cli` |
//! | `recipe` | a configuration as TOML or data, and from it data, model, trainer and run; with the feature `recipe` |
//! | [`run`] | runs that are never lost: a folder with checkpoints to go on from, the best model, the losses line by line |
//! | [`train`] | [`Trainer`](train::Trainer): micro-batches in, updates out; `fit`; [`Predictor`](train::Predictor); metrics |
//! | `export` | a saved model as an ONNX file or a program with PyTorch, raw cells in; with the feature `export` |
//! | [`nn`] | [`Model`](nn::Model), a network as data; first weights; the model file |
//! | [`data`] | batches as slices, files of rows (CSV, NumPy), standardisation, splits by seed |
//! | [`optim`] | what turns a window's gradient into new parameters |
//! | [`window`] | which samples make which update: tails, order, `batch` = `micro_batch` × steps; no GPU |
//! | [`plan`] | everything decided before the first dispatch: lists of steps, and memory to the byte |
//! | [`ops`] | what networks are made of, an op in each file |
//! | [`graph`] | tensors as ids and the nodes between them; what an op is; the reverse walk, which knows no op |
//! | [`mod@reference`] | the same graph in plain `f64` on the CPU, which every kernel is checked against |
//! | [`doctor`] | a self-test of a device: every kernel against its reference, the law of partitions, speed |
//! | [`tensor`] | shapes and arrays, the elements that they hold, what parameters begin with |
//! | [`gpu`] | everything that knows `wgpu`: adapter, device, shaders, buffers, the one submit; it knows no mathematics |
//! | [`random`] | streams of random numbers by seed and purpose: shuffling, splits, first weights |
//! | [`wgsl`] | the texts of `shaders/lib/`, for ops and optimizers of your own |
//! | [`nearest`] | "did you mean …?" |
//!
//! `docs/architecture.md` in the repository walks with a sample from its file to the weights, and explains the words.
//!
//! # Features
//!
//! `cli`, the default, is the command `accrue` and its crates. `recipe` alone reads configurations and the data that they name,
//! `csv` alone CSV files, `npz` alone NumPy's; `export` alone writes models for other programs. With `default-features = false` the library has none of them.
#![deny(unsafe_code)]
#![warn(missing_docs)]

#[cfg(feature = "cli")]
pub mod cli;
pub mod data;
pub mod doctor;
pub(crate) mod durable;
mod error;
#[cfg(feature = "export")]
pub mod export;
pub mod gpu;
pub mod graph;
pub mod nearest;
pub mod nn;
pub mod ops;
pub mod optim;
pub mod plan;
#[cfg(feature = "export")]
mod protobuf;
mod quote;
pub mod random;
#[cfg(feature = "recipe")]
pub mod recipe;
pub mod reference;
pub mod run;
pub mod tensor;
pub mod train;
pub mod wgsl;
pub mod window;

pub use error::{Error, NotFinite, Result, Suspect};
pub use wgpu;
