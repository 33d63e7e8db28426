//! Random logs, and what the twins say of their segments.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::sync::Arc;

use hearth_operators::compress::Alpha;
use hearth_operators::dataflow::Fitting;
use hearth_operators::drift::Strictness;
use hearth_operators::split::{Asked, Checker, Rules};
use hearth_operators::words::*;
use proptest::prelude::*;

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
    /// Likewise.
    pub erasures: Vec<(usize, Erasure)>,
    /// What is not kept, with the epochs in which it goes: what lies before a time.
    pub forgotten: Vec<(usize, HomeId, Time)>,
    /// Each with the epoch in which it is told.
    pub feedback: Vec<(usize, Feedback)>,
    /// Likewise.
    pub modes: Vec<(usize, Mode)>,
    pub ended: bool,
    pub rules: Rules,
    pub alpha: Alpha,
    pub fitting: Fitting,
    pub strictness: Strictness,
    pub adapts: bool,
    pub scores: Scores,
    /// Whether anybody answers requests.
    pub answered: bool,
    pub workers: usize,
    /// Before which epochs the dataflow is suspended, and with how many workers it goes on.
    pub suspensions: Vec<(usize, usize)>,
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
    let fitting = prop_oneof![Just(Fitting::Maintained), Just(Fitting::Trained),];
    // Soon, or after days under suspicion; never at the very bound.
    let evidence = prop_oneof![Just(1.0357), Just(2.3571), Just(9.1234)];
    let strictness = evidence.prop_map(|evidence| Strictness {
        learning: 2,
        evidence,
    });
    let drift = (strictness, any::<bool>());
    let scores = prop_oneof![3 => Just(Scores::Aligned), 1 => Just(Scores::Eager)];
    let drift = (drift, scores);
    let run = (any::<bool>(), alpha, fitting, drift, 1usize..=4);
    (events, rules, order, shifts, run).prop_map(
        |(
            events,
            rules,
            (disorder, seed, repeats),
            shifts,
            (ended, alpha, fitting, ((strictness, adapts), scores), workers),
        )| {
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
            rules.max_lead = Rules::lead(rules.max_gap, rules.lateness, rules.max_jump);
            rules.checker = [Checker::Paired, Checker::Closing, Checker::Off][checker];
            rules.ask_after = [None, None, Some(0), Some(6 * Time::HOUR)][random.below(4)];
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
                erasures: Vec::new(),
                forgotten: Vec::new(),
                feedback: Vec::new(),
                modes: Vec::new(),
                ended,
                rules,
                alpha,
                fitting,
                strictness,
                adapts,
                scores,
                // Where nobody waits for answers, it matters when they come.
                answered: scores == Scores::Aligned,
                workers,
                suspensions: Vec::new(),
            }
        },
    )
}

