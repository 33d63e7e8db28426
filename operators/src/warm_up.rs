//! The warm-up: the first distinct sequences of each cohort, on which its homes' first models are trained.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::sync::Arc;

use differential_dataflow::VecCollection;
use serde::{Deserialize, Serialize};
use timely::dataflow::StreamVec;
use timely::dataflow::channels::pact::{Exchange, Pipeline};
use timely::dataflow::operators::generic::Operator;

use crate::split::Notice;
use crate::state::{EpochBuffer, Held, Stateful};
use crate::words::{Catalogs, CohortId, Epoch, Segment, Sequence, Time};

/// When a warm-up has seen enough. A count alone would not do: many homes bring it together within hours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Enough {
    /// Behaviours in distinct sequences.
    pub behaviors: usize,
    /// Event time between the first and the last segment's start, in microseconds.
    pub span: i64,
}

/// What a cohort's first models are trained on.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct WarmedUp {
    /// The cohort.
    pub cohort: CohortId,
    /// Its distinct sequences in order, in the cohort's words.
    pub sequences: Vec<Sequence>,
}

/// What the warm-ups hold so far, by cohort, all on the first worker.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct WarmUpState(BTreeMap<CohortId, Cohort>);

/// What the warm-up of a cohort holds so far.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Cohort {
    sequences: BTreeMap<Sequence, i64>,
    starts: BTreeMap<Time, i64>,
    stage: Stage,
    /// In all sequences; not known yet where the state was read.
    #[serde(skip)]
    behaviors: Option<usize>,
}

/// How far a cohort's warm-up is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "u8", into = "u8")]
enum Stage {
    /// Of all sequences that there can be, it takes those that are left after so many halvings.
    Gathers(u8),
    Done,
}

impl Default for Stage {
    fn default() -> Self {
        Stage::Gathers(0)
    }
}

/// As it was written when it was done, or was not.
impl From<u8> for Stage {
    fn from(written: u8) -> Self {
        match written {
            0 => Stage::Gathers(0),
            1 => Stage::Done,
            more => Stage::Gathers(more - 1),
        }
    }
}

impl From<Stage> for u8 {
    fn from(stage: Stage) -> Self {
        match stage {
            Stage::Gathers(0) => 0,
            Stage::Done => 1,
            Stage::Gathers(halvings) => halvings.saturating_add(1),
        }
    }
}

impl Stage {
    /// Whether what is left after the halvings has a sequence: a draw that depends on it alone (FNV-1a, then mixed).
    fn takes(self, sequence: &Sequence) -> bool {
        let Stage::Gathers(halvings) = self else {
            return false;
        };
        let mut draw = 0xcbf2_9ce4_8422_2325_u64;
        for quadruple in &sequence.0 {
            let [low, high] = quadruple.action.0.to_le_bytes();
            for byte in [quadruple.weekday, quadruple.hours, low, high] {
                draw = (draw ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
            }
        }
        let mixed = (draw ^ draw >> 32).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        mixed.leading_zeros() >= u32::from(halvings)
    }
}

impl Stateful for WarmUpState {}

impl WarmUpState {
    pub(crate) fn deal(self, to: &mut [&mut Self]) {
        to[0].0.extend(self.0);
    }

    fn is_done(&self, catalogs: &Catalogs) -> bool {
        let mut cohorts = catalogs.cohorts();
        cohorts.all(|cohort| self.0.get(&cohort).is_some_and(Cohort::is_done))
    }

    /// Takes in a complete epoch. The warm-ups that suffice with it.
    fn close(&mut self, arrived: Arrived, catalogs: &Catalogs, enough: Enough) -> Vec<WarmedUp> {
        let mut changes: BTreeMap<CohortId, Changes> = BTreeMap::new();
        for (segment, diff) in arrived.segments {
            let home = segment.home;
            let cohort = catalogs.cohort_of(home);
            let stage = self.0.entry(cohort).or_default().stage;
            if stage != Stage::Done {
                let sequence = catalogs.sequence_to_cohort(home, segment.sequence());
                if stage.takes(&sequence) {
                    let changes = changes.entry(cohort).or_default();
                    *changes.sequences.entry(sequence).or_default() += diff;
                    *changes.starts.entry(segment.start()).or_default() += diff;
                }
            }
        }
        for (cohort, changes) in changes {
            self.0.entry(cohort).or_default().apply(changes);
        }
        let cold = self.0.iter_mut().filter(|(_, cohort)| !cohort.is_done());
        let warm = cold.filter_map(|(cohort, held)| {
            let sequences = held.close(arrived.ended, enough)?;
            let cohort = *cohort;
            Some(WarmedUp { cohort, sequences })
        });
        warm.collect()
    }
}

/// What an epoch changes.
#[derive(Default)]
struct Changes {
    sequences: BTreeMap<Sequence, i64>,
    starts: BTreeMap<Time, i64>,
}

impl Cohort {
    /// Sequences that are kept at most; training draws a few thousand of them. Where there are more, every other one of all that
    /// there can be is left out from then on: what a hundred thousand homes do in a week is not held to learn what homes do.
    const MOST: usize = 1 << 15;

