//! What was asked for and what came of it: everything is a link of one chain, which the GPU follows and the host compares. It
//! knows no GPU.

use std::collections::VecDeque;

use super::settings::{LeftOut, Update};
use crate::plan::Stats;
use crate::{Error, NotFinite, Result};

/// What the host knows of results on their way.
#[derive(Clone, Copy)]
pub(super) struct Sent {
    /// Updates of the submission.
    updates: usize,
    /// Links of the chain, if all of it was done.
    sequence: u32,
    /// Submissions that end inside a micro-batch, if all were done.
    marks: u32,
}

/// An update that was asked for.
#[derive(Clone, Copy)]
pub(super) struct Promise {
    /// Its number, from 1.
    pub update: u64,
    /// Samples in its window.
    pub samples: u32,
    /// The learning rate.
    pub lr: f64,
}

/// What was asked for, and what is known of it.
pub(super) struct Ledger {
    /// Goes on by one with each micro-batch and update that is asked for.
    sequence: u32,
    /// Submissions that ended inside a micro-batch.
    marks: u32,
    promised: VecDeque<Promise>,
    finished: Vec<Update>,
    /// Updates that were asked for before a run began.
    earlier: Vec<Update>,
    /// The device lost work: how that was seen. It does not mend.
    lost: Option<String>,
    /// The update that would have made a parameter or moment infinite or not a number.
    broken: Option<u64>,
}

impl Ledger {
    /// Counts from a number that each trainer has for itself, so that no memory that it gets can pass for work that it has done.
    pub fn new(sequence: u32) -> Ledger {
        Ledger {
            sequence,
            marks: 0,
            promised: VecDeque::new(),
            finished: Vec::new(),
            earlier: Vec::new(),
            lost: None,
            broken: None,
        }
    }

    /// The number of the next micro-batch or update.
    pub fn sequence(&self) -> u32 {
        self.sequence
    }

    /// Submissions that ended inside a micro-batch.
    pub fn marks(&self) -> u32 {
        self.marks
    }

    /// Counts a micro-batch or an update.
    pub fn count(&mut self) {
        self.sequence = self.sequence.wrapping_add(1);
    }

    /// Counts a submission that ends inside a micro-batch.
    pub fn mark(&mut self) {
        self.marks = self.marks.wrapping_add(1);
    }

    /// Counts an update and expects its result.
    pub fn promise(&mut self, promise: Promise) {
        self.count();
        self.promised.push_back(promise);
    }

    /// What must be done when a submission is that has so many updates and all that was asked for.
    pub fn sent(&self, updates: usize) -> Sent {
        Sent { updates, sequence: self.sequence, marks: self.marks }
    }

    /// Refuses whatever would give results, or parameters, of a device that is known to have lost work.
    ///
    /// # Errors
    /// [`Error::DeviceLost`].
    pub fn alive(&self) -> Result<()> {
        self.lost.as_ref().map_or(Ok(()), |how| Err(Error::DeviceLost(how.clone())))
    }

    /// The same, and refuses to train on after an update that broke: the GPU would make none.
    ///
    /// # Errors
    /// [`Error::Diverged`], too.
    pub fn sound(&self) -> Result<()> {
        self.alive()?;
        let broken = |update| Err(Error::Diverged { update, found: NotFinite::Parameter, suspect: None });
        self.broken.map_or(Ok(()), broken)
    }

    /// Remembers that the device is lost, if that is what went wrong.
    pub fn noticed<T>(&mut self, result: Result<T>) -> Result<T> {
        if let Err(Error::DeviceLost(how)) = &result {
            self.lose(how);
        }
        result
    }

    /// Remembers that what is on the device belongs to no training.
    pub fn lose(&mut self, how: &str) {
        self.lost.get_or_insert_with(|| how.to_owned());
    }

    /// All parameters and state were replaced: nothing of what went wrong is left.
    pub fn mend(&mut self) {
        (self.lost, self.broken) = (None, None);
    }

    /// Takes in the results of a submission, by the bytes of the stats after it.
    ///
    /// # Errors
    /// [`Error::DeviceLost`] when not all of it was done.
    pub fn settle(&mut self, sent: Sent, stats: &[u8]) -> Result<()> {
        let updates = self.updates_of(sent, Stats::of(stats));
        let updates = self.noticed(updates)?;
        self.promised.drain(..updates.len());
        let broken = |update: &&Update| update.left_out == Some(LeftOut::NotFinite(NotFinite::Parameter));
        self.broken = self.broken.or(updates.iter().find(broken).map(|update| update.update));
        self.finished.extend(updates);
        Ok(())
    }

    /// Whether all that was asked for was done, by the bytes of the stats after it.
    ///
    /// # Errors
    /// [`Error::DeviceLost`] when it was not.
    pub fn check(&self, stats: &[u8]) -> Result<()> {
        self.sent(0).check(Stats::of(stats))
    }

    /// The updates that are finished, without those from before a run.
    pub fn take_finished(&mut self) -> Vec<Update> {
        std::mem::take(&mut self.finished)
    }

    /// The updates that are finished, those from before a run first.
    pub fn take_all(&mut self) -> Vec<Update> {
        let mut all = std::mem::take(&mut self.earlier);
        all.append(&mut self.finished);
        all
    }

    /// A run begins, of which the updates that are finished are none.
    pub fn set_aside(&mut self) {
        self.earlier.append(&mut self.finished);
    }

