//! Which column of a table is for what.

use std::collections::HashMap;

use super::{Header, Table, Use, Wanted};
use crate::nearest::nearest;
use crate::quote::shown;
use crate::{Error, Result};

/// What each column is for, and which columns must be used as features whatever is found in them.
pub(super) struct Roles {
    /// Per column.
    pub uses: Vec<Use>,
    /// Per column: the user named it as a feature.
    pub named: Vec<bool>,
    /// The target columns, in the order in which they are named.
    pub targets: Vec<usize>,
    pub weight: Option<usize>,
    pub group: Option<usize>,
}

impl Roles {
    /// Finds the columns that are named.
    ///
    /// # Errors
    /// [`Error::Config`] for names that contradict each other, [`Error::Data`] for a column that is not there.
    pub fn of(table: &dyn Table, wanted: &Wanted) -> Result<Roles> {
        check(wanted)?;
        let columns = Columns::of(table);
        let all =
            |names: &[String], role| names.iter().map(|name| columns.find(name, role)).collect::<Result<Vec<_>>>();
        let targets = all(&wanted.target, "data.target")?;
        let weight = all(wanted.weight.as_slice(), "data.weight")?.first().copied();
        let group = all(wanted.group.as_slice(), "data.group")?.first().copied();
        let ignored = all(&wanted.ignore, "data.ignore")?;
        wanted.kinds.keys().try_for_each(|name| columns.find(name, "data.columns").map(drop))?;
        let count = table.names().len();
        let mut roles = Roles { uses: vec![Use::Out; count], named: vec![false; count], targets, weight, group };
        match &wanted.features {
            None => roles.uses.fill(Use::Feature),
            Some(names) => {
                for column in all(names, "data.features")? {
                    (roles.uses[column], roles.named[column]) = (Use::Feature, true);
                }
            }
        }
        for (used, columns) in [
            (Use::Out, &ignored[..]),
            (Use::Group, roles.group.as_slice()),
            (Use::Weight, roles.weight.as_slice()),
            (Use::Target, &roles.targets),
        ] {
            columns.iter().for_each(|column| roles.uses[*column] = used);
        }
        Ok(roles)
    }

    /// Whether the cells of a column do not matter, so that nothing in them can be wrong.
    pub fn is_unread(&self, table: &dyn Table, column: usize, wanted: &Wanted) -> bool {
        let kind = wanted.kinds.get(&table.names()[column]);
        match self.uses[column] {
            Use::Out => true,
            Use::Feature => kind.is_some_and(|kind| !kind.is_used()),
            Use::Target | Use::Weight | Use::Group => false,
        }
    }
}

/// The columns of a table by name.
pub(super) struct Columns<'a> {
    table: &'a dyn Table,
    places: HashMap<&'a str, usize>,
}

impl<'a> Columns<'a> {
    pub fn of(table: &'a dyn Table) -> Self {
        Columns { table, places: table.names().iter().map(String::as_str).zip(0..).collect() }
    }

    /// What there is instead, in a few words.
    fn listed(&self) -> String {
        match self.table.names() {
            [] => "no column".to_owned(),
            names if names.len() <= 12 => names.iter().map(|name| shown(name)).collect::<Vec<_>>().join(", "),
            [first, .., last] => {
                format!("{} columns from {} to {}", self.table.names().len(), shown(first), shown(last))
            }
            [only] => shown(only),
        }
    }

    /// Fails if several of these columns are not there.
    pub fn has_all<'n>(&self, names: impl Iterator<Item = &'n String>) -> Result<()> {
        let missing: Vec<String> =
            names.filter(|name| !self.places.contains_key(name.as_str())).map(|name| shown(name)).collect();
        if missing.len() < 2 || has_no_header(self.table) {
            return Ok(());
        }
        let (count, some) = (missing.len(), missing[..missing.len().min(6)].join(", "));
        let more = if count > 6 { ", …" } else { "" };
        let message = format!(
            "{count} features of the model are no columns here: {some}{more}; add them, with empty cells if nothing is known. The \
             file has {}",
            self.listed()
        );
        Err(self.table.wrong(None, message))
    }

    /// The place of a column; `role` says in the message what it is wanted for.
    pub fn find(&self, name: &str, role: &str) -> Result<usize> {
        if let Some(place) = self.places.get(name) {
            return Ok(*place);
        }
        let names = self.table.names();
        let hint = match nearest(name, names.iter().map(String::as_str)) {
            Some(near) => format!("did you mean {}?", shown(near)),
            None if names.len() == 1 && names[0].contains([',', ';', '\t', '|']) => {
                String::from("there is one column only: is data.separator right, and is the first row the header?")
            }
            None => String::from("name one that is there or add it."),
        };
        let listed = self.listed();
        let message = format!("there is no column {} ({role}); {hint} The file has {listed}", shown(name));
        // Without a header, no name that was meant is there.
        let header = self.table.remarks().last().filter(|_| has_no_header(self.table));
        Err(self.table.wrong(None, header.map_or(message.clone(), |remark| format!("{message}; {remark}"))))
    }
}

/// Whether it was found that the first row has no names.
fn has_no_header(table: &dyn Table) -> bool {
    table.found().is_some_and(|reading| reading.header == Some(Header::Present(false))) && !table.remarks().is_empty()
}

/// Contradictions that can be seen without a file.
fn check(wanted: &Wanted) -> Result<()> {
    let mut uses: HashMap<&str, &str> = HashMap::new();
    let lists = [
        ("data.target", &wanted.target[..]),
        ("data.weight", wanted.weight.as_slice()),
        ("data.group", wanted.group.as_slice()),
        ("data.ignore", &wanted.ignore),
        ("data.features", wanted.features.as_deref().unwrap_or_default()),
    ];
    for (field, names) in lists {
        for name in names {
            if let Some(first) = uses.insert(name, field) {
                let message = match first == field {
                    true => format!("{} is named twice; name each column once", shown(name)),
                    false => format!("{} is named in {first} too; a column has one use", shown(name)),
                };
                return Err(Error::config(field, message));
            }
        }
    }
    if wanted.features.as_ref().is_some_and(Vec::is_empty) {
        return Err(Error::config("data.features", "no column is named; a model has at least one feature"));
    }
    if wanted.classes == Some(true) && wanted.target.len() > 1 {
        let count = wanted.target.len();
        let advice = "name one, or use loss = \"mse\"";
        let message = format!("{count} columns are named, but a classification has one target; {advice}");
        return Err(Error::config("data.target", message));
    }
    match wanted.decimal {
        None | Some('.' | ',') => Ok(()),
        Some(sign) => Err(Error::config("data.decimal", format!("{sign:?} is no decimal sign; write \".\" or \",\""))),
    }
}
