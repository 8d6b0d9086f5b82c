//! Buffers: creating, filling and reading them.

use std::hash::{BuildHasher, RandomState};
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};

use wgpu::BufferUsages;

use super::pending_map::{PendingMap, gone};
use super::queue::took_no_more;
use super::{Gpu, no_memory};
use crate::{Error, Result};

/// The usages of our buffers.
pub mod usage {
    use wgpu::BufferUsages;

    /// Read and written by kernels; source and target of copies.
    pub const STORAGE: BufferUsages = BufferUsages::STORAGE.union(BufferUsages::COPY_SRC).union(BufferUsages::COPY_DST);
    /// Small values for kernels, written by the host.
    pub const UNIFORM: BufferUsages = BufferUsages::UNIFORM.union(BufferUsages::COPY_DST);
    /// Written by the host; source of copies on the GPU.
    pub const UPLOAD: BufferUsages = BufferUsages::MAP_WRITE.union(BufferUsages::COPY_SRC);
    /// Target of copies on the GPU; read by the host.
    pub const READBACK: BufferUsages = BufferUsages::MAP_READ.union(BufferUsages::COPY_DST);
}

/// Most bytes in flight between host and device.
const PIECE: usize = 4 << 20;

/// Bytes that prove that a piece was copied.
const MARK: u64 = 8;

/// Numbers of which no memory holds one yet, however often memory is freed and reused: data that arrives with one is new. They
/// are scattered, so that two counts that start from them meet only by chance.
pub(crate) fn fresh() -> u64 {
    static SCATTER: LazyLock<RandomState> = LazyLock::new(RandomState::new);
    static COUNT: AtomicU64 = AtomicU64::new(0);
    SCATTER.hash_one(COUNT.fetch_add(1, Ordering::Relaxed))
}

impl Gpu {
    /// Makes a buffer filled with zeros.
    ///
    /// # Errors
    /// [`Error::Memory`] if it is larger than the device allows or the device has no memory left.
    pub fn buffer(&self, label: &str, bytes: u64, usage: BufferUsages) -> Result<wgpu::Buffer> {
        let most = self.inner.limits.max_buffer_size;
        if bytes > most {
            return Err(Error::Memory(format!(
                "{label} needs {bytes} bytes, but a buffer of this adapter holds {most} at most"
            )));
        }
        let descriptor = wgpu::BufferDescriptor { label: Some(label), size: bytes, usage, mapped_at_creation: false };
        self.counted(label, bytes, || self.inner.device.create_buffer(&descriptor))
    }

    /// Makes a buffer or a texture, and counts it.
    pub(super) fn counted<T>(&self, label: &str, bytes: u64, make: impl FnOnce() -> T) -> Result<T> {
        if self.fails_now() {
            return Err(no_memory(label));
        }
        let made = self.checked(label, make)?;
        self.inner.counters.buffers.fetch_add(1, Ordering::Relaxed);
        self.inner.counters.bytes.fetch_add(bytes, Ordering::Relaxed);
        Ok(made)
    }

    /// Copies `bytes` to the beginning of a buffer, after all earlier work, and waits until they are there. Staging memory
    /// takes
    /// at most 4 MiB.
    ///
    /// # Errors
    /// [`Error::DeviceLost`] if they do not arrive, [`Error::Memory`] if there is no memory for one of the pieces: earlier
    /// pieces may have arrived.
    pub fn upload(&self, buffer: &wgpu::Buffer, bytes: &[u8]) -> Result<()> {
        self.upload_at(buffer, 0, bytes)
    }

    /// As [`Gpu::upload`], from this offset of the buffer on.
    pub(crate) fn upload_at(&self, buffer: &wgpu::Buffer, offset: u64, bytes: &[u8]) -> Result<()> {
        let receipt = self.passing("an upload", MARK, usage::READBACK, false)?;
        for (at, piece) in bytes.chunks(PIECE).enumerate() {
            let (len, at) = (piece.len() as u64, (at * PIECE) as u64);
            // Each piece carries a number that proves its arrival.
            let number = fresh().to_le_bytes();
            let staging = self.filled("an upload", &[piece, &number])?;
            let mut encoder = self.encoder()?;
            encoder.copy_buffer_to_buffer(&staging, 0, buffer, offset + at, len);
            encoder.copy_buffer_to_buffer(&staging, len, &receipt, 0, MARK);
            if self.land(encoder, &receipt)? != number {
                return Err(Error::DeviceLost("data was handed over but never arrived".to_owned()));
            }
            self.inner.counters.written.fetch_add(len, Ordering::Relaxed);
        }
        Ok(())
    }

