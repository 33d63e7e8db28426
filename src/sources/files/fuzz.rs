//! Logs and contexts of bytes that nobody meant: each line has one end, whatever it is read with.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use hearth_operators::words::{Behavior, Catalogs};

use super::ahead::Ahead;
use super::packed::{MAGIC, seal};
use super::*;
use crate::catalog;
use crate::config::Keys;
use crate::fuzz::{fuzz, reasons};
use crate::home_names::HomeNames;
use crate::zones::Zones;

const CATALOG: &str =
    r#"{"devices":[{"name":"Light","actions":[{"name":"on"},{"name":"off","closes":["on"]}]}]}"#;

const LINES: &str = r#"{"home":"h","time":"2022-08-04T18:30:00+02:00","device":"Light","action":"on","id":"1"}
{"time":1659630600,"home":7,"action":"Light:off","seq":3}
{"home":"h","time":"2022-08-04 18:31:00,5","device":"Light","action":"off","seq":"12"}

{"home":"*","time":"2022-08-05","kind":"season","from":"winter","to":"summer"}
{"home":"h","alarm":"2022-08-04T18:30:00+02:00","fine":true}
{"home":7,"time":1659630600,"mode":"guests"}
{"home":"h","erase":{"from":"2022-08-04T18:30:00+02:00","device":"Light"}}
{"home":"h","time":"30/10/2022 02:30","device":"Light","action":true}
"#;

const TABLE: &str = "home,time,device,action,id\n\
    h,2022-08-04T18:30:00+02:00,Light,on,1\n\
    \"h\",\"1659630600,5\",\"Li\"\"ght\",\"o\nn\",\n\
    h,2022-08-04 18:30:00 UTC,Light,off,\n";

const GERMAN: &str = "\u{feff}home;time;device;action\r\nh;30.10.2022 02:30;Light;on\r\nh;1659630600,25;Light;off\r\n";

/// What a log that may be of any bytes gives.
#[derive(Debug, Default, PartialEq)]
struct Given {
    behaviors: Vec<Behavior>,
    rejected: Vec<Rejected>,
    told: usize,
    errors: Vec<String>,
}

impl Given {
    fn account(&self) -> String {
        let all = self.rejected.iter().map(|line| line.reason.as_str());
        let errors = self.errors.iter().map(String::as_str);
        format!(
            "{}{}",
            reasons(all.chain(errors)),
            match self.told {
                0 => "",
                _ => " told",
            }
        )
    }

    fn lines(&self) -> usize {
        self.behaviors.len() + self.rejected.len() + self.told
    }
}

fn options(catalog: &str) -> Options {
    Options {
        catalogs: Catalogs::shared(Arc::new(serde_json::from_str(catalog).unwrap())),
        homes: HomeNames::default(),
        zones: Zones::new(None),
        keys: Keys::default(),
    }
}

/// Reads a log, `n` lines at a time.
fn given(file: &Path, n: usize, options: Options) -> Given {
    read(file, n, options, |log| log)
}

/// The same, read as `how` says.
fn read(file: &Path, n: usize, options: Options, how: impl Fn(EventLog) -> EventLog) -> Given {
    let mut given = Given::default();
    let mut log = match EventLog::open(&[file.to_owned()], options) {
        Ok(log) => how(log),
        Err(error) => {
            given.errors.push(error.to_string());
            return given;
        }
    };
    let mut lines = 0;
    loop {
        match log.read(n, &mut given.behaviors, &mut given.rejected) {
            Ok(0) => break,
            Ok(read) => lines += read,
            Err(error) => given.errors.push(error.to_string()),
        }
        given.told += log.told().lines;
        assert_eq!(lines, given.lines());
        assert!(given.errors.len() <= lines + 1000, "errors without end");
    }
    let order = given.behaviors.iter().map(|behavior| behavior.line);
    assert!(order.is_sorted_by(|one, two| one < two));
    given
}

