//! Columns that say the target in other words.

use super::tally::MOST_LEVELS;

/// Fewer rows than this say nothing.
const FEW: u64 = 50;

/// Whether each level of a column goes with one class alone, and each class with one level.
#[derive(Debug, Default)]
pub(super) struct Echo {
    /// By place of the level, the class that it goes with.
    classes: Vec<u32>,
    differs: bool,
    rows: u64,
}

impl Echo {
    /// Notices a row: the place of its level in the order of appearance, which is `None` where it is missing or not counted, and
    /// the number of its class in that order.
    pub fn add(&mut self, level: Option<usize>, class: Option<u32>) {
        self.rows += 1;
        let (Some(level), Some(class), false) = (level, class, self.differs) else {
            self.differs = true;
            return;
        };
        match self.classes.get(level) {
            Some(known) => self.differs = *known != class,
            None if level == self.classes.len() && level < MOST_LEVELS && !self.classes.contains(&class) => {
                self.classes.push(class);
            }
            None => self.differs = true,
        }
    }

    /// Whether it is the target in other words.
    pub fn is_target(&self) -> bool {
        !self.differs && self.classes.len() > 1 && self.rows >= FEW
    }
}
