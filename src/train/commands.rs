//! The commands of the next submission: micro-batches and updates, each with the clock that its kernels read.

use std::mem::offset_of;

use super::clock::Clock;
use crate::gpu::SLOT;
use crate::graph::{Blocks, LoopBound};
use crate::plan::{CLOCKS, ITEMS, LOOP_LIMIT, RESULTS};

/// One command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Command {
    /// Forward and backward pass over rows.
    MicroStep {
        /// Rows.
        rows: u32,
        /// Whether the rows come from the data on the GPU; otherwise they are in the records.
        gather: bool,
    },
    /// Closes an open block.
    Close,
    /// Computes new parameters from the window's gradient.
    Update,
}

/// The commands of one submission, in order.
#[derive(Default)]
pub(super) struct CommandList {
    /// Each command, and the offset of its clock.
    commands: Vec<(Command, u32)>,
    /// Clocks and scalars, [`SLOT`] bytes each.
    clocks: Vec<u8>,
    /// The samples of all micro-batches.
    samples: Vec<u32>,
    updates: usize,
    seconds: f64,
}

impl Command {
    /// `kind` of the clock.
    pub fn kind(self) -> u32 {
        match self {
            Command::MicroStep { .. } => 1,
            Command::Close => 2,
            Command::Update => 3,
        }
    }

    /// Slots of the command; an update's scalars take one of their own.
    fn slots(self) -> u32 {
        if self == Command::Update { 2 } else { 1 }
    }
}

impl CommandList {
    /// Whether there are no commands.
    pub fn is_empty(&self) -> bool {
        self.commands.is_empty()
    }

    /// The number of commands.
    pub fn len(&self) -> usize {
        self.commands.len()
    }

    /// The commands, each with the offset of its clock.
    pub fn iter(&self) -> impl Iterator<Item = (Command, u32)> + '_ {
        self.commands.iter().copied()
    }

    /// Clocks and scalars, as the GPU reads them.
    pub fn clocks(&self) -> &[u8] {
        &self.clocks
    }

    /// The samples of all micro-batches.
    pub fn samples(&self) -> &[u32] {
        &self.samples
    }

    /// The number of updates among the commands.
    pub fn updates(&self) -> usize {
        self.updates
    }

    /// The estimated load of all commands.
    pub fn seconds(&self) -> f64 {
        self.seconds
    }

    /// Whether there is room for a micro-batch of this many samples in this many slices, the closing and the update after it.
    pub fn has_room(&self, slices: usize, samples: usize, capacity: usize) -> bool {
        let slots = self.clocks.len() / SLOT as usize;
        self.updates < RESULTS && slots + slices + 3 <= CLOCKS && self.samples.len() + samples <= capacity
    }

    /// Appends a command with its estimated seconds and its clock; an update's scalars go one slot after the clock.
    pub fn push(&mut self, command: Command, seconds: f64, clock: Clock, scalars: Option<&[u8]>) {
        self.commands.push((command, self.clocks.len() as u32));
        let clock = Clock { kind: command.kind(), ..clock };
        for bytes in [Some(bytemuck::bytes_of(&clock)), scalars].into_iter().flatten() {
            let at = self.clocks.len();
            self.clocks.extend(bytes);
            self.clocks.resize(at + SLOT as usize, 0);
        }
        self.updates += usize::from(command == Command::Update);
        self.seconds += seconds;
    }

    /// Appends the samples of the micro-batch appended last.
    pub fn push_samples(&mut self, samples: &[u32]) {
        self.samples.extend(samples);
    }

    /// Whether all rows come from the data on the GPU.
    pub fn is_attached(&self) -> bool {
        self.commands.iter().all(|(command, _)| !matches!(command, Command::MicroStep { gather: false, .. }))
    }

    /// Cuts the list into runs of one dispatch each, of at most [`ITEMS`] slots, [`LOOP_LIMIT`] iterations of `loops` and
    /// `most` `seconds`. Writes into each run's first clock how many slots the run has; returns the offset of each run's
    /// first clock, and
    /// its rows.
    pub fn runs(&mut self, loops: LoopBound, most: f64, seconds: impl Fn(Command) -> f64) -> Vec<(u32, u32)> {
        let mut runs: Vec<(u32, u32)> = Vec::new();
        let (mut slots, mut turns, mut took) = (0, 0, 0.0);
        for &(command, at) in &self.commands {
            let rows = if let Command::MicroStep { rows, .. } = command { rows } else { 0 };
            slots += command.slots();
            turns += loops.of(rows as usize, Blocks::ROWS);
            took += seconds(command);
            if runs.is_empty() || slots > ITEMS as u32 || turns > LOOP_LIMIT || took > most {
                runs.push((at, 0));
                (slots, turns, took) = (command.slots(), loops.of(rows as usize, Blocks::ROWS), seconds(command));
            }
            if let Some((first, all)) = runs.last_mut() {
                *all += rows;
                let first = *first as usize + offset_of!(Clock, slots);
                self.clocks[first..first + 4].copy_from_slice(&slots.to_le_bytes());
            }
        }
        runs
    }

    /// Removes all commands.
    pub fn clear(&mut self) {
        self.commands.clear();
        self.clocks.clear();
        self.samples.clear();
        self.updates = 0;
        self.seconds = 0.0;
    }
}
