//! An inbox that is shared, by processes in one.

use std::collections::BTreeSet;
use std::io::Read;
use std::net::TcpListener;
use std::path::Path;
use std::sync::Barrier;
use std::time::{Duration, Instant};

use hearth_operators::words::HomeId;
use tokio::runtime::Runtime;

use super::{Mirror, Sharing};
use crate::cluster::{Cluster, Hello, Hosts};
use crate::disk::Disk;
use crate::ends::End;
use crate::fates::{Fated, telling};
use crate::growing::Reach;
use crate::inbox::{Inbox, InboxError, Keeps, Mark};
use crate::outputs::inbox_path;
use crate::portrait::View;
use crate::stop::Stop;

/// Has two processes of a live run do something once they have met.
fn both(first: impl FnOnce(Cluster, &Stop) + Send, other: impl FnOnce(Cluster, &Stop) + Send) {
    let listeners = [(); 2].map(|()| TcpListener::bind("127.0.0.1:0").unwrap());
    let addresses = listeners.map(|listener| listener.local_addr().unwrap().to_string());
    let hosts = Hosts::new(addresses.to_vec());
    let meet = |process, stop: &Stop| {
        let hello = Hello::new(process, 2, 1, Vec::new()).of_live_run();
        Cluster::meet(&hosts, &hello, stop).unwrap()
    };
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let stop = Stop::default();
            first(meet(0, &stop), &stop);
        });
        let stop = Stop::default();
        other(meet(1, &stop), &stop);
    });
}

fn mark(source: &str, at: &str) -> Option<Mark> {
    Some(Mark {
        source: source.to_owned(),
        at: at.to_owned(),
    })
}

fn put(inbox: &Inbox, lines: &[&str], mark: Option<Mark>) -> Result<(), InboxError> {
    Runtime::new().unwrap().block_on(inbox.put(lines, mark))
}

fn open(folder: &Path) -> (Inbox, crate::inbox::InboxWriter) {
    Inbox::open(&Disk::real(), folder, Keeps::default()).unwrap()
}

fn mirrored(cluster: &mut Cluster, folder: &Path, stop: &Stop) -> (Inbox, Mirror) {
    let link = cluster.inbox_links().remove(0).unwrap();
    Mirror::open(&Disk::real(), folder, link, (cluster.peers(), stop)).unwrap()
}

/// Waits until something holds.
fn until(holds: impl Fn() -> bool) {
    let began = Instant::now();
    while !holds() {
        assert!(began.elapsed() < Duration::from_secs(60), "it never holds");
        std::thread::sleep(Duration::from_millis(1));
    }
}

