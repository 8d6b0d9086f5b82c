//! What is on its way to the host: whether it arrived, and rings of staging buffers for results that come while the GPU works on.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use super::Gpu;
use crate::{Error, Result};

pub(super) fn gone(why: &dyn fmt::Display) -> Error {
    Error::DeviceLost(format!("a buffer could not be read back ({why})"))
}

/// A buffer on its way to the host: whether it arrived, as soon as that is known.
pub(super) struct PendingMap(Arc<(Mutex<Option<bool>>, Condvar)>);

/// What a callback has to say of it. wgpu calls none of those after one that panics, a host's perhaps, but drops them: the
/// buffer is mapped then, or whoever takes it finds that it is not.
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
    /// Has a staging buffer mapped when the work that fills it is done.
    pub fn map(gpu: &Gpu, staging: &wgpu::Buffer) -> PendingMap {
        let state = Arc::new((Mutex::new(None), Condvar::new()));
        let word = Word(state.clone());
        // What is wrong is told to both, and seen by `take`.
        let _ = gpu.scoped(|| staging.map_async(wgpu::MapMode::Read, .., move |result| word.tell(result.is_ok())));
        PendingMap(state)
    }

    /// To be called when the work before it is done. Whoever polls the device runs the callbacks: if that is another
    /// thread, ours may find the work done while the other is still on its way to the callback.
    pub fn wait(&self, patience: Duration) {
        let (arrived, told) = &*self.0;
        let arrived = arrived.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        // Whether it arrived or not is seen by `take`.
        drop(told.wait_timeout_while(arrived, patience, |arrived| arrived.is_none()));
    }

    /// What arrived, and the buffer is free again; `None` while it is still on its way.
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

/// Staging buffers that carry small results back while the GPU works on: as many submissions as there are buffers may be
/// on their way at once.
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
    /// Carries `bytes` bytes at a time in these staging buffers.
    pub fn new(gpu: &Gpu, staging: Vec<wgpu::Buffer>, bytes: u64) -> ReadbackRing<Tag> {
        ReadbackRing { gpu: gpu.clone(), staging, flights: VecDeque::new(), next: 0, bytes }
    }

    /// Whether every staging buffer is on its way: then [`ReadbackRing::receive`] must come before [`ReadbackRing::copy`].
    pub fn full(&self) -> bool {
        self.flights.len() == self.staging.len()
    }

    /// Encodes the copy out of `source`. After its submission, [`ReadbackRing::sent`] must follow.
    pub fn copy(&self, encoder: &mut wgpu::CommandEncoder, source: &wgpu::Buffer) {
        encoder.copy_buffer_to_buffer(source, 0, &self.staging[self.next], 0, self.bytes);
    }

    /// Starts bringing the copy back that was submitted last. `tag` comes back with it.
    pub fn sent(&mut self, submission: Option<wgpu::SubmissionIndex>, tag: Tag) {
        let map = PendingMap::map(&self.gpu, &self.staging[self.next]);
        self.flights.push_back(Flight { staging: self.next, map, submission, tag });
        self.next = (self.next + 1) % self.staging.len();
    }

    /// The oldest result, if it has arrived; with `wait`, waits for it. `None` when nothing is on its way or has arrived.
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