    fn is_done(&self) -> bool {
        self.stage == Stage::Done
    }

    fn apply(&mut self, changes: Changes) {
        let mut behaviors = self.behaviors();
        for (sequence, diff) in changes.sequences {
            let length = sequence.0.len();
            match change(&mut self.sequences, sequence, diff) {
                Some(true) => behaviors += length,
                Some(false) => behaviors -= length,
                None => {}
            }
        }
        for (start, diff) in changes.starts {
            change(&mut self.starts, start, diff);
        }
        self.behaviors = Some(behaviors);
        while self.sequences.len() > Self::MOST
            && let Stage::Gathers(halvings) = self.stage
        {
            self.stage = Stage::Gathers(halvings + 1);
            let stage = self.stage;
            self.sequences.retain(|sequence, _| stage.takes(sequence));
            self.behaviors = None;
        }
    }

    fn behaviors(&self) -> usize {
        let counted = || self.sequences.keys().map(|s| s.0.len()).sum();
        self.behaviors.unwrap_or_else(counted)
    }

    /// The sequences, once they suffice or the log has ended.
    fn close(&mut self, ended: bool, enough: Enough) -> Option<Vec<Sequence>> {
        let ended = ended && !self.sequences.is_empty();
        if !ended && !self.suffices(enough) {
            return None;
        }
        self.stage = Stage::Done;
        self.starts.clear();
        Some(std::mem::take(&mut self.sequences).into_keys().collect())
    }

    fn suffices(&mut self, enough: Enough) -> bool {
        let behaviors = self.behaviors();
        self.behaviors = Some(behaviors);
        let first = self.starts.first_key_value();
        let ends = first.zip(self.starts.last_key_value());
        let span = ends.map_or(0, |((first, _), (last, _))| last.0 - first.0);
        behaviors >= enough.behaviors && span >= enough.span
    }
}

/// Changes how often something is there. Whether it is there now, if that is new.
fn change<K: Ord>(counts: &mut BTreeMap<K, i64>, of: K, diff: i64) -> Option<bool> {
    match counts.entry(of) {
        Entry::Vacant(vacant) if diff > 0 => {
            vacant.insert(diff);
            Some(true)
        }
        // It was left out.
        Entry::Vacant(_) => None,
        Entry::Occupied(mut occupied) => {
            *occupied.get_mut() += diff;
            (*occupied.get() <= 0).then(|| {
                occupied.remove();
                false
            })
        }
    }
}

/// Waits for the warm-up.
pub trait WarmUp<'s> {
    /// Emits, once a cohort and on one worker, the cohort's distinct sequences in order, at the first epoch by whose end they
    /// are [`Enough`], or with which the log ends.
    ///
    /// Of very many (2¹⁵ and more) it is a sample, drawn by what they are.
    ///
    /// State per cohort: those sequences with their counts, until then. Cost per segment: a search among them.
    ///
    /// # Examples
    /// ```
    /// use std::sync::Arc;
    /// use differential_dataflow::AsCollection;
    /// use hearth_operators::split::Notice;
    /// use hearth_operators::state::Held;
    /// use hearth_operators::warm_up::{Enough, WarmUp};
    /// use hearth_operators::words::*;
    /// use timely::dataflow::operators::{ToStream, capture::{Capture, Extract}};
    ///
    /// let sequences = timely::example(|scope| {
    ///     let segment = |week: i64, action| {
    ///         let moment = Moment { time: Time(7 * week * Time::DAY), action: ActionId(action), offset: 0 };
    ///         Arc::new(Segment { home: HomeId(0), moments: vec![moment] })
    ///     };
    ///     // Two weeks apart the same sequence counts once.
    ///     let segments = [(0, 0), (1, 0), (2, 1)].map(|(week, action)| (segment(week, action), 0, 1i64));
    ///     let segments = segments.to_vec().to_stream(scope).as_collection();
    ///     let enough = Enough { behaviors: 2000, span: 7 * Time::DAY };
    ///     let devices = vec![Device::new("Fan", vec![Action::new("on"), Action::new("off")])];
    ///     let catalogs = Catalogs::shared(Arc::new(Catalog::new(devices).unwrap()));
    ///     let notices = vec![Notice::LogEnd].to_stream(scope);
    ///     segments.warm_up(notices, catalogs, enough, Held::default()).capture()
    /// });
    /// assert_eq!(sequences.extract()[0].1[0].sequences.len(), 2);
    /// ```
    fn warm_up(
        self,
        notices: StreamVec<'s, Epoch, Notice>,
        catalogs: Arc<Catalogs>,
        enough: Enough,
        state: Held<WarmUpState>,
    ) -> StreamVec<'s, Epoch, Arc<WarmedUp>>;
}

