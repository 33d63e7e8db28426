//! W1 (see ../w1.py) in DBSP, the engine of Feldera: a home's state is a chain aggregate, one worker.
//!
//! A transaction takes `BATCH` events, in a Z-set indexed by home. `chain_aggregate` is what DBSP has for a state that
//! follows from the one before and the new events: it keeps the states in a trace of its own and not the events. Plain
//! windows would not do, for an event that closes what its segment holds open stays with it however late it comes. What a
//! home found in a transaction is a part of its state, from which an `apply` hands it on, for a state is one value a key.
//! The counts are DBSP's `weighted_count`; segments and changed counts leave the circuit after each transaction.
//!
//! With `closure` as the second argument the states are in a map of an `apply_mut` closure instead: cheaper, but out of
//! DBSP's sight, so not in its checkpoints.
//!
//! Left out: events that come late (both ways take an append-only log in time order), retractions, storage. Names are
//! numbers in the circuit, given as the log is read.

use anyhow::{Context, Result};
use chrono::DateTime;
use dbsp::typed_batch::{IndexedZSetReader, OrdIndexedZSet, OrdZSet};
use dbsp::utils::{Tup2, Tup3, Tup4, Tup6};
use dbsp::{IndexedZSetHandle, RootCircuit, Runtime, Stream, ZWeight};
use std::collections::HashMap;

// As in DBSP's own benchmarks.
#[global_allocator]
static ALLOCATOR: dbsp::mimalloc::MiMalloc = dbsp::mimalloc::MiMalloc;

const BATCH: u32 = 50_000;
const HOUR: i64 = 3600 * 1_000_000;
const GAP: i64 = 9 * HOUR;
const SPAN: i64 = 24 * HOUR;
const ON: u32 = 0;
const OFF: u32 = 1;
/// What comes before a segment's first action.
const NONE: u64 = u64::MAX;

/// Time in microseconds, number in the log (which orders events of one time), device, action.
type Event = Tup4<i64, u32, u32, u32>;
/// The segment's start, its last event's time and action, devices on, the transaction, what was found in it.
type Home = Tup6<i64, i64, u64, Vec<u32>, u32, Vec<Found>>;
/// The segment's start, the action before (or `NONE`), the action.
type Found = Tup3<i64, u64, u64>;
/// Home, action, the action after it.
type Pair = Tup3<u32, u64, u64>;
/// Home, start.
type Segment = Tup2<u32, i64>;

/// `Home.step` of w1.py; a home without an action has had no event.
fn step(home: &mut Home, event: &Event) {
    let Tup6(start, last, action, open, transaction, found) = home;
    let &Tup4(time, number, device, kind) = event;
    if *transaction != number / BATCH {
        *transaction = number / BATCH;
        found.clear();
    }
    let closes = kind == OFF && open.contains(&device);
    let begins = *action == NONE || ((time - *last > GAP || time - *start > SPAN) && !closes);
    let name = u64::from(device) << 32 | u64::from(kind);
    if begins {
        *start = time;
        open.clear();
        found.push(Tup3(time, NONE, name));
    } else {
        found.push(Tup3(*start, *action, name));
    }
    if kind == ON || kind == OFF {
        open.retain(|each| *each != device);
    }
    if kind == ON {
        open.push(device);
    }
    (*last, *action) = (time, name);
}

fn no_events() -> Home {
    Tup6(0, 0, NONE, Vec::new(), 0, Vec::new())
}

/// What homes found, as Z-sets.
#[derive(Default)]
struct Batches {
    segments: Vec<Tup2<Segment, ZWeight>>,
    pairs: Vec<Tup2<Pair, ZWeight>>,
}

impl Batches {
    fn add(&mut self, home: u32, found: &[Found]) {
        for &Tup3(start, before, name) in found {
            if before == NONE {
                self.segments.push(Tup2(Tup2(home, start), 1));
            } else {
                self.pairs.push(Tup2(Tup3(home, before, name), 1));
            }
        }
    }

