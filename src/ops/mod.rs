//! The operations of networks. An op is one file here, one file in `shaders/` and one line in [`ALL`]; the trait [`Op`] lists
//! what an op declares.

mod add;
mod arguments;
mod attention;
mod avg_pool;
mod batch_norm;
mod bce;
mod concat;
pub mod conv2d;
mod cross_entropy;
mod dropout;
mod embedding;
mod epilogue;
mod flatten;
mod gelu;
mod gelu_tanh;
mod global_avg_pool;
mod group_norm;
mod grouped;
mod huber;
mod instance_norm;
mod last_token;
mod layer_norm;
mod leaky_relu;
pub mod linear;
mod loss;
mod map;
mod max_pool;
mod mish;
mod mse;
mod normalize;
mod pool;
mod positions;
mod relu;
mod scale;
mod selu;
mod sigmoid;
mod silu;
mod swiglu;
mod tanh;
mod upsample;

use std::collections::HashSet;
use std::sync::Arc;

pub use add::Add;
pub(crate) use attention::SelfAttention;
pub use attention::{Attention, WIDEST_HEAD};
pub use avg_pool::AvgPool;
pub use batch_norm::{BatchNorm, Running};
pub use concat::Concat;
pub use conv2d::{Conv2d, Padding};
pub use cross_entropy::CrossEntropy;
pub use dropout::Dropout;
pub use embedding::{Embedding, MOST_TABLES};
pub use flatten::Flatten;
pub use global_avg_pool::GlobalAvgPool;
pub use group_norm::GroupNorm;
pub use instance_norm::InstanceNorm;
pub use last_token::LastToken;
pub use layer_norm::LayerNorm;
pub use linear::{Linear, MatmulKernel, MatmulPolicy};
pub use loss::Mean;
pub use map::Map;
pub use max_pool::MaxPool;
pub use normalize::{MOST_CHANNELS, Normalize};
pub use pool::Windows;
pub use positions::{Positions, Rotary, Sinusoidal};
pub use scale::Scale;
pub use swiglu::Swiglu;
pub use upsample::Upsample;

use crate::graph::{Op, Role, Shape, takes_nothing};

/// Makes the instances of an op that its checks use: together they cover all attributes, for inputs of this many columns.
/// The first has the attributes that the bare name stands for.
pub type Samples = fn(usize) -> Vec<Arc<dyn Op>>;

/// Every op.
pub static ALL: &[Samples] = &[
    linear::samples,
    layer_norm::samples,
    layer_norm::rms_samples,
    swiglu::samples,
    group_norm::samples,
    instance_norm::samples,
    scale::samples,
    normalize::samples,
    embedding::samples,
    conv2d::samples,
    batch_norm::samples,
    dropout::samples,
    max_pool::samples,
    avg_pool::samples,
    global_avg_pool::samples,
    last_token::samples,
    flatten::samples,
    upsample::samples,
    positions::samples,
    positions::rotary_samples,
    attention::samples,
    add::samples,
    concat::samples,
    relu::samples,
    leaky_relu::samples,
    tanh::samples,
    sigmoid::samples,
    silu::samples,
    gelu::samples,
    gelu_tanh::samples,
    selu::samples,
    mish::samples,
    mse::samples,
    cross_entropy::samples,
    huber::samples,
    bce::samples,
];

/// One instance of every op, for inputs of this many columns.
pub fn each(columns: usize) -> impl Iterator<Item = Arc<dyn Op>> {
    ALL.iter().filter_map(move |samples| samples(columns).into_iter().next())
}

/// The op with this name, with its default attributes.
pub fn find(name: &str) -> Option<Arc<dyn Op>> {
    each(1).find(|op| op.name() == name)
}

/// Every op with this role.
pub fn of_role(is: impl Fn(Role) -> bool) -> impl Iterator<Item = Arc<dyn Op>> {
    each(1).filter(move |op| is(op.role()))
}

/// The names of all activations.
pub fn activations() -> Vec<&'static str> {
    of_role(|role| role == Role::Activation).map(|op| op.name()).collect()
}

/// The names of all layers and activations whose bare name is enough in a list of layers.
pub fn layers() -> Vec<&'static str> {
    let names = each(1).filter(|op| matches!(op.role(), Role::Layer | Role::Activation) && op.stands_alone());
    names.map(|op| op.name()).collect()
}

/// The kinds of all parameters, as [`Op::kind_of`] names them.
pub fn parameter_kinds() -> Vec<&'static str> {
    let x = Shape::columns_of(4);
    let of = |op: Arc<dyn Op>| op.parameters(&x).iter().map(|part| op.kind_of(part)).collect::<Vec<_>>();
    let mut kinds: Vec<&str> = each(4).flat_map(of).collect();
    let mut known = HashSet::new();
    kinds.retain(|kind| known.insert(*kind));
    kinds
}

/// The names of all layers that take arguments.
pub fn with_arguments() -> Vec<&'static str> {
    let names = each(1).filter(|op| op.role() == Role::Layer && op.takes_arguments());
    names.map(|op| op.name()).collect()
}

/// The names of all layers that take arguments, be they needed or not.
pub fn taking_arguments() -> Vec<&'static str> {
    // What takes nothing says so of everything.
    let refuses = |op: &dyn Op| op.with(&serde_json::Value::Null).err() == Some(takes_nothing(op.name()));
    let names = of_role(|role| matches!(role, Role::Layer | Role::Activation));
    names.filter(|op| !refuses(&**op)).map(|op| op.name()).collect()
}

/// The names of all losses.
pub fn losses() -> Vec<&'static str> {
    of_role(|role| matches!(role, Role::Loss(_))).map(|op| op.name()).collect()
}
