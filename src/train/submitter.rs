//! Sends work to the GPU in submissions that each take little time, and brings its results back.

use std::collections::VecDeque;
use std::iter::Peekable;
use std::time::Instant;

use super::encode::{One, encode_some};
use super::ledger::Sent;
use super::rates::{Load, Rates};
use super::time_model::{Submitted, TimeModel};
use crate::gpu::profile::Profile;
use crate::gpu::{Gpu, Profiler, ReadbackRing};
use crate::plan::{Program, Stats};
use crate::{Error, Result};

/// Most submissions without results in flight; beyond that the oldest is waited for.
const RUNNING: usize = 3;

/// Submits work, and learns from how long it takes.
pub(super) struct Submitter {
    gpu: Gpu,
    time_model: TimeModel,
    /// Submissions without results in flight.
    running: VecDeque<wgpu::SubmissionIndex>,
    /// The last submission, and its time.
    latest: Option<(wgpu::SubmissionIndex, Instant)>,
    /// Results in flight; a program for inference has none.
    results: ReadbackRing<Sent>,
    profiler: Option<Profiler>,
}

impl Submitter {
    /// A submitter for the work of a program.
    pub fn new(program: &Program) -> Submitter {
        Submitter {
            gpu: program.gpu().clone(),
            time_model: TimeModel::default(),
            running: VecDeque::new(),
            latest: None,
            results: ReadbackRing::new(program.gpu(), program.results(), Stats::BYTES),
            profiler: None,
        }
    }

    /// The known speed of the adapter.
    pub fn rates(&self) -> Rates {
        self.time_model.rates()
    }

