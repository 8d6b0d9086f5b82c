//! One IDX file, row by row.

use std::io::{self, ErrorKind, Read};

use crate::quote::line;

/// The most axes of an array: rows, height, width and channels.
const MOST_AXES: u8 = 4;

/// Bytes that are read at once, unless one row has more.
const BLOCK: usize = 1 << 16;

/// The type of an array's elements.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    U8,
    I8,
    I16,
    I32,
    F32,
    F64,
}

impl Kind {
    fn of(code: u8) -> Option<Kind> {
        Some(match code {
            0x08 => Kind::U8,
            0x09 => Kind::I8,
            0x0b => Kind::I16,
            0x0c => Kind::I32,
            0x0d => Kind::F32,
            0x0e => Kind::F64,
            _ => return None,
        })
    }

    /// Bytes of one element.
    fn size(self) -> usize {
        match self {
            Kind::U8 | Kind::I8 => 1,
            Kind::I16 => 2,
            Kind::I32 | Kind::F32 => 4,
            Kind::F64 => 8,
        }
    }

    /// The number of as many bytes, the highest first.
    fn number(self, bytes: &[u8]) -> f64 {
        let mut all = [0; 8];
        all[..bytes.len()].copy_from_slice(bytes);
        let (high, short) = (u32::from_be_bytes([all[0], all[1], all[2], all[3]]), [all[0], all[1]]);
        match self {
            Kind::U8 => f64::from(all[0]),
            Kind::I8 => f64::from(all[0].cast_signed()),
            Kind::I16 => f64::from(i16::from_be_bytes(short)),
            Kind::I32 => f64::from(high.cast_signed()),
            Kind::F32 => f64::from(f32::from_bits(high)),
            Kind::F64 => f64::from_be_bytes(all),
        }
    }
}

/// An array of which rows are read in order.
pub(super) struct Array {
    /// The file, as shown to the user.
    pub place: String,
    pub kind: Kind,
    pub rows: u64,
    /// The shape of one row.
    pub dims: Vec<usize>,
    columns: usize,
    reader: Box<dyn Read>,
    /// Some rows.
    block: Vec<u8>,
    /// Where the present row is in the block.
    at: usize,
    /// Rows up to and with those of the block.
    read: u64,
}

impl Array {
    /// Reads the header; an error is the message about the file. `size` is that of the file, if it is not packed.
    pub fn open(place: String, mut reader: Box<dyn Read>, size: Option<u64>, most: usize) -> Result<Array, String> {
        let mut magic = [0; 4];
        read(&mut reader, &mut magic, "its first bytes")?;
        let [0, 0, code, axes @ 1..=MOST_AXES] = magic else {
            return Err(format!(
                "begins with the bytes {magic:02x?}; an IDX file begins with 00 00, its type and 1 to {MOST_AXES} axes"
            ));
        };
        let kind = Kind::of(code).ok_or_else(|| {
            format!(
                "has elements of type 0x{code:02x}; there is 08 (u8), 09 (i8), 0b (i16), 0c (i32), 0d (f32), 0e (f64)"
            )
        })?;
        let mut bytes = vec![0; 4 * usize::from(axes)];
        read(&mut reader, &mut bytes, "its shape")?;
        let shape: Vec<u64> =
            bytes.chunks_exact(4).map(|b| b.iter().fold(0, |all, &b| all << 8 | u64::from(b))).collect();
        let row = shape[1..].iter().fold(1u64, |all, &dim| all.saturating_mul(dim));
        if row > most as u64 || row == 0 || shape[0] == 0 {
            return Err(format!(
                "has the shape {shape:?}; one row at least and 1 to {most} numbers in each are wanted"
            ));
        }
        let wanted = (4 + bytes.len() as u64).saturating_add(shape[0].saturating_mul(row * kind.size() as u64));
        if let Some(size) = size.filter(|size| *size != wanted) {
            return Err(format!("has {size} bytes, but its shape {shape:?} takes {wanted}; take a whole copy of it"));
        }
        let dims: Vec<usize> = shape[1..].iter().map(|&dim| dim as usize).collect();
        let (columns, block) = (row as usize, Vec::new());
        Ok(Array { place, kind, rows: shape[0], dims, columns, reader, block, at: 0, read: 0 })
    }

    /// Numbers of one row.
    pub fn columns(&self) -> usize {
        self.columns
    }

    /// Goes to the next row of those that there are; an error is the message about the file.
    pub fn advance(&mut self) -> Result<(), String> {
        self.at += 1;
        let row = self.columns * self.kind.size();
        if self.at * row < self.block.len() {
            return Ok(());
        }
        let count = (BLOCK / row).max(1).min((self.rows - self.read) as usize);
        self.at = 0;
        self.block.resize(count * row, 0);
        read(&mut self.reader, &mut self.block, &format!("row {} of {}", self.read, self.rows))?;
        self.read += count as u64;
        // The end of the bytes is where their checksum is compared.
        if self.read == self.rows {
            match self.reader.read(&mut [0]) {
                Ok(0) => {}
                Ok(_) => return Err(format!("goes on after its {} rows; take a whole copy of it", self.rows)),
                Err(error) => return Err(damaged(&error, "its end")),
            }
        }
        Ok(())
    }

    /// A number of the present row.
    pub fn number(&self, column: usize) -> f64 {
        let size = self.kind.size();
        self.kind.number(&self.block[(self.at * self.columns + column) * size..][..size])
    }
}

fn read(reader: &mut impl Read, into: &mut [u8], what: &str) -> Result<(), String> {
    reader.read_exact(into).map_err(|error| damaged(&error, what))
}

fn damaged(error: &io::Error, what: &str) -> String {
    match error.kind() {
        ErrorKind::UnexpectedEof => format!("ends within {what}; take a whole copy of it"),
        _ => format!("{what} cannot be read ({}); take a whole copy of it", line(&error.to_string())),
    }
}
