//! Embeds segments: each distinct sequence once.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use differential_dataflow::VecCollection;
use serde::{Deserialize, Serialize};
use timely::dataflow::StreamVec;
use timely::dataflow::channels::pact::Pipeline;
use timely::dataflow::operators::Capability;
use timely::dataflow::operators::generic::Operator;

use crate::outside::{Inquiries, Outside};
use crate::state::{Buffered, EpochBuffer, Held};
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

/// What embedding holds. Known embeddings are no part of it: they can be had again.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct EmbedState {
    /// Epochs whose segments are not embedded yet.
    open: Buffered<Vec<Update>>,
    encoder: Option<Weights>,
}

impl EmbedState {
    pub(crate) fn deal(self, to: &mut [&mut Self]) {
        let workers = to.len();
        for worker in to.iter_mut() {
            worker.encoder = worker.encoder.take().or_else(|| self.encoder.clone());
        }
        for (epoch, updates) in self.open {
            for update in updates {
                let home = update.0.0.home.0 as usize;
                to[home % workers]
                    .open
                    .entry(epoch)
                    .or_default()
                    .push(update);
            }
        }
    }
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
    /// use hearth_operators::outside::Answer;
    /// use hearth_operators::state::Held;
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
    ///     segments.embed(vec![Arc::new(foundation)].to_stream(scope), Arc::new(encoder), 1, Held::default())
    ///         .map(|e| e.embedding.unwrap()[0] as u32).capture()
    /// });
    /// assert_eq!(embedded.extract()[0].1, [1]);
    /// ```
    fn embed(
        self,
        foundation: StreamVec<'s, Epoch, Arc<Foundation>>,
        encoder: Arc<dyn Outside<ToEmbed, Vec<Embedding>>>,
        limit: usize,
        state: Held<EmbedState>,
    ) -> StreamVec<'s, Epoch, Embedded>;
}

type Update = ((ShiftKey, Arc<Segment>), Epoch, i64);

/// An epoch whose sequences are being encoded.
struct Batch {
    capability: Capability<Epoch>,
    /// The updates, with the embeddings that were known already.
    updates: Vec<(Update, Option<Embedding>)>,
    /// Those that were not known.
    sequences: Vec<Sequence>,
}

impl Batch {
    fn new(
        capability: Capability<Epoch>,
        updates: Vec<Update>,
        known: &HashMap<Sequence, Embedding>,
    ) -> Self {
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
        Batch {
            capability,
            updates: updates.collect(),
            sequences: unknown.into_iter().collect(),
        }
    }

    /// The updates with all embeddings.
    fn embedded(&self, embeddings: &[Embedding]) -> impl Iterator<Item = Embedded> {
        let updates = self.updates.iter();
        updates.map(|(((key, segment), _, diff), embedding)| {
            let asked = || {
                let sequence = segment.sequence();
                let place = self.sequences.binary_search(&sequence).ok()?;
                embeddings.get(place).cloned()
            };
            let known = embedding.clone();
            Embedded {
                key: *key,
                segment: segment.clone(),
                embedding: known.or_else(|| (*diff > 0).then(asked).flatten()),
                diff: *diff,
            }
        })
    }

    fn updates(self) -> Vec<Update> {
        self.updates.into_iter().map(|(update, _)| update).collect()
    }
}

impl<'s> Embed<'s> for VecCollection<'s, Epoch, (ShiftKey, Arc<Segment>), i64> {
    fn embed(
        self,
        foundation: StreamVec<'s, Epoch, Arc<Foundation>>,
        encoder: Arc<dyn Outside<ToEmbed, Vec<Embedding>>>,
        limit: usize,
        state: Held<EmbedState>,
    ) -> StreamVec<'s, Epoch, Embedded> {
        let scope = self.inner.scope();
        self.inner.binary_frontier(
            foundation,
            Pipeline,
            Pipeline,
            "Embed",
            move |initial, info| {
                state.wake(scope, info.address.clone());
                let activator = scope.worker().sync_activator_for(info.address.to_vec());
                let mut inquiries: Inquiries<Batch, ToEmbed, Vec<Embedding>> =
                    Inquiries::new(encoder, limit, activator);
                let open = std::mem::take(&mut state.borrow_mut().open);
                let mut buffer = EpochBuffer::restored(open, &[initial]);
                let mut known: HashMap<Sequence, Embedding> = HashMap::new();
                move |(segments, frontier), (foundation, foundation_frontier), output| {
                    let EmbedState { open, encoder } = &mut *state.borrow_mut();
                    foundation.for_each_stamp(|_capability, data| {
                        for foundation in data.flat_map(std::mem::take) {
                            *encoder = Some(foundation.encoder.clone());
                        }
                    });
                    segments.for_each_stamp(|capability, data| {
                        if let Some(updates) = buffer.at(&capability) {
                            updates.extend(data.flat_map(std::mem::take));
                        }
                    });
                    // Without a foundation, and with none to come, there is nothing to embed with.
                    let hopeless = encoder.is_none() && foundation_frontier.is_empty();
                    while state.is_running() && (encoder.is_some() || hopeless) {
                        let Some((mut capabilities, updates)) =
                            buffer.next(std::slice::from_ref(frontier))
                        else {
                            break;
                        };
                        let Some(encoder) = encoder else { continue };
                        let batch = Batch::new(capabilities.remove(0), updates, &known);
                        let question = ToEmbed {
                            encoder: encoder.clone(),
                            sequences: batch.sequences.clone(),
                        };
                        inquiries.ask(batch, question);
                    }
                    while let Some((batch, embeddings)) = inquiries.answer() {
                        // A question without an answer ends the run; until it does, its segments have no embedding.
                        let Some(embeddings) = embeddings else {
                            continue;
                        };
                        if known.len() > REMEMBERED {
                            known.clear();
                        }
                        let mut session = output.session(&batch.capability);
                        session.give_iterator(batch.embedded(&embeddings));
                        known.extend(batch.sequences.into_iter().zip(embeddings));
                    }
                    if state.is_released() {
                        for batch in inquiries.abandon() {
                            open.insert(*batch.capability.time(), batch.updates());
                        }
                        buffer.release(open, |kept, updates| kept.extend(updates));
                    }
                }
            },
        )
    }
}
