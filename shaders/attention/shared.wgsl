// How the invocations of a workgroup, which are a subgroup of 8, get a head that all of them need: each loads one vec4 of 8, and
// they exchange them.

const LANES: u32 = 8u;

// Fills the vec4 from c on with what the lanes have.
fn spread(head: ptr<function, Head>, c: u32, loaded: vec4<f32>) {
    (*head)[c] = subgroupShuffle(loaded, 0u);
    if c + 1u < HEAD4 { (*head)[c + 1u] = subgroupShuffle(loaded, 1u); }
    if c + 2u < HEAD4 { (*head)[c + 2u] = subgroupShuffle(loaded, 2u); }
    if c + 3u < HEAD4 { (*head)[c + 3u] = subgroupShuffle(loaded, 3u); }
    if c + 4u < HEAD4 { (*head)[c + 4u] = subgroupShuffle(loaded, 4u); }
    if c + 5u < HEAD4 { (*head)[c + 5u] = subgroupShuffle(loaded, 5u); }
    if c + 6u < HEAD4 { (*head)[c + 6u] = subgroupShuffle(loaded, 6u); }
    if c + 7u < HEAD4 { (*head)[c + 7u] = subgroupShuffle(loaded, 7u); }
}

// What this lane loads for the vec4 from c on.
fn mine(c: u32) -> u32 { return min(c + lane, HEAD4 - 1u); }

fn shared_bounded(at: u32) -> Head {
    var head: Head;
    for (var c = 0u; c < HEAD4; c += LANES) { spread(&head, c, bounded(x[at + mine(c)])); }
    return head;
}

fn shared_of_x(at: u32) -> Head {
    var head: Head;
    for (var c = 0u; c < HEAD4; c += LANES) { spread(&head, c, x[at + mine(c)]); }
    return head;
}

fn shared_of_dy(at: u32) -> Head {
    var head: Head;
    for (var c = 0u; c < HEAD4; c += LANES) { spread(&head, c, dy[at + mine(c)]); }
    return head;
}
