//! Work cut into submissions that each take little time. A submission may end between any two dispatches.

use std::collections::VecDeque;
use std::iter::Peekable;
use std::time::{Duration, Instant};

use super::faults::Sent;
use super::pace::{DISPATCH, Load, Pace, Rates, SUBMISSION, Submitted, whole_rows};
use super::trainer::Trainer;
use super::work::{Item, Work};
use crate::Result;
use crate::gpu::{Dispatch, Gpu, Profiler, encode};
use crate::graph::Resource;
use crate::plan::{BLOCK, Program, WholeWindows};

/// Submissions without results that may be on their way before the oldest is waited for.
const RUNNING: usize = 3;

/// Slices that a single call of [`Trainer::schedule`] makes at most.
const SLICES: usize = 64;

/// A list of dispatches, at one moment.
pub(super) struct Job<'a> {
    pub list: &'a [Dispatch],
    pub rows: u32,
    pub clock: u32,
}

/// A dispatch or a part of one, its rows and the byte of its clock.
pub(super) type One<'a> = (&'a Dispatch, u32, u32);

/// All dispatches of some jobs in order; those that take long in parts.
pub(super) fn dispatches<'a>(jobs: &'a [Job<'a>], rates: Rates) -> impl Iterator<Item = One<'a>> {
    let whole = jobs.iter().flat_map(|job| job.list.iter().map(move |dispatch| (dispatch, job.rows, job.clock)));
    whole.flat_map(move |(dispatch, rows, clock)| {
        rates.fine(dispatch, rows).iter().map(move |dispatch| (dispatch, rows, clock))
    })
}

/// Encodes dispatches as one pass, one at least, up to so many seconds by estimate.
pub(super) fn encode_some<'a>(
    gpu: &Gpu,
    encoder: &mut wgpu::CommandEncoder,
    work: &mut Peekable<impl Iterator<Item = One<'a>>>,
    (rates, seconds): (Rates, f64),
    mut profiler: Option<&mut Profiler>,
) -> Load {
    let descriptor = wgpu::ComputePassDescriptor { label: Some("accrue"), timestamp_writes: None };
    let mut pass = encoder.begin_compute_pass(&descriptor);
    let (mut load, mut took) = (Load::default(), 0.0);
    while let Some(&(dispatch, rows, clock)) = work.peek() {
        let takes = rates.dispatch(dispatch, rows);
        if took > 0.0 && took + takes > seconds {
            break;
        }
        dispatch.encode(gpu, &mut pass, rows, clock, profiler.as_deref_mut());
        load.add(dispatch, rows);
        took += takes;
        work.next();
    }
    load
}

/// The lists that the scheduled work goes through.
fn jobs<'a>(program: &'a Program, pending: &Work, runs: Option<Vec<(u32, u32)>>) -> Vec<Job<'a>> {
    if let (Some(runs), Some(WholeWindows { dispatch: windows, .. })) = (runs, program.windows()) {
        return runs
            .into_iter()
            .map(|(clock, rows)| Job { list: std::slice::from_ref(windows), rows, clock })
            .collect();
    }
    let mut jobs = Vec::with_capacity(pending.items.len());
    for &(item, clock) in &pending.items {
        match item {
            Item::MicroStep { rows, gather } => {
                let lists = program.micro_batch(gather).into_iter();
                jobs.extend(lists.map(|list| Job { list, rows, clock }));
            }
            Item::Close => jobs.push(Job { list: program.close(), rows: 0, clock }),
            Item::Update => jobs.push(Job { list: program.update(), rows: 0, clock }),
        }
    }
    jobs
}

