//! What a declared shift says: its words read against the knowledge table, or refused.

use std::collections::BTreeSet;
use std::ops::Range;

use hearth_operators::words::{DeviceId, Shift, ShiftKind};

use crate::phrases::{Phrase, words};
use crate::synthesizers::knowledge::{Called, Knowledge, Moves};
use crate::synthesizers::vocabulary::Vocabulary;

/// One thing that a shift changes. In the order in which they are carried out: a second person lives by the new
/// season, and the hours move last.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Change {
    /// Several people live where one did.
    Joined,
    /// One person lives where several did.
    Left,
    /// Devices are not used any more.
    Gone(BTreeSet<DeviceId>),
    /// Devices are new.
    New(BTreeSet<DeviceId>),
    /// The season; free text does not say which one ends.
    Season {
        /// The season that ends.
        from: Option<String>,
        /// The season that begins.
        to: String,
    },
    /// The hours of the day, by how many buckets each moves.
    Schedule([i64; 8]),
}

/// What a shift changes, in the order in which to carry it out; nothing where `from` and `to` mean the same.
///
/// # Errors
/// A sentence saying which words the knowledge table does not know.
pub fn read(
    shift: &Shift,
    knowledge: &Knowledge,
    vocabulary: &Vocabulary,
) -> Result<Vec<Change>, String> {
    match shift.kind {
        ShiftKind::Season => {
            let names = || knowledge.seasons.iter();
            let from = context(&shift.from, "season", names())?;
            let to = context(&shift.to, "season", names())?;
            Ok(if from == to {
                Vec::new()
            } else {
                vec![Change::Season {
                    from: Some(from),
                    to,
                }]
            })
        }
        ShiftKind::Schedule => {
            let names = || knowledge.schedules.iter();
            let from = context(&shift.from, "schedule", names())?;
            let to = context(&shift.to, "schedule", names())?;
            if from == to {
                return Ok(Vec::new());
            }
            let mut moves = knowledge.moves.iter();
            let Some(moves) = moves.find(|m| m.from == from && m.to == to) else {
                return Err(format!(
                    "cannot read the schedule shift {from} → {to}: the knowledge table has no `moves` for it; nothing \
                     was invented"
                ));
            };
            Ok(vec![Change::Schedule(moves.buckets)])
        }
        ShiftKind::Occupancy => {
            let names = [
                ("single".to_owned(), &knowledge.occupancy.single),
                ("multiple".to_owned(), &knowledge.occupancy.multiple),
            ];
            let names = || names.iter().map(|(name, called)| (name, *called));
            let from = context(&shift.from, "occupancy", names())?;
            let to = context(&shift.to, "occupancy", names())?;
            Ok(match (from == to, to.as_str()) {
                (true, _) => Vec::new(),
                (_, "multiple") => vec![Change::Joined],
                _ => vec![Change::Left],
            })
        }
        // Its words are figures for people and language models; it is read off what happened.
        ShiftKind::Drift => Ok(Vec::new()),
        ShiftKind::Text => Text::new(&shift.to, knowledge, vocabulary).read(),
    }
}

/// The name of a context that is called by a word of its own.
fn context<'a>(
    called: &str,
    what: &str,
    mut names: impl Iterator<Item = (&'a String, &'a Called)> + Clone,
) -> Result<String, String> {
    let known = names.clone();
    let found = names.find(|(name, words)| words.is(name, called));
    found.map(|(name, _)| name.clone()).ok_or_else(|| {
        let known: Vec<_> = known.map(|(name, _)| name.as_str()).collect();
        format!(
            "cannot read the {what} `{called:.60}` (known: {}); nothing was invented",
            known.join(", ")
        )
    })
}

/// Free text while it is read. What was understood is blanked, so that it is not understood twice.
struct Text<'a> {
    text: &'a str,
    words: Vec<String>,
    knowledge: &'a Knowledge,
    vocabulary: &'a Vocabulary,
    changes: Vec<Change>,
}

impl<'a> Text<'a> {
    fn new(text: &'a str, knowledge: &'a Knowledge, vocabulary: &'a Vocabulary) -> Self {
        Text {
            text,
            words: words(text),
            knowledge,
            vocabulary,
            changes: Vec::new(),
        }
    }

    fn read(mut self) -> Result<Vec<Change>, String> {
        self.devices()?;
        self.contexts();
        let negations = &self.knowledge.text.negations;
        if let Some(range) = negations.iter().find_map(|n| n.find(&self.words)) {
            let word = self.words[range].join(" ");
            return Err(self.refusal(&format!("it is not clear what `{word}` is said of")));
        }
        self.changes.sort();
        self.changes.dedup();
        let seasons = |c: &Change| matches!(c, Change::Season { .. });
        let schedules = |c: &Change| matches!(c, Change::Schedule(_));
        let people = |c: &Change| matches!(c, Change::Joined | Change::Left);
        for (what, of) in [
            ("season", &seasons as &dyn Fn(&Change) -> bool),
            ("schedule", &schedules),
            ("occupancy", &people),
        ] {
            if self.changes.iter().filter(|c| of(c)).count() > 1 {
                return Err(self.refusal(&format!("it names more than one {what}")));
            }
        }
        if self.changes.is_empty() {
            return Err(self.refusal(
                "it names no season, schedule or occupancy that the knowledge table knows, and no device of the \
                 catalog as gone or new",
            ));
        }
        Ok(self.changes)
    }

