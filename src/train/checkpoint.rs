//! A checkpoint: a trainer's state and where its run stands, as one safetensors file.

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::run::Position;
use super::state::{Counts, State};
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

/// All that a run needs to go on, on this device or another, with the bits that it would have had without the break.
///
/// ```no_run
/// # use std::path::Path;
/// # use accrue::{train::{Checkpoint, Fit, Run, Trainer}};
/// # fn later(trainer: &mut Trainer, run: &mut Run, fit: &Fit) -> accrue::Result<()> {
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
    /// How far the run has come.
    pub position: Position,
    /// Whatever else its writer wants to find again.
    pub about: String,
}

#[derive(Serialize, Deserialize)]
struct Description {
    version: u32,
    accrue: String,
    position: Position,
    counts: Counts,
    about: String,
}

impl Checkpoint {
    /// Writes the file whole or not at all, with a checksum over all of it.
    ///
    /// # Errors
    /// [`Error::Io`]; then what stood under this path still does.
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

    /// Reads a file that [`Checkpoint::write`] wrote. Whether it fits a trainer, [`Trainer::set_state`](super::Trainer::set_state)
    /// finds out.
    ///
    /// # Errors
    /// [`Error::Io`] when it cannot be read, [`Error::ModelFile`] when one bit of it is not as it was written.
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
        // A window that is open may have met an infinity already; its update will not be made.
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
