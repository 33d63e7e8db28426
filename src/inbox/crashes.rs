//! Every operation of an inbox that goes on from piece to piece, and drops the oldest, is a point at which it can end. From each it
//! opens with all that was promised, and knows how far its sources were read.

use std::io::Read;

use super::*;
use crate::disk::simulated::{Loss, Simulated};

/// What is kept at least, in bytes.
const KEPT: u64 = 800;

/// Of marks `KEY=VALUE` the last of each key.
fn newest(marks: &[String]) -> Vec<String> {
    let pair = |mark: &String| mark.split_once('=').map(|(k, v)| (k.into(), v.into()));
    let pairs: BTreeMap<String, String> = marks.iter().filter_map(pair).collect();
    pairs.iter().map(|(k, v)| format!("{k}={v}")).collect()
}

const KEEPS: Keeps = Keeps {
    bytes: Some(KEPT),
    folds: &[("changes", newest)],
};

fn mark(source: &str, at: String) -> Option<Mark> {
    let source = source.to_owned();
    Some(Mark { source, at })
}

/// The log from where it begins to its end.
fn read(growing: &Growing) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut log = growing.bytes(growing.begins().bytes);
    log.read_to_end(&mut bytes).unwrap();
    bytes
}

/// What all marks of an inbox say.
fn known(inbox: &Inbox) -> (Option<String>, Vec<String>) {
    let mut changes = Vec::new();
    let take = |mark: &str| changes.push(mark.to_owned());
    inbox.each_mark("changes", take).unwrap();
    (inbox.mark("queue"), newest(&changes))
}

/// What the marks of the first so many bytes of a log say.
fn said(log: &[u8]) -> (Option<String>, Vec<String>) {
    let (mut queue, mut changes) = (None, Vec::new());
    let put = |mark: Mark| match &*mark.source {
        "queue" => queue = Some(mark.at),
        _ => changes.push(mark.at),
    };
    pieces::scan(log, Whole::default(), put).unwrap();
    (queue, newest(&changes))
}

/// A log, how long it was when each put was answered, and how far it was dropped by then at most.
struct Written {
    log: Vec<u8>,
    answered: Vec<(usize, u64)>,
}

/// Puts until much was dropped; each answer is noted.
async fn write(disk: &Simulated) -> Written {
    let (inbox, writer) = Inbox::open(&disk.disk(), Path::new("/out"), KEEPS).unwrap();
    let (mut log, mut answered, mut dropped) = (Vec::new(), vec![(0, 0)], 0);
    for n in 0..60_u64 {
        let lines = [format!("line {n}"), "x".repeat(n as usize % 40)];
        let of = match n % 3 {
            0 => mark("queue", n.to_string()),
            1 => mark("changes", format!("{}={n}", n % 5)),
            _ => None,
        };
        inbox.put(lines, of).await.unwrap();
        let durable = inbox.durable();
        let mut new = durable.bytes(log.len() as u64);
        new.read_to_end(&mut log).unwrap();
        assert_eq!(log.len() as u64, durable.length());
        // It is fed with a delay, and a cut is not taken of everything.
        let cut = log.len() as u64 * (3 + n % 4) / 7;
        if let Some(surplus) = durable.surplus(KEPT) {
            dropped = dropped.max(surplus.min(cut));
            // Whatever becomes of it, no more than that may be gone.
            answered.push((log.len(), dropped));
            disk.note();
            durable.forget(surplus.min(cut)).unwrap();
        }
        answered.push((log.len(), dropped));
        disk.note();
    }
    let gone = inbox.durable().begins().bytes;
    assert!(gone > 1_000 && inbox.durable().length() - gone >= KEPT);
    assert_eq!(read(inbox.durable()), log[gone as usize..]);
    drop(inbox);
    writer.join();
    Written { log, answered }
}

#[tokio::test]
async fn from_every_point_it_opens_with_all_that_was_promised() {
    let disk = Simulated::empty();
    disk.disk().create_folder(Path::new("/out")).unwrap();
    let Written { log, answered } = write(&disk).await;
    let journal = disk.journal();
    let mut seen = (0, 0);
    for point in 0..=journal.operations() {
        let (promised, dropped) = answered[journal.notes(point)];
        for loss in [Loss::All, Loss::None, Loss::Some(point as u64)] {
            let disk = journal.image(point, loss).settled();
            if disk.kind(Path::new("/out")).is_none() {
                continue;
            }
            let at = format!("behind {} ({loss:?})", journal.describe(point.max(1) - 1));
            let (inbox, writer) = Inbox::open(&disk.disk(), Path::new("/out"), KEEPS).expect(&at);
            let (begins, length) = (inbox.durable().begins(), inbox.durable().length() as usize);
            assert!(begins.bytes <= dropped && length >= promised, "{at}");
            assert_eq!(
                read(inbox.durable()),
                log[begins.bytes as usize..length],
                "{at}"
            );
            let lines = |bytes: &[u8]| bytes.iter().filter(|byte| **byte == b'\n').count() as u64;
            assert_eq!(begins.lines, lines(&log[..begins.bytes as usize]), "{at}");
            assert_eq!(known(&inbox), said(&log[..length]), "{at}");
            let ends = inbox.lines_end().load(Ordering::Relaxed) as usize;
            let event = |line: &[u8]| line.starts_with(b"line") || line.starts_with(b"x");
            assert!(
                !log[ends..length].split(|byte| *byte == b'\n').any(event),
                "{at}"
            );
            // It goes on, and is found again.
            inbox
                .put(["behind"], mark("queue", "behind".into()))
                .await
                .unwrap();
            let before = (known(&inbox), read(inbox.durable()));
            drop(inbox);
            writer.join();
            let (inbox, writer) = Inbox::open(&disk.disk(), Path::new("/out"), KEEPS).expect(&at);
            assert_eq!((known(&inbox), read(inbox.durable())), before, "{at}");
            seen = (seen.0 + usize::from(begins.bytes > 0), seen.1 + 1);
            drop(inbox);
            writer.join();
        }
    }
    assert!(seen.0 > 100, "{seen:?}");
}
