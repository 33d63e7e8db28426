//! Embeds segments: each distinct sequence once.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::sync::Arc;

use differential_dataflow::VecCollection;
use serde::{Deserialize, Serialize};
use timely::dataflow::StreamVec;
use timely::dataflow::channels::pact::Pipeline;
use timely::dataflow::operators::Capability;
use timely::dataflow::operators::generic::Operator;
use timely::progress::frontier::MutableAntichain;

use crate::outside::{Inquiries, Outside};
use crate::state::{Buffered, EpochBuffer, Held, Stateful};
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

/// What embedding holds. Known embeddings are no part of it: they can be had again.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct EmbedState {
    /// Epochs whose segments are not embedded yet.
    open: Buffered<Vec<Update>>,
    /// By cohort.
    encoders: BTreeMap<CohortId, Weights>,
}

impl Stateful for EmbedState {}

impl EmbedState {
    pub(crate) fn deal(self, to: &mut [&mut Self]) {
        let workers = to.len();
        for worker in to.iter_mut() {
            worker.encoders.extend(self.encoders.clone());
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
    /// Segments wait for their cohort's `foundation` (broadcast), which brings the encoder, and behind those of earlier epochs.
    /// State: what waits. The embeddings of sequences met so far are remembered beside it. Cost per segment: a look-up; per
    /// distinct sequence: an encoding.
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
    ///     let cohort = CohortId(0);
    ///     let foundation = Foundation { cohort, encoder: weights, models: None, counts: vec![] };
    ///     let moment = Moment { time: Time(0), action: ActionId(0), offset: 0 };
    ///     let segment = Arc::new(Segment { home: HomeId(0), moments: vec![moment] });
    ///     let key = ShiftKey { home: HomeId(0), regime: 0 };
    ///     let segments = vec![((key, segment), 0, 1i64)].to_stream(scope).as_collection();
    ///     let catalogs = Catalogs::shared(Default::default());
    ///     let foundation = vec![Arc::new(foundation)].to_stream(scope);
    ///     segments.embed(foundation, catalogs, Arc::new(encoder), 1, Held::default())
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
        state: Held<EmbedState>,
    ) -> StreamVec<'s, Epoch, Embedded>;
}

type Update = ((ShiftKey, Arc<Segment>), Epoch, i64);

/// A complete epoch that waits for encoders, by cohort.
type Complete = (Capability<Epoch>, BTreeMap<CohortId, Vec<Update>>);

/// The embeddings of a cohort's sequences that a worker met.
type Known = HashMap<CohortId, HashMap<Sequence, Embedding>>;

/// An epoch of a cohort whose sequences are being encoded.
struct Batch {
    capability: Capability<Epoch>,
    cohort: CohortId,
    /// The updates; those that come with their sequences in the cohort's words, and with the embeddings that were known already.
    updates: Vec<(Update, Option<Sequence>, Option<Embedding>)>,
    /// Those that were not known.
    sequences: Vec<Sequence>,
}

impl Batch {
    fn new(
        capability: Capability<Epoch>,
        cohort: CohortId,
        updates: Vec<Update>,
        known: &HashMap<Sequence, Embedding>,
        catalogs: &Catalogs,
    ) -> Self {
        let mut unknown = BTreeSet::new();
        let updates = updates.into_iter().map(|update| {
            let ((_, segment), _, diff) = &update;
            if *diff < 0 {
                return (update, None, None);
            }
            let sequence = catalogs.sequence_to_cohort(segment.home, segment.sequence());
            let embedding = known.get(&sequence).cloned();
            if embedding.is_none() {
                unknown.insert(sequence.clone());
            }
            (update, Some(sequence), embedding)
        });
        Batch {
            capability,
            cohort,
            updates: updates.collect(),
            sequences: unknown.into_iter().collect(),
        }
    }

    /// The updates with all embeddings.
    fn embedded(&self, fresh: &[Embedding]) -> impl Iterator<Item = Embedded> {
        let updates = self.updates.iter();
        updates.map(|(((key, segment), _, diff), sequence, embedding)| {
            let asked = || {
                let place = self.sequences.binary_search(sequence.as_ref()?).ok()?;
                fresh.get(place).cloned()
            };
            Embedded {
                key: *key,
                segment: segment.clone(),
                embedding: embedding.clone().or_else(asked),
                diff: *diff,
            }
        })
    }

    fn question(&self, encoder: Weights) -> ToEmbed {
        ToEmbed {
            cohort: self.cohort,
            encoder,
            sequences: self.sequences.clone(),
        }
    }

