//! From what Home Assistant says to lines of the inbox: what is known of its entities, and how far it was heard.
//!
//! An entity's states come in the order of time, and each says since when it holds. So whatever is told again, by the history, by
//! the states of now or by the same event, is known by its time, and counts once.

use std::collections::{BTreeMap, HashSet};

use hearth_operators::words::{ShiftKind, Time};
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::frames::Report;
use crate::config::{ContextEntities, ContextKind};
use crate::inbox;
use crate::sources::states::{Change, Device, States};
use crate::sources::{LONGEST_NAME, context_words, is_household, is_measured, says_of_itself};
use crate::time::{self, offset_at};

/// Entities of which something new is kept together, at most: a mark is one line.
const TOGETHER: usize = 32;

/// Lines that are put together, at most.
const LINES: usize = 1_000;

/// How far ahead of this machine's clock Home Assistant's may be.
const AHEAD: i64 = 300 * Time::SECOND;

/// What became of a report.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Fate {
    /// It is a behaviour, or becomes one if it stays so; or a context.
    Taken,
    /// It is none: nothing has changed, or nothing that people do.
    Unchanged,
    /// It was heard before.
    Again,
    /// It cannot be so.
    Refused(String),
}

/// Reads reports.
pub(super) struct Reader {
    home: String,
    contexts: BTreeMap<String, ContextKind>,
    /// Entities that are no household's, whatever their domain.
    aside: HashSet<String>,
    states: States,
    /// The contexts that hold, by entity.
    holding: BTreeMap<String, String>,
    /// Of which something else is known than was kept.
    held_anew: Vec<String>,
    /// When it was last heard, by Home Assistant's clock.
    until: Option<Time>,
    /// When Home Assistant began anew, as long as nothing was heard of it since.
    began: Option<Time>,
    zone: TimeZone,
    lines: Vec<String>,
}

/// What is kept with the lines: how far it was heard, and what they leave known.
#[derive(Default, Serialize, Deserialize)]
struct Kept {
    until: i64,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    entities: Vec<(String, Device)>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    contexts: Vec<(String, String)>,
}

/// Fewer marks that say what these do.
pub(crate) fn folded(marks: &[String]) -> Vec<String> {
    let (mut until, mut entities, mut contexts) = (0, BTreeMap::new(), BTreeMap::new());
    let marks = marks.iter().map(|mark| serde_json::from_str::<Kept>(mark));
    for kept in marks.flatten() {
        until = kept.until.max(until);
        entities.extend(kept.entities);
        contexts.extend(kept.contexts);
    }
    let of = |entities, contexts| Kept {
        until,
        entities,
        contexts,
    };
    let entities = inbox::parts(entities).into_iter();
    let entities = entities.map(|part| of(part, Vec::new()));
    let contexts = inbox::parts(contexts).into_iter();
    let kept = entities.chain(contexts.map(|part| of(Vec::new(), part)));
    // Also where nothing is known it is known until when.
    let kept = kept.chain([of(Vec::new(), Vec::new())]);
    kept.filter_map(|kept| serde_json::to_string(&kept).ok())
        .collect()
}

impl Reader {
    /// Nothing is known yet.
    pub fn new(home: String, contexts: ContextEntities) -> Self {
        Reader {
            home,
            contexts: contexts.0.into_iter().collect(),
            aside: HashSet::new(),
            states: States::default(),
            holding: BTreeMap::new(),
            held_anew: Vec::new(),
            until: None,
            began: None,
            zone: TimeZone::system(),
            lines: Vec::new(),
        }
    }

    /// Knows what was kept, mark by mark.
    pub fn recall(&mut self, mark: &str) {
        // A mark of another version is of no use; what it knew is then heard anew.
        let Ok(kept) = serde_json::from_str::<Kept>(mark) else {
            return;
        };
        self.until = self.until.max(Some(Time(kept.until)));
        for (entity, known) in kept.entities {
            self.states.recall(entity, known);
        }
        self.holding.extend(kept.contexts);
    }

