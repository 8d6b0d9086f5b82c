// The sums of the open window, the results of the last windows for the host, and whether a window may update.

struct Result {
    sum: vec2<f32>,   // Σ weight · loss, Σ weight
    update: u32,      // the update that the window ended with: the GPU came this far
    outcome: u32,     // what became of it: one of those below
}

const NO_WEIGHT: u32 = 0u;  // left out: the rows weigh nothing
const MADE: u32 = 1u;
const LOSS: u32 = 2u;       // left out: loss or weight are not finite
const GRADIENT: u32 = 3u;   // left out: the loss is finite, the gradient is not
const STOPPED: u32 = 4u;    // left out: a window before it stopped the training
const LOST: u32 = 5u;       // left out: work that came before it was never done

struct Stats {
    sum: vec2<f32>,        // Σ weight · loss, Σ weight over the closed blocks
    open_sum: vec2<f32>,   // the same of the open block
    corrections: array<vec2<f32>, 2>,  // Adam's 1 - βᵗ for both β; the one at made % 2 belongs to the last update
    made: u32,             // updates made before this window; one that was left out is none
    stopped: u32,          // 1: a window was not finite, and those after it make no updates
    scale: f32,            // what clipping by norm multiplies the window's gradient with
    due: u32,              // 1: the last window's update was made, and is not counted in `made` yet
    sequence: atomic<u32>,     // the number of the next micro-batch or update, if all before it were done
    unfit: atomic<u32>,    // 1: the window's gradient is not finite
    broken: atomic<u32>,   // the update that would have made a parameter or optimizer state infinite or NaN; 0: none
    marks: u32,            // submissions done that bring no results and end where no micro-batch does
    results: array<Result>,
}

// Tested on the exponent bits, because a compiler may assume that x == x.
fn finite(x: f32) -> bool { return (bitcast<u32>(x) & 0x7f800000u) != 0x7f800000u; }

// A vec4 whose exponents are all below this is finite; for several vec4, test the largest.
fn size4(v: vec4<f32>) -> vec4<u32> { return bitcast<vec4<u32>>(v) & vec4(0x7fffffffu); }
fn finite4(size: vec4<u32>) -> bool { return all(size < vec4(0x7f800000u)); }

// Records a gradient that is not finite; the next window begins without the mark.
fn watch(gradient: vec4<f32>) {
    if !finite4(size4(gradient)) { atomicStore(&stats.unfit, 1u); }
}

// Advances the sequence number by one, unless an earlier one is missing: then no later one ever fits.
fn advance_sequence(moment: Clock) {
    if atomicLoad(&stats.sequence) == moment.sequence { atomicStore(&stats.sequence, moment.sequence + 1u); }
}

// The outcome of the update that ends the window. While some invocations ask, another may have advanced to the update's own
// sequence number, or the update may have broken.
fn outcome() -> u32 {
    if atomicLoad(&stats.sequence) - now.sequence > 1u { return LOST; }
    let broken = atomicLoad(&stats.broken);
    if stats.stopped == 1u || (broken != 0u && broken != now.update) { return STOPPED; }
    if !finite(stats.sum.x) || !finite(stats.sum.y) { return LOSS; }
    if !(stats.sum.y > 0.0) { return NO_WEIGHT; }
    return select(MADE, GRADIENT, atomicLoad(&stats.unfit) != 0u);
}

// Writes the window's result for the host, and counts the update if it is made.
fn report() {
    let outcome = outcome();
    stats.due = select(0u, 1u, outcome == MADE);
    stats.results[now.slot] = Result(stats.sum, now.update, outcome);
    advance_sequence(now);
}
