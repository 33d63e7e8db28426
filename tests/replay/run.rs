//! A live run: what it follows, what it outlives, and that its outputs are those of a replay of its inbox.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::time::{Duration, Instant};

use super::crew::newest_cut;
use super::household::{EPOCH, dir};
use super::killed::{Random, signal};
use super::network::free_port;
use super::program::{Ended, Folder, end, hearth, heeds, start};

const SHORT: &str = "--warm-up 100 --warm-up-span 1d --max-gap 2h --threads 1 --scores aligned";

/// How many kills: `HEARTH_KILLS=1000 cargo test --release --test replay run::` for many.
fn kills() -> usize {
    let kills = std::env::var("HEARTH_KILLS").ok();
    kills.map_or(3, |kills| kills.parse().expect("HEARTH_KILLS is a number"))
}

pub fn append(path: &Path, text: &str) {
    let mut file = File::options()
        .append(true)
        .create(true)
        .open(path)
        .unwrap();
    file.write_all(text.as_bytes()).unwrap();
}

/// Runs for so long, then kills it.
fn killed(command: &str, after: Duration) {
    let mut child = start(dir(), command);
    std::thread::sleep(after);
    let _ = child.kill();
    let ended = end(child);
    assert!(ended.code.is_none(), "it ended: {}", ended.stderr);
}

/// Runs until that is so and nothing more is written, then interrupts it.
fn interrupted(command: &str, name: &str, enough: impl Fn(&Folder) -> bool) -> Ended {
    let child = start(dir(), command);
    let out = Folder(dir().join(name));
    let written = || {
        let files = fs::read_dir(&out.0).into_iter().flatten().flatten();
        let files = files.filter(|file| file.path().extension().is_some_and(|e| e == "jsonl"));
        let lengths = files.map(|file| file.metadata().map_or(0, |data| data.len()));
        lengths.sum::<u64>()
    };
    let (mut last, began, mut since) = (0, Instant::now(), Instant::now());
    while last == 0 || since.elapsed() < Duration::from_millis(300) || !enough(&out) {
        std::thread::sleep(Duration::from_millis(50));
        let now = written();
        if now != last {
            (last, since) = (now, Instant::now());
        }
        assert!(
            began.elapsed() < Duration::from_secs(300),
            "it comes to nothing"
        );
    }
    heeds(&child);
    assert!(signal(&child, "-INT"));
    let ended = end(child);
    match ended.code {
        // On a slow machine it had not begun.
        Some(130) => interrupted(command, name, enough),
        _ => ended,
    }
}

/// Whether a stream of an output has come to an epoch, or beyond.
pub fn reaches(out: &Folder, stream: &str, epoch: u64) -> bool {
    let text = out.text(stream).unwrap_or_default();
    // The last line may be half written.
    let last = text
        .rsplit_once('\n')
        .and_then(|(whole, _)| whole.lines().last());
    let last = last.and_then(|line| serde_json::from_str::<serde_json::Value>(line).ok());
    last.is_some_and(|line| line["epoch"].as_u64() >= Some(epoch))
}

/// The lines of an output that another has more of: by line, how many more.
pub fn beyond(all: &Folder, some: &Folder, stream: &str) -> BTreeMap<String, i64> {
    let mut lines = BTreeMap::<String, i64>::new();
    for (folder, count) in [(all, 1), (some, -1)] {
        for line in folder.lines(stream) {
            *lines.entry(line).or_default() += count;
        }
    }
    lines.retain(|_, count| *count != 0);
    lines
}