fn until_told(told: &mut tokio::sync::oneshot::Receiver<Option<View>>) {
    let began = Instant::now();
    while told.try_recv().is_err() {
        assert!(began.elapsed() < Duration::from_secs(60), "nobody tells");
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// What comes in at either, with marks of either, which are told apart; in one order, from any place on, epoch by epoch.
#[test]
fn what_comes_in_at_one_is_had_by_both() {
    let folders = [(); 2].map(|()| tempfile::tempdir().unwrap());
    let [first, second] = folders.each_ref().map(tempfile::TempDir::path);
    {
        let (inbox, writer) = open(first);
        for (line, at) in [("a", "1"), ("b", "2")] {
            put(&inbox, &[line], mark("1/queue", at)).unwrap();
        }
        put(&inbox, &["c"], mark("queue", "9")).unwrap();
        drop(inbox);
        writer.join();
    }
    let came = Barrier::new(2);
    both(
        |mut cluster, _| {
            let (inbox, writer) = open(first);
            let links = cluster.inbox_links();
            let shared = Sharing::begin(&inbox, "its/inbox.jsonl", links, cluster.peers()).unwrap();
            came.wait();
            let newest = |source: &str| inbox.mark(source);
            assert_eq!(newest("queue").as_deref(), Some("9"));
            assert_eq!(newest("1/queue").as_deref(), Some("3"), "it has come");
            // Of pieces of the mirror, more than one.
            let long = "x".repeat(300);
            for _ in 0..3 {
                put(&inbox, &[&long], None).unwrap();
                let at = inbox.lines_end().load(std::sync::atomic::Ordering::Relaxed);
                shared.end(End { at, asked: false });
            }
            came.wait();
            let text = std::fs::read_to_string(inbox_path(first)).unwrap();
            assert!(text.contains("\nd\ne\n"), "{text}");
            drop(inbox);
            shared.close(true);
            writer.join();
        },
        |mut cluster, stop| {
            let (inbox, mirror) = mirrored(&mut cluster, second, stop);
            assert_eq!(mirror.name(), Path::new("its/inbox.jsonl"));
            let mut told = Vec::new();
            inbox
                .each_mark("queue", |at| told.push(at.to_owned()))
                .unwrap();
            assert_eq!(told, ["1", "2"], "its own, in their order");
            assert_eq!(inbox.mark("queue").as_deref(), Some("2"));
            put(&inbox, &["d", "e"], mark("queue", "3")).unwrap();
            assert_eq!(inbox.mark("queue").as_deref(), Some("3"));
            assert!(matches!(
                put(&inbox, &["f\ng"], None),
                Err(InboxError::NoLine)
            ));
            // Behind the first line.
            let text = std::fs::read_to_string(inbox_path(first)).unwrap();
            let bytes = text.find("\na\n").unwrap() as u64 + 3;
            mirror
                .begin(Some(Reach { bytes, lines: 2 }), bytes)
                .unwrap();
            came.wait();
            let (mut read, mut at) = (Vec::new(), bytes);
            for _ in 0..3 {
                let end = mirror.ends().next(Instant::now() + Duration::from_secs(60));
                at = end.unwrap().at;
            }
            let growing = inbox.durable();
            assert_eq!(growing.length(), bytes, "nothing was said to be read");
            growing.grow(at);
            growing.bytes(bytes).read_to_end(&mut read).unwrap();
            let whole = std::fs::read(inbox_path(first)).unwrap();
            assert!(read == whole[bytes as usize..at as usize]);
            let pieces = || {
                let files = std::fs::read_dir(second).unwrap();
                files.filter(|f| f.as_ref().is_ok_and(|f| f.file_name() != ".hearth.lock"))
            };
            let before = pieces().count();
            assert!(before > 1, "{before} pieces");
            growing.forget(growing.surplus(0).unwrap()).unwrap();
            assert_eq!(pieces().count(), 1);
            came.wait();
            drop(inbox);
            mirror.close();
        },
    );
}

/// Who asks at the other process is told what becomes of lines and of a home's model, wherever the dataflow says it.
#[test]
fn who_asks_is_told_wherever_it_is_known() {
    let folders = [(); 2].map(|()| tempfile::tempdir().unwrap());
    let [first, second] = folders.each_ref().map(tempfile::TempDir::path);
    let over = Barrier::new(2);
    both(
        |mut cluster, _| {
            let (inbox, writer) = open(first);
            let links = cluster.inbox_links();
            let shared = Sharing::begin(&inbox, "inbox.jsonl", links, cluster.peers()).unwrap();
            let (fates, queries) = (inbox.durable().fates(), inbox.durable().queries());
            until(|| !fates.among(1..=9).is_empty());
            // A question of its own, which the dataflow answers at the other process, and the other's, which it answers here.
            let mut own = queries.ask("own").unwrap();
            fates.tell(Fated::rejected(2, "here"));
            let asked = std::cell::RefCell::new(BTreeSet::new());
            until(|| {
                let all = queries.take(|home| (home != "nobody").then_some(HomeId(1)));
                asked
                    .borrow_mut()
                    .extend(all.iter().map(|query| query.number));
                asked.borrow().len() == 2
            });
            until_told(&mut own);
            queries.said(1, None);
            over.wait();
            drop(inbox);
            shared.close(true);
            writer.join();
        },
        |mut cluster, stop| {
            let (inbox, mirror) = mirrored(&mut cluster, second, stop);
            let runtime = Runtime::new().unwrap();
            let (tell, mut told) = tokio::sync::mpsc::unbounded_channel();
            let asks = (2, telling(tell));
            let line = runtime.block_on(inbox.put_asking(["a", "b"], asks));
            assert_eq!(line.unwrap(), 1);
            let (fates, queries) = (inbox.durable().fates(), inbox.durable().queries());
            fates.tell(Fated::rejected(1, "there"));
            let mut reasons: Vec<_> = [(); 2]
                .map(|()| told.blocking_recv().unwrap().reason.unwrap())
                .into();
            reasons.sort();
            assert_eq!(reasons, ["here", "there"]);
            assert_eq!(told.blocking_recv(), None, "nobody is left who tells");
            let view = queries.ask("h").unwrap();
            let unknown = queries.ask("nobody").unwrap();
            // By the number of the first process.
            queries.said(0, None);
            assert!(unknown.blocking_recv().unwrap().is_none());
            assert!(view.blocking_recv().unwrap().is_none());
            over.wait();
            drop(inbox);
            mirror.close();
        },
    );
}

/// Nobody waits for a first process that is gone.
#[test]
fn what_cannot_be_put_any_more_is_told() {
    let folders = [(); 2].map(|()| tempfile::tempdir().unwrap());
    let [first, second] = folders.each_ref().map(tempfile::TempDir::path);
    both(
        |mut cluster, _| {
            let (inbox, writer) = open(first);
            let links = cluster.inbox_links();
            let shared = Sharing::begin(&inbox, "inbox.jsonl", links, cluster.peers()).unwrap();
            until(|| inbox.mark("1/queue").is_some());
            drop(inbox);
            shared.close(true);
            writer.join();
        },
        |mut cluster, stop| {
            let (inbox, mirror) = mirrored(&mut cluster, second, stop);
            put(&inbox, &["a"], mark("queue", "1")).unwrap();
            // Until it is gone, it takes them.
            until(|| matches!(put(&inbox, &["b"], None), Err(InboxError::Closed)));
            drop(inbox);
            mirror.close();
        },
    );
}