    /// When it was last heard.
    pub fn until(&self) -> Option<Time> {
        self.until
    }

    /// Where the house is.
    pub fn live_in(&mut self, zone: TimeZone) {
        self.zone = zone;
    }

    /// An entity says nothing of the household, whatever its domain.
    pub fn set_aside(&mut self, entity: &str) {
        self.aside.insert(entity.to_owned());
    }

    /// Whether an entity's states are read.
    pub fn reads(&self, entity: &str) -> bool {
        let domain = entity.split_once('.').map_or("", |(domain, _)| domain);
        let household = is_household(domain) && !self.aside.contains(entity);
        household || self.contexts.contains_key(entity)
    }

    /// Home Assistant began anew then. Reports from before and after come in the order of time.
    pub fn began(&mut self, at: Time) {
        self.began = Some(at);
    }

    /// Takes a report that came `now`.
    pub fn take(&mut self, report: &Report, now: Time) -> Fate {
        if report.class.as_deref().is_some_and(says_of_itself) {
            self.set_aside(&report.entity);
        }
        if !self.reads(&report.entity) {
            return Fate::Unchanged;
        }
        if report.updated.0.max(report.changed.0) > now.0 + AHEAD {
            let why =
                "it is of a time to come: is this machine's clock right, and Home Assistant's?";
            return Fate::Refused(why.to_owned());
        }
        if let Some(began) = self.began.take_if(|began| report.updated >= *began) {
            self.states.restart(began);
        }
        self.until = self.until.max(Some(report.updated));
        if self.states.is_stale(&report.entity, report.changed) {
            return Fate::Again;
        }
        self.hear(report)
    }

    fn hear(&mut self, report: &Report) -> Fate {
        let entity = report.entity.as_str();
        let at = (report.changed, offset_at(report.changed, &self.zone));
        let gone = |state: &&str| matches!(*state, "" | "unknown" | "unavailable");
        let Some(state) = report.state.as_deref().filter(|state| !gone(state)) else {
            self.states.away(entity, at);
            // What it said before may have stayed long enough.
            self.write_changes();
            return Fate::Unchanged;
        };
        let state = match self.contexts.get(entity) {
            Some(kind) => match context(*kind, state) {
                Ok(context) => context,
                Err(why) => return Fate::Refused(why),
            },
            None if is_measured(state) => return Fate::Unchanged,
            None => state,
        };
        if state.len() > LONGEST_NAME / 2 || state.contains(char::is_control) {
            return Fate::Refused("its state is too long, or holds control characters".to_owned());
        }
        let changed = self.states.report(entity, at, state).reason().is_none();
        if let Some(kind) = self.contexts.get(entity).copied()
            && !self.holding.contains_key(entity)
        {
            self.turn(kind, entity.to_owned(), state, at);
        }
        self.write_changes();
        match changed {
            true => Fate::Taken,
            false => Fate::Unchanged,
        }
    }

    /// Believes what has stayed long enough, once all is heard that was said until now.
    pub fn settle(&mut self, now: Time) {
        if let Some(began) = self.began.take() {
            self.states.restart(began);
        }
        self.states.settle(now, TOGETHER);
        self.write_changes();
    }

    /// Whether what was taken should be kept before more is.
    pub fn is_full(&self) -> bool {
        let news = self.states.news_count() + self.held_anew.len();
        self.lines.len() >= LINES || news >= TOGETHER
    }

    /// The lines since it was last asked, and the mark that belongs to them; nothing, where there is nothing to be kept.
    pub fn flush(&mut self) -> Option<(Vec<String>, String)> {
        let entities = self.states.news();
        if self.lines.is_empty() && entities.is_empty() && self.held_anew.is_empty() {
            return None;
        }
        let anew = std::mem::take(&mut self.held_anew).into_iter();
        let kept = Kept {
            until: self.until.map_or(0, |until| until.0),
            entities,
            contexts: anew
                .filter_map(|entity| Some((self.holding.get(&entity)?.clone(), entity)))
                .map(|(context, entity)| (entity, context))
                .collect(),
        };
        let mark = serde_json::to_string(&kept).unwrap_or_default();
        Some((std::mem::take(&mut self.lines), mark))
    }

