//! Inboxes as they are meant.

use super::*;
use crate::fates::telling;

fn mark(at: &str) -> Option<Mark> {
    Some(Mark {
        source: "queue".into(),
        at: at.into(),
    })
}

#[tokio::test]
async fn what_was_put_is_there_with_its_mark_and_a_torn_line_goes() {
    let folder = tempfile::tempdir().unwrap();
    let disk = Disk::real();
    let (inbox, writer) = Inbox::open(&disk, folder.path(), Keeps::default()).unwrap();
    assert_eq!(inbox.mark("queue"), None);
    inbox.put(["a", "b"], mark("2")).await.unwrap();
    inbox.put(["c"], None).await.unwrap();
    assert_eq!(inbox.mark("queue").as_deref(), Some("2"));
    inbox.put([""; 0], mark("2")).await.unwrap();
    let ends = || inbox.lines_end().load(Ordering::Relaxed);
    assert!(ends() > 6 && ends() < inbox.durable().length());
    let ended = ends();
    for line in ["d\ne", r#"{"mark":{"source":"queue","at":"9"}}"#] {
        let refused = inbox.put([line], None).await;
        assert!(matches!(refused, Err(InboxError::NoLine)));
    }
    drop(inbox);
    writer.join();
    let path = inbox_path(folder.path());
    let mark_line = r#"{"mark":{"source":"queue","at":"2"}"#;
    let expected = format!("{mark_line},\"bytes\":4}}\na\nb\nc\n{mark_line}}}\n");
    assert_eq!(std::fs::read_to_string(&path).unwrap(), expected);
    std::fs::write(&path, format!("{expected}torn")).unwrap();
    let (inbox, writer) = Inbox::open(&disk, folder.path(), Keeps::default()).unwrap();
    assert_eq!(inbox.lines_end().load(Ordering::Relaxed), ended);
    assert_eq!(inbox.mark("queue").as_deref(), Some("2"));
    inbox.put(["d"], mark("3")).await.unwrap();
    drop(inbox);
    writer.join();
    let read = std::fs::read_to_string(&path).unwrap();
    let behind = "{\"mark\":{\"source\":\"queue\",\"at\":\"3\"},\"bytes\":2}\nd\n";
    assert_eq!(read, format!("{expected}{behind}"));
}

#[tokio::test]
async fn whoever_asks_is_told_where_its_lines_stand() {
    let folder = tempfile::tempdir().unwrap();
    let disk = Disk::real();
    let (inbox, writer) = Inbox::open(&disk, folder.path(), Keeps::default()).unwrap();
    let (tell, _told) = tokio::sync::mpsc::unbounded_channel();
    inbox.put(["a", "b"], mark("2")).await.unwrap();
    let asks = |lines| (lines, telling(tell.clone()));
    // A mark and its two lines stand before it.
    assert_eq!(inbox.put_asking(["c", "d"], asks(1)).await.unwrap(), 4);
    drop(inbox);
    writer.join();
    let (inbox, writer) = Inbox::open(&disk, folder.path(), Keeps::default()).unwrap();
    assert_eq!(inbox.put_asking(["e"], asks(1)).await.unwrap(), 6);
    let asked = inbox.durable().fates().among(1..=9);
    let asked: Vec<_> = asked.iter().map(|a| (a.first.line, a.last.line)).collect();
    assert_eq!(asked, [(6, 6)], "of this process alone");
    drop(inbox);
    writer.join();
}

/// The inbox as it is when so many of these bytes outlived a failure: its last mark, and its lines without marks.
fn outlived(text: &str, bytes: usize) -> (Option<String>, Vec<String>) {
    let folder = tempfile::tempdir().unwrap();
    let path = inbox_path(folder.path());
    std::fs::write(&path, &text[..bytes]).unwrap();
    let (inbox, writer) = Inbox::open(&Disk::real(), folder.path(), Keeps::default()).unwrap();
    let at = inbox.mark("queue");
    drop(inbox);
    writer.join();
    let left = std::fs::read_to_string(&path).unwrap();
    let lines = left.lines().filter(|line| !line.starts_with("{\"mark\""));
    (at, lines.map(str::to_owned).collect())
}

#[tokio::test]
async fn lines_and_their_mark_outlive_a_failure_together_or_not_at_all() {
    let folder = tempfile::tempdir().unwrap();
    let (inbox, writer) = Inbox::open(&Disk::real(), folder.path(), Keeps::default()).unwrap();
    inbox.put(["a", "b"], mark("2")).await.unwrap();
    inbox.put(["c", "d"], mark("4")).await.unwrap();
    inbox.put(Vec::<String>::new(), mark("5")).await.unwrap();
    drop(inbox);
    writer.join();
    let text = std::fs::read_to_string(inbox_path(folder.path())).unwrap();
    for bytes in 0..=text.len() {
        let (at, lines) = outlived(&text, bytes);
        let expected: &[&str] = match at.as_deref() {
            None => &[],
            Some("2") => &["a", "b"],
            _ => &["a", "b", "c", "d"],
        };
        assert_eq!(lines, expected, "{at:?} at byte {bytes}");
    }
    // No disk holds as many.
    let endless =
        "{\"mark\":{\"source\":\"queue\",\"at\":\"2\"},\"bytes\":18446744073709551615}\na\n";
    assert_eq!(outlived(endless, endless.len()), (None, Vec::new()));
    // As versions before wrote it: the mark behind its lines.
    let old = "a\nb\n{\"mark\":{\"source\":\"queue\",\"at\":\"2\"}}\nc\n";
    let (at, lines) = outlived(old, old.len());
    assert_eq!((at.as_deref(), lines.len()), (Some("2"), 3));
}

