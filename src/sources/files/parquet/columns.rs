//! The columns of a row group, whatever type they are stored in, some thousand rows at a time.

use std::borrow::Cow;

use parquet::basic::Type as Physical;
use parquet::column::reader::{ColumnReader, ColumnReaderImpl};
use parquet::data_type::{
    BoolType, ByteArray, ByteArrayType, DataType, DoubleType, FloatType, Int32Type, Int64Type,
    Int96, Int96Type,
};
use parquet::errors::ParquetError;
use parquet::file::reader::RowGroupReader;

use super::super::records::Field;

/// The types of which a value is read as the text that it is written as.
pub(super) const AS_TEXT: &[Physical] = &[
    Physical::BYTE_ARRAY,
    Physical::INT32,
    Physical::INT64,
    Physical::BOOLEAN,
    Physical::FLOAT,
    Physical::DOUBLE,
];

/// A column of one type.
pub(super) struct Column<T: DataType> {
    reader: ColumnReaderImpl<T>,
    optional: bool,
}

/// Opens a column that is of type `T`.
fn typed<T: DataType>(
    group: &dyn RowGroupReader,
    index: usize,
    typed: fn(ColumnReader) -> Option<ColumnReaderImpl<T>>,
) -> Result<Column<T>, ParquetError> {
    let column = group.metadata().column(index);
    let optional = column.column_descr().max_def_level() > 0;
    let reader = typed(group.get_column_reader(index)?);
    let reader = reader.ok_or_else(|| ParquetError::General("a column changes its type".into()))?;
    Ok(Column { reader, optional })
}

impl Column<Int32Type> {
    pub fn open(group: &dyn RowGroupReader, index: usize) -> Result<Self, ParquetError> {
        typed(group, index, Int32Type::get_column_reader)
    }
}

impl<T: DataType> Column<T> {
    /// Passes over exactly so many rows.
    pub fn pass(&mut self, rows: usize) -> Result<(), ParquetError> {
        let passed = self.reader.skip_records(rows)?;
        match passed == rows {
            true => Ok(()),
            false => Err(ParquetError::General("a column ends early".into())),
        }
    }

    /// Reads exactly so many rows in place of what `to` held.
    pub fn read(&mut self, rows: usize, to: &mut Vec<Option<T::T>>) -> Result<(), ParquetError> {
        self.read_as(rows, to, |value| value)
    }

    /// The same, each value as something else.
    fn read_as<V>(
        &mut self,
        rows: usize,
        to: &mut Vec<Option<V>>,
        change: impl Fn(T::T) -> V,
    ) -> Result<(), ParquetError> {
        let (mut values, mut levels) = (Vec::with_capacity(rows), Vec::new());
        let levels_too = self.optional.then_some(&mut levels);
        let (read, _, _) = self
            .reader
            .read_records(rows, levels_too, None, &mut values)?;
        if read != rows {
            return Err(ParquetError::General(format!(
                "a column ends {} rows early",
                rows - read
            )));
        }
        to.clear();
        let mut values = values.into_iter().map(change);
        if self.optional {
            // A column of the first level: it has a value (1) or none (0).
            let value = |&level: &i16| if level > 0 { values.next() } else { None };
            to.extend(levels.iter().map(value));
        } else {
            to.extend(values.map(Some));
        }
        Ok(())
    }
}

/// A column whose values are read as texts.
pub(super) enum Texts {
    Bytes(Column<ByteArrayType>),
    Ints(Column<Int32Type>),
    Longs(Column<Int64Type>),
    Truths(Column<BoolType>),
    Floats(Column<FloatType>),
    Doubles(Column<DoubleType>),
}

impl Texts {
    pub fn open(group: &dyn RowGroupReader, index: usize) -> Result<Self, ParquetError> {
        let physical = group.metadata().column(index).column_type();
        Ok(match physical {
            Physical::INT32 => Texts::Ints(Column::open(group, index)?),
            Physical::INT64 => Texts::Longs(typed(group, index, Int64Type::get_column_reader)?),
            Physical::BOOLEAN => Texts::Truths(typed(group, index, BoolType::get_column_reader)?),
            Physical::FLOAT => Texts::Floats(typed(group, index, FloatType::get_column_reader)?),
            Physical::DOUBLE => Texts::Doubles(typed(group, index, DoubleType::get_column_reader)?),
            _ => Texts::Bytes(typed(group, index, ByteArrayType::get_column_reader)?),
        })
    }

