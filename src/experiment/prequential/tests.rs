//! A small output folder whose figures are known by hand.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::lines::Metrics;
use super::log::Key;
use super::*;
use crate::outputs::Stream;

/// A behaviour: its day, its minute and its action.
type At = (u32, u32, &'static str);

fn time((day, minute, _): At) -> String {
    format!("2024-01-{day:02}T08:{minute:02}:00Z")
}

fn behaviors(of: &[At]) -> String {
    let lines: Vec<String> = of
        .iter()
        .map(|&at| {
            let device = at.2.split_once(':').unwrap().0;
            format!(
                r#"{{"time":"{}","device":"{device}","action":"{}"}}"#,
                time(at),
                at.2
            )
        })
        .collect();
    lines.join(",")
}

fn segment(epoch: u64, diff: i64, home: &str, of: &[At]) -> String {
    format!(
        r#"{{"epoch":{epoch},"diff":{diff},"home":"{home}","start":"{}","end":"{}","behaviors":[{}]}}"#,
        time(of[0]),
        time(of[of.len() - 1]),
        behaviors(of)
    ) + "\n"
}

fn score(epoch: u64, home: &str, at: At, score: f32, predictions: &[(&str, f32)]) -> String {
    let mut list = String::new();
    for (action, probability) in predictions {
        let comma = if list.is_empty() { "" } else { "," };
        let _ = write!(
            list,
            r#"{comma}{{"action":"{action}","probability":{probability}}}"#
        );
    }
    format!(
        r#"{{"epoch":{epoch},"home":"{home}","time":"{}","action":"{}","score":{score},"threshold":0.5,"anomaly":{},"predictions":[{list}],"versions":{{"detector":0,"predictor":0}}}}"#,
        time(at),
        at.2,
        score >= 0.5
    ) + "\n"
}

/// Two homes. Of `a` days 8 to 10 count (scored from day 2 on), of `b` days 9 and 10 (scored from there).
fn written() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let (on, off, door) = ("L:on", "L:off", "D:open");
    let mut segments = String::new();
    let mut scores = String::new();
    for day in 1..=10 {
        let of = [(day, 0, on), (day, 1, off)];
        segments += &segment(u64::from(day), 1, "a", &of);
        segments += &segment(u64::from(day), 1, "b", &of);
        let lists: [&[(&str, f32)]; 2] = [&[(on, 0.75), (off, 0.25)], &[(on, 0.5), (off, 0.5)]];
        for (at, list) in of.iter().zip(lists) {
            let epoch = u64::from(day);
            if day > 1 {
                scores += &score(epoch, "a", *at, 0.125, list);
            }
            if day > 8 {
                scores += &score(epoch, "b", *at, 0.25, list);
            }
        }
    }
    // The last day of `a` is revised by a late event, which is planted; all of it is scored again.
    let of = [(10, 0, on), (10, 1, off), (10, 2, door)];
    segments += &segment(11, -1, "a", &of[..2]);
    segments += &segment(11, 1, "a", &of);
    scores += &score(11, "a", of[0], 0.625, &[(on, 1.0)]);
    scores += &score(11, "a", of[1], 0.125, &[(off, 1.0)]);
    scores += &score(11, "a", of[2], 0.75, &[]);
    for stream in Stream::ALL {
        fs::write(stream.path(dir.path()), "").unwrap();
    }
    fs::write(Stream::Segments.path(dir.path()), segments).unwrap();
    fs::write(Stream::Scores.path(dir.path()), scores).unwrap();
    let alarm = |epoch, diff: i64, name: &str, of: &[At]| {
        let at = time(of[0]);
        format!(
            r#"{{"epoch":{epoch},"diff":{diff},"alarm":{name},"home":"a","start":"{at}","end":"{at}","behaviors":[{}],"score":1.0,"severity":"high","reasons":[]}}"#,
            behaviors(of)
        ) + "\n"
    };
    // The first counts for nobody, the second is taken back and said anew, the third is false.
    let alarms = alarm(3, 1, "1", &[(3, 0, on)])
        + &alarm(11, 1, "2", &of[1..2])
        + &alarm(12, -1, "2", &of[1..2])
        + &alarm(12, 1, "2", &of[1..])
        + &alarm(12, 1, "\"3\"", &[(9, 0, on)]);
    fs::write(dir.path().join("alarms.jsonl"), alarms).unwrap();
    dir
}

fn material(planted: bool) -> Material {
    let dir = written();
    let log = Log::read(dir.path()).unwrap();
    let replays = vec![Replayed {
        name: HEARTH,
        scores: scores::read(dir.path(), &log).unwrap(),
        alarms: scores::alarms(dir.path(), &log).unwrap(),
    }];
    let door = log
        .key("a", jiff_micros("2024-01-10T08:02:00Z"), "D:open")
        .unwrap();
    let contexts = dir.path().join("contexts.jsonl");
    let shift = r#"{"home":"a","time":"2024-01-09T00:00:00Z","kind":"season","from":"winter","to":"summer"}"#;
    fs::write(&contexts, shift).unwrap();
    let shifts = Shifts::declared(&contexts, None, &log).unwrap();
    let planted = planted.then(|| [door].into_iter().collect());
    Material::new(log, replays, shifts, planted)
}

fn jiff_micros(text: &str) -> i64 {
    crate::time::parse(text, &jiff::tz::TimeZone::UTC)
        .unwrap()
        .0
        .0
}

fn close(metrics: &Metrics, expected: &[(&str, f64)]) {
    for (name, value) in expected {
        let found = metrics.get(*name).copied().unwrap_or(f64::NAN);
        assert!((found - value).abs() < 1e-5, "{name}: {found}, not {value}");
    }
    assert_eq!(metrics.len(), expected.len(), "{metrics:?}");
}

