//! Embeds segments: each distinct sequence once.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::sync::Arc;

use differential_dataflow::VecCollection;
use serde::{Deserialize, Serialize};
use timely::dataflow::StreamVec;
use timely::dataflow::channels::pact::Pipeline;
use timely::dataflow::operators::Capability;
use timely::dataflow::operators::generic::Operator;

use crate::offload::{Desk, Outside};
use crate::stash::Stash;
use crate::words::{
    Catalogs, CohortId, Embedding, Epoch, Foundation, Segment, Sequence, ShiftKey, Weights,
};

/// Past so many remembered embeddings of a cohort a worker starts to forget.
const REMEMBERED: usize = 200_000;

/// An update of a segment, with its embedding where it comes (`diff` 1) rather than goes.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Embedded {
    /// The segment's home and regime.
    pub key: ShiftKey,
    /// The segment.
    pub segment: Arc<Segment>,
    /// Its unit vector; `None` where the segment goes.
    pub embedding: Option<Embedding>,
    /// 1 or -1.
    pub diff: i64,
}

/// What the encoder is asked.
#[derive(Clone, Debug)]
pub struct ToEmbed {
    /// The cohort.
    pub cohort: CohortId,
    /// Its encoder.
    pub encoder: Weights,
    /// Distinct sequences in the cohort's words; the answer is their embeddings in this order.
    pub sequences: Vec<Sequence>,
}

/// Embeds segments.
pub trait Embed<'s> {
    /// Passes each update on with its embedding. The encoding is done outside, at most `limit` batches of a worker at a time.
    ///
    /// Segments wait for their cohort's `foundation` (broadcast), which brings the encoder, and behind those of earlier epochs.
    /// State: the embeddings of the sequences met so far. Cost per segment: a look-up; per distinct sequence: an encoding.
    ///
    /// # Examples
    /// ```
    /// use std::sync::Arc;
    /// use differential_dataflow::AsCollection;
    /// use hearth_operators::embed::{Embed, ToEmbed};
    /// use hearth_operators::offload::Answer;
    /// use hearth_operators::words::*;
    /// use timely::dataflow::operators::{ToStream, capture::{Capture, Extract}, vec::Map};
    ///
    /// // An encoder that knows a sequence's length.
    /// let encoder = |ask: ToEmbed, answer: Answer<Vec<Embedding>>| {
    ///     answer.send(ask.sequences.iter().map(|s| Arc::new(vec![s.0.len() as f32])).collect());
    /// };
    /// let embedded = timely::example(move |scope| {
    ///     let weights = Weights(Arc::new(vec![]));
    ///     let version = Version { number: 0, weights: weights.clone(), threshold: 1.0 };
    ///     let cohort = CohortId(0);
    ///     let foundation = Foundation { cohort, encoder: weights, detector: version.clone(), predictor: version };
    ///     let moment = Moment { time: Time(0), action: ActionId(0), offset: 0 };
    ///     let segment = Arc::new(Segment { home: HomeId(0), moments: vec![moment] });
    ///     let key = ShiftKey { home: HomeId(0), regime: 0 };
    ///     let segments = vec![((key, segment), 0, 1i64)].to_stream(scope).as_collection();
    ///     let catalogs = Catalogs::shared(Default::default());
    ///     segments.embed(vec![Arc::new(foundation)].to_stream(scope), catalogs, Arc::new(encoder), 1)
    ///         .map(|e| e.embedding.unwrap()[0] as u32).capture()
    /// });
    /// assert_eq!(embedded.extract()[0].1, [1]);
    /// ```
    fn embed(
        self,
        foundation: StreamVec<'s, Epoch, Arc<Foundation>>,
        catalogs: Arc<Catalogs>,
        encoder: Arc<dyn Outside<ToEmbed, Vec<Embedding>>>,
        limit: usize,
    ) -> StreamVec<'s, Epoch, Embedded>;
}

type Update = ((ShiftKey, Arc<Segment>), Epoch, i64);

/// An epoch of a cohort whose sequences are being encoded.
struct Batch {
    capability: Capability<Epoch>,
    cohort: CohortId,
    /// The updates, with the embeddings that were known already.
    updates: Vec<(Update, Option<Embedding>)>,
    sequences: Vec<Sequence>,
}

/// A cohort's encoder, with what it has embedded.
struct Known {
    weights: Weights,
    embeddings: HashMap<Sequence, Embedding>,
}

