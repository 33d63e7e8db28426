//! Reading an event log from Parquet, some thousand rows at a time.

use std::borrow::Cow;
use std::fs::File;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use hearth_operators::words::Time;
use jiff::Timestamp;
use jiff::tz::{Offset, TimeZone};
use parquet::basic::{ConvertedType, LogicalType, TimeUnit, Type as Physical};
use parquet::column::reader::{ColumnReader, ColumnReaderImpl};
use parquet::data_type::{ByteArray, ByteArrayType, DataType, Int32Type, Int64Type};
use parquet::errors::ParquetError;
use parquet::file::metadata::RowGroupMetaData;
use parquet::file::reader::{FileReader, RowGroupReader, SerializedFileReader};
use parquet::schema::types::{ColumnDescriptor, SchemaDescriptor};

use super::super::event::{Event, possible};
use super::super::records::{Field, Record, Shown};
use super::super::{Rejected, SourceError};
use crate::time;
use crate::zones::Zones;

/// Rows that are decoded at a time.
const BATCH: usize = 4096;

/// Reads an event log.
pub(crate) struct ParquetReader {
    file: SerializedFileReader<File>,
    columns: Columns,
    progress: Arc<AtomicU64>,
    /// The next row group.
    next: usize,
    group: Option<Group>,
    batch: Batch,
    /// Row of the batch.
    row: usize,
    /// Rows before the batch.
    before: u64,
}

/// Which columns of the file are read.
#[derive(Clone, Copy)]
struct Columns {
    home: usize,
    time: (usize, Clock),
    offset: Option<usize>,
    device: Option<usize>,
    action: usize,
    id: Option<usize>,
}

/// What a column of times holds.
#[derive(Clone, Copy)]
enum Clock {
    /// Texts as in CSV.
    Text,
    /// So many of these are a second, since 1970; of UTC, or as clocks showed them.
    Stamps { a_second: i64, utc: bool },
}

/// The columns of a row group, being read.
struct Group {
    left: usize,
    home: Column<ByteArrayType>,
    time: Times,
    offset: Option<Column<Int32Type>>,
    device: Option<Column<ByteArrayType>>,
    action: Column<ByteArrayType>,
    id: Option<Column<ByteArrayType>>,
}

enum Times {
    Texts(Column<ByteArrayType>),
    Stamps(Column<Int64Type>),
}

struct Column<T: DataType> {
    reader: ColumnReaderImpl<T>,
    optional: bool,
}

/// Decoded rows.
#[derive(Default)]
struct Batch {
    rows: usize,
    home: Texts,
    times: Texts,
    stamps: Vec<Option<i64>>,
    offset: Vec<Option<i32>>,
    device: Texts,
    action: Texts,
    id: Texts,
}

/// A text a row; empty where the file has no such column.
#[derive(Default)]
struct Texts(Vec<Option<ByteArray>>);

impl ParquetReader {
    /// Opens a file; `progress` counts the bytes that are read.
    ///
    /// # Errors
    /// It is damaged, or its columns are not those of events.
    pub fn new(file: File, name: &str, progress: Arc<AtomicU64>) -> Result<Self, SourceError> {
        let refused = |reason| SourceError::Parquet {
            file: name.to_owned(),
            reason,
        };
        let length = file.metadata().map_or(0, |file| file.len());
        let file = guarded(|| {
            let file = SerializedFileReader::new(file)?;
            within(&file, length)?;
            Ok(file)
        });
        let file = file.map_err(|error| refused(format!("it is damaged: {error}")))?;
        let columns = Columns::find(file.metadata().file_metadata().schema_descr());
        Ok(ParquetReader {
            columns: columns.map_err(refused)?,
            file,
            progress,
            next: 0,
            group: None,
            batch: Batch::default(),
            row: 0,
            before: 0,
        })
    }

    /// Goes on behind a row; none was read yet. Row groups that end before it are passed over.
    ///
    /// # Errors
    /// The file is damaged, or has fewer rows.
    pub fn go_to(&mut self, line: u64, name: &str) -> Result<(), SourceError> {
        let passed = guarded(|| self.pass(line));
        self.before = line;
        passed.map_err(|error| SourceError::Broken {
            file: name.to_owned(),
            line,
            error: io::Error::other(error),
        })
    }

