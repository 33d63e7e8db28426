//! A log that grows between starts, and one that is no longer the one that was read.

use std::path::Path;
use std::time::{Duration, Instant};

use super::household::{EPOCH, dir};
use super::killed::{Random, counted};
use super::program::{Ended, Folder, STREAMS, end, hearth, same_lines, start, write};

/// A run over the log as it is then.
fn command(log: &str, out: &str, options: &str) -> String {
    format!(
        "replay {log} --contexts contexts.jsonl --catalog catalog.json --out {out} --warm-up 100 --warm-up-span 1d \
         --max-gap 2h --epoch-events {EPOCH} --threads 1 --checkpoint-every 1ms {options}"
    )
}

/// Starts a run, and kills it after so long unless it has ended.
fn for_so_long(command: &str, long: Duration) -> Ended {
    let mut child = start(dir(), command);
    drop(child.stdin.take());
    std::thread::sleep(long);
    let _ = child.kill();
    end(child)
}

/// How many starts: `HEARTH_STARTS=50 cargo test --release --test replay grown` for many.
fn starts() -> usize {
    let starts = std::env::var("HEARTH_STARTS").ok();
    starts.map_or(12, |n| n.parse().expect("HEARTH_STARTS is a number"))
}

/// Killed and started again while the log is longer each time, be it in the middle of a line, with other numbers of workers:
/// outputs and counts are those of one run over all of it.
#[test]
fn a_log_that_grows_is_gone_on_with() {
    let whole = std::fs::read(dir().join("events.jsonl")).unwrap();
    let _ = std::fs::remove_dir_all(dir().join("grown"));
    let mut random = Random(7);
    let (starts, mut resumed, mut complete) = (starts(), 0, 0);
    let mut took = Duration::from_secs(1);
    for n in 1..=starts {
        write(dir(), "growing.jsonl", &whole[..whole.len() * n / starts]);
        let workers = ["--workers 1", "--workers 3", "--workers 2"][n % 3];
        let command = command("growing.jsonl", "grown", workers);
        // Every third one comes to its end, as the last one does.
        let ended = if n % 3 == 0 || n == starts {
            let began = Instant::now();
            let ended = hearth(dir(), &command).fine();
            took = began.elapsed();
            ended
        } else {
            let long = random.below(took.as_micros() as u64);
            for_so_long(&command, Duration::from_micros(long))
        };
        resumed += usize::from(ended.stderr.contains("goes on at epoch"));
        complete += usize::from(ended.code == Some(0));
    }
    assert!(resumed > 0, "no run went on from anything");
    assert!(complete > 1, "no run came to its end before the last");
    let again = hearth(dir(), &command("growing.jsonl", "grown", "")).fine();
    assert!(
        again.stdout.contains("holds the whole of this run"),
        "{}",
        again.stdout
    );
    hearth(
        dir(),
        &command("growing.jsonl", "grown-at-once", "--workers 1"),
    )
    .fine();
    let [grown, whole] = ["grown", "grown-at-once"].map(|name| Folder(dir().join(name)));
    same_lines(&whole, &grown, &STREAMS);
    assert_eq!(counted(&grown), counted(&whole));
}

/// Whether a run left something to go on from: a whole cut, whose name is a number.
fn has_cuts(out: &Path) -> bool {
    let names = std::fs::read_dir(out.join("state")).into_iter().flatten();
    let mut names = names.map(|entry| entry.unwrap().file_name());
    names.any(|name| {
        let name = name.to_string_lossy();
        let number = name.strip_prefix("cut-");
        number.is_some_and(|number| number.parse::<u64>().is_ok())
    })
}

