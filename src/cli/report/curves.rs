//! The charts over updates: loss and learning rate.

use super::chart::{Chart, Line, Mark};
use super::scale::{Axis, Scale, Tick, drawable, round_step};
use super::text::{count, number};
use super::{EpochPoint, Page};

/// Most places of a chart with a text.
pub const MOST_SAID: usize = 100;

/// The loss of every window, and of every epoch in training and validation. `None` when no loss can be drawn.
pub fn loss(report: &Page) -> Option<Chart> {
    let (updates, epochs) = (&report.updates, &report.epochs);
    let window = Line::new("each update", "window", Mark::None, updates.iter().map(|u| (u.update as f64, u.loss)));
    let train = epochs.iter().map(|e| (e.update as f64, e.train_loss));
    let validation = epochs.iter().filter_map(|e| Some((e.update as f64, e.val_loss?)));
    let train = Line::new("training", "train", Mark::Disc, train);
    let validation = Line::new("validation", "validation", Mark::Square, validation);
    let lines: Vec<Line> = [window, train, validation].into_iter().filter(|line| !line.points.is_empty()).collect();
    let y = Scale::of_values(lines.iter().flat_map(|line| line.points.iter().map(|p| p.1)), Axis::Loss)?;
    let steps = || updates.iter().map(|u| u.update).chain(epochs.iter().map(|e| e.update));
    let said = if epochs.is_empty() {
        every(updates, MOST_SAID)
            .map(|u| (u.update as f64, say("update", u.update, format!("loss {}", number(u.loss)))))
            .collect()
    } else {
        every(epochs, MOST_SAID).map(|e| (e.update as f64, say_epoch(e))).collect()
    };
    Some(Chart {
        id: "loss".into(),
        title: "Loss".into(),
        description: describe_loss(report),
        x_name: "update",
        x: Scale::of_counts(steps().min()?, steps().max()?),
        y,
        upper: (!epochs.is_empty()).then(|| ("epoch", epoch_ticks(epochs))),
        lines,
        said,
        at_rest: None,
        remark: remark(report),
    })
}

/// The learning rate of every update; `None` when it never changed.
pub fn learning_rate(report: &Page) -> Option<Chart> {
    let (first, last) = (report.updates.first()?, report.updates.last()?);
    if report.updates.iter().all(|u| u.lr == first.lr) {
        return None;
    }
    let points = report.updates.iter().map(|u| (u.update as f64, u.lr));
    Some(Chart {
        id: "lr".into(),
        title: "Learning rate".into(),
        description: format!("The learning rate goes from {} to {}.", number(first.lr), number(last.lr)),
        x_name: "update",
        x: Scale::of_counts(first.update, last.update),
        y: Scale::of_values(points.clone().map(|p| p.1), Axis::Value)?,
        upper: None,
        lines: vec![Line::new("", "train", Mark::None, points)],
        said: every(&report.updates, MOST_SAID)
            .map(|u| (u.update as f64, say("update", u.update, format!("learning rate {}", number(u.lr)))))
            .collect(),
        at_rest: None,
        remark: String::new(),
    })
}

/// The text at a place: `epoch 3 · …`.
pub fn say(what: &str, place: u64, value: String) -> String {
    format!("{what} {} · {value}", count(place))
}

fn say_epoch(e: &EpochPoint) -> String {
    let validation = e.val_loss.map_or(String::new(), |loss| format!(" · validation {}", number(loss)));
    format!("epoch {} · update {} · training {}{validation}", e.epoch, count(e.update), number(e.train_loss))
}

/// At most `most` of `all`, evenly spread, always including the last.
pub fn every<T>(all: &[T], most: usize) -> impl Iterator<Item = &T> {
    let stride = all.len().div_ceil(most.max(1)).max(1);
    all.iter().enumerate().filter(move |(i, _)| (all.len() - 1 - i).is_multiple_of(stride)).map(|(_, item)| item)
}

