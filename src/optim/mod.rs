//! Optimizers turn gradients into new parameters. An optimizer is one file here and one in `shaders/`: one kernel that reads
//! the sums of the window and divides them once by the window's weight. [`ALL`] lists them; configurations, the self-test and
//! the tests go over that list.

mod adam;
mod clip;
mod factors;
mod given;
mod kind;
mod lion;
mod schedule;
mod sgd;

pub use adam::Adam;
pub use clip::Clip;
pub(crate) use clip::STRETCH;
pub use factors::{Decay, Factor, LrFactors, Word};
pub(crate) use factors::{MOST_STRETCHES, Stretch, apply as factored, heeds_decay, takes as takes_factors};
pub use given::{Given, Value};
pub use kind::{Kind, Setting, WEIGHT_DECAY};
pub use lion::Lion;
pub use schedule::{Scaling, Schedule, ScheduleShape};
pub use sgd::Sgd;

use crate::gpu::{Grid, Scalar, Shader};
use crate::graph::{LoopBound, Resource, Span, Step, Work};
use crate::{Error, Result};

/// Every optimizer that a configuration can name; the first is the default.
pub static ALL: &[&Kind] = &[&sgd::SGD, &adam::ADAM, &adam::ADAMW, &lion::LION];

/// The optimizer of this name.
pub fn find(name: &str) -> Option<&'static Kind> {
    ALL.iter().copied().find(|kind| kind.name == name)
}

/// The settings of all optimizers, each once, with the optimizers that have it; settings that all have come last.
pub fn settings() -> Vec<(&'static Setting, Vec<&'static Kind>)> {
    let mut settings: Vec<(&Setting, Vec<&Kind>)> = Vec::new();
    for setting in ALL.iter().flat_map(|kind| kind.settings) {
        if settings.iter().all(|(known, _)| known.name != setting.name) {
            settings.push((setting, ALL.iter().copied().filter(|kind| kind.takes(setting.name)).collect()));
        }
    }
    settings.sort_by_key(|(_, kinds)| kinds.len() == ALL.len());
    settings
}

/// The shaders of all optimizers, and of clipping.
pub fn shaders() -> impl Iterator<Item = &'static Shader> {
    ALL.iter().flat_map(|kind| kind.shaders).copied().chain([&clip::SHADER])
}

/// An optimizer: its state, its kernel and the scalars that change from update to update.
pub trait Optimizer: Send + Sync {
    /// Its name in a configuration.
    fn name(&self) -> &'static str;

    /// Checks its settings.
    ///
    /// # Errors
    /// [`Error::Config`] naming the setting.
    fn check(&self) -> Result<()>;

    /// Floats of state per parameter.
    fn state_slots(&self) -> usize;

    /// The dispatch that updates a stretch of the parameters.
    fn step(&self, span: Span) -> Step;

    /// The kernel's `scalars` in the update of this number, counted from 1.
    fn scalars(&self, update: u64, lr: f64) -> Vec<(&'static str, Scalar)>;

    /// The same update in f64: the reference. `gradient` is normalised; `moments` holds [`Optimizer::state_slots`] floats per
    /// parameter, zeros before the first update.
    fn reference(&self, update: u64, lr: f64, gradient: &[f64], parameters: &mut [f64], moments: &mut [f64]);
}

/// The step of an update over a stretch of the parameters, by a shader joined from [`UPDATES`](crate::wgsl::UPDATES) and with so
/// many floats of state for each parameter. The optimizer sets its constants.
pub fn update_step(shader: &'static Shader, span: Span, state_slots: usize) -> Step {
    // The gradient is read; a parameter and its state are read and written.
    let work = Work::moves_once((3 + 2 * state_slots as u64) * span.floats(), LoopBound::NONE);
    let step = Step::new("all parameters", shader, "update", Grid::Line(span.len), work)
        .bind("stats", Resource::Stats)
        .bind("gradients", Resource::Gradients(span))
        .bind("parameters", Resource::Parameters(span))
        .in_parts("first", 1);
    if state_slots == 0 { step } else { step.bind("moments", Resource::OptimizerState(span)) }
}

/// Fails for a rate that is negative or not finite.
fn rate(name: &str, value: f64) -> Result<()> {
    if value >= 0.0 && (value as f32).is_finite() {
        return Ok(());
    }
    Err(Error::config(format!("optimizer.{name}"), format!("{value}; give a number from 0")))
}

/// Fails for a value that is not above 0, also as a float.
fn positive(name: &str, value: f64) -> Result<()> {
    if value as f32 > 0.0 && (value as f32).is_finite() {
        return Ok(());
    }
    Err(Error::config(format!("optimizer.{name}"), format!("{value}; give a number above 0")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_optimizer_makes_itself_of_each_of_its_examples_and_takes_no_other_setting() {
        for kind in ALL {
            assert_eq!(find(kind.name), Some(*kind));
            let made = (kind.make)(Given::default()).unwrap();
            assert_eq!(made.name(), kind.name);
            for (setting, kinds) in settings() {
                let text = format!("{{\"{}\": {}}}", setting.name, setting.example);
                let given: Given = serde_json::from_str(&text).unwrap();
                assert_eq!((kind.make)(given).is_ok(), kinds.contains(kind), "{} of {}", setting.name, kind.name);
            }
            for case in (kind.cases)() {
                assert_eq!(case.name(), kind.name);
                case.check().unwrap();
            }
        }
    }

    #[test]
    fn settings_have_an_order_and_what_all_have_comes_last() {
        let names: Vec<_> = settings().into_iter().map(|(setting, _)| setting.name).collect();
        assert_eq!(names[..2], ["momentum", "nesterov"]);
        assert_eq!(names.last(), Some(&"weight_decay"));
    }

    #[test]
    fn what_is_given_is_made_and_the_rest_has_the_defaults_of_the_optimizer() {
        let given = |text: &str| serde_json::from_str::<Given>(text);
        let some = given(r#"{"betas": [0.5, 0.75]}"#).unwrap();
        let scalars =
            |kind: &Kind, given: Given| format!("{:?}", (kind.make)(given).unwrap().step(Span { start: 0, len: 1 }));
        assert_ne!(scalars(&adam::ADAM, some.clone()), scalars(&adam::ADAMW, some));
        for wrong in [r#"{"beta": 1}"#, r#"{"momentum": "x"}"#, r#"{"momentum": true}"#, r#"{"betas": 0.5}"#] {
            assert!(given(wrong).is_err(), "{wrong}");
        }
        assert_eq!(given(r#"{"momentum": 1}"#).unwrap().get("momentum"), Some(Value::Number(1.0)));
    }
}
