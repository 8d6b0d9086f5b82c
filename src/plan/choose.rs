//! How many rows the GPU holds at once, from the memory allowed. Pure arithmetic: nothing is allocated.

use super::{BLOCK, Plan, Reads, size};
use crate::graph::least_common_multiple;
use crate::{Error, Result};

/// GPU memory that a training may use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Budget {
    /// Bytes.
    pub bytes: u64,
    /// The source of the number, in words.
    pub why: String,
}

impl Budget {
    /// A budget given by the user.
    pub fn given(bytes: u64) -> Budget {
        Budget { bytes, why: "train.memory".to_owned() }
    }

    /// A safe budget for an adapter. `wgpu` does not report an adapter's memory: half of its largest
    /// buffer, and at most 2 GiB on a card of its own, 1 GiB where the memory is the host's.
    pub fn of(info: &wgpu::AdapterInfo, limits: &wgpu::Limits) -> Budget {
        let most: u64 = if info.device_type == wgpu::DeviceType::DiscreteGpu { 2 << 30 } else { 1 << 30 };
        let half = limits.max_buffer_size / 2;
        let why =
            if half < most { "half of the adapter's largest buffer" } else { "what any adapter can be trusted with" };
        Budget { bytes: most.min(half), why: why.to_owned() }
    }
}

/// The result of [`choose`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chosen {
    /// Rows at once.
    pub micro_batch: usize,
    /// Whether micro-batches end inside blocks of rows, which takes memory for open blocks.
    pub open_blocks: bool,
    /// Whether kernels may read copies in textures, on adapters where that is faster: there is room for them.
    pub copies: bool,
    /// Whether the training data stays on the GPU; otherwise it is streamed.
    pub resident: bool,
    /// Bytes of the training data on the GPU; 0 if it is streamed.
    pub data: u64,
    /// Bytes of the plan, and of the data if it stays on the GPU.
    pub bytes: u64,
    /// The reason for this number of rows, in words.
    pub why: String,
}

/// Whether windows of `batch` rows, cut into micro-batches of `rows`, have a cut inside a block.
pub fn needs_open_blocks(batch: usize, rows: usize) -> bool {
    rows < batch && !rows.is_multiple_of(BLOCK)
}

/// Rows that end both blocks and groups of this many rows.
pub fn blocks_of_groups(group: usize) -> usize {
    least_common_multiple(BLOCK, group)
}

/// The most rows at once whose plan fits the budget and the adapter: the whole batch, or a multiple of [`BLOCK`], or fewer
/// than one [`BLOCK`]; where ops look at groups of rows, a multiple of these too. Data of `data` bytes stays on the GPU if it takes at most half of the budget and leaves room for a block
/// of rows. `plan` makes the plan for this many rows, with open blocks or without.
///
/// # Errors
/// [`Error::Memory`] if not even one row fits; it names the largest buffer, and the smallest sufficient budget.
pub fn choose(
    batch: usize,
    data: u64,
    budget: &Budget,
    limits: &wgpu::Limits,
    plan: impl Fn(usize, bool) -> Result<Plan>,
) -> Result<Chosen> {
    let largest = limits.max_storage_buffer_binding_size.min(limits.max_buffer_size);
    let group = plan(1, true).map_or(1, |plan| plan.group);
    if data <= largest && data <= budget.bytes / 2 {
        let chosen = most_rows((batch, group), budget, data, limits, &plan);
        if let Some(chosen) = chosen.filter(|chosen| chosen.micro_batch >= BLOCK.min(batch)) {
            return Ok(Chosen { resident: true, ..chosen });
        }
    }
    most_rows((batch, group), budget, 0, limits, &plan).ok_or_else(|| too_small((batch, group), budget, limits, &plan))
}

/// The most rows that fit beside `data` bytes of data.
fn most_rows(
    (batch, group): (usize, usize),
    budget: &Budget,
    data: u64,
    limits: &wgpu::Limits,
    plan: &impl Fn(usize, bool) -> Result<Plan>,
) -> Option<Chosen> {
    let check = |rows: usize| -> Option<Chosen> {
        let open_blocks = needs_open_blocks(batch, rows);
        let plan = plan(rows, open_blocks).ok()?;
        plan.fits(limits, budget.bytes - data).ok()?;
        let why = format!("the most that fit into {} ({})", size(budget.bytes), budget.why);
        Some(Chosen {
            micro_batch: rows,
            open_blocks,
            copies: plan.reads != Reads::Buffers,
            resident: false,
            data,
            bytes: plan.bytes() + data,
            why,
        })
    };
    if let Some(chosen) = check(batch) {
        return Some(Chosen { why: "the whole batch fits".to_owned(), ..chosen });
    }
    // Whole blocks: bisect for the most that fit. Fewer blocks never need more memory.
    let unit = blocks_of_groups(group);
    let (mut fit, mut too_many) = (0, batch.div_ceil(unit));
    while too_many - fit > 1 {
        let middle = (fit + too_many) / 2;
        if check(middle * unit).is_some() { fit = middle } else { too_many = middle }
    }
    if fit == 0 {
        return (1..unit.min(batch)).rev().filter(|rows| rows.is_multiple_of(group)).find_map(check);
    }
    let chosen = check(fit * unit)?;
    let more = batch.min((fit + 1) * unit);
    match plan(more, needs_open_blocks(batch, more)).and_then(|plan| plan.check_sizes(limits)) {
        Ok(()) => Some(chosen),
        Err(_) => Some(Chosen { why: "the most that the adapter takes at once".to_owned(), ..chosen }),
    }
}

/// The error if nothing fits: the cause, and the smallest sufficient budget.
fn too_small(
    (batch, group): (usize, usize),
    budget: &Budget,
    limits: &wgpu::Limits,
    plan: &impl Fn(usize, bool) -> Result<Plan>,
) -> Error {
    // One row needs an open block of gradients, a whole block of rows does not: either plan may be the smaller one.
    let mut smallest: Option<(Plan, usize)> = None;
    let least = group.min(batch);
    for rows in [least, blocks_of_groups(group).min(batch), batch] {
        let plan = match plan(rows, needs_open_blocks(batch, rows)) {
            Ok(plan) => plan,
            Err(error) if rows == least => return error,
            Err(_) => continue,
        };
        match plan.check_sizes(limits) {
            Err(error) if rows == least => return error,
            Err(_) => {}
            Ok(()) if smallest.as_ref().is_some_and(|(least, _)| least.bytes() <= plan.bytes()) => {}
            Ok(()) => smallest = Some((plan, rows)),
        }
    }
    let Some((plan, rows)) = smallest else { return Error::Internal("a plan of one row has a size".to_owned()) };
    let largest = plan.buffers.iter().max_by_key(|buffer| buffer.bytes);
    let largest =
        largest.map_or(String::new(), |b| format!(", {} of them for {} ({})", b.bytes, b.role.name(), b.name));
    Error::Memory(format!(
        "even {} at a time need{} {} bytes on the GPU{largest}, but {} are allowed ({}); set train.memory = \"{}B\" or more",
        if rows == 1 { "one row".to_owned() } else { format!("{rows} rows") },
        if rows == 1 { "s" } else { "" },
        plan.bytes(),
        budget.bytes,
        budget.why,
        plan.bytes(),
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