/// Round epochs, each at the update it ended with.
fn epoch_ticks(epochs: &[EpochPoint]) -> Vec<Tick> {
    let step = round_step(epochs.len() as f64 / 8.0).max(1.0) as u32;
    let round = epochs.iter().filter(|e| e.epoch.is_multiple_of(step));
    round.map(|e| Tick { value: e.update as f64, label: count(e.epoch.into()) }).collect()
}

fn lowest_validation(epochs: &[EpochPoint]) -> Option<(u32, f64)> {
    let losses = epochs.iter().filter_map(|e| Some((e.epoch, e.val_loss.filter(|loss| drawable(*loss))?)));
    losses.min_by(|a, b| a.1.total_cmp(&b.1))
}

fn describe_loss(report: &Page) -> String {
    let many =
        |number: usize, what: &str| format!("{} {what}{}", count(number as u64), if number == 1 { "" } else { "s" });
    let (updates, epochs) = (many(report.updates.len(), "update"), many(report.epochs.len(), "epoch"));
    let mut text = format!("Loss over {updates} and {epochs}.");
    if let [first, .., last] = report.epochs.as_slice() {
        let (from, to) = (number(first.train_loss), number(last.train_loss));
        text += &format!(" The training loss goes from {from} to {to}.");
    }
    if let Some((epoch, loss)) = lowest_validation(&report.epochs) {
        text += &format!(" The validation loss is lowest after epoch {epoch}: {}.", number(loss));
    }
    text
}

/// The best epoch, and what could not be drawn.
fn remark(report: &Page) -> String {
    let mut sentences = Vec::new();
    if let Some((epoch, loss)) = lowest_validation(&report.epochs).filter(|_| report.epochs.len() > 1) {
        sentences.push(format!("Lowest validation loss: {} after epoch {epoch}.", number(loss)));
    }
    sentences.extend(not_drawn(report));
    sentences.join(" ")
}

/// Says how many losses are not finite and so not in the chart.
pub fn not_drawn(report: &Page) -> Option<String> {
    let losses = report.updates.iter().map(|u| u.loss);
    let of_epochs = report.epochs.iter().flat_map(|e| [Some(e.train_loss), e.val_loss]).flatten();
    match losses.chain(of_epochs).filter(|loss| !drawable(*loss)).count() {
        0 => None,
        1 => Some("1 loss was not a finite number and is left out.".into()),
        n => Some(format!("{} losses were not finite numbers and are left out.", count(n as u64))),
    }
}

#[cfg(test)]
mod tests {
    use super::super::UpdatePoint;
    use super::*;

    #[test]
    fn every_keeps_the_last_and_the_limit() {
        let all: Vec<usize> = (0..250).collect();
        let kept: Vec<usize> = every(&all, 100).copied().collect();
        assert!(kept.len() <= 100 && kept.last() == Some(&249));
        assert_eq!(every(&all[..3], 100).count(), 3);
        assert_eq!(every(&all[..0], 100).count(), 0);
    }

    #[test]
    fn epoch_labels_are_round_and_stand_where_their_epoch_ended() {
        let epoch = |epoch: u32| EpochPoint { epoch, update: 12 * u64::from(epoch), ..EpochPoint::default() };
        let ticks = epoch_ticks(&(1..=30).map(epoch).collect::<Vec<_>>());
        let shown: Vec<(f64, &str)> = ticks.iter().map(|t| (t.value, t.label.as_str())).collect();
        assert_eq!(shown, [(60.0, "5"), (120.0, "10"), (180.0, "15"), (240.0, "20"), (300.0, "25"), (360.0, "30")]);
    }

    #[test]
    fn without_epochs_the_chart_speaks_of_updates() {
        let updates = vec![UpdatePoint { update: 7, epoch: 1, loss: 0.5, lr: 0.1, left_out: None }];
        let chart = loss(&Page { updates, ..Page::default() });
        assert!(chart.is_some_and(|c| c.upper.is_none() && c.said == [(7.0, "update 7 · loss 0.5000".to_string())]));
    }
}
