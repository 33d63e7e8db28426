//! Random logs, a run of the dataflow on them over any number of workers, and what the twins say of them.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex};

use differential_dataflow::consolidation::consolidate;
use hearth_operators::compress::{Alpha, Compress};
use hearth_operators::embed::{Embed, ToEmbed};
use hearth_operators::hints::Hinting;
use hearth_operators::offload::Answer;
use hearth_operators::request::Requests;
use hearth_operators::shift::Shifts;
use hearth_operators::split::{Account, Checker, Notice, Rules, Split};
use hearth_operators::transitions::{Transition, Transitions};
use hearth_operators::warm_up::{Enough, WarmUp, WarmedUp};
use hearth_operators::words::*;
use proptest::prelude::*;
use timely::dataflow::operators::vec::{Broadcast, Map};
use timely::dataflow::operators::{Input, Inspect};

pub const HALF_HOUR: i64 = Time::HOUR / 2;

/// Two devices that are switched, one that only reports.
pub fn catalog() -> Arc<Catalog> {
    let action = |name: &str, closes: &[&str]| Action {
        closes: closes.iter().map(|c| (*c).into()).collect(),
        ..Action::new(name)
    };
    let device = |name: &str, actions| Device::new(name, actions);
    let switched = || {
        vec![
            action("on", &[]),
            action("dim", &[]),
            action("off", &["on", "dim"]),
        ]
    };
    let devices = vec![
        device("Heater", switched()),
        device("Light", switched()),
        device("Sensor", vec![action("report", &[]), action("alarm", &[])]),
    ];
    Arc::new(Catalog::new(devices).expect("a good catalog"))
}

/// The same for all homes.
pub fn catalogs() -> Arc<Catalogs> {
    Catalogs::shared(catalog())
}

/// A log as it is ingested: by epoch; the last one ends it where `ended`.
#[derive(Clone, Debug)]
pub struct Log {
    pub epochs: Vec<Vec<Behavior>>,
    /// Each with the epoch in which it is declared.
    pub shifts: Vec<(usize, Shift)>,
    pub ended: bool,
    pub rules: Rules,
    pub alpha: Alpha,
    pub workers: usize,
}

