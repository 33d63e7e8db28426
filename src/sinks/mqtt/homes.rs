//! What is told of each home: from the lines of outputs to messages.
//!
//! What a person was told is remembered by alarm and content. So a line that comes again after a restart tells nobody anything, and
//! one that nobody was told because the run was killed is told then.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use hearth_operators::words::Time;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::courier::Parcel;
use super::discovery::configs;
use super::topics::{Topics, level};
use crate::outputs::{AlarmLine, ErasureLine, FeedbackLine, Stamp, Stream};

/// An alarm that ended longer ago is no news: it is told to programs, and not to people.
const NEWS: i64 = 3 * Time::DAY;

/// For how long after its end an alarm shows, unless somebody answers it.
const SHOWS: i64 = Time::DAY;

/// Scored behaviours by which it is said how much is foreseen, and the fewest.
const FORESEEN: (usize, usize) = (100, 20);

/// How often that is said, at most.
const SAID: i64 = 60 * Time::SECOND;

/// What the broker keeps of a home.
const KEPT: [&str; 6] = [
    "alarm/attributes",
    "alarm/state",
    "drift",
    "adaptation",
    "learning",
    "next",
];

/// Reasons that are shown.
const REASONS: usize = 5;

/// What is remembered of what was told.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Memory {
    /// A home's entities are declared.
    Home(String),
    /// They are gone.
    Gone(String),
    /// An alarm of a home, with this content; none: that it is withdrawn.
    Told(String, i64, Option<u32>),
}

/// Fewer marks that say what these do.
pub(crate) fn folded(marks: &[String]) -> Vec<String> {
    let mut homes = BTreeMap::<String, (bool, BTreeMap<i64, Option<u32>>)>::new();
    for mark in marks {
        match serde_json::from_str(mark) {
            Ok(Memory::Home(home)) => homes.entry(home).or_default().0 = true,
            Ok(Memory::Gone(home)) => drop(homes.remove(&home)),
            Ok(Memory::Told(home, alarm, content)) => {
                homes.entry(home).or_default().1.insert(alarm, content);
            }
            // A mark of another version.
            Err(_) => {}
        }
    }
    let memories = homes.into_iter().flat_map(|(home, (declared, told))| {
        let declared = declared.then(|| Memory::Home(home.clone()));
        let told = told.into_iter();
        let told = told.map(move |(alarm, content)| Memory::Told(home.clone(), alarm, content));
        declared.into_iter().chain(told)
    });
    memories
        .filter_map(|memory| serde_json::to_string(&memory).ok())
        .collect()
}

/// The homes that are told of.
pub(super) struct Homes {
    topics: Topics,
    homes: BTreeMap<String, Home>,
    /// Homes of which everything was erased, with the epoch of that: lines until then are of no home.
    erased: BTreeMap<String, u64>,
    /// Of which something may have to be told.
    touched: BTreeSet<String>,
    parcels: Vec<Parcel>,
}

#[derive(Default)]
struct Home {
    declared: bool,
    /// The alarms that stand, by when they begin.
    standing: BTreeMap<i64, Standing>,
    /// What was told of which alarm: its content, or that it is withdrawn.
    told: BTreeMap<i64, Option<u32>>,
    /// Alarms of which a line was taken back.
    taken_back: BTreeSet<i64>,
    /// Alarms that somebody said were fine.
    answered: BTreeSet<i64>,
    /// What its last messages said that the broker keeps, by what they are about.
    kept: BTreeMap<&'static str, String>,
    /// Whether each of the last scored behaviours was foreseen.
    foreseen: VecDeque<bool>,
    said: Option<i64>,
}

struct Standing {
    /// The line without what tells when it came.
    line: Value,
    alarm: Stamp,
    end: i64,
    content: u32,
}

impl Homes {
    /// Nobody was told anything.
    pub fn new(topics: Topics) -> Self {
        Homes {
            topics,
            homes: BTreeMap::new(),
            erased: BTreeMap::new(),
            touched: BTreeSet::new(),
            parcels: Vec::new(),
        }
    }

