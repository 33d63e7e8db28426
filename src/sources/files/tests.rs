//! What holds for whole logs: accounting, bad input, round trips.

use std::fs;
use std::io::Write;
use std::path::PathBuf;
use std::sync::Arc;

use hearth_operators::words::{Behavior, Catalogs, ShiftKind};
use proptest::prelude::*;
use tempfile::TempDir;

use super::*;
use crate::home_names::HomeNames;
use crate::zones::Zones;

const CATALOG: &str = r#"{"devices":[
    {"name":"Light","actions":[{"name":"on"},{"name":"off","closes":["on"]}]},
    {"name":"odd:, \"name\"\n","actions":[{"name":"a:b"},{"name":"two\nlines"}]}]}"#;

fn options() -> Options {
    Options {
        catalogs: Catalogs::shared(Arc::new(serde_json::from_str(CATALOG).unwrap())),
        homes: HomeNames::default(),
        zones: Zones::new(None),
        keys: Default::default(),
    }
}

fn folder_with(files: &[(&str, &[u8])]) -> (TempDir, Vec<PathBuf>) {
    let folder = tempfile::tempdir().unwrap();
    let paths = files.iter().map(|(name, bytes)| {
        let path = folder.path().join(name);
        fs::write(&path, bytes).unwrap();
        path
    });
    let paths = paths.collect();
    (folder, paths)
}

/// Everything that a log gives, read `n` lines at a time, with the homes' names and each error on the way.
fn read_all(
    files: &[PathBuf],
    n: usize,
) -> (Vec<Behavior>, Vec<Rejected>, usize, Vec<SourceError>) {
    let mut log = EventLog::open(files, options()).unwrap();
    let (mut behaviors, mut rejected) = (Vec::new(), Vec::new());
    let (mut lines, mut errors) = (0, Vec::new());
    loop {
        match log.read(n, &mut behaviors, &mut rejected) {
            Ok(0) => return (behaviors, rejected, lines, errors),
            Ok(read) => lines += read,
            Err(error) => errors.push(error),
        }
        assert_eq!(lines, behaviors.len() + rejected.len());
    }
}

const GOOD: &str =
    r#"{"home":"h","time":"2022-08-04T18:30:00+02:00","device":"Light","action":"on"}"#;

