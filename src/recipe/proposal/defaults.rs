//! The training that is proposed for a table: docs/tables.md has the measurements.

use super::{line, text};
use crate::data::table::{Found, FoundTarget};
use crate::recipe::config::Validation;

/// Rows of an update, for tables of less than [`FEW`] rows and for all others.
const BATCHES: [usize; 2] = [64, 256];

/// A table of fewer training rows is small.
const FEW: usize = 1000;

/// A training has so many epochs, or updates, at least.
const EPOCHS: usize = 32;
const UPDATES: usize = 256;

/// The sections after `[data]`.
pub(super) fn sections(found: &Found, validation: &Validation) -> String {
    let share = if let Validation::Share(share) = validation { *share } else { 0.0 };
    let rows = (found.rows as f64 * (1.0 - share)) as usize;
    let batch = BATCHES[usize::from(rows >= FEW)];
    let epochs = EPOCHS.max(UPDATES.div_ceil(rows.div_ceil(batch).max(1)));
    let classes = matches!(found.target, FoundTarget::Classes { .. });
    let (loss, activation, lr) = if classes { ("cross_entropy", "selu", 0.01) } else { ("mse", "mish", 0.0175) };
    let layers = ["[\"scale\"", &format!(", 256, {}", text(activation)).repeat(3), "]"].concat();
    let refit = if share > 0.0 {
        line("refit", true, "then trains again on all rows, for as many epochs as the best one had")
    } else {
        String::new()
    };
    [
        "\n[model]                   # as in RealMLP-TD-S (Holzmüller et al., 2024), with a smaller learning rate\n"
            .to_owned(),
        line("loss", text(loss), ""),
        line("layers", layers, "a factor for each feature, and hidden layers"),
        line("first_weights", text("normal"), "by seed; the last layer begins with zeros"),
        "\n[train]\n".to_owned(),
        line("epochs", epochs, "passes over the training rows; the best one is kept"),
        line("batch", batch, "rows of an update; how many of them the GPU holds at once changes no bit"),
        refit,
        line("seed", 0, "decides the split, the first weights and the order of the rows"),
        "\n[optimizer]\n".to_owned(),
        line("type", text("adam"), ""),
        line("lr", lr, "learning rate; `accrue lr-find` measures others"),
        line("betas", "[0.9, 0.95]", "decay of the means of the gradient and of its square"),
        line("schedule", text("coslog4"), "four waves of the learning rate, each twice as long as the one before"),
        line("lr_factors", "{ weight = \"fan_in\", bias = 0.1, scale = 6.0 }", "times lr, for each kind of parameter"),
    ]
    .concat()
}