    /// Remembers what was told before.
    pub fn recall(&mut self, mark: &str) {
        match serde_json::from_str(mark) {
            Ok(Memory::Home(home)) => self.home(&home).declared = true,
            Ok(Memory::Gone(home)) => drop(self.homes.remove(&home)),
            Ok(Memory::Told(home, alarm, content)) => {
                self.home(&home).told.insert(alarm, content);
            }
            // A mark of another version.
            Err(_) => {}
        }
    }

    /// Takes a line of a stream; what it tells is told by [`Homes::settle`]. A line that cannot be read tells nothing.
    pub fn take(&mut self, stream: Stream, line: &str, now: Time) {
        match stream {
            Stream::Alarms => self.alarm(line),
            Stream::Feedback => self.feedback(line),
            Stream::Erasures => self.erasure(line),
            Stream::Scores => self.score(line, now),
            Stream::Drifts => self.keep_line("drift", line),
            Stream::Adaptations => self.keep_line("adaptation", line),
            _ => {}
        }
    }

    /// Forgets which alarms stand: they are read anew.
    pub fn forget_standing(&mut self) {
        for home in self.homes.values_mut() {
            home.standing.clear();
        }
    }

    /// What is to be told now. `all`: also of alarms that stand no more, of whatever home; it is known which stand.
    pub fn settle(&mut self, now: Time, all: bool) -> Vec<Parcel> {
        if all {
            self.touched.extend(self.homes.keys().cloned());
        }
        for home in std::mem::take(&mut self.touched) {
            self.declare(&home);
            self.tell(&home, now, all);
            self.show(&home, now);
        }
        std::mem::take(&mut self.parcels)
    }

    /// Everything that a broker, or Home Assistant, keeps: told again because it may have been lost there.
    pub fn again(&mut self) -> Vec<Parcel> {
        let topics = self.topics.clone();
        let known = self.homes.iter().filter(|(_, home)| home.declared);
        let known = known.flat_map(|(name, home)| {
            let configs = configs(&topics, name).into_iter();
            let kept = home.kept.iter();
            let kept = kept.map(|(what, payload)| (topics.of(name, what), payload.clone()));
            configs.chain(kept).collect::<Vec<_>>()
        });
        known
            .map(|(topic, payload)| retained(topic, payload))
            .collect()
    }

    /// The feedback that an answer of somebody is.
    pub fn answer(&self, topic: &str, payload: &str) -> Option<String> {
        let of = self.topics.answered(topic)?;
        let (name, home) = self.homes.iter().find(|(name, _)| level(name) == of)?;
        let alarm = match payload.trim() {
            "newest" | "PRESS" => home.standing.values().next_back()?.alarm,
            named => {
                let named = serde_json::from_value(named.into()).ok();
                let named: Stamp = named?;
                home.standing.get(&named.time.0)?.alarm
            }
        };
        Some(json!({"home": name, "alarm": alarm, "fine": true}).to_string())
    }

    fn home(&mut self, name: &str) -> &mut Home {
        if !self.homes.contains_key(name) {
            self.homes.insert(name.to_owned(), Home::default());
        }
        self.homes.entry(name.to_owned()).or_default()
    }

    fn is_erased(&self, home: &str, epoch: u64) -> bool {
        self.erased.get(home).is_some_and(|erased| epoch <= *erased)
    }

    fn touch(&mut self, name: &str) -> &mut Home {
        self.touched.insert(name.to_owned());
        self.home(name)
    }

    fn alarm(&mut self, text: &str) {
        let (Ok(line), Ok(mut value)) = (
            serde_json::from_str::<AlarmLine<'_>>(text),
            serde_json::from_str::<Value>(text),
        ) else {
            return;
        };
        for key in ["epoch", "diff"] {
            value.as_object_mut().map(|fields| fields.shift_remove(key));
        }
        let content = crc32fast::hash(value.to_string().as_bytes());
        let id = line.alarm.time.0;
        // What was erased is taken back: that declares no home.
        let unknown = !self.homes.contains_key(&*line.home);
        if self.is_erased(&line.home, line.epoch) || (line.diff < 0 && unknown) {
            return;
        }
        let home = self.touch(&line.home);
        if line.diff > 0 {
            home.standing.insert(
                id,
                Standing {
                    line: value,
                    alarm: line.alarm,
                    end: line.end.time.0,
                    content,
                },
            );
        } else if home.standing.get(&id).is_some_and(|s| s.content == content) {
            home.standing.remove(&id);
            home.taken_back.insert(id);
        }
    }

