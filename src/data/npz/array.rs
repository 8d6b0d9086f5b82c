//! One array, row by row.

use std::io::Read;
use std::sync::Arc;

use super::archive::{Bytes, Content, damaged};
use super::dtype::Dtype;
use super::header::Header;
use crate::data::Layout;

/// Numbers of one row, as many as a wide CSV file has columns.
const MOST_COLUMNS: u64 = 1 << 20;

/// Bytes of one row.
const MOST_BYTES: u64 = 1 << 24;

/// Bytes that are read at once, unless one row has more.
const BLOCK: usize = 1 << 16;

/// The same for columns of which each is read by itself.
const BLOCK_OF_COLUMNS: usize = 1 << 20;

/// An array of which rows are read in order.
pub(super) struct Array {
    pub name: String,
    pub dtype: Dtype,
    pub rows: u64,
    /// The shape of one row, as in the file.
    pub dims: Vec<usize>,
    columns: usize,
    reading: Reading,
    /// Some rows, the last axis varying fastest.
    block: Vec<u8>,
    /// Where the present row is in the block.
    at: usize,
    /// Rows up to and with those of the block.
    read: u64,
}

enum Reading {
    /// Row after row.
    InOrder(Box<dyn Read>),
    /// In Fortran order all rows of one column lie together, from there on.
    ByColumn(Bytes, u64),
}

impl Array {
    /// Reads the header; an error is the message about the array.
    pub fn open(name: &str, mut content: Content) -> Result<Array, String> {
        let header = Header::read(&mut content.in_order)?;
        let (rows, dims, columns) = shape_of_rows(&header.shape)?;
        let row = columns.saturating_mul(header.dtype.size as u64);
        if row > MOST_BYTES {
            return Err(format!("has rows of {row} bytes, but {MOST_BYTES} are the most"));
        }
        let bytes = rows.checked_mul(columns).and_then(|count| count.checked_mul(header.dtype.size as u64));
        let there = content.size.saturating_sub(header.bytes);
        if bytes != Some(there) {
            let shape = shown_shape(&header.shape);
            return Err(format!("has shape {shape}, but {there} bytes, which is another size; save it again"));
        }
        let reading = match content.stored {
            _ if !header.fortran || columns == 1 => Reading::InOrder(content.in_order),
            Some((bytes, range)) => Reading::ByColumn(bytes, range.start + header.bytes),
            None => {
                // Compressed bytes are read in their order, in which the first row is complete at the end of them alone.
                let mut all = Vec::new();
                let room = all.try_reserve_exact(there as usize);
                room.map_err(|_| format!("has {there} bytes, for which there is no memory"))?;
                content.in_order.take(there).read_to_end(&mut all).map_err(|error| damaged(&error))?;
                Reading::ByColumn(Arc::new(all), 0)
            }
        };
        let columns = columns as usize;
        let (block, dtype) = (Vec::new(), header.dtype);
        Ok(Array { name: name.to_owned(), dtype, rows, dims, columns, reading, block, at: 0, read: 0 })
    }

    /// Numbers of one row.
    pub fn columns(&self) -> usize {
        self.columns
    }

    /// Goes to the next row of those that there are; an error is the message about the array.
    pub fn advance(&mut self) -> Result<(), String> {
        self.at += 1;
        if self.at * self.row_bytes() < self.block.len() {
            return Ok(());
        }
        let most = if matches!(self.reading, Reading::InOrder(_)) { BLOCK } else { BLOCK_OF_COLUMNS };
        let count = (most / self.row_bytes()).max(1).min((self.rows - self.read) as usize);
        self.at = 0;
        self.block.resize(count * self.row_bytes(), 0);
        let done = match &mut self.reading {
            Reading::InOrder(reader) => {
                let read = reader.read_exact(&mut self.block);
                // The end of the bytes is where their checksum is compared.
                let last = self.read + count as u64 == self.rows;
                read.and_then(|()| if last { reader.read(&mut [0]).map(drop) } else { Ok(()) })
            }
            Reading::ByColumn(bytes, start) => {
                let (bytes, start) = (Arc::clone(bytes), *start);
                self.read_columns(&bytes, start, count)
            }
        };
        self.read += count as u64;
        done.map_err(|error| damaged(&error))
    }

    /// Reads the next rows of each column and puts them in order.
    fn read_columns(&mut self, bytes: &Bytes, start: u64, count: usize) -> std::io::Result<()> {
        let size = self.dtype.size;
        let mut cells = vec![0; count * size];
        for column in 0..self.columns {
            let first = self.fortran(column) as u64 * self.rows + self.read;
            bytes.read_exact_at(&mut cells, start + first * size as u64)?;
            for (row, cell) in cells.chunks_exact(size).enumerate() {
                self.block[(row * self.columns + column) * size..][..size].copy_from_slice(cell);
            }
        }
        Ok(())
    }