/// Lines by method and slice.
fn lines_of(found: &[found::Found]) -> BTreeMap<(String, Slice), Line> {
    let lines = found.iter().map(|found| found.line("s", 1));
    lines
        .map(|line| ((line.method.clone(), line.slice.clone()), line))
        .collect()
}

fn silent(_: &str) {}

#[test]
fn segments_stand_in_the_order_in_which_they_were_known() {
    let dir = written();
    let log = Log::read(dir.path()).unwrap();
    assert_eq!((log.homes(), log.actions(), log.segments.len()), (2, 3, 20));
    let order: Vec<(u64, u32)> = log.segments.iter().map(|s| (s.epoch, s.home)).collect();
    assert_eq!(order[..3], [(1, 0), (1, 1), (2, 0)]);
    // The revised one is known since its revision.
    assert_eq!(log.segments[19].epoch, 11);
    assert_eq!(log.segments[19].behaviors.len(), 3);
    let taken_back = segment(5, -1, "c", &[(1, 0, "L:on")]);
    fs::write(Stream::Segments.path(dir.path()), taken_back).unwrap();
    assert!(Log::read(dir.path()).is_err());
}

#[test]
fn the_same_behaviours_count_for_all() {
    let material = material(true);
    let counted: Vec<Key> = material
        .log
        .keys()
        .filter(|key| material.counts(key))
        .collect();
    // a: 8, 9, 10 with the door; b: 9, 10.
    assert_eq!(counted.len(), 2 + 2 + 3 + 4);
    assert_eq!(
        material.span(1),
        Some((
            jiff_micros("2024-01-09T08:00:00Z"),
            jiff_micros("2024-01-10T08:01:00Z"),
        ))
    );
    let found = prediction::measure(&material, &material.draws(1), &Stop::default(), &silent);
    let lines = lines_of(&found.unwrap());
    let whole: Vec<&Line> = lines
        .values()
        .filter(|l| l.slice == Slice::default())
        .collect();
    assert_eq!(whole.len(), 11);
    // The door was planted: nobody has to foretell it.
    assert!(
        whole
            .iter()
            .all(|line| (line.homes, line.behaviors) == (2, 10))
    );
    assert!(whole.iter().all(|line| line.draws["hr@1"].len() == 400));
}

#[test]
fn hearths_predictions_by_hand() {
    let material = material(true);
    let found = prediction::measure(&material, &material.draws(1), &Stop::default(), &silent);
    let lines = lines_of(&found.unwrap());
    let of = |slice: Slice| &lines[&(HEARTH.to_owned(), slice)].metrics;
    // `on` is first with .75 (four times) or 1; `off` second with .5 (four times) or first with 1.
    let second = 1.0 / 3f64.log2();
    let loss = 4.0 * (-(0.75f64.ln()) - 0.5f64.ln()) / 10.0;
    close(
        of(Slice::default()),
        &[
            ("hr@1", 0.6),
            ("hr@5", 1.0),
            ("ndcg@5", (6.0 + 4.0 * second) / 10.0),
            ("log_loss@5", loss),
        ],
    );
    let season = |days| Slice {
        kind: Some("season".to_owned()),
        days: Some(days),
        month_after: false,
    };
    // Day 8 before it, day 9 on its first day, day 10 after one day; `b` has no shift.
    assert_eq!(of(season(Days::Before))["hr@1"], 0.5);
    assert_eq!(of(season(Days::First))["hr@1"], 0.5);
    assert_eq!(of(season(Days::Soon))["hr@1"], 1.0);
    assert_eq!(of(season(Days::FirstWeek))["hr@1"], 0.75);
    assert!(!lines.contains_key(&(HEARTH.to_owned(), season(Days::Week))));
}

#[test]
fn hearths_calls_by_hand() {
    let material = material(true);
    let stop = Stop::default();
    let found = detection::measure(&material, &material.draws(1), (1, &stop), &silent);
    let lines = lines_of(&found.unwrap());
    assert_eq!(lines.len(), 5 * 2);
    let whole = &lines[&(HEARTH.to_owned(), Slice::default())];
    let days = 2.0 + 2.0 / 1440.0 + 1.0 + 1.0 / 1440.0;
    let months = days / 30.0;
    // The door is the strangest of all. It and one other are above .5; it is in one of two alarms that count.
    close(
        &whole.metrics,
        &[
            ("auroc", 1.0),
            ("ap", 1.0),
            ("false_alarms@0.3", 0.0),
            ("false_alarms@0.5", 0.0),
            ("false_alarms@0.8", 0.0),
            ("calls", 2.0 / months),
            ("false_calls", 1.0 / months),
            ("recall", 1.0),
            ("alarms", 2.0 / months),
            ("false_alarms", 1.0 / months),
            ("alarm_recall", 1.0),
        ],
    );
    let after = Slice {
        month_after: true,
        ..Slice::default()
    };
    let after = &lines[&(HEARTH.to_owned(), after)];
    // From midnight of day 9 on, of `a` alone.
    let months = (1.0 + 8.0 / 24.0 + 2.0 / 1440.0) / 30.0;
    assert_eq!((after.homes, after.behaviors), (1, 5));
    assert!((after.metrics["calls"] - 2.0 / months).abs() < 1e-4);
}

#[test]
fn without_a_truth_calls_alone_are_told() {
    let material = material(false);
    let stop = Stop::default();
    let found = detection::measure(&material, &material.draws(1), (1, &stop), &silent);
    let lines = lines_of(&found.unwrap());
    assert_eq!(lines.len(), 2);
    let metrics = &lines[&(HEARTH.to_owned(), Slice::default())].metrics;
    assert_eq!(metrics.keys().collect::<Vec<_>>(), ["alarms", "calls"]);
}
