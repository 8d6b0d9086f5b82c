//! What the next submission will do: micro-batches and updates, each with the clock that its kernels read.

use std::mem::offset_of;

use bytemuck::{Pod, Zeroable};

use crate::gpu::SLOT;
use crate::graph::{Blocks, LoopBound};
use crate::plan::{CLOCKS, ITEMS, LOOP_LIMIT, RESULTS};

/// `Clock` in `shaders/lib/clock.wgsl`.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Pod, Zeroable)]
pub struct Clock {
    /// Rows in this micro-batch.
    pub rows: u32,
    /// The row of the window that it starts with.
    pub row0: u32,
    /// 1: it starts the window.
    pub first: u32,
    /// 1: it ends the window.
    pub last: u32,
    /// Where its rows start in the list of samples.
    pub index0: u32,
    /// The update that the window ends with, counted from 1.
    pub update: u32,
    /// Where the window's result goes.
    pub slot: u32,
    /// 1: after a window that was not finite no update is made.
    pub hold: u32,
    /// 1: its rows are taken from the data by `index0`; 0: they are the records.
    pub gather: u32,
    /// What is to be done: [`Item::kind`].
    pub kind: u32,
    /// Slots of the list that this one begins.
    pub slots: u32,
    /// Its number among micro-batches and updates, which goes on by one from where the trainer began.
    pub sequence: u32,
}

/// One thing to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Item {
    /// Forward and backward on so many rows.
    MicroStep {
        /// Rows.
        rows: u32,
        /// Whether they are gathered from the data on the GPU, or stand in the records already.
        gather: bool,
    },
    /// Closes an open block.
    Close,
    /// New parameters from the window's gradient.
    Update,
}

/// The things to do in one submission, in order.
#[derive(Default)]
pub struct Work {
    /// What, and the byte at which its clock lies.
    pub items: Vec<(Item, u32)>,
    /// Clocks and scalars, [`SLOT`] bytes each.
    pub clocks: Vec<u8>,
    /// The samples of all micro-batches.
    pub samples: Vec<u32>,
    /// Updates among the items.
    pub updates: usize,
    /// What all of it takes, by estimate.
    pub seconds: f64,
}

impl Item {
    /// `kind` of the clock.
    fn kind(self) -> u32 {
        match self {
            Item::MicroStep { .. } => 1,
            Item::Close => 2,
            Item::Update => 3,
        }
    }

    /// Slots that it takes: an update's scalars lie in one of their own.
    fn slots(self) -> u32 {
        if self == Item::Update { 2 } else { 1 }
    }
}

impl Work {
    /// Whether nothing is to be done.
    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// Micro-batches and updates.
    pub fn len(&self) -> usize {
        self.items.len()
    }

    /// Whether a micro-batch of so many samples in so many slices, and the closing and the update after it, still have room.
    pub fn has_room(&self, slices: usize, samples: usize, capacity: usize) -> bool {
        let slots = self.clocks.len() / SLOT as usize;
        self.updates < RESULTS && slots + slices + 3 <= CLOCKS && self.samples.len() + samples <= capacity
    }

    /// Appends an item with its clock, and an update's scalars one slot after it.
    pub fn push(&mut self, item: Item, clock: Clock, scalars: Option<&[u8]>) {
        self.items.push((item, self.clocks.len() as u32));
        let clock = Clock { kind: item.kind(), ..clock };
        for bytes in [Some(bytemuck::bytes_of(&clock)), scalars].into_iter().flatten() {
            let at = self.clocks.len();
            self.clocks.extend(bytes);
            self.clocks.resize(at + SLOT as usize, 0);
        }
        self.updates += usize::from(item == Item::Update);
    }

    /// Whether all rows come from the data on the GPU.
    pub fn is_attached(&self) -> bool {
        self.items.iter().all(|(item, _)| !matches!(item, Item::MicroStep { gather: false, .. }))
    }

    /// Cuts the list into runs for one dispatch each, of at most [`ITEMS`] slots, [`LOOP_LIMIT`] turns of their `loops` and `most`
    /// of their `seconds`; tells the first clock of each how many it begins, and returns the byte at which each begins, and
    /// its rows.
    pub fn runs(&mut self, loops: LoopBound, most: f64, seconds: impl Fn(Item) -> f64) -> Vec<(u32, u32)> {
        let mut runs: Vec<(u32, u32)> = Vec::new();
        let (mut slots, mut turns, mut took) = (0, 0, 0.0);
        for &(item, at) in &self.items {
            let rows = if let Item::MicroStep { rows, .. } = item { rows } else { 0 };
            slots += item.slots();
            turns += loops.of(rows as usize, Blocks::ROWS);
            took += seconds(item);
            if runs.is_empty() || slots > ITEMS as u32 || turns > LOOP_LIMIT || took > most {
                runs.push((at, 0));
                (slots, turns, took) = (item.slots(), loops.of(rows as usize, Blocks::ROWS), seconds(item));
            }
            if let Some((first, all)) = runs.last_mut() {
                *all += rows;
                let first = *first as usize + offset_of!(Clock, slots);
                self.clocks[first..first + 4].copy_from_slice(&slots.to_le_bytes());
            }
        }
        runs
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        self.items.clear();
        self.clocks.clear();
        self.samples.clear();
        self.updates = 0;
        self.seconds = 0.0;
    }
}

#[cfg(test)]
mod tests {
    use std::mem::{offset_of, size_of};

    use super::Clock;
    use crate::plan::SHADERS;

    #[test]
    fn the_clock_is_the_same_struct_in_rust_and_in_wgsl() {
        // A new field is a compile error here until it is listed.
        let Clock { rows: _, row0: _, first: _, last: _, index0: _, update: _, slot: _, hold: _, gather: _, .. } =
            Clock::default();
        let ours = [
            ("rows", offset_of!(Clock, rows)),
            ("row0", offset_of!(Clock, row0)),
            ("first", offset_of!(Clock, first)),
            ("last", offset_of!(Clock, last)),
            ("index0", offset_of!(Clock, index0)),
            ("update", offset_of!(Clock, update)),
            ("slot", offset_of!(Clock, slot)),
            ("hold", offset_of!(Clock, hold)),
            ("gather", offset_of!(Clock, gather)),
            ("kind", offset_of!(Clock, kind)),
            ("slots", offset_of!(Clock, slots)),
            ("sequence", offset_of!(Clock, sequence)),
        ];
        for shader in SHADERS {
            let module = shader.reflect().unwrap().module;
            let (_, clock) = module.types.iter().find(|(_, ty)| ty.name.as_deref() == Some("Clock")).unwrap();
            let naga::TypeInner::Struct { members, span } = &clock.inner else { panic!("Clock is no struct") };
            let theirs: Vec<_> =
                members.iter().map(|m| (m.name.as_deref().unwrap_or_default(), m.offset as usize)).collect();
            assert_eq!(theirs, ours, "{}", shader.name);
            assert!(members.iter().all(|m| module.types[m.ty].inner == naga::TypeInner::Scalar(naga::Scalar::U32)));
            assert_eq!(*span as usize, size_of::<Clock>(), "{}", shader.name);
        }
    }
}