/// Logs of which something is erased, and whose alarms somebody looks at.
pub fn forgetful() -> impl Strategy<Value = Log> {
    let bound = || prop::option::of(any::<prop::sample::Index>());
    let device = prop::option::weighted(0.3, 0u16..3);
    let erasure = (
        any::<prop::sample::Index>(),
        0u32..4,
        bound(),
        bound(),
        device,
    );
    let erasures = prop::collection::vec(erasure, 0..4);
    let feedback = (any::<prop::sample::Index>(), any::<prop::sample::Index>());
    let feedback = prop::collection::vec(feedback, 0..6);
    let mode = (
        any::<prop::sample::Index>(),
        any::<prop::sample::Index>(),
        any::<bool>(),
    );
    let modes = prop::collection::vec(mode, 0..4);
    let days = prop_oneof![Just(1i64), Just(4), Just(20)];
    let told = (feedback, modes, prop::option::of(days));
    (logs(), erasures, told).prop_map(|(mut log, erasures, (feedback, modes, keep))| {
        let all: Vec<Behavior> = log.epochs.iter().flatten().cloned().collect();
        let some =
            |at: &prop::sample::Index| (!all.is_empty()).then(|| all[at.index(all.len())].clone());
        let line = Line::default();
        let epochs = log.epochs.len() + usize::from(log.ended);
        let erasures = erasures.iter().map(|(epoch, home, from, to, device)| {
            let time = |at: &Option<prop::sample::Index>| {
                at.as_ref().and_then(some).map(|b| b.moment.time)
            };
            let erasure = Erasure {
                home: HomeId(*home),
                from: time(from),
                to: time(to),
                device: device.map(DeviceId),
                line,
            };
            (epoch.index(epochs), erasure)
        });
        log.erasures = erasures.collect();
        log.erasures.sort_by_key(|(epoch, _)| *epoch);
        let feedback = feedback.iter().filter_map(|(epoch, at)| {
            let Behavior { home, moment, .. } = some(at)?;
            let start = moment.time;
            Some((epoch.index(epochs), Feedback { home, start, line }))
        });
        log.feedback = feedback.collect();
        log.feedback.sort_by_key(|(epoch, _)| *epoch);
        let modes = modes.iter().filter_map(|(epoch, at, quiet)| {
            let Behavior { home, moment, .. } = some(at)?;
            let (time, quiet) = (moment.time, *quiet);
            Some((epoch.index(epochs), Mode { home, time, quiet }))
        });
        log.modes = modes.collect();
        log.modes.sort_by_key(|(epoch, _)| *epoch);
        log.rules.keep = keep.map(|days| days * Time::DAY);
        log.forget();
        log
    })
}

