//! Semantic-aware Sequence Compression (SSC): of similar segments, the first is kept.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::sync::Arc;

use differential_dataflow::consolidation::consolidate;
use differential_dataflow::{AsCollection, VecCollection};
use serde::{Deserialize, Serialize};
use timely::dataflow::StreamVec;
use timely::dataflow::channels::pact::Pipeline;
use timely::dataflow::operators::generic::OutputBuilder;
use timely::dataflow::operators::generic::builder_rc::OperatorBuilder;

use crate::embed::Embedded;
use crate::state::{Buffered, EpochBuffer, Held, History, HomeState, Homes, Stateful, Visit, give};
use crate::words::{Embedding, Epoch, Segment, ShiftKey, Weekday};

/// The streams that [`Compress::compress`] maintains.
pub struct CompressStreams<'s> {
    /// The segments that are kept.
    pub representatives: VecCollection<'s, Epoch, (ShiftKey, Arc<Segment>), i64>,
    /// Of each regime that is over and kept any, those that it kept by then, in event-time order.
    pub sources: StreamVec<'s, Epoch, (ShiftKey, Vec<Arc<Segment>>)>,
}

/// Keeps one of each group of similar segments.
pub trait Compress<'s> {
    /// Maintains the representatives: inside each `(home, regime, weekday)`, in event-time order, a segment is kept
    /// unless an earlier kept one has an equal embedding or a cosine similarity above α (greedy leader clustering).
    ///
    /// Embeddings are unit vectors. `over` names the regimes about which something is asked now: their representatives are handed
    /// over and stay as they are, but for segments that go, and their state is dropped. State per home: its segments by bucket with their embeddings, shared among equal
    /// sequences. Cost per segment: a dot product with each kept one of its bucket; a revision repeats that for the bucket's
    /// later ones. With a budget, α falls as the bucket fills, each fall costing a pass over the bucket; a revision looks for α
    /// anew, in at most as many passes as [`LADDER`] has rungs, each of them given up at the first representative too many.
    ///
    /// # Examples
    /// ```
    /// use std::sync::Arc;
    /// use hearth_operators::compress::{Alpha, Compress};
    /// use hearth_operators::embed::Embedded;
    /// use hearth_operators::state::Held;
    /// use hearth_operators::words::*;
    /// use timely::dataflow::operators::{ToStream, capture::{Capture, Extract}};
    ///
    /// let kept = timely::example(|scope| {
    ///     let key = ShiftKey { home: HomeId(0), regime: 0 };
    ///     let embedded = |hour, vector: [f32; 2]| {
    ///         let moment = Moment { time: Time(hour * Time::HOUR), action: ActionId(0), offset: 0 };
    ///         let segment = Arc::new(Segment { home: HomeId(0), moments: vec![moment] });
    ///         Embedded { key, segment, embedding: Some(Arc::new(vector.to_vec())), diff: 1 }
    ///     };
    ///     // The second one is much like the first.
    ///     let embedded = vec![embedded(1, [1.0, 0.0]), embedded(2, [0.99, 0.14]), embedded(3, [0.0, 1.0])];
    ///     let over = Vec::<ShiftKey>::new().to_stream(scope);
    ///     embedded.to_stream(scope).compress(over, Alpha::Above(0.9), Held::default()).representatives.inner.capture()
    /// });
    /// assert_eq!(kept.extract()[0].1.len(), 2);
    /// ```
    fn compress(
        self,
        over: StreamVec<'s, Epoch, ShiftKey>,
        alpha: Alpha,
        state: Held<CompressState>,
    ) -> CompressStreams<'s>;
}

/// How alike segments must be for one to represent the others.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Alpha {
    /// Above this cosine similarity.
    Above(f32),
    /// As alike as can be with at most so many representatives a bucket: α is the first rung of [`LADDER`] under which they
    /// are not more.
    Budget(NonZeroUsize),
}

/// The values that α takes under a budget, ten to each power of ten of the distance 1 − α. Under the first, only equal embeddings
/// are alike; under the last, all are, so that any budget suffices.
pub const LADDER: [f32; 35] = [
    f32::INFINITY,
    0.999,
    0.998_74,
    0.998_4,
    0.998,
    0.997_5,
    0.996_85,
    0.996,
    0.995,
    0.993_7,
    0.992,
    0.99,
    0.987_4,
    0.984,
    0.98,
    0.975,
    0.968_5,
    0.96,
    0.95,
    0.937,
    0.92,
    0.9,
    0.874,
    0.84,
    0.8,
    0.75,
    0.685,
    0.6,
    0.5,
    0.37,
    0.2,
    0.0,
    -0.26,
    -0.6,
    f32::NEG_INFINITY,
];

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Member {
    segment: Arc<Segment>,
    embedding: Embedding,
    kept: bool,
}

