//! Embeds segments: each distinct sequence once.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use differential_dataflow::VecCollection;
use serde::{Deserialize, Serialize};
use timely::dataflow::StreamVec;
use timely::dataflow::channels::pact::Pipeline;
use timely::dataflow::operators::Capability;
use timely::dataflow::operators::generic::Operator;

use crate::offload::{Desk, Outside};
use crate::stash::Stash;
use crate::words::{Embedding, Epoch, Foundation, Segment, Sequence, ShiftKey, Weights};

/// Past so many remembered embeddings a worker starts to forget.
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
    /// The cohort's encoder.
    pub encoder: Weights,
    /// Distinct sequences; the answer is their embeddings in this order.
    pub sequences: Vec<Sequence>,
}

/// Embeds segments.
pub trait Embed<'s> {
    /// Passes each update on with its embedding. The encoding is done outside, at most `limit` batches of a worker at a time.
    ///
    /// Segments wait for the cohort's `foundation` (broadcast), which brings the encoder. State: the embeddings of the sequences met so
    /// far. Cost per segment: a look-up; per distinct sequence: an encoding.
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
    ///     let foundation = Foundation { encoder: weights, detector: version.clone(), predictor: version };
    ///     let moment = Moment { time: Time(0), action: ActionId(0), offset: 0 };
    ///     let segment = Arc::new(Segment { home: HomeId(0), moments: vec![moment] });
    ///     let key = ShiftKey { home: HomeId(0), regime: 0 };
    ///     let segments = vec![((key, segment), 0, 1i64)].to_stream(scope).as_collection();
    ///     segments.embed(vec![Arc::new(foundation)].to_stream(scope), Arc::new(encoder), 1)
    ///         .map(|e| e.embedding.unwrap()[0] as u32).capture()
    /// });
    /// assert_eq!(embedded.extract()[0].1, [1]);
    /// ```
    fn embed(
        self,
        foundation: StreamVec<'s, Epoch, Arc<Foundation>>,
        encoder: Arc<dyn Outside<ToEmbed, Vec<Embedding>>>,
        limit: usize,
    ) -> StreamVec<'s, Epoch, Embedded>;
}

type Update = ((ShiftKey, Arc<Segment>), Epoch, i64);

/// An epoch whose sequences are being encoded.
struct Batch {
    capability: Capability<Epoch>,
    /// The updates, with the embeddings that were known already.
    updates: Vec<(Update, Option<Embedding>)>,
    sequences: Vec<Sequence>,
}

impl<'s> Embed<'s> for VecCollection<'s, Epoch, (ShiftKey, Arc<Segment>), i64> {
    fn embed(
        self,
        foundation: StreamVec<'s, Epoch, Arc<Foundation>>,
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
                let mut known: HashMap<Sequence, Embedding> = HashMap::new();
                let mut weights: Option<Weights> = None;
                move |(segments, frontier), (foundation, foundation_frontier), output| {
                    foundation.for_each_stamp(|_capability, data| {
                        for foundation in data.flat_map(std::mem::take) {
                            weights = Some(foundation.encoder.clone());
                        }
                    });
                    segments.for_each_stamp(|capability, data| {
                        if let Some(updates) = stash.at(&capability) {
                            updates.extend(data.flat_map(std::mem::take));
                        }
                    });
                    // Without a foundation, and with none to come, there is nothing to embed with.
                    let hopeless = weights.is_none() && foundation_frontier.is_empty();
                    while weights.is_some() || hopeless {
                        let Some((mut capabilities, updates)) =
                            stash.next(std::slice::from_ref(frontier))
                        else {
                            break;
                        };
                        let Some(weights) = &weights else { continue };
                        let mut unknown = BTreeSet::new();
                        let updates = updates.into_iter().map(|update| {
                            let ((_, segment), _, diff) = &update;
                            let mut embedding = None;
                            if *diff > 0 {
                                let sequence = segment.sequence();
                                embedding = known.get(&sequence).cloned();
                                if embedding.is_none() {
                                    unknown.insert(sequence);
                                }
                            }
                            (update, embedding)
                        });
                        let updates = updates.collect();
                        let sequences: Vec<Sequence> = unknown.into_iter().collect();
                        let question = ToEmbed {
                            encoder: weights.clone(),
                            sequences: sequences.clone(),
                        };
                        let capability = capabilities.remove(0);
                        desk.ask(
                            Batch {
                                capability,
                                updates,
                                sequences,
                            },
                            question,
                        );
                    }
                    while let Some((batch, embeddings)) = desk.answer() {
                        // A question without an answer ends the run; until it does, its segments have no embedding.
                        let Some(embeddings) = embeddings else {
                            continue;
                        };
                        if known.len() > REMEMBERED {
                            known.clear();
                        }
                        let fresh: HashMap<Sequence, Embedding> =
                            batch.sequences.into_iter().zip(embeddings).collect();
                        let mut session = output.session(&batch.capability);
                        for (((key, segment), _, diff), embedding) in batch.updates {
                            let embedding = match embedding {
                                None if diff > 0 => fresh.get(&segment.sequence()).cloned(),
                                embedding => embedding,
                            };
                            session.give(Embedded {
                                key,
                                segment,
                                embedding,
                                diff,
                            });
                        }
                        known.extend(fresh);
                    }
                }
            },
        )
    }
}