/// Logs that are interrupted once or twice.
pub fn interrupted() -> impl Strategy<Value = Log> {
    let suspension = (any::<prop::sample::Index>(), 1usize..=4);
    let suspensions = prop::collection::vec(suspension, 1..5);
    (forgetful(), suspensions).prop_map(|(mut log, suspensions)| {
        let places = epochs(&log) + 1;
        let place = |(at, workers): (prop::sample::Index, usize)| (at.index(places), workers);
        log.suspensions = suspensions.into_iter().map(place).collect();
        log.suspensions.sort_unstable();
        log
    })
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

/// What the twins say of each home after each epoch: fates and segments, those that are out first.
pub struct Truth {
    pub applied: hearth_operators::reference::Applied,
    pub segments: Vec<Vec<Moment>>,
    /// The last one, while it still grows.
    pub open: Option<Vec<Moment>>,
}

/// By home, after `epoch` (the one past the last is the log's end).
pub fn truth(log: &Log, epoch: usize) -> BTreeMap<HomeId, Truth> {
    let ended = log.ended && epoch >= log.epochs.len();
    let mut epochs = log.epochs[..log.epochs.len().min(epoch + 1)].to_vec();
    if ended {
        // What is erased when the log ends.
        epochs.push(Vec::new());
    }
    let mut homes: Vec<HomeId> = epochs.iter().flatten().map(|b| b.home).collect();
    homes.sort();
    homes.dedup();
    let of = |home: HomeId| {
        let mine: Vec<Vec<Behavior>> = epochs
            .iter()
            .map(|e| e.iter().filter(|b| b.home == home).cloned().collect())
            .collect();
        let erased = |epoch, moment: &Moment| log.erases(epoch, home, moment);
        let applied = hearth_operators::reference::admit(&mine, erased, ended, &log.rules);
        let mut segments = hearth_operators::reference::split(home, &applied.moments, &log.rules);
        let open = if ended { None } else { segments.pop() };
        Truth {
            applied,
            segments,
            open,
        }
    };
    homes.into_iter().map(|home| (home, of(home))).collect()
}

impl Log {
    /// Whether a behaviour that came before an epoch is erased in it.
    pub fn erases(&self, epoch: usize, home: HomeId, moment: &Moment) -> bool {
        let catalogs = &self.rules.catalogs;
        let mut of = self.erasures.iter().filter(|(e, _)| *e == epoch);
        of.any(|(_, erasure)| erasure.home == home && erasure.hits(catalogs, moment))
            || self
                .forgotten
                .iter()
                .any(|&(e, of, until)| (e, of) == (epoch, home) && moment.time < until)
    }

    /// Says what is not kept: in an epoch that brings something of a home, its first segments that start before what is kept, of those
    /// whose next one starts before the home's horizon.
    fn forget(&mut self) {
        for epoch in 1..self.epochs.len() {
            let truth = truth(self, epoch - 1);
            for (
                home,
                Truth {
                    applied,
                    mut segments,
                    open,
                },
            ) in truth
            {
                let comes = self.epochs[epoch].iter().any(|b| b.home == home);
                let horizon = applied.horizon.filter(|_| comes);
                let kept = horizon
                    .and_then(|horizon| Some((horizon, self.rules.kept_from(home, horizon)?)));
                let Some((horizon, kept)) = kept else {
                    continue;
                };
                segments.extend(open);
                let starts = segments.iter().map(|moments| moments[0].time);
                let starts: Vec<Time> = starts.collect();
                let goes = |pair: &[Time]| pair[0] < kept && pair[1] < horizon;
                let mut gone = starts.windows(2).take_while(|pair| goes(pair)).count();
                // What happens at the very time at which the next one starts goes with that.
                while gone > 0 && segments[gone - 1].iter().any(|m| m.time >= starts[gone]) {
                    gone -= 1;
                }
                if gone > 0 {
                    self.forgotten.push((epoch, home, starts[gone]));
                }
            }
        }
    }

    /// Whether what a home has erased in an epoch changes its segments.
    pub fn revises(&self, epoch: usize, home: HomeId) -> bool {
        let Some(before) = epoch.checked_sub(1) else {
            return false;
        };
        let Some(Truth {
            applied, segments, ..
        }) = truth(self, before).remove(&home)
        else {
            return false;
        };
        let stays = |moment: &Moment| !self.erases(epoch, home, moment);
        let stay: Vec<_> = applied.moments.into_iter().filter(stays).collect();
        let mut without = hearth_operators::reference::split(home, &stay, &self.rules);
        without.pop();
        without != segments
    }
}

/// How many epochs a log has, its end included.
pub fn epochs(log: &Log) -> usize {
    log.epochs.len() + usize::from(log.ended)
}

/// 256 cases, or as many as `PROPTEST_CASES` says. A case that failed once is kept beside this folder, in
/// `proptest-regressions/`, and runs first from then on.
pub fn cases() -> ProptestConfig {
    let mut config = ProptestConfig::default();
    if std::env::var_os("PROPTEST_CASES").is_none() {
        config.cases = 256;
    }
    config
}

/// A sixth of that, for what runs a log more than once and is shown by most logs.
pub fn fewer_cases() -> ProptestConfig {
    let mut config = cases();
    config.cases = config.cases.div_ceil(6);
    config
}

/// Of which lines of an epoch somebody asks what becomes of them: of all, in every other epoch.
pub fn asked(log: &Log, epoch: usize) -> Vec<Asked> {
    let batch = log.epochs.get(epoch).filter(|_| epoch.is_multiple_of(2));
    let mut lines: Vec<Line> = batch.into_iter().flatten().map(|b| b.line).collect();
    lines.sort();
    let next = |a: &Line, b: &Line| a.line + 1 == b.line;
    let ranges = lines.chunk_by(next);
    let asked = ranges.filter_map(|lines| {
        let (first, last) = (*lines.first()?, *lines.last()?);
        Some(Asked { first, last })
    });
    asked.collect()
}

/// Of which homes somebody asks in an epoch what their models know: of all, in every other one.
pub fn queries(epoch: usize) -> Vec<Query> {
    let homes = (0..3).filter(|_| !epoch.is_multiple_of(2));
    let query = |home: u32| Query {
        home: HomeId(home),
        number: 3 * epoch as u64 + u64::from(home),
    };
    homes.map(query).collect()
}
