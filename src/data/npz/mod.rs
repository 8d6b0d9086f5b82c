//! Data from NumPy: `.npz` files, compressed or not, and `.npy` files.
//!
//! The first axis of an array is the rows. What follows says what a row holds:
//!
//! | shape | a row is | its columns are called |
//! |---|---|---|
//! | `(rows,)` | one column | `x` |
//! | `(rows, n)` | n columns | `x.0`, `x.1`, … |
//! | `(rows, height, width)` | a grey image | `x.0.0`, … |
//! | `(rows, height, width, channels)` | an image; `(rows, channels, height, width)` with `layout = "chw"` | `x.0.0.0`, … |
//!
//! A column is called after the array and the indices that it has there: `x.2.0.1` is `x[row, 2, 0, 1]`. Wherever a column is
//! named, a whole array can be: `features = "x"`. Without `features` they are everything that is neither target nor weight.
//!
//! A model sees an image as its pixels one after the other, row of pixels by row of pixels and channels last, whatever the
//! order in the file; where a single image is the feature, [`Features::shape`](super::Features::shape) has its dimensions.
//!
//! Elements are whole numbers of 8 to 64 bits, with or without sign, `float32`, `float64` or `bool`, of either byte order,
//! in C or Fortran order; labels may also be text of a fixed width (`S`, `U`). A number is rounded once, to `f32`. Labels are
//! compared as text: `3`, `3.0` and `"3"` are one class.
//!
//! # One array by itself
//!
//! For a `.npy` file, the arrays are the `.npy` files of its folder: `path = "x.npy"`, `target = "y"` reads `x.npy` and beside it
//! `y.npy`, and the features are the file itself unless `features` says more. A second file, for validation or `eval`, is called
//! as the first is, in a folder with a target of its own; `predict`, which needs no target, takes a file of any name.
//!
//! # Memory
//!
//! Rows are read in blocks of 64 KiB, in Fortran order of 1 MiB. An array that is compressed *and* in Fortran order is the exception: it is held whole, as
//! its first row is complete when all of it is read. `np.ascontiguousarray` before saving avoids that. What a header claims is
//! compared with the size of the file before anything is reserved for it.

mod archive;
mod array;
mod dtype;
mod header;
mod names;

use std::borrow::Cow;
use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use self::archive::Archive;
use self::array::Array;
use self::names::{Column, Named};
use super::source::{Place, RowReader, Source};
use super::{Chunks, Field, Layout, Role, Spec};
use crate::quote::shown;
use crate::tensor::Element;
use crate::{Error, Result};

/// Arrays of NumPy, as a source in the list.
pub struct Npz;

impl Source for Npz {
    fn name(&self) -> &'static str {
        "NumPy"
    }

    fn extensions(&self) -> &'static [&'static str] {
        &["npz", "npy"]
    }

    fn numbering(&self) -> (usize, &'static str) {
        (0, "counted from 0")
    }

    fn open(&self, path: &Path, spec: &Spec) -> Result<Box<dyn RowReader>> {
        Ok(Box::new(NpzRows::new(Archive::open(path)?, spec)?))
    }
}

/// The rows of the bytes of an `.npz` file, some at a time; `place` stands for it in messages.
///
/// # Errors
/// [`Error::Config`] for a specification that contradicts itself, [`Error::Data`] for bytes that are none or lack an array.
pub fn chunks(bytes: Vec<u8>, place: &str, spec: &Spec) -> Result<Chunks<'static>> {
    spec.check()?;
    let size = bytes.len() as u64;
    let archive = Archive::zip(Arc::new(bytes), size, place.to_owned())?;
    Ok(Chunks::new(Box::new(NpzRows::new(archive, spec)?), spec))
}

/// Arrays of the same number of rows.
struct NpzRows {
    place: String,
    arrays: Vec<Array>,
    features: Vec<Column>,
    targets: Vec<Column>,
    weight: Vec<Column>,
    fields: Vec<Field>,
    rows: u64,
    /// Rows up to and with the present one.
    at: u64,
}

impl NpzRows {
    fn new(archive: Archive, spec: &Spec) -> Result<NpzRows> {
        let Named { arrays, features, targets, weight } = Named::find(&archive, spec)?;
        let place = archive.place;
        let rows = arrays.first().map_or(0, |array| array.rows);
        if let Some(other) = arrays.iter().find(|array| array.rows != rows) {
            let (first, second) = (shown(&arrays[0].name), shown(&other.name));
            let message = format!(
                "array {first} has {rows} rows, but {second} has {}; name those that belong together in data.features",
                other.rows
            );
            return Err(Error::data(place, message));
        }
        let mut fields = Vec::new();
        for (role, columns) in [(Role::Input, &features), (Role::Target, &targets), (Role::Weight, &weight)] {
            add_fields(&mut fields, role, columns, &arrays, spec);
        }
        Ok(NpzRows { place, arrays, features, targets, weight, fields, rows, at: 0 })
    }

