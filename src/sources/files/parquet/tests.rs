//! Files that other programs wrote, and files that are damaged.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use jiff::tz::TimeZone;
use parquet::basic::{BrotliLevel, Compression, GzipLevel, ZstdLevel};
use parquet::data_type::{
    BoolType, ByteArray, ByteArrayType, DoubleType, Int32Type, Int64Type, Int96, Int96Type,
};
use parquet::file::properties::WriterProperties;
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::parser::parse_message_type;
use proptest::prelude::*;

use super::super::event::Event;
use super::super::{LogFormat, LogWriter, Packing, Rejected, SourceError, copy};
use crate::config::Keys;
use crate::time;
use crate::zones::Zones;

/// A column of a foreign file: its values, and for each row whether it has one where it may have none.
enum Column {
    Texts(Vec<&'static [u8]>, Option<Vec<i16>>),
    Longs(Vec<i64>, Option<Vec<i16>>),
    Ints(Vec<i32>),
    Days(Vec<Int96>),
    Doubles(Vec<f64>),
    Truths(Vec<bool>),
}

fn foreign(file: &Path, schema: &str, columns: &[Column]) {
    compressed(file, schema, columns, Compression::UNCOMPRESSED);
}

fn compressed(file: &Path, schema: &str, columns: &[Column], codec: Compression) {
    let schema = Arc::new(parse_message_type(schema).unwrap());
    let properties = WriterProperties::builder().set_compression(codec).build();
    let properties = Arc::new(properties);
    let out = fs::File::create(file).unwrap();
    let mut writer = SerializedFileWriter::new(out, schema, properties).unwrap();
    let mut group = writer.next_row_group().unwrap();
    for column in columns {
        let mut out = group.next_column().unwrap().unwrap();
        match column {
            Column::Texts(texts, levels) => {
                let texts: Vec<ByteArray> = texts.iter().map(|t| t.to_vec().into()).collect();
                let out = out.typed::<ByteArrayType>();
                out.write_batch(&texts, levels.as_deref(), None).unwrap();
            }
            Column::Longs(numbers, levels) => {
                let out = out.typed::<Int64Type>();
                out.write_batch(numbers, levels.as_deref(), None).unwrap();
            }
            Column::Ints(numbers) => {
                out.typed::<Int32Type>()
                    .write_batch(numbers, None, None)
                    .unwrap();
            }
            Column::Days(days) => {
                let out = out.typed::<Int96Type>();
                out.write_batch(days, None, None).unwrap();
            }
            Column::Doubles(numbers) => {
                let out = out.typed::<DoubleType>();
                out.write_batch(numbers, None, None).unwrap();
            }
            Column::Truths(values) => {
                out.typed::<BoolType>()
                    .write_batch(values, None, None)
                    .unwrap();
            }
        }
        out.close().unwrap();
    }
    group.close().unwrap();
    writer.close().unwrap();
}

/// Each line of a log: home, time, device, action and id of an event, or what is said of one that is none.
fn lines(file: &Path, zone: &str) -> Result<Vec<Result<String, Rejected>>, SourceError> {
    let mut lines = Vec::new();
    let zone = TimeZone::get(zone).unwrap();
    let zones = Zones::new(Some(zone));
    copy(&[file.to_owned()], (&zones, &Keys::default()), |line| {
        lines.push(line.map(|event| {
            let time = time::format(event.time, event.offset);
            let (device, id) = (
                event.device.unwrap_or_default(),
                event.id.unwrap_or_default(),
            );
            format!("{} {time} {device} {} {id}", event.home, event.action)
        }));
        Ok(())
    })?;
    Ok(lines)
}

fn folder() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("log.parquet");
    (folder, file)
}

