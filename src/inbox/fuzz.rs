//! Inboxes of bytes that nobody meant.

use super::*;
use crate::fuzz::fuzz;

#[test]
fn inboxes() {
    let folder = tempfile::tempdir().unwrap();
    let path = inbox_path(folder.path());
    let disk = Disk::real();
    let seed = br#"{"mark":{"source":"queue","at":"2"},"bytes":4}
a
b
{"home":"h","time":"2026-01-01T00:00:00Z","device":"Light","action":"on"}
{"mark":{"source":"other","at":"{\"0\":17}"}}
{"mark":{"source":"queue","at":"3"},"bytes":2}
d
"#;
    let words = [
        "{\"mark\":",
        "\"bytes\":1",
        "\n{\"mark\":{\"source\":\"queue\",\"at\":\"9\"}}\n",
        "torn",
    ];
    fuzz(&[seed], &words, |bytes| {
        std::fs::write(&path, bytes).unwrap();
        let opened = || pieces::open(&disk, folder.path(), Keeps::default());
        let (_, found) = opened().unwrap();
        let left = std::fs::read(&path).unwrap();
        // Lines are whole, and what goes is the end.
        assert!(bytes.starts_with(&left) && left.last().is_none_or(|byte| *byte == b'\n'));
        let whole = found.whole;
        assert_eq!(whole.length, left.len() as u64);
        let lines = left.iter().filter(|byte| **byte == b'\n').count();
        assert_eq!(whole.lines, lines as u64);
        assert!(whole.lines_end <= whole.length);
        // Who opens it again finds the same, and a mark that counts is the last one of its source.
        let (_, again) = opened().unwrap();
        assert_eq!(again.marks, found.marks);
        assert_eq!(again.whole, whole);
        for (source, at) in &found.marks {
            let mut last = None;
            let of_source = |mark: Mark| {
                if mark.source == *source {
                    last = Some(mark.at);
                }
            };
            pieces::scan(&*left, Whole::default(), of_source).unwrap();
            assert_eq!(last.as_ref(), Some(at));
        }
        format!(
            "{}{}{}",
            "mark ".repeat(found.marks.len().min(3)),
            if left.len() < bytes.len() {
                "torn "
            } else {
                ""
            },
            if whole.lines_end < whole.length {
                "ends with marks"
            } else {
                ""
            }
        )
    });
}
