//! What the authors' data says of its own contexts: they are no different times of a home's life, but windows of the same log,
//! chosen by what is in them. Every figure of a season, a schedule or an occupancy stands on this.

use std::collections::BTreeSet;
use std::path::Path;

use crate::import::authors::{DataSet, Numbers};

/// Devices whose windows were called spring: air conditioners and fans have these numbers in every data set.
const OF_SPRING: [i64; 2] = [0, 11];

/// The windows of a context of which the files are real.
fn windows(data: &DataSet, context: &str, splits: &[&str]) -> Vec<Vec<Numbers>> {
    let read = |split: &&str| data.sequences(context, split).unwrap();
    let all = splits.iter().flat_map(read);
    all.map(Result::unwrap).collect()
}

fn devices(window: &[Numbers]) -> BTreeSet<i64> {
    window.iter().map(|[_, _, device, _]| *device).collect()
}

#[test]
fn contexts_are_chosen_by_what_is_in_a_window() {
    let folder = std::env::var_os("HEARTH_DATA").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data"),
        Into::into,
    );
    for name in ["fr", "sp"] {
        let Ok(data) = DataSet::find(&folder.join("smartgen"), name) else {
            eprintln!(
                "SKIPPED: no {name} in {} (set HEARTH_DATA)",
                folder.display()
            );
            return;
        };
        let all: BTreeSet<_> = windows(&data, "all", &["trn", "vld", "test"])
            .into_iter()
            .collect();
        let of = |context: &str, splits: &[&str]| {
            let windows = windows(&data, context, splits);
            let known = windows.iter().filter(|window| all.contains(*window));
            assert!(
                100 * known.count() >= 98 * windows.len(),
                "{name} {context}"
            );
            windows
        };
        let (old, new) = (["trn", "vld"], ["test"]);
        let of_spring = |w: &Vec<Numbers>| devices(w).iter().any(|d| OF_SPRING.contains(d));
        assert!(!of("winter", &old).iter().any(of_spring), "{name}");
        assert!(of("spring", &new).iter().all(of_spring), "{name}");
        let by_day = |w: &Vec<Numbers>| w.iter().all(|[_, hours, ..]| (2..6).contains(hours));
        assert!(of("daytime", &old).iter().all(by_day), "{name}");
        assert!(!of("night", &new).iter().any(by_day), "{name}");
        assert!(
            of("single", &old).iter().all(|w| devices(w).len() == 1),
            "{name}"
        );
        assert!(
            of("multiple", &new).iter().all(|w| devices(w).len() >= 3),
            "{name}"
        );
    }
}
