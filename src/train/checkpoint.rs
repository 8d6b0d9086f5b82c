//! A checkpoint: a trainer's state and its run's position, as one safetensors file.

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::run::Position;
use super::trainer::{Counters, State};
use crate::nn::Arrays;
use crate::nn::container::{self, Container, damaged};
use crate::{Error, Result};

/// The one metadata key.
const KEY: &str = "accrue_checkpoint";

/// The version of the file that this code writes and reads.
const VERSION: u32 = 1;

const PARAMETERS: &str = "parameters";
const MOMENTS: &str = "moments";
const GRADIENTS: &str = "gradients";
const OPEN_BLOCK: &str = "open_block";

/// Everything a run needs to continue, on this device or another, with the bits of an unbroken run.
///
/// ```no_run
/// # use std::path::Path;
/// # use accrue::{train::{Checkpoint, FitConfig, Run, Trainer}};
/// # fn later(trainer: &mut Trainer, run: &mut Run, fit: &FitConfig) -> accrue::Result<()> {
/// let path = Path::new("run.checkpoint");
/// run.settle(trainer, fit, |_| std::ops::ControlFlow::Continue(()))?;
/// Checkpoint { state: trainer.state()?, position: run.position(), about: String::new() }.write(path)?;
/// // … in another process, with a trainer made by the same settings …
/// let checkpoint = Checkpoint::read(path)?;
/// trainer.set_state(&checkpoint.state)?;
/// let run = Run::at(trainer, fit, &checkpoint.position)?;
/// # Ok(()) }
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Checkpoint {
    /// The trainer's state.
    pub state: State,
    /// The run's position.
    pub position: Position,
    /// Text that its writer wants back.
    pub about: String,
}

#[derive(Serialize, Deserialize)]
struct Description {
    version: u32,
    accrue: String,
    position: Position,
    counts: Counters,
    about: String,
}

impl Checkpoint {
    /// Writes the file whole or not at all, with a checksum over all of it.
    ///
    /// # Errors
    /// [`Error::Io`]. The path then keeps its old content or, if only flushing the folder to disk failed, has the new file.
    pub fn write(self, path: &Path) -> Result<()> {
        let State { parameters, moments, gradients, open_block, counts } = self.state;
        let mut arrays = Arrays::new();
        let mut put = |group: &str, from: Arrays| {
            arrays.extend(from.into_iter().map(|(name, array)| (format!("{group}/{name}"), array)));
        };
        put(PARAMETERS, parameters);
        for (at, moment) in moments.into_iter().enumerate() {
            put(&format!("{MOMENTS}.{at}"), moment);
        }
        put(GRADIENTS, gradients);
        put(OPEN_BLOCK, open_block);
        let accrue = env!("CARGO_PKG_VERSION").to_owned();
        let description = Description { version: VERSION, accrue, position: self.position, counts, about: self.about };
        let text = serde_json::to_string(&description).map_err(|e| Error::Internal(format!("checkpoint: {e}")))?;
        container::write(path, Some((KEY, &text)), &arrays)
    }

    /// Reads a file that [`Checkpoint::write`] wrote. [`Trainer::set_state`](super::Trainer::set_state) checks whether it
    /// fits a trainer.
    ///
    /// # Errors
    /// [`Error::Io`] if it cannot be read, [`Error::ModelFile`] if any bit of it changed.
    pub fn read(path: &Path) -> Result<Checkpoint> {
        Checkpoint::from_container(Container::open(path, KEY)?, path)
    }

    /// As [`Checkpoint::read`], from the bytes of a file that errors call `place`.
    pub fn from_bytes(bytes: &[u8], place: &Path) -> Result<Checkpoint> {
        Checkpoint::from_container(Container::read(bytes, bytes.len() as u64, place, KEY)?, place)
    }

    fn from_container(container: Container<impl std::io::Read>, path: &Path) -> Result<Checkpoint> {
        let wrong = |message: String| damaged(path, message);
        let sealed = container.description().filter(|_| container.is_sealed());
        let text = sealed.ok_or_else(|| wrong("is no checkpoint; accrue did not write it as one".to_owned()))?;
        let description: Description =
            serde_json::from_str(text).map_err(|e| wrong(format!("its description is damaged ({e})")))?;
        let Description { version, position, counts, about, .. } = description;
        if version != VERSION {
            return Err(wrong(format!("its version is {version}, this program reads {VERSION}")));
        }
        // An open window may have met an infinity already; its update will not be made.
        let whole = |name: &str| name.starts_with(PARAMETERS) || name.starts_with(MOMENTS);
        let mut state = State { counts, ..State::default() };
        for (name, array) in container.arrays_finite_where(whole)? {
            let (group, name) = name.split_once('/').unwrap_or_default();
            let into = match group {
                PARAMETERS => &mut state.parameters,
                GRADIENTS => &mut state.gradients,
                OPEN_BLOCK => &mut state.open_block,
                // In the order of their names, `moments.0` before `moments.1`.
                other => match other.strip_prefix(MOMENTS).and_then(|at| at.strip_prefix('.')).map(str::parse::<usize>)
                {
                    Some(Ok(at)) if at == state.moments.len() => {
                        state.moments.push(Arrays::new());
                        &mut state.moments[at]
                    }
                    Some(Ok(at)) if at + 1 == state.moments.len() => &mut state.moments[at],
                    _ => return Err(wrong(format!("has arrays of {group:?}, which no checkpoint has"))),
                },
            };
            into.insert(name.to_owned(), array);
        }
        Ok(Checkpoint { state, position, about })
    }
}

