//! Scores segments with their home's live models, and keeps the better of a new version and its shadow.

mod home;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use differential_dataflow::VecCollection;
use serde::{Deserialize, Serialize};
use timely::dataflow::StreamVec;
use timely::dataflow::channels::pact::{Exchange, Pipeline};
use timely::dataflow::operators::Capability;
use timely::dataflow::operators::generic::OutputBuilder;
use timely::dataflow::operators::generic::builder_rc::OperatorBuilder;

use crate::outside::{Inquiries, Outside};
use crate::state::{Buffered, EpochBuffer, Held, Homes, Stateful, Visit, each_epoch, first_open};
use crate::words::{
    ActionId, Adaptation, Adjustment, Catalogs, CohortId, Epoch, Foundation, HomeId, Score,
    Segment, ShiftKey, Version,
};
use home::HomeModels;

/// What the models are asked: to judge segments. The first version of each task is live, a second one its shadow.
#[derive(Clone, Debug)]
pub struct ToScore {
    /// Segments of one home, in event-time order.
    pub segments: Vec<Arc<Segment>>,
    /// One or two versions.
    pub detectors: Vec<Version>,
    /// One or two versions.
    pub predictors: Vec<Version>,
}

/// What the models say of one behaviour.
#[derive(Clone, Debug, PartialEq)]
pub struct Judged {
    /// The loss of each detector.
    pub losses: Vec<f32>,
    /// The surprisal (−ln p of what happened) of each predictor.
    pub surprisals: Vec<f32>,
    /// The live predictor's most probable actions, best first.
    pub predictions: Vec<(ActionId, f32)>,
}

/// The answer to [`ToScore`]: by segment, by behaviour.
pub type Judgement = Vec<Vec<Judged>>;

/// What scores segments.
#[derive(Clone)]
pub struct Scorer {
    /// Which cohort's models a home begins with.
    pub catalogs: Arc<Catalogs>,
    /// Who knows the models.
    pub models: Arc<dyn Outside<ToScore, Judgement>>,
    /// Segments after which a version on trial is judged.
    pub trial: u32,
    /// How many questions a worker has out at a time.
    pub limit: usize,
}

/// The streams that [`Scoring::score`] maintains.
pub struct ScoreStreams<'s> {
    /// A score per behaviour of each segment that came; a revised segment is scored again.
    pub scores: StreamVec<'s, Epoch, Score>,
    /// What became of versions that were on trial.
    pub adjustments: StreamVec<'s, Epoch, Adjustment>,
}

