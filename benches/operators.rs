//! One bench an operator of the incremental path, each with the claim that it shows.
//!
//! `cargo bench -p hearth-operators` runs them; the log is seeded and in memory, so that nothing but the operators and
//! timely's channels is measured. Events a second over the whole path are `hearth bench throughput`.
#![allow(missing_docs, reason = "criterion's macros make public functions")]

use std::hint::black_box;
use std::sync::Arc;

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use differential_dataflow::AsCollection;
use hearth_operators::hints::Hinting;
use hearth_operators::shift::Shifts;
use hearth_operators::split::{Notice, Rules, Split};
use hearth_operators::state::Held;
use hearth_operators::transitions::Transitions;
use hearth_operators::words::{
    Action, ActionId, Behavior, Catalog, Catalogs, Device, Epoch, HomeId, Line, Moment, Scores,
    Segment, Time,
};
use timely::dataflow::ProbeHandle;
use timely::dataflow::operators::{Input, Probe, ToStream};

const HOMES: u32 = 1_000;
const EVENTS: usize = 100_000;
const EPOCH: usize = 10_000;

fn rules() -> Rules {
    let action = |name: &str, closes: &[&str]| Action {
        closes: closes.iter().map(|c| (*c).into()).collect(),
        ..Action::new(name)
    };
    let devices = (0..40).map(|device| {
        let actions = vec![
            action("on", &[]),
            action("off", &["on"]),
            action("dim", &[]),
        ];
        Device::new(format!("Device{device}"), actions)
    });
    let catalog = Catalog::new(devices.collect()).expect("a good catalog");
    Rules::new(Catalogs::shared(Arc::new(catalog)))
}

/// Events of all homes in time order; a share of `late` in a thousand comes up to six hours later.
fn log(late: u64) -> Vec<Behavior> {
    let mut seed = 2024u64;
    let mut random = move |below: u64| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (seed >> 33) % below
    };
    let mut events: Vec<(i64, Behavior)> = (0..EVENTS)
        .map(|n| {
            // Eight events close together, then more than nine hours of nothing.
            let (round, home) = (n as i64 / i64::from(HOMES), n as u32 % HOMES);
            let session = round / 8 * 12 * Time::HOUR;
            let time =
                session + round % 8 * 600 * Time::SECOND + i64::from(home) * Time::SECOND / 4;
            let delay = match random(1000) < late {
                true => random(6 * 3600) as i64 * Time::SECOND,
                false => 0,
            };
            let moment = Moment {
                time: Time(time),
                action: ActionId((random(120) * random(120) / 120) as u16),
                offset: 0,
            };
            let line = Line::default();
            let home = HomeId(home);
            (
                time + delay,
                Behavior {
                    home,
                    moment,
                    id: None,
                    line,
                },
            )
        })
        .collect();
    events.sort_by_key(|(arrives, _)| *arrives);
    let numbered = events.into_iter().zip(1..).map(|((_, mut event), line)| {
        event.line.line = line;
        event
    });
    numbered.collect()
}

/// Feeds a log, an epoch at a time, to the split and, for the `whole` path, to the shifts and transition counts behind it.
fn split(log: Vec<Behavior>, rules: &Rules, whole: bool) {
    let rules = rules.clone();
    timely::execute_directly(move |worker| {
        let probe = ProbeHandle::new();
        let (mut behaviors, mut notices) = worker.dataflow::<Epoch, _, _>(|scope| {
            let (behaviors, stream) = scope.new_input::<Vec<_>>();
            let (notices, told) = scope.new_input::<Vec<_>>();
            let past = Held::default();
            let split = stream.split(
                told.clone(),
                rules,
                Scores::Aligned,
                Held::default(),
                past.clone(),
            );
            if whole {
                let transitions = split.segments.clone().transitions();
                let shifts = {
                    let of = (split.settled, split.revised);
                    split.segments.shifts(of, told, None, Held::default(), past)
                };
                shifts.placed.probe_with(&probe);
                shifts.ended.hints(5).probe_with(&probe);
                transitions.inner.probe_with(&probe);
            } else {
                split.segments.inner.probe_with(&probe);
            }
            (behaviors, notices)
        });
        for (batch, epoch) in log.chunks(EPOCH).zip(1..) {
            behaviors.send_batch(&mut batch.to_vec());
            behaviors.advance_to(epoch);
            notices.advance_to(epoch);
            while probe.less_than(&epoch) {
                worker.step();
            }
        }
        notices.send(Notice::LogEnd);
    });
}

/// Claim: an event in order costs an append; late ones cost a re-split of their segment, not of their home.
fn splitting(c: &mut Criterion) {
    ingesting(c, "split", false);
}

/// Claim: shifts and transition counts add less to an event than the split costs.
fn whole_path(c: &mut Criterion) {
    ingesting(c, "split, shifts, transitions", true);
}

/// Measures [`split`] on a log in order and on one with late events.
fn ingesting(c: &mut Criterion, name: &str, whole: bool) {
    let mut group = c.benchmark_group(name);
    group.throughput(Throughput::Elements(EVENTS as u64));
    let rules = rules();
    for (name, late) in [("in order", 0), ("5 % late", 50)] {
        let log = log(late);
        group.bench_function(name, |b| {
            b.iter_batched(
                || log.clone(),
                |log| split(log, &rules, whole),
                BatchSize::LargeInput,
            );
        });
    }
    group.finish();
}

/// Claim: a transition costs its share of a sort of one home's changes, whatever its home counts already.
fn counting(c: &mut Criterion) {
    let segments: Vec<_> = log(0)
        .chunk_by(|a, b| a.home == b.home)
        .map(|of| of[0].home)
        .zip(0..)
        .map(|(home, n): (HomeId, u16)| {
            let moments = (0..8).map(|i: u16| Moment {
                time: Time(i64::from(i)),
                action: ActionId(n.wrapping_mul(31).wrapping_add(i * 7) % 120),
                offset: 0,
            });
            let segment = Segment {
                home,
                moments: moments.collect(),
            };
            (Arc::new(segment), 0, 1i64)
        })
        .take(EVENTS / 8)
        .collect();
    let mut group = c.benchmark_group("transitions");
    group.throughput(Throughput::Elements(segments.len() as u64 * 7));
    group.bench_function("counts", |b| {
        b.iter_batched(
            || segments.clone(),
            |segments| {
                timely::example(move |scope| {
                    let counted = segments.to_stream(scope).as_collection().transitions();
                    black_box(counted.inner.probe());
                });
            },
            BatchSize::LargeInput,
        );
    });
    group.finish();
}

criterion_group! {
    name = operators;
    config = Criterion::default().sample_size(10);
    targets = splitting, counting, whole_path
}
criterion_main!(operators);