    /// Passes over exactly so many rows.
    pub fn pass(&mut self, rows: usize) -> Result<(), ParquetError> {
        match self {
            Texts::Bytes(column) => column.pass(rows),
            Texts::Ints(column) => column.pass(rows),
            Texts::Longs(column) => column.pass(rows),
            Texts::Truths(column) => column.pass(rows),
            Texts::Floats(column) => column.pass(rows),
            Texts::Doubles(column) => column.pass(rows),
        }
    }

    /// Reads exactly so many rows in place of what `to` held.
    pub fn read(&mut self, rows: usize, to: &mut Decoded) -> Result<(), ParquetError> {
        #[allow(
            clippy::needless_pass_by_value,
            reason = "the columns give values away"
        )]
        fn text<T: ToString>(value: T) -> ByteArray {
            value.to_string().into_bytes().into()
        }
        let to = &mut to.0;
        match self {
            Texts::Bytes(column) => column.read(rows, to),
            Texts::Ints(column) => column.read_as(rows, to, text),
            Texts::Longs(column) => column.read_as(rows, to, text),
            Texts::Truths(column) => column.read_as(rows, to, text),
            Texts::Floats(column) => column.read_as(rows, to, text),
            Texts::Doubles(column) => column.read_as(rows, to, text),
        }
    }
}

/// A column of timestamps.
pub(super) enum Stamps {
    Longs(Column<Int64Type>),
    /// The day and the nanosecond within it, as older programs write them.
    Days(Column<Int96Type>),
}

impl Stamps {
    pub fn open(group: &dyn RowGroupReader, index: usize) -> Result<Self, ParquetError> {
        Ok(match group.metadata().column(index).column_type() {
            Physical::INT96 => Stamps::Days(typed(group, index, Int96Type::get_column_reader)?),
            _ => Stamps::Longs(typed(group, index, Int64Type::get_column_reader)?),
        })
    }

    /// Passes over exactly so many rows.
    pub fn pass(&mut self, rows: usize) -> Result<(), ParquetError> {
        match self {
            Stamps::Longs(column) => column.pass(rows),
            Stamps::Days(column) => column.pass(rows),
        }
    }

    /// Reads exactly so many rows in place of what `to` held.
    pub fn read(&mut self, rows: usize, to: &mut Vec<Option<i64>>) -> Result<(), ParquetError> {
        match self {
            Stamps::Longs(column) => column.read(rows, to),
            Stamps::Days(column) => column.read_as(rows, to, micros),
        }
    }
}

/// The microseconds since 1970 of a day (by astronomers' count) and the nanosecond within it; what is no time is none near 1970.
fn micros(stamp: Int96) -> i64 {
    const DAY_OF_1970: i64 = 2_440_588;
    const DAY: i64 = 86_400_000_000;
    let &[low, high, day] = stamp.data() else {
        return i64::MAX;
    };
    let nanos = (u64::from(high) << 32 | u64::from(low)).cast_signed();
    let days = i64::from(day.cast_signed()) - DAY_OF_1970;
    // A day of 32 bits times a day's microseconds fits.
    days * DAY + nanos.div_euclid(1_000)
}

/// A text a row; empty where the file has no such column.
#[derive(Default)]
pub(super) struct Decoded(Vec<Option<ByteArray>>);

impl Decoded {
    fn get(&self, row: usize) -> Option<&ByteArray> {
        self.0.get(row)?.as_ref()
    }

    /// The text of a row as a field of a record.
    pub fn field(&self, row: usize, name: &str) -> Result<Field<'_>, String> {
        let Some(bytes) = self.get(row) else {
            return Ok(Field(None));
        };
        let text = std::str::from_utf8(bytes.data());
        let text = text.map_err(|_| format!("field `{name}` is no valid UTF-8"))?;
        if text.contains('\0') {
            return Err(format!("field `{name}` holds a NUL byte"));
        }
        Ok(Field(Some(text.into())))
    }

    /// The same for a person, whatever it holds.
    pub fn shown(&self, row: usize) -> Option<Cow<'_, str>> {
        Some(String::from_utf8_lossy(self.get(row)?.data()))
    }
}
