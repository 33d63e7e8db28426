//! `--representatives`: so many a weekday, and α follows.

use std::collections::BTreeMap;

use super::household::{first, replay};
use super::program::same_lines;

const MOST: i64 = 3;

#[test]
fn no_weekday_has_more_representatives_than_the_budget_at_any_time() {
    let output = replay("budget", "--synthesizer none --representatives 3");
    same_lines(first(), &output, &["segments", "transitions"]);
    let mut lines = output.values("representatives");
    lines.sort_by_key(|line| line["epoch"].as_u64());
    let mut kept = BTreeMap::<String, i64>::new();
    for epoch in lines.chunk_by(|one, next| one["epoch"] == next["epoch"]) {
        for line in epoch {
            let bucket = format!("{} {} {}", line["home"], line["regime"], line["weekday"]);
            let diff = line["diff"].as_i64().unwrap();
            *kept.entry(bucket).or_default() += diff;
        }
        assert!(
            kept.values().all(|kept| (0..=MOST).contains(kept)),
            "{kept:?}"
        );
    }
    assert!(kept.values().any(|kept| *kept == MOST), "{kept:?}");
    let requests = output.values("requests");
    assert!(!requests.is_empty());
    for request in requests {
        let carried = request["representatives"].as_array().unwrap().len() as i64;
        assert!((1..=MOST).contains(&carried), "{request}");
    }
}
