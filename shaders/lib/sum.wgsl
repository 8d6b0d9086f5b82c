// stats.sum (+)= Σ_l line_term(l): (weight · loss, weight) of a window's lines, l in blocks, ascending. One workgroup computes
// it, each lane a block. The file that joins this one gives line_term(l), the (loss, weight) of a line, and settle(), in which
// the workgroup waits for all its memory.

const PIECES: u32 = 64u;
var<workgroup> pieces: array<vec2<f32>, PIECES>;

// Blocks of a block group, and how many of them end before the micro-batch begins.
fn blocks_of_group() -> u32 { return (BLOCK_ROWS * POSITIONS + BLOCK_LINES - 1u) / BLOCK_LINES; }
fn blocks_before(moment: Clock) -> u32 { return in_group(moment, 0u) / BLOCK_LINES; }

// Blocks that the micro-batch touches.
fn block_count(moment: Clock) -> u32 {
    let group = BLOCK_ROWS * POSITIONS;
    let last = in_group(moment, 0u) + lines(moment) - 1u;
    return last / group * blocks_of_group() + last % group / BLOCK_LINES + 1u - blocks_before(moment);
}

// The line of the micro-batch before which its k-th block ends.
fn end_of(moment: Clock, k: u32) -> u32 {
    let block = blocks_before(moment) + k;
    let group = block / blocks_of_group();
    let end = min((block % blocks_of_group() + 1u) * BLOCK_LINES, BLOCK_ROWS * POSITIONS);
    return min(group * BLOCK_ROWS * POSITIONS + end - in_group(moment, 0u), lines(moment));
}

// The part of the k-th block in this micro-batch, continuing what the last micro-batch left open.
fn piece(moment: Clock, k: u32) -> vec2<f32> {
    var lo = 0u;
    if k > 0u { lo = end_of(moment, k - 1u); }
    let hi = end_of(moment, k);
    var part = vec2(0.0);
    if k == 0u && resumes(moment) { part = stats.open_sum; }
    for (var l = lo; l < hi; l++) {
        let term = line_term(l);
        if term.y != 0.0 { part = vec2(fma(term.y, term.x, part.x), part.y + term.y); }
    }
    return part;
}

// The stats hold the last window's sum. Its update has been made since, left out, or never requested.
fn begin_window(moment: Clock, sum: vec2<f32>) {
    stats.made += stats.due;
    stats.due = 0u;
    let unfit = atomicExchange(&stats.unfit, 0u) != 0u;
    let stops = stats.stopped == 1u || unfit || !finite(sum.x) || !finite(sum.y);
    stats.stopped = select(0u, 1u, moment.hold == 1u && stops);
}

fn sum_rows(moment: Clock, index: u32, lanes: u32) {
    let blocks = block_count(moment);
    let at_once = min(lanes, PIECES);
    var total = stats.sum;
    if moment.first == 1u {
        if index == 0u { begin_window(moment, total); }
        total = vec2(0.0);
    }
    for (var base = 0u; base < blocks; base += at_once) {
        if index < at_once && base + index < blocks { pieces[index] = piece(moment, base + index); }
        settle();
        for (var k = base; k < min(blocks, base + at_once); k++) {
            if closed(moment, end_of(moment, k)) {
                total += pieces[k - base];
            } else if index == 0u {
                stats.open_sum = pieces[k - base];
            }
        }
        settle();
    }
    if index == 0u {
        if POSITIONS > 1u && closed(moment, lines(moment)) { stats.open_sum = vec2(0.0); }
        stats.sum = total;
        advance_sequence(moment);
    }
}
