//! Times dispatches by timestamps that the GPU writes before and after each, inside their pass.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::profile::{DispatchTime, HostTime, Profile};
use super::{Gpu, Label, ReadbackRing, usage};
use crate::{Error, Result};

/// The features that a device must be made with.
pub const TIMESTAMPS: wgpu::Features =
    wgpu::Features::TIMESTAMP_QUERY.union(wgpu::Features::TIMESTAMP_QUERY_INSIDE_PASSES);

/// Most dispatches of one submission that can be timed: a query set holds two timestamps for each.
pub const TIMED: usize = wgpu::QUERY_SET_MAX_QUERIES as usize / 2;

/// Most submissions with timestamps in flight.
const IN_FLIGHT: usize = 8;

/// Bytes of all timestamps of a submission.
const BYTES: u64 = wgpu::QUERY_SIZE as u64 * wgpu::QUERY_SET_MAX_QUERIES as u64;

/// Timestamps in flight, and the [`Profile`] of those that have arrived.
///
/// For each submission: [`Profiler::begin`], the pass, [`Profiler::end`], [`Profiler::finished`] where that is known, the
/// submission, [`Profiler::sent`].
pub struct Profiler {
    queries: wgpu::QuerySet,
    resolved: wgpu::Buffer,
    ring: ReadbackRing<()>,
    /// Seconds per tick.
    tick: f64,
    start: Instant,
    encoding: Submission,
    flights: VecDeque<Submission>,
    arrived: Arrived,
}

/// What is known of a submission before its timestamps arrive.
#[derive(Default)]
struct Submission {
    dispatches: Vec<(Arc<Label>, u32)>,
    left_out: u64,
    begin: Option<Instant>,
    /// When the host was done with it except for the submission itself, in seconds.
    encoded: f64,
}

impl Profiler {
    /// Makes buffers and queries, and starts the clock. The first `events` dispatches are remembered one by one.
    ///
    /// # Errors
    /// [`Error::NoAdapter`] if the device was made without [`TIMESTAMPS`].
    pub fn new(gpu: &Gpu, events: usize) -> Result<Profiler> {
        if !gpu.device().features().contains(TIMESTAMPS) {
            return Err(Error::NoAdapter(format!(
                "{} was opened without timestamps; open it with Choice {{ timestamps: true, … }}, or make your device with \
                 the features TIMESTAMP_QUERY and TIMESTAMP_QUERY_INSIDE_PASSES",
                gpu.info().name
            )));
        }
        let descriptor = wgpu::QuerySetDescriptor {
            label: Some("accrue.timestamps"),
            ty: wgpu::QueryType::Timestamp,
            count: 2 * TIMED as u32,
        };
        let queries = gpu.checked("timestamps", || gpu.device().create_query_set(&descriptor))?;
        let resolve = wgpu::BufferUsages::QUERY_RESOLVE.union(wgpu::BufferUsages::COPY_SRC);
        let resolved = gpu.buffer("accrue.timestamps", BYTES, resolve)?;
        let staging = (0..IN_FLIGHT).map(|_| gpu.buffer("accrue.timestamps staging", BYTES, usage::READBACK));
        let mut profiler = Profiler {
            queries,
            resolved,
            ring: ReadbackRing::new(gpu, staging.collect::<Result<_>>()?, BYTES),
            tick: 1e-9 * f64::from(gpu.queue().get_timestamp_period()),
            start: Instant::now(),
            encoding: Submission::default(),
            flights: VecDeque::new(),
            arrived: Arrived { events, ..Arrived::default() },
        };
        profiler.arrived.profile.clock = profiler.of_nothing(gpu)?;
        profiler.start = Instant::now();
        Ok(profiler)
    }