#[test]
fn every_kind_of_bad_line_is_rejected_with_its_place() {
    let with = |field: &str, value: &str| {
        let mut event = serde_json::json!({"home":"h","time":"2022-08-04T18:30:00Z","device":"Light","action":"on"});
        event[field] = serde_json::from_str(value).unwrap();
        event.to_string()
    };
    let long = format!("\"{}\"", "x".repeat(10_000));
    let cases: Vec<(Vec<u8>, &str)> = vec![
        (b"rubbish".to_vec(), "no JSON object"),
        (
            b"[\"h\",\"2022-08-04T18:30:00Z\",\"Light\",\"on\",null]".to_vec(),
            "no JSON object",
        ),
        (GOOD.as_bytes()[..40].to_vec(), "malformed JSON"),
        (
            format!("{GOOD} x").into_bytes(),
            "malformed JSON: trailing characters (column",
        ),
        (
            with("device", "\"Lamp\"").into_bytes(),
            "unknown device `Lamp`",
        ),
        (
            with("action", "\"dim\"").into_bytes(),
            "unknown action `dim` of device `Light`",
        ),
        (
            with("action", "\"Light:dim\"").into_bytes(),
            "unknown action `dim` of device `Light`",
        ),
        (with("device", "null").into_bytes(), "no device"),
        (with("home", "null").into_bytes(), "field `home` is missing"),
        (with("home", "\"\"").into_bytes(), "field `home` is empty"),
        (
            with("home", "{}").into_bytes(),
            "malformed JSON: invalid type: map, expected a text or a number",
        ),
        (
            with("home", &long).into_bytes(),
            "field `home` is 10000 bytes long",
        ),
        (with("home", "\"a\\u0000b\"").into_bytes(), "NUL"),
        (
            with("id", &long).into_bytes(),
            "field `id` is 10000 bytes long",
        ),
        (
            with("time", "\"2022-02-30T00:00:00Z\"").into_bytes(),
            "impossible time",
        ),
        (
            with("time", "\"0012-02-01T00:00:00Z\"").into_bytes(),
            "impossible time",
        ),
        (
            with("time", "\"2922-02-01T00:00:00Z\"").into_bytes(),
            "impossible time",
        ),
        (b"{\"home\":\"h\0\"}".to_vec(), "control character"),
        (b"{\"home\":\"\xff\"}".to_vec(), "invalid UTF-8 at byte 10"),
        (vec![b' '; 300_000], "longer than 65536 bytes"),
        (vec![b'['; 20_000], "no JSON object"),
        (
            format!("{{\"x\":{}", "[".repeat(20_000)).into_bytes(),
            "malformed JSON: EOF",
        ),
    ];
    let mut input = Vec::new();
    for (line, _) in &cases {
        input.extend_from_slice(line);
        input.extend_from_slice(format!("\n\n{GOOD}\r\n").as_bytes());
    }
    let (_folder, files) = folder_with(&[("log.jsonl", &input)]);
    let (behaviors, rejected, lines, errors) = read_all(&files, 7);
    assert!(errors.is_empty());
    assert_eq!((behaviors.len(), lines), (cases.len(), 2 * cases.len()));
    assert_eq!(rejected.len(), cases.len());
    for (i, (rejected, (line, reason))) in rejected.iter().zip(&cases).enumerate() {
        assert!(
            rejected.reason.contains(reason),
            "{}: {}",
            i,
            rejected.reason
        );
        assert!(
            rejected
                .source
                .ends_with(&format!("log.jsonl:{}", 3 * i + 1)),
            "{}",
            rejected.source
        );
        assert!(rejected.line.len() <= 4096);
        assert!(
            rejected
                .line
                .starts_with(&*String::from_utf8_lossy(&line[..line.len().min(9)]))
        );
    }
}

#[test]
fn csv_records_are_told_apart_and_bad_ones_cost_one_line() {
    let csv = b"\xef\xbb\xbfid,action,time,home,device,note\n\
        1,on,2022-08-04T18:30:00Z,h,Light,\n\
        2,Light:off,2022-08-04T18:30:00Z,\"h, \"\"x\"\"\",,note\n\
        \n\
        3,on,2022-08-04T18:30:00Z,h,\"Light\n\
        4,on,2022-08-04T18:30:00Z,h,Light,\n\
        5,\"two\nlines\",2022-08-04T18:30:00Z,h,\"odd:, \"\"name\"\"\n\",\"\"\n\
        6,on,2022-08-04T18:30:00Z,h\n\
        7,o\"n,2022-08-04T18:30:00Z,h,Light,\n\
        8,on,2022-08-04T18:30:00Z,h\0,Light,\n\
        9,on,2022-08-04T18:30:00Z,h,Light,\"never closed\n\
        10,on,2022-08-04T18:30:00Z,h,Light,";
    let (_folder, files) = folder_with(&[("log.csv", csv)]);
    for n in [1, 3, 100] {
        let (behaviors, rejected, _, errors) = read_all(&files, n);
        assert!(errors.is_empty());
        let read: Vec<_> = behaviors
            .iter()
            .map(|b| (b.id.as_deref().unwrap(), b.line.line))
            .collect();
        assert_eq!(read, [("1", 2), ("2", 3), ("4", 6), ("5", 7), ("10", 14)]);
        let places: Vec<_> = rejected
            .iter()
            .map(|r| r.source.rsplit_once(':').unwrap().1)
            .collect();
        assert_eq!(places, ["5", "10", "11", "12", "13"], "{rejected:?}");
        for (rejected, reason) in
            rejected
                .iter()
                .zip(["not closed", "4 fields where", "quote", "NUL", "not closed"])
        {
            assert!(rejected.reason.contains(reason), "{}", rejected.reason);
        }
    }
}

