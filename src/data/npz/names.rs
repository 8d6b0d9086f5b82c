//! Which numbers of which arrays a specification names.

use std::collections::{HashMap, HashSet};

use super::archive::Archive;
use super::array::Array;
use crate::data::{FeatureNames, Spec, TargetKind};
use crate::nearest::nearest;
use crate::quote::shown;
use crate::{Error, Result};

/// One number of each row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Column {
    /// The place of its array among those that are open.
    pub array: usize,
    /// Its place in a row, as in the file.
    pub at: usize,
}

/// The arrays that are read, and what of them is what.
pub(super) struct Named {
    pub arrays: Vec<Array>,
    pub features: Vec<Column>,
    pub targets: Vec<Column>,
    pub weight: Vec<Column>,
}

impl Named {
    /// Finds and opens the arrays that are named.
    pub fn find(archive: &Archive, spec: &Spec) -> Result<Named> {
        let mut opened = Opened::of(archive, spec);
        let targets = opened.all(&spec.target, "data.target")?;
        let labels = matches!(spec.kind, TargetKind::Classes | TargetKind::KnownClasses(_));
        if labels {
            opened
                .one_number(&targets, "class labels are one number or text: for one-hot rows save y.argmax(axis=1)")?;
        }
        let weight = opened.all(spec.weight.as_slice(), "data.weight")?;
        opened.one_number(&weight, "a weight is one number")?;
        let mut used: HashSet<Column> = HashSet::new();
        let twice = targets.iter().chain(&weight).find(|column| !used.insert(**column));
        opened.refuse(twice, "is used twice as target or weight; a column has one use")?;
        let features = match &spec.features {
            FeatureNames::Rest => opened.rest(&used)?,
            FeatureNames::Given(names) => opened.all(names, "data.features")?,
            FeatureNames::Model(names) => {
                opened.rename(names, spec);
                let features = opened.all(names, "a feature of the model")?;
                opened.check_whole(&features)?;
                features
            }
        };
        let twice = features.iter().find(|column| !used.insert(**column));
        opened.refuse(twice, "is a feature and something else, or twice a feature; a column has one use")?;
        opened.check_own(&features)?;
        Ok(Named { arrays: opened.arrays, features, targets, weight })
    }
}

/// The arrays that were opened so far.
struct Opened<'a> {
    archive: &'a Archive,
    spec: &'a Spec,
    /// The places in the archive.
    members: HashMap<&'a str, usize>,
    arrays: Vec<Array>,
    places: HashMap<&'a str, usize>,
    /// A name that stands for the `.npy` file itself.
    alias: Option<String>,
}

impl<'a> Opened<'a> {
    fn of(archive: &'a Archive, spec: &'a Spec) -> Self {
        let members = archive.names().zip(0..).collect();
        Opened { archive, spec, members, arrays: Vec::new(), places: HashMap::new(), alias: None }
    }

    /// The place of an array, which is opened if it is not; `None` where there is none of that name.
    fn array(&mut self, name: &str) -> Result<Option<usize>> {
        let name = match (&self.alias, &self.archive.own) {
            (Some(alias), Some(own)) if alias == name => own,
            _ => name,
        };
        let Some((&name, &member)) = self.members.get_key_value(name) else { return Ok(None) };
        if let Some(place) = self.places.get(name) {
            return Ok(Some(*place));
        }
        let wrong = |message| Error::data(format!("{}, array {}", self.archive.place, shown(name)), message);
        self.arrays.push(Array::open(name, self.archive.content(member)?).map_err(wrong)?);
        self.places.insert(name, self.arrays.len() - 1);
        Ok(Some(self.arrays.len() - 1))
    }

    /// The columns that some names stand for; `role` says in a message what they are wanted for.
    fn all(&mut self, names: &[String], role: &str) -> Result<Vec<Column>> {
        let mut columns = Vec::new();
        for name in names {
            if let Some(array) = self.array(name)? {
                let order = self.arrays[array].order(self.spec.layout);
                columns.extend(order.into_iter().map(|at| Column { array, at }));
            } else {
                columns.push(self.column(name, role)?);
            }
        }
        Ok(columns)
    }

