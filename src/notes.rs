//! What a run finds that a person should know of its input, each once.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use hearth_operators::warm_up::WarmedUp;
use hearth_operators::words::{ActionId, Catalogs, HomeId};

use crate::catalog::Measured;
use crate::home_names::HomeNames;
use crate::outputs::grouped;
use crate::sources::Manner;

/// Names that a note names.
const NAMED: usize = 5;

/// Among so many homes the one is sought that was meant.
const LOOKED_AT: usize = 10_000;

/// Behaviours of a segment, on average, that are more than one does in one go.
const LONG: i64 = 200;

/// Late events of a home that are more than what comes a little too late now and then.
const MANY_LATE: u64 = 50;

/// Fewer lines than this are hardly a log.
const A_LOG: u64 = 20;

/// The notes of a run. Clones share them.
#[derive(Clone, Debug, Default)]
pub struct Notes {
    homes: HomeNames,
    said: Arc<Mutex<BTreeSet<String>>>,
}

impl Notes {
    /// About these homes; none yet.
    pub fn new(homes: HomeNames) -> Self {
        let said = Arc::default();
        Notes { homes, said }
    }

    /// All, in order.
    pub fn all(&self) -> Vec<String> {
        let said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        said.iter().cloned().collect()
    }

    /// How a log is written; `placed`: somebody said where the homes are.
    pub fn manner(&self, manner: &Manner, placed: bool) {
        if manner.utc() && !placed {
            self.utc();
        }
        if manner.numbers() {
            self.say(
                "times are numbers: those of 10 digits were read as seconds since 1970, of 13 as milliseconds, of 16 \
                 as microseconds, of 19 as nanoseconds"
                    .to_owned(),
            );
        }
        if manner.forms() {
            self.say(
                "some names are written in different Unicode forms (é as one character or two); the forms of a name \
                 are one name here, and outputs have the composed one (NFC)"
                    .to_owned(),
            );
        }
    }

    /// Devices whose lines are left out, because they measure.
    pub fn measured(&self, measured: &[Measured]) {
        let of = |Measured { home, device }: &Measured| {
            format!("`{device}` of `{}`", self.homes.name(*home))
        };
        if measured.is_empty() {
            return;
        }
        self.say(format!(
            "the numbers of {} devices are taken for measured values, of which there are too many to be actions, and \
             are in rejected ({}); leave these devices out of the log, write ranges of their values (warm, cold), or \
             say with --catalog which actions count",
            grouped(measured.len() as u64),
            named(measured.iter().map(of)),
        ));
    }

    /// Events that say what their device said last, of how many.
    pub fn repeats(&self, (repeated, all): (usize, usize)) {
        self.say(format!(
            "{} of the first {} events of devices that do several things say what their device said last: where a log \
             reports states, only what changes one was done; hearth pack LOG --changes --out changes.hlog leaves the \
             others out",
            grouped(repeated as u64),
            grouped(all as u64),
        ));
    }

    /// Homes of declared shifts that have no segment; those that have are `met`.
    pub fn unmet(&self, unmet: &[HomeId], met: &[HomeId]) {
        if !unmet.is_empty() {
            self.say(format!(
                "shifts are declared of {} homes that have no segment ({}); --contexts must name homes as the log \
                 does, or \"*\" for all",
                grouped(unmet.len() as u64),
                self.meant(unmet, met),
            ));
        }
    }

    /// Homes all whose declared shifts lie before everything that they did.
    pub fn unasked(&self, homes: &[HomeId]) {
        if !homes.is_empty() {
            let name = |home: &HomeId| format!("`{}`", self.homes.name(*home));
            self.say(format!(
                "the shifts that are declared of {} homes ({}) lie before all that the log has of them, so there is \
                 nothing to adapt from; is the year right?",
                grouped(homes.len() as u64),
                named(homes.iter().map(name)),
            ));
        }
    }

    /// Homes of the homes file that have no segment; those that have are `met`.
    pub fn unlisted(&self, unmet: &[HomeId], met: &[HomeId]) {
        if !unmet.is_empty() {
            self.say(format!(
                "the homes file names {} homes that have no segment ({}), so that what it says of them is of no use; \
                 --homes must name homes as the log does",
                grouped(unmet.len() as u64),
                self.meant(unmet, met),
            ));
        }
    }

