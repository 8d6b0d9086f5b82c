//! Where a run's time went: as a table, as JSON, and as a trace for a viewer.

use serde::Serialize;
use serde_json::{Value, json};

use super::columns::columns;
use crate::gpu::profile::{DispatchTime, HostTime, KernelTime, Profile};
use crate::{Error, Result, durable};

/// Most dispatches, and submissions, of a trace.
pub const EVENTS: usize = 20_000;

/// The version of the JSON's format.
const SCHEMA_VERSION: u32 = 1;

/// One kernel, in units that people compare.
#[derive(Serialize)]
struct Row<'a> {
    step: &'a str,
    kernel: &'a str,
    calls: u64,
    ms: f64,
    /// Its share of the time of all kernels.
    share: f64,
    us_per_call: f64,
    /// `None` if the kernel only moves numbers, or took no time that the clock can tell.
    gflops_per_s: Option<f64>,
    gbytes_per_s: Option<f64>,
}

impl Row<'_> {
    fn new(kernel: &KernelTime, all: f64) -> Row<'_> {
        let rate = |count: u64| (count > 0 && kernel.seconds > 0.0).then(|| 1e-9 * count as f64 / kernel.seconds);
        Row {
            step: &kernel.label.step,
            kernel: &kernel.label.kernel,
            calls: kernel.calls,
            ms: 1e3 * kernel.seconds,
            share: share(kernel.seconds, all),
            us_per_call: 1e6 * kernel.seconds / kernel.calls.max(1) as f64,
            gflops_per_s: rate(kernel.flops),
            gbytes_per_s: rate(kernel.bytes),
        }
    }
}

/// The kernels, the longest first.
fn rows(profile: &Profile) -> Vec<Row<'_>> {
    let all = profile.kernel_seconds();
    let mut rows: Vec<Row> = profile.kernels.iter().map(|kernel| Row::new(kernel, all)).collect();
    rows.sort_by(|a, b| b.ms.total_cmp(&a.ms));
    rows
}

fn share(part: f64, whole: f64) -> f64 {
    if whole > 0.0 { part / whole } else { 0.0 }
}

/// The time before the first kernel and after the last: the rest of the wall time.
fn rest(profile: &Profile) -> f64 {
    profile.wall - profile.kernel_seconds() - profile.gaps - profile.between
}

/// The table for people.
pub fn table(profile: &Profile) -> Vec<String> {
    let head = ["step", "kernel", "calls", "ms", "share", "µs/call", "GFLOP/s", "GB/s"];
    let mut table = vec![head.map(str::to_owned).to_vec()];
    let number = |value: Option<f64>| value.map_or_else(|| "-".to_owned(), |value| format!("{value:.2}"));
    table.extend(rows(profile).iter().map(|row| {
        vec![
            row.step.to_owned(),
            row.kernel.to_owned(),
            row.calls.to_string(),
            format!("{:.2}", row.ms),
            format!("{:.1} %", 100.0 * row.share),
            format!("{:.2}", row.us_per_call),
            number(row.gflops_per_s),
            number(row.gbytes_per_s),
        ]
    }));
    let mut lines = columns(2, &table);
    lines.push(String::new());
    lines.extend(whole(profile));
    lines
}

/// Kernels, gaps and the rest, with the wall time.
fn whole(profile: &Profile) -> Vec<String> {
    let line = |name: &str, seconds: f64, what: String| {
        format!("{name:<9} {:>10.2} ms {:>6.1} %   {what}", 1e3 * seconds, 100.0 * share(seconds, profile.wall))
    };
    let mut wall = "training".to_owned();
    if profile.predicting > 0.0 {
        let ms = 1e3 * profile.predicting;
        wall += &format!(", and {ms:.2} ms of validation between submissions and at the end");
    }
    let mut lines = vec![
        line("kernels", profile.kernel_seconds(), format!("{} dispatches", profile.calls())),
        line("gaps", profile.gaps, "between the dispatches of a submission".to_owned()),
        line("", profile.between, format!("between {} submissions", profile.submissions)),
        line("rest", rest(profile), "before the first kernel and after the last".to_owned()),
        line("wall", profile.wall, wall),
    ];
    lines.push(format!(
        "two timestamps take {:.2} µs themselves: calls near that are shorter than they look",
        1e6 * profile.clock
    ));
    if profile.left_out > 0 {
        lines.push(format!("{} more dispatches could not be timed; what they took is in the gaps", profile.left_out));
    }
    lines
}

/// The same as JSON.
fn json(profile: &Profile, adapter: &str) -> Value {
    json!({
        "schema_version": SCHEMA_VERSION,
        "version": env!("CARGO_PKG_VERSION"),
        "adapter": adapter,
        "clock_us": 1e6 * profile.clock,
        "wall_ms": 1e3 * profile.wall,
        "kernels_ms": 1e3 * profile.kernel_seconds(),
        "gaps_ms": { "dispatches": 1e3 * profile.gaps, "submissions": 1e3 * profile.between },
        "rest_ms": 1e3 * rest(profile),
        "validation_ms": 1e3 * profile.predicting,
        "submissions": profile.submissions,
        "dispatches": { "timed": profile.calls(), "left_out": profile.left_out },
        "kernels": rows(profile),
    })
}

/// Writes the table as JSON.
pub fn write_json(path: &std::path::Path, profile: &Profile, adapter: &str) -> Result<()> {
    durable::write_bytes(path, text(&json(profile, adapter), serde_json::to_string_pretty)?.as_bytes())
}

/// The GPU's track of a trace, and the host's.
const TRACKS: [(u32, &str); 2] = [(1, "GPU kernels"), (2, "host submissions")];

/// Writes the first dispatches and submissions in the trace event format, and says which they are.
pub fn write_trace(path: &std::path::Path, profile: &Profile, adapter: &str) -> Result<String> {
    let said = format!("the first {} of {} dispatches", profile.dispatches.len(), profile.calls());
    let names = TRACKS.map(
        |(track, name)| json!({ "ph": "M", "name": "thread_name", "pid": 1, "tid": track, "args": { "name": name } }),
    );
    let kernels = profile.dispatches.iter().map(|dispatch| kernel_event(profile, dispatch));
    let events: Vec<Value> = names.into_iter().chain(kernels).chain(profile.host.iter().map(host_event)).collect();
    let trace = json!({
        "displayTimeUnit": "ms",
        "otherData": { "adapter": adapter, "events": said },
        "traceEvents": events,
    });
    durable::write_bytes(path, text(&trace, serde_json::to_string)?.as_bytes())?;
    Ok(said)
}

fn kernel_event(profile: &Profile, dispatch: &DispatchTime) -> Value {
    let label = &profile.kernels[dispatch.kernel].label;
    let args = json!({ "kernel": label.kernel, "rows": dispatch.rows, "submission": dispatch.submission });
    event(TRACKS[0].0, &label.step, dispatch.begin, dispatch.seconds, args)
}

fn host_event(host: &HostTime) -> Value {
    event(TRACKS[1].0, host.name, host.begin, host.seconds, json!({}))
}

fn event(track: u32, name: &str, begin: f64, seconds: f64, args: Value) -> Value {
    json!({ "ph": "X", "name": name, "pid": 1, "tid": track, "ts": 1e6 * begin, "dur": 1e6 * seconds, "args": args })
}

fn text(value: &Value, to_text: fn(&Value) -> serde_json::Result<String>) -> Result<String> {
    to_text(value).map(|text| text + "\n").map_err(|e| Error::Internal(format!("profile: {e}")))
}
