//! What the next submission will do: micro-batches and updates, each with the clock that its kernels read.

use bytemuck::{Pod, Zeroable};

use crate::gpu::SLOT;
use crate::plan::{CLOCKS, RESULTS};

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

    /// Whether a micro-batch of so many samples, and the closing and the update after it, still have room.
    pub fn has_room(&self, samples: usize, capacity: usize) -> bool {
        let slots = self.clocks.len() / SLOT as usize;
        self.updates < RESULTS && slots + 4 <= CLOCKS && self.samples.len() + samples <= capacity
    }

    /// Appends an item with its clock, and an update's scalars one slot after it.
    pub fn push(&mut self, item: Item, clock: Clock, scalars: Option<&[u8]>) {
        self.items.push((item, self.clocks.len() as u32));
        for bytes in [Some(bytemuck::bytes_of(&clock)), scalars].into_iter().flatten() {
            let at = self.clocks.len();
            self.clocks.extend(bytes);
            self.clocks.resize(at + SLOT as usize, 0);
        }
        self.updates += usize::from(item == Item::Update);
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        self.items.clear();
        self.clocks.clear();
        self.samples.clear();
        self.updates = 0;
    }
}