/// Which events reach how far: those that come in any order, or those that are late, too.
pub fn logs() -> impl Strategy<Value = Log> {
    let event = (0u32..3, 0i64..5, any::<u8>(), 0u16..8, any::<u8>());
    let events = prop::collection::vec(event, 0..60);
    let rules = (0usize..4, 0usize..3, 0usize..2);
    let order = (
        0usize..4,
        any::<u64>(),
        prop::collection::vec(any::<prop::sample::Index>(), 0..8),
    );
    let shifts = prop::collection::vec((prop::option::of(0u32..3), 0i64..200, 0usize..8), 0..4);
    let alpha = prop_oneof![
        Just(Alpha::Above(0.7)),
        (1usize..5).prop_map(|most| Alpha::Budget(NonZeroUsize::new(most).expect("above zero"))),
    ];
    let run = (any::<bool>(), alpha, 1usize..=4);
    (events, rules, order, shifts, run).prop_map(
        |(events, rules, (disorder, seed, repeats), shifts, (ended, alpha, workers))| {
            let mut clock = [0i64; 3];
            let mut log: Vec<Behavior> = events
                .into_iter()
                .enumerate()
                .map(|(n, (home, kind, gap, action, id))| {
                    // Mostly close together; sometimes at the very limits, or far away.
                    let gap = match kind {
                        0..=2 => i64::from(gap % 8),
                        3 => [17, 18, 19, 47, 48, 49][usize::from(gap) % 6],
                        _ if gap > 240 => 2 * 24 * 90,
                        _ => i64::from(gap % 100),
                    };
                    let now = &mut clock[home as usize];
                    *now += gap * HALF_HOUR;
                    let moment = Moment {
                        time: Time(*now),
                        action: ActionId(action),
                        offset: 0,
                    };
                    let id = (id < 60).then(|| format!("{}", id % 30).into());
                    behavior(home, moment, id, n)
                })
                .collect();
            for at in repeats {
                if !log.is_empty() {
                    log.push(log[at.index(log.len())].clone());
                }
            }
            let mut random = Random(seed);
            match disorder {
                0 => log.sort_by_key(|b| b.moment.time),
                1 => (1..log.len()).for_each(|i| {
                    if random.below(3) == 0 {
                        log.swap(i - 1, i);
                    }
                }),
                2 => log
                    .sort_by_cached_key(|b| b.moment.time.0 + random.below(40) as i64 * HALF_HOUR),
                _ => (1..log.len()).for_each(|i| log.swap(i, random.below(i + 1))),
            }
            for (n, behavior) in log.iter_mut().enumerate() {
                behavior.line.line = n as u64 + 1;
            }
            let mut epochs = vec![Vec::new()];
            for behavior in log {
                if random.below(6) == 0 {
                    epochs.push(Vec::new());
                }
                let last = epochs.len() - 1;
                epochs[last].push(behavior);
            }
            let (lateness, checker, jump) = rules;
            let mut rules = Rules::new(catalogs());
            rules.lateness = [0, 6 * Time::HOUR, 24 * Time::HOUR, 4000 * Time::DAY][lateness];
            rules.max_jump = [30 * Time::DAY, 2 * Time::DAY][jump];
            rules.checker = [Checker::Paired, Checker::Closing, Checker::Off][checker];
            // Half of the logs know all shifts from the start, as a replay does.
            let at_once = random.below(2) == 0;
            let mut shifts: Vec<(usize, Shift)> = shifts
                .into_iter()
                .map(|(home, at, epoch)| {
                    let epoch = if at_once {
                        0
                    } else {
                        epoch.min(epochs.len() - 1)
                    };
                    (epoch, shift(home, Time(at * HALF_HOUR * 3)))
                })
                .collect();
            shifts.sort_by(|a, b| a.1.cmp(&b.1));
            shifts.dedup_by(|a, b| a.1 == b.1);
            if !at_once {
                // Of two shifts at one time the later declared may be refused; `known` could not tell which.
                shifts.sort_by_key(|(_, shift)| shift.time);
                shifts.dedup_by_key(|(_, shift)| shift.time);
            }
            Log {
                epochs,
                shifts,
                ended,
                rules,
                alpha,
                workers,
            }
        },
    )
}

pub fn behavior(home: u32, moment: Moment, id: Option<Box<str>>, line: usize) -> Behavior {
    let line = Line {
        file: 0,
        line: line as u64 + 1,
    };
    Behavior {
        home: HomeId(home),
        moment,
        id,
        line,
    }
}

pub fn shift(home: Option<u32>, time: Time) -> Shift {
    let (from, to) = ("winter".into(), "spring".into());
    let home = home.map(HomeId);
    Shift {
        home,
        time,
        offset: 0,
        kind: ShiftKind::Season,
        from,
        to,
    }
}

/// SplitMix64: seeded from the test case, so that a failing case can be repeated.
pub struct Random(pub u64);

impl Random {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub fn below(&mut self, n: usize) -> usize {
        (self.next() % n as u64) as usize
    }
}

/// Everything that came out, by epoch.
#[derive(Clone, Debug, Default)]
pub struct Outputs {
    pub segments: Vec<(Arc<Segment>, Epoch, i64)>,
    pub accounts: Vec<(Epoch, Account)>,
    pub regimes: Vec<((ShiftKey, Arc<Segment>), Epoch, i64)>,
    pub ended: Vec<(Epoch, ShiftKey, Arc<Regime>)>,
    pub refused: Vec<(Epoch, Shift)>,
    pub transitions: Vec<(Transition, Epoch, i64)>,
    pub hints: Vec<(Epoch, ShiftKey, Arc<Hints>)>,
    pub representatives: Vec<((ShiftKey, Arc<Segment>), Epoch, i64)>,
    pub requests: Vec<(Epoch, Arc<Request>)>,
    pub warm_up: Vec<(Epoch, Arc<WarmedUp>)>,
}

