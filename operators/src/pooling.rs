//! What segments change in the counts that homes of a cohort share.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use timely::dataflow::StreamVec;
use timely::dataflow::channels::pact::Pipeline;
use timely::dataflow::operators::generic::Operator;

use crate::habits::{Context, PooledChanges, Vocabulary};
use crate::shift::Placed;
use crate::state::EpochBuffer;
use crate::surprise::Changes;
use crate::words::{Catalogs, CohortId, Epoch, Segment};

/// What segments change in what the homes of a cohort know together.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CohortChanges {
    /// For predictors.
    pub predictor: PooledChanges,
    /// For detectors.
    pub detector: Changes,
}

impl CohortChanges {
    /// A segment comes (`diff` 1) or goes (-1), in a context.
    pub fn add(&mut self, words: &Vocabulary<'_>, segment: &Segment, context: Context, diff: i32) {
        self.predictor.add(words, segment, context, diff);
        self.detector.add(words, segment, diff);
    }

    fn consolidate(&mut self) {
        self.predictor.consolidate();
        self.detector.consolidate();
    }

    fn is_empty(&self) -> bool {
        self.predictor.is_empty() && self.detector.is_empty()
    }

    /// Single changes, which may cancel or belong together.
    fn len(&self) -> usize {
        self.predictor.len() + self.detector.len()
    }
}

/// Changes that are not consolidated before there are so many, and as many again.
const LOOSE: usize = 1 << 18;

/// The changes of an epoch that still comes: what many homes do alike is counted once in good time, or an epoch in which all of
/// them end their days would take what all of these take.
#[derive(Default)]
struct Growing {
    changes: CohortChanges,
    /// How many there were when they were consolidated last.
    consolidated: usize,
}

impl Growing {
    fn add(&mut self, words: &Vocabulary<'_>, placed: &Placed) {
        let diff = placed.diff.signum() as i32;
        let context = placed.context();
        self.changes.add(words, &placed.segment, context, diff);
        if self.changes.len() > 2 * self.consolidated + LOOSE {
            self.changes.consolidate();
            self.consolidated = self.changes.len();
        }
    }

    fn done(mut self) -> CohortChanges {
        self.changes.consolidate();
        self.changes
    }
}

/// Pools segments.
pub trait Pooling<'s> {
    /// Emits, once an epoch and worker, how the epoch's segments change the pooled counts of each cohort.
    ///
    /// No state: the changes are consolidated here, summed by whoever keeps the counts
    /// ([`Detect`](crate::detect::Detect) and [`Models`](crate::models::Models), which want them broadcast). Cost per behaviour: its share of a sort.
    ///
    /// # Examples
    /// ```
    /// use std::sync::Arc;
    /// use hearth_operators::pooling::Pooling;
    /// use hearth_operators::shift::Placed;
    /// use hearth_operators::words::*;
    /// use timely::dataflow::operators::{ToStream, capture::{Capture, Extract}, vec::Map};
    ///
    /// let catalog = Catalog::new(vec![Device::new("Fan", vec![Action::new("on")])]).unwrap();
    /// let catalogs = Catalogs::shared(Arc::new(catalog));
    /// let pooled = timely::example(move |scope| {
    ///     let moment = Moment { time: Time(0), action: ActionId(0), offset: 0 };
    ///     let placed = |home, diff| Placed {
    ///         key: ShiftKey { home: HomeId(home), regime: 0 },
    ///         began: None,
    ///         segment: Arc::new(Segment { home: HomeId(home), moments: vec![moment; 2] }),
    ///         diff,
    ///     };
    ///     // One home's comes, another's goes: to the cohort these two are the same.
    ///     vec![placed(0, 1), placed(1, -1), placed(2, 1)].to_stream(scope).pooled(catalogs).map(|(cohort, _)| cohort).capture()
    /// });
    /// assert_eq!(pooled.extract(), [(0, vec![CohortId(0)])]);
    /// ```
    fn pooled(
        self,
        catalogs: Arc<Catalogs>,
    ) -> StreamVec<'s, Epoch, (CohortId, Arc<CohortChanges>)>;
}

impl<'s> Pooling<'s> for StreamVec<'s, Epoch, Placed> {
    fn pooled(
        self,
        catalogs: Arc<Catalogs>,
    ) -> StreamVec<'s, Epoch, (CohortId, Arc<CohortChanges>)> {
        self.unary_frontier(Pipeline, "Pooling", move |_capability, _info| {
            let mut buffer = EpochBuffer::<BTreeMap<CohortId, Growing>>::new(1);
            move |(segments, frontier), output| {
                segments.for_each_stamp(|capability, data| {
                    let Some(cohorts) = buffer.at(&capability) else {
                        return;
                    };
                    for placed in data.flat_map(std::mem::take) {
                        let home = placed.key.home;
                        let words = Vocabulary::new(&catalogs, home);
                        let growing = cohorts.entry(catalogs.cohort_of(home)).or_default();
                        growing.add(&words, &placed);
                    }
                });
                while let Some((capabilities, cohorts)) =
                    buffer.next(std::slice::from_ref(frontier))
                {
                    let done = cohorts
                        .into_iter()
                        .map(|(cohort, growing)| (cohort, growing.done()));
                    let changed = done.filter(|(_, changes)| !changes.is_empty());
                    output
                        .session(&capabilities[0])
                        .give_iterator(changed.map(|(cohort, c)| (cohort, Arc::new(c))));
                }
            }
        })
    }
}