/// What holds of any log. How it is read must not matter; nothing is unknown where its vocabulary is its own.
fn log_holds(file: &Path) -> Given {
    let (threads, block) = (2, 64);
    // Handing over between threads takes a hundred times as long as reading.
    let ahead = |log: EventLog| match fs::metadata(file).is_ok_and(|data| data.len() % 64 == 0) {
        true => log.by(Ahead { threads, block }),
        false => log,
    };
    let again = read(file, 3, options(CATALOG), ahead);
    let read = given(file, 1000, options(CATALOG));
    assert_eq!(again, read);
    let (zones, keys) = (Zones::new(None), Keys::default());
    let files = [file.to_owned()];
    if let Ok(catalog) = catalog::infer(&files, &zones, &keys) {
        let own = Options {
            catalogs: Catalogs::shared(Arc::new(catalog)),
            ..options(CATALOG)
        };
        let own = given(file, 1000, own);
        assert_eq!(own.lines(), read.lines());
        assert!(own.behaviors.len() >= read.behaviors.len());
        let unknown = |line: &&Rejected| line.reason.starts_with("unknown");
        assert_eq!(own.rejected.iter().find(unknown), None);
    }
    let (mut events, mut refused) = (0, 0);
    let copied = copy(&files, (&zones, &keys), |event| {
        *(if event.is_ok() {
            &mut events
        } else {
            &mut refused
        }) += 1;
        Ok(())
    });
    if let Ok(counts) = copied {
        assert_eq!(counts, (events, refused));
        assert_eq!(events + refused, read.lines() as u64);
    }
    read
}