    fn feedback(&mut self, text: &str) {
        if let Ok(line) = serde_json::from_str::<FeedbackLine<'_>>(text)
            && line.applied
            && !self.is_erased(&line.home, line.epoch)
            && self.homes.contains_key(&*line.home)
        {
            let alarm = line.alarm.time.0;
            self.touch(&line.home).answered.insert(alarm);
        }
    }

    /// A home of which everything is erased leaves nothing behind.
    fn erasure(&mut self, text: &str) {
        let Ok(line) = serde_json::from_str::<ErasureLine<'_>>(text) else {
            return;
        };
        if line.from.is_some() || line.to.is_some() || line.device.is_some() {
            return;
        }
        self.erased
            .insert(line.home.clone().into_owned(), line.epoch);
        if self.homes.remove(&*line.home).is_none() {
            return;
        }
        self.touched.remove(&*line.home);
        let configs = configs(&self.topics, &line.home).into_iter();
        let kept = KEPT.iter().map(|what| self.topics.of(&line.home, what));
        let gone = kept.chain(configs.map(|(topic, _)| topic));
        let gone: Vec<Parcel> = gone.map(|topic| retained(topic, String::new())).collect();
        self.parcels.extend(gone);
        self.remember(&Memory::Gone(line.home.into_owned()));
    }

    fn score(&mut self, text: &str, now: Time) {
        let Ok(line) = serde_json::from_str::<Value>(text) else {
            return;
        };
        let Some(name) = line["home"].as_str() else {
            return;
        };
        if self.is_erased(name, line["epoch"].as_u64().unwrap_or(0)) {
            return;
        }
        let first = line["predictions"][0]["action"].as_str();
        let foreseen = first.map(|first| Some(first) == line["action"].as_str());
        let open = line["open"].as_bool() == Some(true);
        let home = self.home(name);
        // What is open is scored again.
        if let Some(foreseen) = foreseen.filter(|_| !open) {
            if home.foreseen.len() >= FORESEEN.0 {
                home.foreseen.pop_front();
            }
            home.foreseen.push_back(foreseen);
        }
        let of = home.foreseen.len();
        let due = home.said.is_none_or(|said| now.0 - said >= SAID);
        if due && of >= FORESEEN.1 {
            home.said = Some(now.0);
            let hits = home.foreseen.iter().filter(|foreseen| **foreseen).count();
            let payload = json!({"foreseen": 100 * hits / of, "of": of, "last": line["time"]});
            home.kept.insert("learning", payload.to_string());
            self.parcels.push(retained(
                self.topics.of(name, "learning"),
                payload.to_string(),
            ));
        }
        if let Some(next) = next(&line) {
            self.keep(name, "next", next.to_string());
        }
        self.declare(name);
    }

    fn keep_line(&mut self, what: &'static str, text: &str) {
        let Ok(mut line) = serde_json::from_str::<Value>(text) else {
            return;
        };
        let fields = line.as_object_mut();
        let epoch = fields.and_then(|fields| fields.shift_remove("epoch"));
        let epoch = epoch.and_then(|epoch| epoch.as_u64()).unwrap_or(0);
        let Some(name) = line["home"].as_str().map(str::to_owned) else {
            return;
        };
        if self.is_erased(&name, epoch) {
            return;
        }
        self.keep(&name, what, line.to_string());
        self.declare(&name);
    }

    /// Tells what the broker is to keep of a home, unless it was told last.
    fn keep(&mut self, name: &str, what: &'static str, payload: String) {
        let home = self.home(name);
        if home.kept.get(what) == Some(&payload) {
            return;
        }
        home.kept.insert(what, payload.clone());
        self.parcels
            .push(retained(self.topics.of(name, what), payload));
    }

    fn declare(&mut self, name: &str) {
        let Some(home) = self.homes.get_mut(name) else {
            return;
        };
        if std::mem::replace(&mut home.declared, true) {
            return;
        }
        let configs = configs(&self.topics, name);
        let any = !configs.is_empty();
        let configs = configs.into_iter();
        let configs = configs.map(|(topic, payload)| retained(topic, payload));
        self.parcels.extend(configs);
        if any {
            self.remember(&Memory::Home(name.to_owned()));
        }
    }

    /// Tells of alarms what was not told.
    fn tell(&mut self, name: &str, now: Time, all: bool) {
        let Some(home) = self.homes.get_mut(name) else {
            return;
        };
        let mut news: Vec<(i64, Option<u32>, Value, bool)> = Vec::new();
        for (id, standing) in &home.standing {
            let told = home.told.get(id).copied().flatten();
            if told != Some(standing.content) {
                let first = told.is_none() && now.0 - standing.end < NEWS;
                news.push((*id, Some(standing.content), standing.line.clone(), first));
            }
        }
        let taken_back = std::mem::take(&mut home.taken_back);
        for (id, told) in &home.told {
            let gone = told.is_some() && !home.standing.contains_key(id);
            if gone && (all || taken_back.contains(id)) {
                let utc = Stamp {
                    time: Time(*id),
                    offset: 0,
                };
                news.push((*id, None, json!({"home": name, "alarm": utc}), true));
            }
        }
        for (id, content, mut line, event) in news {
            self.home(name).told.insert(id, content);
            let what = match content {
                Some(_) => "alarm",
                None => "withdrawn",
            };
            line["event"] = what.into();
            self.parcels
                .push(passing(self.topics.of(name, "alarm"), line.to_string()));
            if event {
                let mut told = attributes(&line);
                told["event_type"] = what.into();
                self.parcels.push(passing(
                    self.topics.of(name, "alarm/event"),
                    told.to_string(),
                ));
            }
            self.remember(&Memory::Told(name.to_owned(), id, content));
        }
    }

    /// Shows the newest alarm that nobody answered, for a while.
    fn show(&mut self, name: &str, now: Time) {
        let Some(home) = self.homes.get(name) else {
            return;
        };
        let mut open = home.standing.iter().rev();
        let open = open.find(|(id, s)| !home.answered.contains(id) && now.0 - s.end < SHOWS);
        let newest = open.or(home.standing.iter().next_back());
        let state = if open.is_some() { "ON" } else { "OFF" };
        let shown = newest.map_or_else(|| json!({}), |(_, standing)| attributes(&standing.line));
        self.keep(name, "alarm/attributes", shown.to_string());
        self.keep(name, "alarm/state", state.to_owned());
    }

    /// Remembers something once the broker has the last message.
    fn remember(&mut self, memory: &Memory) {
        if let Some(last) = self.parcels.last_mut() {
            last.receipts.extend(serde_json::to_string(memory).ok());
        }
    }
}