impl Known {
    /// The embeddings of updates, as far as they are known, and the sequences of the others.
    fn look_up(
        &self,
        updates: Vec<Update>,
        sequence: impl Fn(&Segment) -> Sequence,
    ) -> (Vec<(Update, Option<Embedding>)>, Vec<Sequence>) {
        let mut unknown = BTreeSet::new();
        let updates = updates.into_iter().map(|update| {
            let ((_, segment), _, diff) = &update;
            let mut embedding = None;
            if *diff > 0 {
                let sequence = sequence(segment);
                embedding = self.embeddings.get(&sequence).cloned();
                if embedding.is_none() {
                    unknown.insert(sequence);
                }
            }
            (update, embedding)
        });
        (updates.collect(), unknown.into_iter().collect())
    }
}

impl<'s> Embed<'s> for VecCollection<'s, Epoch, (ShiftKey, Arc<Segment>), i64> {
    fn embed(
        self,
        foundation: StreamVec<'s, Epoch, Arc<Foundation>>,
        catalogs: Arc<Catalogs>,
        encoder: Arc<dyn Outside<ToEmbed, Vec<Embedding>>>,
        limit: usize,
    ) -> StreamVec<'s, Epoch, Embedded> {
        let worker = self.inner.scope().worker();
        self.inner.binary_frontier(
            foundation,
            Pipeline,
            Pipeline,
            "Embed",
            move |_capability, info| {
                let activator = worker.sync_activator_for(info.address.to_vec());
                let mut desk: Desk<Batch, ToEmbed, Vec<Embedding>> =
                    Desk::new(encoder, limit, activator);
                let mut stash = Stash::<Vec<Update>>::new(1);
                // Complete epochs that wait for an encoder, by cohort.
                let mut complete: VecDeque<(Capability<Epoch>, BTreeMap<CohortId, Vec<Update>>)> =
                    VecDeque::new();
                let mut known: HashMap<CohortId, Known> = HashMap::new();
                let sequence = {
                    let catalogs = catalogs.clone();
                    move |s: &Segment| catalogs.sequence_to_cohort(s.home, s.sequence())
                };
                move |(segments, frontier), (foundation, foundation_frontier), output| {
                    foundation.for_each_stamp(|_capability, data| {
                        for foundation in data.flat_map(std::mem::take) {
                            let known_now = Known {
                                weights: foundation.encoder.clone(),
                                embeddings: HashMap::new(),
                            };
                            known.insert(foundation.cohort, known_now);
                        }
                    });
                    segments.for_each_stamp(|capability, data| {
                        if let Some(updates) = stash.at(&capability) {
                            updates.extend(data.flat_map(std::mem::take));
                        }
                    });
                    while let Some((mut capabilities, updates)) =
                        stash.next(std::slice::from_ref(frontier))
                    {
                        let mut cohorts = BTreeMap::<_, Vec<_>>::new();
                        for update in updates {
                            let cohort = catalogs.cohort_of(update.0.0.home);
                            cohorts.entry(cohort).or_default().push(update);
                        }
                        complete.push_back((capabilities.remove(0), cohorts));
                    }
                    // Without a foundation, and with none to come, there is nothing to embed with.
                    let hopeless = foundation_frontier.is_empty();
                    while let Some((_, cohorts)) = complete.front()
                        && (hopeless || cohorts.keys().all(|c| known.contains_key(c)))
                    {
                        let Some((capability, cohorts)) = complete.pop_front() else {
                            break;
                        };
                        for (cohort, updates) in cohorts {
                            let Some(known) = known.get(&cohort) else {
                                continue;
                            };
                            let (updates, sequences) = known.look_up(updates, &sequence);
                            let question = ToEmbed {
                                cohort,
                                encoder: known.weights.clone(),
                                sequences: sequences.clone(),
                            };
                            let batch = Batch {
                                capability: capability.clone(),
                                cohort,
                                updates,
                                sequences,
                            };
                            desk.ask(batch, question);
                        }
                    }
                    while let Some((batch, embeddings)) = desk.answer() {
                        // A question without an answer ends the run; until it does, its segments have no embedding.
                        let (Some(embeddings), Some(known)) =
                            (embeddings, known.get_mut(&batch.cohort))
                        else {
                            continue;
                        };
                        if known.embeddings.len() > REMEMBERED {
                            known.embeddings.clear();
                        }
                        let fresh: HashMap<Sequence, Embedding> =
                            batch.sequences.into_iter().zip(embeddings).collect();
                        let mut session = output.session(&batch.capability);
                        for (((key, segment), _, diff), embedding) in batch.updates {
                            let embedding = match embedding {
                                None if diff > 0 => fresh.get(&sequence(&segment)).cloned(),
                                embedding => embedding,
                            };
                            session.give(Embedded {
                                key,
                                segment,
                                embedding,
                                diff,
                            });
                        }
                        known.embeddings.extend(fresh);
                    }
                }
            },
        )
    }
}
