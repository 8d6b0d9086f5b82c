//! The texts of `shaders/lib/`, which shaders are joined from.

pub(crate) const CLOCK: &str = include_str!("../shaders/lib/clock.wgsl");
pub(crate) const STATS: &str = include_str!("../shaders/lib/stats.wgsl");
pub(crate) const SUM: &str = include_str!("../shaders/lib/sum.wgsl");
pub(crate) const PADDING: &str = include_str!("../shaders/lib/padding.wgsl");
pub(crate) const CHAIN: &str = include_str!("../shaders/lib/chain.wgsl");
pub(crate) const OUTER: &str = include_str!("../shaders/lib/outer.wgsl");
pub(crate) const ROWS: &str = include_str!("../shaders/lib/rows.wgsl");
pub(crate) const PLAIN: &str = include_str!("../shaders/lib/plain.wgsl");
pub(crate) const SHARED: &str = include_str!("../shaders/lib/shared.wgsl");
pub(crate) const SPECIAL: &str = include_str!("../shaders/lib/special.wgsl");
pub(crate) const MAP: &str = include_str!("../shaders/lib/map.wgsl");
pub(crate) const ROW_LOSS: &str = include_str!("../shaders/lib/row_loss.wgsl");
pub(crate) const LOSS: &str = include_str!("../shaders/lib/loss.wgsl");
pub(crate) const UPDATE: &str = include_str!("../shaders/lib/update.wgsl");
pub(crate) const UPDATES: &str = include_str!("../shaders/lib/updates.wgsl");
