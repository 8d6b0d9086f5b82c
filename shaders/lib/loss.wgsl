// A loss that is the mean over a row's outputs: the op's own file gives the loss of one output and its derivative.
//
//   loss_of    Σ_c loss(y[r,c], t[r,c]) / columns      c ascending
//   dloss_of   dloss(y[r,c], t[r,c]) / columns

fn prepare(r: u32) -> vec2<f32> { return vec2(0.0); }

fn loss_of(r: u32, p: vec2<f32>) -> f32 {
    var sum = 0.0;
    for (var c = 0u; c < size.columns; c++) { sum += loss(y_value(r, c), target_value(r, c)); }
    return sum / f32(size.columns);
}

fn dloss_of(r: u32, c: u32, p: vec2<f32>) -> f32 {
    return dloss(y_value(r, c), target_value(r, c)) / f32(size.columns);
}
