//! `accrue doctor`: whether this GPU computes what it should, and how fast.

use std::io::IsTerminal;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde::Serialize;

use super::open;
use crate::cli::args::Doctor;
use crate::cli::exit::Stop;
use crate::cli::progress::{say, three};
use crate::doctor::speed::SIZE;
use crate::doctor::{self, Device, Event, Extent, Finding, Report, Section, Speed};
use crate::plan::size;

/// Checks the adapter and prints what is found as it is found. With `--quiet` only what is wrong, and the verdict.
pub fn doctor(arguments: &Doctor) -> Result<(), Stop> {
    let gpu = open(&arguments.common)?;
    let device = Device::of(&gpu);
    let extent = if arguments.all { Extent::All } else { Extent::Chosen };
    let mut print = Print::new(arguments, extent);
    print.lines(&about(&device));
    let report = doctor::check(&gpu, extent, |event| match event {
        Event::Begins(what) => print.now.set_message(format!("checking {what}")),
        Event::Found(finding) => print.finding(&finding),
    })?;
    print.now.finish_and_clear();
    print.lines(&speed(&report.speed));
    let verdict = report.verdict();
    if arguments.json {
        say(&json(&device, &report, &verdict)?);
    } else {
        print.lines(&[String::new()]);
        say(&colour(&verdict, ':', report.all_right()));
    }
    if report.all_right() { Ok(()) } else { Err(Stop::NotRight(verdict)) }
}

/// What is printed while it goes.
struct Print {
    text: bool,
    quiet: bool,
    extent: Extent,
    part: Option<Section>,
    /// What is checked at the moment, on a terminal.
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

/// The line's beginning up to a letter in green or red, on a terminal that wants colours.
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