    /// The median time between two adjacent timestamps.
    fn of_nothing(&self, gpu: &Gpu) -> Result<f64> {
        const PAIRS: usize = 33;
        let mut encoder = gpu.encoder()?;
        let mut pass = encoder.begin_compute_pass(&Default::default());
        (0..2 * PAIRS as u32).for_each(|query| pass.write_timestamp(&self.queries, query));
        drop(pass);
        encoder.resolve_query_set(&self.queries, 0..2 * PAIRS as u32, &self.resolved, 0);
        let bytes = gpu.read_after(encoder, &self.resolved, u64::from(wgpu::QUERY_SIZE) * 2 * PAIRS as u64)?;
        let ticks: Vec<u64> = bytemuck::pod_collect_to_vec(&bytes);
        let mut took: Vec<u64> = ticks.chunks_exact(2).map(|ends| ends[1].saturating_sub(ends[0])).collect();
        took.sort_unstable();
        Ok(took[PAIRS / 2] as f64 * self.tick)
    }

    /// Call before the pass of a submission. Takes in what has arrived, and waits only if too many submissions are in flight.
    ///
    /// # Errors
    /// [`Error::DeviceLost`](crate::Error::DeviceLost) if submitted work does not come back.
    pub fn begin(&mut self) -> Result<()> {
        while self.receive(self.ring.full())? {}
        self.encoding = Submission { begin: Some(Instant::now()), ..Submission::default() };
        Ok(())
    }

    /// Call before a dispatch, inside the pass; returns whether it is timed. If so, [`Profiler::after`] must follow it.
    pub(super) fn before(&mut self, pass: &mut wgpu::ComputePass<'_>, label: &Arc<Label>, rows: u32) -> bool {
        let timed = self.encoding.dispatches.len();
        if timed == TIMED {
            self.encoding.left_out += 1;
            return false;
        }
        pass.write_timestamp(&self.queries, 2 * timed as u32);
        self.encoding.dispatches.push((label.clone(), rows));
        true
    }

    /// Call after a timed dispatch.
    pub(super) fn after(&mut self, pass: &mut wgpu::ComputePass<'_>) {
        pass.write_timestamp(&self.queries, 2 * self.encoding.dispatches.len() as u32 - 1);
    }

    /// Call after the pass, with the same encoder: resolves the timestamps and copies them out.
    pub fn end(&mut self, encoder: &mut wgpu::CommandEncoder) {
        let written = 2 * self.encoding.dispatches.len() as u32;
        if written > 0 {
            encoder.resolve_query_set(&self.queries, 0..written, &self.resolved, 0);
        }
        self.ring.copy(encoder, &self.resolved);
        if let Some(begin) = self.encoding.begin.take() {
            self.encoding.encoded = self.host("encode", begin);
        }
    }

    /// The encoder that began at that moment was finished.
    pub fn finished(&mut self, begin: Instant) {
        self.encoding.encoded = self.host("finish encoding", begin);
    }

    /// The encoder was submitted.
    pub fn sent(&mut self, submission: Option<wgpu::SubmissionIndex>) {
        self.ring.sent(submission, ());
        let sent = std::mem::take(&mut self.encoding);
        self.host("submit", self.start + Duration::from_secs_f64(sent.encoded));
        self.flights.push_back(sent);
    }

    /// Records that the host predicted from `begin` until now.
    pub fn predicted(&mut self, begin: Instant) {
        self.arrived.profile.predicting += begin.elapsed().as_secs_f64();
        self.host("predict", begin);
    }

    /// Records what the host did from `begin` until now, and returns the time now.
    fn host(&mut self, name: &'static str, begin: Instant) -> f64 {
        let (begin, now) = ((begin - self.start).as_secs_f64(), self.start.elapsed().as_secs_f64());
        if self.arrived.profile.host.len() < self.arrived.events {
            self.arrived.profile.host.push(HostTime { name, begin, seconds: now - begin });
        }
        now
    }

    /// Waits for all timestamps. Times are complete only once all submitted work is done.
    pub fn finish(mut self) -> Result<Profile> {
        let wall = self.start.elapsed().as_secs_f64();
        while self.receive(true)? {}
        let mut profile = self.arrived.profile;
        profile.wall = wall;
        for dispatch in &mut profile.dispatches {
            dispatch.begin += self.arrived.offset;
        }
        Ok(profile)
    }