    /// The names of homes, each with that of one that was met and may be meant.
    fn meant(&self, unmet: &[HomeId], met: &[HomeId]) -> String {
        let of = |home: &HomeId| {
            let name = self.homes.name(*home);
            let near = |other: &Arc<str>| strsim::damerau_levenshtein(&name, other);
            let known = met
                .iter()
                .take(LOOKED_AT)
                .map(|home| self.homes.name(*home));
            let nearest = known.min_by_key(near).filter(|other| near(other) <= 2);
            let meant = nearest.map(|other| format!(", `{other}`?"));
            format!("`{name}`{}", meant.unwrap_or_default())
        };
        named(unmet.iter().map(of))
    }

    /// How long segments are.
    pub fn segments(&self, segments: i64, transitions: i64, max_gap: &str) {
        if segments == 0 || transitions / segments < LONG {
            return;
        }
        self.say(format!(
            "segments hold {} behaviours on average: with --max-gap {max_gap} what a home does in a day is hardly ever \
             cut; where sensors report many times an hour, --max-gap 10m makes segments of what people do in one go",
            transitions / segments + 1,
        ));
    }

    /// There were no lines.
    pub fn nothing(&self) {
        self.say("the log holds no event at all: nothing was read".to_owned());
    }

    /// How many lines are no events, of how many.
    pub fn refused(&self, refused: u64, all: u64) {
        if all < A_LOG || refused * 10 <= all {
            return;
        }
        self.say(format!(
            "{} of {} lines are no events (rejected.jsonl says why of each); text is read as UTF-8, columns of other \
             names are told with --columns, and devices that a --catalog does not have are none",
            grouped(refused),
            grouped(all),
        ));
    }

    /// How many events were there already, of how many.
    pub fn duplicates(&self, duplicates: u64, all: u64) {
        if all < A_LOG || duplicates * 2 <= all {
            return;
        }
        self.say(format!(
            "{} of {} events are duplicates: of events with the same id one counts, so where the column of that name \
             is not an event's own, --columns id=none passes over it",
            grouped(duplicates),
            grouped(all),
        ));
    }

    /// How many events came too late, of how many.
    pub fn late(&self, late: u64, all: u64) {
        if late * 50 <= all {
            return;
        }
        self.say(format!(
            "{} of {} events are late (late.jsonl): they lie more than --lateness before what was read of their homes \
             already; hearth pack LOG --sort --out sorted.hlog brings a log into the order of time, a longer --lateness \
             waits for them",
            grouped(late),
            grouped(all),
        ));
    }

    /// How many events of which homes came too late.
    pub fn late_homes(&self, late: &[(HomeId, u64)]) {
        let many: Vec<_> = late.iter().filter(|(_, n)| *n >= MANY_LATE).collect();
        if many.is_empty() {
            return;
        }
        let all: u64 = many.iter().map(|(_, n)| n).sum();
        let of = |(home, n): &&(HomeId, u64)| format!("`{}`: {n}", self.homes.name(*home));
        self.say(format!(
            "{} events of {} homes are late (late.jsonl; {}): what came before them was of a time more than --lateness \
             later; if a clock was ahead for a while, take what it said then out of the log, and replay it",
            grouped(all),
            grouped(many.len() as u64),
            named(many.iter().map(of)),
        ));
    }

    fn utc(&self) {
        self.say(
            "all times are of UTC and no time zone is given: weekdays and hours are those of Greenwich; if the homes \
             are elsewhere, give --timezone (such as Europe/Berlin), or a zone a home with --homes"
                .to_owned(),
        );
    }

