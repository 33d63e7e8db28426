//! A run that is killed while a language model is asked goes on, and pays for nothing twice but for calls under way.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use super::household::{SHORT, asking, dir};
use super::server::{Act, Server};
use super::spending::{INPUT, OUTPUT, millionths};
use crate::killed::{Random, counted};
use crate::program::{Folder, STREAMS, end, hearth, same_lines, start};

/// Real kills: `HEARTH_KILLS=1000 cargo test --release --test replay killed` for many.
fn kills() -> usize {
    let kills = std::env::var("HEARTH_KILLS").ok();
    kills.map_or(6, |kills| kills.parse().expect("HEARTH_KILLS is a number"))
}

/// In millionths.
const BUDGET: u64 = 3_000_000;

fn command(out: &str, options: &str) -> String {
    format!(
        "replay asked/events.jsonl --contexts asked/contexts.jsonl --catalog asked/catalog.json --out {out} {SHORT} \
         --checkpoint-every 1ms --llm-max-tokens 900 --llm-price-input {INPUT} --llm-price-output {OUTPUT} \
         --llm-budget {}.{:06} {options}",
        BUDGET / 1_000_000,
        BUDGET % 1_000_000
    )
}

/// Calls whose answers are kept.
fn recorded(out: &Folder) -> usize {
    let files = std::fs::read_dir(out.0.join("cassette")).into_iter();
    let names = files.flatten().map(|file| file.unwrap().file_name());
    names
        .filter(|name| name.to_string_lossy().ends_with(".json.gz"))
        .count()
}

/// What was asked from that call on, and how often.
fn asked(server: &Server, since: usize) -> HashMap<String, usize> {
    let mut asked = HashMap::new();
    for call in &server.calls()[since..] {
        *asked.entry(call.body.to_string()).or_default() += 1;
    }
    asked
}

#[test]
fn a_killed_run_pays_twice_for_calls_under_way_alone() {
    hearth(dir(), "simulate --homes 1 --days 10 --seed 5 --out asked").fine();
    // So that calls are under way when it is killed.
    let server = Server::start(|_| {
        std::thread::sleep(Duration::from_millis(20));
        Act::Answer
    });
    let options = asking(&server);
    let began = Instant::now();
    let unharmed = Folder(dir().join("asked-unharmed"));
    hearth(dir(), &command("asked-unharmed", &options)).fine();
    let whole = began.elapsed().as_micros() as u64;
    let killed = Folder(dir().join("asked-killed"));
    let mut random = Random(46);
    let (mut kills, mut lives, mut under_way, mut twice) = (kills(), 0, 0, 0);
    while kills > 0 {
        let _ = std::fs::remove_dir_all(&killed.0);
        let (since, [input, output]) = (server.calls().len(), server.charged());
        let mut open = 0;
        loop {
            let workers = 1 + random.below(3);
            let options = format!("{options} --workers {workers}");
            let mut child = start(dir(), &command("asked-killed", &options));
            drop(child.stdin.take());
            if kills > 0 {
                std::thread::sleep(Duration::from_micros(random.below(whole)));
                let _ = child.kill();
                kills -= 1;
            }
            let ended = end(child);
            if ended.code == Some(0) {
                break;
            }
            assert_eq!(ended.code, None, "{}", ended.stderr);
            server.hears_all();
            open += asked(&server, since).len() - recorded(&killed);
        }
        same_lines(&unharmed, &killed, &STREAMS);
        let [mut one, mut other] = [counted(&unharmed), counted(&killed)];
        // That of the run which went on; what was spent is compared below.
        for counts in [&mut one, &mut other] {
            counts.as_object_mut().unwrap().remove("llm");
        }
        assert_eq!(one, other);
        let asked = asked(&server, since);
        let again: usize = asked.values().map(|times| times - 1).sum();
        assert!(again <= open, "{again} asked again, {open} were under way");
        let llm = &killed.summary()["llm"];
        let calls = llm["calls"].as_u64().unwrap() + llm["unaccounted"]["calls"].as_u64().unwrap();
        assert!(
            asked.values().sum::<usize>() as u64 <= calls,
            "{calls} are shown"
        );
        let [now_input, now_output] = server.charged();
        let charged = (now_input - input) * INPUT + (now_output - output) * OUTPUT;
        let spent = millionths(&llm["spent"]);
        assert!(
            charged <= spent && spent <= BUDGET,
            "{charged} charged, {spent} booked"
        );
        lives += 1;
        under_way += open;
        twice += again;
    }
    println!("{lives} lives: {under_way} calls under way at a kill, {twice} of them paid twice");
}