/// What a log gives, one line an event, where its columns are called like this.
fn told(name: &str, text: &str, keys: &str) -> Vec<String> {
    let (_folder, files) = folder_with(&[(name, text.as_bytes())]);
    let mut told = Vec::new();
    let zones = Zones::new(Some(jiff::tz::TimeZone::get("Europe/Berlin").unwrap()));
    let keys = keys.parse().unwrap();
    copy(&files, (&zones, &keys), |line| {
        told.push(match line {
            Ok(event) => {
                let time = crate::time::format(event.time, event.offset);
                let (device, id) = (event.device.as_deref(), event.id.as_deref());
                let of = (device.unwrap_or("-"), &*event.action, id.unwrap_or("-"));
                format!("{} {time} {} {} {}", event.home, of.0, of.1, of.2)
            }
            Err(rejected) => rejected.reason,
        });
        Ok(())
    })
    .unwrap();
    told
}

#[test]
fn separators_and_columns_are_found() {
    for (name, text, keys, expected) in [
        (
            "a.csv",
            "home;time;device;action\nx;2025-03-01 08:00:00;lamp;21,5\n",
            "",
            "x 2025-03-01T08:00:00+01:00 lamp 21,5 -",
        ),
        (
            "a.tsv",
            "home\ttime\tdevice\taction\n\"x;\ty\"\t1740816000\tlamp\ton\n",
            "",
            "x;\ty 2025-03-01T09:00:00+01:00 lamp on -",
        ),
        (
            "a.csv",
            "house_id,ts,note,action\n7,2025-03-01 08:00:00+00,\"a;b\",lamp:on\n",
            "home=house_id,time=ts",
            "7 2025-03-01T08:00:00+00:00 - lamp:on -",
        ),
        (
            "attic.csv",
            "time,action\n2025-03-01T08:00:00,lamp:on\n",
            "home=",
            "attic 2025-03-01T08:00:00+01:00 - lamp:on -",
        ),
        (
            "a.jsonl",
            r#"{"home":3,"ts":1740816000.5,"time":"x","device":7,"action":true,"id":12}"#,
            "time=ts",
            "3 2025-03-01T09:00:00.5+01:00 7 true 12",
        ),
        (
            "a.jsonl",
            r#"{"home":"x","time":1740816000123,"action":"lamp:on","home":"y"}"#,
            "",
            "malformed JSON: duplicate field `home` (column 58)",
        ),
        (
            "a.jsonl",
            "{\"home\":\"Cafe\u{301}\",\"time\":\"2025-03-01T08:00:00Z\",\"action\":\"lamp:on\"}",
            "",
            "Caf\u{e9} 2025-03-01T08:00:00+00:00 - lamp:on -",
        ),
    ] {
        assert_eq!(told(name, text, keys), [expected], "{text}");
    }
}

/// Nothing that is done again in the hour that comes twice is a duplicate.
#[test]
fn the_hour_that_comes_twice_is_told_by_the_order() {
    let times = ["02:10", "02:50", "02:10", "03:00"];
    let lines = times.map(|time| format!("x,2025-10-26 {time}:00,lamp:on\n"));
    let text = format!("home,time,action\n{}", lines.concat());
    let told = told("a.csv", &text, "");
    let offsets: Vec<&str> = told.iter().map(|line| &line[21..27]).collect();
    assert_eq!(
        offsets,
        ["+02:00", "+02:00", "+01:00", "+01:00"],
        "{told:?}"
    );
}

