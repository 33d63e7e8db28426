//! What a run finds that a person should know of its input, each once.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use hearth_operators::warm_up::WarmedUp;
use hearth_operators::words::{ActionId, Catalogs, HomeId};

use crate::home_names::HomeNames;

/// HomeNames that a note names.
const NAMED: usize = 5;

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

    /// Every time was one of UTC, and nobody said where the homes are.
    pub fn utc(&self) {
        self.say(
            "all times are of UTC and no time zone is given: weekdays and hours are those of Greenwich; if the homes are elsewhere, give \
             --timezone (such as Europe/Berlin), or a zone a home with --homes"
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
        let mut names: Vec<String> = strange
            .iter()
            .map(|h| self.homes.name(*h).to_string())
            .collect();
        names.sort();
        names.truncate(NAMED);
        let more = if strange.len() > NAMED { " …" } else { "" };
        self.say(format!(
            "the first models know less than half of what {} of {all} homes do ({}{more}): these homes' devices, or their kinds, are not \
             in the warm-up, so their behaviours are called anomalies until a shift adapts them; give a longer --warm-up, kinds of \
             devices in a catalog, or these homes a cohort of their own (--homes)",
            strange.len(),
            names.join(", "),
        ));
    }

    fn say(&self, note: String) {
        let mut said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        said.insert(note);
    }
}

#[cfg(test)]
mod tests {
    use hearth_operators::words::{Action, Catalog, CohortId, Device, Own, Quadruple, Sequence};

    use super::*;

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
