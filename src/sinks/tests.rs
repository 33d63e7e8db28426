//! The writer and what it holds back, against a sink that keeps what it is given.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use hearth_operators::transitions::Transition;
use hearth_operators::words::{ActionId, Catalogs, HomeId};
use proptest::prelude::*;

use super::open_rows::OpenRows;
use super::*;
use crate::catalog::catalog_of;
use crate::home_names::HomeNames;
use crate::outputs::{Change, Counts, Record, Stream, Tally};

pub(super) fn names() -> Names {
    let catalog = catalog_of(&[("Light", &["on", "off"])]);
    let homes = HomeNames::default();
    homes.intern("h");
    Names::new(
        homes,
        Catalogs::shared(Arc::new(catalog)),
        ["habits", "habits"],
        Vec::new(),
    )
}

/// A row that one can tell from others.
pub(super) fn row(epoch: Epoch, number: i64) -> Change<Transition> {
    let edge = Transition {
        home: HomeId(0),
        from: ActionId(0),
        to: ActionId(1),
    };
    (edge, epoch, number)
}

fn line(epoch: Epoch, number: i64) -> String {
    let mut line = Vec::new();
    row(epoch, number).line(epoch, &names(), &mut line).unwrap();
    String::from_utf8(line).unwrap()
}

/// Keeps what it is given; fails at the rows of one epoch.
#[derive(Clone, Default)]
struct Kept {
    given: Arc<Mutex<Vec<(Epoch, String)>>>,
    flushed: Arc<Mutex<usize>>,
    fails_at: Option<Epoch>,
}

impl Sink for Kept {
    fn write(&mut self, epoch: Epoch, rows: &dyn Rows, names: &Names) -> Result<(), SinkError> {
        if self.fails_at == Some(epoch) {
            return Err(SinkError::Write {
                path: "kept".into(),
                source: io::Error::other("disk full"),
            });
        }
        for index in 0..rows.len() {
            let mut line = Vec::new();
            rows.line(index, epoch, names, &mut line).unwrap();
            let line = String::from_utf8(line).unwrap();
            self.given.lock().unwrap().push((epoch, line));
        }
        Ok(())
    }

    fn save(&mut self, _: &Model, _: &Names) -> Result<(), SinkError> {
        Ok(())
    }

    fn flush(&mut self) -> Result<(), SinkError> {
        *self.flushed.lock().unwrap() = self.given.lock().unwrap().len();
        Ok(())
    }

    fn finish(&mut self) -> Result<(), SinkError> {
        self.flush()
    }

    fn cut(&mut self) -> Result<(Positions, Durable), SinkError> {
        let rows = self.given.lock().unwrap().len() as u64;
        let positions = [(Stream::Transitions, Place::plain(rows))].into();
        Ok((positions, Box::new(|| Ok(()))))
    }
}

/// What happens to a stream: batches of rows of epochs, and closes.
#[derive(Clone, Debug)]
enum Event {
    Rows(Epoch, usize),
    Close(Epoch),
}

fn events() -> impl Strategy<Value = Vec<Event>> {
    let rows = (0..12_u64, 0..5_usize).prop_map(|(epoch, rows)| Event::Rows(epoch, rows));
    let close = (0..12_u64).prop_map(Event::Close);
    prop::collection::vec(prop_oneof![4 => rows, 1 => close], 0..60)
}