impl Trainer {
    /// Encodes what is scheduled into the host's encoder, or else into encoders of our own, of which all but the last are
    /// submitted. The last, and what is in it.
    pub(super) fn encode_work(
        &mut self,
        mut host: Option<&mut wgpu::CommandEncoder>,
    ) -> Result<(Option<wgpu::CommandEncoder>, Load)> {
        let runs = self.runs();
        let gpu = self.program.gpu();
        // These bytes stand until the next submission of other work: all parts of this one find them.
        gpu.write(self.program.clocks(), 0, &self.pending.clocks)?;
        if !self.pending.samples.is_empty() {
            let (samples, _) = self.program.at(Resource::Samples)?;
            gpu.write(samples, 0, bytemuck::cast_slice(&self.pending.samples))?;
        }
        let rates = self.pace.rates();
        let jobs = jobs(&self.program, &self.pending, runs);
        let mut work = dispatches(&jobs, rates).peekable();
        let mut parts = false;
        loop {
            if let Some(profiler) = &mut self.profiler {
                profiler.begin()?;
            }
            let mut own = None;
            let (to, most) = match &mut host {
                Some(host) => (&mut **host, f64::INFINITY),
                None => (own.insert(gpu.encoder()?), SUBMISSION),
            };
            let load = encode_some(gpu, to, &mut work, (rates, most), self.profiler.as_mut());
            if let Some(profiler) = &mut self.profiler {
                profiler.end(to);
            }
            let more = work.peek().is_some();
            // Whatever ends where no link of the chain does is counted by itself, unless it brings results.
            parts |= more;
            if let Some(own) = own.as_mut().filter(|_| more || (parts && self.pending.updates == 0)) {
                mark(&self.program, own);
                self.marks = self.marks.wrapping_add(1);
            }
            match own {
                Some(own) if more => {
                    make_room(gpu, &mut self.running, &mut self.pace)?;
                    let submission = hand_in(gpu, self.profiler.as_mut(), own)?;
                    run(gpu, &mut self.running, &mut self.pace, load, submission)?;
                }
                own => return Ok((own, load)),
            }
        }
    }

    /// Submits the last part, of work without results.
    pub(super) fn run(&mut self, encoder: wgpu::CommandEncoder, load: Load) -> Result<()> {
        let gpu = self.program.gpu();
        make_room(gpu, &mut self.running, &mut self.pace)?;
        let submission = hand_in(gpu, self.profiler.as_mut(), encoder)?;
        self.latest = Some((submission.clone(), Instant::now()));
        run(gpu, &mut self.running, &mut self.pace, load, submission)
    }

    /// The results of the oldest submission that brings some.
    pub(super) fn land(&mut self, wait: bool) -> Result<Option<(Sent, Vec<u8>)>> {
        let begin = Instant::now();
        let landed = self.ring.receive(wait)?;
        match landed {
            Some(_) => self.pace.came(wait.then_some(begin)),
            None => self.pace.still_at_work(),
        }
        Ok(landed)
    }

    /// Runs of whole windows, where one kernel does all of the scheduled work.
    fn runs(&mut self) -> Option<Vec<(u32, u32)>> {
        let WholeWindows { dispatch, loops } = self.program.windows().filter(|_| self.pending.is_attached())?;
        let rates = self.pace.rates();
        let update = rates.all(self.program.update(), 0);
        let seconds = |item: Item| match item {
            Item::MicroStep { rows, .. } => rates.dispatch(dispatch, rows),
            Item::Close | Item::Update => update,
        };
        Some(self.pending.runs(*loops, DISPATCH, seconds))
    }

    /// What a micro-batch goes through.
    fn lists(&self, gather: bool) -> [&[Dispatch]; 3] {
        match self.program.windows().filter(|_| gather) {
            Some(windows) => [std::slice::from_ref(&windows.dispatch), &[], &[]],
            None => self.program.micro_batch(gather),
        }
    }

    /// Notes that so much more is scheduled.
    pub(super) fn count(&mut self, item: Item) {
        let rates = self.pace.rates();
        self.pending.seconds += match item {
            Item::MicroStep { rows, gather } => self.lists(gather).iter().map(|list| rates.all(*list, rows)).sum(),
            Item::Close => rates.all(self.program.close(), 0),
            Item::Update => rates.all(self.program.update(), 0),
        };
    }

    /// The most rows that a micro-batch may have now, so that no dispatch takes long.
    fn most_rows(&self, gather: bool) -> usize {
        let rates = self.pace.rates();
        let rows = rates.rows(self.lists(gather).into_iter().flatten());
        whole_rows(rows, self.plan().micro_batch, self.open_blocks)
    }

    /// Of so many rows that go to the GPU next, those that go at once.
    pub(super) fn slice(&self, left: usize, gather: bool) -> usize {
        let most = self.most_rows(gather);
        let (row, planned) = (self.open_rows() as usize, self.plan().micro_batch);
        // Slices end where blocks do: an open block is more work.
        let end = (row + most) / BLOCK * BLOCK;
        let rows = if most < planned && end > row { end - row } else { most };
        rows.min(left)
    }