    fn refusal(&self, why: &str) -> String {
        format!(
            "cannot read `{:.80}`: {why}; nothing was invented",
            self.text
        )
    }

    /// Reads which devices are gone or new, longest names first.
    fn devices(&mut self) -> Result<(), String> {
        let (mut gone, mut new) = (BTreeSet::new(), BTreeSet::new());
        let text = &self.knowledge.text;
        for (phrase, devices) in self.device_names() {
            // Several mentions are several sentences; each that is understood is blanked, so this ends.
            let mut start = 0;
            while start < self.words.len() {
                let Some(end) = phrase.at(&self.words, start) else {
                    start += 1;
                    continue;
                };
                let said = |before, after| self.said_around(start..end, before, after);
                let (verb, set) = if let Some(verb) = said(&text.gone, &text.gone_after) {
                    (verb, &mut gone)
                } else if let Some(verb) = said(&text.new, &text.new_after) {
                    (verb, &mut new)
                } else {
                    start += 1;
                    continue;
                };
                set.extend(devices.iter().copied());
                self.blank(verb);
                self.blank(start..end);
                start = end;
            }
        }
        if !gone.is_disjoint(&new) {
            return Err(self.refusal("it says of a device that it is gone and new"));
        }
        self.changes
            .extend((!gone.is_empty()).then_some(Change::Gone(gone)));
        self.changes
            .extend((!new.is_empty()).then_some(Change::New(new)));
        Ok(())
    }

    /// What devices of the catalog may be called, longest first: their names, and the phrases of the knowledge table.
    fn device_names(&self) -> Vec<(Phrase, Vec<DeviceId>)> {
        let devices = self.vocabulary.catalog.devices();
        let names = devices.iter().filter_map(|d| Phrase::new(&d.name));
        let usages = self.knowledge.usages.iter().flat_map(|u| u.devices.iter());
        let known = usages.chain(&self.knowledge.occupancy.devices).cloned();
        let phrases: BTreeSet<Phrase> = names.chain(known).collect();
        let mut names: Vec<_> = phrases
            .into_iter()
            .map(|phrase| (self.devices_called(&phrase), phrase))
            .filter(|(called, _)| !called.is_empty())
            .map(|(called, phrase)| (phrase, called))
            .collect();
        names.sort_by_key(|(phrase, _)| std::cmp::Reverse(phrase.len()));
        names
    }

    /// The device of that name, else those whose names hold it and are not known to be something else: a heater is
    /// no water heater.
    fn devices_called(&self, phrase: &Phrase) -> Vec<DeviceId> {
        let devices = self.vocabulary.catalog.devices();
        let ids = || (0..devices.len()).map(|d| DeviceId(d as u16));
        let exactly: Vec<_> = ids()
            .filter(|d| phrase.is(&devices[usize::from(d.0)].name))
            .collect();
        if !exactly.is_empty() {
            return exactly;
        }
        let usages = self.knowledge.usages.iter();
        let except: Vec<Phrase> = usages
            .filter(|usage| usage.devices.contains(phrase))
            .flat_map(|usage| usage.except.iter().cloned())
            .collect();
        let holds = |&d: &DeviceId| {
            self.vocabulary.device_is(d, std::slice::from_ref(phrase))
                && !self.vocabulary.device_is(d, &except)
        };
        ids().filter(holds).collect()
    }

    /// Where one of the phrases is said before `name`, fillers between them or not, or right behind it.
    fn said_around(
        &self,
        name: Range<usize>,
        before: &[Phrase],
        after: &[Phrase],
    ) -> Option<Range<usize>> {
        let mut end = name.start;
        loop {
            let start = before.iter().find_map(|p| p.ending(&self.words, end));
            if let Some(start) = start {
                return Some(start..end);
            }
            let fillers = &self.knowledge.text.fillers;
            match fillers.iter().find_map(|p| p.ending(&self.words, end)) {
                Some(start) => end = start,
                None => break,
            }
        }
        after
            .iter()
            .find_map(|p| Some(name.end..p.at(&self.words, name.end)?))
    }

    /// Reads seasons, schedules and occupancy, longest phrases first.
    fn contexts(&mut self) {
        let knowledge = self.knowledge;
        let mut sayings: Vec<(&Phrase, Change)> = Vec::new();
        for (name, called) in &knowledge.seasons {
            let change = Change::Season {
                from: None,
                to: name.clone(),
            };
            sayings.extend(called.said.iter().map(|p| (p, change.clone())));
        }
        for (name, called) in &knowledge.schedules {
            let mut moves = knowledge.moves.iter();
            if let Some(Moves { buckets, .. }) = moves.find(|m| m.to == *name) {
                let change = Change::Schedule(*buckets);
                sayings.extend(called.said.iter().map(|p| (p, change.clone())));
            }
        }
        let occupancy = &knowledge.occupancy;
        sayings.extend(occupancy.single.said.iter().map(|p| (p, Change::Left)));
        sayings.extend(occupancy.multiple.said.iter().map(|p| (p, Change::Joined)));
        sayings.sort_by_key(|(phrase, _)| std::cmp::Reverse(phrase.len()));
        for (phrase, change) in sayings {
            while let Some(range) = phrase.find(&self.words) {
                self.blank(range);
                self.changes.push(change.clone());
            }
        }
    }

    /// Replaces words that were understood by a mark that is in no phrase.
    fn blank(&mut self, range: Range<usize>) {
        for word in &mut self.words[range] {
            word.clear();
            word.push('·');
        }
    }
}
