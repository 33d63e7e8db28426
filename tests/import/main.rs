//! `hearth import`: small inputs made by hand, and the real data where it is there.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Parser;
use hearth::catalog;
use hearth::home_names::HomeNames;
use hearth::import::{self, ImportArgs};
use hearth::sources::{EventLog, Options, read_contexts};
use hearth::zones::Zones;
use hearth_operators::words::{Behavior, Catalog, Catalogs, Shift, ShiftKind, Time};

#[derive(Parser)]
struct Cli {
    #[command(flatten)]
    import: ImportArgs,
}

/// What an import wrote, read back as `replay` would.
struct Imported {
    behaviors: Vec<Behavior>,
    catalog: Arc<Catalog>,
    homes: HomeNames,
    shifts: Vec<Shift>,
}

impl Imported {
    /// `home device:action time` of each behaviour, in the order of the log.
    fn lines(&self) -> Vec<String> {
        let line = |b: &Behavior| {
            let time = hearth::time::format(b.moment.time, b.moment.offset);
            format!(
                "{} {} {time}",
                self.homes.name(b.home),
                self.catalog.full_name(b.moment.action)
            )
        };
        self.behaviors.iter().map(line).collect()
    }
}

fn try_import(args: &[&str], out: &Path) -> anyhow::Result<()> {
    let out = ["--out", out.to_str().unwrap()];
    let args = ["import"].iter().chain(args).chain(&out);
    import::run(&Cli::try_parse_from(args)?.import)
}

fn import(args: &[&str]) -> Imported {
    let folder = tempfile::tempdir().unwrap();
    try_import(args, folder.path()).unwrap();
    let catalog = Arc::new(catalog::load(&folder.path().join("catalog.json")).unwrap());
    let options = Options {
        catalogs: Catalogs::shared(catalog.clone()),
        homes: HomeNames::default(),
        zones: Zones::new(None),
        keys: Default::default(),
    };
    let homes = options.homes.clone();
    let mut log = EventLog::open(&[folder.path().join("events.jsonl")], options).unwrap();
    let (mut behaviors, mut rejected) = (Vec::new(), Vec::new());
    while log.read(1000, &mut behaviors, &mut rejected).unwrap() > 0 {}
    assert!(rejected.is_empty(), "{rejected:?}");
    let contexts = folder.path().join("contexts.jsonl");
    let shifts = if contexts.exists() {
        let read = read_contexts(&contexts, &homes, &Zones::new(None)).unwrap();
        let (shifts, rejected) = (read.shifts, read.rejected);
        assert!(rejected.is_empty(), "{rejected:?}");
        shifts
    } else {
        Vec::new()
    };
    Imported {
        behaviors,
        catalog,
        homes,
        shifts,
    }
}

/// A folder of the shared data; `None`, said loudly, where it is not there.
fn data(folder: &str) -> Option<PathBuf> {
    let root = std::env::var_os("HEARTH_DATA").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data"),
        PathBuf::from,
    );
    let folder = root.join(folder);
    if !folder.is_dir() {
        eprintln!(
            "SKIPPED: real data is not at {}; set HEARTH_DATA",
            folder.display()
        );
        return None;
    }
    Some(folder)
}

fn write(folder: &Path, name: &str, bytes: impl AsRef<[u8]>) -> String {
    let file = folder.join(name);
    fs::create_dir_all(file.parent().unwrap()).unwrap();
    fs::write(&file, bytes).unwrap();
    file.to_str().unwrap().to_owned()
}

#[test]
fn casas_sensors_become_devices() {
    let folder = tempfile::tempdir().unwrap();
    let log = "2010-11-04 00:03:50.209589 M003 ON Sleeping begin\n\
               2010-11-04\t00:03:57.4\tBedroom\tM003\tOFF\tControl4-Motion\n\
               2010-11-04 05:40:51 T002 21.5\n\
               rubbish\n\n\
               2010-11-04 08:00:00 D001 OPEN\r\n2010-11-04 08:00:02 D001 CLOSE";
    let file = write(folder.path(), "hh.txt", log);
    let imported = import(&["casas", &file, "--timezone", "America/Los_Angeles"]);
    assert_eq!(
        imported.lines(),
        [
            "hh M003:ON 2010-11-04T00:03:50.209589-07:00",
            "hh M003:OFF 2010-11-04T00:03:57.4-07:00",
            "hh D001:OPEN 2010-11-04T08:00:00-07:00",
            "hh D001:CLOSE 2010-11-04T08:00:02-07:00",
        ]
    );
    let close = imported.catalog.lookup("D001", "CLOSE").unwrap();
    assert_eq!(
        imported.catalog.closes(close),
        [imported.catalog.lookup("D001", "OPEN").unwrap()]
    );
}

