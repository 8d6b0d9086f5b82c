//! What goes into a command encoder: the commands' dispatches, in passes that each take little time. A pass may end between
//! any two dispatches.

use std::iter::Peekable;

use super::commands::{Command, CommandList};
use super::rates::{DISPATCH, Load, Rates};
use crate::Result;
use crate::gpu::{Dispatch, Gpu, Profiler, Recorder, encode};
use crate::graph::Resource;
use crate::plan::{Program, WholeWindows};

/// Writes what the kernels of these commands read, with the next submission, and returns the dispatch lists of the commands.
pub(super) fn prepare<'a>(program: &'a Program, commands: &mut CommandList, rates: Rates) -> Result<Vec<Job<'a>>> {
    let jobs = jobs(program, commands, rates);
    let gpu = program.gpu();
    // The bytes stay until the next submission of other work, so every part of this one finds them.
    gpu.write(program.clocks(), 0, commands.clocks())?;
    if !commands.samples().is_empty() {
        let (samples, _) = program.at(Resource::Samples)?;
        gpu.write(samples, 0, bytemuck::cast_slice(commands.samples()))?;
    }
    Ok(jobs)
}

/// The dispatch lists of commands; runs of commands if one kernel computes them all.
fn jobs<'a>(program: &'a Program, commands: &mut CommandList, rates: Rates) -> Vec<Job<'a>> {
    if let Some(windows) = program.windows().filter(|_| commands.is_attached()) {
        let runs = runs(program, windows, commands, rates);
        let list = std::slice::from_ref(&windows.dispatch);
        return runs.into_iter().map(|(clock, rows)| Job { list, rows, clock }).collect();
    }
    let mut jobs = Vec::with_capacity(commands.len());
    for (command, clock) in commands.iter() {
        match command {
            Command::MicroStep { rows, gather } => {
                jobs.extend(program.micro_batch(gather).into_iter().map(|list| Job { list, rows, clock }));
            }
            Command::Close => jobs.push(Job { list: program.close(), rows: 0, clock }),
            Command::Update => jobs.push(Job { list: program.update(), rows: 0, clock }),
        }
    }
    jobs
}

/// Runs of commands for one dispatch of whole windows each: the offset of the first clock, and the rows.
fn runs(program: &Program, windows: &WholeWindows, commands: &mut CommandList, rates: Rates) -> Vec<(u32, u32)> {
    let update = rates.all(program.update(), 0);
    commands.runs(windows.loops, DISPATCH, |command| match command {
        Command::MicroStep { rows, .. } => rates.dispatch(&windows.dispatch, rows),
        Command::Close | Command::Update => update,
    })
}

/// A list of dispatches with one clock.
pub(super) struct Job<'a> {
    pub list: &'a [Dispatch],
    pub rows: u32,
    pub clock: u32,
}

/// A dispatch or a part of one, its rows and the offset of its clock.
pub(super) type One<'a> = (&'a Dispatch, u32, u32);

/// All dispatches of these jobs in order; long ones in parts.
pub(super) fn dispatches<'a>(jobs: &'a [Job<'a>], rates: Rates) -> impl Iterator<Item = One<'a>> {
    let whole = jobs.iter().flat_map(|job| job.list.iter().map(move |dispatch| (dispatch, job.rows, job.clock)));
    whole.flat_map(move |(dispatch, rows, clock)| {
        rates.fine(dispatch, rows).iter().map(move |dispatch| (dispatch, rows, clock))
    })
}

/// Encodes dispatches in as few passes as can be: at least one, then up to this many estimated seconds.
pub(super) fn encode_some<'a>(
    gpu: &Gpu,
    encoder: &mut wgpu::CommandEncoder,
    work: &mut Peekable<impl Iterator<Item = One<'a>>>,
    (rates, seconds): (Rates, f64),
    mut profiler: Option<&mut Profiler>,
) -> Load {
    let mut recorder = Recorder::new(encoder, "accrue");
    let (mut load, mut took) = (Load::default(), 0.0);
    while let Some(&(dispatch, rows, clock)) = work.peek() {
        let takes = rates.dispatch(dispatch, rows);
        if took > 0.0 && took + takes > seconds {
            break;
        }
        dispatch.encode(gpu, &mut recorder, rows, clock, profiler.as_deref_mut());
        load.add(dispatch, rows);
        took += takes;
        work.next();
    }
    load
}

/// Counts a submission.
pub(super) fn mark(program: &Program, encoder: &mut wgpu::CommandEncoder) {
    let mut recorder = Recorder::new(encoder, "accrue.mark");
    encode(program.gpu(), &mut recorder, program.mark(), 1, 0, None);
}
