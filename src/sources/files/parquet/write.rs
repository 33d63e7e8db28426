//! Writing an event log as Parquet, a row group at a time.

use std::collections::HashMap;
use std::io::{self, Write};
use std::sync::Arc;

use foldhash::fast::RandomState;
use parquet::basic::{Compression, LogicalType, Repetition, TimeUnit, Type as Physical, ZstdLevel};
use parquet::column::writer::ColumnWriterImpl;
use parquet::data_type::{ByteArray, ByteArrayType, DataType, Int32Type, Int64Type};
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::{SerializedColumnWriter, SerializedFileWriter};
use parquet::schema::types::Type;

use super::super::event::Event;

/// Rows of a row group: enough that a dictionary pays, few enough to be held in memory.
const ROWS: usize = 256 * 1024;

/// Writes an event log.
pub(crate) struct ParquetWriter<W: Write + Send> {
    out: SerializedFileWriter<W>,
    /// Texts that were written before: the columns share them.
    known: HashMap<Box<str>, ByteArray, RandomState>,
    rows: Rows,
}

/// The columns of a row group.
#[derive(Default)]
struct Rows {
    homes: Vec<ByteArray>,
    times: Vec<i64>,
    offsets: Vec<i32>,
    devices: Nullable,
    actions: Vec<ByteArray>,
    ids: Nullable,
}

/// Texts, and for each row whether it has one.
#[derive(Default)]
struct Nullable {
    texts: Vec<ByteArray>,
    levels: Vec<i16>,
}

impl<W: Write + Send> ParquetWriter<W> {
    /// Begins a log.
    ///
    /// # Errors
    /// `out` fails.
    pub fn new(out: W) -> io::Result<Self> {
        let properties = WriterProperties::builder()
            .set_compression(Compression::ZSTD(ZstdLevel::default()))
            .build();
        let schema = schema().map_err(io::Error::other)?;
        let out = SerializedFileWriter::new(out, Arc::new(schema), Arc::new(properties));
        Ok(ParquetWriter {
            out: out.map_err(failed)?,
            known: HashMap::default(),
            rows: Rows::default(),
        })
    }

    /// Adds an event.
    ///
    /// # Errors
    /// `out` fails.
    pub fn event(&mut self, event: &Event<'_>) -> io::Result<()> {
        let home = self.text(&event.home);
        let action = self.text(&event.action);
        let device = event.device.as_deref().map(|device| self.text(device));
        let rows = &mut self.rows;
        rows.homes.push(home);
        rows.times.push(event.time.0);
        rows.offsets.push(event.offset.into());
        rows.devices.push(device);
        rows.actions.push(action);
        rows.ids.push(event.id.as_deref().map(ByteArray::from));
        if rows.homes.len() < ROWS {
            return Ok(());
        }
        self.flush().map_err(failed)
    }

    /// Ends the log.
    ///
    /// # Errors
    /// `out` fails.
    pub fn finish(mut self) -> io::Result<()> {
        self.flush().map_err(failed)?;
        self.out.finish().map_err(failed)?;
        self.out.inner_mut().flush()
    }

    fn text(&mut self, text: &str) -> ByteArray {
        if let Some(known) = self.known.get(text) {
            return known.clone();
        }
        let written = ByteArray::from(text);
        self.known.insert(text.into(), written.clone());
        written
    }

    fn flush(&mut self) -> Result<(), ParquetError> {
        let rows = std::mem::take(&mut self.rows);
        if rows.homes.is_empty() {
            return Ok(());
        }
        let mut group = self.out.next_row_group()?;
        let mut column = 0;
        // In the order of the schema.
        while let Some(mut writer) = group.next_column()? {
            match column {
                0 => put::<ByteArrayType>(&mut writer, &rows.homes, None)?,
                1 => put::<Int64Type>(&mut writer, &rows.times, None)?,
                2 => put::<Int32Type>(&mut writer, &rows.offsets, None)?,
                3 => put::<ByteArrayType>(
                    &mut writer,
                    &rows.devices.texts,
                    Some(&rows.devices.levels),
                )?,
                4 => put::<ByteArrayType>(&mut writer, &rows.actions, None)?,
                _ => put::<ByteArrayType>(&mut writer, &rows.ids.texts, Some(&rows.ids.levels))?,
            }
            writer.close()?;
            column += 1;
        }
        group.close()?;
        Ok(())
    }
}

impl Nullable {
    fn push(&mut self, text: Option<ByteArray>) {
        self.levels.push(i16::from(text.is_some()));
        self.texts.extend(text);
    }
}

fn put<T: DataType>(
    writer: &mut SerializedColumnWriter<'_>,
    values: &[T::T],
    levels: Option<&[i16]>,
) -> Result<(), ParquetError> {
    let writer: &mut ColumnWriterImpl<'_, T> = writer.typed::<T>();
    writer.write_batch(values, levels, None)?;
    Ok(())
}

fn schema() -> Result<Type, ParquetError> {
    let text = |name, repetition| {
        let column = Type::primitive_type_builder(name, Physical::BYTE_ARRAY);
        column
            .with_logical_type(Some(LogicalType::String))
            .with_repetition(repetition)
            .build()
    };
    let time = Type::primitive_type_builder("time", Physical::INT64)
        .with_logical_type(Some(LogicalType::timestamp(true, TimeUnit::MICROS)))
        .with_repetition(Repetition::REQUIRED)
        .build()?;
    let offset = Type::primitive_type_builder("offset", Physical::INT32)
        .with_repetition(Repetition::REQUIRED)
        .build()?;
    let columns = vec![
        text("home", Repetition::REQUIRED)?,
        time,
        offset,
        text("device", Repetition::OPTIONAL)?,
        text("action", Repetition::REQUIRED)?,
        text("id", Repetition::OPTIONAL)?,
    ];
    Type::group_type_builder("event")
        .with_fields(columns.into_iter().map(Arc::new).collect())
        .build()
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