    /// As [`Trainer::slice`], of so many rows that are one call's.
    pub(super) fn slice_of_call(&self, left: usize, all: usize) -> usize {
        let slice = self.slice(left, true);
        if all.div_ceil(self.most_rows(true)) <= SLICES {
            return slice;
        }
        slice.max(all.div_ceil(SLICES).next_multiple_of(BLOCK)).min(left)
    }

    /// Slots that the slices of so many rows take.
    pub(super) fn slices(&self, rows: usize) -> usize {
        rows.div_ceil(self.most_rows(true)).min(SLICES) + 1
    }

    /// Rows of a micro-batch that takes about so long on this adapter, as far as that is known: the longer it has trained, the
    /// better. For a host that must not be held up, and chooses its micro-batches by [`Trainer::schedule`] and
    /// [`Trainer::encode`]. Never more than were planned for, and never less than can go at once: a block of
    /// [`BLOCK`] rows, or a few where micro-batches may end anywhere.
    pub fn rows_within(&self, time: Duration) -> usize {
        let gather = self.data_rows() > 0;
        let rows = self.pace.rates().rows_within(self.lists(gather).into_iter().flatten(), time.as_secs_f64());
        whole_rows(rows, self.most_rows(gather), self.open_blocks)
    }

    /// Takes the adapter to be so many times slower than two cores of a CPU from now on, whatever it is: for tests.
    #[doc(hidden)]
    pub fn pretend_slow(&mut self, times: f64) {
        self.pace.pretend(times);
    }

    /// Waits for each submission from now on, and times it: for tests.
    #[doc(hidden)]
    pub fn time_submissions(&mut self) {
        self.pace.log = Some(Vec::new());
    }

    /// The submissions since [`Trainer::time_submissions`], or since the last call.
    #[doc(hidden)]
    pub fn submissions(&mut self) -> Vec<Submitted> {
        self.pace.log.as_mut().map(std::mem::take).unwrap_or_default()
    }
}

/// Counts a submission.
fn mark(program: &Program, encoder: &mut wgpu::CommandEncoder) {
    let descriptor = wgpu::ComputePassDescriptor { label: Some("accrue.mark"), timestamp_writes: None };
    let mut pass = encoder.begin_compute_pass(&descriptor);
    encode(program.gpu(), &mut pass, program.mark(), 1, 0, None);
}

/// Submits an encoder, and tells the profiler when.
pub(super) fn hand_in(
    gpu: &Gpu,
    mut profiler: Option<&mut Profiler>,
    encoder: wgpu::CommandEncoder,
) -> Result<wgpu::SubmissionIndex> {
    let begin = Instant::now();
    let commands = gpu.finish(encoder)?;
    if let Some(profiler) = &mut profiler {
        profiler.finished(begin);
    }
    let submission = gpu.submit(commands)?;
    if let Some(profiler) = profiler {
        profiler.sent(Some(submission.clone()));
    }
    Ok(submission)
}

/// Waits for the oldest submission without results when several are on their way.
fn make_room(gpu: &Gpu, running: &mut VecDeque<wgpu::SubmissionIndex>, pace: &mut Pace) -> Result<()> {
    if running.len() == RUNNING
        && let Some(oldest) = running.pop_front()
    {
        let begin = Instant::now();
        gpu.wait(Some(&oldest))?;
        pace.done_but(RUNNING - 1, begin);
    }
    Ok(())
}

/// Lets a submission without results go.
fn run(
    gpu: &Gpu,
    running: &mut VecDeque<wgpu::SubmissionIndex>,
    pace: &mut Pace,
    load: Load,
    submission: wgpu::SubmissionIndex,
) -> Result<()> {
    watch(gpu, pace, load, &submission, false)?;
    running.push_back(submission);
    gpu.poll()
}

/// Remembers a submission, and waits for it where each is to be timed.
pub(super) fn watch(
    gpu: &Gpu,
    pace: &mut Pace,
    load: Load,
    submission: &wgpu::SubmissionIndex,
    results: bool,
) -> Result<()> {
    let begin = Instant::now();
    pace.sent(load, results);
    if pace.log.is_some() {
        gpu.wait(Some(submission))?;
        pace.note(&load, begin.elapsed().as_secs_f64());
        pace.done_but(0, begin);
    }
    Ok(())
}
