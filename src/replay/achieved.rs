//! Whether a run has achieved anything. What comes of nothing though nothing broke is told, and ends with code 1.

use std::collections::BTreeSet;
use std::io::BufRead;
use std::path::Path;

use hearth_operators::words::{HomeId, Shift};
use serde::Deserialize;

use crate::cluster::Share;
use crate::outputs::{Counts, Stream, grouped, read};
use crate::summary::Summary;

/// The shifts that were declared.
pub struct Declared {
    /// The homes of those that are of one home.
    pub homes: Vec<HomeId>,
    /// How many there are.
    shifts: usize,
}

impl Declared {
    /// These shifts, as far as they are of this process's homes.
    pub fn of(shifts: &[Shift], share: Share) -> Self {
        let homes = shifts.iter().filter_map(|shift| shift.home);
        Declared {
            homes: homes.filter(|home| share.place(*home).is_some()).collect(),
            shifts: shifts.len(),
        }
    }

    /// The homes that have no segment.
    pub fn unmet(&self, counts: &Counts) -> Vec<HomeId> {
        let mut unmet = unmet(&self.homes, counts);
        unmet.sort_unstable();
        unmet.dedup();
        unmet
    }

    /// The homes that have segments, of which nothing was asked about any shift: each lies before all of them.
    pub fn unasked(&self, counts: &Counts) -> Vec<HomeId> {
        let has = |homes: &[HomeId], home| homes.binary_search(home).is_ok();
        let homes = self.homes.iter();
        let unasked = homes.filter(|home| has(&counts.met, home) && !has(&counts.asked, home));
        let unasked: BTreeSet<HomeId> = unasked.copied().collect();
        unasked.into_iter().collect()
    }

    /// Whether there are some, and none is of a home that has a segment.
    fn in_vain(&self, counts: &Counts) -> bool {
        let met = |home: &HomeId| counts.met.binary_search(home).is_ok();
        self.shifts > 0 && self.shifts == self.homes.len() && !self.homes.iter().any(met)
    }
}

/// Those of some homes that have no segment.
pub fn unmet(homes: &[HomeId], counts: &Counts) -> Vec<HomeId> {
    let missing = |home: &HomeId| counts.met.binary_search(home).is_err();
    homes.iter().copied().filter(missing).collect()
}

/// Fewer lines than this are hardly a log: most of them late may be chance.
const A_LOG: u64 = 20;

/// Why a run that ended well achieved nothing; `None` if it did something.
pub fn nothing(
    summary: &Summary,
    counts: &Counts,
    declared: &Declared,
    out: &Path,
) -> Option<String> {
    let events = &summary.events;
    let all = grouped(events.r#in);
    if events.rejected > 0 && events.rejected == events.r#in {
        return Some(format!(
            "none of the {all} lines is an event{}",
            first_rejected(out)
        ));
    }
    if events.r#in >= A_LOG && 2 * events.late > events.r#in {
        return Some(format!(
            "{} of {all} events are late, so hardly anything of the log was learnt: its lines are not in the order of time; hearth pack \
             LOG --sort --out sorted.hlog brings them into it, --lateness 30d waits longer for what comes late",
            grouped(events.late)
        ));
    }
    if declared.in_vain(counts) {
        return Some(
            "no declared shift is of a home that the log has: nothing was adapted; the notes name the homes".to_owned(),
        );
    }
    let requests = grouped(summary.requests);
    let told = Stream::Verdicts.found(out);
    if summary.failures > 0 && summary.failures == summary.requests {
        return Some(format!(
            "none of the {requests} requests was answered, so no home was adapted; {} says why",
            told.display()
        ));
    }
    let refused: u64 = summary.verdicts.delete.get(&0).copied().unwrap_or(0);
    if summary.candidates == 0 && refused > 0 {
        return Some(format!(
            "none of the {} generated sequences could be used, so no home was adapted; {} says why",
            grouped(refused),
            told.display()
        ));
    }
    if summary.scores.written == 0 && summary.segments > 0 {
        return Some(
            "nothing was scored: the log has fewer behaviours than the first models are trained on (--warm-up), or spans less time than \
             they need (--warm-up-span); a longer log, or smaller values of both"
                .to_owned(),
        );
    }
    None
}

/// Place and reason of the first rejected line.
fn first_rejected(out: &Path) -> String {
    #[derive(Deserialize)]
    struct Refused {
        source: String,
        reason: String,
    }
    let read = || -> Option<Refused> {
        let mut line = String::new();
        let mut lines = read::open_all(out, Stream::Rejected).ok()?;
        lines.read_line(&mut line).ok()?;
        serde_json::from_str(&line).ok()
    };
    read().map_or(String::new(), |first| {
        format!("; the first: {}: {}", first.source, first.reason)
    })
}
