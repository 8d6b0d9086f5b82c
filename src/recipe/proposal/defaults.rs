//! The training that is proposed for a table.

use super::{line, text};
use crate::data::table::{Found, FoundTarget};

/// The sections after `[data]`.
pub(super) fn sections(found: &Found) -> String {
    let classes = matches!(found.target, FoundTarget::Classes { .. });
    let (loss, activation) = if classes { ("cross_entropy", "relu") } else { ("mse", "relu") };
    let layers = format!("[256, {0}, 256, {0}]", text(activation));
    [
        "\n[model]\n".to_owned(),
        line("layers", layers, "hidden widths, each with what follows it; the output follows from the target"),
        line("loss", text(loss), ""),
        "\n[train]\n".to_owned(),
        line("epochs", 64, "passes over the training rows"),
        line("batch", 256, "rows per update; how many of them the GPU holds at once changes no bit"),
        "\n[optimizer]\n".to_owned(),
        line("type", text("adam"), ""),
        line("lr", 0.003, "learning rate"),
        line("schedule", text("cosine"), "the learning rate over the run"),
    ]
    .concat()
}
