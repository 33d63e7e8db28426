//! Reading an event log from Parquet, some thousand rows at a time.

use std::fs::File;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use hearth_operators::words::Time;
use jiff::Timestamp;
use jiff::tz::{Offset, TimeZone};
use parquet::basic::Compression;
use parquet::basic::{ConvertedType, LogicalType, TimeUnit, Type as Physical};
use parquet::data_type::Int32Type;
use parquet::errors::ParquetError;
use parquet::file::metadata::RowGroupMetaData;
use parquet::file::reader::{FileReader, RowGroupReader, SerializedFileReader};
use parquet::schema::types::{ColumnDescriptor, SchemaDescriptor};

use super::super::event::{Event, possible};
use super::super::of_path::OfPath;
use super::super::records::{Record, Shown};
use super::super::{Rejected, SourceError};
use super::columns::{AS_TEXT, Column, Decoded, Stamps, Texts};
use crate::config::{Key, Keys};
use crate::time::{self, Basis, Reading};
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
    /// `None` where the file's path tells it.
    home: Option<usize>,
    time: (usize, Clock),
    offset: Option<usize>,
    device: Option<usize>,
    action: usize,
    id: Option<usize>,
    seq: Option<usize>,
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
    home: Option<Texts>,
    time: Times,
    offset: Option<Column<Int32Type>>,
    device: Option<Texts>,
    action: Texts,
    id: Option<Texts>,
    seq: Option<Texts>,
}

enum Times {
    Texts(Texts),
    Stamps(Stamps),
}

/// Decoded rows.
#[derive(Default)]
struct Batch {
    rows: usize,
    home: Decoded,
    times: Decoded,
    stamps: Vec<Option<i64>>,
    offset: Vec<Option<i32>>,
    device: Decoded,
    action: Decoded,
    id: Decoded,
    seq: Decoded,
}

