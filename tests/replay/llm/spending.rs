//! What is spent never passes the budget, however calls fail and runs die.

use std::time::Duration;

use super::household::{SHORT, asking, dir};
use super::server::{Act, Server};
use crate::program::{Folder, end, hearth, start};

/// Prices in millionths of the currency a token, so that a sum is exact in whole numbers.
pub const INPUT: u64 = 2;
pub const OUTPUT: u64 = 10;

/// How a call fares, drawn from its number: most are answered.
fn fate(run: u64, number: usize) -> Act {
    let mut x = run.wrapping_mul(0x9e37_79b9_7f4a_7c15)
        ^ (number as u64).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x ^= x >> 29;
    x = x.wrapping_mul(0x94d0_49bb_1331_11eb);
    match (x >> 32) % 10 {
        0 => Act::Refuse(429, "retry-after-ms: 5", "slow down"),
        1 => Act::Refuse(503, "", "busy"),
        2 => Act::Break,
        3 => Act::Garbage,
        _ => Act::Answer,
    }
}

/// Runs with faults, each killed somewhere and then finished by another run, on one ledger. Few here;
/// `HEARTH_SPENDING_RUNS=200` for many.
#[test]
fn the_budget_holds_under_faults_and_kills() {
    let runs: u64 = std::env::var("HEARTH_SPENDING_RUNS")
        .ok()
        .and_then(|n| n.parse().ok())
        .unwrap_or(3);
    // One home: so many runs are to be short.
    hearth(dir(), "simulate --homes 1 --days 10 --seed 5 --out one").fine();
    let (mut unaccounted, mut killed) = (0, 0);
    for run in 0..runs {
        let server = Server::start(move |number| fate(run, number));
        let out = format!("spend-{run}");
        // From far too little to plenty.
        let budget = 40_000 * (1 + run * 7 % 30);
        let options = format!(
            "{} --llm-attempts 3 --llm-max-tokens 900 --llm-price-input {INPUT} --llm-price-output {OUTPUT} --llm-budget {}.{:06}",
            asking(&server),
            budget / 1_000_000,
            budget % 1_000_000
        );
        let files = "one/events.jsonl --contexts one/contexts.jsonl --catalog one/catalog.json";
        let command = format!("replay {files} --out {out} {SHORT} {options}");
        let mut child = start(dir(), &command);
        // Killed once a drawn number of calls has arrived, or left to its end.
        let fatal = 1 + (run * 5 % 9) as usize;
        while child.try_wait().unwrap().is_none() {
            if server.calls().len() >= fatal {
                child.kill().unwrap();
                killed += 1;
                break;
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        end(child);
        // Where faults and budget leave no answer at all, that is said by code 1.
        let ended = end(start(dir(), &command));
        assert!(matches!(ended.code, Some(0 | 1)), "{}", ended.stderr);
        let [input, output] = server.charged();
        let charged = input * INPUT + output * OUTPUT;
        assert!(
            charged <= budget,
            "run {run}: {charged} charged of {budget}"
        );
        let summary = Folder(dir().join(&out)).summary();
        let spent = millionths(&summary["llm"]["spent"]);
        assert!(
            charged <= spent && spent <= budget,
            "run {run}: {charged} charged, {spent} booked of {budget}"
        );
        unaccounted += summary["llm"]["unaccounted"]["calls"].as_u64().unwrap();
        let _ = std::fs::remove_dir_all(dir().join(&out));
    }
    assert!(killed > 0, "no run had calls to be killed at");
    println!(
        "{runs} runs, {killed} of them killed: within the budget; {unaccounted} calls of unknown end, counted in full"
    );
}

#[test]
fn a_budget_that_would_limit_nothing_is_refused() {
    let options = "--synthesizer openai --llm-url http://127.0.0.1:9 --llm-model m --llm-budget 5";
    let ended = hearth(dir(), &format!("replay events.jsonl --out never {options}"));
    assert_eq!(ended.code, Some(2), "{}", ended.stderr);
    assert!(
        ended.stderr.contains("--llm-price-input"),
        "{}",
        ended.stderr
    );
}

/// An amount of money in millionths.
pub fn millionths(money: &serde_json::Value) -> u64 {
    let text = money.as_str().unwrap();
    let (whole, part) = text.split_once('.').unwrap_or((text, ""));
    let part: String = format!("{part}000000").chars().take(6).collect();
    whole.parse::<u64>().unwrap() * 1_000_000 + part.parse::<u64>().unwrap()
}