    fn build(self) -> (OrdZSet<Segment>, OrdZSet<Pair>) {
        (
            OrdZSet::from_keys((), self.segments),
            OrdZSet::from_keys((), self.pairs),
        )
    }
}

type Events = Stream<RootCircuit, OrdIndexedZSet<u32, Event>>;
type Split = Stream<RootCircuit, (OrdZSet<Segment>, OrdZSet<Pair>)>;

fn split_by_aggregate(events: &Events) -> Split {
    let update = |mut home: Home, event: &Event, _: ZWeight| {
        step(&mut home, event);
        home
    };
    let homes = events.chain_aggregate(
        move |event, weight| update(no_events(), event, weight),
        update,
    );
    homes.apply(|changed| {
        let mut batches = Batches::default();
        // The state before comes too, with a negative weight: what it found is handed on already.
        for (home, state, weight) in changed.iter() {
            if weight > 0 {
                batches.add(home, &state.5);
            }
        }
        batches.build()
    })
}

fn split_by_closure(events: &Events) -> Split {
    let mut homes: HashMap<u32, Home> = HashMap::new();
    events.apply_mut(move |batch| {
        let mut batches = Batches::default();
        for (home, event, _) in batch.iter() {
            let state = homes.entry(home).or_insert_with(no_events);
            step(state, &event);
            batches.add(home, &state.5[state.5.len() - 1..]);
        }
        batches.build()
    })
}

/// Numbers names in the order they come in.
#[derive(Default)]
struct Names(HashMap<String, u32>);

impl Names {
    fn number(&mut self, name: &str) -> u32 {
        if let Some(number) = self.0.get(name) {
            return *number;
        }
        let number = self.0.len() as u32;
        self.0.insert(name.to_owned(), number);
        number
    }
}

fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    let path = arguments.next().context("the CSV log's path is needed")?;
    let closure = arguments.next().is_some_and(|way| way == "closure");
    let (mut circuit, (input, segments, counts)) = Runtime::init_circuit(1, move |circuit| {
        let (events, input): (Events, IndexedZSetHandle<u32, Event>) =
            circuit.add_input_indexed_zset();
        let split = if closure {
            split_by_closure(&events)
        } else {
            split_by_aggregate(&events)
        };
        let segments = split.apply(|(segments, _)| segments.clone());
        let counts = split.apply(|(_, pairs)| pairs.clone()).weighted_count();
        Ok((
            input,
            segments.accumulate_output(),
            counts.accumulate_output(),
        ))
    })?;

    let (mut homes, mut devices, mut actions) =
        (Names::default(), Names::default(), Names::default());
    assert_eq!(
        (actions.number("switch on"), actions.number("switch off")),
        (ON, OFF)
    );
    let (mut found, mut transitions) = (0, 0);
    let mut log = csv::Reader::from_path(path)?;
    let mut row = csv::StringRecord::new();
    let mut batch = Vec::with_capacity(BATCH as usize);
    let mut number = 0;
    loop {
        let more = log.read_record(&mut row)?;
        if more {
            let time = DateTime::parse_from_rfc3339(&row[1])?.timestamp_micros();
            let event = Tup4(
                time,
                number,
                devices.number(&row[2]),
                actions.number(&row[3]),
            );
            batch.push(Tup2(homes.number(&row[0]), Tup2(event, 1)));
            number += 1;
        }
        if batch.len() == BATCH as usize || !more {
            input.append(&mut batch);
            circuit.transaction()?;
            found += segments
                .concat()
                .iter()
                .map(|(_, (), weight)| weight)
                .sum::<ZWeight>();
            // A changed count comes as the old one's retraction and the new one.
            transitions += counts
                .concat()
                .iter()
                .map(|(_, count, weight)| count * weight)
                .sum::<ZWeight>();
            batch.clear();
        }
        if !more {
            break;
        }
    }
    circuit.kill().ok().context("the circuit's worker failed")?;
    println!("{{\"segments\": {found}, \"transitions\": {transitions}}}");
    Ok(())
}