/// What suffices as a warm-up in these tests.
pub const WARM_UP: Enough = Enough {
    behaviors: 8,
    span: 30 * Time::HOUR,
};

/// An encoder that needs no training: how often each action and hour bucket occurs, of unit length.
pub fn embedding(sequence: &Sequence) -> Vec<f32> {
    let mut vector = vec![0f32; 16];
    for quadruple in &sequence.0 {
        vector[usize::from(quadruple.action.0)] += 1.0;
        vector[8 + usize::from(quadruple.hours)] += 1.0;
    }
    let length = vector.iter().map(|x| x * x).sum::<f32>().sqrt();
    vector.into_iter().map(|x| x / length).collect()
}

fn encoder(ask: ToEmbed, answer: Answer<Vec<Embedding>>) {
    std::thread::spawn(move || {
        answer.send(
            ask.sequences
                .iter()
                .map(|s| Arc::new(embedding(s)))
                .collect(),
        );
    });
}

/// Runs the dataflow from behaviours to requests.
pub fn run(log: &Log) -> Outputs {
    let all = Arc::new(Mutex::new(Outputs::default()));
    let (shared, log) = (all.clone(), log.clone());
    let config = timely::Config::process(log.workers);
    let guards = timely::execute(config, move |worker| {
        let first = worker.index() == 0;
        let (mut behaviors, mut notices) = worker.dataflow::<Epoch, _, _>(|scope| {
            let (behaviors_in, behaviors) = scope.new_input::<Vec<Behavior>>();
            let (notices_in, notices) = scope.new_input::<Vec<Notice>>();
            let notices = notices.broadcast();
            let split = behaviors.split(notices.clone(), log.rules.clone());
            let shifts = split
                .segments
                .clone()
                .shifts(split.settled, notices.clone());
            let over = shifts.ended.clone().map(|(key, _)| key);
            let transitions = split.segments.clone().transitions();
            let hints = shifts.ended.clone().hints(3);
            let catalogs = &log.rules.catalogs;
            let segments = split.segments.clone();
            let warm_up = segments.warm_up(notices, catalogs.clone(), WARM_UP);
            let foundation = warm_up.clone().map(|w| foundation(w.cohort)).broadcast();
            let representatives = shifts
                .regimes
                .clone()
                .embed(foundation, catalogs.clone(), Arc::new(encoder), 2)
                .compress(over, log.alpha);
            let requests = representatives
                .clone()
                .requests(shifts.ended.clone(), hints.clone());

            macro_rules! collect {
                ($stream:expr, $field:ident, $what:expr) => {{
                    let out = shared.clone();
                    $stream.inspect_core(move |event| {
                        if let Ok((stamp, data)) = event {
                            let epoch = *stamp.least().expect("messages make claims");
                            let made = data.iter().cloned().map(|d| $what(epoch, d));
                            out.lock().expect("no test panics").$field.extend(made);
                        }
                    });
                }};
            }
            collect!(split.segments.inner, segments, |_, u| u);
            collect!(split.accounts, accounts, |e, a| (e, a));
            collect!(shifts.regimes.inner, regimes, |_, u| u);
            collect!(shifts.ended, ended, |e, (k, r)| (e, k, r));
            collect!(shifts.refused, refused, |e, s| (e, s));
            collect!(transitions.inner, transitions, |_, u| u);
            collect!(hints, hints, |e, (k, h)| (e, k, h));
            collect!(representatives.inner, representatives, |_, u| u);
            collect!(requests, requests, |e, r| (e, r));
            collect!(warm_up, warm_up, |e, s| (e, s));
            (behaviors_in, notices_in)
        });
        if first {
            for (epoch, batch) in (0..).zip(&log.epochs) {
                behaviors.advance_to(epoch);
                notices.advance_to(epoch);
                for (_, shift) in log.shifts.iter().filter(|(e, _)| *e as Epoch == epoch) {
                    notices.send(Notice::Shift(shift.clone()));
                }
                batch.iter().for_each(|b| behaviors.send(b.clone()));
                worker.step();
            }
            if log.ended {
                let end = log.epochs.len() as Epoch;
                behaviors.advance_to(end);
                notices.advance_to(end);
                notices.send(Notice::LogEnd);
            }
        }
    })
    .expect("workers start");
    for guard in guards.join() {
        guard.expect("no worker panics");
    }
    let mut outputs = all.lock().expect("no test panics").clone();
    outputs.requests.sort();
    outputs
}