    fn of(&self, role: Role) -> &[Column] {
        match role {
            Role::Input => &self.features,
            Role::Target => &self.targets,
            Role::Weight => &self.weight,
        }
    }

    /// What is wrong with a number of the present row, called as in Python.
    fn cell_error(&self, column: &Column, message: &str) -> Error {
        let array = &self.arrays[column.array];
        let indices = array.indices(column.at).into_iter().map(|index| format!(", {index}")).collect::<String>();
        let (name, row) = (shown(&array.name), self.at.saturating_sub(1));
        Error::data(format!("{}, array {name}[{row}{indices}]", self.place), message)
    }

    fn array_error(&self, array: &Array, message: String) -> Error {
        Error::data(format!("{}, array {}", self.place, shown(&array.name)), message)
    }
}

impl RowReader for NpzRows {
    fn fields(&self) -> &[Field] {
        &self.fields
    }

    fn columns(&self, role: Role) -> Vec<String> {
        self.of(role).iter().map(|column| self.arrays[column.array].column_name(column.at)).collect()
    }

    fn progress(&self) -> Option<f64> {
        Some(self.at as f64 / self.rows as f64)
    }

    fn advance(&mut self) -> Result<bool> {
        if self.at == self.rows {
            return Ok(false);
        }
        for array in 0..self.arrays.len() {
            let advanced = self.arrays[array].advance();
            advanced.map_err(|message| self.array_error(&self.arrays[array], message))?;
        }
        self.at += 1;
        Ok(true)
    }

    fn numbers(&self, role: Role, into: &mut Vec<f32>) -> Result<()> {
        self.of(role).iter().try_for_each(|column| {
            let array = &self.arrays[column.array];
            let number = array.dtype.number(array.cell(column.at));
            into.push(number.map_err(|message| self.cell_error(column, &message))?);
            Ok(())
        })
    }

    fn text(&self, role: Role) -> Result<Cow<'_, str>> {
        let missing = || Error::Internal(format!("{}: nothing is read as {role:?}", self.place));
        let column = self.of(role).first().ok_or_else(missing)?;
        let array = &self.arrays[column.array];
        let text = array.dtype.text(array.cell(column.at));
        text.map(Cow::Owned).map_err(|message| self.cell_error(column, &message))
    }

    fn wrong(&self, place: Place, message: String) -> Error {
        let (role, cell) = match place {
            Place::Row => {
                return Error::data(format!("{}, row {}", self.place, self.at.saturating_sub(1)), message);
            }
            Place::Cell(role) => (role, true),
            Place::Column(role) => (role, false),
        };
        match self.of(role).first() {
            Some(column) if cell => self.cell_error(column, &message),
            Some(column) => self.array_error(&self.arrays[column.array], message),
            None => Error::data(&self.place, message),
        }
    }
}

/// Adds a field for each array that is read whole, and one for each column of the others. The names of a model say the order of
/// an image's axes, whatever the layout of its file was called.
fn add_fields(fields: &mut Vec<Field>, role: Role, columns: &[Column], arrays: &[Array], spec: &Spec) {
    let mut left = columns;
    let mut orders: HashMap<(usize, bool), Vec<usize>> = HashMap::new();
    let other = if spec.layout == Layout::Hwc { Layout::Chw } else { Layout::Hwc };
    while let Some(first) = left.first() {
        let array = &arrays[first.array];
        let element = array.dtype.element();
        let whole = array.columns();
        let mut is_whole = |layout: Layout| {
            let order = orders.entry((first.array, layout == Layout::Chw)).or_insert_with(|| array.order(layout));
            left.len() >= whole
                && left.iter().zip(&*order).all(|(column, at)| (column.array, column.at) == (first.array, *at))
        };
        let (name, dims, count) = match [spec.layout, other].into_iter().find(|layout| is_whole(*layout)) {
            Some(layout) => (array.name.clone(), array.model_dims(layout), whole),
            None => (array.column_name(first.at), Vec::new(), 1),
        };
        let element = if role == Role::Input { element } else { Element::F32 };
        fields.push(Field { role, name, dims, element });
        left = &left[count..];
    }
}
