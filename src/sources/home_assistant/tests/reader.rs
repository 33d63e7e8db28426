//! What counts of what is told, however often it is told.

use hearth_operators::words::Time;
use proptest::prelude::*;

use super::super::frames::Report;
use super::super::reader::{Fate, Reader, folded};
use super::shown;

/// When all of it was.
const NOW: Time = Time(1_800_000_000 * Time::SECOND);

fn at(seconds: i64) -> Time {
    Time((1_780_000_000 + seconds) * Time::SECOND)
}

fn report(entity: &str, state: &str, seconds: i64) -> Report {
    Report {
        entity: entity.to_owned(),
        state: Some(state.to_owned()),
        changed: at(seconds),
        updated: at(seconds),
        class: None,
    }
}

fn reader(contexts: &str) -> Reader {
    let contexts = contexts.parse().unwrap_or_default();
    Reader::new("home".into(), contexts)
}

fn told(reader: &mut Reader) -> Vec<String> {
    let (lines, _) = reader.flush().unwrap_or_default();
    lines.iter().map(|line| shown(line)).collect()
}

#[test]
fn only_changes_of_the_household_are_behaviours() {
    let mut reader = reader("");
    reader.set_aside("switch.led");
    for (n, (entity, state)) in [
        ("light.hall", "off"),
        ("light.hall", "on"),
        ("sensor.power", "on"),
        ("switch.led", "off"),
        ("switch.led", "on"),
        ("climate.hall", "21.5"),
        ("binary_sensor.phone", "off"),
        ("light.hall", "unavailable"),
    ]
    .into_iter()
    .enumerate()
    {
        reader.take(&report(entity, state, n as i64), NOW);
    }
    let battery = Report {
        class: Some("battery".to_owned()),
        ..report("binary_sensor.phone", "on", 20)
    };
    assert_eq!(reader.take(&battery, NOW), Fate::Unchanged);
    assert_eq!(told(&mut reader), ["light.hall on"]);
    let ahead = report("light.hall", "off", 30);
    let fate = reader.take(&ahead, at(-1_000));
    assert!(matches!(fate, Fate::Refused(_)), "{fate:?}");
}

#[test]
fn contexts_are_declared_and_no_behaviours() {
    let contexts = "input_select.season=season input_number.people=occupancy input_text.life=text";
    let mut reader = reader(contexts);
    let say = |reader: &mut Reader, entity: &str, state: &str, n: i64| {
        reader.take(&report(entity, state, n), NOW)
    };
    for (n, (entity, state)) in [
        ("input_select.season", "Winter"),
        ("input_number.people", "1.0"),
        ("input_text.life", "alone"),
        ("input_select.season", "unavailable"),
        ("input_number.people", "3"),
        ("input_text.life", "a baby"),
    ]
    .into_iter()
    .enumerate()
    {
        say(&mut reader, entity, state, n as i64);
    }
    assert_eq!(
        told(&mut reader),
        ["\"occupancy\" single multiple", "\"text\" alone a baby"]
    );
    // It comes back as what it was; then it is what it is no more.
    say(&mut reader, "input_select.season", "winter", 10);
    say(&mut reader, "input_select.season", "spring", 100);
    assert_eq!(told(&mut reader), ["\"season\" winter spring"]);
    let fate = say(&mut reader, "input_select.season", "party", 200);
    assert!(matches!(fate, Fate::Refused(why) if why.contains("no season")));
}

#[test]
fn a_home_is_away_or_has_guests_by_all_that_its_entities_say() {
    let contexts = "zone.home=away person.anna=away input_boolean.guests=guests";
    let mut reader = reader(contexts);
    for (n, (entity, state)) in [
        ("zone.home", "2"),
        ("person.anna", "not_home"),
        ("input_boolean.guests", "off"),
        ("input_boolean.guests", "on"),
        ("person.anna", "home"),
        ("zone.home", "0"),
        ("input_boolean.guests", "off"),
        ("zone.home", "unavailable"),
        ("zone.home", "1"),
    ]
    .into_iter()
    .enumerate()
    {
        reader.take(&report(entity, state, 100 * n as i64), NOW);
    }
    reader.settle(NOW);
    let (lines, _) = reader.flush().unwrap();
    let modes = lines.iter().map(|line| {
        let line: serde_json::Value = serde_json::from_str(line).unwrap();
        line["mode"].as_str().unwrap().to_owned()
    });
    assert_eq!(
        modes.collect::<Vec<_>>(),
        ["away", "guests", "away", "home"]
    );
}

