//! The simulator keeps its promises: reproducible, valid, shifted and labelled as it says.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::Path;

use clap::Parser;
use hearth::simulate::{
    Anomaly, Event, PlantedShift, Settings, SimulateArgs, Sink, Totals, catalog, run, simulate,
};
use hearth_operators::words::{Catalog, ShiftKind, Time};

#[derive(Parser)]
struct Line {
    #[command(flatten)]
    args: SimulateArgs,
}

fn args(options: &str, out: &Path) -> SimulateArgs {
    let words = ["simulate"].into_iter().chain(options.split_whitespace());
    let words = words.map(Into::into);
    let out = ["--out".into(), out.as_os_str().to_owned()];
    Line::try_parse_from(words.chain(out)).unwrap().args
}

#[derive(Default)]
struct Collected {
    shifts: Vec<PlantedShift>,
    events: Vec<Event>,
}

impl Sink for Collected {
    fn shift(&mut self, shift: &PlantedShift) -> io::Result<()> {
        self.shifts.push(*shift);
        Ok(())
    }

    fn event(&mut self, event: &Event) -> io::Result<()> {
        self.events.push(*event);
        Ok(())
    }
}

fn collect(options: &str) -> (Settings, Collected, Totals) {
    let dir = tempfile::tempdir().unwrap();
    let settings = args(options, dir.path()).settings;
    let mut sink = Collected::default();
    let counts = simulate(&settings, &dir.path().join("spool"), &mut sink).unwrap();
    (settings, sink, counts)
}

/// The events of the homes with a shift of that kind, before it and after it.
fn around(collected: &Collected, kind: ShiftKind) -> [Vec<Event>; 2] {
    let mut parts = [Vec::new(), Vec::new()];
    for shift in collected.shifts.iter().filter(|s| s.kind == kind) {
        for event in collected.events.iter().filter(|e| e.home == shift.home) {
            parts[usize::from(event.moment.time >= shift.time)].push(*event);
        }
    }
    assert!(parts.iter().all(|part| part.len() > 1_000), "{kind:?}");
    parts
}

fn share(events: &[Event], of: impl Fn(&Event) -> bool) -> f64 {
    events.iter().filter(|e| of(e)).count() as f64 / events.len() as f64
}

fn device(catalog: &Catalog, event: &Event, names: &[&str]) -> bool {
    names.contains(&catalog.device_name(event.moment.action))
}

#[test]
fn the_same_options_give_the_same_bytes() {
    let options = "--homes 6 --days 9 --late 0.05 --duplicates 0.05 --reorder 0.2 --ids";
    let dirs = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    for dir in &dirs {
        run(&args(options, dir.path())).unwrap();
    }
    let names = |dir: &Path| -> BTreeSet<_> {
        let entries = std::fs::read_dir(dir).unwrap();
        entries.map(|e| e.unwrap().file_name()).collect()
    };
    let written = names(dirs[0].path());
    let expected = [
        "catalog.json",
        "contexts.jsonl",
        "events.jsonl",
        "truth.jsonl",
    ];
    assert_eq!(written, expected.map(Into::into).into());
    for name in expected {
        let [one, other] = dirs.each_ref().map(|d| std::fs::read(d.path().join(name)));
        let one = one.unwrap();
        assert!(!one.is_empty() && one == other.unwrap(), "{name}");
    }
}

#[test]
fn another_seed_is_another_log() {
    let (_, one, _) = collect("--homes 2 --days 3 --seed 1");
    let (_, other, _) = collect("--homes 2 --days 3 --seed 2");
    assert_ne!(one.events, other.events);
}

#[test]
fn a_home_does_not_depend_on_how_many_others_there_are() {
    let of = |collected: &Collected, home| -> Vec<Event> {
        let events = collected.events.iter().copied();
        events.filter(|e| e.home == home).collect()
    };
    let (_, few, _) = collect("--homes 7 --days 12 --late 0.1");
    let (_, many, _) = collect("--homes 40 --days 12 --late 0.1");
    for home in 1..=7 {
        assert_eq!(of(&few, home), of(&many, home), "h-{home}");
    }
}

