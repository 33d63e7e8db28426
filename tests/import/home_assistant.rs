//! Home Assistant's database and its histories.

use std::io::Write;

use super::{Imported, data, import, try_import, write};

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
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    packed.write_all(csv.as_bytes()).unwrap();
    let file = folder.path().join("history.csv.gz");
    std::fs::write(&file, packed.finish().unwrap()).unwrap();
    let file = file.to_str().unwrap();
    let imported = import(&["home-assistant", file, "--timezone", "Europe/Berlin"]);
    assert_eq!(imported.lines(), expected);
    let other = write(folder.path(), "other.csv", "a,b\n1,2\n");
    let error = try_import(&["home-assistant", &other], folder.path()).unwrap_err();
    assert!(
        format!("{error:#}").contains("names no `entity_id`"),
        "{error:#}"
    );
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