#[test]
fn a_context_that_was_known_before_a_restart_still_is() {
    let contexts = "input_select.season=season";
    let mut first = reader(contexts);
    first.take(&report("input_select.season", "winter", 0), NOW);
    let (_, mark) = first.flush().unwrap();
    let mut second = reader(contexts);
    folded(&[mark]).iter().for_each(|mark| second.recall(mark));
    second.take(&report("input_select.season", "spring", 9), NOW);
    assert_eq!(told(&mut second), ["\"season\" winter spring"]);
}

#[test]
fn what_stayed_long_enough_is_told_before_what_is_known_is_kept() {
    let mut reader = reader("");
    for (state, n) in [
        ("off", 0),
        ("unavailable", 100),
        ("on", 110),
        ("unavailable", 200),
    ] {
        reader.take(&report("light.a", state, n), NOW);
    }
    assert_eq!(told(&mut reader), ["light.a on"]);
}

/// What may happen in the house, and to whoever listens.
#[derive(Clone, Debug)]
enum Happens {
    Says(usize, &'static str),
    /// Home Assistant begins anew; one sensor says something else for a while.
    Restarts(usize),
    /// The connection breaks, and stands again after so much has happened.
    Cut(usize),
    /// Hearth is killed, and what was not put is lost.
    Killed,
    Put,
}

const ENTITIES: [&str; 3] = ["light.a", "light.b", "binary_sensor.c"];

fn happens() -> impl Strategy<Value = Happens> {
    let state = prop_oneof![3 => Just("on"), 3 => Just("off"), 1 => Just("unavailable")];
    prop_oneof![
        8 => (0..3_usize, state).prop_map(|(entity, state)| Happens::Says(entity, state)),
        1 => (0..3_usize).prop_map(Happens::Restarts),
        2 => (0..4_usize).prop_map(Happens::Cut),
        1 => Just(Happens::Killed),
        2 => Just(Happens::Put),
    ]
}

/// All that is said, with when Home Assistant began anew.
#[derive(Default)]
struct House {
    said: Vec<Report>,
    began: Vec<i64>,
    second: i64,
}

impl House {
    fn say(&mut self, entity: usize, state: &str, after: i64) {
        self.second += after;
        self.said.push(report(ENTITIES[entity], state, self.second));
    }

    /// The states of now, as they are told in full; something that never changes is among them.
    fn states(&self, until: usize) -> Vec<Report> {
        let last = |entity: &&str| {
            let mut said = self.said[..until].iter().rev();
            said.find(|report| report.entity == **entity).cloned()
        };
        let mut states: Vec<Report> = ENTITIES.iter().filter_map(last).collect();
        let began = self.began.iter().rev();
        let now = self.said[..until]
            .last()
            .map_or(at(0), |report| report.changed);
        let began = began.map(|b| at(*b)).find(|began| *began <= now);
        states.extend(began.map(|began| Report {
            changed: began,
            updated: began,
            ..report("sun.sun", "up", 0)
        }));
        states
    }
}

/// Whoever listens.
struct Listener {
    reader: Reader,
    lines: Vec<String>,
    marks: Vec<String>,
    /// Until which report it has listened.
    until: usize,
}

impl Listener {
    fn new() -> Self {
        Listener {
            reader: reader(""),
            lines: Vec::new(),
            marks: Vec::new(),
            until: 0,
        }
    }

    fn put(&mut self) {
        if let Some((lines, mark)) = self.reader.flush() {
            self.lines.extend(lines);
            self.marks.push(mark);
        }
    }