pub fn foundation(cohort: CohortId) -> Arc<Foundation> {
    let weights = Weights(Arc::new(vec![]));
    let version = Version {
        number: 0,
        weights: weights.clone(),
        threshold: 0.5,
    };
    Arc::new(Foundation {
        cohort,
        encoder: weights,
        detector: version.clone(),
        predictor: version,
    })
}

/// What a collection holds after `epoch`. Every multiplicity must be positive.
pub fn at<D: Ord + Clone>(updates: &[(D, Epoch, i64)], epoch: Epoch) -> Vec<(D, i64)> {
    let past = updates.iter().filter(|(_, e, _)| *e <= epoch);
    let mut held: Vec<(D, i64)> = past.map(|(data, _, diff)| (data.clone(), *diff)).collect();
    consolidate(&mut held);
    held
}

/// Whether the updates of each epoch are consolidated: no datum changes twice in one.
pub fn consolidated<D: Ord + Clone>(updates: &[(D, Epoch, i64)]) -> bool {
    let mut keys: Vec<_> = updates
        .iter()
        .map(|(data, epoch, _)| (*epoch, data))
        .collect();
    let all = keys.len();
    keys.sort();
    keys.dedup();
    keys.len() == all && updates.iter().all(|(_, _, diff)| *diff != 0)
}

/// What the twins say of each home after each epoch: fates and segments, those that are out first.
pub struct Truth {
    pub applied: hearth_operators::reference::Applied,
    pub segments: Vec<Vec<Moment>>,
}

/// By home, after `epoch` (the one past the last is the log's end).
pub fn truth(log: &Log, epoch: usize) -> BTreeMap<HomeId, Truth> {
    let ended = log.ended && epoch >= log.epochs.len();
    let epochs = &log.epochs[..log.epochs.len().min(epoch + 1)];
    let mut homes: Vec<HomeId> = epochs.iter().flatten().map(|b| b.home).collect();
    homes.sort();
    homes.dedup();
    let of = |home: HomeId| {
        let mine: Vec<Vec<Behavior>> = epochs
            .iter()
            .map(|e| e.iter().filter(|b| b.home == home).cloned().collect())
            .collect();
        let applied = hearth_operators::reference::admit(&mine, ended, &log.rules);
        let mut segments = hearth_operators::reference::split(home, &applied.moments, &log.rules);
        if !ended {
            segments.pop();
        }
        Truth { applied, segments }
    };
    homes.into_iter().map(|home| (home, of(home))).collect()
}

/// How many epochs a log has, its end included.
pub fn epochs(log: &Log) -> usize {
    log.epochs.len() + usize::from(log.ended)
}

/// 256 cases, or as many as `PROPTEST_CASES` says.
pub fn cases() -> ProptestConfig {
    let mut config = ProptestConfig {
        failure_persistence: None,
        ..ProptestConfig::default()
    };
    if std::env::var_os("PROPTEST_CASES").is_none() {
        config.cases = 256;
    }
    config
}

/// The shifts that a home knows after `epoch`, without those that it refused.
pub fn known(log: &Log, outputs: &Outputs, home: HomeId, epoch: Epoch) -> Vec<Shift> {
    let told = log.shifts.iter().filter(|(e, _)| *e as Epoch <= epoch);
    let mine = told.filter(|(_, s)| s.home.is_none_or(|h| h == home));
    let same = |a: &Shift, b: &Shift| (a.time, a.kind, &a.from) == (b.time, b.kind, &b.from);
    let refused = |shift: &Shift| {
        let mut all = outputs.refused.iter();
        all.any(|(_, r)| r.home == Some(home) && same(r, shift))
    };
    mine.map(|(_, s)| s.clone())
        .filter(|s| !refused(s))
        .collect()
}
