//! The open window as the host counts it, and the clocks that advance with updates. It knows no GPU.

use super::settings::Settings;
use crate::optim::Schedule;
use crate::plan::BLOCK;
use crate::{Error, Result};

/// The progress of the open window.
pub(super) struct WindowState {
    micro_batch: usize,
    open_blocks: bool,
    /// Rows that ops look at together.
    group: usize,
    schedule: Schedule,
    lr: f64,
    updates: u64,
    rows: u32,
    ended: bool,
}

/// Settings of one window.
#[derive(Clone, Copy, Debug)]
pub(super) struct WindowSettings {
    /// Whether it makes no update after a window that was not finite.
    pub hold: bool,
    /// The factor on the learning rate.
    pub lr_factor: f64,
}

impl Default for WindowSettings {
    fn default() -> WindowSettings {
        WindowSettings { hold: false, lr_factor: 1.0 }
    }
}

impl WindowState {
    /// Starts with no open window and no updates; ops look at `group` rows together.
    ///
    /// # Errors
    /// [`Error::Config`] for a learning rate that is negative or not finite.
    pub fn new(settings: &Settings, group: usize) -> Result<WindowState> {
        check_lr(settings.lr)?;
        Ok(WindowState {
            micro_batch: settings.micro_batch,
            open_blocks: settings.open_blocks,
            group,
            schedule: settings.schedule,
            lr: settings.lr,
            updates: 0,
            rows: 0,
            ended: false,
        })
    }

    /// Updates requested so far.
    pub fn updates(&self) -> u64 {
        self.updates
    }

    /// Samples in the open window.
    pub fn rows(&self) -> u32 {
        self.rows
    }

    /// Whether the open window had its last micro-batch.
    pub fn has_ended(&self) -> bool {
        self.ended
    }

    /// Whether no block of rows is open.
    pub fn is_closed(&self) -> bool {
        self.ended || (self.rows as usize).is_multiple_of(BLOCK)
    }

    /// Whether micro-batches may end inside a block of rows.
    pub fn open_blocks(&self) -> bool {
        self.open_blocks
    }

    /// The full learning rate.
    pub fn lr(&self) -> f64 {
        self.lr
    }

    /// Sets the full learning rate of the next updates.
    ///
    /// # Errors
    /// [`Error::Config`] if it is negative or not finite as a float.
    pub fn set_lr(&mut self, lr: f64) -> Result<()> {
        check_lr(lr)?;
        self.lr = lr;
        Ok(())
    }

    /// The learning rate of the next update.
    pub fn next_lr(&self, settings: WindowSettings) -> f64 {
        settings.lr_factor * self.schedule.lr(self.lr, self.updates + 1)
    }

    /// Fails for a micro-batch that the window cannot take. `last`: it is the window's last one.
    ///
    /// # Errors
    /// [`Error::Shape`].
    pub fn check_micro_batch(&self, rows: usize, last: bool) -> Result<()> {
        let wrong = |message: String| Err(Error::Shape { op: "micro-batch", message });
        if self.ended {
            return wrong(format!("the window ended at row {}, with its last micro-batch; update first", self.rows));
        }
        let most = self.micro_batch;
        if rows == 0 || rows > most {
            return wrong(format!("{rows} rows; this trainer was planned for 1 to {most}"));
        }
        if !(self.rows as usize).is_multiple_of(self.group) {
            let (row, group) = (self.rows, self.group);
            return wrong(format!(
                "the micro-batch before it ended at row {row}, inside a group of {group} rows that are normalised together; \
                 give multiples of {group} rows, except for a window's last micro-batch"
            ));
        }
        let end = self.rows as usize + rows;
        if self.open_blocks || last || end.is_multiple_of(BLOCK) {
            return Ok(());
        }
        wrong(format!(
            "ends its window at row {end}, inside a block of {BLOCK}; give multiples of {BLOCK} rows or set open_blocks"
        ))
    }

    /// Adds a micro-batch, and returns its first row's number in the window.
    pub fn add(&mut self, rows: u32, last: bool) -> u32 {
        let row0 = self.rows;
        self.rows += rows;
        self.ended = last;
        row0
    }