    /// Encodes dispatches in as few passes as can be: at least one, then up to this many estimated seconds.
    pub fn encode<'a>(
        &mut self,
        encoder: &mut wgpu::CommandEncoder,
        work: &mut Peekable<impl Iterator<Item = One<'a>>>,
        seconds: f64,
    ) -> Result<Load> {
        if let Some(profiler) = &mut self.profiler {
            profiler.begin()?;
        }
        let rates = self.time_model.rates();
        let load = encode_some(&self.gpu, encoder, work, (rates, seconds), self.profiler.as_mut());
        if let Some(profiler) = &mut self.profiler {
            profiler.end(encoder);
        }
        Ok(load)
    }

    /// Submits work without results. Waits for the oldest if several are in flight.
    pub fn submit(&mut self, encoder: wgpu::CommandEncoder, load: Load) -> Result<()> {
        self.make_room()?;
        let submission = self.hand_in(encoder)?;
        self.latest = Some((submission.clone(), Instant::now()));
        self.watch(load, &submission, false)?;
        self.running.push_back(submission);
        self.gpu.poll()
    }

    /// Submits work and the copy of its results, the bytes of `stats`. There must be a free staging buffer.
    pub fn submit_with_results(
        &mut self,
        mut encoder: wgpu::CommandEncoder,
        load: Load,
        stats: &wgpu::Buffer,
        sent: Sent,
    ) -> Result<()> {
        self.results.copy(&mut encoder, stats);
        let submission = self.hand_in(encoder)?;
        self.watch(load, &submission, true)?;
        self.latest = Some((submission.clone(), Instant::now()));
        self.results.sent(Some(submission), sent);
        self.running.clear();
        Ok(())
    }

    /// Submits work whose results its caller brings back.
    pub fn submit_ahead(&mut self, encoder: wgpu::CommandEncoder, load: Load) -> Result<wgpu::SubmissionIndex> {
        let submission = self.gpu.submit(self.gpu.finish(encoder)?)?;
        self.time_model.sent(load, false);
        self.latest = Some((submission.clone(), Instant::now()));
        Ok(submission)
    }

    /// Submits work that copies to `staging`, waits, and returns the bytes. `alone`: nothing else was in flight.
    pub fn land(
        &mut self,
        encoder: wgpu::CommandEncoder,
        staging: &wgpu::Buffer,
        (load, alone): (Load, bool),
    ) -> Result<Vec<u8>> {
        let begin = Instant::now();
        let landed = self.gpu.land(encoder, staging)?;
        let took = begin.elapsed().as_secs_f64();
        self.time_model.note(&load, took);
        self.time_model.learn(&load, if alone { took } else { 0.0 }, took);
        Ok(landed)
    }

    /// Encodes the copy of results into a host's encoder. There must be a free staging buffer.
    pub fn copy_results(&self, encoder: &mut wgpu::CommandEncoder, stats: &wgpu::Buffer) {
        self.results.copy(encoder, stats);
    }

    /// The host has submitted this encoder.
    pub fn submitted_by_host(&mut self, load: Load, sent: Sent) {
        if let Some(profiler) = &mut self.profiler {
            profiler.sent(None);
        }
        self.results.sent(None, sent);
        self.time_model.sent(load, true);
    }

    /// Whether results must be received before others can be copied.
    pub fn is_full(&self) -> bool {
        self.results.full()
    }

    /// The results of the oldest submission that brings some; with `wait`, waits for them.
    pub fn receive(&mut self, wait: bool) -> Result<Option<(Sent, Vec<u8>)>> {
        let begin = Instant::now();
        let received = self.results.receive(wait)?;
        match received {
            Some(_) => self.time_model.came(wait.then_some(begin)),
            None => self.time_model.still_at_work(),
        }
        Ok(received)
    }

    /// Whether none of our work is running any more, after a wait that ends at `end`.
    pub fn is_through(&mut self, end: Instant) -> Result<bool> {
        let Some((latest, since)) = &self.latest else { return Ok(true) };
        let begin = Instant::now();
        if self.gpu.wait_for(Some(latest), end.saturating_duration_since(begin))? {
            self.latest = None;
            self.running.clear();
            self.time_model.done_but(0, begin);
            return Ok(true);
        }
        let patience = self.gpu.patience();
        if since.elapsed() > patience {
            return Err(Error::DeviceLost(format!("work was not done after {patience:?}")));
        }
        Ok(false)
    }

    /// Whether none of our work was running at the last check.
    pub fn is_idle(&self) -> bool {
        self.latest.is_none()
    }

    /// Times every dispatch from now on, and remembers this many one by one.
    pub fn start_profile(&mut self, events: usize) -> Result<()> {
        self.profiler = Some(Profiler::new(&self.gpu, events)?);
        Ok(())
    }

    /// The profile; `None` if nothing was timed.
    pub fn finish_profile(&mut self) -> Result<Option<Profile>> {
        self.profiler.take().map(Profiler::finish).transpose()
    }

    /// The profiler, if every dispatch is to be timed.
    pub fn profiler(&mut self) -> Option<&mut Profiler> {
        self.profiler.as_mut()
    }

    /// Whether every dispatch is timed.
    pub fn is_profiled(&self) -> bool {
        self.profiler.is_some()
    }

    /// Pretends that the adapter is this much slower than the time model, for tests.
    pub fn pretend_slow(&mut self, times: f64) {
        self.time_model.pretend(times);
    }

    /// Waits for each submission from now on, and times it, for tests.
    pub fn time_submissions(&mut self) {
        self.time_model.start_log();
    }

    /// The submissions timed since the last call.
    pub fn submissions(&mut self) -> Vec<Submitted> {
        self.time_model.take_log()
    }

    /// Submits an encoder, and tells the profiler when.
    fn hand_in(&mut self, encoder: wgpu::CommandEncoder) -> Result<wgpu::SubmissionIndex> {
        let begin = Instant::now();
        let commands = self.gpu.finish(encoder)?;
        if let Some(profiler) = &mut self.profiler {
            profiler.finished(begin);
        }
        let submission = self.gpu.submit(commands)?;
        if let Some(profiler) = &mut self.profiler {
            profiler.sent(Some(submission.clone()));
        }
        Ok(submission)
    }

    /// Waits for the oldest submission without results if several are in flight.
    fn make_room(&mut self) -> Result<()> {
        if self.running.len() == RUNNING
            && let Some(oldest) = self.running.pop_front()
        {
            let begin = Instant::now();
            self.gpu.wait(Some(&oldest))?;
            self.time_model.done_but(RUNNING - 1, begin);
        }
        Ok(())
    }

    /// Remembers a submission, and waits for it if each is to be timed.
    fn watch(&mut self, load: Load, submission: &wgpu::SubmissionIndex, results: bool) -> Result<()> {
        let begin = Instant::now();
        self.time_model.sent(load, results);
        if self.time_model.is_logging() {
            self.gpu.wait(Some(submission))?;
            self.time_model.note(&load, begin.elapsed().as_secs_f64());
            self.time_model.done_but(0, begin);
        }
        Ok(())
    }
}
