//! A column of a Parquet file, some rows at a time.

use parquet::basic::{ConvertedType, LogicalType, TimeUnit, Type};
use parquet::column::reader::{ColumnReader, ColumnReaderImpl};
use parquet::data_type::DataType;
use parquet::errors::Result;
use parquet::file::reader::RowGroupReader;
use parquet::schema::types::ColumnDescriptor;

use super::time::{date, stamp, time};

/// A value of a column.
#[derive(Debug, PartialEq)]
pub(super) enum Value {
    Number(f64),
    Switch(bool),
    Text(String),
    /// Bytes that are no text.
    Bytes,
}

/// What the numbers of a column stand for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Meaning {
    Themselves,
    Unsigned,
    /// A number with so many digits after the point.
    Decimal(i32),
    Date,
    /// A time of day, in so many parts of a second.
    Time(i64),
    /// A point in time, in so many parts of a second since 1970.
    Stamp(i64),
}

/// A column that is read.
pub(super) struct Column {
    /// Its place in the file.
    place: usize,
    meaning: Meaning,
    reader: Option<ColumnReader>,
    /// Those of the present rows; `None` for null.
    values: Vec<Option<Value>>,
}

impl Column {
    /// `None` for a column of lists or groups, or of a kind that is not read.
    pub fn new(place: usize, description: &ColumnDescriptor) -> Option<Self> {
        let flat = description.path().parts().len() == 1 && description.max_rep_level() == 0;
        let meaning = meaning(description).filter(|_| flat)?;
        Some(Column { place, meaning, reader: None, values: Vec::new() })
    }

    /// Goes to the start of a row group.
    pub fn start(&mut self, group: &dyn RowGroupReader) -> Result<()> {
        self.reader = Some(group.get_column_reader(self.place)?);
        Ok(())
    }

    /// Returns the value in a row of the present ones; `None` for null.
    pub fn value(&self, row: usize) -> Option<&Value> {
        self.values.get(row).and_then(Option::as_ref)
    }

    /// Reads the next rows, and returns how many there were.
    pub fn read(&mut self, rows: usize) -> Result<usize> {
        self.values.clear();
        let (meaning, values) = (self.meaning, &mut self.values);
        let whole = |number: i64| whole(number, meaning);
        let bytes = |bytes: &[u8]| text(bytes, meaning);
        while values.len() < rows {
            let wanted = rows - values.len();
            let before = values.len();
            match self.reader.as_mut() {
                None => {}
                Some(ColumnReader::BoolColumnReader(reader)) => read(reader, wanted, values, |&it| Value::Switch(it))?,
                Some(ColumnReader::Int32ColumnReader(reader)) if meaning == Meaning::Unsigned => {
                    read(reader, wanted, values, |&it| Value::Number(f64::from(it as u32)))?;
                }
                Some(ColumnReader::Int32ColumnReader(reader)) => read(reader, wanted, values, |&it| whole(it.into()))?,
                Some(ColumnReader::Int64ColumnReader(reader)) => read(reader, wanted, values, |&it| whole(it))?,
                Some(ColumnReader::Int96ColumnReader(reader)) => {
                    read(reader, wanted, values, |it| whole(it.to_micros()))?
                }
                Some(ColumnReader::FloatColumnReader(reader)) => {
                    read(reader, wanted, values, |&it| Value::Number(it.into()))?;
                }
                Some(ColumnReader::DoubleColumnReader(reader)) => {
                    read(reader, wanted, values, |&it| Value::Number(it))?
                }
                Some(ColumnReader::ByteArrayColumnReader(reader)) => {
                    read(reader, wanted, values, |it| bytes(it.data()))?
                }
                Some(ColumnReader::FixedLenByteArrayColumnReader(reader)) => {
                    read(reader, wanted, values, |it| bytes(it.data()))?;
                }
            }
            if values.len() == before {
                break;
            }
        }
        Ok(values.len())
    }
}