    /// A cohort's first models are trained: which homes did hardly anything that these have learnt?
    pub fn warmed_up(&self, catalogs: &Catalogs, warm: &WarmedUp) {
        let learnt = warm.sequences.iter().flat_map(|s| &s.0);
        let learnt: BTreeSet<ActionId> = learnt.map(|q| q.action).collect();
        let homes = catalogs
            .homes()
            .filter(|home| catalogs.cohort_of(*home) == warm.cohort);
        let strange = |home: &HomeId| {
            let own = catalogs.of(*home).action_ids();
            let known = own.filter(|own| learnt.contains(&catalogs.to_cohort(*home, *own)));
            2 * known.count() < catalogs.of(*home).actions()
        };
        let mut all = 0;
        let strange: Vec<HomeId> = homes.inspect(|_| all += 1).filter(strange).collect();
        if strange.is_empty() {
            return;
        }
        let names = strange.iter().map(|h| self.homes.name(*h).to_string());
        self.say(format!(
            "the first models know less than half of what {} of {all} homes do ({}): these homes' devices, or their \
             kinds, are not in the warm-up, so their behaviours are called anomalies until a shift adapts them; give a \
             longer --warm-up, kinds of devices in a catalog, or these homes a cohort of their own (--homes)",
            strange.len(),
            named(names),
        ));
    }

    fn say(&self, note: String) {
        let mut said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        said.insert(note);
    }
}

/// The first of some names, in their order.
fn named(names: impl Iterator<Item = String>) -> String {
    let mut names: Vec<String> = names.collect();
    names.sort();
    let more = if names.len() > NAMED { " …" } else { "" };
    names.truncate(NAMED);
    format!("{}{more}", names.join(", "))
}

#[cfg(test)]
mod tests {
    use hearth_operators::words::{Action, Catalog, CohortId, Device, Own, Quadruple, Sequence};

    use super::*;

    #[test]
    fn homes_that_lose_events_to_a_clock_are_named() {
        let homes = HomeNames::default();
        let [a, b] = ["a", "b"].map(|name| homes.intern(name));
        let notes = Notes::new(homes);
        notes.late_homes(&[(a, 49)]);
        assert!(notes.all().is_empty());
        notes.late_homes(&[(a, 49), (b, 50)]);
        let said = notes.all().concat();
        assert!(said.starts_with("50 events of 1 homes are late"), "{said}");
        assert!(said.contains("`b`: 50"), "{said}");
    }

    #[test]
    fn homes_that_were_not_met_are_named_with_what_may_be_meant() {
        let homes = HomeNames::default();
        let [typo, other, met] = ["h-1x", "nobody", "h-1"].map(|name| homes.intern(name));
        let notes = Notes::new(homes);
        notes.unlisted(&[], &[met]);
        assert!(notes.all().is_empty());
        notes.unlisted(&[typo, other], &[met]);
        let said = notes.all().concat();
        assert!(
            said.contains("names 2 homes that have no segment"),
            "{said}"
        );
        assert!(said.contains("(`h-1x`, `h-1`?, `nobody`)"), "{said}");
    }

    #[test]
    fn homes_whose_words_were_not_learnt_are_named() {
        let homes = HomeNames::default();
        let own = |(name, kind): (&str, &str)| {
            let on = Action {
                meaning: Some("on".into()),
                ..Action::new("1")
            };
            let device = Device {
                kind: Some(kind.into()),
                ..Device::new(name, vec![on])
            };
            Own {
                home: homes.intern(name),
                cohort: CohortId(0),
                catalog: Arc::new(Catalog::new(vec![device]).unwrap()),
            }
        };
        let own = [("a", "Light"), ("b", "Light"), ("c", "Zither")].map(own);
        let catalogs = Catalogs::new(own.into(), None).unwrap();
        let action = catalogs.to_cohort(HomeId(0), ActionId(0));
        let warm = |actions: &[ActionId]| WarmedUp {
            cohort: CohortId(0),
            sequences: actions
                .iter()
                .map(|&action| {
                    Sequence(vec![Quadruple {
                        weekday: 0,
                        hours: 0,
                        action,
                    }])
                })
                .collect(),
        };
        let notes = Notes::new(homes.clone());
        notes.warmed_up(&catalogs, &warm(&[action]));
        let said = notes.all();
        assert_eq!(said.len(), 1);
        assert!(said[0].contains("what 1 of 3 homes do (c)"), "{}", said[0]);
        let all: Vec<ActionId> = catalogs.cohort(CohortId(0)).action_ids().collect();
        let notes = Notes::new(homes);
        notes.warmed_up(&catalogs, &warm(&all));
        assert!(notes.all().is_empty());
    }
}
