//! Clipping: limits the norm, or each element, of the window's normalised gradient before the update.

use super::positive;
use crate::Result;
use crate::gpu::{Grid, Shader};
use crate::graph::{LoopBound, Resource, Span, Step, Work};
use crate::wgsl::{CLOCK, STATS};

pub(super) static SHADER: Shader =
    Shader { name: "clip", parts: &[CLOCK, STATS, include_str!("../../shaders/clip.wgsl")] };

/// vec4 of one partial norm: `STRETCH` in `shaders/clip.wgsl`.
pub(crate) const STRETCH: usize = 64;

/// Invocations that add the partial norms: `LANES` in `shaders/clip.wgsl`.
const LANES: u32 = 64;

/// Limits on the gradient. It is clipped once per update, after the division by the window's weight, on the GPU.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Clip {
    /// The largest norm over all parameters, as in `torch.nn.utils.clip_grad_norm_`.
    pub norm: Option<f64>,
    /// The largest size of each element, as in `torch.nn.utils.clip_grad_value_`; applied after the norm.
    pub value: Option<f64>,
}

impl Clip {
    /// Checks that limits are above 0.
    ///
    /// # Errors
    /// [`Error::Config`](crate::Error::Config) naming the setting.
    pub fn check(&self) -> Result<()> {
        self.norm.map_or(Ok(()), |norm| positive("clip_norm", norm))?;
        self.value.map_or(Ok(()), |value| positive("clip_value", value))
    }

    /// Floats of the partial norms, for this many floats of parameters.
    pub(crate) fn norms(floats: usize) -> usize {
        floats.div_ceil(4 * STRETCH)
    }

    /// The steps before the update, which read all gradients; empty without a norm limit.
    pub(crate) fn steps(&self, all: Span) -> Option<Vec<Step>> {
        let norm = self.norm?;
        let partial = Self::norms(4 * all.len as usize) as u32;
        let work = Work::moves_once(all.floats() + u64::from(partial), LoopBound::fixed(STRETCH as u64 + 1));
        let squares = Step::new("gradient norm", &SHADER, "squares", Grid::Line(partial), work)
            .bind("gradients", Resource::Gradients(all))
            .bind("norms", Resource::Norms)
            .bind("stats", Resource::Stats)
            .in_parts("first", 1);
        let loops = LoopBound::fixed(u64::from(partial.div_ceil(LANES)) + u64::from(LANES) + 2);
        let work = Work::moves_once(u64::from(partial), loops);
        let factor = Step::new("gradient norm", &SHADER, "factor", Grid::Group, work)
            .bind("norms", Resource::Norms)
            .bind("stats", Resource::Stats)
            .constant("MAX_NORM", norm);
        Some(vec![squares, factor])
    }

    /// The optimizer's update, with clipping.
    pub(crate) fn apply(&self, step: Step) -> Step {
        step.constant("CLIP_NORM", f64::from(u8::from(self.norm.is_some())))
            .constant("CLIP_VALUE", self.value.unwrap_or(0.0))
    }

    /// The same in f64: the reference.
    pub fn reference(&self, gradient: &mut [f64]) {
        if let Some(most) = self.norm {
            let norm = gradient.iter().map(|g| g * g).sum::<f64>().sqrt();
            let scale = (most / (norm + 1e-6)).min(1.0);
            gradient.iter_mut().for_each(|g| *g *= scale);
        }
        if let Some(most) = self.value {
            gradient.iter_mut().for_each(|g| *g = g.clamp(-most, most));
        }
    }
}
