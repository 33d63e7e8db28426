//! What homes' models have learnt, taken out when a run is over, to be used again without a dataflow.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::alarms::{Budget, TailChanges, Tails};
use crate::dataflow::State;
use crate::detect::{Around, HomeDetector, Maintained, Quiet, Raised, Said};
use crate::habits::{Habits, Pooled, Vocabulary};
use crate::models::{Due, HomeModels, Maintenance, Turn};
use crate::pooling::CohortChanges;
use crate::portrait::Portrait;
use crate::shift::Placed;
use crate::state::Form;
use crate::surprise::{Counts, Detector};
use crate::words::{Adjustment, CohortId, HomeId, Score, Shift, ShiftKey, Time};

/// The models of a run's homes, and what their cohorts know.
#[derive(Default)]
pub struct Kept {
    /// By home.
    pub homes: BTreeMap<HomeId, AtRest>,
    /// By cohort.
    pub cohorts: BTreeMap<CohortId, CohortModel>,
}

impl Kept {
    /// What workers held when everything was out.
    pub fn of(states: Vec<State>) -> Self {
        let mut kept = Kept::default();
        for state in states {
            // All workers know the same of cohorts.
            let (detectors, counts, tails) = state.detect.into_parts();
            let (mut models, mut pools) = state.models.into_parts();
            for (cohort, counts) in counts {
                let known = kept.cohorts.entry(cohort).or_default();
                known.counts = counts;
                known.tails = tails.get(&cohort).cloned().unwrap_or_default();
                known.pooled = pools.remove(&cohort).unwrap_or_default();
            }
            for (home, detector) in detectors {
                let models = models.remove(&home).unwrap_or_default();
                kept.homes.insert(home, AtRest { detector, models });
            }
        }
        kept
    }
}

/// A home's model as a worker held it, packed where nobody had asked for it: all homes open take ten times as much.
pub struct AtRest {
    detector: Form<HomeDetector>,
    models: Form<HomeModels>,
}

impl AtRest {
    /// The model itself.
    pub fn open(self) -> HomeModel {
        HomeModel {
            detector: self.detector.open(),
            models: self.models.open(),
        }
    }
}

/// What the homes of a cohort know together.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct CohortModel {
    counts: Counts,
    tails: Tails,
    pooled: Pooled,
}

/// One home's detector, alarms and habits.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct HomeModel {
    detector: Box<HomeDetector>,
    models: Box<HomeModels>,
}

/// What a home's model says of segments that came.
#[derive(Default)]
pub struct Heard {
    /// Of each behaviour.
    pub scores: Vec<Score>,
    /// Alarms that are raised (1) and withdrawn (-1).
    pub alarms: Vec<(Arc<Raised>, i64)>,
    /// What became of what was synthesized.
    pub adjustments: Vec<Adjustment>,
}

/// By what a home's model is used.
pub struct Use<'a> {
    /// How it speaks.
    pub words: &'a Vocabulary<'a>,
    /// How many alarms a person wants to see.
    pub budget: Budget,
    /// As the models were maintained.
    pub maintenance: &'a Maintenance,
}

impl HomeModel {
    /// Judges an epoch's segments and learns them, as the dataflow would have; so does the cohort, as of the next epoch.
    pub fn learn(&mut self, cohort: &mut CohortModel, by: &Use<'_>, placed: Vec<Placed>) -> Heard {
        let placed = self.label(placed);
        let (heard, tails) = self.hear(cohort, by, &placed);
        let mut changes = CohortChanges::default();
        for placed in &placed {
            let diff = placed.diff.signum() as i32;
            changes.add(by.words, &placed.segment, placed.context(), diff);
        }
        cohort.pooled.apply(&changes.predictor);
        cohort.counts.apply(&changes.detector);
        cohort.tails.apply(&tails);
        heard
    }

    /// Judges segments by what is known, and learns nothing.
    pub fn judge(&self, cohort: &CohortModel, by: &Use<'_>, placed: Vec<Placed>) -> Heard {
        let mut all = Heard::default();
        for placed in self.label(placed) {
            let (heard, _) = self.clone().hear(cohort, by, &[placed]);
            all.scores.extend(heard.scores);
            all.alarms.extend(heard.alarms);
        }
        all
    }