    /// The place of a number among those of a row when the first axis varies fastest.
    fn fortran(&self, column: usize) -> usize {
        let (mut place, mut stride) = (0, 1);
        for (index, dim) in self.indices(column).into_iter().zip(&self.dims) {
            place += index * stride;
            stride *= dim;
        }
        place
    }

    /// The bytes of a number of the present row.
    pub fn cell(&self, column: usize) -> &[u8] {
        &self.block[self.at * self.row_bytes() + column * self.dtype.size..][..self.dtype.size]
    }

    fn row_bytes(&self) -> usize {
        self.columns * self.dtype.size
    }

    /// The indices of a number in its row.
    pub fn indices(&self, column: usize) -> Vec<usize> {
        let mut left = column;
        let mut indices: Vec<usize> = self
            .dims
            .iter()
            .rev()
            .map(|dim| {
                let index = left % dim;
                left /= dim;
                index
            })
            .collect();
        indices.reverse();
        indices
    }

    /// The name of a number of each row: that of the array, and its indices where a row has several.
    pub fn column_name(&self, column: usize) -> String {
        let indices = if self.columns == 1 { Vec::new() } else { self.indices(column) };
        indices.iter().fold(self.name.clone(), |name, index| format!("{name}.{index}"))
    }

    /// The number of each row that has these indices.
    pub fn column_at(&self, indices: &[usize]) -> Option<usize> {
        let fits = indices.len() == self.dims.len() && indices.iter().zip(&self.dims).all(|(index, dim)| index < dim);
        fits.then(|| indices.iter().zip(&self.dims).fold(0, |place, (index, dim)| place * dim + index))
    }

    /// Every number of a row, in the order of a model: images with their channels last.
    pub fn order(&self, layout: Layout) -> Vec<usize> {
        match (layout, &self.dims[..]) {
            (Layout::Chw, &[channels, height, width]) => {
                let positions = height * width;
                (0..positions).flat_map(|at| (0..channels).map(move |channel| channel * positions + at)).collect()
            }
            _ => (0..self.columns).collect(),
        }
    }

    /// The shape of a row in the order of a model: `[height, width, channels]` for an image, `[time, channels]` for a series.
    pub fn model_dims(&self, layout: Layout) -> Vec<usize> {
        match (layout, &self.dims[..]) {
            (Layout::Chw, &[channels, height, width]) => vec![height, width, channels],
            (Layout::Series, &[time]) => vec![time, 1],
            (Layout::Series, &[time, channels]) => vec![time, channels],
            (_, &[height, width]) => vec![height, width, 1],
            (_, dims) => dims.to_vec(),
        }
    }

    /// The shape, as NumPy shows it.
    pub fn shape(&self) -> String {
        let rows = std::iter::once(self.rows);
        shown_shape(&rows.chain(self.dims.iter().map(|&dim| dim as u64)).collect::<Vec<_>>())
    }
}

/// Rows, the shape of one, and its numbers.
fn shape_of_rows(shape: &[u64]) -> Result<(u64, Vec<usize>, u64), String> {
    let Some((&rows, dims)) = shape.split_first() else {
        return Err("is one number; an array needs an axis of rows".to_owned());
    };
    if dims.len() > 3 {
        let message = "an image has height, width and channels, and columns have one axis: reshape it";
        return Err(format!("has shape {}; {message}", shown_shape(shape)));
    }
    let columns = dims.iter().try_fold(1, |product: u64, dim| product.checked_mul(*dim));
    match columns {
        Some(columns @ 1..=MOST_COLUMNS) if rows > 0 => {
            Ok((rows, dims.iter().map(|&dim| dim as usize).collect(), columns))
        }
        Some(0..=MOST_COLUMNS) => Err(format!("has shape {}, which holds no number", shown_shape(shape))),
        _ => Err(format!("has shape {}; a row may have {MOST_COLUMNS} numbers", shown_shape(shape))),
    }
}

/// A shape, as NumPy shows it.
fn shown_shape(shape: &[u64]) -> String {
    match shape {
        [rows] => format!("({rows},)"),
        // A hostile header may have thousands of axes.
        _ if shape.len() > 8 => format!("of {} axes", shape.len()),
        _ => format!("({})", shape.iter().map(u64::to_string).collect::<Vec<_>>().join(", ")),
    }
}
