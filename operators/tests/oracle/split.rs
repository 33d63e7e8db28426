//! The split against its twin: under any order, duplication, lateness, batching and number of workers.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::log::{Log, asked, behavior, catalogs, epochs, truth};
use crate::run::{Outputs, at, consolidated};
use hearth_operators::reference::admit;
use hearth_operators::split::{Account, Fate, Rules};
use hearth_operators::words::{
    ActionId, Behavior, Epoch, HomeId, Line, Moment, Open, Scores, Segment, Time,
};
use proptest::prelude::*;

/// After each epoch the segments are those of the plain algorithm on all events so far.
pub fn segments_are_those_of_the_twin(log: &Log, outputs: &Outputs) -> Result<(), TestCaseError> {
    prop_assert!(consolidated(&outputs.segments));
    for epoch in 0..epochs(log) {
        let mut expected: Vec<(Segment, i64)> = Vec::new();
        for (home, truth) in truth(log, epoch) {
            expected.extend(
                truth
                    .segments
                    .into_iter()
                    .map(|moments| (Segment { home, moments }, 1)),
            );
        }
        expected.sort();
        let held = at(&outputs.segments, epoch as Epoch);
        let held: Vec<(Segment, i64)> = held.into_iter().map(|(s, n)| ((*s).clone(), n)).collect();
        prop_assert_eq!(held, expected, "after epoch {}", epoch);
    }
    Ok(())
}

/// Open segments are shown whenever they change, from where they do; and whole where others were erased.
pub fn open_segments_are_those_of_the_twin(
    log: &Log,
    outputs: &Outputs,
) -> Result<(), TestCaseError> {
    let mut expected = Vec::new();
    let mut before: BTreeMap<HomeId, Vec<Moment>> = BTreeMap::new();
    let epochs = if log.scores == Scores::Eager {
        epochs(log)
    } else {
        0
    };
    for epoch in 0..epochs {
        for (home, truth) in truth(log, epoch) {
            let was = before.remove(&home).unwrap_or_default();
            let is = truth.open.unwrap_or_default();
            let anew = log.revises(epoch, home) && !(was.is_empty() && is.is_empty());
            let pairs = was.iter().zip(&is);
            let same = pairs.take_while(|(was, is)| was == is).count();
            if anew || was != is {
                let moments = is.clone();
                let segment = Arc::new(Segment { home, moments });
                let open = Open {
                    home,
                    segment: (!is.is_empty()).then_some(segment),
                    new: if anew { 0 } else { same },
                };
                expected.push((epoch as Epoch, open));
            }
            before.insert(home, is);
        }
    }
    let mut shown = outputs.open.clone();
    shown.sort();
    expected.sort();
    prop_assert_eq!(shown, expected);
    Ok(())
}

/// Each event ends as applied, duplicate, late or rejected; the same ones as the twin says.
pub fn every_event_is_accounted_for(log: &Log, outputs: &Outputs) -> Result<(), TestCaseError> {
    let (mut applied, mut duplicate, mut erased) = (0, 0, 0);
    let mut late: BTreeMap<HomeId, Vec<_>> = BTreeMap::new();
    let mut rejected: BTreeMap<HomeId, Vec<_>> = BTreeMap::new();
    let mut accounts = outputs.accounts.clone();
    accounts.sort_by_key(|(epoch, _)| *epoch);
    for (_, account) in &accounts {
        match account.clone() {
            Account::Counted {
                applied: a,
                duplicate: d,
            } => {
                applied += a;
                duplicate += d;
            }
            Account::Late(b) => late.entry(b.home).or_default().push(b),
            Account::Rejected(b) => rejected.entry(b.home).or_default().push(b),
            Account::Erased(gone) => {
                applied -= gone.applied;
                erased += gone.applied + gone.waiting;
            }
            Account::Told(..) => {}
        }
    }
    let truth = truth(log, log.epochs.len());
    let sum = |of: &dyn Fn(&crate::log::Truth) -> u64| truth.values().map(of).sum::<u64>();
    prop_assert_eq!(applied, sum(&|t| t.applied.moments.len() as u64));
    prop_assert_eq!(duplicate, sum(&|t| t.applied.duplicate));
    prop_assert_eq!(erased, sum(&|t| t.applied.erased));
    for (home, truth) in &truth {
        let mut mine = late.remove(home).unwrap_or_default();
        mine.sort_by_key(|b| b.line);
        prop_assert_eq!(&mine, &truth.applied.late);
        let mut mine = rejected.remove(home).unwrap_or_default();
        mine.sort();
        let mut theirs = truth.applied.rejected.clone();
        theirs.sort();
        prop_assert_eq!(mine, theirs);
    }
    prop_assert!(late.is_empty(), "late of homes without events: {:?}", late);
    prop_assert!(
        rejected.is_empty(),
        "rejected of homes without events: {:?}",
        rejected
    );
    let all: u64 = log.epochs.iter().map(|e| e.len() as u64).sum();
    let lost = sum(&|t| (t.applied.late.len() + t.applied.rejected.len()) as u64);
    if log.ended {
        prop_assert_eq!(all, applied + duplicate + lost + erased);
    }
    Ok(())
}