    fn pass(&mut self, line: u64) -> Result<(), ParquetError> {
        let mut left = usize::try_from(line).unwrap_or(usize::MAX);
        while left > 0 {
            if self.next == self.file.num_row_groups() {
                let fewer = format!("it has {left} rows less than before");
                return Err(ParquetError::General(fewer));
            }
            let group = self.file.get_row_group(self.next)?;
            self.next += 1;
            let mut group = Group::open(group.as_ref(), &self.columns)?;
            let passed = group.left.min(left);
            left -= passed;
            if passed < group.left {
                group.pass(passed)?;
                self.group = Some(group);
            }
        }
        Ok(())
    }

    /// Goes on to the next row; false at the end.
    ///
    /// # Errors
    /// The file is damaged from here on.
    pub fn advance(&mut self, name: &str) -> Result<bool, SourceError> {
        if self.row + 1 < self.batch.rows {
            self.row += 1;
            return Ok(true);
        }
        self.before += self.batch.rows as u64;
        (self.row, self.batch.rows) = (0, 0);
        if let Err(error) = guarded(|| self.decode()) {
            (self.group, self.next) = (None, self.file.num_row_groups());
            return Err(SourceError::Broken {
                file: name.to_owned(),
                line: self.before + 1,
                error: io::Error::other(error),
            });
        }
        Ok(self.batch.rows > 0)
    }

    /// The number of this row, from 1.
    pub fn line(&self) -> u64 {
        self.before + self.row as u64 + 1
    }

    /// The event of this row. A time without an offset is local in its home's zone.
    ///
    /// # Errors
    /// Why it is none.
    pub fn event(&self, zones: &Zones) -> Result<Event<'_>, String> {
        let (batch, row) = (&self.batch, self.row);
        let record = Record {
            home: batch.home.field(row, "home")?,
            time: batch.times.field(row, "time")?,
            device: batch.device.field(row, "device")?,
            action: batch.action.field(row, "action")?,
            id: batch.id.field(row, "id")?,
        };
        let Clock::Stamps { a_second, utc } = self.columns.time.1 else {
            return Event::check(record, zones);
        };
        Event::at(record, |home| {
            let stamp = batch.stamps.get(row).copied().flatten();
            let stamp = stamp.ok_or("field `time` is missing")?;
            let offset = batch.offset.get(row).copied().flatten();
            instant(stamp, a_second, utc, offset, zones.civil(home))
        })
    }

    /// This row as one that is rejected, written as JSON Lines write it, as far as it is text.
    pub fn rejected(&self, name: &str, reason: String) -> Rejected {
        let (batch, row) = (&self.batch, self.row);
        let stamp = batch.stamps.get(row).copied().flatten();
        let shown = Shown {
            home: batch.home.shown(row),
            time: match stamp {
                Some(stamp) => Some(stamp.to_string().into()),
                None => batch.times.shown(row),
            },
            device: batch.device.shown(row),
            action: batch.action.shown(row),
            id: batch.id.shown(row),
        };
        Rejected::cut(
            shown.line().as_bytes(),
            format!("{name}:{}", self.line()),
            reason,
        )
    }

    /// Decodes the next rows, if there are any.
    fn decode(&mut self) -> Result<(), ParquetError> {
        loop {
            if let Some(group) = self.group.as_mut().filter(|group| group.left > 0) {
                return group.read(&mut self.batch);
            }
            if self.next == self.file.num_row_groups() {
                return Ok(());
            }
            let group = self.file.get_row_group(self.next)?;
            self.next += 1;
            let bytes = u64::try_from(group.metadata().compressed_size()).unwrap_or(0);
            self.progress.fetch_add(bytes, Ordering::Relaxed);
            self.group = Some(Group::open(group.as_ref(), &self.columns)?);
        }
    }
}

/// Reads of a file, of which the library's own checks may panic if it is damaged; that is an error like others.
fn guarded<T>(read: impl FnOnce() -> Result<T, ParquetError>) -> Result<T, ParquetError> {
    // What was being read is given up after an error, so nothing half-done is seen.
    catch_unwind(AssertUnwindSafe(read))
        .unwrap_or_else(|_| Err(ParquetError::General("its content makes no sense".into())))
}

