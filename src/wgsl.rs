//! The texts of `shaders/lib/`, which shaders are joined from: those that an op or an optimizer of your own needs are public.

/// Where a dispatch stands in its window, and which lines are summed in which block. Every shader begins with it.
pub const CLOCK: &str = include_str!("../shaders/lib/clock.wgsl");
/// `real`: which columns of a vec4 are real; the others are padding, which holds +0.
pub const PADDING: &str = include_str!("../shaders/lib/padding.wgsl");
/// `logistic`, `hyperbolic_tangent` and `normal_cdf`, which neither overflow nor cancel.
pub const SPECIAL: &str = include_str!("../shaders/lib/special.wgsl");
/// The kernels of an activation, for [`Grid::Elements`](crate::gpu::Grid::Elements). The op's own file gives `f` and `df`.
pub const MAP: &str = include_str!("../shaders/lib/map.wgsl");
/// The kernel of a loss. The op's own file gives `prepare`, `loss_of` and `dloss_of`.
pub const ROW_LOSS: &str = include_str!("../shaders/lib/row_loss.wgsl");
/// A loss that is a mean over columns. The op's own file gives `loss` and `dloss`.
pub const LOSS: &str = include_str!("../shaders/lib/loss.wgsl");
/// The sums of the open window and the results of the last ones. Every optimizer needs it.
pub const STATS: &str = include_str!("../shaders/lib/stats.wgsl");
/// `normalised`: a gradient divided by the weight of its window, and clipped; `keeps`: whether an update is finite.
pub const UPDATE: &str = include_str!("../shaders/lib/update.wgsl");
/// The kernel of an optimizer. The optimizer's own file gives `update_at`.
pub const UPDATES: &str = include_str!("../shaders/lib/updates.wgsl");
/// The learning rate of a parameter, for `UPDATES`: the same for all. A plan takes another part in its place where kinds of
/// parameters have factors of their own.
pub const ONE_RATE: &str = include_str!("../shaders/lib/one_rate.wgsl");
/// `sine` and `cosine` of angles in parts of a turn.
pub const TURN: &str = include_str!("../shaders/lib/turn.wgsl");
/// `philox`: random words from a counter and a key.
pub const PHILOX: &str = include_str!("../shaders/lib/philox.wgsl");

pub(crate) const POOL: &str = include_str!("../shaders/lib/pool.wgsl");
pub(crate) const IDENTITY: &str = include_str!("../shaders/linear/identity.wgsl");
pub(crate) const THROUGH: &str = include_str!("../shaders/linear/through.wgsl");
pub(crate) const RATES: &str = include_str!("../shaders/lib/rates.wgsl");
pub(crate) const SUM: &str = include_str!("../shaders/lib/sum.wgsl");
pub(crate) const CHAIN: &str = include_str!("../shaders/lib/chain.wgsl");
pub(crate) const OUTER: &str = include_str!("../shaders/lib/outer.wgsl");
pub(crate) const ROWS: &str = include_str!("../shaders/lib/rows.wgsl");
pub(crate) const PLAIN: &str = include_str!("../shaders/lib/plain.wgsl");
pub(crate) const SHARED: &str = include_str!("../shaders/lib/shared.wgsl");