#[test]
fn an_input_without_behaviours_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let file = write(folder.path(), "x.txt", "nothing here\nand 12 not here\n");
    let error = try_import(&["casas", &file], folder.path())
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("no behaviour was found") && error.contains("left out 1"),
        "{error}"
    );
    assert!(try_import(&["casas", &(file + ".none")], folder.path()).is_err());
}

#[test]
fn kasteren_intervals_become_two_behaviours() {
    let folder = tempfile::tempdir().unwrap();
    let sensors = write(
        folder.path(),
        "houseA.sensors",
        "1203898814\t163\t24\r\n1203898820\t0\t5\r\n1203898977\t10\t24\nbad\n",
    );
    write(
        folder.path(),
        "houseA.sensor_names",
        "24\tHall-Bedroom door\r\n5\tHall-Toilet door",
    );
    let imported = import(&["kasteren", &sensors, "--timezone", "Europe/Amsterdam"]);
    assert_eq!(
        imported.lines(),
        [
            "houseA Hall-Bedroom door:on 2008-02-25T01:20:14+01:00",
            "houseA Hall-Toilet door:on 2008-02-25T01:20:20+01:00",
            "houseA Hall-Toilet door:off 2008-02-25T01:20:21+01:00",
            "houseA Hall-Bedroom door:off 2008-02-25T01:22:57+01:00",
            "houseA Hall-Bedroom door:on 2008-02-25T01:22:57+01:00",
            "houseA Hall-Bedroom door:off 2008-02-25T01:23:07+01:00",
        ]
    );
}

#[test]
fn recorder_states_become_behaviours_where_they_change() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("ha #1.db");
    let db = rusqlite::Connection::open(&file).unwrap();
    db.execute_batch(
        "create table states_meta (metadata_id integer primary key, entity_id text);
         create table state_attributes (attributes_id integer primary key, shared_attrs text);
         create table states (state_id integer primary key, entity_id char(0), state text, last_changed_ts float,
             last_updated_ts float, attributes_id integer, metadata_id integer);
         insert into states_meta values (1, 'light.bed'), (2, 'climate.hall'), (3, 'sensor.power');
         insert into state_attributes values (1, '{\"temperature\":20}'), (2, '{\"temperature\":21.5}'), (3, 'no json');
         insert into states values
             (1, null, 'off', null, 1700000000.0, null, 1),
             (2, null, 'heat', null, 1700000001.0, 1, 2),
             (3, null, 'on', null, 1700000002.25, null, 1),
             (4, null, 'on', 1700000002.25, 1700000003.0, null, 1),
             (5, null, 'unavailable', null, 1700000004.0, null, 1),
             (6, null, 'on', null, 1700000005.0, null, 1),
             (7, null, 'off', null, 1700000006.0, null, 1),
             (8, null, 'heat', 1700000001.0, 1700000007.0, 2, 2),
             (9, null, '12.5', null, 1700000008.0, null, 3),
             (10, null, null, null, 1700000009.0, null, 1),
             (11, null, 'off', null, null, 3, 2),
             (12, null, 'off', null, 1700000010.0, 3, 2);",
    )
    .unwrap();
    drop(db);
    let file = file.to_str().unwrap();
    let plain = import(&["home-assistant", file]);
    assert_eq!(
        plain.lines(),
        [
            "home light.bed:on 2023-11-14T22:13:22.25+00:00",
            "home light.bed:off 2023-11-14T22:13:26+00:00",
            "home climate.hall:off 2023-11-14T22:13:30+00:00",
        ]
    );
    let chosen = import(&[
        "home-assistant",
        file,
        "--domains",
        "climate",
        "--attributes",
        "climate.temperature",
        "--home",
        "h",
    ]);
    assert_eq!(
        chosen.lines(),
        [
            "h climate.hall:set temperature 2023-11-14T22:13:27+00:00",
            "h climate.hall:off 2023-11-14T22:13:30+00:00",
        ]
    );
}