#[test]
fn a_log_that_was_replaced_or_cut_is_refused_with_what_differs() {
    let whole = std::fs::read(dir().join("events.jsonl")).unwrap();
    let _ = std::fs::remove_dir_all(dir().join("replaced"));
    write(dir(), "replaced.jsonl", &whole);
    let command = command("replaced.jsonl", "replaced", "");
    let mut child = start(dir(), &format!("{command} --fresh"));
    drop(child.stdin.take());
    while !has_cuts(&dir().join("replaced")) {
        assert!(child.try_wait().unwrap().is_none(), "nothing was kept");
        std::thread::sleep(Duration::from_millis(1));
    }
    let _ = child.kill();
    assert_eq!(end(child).code, None, "it was over before it was killed");
    let mut other = whole.clone();
    other[20] ^= 1;
    let mut end = whole.clone();
    let last = end.len() - 20;
    end[last] ^= 1;
    for (log, what) in [
        (&whole[..whole.len() / 2], "has fewer"),
        (&other, "begins with something else"),
        (&end, "has changed"),
    ] {
        write(dir(), "replaced.jsonl", log);
        let refused = hearth(dir(), &command);
        assert_eq!(refused.code, Some(2), "{}", refused.stderr);
        for part in [what, "replaced.jsonl", "--fresh"] {
            assert!(refused.stderr.contains(part), "{}", refused.stderr);
        }
    }
    write(dir(), "replaced.jsonl", &whole);
    let goes_on = hearth(dir(), &command).fine();
    assert!(
        goes_on.stderr.contains("goes on at epoch"),
        "{}",
        goes_on.stderr
    );
}

/// Devices and actions that only the rest of a log names: what was known keeps its place, and nothing is lost. Only how strange a
/// behaviour is depends on how many actions there were to choose from, as far as they were known then.
#[test]
fn a_log_that_names_more_is_gone_on_with() {
    let event = |n: usize, action: &str| {
        let (day, hour) = (1 + n / 24, n % 24);
        format!(
            "{{\"home\":\"h-{}\",\"time\":\"2025-01-{day:02}T{hour:02}:00:00Z\",\"action\":\"{action}\"}}\n",
            n % 5
        )
    };
    let first: String = (0..400)
        .map(|n| event(n, ["Light:on", "Light:off"][n % 2]))
        .collect();
    let rest: String = (400..600)
        .map(|n| event(n, ["Fan:on", "Alarm:on", "Light:on"][n % 3]))
        .collect();
    let names = ["named", "named-at-once"];
    names
        .iter()
        .for_each(|name| drop(std::fs::remove_dir_all(dir().join(name))));
    write(dir(), "named.jsonl", &first);
    let command = |out: &str| {
        format!(
            "replay named.jsonl --out {out} --epoch-events 20 --threads 1 --checkpoint-every 1ms --synthesizer none"
        )
    };
    hearth(dir(), &command("named")).fine();
    write(dir(), "named.jsonl", first + &rest);
    let grown = hearth(dir(), &command("named")).fine();
    assert!(
        grown.stderr.contains("goes on at epoch"),
        "{}",
        grown.stderr
    );
    hearth(dir(), &command("named-at-once")).fine();
    let [grown, whole] = names.map(|name| Folder(dir().join(name)));
    let collections = [
        "segments",
        "transitions",
        "representatives",
        "late",
        "rejected",
    ];
    same_lines(&whole, &grown, &collections);
    assert_eq!(grown.accounting(), whole.accounting());
}

/// A run that may not hold what it holds says so, and goes on where it may hold more.
#[cfg(target_os = "linux")]
#[test]
fn a_run_without_the_memory_to_go_on_says_so() {
    let _ = std::fs::remove_dir_all(dir().join("lean"));
    let command = command("events.jsonl", "lean", "--max-memory");
    let lacking = hearth(dir(), &format!("{command} 1MiB"));
    assert_eq!(lacking.code, Some(1), "{}", lacking.stderr);
    for part in ["reading waits", "with nothing left to wait for", "1MiB"] {
        assert!(lacking.stderr.contains(part), "{}", lacking.stderr);
    }
    let summary = Folder(dir().join("lean")).summary();
    assert!(
        summary["notes"].to_string().contains("--max-memory"),
        "{summary}"
    );
    hearth(dir(), &format!("{command} 64GiB")).fine();
    same_lines(
        super::household::first(),
        &Folder(dir().join("lean")),
        &STREAMS,
    );
}