impl ParquetReader {
    /// Opens a file whose path `tells` some fields; `progress` counts the bytes that are read.
    ///
    /// # Errors
    /// It is damaged, or its columns are not those of events.
    pub fn new(
        file: File,
        name: &str,
        (keys, tells): (&Keys, &OfPath),
        progress: Arc<AtomicU64>,
    ) -> Result<Self, SourceError> {
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
        let schema = file.metadata().file_metadata().schema_descr();
        let columns = Columns::find(schema, keys, tells).map_err(refused)?;
        unpackable(&file).map_err(refused)?;
        Ok(ParquetReader {
            columns,
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
    pub fn event<'a>(&'a self, tells: &'a OfPath, zones: &Zones) -> Result<Event<'a>, String> {
        let (batch, row) = (&self.batch, self.row);
        let record = Record {
            home: batch.home.field(row, "home")?,
            time: batch.times.field(row, "time")?,
            device: batch.device.field(row, "device")?,
            action: batch.action.field(row, "action")?,
            id: batch.id.field(row, "id")?,
            seq: batch.seq.field(row, "seq")?,
        };
        let Clock::Stamps { a_second, utc } = self.columns.time.1 else {
            return Event::check(record, tells, zones);
        };
        Event::at(record, tells, |home| {
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
            seq: batch.seq.shown(row),
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

/// Insists that each column can be unpacked, so that nothing is begun in vain.
fn unpackable(file: &SerializedFileReader<File>) -> Result<(), String> {
    let groups = file.metadata().row_groups().iter();
    let mut columns = groups.flat_map(RowGroupMetaData::columns);
    match columns.any(|column| column.compression() == Compression::LZO) {
        false => Ok(()),
        true => Err(
            "it is compressed with LZO, which is not read; write it with Snappy, Zstandard or Gzip"
                .into(),
        ),
    }
}

impl Columns {
    fn find(schema: &SchemaDescriptor, keys: &Keys, tells: &OfPath) -> Result<Self, String> {
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
        let of = |key: Key| match keys.is(key, keys.of(key)) {
            true => find(keys.of(key), AS_TEXT),
            false => Ok(None),
        };
        let wanted = |key: Key, found: Option<usize>| {
            found.ok_or_else(|| {
                let has: Vec<&str> = schema.columns().iter().map(|c| c.name()).collect();
                let has = has.join(", ");
                format!("there is no column `{}`, but {has}", keys.of(key))
            })
        };
        let times = [AS_TEXT, &[Physical::INT96]].concat();
        let time = wanted(Key::Time, find(keys.of(Key::Time), &times)?)?;
        let home = match tells.home {
            Some(_) => of(Key::Home)?,
            None => Some(wanted(Key::Home, of(Key::Home)?)?),
        };
        Ok(Columns {
            home,
            time: (time, clock(&schema.column(time))),
            offset: find("offset", &[Physical::INT32])?,
            device: of(Key::Device)?,
            action: wanted(Key::Action, of(Key::Action)?)?,
            id: of(Key::Id)?,
            seq: of(Key::Seq)?,
        })
    }
}

/// What a column of times holds; numbers without a unit are read as such numbers are in a text.
fn clock(column: &ColumnDescriptor) -> Clock {
    let stamps = |a_second, utc| Clock::Stamps { a_second, utc };
    match (column.logical_type_ref(), column.converted_type()) {
        _ if column.physical_type() == Physical::INT96 => stamps(Time::SECOND, true),
        _ if column.physical_type() != Physical::INT64 => Clock::Text,
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
        _ => Clock::Text,
    }
}

/// The instant that a stamp means, and the offset of the clock that showed it.
fn instant(
    stamp: i64,
    a_second: i64,
    utc: bool,
    offset: Option<i32>,
    zone: &TimeZone,
) -> Result<Reading, String> {
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
    let basis = match (utc, shown) {
        (false, None) => Basis::Clock,
        _ => Basis::Offset,
    };
    let time = possible(time).ok_or_else(impossible)?;
    Ok(Reading {
        time,
        offset,
        basis,
    })
}

impl Group {
    fn open(group: &dyn RowGroupReader, columns: &Columns) -> Result<Self, ParquetError> {
        let text = |index| Texts::open(group, index);
        let (time, clock) = columns.time;
        Ok(Group {
            left: usize::try_from(group.metadata().num_rows()).unwrap_or(0),
            home: columns.home.map(text).transpose()?,
            time: match clock {
                Clock::Text => Times::Texts(text(time)?),
                Clock::Stamps { .. } => Times::Stamps(Stamps::open(group, time)?),
            },
            offset: match columns.offset {
                Some(index) => Some(Column::open(group, index)?),
                None => None,
            },
            device: columns.device.map(text).transpose()?,
            action: text(columns.action)?,
            id: columns.id.map(text).transpose()?,
            seq: columns.seq.map(text).transpose()?,
        })
    }

    fn pass(&mut self, rows: usize) -> Result<(), ParquetError> {
        match &mut self.time {
            Times::Texts(column) => column.pass(rows)?,
            Times::Stamps(column) => column.pass(rows)?,
        }
        if let Some(column) = &mut self.offset {
            column.pass(rows)?;
        }
        let optional = [
            &mut self.home,
            &mut self.device,
            &mut self.id,
            &mut self.seq,
        ];
        for column in optional.into_iter().flatten() {
            column.pass(rows)?;
        }
        self.action.pass(rows)?;
        self.left -= rows;
        Ok(())
    }

    fn read(&mut self, batch: &mut Batch) -> Result<(), ParquetError> {
        let rows = self.left.min(BATCH);
        match &mut self.time {
            Times::Texts(column) => column.read(rows, &mut batch.times)?,
            Times::Stamps(column) => column.read(rows, &mut batch.stamps)?,
        }
        if let Some(column) = &mut self.offset {
            column.read(rows, &mut batch.offset)?;
        }
        for (column, to) in [
            (&mut self.home, &mut batch.home),
            (&mut self.device, &mut batch.device),
            (&mut self.id, &mut batch.id),
            (&mut self.seq, &mut batch.seq),
        ] {
            if let Some(column) = column {
                column.read(rows, to)?;
            }
        }
        self.action.read(rows, &mut batch.action)?;
        self.left -= rows;
        batch.rows = rows;
        Ok(())
    }
}
