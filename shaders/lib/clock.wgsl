// A dispatch's place in its window. A layer sees the rows of a micro-batch as lines: each position of a row (a pixel, a token)
// is a line; with one position per row, lines are rows. Lines are summed in blocks, each block one chain from +0, and block
// sums are added in ascending order: however a window is cut into micro-batches, every sum has the same additions in the
// same order. The positions alone decide which lines form a block:
//
//   1 position             BLOCK rows
//   2 to BLOCK - 1         BLOCK_ROWS whole rows, which are a divisor of BLOCK
//   BLOCK and more         BLOCK_LINES lines of one row, or what is left of it: never open where a micro-batch ends
//
// Rows count from the start of the window.

const BLOCK: u32 = 32u;

override POSITIONS: u32 = 1;            // lines of a row
override BLOCK_ROWS: u32 = BLOCK;       // rows that are cut into blocks together
override BLOCK_LINES: u32 = BLOCK;      // lines of a block; the last of such rows may have fewer

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

// Changing uniforms are arrays of which a kernel reads element id.z, which is 0: lavapipe compiles a shader anew for each
// value of a uniform that steers a loop or a branch, unless it cannot tell which element that is.
@group(0) @binding(1) var<uniform> clock: array<Clock, 2>;
var<private> now: Clock;

// Lines of the micro-batch.
fn lines(moment: Clock) -> u32 { return moment.rows * POSITIONS; }

// The place of line l of the micro-batch within its block group.
fn in_group(moment: Clock, l: u32) -> u32 {
    return (moment.row0 % BLOCK_ROWS * POSITIONS + l) % (BLOCK_ROWS * POSITIONS);
}

// Lines l … block_stop(l) - 1 of the micro-batch belong to one block.
fn block_stop(moment: Clock, l: u32) -> u32 {
    let at = in_group(moment, l);
    let end = min((at / BLOCK_LINES + 1u) * BLOCK_LINES, BLOCK_ROWS * POSITIONS);
    return min(lines(moment), l + end - at);
}

// Whether the block that ends before line l of the micro-batch is complete.
fn closed(moment: Clock, l: u32) -> bool {
    return in_group(moment, l) % BLOCK_LINES == 0u || (moment.last == 1u && l == lines(moment));
}

// Whether the micro-batch continues an open block, and whether it leaves one open itself. Layers whose blocks are shorter than
// BLOCK rows then leave +0 if none of their blocks is open.
fn resumes(moment: Clock) -> bool { return POSITIONS < BLOCK && moment.row0 % BLOCK != 0u; }
fn leaves_open(moment: Clock) -> bool {
    return POSITIONS < BLOCK && moment.last == 0u && (moment.row0 + moment.rows) % BLOCK != 0u;
}

// Where each invocation has a vec4 of a line, a workgroup of 256 has ACROSS of them side by side, a power of two: with few columns
// it takes more lines, so that no lane is idle. x is the vec4, y the line.
override ACROSS: u32 = 8u;

fn place_of(group: vec3<u32>, index: u32) -> vec3<u32> {
    return vec3(group.x * ACROSS + index % ACROSS, group.y * (256u / ACROSS) + index / ACROSS, group.z);
}
