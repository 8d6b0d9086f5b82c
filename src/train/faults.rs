//! What ends a training: a device that did not do what it was given, and values that are not finite. And how it shows:
//! everything that the trainer asks for is a link of one chain, which the GPU follows and the host compares.

use std::collections::VecDeque;

use super::settings::{LeftOut, Update};
use super::trainer::Trainer;
use crate::graph::Resource;
use crate::plan::Stats;
use crate::{Error, NotFinite, Result};

/// What the host knows of results on their way.
#[derive(Clone, Copy)]
pub(super) struct Sent {
    /// Updates of the submission.
    pub updates: usize,
    /// Links of the chain, if all of it was done.
    pub sequence: u32,
    /// Submissions that end inside a micro-batch, if all were done.
    pub marks: u32,
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
        let broken = |update| Err(Error::Diverged { update, found: NotFinite::Parameter, suspect: None });
        self.faults.broken.map_or(Ok(()), broken)
    }

    /// Remembers that the device is lost, if that is what went wrong.
    pub(super) fn noticed<T>(&mut self, result: Result<T>) -> Result<T> {
        if let Err(Error::DeviceLost(how)) = &result {
            self.faults.lost.get_or_insert_with(|| how.clone());
        }
        result
    }

    /// Remembers that not all of what replaces parameters or state has arrived, if so: what is there now belongs to no training.
    pub(super) fn replaced(&mut self, result: Result<()>) -> Result<()> {
        if let Err(error) = &result {
            self.program.mark_partially_written();
            self.faults.lost.get_or_insert_with(|| format!("parameters or state were replaced in part ({error})"));
        }
        result
    }

    /// Submits what is scheduled and waits for its updates, which are then known to have been made.
    pub(super) fn caught_up(&mut self) -> Result<()> {
        self.submit()?;
        while self.receive(true)? {}
        Ok(())
    }

    /// Waits for everything, the micro-batches of the open window included, and makes sure that all of it was done. The bytes
    /// of the stats then.
    pub(super) fn all_done(&mut self) -> Result<Vec<u8>> {
        self.caught_up()?;
        let (stats, _) = self.program.at(Resource::Stats)?;
        let bytes = self.gpu().read(stats, Stats::BYTES);
        let done = bytes.and_then(|bytes| whole(&bytes, self.sequence, self.marks).map(|()| bytes));
        self.noticed(done)
    }

    /// Takes in the results of one submission; false when there are none, or none yet.
    pub(super) fn receive(&mut self, wait: bool) -> Result<bool> {
        self.alive()?;
        let received = self.land(wait);
        let Some((sent, bytes)) = self.noticed(received)? else { return Ok(false) };
        let updates = updates_of(sent, &bytes, &self.promised);
        let updates = self.noticed(updates)?;
        self.promised.drain(..updates.len());
        let broken = |update: &&Update| update.left_out == Some(LeftOut::NotFinite(NotFinite::Parameter));
        self.faults.broken = self.faults.broken.or(updates.iter().find(broken).map(|update| update.update));
        self.finished.extend(updates);
        Ok(true)
    }

    /// A buffer of the trainer, and where in it a place lies, for tests that put there what does not belong.
    #[doc(hidden)]
    pub fn memory(&self, place: Resource) -> Result<(&wgpu::Buffer, std::ops::Range<u64>)> {
        self.program.at(place)
    }
}

/// The updates of a submission that was done, by the bytes of the stats after it. What another submission left there is
/// found out.
fn updates_of(sent: Sent, stats: &[u8], promised: &VecDeque<Update>) -> Result<Vec<Update>> {
    let broken = Stats::of(stats).broken();
    let mut updates = Vec::with_capacity(sent.updates);
    for (result, promise) in Stats::of(stats).results().zip(promised).take(sent.updates) {
        let mut update = result_of(result, promise)?;
        if broken == promise.update as u32 {
            update.left_out = Some(LeftOut::NotFinite(NotFinite::Parameter));
        }
        updates.push(Update { made: update.left_out.is_none(), ..update });
    }
    whole(stats, sent.sequence, sent.marks)?;
    Ok(updates)
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
pub(super) fn whole(stats: &[u8], sequence: u32, marks: u32) -> Result<()> {
    if Stats::of(stats).marks() != marks {
        return Err(Error::DeviceLost("a part of a micro-batch was submitted but never done".to_owned()));
    }
    if Stats::of(stats).sequence() == sequence {
        return Ok(());
    }
    Err(Error::DeviceLost("a micro-batch or an update was submitted but never done".to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The bytes of the stats after so many links, with the results of updates from this one on.
    fn stats(sequence: u32, broken: u32, first: u32, outcomes: &[u32]) -> Vec<u8> {
        let mut words = vec![0; 16];
        (words[12], words[14]) = (sequence, broken);
        for (update, &outcome) in (first..).zip(outcomes) {
            words.extend([3f32.to_bits(), 2f32.to_bits(), update, outcome]);
        }
        bytemuck::cast_slice(&words).to_vec()
    }

    fn promised(first: u64) -> VecDeque<Update> {
        let promise = Update { update: 0, samples: 4, weight: 0.0, loss: 0.0, lr: 0.1, made: false, left_out: None };
        (first..first + 3).map(|update| Update { update, ..promise }).collect()
    }

    fn read(sequence: u32, stats: &[u8]) -> Result<Vec<Update>> {
        updates_of(Sent { updates: 3, sequence, marks: 0 }, stats, &promised(7))
    }

    #[test]
    fn results_say_what_became_of_each_update() {
        let left_out = |stats: &[u8]| read(9, stats).unwrap().iter().map(|u| u.left_out).collect::<Vec<_>>();
        let not_finite = |what| Some(LeftOut::NotFinite(what));
        assert_eq!(left_out(&stats(9, 0, 7, &[1, 0, 2])), [None, Some(LeftOut::NoWeight), not_finite(NotFinite::Loss)]);
        let stopped = Some(LeftOut::Stopped);
        assert_eq!(left_out(&stats(9, 0, 7, &[1, 3, 4])), [None, not_finite(NotFinite::Gradient), stopped]);
        assert_eq!(left_out(&stats(9, 8, 7, &[1, 1, 4])), [None, not_finite(NotFinite::Parameter), stopped]);
        let updates = read(9, &stats(9, 8, 7, &[1, 1, 4])).unwrap();
        assert_eq!(updates.iter().map(|u| u.made).collect::<Vec<_>>(), [true, false, false]);
        assert_eq!((updates[0].loss, updates[0].weight), (1.5, 2.0));
        assert!(updates[0].check().is_ok());
        assert!(matches!(updates[1].check(), Err(Error::Diverged { update: 8, found: NotFinite::Parameter, .. })));
    }

    #[test]
    fn what_another_submission_left_in_a_staging_buffer_is_no_result() {
        let lost = |stats: &[u8]| match read(9, stats) {
            Err(Error::DeviceLost(how)) => how,
            other => panic!("{other:?}"),
        };
        assert_eq!(lost(&stats(0, 0, 0, &[0; 3])), "update 7 was submitted but never made");
        assert_eq!(lost(&stats(9, 0, 4, &[1; 3])), "update 7 was submitted but never made");
        assert!(lost(&stats(9, 0, 7, &[1, 1, 5])).contains("window of update 9 was submitted but never done"));
        // The numbers are those that were promised, and yet it is not what was submitted last.
        assert!(lost(&stats(8, 0, 7, &[1; 3])).contains("a micro-batch or an update was submitted but never done"));
    }
}