/// Scores segments.
pub trait Scoring<'s> {
    /// Scores each segment of epoch `e` by the versions that follow from its own home's requests of epochs before `e`
    /// (aligned): a home waits for its own answers alone, and the result does not depend on how long they take.
    ///
    /// A home's models are its cohort's `foundation` (broadcast) until its first adaptation; segments that come before
    /// the foundation are not scored. After an adaptation both the new version and the one before score the segments
    /// that follow; after [`Scorer::trial`] of them the one of lower mean loss is kept. The models are asked outside, one
    /// question per home at a time, at most [`Scorer::limit`] of a worker.
    ///
    /// State per home: its live versions, their shadows with both losses so far, and what waits. Cost per segment: a question.
    ///
    /// # Examples
    /// ```
    /// use std::sync::Arc;
    /// use differential_dataflow::AsCollection;
    /// use hearth_operators::outside::Answer;
    /// use hearth_operators::score::*;
    /// use hearth_operators::state::Held;
    /// use hearth_operators::words::*;
    /// use timely::dataflow::operators::{Input, capture::{Capture, Extract}, vec::Map};
    ///
    /// // Models that find everything equally strange.
    /// let models = |ask: ToScore, answer: Answer<Judgement>| {
    ///     let judged = Judged { losses: vec![0.5], surprisals: vec![1.0], predictions: vec![] };
    ///     answer.send(ask.segments.iter().map(|s| vec![judged.clone(); s.moments.len()]).collect());
    /// };
    /// let scores = timely::execute_directly(move |worker| {
    ///     let (mut segments, mut foundation, scores) = worker.dataflow(|scope| {
    ///         let (catalogs, models) = (Catalogs::shared(Default::default()), Arc::new(models));
    ///         let scorer = Scorer { catalogs, models, trial: 20, limit: 4 };
    ///         let (input, segments) = scope.new_input::<Vec<_>>();
    ///         let (give, foundation) = scope.new_input::<Vec<_>>();
    ///         let (_, requests) = scope.new_input::<Vec<_>>();
    ///         let (_, adaptations) = scope.new_input::<Vec<_>>();
    ///         let scores = segments.as_collection()
    ///             .score(requests, adaptations, foundation, scorer, Held::default()).scores.map(|score| score.anomaly()).capture();
    ///         (input, give, scores)
    ///     });
    ///     let weights = Weights(Arc::new(vec![]));
    ///     let version = Version { number: 0, weights: weights.clone(), threshold: 0.4 };
    ///     let cohort = CohortId(0);
    ///     let models = Some(FirstModels { detector: version.clone(), predictor: version });
    ///     let base = Foundation { cohort, encoder: weights, models, counts: vec![] };
    ///     foundation.send(Arc::new(base));
    ///     let moment = Moment { time: Time(0), action: ActionId(0), offset: 0 };
    ///     segments.advance_to(1);
    ///     segments.send((Arc::new(Segment { home: HomeId(0), moments: vec![moment] }), 1, 1i64));
    ///     scores
    /// });
    /// assert_eq!(scores.extract()[0].1, [true]);
    /// ```
    fn score(
        self,
        requests: StreamVec<'s, Epoch, ShiftKey>,
        adaptations: StreamVec<'s, Epoch, Adaptation>,
        foundation: StreamVec<'s, Epoch, Arc<Foundation>>,
        scorer: Scorer,
        state: Held<ScoreState>,
    ) -> ScoreStreams<'s>;
}

/// What scoring holds.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct ScoreState {
    homes: Homes<Option<Box<HomeModels>>>,
    /// Each cohort's models, with the epoch in which they came.
    foundations: BTreeMap<CohortId, (Epoch, Arc<Foundation>)>,
    /// Segments of epochs that are still open.
    open: Buffered<Vec<Arc<Segment>>>,
}

impl Stateful for ScoreState {
    fn visit(&mut self, operator: &'static str, visitor: &mut impl Visit) {
        visitor.in_pieces(operator, self, |state| &mut state.homes);
    }
}

impl ScoreState {
    pub(crate) fn deal(self, to: &mut [&mut Self]) {
        let workers = to.len();
        for worker in to.iter_mut() {
            worker.foundations.extend(self.foundations.clone());
        }
        for (epoch, segments) in self.open {
            for segment in segments {
                let worker = &mut to[segment.home.0 as usize % workers];
                worker.open.entry(epoch).or_default().push(segment);
            }
        }
        self.homes
            .deal(to.iter_mut().map(|worker| &mut worker.homes));
    }

    fn of(&mut self, home: HomeId) -> &mut HomeModels {
        self.homes.of(home).get_or_insert_default()
    }

    /// First models came.
    fn found(&mut self, epoch: Epoch, foundations: impl Iterator<Item = Arc<Foundation>>) {
        let foundations = foundations.map(|f| (f.cohort, (epoch, f)));
        self.foundations.extend(foundations);
    }

    /// Requests went out.
    fn opened(&mut self, epoch: Epoch, requests: impl Iterator<Item = ShiftKey>) {
        requests.for_each(|key| self.of(key.home).open(epoch, key.regime));
    }

    /// Answers came.
    fn arrived(&mut self, epoch: Epoch, adaptations: impl Iterator<Item = Adaptation>) {
        adaptations.for_each(|a| self.of(a.key.home).arrive(epoch, a));
    }
}