#[test]
fn what_cannot_be_read_is_said_before_any_work() {
    let good = GOOD.as_bytes();
    let (folder, files) = folder_with(&[
        ("a.jsonl", good),
        ("b.avro", b"Obj"),
        ("c.csv", b"home,time,action,home\n"),
        ("d.csv", b"home,time\n"),
    ]);
    let refused = |file: PathBuf| {
        let error = EventLog::open(&[files[0].clone(), file], options())
            .err()
            .unwrap();
        error.to_string()
    };
    assert!(refused(folder.path().join("none.jsonl")).contains("cannot read"));
    assert!(refused(folder.path().to_owned()).contains("cannot read"));
    assert!(refused(files[1].clone()).contains("cannot tell the format"));
    assert!(refused(files[2].clone()).contains(
        "c.csv:1: this CSV header does not describe events: column `home` stands in it twice"
    ));
    assert!(refused(files[3].clone()).contains("no column `action`"));
}

#[test]
fn empty_files_hold_no_line() {
    let (_folder, files) = folder_with(&[
        ("a.jsonl", b""),
        ("b.csv.gz", b""),
        ("c.csv", b"\n\n"),
        ("d.ndjson.zst", b"\n"),
    ]);
    let (behaviors, rejected, lines, errors) = read_all(&files, 10);
    assert!(behaviors.is_empty() && rejected.is_empty() && errors.is_empty());
    assert_eq!(lines, 0);
}

#[test]
fn a_file_that_breaks_off_counts_as_far_as_it_goes() {
    let body = format!("{GOOD}\n").repeat(3000);
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::none());
    packed.write_all(body.as_bytes()).unwrap();
    let mut packed = packed.finish().unwrap();
    packed.truncate(packed.len() / 2);
    let (_folder, files) = folder_with(&[("a.jsonl.gz", &packed), ("b.jsonl", GOOD.as_bytes())]);
    let (behaviors, rejected, lines, errors) = read_all(&files, 64);
    assert!(rejected.is_empty());
    let last = behaviors.last().unwrap().line;
    assert_eq!((last.file, last.line), (1, 1), "the next file is read");
    assert!((1000..2000).contains(&lines), "{lines}");
    let [error] = &errors[..] else {
        panic!("{errors:?}")
    };
    assert!(
        error
            .to_string()
            .contains(&format!("a.jsonl.gz:{lines}: the input breaks off")),
        "{error}"
    );
}

#[test]
fn progress_counts_the_bytes_of_the_files() {
    let (_folder, files) = folder_with(&[
        ("a.jsonl", GOOD.as_bytes()),
        ("b.csv", b"home,time,action\n"),
    ]);
    let mut log = EventLog::open(&files, options()).unwrap();
    assert_eq!(log.position().bytes, 0);
    assert_eq!(log.bytes_total(), Some(GOOD.len() as u64 + 17));
    let (mut behaviors, mut rejected) = (Vec::new(), Vec::new());
    while log.read(10, &mut behaviors, &mut rejected).unwrap() > 0 {}
    assert_eq!(Some(log.position().bytes), log.bytes_total());
    assert!(log.file_name(1).ends_with("b.csv"));
}

#[test]
fn what_is_spooled_can_be_read_twice() {
    let path = spool(&b"some bytes"[..]).unwrap();
    assert_eq!(fs::read(&path).unwrap(), b"some bytes");
    assert_eq!(fs::read(&path).unwrap(), b"some bytes");
}

