//! A run of the dataflow on a log over any number of workers, and all that comes out.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use differential_dataflow::consolidation::consolidate;
use hearth_operators::alarms::Budget;
use hearth_operators::dataflow::{Gate, Holds, Settings, State, Streams, build, suspend};
use hearth_operators::detect::Raised;
use hearth_operators::drift::Drift;
use hearth_operators::portrait::Answered;
use hearth_operators::shift::{Placed, Regimes};
use hearth_operators::split::{Account, Notice};
use hearth_operators::transitions::Transition;
use hearth_operators::validate::Invalid;
use hearth_operators::warm_up::{Enough, WarmedUp};
use hearth_operators::words::*;
use timely::dataflow::StreamVec;
use timely::dataflow::operators::Inspect;

use crate::log::{Log, asked, epochs, queries, shift};
use crate::pieces::Pieces;
use crate::services::services;

/// Everything that came out, by epoch.
#[derive(Clone, Debug, Default)]
pub struct Outputs {
    pub segments: Vec<(Arc<Segment>, Epoch, i64)>,
    pub accounts: Vec<(Epoch, Account)>,
    pub regimes: Vec<((ShiftKey, Arc<Segment>), Epoch, i64)>,
    pub placed: Vec<(Epoch, Placed)>,
    pub open: Vec<(Epoch, Open)>,
    pub ended: Vec<(Epoch, ShiftKey, Arc<Regime>)>,
    pub refused: Vec<(Epoch, Shift)>,
    pub transitions: Vec<(Transition, Epoch, i64)>,
    pub hints: Vec<(Epoch, ShiftKey, Arc<Hints>)>,
    pub representatives: Vec<((ShiftKey, Arc<Segment>), Epoch, i64)>,
    pub requests: Vec<(Epoch, Arc<Request>)>,
    pub warm_up: Vec<(Epoch, Arc<WarmedUp>)>,
    pub invalid: Vec<(Epoch, Invalid)>,
    pub verdicts: Vec<(Epoch, Verdict)>,
    pub adaptations: Vec<(Epoch, Adaptation)>,
    pub alarms: Vec<(Epoch, Raised, i64)>,
    pub heard: Vec<(Epoch, Heard)>,
    pub drifts: Vec<(Epoch, Drift)>,
    pub scores: Vec<(Epoch, Score)>,
    pub adjustments: Vec<(Epoch, Adjustment)>,
    /// Who asks while the dataflow is suspended is not answered: these are no part of [`Outputs::lines`].
    pub portraits: Vec<(Epoch, Answered)>,
}

impl Outputs {
    /// All lines of all streams that are the same however often the run is suspended, in an order of their own.
    pub fn lines(&self) -> BTreeMap<&'static str, Vec<String>> {
        fn sorted<D: std::fmt::Debug>(lines: &[D]) -> Vec<String> {
            let mut lines: Vec<String> = lines.iter().map(|line| format!("{line:?}")).collect();
            lines.sort();
            lines
        }
        BTreeMap::from([
            ("segments", sorted(&self.segments)),
            ("accounts", sorted(&Vec::from_iter(self.events()))),
            ("regimes", sorted(&self.regimes)),
            ("placed", sorted(&self.placed)),
            ("open", sorted(&self.open)),
            ("ended", sorted(&self.ended)),
            ("refused", sorted(&self.refused)),
            ("transitions", sorted(&self.transitions)),
            ("hints", sorted(&self.hints)),
            ("representatives", sorted(&self.representatives)),
            ("requests", sorted(&self.requests)),
            ("warm_up", sorted(&self.warm_up)),
            ("invalid", sorted(&self.invalid)),
            ("verdicts", sorted(&self.verdicts)),
            ("adaptations", sorted(&self.adaptations)),
            ("alarms", sorted(&self.alarms)),
            ("heard", sorted(&self.heard)),
            ("drifts", sorted(&self.drifts)),
            ("scores", sorted(&self.scores)),
            ("adjustments", sorted(&self.adjustments)),
        ])
    }

    /// The accounting by epoch: how a worker bundles its counts does not matter.
    fn events(&self) -> BTreeMap<Epoch, (u64, u64, Vec<Account>)> {
        let mut events: BTreeMap<Epoch, (u64, u64, Vec<Account>)> = BTreeMap::new();
        for (epoch, account) in &self.accounts {
            let (all_applied, all_duplicate, others) = events.entry(*epoch).or_default();
            match account {
                Account::Counted { applied, duplicate } => {
                    *all_applied += applied;
                    *all_duplicate += duplicate;
                }
                other => others.push(other.clone()),
            }
        }
        for (_, _, others) in events.values_mut() {
            others.sort_by_key(|account| format!("{account:?}"));
        }
        events
    }
}