#[test]
fn a_database_of_something_else_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let text = write(
        folder.path(),
        "text.db",
        "this is no database, only a text of some length",
    );
    let error = format!(
        "{:#}",
        try_import(&["home-assistant", &text], folder.path()).unwrap_err()
    );
    assert!(
        error.contains("neither a recorder database nor a history"),
        "{error}"
    );
}

/// A database that a script makes, imported.
fn recorded(script: &str) -> Imported {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("home-assistant_v2.db");
    let db = rusqlite::Connection::open(&file).unwrap();
    db.execute_batch(script).unwrap();
    drop(db);
    import(&["home-assistant", file.to_str().unwrap()])
}

#[test]
fn a_recorder_of_old_has_times_as_texts() {
    let imported = recorded(
        "create table states (state_id integer, entity_id text, state text, last_changed datetime, last_updated datetime);
         insert into states values
             (2, 'light.bed', 'on', null, '2022-03-01 08:10:00.250000'),
             (1, 'light.bed', 'off', '2022-03-01 08:00:00', '2022-03-01 08:00:00.000000');",
    );
    assert_eq!(
        imported.lines(),
        ["home light.bed:on 2022-03-01T08:10:00.25+00:00"]
    );
}

#[test]
fn what_a_device_says_of_itself_is_no_behaviour() {
    let imported = recorded(
        r#"create table states (state_id integer, entity_id text, state text, last_updated_ts float, attributes text);
         insert into states values
             (1, 'binary_sensor.door', 'off', 1700000000.0, '{"device_class":"door"}'),
             (2, 'binary_sensor.door_battery', 'off', 1700000000.0, '{"device_class":"battery"}'),
             (3, 'binary_sensor.door_battery', 'unavailable', 1700000100.0, '{}'),
             (4, 'binary_sensor.door', 'on', 1700000200.0, '{"device_class":"door"}'),
             (5, 'binary_sensor.door_battery', 'on', 1700000200.0, '{"device_class":"battery"}');"#,
    );
    assert_eq!(
        imported.lines(),
        ["home binary_sensor.door:on 2023-11-14T22:16:40+00:00"]
    );
}

#[test]
fn an_id_of_several_entities_is_nobodys() {
    let imported = recorded(
        "create table states_meta (metadata_id integer, entity_id text);
         create table states (state_id integer, entity_id text, state text, last_updated_ts float, metadata_id integer);
         insert into states_meta values (1, 'light.hall'), (1, 'light.kitchen'), (2, 'switch.fan');
         insert into states values
             (1, null, 'off', 1700000000.0, 1), (2, null, 'off', 1700000000.0, 2),
             (3, null, 'on', 1700000600.0, 1), (4, null, 'on', 1700000600.0, 2),
             (5, null, 'on', 1700000600.0, null), (6, null, 'on', 1700000600.0, 9),
             (7, 'light.old', 'off', 1700000600.0, null), (8, 'light.old', 'on', 1700000700.0, null);",
    );
    assert_eq!(
        imported.lines(),
        [
            "home switch.fan:on 2023-11-14T22:23:20+00:00",
            "home light.old:on 2023-11-14T22:25:00+00:00",
        ]
    );
}

#[test]
fn what_a_restart_makes_sensors_say_is_no_behaviour() {
    let imported = recorded(
        "create table recorder_runs (run_id integer, start datetime);
         insert into recorder_runs values (1, '2023-11-14 22:13:10'), (2, '2023-11-15 22:13:20');
         create table states (state_id integer, entity_id text, state text, last_updated_ts float);
         insert into states values
             (1, 'binary_sensor.a', 'on', 1700000000.0), (2, 'binary_sensor.b', 'on', 1700000001.0),
             (3, 'binary_sensor.c', 'on', 1700000001.0),
             (4, 'binary_sensor.a', 'unavailable', 1700086400.0), (5, 'binary_sensor.a', 'off', 1700086410.0),
             (6, 'binary_sensor.b', 'off', 1700086411.0), (7, 'binary_sensor.c', 'off', 1700086412.0),
             (8, 'binary_sensor.a', 'on', 1700086430.0), (9, 'binary_sensor.b', 'on', 1700086431.0),
             (10, 'binary_sensor.a', 'off', 1700090000.0);",
    );
    assert_eq!(
        imported.lines(),
        [
            "home binary_sensor.c:off 2023-11-15T22:13:32+00:00",
            "home binary_sensor.a:off 2023-11-15T23:13:20+00:00",
        ]
    );
}