#[derive(Default)]
struct Arrived {
    segments: Vec<(Arc<Segment>, i64)>,
    ended: bool,
}

impl<'s> WarmUp<'s> for VecCollection<'s, Epoch, Arc<Segment>, i64> {
    fn warm_up(
        self,
        notices: StreamVec<'s, Epoch, Notice>,
        catalogs: Arc<Catalogs>,
        enough: Enough,
        state: Held<WarmUpState>,
    ) -> StreamVec<'s, Epoch, Arc<WarmedUp>> {
        let one_worker = Exchange::new(|_: &(Arc<Segment>, Epoch, i64)| 0);
        self.inner.binary_frontier(
            notices,
            one_worker,
            Pipeline,
            "WarmUp",
            move |_capability, _info| {
                let mut buffer = EpochBuffer::<Arrived>::new(1);
                move |(segments, frontier), (notices, notices_frontier), output| {
                    let mut state = state.borrow_mut();
                    segments.for_each_stamp(|capability, data| {
                        let data = data.flat_map(std::mem::take);
                        if !state.is_done(&catalogs)
                            && let Some(arrived) = buffer.at(&capability)
                        {
                            arrived.segments.extend(data.map(|(s, _, diff)| (s, diff)));
                        }
                    });
                    notices.for_each_stamp(|capability, data| {
                        let ended = data.flat_map(std::mem::take).any(|n| n == Notice::LogEnd);
                        if !state.is_done(&catalogs)
                            && ended
                            && let Some(arrived) = buffer.at(&capability)
                        {
                            arrived.ended = true;
                        }
                    });
                    while let Some((capabilities, arrived)) =
                        buffer.next(&[frontier.clone(), notices_frontier.clone()])
                    {
                        let warm = state.close(arrived, &catalogs, enough);
                        let mut session = output.session(&capabilities[0]);
                        session.give_iterator(warm.into_iter().map(Arc::new));
                    }
                }
            },
        )
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::words::{ActionId, Quadruple};

    fn sequence(number: u32) -> Sequence {
        let digit = |place: u32| Quadruple {
            weekday: 0,
            hours: 0,
            action: ActionId((number >> (4 * place) & 15) as u16),
        };
        Sequence((0..6).map(digit).collect())
    }

    fn changes(numbers: impl Iterator<Item = u32>, stage: Stage, diff: i64) -> Changes {
        let sequences = numbers.map(sequence).filter(|s| stage.takes(s));
        Changes {
            sequences: sequences.map(|s| (s, diff)).collect(),
            starts: BTreeMap::new(),
        }
    }

    #[test]
    fn of_very_many_sequences_a_sample_is_kept() {
        let all = 6 * Cohort::MOST as u32;
        let gather = |batch: u32| {
            let mut cohort = Cohort::default();
            for from in (0..all).step_by(batch as usize) {
                cohort.apply(changes(from..all.min(from + batch), cohort.stage, 1));
                // As where it is kept and gone on with.
                let written = bincode::serialize(&cohort).unwrap();
                cohort = bincode::deserialize(&written).unwrap();
            }
            cohort
        };
        let sample = gather(10_000);
        let (kept, most) = (sample.sequences.len(), Cohort::MOST);
        assert!((most / 2..=most).contains(&kept), "{kept}");
        assert_eq!(sample.behaviors(), 6 * kept);
        let drawn: BTreeSet<Sequence> = (0..all)
            .map(sequence)
            .filter(|s| sample.stage.takes(s))
            .collect();
        assert!(drawn.iter().eq(sample.sequences.keys()));
        assert!(
            gather(3_333).sequences.keys().eq(drawn.iter()),
            "by any batches"
        );
        // What goes, goes; also of what was left out.
        let mut left = sample.clone();
        left.apply(changes(0..all / 2, Stage::Gathers(0), -1));
        let stay = (all / 2..all).map(sequence);
        let stay: BTreeSet<Sequence> = stay.filter(|s| sample.stage.takes(s)).collect();
        assert!(left.sequences.keys().eq(stay.iter()));
        assert_eq!(left.behaviors(), 6 * stay.len());
    }

    #[test]
    fn a_stage_is_written_as_before_there_were_halvings() {
        for (stage, written) in [(Stage::Gathers(0), false), (Stage::Done, true)] {
            let bytes = bincode::serialize(&written).unwrap();
            assert_eq!(bincode::serialize(&stage).unwrap(), bytes);
        }
        let halved = Stage::Gathers(3);
        let bytes = bincode::serialize(&halved).unwrap();
        assert_eq!(bincode::deserialize::<Stage>(&bytes).unwrap(), halved);
    }
}
