//! The rows of a table as features, targets and weights.

use std::borrow::Cow;
use std::cell::RefCell;
use std::rc::Rc;

use super::encode::{Encoder, Noticed};
use super::fit::{MISSING, weight_of};
use super::gather::number;
use super::kept::Kept;
use super::roles::Columns;
use super::tally::text_of;
use super::{Dialect, Kind, Learned, Missing, Preparation, Table};
use crate::data::source::{Place, RowReader};
use crate::data::{FeatureNames, Field, Role, Spec, TargetKind};
use crate::tensor::Element;
use crate::{Error, Result};

/// What is read of a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reads {
    /// Features alone; targets and weights need not be there.
    Features,
    /// Features, targets and weights; rows without a target are left out.
    Everything,
}

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
    /// Per column of the preparation, cells whose level the training rows did not have, or so rarely that it has no place of its
    /// own.
    pub unseen: Vec<u64>,
}

impl Counted {
    /// What was noticed so far.
    pub fn now(&self) -> Counts {
        self.0.borrow().clone()
    }
}

/// The rows of a table, prepared one after the other.
pub struct PreparedRows<'a> {
    table: Box<dyn Table + 'a>,
    kept: Kept,
    encoders: Vec<Encoder>,
    missing: Missing,
    targets: Vec<usize>,
    learned: Option<Learned>,
    weight: Option<(usize, Dialect)>,
    fields: Vec<Field>,
    /// The features of the present row; those that are indices come last.
    features: Vec<f32>,
    indices: Vec<f32>,
    counted: Counted,
}

impl<'a> PreparedRows<'a> {
    /// Prepares the rows of an open table.
    ///
    /// # Errors
    /// [`Error::Data`] for a table that lacks a column.
    pub fn new(table: Box<dyn Table + 'a>, preparation: &Preparation, reads: Reads) -> Result<PreparedRows<'a>> {
        let columns = Columns::of(&*table);
        columns.has_all(preparation.columns.iter().map(|column| &column.name))?;
        let encoder =
            |column: &super::Column| Ok(Encoder::new(columns.find(&column.name, "a feature of the model")?, column));
        let encoders = preparation.columns.iter().map(encoder).collect::<Result<Vec<_>>>()?;
        let everything = reads == Reads::Everything;
        let learned = preparation.target.clone().filter(|_| everything);
        let find = |name: &String| columns.find(name, "data.target");
        let names = learned.as_ref().map_or(&[][..], Learned::names);
        let targets = names.iter().map(find).collect::<Result<Vec<_>>>()?;
        let weighing = preparation.weight.as_ref().filter(|_| everything);
        let weight = weighing.map(|weight| Ok((columns.find(&weight.name, "data.weight")?, weight.dialect)));
        let weight = weight.transpose()?;
        let field = |role, name: &str| Field { role, name: name.to_owned(), dims: vec![], element: Element::F32 };
        let features = preparation.names();
        let fields = features.iter().map(|name| field(Role::Input, name));
        let fields = fields.chain(names.iter().map(|name| field(Role::Target, name)));
        let fields = fields.chain(weighing.iter().map(|weight| field(Role::Weight, &weight.name))).collect();
        drop(columns);
        // A prediction is wanted for every row, so there a missing cell is filled.
        let complete = match preparation.missing {
            Missing::Drop if everything => encoders.iter().map(|encoder| encoder.place).collect(),
            Missing::Fill | Missing::Error | Missing::Drop => Vec::new(),
        };
        let counts = Counts { missing: vec![0; encoders.len()], unseen: vec![0; encoders.len()], ..Counts::default() };
        Ok(PreparedRows {
            kept: Kept::new(&preparation.missing_values, targets.clone(), complete),
            table,
            encoders,
            missing: preparation.missing,
            targets,
            learned,
            weight,
            fields,
            features: Vec::new(),
            indices: Vec::new(),
            counted: Counted(Rc::new(RefCell::new(counts))),
        })
    }

    /// A handle to what is noticed while rows are prepared.
    pub fn counted(&self) -> Counted {
        self.counted.clone()
    }

    /// How [`Chunks`](crate::data::Chunks) use the rows.
    pub(in crate::data) fn spec(&self) -> Spec {
        let names = |role| self.columns(role);
        let kind = match &self.learned {
            Some(Learned::Classes { classes, .. }) => TargetKind::KnownClasses(classes.clone()),
            Some(Learned::Numbers { .. }) => TargetKind::Values,
            None => TargetKind::Unread,
        };
        let features = FeatureNames::Model(names(Role::Input));
        Spec { kind, weight: names(Role::Weight).pop(), features, ..Spec::values(names(Role::Target)) }
    }

    /// Prepares the features of the present row.
    fn prepare(&mut self) -> Result<()> {
        self.features.clear();
        self.indices.clear();
        let mut counts = self.counted.0.borrow_mut();
        for (at, encoder) in self.encoders.iter().enumerate() {
            let cell = self.table.cell(encoder.place)?;
            let missing = self.kept.blanks.is_missing(&cell);
            let wrong = |message: String| self.table.wrong(Some(encoder.place), message);
            if missing && self.missing == Missing::Error {
                return Err(wrong(MISSING.into()));
            }
            counts.missing[at] += u64::from(missing);
            let noticed = encoder.encode((!missing).then_some(&cell), &mut self.features, &mut self.indices);
            counts.unseen[at] += u64::from(noticed.map_err(wrong)? == Noticed::Unseen);
        }
        self.features.append(&mut self.indices);
        Ok(())
    }

    /// The scaled number of a target.
    fn target(&self, at: usize, dialects: &[Dialect], scale: Option<(f64, f64)>) -> Result<f32> {
        let column = self.targets[at];
        let cell = self.table.cell(column)?;
        let wrong = |message: String| self.table.wrong(Some(column), message);
        let x = number(Kind::Number, &dialects[at], &cell).map_err(wrong)?;
        let scaled = scale.map_or(x, |(mean, std)| (x - mean) / std) as f32;
        if scaled.is_finite() { Ok(scaled) } else { Err(wrong(format!("{x:e} is too far from the training rows"))) }
    }
}

impl Learned {
    /// The columns.
    pub fn names(&self) -> &[String] {
        match self {
            Learned::Classes { name, .. } => std::slice::from_ref(name),
            Learned::Numbers { names, .. } => names,
        }
    }
}

impl RowReader for PreparedRows<'_> {
    fn fields(&self) -> &[Field] {
        &self.fields
    }

