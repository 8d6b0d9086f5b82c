//! Scheduled work in submissions of our own.

use super::Trainer;
use super::results::receive;
use crate::graph::Resource;
use crate::train::encode::{dispatches, mark, prepare};
use crate::train::rates::SUBMISSION;
use crate::{Error, Result};

impl Trainer {
    /// Submits scheduled work. Waits only if two submissions with updates are in flight already.
    ///
    /// # Errors
    /// [`Error::DeviceLost`] after work was lost; [`Error::Shape`] between encode and submitted.
    pub fn submit(&mut self) -> Result<()> {
        self.ledger.alive()?;
        if self.scheduled.is_empty() {
            return Ok(());
        }
        self.host.check("submit")?;
        let marks = self.ledger.marks();
        let submitted = match self.submit_scheduled() {
            // A part of it was handed over already: nothing undoes that.
            Err(error) if self.ledger.marks() != marks => {
                Err(Error::DeviceLost(format!("a submission broke off ({error})")))
            }
            other => other,
        };
        self.ledger.noticed(submitted)
    }

    fn submit_scheduled(&mut self) -> Result<()> {
        let rates = self.submitter.rates();
        let jobs = prepare(&self.program, &mut self.scheduled, rates)?;
        let mut work = dispatches(&jobs, rates).peekable();
        let updates = self.scheduled.updates();
        let mut parts = false;
        loop {
            let mut encoder = self.program.gpu().encoder()?;
            let load = self.submitter.encode(&mut encoder, &mut work, SUBMISSION)?;
            let more = work.peek().is_some();
            // A submission that ends where no sequence number does is counted separately, unless it brings results.
            parts |= more;
            if more || (parts && updates == 0) {
                mark(&self.program, &mut encoder);
                self.ledger.mark();
            }
            if more || updates == 0 {
                self.submitter.submit(encoder, load)?;
            } else {
                if self.submitter.is_full() {
                    receive(&mut self.submitter, &mut self.ledger, true)?;
                }
                let (stats, _) = self.program.at(Resource::Stats)?;
                self.submitter.submit_with_results(encoder, load, stats, self.ledger.sent(updates))?;
            }
            if !more {
                break;
            }
        }
        self.scheduled.clear();
        Ok(())
    }
}
