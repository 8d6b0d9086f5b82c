//! What ends a training: a device that did not do what it was given, and values that are not finite. And how it shows:
//! everything that the trainer asks for is a link of one chain, which the GPU follows and the host compares.

use super::settings::{LeftOut, Update};
use super::trainer::Trainer;
use crate::ops::Place;
use crate::plan::Program;
use crate::{Error, NotFinite, Result};

/// What the host knows of results on their way.
#[derive(Clone, Copy)]
pub(super) struct Sent {
    /// Updates of the submission.
    pub updates: usize,
    /// Links of the chain, if all of it was done.
    pub links: u32,
}

/// What has gone wrong so far; nothing of it mends.
#[derive(Default)]
pub(super) struct Faults {
    /// The device lost work: how that was seen.
    lost: Option<String>,
    /// The update that would have made a parameter or moment infinite or not a number.
    broken: Option<u64>,
}

impl Trainer {
    /// Refuses whatever would give results, or parameters, of a device that is known to have lost work.
    pub(super) fn alive(&self) -> Result<()> {
        self.faults.lost.as_ref().map_or(Ok(()), |how| Err(Error::DeviceLost(how.clone())))
    }

    /// The same, and refuses to train on after an update that broke: the GPU would make none.
    pub(super) fn sound(&self) -> Result<()> {
        self.alive()?;
        let broken = |update| Err(Error::Diverged { update, found: NotFinite::Parameter });
        self.faults.broken.map_or(Ok(()), broken)
    }

    /// Remembers that the device is lost, if that is what went wrong.
    pub(super) fn noticed<T>(&mut self, result: Result<T>) -> Result<T> {
        if let Err(Error::DeviceLost(how)) = &result {
            self.faults.lost.get_or_insert_with(|| how.clone());
        }
        result
    }

    /// Submits what is scheduled and waits for its updates, which are then known to have been made.
    pub(super) fn caught_up(&mut self) -> Result<()> {
        self.submit()?;
        while self.receive(true)? {}
        Ok(())
    }

    /// Waits for everything, the micro-batches of the open window included, and makes sure that all of it was done.
    pub(super) fn all_done(&mut self) -> Result<()> {
        self.caught_up()?;
        let (stats, _) = self.program.at(Place::Stats)?;
        let bytes = self.gpu().read(stats, self.program.stats_bytes());
        let done = bytes.and_then(|bytes| whole(&bytes, self.links));
        self.noticed(done)
    }

    /// Takes in the results of one submission; false when there are none, or none yet.
    pub(super) fn receive(&mut self, wait: bool) -> Result<bool> {
        self.alive()?;
        let received = self.ring.receive(self.program.gpu(), wait);
        let Some((sent, bytes)) = self.noticed(received)? else { return Ok(false) };
        let taken = self.take_in(sent, &bytes);
        self.noticed(taken)?;
        Ok(true)
    }

    fn take_in(&mut self, sent: Sent, bytes: &[u8]) -> Result<()> {
        let broken = Program::broken_of(bytes);
        let mut finished = Vec::with_capacity(sent.updates);
        for (result, promise) in Program::results_of(bytes).zip(&self.promised).take(sent.updates) {
            let mut update = result_of(result, promise)?;
            if broken == promise.update as u32 {
                update.left_out = Some(LeftOut::NotFinite(NotFinite::Parameter));
                self.faults.broken = Some(promise.update);
            }
            finished.push(Update { made: update.left_out.is_none(), ..update });
        }
        whole(bytes, sent.links)?;
        self.promised.drain(..finished.len());
        self.finished.extend(finished);
        Ok(())
    }
}

/// What a result says of the update that was promised.
fn result_of(result: &[u8], promise: &Update) -> Result<Update> {
    let word = |at: usize| [result[at], result[at + 1], result[at + 2], result[at + 3]];
    if u32::from_le_bytes(word(8)) != promise.update as u32 {
        return Err(Error::DeviceLost(format!("update {} was submitted but never made", promise.update)));
    }
    let left_out = match u32::from_le_bytes(word(12)) {
        0 => Some(LeftOut::NoWeight),
        1 => None,
        2 => Some(LeftOut::NotFinite(NotFinite::Loss)),
        3 => Some(LeftOut::NotFinite(NotFinite::Gradient)),
        4 => Some(LeftOut::Stopped),
        _ => {
            let message = format!("a part of the window of update {} was submitted but never done", promise.update);
            return Err(Error::DeviceLost(message));
        }
    };
    let (sum, weight) = (f64::from(f32::from_le_bytes(word(0))), f64::from(f32::from_le_bytes(word(4))));
    Ok(Update { weight, loss: sum / weight, left_out, ..*promise })
}

/// Whether the chain has all its links.
fn whole(stats: &[u8], links: u32) -> Result<()> {
    let done = Program::link_of(stats);
    if done == links {
        return Ok(());
    }
    Err(Error::DeviceLost(format!("{links} micro-batches and updates were submitted, but only {done} were done")))
}
