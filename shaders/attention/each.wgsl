// How the invocations of a workgroup get a head that all of them need: each loads it.

const LANES: u32 = 32u;

fn shared_bounded(at: u32) -> Head { return own_bounded(at); }
fn shared_of_x(at: u32) -> Head { return own_of_x(at); }
fn shared_of_dy(at: u32) -> Head { return own_of_dy(at); }