/// What suffices as a warm-up in these tests.
pub const WARM_UP: Enough = Enough {
    behaviors: 8,
    span: 30 * Time::HOUR,
};

/// Segments of a trial in these tests.
pub const TRIAL: u32 = 2;

/// How many alarms a person wants to see in these tests.
pub const BUDGET: Budget = Budget {
    alarms: 1,
    per: 3 * Time::DAY,
};

/// Runs the dataflow over the whole log, suspended where the log says so.
pub fn run(log: &Log) -> Outputs {
    let all = Arc::new(Mutex::new(Outputs::default()));
    let mut kept = Pieces::default();
    let mut states = Vec::new();
    let mut workers = log.workers;
    let mut from = 0;
    for &(until, more) in &log.suspensions {
        let mut held = stretch(log, from..until, workers, states, &all, true);
        kept.write(&mut held);
        // Homes find their workers when they are read, or move to others afterwards.
        states = match more % 2 {
            0 => kept.read(more),
            _ => State::deal(kept.read(kept.workers()), more),
        };
        (from, workers) = (until, more);
    }
    stretch(log, from..epochs(log), workers, states, &all, false);
    let mut outputs = all.lock().expect("no test panics").clone();
    outputs.requests.sort();
    outputs
}

/// Runs the dataflow from one epoch to another; the states that it was suspended with.
fn stretch(
    log: &Log,
    epochs: std::ops::Range<usize>,
    workers: usize,
    states: Vec<State>,
    all: &Arc<Mutex<Outputs>>,
    suspended: bool,
) -> Vec<State> {
    let mut dealt: Vec<_> = states.into_iter().map(Some).collect();
    dealt.resize_with(workers, || None);
    let dealt: Arc<Mutex<Vec<Option<State>>>> = Arc::new(Mutex::new(dealt));
    let taken = Arc::new(Mutex::new(Vec::new()));
    let (shared, log, out) = (all.clone(), log.clone(), taken.clone());
    let gate = Gate::default();
    let guards = timely::execute(timely::Config::process(workers), move |worker| {
        let mine = dealt.lock().expect("no test panics")[worker.index()].take();
        let holds = Holds::new(mine.unwrap_or_default());
        let settings = Settings {
            learn: true,
            rules: log.rules.clone(),
            top_k: 3,
            alpha: log.alpha,
            warm_up: WARM_UP,
            models: log.fitting,
            scores: log.scores,
            trial: TRIAL,
            budget: BUDGET,
            // With an odd number of workers every home is packed whenever it can be.
            model_memory: if worker.peers() % 2 == 1 {
                0
            } else {
                usize::MAX
            },
            // Every other worker stops after each home.
            portion: (worker.index() % 2) << 10,
            drift: Some(log.strictness),
            adapts: log.adapts,
            limit: 2,
            requests: 2,
        };
        let mut services = services(&log.rules.catalogs);
        services.synthesizer = services.synthesizer.filter(|_| log.answered);
        let mut inputs = worker.dataflow::<Epoch, _, _>(|scope| {
            let (inputs, streams) = build(scope, &settings, &services, &holds);
            collect(streams, &shared);
            inputs
        });
        let (index, peers) = (worker.index(), worker.peers());
        for epoch in epochs.clone() {
            inputs.behaviors.advance_to(epoch as Epoch);
            inputs.notices.advance_to(epoch as Epoch);
            let batch = log.epochs.get(epoch);
            let own = batch.into_iter().flatten();
            own.filter(|b| b.home.worker(peers) == index)
                .for_each(|b| inputs.behaviors.send(b.clone()));
            if index == 0 {
                for (_, shift) in log.shifts.iter().filter(|(e, _)| *e == epoch) {
                    inputs.notices.send(Notice::Shift(shift.clone()));
                }
                for (_, erasure) in log.erasures.iter().filter(|(e, _)| *e == epoch) {
                    inputs.notices.send(Notice::Erase(*erasure));
                }
                for (_, feedback) in log.feedback.iter().filter(|(e, _)| *e == epoch) {
                    inputs.notices.send(Notice::Fine(*feedback));
                }
                for (_, mode) in log.modes.iter().filter(|(e, _)| *e == epoch) {
                    inputs.notices.send(Notice::Mode(*mode));
                }
                for asked in asked(&log, epoch) {
                    inputs.notices.send(Notice::Ask(asked));
                }
                for query in queries(epoch) {
                    inputs.notices.send(Notice::Query(query));
                }
                if batch.is_none() {
                    inputs.notices.send(Notice::LogEnd);
                }
            }
            worker.step();
        }
        if suspended {
            let state = suspend(worker, Some(inputs), &holds, &gate);
            out.lock().expect("no test panics").push(state);
        }
    });
    for guard in guards.expect("workers start").join() {
        guard.expect("no worker panics");
    }
    std::mem::take(&mut taken.lock().expect("no test panics"))
}

