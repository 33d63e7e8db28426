//! Public data sets, and logs of other programs.

use std::fs;

use super::{data, import, try_import, write};

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
