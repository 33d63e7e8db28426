//! Scoring against its twin: answers may take as long as they like, in any order, on any number of workers.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use differential_dataflow::AsCollection;
use hearth_operators::outside::Offload;
use hearth_operators::reference::{self, HomeHistory};
use hearth_operators::score::{Scorer, Scoring, ToScore};
use hearth_operators::state::Held;
use hearth_operators::words::*;
use proptest::prelude::*;
use timely::dataflow::operators::vec::Broadcast;
use timely::dataflow::operators::{Input, Inspect};

use crate::log::cases;
use crate::services::foundation;
use crate::services::{adapt, judge, slowly};

#[derive(Clone, Debug)]
struct Case {
    /// By epoch: homes that have segments, with how many.
    segments: Vec<Vec<(u32, usize)>>,
    /// Requests: epoch, home; regimes are numbered in this order.
    requests: Vec<(Epoch, u32)>,
    foundation: Option<Epoch>,
    trial: u32,
    seed: u64,
    workers: usize,
}

fn case() -> impl Strategy<Value = Case> {
    let epoch = prop::collection::vec((0u32..3, 1usize..4), 0..4);
    let segments = prop::collection::vec(epoch, 1..8);
    let requests = prop::collection::vec((0u64..8, 0u32..3), 0..5);
    let rest = (
        prop::option::weighted(0.9, 0u64..4),
        1u32..6,
        any::<u64>(),
        1usize..=4,
    );
    (segments, requests, rest).prop_map(
        |(mut segments, mut requests, (foundation, trial, seed, workers))| {
            for epoch in &mut segments {
                epoch.sort_unstable();
                epoch.dedup_by_key(|(home, _)| *home);
            }
            requests.sort_unstable();
            requests.retain(|(epoch, _)| (*epoch as usize) < segments.len());
            Case {
                segments,
                requests,
                foundation,
                trial,
                seed,
                workers,
            }
        },
    )
}

fn keys(case: &Case) -> Vec<(Epoch, ShiftKey)> {
    let mut regimes = BTreeMap::<u32, u32>::new();
    let key = |&(epoch, home): &(Epoch, u32)| {
        let regime = regimes.entry(home).or_default();
        *regime += 1;
        (
            epoch,
            ShiftKey {
                home: HomeId(home),
                regime: *regime - 1,
            },
        )
    };
    case.requests.iter().map(key).collect()
}

/// Two behaviours each, an hour apart; nothing about them matters but that they differ.
fn segments(case: &Case) -> Vec<(Epoch, Arc<Segment>)> {
    let mut all = Vec::new();
    for (epoch, homes) in (0..).zip(&case.segments) {
        for &(home, count) in homes {
            for n in 0..count {
                let at = |k: usize| Moment {
                    time: Time(((epoch as usize * 10 + n) * 2 + k) as i64 * Time::HOUR),
                    action: ActionId((n + k) as u16),
                    offset: 0,
                };
                let home = HomeId(home);
                all.push((
                    epoch,
                    Arc::new(Segment {
                        home,
                        moments: vec![at(0), at(1)],
                    }),
                ));
            }
        }
    }
    all
}

type Lines = (Vec<String>, Vec<String>);

fn lines(scores: &[(Epoch, Score)], adjustments: Vec<(Epoch, Adjustment)>) -> Lines {
    let mut scores: Vec<String> = scores.iter().map(|s| format!("{s:?}")).collect();
    scores.sort();
    let without_words = |(epoch, a): (Epoch, Adjustment)| {
        format!(
            "{:?}",
            (
                epoch,
                Adjustment {
                    evidence: String::new(),
                    ..a
                }
            )
        )
    };
    let mut adjustments: Vec<String> = adjustments.into_iter().map(without_words).collect();
    adjustments.sort();
    (scores, adjustments)
}