/// Insists that all columns lie within the file.
fn within(file: &SerializedFileReader<File>, length: u64) -> Result<(), ParquetError> {
    let columns = file.metadata().row_groups().iter();
    for column in columns.flat_map(RowGroupMetaData::columns) {
        let start = column
            .dictionary_page_offset()
            .unwrap_or_else(|| column.data_page_offset());
        let end = start.checked_add(column.compressed_size());
        let sound = start >= 0 && column.compressed_size() >= 0;
        if !sound || end.is_none_or(|end| end.cast_unsigned() > length) {
            let name = column.column_path().string();
            return Err(ParquetError::General(format!(
                "the column `{name}` lies outside the file"
            )));
        }
    }
    Ok(())
}

impl Columns {
    fn find(schema: &SchemaDescriptor) -> Result<Self, String> {
        let find = |name: &str, is: &[Physical]| -> Result<Option<usize>, String> {
            let columns = schema.columns().iter();
            let mut found = columns
                .enumerate()
                .filter(|(_, column)| column.path().parts() == [name]);
            let Some((index, column)) = found.next() else {
                return Ok(None);
            };
            if found.next().is_some() {
                return Err(format!("there are two columns `{name}`"));
            }
            if column.max_rep_level() > 0 || !is.contains(&column.physical_type()) {
                return Err(format!("the column `{name}` is of another type"));
            }
            Ok(Some(index))
        };
        let wanted = |name: &str, found: Result<Option<usize>, String>| {
            found?.ok_or_else(|| format!("there is no column `{name}`"))
        };
        const TEXT: &[Physical] = &[Physical::BYTE_ARRAY];
        let time = find("time", &[Physical::BYTE_ARRAY, Physical::INT64]);
        let time = wanted("time", time)?;
        Ok(Columns {
            home: wanted("home", find("home", TEXT))?,
            time: (time, clock(&schema.column(time))?),
            offset: find("offset", &[Physical::INT32])?,
            device: find("device", TEXT)?,
            action: wanted("action", find("action", TEXT))?,
            id: find("id", TEXT)?,
        })
    }
}

fn clock(column: &ColumnDescriptor) -> Result<Clock, String> {
    if column.physical_type() == Physical::BYTE_ARRAY {
        return Ok(Clock::Text);
    }
    let stamps = |a_second, utc| Ok(Clock::Stamps { a_second, utc });
    match (column.logical_type_ref(), column.converted_type()) {
        (Some(LogicalType::Timestamp(stamp)), _) => stamps(
            match stamp.unit {
                TimeUnit::MILLIS => 1_000,
                TimeUnit::MICROS => 1_000_000,
                TimeUnit::NANOS => 1_000_000_000,
            },
            stamp.is_adjusted_to_u_t_c,
        ),
        (_, ConvertedType::TIMESTAMP_MILLIS) => stamps(1_000, true),
        (_, ConvertedType::TIMESTAMP_MICROS) => stamps(1_000_000, true),
        _ => Err("the column `time` is a number without a unit; store timestamps".to_owned()),
    }
}

/// The instant that a stamp means, and the offset of the clock that showed it.
fn instant(
    stamp: i64,
    a_second: i64,
    utc: bool,
    offset: Option<i32>,
    zone: &TimeZone,
) -> Result<(Time, i16), String> {
    let impossible = || format!("impossible time: {stamp} is not between the years 1900 and 2200");
    let micros = if a_second > Time::SECOND {
        stamp.div_euclid(a_second / Time::SECOND)
    } else {
        let times = Time::SECOND / a_second;
        stamp.checked_mul(times).ok_or_else(impossible)?
    };
    let shown = match offset {
        None => None,
        Some(minutes) => {
            let known = i16::try_from(minutes)
                .ok()
                .filter(|m| m.unsigned_abs() < 24 * 60);
            Some(known.ok_or_else(|| format!("impossible offset: {minutes} minutes"))?)
        }
    };
    let (time, offset) = match (utc, shown) {
        (true, Some(offset)) => (Time(micros), offset),
        (true, None) => {
            let time = possible(Time(micros)).ok_or_else(impossible)?;
            (time, time::offset_at(time, zone))
        }
        (false, Some(offset)) => {
            let east = i64::from(offset) * 60 * Time::SECOND;
            (
                Time(micros.checked_sub(east).ok_or_else(impossible)?),
                offset,
            )
        }
        (false, None) => {
            let civil = Timestamp::from_microsecond(micros).map_err(|_| impossible())?;
            time::local(Offset::UTC.to_datetime(civil), zone)?
        }
    };
    Ok((possible(time).ok_or_else(impossible)?, offset))
}

