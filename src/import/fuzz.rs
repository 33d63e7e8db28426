//! Files of other programs, of bytes that nobody meant: an import is refused, or leaves a log of which each line counts.

use std::fs;
use std::sync::Arc;

use clap::Parser;
use hearth_operators::words::Catalogs;
use rusqlite::Connection;

use super::{ImportArgs, pickle, run};
use crate::catalog;
use crate::fuzz::{fuzz, reasons};
use crate::home_names::HomeNames;
use crate::sources::{EventLog, Options};
use crate::zones::Zones;

#[derive(Parser)]
struct Cli {
    #[command(flatten)]
    import: ImportArgs,
}

/// Imports bytes as a file of this name, and holds what was written to its account.
struct Import {
    folder: tempfile::TempDir,
    arguments: Vec<String>,
    name: &'static str,
}

impl Import {
    fn new(arguments: &str, name: &'static str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name).display().to_string();
        let words = arguments.split_whitespace().map(str::to_owned);
        let arguments = ["import".to_owned()].into_iter().chain(words);
        let arguments = arguments.chain([path(name), "--out".to_owned(), path("out")]);
        Import {
            arguments: arguments.collect(),
            folder,
            name,
        }
    }

    fn holds(&self, bytes: &[u8]) -> String {
        fs::write(self.folder.path().join(self.name), bytes).unwrap();
        let args = Cli::try_parse_from(&self.arguments).unwrap();
        match run(&args.import) {
            Ok(()) => {
                self.is_whole();
                String::new()
            }
            Err(error) => {
                let error = format!("{error:#}");
                assert!(!error.is_empty());
                reasons([error.as_str()])
            }
        }
    }

    /// Every line is an event of the catalog, in the order of time.
    fn is_whole(&self) {
        let out = self.folder.path().join("out");
        let catalog = catalog::load(&out.join("catalog.json")).unwrap();
        let options = Options {
            catalogs: Catalogs::shared(Arc::new(catalog)),
            homes: HomeNames::default(),
            zones: Zones::new(None),
            keys: Default::default(),
        };
        let mut log = EventLog::open(&[out.join("events.jsonl")], options).unwrap();
        let (mut behaviors, mut rejected) = (Vec::new(), Vec::new());
        while log.read(1000, &mut behaviors, &mut rejected).unwrap() > 0 {}
        assert_eq!(rejected, []);
        assert!(!behaviors.is_empty());
        assert!(behaviors.is_sorted_by_key(|behavior| behavior.moment.time));
    }
}

#[test]
fn casas() {
    let import = Import::new("casas --timezone America/Los_Angeles", "log.txt");
    let seed = "2010-11-04 00:03:50.209589 M003 ON Sleeping begin\n\
        2010-11-04\t00:03:57.4\tBedroom\tM003\tOFF\tControl4-Motion\n\
        2010-11-04 05:40:51 T002 21.5\n2010-11-04 05:40:60 D001 OPEN\r\n\
        2010-11-04 08:00:00 D001 OFFc\n2010-11-04 08:00:02 D001 CLOSE";
    let words = ["OFF5", "ONM026", "\t", " ON ", "O", "NaN"];
    fuzz(&[seed.as_bytes()], &words, |bytes| import.holds(bytes));
}

#[test]
fn kasteren() {
    let import = Import::new("kasteren", "houseA.sensors");
    let seed = "1203898814\t5\t24\n1203898820\t1\t5\n1203898819 1 24\n-5\t1203898820\t7\n";
    let words = ["\t", " ", "1203898814"];
    fuzz(&[seed.as_bytes()], &words, |bytes| import.holds(bytes));
}

#[test]
fn uci_adl() {
    let import = Import::new("uci-adl", "OrdonezA_Sensors.txt");
    let seed = "Start time\tEnd time\tLocation\tType\tPlace\n----------\n\
        2011-11-28 02:27:59\t\t2011-11-28 10:18:11\t\tBed\tPressure\tBedroom\n\
        2011-11-28 10:21:24\t\t2011-11-28 10:21:31\t\tCabinet\tMagnetic\tBathroom\n";
    fuzz(&[seed.as_bytes()], &["\t", "\t\t"], |bytes| {
        import.holds(bytes)
    });
}

#[test]
fn aras() {
    let import = Import::new("aras --first-day 2012-03-01", "DAY_1.txt");
    let line = |on: &str| format!("{} 12 17\n", on.repeat(20).trim_end());
    let seed = line("0 ") + &line("1 ") + &line("0 ") + &line("1 ");
    fuzz(&[seed.as_bytes()], &["0 ", "1 ", "\n"], |bytes| {
        import.holds(bytes)
    });
}

#[test]
fn xes() {
    let import = Import::new("xes", "log.xes");
    let seed = r#"<?xml version="1.0"?><log><trace><string key="concept:name" value="home 1"/>
<event><string key="concept:name" value="Light &amp; lamp"/><date key="time:timestamp" value="2020-01-01T10:00:00.000+01:00"/>
<string key="lifecycle:transition" value="start"/></event>
<event><string key="concept:name" value="Light"/><date key="time:timestamp" value="2020-01-01T10:05:00Z"/>
<string key="lifecycle:transition" value="complete"/></event></trace></log>"#;
    let words = [
        "<event>",
        "</trace>",
        "&#0;",
        "&lt;",
        "<!--",
        "-->",
        "<![CDATA[",
        "key=\"",
        "/>",
    ];
    fuzz(&[seed.as_bytes()], &words, |bytes| import.holds(bytes));
}