#[test]
fn contexts_are_read_and_bad_ones_rejected() {
    let lines = [
        r#"{"home":"h","time":"2022-06-01T00:00:00+02:00","kind":"season","from":"winter","to":"summer"}"#,
        r#"{"home":"*","time":"2022-06-01T00:00:00Z","kind":"text","from":"as ever","to":"a new baby","note":1}"#,
        "",
        r#"{"home":"h","time":"2022-06-01T00:00:00Z","kind":"season","from":"winter","to":"monsoon"}"#,
        r#"{"home":"h","time":"2022-06-01T00:00:00Z","kind":"mood","from":"a","to":"b"}"#,
        r#"{"home":"h","time":"2022-06-01T00:00:00Z","kind":"schedule","from":"night","to":"night"}"#,
        r#"{"home":"h","time":"2022-06-01T00:00:00Z","kind":"schedule","from":"night"}"#,
        r#"{"home":"h","time":"2022-06-01","mode":"guests"}"#,
        r#"{"home":"h","time":"2022-06-02T00:00:00Z","mode":"home"}"#,
        r#"{"home":"h","time":"2022-06-02T00:00:00Z","mode":"asleep"}"#,
        r#"{"home":"*","time":"2022-06-02T00:00:00Z","mode":"away"}"#,
    ];
    let (_folder, files) = folder_with(&[("contexts.jsonl", lines.join("\n").as_bytes())]);
    let homes = HomeNames::default();
    let contexts = read_contexts(&files[0], &homes, &Zones::new(None)).unwrap();
    let Contexts {
        shifts,
        modes,
        rejected,
    } = contexts;
    let quiet: Vec<_> = modes.iter().map(|mode| mode.quiet).collect();
    assert_eq!(quiet, [true, false]);
    assert_eq!(
        (shifts[0].home, shifts[0].kind, shifts[0].offset),
        (homes.find("h"), ShiftKind::Season, 120)
    );
    assert_eq!((shifts[1].home, &*shifts[1].to), (None, "a new baby"));
    assert_eq!(shifts.len(), 2);
    for (rejected, (line, reason)) in rejected.iter().zip([
        (4, "`monsoon` is no season"),
        (5, "unknown kind"),
        (6, "is no shift"),
        (7, "`to` is missing"),
        (10, "modes are home, away and guests"),
        (11, "names one home"),
    ]) {
        assert!(
            rejected.source.ends_with(&format!(":{line}")) && rejected.reason.contains(reason),
            "{rejected:?}"
        );
    }
    assert_eq!(rejected.len(), 6);
    assert!(read_contexts(&files[0].with_extension("none"), &homes, &Zones::new(None)).is_err());
}

/// Text as a hostile log could hold it: pieces of good lines, and anything between.
fn soup() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        4 => prop::sample::select(vec![GOOD, "\n", "\r\n", "\"", ",", "{", "}", "h,2022-08-04T18:30:00Z,Light,on", "\0", "\"\"", "\u{feff}"])
            .prop_map(|s| s.as_bytes().to_vec()),
        1 => prop::collection::vec(any::<u8>(), 0..8),
    ];
    prop::collection::vec(piece, 0..40).prop_map(|pieces| pieces.concat())
}

fn event() -> impl Strategy<Value = (String, i64, usize, Option<String>)> {
    let home = "[a-z\",'\n é]{1,6}";
    let id = prop::option::of("[a-z\",\n]{1,6}");
    (home, -2_000_000_000_i64..7_000_000_000, 0_usize..4, id)
}

/// A log packed, as bytes.
fn packed(files: &[PathBuf], packing: Packing) -> Vec<u8> {
    let mut writer = PackWriter::new(Vec::new(), packing).unwrap();
    let put = |line: Result<Event<'_>, Rejected>| match line {
        Ok(event) => writer.event(&event),
        Err(rejected) => writer.rejected(rejected),
    };
    copy(files, (&Zones::new(None), &Default::default()), put).unwrap();
    writer.finish().unwrap()
}

/// Enough lines for several blocks, with a bad one now and then.
fn many() -> String {
    let line = |n: u32| match n % 1000 {
        999 => "no event\n".to_owned(),
        _ => GOOD.replace("\"h\"", &format!("\"h{}\"", n % 300)) + "\n",
    };
    (0..50_000).map(line).collect()
}