/// What is most probable after the behavior of a score's line, if it says so.
fn next(line: &Value) -> Option<Value> {
    let (first, others) = line["next"].as_array()?.split_first()?;
    Some(json!({
        "action": first["action"],
        "probability": first["probability"],
        "others": others,
        "after": line["action"],
        "since": line["time"],
    }))
}

/// What people see of an alarm.
fn attributes(line: &Value) -> Value {
    let reasons = line["reasons"].as_array();
    let why = reasons.into_iter().flatten().take(REASONS);
    let why: Vec<&Value> = why.map(|reason| &reason["why"]).collect();
    json!({
        "alarm": line["alarm"],
        "start": line["start"],
        "end": line["end"],
        "severity": line["severity"],
        "once_in_days": line["once_in_days"],
        "summary": why.first(),
        "reasons": why,
        "behaviors": line["behaviors"],
    })
}

fn retained(topic: String, payload: String) -> Parcel {
    Parcel {
        topic,
        payload,
        retained: true,
        receipts: Vec::new(),
    }
}

fn passing(topic: String, payload: String) -> Parcel {
    Parcel {
        retained: false,
        ..retained(topic, payload)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Time = Time(1_780_000_000 * Time::SECOND);

    fn homes() -> Homes {
        Homes::new(Topics::new("hearth", Some("homeassistant")))
    }

    fn alarm(diff: i64, minutes_ago: i64, severity: u8) -> String {
        let stamp = |ago: i64| Stamp {
            time: Time(NOW.0 - ago * 60 * Time::SECOND),
            offset: 60,
        };
        json!({
            "epoch": 7, "diff": diff, "alarm": stamp(minutes_ago), "home": "h 1", "start": stamp(minutes_ago),
            "end": stamp(minutes_ago - 5), "behaviors": [], "score": 9.0, "threshold": 8.0, "once_in_days": 40.0,
            "severity": severity,
            "reasons": [{"behavior": "Door:open", "time": stamp(minutes_ago), "why": "never at night", "expected": null, "seen": 0, "times": 9}],
        })
        .to_string()
    }

    /// What is told, by topic, without what declares entities; and what is remembered by it.
    fn told(homes: &mut Homes, all: bool) -> (Vec<(String, String)>, Vec<String>) {
        let parcels = homes.settle(NOW, all);
        let receipts = parcels.iter().flat_map(|p| p.receipts.clone()).collect();
        let of = |topic: &str| topic.strip_prefix("hearth/h 1/").map(str::to_owned);
        let told = parcels.into_iter();
        let told = told.filter_map(|p| Some((of(&p.topic)?, p.payload)));
        (told.collect(), receipts)
    }

    fn events(told: &[(String, String)]) -> Vec<String> {
        let events = told.iter().filter(|(topic, _)| topic == "alarm/event");
        let event = |(_, payload): &(String, String)| {
            let event: Value = serde_json::from_str(payload).unwrap();
            event["event_type"].as_str().unwrap().to_owned()
        };
        events.map(event).collect()
    }

    fn state(told: &[(String, String)]) -> Option<&str> {
        let mut states = told.iter().filter(|(topic, _)| topic == "alarm/state");
        states.next_back().map(|(_, payload)| payload.as_str())
    }

    #[test]
    fn an_alarm_is_told_once_revised_quietly_and_withdrawn() {
        let mut homes = homes();
        homes.take(Stream::Alarms, &alarm(1, 30, 1), NOW);
        let (first, _) = told(&mut homes, false);
        assert_eq!(
            (events(&first), state(&first)),
            (vec!["alarm".into()], Some("ON"))
        );
        let shown = first.iter().find(|(topic, _)| topic == "alarm/attributes");
        assert!(shown.unwrap().1.contains("never at night"));
        homes.take(Stream::Alarms, &alarm(1, 30, 1), NOW);
        assert!(told(&mut homes, true).0.is_empty());
        // The new content may come before the old one is taken back.
        homes.take(Stream::Alarms, &alarm(1, 30, 2), NOW);
        homes.take(Stream::Alarms, &alarm(-1, 30, 1), NOW);
        let (revised, _) = told(&mut homes, false);
        assert_eq!((events(&revised), state(&revised)), (vec![], None));
        assert!(revised.iter().any(|(topic, _)| topic == "alarm"));
        homes.take(Stream::Alarms, &alarm(-1, 30, 2), NOW);
        let (gone, _) = told(&mut homes, false);
        assert_eq!(
            (events(&gone), state(&gone)),
            (vec!["withdrawn".into()], Some("OFF"))
        );
    }

    #[test]
    fn after_a_restart_nothing_is_told_twice_and_nothing_lost() {
        let mut first = homes();
        first.take(Stream::Alarms, &alarm(1, 30, 1), NOW);
        let (_, receipts) = told(&mut first, false);
        // A restart: the outputs may go back to before the alarm, and give it again.
        let mut second = homes();
        receipts.iter().for_each(|receipt| second.recall(receipt));
        assert_eq!(events(&told(&mut second, false).0), Vec::<String>::new());
        second.take(Stream::Alarms, &alarm(1, 30, 1), NOW);
        second.take(Stream::Alarms, &alarm(1, 20, 1), NOW);
        assert_eq!(events(&told(&mut second, false).0), ["alarm"]);
        // One that was withdrawn while nobody was there to tell it.
        let mut third = homes();
        folded(&receipts).iter().for_each(|r| third.recall(r));
        assert_eq!(events(&told(&mut third, true).0), ["withdrawn"]);
        // Without the broker's receipt it is told again.
        let mut fourth = homes();
        fourth.take(Stream::Alarms, &alarm(1, 30, 1), NOW);
        assert_eq!(events(&told(&mut fourth, true).0), ["alarm"]);
    }

    #[test]
    fn what_is_long_ago_or_answered_does_not_show() {
        let mut homes = homes();
        homes.take(Stream::Alarms, &alarm(1, 10 * 24 * 60, 1), NOW);
        let (old, _) = told(&mut homes, false);
        assert_eq!((events(&old), state(&old)), (vec![], Some("OFF")));
        homes.take(Stream::Alarms, &alarm(1, 30, 1), NOW);
        assert_eq!(state(&told(&mut homes, false).0), Some("ON"));
        let topic = homes.topics.of("h 1", "alarm/fine");
        let answer = homes.answer(&topic, "newest").unwrap();
        let answer: Value = serde_json::from_str(&answer).unwrap();
        assert_eq!(answer["home"], "h 1");
        assert_eq!(homes.answer("hearth/other/alarm/fine", "newest"), None);
        let feedback = json!({"epoch": 8, "home": "h 1", "alarm": answer["alarm"], "applied": true, "source": "x:1"});
        homes.take(Stream::Feedback, &feedback.to_string(), NOW);
        assert_eq!(state(&told(&mut homes, false).0), Some("OFF"));
    }

    #[test]
    fn a_home_that_is_erased_leaves_nothing_behind() {
        let mut homes = homes();
        homes.take(Stream::Alarms, &alarm(1, 30, 1), NOW);
        let mut kept = BTreeMap::new();
        let mut keep = |parcels: Vec<Parcel>| {
            for parcel in parcels.into_iter().filter(|p| p.retained) {
                kept.insert(parcel.topic, parcel.payload);
            }
            kept.values().filter(|payload| !payload.is_empty()).count()
        };
        assert_eq!(keep(homes.settle(NOW, false)), 8);
        assert_eq!(homes.again().len(), 8);
        let erasure = |from: Option<&str>| {
            json!({"epoch": 9, "home": "h 1", "from": from, "to": null, "device": null, "events": 3, "source": "x:1"})
                .to_string()
        };
        homes.take(
            Stream::Erasures,
            &erasure(Some("2026-01-01T00:00:00Z")),
            NOW,
        );
        assert_eq!(keep(homes.settle(NOW, false)), 8);
        homes.take(Stream::Erasures, &erasure(None), NOW);
        // Its lines are taken back in the same epoch, in any order.
        homes.take(Stream::Alarms, &alarm(-1, 30, 1), NOW);
        assert_eq!(keep(homes.settle(NOW, true)), 0);
        assert!(homes.again().is_empty());
        // Nor does it come back when the files of outputs are read anew.
        let mut again = self::homes();
        again.take(Stream::Erasures, &erasure(None), NOW);
        for diff in [1, -1] {
            again.take(Stream::Alarms, &alarm(diff, 30, 1), NOW);
        }
        assert!(again.settle(NOW, true).is_empty());
    }

    #[test]
    fn how_much_is_foreseen_is_said_now_and_then() {
        let mut homes = homes();
        let score = |first: &str| {
            json!({"epoch": 1, "home": "h 1", "time": "2026-01-01T00:00:00Z", "action": "Light:on", "predictions": [{"action": first, "probability": 0.5}]})
                .to_string()
        };
        for n in 0..200 {
            let first = if n % 4 == 0 { "Light:off" } else { "Light:on" };
            homes.take(Stream::Scores, &score(first), NOW);
        }
        let (told, _) = told(&mut homes, false);
        assert_eq!(told.len(), 1, "{told:?}");
        assert!(told[0].1.contains("\"foreseen\":75"), "{told:?}");
        let mut open: Value = serde_json::from_str(&score("Light:off")).unwrap();
        open["open"] = true.into();
        open["next"] = json!([{"action": "Door:open", "probability": 0.7}]);
        homes.take(Stream::Scores, &open.to_string(), NOW);
        let (next, _) = self::told(&mut homes, false);
        assert_eq!(next.len(), 1, "{next:?}");
        assert!(next[0].0 == "next" && next[0].1.contains("Door:open"));
    }
}
