// mse: loss(y, t) = (y - t)²      dloss = 2 (y - t)
fn loss(y: f32, t: f32) -> f32 { return (y - t) * (y - t); }
fn dloss(y: f32, t: f32) -> f32 { return 2.0 * (y - t); }
