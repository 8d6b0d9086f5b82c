//! Submits work to the queue and waits for it: never for ever, and not for a lost device.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::{Gpu, counted_down};
use crate::{Error, Result};

/// A longer wait for submitted work means that the device is gone: no driver lets a GPU work for so long.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// The same for a driver that computes on the CPU. It has no watchdog, may be a thousand times slower and share its cores.
const PATIENCE_WITH_A_CPU: Duration = Duration::from_secs(900);

/// The initial patience with an adapter of this kind.
pub(super) fn patience_with(kind: wgpu::DeviceType) -> Duration {
    if kind == wgpu::DeviceType::Cpu { PATIENCE_WITH_A_CPU } else { PATIENCE }
}

/// The error for work that a lost device did not take.
pub(super) fn took_no_more() -> Error {
    Error::DeviceLost("the device is lost: it took no more work".to_owned())
}

/// Whether a panic is one of wgpu's that Accrue catches while it waits: the device is lost, or two threads asked at once
/// whether work was done.
///
/// A panic hook still runs first. A hook that prints or counts panics can call this for a panic on a thread that calls Accrue,
/// with its [`payload`](std::panic::PanicHookInfo::payload); a host's own call of `poll` may panic the same way, which nobody
/// catches. With `panic = "abort"` nothing can be caught.
pub fn is_caught_panic(payload: &(dyn Any + Send)) -> bool {
    is_lost_device(payload) || is_overtaken(payload)
}

fn says(payload: &(dyn Any + Send), begin: &str) -> bool {
    let text = payload.downcast_ref::<String>().map(String::as_str).or(payload.downcast_ref::<&str>().copied());
    text.is_some_and(|text| text.starts_with(begin))
}

fn is_lost_device(payload: &(dyn Any + Send)) -> bool {
    says(payload, "Error in Device::poll")
}

/// wgpu 30 found the work undone, and then the queue empty because another thread had polled in between
/// (<https://github.com/gfx-rs/wgpu/pull/9958>).
fn is_overtaken(payload: &(dyn Any + Send)) -> bool {
    says(payload, "If the queue is empty, the current submission index")
}

impl Gpu {
    /// Silently drops the commands of the `nth` submission from now on, counted from 1: for tests. What the host wrote before
    /// it still arrives.
    #[doc(hidden)]
    pub fn drop_submission(&self, nth: u64) {
        self.inner.dropping.store(nth, Ordering::Relaxed);
    }

    /// The longest wait for submitted work before the device counts as lost: a minute, and a quarter of an hour for a driver
    /// that computes on the CPU.
    pub fn patience(&self) -> Duration {
        Duration::from_millis(self.inner.patience.load(Ordering::Relaxed))
    }

    /// Sets the longest wait, in whole milliseconds. It must exceed everything that the queue may have to do first, including
    /// the host's own work.
    pub fn set_patience(&self, patience: Duration) {
        self.inner.patience.store(patience.as_millis() as u64, Ordering::Relaxed);
    }

    /// Makes an encoder of our own.
    pub(crate) fn encoder(&self) -> Result<wgpu::CommandEncoder> {
        let descriptor = wgpu::CommandEncoderDescriptor { label: Some("accrue") };
        self.checked("an encoder", || self.inner.device.create_command_encoder(&descriptor))
    }

    /// Finishes an encoder of our own. Here wgpu makes the driver's commands, and validates them.
    pub(crate) fn finish(&self, encoder: wgpu::CommandEncoder) -> Result<wgpu::CommandBuffer> {
        self.checked("commands", || encoder.finish())
    }

    /// Submits a command buffer: the only place that does.
    pub(crate) fn submit(&self, commands: wgpu::CommandBuffer) -> Result<wgpu::SubmissionIndex> {
        self.inner.counters.submits.fetch_add(1, Ordering::Relaxed);
        let dropped = counted_down(&self.inner.dropping);
        // Error scopes do not report a lost device; whoever waits for the submission is told. Another error may come from a
        // host's callback, which wgpu runs here, or from us: nobody can tell what was done.
        match self.checked("a submission", || self.inner.queue.submit((!dropped).then_some(commands))) {
            Err(Error::Internal(message)) => Err(Error::DeviceLost(message)),
            submitted => submitted,
        }
    }

    /// Waits until a submission, or else the latest one, is done and its callbacks have run.
    pub(crate) fn wait(&self, submission: Option<&wgpu::SubmissionIndex>) -> Result<()> {
        let patience = self.patience();
        if self.wait_for(submission, patience)? {
            return Ok(());
        }
        Err(Error::DeviceLost(format!("work was not done after {patience:?}")))
    }

    /// As [`Gpu::wait`], but at most for this time; returns whether it is done.
    pub(crate) fn wait_for(&self, submission: Option<&wgpu::SubmissionIndex>, time: Duration) -> Result<bool> {
        self.inner.counters.waits.fetch_add(1, Ordering::Relaxed);
        self.turn(wgpu::PollType::Wait { submission_index: submission.cloned(), timeout: Some(time) })
    }

    /// Runs callbacks of finished work, without waiting.
    pub(crate) fn poll(&self) -> Result<()> {
        self.turn(wgpu::PollType::Poll).map(drop)
    }

    /// Whether the device is known to be lost: then it does not even take an empty submission.
    pub(super) fn is_lost(&self) -> bool {
        let (nothing, _) = self.scoped(|| self.inner.queue.submit(None));
        let poll = wgpu::PollType::Wait { submission_index: Some(nothing), timeout: Some(Duration::ZERO) };
        self.turn(poll).is_err()
    }

    /// Polls, and returns whether the awaited work is done. wgpu has no value for a device that gets lost meanwhile: it panics,
    /// holding nothing. A panicking callback of the host is not ours to handle.
    fn turn(&self, poll: wgpu::PollType) -> Result<bool> {
        // On a second poll wgpu sees that the work is done. Whoever waits for a callback learns of its end (`PendingMap`).
        let mut again = 8;
        loop {
            match catch_unwind(AssertUnwindSafe(|| self.inner.device.poll(poll.clone()))) {
                Ok(Ok(_)) => return Ok(true),
                Ok(Err(wgpu::PollError::Timeout)) => return Ok(false),
                Ok(Err(wgpu::PollError::WrongSubmissionIndex(..))) => return Err(took_no_more()),
                Err(panic) if is_overtaken(&*panic) && again > 0 => again -= 1,
                Err(panic) if is_lost_device(&*panic) => {
                    return Err(Error::DeviceLost("the device is lost: it did not finish its work".to_owned()));
                }
                Err(panic) => resume_unwind(panic),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use crate::gpu::{Choice, Gpu, usage};

    /// wgpu 30 panics if a wait found the work undone, and the queue empty because another thread has just polled.
    #[test]
    fn threads_that_ask_whether_work_is_done_do_not_trip_over_each_other() {
        let gpu = Gpu::new(&Choice::default()).unwrap();
        let ask = || {
            let buffer = gpu.buffer("test", 1 << 16, usage::STORAGE).unwrap();
            for _ in 0..500 {
                let mut encoder = gpu.encoder().unwrap();
                encoder.clear_buffer(&buffer, 0, None);
                let submission = gpu.submit(gpu.finish(encoder).unwrap()).unwrap();
                while !gpu.wait_for(Some(&submission), Duration::ZERO).unwrap() {}
            }
        };
        std::thread::scope(|scope| (0..4).for_each(|_| drop(scope.spawn(ask))));
    }
}
