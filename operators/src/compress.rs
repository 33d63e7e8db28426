//! Semantic-aware Sequence Compression (SSC): of similar segments, the first is kept.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use differential_dataflow::{AsCollection, VecCollection};
use serde::{Deserialize, Serialize};
use timely::dataflow::StreamVec;
use timely::dataflow::channels::pact::Pipeline;
use timely::dataflow::operators::generic::OutputBuilder;
use timely::dataflow::operators::generic::builder_rc::OperatorBuilder;

use crate::embed::Embedded;
use crate::stash::Stash;
use crate::words::{Embedding, Epoch, HomeId, Segment, ShiftKey, Weekday};

/// Keeps one of each group of similar segments.
pub trait Compress<'s> {
    /// Maintains the representatives: inside each `(home, regime, weekday)`, in event-time order, a segment is kept
    /// unless an earlier kept one has a cosine similarity above `alpha` (greedy leader clustering).
    ///
    /// Embeddings are unit vectors. `over` names the regimes to which nothing can come any more; their state is
    /// dropped. State per home: its segments by bucket with their embeddings, shared among equal sequences. Cost per segment:
    /// a dot product with each kept one of its bucket; a revision repeats that for the bucket's later ones.
    ///
    /// # Examples
    /// ```
    /// use std::sync::Arc;
    /// use hearth_operators::compress::Compress;
    /// use hearth_operators::embed::Embedded;
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
    ///     embedded.to_stream(scope).compress(Vec::<ShiftKey>::new().to_stream(scope), 0.9).inner.capture()
    /// });
    /// assert_eq!(kept.extract()[0].1.len(), 2);
    /// ```
    fn compress(
        self,
        over: StreamVec<'s, Epoch, ShiftKey>,
        alpha: f32,
    ) -> VecCollection<'s, Epoch, (ShiftKey, Arc<Segment>), i64>;
}

#[derive(Debug, Serialize, Deserialize)]
struct Member {
    segment: Arc<Segment>,
    embedding: Embedding,
    kept: bool,
}

/// One home's state: its segments by regime and weekday, in event-time order.
#[derive(Debug, Default, Serialize, Deserialize)]
struct HomeBuckets(BTreeMap<(u32, Weekday), Vec<Member>>);

/// The cosine similarity of two unit vectors.
fn cosine(a: &[f32], b: &[f32]) -> f32 {
    a.iter().zip(b).map(|(x, y)| x * y).sum()
}

/// Applies an epoch's updates to a bucket and reports how the kept ones change.
fn update(
    bucket: &mut Vec<Member>,
    updates: Vec<Embedded>,
    alpha: f32,
    changed: &mut Vec<(Arc<Segment>, i64)>,
) {
    let mut first = bucket.len();
    for Embedded {
        segment,
        embedding,
        diff,
        ..
    } in updates
    {
        let position = bucket.binary_search_by(|m| m.segment.cmp(&segment));
        match (diff > 0, position, embedding) {
            (true, Err(position), Some(embedding)) => {
                first = first.min(position);
                let kept = false;
                bucket.insert(
                    position,
                    Member {
                        segment,
                        embedding,
                        kept,
                    },
                );
            }
            (false, Ok(position), _) => {
                first = first.min(position);
                let gone = bucket.remove(position);
                if gone.kept {
                    changed.push((gone.segment, -1));
                }
            }
            // A set cannot gain what it has, or lose what it has not.
            _ => {}
        }
    }
    let mut leaders: Vec<usize> = (0..first).filter(|&i| bucket[i].kept).collect();
    for index in first..bucket.len() {
        let embedding = &bucket[index].embedding;
        let similar = leaders
            .iter()
            .any(|&leader| cosine(&bucket[leader].embedding, embedding) > alpha);
        if !similar {
            leaders.push(index);
        }
        let member = &mut bucket[index];
        if member.kept == similar {
            member.kept = !similar;
            changed.push((member.segment.clone(), if similar { -1 } else { 1 }));
        }
    }
}

#[derive(Default)]
struct Arrived {
    embedded: Vec<Embedded>,
    over: Vec<ShiftKey>,
}

impl<'s> Compress<'s> for StreamVec<'s, Epoch, Embedded> {
    fn compress(
        self,
        over: StreamVec<'s, Epoch, ShiftKey>,
        alpha: f32,
    ) -> VecCollection<'s, Epoch, (ShiftKey, Arc<Segment>), i64> {
        let mut builder = OperatorBuilder::new("Compress".to_owned(), self.scope());
        let mut embedded = builder.new_input(self, Pipeline);
        let mut over = builder.new_input(over, Pipeline);
        let (output, representatives) = builder.new_output::<Vec<_>>();
        let mut representatives_out = OutputBuilder::from(output);

        builder.build(move |_capabilities| {
            let mut stash = Stash::<Arrived>::new(1);
            let mut homes: HashMap<HomeId, HomeBuckets> = HashMap::new();
            move |frontiers| {
                embedded.for_each_stamp(|capability, data| {
                    if let Some(arrived) = stash.at(&capability) {
                        arrived.embedded.extend(data.flat_map(std::mem::take));
                    }
                });
                over.for_each_stamp(|capability, data| {
                    if let Some(arrived) = stash.at(&capability) {
                        arrived.over.extend(data.flat_map(std::mem::take));
                    }
                });
                while let Some((capabilities, arrived)) = stash.next(frontiers) {
                    let epoch = *capabilities[0].time();
                    let mut buckets: BTreeMap<(ShiftKey, Weekday), Vec<Embedded>> = BTreeMap::new();
                    for embedded in arrived.embedded {
                        let bucket = (embedded.key, embedded.segment.weekday());
                        buckets.entry(bucket).or_default().push(embedded);
                    }
                    let mut output = representatives_out.activate();
                    let mut session = output.session(&capabilities[0]);
                    for ((key, weekday), mut updates) in buckets {
                        // Whatever is replaced leaves first; the order of the rest does not matter.
                        updates.sort_by_key(|u| u.diff);
                        let home = homes.entry(key.home).or_default();
                        let bucket = home.0.entry((key.regime, weekday)).or_default();
                        let mut changed = Vec::new();
                        update(bucket, updates, alpha, &mut changed);
                        let changed = changed.into_iter();
                        session.give_iterator(changed.map(|(s, diff)| ((key, s), epoch, diff)));
                    }
                    for key in arrived.over {
                        if let Some(home) = homes.get_mut(&key.home) {
                            home.0.retain(|(regime, _), _| *regime != key.regime);
                        }
                    }
                }
            }
        });
        representatives.as_collection()
    }
}