/// Every line of a run that has fed so many epochs is one of a replay of its inbox with these options, and what that has beyond is of
/// epochs that the run has not fed.
fn is_replay_of_its_inbox(live: &Folder, epochs: usize, options: &str) {
    let name = live.0.file_name().unwrap().to_str().unwrap();
    let command = format!("replay {name}/inbox.jsonl --out {name}-again {options}");
    hearth(dir(), &command).fine();
    let again = Folder(dir().join(format!("{name}-again")));
    for stream in super::program::STREAMS {
        for (line, count) in beyond(&again, live, stream) {
            assert!(count > 0, "{stream}: the run alone has {line}");
            let line: serde_json::Value = serde_json::from_str(&line).unwrap();
            let epoch = line["epoch"].as_u64();
            assert!(
                epoch.is_none_or(|epoch| epoch >= epochs as u64),
                "{stream}: {line}"
            );
        }
    }
}

/// Epochs by count, so that those of the replay are the same: every line of the run is one of the replay, and what that has beyond is
/// of epochs that the run has not fed.
#[test]
fn a_run_that_is_killed_leaves_what_a_replay_of_its_inbox_does() {
    let followed = dir().join("followed.jsonl");
    let _ = (
        fs::remove_file(&followed),
        fs::remove_dir_all(dir().join("live")),
    );
    let files = "--contexts contexts.jsonl --catalog catalog.json";
    let epochs = format!("--epoch-events {EPOCH}");
    let command = format!(
        "run followed.jsonl {files} --out live {SHORT} {epochs} --epoch-interval off --checkpoint-every 1ms --listen 127.0.0.1:0"
    );
    let log = fs::read_to_string(dir().join("events.jsonl")).unwrap();
    let lines: Vec<&str> = log.split_inclusive('\n').collect();
    let mut random = Random(7);
    let kills = kills();
    for piece in lines.chunks(lines.len().div_ceil(kills)) {
        append(&followed, &piece.concat());
        let workers = 1 + random.below(3);
        let wait = Duration::from_millis(200 + random.below(800));
        killed(&format!("{command} --workers {workers}"), wait);
    }
    let counted = lines.iter().filter(|line| !line.trim().is_empty()).count();
    let epochs_fed = counted / EPOCH;
    let last = epochs_fed as u64 - 1;
    let logged = format!("{command} --log-format json");
    let ended = interrupted(&logged, "live", |out| reaches(out, "scores", last)).fine();
    assert!(!ended.stderr.is_empty(), "where its page is, at least");
    for line in ended.stderr.lines() {
        let said: serde_json::Value = serde_json::from_str(line).expect(line);
        assert!(
            said["level"] == "INFO" && said["message"].is_string(),
            "{line}"
        );
    }
    let live = Folder(dir().join("live"));
    let [read, ..] = live.accounting();
    assert_eq!(read as usize, epochs_fed * EPOCH, "{}", ended.stdout);
    is_replay_of_its_inbox(&live, epochs_fed, &format!("{files} {SHORT} {epochs}"));
    assert!(!live.lines("adaptations").is_empty() && !live.lines("late").is_empty());
    let other = hearth(dir(), &command.replace("--max-gap 2h", "--max-gap 3h"));
    assert_eq!(other.code, Some(2), "{}", other.stderr);
    assert!(
        other.stderr.contains("--max-gap differ"),
        "{}",
        other.stderr
    );
}