    /// The updates of a submission. What another submission left there is found out.
    fn updates_of(&self, sent: Sent, stats: Stats) -> Result<Vec<Update>> {
        let broken = stats.broken();
        let mut updates = Vec::with_capacity(sent.updates);
        for (result, promise) in stats.results().zip(&self.promised).take(sent.updates) {
            let mut update = result_of(result, promise)?;
            if broken == promise.update as u32 {
                update.left_out = Some(LeftOut::NotFinite(NotFinite::Parameter));
            }
            updates.push(update);
        }
        sent.check(stats)?;
        Ok(updates)
    }
}

impl Sent {
    /// Whether the chain has all its links.
    fn check(self, stats: Stats) -> Result<()> {
        if stats.marks() != self.marks {
            return Err(Error::DeviceLost("a part of a micro-batch was submitted but never done".to_owned()));
        }
        if stats.sequence() == self.sequence {
            return Ok(());
        }
        Err(Error::DeviceLost("a micro-batch or an update was submitted but never done".to_owned()))
    }
}

/// What a result says of the update that was promised.
fn result_of(result: &[u8], promise: &Promise) -> Result<Update> {
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
    let Promise { update, samples, lr } = *promise;
    Ok(Update { update, samples, weight, loss: sum / weight, lr, left_out })
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

    /// A ledger that is to settle three updates from this one on, the last of which is link 8.
    fn ledger(first: u64) -> Ledger {
        let mut ledger = Ledger::new(6);
        (first..first + 3).for_each(|update| ledger.promise(Promise { update, samples: 4, lr: 0.1 }));
        ledger
    }

    fn read(stats: &[u8]) -> Result<Vec<Update>> {
        let mut ledger = ledger(7);
        ledger.settle(ledger.sent(3), stats)?;
        Ok(ledger.take_finished())
    }

    #[test]
    fn results_say_what_became_of_each_update() {
        let left_out = |stats: &[u8]| read(stats).unwrap().iter().map(|u| u.left_out).collect::<Vec<_>>();
        let not_finite = |what| Some(LeftOut::NotFinite(what));
        assert_eq!(left_out(&stats(9, 0, 7, &[1, 0, 2])), [None, Some(LeftOut::NoWeight), not_finite(NotFinite::Loss)]);
        let stopped = Some(LeftOut::Stopped);
        assert_eq!(left_out(&stats(9, 0, 7, &[1, 3, 4])), [None, not_finite(NotFinite::Gradient), stopped]);
        assert_eq!(left_out(&stats(9, 8, 7, &[1, 1, 4])), [None, not_finite(NotFinite::Parameter), stopped]);
        let updates = read(&stats(9, 8, 7, &[1, 1, 4])).unwrap();
        assert_eq!(updates.iter().map(Update::made).collect::<Vec<_>>(), [true, false, false]);
        assert_eq!((updates[0].loss, updates[0].weight), (1.5, 2.0));
        assert!(updates[0].check().is_ok());
        assert!(matches!(updates[1].check(), Err(Error::Diverged { update: 8, found: NotFinite::Parameter, .. })));
    }

    #[test]
    fn what_another_submission_left_in_a_staging_buffer_is_no_result() {
        let lost = |stats: &[u8]| match read(stats) {
            Err(Error::DeviceLost(how)) => how,
            other => panic!("{other:?}"),
        };
        assert_eq!(lost(&stats(0, 0, 0, &[0; 3])), "update 7 was submitted but never made");
        assert_eq!(lost(&stats(9, 0, 4, &[1; 3])), "update 7 was submitted but never made");
        assert!(lost(&stats(9, 0, 7, &[1, 1, 5])).contains("window of update 9 was submitted but never done"));
        // The numbers are those that were promised, and yet it is not what was submitted last.
        assert!(lost(&stats(8, 0, 7, &[1; 3])).contains("a micro-batch or an update was submitted but never done"));
    }

    #[test]
    fn a_device_that_lost_work_gives_nothing_more_until_all_is_replaced() {
        let mut ledger = ledger(7);
        ledger.mark();
        let lost = ledger.settle(ledger.sent(3), &stats(9, 0, 7, &[1; 3])).unwrap_err().to_string();
        assert!(lost.contains("a part of a micro-batch was submitted but never done"), "{lost}");
        ledger.lose("something else");
        assert_eq!(ledger.alive().unwrap_err().to_string(), lost, "what was seen first is what is said");
        assert!(ledger.take_finished().is_empty());
        ledger.mend();
        ledger.sound().unwrap();
    }

    #[test]
    fn an_update_that_broke_ends_the_training_and_those_from_before_a_run_come_first() {
        let mut ledger = ledger(7);
        ledger.settle(ledger.sent(1), &stats(9, 0, 7, &[1])).unwrap();
        ledger.set_aside();
        ledger.settle(ledger.sent(2), &stats(9, 9, 8, &[1, 1])).unwrap();
        ledger.alive().unwrap();
        assert!(matches!(ledger.sound(), Err(Error::Diverged { update: 9, found: NotFinite::Parameter, .. })));
        assert_eq!(ledger.take_all().iter().map(|update| update.update).collect::<Vec<_>>(), [7, 8, 9]);
        ledger.check(&stats(9, 0, 0, &[])).unwrap();
        assert!(ledger.check(&stats(8, 0, 0, &[])).is_err());
    }
}
