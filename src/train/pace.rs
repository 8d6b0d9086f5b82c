//! How much work one submission takes.

use std::time::{Duration, Instant};

use crate::plan::CLOCKS;

/// How long one submission should take: long enough to be worth its overhead, short enough for any watchdog.
const SLICE: Duration = Duration::from_millis(100);

/// How many micro-batches and updates one submission takes: doubled while submissions are short, halved when one is long.
pub(super) struct Pace {
    items: usize,
    last: Instant,
}

impl Default for Pace {
    fn default() -> Pace {
        // How long a micro-batch takes is not known yet, and a driver may end work that takes long.
        Pace { items: 1, last: Instant::now() }
    }
}

impl Pace {
    pub fn enough(&self, items: usize) -> bool {
        items >= self.items
    }

    /// Two submissions are on their way at once, so the time between two is what one takes.
    pub fn learn(&mut self) {
        let took = self.last.elapsed();
        self.last = Instant::now();
        if took > SLICE {
            self.items = (self.items / 2).max(1);
        } else if took < SLICE / 2 {
            self.items = (self.items * 2).min(CLOCKS);
        }
    }
}