/// The segments of a home, regime and weekday.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Bucket {
    /// In event-time order.
    members: Vec<Member>,
    /// Under a budget, where α stands on the ladder.
    rung: usize,
}

/// One home's state: its buckets by regime and weekday.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct HomeBuckets {
    open: BTreeMap<(u32, Weekday), Bucket>,
    /// The representatives of regimes that have ended: they go where they are erased.
    ended: BTreeMap<u32, History>,
}

impl HomeState for HomeBuckets {
    fn is_blank(&self) -> bool {
        self.open.is_empty() && self.ended.is_empty()
    }
}

impl HomeBuckets {
    /// The representatives of a regime that is over, in event-time order; its state goes.
    fn end(&mut self, regime: u32) -> Vec<Arc<Segment>> {
        let buckets = self
            .open
            .extract_if((regime, 0)..=(regime, Weekday::MAX), |_, _| true);
        let members = buckets.flat_map(|(_, bucket)| bucket.members);
        let mut kept: Vec<_> = members.filter(|m| m.kept).map(|m| m.segment).collect();
        kept.sort();
        let mut ended = History::default();
        kept.iter().for_each(|segment| ended.insert(segment));
        self.ended.insert(regime, ended);
        kept
    }

    /// Takes in an epoch's updates of a regime's weekday. Of a regime that has ended only erased segments go, and no others are kept
    /// in their place: what was asked with them is past.
    fn update(
        &mut self,
        (regime, weekday): (u32, Weekday),
        updates: Vec<Embedded>,
        alpha: Alpha,
        changed: &mut Vec<(Arc<Segment>, i64)>,
    ) {
        if let Some(ended) = self.ended.get_mut(&regime) {
            let mut gone: Vec<_> = updates.into_iter().map(|u| (u.segment, u.diff)).collect();
            consolidate(&mut gone);
            gone.retain(|(segment, diff)| *diff < 0 && ended.remove(segment));
            changed.append(&mut gone);
            return;
        }
        let bucket = self.open.entry((regime, weekday)).or_default();
        bucket.update(updates, alpha, changed);
    }
}

/// What compression holds.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct CompressState {
    homes: Homes<HomeBuckets>,
    open: Buffered<Arrived>,
}

impl Stateful for CompressState {
    fn visit(&mut self, operator: &'static str, visitor: &mut impl Visit) {
        visitor.in_pieces(operator, self, |state| &mut state.homes);
    }
}

impl CompressState {
    pub(crate) fn deal(self, to: &mut [&mut Self]) {
        let workers = to.len();
        for (epoch, arrived) in self.open {
            for embedded in arrived.embedded {
                let worker = &mut to[embedded.key.home.0 as usize % workers];
                let place = worker.open.entry(epoch).or_default();
                place.embedded.push(embedded);
            }
            for key in arrived.over {
                let worker = &mut to[key.home.0 as usize % workers];
                worker.open.entry(epoch).or_default().over.push(key);
            }
        }
        self.homes
            .deal(to.iter_mut().map(|worker| &mut worker.homes));
    }
}

/// Whether unit vectors are alike.
fn alike(a: &Embedding, b: &Embedding, alpha: f32) -> bool {
    let cosine: f32 = a.iter().zip(b.iter()).map(|(x, y)| x * y).sum();
    cosine > alpha || a == b
}

impl Bucket {
    /// Applies an epoch's updates and reports how the kept ones change.
    fn update(
        &mut self,
        updates: Vec<Embedded>,
        alpha: Alpha,
        changed: &mut Vec<(Arc<Segment>, i64)>,
    ) {
        let before = self.members.len();
        let first = self.apply(updates, changed);
        match alpha {
            Alpha::Above(alpha) => {
                let leaders = self.leaders(first, alpha, usize::MAX);
                self.keep(first, &leaders.unwrap_or_default(), changed);
            }
            Alpha::Budget(most) => {
                // Of segments that more follow, the rule keeps no more than of all; so what was appended needs no higher rung.
                let mut from = first;
                if first < before {
                    (self.rung, from) = (0, 0);
                }
                while let Some(&alpha) = LADDER.get(self.rung) {
                    if let Some(leaders) = self.leaders(from, alpha, most.get()) {
                        self.keep(from, &leaders, changed);
                        break;
                    }
                    (self.rung, from) = (self.rung + 1, 0);
                }
            }
        }
    }

    /// Takes in and takes out segments; returns the first place from which anything is different.
    fn apply(&mut self, updates: Vec<Embedded>, changed: &mut Vec<(Arc<Segment>, i64)>) -> usize {
        let mut first = self.members.len();
        for Embedded {
            segment,
            embedding,
            diff,
            ..
        } in updates
        {
            let position = self.members.binary_search_by(|m| m.segment.cmp(&segment));
            match (diff > 0, position, embedding) {
                (true, Err(position), Some(embedding)) => {
                    first = first.min(position);
                    let kept = false;
                    let member = Member {
                        segment,
                        embedding,
                        kept,
                    };
                    self.members.insert(position, member);
                }
                (false, Ok(position), _) => {
                    first = first.min(position);
                    let gone = self.members.remove(position);
                    if gone.kept {
                        changed.push((gone.segment, -1));
                    }
                }
                // A set cannot gain what it has, or lose what it has not.
                _ => {}
            }
        }
        first
    }