#[test]
fn histories_are_imported_in_the_order_of_time() {
    let folder = tempfile::tempdir().unwrap();
    let expected = [
        "home light.hall:on 2025-10-26T02:50:12.345+02:00",
        "home light.bath:on 2025-10-26T02:20:00+01:00",
        "home light.hall:off 2025-10-26T02:30:00+01:00",
    ];
    let csv = "entity_id,state,last_changed\n\
        light.hall,off,2025-10-26T00:10:00.000Z\n\
        light.hall,on,2025-10-26T00:50:12.345Z\n\
        light.hall,off,2025-10-26T01:30:00.000Z\n\
        light.bath,off,2025-10-26T00:00:00.000Z\n\
        light.bath,unavailable,2025-10-26T00:05:00.000Z\n\
        light.bath,on,2025-10-26T01:20:00.000Z\n\
        sensor.power,12,2025-10-26T01:20:00.000Z\n";
    let epochs = "state;entity_id;last_updated_ts\n\
        off;light.hall;1761437400.0\non;light.hall;1761439812.345\noff;light.hall;1761442200\n\
        off;light.bath;1761436800\non;light.bath;1761441600\n";
    let json = r#"[[{"entity_id":"light.hall","state":"off","last_changed":"2025-10-26T00:10:00+00:00"},
        {"state":"on","last_changed":"2025-10-26T00:50:12.345+00:00"},
        {"state":"off","last_changed":"2025-10-26T01:30:00+00:00"}],
        [{"entity_id":"light.bath","state":"off","last_changed":"2025-10-26T00:00:00+00:00"},
        {"state":"on","last_changed":"2025-10-26T01:20:00+00:00"}]]"#;
    let short = r#"{"light.hall":[{"s":"off","lu":1761437400.0},{"s":"on","lu":1761439812.345},{"s":"off","lu":1761442200.0}],
        "light.bath":[{"s":"off","lu":1761436800.0},{"s":"on","lu":1761441600.0}]}"#;
    for (name, text) in [
        ("history.csv", csv),
        ("export.csv", epochs),
        ("history.json", json),
        ("short.json", short),
    ] {
        let file = write(folder.path(), name, text);
        let imported = import(&["home-assistant", &file, "--timezone", "Europe/Berlin"]);
        assert_eq!(imported.lines(), expected, "{name}");
    }
    let other = write(folder.path(), "other.csv", "a,b\n1,2\n");
    let error = try_import(&["home-assistant", &other], folder.path()).unwrap_err();
    assert!(
        format!("{error:#}").contains("names no `entity_id`"),
        "{error:#}"
    );
}

