//! A Parquet file that is being written, a row group at a time.

use std::io::{self, Write};
use std::sync::Arc;

use parquet::basic::{Compression, LogicalType, Repetition, TimeUnit, Type as Physical, ZstdLevel};
use parquet::column::writer::ColumnWriterImpl;
use parquet::data_type::{
    BoolType, ByteArray, ByteArrayType, DataType, DoubleType, Int32Type, Int64Type,
};
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::{SerializedColumnWriter, SerializedFileWriter};
use parquet::schema::types::Type;

/// Rows of a row group: enough that a dictionary pays, few enough to be held in memory.
const ROWS: usize = 256 * 1024;

/// Bytes of its texts, about, at most.
const BYTES: usize = 64 << 20;

/// What a column holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Texts in UTF-8.
    Text,
    /// Instants, in microseconds of UTC.
    Time,
    /// Whole numbers of 64 bits.
    Whole,
    /// Whole numbers of 32 bits.
    Small,
    /// Numbers.
    Number,
    /// True or false.
    Truth,
}

/// A column.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Field {
    /// Its name.
    pub name: &'static str,
    /// What it holds.
    pub kind: Kind,
    /// Whether each row has it.
    pub required: bool,
}

/// What a row has in a column.
#[derive(Clone, Debug)]
pub(crate) enum Cell {
    /// Nothing.
    Missing,
    /// Of [`Kind::Text`].
    Text(ByteArray),
    /// Of [`Kind::Time`] or [`Kind::Whole`].
    Whole(i64),
    /// Of [`Kind::Small`].
    Small(i32),
    /// Of [`Kind::Number`].
    Number(f64),
    /// Of [`Kind::Truth`].
    Truth(bool),
}

/// Writes a table.
pub(crate) struct Table<W: Write + Send> {
    out: SerializedFileWriter<W>,
    /// Those of the row group that is gathered.
    columns: Vec<Column>,
    rows: usize,
    bytes: usize,
}

/// The values of a column, and where not every row has one, which do.
struct Column {
    values: Values,
    levels: Option<Vec<i16>>,
}

enum Values {
    Text(Vec<ByteArray>),
    Whole(Vec<i64>),
    Small(Vec<i32>),
    Number(Vec<f64>),
    Truth(Vec<bool>),
}

impl<W: Write + Send> Table<W> {
    /// Begins a file of rows that are called `row`.
    ///
    /// # Errors
    /// `out` fails.
    pub fn new(out: W, row: &str, fields: &[Field]) -> io::Result<Self> {
        let properties = WriterProperties::builder()
            .set_compression(Compression::ZSTD(ZstdLevel::default()))
            .build();
        let schema = schema(row, fields).map_err(failed)?;
        let out = SerializedFileWriter::new(out, Arc::new(schema), Arc::new(properties));
        Ok(Table {
            out: out.map_err(failed)?,
            columns: fields.iter().map(Column::new).collect(),
            rows: 0,
            bytes: 0,
        })
    }

    /// Adds a row: a cell a column, in their order.
    ///
    /// # Errors
    /// A cell is not of its column's kind, or missing where each row has one; `out` fails.
    pub fn row(&mut self, cells: impl IntoIterator<Item = Cell>) -> io::Result<()> {
        let mut columns = self.columns.iter_mut();
        for cell in cells {
            if let Cell::Text(text) = &cell {
                self.bytes += text.len();
            }
            let taken = columns.next().is_some_and(|column| column.push(cell));
            if !taken {
                return Err(io::Error::other("a row is not as its table's columns are"));
            }
        }
        self.rows += 1;
        if self.rows < ROWS && self.bytes < BYTES {
            return Ok(());
        }
        self.flush().map_err(failed)
    }

    /// Ends the file, and gives back what it was written to.
    ///
    /// # Errors
    /// `out` fails.
    pub fn finish(mut self) -> io::Result<W> {
        self.flush().map_err(failed)?;
        self.out.into_inner().map_err(failed)
    }

    fn flush(&mut self) -> Result<(), ParquetError> {
        if self.rows == 0 {
            return Ok(());
        }
        let mut group = self.out.next_row_group()?;
        // In the order of the schema.
        for column in &mut self.columns {
            if let Some(mut writer) = group.next_column()? {
                column.write(&mut writer)?;
                writer.close()?;
            }
        }
        group.close()?;
        (self.rows, self.bytes) = (0, 0);
        Ok(())
    }
}