#[test]
fn a_damaged_block_costs_its_lines_and_is_named() {
    let (folder, files) = folder_with(&[("a.jsonl", many().as_bytes())]);
    let (whole, refused, lines, _) = read_all(&files, 1000);
    let good = packed(&files, Packing::Zstd);
    let file = folder.path().join("a.hlog");
    // Somewhere in each part of the file: in a dictionary, in headers, in lines, in the end mark.
    for at in (8..good.len())
        .step_by(good.len() / 60)
        .chain([good.len() - 1])
    {
        let mut bytes = good.clone();
        bytes[at] ^= 0x10;
        fs::write(&file, bytes).unwrap();
        let (behaviors, rejected, read, errors) = read_all(std::slice::from_ref(&file), 1000);
        assert!(!errors.is_empty(), "byte {at}");
        let told = errors[0].to_string();
        assert!(
            told.contains("a.hlog: block ") && told.contains("is damaged"),
            "{told}"
        );
        assert!(read <= lines && behaviors.len() <= whole.len());
        // The lines of at most one block are missing; those whose home is not known are rejected.
        assert!(lines - read <= 16 * 1024, "byte {at}: {read} of {lines}");
        assert!(read < lines || rejected.len() >= refused.len());
    }
    for end in [9, good.len() / 2, good.len() - 36] {
        fs::write(&file, &good[..end]).unwrap();
        let (.., errors) = read_all(std::slice::from_ref(&file), 1000);
        assert!(
            errors[0].to_string().contains("the file ends"),
            "{errors:?}"
        );
    }
}

#[test]
fn another_version_of_the_packed_log_is_refused() {
    let (_folder, files) = folder_with(&[("a.hlog", b"HEARTHL\x02"), ("b.hlog", b"")]);
    for file in &files {
        let refused = EventLog::open(std::slice::from_ref(file), options())
            .err()
            .unwrap();
        assert!(refused.to_string().contains("pack it again"), "{refused}");
    }
}

#[test]
fn seq_orders_events_of_one_time() {
    let line = |seconds: &str, seq: &str| {
        format!(
            r#"{{"home":"h","time":"2025-03-01T08:00:{seconds}Z","device":"Light","action":"on","seq":{seq}}}"#
        )
    };
    let jsonl = [
        line("00", "2"),
        line("00", "\"1\""),
        line("00", "null"),
        line("00.5", "1000007"),
        line("00.0000005", "9"),
        line("00", "1e3"),
        line("00", "-1"),
    ];
    let csv = "home,time,device,action,seq\nh,2025-03-01 08:00:00,Light,off,2000003\nh,2025-03-01 08:00:00,Light,off,\n";
    let (folder, files) = folder_with(&[
        ("a.jsonl", jsonl.join("\n").as_bytes()),
        ("b.csv", csv.as_bytes()),
    ]);
    let (behaviors, rejected, ..) = read_all(&files, 9);
    let fractions = |behaviors: &[Behavior]| -> Vec<i64> {
        behaviors
            .iter()
            .map(|b| b.moment.time.0 % 1_000_000)
            .collect()
    };
    assert_eq!(fractions(&behaviors), [2, 1, 0, 500_007, 9, 1000, 3, 0]);
    assert_eq!(rejected.len(), 1);
    assert!(rejected[0].reason.contains("`seq` is no whole number"));
    let one = folder.path().join("one.hlog");
    fs::write(&one, packed(&files, Packing::Zstd)).unwrap();
    assert_eq!(fractions(&read_all(&[one], 9).0), fractions(&behaviors));
}

