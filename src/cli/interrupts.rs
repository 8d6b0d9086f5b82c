//! Ctrl-C, and a request to terminate.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crate::{Error, Result};

/// One press may arrive several times: a terminal signals a whole group of processes, and a shell or `timeout` in it passes
/// the signal on. Only a signal this long after the first is a second press.
const APART: Duration = Duration::from_secs(1);

/// A flag that is set when the process is asked to end; then `first` is called. A second request ends the process at once.
///
/// # Errors
/// If the system does not allow handling them.
pub fn watch(first: impl Fn() + Send + 'static) -> Result<Arc<AtomicBool>> {
    let flag = Arc::new(AtomicBool::new(false));
    let (seen, mut since) = (flag.clone(), None::<Instant>);
    let each = move || match since {
        None => {
            since = Some(Instant::now());
            seen.store(true, Ordering::Relaxed);
            first();
        }
        Some(since) if since.elapsed() >= APART => std::process::exit(130),
        Some(_) => {}
    };
    listen(each).map_err(|error| Error::Internal(format!("Ctrl-C cannot be watched: {error}")))?;
    Ok(flag)
}

/// Calls `each` for Ctrl-C and for a request to terminate. Closing the terminal does not count: `nohup` would be useless.
#[cfg(unix)]
fn listen(mut each: impl FnMut() + Send + 'static) -> Result<(), Box<dyn std::error::Error>> {
    use signal_hook::consts::{SIGINT, SIGTERM};
    let mut signals = signal_hook::iterator::Signals::new([SIGINT, SIGTERM])?;
    let thread = std::thread::Builder::new().name("signals".to_owned());
    thread.spawn(move || signals.forever().for_each(|_| each()))?;
    Ok(())
}

#[cfg(not(unix))]
fn listen(each: impl FnMut() + Send + 'static) -> Result<(), Box<dyn std::error::Error>> {
    ctrlc::set_handler(each).map_err(Into::into)
}
