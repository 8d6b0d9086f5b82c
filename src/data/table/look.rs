//! Looks at a whole table: what each column holds, and what is to be learned.

use super::answers::Answers;
use super::decide::{Decided, decide};
use super::kept::Kept;
use super::roles::Roles;
use super::tally::Tally;
use super::target::{answer, said};
use super::{Found, FoundColumn, FoundTarget, Kind, Missing, Open, Table, Use, Wanted};
use crate::quote::shown;
use crate::{Error, Result};

/// Looks at all rows of a table, once; twice where rows with a missing feature are left out.
///
/// What this holds in memory does not grow with the rows, apart from four bytes a row for the class and four for the group,
/// and the names of classes and groups. Of a
/// column at most 65 536 different values are counted; fewer in a table of many columns.
///
/// # Errors
/// [`Error::Config`] for a wish that contradicts itself, [`Error::Data`] for a column that is not there, a target that cannot be
/// learned, a number that is not finite in a column of numbers, or a table without a row or a feature.
pub fn look(open: &mut Open<'_>, wanted: &Wanted) -> Result<Found> {
    let mut table = open()?;
    let roles = Roles::of(&*table, wanted)?;
    let mut tallies: Vec<Tally> = table.names().iter().map(|_| Tally::new(table.names().len())).collect();
    let mut answers = Answers::new(&roles, said(wanted) != Some(false), said(wanted) == Some(true));
    let mut kept = Kept::new(&wanted.missing_values, roles.targets.clone(), Vec::new());
    let unread: Vec<bool> = (0..tallies.len()).map(|column| roles.is_unread(&*table, column, wanted)).collect();
    while kept.advance(&mut *table)? {
        for (column, tally) in tallies.iter_mut().enumerate().filter(|(column, _)| !unread[*column]) {
            let cell = table.cell(column)?;
            match kept.blanks.is_missing(&cell) {
                true => tally.add_missing(),
                false => tally.add(&*table, column, &cell)?,
            }
        }
        answers.add(&*table, &kept.blanks)?;
        tallies.iter_mut().for_each(|tally| tally.add_class(answers.class()));
    }
    if kept.rows == 0 {
        return Err(nothing(&*table, &roles, &kept));
    }
    let mut looked = Looked { table: &*table, roles: &roles, wanted, remarks: table.remarks().to_vec() };
    let (classes, why) = looked.target(&mut tallies, answers.classes())?;
    let columns = looked.columns(&mut tallies)?;
    if classes {
        looked.remark_echoes(&columns, &tallies);
    }
    let mut remarks = looked.remarks;
    let features = |column: &usize| columns[*column].role == Use::Feature && columns[*column].missing > 0;
    let complete: Vec<usize> = (0..columns.len()).filter(features).collect();
    let mut incomplete = 0;
    if wanted.missing == Missing::Drop && !complete.is_empty() {
        drop(table);
        table = open()?;
        answers = Answers::new(&roles, classes, classes);
        kept = Kept::new(&wanted.missing_values, roles.targets.clone(), complete);
        while kept.advance(&mut *table)? {
            answers.add(&*table, &kept.blanks)?;
        }
        incomplete = kept.incomplete;
        if kept.rows == 0 {
            return Err(nothing(&*table, &roles, &kept));
        }
    }
    let (groups, labelled) = answers.finish(&*table, classes)?;
    let target = match labelled {
        _ if roles.targets.is_empty() => FoundTarget::Nothing,
        Some(labelled) => {
            let mut counts = vec![0; labelled.classes.len()];
            labelled.labels.iter().for_each(|label| counts[*label as usize] += 1);
            let name = wanted.target[0].clone();
            FoundTarget::Classes { name, classes: labelled.classes, labels: labelled.labels, counts, why }
        }
        None => FoundTarget::Numbers { names: wanted.target.clone(), why },
    };
    remark_rows(&mut remarks, &kept);
    Ok(Found {
        columns,
        target,
        rows: kept.rows as usize,
        without_target: kept.without_target as usize,
        incomplete: incomplete as usize,
        groups,
        remarks,
    })
}

/// Why there is no row to learn from.
fn nothing(table: &dyn Table, roles: &Roles, kept: &Kept) -> Error {
    match roles.targets.first() {
        _ if kept.incomplete > 0 => {
            let message = format!("each of {} rows lacks a feature; set data.missing = \"fill\"", kept.incomplete);
            Error::config("data.missing", message)
        }
        Some(target) if kept.without_target > 0 => {
            let message = format!("the target is missing in all {} rows; name another column", kept.without_target);
            table.wrong_column(*target, message)
        }
        _ => table.wrong(None, "no row follows the header; at least one is needed".into()),
    }
}

fn remark_rows(remarks: &mut Vec<String>, kept: &Kept) {
    for (count, what) in [(kept.without_target, "no target"), (kept.incomplete, "a missing feature")] {
        if count > 0 {
            let rows = if count == 1 { "1 row is left out: it has" } else { "rows are left out: they have" };
            let number = if count == 1 { String::new() } else { format!("{count} ") };
            remarks.push(format!("{number}{rows} {what}"));
        }
    }
}