    fn write_changes(&mut self) {
        for change in self.states.changes() {
            match self.contexts.get(&change.device).copied() {
                Some(kind) => self.turn(kind, change.device, &change.state, change.at),
                None => self.write(&change),
            }
        }
    }

    fn write(&mut self, change: &Change) {
        let (home, time) = (&self.home, time::format(change.at.0, change.at.1));
        let (device, action) = (&change.device, &change.state);
        let line = json!({"home": home, "time": time, "device": device, "action": action});
        self.lines.push(line.to_string());
    }

    /// An entity says from then on that a context holds. One that gave way to another is a declared shift; the mode of the home is what all
    /// entities say together.
    fn turn(&mut self, kind: ContextKind, entity: String, to: &str, at: (Time, i16)) {
        let (from, mode) = (self.holding.get(&entity).cloned(), self.mode());
        self.hold(entity, to.to_owned());
        let (home, time) = (&self.home, time::format(at.0, at.1));
        let line = match kind {
            ContextKind::Shift(kind) => from.filter(|from| *from != to).map(|from| {
                json!({"home": home, "time": time, "kind": kind.name(), "from": from, "to": to})
            }),
            ContextKind::Away | ContextKind::Guests => {
                let now = self.mode();
                (now != mode).then(|| json!({"home": home, "time": time, "mode": now}))
            }
        };
        self.lines.extend(line.map(|line| line.to_string()));
    }

    /// How the home lives, by all that its entities say.
    fn mode(&self) -> &'static str {
        let says = |kind: ContextKind| {
            let mut entities = self.contexts.iter().filter(|(_, its)| **its == kind);
            entities.any(|(entity, _)| self.holding.get(entity).is_some_and(|s| s == kind.name()))
        };
        let modes = [ContextKind::Guests, ContextKind::Away];
        let mode = modes.into_iter().find(|kind| says(*kind));
        mode.map_or(HOME, ContextKind::name)
    }

    fn hold(&mut self, entity: String, context: String) {
        self.held_anew.push(entity.clone());
        self.holding.insert(entity, context);
    }
}

/// The mode of a home in which nothing is unusual.
const HOME: &str = "home";

/// The context of a kind that a state is.
fn context(kind: ContextKind, state: &str) -> Result<&str, String> {
    let number = state.parse::<f64>();
    let is = match kind {
        ContextKind::Shift(kind) => return shift_context(kind, state),
        ContextKind::Away => match number {
            Ok(people) => people < 1.0,
            Err(_) => ["not_home", "away", "armed_away", "on"].contains(&state),
        },
        ContextKind::Guests => match number {
            Ok(guests) => guests >= 1.0,
            Err(_) => ["guests", "on"].contains(&state),
        },
    };
    Ok(if is { kind.name() } else { HOME })
}

/// Its word, or how many live there.
fn shift_context(kind: ShiftKind, state: &str) -> Result<&str, String> {
    let words = context_words(kind);
    let named = words.iter().find(|word| state.eq_ignore_ascii_case(word));
    let counted = match (kind, state.parse::<f64>()) {
        (ShiftKind::Occupancy, Ok(people)) if people >= 2.0 => Some("multiple"),
        (ShiftKind::Occupancy, Ok(_)) => Some("single"),
        _ => None,
    };
    match named.copied().or(counted) {
        Some(word) => Ok(word),
        None if words.is_empty() => Ok(state),
        None => {
            let (kind, words) = (kind.name(), words.join(", "));
            Err(format!("`{state}` is no {kind}: these are {words}"))
        }
    }
}