proptest! {
    /// Whatever the order in which batches and closes come, and however few rows have a place in memory: what leaves is what a
    /// plain sort of the rows of closed epochs gives, and never less than what was closed.
    #[test]
    fn rows_leave_in_order_of_epochs(events in events(), in_memory in 0..20_usize) {
        let (mut held, names) = (OpenRows::new(in_memory), names());
        let mut given = Vec::new();
        let mut left: Vec<(Epoch, String)> = Vec::new();
        let mut tally = Tally::default();
        let mut closed = None;
        let mut number = 0;
        for event in events {
            match event {
                Event::Rows(epoch, rows) => {
                    let epoch = closed.map_or(epoch, |closed| epoch.max(closed + 1));
                    let rows: Vec<_> = (0..rows).map(|_| {
                        number += 1;
                        given.push((epoch, line(epoch, number)));
                        row(epoch, number)
                    }).collect();
                    held.hold(epoch, Box::new(rows), &names).unwrap();
                }
                Event::Close(epoch) => {
                    closed = closed.max(Some(epoch));
                    held.close(Stream::Transitions, epoch, |epoch, rows| {
                        rows.count(&mut tally);
                        for index in 0..rows.len() {
                            let mut line = Vec::new();
                            rows.line(index, epoch, &names, &mut line).unwrap();
                            left.push((epoch, String::from_utf8(line).unwrap()));
                        }
                        Ok(())
                    }).unwrap();
                    let mut expected: Vec<_> = given.iter().filter(|(epoch, _)| Some(*epoch) <= closed).cloned().collect();
                    // Stable: rows of an epoch stay in the order in which they came.
                    expected.sort_by_key(|(epoch, _)| *epoch);
                    prop_assert_eq!(&left, &expected);
                }
            }
        }
        let lines = tally.counts().lines.get(&Stream::Transitions).copied().unwrap_or(0);
        prop_assert_eq!(lines, left.len() as u64);
    }
}

#[test]
fn a_row_after_its_close_is_an_error_and_not_lost_in_silence() {
    let (mut held, names) = (OpenRows::new(10), names());
    held.close(Stream::Transitions, 4, |_, _| Ok(())).unwrap();
    held.hold(5, Box::new(vec![row(5, 1)]), &names).unwrap();
    let late = held.hold(4, Box::new(vec![row(4, 1)]), &names);
    let told = late.unwrap_err().to_string();
    assert!(
        told.contains("transitions") && told.contains("epoch 4"),
        "{told}"
    );
    held.close(Stream::Transitions, Epoch::MAX, |_, _| Ok(()))
        .unwrap();
    assert!(held.hold(9, Box::new(vec![row(9, 1)]), &names).is_err());
}

#[test]
fn rows_of_several_workers_all_arrive_in_order() {
    let kept = Kept::default();
    let (writer, sender) = Writer::start(kept.clone(), names()).unwrap();
    std::thread::scope(|scope| {
        for worker in 0..3 {
            let sender = sender.clone();
            scope.spawn(move || {
                for epoch in 0..200 {
                    sender.write(epoch, vec![row(epoch, worker); 3]);
                }
            });
        }
    });
    for epoch in 0..200 {
        sender.close(Stream::Transitions, epoch);
    }
    drop(sender);
    assert_eq!(writer.finish().unwrap().transitions, 3 * 200 * (1 + 2));
    let given = kept.given.lock().unwrap();
    assert!(given.is_sorted_by_key(|(epoch, _)| *epoch));
    assert_eq!(given.len(), 3 * 200 * 3);
}

#[test]
fn what_is_not_closed_is_neither_written_nor_counted() {
    let kept = Kept::default();
    let (writer, sender) = Writer::start(kept.clone(), names()).unwrap();
    sender.write(1, vec![row(1, 1)]);
    sender.write(0, vec![row(0, 1)]);
    sender.close(Stream::Transitions, 0);
    sender.close(Stream::Segments, Epoch::MAX);
    sender.events(7, 1);
    drop(sender);
    let expected = Counts {
        applied: 7,
        duplicate: 1,
        transitions: 1,
        lines: [(Stream::Transitions, 1)].into(),
        ..Counts::default()
    };
    assert_eq!(writer.finish().unwrap(), expected);
    assert_eq!(*kept.given.lock().unwrap(), [(0, line(0, 1))]);
}

#[test]
fn a_failure_is_told_and_blocks_nobody() {
    let kept = Kept {
        fails_at: Some(1),
        ..Kept::default()
    };
    let (tell, told) = std::sync::mpsc::channel();
    let shown = Shown {
        failed: Box::new(move |error| tell.send(error.to_string()).unwrap()),
        ..Shown::default()
    };
    let (writer, sender) = Writer::begin(None, kept.clone(), names(), shown).unwrap();
    // Far more messages than may wait.
    for epoch in 0..1000 {
        sender.write(epoch, vec![row(epoch, 1)]);
        sender.close(Stream::Transitions, epoch);
    }
    // Before it is over.
    let at_once = told.recv().unwrap();
    drop(sender);
    let error = writer.finish().unwrap_err().to_string();
    assert!(error.contains("disk full"), "{error}");
    assert_eq!(at_once, error);
    assert_eq!(kept.given.lock().unwrap().len(), 1);
}

