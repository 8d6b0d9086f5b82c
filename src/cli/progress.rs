//! What a run shows while it trains: a bar on a terminal, plain lines in a pipe.

use std::io::{IsTerminal, Write};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::interrupts;
use super::summary::plural;
use crate::run::Line;
use crate::train::metrics::Metric;
use crate::train::{Event, LeftOut};
use crate::{Error, Result};

/// Most lines about epochs that a run prints; the first and the last are always among them.
const LINES: u32 = 60;

/// The metrics in such a line, besides the one that decides which epoch is the best.
const SHOWN: [&str; 4] = ["accuracy", "perplexity", "rmse", "r2"];

/// The progress of one run.
pub struct Progress {
    bar: ProgressBar,
    quiet: bool,
    epochs: u32,
    /// The metric that decides which epoch is the best.
    best: Metric,
    start: Instant,
    samples: u64,
    updates: u64,
    shown: Option<Instant>,
    /// Updates left out without weight, and because they were not finite.
    left_out: [u64; 2],
}

impl Progress {
    /// Progress over this many updates and epochs, of which the best is that by `best`; with `quiet`, none is shown.
    pub fn new(updates: u64, epochs: u32, best: Metric, quiet: bool) -> Progress {
        let bar = ProgressBar::with_draw_target(Some(updates), ProgressDrawTarget::hidden());
        if !quiet && std::io::stderr().is_terminal() {
            bar.set_draw_target(ProgressDrawTarget::stderr_with_hz(10));
        }
        // Few words, so that a terminal of 60 columns has a bar too.
        let template = "{wide_bar:.cyan/dim} {pos}/{len} · {msg} · {eta} left";
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style.progress_chars("━━╌"));
        }
        let (start, shown) = (Instant::now(), None);
        Progress { bar, quiet, epochs, best, start, samples: 0, updates: 0, shown, left_out: [0; 2] }
    }

    /// Counts the updates that the run made before this process.
    pub fn before(&mut self, lines: &[Line]) {
        for line in lines {
            if let Line::Update(update) = line {
                self.count(update.left_out);
            }
        }
    }

    fn count(&mut self, left_out: Option<LeftOut>) {
        self.updates += 1;
        if let Some(left_out) = left_out {
            self.left_out[usize::from(left_out != LeftOut::NoWeight)] += 1;
        }
    }

    /// Begins where the run stopped.
    pub fn goes_on(&mut self, update: u64, updates: u64) {
        self.bar.set_position(update);
        self.bar.reset_eta();
        let left = if update >= updates { "nothing is left to train" } else { "--fresh would start over" };
        self.say(&format!("resumes   after update {update} of {updates}; {left}"));
    }

    /// Shows an event.
    pub fn event(&mut self, event: &Event) {
        match event {
            Event::Update { update, .. } => {
                self.samples += u64::from(update.samples);
                self.count(update.left_out);
                let weightless = update.left_out == Some(LeftOut::NoWeight);
                if !update.made() && self.left_out[usize::from(!weightless)] == 1 {
                    let why =
                        if weightless { "its window has no weight" } else { "its loss or gradient is not finite" };
                    self.say(&format!("update {} is left out: {why} (metrics.jsonl lists them all)", update.update));
                }
                let due = self.shown.is_none_or(|shown| shown.elapsed() > Duration::from_millis(100));
                if due {
                    self.shown = Some(Instant::now());
                    let speed = rate(self.samples_per_second());
                    self.bar.set_message(format!("loss {} · {speed} samples/s", number(update.loss)));
                    self.bar.set_position(update.update);
                }
            }
            Event::Epoch { epoch, train_loss, validation, .. } => {
                let every = self.epochs.div_ceil(LINES);
                if self.quiet || !(*epoch == 1 || *epoch == self.epochs || epoch.is_multiple_of(every)) {
                    return;
                }
                let width = self.epochs.to_string().len();
                let mut line = format!("epoch {epoch:>width$}/{}  train_loss {}", self.epochs, number(*train_loss));
                if let Some(validation) = validation {
                    line += &format!("  val_loss {}", number(validation.loss));
                    let shown = |name: &str| SHOWN.contains(&name) || name == self.best.name();
                    for (name, value) in validation.metrics.iter().filter(|(name, _)| shown(name)) {
                        line += &format!("  val_{name} {}", metric(name, *value));
                    }
                }
                self.say(&line);
            }
        }
    }

    /// Prints a line above the bar.
    pub fn say(&self, line: &str) {
        if !self.quiet {
            self.bar.suspend(|| say(line));
        }
    }

    /// Whether Ctrl-C was pressed. A second press, a second later or more, ends the process at once.
    pub fn interrupts(&self) -> Result<Arc<AtomicBool>> {
        let (bar, quiet) = (self.bar.clone(), self.quiet);
        interrupts::watch(move || {
            if !quiet {
                bar.suspend(|| complain("stopping; press Ctrl-C again to stop at once"));
            }
        })
    }

    /// The number of updates left out.
    pub fn left_out(&self) -> u64 {
        self.left_out.iter().sum()
    }

    /// The number of updates left out without weight, and because they were not finite.
    pub fn left_out_by_reason(&self) -> [u64; 2] {
        self.left_out
    }

    /// The number of updates left out, and why.
    pub fn left_out_in_words(&self) -> String {
        let [weightless, not_finite] = self.left_out;
        let all = plural(self.updates, "update");
        let mut words = Vec::new();
        if weightless > 0 {
            words.push(format!("{weightless} of {all} without weight"));
        }
        if not_finite > 0 {
            words.push(format!("{not_finite} of {all} not finite"));
        }
        if 2 * not_finite > self.updates {
            words.push("most of this training was lost: lower optimizer.lr".to_owned());
        }
        words.join(", ")
    }

    /// Samples trained on per second so far.
    pub fn samples_per_second(&self) -> f64 {
        self.samples as f64 / self.start.elapsed().as_secs_f64().max(1e-9)
    }

    /// Removes the bar.
    pub fn finish(&self) {
        self.bar.finish_and_clear();
    }
}