impl Column {
    fn new(field: &Field) -> Self {
        Column {
            values: match field.kind {
                Kind::Text => Values::Text(Vec::new()),
                Kind::Time | Kind::Whole => Values::Whole(Vec::new()),
                Kind::Small => Values::Small(Vec::new()),
                Kind::Number => Values::Number(Vec::new()),
                Kind::Truth => Values::Truth(Vec::new()),
            },
            levels: (!field.required).then(Vec::new),
        }
    }

    /// Takes a cell, if it may be here.
    fn push(&mut self, cell: Cell) -> bool {
        let there = !matches!(cell, Cell::Missing);
        match (&mut self.values, cell) {
            (Values::Text(values), Cell::Text(value)) => values.push(value),
            (Values::Whole(values), Cell::Whole(value)) => values.push(value),
            (Values::Small(values), Cell::Small(value)) => values.push(value),
            (Values::Number(values), Cell::Number(value)) => values.push(value),
            (Values::Truth(values), Cell::Truth(value)) => values.push(value),
            (_, Cell::Missing) if self.levels.is_some() => {}
            _ => return false,
        }
        if let Some(levels) = &mut self.levels {
            levels.push(there.into());
        }
        true
    }

    /// Writes what it holds, and holds nothing.
    fn write(&mut self, writer: &mut SerializedColumnWriter<'_>) -> Result<(), ParquetError> {
        let levels = self.levels.as_mut().map(std::mem::take);
        let levels = levels.as_deref();
        match &mut self.values {
            Values::Text(values) => put::<ByteArrayType>(writer, values, levels),
            Values::Whole(values) => put::<Int64Type>(writer, values, levels),
            Values::Small(values) => put::<Int32Type>(writer, values, levels),
            Values::Number(values) => put::<DoubleType>(writer, values, levels),
            Values::Truth(values) => put::<BoolType>(writer, values, levels),
        }
    }
}

fn put<T: DataType>(
    writer: &mut SerializedColumnWriter<'_>,
    values: &mut Vec<T::T>,
    levels: Option<&[i16]>,
) -> Result<(), ParquetError> {
    let writer: &mut ColumnWriterImpl<'_, T> = writer.typed::<T>();
    writer.write_batch(&std::mem::take(values), levels, None)?;
    Ok(())
}

fn schema(row: &str, fields: &[Field]) -> Result<Type, ParquetError> {
    let column = |field: &Field| {
        let (physical, logical) = match field.kind {
            Kind::Text => (Physical::BYTE_ARRAY, Some(LogicalType::String)),
            Kind::Time => {
                let micros = LogicalType::timestamp(true, TimeUnit::MICROS);
                (Physical::INT64, Some(micros))
            }
            Kind::Whole => (Physical::INT64, None),
            Kind::Small => (Physical::INT32, None),
            Kind::Number => (Physical::DOUBLE, None),
            Kind::Truth => (Physical::BOOLEAN, None),
        };
        let repetition = match field.required {
            true => Repetition::REQUIRED,
            false => Repetition::OPTIONAL,
        };
        let column = Type::primitive_type_builder(field.name, physical);
        let column = column.with_logical_type(logical);
        column.with_repetition(repetition).build().map(Arc::new)
    };
    let columns: Result<_, _> = fields.iter().map(column).collect();
    Type::group_type_builder(row).with_fields(columns?).build()
}

/// What the disk says is told as it says it.
fn failed(error: ParquetError) -> io::Error {
    match error {
        ParquetError::External(error) => match error.downcast::<io::Error>() {
            Ok(error) => *error,
            Err(error) => io::Error::other(error),
        },
        other => io::Error::other(other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_is_as_the_columns_are() {
        let fields = [
            Field {
                name: "home",
                kind: Kind::Text,
                required: true,
            },
            Field {
                name: "score",
                kind: Kind::Number,
                required: false,
            },
        ];
        let mut table = Table::new(Vec::new(), "row", &fields).unwrap();
        let home = || Cell::Text("h".into());
        table.row([home(), Cell::Missing]).unwrap();
        for row in [
            vec![Cell::Missing, Cell::Missing],
            vec![Cell::Whole(1), Cell::Missing],
            vec![home(), Cell::Truth(true)],
            vec![home(), Cell::Missing, Cell::Missing],
        ] {
            table.row(row).unwrap_err();
        }
    }
}