/// It goes on with other workers while it reads, also where it was killed meanwhile, and while something is erased: that ends an epoch
/// behind which nothing may end, for what is erased in the next one was read with it.
#[test]
fn a_run_that_is_rescaled_leaves_what_a_replay_of_its_inbox_does() {
    const PIECES: usize = 6;
    let followed = dir().join("rescaled.jsonl");
    let _ = (
        fs::remove_file(&followed),
        fs::remove_dir_all(dir().join("rescaled")),
    );
    let options =
        format!("--contexts contexts.jsonl --catalog catalog.json {SHORT} --epoch-events {EPOCH}");
    let command = |checkpoints: &str, port: u16| {
        format!(
            "run rescaled.jsonl {options} --out rescaled --epoch-interval off --checkpoint-every {checkpoints} --listen 127.0.0.1:{port}"
        )
    };
    let log = fs::read_to_string(dir().join("events.jsonl")).unwrap();
    let lines: Vec<&str> = log.split_inclusive('\n').collect();
    let mut random = Random(3);
    // One of the runs keeps nothing on the way.
    let checkpoints = ["20ms", "1h", "1ms"];
    let parts = lines.chunks(lines.len().div_ceil(checkpoints.len()));
    for (part, every) in parts.zip(checkpoints) {
        let port = free_port();
        let mut child = start(dir(), &command(every, port));
        for (n, piece) in part.chunks(part.len().div_ceil(PIECES)).enumerate() {
            let device = ["Kettle", "Heater", "Window"][n % 3];
            let home = 1 + random.below(3);
            let erased =
                format!("{{\"home\":\"h-{home}\",\"erase\":{{\"device\":\"{device}\"}}}}\n");
            append(&followed, &(piece.concat() + &erased));
            std::thread::sleep(Duration::from_millis(random.below(100)));
            let workers = 1 + random.below(4);
            let now = posted(port, "/workers", &format!("{{\"workers\":{workers}}}"));
            assert_eq!(now["workers"], workers, "{now}");
        }
        let _ = child.kill();
        end(child);
    }
    let erasures = |out: &Folder| out.text("erasures").unwrap_or_default();
    // Scores come once the encoder is trained, in epochs that have segments.
    let enough = |out: &Folder| {
        let segments = out.text("segments").unwrap_or_default();
        let ends = segments.lines().last().map_or("", |line| line);
        let ends = serde_json::from_str::<serde_json::Value>(ends).unwrap_or_default();
        let nearly = ends["epoch"].as_u64().unwrap_or(u64::MAX).saturating_sub(3);
        let all = checkpoints.len() * PIECES;
        erasures(out).lines().count() == all && reaches(out, "scores", nearly)
    };
    interrupted(&command("1ms", 0), "rescaled", enough).fine();
    let live = Folder(dir().join("rescaled"));
    let last = erasures(&live);
    let last: serde_json::Value = serde_json::from_str(last.lines().last().unwrap()).unwrap();
    let fed = last["epoch"].as_u64().unwrap() as usize + 1;
    let [read, ..] = live.accounting();
    let all = lines.iter().filter(|line| !line.trim().is_empty()).count();
    assert_eq!(read as usize, all, "the last line erases");
    is_replay_of_its_inbox(&live, fed, &options);
    assert!(!live.lines("adaptations").is_empty());
}

/// Lines without what says where in its inbox each stood.
fn without_places(lines: BTreeMap<String, i64>) -> BTreeMap<String, i64> {
    let mut left = BTreeMap::new();
    for (line, count) in lines {
        let mut line: serde_json::Value = serde_json::from_str(&line).unwrap();
        line.as_object_mut().unwrap().remove("source");
        *left.entry(line.to_string()).or_default() += count;
    }
    left.retain(|_, count| *count != 0);
    left
}

