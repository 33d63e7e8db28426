//! Gathers the candidates of a shift: the filter judges them together.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use timely::dataflow::StreamVec;
use timely::dataflow::channels::pact::{Exchange, Pipeline};
use timely::dataflow::operators::Capability;
use timely::dataflow::operators::generic::Operator;

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
    /// use hearth_operators::validate::Answered;
    /// use hearth_operators::words::*;
    /// use timely::dataflow::operators::{ToStream, capture::{Capture, Extract}, vec::Map};
    ///
    /// let weights = Weights(Arc::new(vec![]));
    /// let version = Version { number: 0, weights: weights.clone(), threshold: 1.0 };
    /// let cohort = CohortId(0);
    /// let foundation = Arc::new(Foundation { cohort, encoder: weights, detector: version.clone(), predictor: version });
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
    ///     vec![answered(4), answered(2)].to_stream(scope).gather(foundation, catalogs)
    ///         .map(|c| c.candidates).capture()
    /// });
    /// let candidates = gathered.extract().remove(0).1.remove(0);
    /// assert_eq!(candidates.iter().map(|c| c.request.weekday).collect::<Vec<_>>(), [2, 4]);
    /// ```
    fn gather(
        self,
        foundation: StreamVec<'s, Epoch, Arc<Foundation>>,
        catalogs: Arc<Catalogs>,
    ) -> StreamVec<'s, Epoch, Candidates>;
}

/// The answers to a shift's requests so far, and the right to go on with them.
struct Open {
    capability: Capability<Epoch>,
    answers: Vec<Answered>,
}

impl Open {
    fn complete(&self) -> bool {
        let wanted = self.answers.first().map_or(1, |a| a.request.requests);
        self.answers.len() >= usize::from(wanted)
    }

    fn candidates(mut self, key: ShiftKey, foundation: Arc<Foundation>) -> Option<Candidates> {
        self.answers.sort_by_key(|a| a.request.key);
        let regime = self.answers.first()?.request.regime.clone();
        let candidates = self
            .answers
            .into_iter()
            .flat_map(|a| a.candidates)
            .collect();
        Some(Candidates {
            key,
            regime,
            candidates,
            foundation,
        })
    }
}

impl<'s> Gather<'s> for StreamVec<'s, Epoch, Answered> {
    fn gather(
        self,
        foundation: StreamVec<'s, Epoch, Arc<Foundation>>,
        catalogs: Arc<Catalogs>,
    ) -> StreamVec<'s, Epoch, Candidates> {
        let by_home = Exchange::new(|a: &Answered| u64::from(a.request.key.shift.home.0));
        self.binary(
            foundation,
            by_home,
            Pipeline,
            "Gather",
            |_capability, _info| {
                let mut open: BTreeMap<ShiftKey, Open> = BTreeMap::new();
                let mut known: HashMap<CohortId, Arc<Foundation>> = HashMap::new();
                move |answers, foundation, output| {
                    let mut ready = Vec::new();
                    foundation.for_each_stamp(|_capability, data| {
                        for foundation in data.flat_map(std::mem::take) {
                            known.insert(foundation.cohort, foundation);
                            ready
                                .extend(open.iter().filter(|(_, o)| o.complete()).map(|(k, _)| *k));
                        }
                    });
                    answers.for_each_stamp(|capability, data| {
                        for answered in data.flat_map(std::mem::take) {
                            let key = answered.request.key.shift;
                            let Some(capability) = capability.retain_least(output.output_index())
                            else {
                                continue;
                            };
                            let answers = Vec::new();
                            let open = open.entry(key).or_insert(Open {
                                capability,
                                answers,
                            });
                            open.answers.push(answered);
                            if open.complete() {
                                ready.push(key);
                            }
                        }
                    });
                    for key in ready {
                        let Some(foundation) = known.get(&catalogs.cohort_of(key.home)) else {
                            continue;
                        };
                        let Some(shift) = open.remove(&key) else {
                            continue;
                        };
                        let capability = shift.capability.clone();
                        if let Some(candidates) = shift.candidates(key, foundation.clone()) {
                            output.session(&capability).give(candidates);
                        }
                    }
                }
            },
        )
    }
}
