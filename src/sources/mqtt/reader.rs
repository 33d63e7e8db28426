//! From messages to lines of the inbox: what is known of each home's devices, and which messages came before.

use std::borrow::Cow;
use std::collections::BTreeMap;

use hearth_operators::words::Time;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::redelivery::{Redelivery, Seen};
use super::said::{Message, Said};
use super::{mapped, statestream, zigbee2mqtt};
use crate::config::{Place, Route, Shape};
use crate::inbox;
use crate::sources::states::{Device, States};
use crate::sources::{At, LONGEST_NAME, messages};
use crate::time;

/// Messages that a broker is to have under way at once, at most.
pub(super) const UNDER_WAY: u16 = 100;

/// Devices of which something new is kept together, at most: a mark is one line.
const TOGETHER: usize = 32;

/// Messages that came without a change, of which it is kept that they came together with others: a mark is one line.
const UNKEPT: usize = 500;

/// How far ahead of this machine's clock a device's may be.
const AHEAD: i64 = 300 * Time::SECOND;

/// A message, as a broker gives it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Given<'a> {
    pub topic: &'a str,
    pub payload: &'a [u8],
    /// Whether it is from before: what was last said of its topic.
    pub retained: bool,
    /// Whether the broker may have given it before.
    pub again: bool,
    /// Its number in the session; 0 where it will not be given again.
    pub number: u16,
}

/// What became of a message.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Fate {
    /// It holds behaviours.
    Taken,
    /// It holds none: nothing has changed, or nothing that people do.
    Unchanged,
    /// It was taken before.
    Again,
    /// It cannot be read.
    Refused(String),
}

/// Reads messages.
pub(super) struct Reader {
    routes: Vec<Route>,
    /// The home of topics that name none.
    home: String,
    /// Where Home Assistant says that it began anew.
    birth: Option<String>,
    homes: BTreeMap<String, States>,
    /// Of which homes something else may be known than was kept.
    touched: Vec<String>,
    /// Which messages may come again.
    pub redelivery: Redelivery,
    lines: Vec<String>,
}

/// What is kept with the lines: what they leave known, and which messages were theirs.
#[derive(Default, Serialize, Deserialize)]
struct Kept {
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    seen: Vec<Seen>,
    /// How many of all that were kept may come again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    remembered: Option<usize>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    homes: Vec<(String, Vec<(String, Device)>)>,
}

/// Fewer marks that say what these do.
pub(crate) fn folded(marks: &[String]) -> Vec<String> {
    let (mut homes, mut redelivery) = (BTreeMap::new(), Redelivery::default());
    let marks = marks.iter().map(|mark| serde_json::from_str::<Kept>(mark));
    for kept in marks.flatten() {
        redelivery.recall(kept.seen, kept.remembered);
        for (home, devices) in kept.homes {
            let known: &mut BTreeMap<String, Device> = homes.entry(home).or_default();
            known.extend(devices);
        }
    }
    let homes = homes.into_iter().flat_map(|(home, known)| {
        let parts = inbox::parts(known).into_iter();
        parts.map(move |part| Kept {
            homes: vec![(home.clone(), part)],
            ..Kept::default()
        })
    });
    let mut remembered = 0;
    let seen = inbox::parts(redelivery.all()).into_iter().map(|seen| {
        remembered += seen.len();
        Kept {
            seen,
            remembered: Some(remembered),
            ..Kept::default()
        }
    });
    // A mark without messages says that the last few of those before it may come again, so it is before them.
    let kept = homes.chain(seen);
    kept.filter_map(|kept| serde_json::to_string(&kept).ok())
        .collect()
}

impl Reader {
    /// Nothing is known yet.
    pub fn new(routes: Vec<Route>, home: String, birth: Option<String>) -> Self {
        Reader {
            routes,
            home,
            birth,
            homes: BTreeMap::new(),
            touched: Vec::new(),
            redelivery: Redelivery::default(),
            lines: Vec::new(),
        }
    }