proptest! {
    /// A packed log gives what the log gives: events with everything, bad lines with text and reason; packed again, too.
    #[test]
    fn packing_changes_nothing(jsonl in soup(), csv in soup(), plain: bool, n in 1_usize..9) {
        let csv = [b"home,time,device,action\n", &csv[..]].concat();
        let (folder, files) = folder_with(&[("a.jsonl", &jsonl), ("b.csv", &csv)]);
        let (mut expected, refused, lines, _) = read_all(&files, n);
        let numbered = |behaviors: &mut Vec<Behavior>| behaviors.iter_mut().for_each(|b| b.line = Default::default());
        numbered(&mut expected);
        let refused: Vec<_> = refused.into_iter().map(|r| r.reason).collect();
        let packing = if plain { Packing::Plain } else { Packing::Zstd };
        let mut from = files;
        for name in ["one.hlog", "two.hlog"] {
            let file = folder.path().join(name);
            fs::write(&file, packed(&from, packing)).unwrap();
            from = vec![file];
            let (mut behaviors, rejected, read, errors) = read_all(&from, n);
            prop_assert!(errors.is_empty(), "{:?}", errors);
            numbered(&mut behaviors);
            prop_assert_eq!((&behaviors, read), (&expected, lines));
            let reasons: Vec<_> = rejected.into_iter().map(|r| r.reason).collect();
            prop_assert_eq!(&reasons, &refused);
        }
    }

    /// Whatever stands in a packed log, it is read or refused.
    #[test]
    fn any_packed_bytes_are_read_or_refused(
        soup in soup(),
        edits in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..6),
    ) {
        let (folder, files) = folder_with(&[("a.jsonl", &soup)]);
        let mut bytes = packed(&files, Packing::Plain);
        for (at, byte) in edits {
            let at = 8 + at.index(bytes.len() - 8);
            bytes[at] = byte;
        }
        let file = folder.path().join("a.hlog");
        fs::write(&file, bytes).unwrap();
        read_all(&[file], 7);
    }

    /// Nothing panics, and each line that is not blank gives exactly one behaviour or reject, in whatever batches.
    #[test]
    fn any_bytes_are_accounted_for(jsonl in soup(), csv in soup(), n in 1_usize..9) {
        let csv = [b"home,time,device,action\n", &csv[..]].concat();
        let (_folder, files) = folder_with(&[("a.jsonl", &jsonl), ("b.csv", &csv)]);
        let (behaviors, rejected, lines, errors) = read_all(&files, n);
        prop_assert!(errors.is_empty());
        let again = read_all(&files, 1000);
        prop_assert_eq!((&again.0, &again.1, again.2), (&behaviors, &rejected, lines));
        let jsonl = jsonl.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&jsonl);
        let expected = jsonl.split(|&b| b == b'\n').filter(|l| !l.iter().all(u8::is_ascii_whitespace)).count();
        let from_jsonl = behaviors.iter().filter(|b| b.line.file == 0).count()
            + rejected.iter().filter(|r| r.source.contains("a.jsonl:")).count();
        prop_assert_eq!(from_jsonl, expected);
    }

    /// What is written, as JSON Lines or by the csv crate, is read back.
    #[test]
    fn written_events_are_read_back(events in prop::collection::vec(event(), 1..20)) {
        let Options { catalogs, .. } = options();
        let catalog = catalogs.others();
        let mut jsonl = Vec::new();
        let mut csv = csv::Writer::from_writer(Vec::new());
        csv.write_record(["time", "action", "device", "id", "home"]).unwrap();
        for (home, micros, action, id) in &events {
            let action = catalog.action_ids().nth(*action).unwrap();
            let time = crate::time::format(hearth_operators::words::Time(*micros * 1_000_003), 60);
            let (device, action) = (catalog.device_name(action), catalog.action_name(action));
            let line = serde_json::json!({"home": home, "time": time, "device": device, "action": action, "id": id});
            writeln!(jsonl, "{line}").unwrap();
            csv.write_record([&time, action, device, id.as_deref().unwrap_or(""), home]).unwrap();
        }
        for (name, bytes) in [("a.jsonl", jsonl), ("a.csv", csv.into_inner().unwrap())] {
            let (_folder, files) = folder_with(&[(name, &bytes)]);
            let options = options();
            let homes = options.homes.clone();
            let mut log = EventLog::open(&files, options).unwrap();
            let (mut behaviors, mut rejected) = (Vec::new(), Vec::new());
            log.read(usize::MAX, &mut behaviors, &mut rejected).unwrap();
            prop_assert!(rejected.is_empty(), "{:?}", rejected);
            let read: Vec<_> = behaviors
                .into_iter()
                .map(|b| (homes.name(b.home).to_string(), b.moment.time.0, usize::from(b.moment.action.0), b.id.map(String::from)))
                .collect();
            let written: Vec<_> = events.iter().map(|(h, t, a, i)| (h.clone(), t * 1_000_003, *a, i.clone())).collect();
            prop_assert_eq!(&read, &written);
        }
    }
}