    /// The places from `first` on that α keeps, those before being settled; `None` where that makes more than `most` in all.
    fn leaders(&self, first: usize, alpha: f32, most: usize) -> Option<Vec<usize>> {
        let settled = self.members.iter().take(first).filter(|m| m.kept);
        let mut leaders: Vec<&Embedding> = settled.map(|m| &m.embedding).collect();
        let mut new = Vec::new();
        for (place, Member { embedding, .. }) in self.members.iter().enumerate().skip(first) {
            if leaders.iter().any(|l| alike(l, embedding, alpha)) {
                continue;
            }
            if leaders.len() == most {
                return None;
            }
            leaders.push(embedding);
            new.push(place);
        }
        Some(new)
    }

    /// From `first` on, keeps these places alone.
    fn keep(&mut self, first: usize, leaders: &[usize], changed: &mut Vec<(Arc<Segment>, i64)>) {
        let mut leaders = leaders.iter().peekable();
        for (place, member) in self.members.iter_mut().enumerate().skip(first) {
            let kept = leaders.next_if_eq(&&place).is_some();
            if member.kept != kept {
                member.kept = kept;
                changed.push((member.segment.clone(), if kept { 1 } else { -1 }));
            }
        }
    }
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Arrived {
    embedded: Vec<Embedded>,
    over: Vec<ShiftKey>,
}

impl Arrived {
    fn merge(&mut self, other: Self) {
        self.embedded.extend(other.embedded);
        self.over.extend(other.over);
    }

    /// The updates by bucket, those that leave before those that replace them.
    fn buckets(&mut self) -> BTreeMap<(ShiftKey, Weekday), Vec<Embedded>> {
        let mut buckets: BTreeMap<_, Vec<Embedded>> = BTreeMap::new();
        self.embedded.sort_by_key(|embedded| embedded.diff);
        for embedded in self.embedded.drain(..) {
            let bucket = (embedded.key, embedded.segment.weekday());
            buckets.entry(bucket).or_default().push(embedded);
        }
        buckets
    }
}

impl<'s> Compress<'s> for StreamVec<'s, Epoch, Embedded> {
    fn compress(
        self,
        over: StreamVec<'s, Epoch, ShiftKey>,
        alpha: Alpha,
        state: Held<CompressState>,
    ) -> CompressStreams<'s> {
        let scope = self.scope();
        let mut builder = OperatorBuilder::new("Compress".to_owned(), scope);
        let (index, peers) = (scope.index(), scope.peers());
        state.wake(scope, builder.operator_info().address);
        let mut embedded = builder.new_input(self, Pipeline);
        let mut over = builder.new_input(over, Pipeline);
        let (output, representatives) = builder.new_output::<Vec<_>>();
        let mut representatives_out = OutputBuilder::from(output);
        let (output, sources) = builder.new_output::<Vec<_>>();
        let mut sources_out = OutputBuilder::from(output);

        builder.build(move |initial| {
            state.borrow_mut().homes.settle(index, peers);
            let open = std::mem::take(&mut state.borrow_mut().open);
            let mut buffer = EpochBuffer::<Arrived>::restored(open, &initial);
            let mut changed = Vec::new();
            move |frontiers| {
                let CompressState { homes, open } = &mut *state.borrow_mut();
                buffer.gather(&mut embedded, |arrived, came| arrived.embedded.extend(came));
                buffer.gather(&mut over, |arrived, came| arrived.over.extend(came));
                while state.is_running()
                    && let Some((capabilities, mut arrived)) = buffer.next(frontiers)
                {
                    let epoch = *capabilities[0].time();
                    let mut output = representatives_out.activate();
                    let mut session = output.session(&capabilities[0]);
                    for ((key, weekday), updates) in arrived.buckets() {
                        let buckets = homes.of(key.home);
                        buckets.update((key.regime, weekday), updates, alpha, &mut changed);
                        let changed = changed.drain(..);
                        session.give_iterator(changed.map(|(s, diff)| ((key, s), epoch, diff)));
                    }
                    let over = arrived.over.drain(..);
                    let ended = over.map(|key| (key, homes.of(key.home).end(key.regime)));
                    let ended = ended.filter(|(_, kept)| !kept.is_empty());
                    give(&mut sources_out, &capabilities[1], ended);
                    buffer.reuse(arrived);
                }
                if state.is_released() {
                    buffer.release(open, Arrived::merge);
                }
            }
        });
        CompressStreams {
            representatives: representatives.as_collection(),
            sources,
        }
    }
}
