//! Data that stays on the GPU.

use super::Trainer;
use crate::data::Batch;
use crate::gpu::usage;
use crate::{Error, Result};

/// Bytes of the data that the host formats at once, unless one sample has more.
const PIECE: usize = 4 << 20;

impl Trainer {
    /// Waits for earlier work and puts a whole data set on the GPU, a few MiB at a time. [`Trainer::schedule`] then takes rows
    /// from it by number.
    ///
    /// # Errors
    /// [`Error::Memory`] when it does not fit one buffer or binding of the adapter, or there is none left for it;
    /// [`Error::DeviceLost`] after work was lost. Then no data is attached.
    pub fn attach(&mut self, batch: &Batch) -> Result<()> {
        self.ledger.alive()?;
        let rows = self.format.check(batch)?;
        // What is scheduled already takes its rows from the data that was there, which then makes room.
        self.submit()?;
        self.program.detach();
        self.data_rows = 0;
        let bytes = 4 * (self.format.record.stride * rows) as u64;
        let data = self.gpu().buffer("accrue.data", bytes, usage::STORAGE)?;
        let attached = self.upload(batch, rows, &data).and_then(|()| self.program.attach(&data, None));
        self.ledger.noticed(attached)?;
        self.data_rows = rows as u32;
        Ok(())
    }

    /// The records of all rows of a batch, piece by piece.
    fn upload(&self, batch: &Batch, rows: usize, data: &wgpu::Buffer) -> Result<()> {
        let stride = 4 * self.format.record.stride;
        let at_once = (PIECE / stride).max(1);
        let mut records = Vec::with_capacity(at_once.min(rows) * stride / 4);
        for first in (0..rows).step_by(at_once) {
            records.clear();
            self.format.write(batch, first..rows.min(first + at_once), &mut records);
            self.gpu().upload_at(data, (first * stride) as u64, bytemuck::cast_slice(&records))?;
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
