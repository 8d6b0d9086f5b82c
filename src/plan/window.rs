//! What ends a window, whatever the lowering of its micro-batches.

use super::{Layout, Lowering, Training};
use crate::gpu::{Grid, Shader};
use crate::graph::{Graph, LoopBound, Resource, Span, Step, Tensor, Work};
use crate::wgsl::{CLOCK, STATS, SUM};

/// The kernels that begin, sum and end windows.
pub(super) static WINDOW: Shader =
    Shader { name: "window", parts: &[CLOCK, STATS, SUM, include_str!("../../shaders/window.wgsl")] };

/// The fields of `dims` in `shaders/window.wgsl`; a step sets the ones that it needs.
pub(super) const WINDOW_DIMS: [(&str, u32); 7] =
    [("record_stride", 0), ("weight_at", 0), ("weights", 0), ("apart", 0), ("into", 0), ("later", 0), ("len", 0)];

/// The steps of a plan for training besides the forward steps.
pub struct TrainingSteps {
    /// A micro-batch.
    pub lowering: Lowering,
    /// Closes an open block before an update that was not announced.
    pub close: Step,
    /// Marks a submission that ends inside a micro-batch.
    pub mark: Step,
    /// Computes new parameters from the gradients.
    pub update: Vec<Step>,
}

impl TrainingSteps {
    /// Adds to a lowering the steps that end its windows, for parameters and gradients with these layouts; some of them move the
    /// statistics of ops.
    pub(super) fn new(
        lowering: Lowering,
        graph: &Graph,
        (layout, gradients): (&Layout, &Layout),
        statistics: Vec<Step>,
        training: &Training,
    ) -> TrainingSteps {
        let (learned, all, every) = (layout.learned(), layout.all(), gradients.all());
        let mut update = fold(gradients);
        // Clipping by norm reads all gradients, and checks them on the way; what statistics are made of is no gradient.
        let clips = training.clip.steps(learned);
        if clips.is_none() || learned != all {
            update.push(check(all));
        }
        update.extend(clips.unwrap_or_default());
        update.extend(statistics);
        update.push(training.update_step(graph, layout));
        let mark = Step::new("submission", &WINDOW, "mark", Grid::Group, Work::moves_once(1, LoopBound::NONE));
        TrainingSteps { lowering, close: close(every), mark: mark.bind("stats", Resource::Stats), update }
    }
}

/// Adds the gradients of later uses of parameters to those of the first use, in the order of the uses.
fn fold(gradients: &Layout) -> Vec<Step> {
    let later = gradients.layers().filter(|&(_, nth, _)| nth > 0);
    let fold = |(tensor, _, range): (Tensor, u16, std::ops::Range<usize>)| {
        let len = (range.len() / 4) as u32;
        let work = Work::moves_once(3 * range.len() as u64, LoopBound::NONE);
        Step::new("gradient of a later use", &WINDOW, "fold", Grid::Line(len), work)
            .bind("gradients", Resource::Gradients(gradients.all()))
            .dims(&WINDOW_DIMS)
            .set_dims(&[
                ("into", (gradients.start_of(tensor) / 4) as u32),
                ("later", (range.start / 4) as u32),
                ("len", len),
            ])
            .in_parts("first", 1)
    };
    later.map(fold).collect()
}

fn close(every: Span) -> Step {
    Step::new(
        "open block",
        &WINDOW,
        "close",
        Grid::Line(every.len),
        Work::moves_once(3 * every.floats(), LoopBound::NONE),
    )
    .bind("stats", Resource::Stats)
    .bind("gradients", Resource::Gradients(every))
    .bind("open_gradients", Resource::OpenGradients(every))
    .dims(&WINDOW_DIMS)
    .in_parts("first", 1)
}

/// vec4 that each invocation checks.
const LOOKS: u32 = 4;

fn check(all: Span) -> Step {
    let work = Work::moves_once(all.floats(), LoopBound::fixed(u64::from(LOOKS) + 1));
    Step::new("finite gradient", &WINDOW, "check", Grid::Line(all.len.div_ceil(LOOKS)), work)
        .bind("stats", Resource::Stats)
        .bind("gradients", Resource::Gradients(all))
        .dims(&WINDOW_DIMS)
        .set_dims(&[("apart", all.len.div_ceil(LOOKS))])
        .in_parts("first", 1)
}