/// What is decided when all rows were seen.
struct Looked<'a> {
    table: &'a dyn Table,
    roles: &'a Roles,
    wanted: &'a Wanted,
    remarks: Vec<String>,
}

impl Looked<'_> {
    /// Whether the target has classes, and why.
    fn target(&self, tallies: &mut [Tally], count: Option<usize>) -> Result<(bool, String)> {
        let mut found = (false, String::new());
        for column in &self.roles.targets {
            let answer = answer(self.table, *column, &mut tallies[*column], self.wanted, count)?;
            found = (answer.classes, answer.why);
        }
        Ok(found)
    }

    fn columns(&mut self, tallies: &mut [Tally]) -> Result<Vec<FoundColumn>> {
        let mut columns = Vec::with_capacity(tallies.len());
        for (column, tally) in tallies.iter_mut().enumerate() {
            columns.push(self.column(column, tally)?);
        }
        if columns.iter().any(|column| column.role == Use::Feature) {
            return Ok(columns);
        }
        let why = columns.iter().find(|column| column.role == Use::Out).map(|column| {
            let (name, why) = (shown(&column.name), &column.why);
            format!(" ({name} is left out: {why})")
        });
        let message = format!("no column is left to be a feature{}", why.unwrap_or_default());
        Err(self.table.wrong(None, message))
    }

    fn column(&mut self, column: usize, tally: &mut Tally) -> Result<FoundColumn> {
        let name = &self.table.names()[column];
        let wanted = self.wanted;
        let role = self.roles.uses[column];
        let given = wanted.kinds.get(name).copied();
        let named = self.roles.named[column] || matches!(role, Use::Target | Use::Weight);
        let Decided { kind, mut why, dialect, range } = decide(name, tally, given, named, wanted.decimal);
        let mut used = role;
        match role {
            Use::Feature if !kind.is_used() => {
                used = Use::Out;
                if self.roles.named[column] && given.is_none() {
                    return Err(self.table.wrong_column(column, format!("{why}; it cannot be a feature")));
                }
                if given.is_none() {
                    self.remarks.push(format!("{} is left out: {why}", shown(name)));
                }
            }
            Use::Feature if kind == Kind::Number => tally.infinite.take().map_or(Ok(()), Err)?,
            Use::Weight => self.weight(column, tally)?,
            Use::Out => why = "named in data.ignore, or not in data.features".into(),
            _ => {}
        }
        if role == Use::Feature && given.is_none() {
            self.remark_numbers(name, tally, kind);
        }
        Ok(FoundColumn {
            name: name.clone(),
            kind,
            why,
            role: used,
            missing: tally.missing,
            distinct: tally.distinct(),
            more: tally.more,
            examples: std::mem::take(&mut tally.examples),
            levels: std::mem::take(&mut tally.levels),
            range,
            dialect,
        })
    }

    /// A feature that goes with the class, one to one, may be the target in other words.
    fn remark_echoes(&mut self, columns: &[FoundColumn], tallies: &[Tally]) {
        for (column, tally) in columns.iter().zip(tallies) {
            if column.role == Use::Feature && tally.echo.is_target() {
                let (name, target) = (shown(&column.name), shown(&self.wanted.target[0]));
                self.remarks.push(format!(
                    "{name} says just what the target {target} says; if it is not known beforehand, name it in data.ignore"
                ));
            }
        }
    }

    /// Every row has a weight.
    fn weight(&self, column: usize, tally: &mut Tally) -> Result<()> {
        if tally.missing > 0 {
            let message = format!("{} weights are missing; every row needs one, of 0 or more", tally.missing);
            return Err(self.table.wrong_column(column, message));
        }
        tally.no_number.take().or(tally.infinite.take()).map_or(Ok(()), Err)
    }

    /// A column whose cells are almost all numbers is told: what is not may be a slip, or stand for nothing.
    fn remark_numbers(&mut self, name: &str, tally: &Tally, kind: Kind) {
        let (numbers, others) = (tally.numbers.count, tally.numbers.others);
        if kind != Kind::Number && numbers > 0 && others == 0 && tally.numbers.dialect(self.wanted.decimal).is_none() {
            let examples = tally.examples.join(", ");
            self.remarks.push(format!("the numbers of {} are not all written alike ({examples})", shown(name)));
        }
        if kind == Kind::Number || others == 0 || numbers < 9 * others {
            return;
        }
        let Some(first) = &tally.no_number else { return };
        let (name, cells) = (shown(name), numbers + others);
        let advice = "if it stands for nothing, name it in data.missing_values";
        self.remarks.push(format!(
            "{numbers} of {cells} cells of {name} are numbers; the first that is not: {first} ({advice})"
        ));
    }
}
