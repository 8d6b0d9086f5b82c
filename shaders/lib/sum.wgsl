// stats.sum (+)= Σ_r row_term(r): (weight · loss, weight) of a window's rows, r in blocks, ascending. One workgroup does it,
// its lanes a block each. Whoever joins this file gives row_term(r), the (loss, weight) of a row, and settle(), in which the
// workgroup waits for all its memory.

const PIECES: u32 = 64u;
var<workgroup> pieces: array<vec2<f32>, PIECES>;

// The part of block k of this micro-batch, going on where the last micro-batch left it open.
fn piece(moment: Clock, k: u32) -> vec2<f32> {
    let start = moment.row0 / BLOCK * BLOCK + k * BLOCK;
    let lo = max(start, moment.row0) - moment.row0;
    let hi = min(start + BLOCK - moment.row0, moment.rows);
    var part = vec2(0.0);
    if start < moment.row0 { part = stats.open_sum; }
    for (var r = lo; r < hi; r++) {
        let term = row_term(r);
        if term.y != 0.0 { part = vec2(fma(term.y, term.x, part.x), part.y + term.y); }
    }
    return part;
}

// What stands in the stats is the last window's sum. Its update has been made since, or left out, or never asked for.
fn begin_window(moment: Clock, sum: vec2<f32>) {
    stats.made += stats.due;
    stats.due = 0u;
    let unfit = atomicExchange(&stats.unfit, 0u) != 0u;
    let stops = stats.stopped == 1u || unfit || !finite(sum.x) || !finite(sum.y);
    stats.stopped = select(0u, 1u, moment.hold == 1u && stops);
}

fn sum_rows(moment: Clock, index: u32, lanes: u32) {
    let blocks = (moment.row0 % BLOCK + moment.rows + BLOCK - 1u) / BLOCK;
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
            let stop = min(moment.row0 / BLOCK * BLOCK + (k + 1u) * BLOCK - moment.row0, moment.rows);
            if closed(moment, stop) { total += pieces[k - base]; } else if index == 0u { stats.open_sum = pieces[k - base]; }
        }
        settle();
    }
    if index == 0u {
        stats.sum = total;
        advance_sequence(moment);
    }
}