    /// Judges and learns; and what that changes in the cohort's tails.
    fn hear(
        &mut self,
        cohort: &CohortModel,
        by: &Use<'_>,
        placed: &[Placed],
    ) -> (Heard, TailChanges) {
        let quiet = Quiet::default();
        let around = Around {
            words: by.words,
            counts: &cohort.counts,
            tails: &cohort.tails,
            budget: by.budget,
            quiet: &quiet,
            lateness: by.maintenance.lateness,
        };
        let updates = placed.iter().map(|placed| Maintained {
            placed: placed.clone(),
            detected: None,
        });
        let mut said = Said::default();
        self.detector.update(&around, updates.collect(), &mut said);
        let turn = Turn {
            epoch: 0,
            regime: None,
        };
        self.models.put(turn, Due::Batch(said.judged));
        let pooled = &cohort.pooled;
        let predicted = self.models.go_on(by.words, |_| pooled, by.maintenance);
        let heard = Heard {
            scores: predicted.scores,
            alarms: said.alarms,
            adjustments: predicted.adjustments,
        };
        (heard, said.tails)
    }

    /// Puts segments into the regime that the home is in.
    fn label(&self, mut placed: Vec<Placed>) -> Vec<Placed> {
        for placed in &mut placed {
            placed.key = ShiftKey {
                home: placed.key.home,
                regime: self.models.regime(),
            };
            placed.began = self.models.began_by().cloned();
        }
        placed
    }

    /// What it does next.
    pub fn habits(&self) -> &Habits {
        self.models.habits()
    }

    /// What it is in the habit of doing.
    pub fn detector(&self) -> &Detector {
        self.detector.detector()
    }

    /// What it knows, with how its alarms stand in its cohort.
    pub fn portrait(&self, cohort: &CohortModel, budget: Budget) -> Portrait {
        Portrait::of(&self.detector, &self.models, &cohort.tails, budget)
    }

    /// The end of its newest segment.
    pub fn newest(&self) -> Option<Time> {
        self.models.newest()
    }

    /// The shift that began its regime; none where it is the first.
    pub fn shift(&self) -> Option<&Shift> {
        self.models.began_by().map(Arc::as_ref)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::habits::{Context, Contribution, Judged};
    use crate::words::{Action, ActionId, Catalog, Catalogs, Device, Moment, Segment};

    /// A home that fills its history, with sixty actions and days of some thirty behaviours: 64 KiB with its detector, 24 packed.
    #[test]
    fn a_full_history_is_small() {
        let actions = (0..60).map(|n| Action::new(format!("{n}")));
        let catalog = Catalog::new(vec![Device::new("All", actions.collect())]).unwrap();
        let catalogs = Catalogs::shared(Arc::new(catalog));
        let words = Vocabulary::new(&catalogs, HomeId(0));
        let (mut habits, mut detector) = (Habits::default(), Detector::default());
        for day in 0..300 {
            let action = |n: u16| (n * (1 + day as u16 % 7)) % 60;
            let moment = |n: u16| Moment {
                time: Time(day * Time::DAY + i64::from(n) * 97 * Time::SECOND),
                action: ActionId(action(n)),
                offset: 60,
            };
            let segment = Segment {
                home: HomeId(0),
                moments: (0..33).map(moment).collect(),
            };
            let judged = Judged {
                steps: Vec::new(),
                contribution: Contribution::default(),
                context: Context::default(),
            };
            habits.learn(&words, &segment, &judged);
            habits.settle(segment.start());
            detector.learn(&words, &segment, 1);
            detector.settle(&words, segment.start());
        }
        assert!(habits.behaviors() > 8_000);
        let open = habits.bytes() + detector.bytes();
        assert!(open <= 64 << 10, "{open} of which {}", habits.bytes());
        let packed = bincode::serialize(&(&habits, &detector)).unwrap().len();
        assert!(packed <= 24 << 10, "{packed}");
    }
}
