// The first part of every optimizer: the window's gradient sums, divided by its weight and clipped. The optimizer's own file
// gives update_at(at), the update of one vec4 of the parameters, which writes nothing that is not finite.

struct Scalars { @align(16) lr: f32 }
var<private> given: Scalars;

override CLIP_NORM: bool = false;   // whether stats.scale was made from the gradient's norm
override CLIP_VALUE: f32 = 0.0;     // above 0: every element is cut to ±CLIP_VALUE, after the norm

fn normalised(gradient: vec4<f32>) -> vec4<f32> {
    var g = gradient / stats.sum.y;
    if CLIP_NORM { g *= stats.scale; }
    if CLIP_VALUE > 0.0 { g = clamp(g, vec4(-CLIP_VALUE), vec4(CLIP_VALUE)); }
    return g;
}

// Whether everything an update would write is finite. Otherwise the old values stay, and no other update follows.
fn keeps(size: vec4<u32>) -> bool {
    let kept = finite4(size);
    if !kept { atomicStore(&stats.broken, now.update); }
    return kept;
}
