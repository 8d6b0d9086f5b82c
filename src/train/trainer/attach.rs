//! Data that stays on the GPU.

use super::Trainer;
use crate::data::Batch;
use crate::gpu::usage;
use crate::graph::Packing;
use crate::train::format::{pack, packing};
use crate::{Error, Result};

/// Bytes of the data that the host formats at once, unless one sample has more.
const PIECE: usize = 4 << 20;

impl Trainer {
    /// Waits for earlier work and puts a whole data set on the GPU, a few MiB at a time; whole numbers keep their own type.
    /// [`Trainer::schedule`] then takes rows by number.
    ///
    /// # Errors
    /// [`Error::Memory`] if the data does not fit one buffer or binding of the adapter, or if there is no memory left;
    /// [`Error::DeviceLost`] after work was lost. Then no data is attached.
    pub fn attach(&mut self, batch: &Batch) -> Result<()> {
        self.ledger.alive()?;
        let rows = self.format.check(batch)?;
        // Work already scheduled uses the earlier data, which then makes room.
        self.submit()?;
        self.program.detach();
        self.data_rows = 0;
        let (packing, record) = (packing(batch), &self.format.record);
        let words = packing.map_or(rows * record.stride, |packing| packing.words(record, rows));
        let data = self.gpu().buffer("accrue.data", 4 * words as u64, usage::STORAGE)?;
        let uploaded = match packing {
            None => self.upload(rows, record.stride, &data, |rows, into| self.format.write(batch, rows, into)),
            Some(packing @ Packing::Rows { .. }) => {
                let each = packing.words(record, 1);
                self.upload(rows, each, &data, |rows, into| self.format.pack(batch, packing, rows, into))
            }
            Some(Packing::Line { bits, tokens, .. }) => self.upload(words, 1, &data, |words, into| {
                let numbers = words.start * (32 / bits)..(words.end * (32 / bits)).min(tokens);
                let begin = into.len();
                into.resize(begin + words.len(), 0);
                pack(batch.features.range(numbers), bits, &mut into[begin..]);
            }),
        };
        let attached = uploaded.and_then(|()| self.program.attach(&data, packing));
        self.ledger.noticed(attached)?;
        self.data_rows = rows as u32;
        Ok(())
    }

    /// All rows of a batch, or words of a line, each so many words, piece by piece as `write` makes them.
    fn upload<T: bytemuck::NoUninit>(
        &self,
        rows: usize,
        words: usize,
        data: &wgpu::Buffer,
        write: impl Fn(std::ops::Range<usize>, &mut Vec<T>),
    ) -> Result<()> {
        let at_once = (PIECE / (4 * words)).max(1);
        let mut piece = Vec::with_capacity(at_once.min(rows) * words);
        for first in (0..rows).step_by(at_once) {
            piece.clear();
            write(first..rows.min(first + at_once), &mut piece);
            self.gpu().upload_at(data, 4 * (first * words) as u64, bytemuck::cast_slice(&piece))?;
        }
        Ok(())
    }

    /// Puts the data on the GPU, unless it is to be streamed or does not fit.
    pub(in crate::train) fn keep(&mut self, data: &Batch) -> Result<bool> {
        if self.stream {
            return Ok(false);
        }
        match self.attach(data) {
            Ok(()) => Ok(true),
            Err(Error::Memory(message)) => {
                log::warn!("{message}; the data is streamed from the host's memory instead");
                Ok(false)
            }
            Err(error) => Err(error),
        }
    }
}