/// A file of these bytes, written anew each time.
struct Scratch(tempfile::TempDir, &'static str);

impl Scratch {
    fn new(name: &'static str) -> Self {
        Scratch(tempfile::tempdir().unwrap(), name)
    }

    fn holding(&self, bytes: &[u8]) -> PathBuf {
        let file = self.0.path().join(self.1);
        fs::write(&file, bytes).unwrap();
        file
    }
}

/// The seed as a packed log.
fn packed_seed(packing: Packing) -> Vec<u8> {
    let scratch = Scratch::new("log.jsonl");
    let files = [scratch.holding(LINES.as_bytes())];
    let mut writer = PackWriter::new(Vec::new(), packing).unwrap();
    let copied = copy(
        &files,
        (&Zones::new(None), &Keys::default()),
        |event| match event {
            Ok(event) => writer.event(&event),
            Err(rejected) => writer.rejected(rejected),
        },
    );
    copied.unwrap();
    writer.finish().unwrap()
}

/// Its events as Parquet.
fn parquet_seed() -> Vec<u8> {
    let scratch = Scratch::new("log.jsonl");
    let files = [scratch.holding(LINES.as_bytes())];
    let out = tempfile::NamedTempFile::new().unwrap();
    let handle = out.reopen().unwrap();
    let mut writer = LogWriter::new(LogFormat::Parquet, Packing::default(), handle).unwrap();
    let copied = copy(
        &files,
        (&Zones::new(None), &Keys::default()),
        |event| match event {
            Ok(event) => writer.event(&event),
            Err(_) => Ok(()),
        },
    );
    copied.unwrap();
    writer.finish().unwrap();
    fs::read(out.path()).unwrap()
}

/// What is followed: any bytes have an end, and without quotes, which may be open when some of a file is there, it does not matter how
/// it grew.
#[test]
fn followed() {
    let seeds = [LINES, TABLE, GERMAN].map(str::as_bytes);
    fuzz(
        &seeds,
        &["\"", "\n", ";", "\t", "home,time,action\n"],
        |bytes| {
            let ends_line = |byte: &u8| *byte == b'\n';
            let first = bytes.split_inclusive(ends_line).next();
            let first = first.unwrap_or_default();
            let incoming = match Incoming::of(Path::new("log"), first, &Keys::default()) {
                Ok(incoming) => incoming,
                Err(reason) => return reasons([reason.as_str()]),
            };
            let behind = if incoming.has_header() {
                first.len()
            } else {
                0
            };
            let all = incoming.lines(bytes[behind..].to_vec());
            let (mut grown, mut at, mut there) = (Vec::new(), 0, 0);
            let rest = &bytes[behind..];
            // Each line that comes has a record that is open looked at anew: that is not for long inputs.
            if rest.len() > 4096 {
                return format!("long {}", all.len());
            }
            for line in rest.split_inclusive(ends_line) {
                there += line.len();
                let whole = incoming.whole(&rest[at..there]);
                grown.extend(incoming.lines(rest[at..at + whole].to_vec()));
                at += whole;
            }
            grown.extend(incoming.lines(rest[at..].to_vec()));
            if !bytes.contains(&b'"') {
                assert_eq!(grown, all);
            }
            format!("{} {}", incoming.has_header(), all.len())
        },
    );
}

#[test]
fn json_lines() {
    let scratch = Scratch::new("log.jsonl");
    let words = [
        "\"id\":",
        "\"seq\":",
        "\"home\":",
        "\"time\":",
        "\"erase\":{}",
        "+02:00",
        "Light:on",
    ];
    fuzz(&[LINES.as_bytes()], &words, |bytes| {
        let read = log_holds(&scratch.holding(bytes));
        let text = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
        let lines = text.split(|byte| *byte == b'\n');
        let lines = lines.filter(|line| !line.iter().all(u8::is_ascii_whitespace));
        if read.errors.is_empty() {
            assert_eq!(read.lines(), lines.count());
        }
        read.account()
    });
}

#[test]
fn csv() {
    let scratch = Scratch::new("log.csv");
    let words = [
        "\"\"", "\n\"", ";", "\t", "home", "time", "seq", "device", "1,5",
    ];
    fuzz(&[TABLE.as_bytes(), GERMAN.as_bytes()], &words, |bytes| {
        log_holds(&scratch.holding(bytes)).account()
    });
}

#[test]
fn compressed() {
    let [gzip, zstd] = [Scratch::new("log.jsonl.gz"), Scratch::new("log.csv.zst")];
    let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    std::io::Write::write_all(&mut packer, LINES.as_bytes()).unwrap();
    let packed = packer.finish().unwrap();
    let frame = zstd::bulk::compress(TABLE.as_bytes(), 1).unwrap();
    fuzz(
        &[&packed, &frame, &[&*packed, &packed].concat()],
        &[],
        |bytes| {
            let scratch = if bytes.starts_with(&frame[..2]) {
                &zstd
            } else {
                &gzip
            };
            log_holds(&scratch.holding(bytes)).account()
        },
    );
}

/// Mutated as it is, and with checksums that agree again.
#[test]
fn packed() {
    let scratch = Scratch::new("log.hlog");
    let seeds = [Packing::Plain, Packing::Zstd].map(packed_seed);
    fuzz(&[&seeds[0], &seeds[1]], &[], |bytes| {
        let mut bytes = bytes.to_vec();
        if bytes.starts_with(&MAGIC) && bytes.iter().any(|byte| byte % 4 == 1) {
            seal(&mut bytes);
        }
        log_holds(&scratch.holding(&bytes)).account()
    });
}

#[test]
fn parquet() {
    let scratch = Scratch::new("log.parquet");
    let log = parquet_seed();
    fuzz(&[&log], &["PAR1", "home", "time"], |bytes| {
        log_holds(&scratch.holding(bytes)).account()
    });
}

#[test]
fn contexts() {
    let scratch = Scratch::new("contexts.jsonl");
    let seed = r#"{"home":"h","time":"2022-06-01","kind":"season","from":"winter","to":"summer"}
{"home":"*","time":"2022-06-01T00:00:00+02:00","kind":"text","from":"a","to":"b"}
{"home":"h","time":1659630600,"kind":"occupancy","from":"single","to":"multiple","note":1}
{"home":"h","time":"2022-07-01T08:00:00+02:00","mode":"away"}
"#;
    let words = ["\"kind\":", "schedule", "daytime", "night", "text"];
    fuzz(&[seed.as_bytes()], &words, |bytes| {
        let file = scratch.holding(bytes);
        match read_contexts(&file, &HomeNames::default(), &Zones::new(None)) {
            Ok(contexts) => {
                let lines = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
                let lines = lines.split(|byte| *byte == b'\n');
                let lines = lines.filter(|line| !line.iter().all(u8::is_ascii_whitespace));
                let Contexts {
                    shifts,
                    modes,
                    rejected,
                } = contexts;
                let all = shifts.len() + modes.len() + rejected.len();
                assert_eq!(all, lines.count());
                reasons(rejected.iter().map(|line| line.reason.as_str()))
            }
            Err(error) => error.to_string(),
        }
    });
}

/// What comes one by one, is judged without a catalog, and written anew: what is taken is taken again as it is.
#[test]
fn taken_lines() {
    let seeds: Vec<&[u8]> = LINES.lines().map(str::as_bytes).collect();
    let kinds = [Kind::Event, Kind::Context, Kind::Feedback, Kind::Erasure];
    fuzz(&seeds, &["\"mark\":", "\\n", "\"erase\":"], |bytes| {
        let said = kinds.map(|kind| match taken(kind, bytes) {
            Ok(line) => {
                assert!(!line.contains('\n') && line.len() <= text::LONGEST_LINE);
                assert_eq!(taken(kind, line.as_bytes()).as_ref(), Ok(&line));
                let value: serde_json::Value = serde_json::from_str(&line).unwrap();
                assert!(
                    value["home"].is_string() && value.get("mark").is_none(),
                    "{line}"
                );
                "taken".to_owned()
            }
            Err(reason) => reason,
        });
        said.join(";")
    });
}