    /// A staging buffer that holds these bytes. The queue's own upload would do, but if that finds no memory, wgpu gives up the
    /// device.
    fn filled(&self, what: &str, parts: &[&[u8]]) -> Result<wgpu::Buffer> {
        let staging = self.passing(what, parts.iter().map(|part| part.len() as u64).sum(), usage::UPLOAD, true)?;
        let filled = self.checked(what, || {
            let mut view = staging.get_mapped_range_mut(..)?;
            let mut at = 0;
            for part in parts {
                view.slice(at..at + part.len()).copy_from_slice(part);
                at += part.len();
            }
            drop(view);
            staging.unmap();
            Ok::<(), wgpu::MapRangeError>(())
        })?;
        filled.map_err(|error| Error::DeviceLost(format!("memory for {what} is not there ({error})")))?;
        Ok(staging)
    }

    /// Fails if the device is lost. Asking this way submits nothing, which would take along earlier writes.
    pub(super) fn alive(&self) -> Result<()> {
        match self.filled("a few bytes", &[&[0; 4]]) {
            Err(Error::DeviceLost(_)) => Err(took_no_more()),
            filled => filled.map(drop),
        }
    }

    /// A buffer for one call, which is not counted.
    fn passing(&self, what: &str, bytes: u64, usage: BufferUsages, mapped: bool) -> Result<wgpu::Buffer> {
        let descriptor = wgpu::BufferDescriptor { label: Some(what), size: bytes, usage, mapped_at_creation: mapped };
        self.checked(what, || self.inner.device.create_buffer(&descriptor))
    }

    /// Writes `bytes` to a buffer with the next submission, whoever submits: for data that only that submission needs, and
    /// proves.
    ///
    /// # Errors
    /// [`Error::Memory`] if there is no memory for the data in flight; wgpu then gives up the device.
    pub(crate) fn write(&self, buffer: &wgpu::Buffer, offset: u64, bytes: &[u8]) -> Result<()> {
        self.inner.counters.written.fetch_add(bytes.len() as u64, Ordering::Relaxed);
        self.checked("data on its way", || self.inner.queue.write_buffer(buffer, offset, bytes))
    }

    /// Waits for all earlier work and returns the first `bytes` bytes of a buffer. They are copied piece by piece, which takes
    /// little memory however large the buffer is.
    ///
    /// # Errors
    /// [`Error::DeviceLost`] if they do not arrive.
    pub fn read(&self, buffer: &wgpu::Buffer, bytes: u64) -> Result<Vec<u8>> {
        self.read_after(self.encoder()?, buffer, bytes)
    }

    /// As [`Gpu::read`], after the work in this encoder; the first piece proves that it was done.
    pub(crate) fn read_after(
        &self,
        encoder: wgpu::CommandEncoder,
        buffer: &wgpu::Buffer,
        bytes: u64,
    ) -> Result<Vec<u8>> {
        let room = bytes.min(PIECE as u64).next_multiple_of(MARK);
        let staging = self.passing("reading back", room + MARK, usage::READBACK, false)?;
        let mut all = Vec::with_capacity(bytes as usize);
        let mut encoder = Some(encoder);
        while (all.len() as u64) < bytes {
            let at = all.len() as u64;
            let piece = (bytes - at).min(PIECE as u64);
            let number = fresh().to_le_bytes();
            let mark = self.filled("reading back", &[&number])?;
            let mut encoder = encoder.take().map_or_else(|| self.encoder(), Ok)?;
            encoder.copy_buffer_to_buffer(buffer, at, &staging, 0, piece);
            // A copy that was never made leaves another number, or the earlier content of that memory.
            encoder.copy_buffer_to_buffer(&mark, 0, &staging, room, MARK);
            let landed = self.land(encoder, &staging)?;
            if landed[room as usize..] != number {
                return Err(gone(&"it was never copied"));
            }
            all.extend_from_slice(&landed[..piece as usize]);
        }
        Ok(all)
    }

    /// Submits an encoder that copies to `staging`, waits, and returns the bytes.
    pub(crate) fn land(&self, encoder: wgpu::CommandEncoder, staging: &wgpu::Buffer) -> Result<Vec<u8>> {
        let submission = self.submit(self.finish(encoder)?)?;
        let pending = PendingMap::map(self, staging);
        let landed = self.wait(Some(&submission)).and_then(|()| {
            pending.wait(self.patience());
            pending.take(self, staging).unwrap_or_else(|| Err(gone(&"it did not arrive")))
        });
        if landed.is_err() {
            // A caller that tries again finds the buffer unmapped.
            let _ = self.scoped(|| staging.unmap());
        }
        landed
    }

    /// As [`Gpu::read`], as floats.
    ///
    /// # Errors
    /// As [`Gpu::read`].
    pub fn read_f32(&self, buffer: &wgpu::Buffer, count: usize) -> Result<Vec<f32>> {
        Ok(bytemuck::pod_collect_to_vec(&self.read(buffer, 4 * count as u64)?))
    }
}