    /// Knows what was kept, mark by mark.
    pub fn recall(&mut self, mark: &str) {
        // A mark of another version is of no use; what it knew is then heard anew.
        let Ok(kept) = serde_json::from_str::<Kept>(mark) else {
            return;
        };
        self.redelivery.recall(kept.seen, kept.remembered);
        for (home, devices) in kept.homes {
            let states = self.homes.entry(home).or_default();
            for (device, known) in devices {
                states.recall(device, known);
            }
        }
    }

    /// Takes a message that came `now`.
    pub fn take(&mut self, given: Given<'_>, now: At) -> Fate {
        let mut sum = crc32fast::Hasher::new();
        sum.update(given.topic.as_bytes());
        sum.update(&[0]);
        sum.update(given.payload);
        let seen = (given.number, sum.finalize());
        if given.number > 0 {
            if given.again && self.redelivery.is_again(seen) {
                return Fate::Again;
            }
            self.redelivery.came(seen, !given.again);
        }
        if self.birth.as_deref() == Some(given.topic) {
            if given.payload == b"online" && !given.retained {
                self.began(None, now.0);
            }
            return Fate::Unchanged;
        }
        match self.read(given, now) {
            Ok(true) => Fate::Taken,
            Ok(false) => Fate::Unchanged,
            Err(reason) => Fate::Refused(reason),
        }
    }

    /// Believes what has stayed long enough.
    pub fn settle(&mut self, now: Time) {
        let homes: Vec<String> = self.homes.keys().cloned().collect();
        for home in homes {
            if self.is_full() {
                return;
            }
            if let Some(states) = self.homes.get_mut(&home) {
                states.settle(now, TOGETHER);
            }
            self.write_changes(&home);
        }
    }

    /// Whether what was taken should be kept before more is.
    pub fn is_full(&self) -> bool {
        let news: usize = self.touched.iter().map(|h| self.news_of(h)).sum();
        self.lines.len() >= 1_000
            || news >= TOGETHER
            || self.redelivery.fresh() >= usize::from(UNDER_WAY)
    }

    /// The lines since it was last asked, and the mark that belongs to them; nothing, where there is nothing to be kept.
    pub fn flush(&mut self) -> Option<(Vec<String>, String)> {
        let mut homes = Vec::new();
        for home in std::mem::take(&mut self.touched) {
            let news = self.homes.get_mut(&home).map(States::news);
            if let Some(news) = news.filter(|news| !news.is_empty()) {
                homes.push((home, news));
            }
        }
        if self.lines.is_empty() && homes.is_empty() && self.redelivery.fresh() < UNKEPT {
            return None;
        }
        let (seen, remembered) = self.redelivery.keep();
        let kept = Kept {
            seen,
            remembered: Some(remembered),
            homes,
        };
        let mark = serde_json::to_string(&kept).unwrap_or_default();
        Some((std::mem::take(&mut self.lines), mark))
    }

    fn news_of(&self, home: &str) -> usize {
        self.homes.get(home).map_or(0, States::news_count)
    }

    /// Whoever speaks for the devices began anew, for all homes where it does not say which.
    fn began(&mut self, home: Option<&str>, now: Time) {
        match home {
            Some(home) => self.homes.entry(home.to_owned()).or_default().restart(now),
            None => self.homes.values_mut().for_each(|home| home.restart(now)),
        }
    }

    fn read(&mut self, given: Given<'_>, now: At) -> Result<bool, String> {
        let places = self.routes.iter();
        let mut places = places.filter_map(|route| Some((route, route.place(given.topic)?)));
        let Some((route, place)) = places.next() else {
            return Ok(false);
        };
        let home = place.home.unwrap_or(&self.home).to_owned();
        let message = understood(route, &place, &home, given, now)?;
        is_name(&home)?;
        if message.said.len() > TOGETHER && !matches!(message.said[0], Said::Line(_)) {
            return Err(format!("it says more than {TOGETHER} things at once"));
        }
        let own = message.time.filter(|time| time.0 <= now.0.0 + AHEAD);
        let at = own.map_or(now, |time| (time, now.1));
        let before = self.lines.len();
        for said in message.said {
            self.hear(&home, said, given.retained, own.is_some(), at, now)?;
        }
        if !self.touched.contains(&home) {
            self.touched.push(home.clone());
        }
        self.write_changes(&home);
        Ok(self.lines.len() > before)
    }