    fn columns(&self, role: Role) -> Vec<String> {
        self.fields.iter().filter(|field| field.role == role).map(|field| field.name.clone()).collect()
    }

    fn progress(&self) -> Option<f64> {
        self.table.progress()
    }

    fn advance(&mut self) -> Result<bool> {
        let more = self.kept.advance(&mut *self.table)?;
        let mut counts = self.counted.0.borrow_mut();
        (counts.rows, counts.without_target, counts.incomplete) =
            (self.kept.rows, self.kept.without_target, self.kept.incomplete);
        drop(counts);
        if more {
            self.prepare()?;
        } else if self.kept.rows == 0 {
            let left_out = self.kept.without_target + self.kept.incomplete;
            let message = match left_out {
                0 => "no row follows the header; at least one is needed".to_owned(),
                _ => format!("all {left_out} rows lack a target or a feature; at least one complete row is needed"),
            };
            return Err(self.table.wrong(None, message));
        }
        Ok(more)
    }

    fn numbers(&self, role: Role, into: &mut Vec<f32>) -> Result<()> {
        match (role, &self.learned, self.weight) {
            (Role::Input, ..) => into.extend_from_slice(&self.features),
            (Role::Target, Some(Learned::Numbers { dialects, scale, .. }), _) => {
                for at in 0..self.targets.len() {
                    let scale = scale.as_ref().map(|scale| (scale.mean[at], scale.std[at]));
                    into.push(self.target(at, dialects, scale)?);
                }
            }
            (Role::Weight, _, Some((column, dialect))) => {
                let weight = weight_of(&*self.table, column, &dialect)? as f32;
                if !weight.is_finite() {
                    return Err(self.table.wrong(Some(column), "the weight is too large".into()));
                }
                into.push(weight);
            }
            (Role::Target | Role::Weight, ..) => {}
        }
        Ok(())
    }

    fn text(&self, role: Role) -> Result<Cow<'_, str>> {
        let Some(column) = self.first(role) else { return Ok(Cow::Borrowed("")) };
        let cell = self.table.cell(column)?;
        Ok(Cow::Owned(text_of(&cell).into_owned()))
    }

    fn wrong(&self, place: Place, message: String) -> Error {
        let first = |role| self.first(role).unwrap_or_default();
        match place {
            Place::Row => self.table.wrong(None, message),
            Place::Cell(role) => self.table.wrong(Some(first(role)), message),
            Place::Column(role) => self.table.wrong_column(first(role), message),
        }
    }
}

impl PreparedRows<'_> {
    /// The place of the first column of a role.
    fn first(&self, role: Role) -> Option<usize> {
        match role {
            Role::Input => self.encoders.first().map(|encoder| encoder.place),
            Role::Target => self.targets.first().copied(),
            Role::Weight => self.weight.map(|(column, _)| column),
        }
    }
}
