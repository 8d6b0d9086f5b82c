//! From nothing to the first update: a process for each workload, whose driver finds no cache.

use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, Command, Stdio};
use std::time::Instant;

use super::data::Data;
use super::measure::Subject;
use super::workloads::Workload;
use crate::gpu::Gpu;
use crate::{Error, Result};

/// The flag that makes `accrue bench` such a process.
pub const FLAG: &str = "--first-update";

/// The cost of a cold start.
pub struct Cold {
    /// Seconds from starting the process until it knows that the first update was made.
    pub seconds: f64,
    /// The process's peak memory, if the system reports it.
    pub peak_bytes: Option<u64>,
}

/// Starts the command once more, and waits until it has made its first update and then trained for some seconds.
pub fn start(workload: &Workload, seconds: f64, adapter: Option<&str>) -> Result<Cold> {
    let wrong = |what: String| Error::Internal(format!("a cold start of {}: {what}", workload.name));
    let program = std::env::current_exe().map_err(|error| wrong(error.to_string()))?;
    let mut command = Command::new(program);
    command.arg("bench").arg(FLAG).args(workload.arguments()).arg(format!("--seconds={seconds}"));
    command.args(adapter.map(|name| format!("--adapter={name}")));
    // The drivers that cache compiled shaders on disk: Mesa's, and NVIDIA's.
    command.env("MESA_SHADER_CACHE_DISABLE", "true").env("__GL_SHADER_DISK_CACHE", "0").env_remove("RUST_LOG");
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let clock = Instant::now();
    let mut child = command.spawn().map_err(|error| wrong(error.to_string()))?;
    let told = listen(&mut child, clock).map_err(|error| wrong(error.to_string()))?;
    let ended = child.wait().map_err(|error| wrong(error.to_string()))?;
    match told {
        Some(cold) if ended.success() => Ok(cold),
        _ => {
            let mut said = String::new();
            // Without its message there is still its exit code.
            let _ = child.stderr.take().map(|mut stderr| stderr.read_to_string(&mut said));
            Err(wrong(format!("{ended}: {}", said.trim())))
        }
    }
}

/// Times the first line, and parses the second.
fn listen(child: &mut Child, clock: Instant) -> std::io::Result<Option<Cold>> {
    let Some(stdout) = child.stdout.take() else { return Ok(None) };
    let (mut stdout, mut first, mut second) = (BufReader::new(stdout), String::new(), String::new());
    stdout.read_line(&mut first)?;
    let seconds = clock.elapsed().as_secs_f64();
    stdout.read_line(&mut second)?;
    let made = first.trim() == FIRST;
    Ok(made.then(|| Cold { seconds, peak_bytes: second.trim().parse().ok() }))
}

const FIRST: &str = "the first update is made";

/// The process: prints one line as soon as the first update is made, and at its end another with its peak memory.
pub fn first_update(open: impl FnOnce() -> Result<Gpu>, workload: Workload, seconds: f64) -> Result<()> {
    let gpu = open()?;
    let data = Data::random(&workload)?;
    let mut subject = Subject::new(&gpu, workload, data.into())?;
    let tell = |line: &str| {
        let mut out = std::io::stdout();
        // Only the parent reads it, and the parent notices missing lines.
        let _ = writeln!(out, "{line}").and_then(|()| out.flush());
    };
    subject.round(seconds, || tell(FIRST))?;
    tell(&peak_bytes().map_or("-".to_owned(), |bytes| bytes.to_string()));
    Ok(())
}

/// This process's peak memory, on Linux.
fn peak_bytes() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    Some(1024 * line.trim().strip_suffix(" kB")?.parse::<u64>().ok()?)
}
