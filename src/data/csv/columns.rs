//! The columns of a CSV file that a specification names, and their cells row by row.

use std::borrow::Cow;
use std::io::Read;

use super::cells::Rows;
use crate::data::source::{Place, RowReader};
use crate::data::{FeatureNames, Field, Role, Spec};
use crate::tensor::Element;
use crate::{Error, Result};

const FEATURE_ADVICE: &str = "every feature column must be numeric (name it in data.target or remove it)";
const TARGET_ADVICE: &str = "a quantity must be numeric (for classes use loss = \"cross_entropy\")";
const MODEL_ADVICE: &str = "the model was trained on numbers in this column";
const WEIGHT_ADVICE: &str = "a weight must be a number of 0 or more";

/// Gives the share of a file that was read, of the bytes that were used and read.
pub(super) type Progress = Box<dyn Fn((u64, u64)) -> Option<f64>>;

/// A CSV file of which some columns are read.
pub(super) struct CsvRows<R> {
    rows: Rows<R>,
    /// Gives the share of the file that was read, of the counts of bytes.
    progress: Progress,
    fields: Vec<Field>,
    features: Vec<usize>,
    /// What to say about text in a feature column.
    advice: &'static str,
    targets: Vec<usize>,
    weight: Option<usize>,
}

impl<R: Read> CsvRows<R> {
    /// Finds the columns in the header.
    pub(super) fn new(rows: Rows<R>, progress: Progress, spec: &Spec) -> Result<Self> {
        let places = rows.places();
        let find = |names: &[String], role| {
            names.iter().map(|name| rows.find(&places, name, role)).collect::<Result<Vec<_>>>()
        };
        let targets = find(&spec.target, "data.target")?;
        let weight = find(spec.weight.as_slice(), "data.weight")?.first().copied();
        let (features, advice) = match &spec.features {
            FeatureNames::Rest => {
                let mut used = vec![false; rows.names().len()];
                targets.iter().chain(&weight).for_each(|column| used[*column] = true);
                ((0..used.len()).filter(|column| !used[*column]).collect::<Vec<_>>(), FEATURE_ADVICE)
            }
            FeatureNames::Given(names) => (find(names, "data.features")?, FEATURE_ADVICE),
            FeatureNames::Model(names) => (find(names, "a feature of the model")?, MODEL_ADVICE),
        };
        drop(places);
        if features.is_empty() {
            return Err(rows.line_error("no column is left to be a feature; add one beside the target".into()));
        }
        let field = |role| {
            let names = rows.names();
            move |column: &usize| Field { role, name: names[*column].clone(), dims: vec![], element: Element::F32 }
        };
        let fields = features.iter().map(field(Role::Input)).chain(targets.iter().map(field(Role::Target)));
        let fields = fields.chain(weight.iter().map(field(Role::Weight))).collect();
        Ok(CsvRows { rows, progress, fields, features, advice, targets, weight })
    }

    fn of(&self, role: Role) -> (&[usize], &'static str) {
        match role {
            Role::Input => (&self.features, self.advice),
            Role::Target => (&self.targets, TARGET_ADVICE),
            Role::Weight => (self.weight.as_slice(), WEIGHT_ADVICE),
        }
    }

    fn first(&self, role: Role) -> usize {
        self.of(role).0.first().copied().unwrap_or_default()
    }
}

impl<R: Read> RowReader for CsvRows<R> {
    fn fields(&self) -> &[Field] {
        &self.fields
    }

    fn columns(&self, role: Role) -> Vec<String> {
        self.of(role).0.iter().map(|column| self.rows.names()[*column].clone()).collect()
    }

    fn progress(&self) -> Option<f64> {
        (self.progress)(self.rows.counts())
    }

    fn advance(&mut self) -> Result<bool> {
        self.rows.advance()
    }

    fn numbers(&self, role: Role, into: &mut Vec<f32>) -> Result<()> {
        let (columns, advice) = self.of(role);
        columns.iter().try_for_each(|column| {
            into.push(self.rows.number(*column, advice)?);
            Ok(())
        })
    }

    fn text(&self, role: Role) -> Result<Cow<'_, str>> {
        self.rows.text(self.first(role)).map(Cow::Borrowed)
    }

    fn wrong(&self, place: Place, message: String) -> Error {
        match place {
            Place::Row => self.rows.line_error(message),
            Place::Cell(role) => self.rows.cell_error(self.first(role), message),
            Place::Column(role) => self.rows.column_error(&self.rows.names()[self.first(role)], message),
        }
    }
}
