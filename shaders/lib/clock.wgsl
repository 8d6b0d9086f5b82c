// Where a dispatch stands in its window. Rows count from the start of the window; they are summed in blocks of BLOCK
// rows, each block one chain from +0, and the blocks are added in ascending order: however a window is cut into
// micro-batches, every sum is made of the same additions in the same order.

const BLOCK: u32 = 32u;

struct Clock {
    @align(16) rows: u32,    // rows in this micro-batch
    row0: u32,    // the row of the window that it starts with
    first: u32,   // 1: it starts the window, so sums are overwritten
    last: u32,    // 1: it ends the window, so an open block is closed
    index0: u32,  // where its rows start in the list of samples
    update: u32,  // the update that the window ends with, counted from 1
    slot: u32,    // where the window's result goes
    hold: u32,    // 1: after a window that was not finite no update is made
    gather: u32,  // 1: its rows are taken from the data by index0; 0: they are the records
    kind: u32,    // what is to be done: 1 a micro-batch, 2 closing an open block, 3 an update
    slots: u32,   // slots of the list that this one begins
    sequence: u32,    // its number among micro-batches and updates, from where the host began to count
}

// Uniforms that change are arrays of which element id.z, which is 0, is taken when a kernel begins: lavapipe compiles a
// shader anew for each value of a uniform that steers a loop or a branch, unless it cannot tell which one that is.
@group(0) @binding(1) var<uniform> clock: array<Clock, 2>;
var<private> now: Clock;

// Rows r … block_stop(r) - 1 of the micro-batch belong to one block.
fn block_stop(moment: Clock, r: u32) -> u32 {
    return min(moment.rows, r + BLOCK - (moment.row0 + r) % BLOCK);
}

// Whether the block that ends before row r of the micro-batch is whole; one that is not is handed on, open.
fn closed(moment: Clock, r: u32) -> bool {
    return (moment.row0 + r) % BLOCK == 0u || (moment.last == 1u && r == moment.rows);
}