/// A steady trickle is as soon to be seen as a single row: whatever else comes, a row waits at most as long.
#[test]
fn a_row_is_flushed_within_a_second_of_its_close() {
    let kept = Kept::default();
    let (writer, sender) = Writer::start(kept.clone(), names()).unwrap();
    sender.write(0, vec![row(0, 1)]);
    sender.close(Stream::Transitions, 0);
    let began = Instant::now();
    while *kept.flushed.lock().unwrap() == 0 {
        assert!(began.elapsed() < Duration::from_secs(2), "nothing is seen");
        // What comes without being closed puts nothing off.
        sender.write(1, vec![row(1, 1)]);
        std::thread::sleep(Duration::from_millis(5));
    }
    drop(sender);
    writer.finish().unwrap();
}

/// A writer that goes on where a cut left another one writes the rest, rows of open epochs included, and counts all.
#[test]
fn a_writer_goes_on_where_a_cut_left_another() {
    let (kept, after) = (Kept::default(), Kept::default());
    let (writer, sender) = Writer::start(kept.clone(), names()).unwrap();
    sender.write(0, vec![row(0, 1)]);
    sender.write(2, vec![row(2, 1); 2]);
    sender.close(Stream::Transitions, 1);
    let (written, durable) = sender.cut().written().unwrap();
    durable().unwrap();
    assert_eq!(
        written.positions,
        [(Stream::Transitions, Place::plain(1))].into()
    );
    sender.close(Stream::Transitions, 2);
    drop(sender);
    let counts = writer.finish().unwrap();
    let written = bincode::deserialize(&bincode::serialize(&written).unwrap()).unwrap();
    let (writer, sender) =
        Writer::begin(Some(written), after.clone(), names(), Shown::default()).unwrap();
    sender.close(Stream::Transitions, 2);
    drop(sender);
    assert_eq!(writer.finish().unwrap(), counts);
    assert_eq!(
        *after.given.lock().unwrap(),
        kept.given.lock().unwrap()[1..]
    );
}

proptest! {
    /// However many processes there were, and are then: each row that waits is with one of them, in order, and sums stay.
    #[test]
    fn what_several_wrote_is_dealt_whole(
        before in prop::collection::vec(prop::collection::vec((0..9_u64, 0..4_usize), 0..6), 1..5),
        processes in 1..5_usize,
    ) {
        let (mut given, mut left, mut number) = (Vec::new(), Vec::new(), 0);
        let mut cut = |batches: &Vec<(Epoch, usize)>| {
            let (writer, to) = Writer::start(Kept::default(), names()).unwrap();
            for &(epoch, rows) in batches {
                let rows = (0..rows).map(|_| {
                    number += 1;
                    given.push((epoch, line(epoch, number)));
                    row(epoch, number)
                });
                to.write(epoch, rows.collect());
            }
            to.events(7, 1);
            let (written, _) = to.cut().written().unwrap();
            drop(to);
            writer.finish().unwrap();
            bincode::serialize(&written).unwrap()
        };
        let cuts: Vec<Vec<u8>> = before.iter().map(&mut cut).collect();
        let mut applied = 0;
        for process in 0..processes {
            let all = cuts.iter().map(|cut| bincode::deserialize(cut).unwrap());
            let own = |home: HomeId| home.0 as usize % processes == process;
            let place = (process, processes);
            let written = Written::dealt(all.collect(), Positions::new(), place, &own);
            let kept = Kept::default();
            let (sink, shown) = (kept.clone(), Shown::default());
            let (writer, to) = Writer::begin(Some(written), sink, names(), shown).unwrap();
            to.close(Stream::Transitions, Epoch::MAX);
            drop(to);
            applied += writer.finish().unwrap().applied;
            let lines = kept.given.lock().unwrap().clone();
            prop_assert!(lines.is_sorted_by_key(|(epoch, _)| *epoch));
            left.extend(lines);
        }
        left.sort();
        given.sort();
        prop_assert_eq!(left, given);
        prop_assert_eq!(applied, 7 * before.len() as i64);
    }
}