    fn kill(&mut self) {
        self.reader = reader("");
        // As where the inbox went on in another piece meanwhile.
        self.marks = folded(&self.marks);
        self.marks.iter().for_each(|mark| self.reader.recall(mark));
    }

    /// Connects, as `backfill` does, and hears all that was said until now.
    fn connect(&mut self, house: &House) {
        let until = house.said.len();
        let states = house.states(until);
        if let Some(began) = states.iter().map(|state| state.changed).min() {
            self.reader.began(began);
        }
        let since = self
            .reader
            .until()
            .map_or(at(-1), |u| Time(u.0 - 60 * Time::SECOND));
        let written = house.said[..until].iter().filter(|r| r.updated > since);
        let mut reports: Vec<Report> = written.cloned().collect();
        reports.sort_by_key(|report| report.updated);
        for report in reports.iter().chain(&states) {
            self.reader.take(report, NOW);
        }
        self.put();
        self.until = until;
    }

    fn live(&mut self, house: &House) {
        for report in &house.said[self.until..] {
            self.reader.take(report, NOW);
            self.reader.settle(report.updated);
        }
        self.until = house.said.len();
    }

    fn end(mut self) -> Vec<String> {
        for _ in 0..9 {
            self.reader.settle(NOW);
        }
        self.put();
        self.lines.sort();
        self.lines
    }
}

/// Lines of somebody who hears everything as it happens, and nothing twice; and of somebody who is cut off and killed.
fn both(all: &[Happens], gaps: &[i64]) -> (Vec<String>, Vec<String>) {
    let mut house = House::default();
    let (mut calm, mut tried) = (Listener::new(), Listener::new());
    let (mut deaf, mut gaps) = (0, gaps.iter().copied().cycle());
    let mut gap = || gaps.next().unwrap_or(1);
    for entity in 0..3 {
        house.say(entity, "off", 1);
    }
    house.began.push(-10_000);
    for listener in [&mut calm, &mut tried] {
        listener.connect(&house);
    }
    for happens in all {
        match happens {
            Happens::Says(entity, state) => house.say(*entity, state, gap()),
            Happens::Restarts(entity) => {
                house.second += gap();
                house.began.push(house.second);
                let before = house.states(house.said.len());
                calm.reader.began(at(house.second));
                for (n, state) in before.iter().enumerate().filter(|(n, _)| *n < 3) {
                    let was = state.state.clone().unwrap_or_default();
                    if n == *entity {
                        house.say(n, if was == "on" { "off" } else { "on" }, 1);
                    }
                    house.say(n, &was, 1);
                }
                // Of several beginnings that nobody hears of only the last is known.
                deaf = 1;
            }
            Happens::Cut(much) => deaf = deaf.max(*much),
            Happens::Killed => {
                tried.kill();
                deaf = deaf.max(1);
            }
            Happens::Put => tried.put(),
        }
        calm.live(&house);
        match deaf {
            0 => tried.live(&house),
            1 => tried.connect(&house),
            _ => {}
        }
        deaf = deaf.saturating_sub(1);
    }
    tried.connect(&house);
    (calm.end(), tried.end())
}

proptest! {
    /// However often the connection breaks, Hearth is killed and Home Assistant begins anew: what counts is what an undisturbed
    /// listener hears, once each.
    #[test]
    fn what_counts_is_what_an_undisturbed_listener_hears(
        all in prop::collection::vec(happens(), 1..60),
        gaps in prop::collection::vec(prop_oneof![1_i64..20, 1_i64..200], 1..20),
    ) {
        let (calm, tried) = both(&all, &gaps);
        prop_assert_eq!(calm, tried);
    }
}

#[test]
fn nothing_is_invented_by_restarts() {
    let (calm, tried) = both(&[Happens::Restarts(0), Happens::Restarts(2)], &[500]);
    assert_eq!((calm.len(), tried.len()), (0, 0));
    let on = [
        Happens::Says(0, "on"),
        Happens::Restarts(1),
        Happens::Says(0, "off"),
    ];
    let (calm, tried) = both(&on, &[500]);
    assert_eq!((calm.len(), tried), (2, calm));
}
