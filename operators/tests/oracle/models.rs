//! Maintained models against what follows from the segments, the pooled counts and the answers that are out.

use std::collections::BTreeMap;

use crate::drift;
use crate::log::{Log, behavior, epochs, queries};
use crate::run::{BUDGET, Outputs, TRIAL, at, run};
use differential_dataflow::consolidation::consolidate;
use hearth_operators::dataflow::Fitting;
use hearth_operators::detect::Vigilance;
use hearth_operators::habits::{Pooled, Vocabulary};
use hearth_operators::pooling::CohortChanges;
use hearth_operators::reference::{HomeLife, Imagined, detect, models};
use hearth_operators::shift::Placed;
use hearth_operators::surprise::Counts;
use hearth_operators::words::{ActionId, Epoch, HomeId, Moment, Score, Scores, Segment, Time};
use proptest::prelude::*;

/// Every score and every alarm.
pub fn scores_and_alarms_are_those_of_the_twin(
    log: &Log,
    outputs: &Outputs,
) -> Result<(), TestCaseError> {
    if log.fitting != Fitting::Maintained {
        return Ok(());
    }
    let catalogs = &log.rules.catalogs;
    // What all segments that stand before an epoch count, from scratch.
    let shared = |epoch: Epoch| {
        let before = outputs.placed.iter().filter(|(e, _)| *e < epoch);
        let mut stand: Vec<_> = before
            .map(|(_, p)| {
                (
                    Placed {
                        diff: 0,
                        ..p.clone()
                    },
                    p.diff,
                )
            })
            .collect();
        consolidate(&mut stand);
        let mut changes = CohortChanges::default();
        for (placed, _) in stand {
            let words = Vocabulary::new(catalogs, placed.key.home);
            changes.add(&words, &placed.segment, placed.context(), 1);
        }
        changes
    };
    let pooled = |epoch: Epoch| {
        let mut pooled = Pooled::default();
        pooled.apply(&shared(epoch).predictor);
        pooled
    };
    let counted = |epoch: Epoch| {
        let mut counts = Counts::default();
        counts.apply(&shared(epoch).detector);
        counts
    };
    let mut lives: BTreeMap<HomeId, HomeLife> = BTreeMap::new();
    for (epoch, placed) in &outputs.placed {
        let life = lives.entry(placed.key.home).or_default();
        life.updates.entry(*epoch).or_default().push(placed.clone());
    }
    for (epoch, open) in &outputs.open {
        let life = lives.entry(open.home).or_default();
        life.open.insert(*epoch, open.clone());
    }
    for (home, life) in &mut lives {
        let erased = (0..epochs(log)).filter(|epoch| log.revises(*epoch, *home));
        life.erased = erased.map(|epoch| epoch as Epoch).collect();
        // Also where what comes in the epoch undoes what goes.
        for epoch in &life.erased {
            life.updates.entry(*epoch).or_default();
        }
    }
    let feedback = log.feedback.iter().map(|(epoch, f)| (*epoch as Epoch, *f));
    let feedback: Vec<_> = feedback.collect();
    let modes = log
        .modes
        .iter()
        .map(|(epoch, mode)| (*epoch as Epoch, *mode));
    let modes: Vec<_> = modes.collect();
    let mut answers: BTreeMap<_, Imagined> = BTreeMap::new();
    for (epoch, request) in outputs.requests.iter().filter(|_| log.answered) {
        let key = request.key.shift;
        let imagined = || Imagined {
            key,
            shift: request.regime.shift.clone(),
            sequences: Vec::new(),
        };
        answers.entry((*epoch, key)).or_insert_with(imagined);
    }
    for (epoch, verdict) in outputs.verdicts.iter().filter(|(_, v)| v.retain) {
        let key = verdict.candidate.request.shift;
        let asked = answers
            .get_mut(&(*epoch, key))
            .expect("what is judged was asked for");
        asked.sequences.push(verdict.candidate.sequence.clone());
    }
    for ((epoch, key), imagined) in answers {
        let life = lives.entry(key.home).or_default();
        life.answers.entry(epoch).or_default().push(imagined);
    }
    let watch = Vigilance {
        catalogs: catalogs.clone(),
        lateness: log.rules.lateness,
        budget: BUDGET,
        memory: 0,
    };
    let said = detect(&lives, (&feedback, &modes), &watch, counted);
    prop_assert_eq!(sorted(&outputs.alarms), sorted(&said.alarms));
    prop_assert_eq!(sorted(&outputs.heard), sorted(&said.heard));
    let mut expected: Vec<(Epoch, Score)> = Vec::new();
    for (home, life) in &lives {
        let words = Vocabulary::new(catalogs, *home);
        expected.extend(models(
            &words,
            life,
            (log.rules.lateness, TRIAL),
            pooled,
            &said,
        ));
    }
    prop_assert_eq!(
        sorted(&outputs.scores),
        sorted(&expected),
        "of {} epochs",
        epochs(log)
    );
    Ok(())
}

