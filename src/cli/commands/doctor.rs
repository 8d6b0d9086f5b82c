//! `accrue doctor`: whether this GPU computes correctly, and how fast.

use std::io::IsTerminal;
use std::time::Duration;

use clap::Args;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde::Serialize;

use super::{Command, open};
use crate::cli::args::Common;
use crate::cli::exit::Stop;
use crate::cli::progress::{say, three};
use crate::doctor::speed::SIZE;
use crate::doctor::{self, Device, Event, Extent, Finding, Report, Section, Speed};
use crate::plan::size;

const DOCTOR_HELP: &str = "\
\x1b[1;32mIn the table:\x1b[0m
  ok     linear.forward  3.1e-7 of 1.2e-6    3.1e-7 from its reference, where rounding explains 1.2e-6
  WRONG  linear.forward  …                   the case, its first wrong element, what it should be

\x1b[1;32mExit codes:\x1b[0m
  0 all right      1 a kernel is wrong or bits differ      5 no adapter      6 device lost";

/// Check every kernel on your GPU against plain arithmetic, and measure how fast it is.
///
/// Runs every kernel that training uses here on awkward shapes, and compares each with its reference in 64-bit arithmetic on
/// the CPU. Then it trains a small network several times, each time with its batches cut differently: every bit of the
/// result must be the same. At the end it measures the cost of a dispatch, and the speed of matrices and memory.
///
/// Run it once on a new GPU and after a change of driver, and before you report a result that looks wrong. Nearly all of its
/// time goes into compiling kernels, so a second run is faster if the driver caches them.
#[derive(Debug, PartialEq, Args)]
#[command(after_help = DOCTOR_HELP)]
pub struct Doctor {
    /// Check every kernel, including those that other adapters would choose, and more trainings: takes several times as long.
    #[arg(long)]
    pub all: bool,
    /// Print one JSON object instead of text.
    #[arg(long)]
    pub json: bool,
    /// What every command that computes takes.
    #[command(flatten)]
    pub common: Common,
}

impl Command for Doctor {
    /// Checks the adapter and prints every finding as it is made. With `--quiet` only wrong ones, and the verdict.
    fn run(&self) -> Result<(), Stop> {
        let gpu = open(&self.common)?;
        let device = Device::of(&gpu);
        let extent = if self.all { Extent::All } else { Extent::Chosen };
        let mut print = Print::new(self, extent);
        print.lines(&about(&device));
        let report = doctor::check(&gpu, extent, |event| match event {
            Event::Begins(what) => print.now.set_message(format!("checking {what}")),
            Event::Found(finding) => print.finding(&finding),
        })?;
        print.now.finish_and_clear();
        print.lines(&speed(&report.speed));
        let verdict = report.verdict();
        if self.json {
            say(&json(&device, &report, &verdict)?);
        } else {
            print.lines(&[String::new()]);
            say(&colour(&verdict, ':', report.all_right()));
        }
        if report.all_right() { Ok(()) } else { Err(Stop::NotRight(verdict)) }
    }
}

/// Output during the check.
struct Print {
    text: bool,
    quiet: bool,
    extent: Extent,
    part: Option<Section>,
    /// The current check, on a terminal.
    now: ProgressBar,
}

impl Print {
    fn new(arguments: &Doctor, extent: Extent) -> Print {
        let (text, quiet) = (!arguments.json, arguments.common.quiet);
        let now = ProgressBar::with_draw_target(None, ProgressDrawTarget::hidden());
        if !quiet && std::io::stderr().is_terminal() {
            now.set_draw_target(ProgressDrawTarget::stderr());
            now.enable_steady_tick(Duration::from_millis(100));
        }
        if let Ok(style) = ProgressStyle::with_template("{spinner:.cyan} {msg} · {elapsed}") {
            now.set_style(style);
        }
        Print { text, quiet, extent, part: None, now }
    }

    fn lines(&self, lines: &[String]) {
        if self.text && !self.quiet {
            self.now.suspend(|| lines.iter().for_each(|line| say(line)));
        }
    }

    fn finding(&mut self, finding: &Finding) {
        if self.part != Some(finding.part) {
            self.part = Some(finding.part);
            let title = match finding.part {
                Section::Kernel => {
                    "kernels, each beside its reference in f64: how far they are apart, of what rounding explains"
                        .to_owned()
                }
                Section::Bits => {
                    format!("runs, cut into micro-batches, beside whole windows: {}", doctor::runs(self.extent))
                }
            };
            self.lines(&[String::new(), title]);
        }
        let right = finding.wrong.is_none();
        if self.text && !(self.quiet && right) {
            self.now.suspend(|| say(&colour(&finding.to_string(), ' ', right)));
        }
    }
}

/// Colours the line's beginning up to a letter green or red, on a terminal that wants colours.
fn colour(line: &str, to: char, right: bool) -> String {
    let wanted = std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    let end = line.find(to).unwrap_or(line.len());
    match wanted {
        true => format!("\x1b[{}m{}\x1b[0m{}", if right { "32" } else { "1;31" }, &line[..end], &line[end..]),
        false => line.to_owned(),
    }
}

fn about(device: &Device) -> Vec<String> {
    let limits = &device.limits;
    let features: Vec<String> = device
        .features
        .iter()
        .map(|(name, present)| format!("{name} {}", if *present { "present" } else { "absent" }))
        .collect();
    let driver = if device.driver.is_empty() { "which does not say what it is" } else { &device.driver };
    vec![
        format!("adapter   {}, {}", device.name, device.kind),
        format!("          {}", device.why),
        format!("driver    {}, {driver}", device.backend),
        format!(
            "limits    buffer {}, binding {}, workgroup memory {}",
            size(limits.buffer),
            size(limits.binding),
            size(u64::from(limits.workgroup_memory))
        ),
        format!(
            "          {} storage buffers a kernel, {} invocations a workgroup, {} workgroups a dimension",
            limits.storage_buffers, limits.invocations, limits.workgroups
        ),
        format!("features  {}", features.join(", ")),
    ]
}

fn speed(speed: &Speed) -> Vec<String> {
    let copy = match speed.copy_gbs {
        Some(rate) => format!("{} GB/s read and written, of 64 MiB", three(rate)),
        None => "not measured: no room for two buffers of 64 MiB".to_owned(),
    };
    vec![
        String::new(),
        "speed, in medians".to_owned(),
        format!("dispatch    {} µs to encode, {} µs to execute", three(speed.encode_us), three(speed.dispatch_us)),
        format!("submission  {} µs until the host knows that it is done", three(speed.submit_us)),
        format!(
            "matrices    {} GFLOP/s forward, {} input gradient, {} weight gradient; {SIZE} × {SIZE} × {SIZE} in f32",
            three(speed.forward_gflops),
            three(speed.backward_input_gflops),
            three(speed.backward_weight_gflops)
        ),
        format!("copy        {copy}"),
    ]
}

#[derive(Serialize)]
struct Json<'a> {
    all_right: bool,
    verdict: &'a str,
    device: &'a Device,
    #[serde(flatten)]
    report: &'a Report,
}

fn json(device: &Device, report: &Report, verdict: &str) -> Result<String, Stop> {
    let json = Json { all_right: report.all_right(), verdict, device, report };
    let text = serde_json::to_string_pretty(&json);
    text.map_err(|error| crate::Error::Internal(format!("the report cannot be written as JSON: {error}")).into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::args::tests::parse;

    #[test]
    fn a_doctor_takes_an_adapter_and_says_what_it_found_in_words_or_in_json() {
        let doctor: Doctor = parse("accrue doctor --adapter llvmpipe --json -q").unwrap();
        assert_eq!(doctor.common, Common { adapter: Some("llvmpipe".into()), quiet: true, passed_over: 0 });
        assert!(doctor.json);
    }
}