/// Its inbox is dropped behind it, and it is killed on the way: what it leaves is of the whole log all the same.
#[test]
fn a_run_that_drops_what_it_needs_no_more_leaves_what_one_does_that_keeps_it() {
    let followed = dir().join("dropped.jsonl");
    let _ = (
        fs::remove_file(&followed),
        fs::remove_dir_all(dir().join("drops")),
        fs::remove_dir_all(dir().join("drops-moved")),
    );
    let epochs = format!("--epoch-events {EPOCH}");
    let command = format!(
        "run dropped.jsonl --contexts contexts.jsonl --catalog catalog.json --out drops {SHORT} {epochs} --epoch-interval off --checkpoint-every 1ms \
         --listen 127.0.0.1:0 --inbox-keep 32KiB --output-roll 4KiB"
    );
    let log = fs::read_to_string(dir().join("events.jsonl")).unwrap();
    let lines: Vec<&str> = log.split_inclusive('\n').collect();
    let mut random = Random(11);
    let fed = |text: &str| text.lines().filter(|line| !line.trim().is_empty()).count() / EPOCH;
    let mut so_far = String::new();
    // What is put at once goes at once.
    for piece in lines.chunks(lines.len().div_ceil(6)) {
        append(&followed, &piece.concat());
        so_far += &piece.concat();
        let workers = format!("{command} --workers {}", 1 + random.below(3));
        killed(&workers, Duration::from_millis(100 + random.below(800)));
        let last = fed(&so_far) as u64 - 1;
        interrupted(&workers, "drops", |out| reaches(out, "segments", last)).fine();
    }
    let last = fed(&log) as u64 - 1;
    interrupted(&command, "drops", |out| reaches(out, "scores", last)).fine();
    let drops = Folder(dir().join("drops"));
    let inbox = || {
        let files = fs::read_dir(&drops.0).unwrap().map(|file| file.unwrap());
        let inbox = |name: &str| name.starts_with("inbox") && name.ends_with(".jsonl");
        files.filter(move |file| inbox(&file.file_name().to_string_lossy()))
    };
    let kept: u64 = inbox().map(|file| file.metadata().unwrap().len()).sum();
    assert!(
        (32 << 10..log.len() as u64 * 3 / 4).contains(&kept),
        "{kept} bytes are kept"
    );
    let of_scores = |path: &std::path::Path| path.to_string_lossy().contains("/scores-");
    let files = fs::read_dir(&drops.0).unwrap();
    let sealed = files.filter(|file| of_scores(&file.as_ref().unwrap().path()));
    assert!(sealed.count() > 3);
    let again = command.replace("--inbox-keep 32KiB --output-roll 4KiB", "--inbox-keep all");
    let again = again.replace("--out drops", "--out keeps");
    let _ = fs::remove_dir_all(dir().join("keeps"));
    interrupted(&again, "keeps", |out| reaches(out, "scores", last)).fine();
    let keeps = Folder(dir().join("keeps"));
    for stream in super::program::STREAMS {
        let differ = without_places(beyond(&keeps, &drops, stream));
        assert!(differ.is_empty(), "{stream}: {differ:?}");
    }
    // Without a checkpoint, nothing that cannot be made again goes.
    fs::remove_dir_all(drops.0.join("state")).unwrap();
    let refused = hearth(dir(), &command);
    assert_eq!(refused.code, Some(2), "{}", refused.stderr);
    assert!(
        refused.stderr.contains("of the inbox") && refused.stderr.contains("are gone"),
        "{}",
        refused.stderr
    );
    assert!(!drops.lines("scores").is_empty());
    let moved = dir().join("drops-moved");
    fs::create_dir(&moved).unwrap();
    for file in inbox() {
        fs::rename(file.path(), moved.join(file.file_name())).unwrap();
    }
    let anew = command.replace("--out drops", "--out drops-moved");
    // What it says of what comes next cannot be made again either, so a checkpoint is there before much is said.
    let seldom = anew.replace("--checkpoint-every 1ms", "--checkpoint-every 1h");
    killed(&seldom, Duration::from_secs(2));
    assert!(!Folder(moved.clone()).lines("segments").is_empty());
    let ended = interrupted(&seldom, "drops-moved", |out| reaches(out, "segments", 0)).fine();
    assert!(
        ended.stderr.contains("goes on at epoch"),
        "{}",
        ended.stderr
    );
    for file in fs::read_dir(&moved)
        .unwrap()
        .map(|file| file.unwrap().path())
    {
        if file.is_dir() {
            fs::remove_dir_all(&file).unwrap();
        } else if !file
            .file_name()
            .unwrap()
            .to_string_lossy()
            .starts_with("inbox")
        {
            fs::remove_file(&file).unwrap();
        }
    }
    let ended = interrupted(&anew, "drops-moved", |out| reaches(out, "segments", 0)).fine();
    assert!(
        ended.stderr.contains("the run begins behind them"),
        "{}",
        ended.stderr
    );
}