    /// Fails for an update of an empty window.
    ///
    /// # Errors
    /// [`Error::Shape`].
    pub fn check_update(&self) -> Result<()> {
        if self.rows > 0 {
            return Ok(());
        }
        let message = "the window is empty; give it a micro-batch first".to_owned();
        Err(Error::Shape { op: "update", message })
    }

    /// Ends the window with an update, and returns the update's number and the window's samples.
    pub fn end(&mut self) -> (u64, u32) {
        let samples = self.rows;
        self.updates += 1;
        self.abandon();
        (self.updates, samples)
    }

    /// Forgets the open window: the next micro-batch starts another one.
    pub fn abandon(&mut self) {
        (self.rows, self.ended) = (0, false);
    }

    /// Continues from another trainer's counters.
    pub fn restore(&mut self, updates: u64, rows: u32, ended: bool, lr: f64) {
        (self.updates, self.rows, self.ended, self.lr) = (updates, rows, ended, lr);
    }
}

fn check_lr(lr: f64) -> Result<()> {
    if lr >= 0.0 && (lr as f32).is_finite() {
        return Ok(());
    }
    Err(Error::config("optimizer.lr", format!("{lr}; give a finite number from 0")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state(open_blocks: bool) -> WindowState {
        WindowState::new(&Settings { micro_batch: 48, open_blocks, lr: 0.5, ..Settings::default() }, 1).unwrap()
    }

    #[test]
    fn a_window_takes_rows_until_its_last_micro_batch_and_then_an_update() {
        let mut window = state(true);
        assert!(window.check_update().is_err(), "it is empty");
        assert_eq!((window.add(48, false), window.is_closed()), (0, false));
        assert_eq!((window.add(16, false), window.is_closed()), (48, true));
        assert_eq!((window.add(5, true), window.is_closed()), (64, true));
        assert!(window.check_micro_batch(1, false).unwrap_err().to_string().contains("ended at row 69"));
        window.check_update().unwrap();
        assert_eq!((window.end(), window.rows(), window.has_ended()), ((1, 69), 0, false));
        window.check_micro_batch(1, false).unwrap();
        window.add(1, false);
        window.abandon();
        assert_eq!((window.rows(), window.updates()), (0, 1), "a window that is forgotten makes no update");
    }

    #[test]
    fn without_open_blocks_only_the_last_micro_batch_ends_inside_a_block() {
        let mut window = state(false);
        for rows in [0, 49] {
            assert!(window.check_micro_batch(rows, true).unwrap_err().to_string().contains("planned for 1 to 48"));
        }
        assert!(window.check_micro_batch(31, false).unwrap_err().to_string().contains("at row 31, inside a block"));
        window.check_micro_batch(31, true).unwrap();
        window.check_micro_batch(32, false).unwrap();
        window.add(32, false);
        assert!(window.check_micro_batch(1, false).unwrap_err().to_string().contains("at row 33"));
        state(true).check_micro_batch(31, false).unwrap();
    }

    #[test]
    fn no_micro_batch_begins_inside_of_a_group() {
        let settings = Settings { micro_batch: 48, open_blocks: true, ..Settings::default() };
        let mut window = WindowState::new(&settings, 12).unwrap();
        window.check_micro_batch(24, false).unwrap();
        window.add(24, false);
        window.check_micro_batch(5, false).unwrap();
        window.add(5, false);
        let text = window.check_micro_batch(1, true).unwrap_err().to_string();
        assert!(text.contains("ended at row 29, inside a group of 12 rows"), "{text}");
        assert_eq!(window.end(), (1, 29), "as a window's last micro-batch it is right");
    }

    #[test]
    fn the_learning_rate_is_that_of_the_next_update_and_no_window_before_it() {
        let mut window = state(true);
        assert_eq!(window.next_lr(WindowSettings::default()), 0.5);
        assert_eq!(window.next_lr(WindowSettings { lr_factor: 3.0, ..WindowSettings::default() }), 1.5);
        assert_eq!(window.next_lr(WindowSettings::default()), 0.5, "a factor is one window's");
        assert!(window.set_lr(f64::NAN).is_err() && window.set_lr(-1.0).is_err());
        window.set_lr(0.25).unwrap();
        assert_eq!((window.next_lr(WindowSettings::default()), window.lr()), (0.25, 0.25));
    }
}
