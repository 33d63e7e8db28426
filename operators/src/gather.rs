//! Gathers the candidates of a shift: the filter judges them together.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use timely::dataflow::StreamVec;
use timely::dataflow::channels::pact::{Exchange, Pipeline};
use timely::dataflow::operators::Capability;
use timely::dataflow::operators::generic::Operator;

use crate::state::{Held, Stateful};
use crate::validate::Answered;
use crate::words::{Candidates, Catalogs, CohortId, Epoch, Foundation, ShiftKey};

/// Gathers candidates.
pub trait Gather<'s> {
    /// Emits a shift's candidates, in order of request and position, once all its requests are answered and the
    /// foundation of its home's cohort (broadcast) is there. A home waits for its own answers alone.
    ///
    /// State per home: the answers of its open shifts. Cost per answer: constant.
    ///
    /// # Examples
    /// ```
    /// use std::sync::Arc;
    /// use hearth_operators::gather::Gather;
    /// use hearth_operators::state::Held;
    /// use hearth_operators::validate::Answered;
    /// use hearth_operators::words::*;
    /// use timely::dataflow::operators::{ToStream, capture::{Capture, Extract}, vec::Map};
    ///
    /// let weights = Weights(Arc::new(vec![]));
    /// let cohort = CohortId(0);
    /// let foundation = Arc::new(Foundation { cohort, encoder: weights, models: None, counts: vec![] });
    /// let shift = Shift { home: None, time: Time(0), offset: 0,
    ///     kind: ShiftKind::Season, from: "winter".into(), to: "spring".into() };
    /// let regime = Arc::new(Regime { shift, source: vec![], target: vec![] });
    /// let answered = move |weekday| {
    ///     let key = RequestKey { shift: ShiftKey { home: HomeId(0), regime: 0 }, weekday, part: 0 };
    ///     let request = Request { key, parts: 1, requests: 2, representatives: vec![],
    ///         hints: Default::default(), regime: regime.clone() };
    ///     let quadruple = Quadruple { weekday, hours: 0, action: ActionId(0) };
    ///     let candidate = Candidate { request: key, position: 0, sequence: Sequence(vec![quadruple]) };
    ///     Answered { request: Arc::new(request), candidates: vec![candidate] }
    /// };
    /// let gathered = timely::example(move |scope| {
    ///     let foundation = vec![foundation].to_stream(scope);
    ///     let catalogs = Catalogs::shared(Default::default());
    ///     vec![answered(4), answered(2)].to_stream(scope).gather(foundation, catalogs, Held::default())
    ///         .map(|c| c.candidates).capture()
    /// });
    /// let candidates = gathered.extract().remove(0).1.remove(0);
    /// assert_eq!(candidates.iter().map(|c| c.request.weekday).collect::<Vec<_>>(), [2, 4]);
    /// ```
    fn gather(
        self,
        foundation: StreamVec<'s, Epoch, Arc<Foundation>>,
        catalogs: Arc<Catalogs>,
        state: Held<GatherState>,
    ) -> StreamVec<'s, Epoch, Candidates>;
}

/// The answers to a shift's requests so far, all of one epoch.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Shift {
    epoch: Epoch,
    answers: Vec<Answered>,
}

impl Shift {
    fn is_complete(&self) -> bool {
        let wanted = self.answers.first().map_or(1, |a| a.request.requests);
        self.answers.len() >= usize::from(wanted)
    }

    fn candidates(mut self, key: ShiftKey, foundation: Arc<Foundation>) -> Option<Candidates> {
        self.answers.sort_by_key(|a| a.request.key);
        let regime = self.answers.first()?.request.regime.clone();
        let candidates = self.answers.into_iter().flat_map(|a| a.candidates);
        Some(Candidates {
            key,
            regime,
            candidates: candidates.collect(),
            foundation,
        })
    }
}

/// What gathering holds.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct GatherState {
    open: BTreeMap<ShiftKey, Shift>,
    foundations: BTreeMap<CohortId, Arc<Foundation>>,
}

impl Stateful for GatherState {}

impl GatherState {
    pub(crate) fn deal(self, to: &mut [&mut Self]) {
        let workers = to.len();
        for worker in to.iter_mut() {
            worker.foundations.extend(self.foundations.clone());
        }
        for (key, shift) in self.open {
            let home = key.home.0 as usize;
            to[home % workers].open.insert(key, shift);
        }
    }

    /// Takes out a shift's candidates, once they are all there.
    fn take(&mut self, key: ShiftKey, cohort: CohortId) -> Option<Candidates> {
        let foundation = self.foundations.get(&cohort)?;
        self.open.get(&key).filter(|shift| shift.is_complete())?;
        let shift = self.open.remove(&key)?;
        shift.candidates(key, foundation.clone())
    }
}

impl<'s> Gather<'s> for StreamVec<'s, Epoch, Answered> {
    fn gather(
        self,
        foundation: StreamVec<'s, Epoch, Arc<Foundation>>,
        catalogs: Arc<Catalogs>,
        state: Held<GatherState>,
    ) -> StreamVec<'s, Epoch, Candidates> {
        let scope = self.scope();
        let by_home = Exchange::new(|a: &Answered| u64::from(a.request.key.shift.home.0));
        self.binary(
            foundation,
            by_home,
            Pipeline,
            "Gather",
            move |initial, info| {
                state.wake(scope, info.address);
                let at = |(key, shift): (&ShiftKey, &Shift)| (*key, initial.delayed(&shift.epoch));
                let mut capabilities: BTreeMap<ShiftKey, Capability<Epoch>> =
                    state.borrow_mut().open.iter().map(at).collect();
                drop(initial);
                // Shifts that may be complete.
                let mut touched: BTreeSet<ShiftKey> = capabilities.keys().copied().collect();
                move |answers, foundation, output| {
                    let mut held = state.borrow_mut();
                    foundation.for_each_stamp(|_capability, data| {
                        let foundations = data.flat_map(std::mem::take);
                        held.foundations.extend(foundations.map(|f| (f.cohort, f)));
                        touched.extend(capabilities.keys());
                    });
                    answers.for_each_stamp(|capability, data| {
                        let Some(capability) = capability.retain_least(output.output_index())
                        else {
                            return;
                        };
                        for answered in data.flat_map(std::mem::take) {
                            let key = answered.request.key.shift;
                            let epoch = *capability.time();
                            let answers = Vec::new();
                            let shift = held.open.entry(key).or_insert(Shift { epoch, answers });
                            shift.answers.push(answered);
                            capabilities
                                .entry(key)
                                .or_insert_with(|| capability.clone());
                            touched.insert(key);
                        }
                    });
                    while state.is_running()
                        && let Some(key) = touched.pop_first()
                    {
                        if let Some(candidates) = held.take(key, catalogs.cohort_of(key.home))
                            && let Some(capability) = capabilities.remove(&key)
                        {
                            output.session(&capability).give(candidates);
                        }
                    }
                    if state.is_released() {
                        capabilities.clear();
                    }
                }
            },
        )
    }
}