/// CPU that a process has used, in hundredths of a second.
#[cfg(target_os = "linux")]
fn used(child: &std::process::Child) -> u64 {
    let stat = fs::read_to_string(format!("/proc/{}/stat", child.id())).unwrap();
    let (_, fields) = stat.rsplit_once(')').unwrap();
    let fields: Vec<&str> = fields.split_whitespace().collect();
    fields[11..13]
        .iter()
        .map(|ticks| ticks.parse::<u64>().unwrap())
        .sum()
}

/// A checkpoint is due all the time here, and yet nothing is to be done: a run that looked for work without a pause would use all
/// that it is given.
#[cfg(target_os = "linux")]
#[test]
fn a_run_that_is_idle_rests() {
    let followed = dir().join("idle.jsonl");
    let log = fs::read_to_string(dir().join("events.jsonl")).unwrap();
    fs::write(&followed, &log[..log.len() / 50]).unwrap();
    let _ = fs::remove_dir_all(dir().join("idle"));
    let port = free_port();
    let command = format!(
        "run idle.jsonl --catalog catalog.json --out idle --checkpoint-every 1ms --listen 127.0.0.1:{port}"
    );
    let child = start(dir(), &command);
    let out = Folder(dir().join("idle"));
    let began = Instant::now();
    while !out.0.join("scores.jsonl").exists() || !out.0.join("state").exists() {
        std::thread::sleep(Duration::from_millis(50));
        assert!(
            began.elapsed() < Duration::from_secs(60),
            "nothing is scored"
        );
    }
    std::thread::sleep(Duration::from_millis(500));
    let before = used(&child);
    std::thread::sleep(Duration::from_secs(1));
    let used = used(&child) - before;
    // Who asks changes nothing that would have to be kept.
    let cut = newest_cut(&out.0.join("state"));
    for home in ["h-1", "h-2", "h-3"] {
        // That nothing is learnt of it yet is an answer.
        let model = answered(port, "GET", &format!("/api/homes/{home}/model"), "");
        let answers = ["HTTP/1.1 200", "HTTP/1.1 404"];
        assert!(
            answers.iter().any(|head| model.starts_with(head)),
            "{model}"
        );
        std::thread::sleep(Duration::from_millis(100));
    }
    let kept = newest_cut(&out.0.join("state"));
    assert!(signal(&child, "-INT"));
    end(child).fine();
    assert!(used < 50, "{used} hundredths of a second in one");
    assert_eq!(kept, cut);
}

/// What a body is answered with over HTTP, by a run that listens there soon.
pub fn posted(port: u16, path: &str, body: &str) -> serde_json::Value {
    let answer = answered(port, "POST", path, body);
    let (_, json) = answer.split_once("\r\n\r\n").expect(&answer);
    serde_json::from_str(json).expect(&answer)
}

/// What a run answers that listens there soon, its head before it.
pub fn answered(port: u16, method: &str, path: &str, body: &str) -> String {
    let began = Instant::now();
    let mut stream = loop {
        match TcpStream::connect(("127.0.0.1", port)) {
            Ok(stream) => break stream,
            Err(error) => assert!(began.elapsed() < Duration::from_secs(60), "{error}"),
        }
        std::thread::sleep(Duration::from_millis(50));
    };
    let head = format!(
        "{method} {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all((head + body).as_bytes()).unwrap();
    let mut answer = String::new();
    if let Err(error) = stream.read_to_string(&mut answer) {
        // A run that ends may not wait for who still reads.
        assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset);
    }
    answer
}