/// A batch that is being judged.
struct Batch {
    home: HomeId,
    capabilities: Vec<Capability<Epoch>>,
    segments: Vec<Arc<Segment>>,
}

/// The batches that wait, in the order in which they can be judged.
struct Queue {
    /// By home and epoch.
    capabilities: BTreeMap<(HomeId, Epoch), Vec<Capability<Epoch>>>,
    /// Each home's first waiting epoch, unless that is being judged.
    next: BTreeSet<(Epoch, HomeId)>,
    /// Those of them whose home waits for an answer.
    blocked: BTreeSet<(Epoch, HomeId)>,
}

impl Queue {
    /// What waited when the state was taken out waits again.
    fn restored(state: &ScoreState, initial: &[Capability<Epoch>]) -> Self {
        let mut queue = Queue {
            capabilities: BTreeMap::new(),
            next: BTreeSet::new(),
            blocked: BTreeSet::new(),
        };
        for (home, models) in state.homes.iter() {
            let Some(models) = models else { continue };
            queue.next.extend(models.next().map(|epoch| (epoch, home)));
            for epoch in models.waiting() {
                let at = initial.iter().map(|c| c.delayed(&epoch)).collect();
                queue.capabilities.insert((home, epoch), at);
            }
        }
        queue
    }

    /// Takes in a complete epoch's segments.
    fn add(
        &mut self,
        state: &mut ScoreState,
        mut segments: Vec<Arc<Segment>>,
        capabilities: &[Capability<Epoch>],
    ) {
        let epoch = *capabilities[0].time();
        segments.sort();
        for segments in segments.chunk_by(|a, b| a.home == b.home) {
            let home = segments[0].home;
            if state.of(home).wait(epoch, segments.to_vec()) {
                self.next.insert((epoch, home));
            }
            let at = capabilities.to_vec();
            self.capabilities.insert((home, epoch), at);
        }
    }

    /// Takes a batch's judgement: its scores, and what it decides. The home's next batch may be judged.
    fn judged(
        &mut self,
        state: &mut ScoreState,
        batch: &Batch,
        judgement: &Judgement,
        trial: u32,
    ) -> (Vec<Score>, Vec<Adjustment>) {
        let models = state.of(batch.home);
        let judged = models.judged(&batch.segments, judgement, trial);
        let next = models.next().map(|epoch| (epoch, batch.home));
        self.next.extend(next);
        judged
    }

    /// While the dataflow is suspended: what was being judged waits again, and no capability is kept.
    fn release(&mut self, state: &mut ScoreState, out: impl Iterator<Item = Batch>) {
        for batch in out {
            let epoch = *batch.capabilities[0].time();
            state.of(batch.home).put_back(epoch, batch.segments);
        }
        self.capabilities.clear();
    }

    /// Takes out a batch that can be judged, with its question. Epoch e can once all requests of earlier epochs, and a
    /// foundation of one, are known (`bound`), and its home waits for no answer (none can come before `answered`).
    fn pop(
        &mut self,
        state: &mut ScoreState,
        catalogs: &Catalogs,
        bound: Epoch,
        answered: Epoch,
    ) -> Option<(Batch, ToScore)> {
        while let Some(&(epoch, home)) = self.next.first()
            && epoch <= bound
        {
            self.next.remove(&(epoch, home));
            let foundation = state.foundations.get(&catalogs.cohort_of(home)).cloned();
            let models = state.of(home);
            if epoch > answered && models.waits_for_answer(epoch) {
                self.blocked.insert((epoch, home));
                continue;
            }
            let segments = models.take(epoch);
            let Some(capabilities) = self.capabilities.remove(&(home, epoch)) else {
                continue;
            };
            let known = foundation.filter(|(since, _)| *since < epoch);
            let first = known.and_then(|(_, foundation)| foundation.models.clone());
            let Some(first) = first else {
                self.next.extend(models.next().map(|epoch| (epoch, home)));
                continue;
            };
            let question = models.question(epoch, segments.clone(), &first);
            let batch = Batch {
                home,
                capabilities,
                segments,
            };
            return Some((batch, question));
        }
        None
    }
}