#[test]
fn homes_are_lively_and_their_logs_are_sound() {
    let (_, collected, counts) = collect("--homes 60 --days 28 --anomalies 0");
    let catalog = catalog().unwrap();
    assert_eq!(counts.lines, collected.events.len() as u64);
    assert_eq!((counts.unique, counts.anomalies), (counts.lines, 0));
    assert_eq!(counts.shifts, 60);
    assert!(collected.events.is_sorted_by_key(|e| e.moment.time));

    let daily = counts.unique as f64 / (60.0 * 28.0);
    assert!(
        (25.0..=40.0).contains(&daily),
        "{daily} events a home and day"
    );

    // In a home, no two events share a second, and nothing is closed that was not opened.
    let mut homes: BTreeMap<u32, Vec<&Event>> = BTreeMap::new();
    for event in &collected.events {
        homes.entry(event.home).or_default().push(event);
    }
    let (mut nights, mut bursts) = (0, 0);
    for (home, events) in &homes {
        let mut open = BTreeSet::new();
        for pair in events.windows(2) {
            assert!(pair[0].moment.time < pair[1].moment.time, "h-{home}");
            let gap = pair[1].moment.time.0 - pair[0].moment.time.0;
            nights += u32::from(gap > 9 * Time::HOUR);
            bursts += u32::from(gap > Time::HOUR);
        }
        for event in events {
            let action = event.moment.action;
            assert!(catalog.contains(action));
            let closes = catalog.closes(action);
            assert!(
                closes.is_empty() || closes.iter().any(|a| open.remove(a)),
                "h-{home}: {}",
                catalog.full_name(action)
            );
            open.insert(action);
        }
    }
    let days = 60.0 * 28.0;
    let gaps = f64::from(nights) / days;
    let bursts = f64::from(bursts) / days;
    assert!((0.2..=1.2).contains(&gaps), "{gaps} gaps above 9 h a day");
    assert!((2.5..=6.5).contains(&bursts), "{bursts} bursts a day");
}

#[test]
fn a_season_takes_the_heater_and_brings_air() {
    let (_, collected, _) = collect("--homes 40 --days 28 --shifts season --anomalies 0");
    let catalog = catalog().unwrap();
    let [before, after] = around(&collected, ShiftKind::Season);
    let heating = |e: &Event| device(&catalog, e, &["Heater", "ElectricBlanket", "Humidifier"]);
    let cooling = |e: &Event| device(&catalog, e, &["AirConditioner", "Fan", "Window"]);
    assert!(share(&before, heating) > 0.08);
    assert_eq!(share(&after, heating), 0.0);
    assert!(share(&before, cooling) < 0.005);
    assert!(share(&after, cooling) > 0.08);
    for shift in &collected.shifts {
        assert_eq!(shift.from, "winter");
        assert!(["spring", "summer"].contains(&shift.to));
    }
}

#[test]
fn a_schedule_moves_the_same_actions_into_the_night() {
    let (_, collected, _) = collect("--homes 40 --days 28 --shifts schedule --anomalies 0");
    let [before, after] = around(&collected, ShiftKind::Schedule);
    let night = |e: &Event| matches!(e.moment.quadruple().hours, 0 | 1 | 6 | 7);
    let (day_share, night_share) = (share(&before, night), share(&after, night));
    assert!(
        day_share < 0.6,
        "{day_share} of the day schedule after 18 h"
    );
    assert!(night_share > 0.85, "{night_share} of the night schedule");
    let deep = |e: &Event| matches!(e.moment.quadruple().hours, 0 | 1);
    assert!(share(&after, deep) > 5.0 * share(&before, deep));
    let actions = |events: &[Event]| -> BTreeSet<_> {
        events.iter().map(|e| (e.home, e.moment.action)).collect()
    };
    let (before, after) = (actions(&before), actions(&after));
    let both = before.intersection(&after).count() as f64;
    assert!(
        both > 0.8 * after.len() as f64,
        "the routines stay the same"
    );
}