/// What the dataflow says of a home's model is what the run leaves of it, on its page, too, and after a restart with other workers.
#[test]
fn a_homes_model_is_told_while_the_run_goes_on() {
    let _ = fs::remove_dir_all(dir().join("asked"));
    let log = fs::read_to_string(dir().join("events.jsonl")).unwrap();
    let first = log.lines().next().unwrap();
    let first: serde_json::Value = serde_json::from_str(first).unwrap();
    let home = first["home"].as_str().unwrap();
    let model = |port| {
        let path = format!("/api/homes/{home}/model");
        let answer = answered(port, "GET", &path, "");
        let (head, json) = answer.split_once("\r\n\r\n").expect(&answer);
        assert!(head.starts_with("HTTP/1.1 200"), "{answer}");
        serde_json::from_str::<serde_json::Value>(json).expect(&answer)
    };
    let run = |workers: usize| {
        let port = free_port();
        let command = format!(
            "run --catalog catalog.json --out asked {SHORT} --epoch-interval 20ms --workers {workers} --listen 127.0.0.1:{port}"
        );
        (start(dir(), &command), port)
    };
    let end = |child| {
        assert!(signal(&child, "-INT"));
        end(child).fine();
        let export = start(dir(), &format!("model export asked --home {home}"));
        serde_json::from_str::<serde_json::Value>(&super::program::end(export).fine().stdout)
            .unwrap()
    };
    let (child, port) = run(2);
    posted(port, "/events?wait=60s", &log);
    // How far the cohort's scores go is known one epoch later.
    model(port);
    let told = model(port);
    assert!(told["behaviors"].as_i64() > Some(100), "{told}");
    let page = answered(port, "GET", &format!("/learnt?name={home}"), "");
    let most = told["actions"][0]["action"].as_str().unwrap();
    assert!(
        page.starts_with("HTTP/1.1 200") && page.contains(most),
        "{page}"
    );
    let nobody = answered(port, "GET", "/api/homes/nobody/model", "");
    assert!(nobody.starts_with("HTTP/1.1 404"), "{nobody}");
    assert_eq!(told, end(child));
    let (child, port) = run(3);
    answered(port, "GET", "/readyz", "");
    assert_eq!(told, model(port));
    assert_eq!(told, end(child));
}

/// Late ones, duplicates, and those that the catalog does not know; each once, also where all come a second time.
#[test]
fn whoever_posts_events_is_told_what_became_of_each() {
    let _ = fs::remove_dir_all(dir().join("posted"));
    let port = free_port();
    let command = format!(
        "run --catalog catalog.json --out posted {SHORT} --epoch-interval 20ms --workers 2 --listen 127.0.0.1:{port}"
    );
    let child = start(dir(), &command);
    let log = fs::read_to_string(dir().join("events.jsonl")).unwrap();
    let lines: Vec<&str> = log.split_inclusive('\n').collect();
    let (names, mut sums) = (["applied", "duplicate", "late", "rejected"], [0; 4]);
    let (mut accepted, mut pending) = (0, 0);
    // Each comes before what the one before waits for is known, too.
    let bodies = lines.chunks(lines.len().div_ceil(3)).map(<[_]>::concat);
    for body in bodies.clone().chain(bodies) {
        let answer = posted(port, "/events?wait=60s", &body);
        let fates = &answer["fates"];
        let told = |name: &str| fates[name].as_u64().expect("a count");
        for (sum, name) in sums.iter_mut().zip(names) {
            *sum += told(name);
        }
        pending += told("pending");
        accepted += answer["accepted"].as_u64().unwrap();
        let refused = fates["refused"].as_array().unwrap();
        assert_eq!(
            refused.len() as u64,
            100.min(told("late") + told("rejected"))
        );
        for refused in refused {
            let line = body
                .lines()
                .nth(refused["line"].as_u64().unwrap() as usize - 1);
            let unknown = line.is_some_and(|line| line.contains("Gramophone"));
            assert_eq!(
                refused["fate"] == "rejected",
                unknown,
                "{refused}: {line:?}"
            );
        }
    }
    assert!(signal(&child, "-INT"));
    end(child).fine();
    let live = Folder(dir().join("posted"));
    let [read, applied, duplicate, late, rejected] = live.accounting();
    let [told_applied, rest @ ..] = sums;
    assert_eq!((accepted, rest), (read, [duplicate, late, rejected]));
    // Each home's first one waited for its second, and was then applied.
    assert_eq!(told_applied + pending, applied);
    assert!(sums.iter().all(|sum| *sum > 0) && pending < applied / 10);
}