    fn receive(&mut self, wait: bool) -> Result<bool> {
        let Some(((), bytes)) = self.ring.receive(wait)? else { return Ok(false) };
        if let Some(submission) = self.flights.pop_front() {
            let ticks: Vec<u64> = bytemuck::pod_collect_to_vec(&bytes);
            self.arrived.take(&submission, &ticks, self.tick);
        }
        Ok(true)
    }
}

/// The profile so far, and the state for adding the next submission.
#[derive(Default)]
struct Arrived {
    profile: Profile,
    events: usize,
    /// The last timestamp, and its time in seconds since the first.
    last: Option<(u64, f64)>,
    /// The offset from the GPU's clock to the host's.
    offset: f64,
}

impl Arrived {
    fn take(&mut self, submission: &Submission, ticks: &[u64], tick: f64) {
        self.profile.left_out += submission.left_out;
        let mut inside = false;
        for ((label, rows), ends) in submission.dispatches.iter().zip(ticks.chunks_exact(2)) {
            let (begin, end) = (ends[0], ends[1]);
            // A counter of few bits restarts from 0 now and then: time continues from where it was.
            let gap = self.last.map_or(0.0, |(last, _)| begin.saturating_sub(last) as f64 * tick);
            let at = gap + self.last.map_or(0.0, |(_, at)| at);
            let seconds = end.saturating_sub(begin) as f64 * tick;
            self.last = Some((end, at + seconds));
            if end < begin {
                self.profile.left_out += 1;
                continue;
            }
            if inside {
                self.profile.gaps += gap;
            } else {
                self.profile.between += gap;
                self.align(submission.encoded - at);
            }
            inside = true;
            let kernel = self.profile.add(label, *rows, seconds);
            if self.profile.dispatches.len() < self.events {
                let submission = self.profile.submissions;
                let dispatch = DispatchTime { kernel, submission, rows: *rows, begin: at, seconds };
                self.profile.dispatches.push(dispatch);
            }
        }
        self.profile.submissions += u64::from(inside);
    }

    /// No dispatch begins before its submission, and the one that began soonest after its submission began at once.
    fn align(&mut self, offset: f64) {
        self.offset = if self.profile.submissions == 0 { offset } else { self.offset.max(offset) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn label(step: &str) -> Arc<Label> {
        Arc::new(Label { step: step.to_owned(), ..Label::default() })
    }

    fn submission(steps: &[&str], encoded: f64) -> Submission {
        let dispatches = steps.iter().map(|step| (label(step), 1)).collect();
        Submission { dispatches, encoded, ..Submission::default() }
    }

    #[test]
    fn times_gaps_and_what_lies_between_submissions_are_told_apart() {
        let mut arrived = Arrived { events: 3, ..Arrived::default() };
        arrived.take(&submission(&["a", "b"], 5.0), &[100, 110, 113, 120, 0, 0], 1.0);
        arrived.take(&submission(&["a", "b"], 60.0), &[150, 151, 151, 171, 0, 0], 1.0);
        let profile = &arrived.profile;
        let times: Vec<_> = profile.kernels.iter().map(|k| (k.label.step.as_str(), k.calls, k.seconds)).collect();
        assert_eq!(times, [("a", 2, 11.0), ("b", 2, 27.0)]);
        assert_eq!((profile.gaps, profile.between, profile.submissions, profile.left_out), (3.0, 30.0, 2, 0));
        assert_eq!(profile.kernel_seconds() + profile.gaps + profile.between, 171.0 - 100.0);
        assert_eq!(profile.dispatches.len(), 3, "no more than were asked for");
        assert_eq!(arrived.offset, 10.0, "the second submission cannot have begun before 60");
    }

    #[test]
    fn a_counter_that_starts_again_costs_a_dispatch_and_no_time() {
        let mut arrived = Arrived::default();
        arrived.take(&submission(&["a", "b", "a"], 0.0), &[100, 110, 120, 5, 8, 9], 1.0);
        arrived.take(&submission(&["a"], 0.0), &[2, 4], 1.0);
        let profile = &arrived.profile;
        assert_eq!((profile.calls(), profile.left_out), (3, 1));
        assert_eq!((profile.kernel_seconds(), profile.gaps, profile.between), (13.0, 3.0, 0.0));
    }
}
