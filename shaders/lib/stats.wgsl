// The sums of the open window, and the results of the last windows for the host to read.

struct Result {
    sum: vec2<f32>,   // Σ weight · loss, Σ weight
    update: u32,      // the update that the window ended with: the GPU came this far
    made: u32,        // 1: the parameters were updated; 0: they were left alone, for lack of weight or of a finite loss
}

struct Stats {
    sum: vec2<f32>,        // Σ weight · loss, Σ weight over the closed blocks
    open_sum: vec2<f32>,   // the same of the open block
    corrections: array<vec2<f32>, 2>,  // Adam's 1 - βᵗ for both β; the one at made % 2 belongs to the last update
    made: u32,             // updates made before this window; one that was left out is none
    stopped: u32,          // 1: a window was not finite, and those after it make no updates
    scale: f32,            // what clipping by norm multiplies the window's gradient with
    due: u32,              // 1: the last window's update was made, and is not counted in `made` yet
    results: array<Result>,
}

// Tested on the exponent bits, because a compiler may assume that x == x.
fn finite(x: f32) -> bool { return (bitcast<u32>(x) & 0x7f800000u) != 0x7f800000u; }

// Whether the window that has been summed gives an update: its loss is finite and it has weight.
fn updates(sum: vec2<f32>) -> bool { return stats.stopped == 0u && finite(sum.x) && finite(sum.y) && sum.y > 0.0; }

// Leaves the window's result for the host, and counts the update if it is made.
fn report() {
    let made = select(0u, 1u, updates(stats.sum));
    stats.due = made;
    stats.results[now.slot] = Result(stats.sum, now.update, made);
}