/// Prints a line about progress; a failure to print it is ignored.
pub fn say(line: &str) {
    let _ = writeln!(std::io::stdout(), "{line}");
}

/// Prints a complaint; a closed standard error is no reason to panic.
pub fn complain(line: &str) {
    let _ = writeln!(std::io::stderr(), "{line}");
}

/// Prints the requested output. A reader that stops early, as in `accrue devices | head -1`, is no error.
pub fn print(text: &str) -> Result<()> {
    print_bytes(text.as_bytes())
}

/// As [`print`], for what may be no text.
pub fn print_bytes(bytes: &[u8]) -> Result<()> {
    write_out(bytes).map(drop)
}

/// As [`print`]; false once nobody reads any more.
pub fn print_while_read(text: &str) -> Result<bool> {
    write_out(text.as_bytes())
}

fn write_out(bytes: &[u8]) -> Result<bool> {
    let mut out = std::io::stdout();
    match out.write_all(bytes).and_then(|()| out.flush()) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(false),
        Err(error) => Err(Error::io(Path::new("standard output"), error)),
    }
}

/// One JSON object on a line of its own.
pub fn json_line(page: &serde_json::Value) -> String {
    format!("{page}\n")
}

/// A rate in three digits: 950, 12.3k, 4.56M.
pub fn rate(value: f64) -> String {
    match value {
        v if v >= 1e6 => format!("{:.2}M", v / 1e6),
        v if v >= 1e3 => format!("{:.1}k", v / 1e3),
        v => format!("{v:.0}"),
    }
}

/// Three digits.
pub fn three(value: f64) -> String {
    match value {
        v if v >= 100.0 => format!("{v:.0}"),
        v if v >= 10.0 => format!("{v:.1}"),
        v => format!("{v:.2}"),
    }
}

/// A metric for people: shares in percent.
pub fn metric(name: &str, value: f64) -> String {
    if name.ends_with("accuracy") { format!("{:.2} %", 100.0 * value) } else { number(value) }
}

/// A loss or an error for people: four decimals, or powers of ten if four decimals would show too little or too much.
pub fn number(value: f64) -> String {
    let size = value.abs();
    let plain = size == 0.0 || (0.001..1e6).contains(&size) || !size.is_finite();
    if plain { format!("{value:.4}") } else { format!("{value:.3e}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_short_whatever_its_size() {
        let shown = [0.0, 0.25, -12.5, 999_999.0, 1e6, 3.4e38, 0.001, 0.000_99, 1.5e-12, f64::INFINITY].map(number);
        let wanted = [
            "0.0000",
            "0.2500",
            "-12.5000",
            "999999.0000",
            "1.000e6",
            "3.400e38",
            "0.0010",
            "9.900e-4",
            "1.500e-12",
            "inf",
        ];
        assert_eq!(shown, wanted);
    }
}