impl<'s> Scoring<'s> for VecCollection<'s, Epoch, Arc<Segment>, i64> {
    fn score(
        self,
        requests: StreamVec<'s, Epoch, ShiftKey>,
        adaptations: StreamVec<'s, Epoch, Adaptation>,
        foundation: StreamVec<'s, Epoch, Arc<Foundation>>,
        scorer: Scorer,
        held: Held<ScoreState>,
    ) -> ScoreStreams<'s> {
        let scope = self.inner.scope();
        let (index, peers) = (scope.index(), scope.peers());
        let mut builder = OperatorBuilder::new("Score".to_owned(), scope);
        let address = builder.operator_info().address;
        let activator = scope.worker().sync_activator_for(address.to_vec());
        held.wake(scope, address);
        let mut segments = builder.new_input(self.inner, Pipeline);
        let mut requests =
            builder.new_input(requests, Exchange::new(|k: &ShiftKey| u64::from(k.home.0)));
        let by_home = Exchange::new(|a: &Adaptation| u64::from(a.key.home.0));
        let mut adaptations = builder.new_input(adaptations, by_home);
        let mut foundation = builder.new_input(foundation, Pipeline);
        let (output, scores) = builder.new_output::<Vec<_>>();
        let mut scores_out = OutputBuilder::from(output);
        let (output, adjustments) = builder.new_output::<Vec<_>>();
        let mut adjustments_out = OutputBuilder::from(output);

        builder.build(move |initial| {
            held.borrow_mut().homes.settle(index, peers);
            let open = std::mem::take(&mut held.borrow_mut().open);
            let mut buffer = EpochBuffer::<Vec<Arc<Segment>>>::restored(open, &initial);
            let mut queue = Queue::restored(&held.borrow_mut(), &initial);
            let mut inquiries = Inquiries::new(scorer.models, scorer.limit, activator);
            drop(initial);
            move |frontiers| {
                let state = &mut *held.borrow_mut();
                each_epoch(&mut foundation, |epoch, came| state.found(epoch, came));
                each_epoch(&mut requests, |epoch, came| state.opened(epoch, came));
                each_epoch(&mut adaptations, |epoch, came| state.arrived(epoch, came));
                segments.for_each_stamp(|capability, data| {
                    if let Some(waiting) = buffer.at(&capability) {
                        let came = data.flat_map(std::mem::take);
                        waiting.extend(came.filter_map(|(s, _, diff)| (diff > 0).then_some(s)));
                    }
                });
                while held.is_running()
                    && let Some((capabilities, segments)) = buffer.next(&frontiers[..1])
                {
                    queue.add(state, segments, &capabilities);
                }

                let mut scores = scores_out.activate();
                let mut adjustments = adjustments_out.activate();
                while let Some((batch, judgement)) = inquiries.answer() {
                    // A question without an answer ends the run; its segments have no score.
                    let judgement = judgement.unwrap_or_default();
                    let (lines, decided) = queue.judged(state, &batch, &judgement, scorer.trial);
                    let at = &batch.capabilities;
                    scores.session(&at[0]).give_iterator(lines.into_iter());
                    let mut session = adjustments.session(&at[1]);
                    session.give_iterator(decided.into_iter());
                }
                let bound = first_open(&frontiers[1]).min(first_open(&frontiers[3]));
                let answered = first_open(&frontiers[2]);
                queue.next.append(&mut queue.blocked);
                while held.is_running()
                    && let Some((batch, question)) =
                        queue.pop(state, &scorer.catalogs, bound, answered)
                {
                    inquiries.ask(batch, question);
                }
                if held.is_released() {
                    queue.release(state, inquiries.abandon());
                    buffer.release(&mut state.open, Extend::extend);
                }
            }
        });
        ScoreStreams {
            scores,
            adjustments,
        }
    }
}
