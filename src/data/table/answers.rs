//! The class and the group of each row, as they are read.

use std::collections::HashMap;

use xxhash_rust::xxh3::xxh3_128;

use super::roles::Roles;
use super::tally::text_of;
use super::{Blanks, Table};
use crate::Result;
use crate::data::classes::Labels;

/// The class and the group of each row: four bytes a row for each of the two.
pub(super) struct Answers {
    target: usize,
    /// `None` where the target has no classes.
    labels: Option<Labels>,
    numbers: Vec<u32>,
    /// Whether it is an error when the target has too many different values for classes.
    must: bool,
    group: Option<usize>,
    known: HashMap<u128, u32>,
    groups: Vec<u32>,
}

/// The classes in their order, and the number of each row's class.
pub(super) struct Labelled {
    pub classes: Vec<String>,
    pub labels: Vec<u32>,
}

impl Answers {
    /// The target may have classes, or must have them.
    pub fn new(roles: &Roles, may: bool, must: bool) -> Answers {
        let target = roles.targets.first().copied();
        Answers {
            target: target.unwrap_or_default(),
            labels: (may && target.is_some()).then(Labels::new),
            numbers: Vec::new(),
            must,
            group: roles.group,
            known: HashMap::new(),
            groups: Vec::new(),
        }
    }

    /// Notices the present row.
    pub fn add(&mut self, table: &dyn Table, blanks: &Blanks) -> Result<()> {
        if let Some(labels) = &mut self.labels {
            match labels.number(&text_of(&table.cell(self.target)?)) {
                Ok(number) => self.numbers.push(number),
                Err(message) if self.must => return Err(table.wrong(Some(self.target), message)),
                Err(_) => (self.labels, self.numbers) = (None, Vec::new()),
            }
        }
        let Some(group) = self.group else { return Ok(()) };
        let cell = table.cell(group)?;
        if blanks.is_missing(&cell) {
            let message = "the group is missing; fill it in, or remove the row".to_owned();
            return Err(table.wrong(Some(group), message));
        }
        let next = self.known.len() as u32;
        self.groups.push(*self.known.entry(xxh3_128(text_of(&cell).as_bytes())).or_insert(next));
        Ok(())
    }

    /// The number of the present row's class, in the order of appearance.
    pub fn class(&self) -> Option<u32> {
        self.labels.as_ref().and_then(|_| self.numbers.last().copied())
    }

    /// How many classes there are; `None` where the target has none, or too many.
    pub fn classes(&self) -> Option<usize> {
        self.labels.as_ref().map(|labels| labels.known().len())
    }

    /// The groups of the rows, and their classes.
    pub fn finish(self, table: &dyn Table, classes: bool) -> Result<(Option<Vec<u32>>, Option<Labelled>)> {
        let groups = self.group.map(|_| self.groups);
        let Some(labels) = self.labels.filter(|_| classes) else { return Ok((groups, None)) };
        let mut numbers = self.numbers;
        let classes = labels.finish(&mut numbers).map_err(|message| table.wrong_column(self.target, message))?;
        Ok((groups, Some(Labelled { classes, labels: numbers })))
    }
}