/// What happens is judged at once, so the home is known, though its first segment is still open.
#[test]
fn a_home_whose_first_segment_is_open_counts() {
    let _ = fs::remove_dir_all(dir().join("opened"));
    let port = free_port();
    let command = format!(
        "run --catalog catalog.json --out opened --epoch-interval 20ms --listen 127.0.0.1:{port}"
    );
    let child = start(dir(), &command);
    let log = fs::read_to_string(dir().join("events.jsonl")).unwrap();
    let body: Vec<&str> = log.split_inclusive('\n').take(4).collect();
    posted(port, "/events?wait=60s", &body.concat());
    let scores = dir().join("opened/scores.jsonl");
    while !fs::read_to_string(&scores).is_ok_and(|text| !text.is_empty()) {
        std::thread::sleep(Duration::from_millis(10));
    }
    assert!(signal(&child, "-INT"));
    let ended = end(child).fine();
    let summary = Folder(dir().join("opened")).summary();
    assert_eq!(summary["segments"], 0, "{}", ended.stdout);
    assert!(summary["homes"].as_u64() > Some(0), "{}", ended.stdout);
}

/// The segments that stand at the end.
fn segments(folder: &Folder) -> BTreeMap<String, i64> {
    let mut segments = BTreeMap::new();
    for mut segment in folder.values("segments") {
        let line = segment.as_object_mut().unwrap();
        line.remove("epoch");
        let diff = line.remove("diff").unwrap().as_i64().unwrap();
        *segments.entry(segment.to_string()).or_default() += diff;
    }
    segments.retain(|_, count| *count != 0);
    segments
}

/// Without a catalog: homes, devices and actions come one after another, contexts among them, and nothing is rejected for being new.
#[test]
fn what_is_new_is_learnt_in_place() {
    let followed = dir().join("growing");
    let _ = (
        fs::remove_dir_all(&followed),
        fs::remove_dir_all(dir().join("learning")),
    );
    fs::create_dir(&followed).unwrap();
    let command =
        format!("run growing --out learning {SHORT} --checkpoint-every 1s --listen 127.0.0.1:0");
    let log = fs::read_to_string(dir().join("events.jsonl")).unwrap();
    let events: Vec<&str> = log.split_inclusive('\n').collect();
    let contexts = fs::read_to_string(dir().join("contexts.jsonl")).unwrap();
    let part = &events[..600];
    let (first, second) = part.split_at(5);
    append(&followed.join("a.jsonl"), &first.concat());
    let mut child = start(dir(), &command);
    std::thread::sleep(Duration::from_millis(1_500));
    append(&followed.join("a.jsonl"), &contexts);
    append(&followed.join("b.jsonl"), &second.concat());
    std::thread::sleep(Duration::from_millis(1_500));
    let _ = child.kill();
    assert!(end(child).code.is_none());
    let extra =
        r#"{"home":"new","time":"2025-02-01T08:00:00Z","device":"Gramophone","action":"play"}"#;
    append(&followed.join("c.jsonl"), &format!("{extra}\n"));
    let counted = part.iter().filter(|line| !line.trim().is_empty()).count() as u64 + 1;
    let live = Folder(dir().join("learning"));
    let mut ended = interrupted(&command, "learning", |_| true).fine();
    // The machine may be slow.
    for _ in 0..20 {
        if live.accounting()[0] == counted {
            break;
        }
        ended = interrupted(&command, "learning", |_| true).fine();
    }
    let [read, applied, duplicate, late, rejected] = live.accounting();
    assert_eq!(read, counted, "{}", ended.stdout);
    let reasons = live.refused("rejected");
    assert!(
        reasons
            .iter()
            .all(|(_, reason)| !reason.contains("unknown")),
        "{reasons:?}"
    );
    let summary = live.summary();
    let waiting = summary["undone"]["lines"].as_u64().unwrap_or(0);
    assert_eq!(read, applied + duplicate + late + rejected + waiting);
    assert_eq!(summary["rejected_contexts"], 0, "{}", ended.stdout);
    hearth(
        dir(),
        &format!("replay learning/inbox.jsonl --out learnt {SHORT}"),
    )
    .fine();
    let learnt = Folder(dir().join("learnt"));
    let (live, learnt) = (segments(&live), segments(&learnt));
    assert!(live.len() > 10, "{} segments", live.len());
    let missing: Vec<_> = live
        .keys()
        .filter(|key| !learnt.contains_key(*key))
        .collect();
    // The last one of a home stays open in a run.
    assert!(
        missing.is_empty() && learnt.len() <= live.len() + 4,
        "{missing:?}"
    );
}