#[test]
fn foreign_files_are_read_and_bad_rows_rejected_with_place_and_reason() {
    let (_folder, file) = folder();
    let schema = "message m {
        optional binary action (STRING); optional int64 time (TIMESTAMP(MILLIS,true));
        required int32 offset; optional double unknown; required binary home; }";
    let june = 1_654_034_400_000;
    let columns = |unknown: Column| {
        [
            Column::Texts(
                vec![
                    b"Light:on",
                    b"Light:on",
                    b"Light:\xff",
                    b"Light:off",
                    b"Light:on",
                ],
                Some(vec![1, 0, 1, 1, 1, 1]),
            ),
            Column::Longs(
                vec![june, june, june, june, i64::MAX],
                Some(vec![1, 1, 0, 1, 1, 1]),
            ),
            Column::Ints(vec![120, 120, 120, 120, 9_000, 0]),
            unknown,
            Column::Texts(vec![b"h", b"h", b"h", b"h", b"h", b"h"], None),
        ]
    };
    // A column that Hearth does not know may be of any type; here it is one of whole numbers.
    let schema = schema.replace("optional double", "required int64");
    foreign(&file, &schema, &columns(Column::Longs(vec![7; 6], None)));
    let read = lines(&file, "UTC").unwrap();
    assert_eq!(read[0], Ok("h 2022-06-01T00:00:00+02:00  Light:on ".into()));
    let reasons = [
        "field `action` is missing",
        "field `time` is missing",
        "field `action` is no valid UTF-8",
        "impossible offset: 9000 minutes",
        "impossible time",
    ];
    for (row, (line, reason)) in (2..).zip(read[1..].iter().zip(reasons)) {
        let rejected = line.as_ref().unwrap_err();
        assert!(rejected.reason.starts_with(reason), "{rejected:?}");
        assert!(
            rejected.source.ends_with(&format!("log.parquet:{row}")),
            "{rejected:?}"
        );
        assert!(rejected.line.contains("\"home\":\"h\""), "{rejected:?}");
    }
    assert_eq!(read.len(), 6);
}

#[test]
fn times_without_an_offset_are_told_in_the_zone() {
    let (_folder, file) = folder();
    let summer = 1_654_041_600;
    for (kind, stamp, shown) in [
        (
            "TIMESTAMP(MICROS,true)",
            summer * 1_000_000,
            "2022-06-01T02:00:00+02:00",
        ),
        (
            "TIMESTAMP(NANOS,true)",
            summer * 1_000_000_000,
            "2022-06-01T02:00:00+02:00",
        ),
        (
            "TIMESTAMP(MICROS,false)",
            summer * 1_000_000,
            "2022-06-01T00:00:00+02:00",
        ),
        (
            "TIMESTAMP_MILLIS",
            summer * 1_000,
            "2022-06-01T02:00:00+02:00",
        ),
    ] {
        let schema = format!(
            "message m {{ required binary home; required int64 time ({kind}); required binary action; }}"
        );
        let columns = [
            Column::Texts(vec![b"h"], None),
            Column::Longs(vec![stamp], None),
            Column::Texts(vec![b"Light:on"], None),
        ];
        foreign(&file, &schema, &columns);
        let read = lines(&file, "Europe/Berlin").unwrap();
        assert_eq!(read, [Ok(format!("h {shown}  Light:on "))], "{kind}");
    }
}

const PLAIN: &str =
    "message m { required binary home; required binary time; required binary action; }";

#[test]
fn every_codec_is_read() {
    for codec in [
        Compression::GZIP(GzipLevel::default()),
        Compression::BROTLI(BrotliLevel::default()),
        Compression::LZ4,
        Compression::LZ4_RAW,
        Compression::SNAPPY,
        Compression::ZSTD(ZstdLevel::default()),
    ] {
        let (_folder, file) = folder();
        let columns = [
            Column::Texts(vec![b"h"; 50], None),
            Column::Texts(vec![b"2022-06-01T00:00:00Z"; 50], None),
            Column::Texts(vec![b"Light:on"; 50], None),
        ];
        compressed(&file, PLAIN, &columns, codec);
        assert_eq!(lines(&file, "UTC").unwrap().len(), 50, "{codec}");
    }
}