#[test]
fn messages_are_behaviours_where_they_change_something() {
    let folder = tempfile::tempdir().unwrap();
    let mut text = String::new();
    let messages: [(&str, &str, &str); 14] = [
        ("08:00", "zigbee2mqtt/bridge/state", "online"),
        (
            "08:10",
            "zigbee2mqtt/hall light",
            r#"{"state":"OFF","brightness":0,"linkquality":98}"#,
        ),
        ("08:11", "zigbee2mqtt/hall light/set", "ON"),
        (
            "08:11",
            "zigbee2mqtt/hall light",
            r#"{"state":"ON","brightness":120}"#,
        ),
        (
            "08:12",
            "zigbee2mqtt/hall light",
            r#"{"state":"ON","brightness":130}"#,
        ),
        (
            "08:20",
            "zigbee2mqtt/door",
            r#"{"contact":true,"battery":90}"#,
        ),
        (
            "08:30",
            "zigbee2mqtt/door",
            r#"{"contact":false,"battery":90}"#,
        ),
        (
            "08:31",
            "zigbee2mqtt/door/availability",
            r#"{"state":"offline"}"#,
        ),
        ("08:40", "zigbee2mqtt/door", r#"{"contact":true}"#),
        ("08:40", "zigbee2mqtt/door", r#"{"contact":false}"#),
        ("08:50", "zigbee2mqtt/button", r#"{"action":"single"}"#),
        ("08:50", "zigbee2mqtt/button", r#"{"action":""}"#),
        ("08:51", "stat/plug/POWER", "OFF"),
        ("08:52", "stat/plug/POWER", "ON"),
    ];
    for (time, topic, payload) in messages {
        let line = serde_json::json!({
            "tst": format!("2025-03-01T{time}:00.000000Z+0000"), "topic": topic, "qos": 0, "retain": 1, "payload": payload
        });
        text += &format!("{line}\n");
    }
    let file = write(folder.path(), "messages.jsonl", text + "no message\n");
    let imported = import(&["mqtt", &file, "--home", "h"]);
    assert_eq!(
        imported.lines(),
        [
            "h hall light:ON 2025-03-01T08:11:00+00:00",
            "h door:open 2025-03-01T08:30:00+00:00",
            "h button:single 2025-03-01T08:50:00+00:00",
            "h stat/plug/POWER:ON 2025-03-01T08:52:00+00:00",
        ]
    );
    let all = import(&["mqtt", &file, "--repeats"]);
    assert_eq!(
        all.lines()
            .iter()
            .filter(|line| line.contains("light:ON"))
            .count(),
        2
    );
}

#[test]
fn typing_errors_of_casas_logs_are_mended_or_left_out() {
    let folder = tempfile::tempdir().unwrap();
    let log = "2010-11-04 00:11:03.2\tM003\tON\tSleeping begin\n\
        2010-11-04 00:18:16\tM003\tOFFc\n\
        2010-11-04 00:20:16\tM003\tON\n\
        2010-11-04 00:21:16\tM003\tOFF5\tSleeping end\n\
        2010-11-04 00:22:16\tM009\tO\n\
        2010-11-04 00:23:16\tc\tON\n\
        2010-11-04 23:59:60.000000\tM026\tONM026\n\
        2009-10-17 00:01:02 M026 OFF\n";
    let file = write(folder.path(), "aruba.txt", log);
    let imported = import(&["casas", &file]);
    assert_eq!(
        imported.lines(),
        [
            "aruba M026:OFF 2009-10-17T00:01:02+00:00",
            "aruba M003:ON 2010-11-04T00:11:03.2+00:00",
            "aruba M003:OFF 2010-11-04T00:18:16+00:00",
            "aruba M003:ON 2010-11-04T00:20:16+00:00",
            "aruba M003:OFF 2010-11-04T00:21:16+00:00",
            "aruba M026:ON 2010-11-04T23:59:59+00:00",
        ]
    );
}

#[test]
fn other_data_sets_are_imported() {
    let folder = tempfile::tempdir().unwrap();
    let uci = write(
        folder.path(),
        "OrdonezA_Sensors.txt",
        "Start time          \tEnd time            \tLocation\tType\tPlace\n\
         --------------------\t--------------------\t--------\t----\t-----\n\
         2011-11-28 02:27:59\t\t2011-11-28 10:18:11\t\tBed\t\tPressure\tBedroom\n\
         2011-11-28 10:21:24\t\t2011-11-28 10:21:31\t\tCabinet\t\tMagnetic\tBathroom\n",
    );
    assert_eq!(
        import(&["uci-adl", &uci, "--timezone", "Europe/Madrid"]).lines(),
        [
            "OrdonezA Bedroom Bed Pressure:on 2011-11-28T02:27:59+01:00",
            "OrdonezA Bedroom Bed Pressure:off 2011-11-28T10:18:11+01:00",
            "OrdonezA Bathroom Cabinet Magnetic:on 2011-11-28T10:21:24+01:00",
            "OrdonezA Bathroom Cabinet Magnetic:off 2011-11-28T10:21:31+01:00",
        ]
    );
    let second = |sensor: usize| {
        let number = |n| if n == sensor { "1 " } else { "0 " };
        (1..=20).map(number).collect::<String>() + "12 2\n"
    };
    let day = |sensors: [usize; 3]| sensors.map(second).concat();
    let two = write(folder.path(), "DAY_2.txt", day([0, 7, 0]));
    let one = write(folder.path(), "DAY_1.txt", day([0, 3, 3]));
    assert_eq!(
        import(&["aras", &two, &one, "--first-day", "2012-03-01"]).lines(),
        [
            "home sensor 3:on 2012-03-01T00:00:01+00:00",
            "home sensor 3:off 2012-03-02T00:00:00+00:00",
            "home sensor 7:on 2012-03-02T00:00:01+00:00",
            "home sensor 7:off 2012-03-02T00:00:02+00:00",
        ]
    );
    let xes = write(
        folder.path(),
        "day.xes",
        r#"<log><trace><string key="concept:name" value="1"/><event>
        <string key="concept:name" value="Tea &amp; cake"/><string key="lifecycle:transition" value="start"/>
        <date key="time:timestamp" value="2012-03-01T08:00:00.000+01:00"/></event><event>
        <date key='time:timestamp' value='2012-03-01T08:10:00.000+01:00'/><string key="concept:name" value="Tea &amp; cake"/>
        <string key="lifecycle:transition" value="complete"/></event></trace></log>"#,
    );
    assert_eq!(
        import(&["xes", &xes, "--timezone", "Europe/Madrid"]).lines(),
        [
            "day Tea & cake:start 2012-03-01T08:00:00+01:00",
            "day Tea & cake:end 2012-03-01T08:10:00+01:00",
        ]
    );
    write(
        folder.path(),
        "m/Bath_SetpointHistory.csv",
        "1489037131\t20\n1489044623\t16\n1489066195\t16\n",
    );
    write(
        folder.path(),
        "m/Bath_Temperature.csv",
        "1489020690\t19.53\n",
    );
    let measurements = folder.path().join("m");
    assert_eq!(
        import(&["open-smart-home", measurements.to_str().unwrap()]).lines(),
        ["home Bath thermostat:set 16 2017-03-09T08:30:23+01:00"]
    );
}

#[test]
fn instruments_are_left_out_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let line = |n: u32, device: &str, state: &str| {
        let time = format!("2025-03-01T08:{n:02}:00Z");
        serde_json::json!({"tst": time, "topic": device, "payload": {"state": state}}).to_string()
            + "\n"
    };
    let mut log = String::new();
    for n in 0..40 {
        log += &line(n, "meter", &format!("{n} W"));
        log += &line(n, "lamp", ["on", "off"][n as usize % 2]);
    }
    let file = write(folder.path(), "messages.jsonl", log);
    let imported = import(&["mqtt", &file]);
    let devices: Vec<&str> = imported
        .catalog
        .devices()
        .iter()
        .map(|d| &*d.name)
        .collect();
    assert_eq!(devices, ["lamp"]);
    assert_eq!(imported.behaviors.len(), 39);
}

/// `pickle.dumps(sequences, protocol=2)` for numbers below 256.
fn pickled(sequences: &[Vec<u8>]) -> Vec<u8> {
    let mut out = b"\x80\x02](".to_vec();
    for sequence in sequences {
        out.extend(b"](");
        out.extend(sequence.iter().flat_map(|&n| [b'K', n]));
        out.push(b'e');
    }
    out.extend(b"e.");
    out
}

#[test]
fn sequences_come_back_from_the_calendar() {
    let folder = tempfile::tempdir().unwrap();
    write(
        folder.path(),
        "SmartGen/dictionary.py",
        "xx_devices_dict = {'Light': 0, 'Door': 1}\nxx_actions = {'Light:switch off': 0, 'Light:switch on': 1,\n 'Door:open': 2}\n",
    );
    let winter = [
        vec![6, 7, 0, 1, 6, 7, 1, 2, 0, 0, 0, 0],
        // Closes what the one before it opened, were it placed next.
        vec![0, 3, 0, 0],
        vec![0, 3, 1, 2],
        // No multiple of four, an unknown action; the action of another device, which decides.
        vec![1, 1, 1],
        vec![1, 1, 0, 9],
        vec![1, 1, 0, 2],
    ];
    write(
        folder.path(),
        "SmartGen/IoT_data/xx/winter/trn.pkl",
        pickled(&winter),
    );
    write(
        folder.path(),
        "SmartGen/IoT_data/xx/spring/test.pkl",
        pickled(&[vec![3, 2, 1, 2]]),
    );
    write(
        folder.path(),
        "SmartGen/IoT_data/xx/night/test.pkl",
        b"cnumpy\narray\n.",
    );
    let repository = folder.path().to_str().unwrap();
    let smartgen = [
        "smartgen",
        repository,
        "--dataset",
        "xx",
        "--from",
        "winter",
        "--to",
    ];

    let imported = import(&[&smartgen[..], &["spring"]].concat());
    let [shift] = &imported.shifts[..] else {
        panic!("{:?}", imported.shifts)
    };
    assert_eq!(
        (shift.kind, &*shift.from, &*shift.to),
        (ShiftKind::Season, "winter", "spring")
    );
    assert_eq!(imported.homes.name(shift.home.unwrap()).as_ref(), "xx");
    let read: Vec<_> = imported
        .behaviors
        .iter()
        .map(|b| {
            let (weekday, hours) = b.moment.time.local(0);
            (
                b.id.as_deref().unwrap(),
                [weekday, hours],
                imported.catalog.full_name(b.moment.action),
                b.moment.time > shift.time,
            )
        })
        .collect();
    let is = |id, when, action: &str, after| (id, when, action.to_owned(), after);
    assert_eq!(
        read,
        [
            is("winter/5/0", [1, 1], "Door:open", false),
            is("winter/0/0", [6, 7], "Light:switch on", false),
            is("winter/0/1", [6, 7], "Door:open", false),
            is("winter/0/2", [0, 0], "Light:switch off", false),
            is("winter/2/0", [0, 3], "Door:open", false),
            is("winter/1/0", [0, 3], "Light:switch off", false),
            is("spring/0/0", [3, 2], "Door:open", true),
        ]
    );

    let refused = |to: &[&str]| {
        let error =
            try_import(&[&smartgen[..], to].concat(), &folder.path().join("out")).unwrap_err();
        format!("{error:#}")
    };
    assert!(refused(&["night"]).contains("is no shift"));
    assert!(refused(&["spring", "--to-split", "none"]).contains("check context and split"));
    let other = [
        "smartgen",
        repository,
        "--dataset",
        "xx",
        "--from",
        "night",
        "--from-split",
        "test",
    ];
    let error = format!(
        "{:#}",
        try_import(&other, &folder.path().join("out")).unwrap_err()
    );
    assert!(error.contains("Python objects"), "{error}");
}

/// The authors' data, all three shifts, from their pickles and from the conversion: every sequence comes back exactly, and
/// apart from the others.
#[test]
fn the_authors_data_comes_back_exactly() {
    let (Some(repository), Some(converted)) = (data("smartgen-repo"), data("smartgen")) else {
        return;
    };
    for (from, to, kind) in [
        ("winter", "spring", ShiftKind::Season),
        ("daytime", "night", ShiftKind::Schedule),
        ("single", "multiple", ShiftKind::Occupancy),
    ] {
        for dataset in ["fr", "sp"] {
            let args = |root: &Path| {
                let root = root.to_str().unwrap().to_owned();
                let args = [
                    "smartgen",
                    &root,
                    "--dataset",
                    dataset,
                    "--from",
                    from,
                    "--to",
                    to,
                ];
                import(&args)
            };
            let imported = args(&repository);
            assert_eq!(imported.lines(), args(&converted).lines());
            assert_eq!(imported.shifts[0].kind, kind);
            let mut sequences: BTreeMap<(String, usize), Vec<&Behavior>> = BTreeMap::new();
            for behavior in &imported.behaviors {
                let mut id = behavior.id.as_deref().unwrap().split('/');
                let key = (
                    id.next().unwrap().to_owned(),
                    id.next().unwrap().parse().unwrap(),
                );
                sequences.entry(key).or_default().push(behavior);
            }
            let mut spans = Vec::new();
            for (context, split) in [(from, "trn"), (to, "test")] {
                for (i, expected) in raw(&converted, dataset, context, split).iter().enumerate() {
                    let got = &sequences[&(context.to_owned(), i)];
                    let quadruples: Vec<_> = got
                        .iter()
                        .map(|b| {
                            let q = b.moment.quadruple();
                            (
                                i64::from(q.weekday),
                                i64::from(q.hours),
                                imported.catalog.full_name(q.action),
                            )
                        })
                        .collect();
                    assert_eq!(&quadruples, expected, "{dataset}/{context}/{i}");
                    spans.push((got[0].moment.time.0, got[got.len() - 1].moment.time.0));
                }
            }
            assert_eq!(spans.len(), sequences.len());
            spans.sort_unstable();
            for pair in spans.windows(2) {
                let gap = pair[1].0 - pair[0].1;
                assert!(gap > 33 * Time::HOUR && gap < 10 * Time::DAY);
            }
        }
    }
}

/// The sequences of a file of the conversion, actions by name.
fn raw(root: &Path, dataset: &str, context: &str, split: &str) -> Vec<Vec<(i64, i64, String)>> {
    let folder = root.join(dataset);
    let vocabulary: serde_json::Value =
        serde_json::from_slice(&fs::read(folder.join("vocab.json")).unwrap()).unwrap();
    let plain = folder.join(format!("raw/{context}.{split}.jsonl"));
    let text = fs::read_to_string(&plain).unwrap_or_else(|_| {
        let packed = fs::File::open(plain.with_extension("jsonl.gz")).unwrap();
        std::io::read_to_string(flate2::read::MultiGzDecoder::new(packed)).unwrap()
    });
    let sequence = |line: &str| {
        let line: serde_json::Value = serde_json::from_str(line).unwrap();
        let quadruples: Vec<[i64; 4]> = serde_json::from_value(line["seq"].clone()).unwrap();
        let named = quadruples.into_iter().map(|[weekday, hours, _, action]| {
            let name = vocabulary["actions"][action.to_string()].as_str().unwrap();
            (weekday, hours, name.to_owned())
        });
        named.collect()
    };
    text.lines().map(sequence).collect()
}

#[test]
fn the_kasteren_houses_are_imported_whole() {
    let Some(folder) = data("kasteren") else {
        return;
    };
    for (house, zone) in [
        ("houseA", "Europe/Amsterdam"),
        ("houseB", "Europe/Amsterdam"),
        ("houseD", "America/New_York"),
    ] {
        let file = folder.join(format!("{house}.sensors"));
        let records = fs::read_to_string(&file)
            .unwrap()
            .lines()
            .filter(|l| !l.trim().is_empty())
            .count();
        let imported = import(&["kasteren", file.to_str().unwrap(), "--timezone", zone]);
        let lost = 2 * records - imported.behaviors.len();
        assert!(
            lost * 8 < records,
            "{house}: {lost} of {} coincide",
            2 * records
        );
        assert!(imported.behaviors.is_sorted_by_key(|b| b.moment.time));
        let closed = imported
            .catalog
            .action_ids()
            .filter(|&a| !imported.catalog.closes(a).is_empty())
            .count();
        assert_eq!(
            closed,
            imported.catalog.devices().len(),
            "each sensor's off closes its on"
        );
    }
}

#[test]
fn the_recorder_database_is_imported() {
    let Some(folder) = data("homeassistant") else {
        return;
    };
    let file = folder.join("home-assistant_v2.db");
    let imported = import(&[
        "home-assistant",
        file.to_str().unwrap(),
        "--attributes",
        "climate.temperature",
    ]);
    let count = |name: &str| {
        imported
            .behaviors
            .iter()
            .filter(|b| imported.catalog.full_name(b.moment.action) == name)
            .count()
    };
    // As the states of light.bed_light read: off|on|off|on|off|on|off.
    assert_eq!(
        (count("light.bed_light:on"), count("light.bed_light:off")),
        (3, 3)
    );
    assert_eq!(count("lock.front_door:locked"), 3);
    assert!(count("climate.hvac:set temperature") + count("climate.hvac:heat") > 0);
    let off = imported.catalog.lookup("light.bed_light", "off").unwrap();
    assert_eq!(
        imported.catalog.closes(off),
        [imported.catalog.lookup("light.bed_light", "on").unwrap()]
    );
    assert!(imported.behaviors.is_sorted_by_key(|b| b.moment.time));
}