/// Without a catalog, and with an inbox that is dropped behind it: a home of which nothing is left there is known, and a new one is learnt.
#[test]
fn what_was_learnt_outlives_where_it_was_learnt_from() {
    let followed = dir().join("forgotten.jsonl");
    let _ = (
        fs::remove_file(&followed),
        fs::remove_dir_all(dir().join("forgets")),
    );
    hearth(dir(), "simulate --homes 3 --days 14 --seed 6 --out orderly").fine();
    let log = fs::read_to_string(dir().join("orderly/events.jsonl")).unwrap();
    let lines: Vec<&str> = log.split_inclusive('\n').collect();
    let command = format!(
        "run forgotten.jsonl --out forgets {SHORT} --synthesizer none --checkpoint-every 1ms --listen 127.0.0.1:0 --inbox-keep 16KiB"
    );
    let new = |number: usize| {
        let at = |hour: usize| {
            format!(
                "{{\"home\":\"new-{number}\",\"time\":\"2025-02-01T{hour:02}:00:00Z\",\"device\":\"Lamp {number}\",\"action\":\"on\"}}\n"
            )
        };
        // Its first home says something once more at the end.
        [at(3), at(4)].concat() + &at(20).replace(&format!("new-{number}"), "new-0")
    };
    let forgets = Folder(dir().join("forgets"));
    let mut read = 0;
    for (number, piece) in lines.chunks(lines.len().div_ceil(5)).enumerate() {
        append(&followed, &(piece.concat() + &new(number)));
        read += piece.len() as u64 + 3;
        killed(&command, Duration::from_millis(700));
        let mut taken = 0;
        while taken < read {
            interrupted(&command, "forgets", |_| true).fine();
            taken = forgets.accounting()[0];
        }
    }
    let whole = |name: &str| fs::read_to_string(forgets.0.join(name)).unwrap_or_default();
    assert!(
        !whole("inbox.jsonl").contains("\"new-1\""),
        "it was dropped"
    );
    assert_eq!(forgets.accounting()[4], 0, "nothing is rejected");
    hearth(
        dir(),
        &format!("replay forgotten.jsonl --out remembers {SHORT} --synthesizer none"),
    )
    .fine();
    let (live, all) = (
        segments(&forgets),
        segments(&Folder(dir().join("remembers"))),
    );
    let missing = live.keys().filter(|segment| !all.contains_key(*segment));
    assert_eq!(missing.collect::<Vec<_>>(), Vec::<&String>::new());
    // The last one of a home stays open in a run.
    assert!(
        all.len() - live.len() <= 8,
        "{} of {}",
        live.len(),
        all.len()
    );
}
