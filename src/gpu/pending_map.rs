//! Data in flight to the host: whether it arrived, and rings of staging buffers for results that arrive while the GPU works on.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use super::Gpu;
use crate::{Error, Result};

pub(super) fn gone(why: &dyn fmt::Display) -> Error {
    Error::DeviceLost(format!("a buffer could not be read back ({why})"))
}

/// A buffer in flight to the host, and whether it arrived, as soon as that is known.
pub(super) struct PendingMap(Arc<(Mutex<Option<bool>>, Condvar)>);

/// What a callback reports. If a callback panics, perhaps a host's, wgpu drops those after it without calling them: then the
/// buffer is mapped all the same, or whoever takes it finds that it is not.
struct Word(Arc<(Mutex<Option<bool>>, Condvar)>);

impl Word {
    fn tell(&self, came: bool) {
        let (arrived, told) = &*self.0;
        arrived.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).get_or_insert(came);
        told.notify_all();
    }
}

impl Drop for Word {
    fn drop(&mut self) {
        self.tell(true);
    }
}

impl PendingMap {
    /// Requests mapping of a staging buffer once the work that fills it is done.
    pub fn map(gpu: &Gpu, staging: &wgpu::Buffer) -> PendingMap {
        let state = Arc::new((Mutex::new(None), Condvar::new()));
        let word = Word(state.clone());
        // Both callbacks are told of a failure, and `take` sees it.
        let _ = gpu.scoped(|| staging.map_async(wgpu::MapMode::Read, .., move |result| word.tell(result.is_ok())));
        PendingMap(state)
    }

    /// Call this when the work is done. Whoever polls the device runs the callbacks: if another thread does, ours may find
    /// the work done before that thread has run the callback.
    pub fn wait(&self, patience: Duration) {
        let (arrived, told) = &*self.0;
        let arrived = arrived.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        // `take` sees whether it arrived.
        drop(told.wait_timeout_while(arrived, patience, |arrived| arrived.is_none()));
    }

    /// The bytes that arrived; the buffer is then free again. `None` while it is still in flight.
    pub fn take(&self, gpu: &Gpu, staging: &wgpu::Buffer) -> Option<Result<Vec<u8>>> {
        let arrived = *self.0.0.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        if !arrived? {
            return Some(Err(gone(&"the device is gone")));
        }
        let bytes = match staging.get_mapped_range(..) {
            Ok(view) => view.to_vec(),
            Err(error) => return Some(Err(gone(&error))),
        };
        Some(gpu.checked("reading back", || staging.unmap()).map(|()| bytes))
    }
}

/// Staging buffers that bring small results back while the GPU works on: one submission in flight per buffer.
pub struct ReadbackRing<Tag> {
    gpu: Gpu,
    staging: Vec<wgpu::Buffer>,
    flights: VecDeque<Flight<Tag>>,
    next: usize,
    bytes: u64,
}

struct Flight<Tag> {
    staging: usize,
    map: PendingMap,
    submission: Option<wgpu::SubmissionIndex>,
    tag: Tag,
}

impl<Tag: Copy> ReadbackRing<Tag> {
    /// Brings back `bytes` bytes at a time in these staging buffers.
    pub fn new(gpu: &Gpu, staging: Vec<wgpu::Buffer>, bytes: u64) -> ReadbackRing<Tag> {
        ReadbackRing { gpu: gpu.clone(), staging, flights: VecDeque::new(), next: 0, bytes }
    }

    /// Whether every staging buffer is in flight: then [`ReadbackRing::receive`] must come before [`ReadbackRing::copy`].
    pub fn full(&self) -> bool {
        self.flights.len() == self.staging.len()
    }

    /// Encodes the copy out of `source`. After its submission, call [`ReadbackRing::sent`].
    pub fn copy(&self, encoder: &mut wgpu::CommandEncoder, source: &wgpu::Buffer) {
        encoder.copy_buffer_to_buffer(source, 0, &self.staging[self.next], 0, self.bytes);
    }

    /// Starts bringing back the copy submitted last. `tag` comes back with it.
    pub fn sent(&mut self, submission: Option<wgpu::SubmissionIndex>, tag: Tag) {
        let map = PendingMap::map(&self.gpu, &self.staging[self.next]);
        self.flights.push_back(Flight { staging: self.next, map, submission, tag });
        self.next = (self.next + 1) % self.staging.len();
    }

    /// The oldest result, if it has arrived; with `wait`, waits for it. `None` if nothing is in flight or nothing has arrived.
    pub fn receive(&mut self, wait: bool) -> Result<Option<(Tag, Vec<u8>)>> {
        let gpu = &self.gpu;
        let Some(flight) = self.flights.front() else { return Ok(None) };
        let staging = &self.staging[flight.staging];
        gpu.poll()?;
        let mut taken = flight.map.take(gpu, staging);
        if taken.is_none() && wait {
            gpu.wait(flight.submission.as_ref())?;
            flight.map.wait(gpu.patience());
            taken = flight.map.take(gpu, staging);
            if taken.is_none() {
                return Err(Error::DeviceLost("results of finished work did not arrive".to_owned()));
            }
        }
        let Some(bytes) = taken else { return Ok(None) };
        let tag = flight.tag;
        self.flights.pop_front();
        Ok(Some((tag, bytes?)))
    }
}