#[test]
fn a_second_person_brings_devices_and_events() {
    let (_, collected, _) = collect("--homes 40 --days 28 --shifts occupancy --anomalies 0");
    let catalog = catalog().unwrap();
    let [before, after] = around(&collected, ShiftKind::Occupancy);
    let company = |e: &Event| device(&catalog, e, &["Television", "NetworkAudio", "GameConsole"]);
    assert_eq!(share(&before, company), 0.0);
    let shared = share(&after, company);
    assert!(shared > 0.06, "{shared} of the events");
    assert!(after.len() as f64 > 1.2 * before.len() as f64);
    let variety = |events: &[Event]| {
        let devices = events.iter();
        let devices: BTreeSet<_> = devices
            .map(|e| (e.home, catalog.device_of(e.moment.action)))
            .collect();
        devices.len() as f64 / 40.0
    };
    assert!(variety(&after) > variety(&before) + 2.0);
}

#[test]
fn shifts_lie_about_the_middle_and_can_be_left_out() {
    let (_, collected, _) = collect("--homes 30 --days 30");
    for kind in [ShiftKind::Season, ShiftKind::Schedule, ShiftKind::Occupancy] {
        assert_eq!(
            collected.shifts.iter().filter(|s| s.kind == kind).count(),
            10
        );
    }
    let first = collected.events[0].moment.time;
    for shift in &collected.shifts {
        let day = (shift.time.0 - first.0) / Time::DAY;
        assert!((11..=19).contains(&day), "{day}");
    }
    assert!(
        collect("--homes 3 --days 5 --shifts none")
            .1
            .shifts
            .is_empty()
    );
    assert!(collect("--homes 3 --days 1").1.shifts.is_empty());
}

#[test]
fn anomalies_are_as_many_as_asked_and_do_not_belong() {
    let (_, collected, counts) = collect("--homes 60 --days 28 --anomalies 0.02");
    let catalog = catalog().unwrap();
    let labelled: Vec<_> = collected
        .events
        .iter()
        .filter(|e| e.anomaly.is_some())
        .collect();
    assert_eq!(labelled.len() as u64, counts.anomalies);
    let rate = counts.anomalies as f64 / (counts.unique - counts.anomalies) as f64;
    assert!((0.017..=0.023).contains(&rate), "{rate}");

    let used: BTreeSet<_> = collected
        .events
        .iter()
        .filter(|e| e.anomaly.is_none())
        .map(|e| (e.home, catalog.device_of(e.moment.action)))
        .collect();
    let mut seen = BTreeSet::new();
    for event in labelled {
        let Some(kind) = event.anomaly else { continue };
        seen.insert(kind);
        let action = event.moment.action;
        match kind {
            Anomaly::ForeignDevice => {
                assert!(!used.contains(&(event.home, catalog.device_of(action))));
            }
            Anomaly::OutOfSeason => {
                let spot = collected.shifts.iter().find(|s| s.home == event.home);
                let warm = spot
                    .is_some_and(|s| s.kind == ShiftKind::Season && event.moment.time >= s.time);
                let heats = ["Heater", "ElectricBlanket", "Humidifier"];
                assert_eq!(device(&catalog, event, &heats), warm);
            }
            Anomaly::WrongHour | Anomaly::UnknownOrder | Anomaly::Repeat => {}
        }
    }
    assert_eq!(seen.len(), Anomaly::ALL.len(), "every kind occurs");
}

