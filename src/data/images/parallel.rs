//! Work on many files at once.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

/// How many files are worked on at once.
pub(super) fn threads() -> usize {
    thread::available_parallelism().map_or(1, usize::from)
}

/// What `work` makes of each number below `count`, in their order; `None` where it panicked.
pub(super) fn each<T: Send>(count: usize, work: impl Fn(usize) -> T + Sync) -> Vec<Option<T>> {
    let next = AtomicUsize::new(0);
    let some = || {
        let mut done = Vec::new();
        loop {
            let at = next.fetch_add(1, Ordering::Relaxed);
            if at >= count {
                return done;
            }
            done.push((at, work(at)));
        }
    };
    let mut all: Vec<Option<T>> = (0..count).map(|_| None).collect();
    thread::scope(|scope| {
        let threads: Vec<_> = (0..threads().min(count)).map(|_| scope.spawn(some)).collect();
        for (at, made) in threads.into_iter().filter_map(|thread| thread.join().ok()).flatten() {
            all[at] = Some(made);
        }
    });
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_made_at_once_comes_in_order() {
        let made: Vec<usize> = each(1000, |at| at * at).into_iter().flatten().collect();
        assert_eq!(made, (0..1000).map(|at| at * at).collect::<Vec<_>>());
        assert!(each(0, |at| at).is_empty());
    }
}