/// Whichever process reads a partition goes on where another has left it; that a topic was met is each one's own.
#[test]
fn marks_of_partitions_are_of_no_process() {
    let mark = |source: &str| Mark {
        source: source.to_owned(),
        at: "5".to_owned(),
    };
    let placed = |source: &str| mark(source).at_process(3).source;
    assert_eq!(placed("kafka-in/events/1"), "kafka-in/events/1");
    assert_eq!(placed("kafka-in/events"), "3/kafka-in/events");
    assert_eq!(
        placed("follow kafka-in/events/1"),
        "3/follow kafka-in/events/1"
    );
}

/// Of another process's source that has the same name, too.
#[tokio::test]
async fn marks_of_each_process_outlive_what_is_dropped() {
    let folder = tempfile::tempdir().unwrap();
    let disk = Disk::real();
    let (inbox, writer) = Inbox::open(&disk, folder.path(), LITTLE).unwrap();
    for at in ["1", "2"] {
        inbox.put(["own"], mark(at)).await.unwrap();
        let other = mark(&format!("other {at}")).map(|mark| mark.at_process(7));
        assert_eq!(other.as_ref().unwrap().place(), (Some(7), "queue"));
        inbox.put(["other"], other).await.unwrap();
        for n in 0..50 {
            inbox.put([format!("{n:020}")], None).await.unwrap();
        }
    }
    let surplus = inbox.durable().surplus(0).unwrap();
    inbox.durable().forget(surplus).unwrap();
    let mut marks = Vec::new();
    inbox.each(|mark| marks.push(mark)).unwrap();
    let of = |process: Option<usize>| {
        let of = marks.iter().filter(|mark| mark.place().0 == process);
        once(&of.map(|mark| mark.at.clone()).collect::<Vec<_>>())
    };
    assert_eq!(of(None), ["1", "2"]);
    assert_eq!(of(Some(7)), ["other 1", "other 2"]);
    drop(inbox);
    writer.join();
}

/// Of those whose marks say what has changed: all of them, the same one once.
fn once(marks: &[String]) -> Vec<String> {
    let mut marks = marks.to_vec();
    marks.sort();
    marks.dedup();
    marks
}

const LITTLE: Keeps = Keeps {
    bytes: Some(2_000),
    folds: &[("queue", once)],
};

#[tokio::test]
async fn what_is_dropped_leaves_places_and_marks_as_they_were() {
    let folder = tempfile::tempdir().unwrap();
    let disk = Disk::real();
    let (inbox, writer) = Inbox::open(&disk, folder.path(), LITTLE).unwrap();
    let (tell, _told) = tokio::sync::mpsc::unbounded_channel();
    inbox.put(["first"], mark("1")).await.unwrap();
    let mut last = 0;
    for n in 0..200 {
        let asked = inbox.put_asking([format!("{n:020}")], (1, telling(tell.clone())));
        let number = asked.await.unwrap();
        assert!(number > last);
        last = number;
    }
    inbox.put(["last"], mark("2")).await.unwrap();
    let growing = inbox.durable().clone();
    let (length, surplus) = (growing.length(), growing.surplus(2_000).unwrap());
    assert!(length - surplus >= 2_000 && length - surplus < 2_600);
    let mut reader = BufReader::new(growing.bytes(0));
    let mut line = String::new();
    io::BufRead::read_line(&mut reader, &mut line).unwrap();
    growing.forget(surplus - 1).unwrap();
    assert!(growing.begins().bytes > 0 && growing.begins().bytes < surplus);
    growing.forget(surplus).unwrap();
    assert_eq!(growing.begins().bytes, surplus);
    // Whoever reads a piece that goes reads it on, and is told where it can no further.
    let mut rest = Vec::new();
    let gone = io::Read::read_to_end(&mut reader, &mut rest).unwrap_err();
    let begins = format!("before byte {surplus} is no longer there");
    assert!(gone.to_string().contains(&begins), "{gone}");
    drop(inbox);
    writer.join();
    let (inbox, writer) = Inbox::open(&disk, folder.path(), LITTLE).unwrap();
    assert_eq!(inbox.durable().begins(), growing.begins());
    assert_eq!(inbox.durable().length(), length);
    assert_eq!(inbox.mark("queue").as_deref(), Some("2"));
    let mut marks = Vec::new();
    let take = |mark: &str| marks.push(mark.to_owned());
    inbox.each_mark("queue", take).unwrap();
    assert_eq!(once(&marks), ["1", "2"]);
    let next = inbox
        .put_asking(["next"], (1, telling(tell)))
        .await
        .unwrap();
    let mut kept = Vec::new();
    let mut log = inbox.durable().bytes(surplus);
    io::Read::read_to_end(&mut log, &mut kept).unwrap();
    let kept = kept.iter().filter(|byte| **byte == b'\n').count() as u64;
    // A mark with a line, and what a piece that followed begins with, are before it.
    assert_eq!(next, growing.begins().lines + kept);
    assert!(next >= last + 3);
    drop(inbox);
    writer.join();
    // Where something is missing between two, nobody reads over it.
    let mut pieces: Vec<_> = std::fs::read_dir(folder.path()).unwrap().collect();
    pieces.sort_by_key(|piece| piece.as_ref().unwrap().path());
    assert!(pieces.len() > 3);
    std::fs::remove_file(pieces[1].as_ref().unwrap().path()).unwrap();
    let refused = Inbox::open(&disk, folder.path(), LITTLE).err().unwrap();
    assert!(refused.to_string().contains("is missing"), "{refused}");
}