#[cfg(test)]
mod tests {
    use super::super::run::Sums;
    use super::*;
    use crate::plan::Array;

    /// With something in each of its places.
    fn checkpoint(size: usize) -> Checkpoint {
        let values = |from: f32| -> Vec<f32> { (0..2 * size).map(|at| from + at as f32).collect() };
        let arrays =
            |from| Arrays::from([("0.weight".to_owned(), Array { shape: vec![2, size], values: values(from) })]);
        let counts = Counters {
            optimizer: "adam".to_owned(),
            updates: 12,
            rows: 5,
            ended: false,
            lr: 0.1,
            stats: vec![0, 1, u32::MAX],
        };
        let state = State {
            parameters: arrays(1.0),
            moments: vec![arrays(2.0), arrays(3.0)],
            gradients: arrays(f32::INFINITY),
            open_block: arrays(f32::NEG_INFINITY),
            counts,
        };
        let epoch = Sums { loss: 0.1 + 0.2, weight: 48.0 };
        Checkpoint {
            state,
            position: Position { updates: 12, window_at: 192, rows: 5, epoch },
            about: "é\n".to_owned(),
        }
    }

    fn file(name: &str, size: usize) -> (Vec<u8>, Checkpoint) {
        let path = std::env::temp_dir().join(format!("accrue-{name}-{}", std::process::id()));
        checkpoint(size).write(&path).unwrap();
        let bytes = std::fs::read(&path).unwrap();
        assert_eq!(Checkpoint::read(&path).unwrap(), checkpoint(size));
        std::fs::remove_file(&path).unwrap();
        (bytes, checkpoint(size))
    }

    fn read(bytes: &[u8]) -> Result<Checkpoint> {
        Checkpoint::from_bytes(bytes, Path::new("c"))
    }

    #[test]
    fn a_checkpoint_with_one_flipped_bit_is_refused_unless_it_says_the_same() {
        let (mut bytes, whole) = file("flips", 3);
        assert_eq!(read(&bytes).unwrap(), whole);
        let mut accepted = 0;
        for bit in 0..8 * bytes.len() {
            bytes[bit / 8] ^= 1 << (bit % 8);
            match read(&bytes) {
                Ok(read) => {
                    assert_eq!(read, whole, "bit {bit}");
                    accepted += 1;
                }
                Err(Error::ModelFile { message, .. }) => assert!(!message.is_empty() && !message.contains('\n')),
                Err(error) => panic!("bit {bit}: {error}"),
            }
            bytes[bit / 8] ^= 1 << (bit % 8);
        }
        assert!(accepted <= 8, "{accepted} of {} flips change nothing", 8 * bytes.len());
    }

    #[test]
    fn a_checkpoint_that_is_cut_or_longer_is_refused() {
        let (small, _) = file("cuts", 3);
        let (large, _) = file("large-cuts", 3000);
        let cuts = (0..small.len()).map(|len| small[..len].to_vec());
        let more = (0..large.len()).step_by(512).map(|len| large[..len].to_vec());
        // As file systems leave one that they did not write to its end.
        let zeros = (0..large.len()).step_by(512).map(|len| {
            let mut bytes = large[..len].to_vec();
            bytes.resize(large.len(), 0);
            bytes
        });
        let longer = [[small.as_slice(), &[0]].concat(), [large.as_slice(), &small].concat()];
        for bytes in cuts.chain(more).chain(zeros).chain(longer) {
            match read(&bytes) {
                Err(Error::ModelFile { .. }) => {}
                other => panic!("{} bytes: {:?}", bytes.len(), other.map(drop)),
            }
        }
    }

    #[test]
    fn a_file_of_weights_is_no_checkpoint() {
        let path = std::env::temp_dir().join(format!("accrue-weights-{}", std::process::id()));
        crate::nn::write_arrays(&path, &checkpoint(3).state.parameters).unwrap();
        let said = Checkpoint::read(&path).unwrap_err().to_string();
        assert!(said.contains("is no checkpoint"), "{said}");
        std::fs::remove_file(&path).unwrap();
    }
}