    fn hear(
        &mut self,
        home: &str,
        said: Said<'_>,
        retained: bool,
        own_clock: bool,
        at: At,
        now: At,
    ) -> Result<(), String> {
        match said {
            Said::Line(line) if retained => drop(line),
            Said::Line(line) => self.lines.push(line),
            Said::Press { device, action } => {
                is_name(&device)?;
                is_name(&action)?;
                if !retained {
                    self.write(home, at, &device, &action);
                }
            }
            Said::Away(device) => {
                is_name(&device)?;
                let states = self.homes.entry(home.to_owned()).or_default();
                // Its parts, or the device where it has none.
                let of = format!("{device}\0");
                states.away_all(&device, now);
                states.away(&of, now);
            }
            Said::Began => self.began(Some(home), now.0),
            Said::State {
                device,
                part,
                state,
            } => {
                for name in [&device, &state] {
                    is_name(name)?;
                }
                if !part.is_empty() {
                    is_name(&part)?;
                }
                let key = format!("{device}\0{part}");
                let states = self.homes.entry(home.to_owned()).or_default();
                if own_clock && states.is_stale(&key, at.0) {
                    return Ok(());
                }
                match retained {
                    true => states.know(&key, &state),
                    false => drop(states.report(&key, at, &state)),
                }
            }
        }
        Ok(())
    }

    /// Writes what has changed in a home.
    fn write_changes(&mut self, home: &str) {
        let changes = self.homes.get_mut(home).map(States::changes);
        for change in changes.into_iter().flatten() {
            let (device, part) = change
                .device
                .split_once('\0')
                .unwrap_or((&change.device, ""));
            let action = match part {
                "" => Cow::Borrowed(change.state.as_str()),
                part => format!("{part} {}", change.state).into(),
            };
            self.write(home, change.at, device, &action);
            if !self.touched.iter().any(|touched| touched == home) {
                self.touched.push(home.to_owned());
            }
        }
    }

    fn write(&mut self, home: &str, (at, offset): At, device: &str, action: &str) {
        let time = time::format(at, offset);
        let line = json!({"home": home, "time": time, "device": device, "action": action});
        self.lines.push(line.to_string());
    }
}

fn understood<'a>(
    route: &Route,
    place: &Place<'a>,
    home: &str,
    given: Given<'_>,
    now: At,
) -> Result<Message<'a>, String> {
    let device = || place.device.ok_or("the topic names no device");
    match &route.shape {
        Shape::Events => {
            let lines = messages::lines(Some(home), given.payload, now)?;
            let said = lines.into_iter().map(Said::Line).collect();
            Ok(Message { said, time: None })
        }
        Shape::Zigbee2Mqtt => zigbee2mqtt::read(place.rest, given.payload),
        Shape::StateStream => statestream::read(place.rest, given.payload),
        Shape::State(pointer) => mapped::read(device()?, pointer, false, given.payload),
        Shape::Press(pointer) => mapped::read(device()?, pointer, true, given.payload),
    }
}

fn is_name(text: &str) -> Result<(), String> {
    // An action is a part and a state.
    match text.is_empty() || text.len() > LONGEST_NAME / 2 || text.contains(char::is_control) {
        true => Err(format!(
            "a name or state is empty, longer than {} bytes, or holds control characters",
            LONGEST_NAME / 2
        )),
        false => Ok(()),
    }
}

#[cfg(test)]
mod fuzz;

#[cfg(test)]
mod tests;
