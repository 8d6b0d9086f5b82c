//! The rows of a table as features, targets and weights.

use std::cell::RefCell;
use std::rc::Rc;

/// What was noticed while rows were prepared; a handle that stays when the rows are read by something else.
#[derive(Debug, Clone, Default)]
pub struct Counted(Rc<RefCell<Counts>>);

/// What was noticed while rows were prepared.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Counts {
    /// Rows that were given.
    pub rows: u64,
    /// Rows that were left out because a target is missing.
    pub without_target: u64,
    /// Rows that were left out because a feature is missing.
    pub incomplete: u64,
    /// Per column of the preparation, cells that were missing.
    pub missing: Vec<u64>,
    /// Per column of the preparation, cells with a level that is not known from training.
    pub unseen: Vec<u64>,
}

impl Counted {
    /// What was noticed so far.
    pub fn now(&self) -> Counts {
        self.0.borrow().clone()
    }
}