/// Keeps everything that leaves the dataflow.
fn collect(streams: Streams<'_>, all: &Arc<Mutex<Outputs>>) {
    fn keep<D: Clone + 'static>(
        stream: StreamVec<'_, Epoch, D>,
        all: &Arc<Mutex<Outputs>>,
        keep: impl Fn(&mut Outputs, Epoch, D) + 'static,
    ) {
        let all = all.clone();
        stream.inspect_core(move |event| {
            if let Ok((stamp, data)) = event {
                let epoch = *stamp.least().expect("messages make claims");
                let mut all = all.lock().expect("no test panics");
                data.iter().cloned().for_each(|d| keep(&mut all, epoch, d));
            }
        });
    }
    let Streams {
        ingested, learnt, ..
    } = streams;
    let learnt = learnt.expect("the settings say so");
    keep(ingested.segments.inner, all, |o, _, u| o.segments.push(u));
    keep(ingested.accounts, all, |o, e, a| o.accounts.push((e, a)));
    let regimes = ingested.placed.clone().regimes();
    keep(regimes.inner, all, |o, _, u| o.regimes.push(u));
    keep(ingested.placed, all, |o, e, p| o.placed.push((e, p)));
    keep(ingested.open, all, |o, e, open| o.open.push((e, open)));
    keep(ingested.ended, all, |o, e, (k, r)| o.ended.push((e, k, r)));
    keep(ingested.refused, all, |o, e, s| o.refused.push((e, s)));
    keep(ingested.transitions.inner, all, |o, _, u| {
        o.transitions.push(u);
    });
    keep(learnt.hints, all, |o, e, (k, h)| o.hints.push((e, k, h)));
    keep(learnt.representatives.inner, all, |o, _, u| {
        o.representatives.push(u);
    });
    keep(learnt.requests, all, |o, e, r| o.requests.push((e, r)));
    keep(learnt.warm_up, all, |o, e, s| o.warm_up.push((e, s)));
    keep(learnt.invalid, all, |o, e, i| o.invalid.push((e, i)));
    keep(learnt.filtered, all, |o, e, f| {
        o.verdicts.extend(f.verdicts.into_iter().map(|v| (e, v)));
    });
    if let Some(adaptations) = learnt.adaptations {
        keep(adaptations, all, |o, e, a| o.adaptations.push((e, a)));
    }
    if let Some(alarms) = learnt.alarms {
        keep(alarms, all, |o, e, (raised, _, diff)| {
            o.alarms.push((e, Raised::clone(&raised), diff));
        });
    }
    keep(learnt.heard, all, |o, e, h| o.heard.push((e, h)));
    keep(ingested.found, all, |o, e, d| o.drifts.push((e, d)));
    keep(learnt.scores, all, |o, e, s| o.scores.push((e, s)));
    keep(learnt.adjustments, all, |o, e, a| {
        o.adjustments.push((e, a));
    });
    keep(learnt.portraits, all, |o, e, a| o.portraits.push((e, a)));
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

/// The shifts that a home knows after `epoch`, without those that it refused: declared, and found where these end regimes.
pub fn known(log: &Log, outputs: &Outputs, home: HomeId, epoch: Epoch) -> Vec<Shift> {
    let mut shifts = declared(log, outputs, home, epoch);
    let found = outputs.drifts.iter().filter(|(_, d)| d.home == home);
    for (at, drift) in found.filter(|(at, _)| log.adapts && *at <= epoch) {
        let declared = declared(log, outputs, home, *at);
        let mut times = declared.iter().map(|shift| shift.time.0);
        let near = log.strictness.learning as i64 * Time::DAY;
        if !times.any(|time| (time - drift.since.0).abs() < near) {
            let (from, to) = drift.changes.in_words(log.rules.catalogs.of(home));
            let kind = ShiftKind::Drift;
            let of_home = shift(Some(home.0), drift.since);
            shifts.push(Shift {
                kind,
                from,
                to,
                ..of_home
            });
        }
    }
    shifts
}

/// Those of them that were declared.
pub fn declared(log: &Log, outputs: &Outputs, home: HomeId, epoch: Epoch) -> Vec<Shift> {
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