#[test]
fn numbers_and_truth_values_are_texts_and_old_timestamps_times() {
    let (_folder, file) = folder();
    let schema = "message m { required int64 home; required int96 time; required boolean action;
        required int32 device; required int64 id; }";
    // The first of June 2022, 02:03:04.5 of UTC.
    let nanos = 7_384_500_000_000_u64;
    let mut day = Int96::new();
    day.set_data(nanos as u32, (nanos >> 32) as u32, 2_440_588 + 19_144);
    let columns = [
        Column::Longs(vec![17], None),
        Column::Days(vec![day]),
        Column::Truths(vec![true]),
        Column::Ints(vec![4]),
        Column::Longs(vec![9], None),
    ];
    foreign(&file, schema, &columns);
    let expected = "17 2022-06-01T04:03:04.5+02:00 4 true 9";
    assert_eq!(
        lines(&file, "Europe/Berlin").unwrap(),
        [Ok(expected.into())]
    );
}

#[test]
fn times_without_a_unit_are_told_by_their_size() {
    let (_folder, file) = folder();
    let schema =
        "message m { required binary home; required double time; required binary action; }";
    let columns = [
        Column::Texts(vec![b"h"; 2], None),
        Column::Doubles(vec![1_654_041_600.5, 1_654_041_600_500.0]),
        Column::Texts(vec![b"Light:on"; 2], None),
    ];
    foreign(&file, schema, &columns);
    let expected = Ok("h 2022-06-01T00:00:00.5+00:00  Light:on ".to_owned());
    assert_eq!(lines(&file, "UTC").unwrap(), [expected.clone(), expected]);
}

#[test]
fn a_file_of_something_else_is_refused() {
    let (_folder, file) = folder();
    let refused = |schema: &str, columns: &[Column], reason: &str| {
        foreign(&file, schema, columns);
        let error = lines(&file, "UTC").unwrap_err().to_string();
        assert!(
            error.contains(reason) && error.contains("home, time, action"),
            "{error}"
        );
    };
    let text = || Column::Texts(vec![b"x"], None);
    refused(
        "message m { required binary home; }",
        &[text()],
        "no column `time`",
    );
    let other = "message m { required binary home; required binary time; required int96 action; }";
    let columns = [text(), text(), Column::Days(vec![Int96::new()])];
    refused(other, &columns, "`action` is of another type");
    fs::write(&file, "rubbish").unwrap();
    assert!(matches!(
        lines(&file, "UTC"),
        Err(SourceError::Parquet { .. })
    ));
}

fn written(rows: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut out = LogWriter::new(LogFormat::Parquet, Packing::default(), &mut bytes).unwrap();
    for row in 0..rows {
        let (time, offset) = time::parse("2022-06-01T00:00:00Z", &TimeZone::UTC).unwrap();
        let event = Event {
            home: format!("h{}", row % 3).into(),
            time,
            offset,
            device: Some("Light".into()),
            action: "on".into(),
            id: (row % 2 == 0).then(|| row.to_string().into()),
            how: Default::default(),
        };
        out.event(&event).unwrap();
    }
    out.finish().unwrap();
    bytes
}

proptest! {
    /// Whatever happened to a file, reading it gives rows and errors, never more rows than were written.
    #[test]
    fn damage_is_an_error(
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4),
        cut in prop::option::of(any::<prop::sample::Index>()),
    ) {
        let (_folder, file) = folder();
        let mut bytes = written(200);
        for (at, to) in changes {
            // Behind the magic: a file that is no longer called Parquet by it is another matter.
            let at = 4 + at.index(bytes.len() - 4);
            bytes[at] = to;
        }
        if let Some(cut) = cut {
            bytes.truncate(cut.index(bytes.len()));
        }
        fs::write(&file, bytes).unwrap();
        if let Ok(read) = lines(&file, "UTC") {
            prop_assert!(read.len() <= 200, "{} rows", read.len());
        }
    }
}
