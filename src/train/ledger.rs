//! What was requested and what came of it. Every micro-batch and update has a sequence number, which the GPU counts along and
//! the host compares. The ledger knows no GPU.

use std::collections::VecDeque;

use super::settings::{LeftOut, Update};
use crate::plan::Stats;
use crate::{Error, NotFinite, Result};

/// What the host knows of results in flight.
#[derive(Clone, Copy)]
pub(super) struct Sent {
    /// Updates of the submission.
    updates: usize,
    /// The sequence number after the submission, if all of it was done.
    sequence: u32,
    /// Submissions that end inside a micro-batch, if all were done.
    marks: u32,
}

/// A requested update.
#[derive(Clone, Copy)]
pub(super) struct Promise {
    /// Its number, from 1.
    pub update: u64,
    /// Samples in its window.
    pub samples: u32,
    /// The learning rate.
    pub lr: f64,
}

/// What was requested, and what is known of it.
pub(super) struct Ledger {
    /// The next sequence number: one for each micro-batch and update requested.
    sequence: u32,
    /// Submissions that ended inside a micro-batch.
    marks: u32,
    promised: VecDeque<Promise>,
    finished: Vec<Update>,
    /// Updates requested before a run began.
    earlier: Vec<Update>,
    /// The sign that the device lost work. It stays lost.
    lost: Option<String>,
    /// The update that would have made a parameter or its optimizer state infinite or NaN.
    broken: Option<u64>,
}

impl Ledger {
    /// Counts from a number unique to this trainer, so that stale memory cannot pass for work that it has done.
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

    /// The sequence number of the next micro-batch or update.
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

    /// What must have been done after a submission with this many updates and everything requested so far.
    pub fn sent(&self, updates: usize) -> Sent {
        Sent { updates, sequence: self.sequence, marks: self.marks }
    }

    /// Fails if the device is known to have lost work; then it gives neither results nor parameters.
    ///
    /// # Errors
    /// [`Error::DeviceLost`].
    pub fn alive(&self) -> Result<()> {
        self.lost.as_ref().map_or(Ok(()), |how| Err(Error::DeviceLost(how.clone())))
    }

    /// As [`Ledger::alive`]; also fails after a broken update, as the GPU would make none.
    ///
    /// # Errors
    /// Also [`Error::Diverged`].
    pub fn sound(&self) -> Result<()> {
        self.alive()?;
        let broken = |update| Err(Error::Diverged { update, found: NotFinite::Parameter, suspect: None });
        self.broken.map_or(Ok(()), broken)
    }

    /// Remembers that the device is lost, if that is the error.
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

    /// All parameters and state were replaced: earlier failures no longer count.
    pub fn mend(&mut self) {
        (self.lost, self.broken) = (None, None);
    }

    /// Takes in the results of a submission, from the bytes of the stats after it.
    ///
    /// # Errors
    /// [`Error::DeviceLost`] if not all of it was done.
    pub fn settle(&mut self, sent: Sent, stats: &[u8]) -> Result<()> {
        let updates = self.updates_of(sent, Stats::of(stats));
        let updates = self.noticed(updates)?;
        self.promised.drain(..updates.len());
        let broken = |update: &&Update| update.left_out == Some(LeftOut::NotFinite(NotFinite::Parameter));
        self.broken = self.broken.or(updates.iter().find(broken).map(|update| update.update));
        self.finished.extend(updates);
        Ok(())
    }

    /// Checks that all requested work was done, from the bytes of the stats after it.
    ///
    /// # Errors
    /// [`Error::DeviceLost`] if it was not.
    pub fn check(&self, stats: &[u8]) -> Result<()> {
        self.sent(0).check(Stats::of(stats))
    }

    /// Returns finished updates, without those from before a run.
    pub fn take_finished(&mut self) -> Vec<Update> {
        std::mem::take(&mut self.finished)
    }

    /// Returns finished updates, those from before a run first.
    pub fn take_all(&mut self) -> Vec<Update> {
        let mut all = std::mem::take(&mut self.earlier);
        all.append(&mut self.finished);
        all
    }

    /// Begins a run; updates finished so far belong to none of its events.
    pub fn set_aside(&mut self) {
        self.earlier.append(&mut self.finished);
    }

    /// The updates of a submission. Results of another submission are detected.
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
    /// Whether the GPU has reached this sequence number.
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

/// Turns a result into the update that was promised.
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

    /// The bytes of the stats at this sequence number, with the results of updates from this one on.
    fn stats(sequence: u32, broken: u32, first: u32, outcomes: &[u32]) -> Vec<u8> {
        let mut words = vec![0; 16];
        (words[12], words[14]) = (sequence, broken);
        for (update, &outcome) in (first..).zip(outcomes) {
            words.extend([3f32.to_bits(), 2f32.to_bits(), update, outcome]);
        }
        bytemuck::cast_slice(&words).to_vec()
    }

    /// A ledger that is to settle three updates from this one on, the last with sequence number 8.
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