#[test]
fn mosquitto() {
    let import = Import::new("mqtt", "messages.jsonl");
    let seed = r#"{"tst":"2026-01-01T00:00:00.000000Z+0000","topic":"zigbee2mqtt/lamp","qos":0,"retain":1,"payload":{"state":"ON"}}
{"tst":"2026-01-01T00:01:00+0100","topic":"zigbee2mqtt/lamp","payload":"{\"state\":\"OFF\",\"brightness\":7}"}
{"tst":1767225720,"topic":"zigbee2mqtt/door","payload":{"contact":true}}
{"tst":1767225780.5,"topic":"zigbee2mqtt/door","payload":{"contact":false}}
"#;
    let words = [
        "\"payload\":",
        "\"tst\":",
        "\"contact\":",
        "\"action\":\"single\"",
        "/set",
    ];
    fuzz(&[seed.as_bytes()], &words, |bytes| import.holds(bytes));
}

#[test]
fn histories() {
    let import = Import::new("home-assistant --timezone Europe/Berlin", "history");
    let csv = "entity_id,state,last_changed\nlight.hall,off,2025-01-01T05:00:00.000Z\n\
        light.hall,on,2025-01-01T06:00:00.000Z\n\"lock.door\",unavailable,1735711200.5\nlock.door,locked,2025-01-02 06:00\n";
    let rest = r#"[[{"entity_id":"light.hall","state":"on","last_changed":"2025-01-01T06:00:00+00:00","attributes":{"device_class":"x"}},
{"state":"off","last_changed":"2025-01-01T07:00:00+00:00"}]]"#;
    let socket = r#"{"result":{"light.hall":[{"s":"on","lu":1735711200.5,"a":{}},{"s":"off","lu":1735712200,"lc":1735712199}]}}"#;
    let words = [
        "unavailable",
        "light.",
        "\"lc\":",
        ";",
        "\t",
        "binary_sensor.x",
    ];
    let seeds = [csv, rest, socket].map(str::as_bytes);
    fuzz(&seeds, &words, |bytes| import.holds(bytes));
}

/// A recorder's database with these rows.
fn recorder() -> Vec<u8> {
    let file = tempfile::NamedTempFile::new().unwrap();
    let database = Connection::open(file.path()).unwrap();
    database
        .execute_batch(
            "create table states_meta (metadata_id integer primary key, entity_id text);
             create table state_attributes (attributes_id integer primary key, shared_attrs text);
             create table recorder_runs (run_id integer primary key, start text);
             create table states (state_id integer primary key, metadata_id integer, state text, last_changed_ts real,
                 last_updated_ts real, attributes_id integer, entity_id text);
             insert into states_meta values (1, 'light.hall'), (2, 'binary_sensor.door'), (3, 'lock.door');
             insert into state_attributes values (1, '{\"device_class\":\"door\"}'), (2, '{\"brightness\":7}');
             insert into recorder_runs values (1, '2025-01-01 00:00:00.000000');
             insert into states values (1, 1, 'off', null, 1735711200.5, 2, null), (2, 1, 'on', null, 1735711300.5, 2, null),
                 (3, 2, 'on', 1735711200, 1735711400.5, 1, null), (4, 2, 'unavailable', null, 1735711500, null, null),
                 (5, 2, 'off', null, 1735711600, 1, null), (6, 3, 'locked', null, 1735711700, null, null),
                 (7, null, 'unlocked', null, 1735711800, null, 'lock.door'), (8, 1, 'off', null, 1735711900, 1, null);",
        )
        .unwrap();
    drop(database);
    fs::read(file.path()).unwrap()
}

#[test]
fn recorder_database() {
    let import = Import::new("home-assistant", "home-assistant_v2.db");
    let words = ["light.hall", "states", "{\"device_class\":", "1e300"];
    fuzz(&[&recorder()], &words, |bytes| import.holds(bytes));
}

#[test]
fn pickles() {
    // `[[0, 1, 2, 300], [-5]]` by protocols 0 and 4, and a text.
    let seeds: [&[u8]; 3] = [
        b"(lp0\n(lp1\nI0\naI1\naI2\naI300\naa(lp2\nI-5\naa.",
        b"\x80\x04\x95\x17\0\0\0\0\0\0\0]\x94(]\x94(K\0K\x01K\x02M,\x01e]\x94J\xfb\xff\xff\xffae.",
        b"\x80\x04\x95\x0c\0\0\0\0\0\0\0\x8c\x08a text\n\xc3\xa9\x94.",
    ];
    let words = ["(lp", "\x02M", "]", "K\x01", "aa.", "h\0", "R"];
    fuzz(&seeds, &words, |bytes| {
        let numbers = match pickle::sequences(bytes) {
            Ok(sequences) => format!("{} sequences", sequences.len()),
            Err(reason) => reason,
        };
        let text = pickle::text(bytes).err().unwrap_or_default();
        format!("{numbers};{text}")
    });
}