/// What the accounts of an epoch say.
#[derive(Default)]
struct Said {
    applied: u64,
    duplicate: u64,
    late: Vec<Line>,
    rejected: Vec<Line>,
    told: BTreeMap<Line, Vec<Fate>>,
}

fn said(outputs: &Outputs, epoch: Epoch) -> Said {
    let mut said = Said::default();
    let mine = outputs.accounts.iter().filter(|(of, _)| *of == epoch);
    for (_, account) in mine {
        match account {
            Account::Counted { applied, duplicate } => {
                said.applied += applied;
                said.duplicate += duplicate;
            }
            Account::Late(event) => said.late.push(event.line),
            Account::Rejected(event) => said.rejected.push(event.line),
            Account::Erased(_) => {}
            Account::Told(line, fate) => said.told.entry(*line).or_default().push(*fate),
        }
    }
    said.late.sort();
    said
}

/// Of each event that somebody asked for it is told once what became of it, in its epoch, as it is counted; of no other anything.
pub fn whoever_asks_is_told(log: &Log, outputs: &Outputs) -> Result<(), TestCaseError> {
    // Events that wait behind an epoch, by the twin.
    let waiting = |epoch: usize| {
        let came: usize = log.epochs[..=epoch].iter().map(Vec::len).sum();
        let truth = truth(log, epoch);
        let known = truth.values().map(|truth| {
            let known = &truth.applied;
            let lost = known.late.len() + known.rejected.len() + known.moments.len();
            lost as u64 + known.duplicate + known.erased
        });
        came as u64 - known.sum::<u64>()
    };
    for epoch in 0..log.epochs.len() {
        let said = said(outputs, epoch as Epoch);
        let mut lines: Vec<Line> = log.epochs[epoch].iter().map(|b| b.line).collect();
        lines.retain(|_| !asked(log, epoch).is_empty());
        lines.sort();
        prop_assert!(said.told.keys().eq(&lines), "epoch {}", epoch);
        if lines.is_empty() {
            continue;
        }
        let of = |fate: Fate| {
            let told = said.told.iter().filter(move |(_, told)| **told == [fate]);
            told.map(|(line, _)| *line).collect::<Vec<_>>()
        };
        prop_assert!(said.told.values().all(|told| told.len() == 1));
        prop_assert_eq!(of(Fate::Duplicate).len() as u64, said.duplicate);
        prop_assert_eq!(of(Fate::Late), said.late);
        let refused = of(Fate::Rejected);
        prop_assert!(refused.iter().all(|line| said.rejected.contains(line)));
        let (applied, waits) = (
            of(Fate::Applied).len() as u64,
            of(Fate::Waiting).len() as u64,
        );
        let waited = if epoch == 0 { 0 } else { waiting(epoch - 1) };
        prop_assert!(applied <= said.applied && waits <= waiting(epoch));
        if waited == 0 {
            prop_assert_eq!((applied, waits), (said.applied, waiting(epoch)));
        }
    }
    Ok(())
}

proptest! {
    /// Wherever a clock is ahead once, and however the log is cut, no event is late or lost by it. The twin is asked: the operator
    /// is held to it.
    #[test]
    fn a_clock_that_is_ahead_once_costs_nothing(
        gaps in prop::collection::vec(0i64..60, 1..40),
        place in any::<prop::sample::Index>(),
        ahead in 1i64..30 * 24,
        cut in 1usize..9,
    ) {
        let rules = Rules::new(catalogs());
        let mut now = 0;
        let mut event = |(n, gap): (usize, &i64)| {
            now += gap * Time::HOUR;
            let moment = Moment { time: Time(now), action: ActionId(n as u16 % 2), offset: 0 };
            behavior(0, moment, Some(n.to_string().into()), n)
        };
        let mut events: Vec<Behavior> = gaps.iter().enumerate().map(&mut event).collect();
        let place = place.index(events.len());
        let mut wrong = events[place].clone();
        wrong.moment.time.0 += ahead * Time::HOUR;
        wrong.id = Some("wrong".into());
        events.insert(place + 1, wrong);
        let epochs: Vec<Vec<Behavior>> = events.chunks(cut).map(<[_]>::to_vec).collect();
        let applied = admit(&epochs, |_, _| false, true, &rules);
        prop_assert_eq!((applied.late.len(), applied.rejected.len(), applied.duplicate), (0, 0, 0));
        prop_assert_eq!(applied.moments.len(), events.len());
    }
}
