//! Rows that are not alive together share a buffer. A resource is alive from the first step that names it to the last.

use std::collections::HashMap;

use super::{BufferRole, Plan};
use crate::gpu::usage;
use crate::graph::{Graph, Resource, Tensor, TensorKind, pad4};

/// Walks the steps in order and gives each tensor a buffer that no tensor alive at the same time uses.
pub(super) fn share_rows(plan: &mut Plan, graph: &Graph) {
    let order: Vec<Vec<Resource>> = plan
        .micro_batch_steps(false)
        .into_iter()
        .map(|step| step.bindings.iter().map(|&(_, place)| place).filter(|&place| is_row(graph, place)).collect())
        .collect();
    let mut last: HashMap<Resource, usize> = HashMap::new();
    for (at, places) in order.iter().enumerate() {
        last.extend(places.iter().map(|&place| (place, at)));
    }
    // The output is read back after the forward steps.
    last.entry(Resource::Value(plan.output)).and_modify(|at| *at = (*at).max(plan.forward.len()));

    let mut slots: Vec<Shared> = Vec::new();
    let mut slot_of: HashMap<Resource, usize> = HashMap::new();
    for (at, places) in order.iter().enumerate() {
        for &place in places.iter().filter(|place| !slot_of.contains_key(place)).collect::<Vec<_>>() {
            let bytes = row_bytes(plan, graph, place);
            let free = (0..slots.len()).filter(|&slot| slots[slot].busy_until < at);
            // Of the free buffers: the one that has to grow least, then the one that wastes least.
            let best = free.min_by_key(|&slot| (bytes.saturating_sub(slots[slot].bytes), slots[slot].bytes));
            let slot = best.unwrap_or_else(|| {
                slots.push(Shared::default());
                slots.len() - 1
            });
            slots[slot].bytes = slots[slot].bytes.max(bytes);
            slots[slot].busy_until = last[&place];
            slots[slot].names.push(row_name(graph, place));
            slot_of.insert(place, slot);
        }
    }
    let first = plan.buffers.len();
    for slot in &slots {
        plan.add(&slot.names.join(", "), BufferRole::Activations, slot.bytes, usage::STORAGE);
    }
    for (place, slot) in slot_of {
        plan.put(place, first + slot);
    }
}

#[derive(Default)]
struct Shared {
    bytes: u64,
    busy_until: usize,
    names: Vec<String>,
}

fn is_row(graph: &Graph, resource: Resource) -> bool {
    match resource {
        Resource::Value(tensor) => is_made(graph, tensor),
        Resource::Gradient(tensor) => graph.info(tensor).kind == TensorKind::Intermediate,
        Resource::Saved(..) | Resource::Scratch(..) => true,
        _ => false,
    }
}

/// Whether a tensor's value has a buffer of its own among the rows.
fn is_made(graph: &Graph, tensor: Tensor) -> bool {
    match graph.info(tensor).kind {
        TensorKind::Intermediate => true,
        TensorKind::Input | TensorKind::Target => !graph.in_records(tensor),
        TensorKind::Parameter | TensorKind::Statistic => false,
    }
}

pub(super) fn row_bytes(plan: &Plan, graph: &Graph, resource: Resource) -> u64 {
    let maker = |tensor| graph.nodes().iter().find(|node| node.output == tensor);
    let (per_row, fixed) = match resource {
        Resource::Value(tensor) | Resource::Gradient(tensor) => (graph.shape(tensor).padded(), 0),
        Resource::Saved(tensor, k) => {
            let saved = maker(tensor).map(|node| node.op.saved(&graph.shapes(node))).unwrap_or_default();
            (saved.get(usize::from(k)).copied().unwrap_or(0), 0)
        }
        Resource::Scratch(tensor, k) => {
            let scratch = maker(tensor).map(|node| node.op.scratch(&graph.shapes(node))).unwrap_or_default();
            scratch.get(usize::from(k)).map_or((0, 0), |piece| (piece.per_row, piece.fixed))
        }
        _ => (0, 0),
    };
    // Kernels work on four rows at a time.
    4 * (fixed + per_row * pad4(plan.micro_batch)).next_multiple_of(4) as u64
}

fn row_name(graph: &Graph, resource: Resource) -> String {
    let name = |tensor: Tensor| graph.info(tensor).name.clone();
    match resource {
        Resource::Gradient(tensor) => format!("d {}", name(tensor)),
        Resource::Saved(tensor, _) => format!("saved of {}", name(tensor)),
        Resource::Scratch(tensor, _) => format!("scratch of {}", name(tensor)),
        Resource::Value(tensor) => name(tensor),
        _ => String::new(),
    }
}
