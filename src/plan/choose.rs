//! How many rows the GPU holds at once, from the memory that it may take. Pure arithmetic: nothing is allocated.

use super::{BLOCK, Plan, size};
use crate::{Error, Result};

/// Memory that a training may take on the GPU.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Budget {
    /// Bytes.
    pub bytes: u64,
    /// Where the number comes from, in words.
    pub why: String,
}

impl Budget {
    /// What a user wrote.
    pub fn given(bytes: u64) -> Budget {
        Budget { bytes, why: "train.memory".to_owned() }
    }

    /// What an adapter can be trusted with. `wgpu` does not say how much memory an adapter has: half of its largest
    /// buffer, and at most 2 GiB on a card of its own, 1 GiB where the memory is the host's.
    pub fn of(info: &wgpu::AdapterInfo, limits: &wgpu::Limits) -> Budget {
        let most: u64 = if info.device_type == wgpu::DeviceType::DiscreteGpu { 2 << 30 } else { 1 << 30 };
        let half = limits.max_buffer_size / 2;
        let why =
            if half < most { "half of the adapter's largest buffer" } else { "what any adapter can be trusted with" };
        Budget { bytes: most.min(half), why: why.to_owned() }
    }
}

/// A choice of [`choose`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chosen {
    /// Rows at once.
    pub micro_batch: usize,
    /// Whether the micro-batches end inside blocks of rows, so that open blocks take memory.
    pub open_blocks: bool,
    /// Whether the training data stays on the GPU; else it is streamed.
    pub resident: bool,
    /// Bytes of the plan, and of the data where it stays on the GPU.
    pub bytes: u64,
    /// Why so many rows, in words.
    pub why: String,
}

/// Whether windows of `batch` rows, cut into micro-batches of `rows`, end one inside a block before they end.
pub fn opens_blocks(batch: usize, rows: usize) -> bool {
    rows < batch && !rows.is_multiple_of(BLOCK)
}

/// The most rows at once whose plan fits the budget and the adapter: the whole batch, or a multiple of [`BLOCK`], or fewer.
/// Data of `data` bytes stays on the GPU where it takes half of the budget at most. `plan` makes the plan for so many rows,
/// with open blocks or without.
///
/// # Errors
/// [`Error::Memory`] when not even one row fits: it names what is too large, and the smallest budget that would do.
pub fn choose(
    batch: usize,
    data: u64,
    budget: &Budget,
    limits: &wgpu::Limits,
    plan: impl Fn(usize, bool) -> Result<Plan>,
) -> Result<Chosen> {
    let check = |rows: usize, resident: bool| -> Result<Chosen> {
        let held = if resident { data } else { 0 };
        let open_blocks = opens_blocks(batch, rows);
        let plan = plan(rows, open_blocks)?;
        plan.fits(limits, budget.bytes.saturating_sub(held))?;
        Ok(Chosen { micro_batch: rows, open_blocks, resident, bytes: plan.bytes() + held, why: String::new() })
    };
    let largest = limits.max_storage_buffer_binding_size.min(limits.max_buffer_size);
    let resident = data <= largest && data <= budget.bytes / 2;
    let beside_data = if resident { most_rows(batch, |rows| check(rows, true).ok()) } else { None };
    let chosen = beside_data.or_else(|| most_rows(batch, |rows| check(rows, false).ok()));
    let chosen = chosen.ok_or_else(|| too_small(batch, budget, limits, plan))?;
    let why = if chosen.micro_batch == batch {
        "the whole batch fits".to_owned()
    } else {
        format!("the most that fit into {} ({})", size(budget.bytes), budget.why)
    };
    Ok(Chosen { why, ..chosen })
}

/// The whole batch, or the most whole blocks of rows, or else half a block, a quarter, … that `fit`.
fn most_rows(batch: usize, fit: impl Fn(usize) -> Option<Chosen>) -> Option<Chosen> {
    if let Some(whole) = fit(batch) {
        return Some(whole);
    }
    // Fewer rows never need more memory, so the blocks can be bisected.
    let (mut blocks, mut too_many) = (0, batch.div_ceil(BLOCK));
    while too_many - blocks > 1 {
        let middle = (blocks + too_many) / 2;
        if fit(middle * BLOCK).is_some() { blocks = middle } else { too_many = middle }
    }
    if blocks > 0 {
        return fit(blocks * BLOCK);
    }
    let halves = std::iter::successors(Some(BLOCK.min(batch) / 2), |rows| Some(rows / 2));
    halves.take_while(|&rows| rows > 0).find_map(fit)
}

/// Why one row does not fit, and what would do.
fn too_small(
    batch: usize,
    budget: &Budget,
    limits: &wgpu::Limits,
    plan: impl Fn(usize, bool) -> Result<Plan>,
) -> Error {
    let plan = match plan(1, opens_blocks(batch, 1)) {
        Ok(plan) => plan,
        Err(error) => return error,
    };
    if let Err(error) = plan.fits(limits, u64::MAX) {
        return error;
    }
    let largest = plan.buffers.iter().max_by_key(|buffer| buffer.bytes);
    let largest = largest.map_or(String::new(), |b| format!("; the largest part, {}, takes {}", b.name, b.bytes));
    Error::Memory(format!(
        "even one row at a time needs {needed} bytes on the GPU{largest}, but {} are allowed ({}); set train.memory = \
         \"{needed}\" or more",
        budget.bytes,
        budget.why,
        needed = plan.bytes(),
    ))
}

impl Plan {
    /// Whether every buffer fits the adapter, and all of them the budget.
    ///
    /// # Errors
    /// [`Error::Memory`] naming what is too large.
    pub fn fits(&self, limits: &wgpu::Limits, budget: u64) -> Result<()> {
        self.check_sizes(limits)?;
        match self.bytes() {
            bytes if bytes > budget => {
                Err(Error::Memory(format!("the plan needs {bytes} bytes, but {budget} are allowed")))
            }
            _ => Ok(()),
        }
    }
}