impl Group {
    fn open(group: &dyn RowGroupReader, columns: &Columns) -> Result<Self, ParquetError> {
        let text = |index| Column::open(group, index, ByteArrayType::get_column_reader);
        let (time, clock) = columns.time;
        Ok(Group {
            left: usize::try_from(group.metadata().num_rows()).unwrap_or(0),
            home: text(columns.home)?,
            time: match clock {
                Clock::Text => Times::Texts(text(time)?),
                Clock::Stamps { .. } => {
                    Times::Stamps(Column::open(group, time, Int64Type::get_column_reader)?)
                }
            },
            offset: match columns.offset {
                Some(index) => Some(Column::open(group, index, Int32Type::get_column_reader)?),
                None => None,
            },
            device: columns.device.map(text).transpose()?,
            action: text(columns.action)?,
            id: columns.id.map(text).transpose()?,
        })
    }

    fn pass(&mut self, rows: usize) -> Result<(), ParquetError> {
        self.home.pass(rows)?;
        match &mut self.time {
            Times::Texts(column) => column.pass(rows)?,
            Times::Stamps(column) => column.pass(rows)?,
        }
        if let Some(column) = &mut self.offset {
            column.pass(rows)?;
        }
        if let Some(column) = &mut self.device {
            column.pass(rows)?;
        }
        self.action.pass(rows)?;
        if let Some(column) = &mut self.id {
            column.pass(rows)?;
        }
        self.left -= rows;
        Ok(())
    }

    fn read(&mut self, batch: &mut Batch) -> Result<(), ParquetError> {
        let rows = self.left.min(BATCH);
        self.home.read(rows, &mut batch.home.0)?;
        match &mut self.time {
            Times::Texts(column) => column.read(rows, &mut batch.times.0)?,
            Times::Stamps(column) => column.read(rows, &mut batch.stamps)?,
        }
        if let Some(column) = &mut self.offset {
            column.read(rows, &mut batch.offset)?;
        }
        if let Some(column) = &mut self.device {
            column.read(rows, &mut batch.device.0)?;
        }
        self.action.read(rows, &mut batch.action.0)?;
        if let Some(column) = &mut self.id {
            column.read(rows, &mut batch.id.0)?;
        }
        self.left -= rows;
        batch.rows = rows;
        Ok(())
    }
}

impl<T: DataType> Column<T> {
    fn open(
        group: &dyn RowGroupReader,
        index: usize,
        typed: fn(ColumnReader) -> Option<ColumnReaderImpl<T>>,
    ) -> Result<Self, ParquetError> {
        let optional = group
            .metadata()
            .column(index)
            .column_descr()
            .max_def_level()
            > 0;
        let reader = typed(group.get_column_reader(index)?);
        let reader =
            reader.ok_or_else(|| ParquetError::General("a column changes its type".into()))?;
        Ok(Column { reader, optional })
    }

    /// Passes over exactly so many rows.
    fn pass(&mut self, rows: usize) -> Result<(), ParquetError> {
        let passed = self.reader.skip_records(rows)?;
        match passed == rows {
            true => Ok(()),
            false => Err(ParquetError::General("a column ends early".into())),
        }
    }

    /// Reads exactly so many rows in place of what `to` held.
    fn read(&mut self, rows: usize, to: &mut Vec<Option<T::T>>) -> Result<(), ParquetError> {
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
        if self.optional {
            let mut values = values.into_iter();
            // A column of the first level: it has a value (1) or none (0).
            to.extend(
                levels
                    .iter()
                    .map(|&level| if level > 0 { values.next() } else { None }),
            );
        } else {
            to.extend(values.into_iter().map(Some));
        }
        Ok(())
    }
}

impl Texts {
    fn get(&self, row: usize) -> Option<&ByteArray> {
        self.0.get(row)?.as_ref()
    }

    fn field(&self, row: usize, name: &str) -> Result<Field<'_>, String> {
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

    fn shown(&self, row: usize) -> Option<Cow<'_, str>> {
        Some(String::from_utf8_lossy(self.get(row)?.data()))
    }
}
