//! Scores segments with their home's live models, and keeps the better of a new version and its shadow.

mod home;

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use differential_dataflow::VecCollection;
use timely::dataflow::StreamVec;
use timely::dataflow::channels::pact::{Exchange, Pipeline};
use timely::dataflow::operators::Capability;
use timely::dataflow::operators::generic::OutputBuilder;
use timely::dataflow::operators::generic::builder_rc::OperatorBuilder;

use crate::offload::{Desk, Outside};
use crate::stash::{Stash, first_open};
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
    /// that follow; after `trial` of them the one of lower mean loss is kept. The models are asked outside, one
    /// question per home at a time.
    ///
    /// State per home: its live versions, their shadows with both losses so far, and what waits. Cost per segment: a question.
    ///
    /// # Examples
    /// ```
    /// use std::sync::Arc;
    /// use differential_dataflow::AsCollection;
    /// use hearth_operators::offload::Answer;
    /// use hearth_operators::score::*;
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
    ///         let (input, segments) = scope.new_input::<Vec<_>>();
    ///         let (give, foundation) = scope.new_input::<Vec<_>>();
    ///         let (_, requests) = scope.new_input::<Vec<_>>();
    ///         let (_, adaptations) = scope.new_input::<Vec<_>>();
    ///         let (catalogs, models) = (Catalogs::shared(Default::default()), Arc::new(models));
    ///         let scorer = Scorer { catalogs, models, trial: 20, limit: 4 };
    ///         let scores = segments.as_collection()
    ///             .score(requests, adaptations, foundation, scorer).scores.map(|score| score.anomaly()).capture();
    ///         (input, give, scores)
    ///     });
    ///     let weights = Weights(Arc::new(vec![]));
    ///     let version = Version { number: 0, weights: weights.clone(), threshold: 0.4 };
    ///     let cohort = CohortId(0);
    ///     let base = Foundation { cohort, encoder: weights, detector: version.clone(), predictor: version };
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
    ) -> ScoreStreams<'s>;
}

/// A batch that is being judged.
struct Batch {
    home: HomeId,
    capabilities: Vec<Capability<Epoch>>,
    segments: Vec<Arc<Segment>>,
}

impl<'s> Scoring<'s> for VecCollection<'s, Epoch, Arc<Segment>, i64> {
    fn score(
        self,
        requests: StreamVec<'s, Epoch, ShiftKey>,
        adaptations: StreamVec<'s, Epoch, Adaptation>,
        foundation: StreamVec<'s, Epoch, Arc<Foundation>>,
        scorer: Scorer,
    ) -> ScoreStreams<'s> {
        let Scorer {
            catalogs,
            models,
            trial,
            limit,
        } = scorer;
        let worker = self.inner.scope().worker();
        let mut builder = OperatorBuilder::new("Score".to_owned(), self.inner.scope());
        let activator = worker.sync_activator_for(builder.operator_info().address.to_vec());
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

        builder.build(move |_capabilities| {
            let mut stash = Stash::<Vec<Arc<Segment>>>::new(2);
            let mut desk: Desk<Batch, ToScore, Judgement> = Desk::new(models, limit, activator);
            let mut homes: HashMap<HomeId, HomeModels> = HashMap::new();
            // The capabilities of batches that wait, which serialisable state cannot hold.
            let mut rights: HashMap<(HomeId, Epoch), Vec<Capability<Epoch>>> = HashMap::new();
            // Each home's first waiting epoch, unless that is being judged.
            let mut next: BTreeSet<(Epoch, HomeId)> = BTreeSet::new();
            let mut blocked: BTreeSet<(Epoch, HomeId)> = BTreeSet::new();
            let mut bases: HashMap<CohortId, (Epoch, Arc<Foundation>)> = HashMap::new();
            move |frontiers| {
                foundation.for_each_stamp(|capability, data| {
                    let Some(&epoch) = capability.least() else {
                        return;
                    };
                    for foundation in data.flat_map(std::mem::take) {
                        bases.insert(foundation.cohort, (epoch, foundation));
                    }
                });
                requests.for_each_stamp(|capability, data| {
                    let Some(&epoch) = capability.least() else {
                        return;
                    };
                    for key in data.flat_map(std::mem::take) {
                        let home = homes.entry(key.home).or_default();
                        home.open(epoch, key.regime);
                    }
                });
                adaptations.for_each_stamp(|capability, data| {
                    let Some(&epoch) = capability.least() else {
                        return;
                    };
                    for adaptation in data.flat_map(std::mem::take) {
                        let home = homes.entry(adaptation.key.home).or_default();
                        home.arrive(epoch, adaptation);
                    }
                });
                segments.for_each_stamp(|capability, data| {
                    if let Some(waiting) = stash.at(&capability) {
                        let came = data
                            .flat_map(std::mem::take)
                            .filter(|(_, _, diff)| *diff > 0);
                        waiting.extend(came.map(|(segment, _, _)| segment));
                    }
                });
                while let Some((capabilities, mut batch)) = stash.next(&frontiers[..1]) {
                    let epoch = *capabilities[0].time();
                    batch.sort();
                    for segments in batch.chunk_by(|a, b| a.home == b.home) {
                        let home = segments[0].home;
                        let state = homes.entry(home).or_default();
                        if state.wait(epoch, segments.to_vec()) {
                            next.insert((epoch, home));
                        }
                        rights.insert((home, epoch), capabilities.clone());
                    }
                }

                let mut scores = scores_out.activate();
                let mut adjustments = adjustments_out.activate();
                while let Some((batch, judgement)) = desk.answer() {
                    let Some(state) = homes.get_mut(&batch.home) else {
                        continue;
                    };
                    // A question without an answer ends the run; its segments have no score.
                    let judgement = judgement.unwrap_or_default();
                    let (lines, decided) = state.judged(&batch.segments, &judgement, trial);
                    scores
                        .session(&batch.capabilities[0])
                        .give_iterator(lines.into_iter());
                    adjustments
                        .session(&batch.capabilities[1])
                        .give_iterator(decided.into_iter());
                    if let Some(epoch) = state.next() {
                        next.insert((epoch, batch.home));
                    }
                }

                // Epoch e can be judged once all requests of earlier epochs, and a foundation of one, are known.
                let bound = first_open(&frontiers[1]).min(first_open(&frontiers[3]));
                let answered = first_open(&frontiers[2]);
                next.append(&mut blocked);
                while let Some(&(epoch, home)) = next.first()
                    && epoch <= bound
                {
                    next.remove(&(epoch, home));
                    let Some(state) = homes.get_mut(&home) else {
                        continue;
                    };
                    if epoch > answered && state.waits_for_answer(epoch) {
                        blocked.insert((epoch, home));
                        continue;
                    }
                    let segments = state.take(epoch);
                    let Some(capabilities) = rights.remove(&(home, epoch)) else {
                        continue;
                    };
                    let base = bases.get(&catalogs.cohort_of(home));
                    let foundation = base.filter(|(since, _)| *since < epoch);
                    let Some((_, foundation)) = foundation else {
                        state.idle();
                        next.extend(state.next().map(|epoch| (epoch, home)));
                        continue;
                    };
                    let question = state.question(epoch, segments.clone(), foundation);
                    desk.ask(
                        Batch {
                            home,
                            capabilities,
                            segments,
                        },
                        question,
                    );
                }
            }
        });
        ScoreStreams {
            scores,
            adjustments,
        }
    }
}