fn run(case: &Case) -> Lines {
    let out = Arc::new(Mutex::new((Vec::new(), Vec::new())));
    let (shared, case) = (out.clone(), case.clone());
    let guards = timely::execute(timely::Config::process(case.workers), move |worker| {
        let first = worker.index() == 0;
        let seed = case.seed;
        let (mut segments_in, mut keys_in, mut base_in) = worker.dataflow::<Epoch, _, _>(|scope| {
            let (segments_in, stream) = scope.new_input::<Vec<_>>();
            let (keys_in, asked) = scope.new_input::<Vec<ShiftKey>>();
            let (base_in, base) = scope.new_input::<Vec<Arc<Foundation>>>();
            let trainer = slowly(seed, move |key| adapt(key, seed));
            let adaptations = asked
                .clone()
                .offload("Train", Arc::new(trainer), 2, Held::default());
            let models = slowly(seed, |ask: ToScore| judge(&ask));
            // Segments live where their home lives, as the split leaves them.
            use timely::dataflow::operators::Exchange;
            let segments = stream
                .exchange(|u: &(Arc<Segment>, Epoch, i64)| u64::from(u.0.home.0))
                .as_collection();
            let scored = segments.score(
                asked,
                adaptations,
                base.broadcast(),
                Scorer {
                    catalogs: Catalogs::shared(Arc::default()),
                    models: Arc::new(models),
                    trial: case.trial,
                    limit: 2,
                },
                Held::default(),
            );
            let lines = shared.clone();
            scored.scores.inspect_core(move |event| {
                if let Ok((stamp, data)) = event {
                    let epoch = *stamp.least().expect("messages make claims");
                    let mut lines = lines.lock().expect("no test panics");
                    lines.0.extend(data.iter().map(|s| (epoch, s.clone())));
                }
            });
            let lines = shared.clone();
            scored.adjustments.inspect_core(move |event| {
                if let Ok((stamp, data)) = event {
                    let epoch = *stamp.least().expect("messages make claims");
                    let mut lines = lines.lock().expect("no test panics");
                    lines.1.extend(data.iter().map(|a| (epoch, a.clone())));
                }
            });
            (segments_in, keys_in, base_in)
        });
        if first {
            let (segments, keys) = (segments(&case), keys(&case));
            for epoch in 0..case.segments.len() as Epoch {
                segments_in.advance_to(epoch);
                keys_in.advance_to(epoch);
                base_in.advance_to(epoch);
                if case.foundation == Some(epoch) {
                    base_in.send(foundation(CohortId(0)));
                }
                for (_, key) in keys.iter().filter(|(e, _)| *e == epoch) {
                    keys_in.send(*key);
                }
                for (_, segment) in segments.iter().filter(|(e, _)| *e == epoch) {
                    segments_in.send((segment.clone(), epoch, 1i64));
                }
                worker.step();
            }
        }
    })
    .expect("workers start");
    for guard in guards.join() {
        guard.expect("no worker panics");
    }
    let (scores, adjustments) = std::mem::take(&mut *out.lock().expect("no test panics"));
    lines(&scores, adjustments)
}

fn expected(case: &Case) -> Lines {
    let mut homes: BTreeMap<HomeId, HomeHistory> = BTreeMap::new();
    for (epoch, segment) in segments(case) {
        let home = homes.entry(segment.home).or_default();
        home.segments.entry(epoch).or_default().push(segment);
    }
    for (epoch, key) in keys(case) {
        let home = homes.entry(key.home).or_default();
        home.answers
            .entry(epoch)
            .or_default()
            .push(adapt(key, case.seed));
    }
    let known = foundation(CohortId(0));
    let since = case
        .foundation
        .filter(|epoch| (*epoch as usize) < case.segments.len());
    let (mut scores, mut adjustments) = (Vec::new(), Vec::new());
    for home in homes.values() {
        let base = since.map(|epoch| (epoch, &*known));
        let (s, a) = reference::score(home, base, judge, case.trial);
        scores.extend(s);
        adjustments.extend(a);
    }
    lines(&scores, adjustments)
}

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn scores_are_those_of_the_twin(case in case()) {
        prop_assert_eq!(run(&case), expected(&case));
    }
}