/// Reads rows of a column; where it has nulls, a level says of each row whether there is a value.
fn read<T: DataType>(
    reader: &mut ColumnReaderImpl<T>,
    rows: usize,
    to: &mut Vec<Option<Value>>,
    value: impl Fn(&T::T) -> Value,
) -> Result<()> {
    let (mut levels, mut values) = (Vec::new(), Vec::new());
    reader.read_records(rows, Some(&mut levels), None, &mut values)?;
    let mut values = values.iter().map(value);
    if levels.is_empty() {
        to.extend(values.map(Some));
    } else {
        to.extend(levels.iter().map(|level| if *level > 0 { values.next() } else { None }));
    }
    Ok(())
}

fn meaning(description: &ColumnDescriptor) -> Option<Meaning> {
    let parts = |unit: &TimeUnit| match unit {
        TimeUnit::MILLIS => 1_000,
        TimeUnit::MICROS => 1_000_000,
        TimeUnit::NANOS => 1_000_000_000,
    };
    let said = match (description.logical_type_ref(), description.converted_type()) {
        (Some(LogicalType::Timestamp(kind)), _) => Meaning::Stamp(parts(&kind.unit)),
        (Some(LogicalType::Time(kind)), _) => Meaning::Time(parts(&kind.unit)),
        (Some(LogicalType::Integer(kind)), _) if !kind.is_signed => Meaning::Unsigned,
        (Some(LogicalType::Date), _) => Meaning::Date,
        (Some(LogicalType::Decimal(kind)), _) => Meaning::Decimal(kind.scale.clamp(0, 300)),
        (Some(LogicalType::Float16 | LogicalType::Uuid), _) => return None,
        (_, ConvertedType::TIMESTAMP_MILLIS) => Meaning::Stamp(1_000),
        (_, ConvertedType::TIMESTAMP_MICROS) => Meaning::Stamp(1_000_000),
        (_, ConvertedType::TIME_MILLIS) => Meaning::Time(1_000),
        (_, ConvertedType::TIME_MICROS) => Meaning::Time(1_000_000),
        (_, ConvertedType::DATE) => Meaning::Date,
        (_, ConvertedType::DECIMAL) => Meaning::Decimal(description.type_scale().clamp(0, 300)),
        (_, ConvertedType::UINT_8 | ConvertedType::UINT_16 | ConvertedType::UINT_32 | ConvertedType::UINT_64) => {
            Meaning::Unsigned
        }
        _ => Meaning::Themselves,
    };
    match description.physical_type() {
        Type::INT32 | Type::INT64 => Some(said),
        Type::INT96 => Some(Meaning::Stamp(1_000_000)),
        Type::BOOLEAN | Type::FLOAT | Type::DOUBLE => Some(Meaning::Themselves),
        Type::BYTE_ARRAY => Some(said).filter(|said| matches!(said, Meaning::Themselves | Meaning::Decimal(_))),
        Type::FIXED_LEN_BYTE_ARRAY => Some(said).filter(|said| matches!(said, Meaning::Decimal(_))),
    }
}

fn whole(number: i64, meaning: Meaning) -> Value {
    match meaning {
        Meaning::Themselves => Value::Number(number as f64),
        Meaning::Unsigned => Value::Number(number as u64 as f64),
        Meaning::Decimal(scale) => Value::Number(number as f64 / 10f64.powi(scale)),
        Meaning::Date => Value::Text(date(number)),
        Meaning::Time(parts) => Value::Text(time(number, parts)),
        Meaning::Stamp(parts) => Value::Text(stamp(number, parts)),
    }
}

/// Text, or a decimal as the bytes of a whole number, the highest first.
fn text(bytes: &[u8], meaning: Meaning) -> Value {
    match meaning {
        Meaning::Decimal(_) if bytes.is_empty() || bytes.len() > 16 => Value::Bytes,
        Meaning::Decimal(scale) => {
            let sign = i128::from(bytes[0] as i8 >> 7);
            let number = bytes.iter().fold(sign, |number, byte| number << 8 | i128::from(*byte));
            Value::Number(number as f64 / 10f64.powi(scale))
        }
        _ => std::str::from_utf8(bytes).map_or(Value::Bytes, |text| Value::Text(text.to_owned())),
    }
}
