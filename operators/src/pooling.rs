//! What segments change in the counts that homes of a cohort share.

use std::collections::BTreeMap;
use std::sync::Arc;

use differential_dataflow::VecCollection;
use serde::{Deserialize, Serialize};
use timely::dataflow::StreamVec;
use timely::dataflow::channels::pact::Pipeline;
use timely::dataflow::operators::generic::Operator;

use crate::habits::{Context, PooledChanges, Vocabulary};
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
    /// A segment comes (`diff` 1) or goes (-1).
    pub fn add(&mut self, words: &Vocabulary<'_>, segment: &Segment, diff: i32) {
        self.predictor.add(words, segment, Context::default(), diff);
        self.detector.add(words, segment, diff);
    }

    fn consolidate(&mut self) {
        self.predictor.consolidate();
        self.detector.consolidate();
    }

    fn is_empty(&self) -> bool {
        self.predictor.is_empty() && self.detector.is_empty()
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
    /// use differential_dataflow::AsCollection;
    /// use hearth_operators::pooling::Pooling;
    /// use hearth_operators::words::*;
    /// use timely::dataflow::operators::{ToStream, capture::{Capture, Extract}};
    ///
    /// let catalog = Catalog::new(vec![Device::new("Fan", vec![Action::new("on")])]).unwrap();
    /// let catalogs = Catalogs::shared(Arc::new(catalog));
    /// let pooled = timely::example(move |scope| {
    ///     let moment = Moment { time: Time(0), action: ActionId(0), offset: 0 };
    ///     let segment = |home| Arc::new(Segment { home: HomeId(home), moments: vec![moment; 2] });
    ///     // One home's comes, another's goes: to the cohort it is the same.
    ///     let updates = vec![(segment(0), 0, 1i64), (segment(1), 0, -1), (segment(2), 1, 1)];
    ///     updates.to_stream(scope).as_collection().pooled(catalogs).capture()
    /// });
    /// let changes: Vec<_> = pooled.extract().into_iter().flat_map(|(epoch, c)| c.into_iter().map(move |c| (epoch, c.0))).collect();
    /// assert_eq!(changes, [(0, CohortId(0))]);
    /// ```
    fn pooled(
        self,
        catalogs: Arc<Catalogs>,
    ) -> StreamVec<'s, Epoch, (CohortId, Arc<CohortChanges>)>;
}

impl<'s> Pooling<'s> for VecCollection<'s, Epoch, Arc<Segment>, i64> {
    fn pooled(
        self,
        catalogs: Arc<Catalogs>,
    ) -> StreamVec<'s, Epoch, (CohortId, Arc<CohortChanges>)> {
        self.inner
            .unary_frontier(Pipeline, "Pooling", move |_capability, _info| {
                let mut buffer = EpochBuffer::<BTreeMap<CohortId, CohortChanges>>::new(1);
                move |(segments, frontier), output| {
                    segments.for_each_stamp(|capability, data| {
                        let Some(cohorts) = buffer.at(&capability) else {
                            return;
                        };
                        for (segment, _, diff) in data.flat_map(std::mem::take) {
                            let cohort = catalogs.cohort_of(segment.home);
                            let words = Vocabulary::new(&catalogs, segment.home);
                            let changes = cohorts.entry(cohort).or_default();
                            changes.add(&words, &segment, diff.signum() as i32);
                        }
                    });
                    while let Some((capabilities, cohorts)) =
                        buffer.next(std::slice::from_ref(frontier))
                    {
                        let consolidated = cohorts.into_iter().map(|(cohort, mut changes)| {
                            changes.consolidate();
                            (cohort, changes)
                        });
                        let changed = consolidated.filter(|(_, changes)| !changes.is_empty());
                        output
                            .session(&capabilities[0])
                            .give_iterator(changed.map(|(cohort, c)| (cohort, Arc::new(c))));
                    }
                }
            })
    }
}