    fn updates(self) -> (Epoch, Vec<Update>) {
        let updates = self.updates.into_iter().map(|(update, _, _)| update);
        (*self.capability.time(), updates.collect())
    }
}

/// What a worker's operator works with, beside what it holds.
struct Work {
    catalogs: Arc<Catalogs>,
    buffer: EpochBuffer<Vec<Update>>,
    complete: VecDeque<Complete>,
    known: Known,
    inquiries: Inquiries<Batch, ToEmbed, Vec<Embedding>>,
}

impl Work {
    /// Takes the epochs out of the buffer that the frontier has passed.
    fn close(&mut self, frontier: &MutableAntichain<Epoch>) {
        let frontier = std::slice::from_ref(frontier);
        while let Some((mut capabilities, updates)) = self.buffer.next(frontier) {
            let cohorts = by_cohort(updates, &self.catalogs);
            self.complete.push_back((capabilities.remove(0), cohorts));
        }
    }

    /// Asks for what is not known of complete epochs whose cohorts have encoders. Where no more encoders can come, what has none
    /// is dropped: there is nothing to embed with.
    fn ask(&mut self, encoders: &BTreeMap<CohortId, Weights>, no_more: bool) {
        let ready = |(_, cohorts): &mut Complete| {
            no_more || cohorts.keys().all(|cohort| encoders.contains_key(cohort))
        };
        while let Some((capability, cohorts)) = self.complete.pop_front_if(ready) {
            for (cohort, updates) in cohorts {
                let Some(encoder) = encoders.get(&cohort).cloned() else {
                    continue;
                };
                let known = self.known.entry(cohort).or_default();
                let at = capability.clone();
                let batch = Batch::new(at, cohort, updates, known, &self.catalogs);
                let question = batch.question(encoder);
                self.inquiries.ask(batch, question);
            }
        }
    }

    /// Remembers what was asked.
    fn learn(&mut self, batch: Batch, embeddings: Vec<Embedding>) {
        let known = self.known.entry(batch.cohort).or_default();
        if known.len() > REMEMBERED {
            known.clear();
        }
        known.extend(batch.sequences.into_iter().zip(embeddings));
    }

    /// Gives up all capabilities, and keeps in `open` what is not embedded.
    fn release(&mut self, open: &mut Buffered<Vec<Update>>) {
        let asked = self.inquiries.abandon().map(Batch::updates);
        for (epoch, updates) in asked.chain(waiting(&mut self.complete)) {
            open.entry(epoch).or_default().extend(updates);
        }
        self.buffer.release(open, Extend::extend);
    }
}

impl<'s> Embed<'s> for VecCollection<'s, Epoch, (ShiftKey, Arc<Segment>), i64> {
    fn embed(
        self,
        foundation: StreamVec<'s, Epoch, Arc<Foundation>>,
        catalogs: Arc<Catalogs>,
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
                let open = std::mem::take(&mut state.borrow_mut().open);
                let mut work = Work {
                    catalogs,
                    buffer: EpochBuffer::restored(open, &[initial]),
                    complete: VecDeque::new(),
                    known: Known::new(),
                    inquiries: Inquiries::new(encoder, limit, activator),
                };
                move |(segments, frontier), (foundation, foundation_frontier), output| {
                    let EmbedState { open, encoders } = &mut *state.borrow_mut();
                    foundation.for_each_stamp(|_capability, data| {
                        let foundations = data.flat_map(std::mem::take);
                        encoders.extend(foundations.map(|f| (f.cohort, f.encoder.clone())));
                    });
                    segments.for_each_stamp(|capability, data| {
                        if let Some(updates) = work.buffer.at(&capability) {
                            updates.extend(data.flat_map(std::mem::take));
                        }
                    });
                    work.close(frontier);
                    if state.is_running() {
                        work.ask(encoders, foundation_frontier.is_empty());
                    }
                    while let Some((batch, embeddings)) = work.inquiries.answer() {
                        // A question without an answer ends the run; until it does, its segments have no embedding.
                        if let Some(embeddings) = embeddings {
                            output
                                .session(&batch.capability)
                                .give_iterator(batch.embedded(&embeddings));
                            work.learn(batch, embeddings);
                        }
                    }
                    if state.is_released() {
                        work.release(open);
                    }
                }
            },
        )
    }
}

fn by_cohort(updates: Vec<Update>, catalogs: &Catalogs) -> BTreeMap<CohortId, Vec<Update>> {
    let mut cohorts = BTreeMap::<_, Vec<_>>::new();
    for update in updates {
        let cohort = catalogs.cohort_of(update.0.0.home);
        cohorts.entry(cohort).or_default().push(update);
    }
    cohorts
}

/// Takes out the updates of epochs that wait for encoders.
fn waiting(complete: &mut VecDeque<Complete>) -> impl Iterator<Item = (Epoch, Vec<Update>)> {
    complete.drain(..).flat_map(|(capability, cohorts)| {
        let epoch = *capability.time();
        let updates = cohorts.into_values();
        updates.map(move |updates| (epoch, updates))
    })
}