#[test]
fn disorder_moves_lines_and_nothing_else() {
    let calm = "--homes 12 --days 20 --seed 5";
    let (_, tidy, _) = collect(calm);
    let (_, wild, counts) = collect(&format!(
        "{calm} --late 0.03 --late-by 30h --duplicates 0.04 --reorder 0.1"
    ));
    let mut first: Vec<_> = wild.events.iter().filter(|e| !e.copy).copied().collect();
    let copies = wild.events.len() - first.len();
    assert_eq!(copies as u64, counts.duplicates);
    assert_eq!(counts.lines, counts.unique + counts.duplicates);
    let portion = |part: u64| part as f64 / counts.unique as f64;
    assert!((0.03..=0.05).contains(&portion(counts.duplicates)));
    assert!((0.02..=0.04).contains(&portion(counts.late)));
    assert!((0.08..=0.12).contains(&portion(counts.reordered)));

    // Some come after newer events of their home; some later than a day, as asked.
    let mut newest: BTreeMap<u32, Time> = BTreeMap::new();
    let (mut behind, mut beyond) = (0, 0);
    for event in &first {
        let newest = newest.entry(event.home).or_default();
        let lag = newest.0 - event.moment.time.0;
        behind += u64::from(lag > 0);
        beyond += u64::from(lag > 24 * Time::HOUR);
        *newest = event.moment.time.max(*newest);
    }
    assert!(behind > 0 && behind <= counts.late + counts.reordered);
    assert!(beyond > 0 && beyond < counts.late);

    first.sort_by_key(|e| (e.moment.time, e.home));
    let mut tidy = tidy.events;
    tidy.sort_by_key(|e| (e.moment.time, e.home));
    assert_eq!(first, tidy);
}

#[test]
fn the_files_say_what_the_simulation_did() {
    let dir = tempfile::tempdir().unwrap();
    let options = "--homes 9 --days 14 --duplicates 0.05 --late 0.02 --ids";
    run(&args(options, dir.path())).unwrap();
    let lines = |name: &str| -> Vec<serde_json::Value> {
        let text = std::fs::read_to_string(dir.path().join(name)).unwrap();
        text.lines()
            .map(|l| serde_json::from_str(l).unwrap())
            .collect()
    };
    let text = std::fs::read_to_string(dir.path().join("catalog.json")).unwrap();
    let catalog: Catalog = serde_json::from_str(&text).unwrap();
    let key = |v: &serde_json::Value| {
        ["home", "time", "device", "action"].map(|k| v[k].as_str().unwrap().to_owned())
    };
    let events = lines("events.jsonl");
    let mut ids = BTreeMap::new();
    for event in &events {
        let [_, time, device, action] = key(event);
        assert!(catalog.lookup(&device, &action).is_some());
        hearth::time::parse(&time, &jiff::tz::TimeZone::UTC).unwrap();
        let id = event["id"].as_str().unwrap().to_owned();
        assert_eq!(ids.entry(id).or_insert_with(|| key(event)), &key(event));
    }
    let present: BTreeSet<_> = ids.into_values().collect();

    let truth = lines("truth.jsonl");
    let of = |word: &str| -> Vec<_> { truth.iter().filter(|l| l["truth"] == word).collect() };
    let anomalies = of("anomaly");
    assert!(!anomalies.is_empty());
    assert!(anomalies.iter().all(|l| present.contains(&key(l))));
    let contexts = lines("contexts.jsonl");
    assert_eq!(contexts.len(), 9);
    for (context, shift) in contexts.iter().zip(of("shift")) {
        for k in ["home", "time", "kind", "from", "to"] {
            assert_eq!(context[k], shift[k]);
        }
    }
    let counts = truth.last().unwrap();
    assert_eq!(counts["truth"], "counts");
    assert_eq!(counts["lines"], events.len());
    assert_eq!(counts["unique"], present.len());
    assert_eq!(counts["duplicates"], events.len() - present.len());
    assert_eq!(counts["anomalies"], anomalies.len());
    assert_eq!(
        (&counts["homes"], &counts["shifts"]),
        (&9.into(), &9.into())
    );
}

#[test]
fn bad_options_are_refused_with_a_reason() {
    for options in [
        "--homes 0",
        "--days 0",
        "--late 1.5",
        "--shifts moon",
        "--late-by soon",
    ] {
        let words = ["simulate", "--out", "x"].into_iter();
        let words = words.chain(options.split_whitespace());
        let error = Line::try_parse_from(words).err().expect(options);
        assert_eq!(error.exit_code(), 2, "{options}");
    }
}

#[test]
fn a_folder_that_cannot_be_made_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("file");
    std::fs::write(&file, "").unwrap();
    let error = run(&args("--homes 1 --days 1", &file))
        .unwrap_err()
        .to_string();
    assert!(error.contains(&file.display().to_string()), "{error}");
}