/// After each epoch the alarms of closed segments are the same.
pub fn closed_segments_have_the_same_alarms(
    log: &Log,
    eager: &Outputs,
    aligned: &Outputs,
) -> Result<(), TestCaseError> {
    let stand = |outputs: &Outputs, epoch: Epoch| {
        let segments: Vec<_> = at(&outputs.segments, epoch);
        let past = outputs.alarms.iter().filter(|(e, _, _)| *e <= epoch);
        let closed = past.filter(|(_, raised, _)| {
            let mut segments = segments.iter();
            segments.any(|(segment, _)| *segment == raised.segment)
        });
        let mut stand: Vec<_> = closed
            .map(|(_, r, diff)| (format!("{r:?}"), *diff))
            .collect();
        consolidate(&mut stand);
        stand
    };
    for epoch in 0..epochs(log) as Epoch {
        prop_assert_eq!(
            stand(eager, epoch),
            stand(aligned, epoch),
            "after epoch {}",
            epoch
        );
    }
    Ok(())
}

/// What is told of a home's model is of the segments that stand when it is asked for, or later; where a home waits for an answer, it
/// may be of earlier ones.
pub fn who_asks_is_told_what_stands(log: &Log, outputs: &Outputs) -> Result<(), TestCaseError> {
    let all = (0..epochs(log)).flat_map(queries);
    let mut told: Vec<_> = outputs
        .portraits
        .iter()
        .map(|(_, (query, _))| *query)
        .collect();
    told.sort_by_key(|query| query.number);
    prop_assert_eq!(told, all.collect::<Vec<_>>(), "each once");
    if log.fitting != Fitting::Maintained {
        let mut portraits = outputs.portraits.iter();
        prop_assert!(portraits.all(|(_, (_, portrait))| portrait.is_none()));
        return Ok(());
    }
    let stands = |home: HomeId, epoch: Epoch| {
        let mut segments = at(&outputs.segments, epoch);
        segments.retain(|(segment, _)| segment.home == home);
        segments.sort_by_key(|(segment, _)| segment.start());
        let of = |segment: &Segment| {
            let kept = |(n, moment): (usize, &Moment)| {
                let hour = moment.time.0.rem_euclid(Time::DAY) / Time::HOUR;
                (moment.action, hour as u16, n == 0)
            };
            segment
                .moments
                .iter()
                .enumerate()
                .map(kept)
                .collect::<Vec<_>>()
        };
        segments
            .iter()
            .flat_map(|(segment, _)| of(segment))
            .collect::<Vec<_>>()
    };
    let waits = log.answered && log.scores == Scores::Aligned;
    for (epoch, (query, portrait)) in &outputs.portraits {
        let known = portrait.as_ref().map(|portrait| portrait.kept.clone());
        let known = known.unwrap_or_default();
        let from = if waits { 0 } else { *epoch };
        let mut epochs = from..epochs(log) as Epoch;
        prop_assert!(
            waits && known.is_empty() || epochs.any(|epoch| stands(query.home, epoch) == known),
            "{:?} in epoch {}: {:?}",
            query,
            epoch,
            known
        );
        let learnt = portrait.as_ref().map_or(0, |portrait| portrait.behaviors);
        prop_assert_eq!(learnt, known.len() as i64);
    }
    Ok(())
}

fn sorted<D: std::fmt::Debug>(lines: &[D]) -> Vec<String> {
    let mut lines: Vec<String> = lines.iter().map(|line| format!("{line:?}")).collect();
    lines.sort();
    lines
}

/// A fortnight of days that are alike, each an epoch; then a report that nobody is used to, in the middle of a day of epochs of one behaviour.
fn fortnight() -> Log {
    let at = |day: i64, hours: i64, action: u16| Moment {
        time: Time(day * Time::DAY + hours * Time::HOUR),
        action: ActionId(action),
        offset: 0,
    };
    let usual =
        |day| [(7, 0), (8, 2), (9, 3), (10, 5)].map(|(hours, action)| at(day, hours, action));
    let mut epochs: Vec<Vec<Moment>> = (0..14).map(|day| usual(day).to_vec()).collect();
    let odd = [
        at(14, 7, 0),
        at(14, 8, 2),
        at(14, 8, 7),
        at(14, 9, 3),
        at(14, 10, 5),
    ];
    epochs.extend(odd.map(|moment| vec![moment]));
    epochs.push(usual(15).to_vec());
    let behaviors = |moments: Vec<Moment>| {
        let all = moments
            .into_iter()
            .map(|moment| behavior(0, moment, None, 0));
        all.collect()
    };
    Log {
        epochs: epochs.into_iter().map(behaviors).collect(),
        scores: Scores::Eager,
        answered: false,
        workers: 1,
        ..drift::forty_days()
    }
}

#[test]
fn an_alarm_is_raised_when_it_happens() {
    let eager = run(&fortnight());
    let aligned = run(&Log {
        scores: Scores::Aligned,
        ..fortnight()
    });
    let first_raised = |outputs: &Outputs| {
        let raised = outputs.alarms.iter().filter(|(_, raised, diff)| {
            let mut shown = raised.alarm.behaviors.iter();
            *diff > 0 && shown.any(|at| raised.segment.moments[*at].action == ActionId(7))
        });
        raised.map(|(epoch, _, _)| *epoch).next()
    };
    assert_eq!(first_raised(&aligned), Some(19), "when the next day begins");
    assert_eq!(first_raised(&eager), Some(16));
    let (_, last) = eager
        .scores
        .iter()
        .rfind(|(epoch, _)| *epoch == 17)
        .expect("a score at once");
    assert!(last.open);
    assert_eq!(last.next[0].0, ActionId(5), "the day ends as usual");
}