    /// A column by the name of its array and its indices there.
    fn column(&mut self, name: &str, role: &str) -> Result<Column> {
        let (mut array_name, mut indices) = (name, Vec::new());
        while let Some((before, index)) = array_name.rsplit_once('.').filter(|_| indices.len() < 3) {
            let Ok(index) = index.parse::<usize>() else { break };
            (array_name, indices) = (before, [&[index], &indices[..]].concat());
            if let Some(array) = self.array(array_name)? {
                if let Some(at) = self.arrays[array].column_at(&indices) {
                    return Ok(Column { array, at });
                }
                let shape = self.arrays[array].shape();
                let message = format!("there is no {} ({role}): {} has shape {shape}", shown(name), shown(array_name));
                return Err(Error::data(&self.archive.place, message));
            }
        }
        let hint = match nearest(name, self.archive.names()) {
            Some(near) => format!("did you mean {}?", shown(near)),
            None => "name one that is there or add it.".to_owned(),
        };
        let mut listed: Vec<_> = self.archive.names().take(13).map(shown).collect();
        if listed.len() == 13 {
            listed[12] = format!("… ({} arrays)", self.members.len());
        }
        let message = format!("there is no array {} ({role}); {hint} There is {}", shown(name), listed.join(", "));
        Err(Error::data(&self.archive.place, message))
    }

    /// Every column that has no use yet: of a `.npy` file its own, of an `.npz` file those of all arrays.
    fn rest(&mut self, used: &HashSet<Column>) -> Result<Vec<Column>> {
        let names: Vec<String> = match &self.archive.own {
            Some(own) => vec![own.clone()],
            None => self.archive.names().map(str::to_owned).collect(),
        };
        let mut columns = self.all(&names, "a feature")?;
        columns.retain(|column| !used.contains(column));
        if columns.is_empty() {
            let message = "no array is left to be a feature; add one beside the target";
            return Err(Error::data(&self.archive.place, message));
        }
        Ok(columns)
    }

    /// Where features alone are read from a `.npy` file, they are its own whatever they were called.
    fn rename(&mut self, names: &[String], spec: &Spec) {
        let (TargetKind::Unread, Some(_), Some(first)) = (&spec.kind, &self.archive.own, names.first()) else { return };
        let array_of = |name: &str| {
            let mut parts = name.rsplitn(4, '.').collect::<Vec<_>>();
            parts.reverse();
            let indices = parts.iter().skip(1).rev().take_while(|part| part.parse::<usize>().is_ok()).count();
            let end = parts[..parts.len() - indices].join(".").len();
            name[..end].to_owned()
        };
        let alias = array_of(first);
        if names.iter().all(|name| array_of(name) == alias) {
            self.alias = Some(alias);
        }
    }

    /// Refuses an image that is larger than those of the model: it would be read as its corner, or as some of its channels.
    fn check_whole(&self, features: &[Column]) -> Result<()> {
        for (place, array) in self.arrays.iter().enumerate().filter(|(_, array)| array.dims.len() > 1) {
            let mut most = vec![0; array.dims.len()];
            let mut count = 0;
            for column in features.iter().filter(|column| column.array == place) {
                let mut at = column.at;
                for (most, dim) in most.iter_mut().zip(&array.dims).rev() {
                    *most = (*most).max(at % dim + 1);
                    at /= dim;
                }
                count += 1;
            }
            // Single numbers of an image may be features by themselves.
            if most != array.dims && count > 1 && most.iter().product::<usize>() == count {
                let name = format!("{}, array {}", self.archive.place, shown(&array.name));
                let message = format!(
                    "has rows of shape {:?}, but the model's are {most:?}; give images of the size that it was trained on",
                    array.dims
                );
                return Err(Error::data(name, message));
            }
        }
        Ok(())
    }

    /// A `.npy` file that was named and then not read would be a mistake.
    fn check_own(&self, features: &[Column]) -> Result<()> {
        let Some(own) = &self.archive.own else { return Ok(()) };
        if features.iter().any(|column| self.arrays[column.array].name == *own) {
            return Ok(());
        }
        let read = features.first().map_or("", |column| &self.arrays[column.array].name);
        let message = format!(
            "the features are in {}, not in this file; call it {read}.npy in a folder with its target, or use an .npz file",
            shown(&format!("{read}.npy"))
        );
        Err(Error::data(&self.archive.place, message))
    }

    fn one_number(&self, columns: &[Column], wanted: &str) -> Result<()> {
        let Some(column) = columns.get(1) else { return Ok(()) };
        let array = &self.arrays[column.array];
        let message = format!("has shape {}, but {wanted}", array.shape());
        Err(Error::data(format!("{}, array {}", self.archive.place, shown(&array.name)), message))
    }

    fn refuse(&self, column: Option<&Column>, message: &str) -> Result<()> {
        let Some(column) = column else { return Ok(()) };
        let name = self.arrays[column.array].column_name(column.at);
        Err(Error::data(format!("{}, {}", self.archive.place, shown(&name)), message))
    }
}
