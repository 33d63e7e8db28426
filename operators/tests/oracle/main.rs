//! The operators against their slow twins, on random logs: one module an operator.
//!
//! `PROPTEST_CASES=100000 cargo test --release -p hearth-operators --test oracle` for a long run; 256 cases otherwise.

mod compress;
mod drift;
mod gather;
mod log;
mod models;
mod pieces;
mod request;
mod run;
mod score;
mod services;
mod shift;
mod split;
mod transitions;
mod validate;
mod words;

use hearth_operators::dataflow::Fitting;
use hearth_operators::words::{Epoch, Erasure, HomeId, Line, Scores, ShiftKey, Time};
use log::{cases, fewer_cases, forgetful, interrupted, logs};
use proptest::prelude::*;
use run::{at, run};

proptest! {
    #![proptest_config(cases())]

    /// Every collection and stream from behaviours to requests, after every epoch.
    #[test]
    fn everything_is_as_the_twins_say(log in logs()) {
        let outputs = run(&log);
        split::segments_are_those_of_the_twin(&log, &outputs)?;
        split::open_segments_are_those_of_the_twin(&log, &outputs)?;
        split::every_event_is_accounted_for(&log, &outputs)?;
        split::whoever_asks_is_told(&log, &outputs)?;
        shift::segments_lie_in_their_regimes(&log, &outputs)?;
        shift::segments_know_what_began_their_regime(&log, &outputs)?;
        shift::regimes_end_once(&log, &outputs)?;
        transitions::counts_are_those_of_the_twin(&log, &outputs)?;
        transitions::hints_are_those_of_the_twin(&outputs)?;
        compress::representatives_are_those_of_the_twin(&log, &outputs)?;
        compress::the_warm_up_is_the_first_that_suffices(&log, &outputs)?;
        request::an_ended_regime_asks_for_each_weekday(&outputs)?;
        drift::drifts_are_those_of_the_twin(&log, &outputs)?;
        drift::one_change_is_one_shift(&log, &outputs)?;
        models::scores_and_alarms_are_those_of_the_twin(&log, &outputs)?;
        models::who_asks_is_told_what_stands(&log, &outputs)?;
    }

    /// What was erased is as if it had never come; what is fine counts.
    #[test]
    fn what_is_erased_never_came(log in forgetful()) {
        let outputs = run(&log);
        split::segments_are_those_of_the_twin(&log, &outputs)?;
        split::open_segments_are_those_of_the_twin(&log, &outputs)?;
        split::every_event_is_accounted_for(&log, &outputs)?;
        split::whoever_asks_is_told(&log, &outputs)?;
        shift::segments_lie_in_their_regimes(&log, &outputs)?;
        shift::segments_know_what_began_their_regime(&log, &outputs)?;
        transitions::counts_are_those_of_the_twin(&log, &outputs)?;
        transitions::hints_are_those_of_the_twin(&outputs)?;
        compress::what_stands_has_representatives(&outputs)?;
        compress::the_warm_up_is_the_first_that_suffices(&log, &outputs)?;
        models::scores_and_alarms_are_those_of_the_twin(&log, &outputs)?;
        models::who_asks_is_told_what_stands(&log, &outputs)?;
    }

    /// A home that is erased whole leaves in the end what a log without it leaves.
    #[test]
    fn an_erased_home_was_never_there(mut log in logs(), home in 0u32..3) {
        log.ended = true;
        let home = HomeId(home);
        let last = log.epochs.len();
        log.epochs.push(Vec::new());
        log.shifts.retain(|(_, shift)| shift.home != Some(home));
        let mut without = log.clone();
        without.epochs.iter_mut().for_each(|epoch| epoch.retain(|b| b.home != home));
        let erasure = Erasure { home, from: None, to: None, device: None, line: Line::default() };
        log.erasures = vec![(last, erasure), (last, erasure)];
        let (a, b) = (run(&log), run(&without));
        prop_assert_eq!(at(&a.segments, Epoch::MAX), at(&b.segments, Epoch::MAX));
        prop_assert_eq!(at(&a.transitions, Epoch::MAX), at(&b.transitions, Epoch::MAX));
        prop_assert_eq!(at(&a.regimes, Epoch::MAX), at(&b.regimes, Epoch::MAX));
        let own = |((key, _), _): &((ShiftKey, _), _)| key.home == home;
        prop_assert!(!at(&a.representatives, Epoch::MAX).iter().any(own));
        let mut alarms: Vec<_> = a.alarms.iter().filter(|(_, r, _)| r.segment.home == home).collect();
        let stands: i64 = alarms.drain(..).map(|(_, _, diff)| diff).sum();
        prop_assert_eq!(stands, 0);
    }

    /// States taken out at some epochs, written as what changed since the time before, read and put back into any number of workers:
    /// the streams are as if nothing had happened, whatever was open outside.
    #[test]
    fn a_suspension_makes_no_difference(log in interrupted()) {
        let mut undisturbed = log.clone();
        undisturbed.suspensions.clear();
        let (expected, outputs) = (run(&undisturbed).lines(), run(&log).lines());
        for (stream, lines) in expected {
            prop_assert_eq!(&outputs[stream], &lines, "{}", stream);
        }
    }

    /// Where behaviours come in order, batches and workers make no difference to what is found, and to what comes of it.
    #[test]
    fn batches_make_no_difference_to_what_is_found(mut log in logs(), cut in 1usize..20, workers in 1usize..=4) {
        let mut all: Vec<_> = log.epochs.drain(..).flatten().collect();
        all.sort_by_key(|b| (b.moment, b.home));
        // Which of two events of one id counts is a matter of order.
        all.iter_mut().for_each(|behavior| behavior.id = None);
        // What is far ahead is there as soon as something else confirms it: that is a matter of batches.
        log.rules.max_jump = 100_000 * Time::DAY;
        log.rules.max_lead = log.rules.max_jump;
        // Soon enough for something to be found.
        log.rules.lateness = log.rules.lateness.min(Time::DAY);
        // What is known by then depends on batches.
        log.rules.ask_after = None;
        log.adapts = true;
        log.ended = true;
        log.shifts.iter_mut().for_each(|(epoch, _)| *epoch = 0);
        let mut others = log.clone();
        log.epochs = vec![all.clone()];
        others.epochs = all.chunks(cut).map(<[_]>::to_vec).collect();
        others.epochs.resize(others.epochs.len().max(1), Vec::new());
        others.workers = workers;
        let (a, b) = (run(&log), run(&others));
        prop_assert_eq!(drift::without_epochs(&a), drift::without_epochs(&b));
        prop_assert_eq!(at(&a.regimes, Epoch::MAX), at(&b.regimes, Epoch::MAX));
    }

    /// Where nothing is late, the order, the batches and the workers make no difference in the end.
    #[test]
    fn order_and_batches_make_no_difference(mut log in logs(), workers in 1usize..=4) {
        log.ended = true;
        log.rules.lateness = 100_000 * Time::DAY;
        log.rules.max_jump = log.rules.lateness;
        log.rules.max_lead = log.rules.lateness;
        // Which of two events of one id counts is a matter of order.
        for behavior in log.epochs.iter_mut().flatten() {
            behavior.id = None;
        }
        // Whether a shift comes too late is one of batches.
        log.shifts.iter_mut().for_each(|(epoch, _)| *epoch = 0);
        let mut sorted = log.clone();
        let mut all: Vec<_> = log.epochs.iter().flatten().cloned().collect();
        all.sort_by_key(|b| (b.moment, b.home));
        sorted.epochs = vec![all];
        sorted.workers = workers;
        let (a, b) = (run(&log), run(&sorted));
        prop_assert_eq!(at(&a.segments, Epoch::MAX), at(&b.segments, Epoch::MAX));
        prop_assert_eq!(at(&a.transitions, Epoch::MAX), at(&b.transitions, Epoch::MAX));
        prop_assert_eq!(at(&a.regimes, Epoch::MAX), at(&b.regimes, Epoch::MAX));
    }
}

proptest! {
    #![proptest_config(fewer_cases())]

    /// That somebody looks at what is open changes nothing of what is said of closed segments.
    #[test]
    fn looking_early_changes_nothing_later(mut log in forgetful(), answered in any::<bool>()) {
        log.fitting = Fitting::Maintained;
        // That an alarm was fine can be said earlier.
        log.feedback.clear();
        log.scores = Scores::Eager;
        log.answered = answered;
        let mut aligned = log.clone();
        aligned.scores = Scores::Aligned;
        let (mut eager, aligned) = (run(&log), run(&aligned));
        models::closed_segments_have_the_same_alarms(&log, &eager, &aligned)?;
        eager.scores.retain(|(_, score)| !score.open);
        prop_assert_eq!(eager.scores.len(), aligned.scores.len());
        let (mut eager, mut aligned) = (eager.lines(), aligned.lines());
        // What is predicted where nobody waits for answers depends on when they come.
        let answers = if answered { &["scores", "adjustments"][..] } else { &[] };
        for stream in ["open", "alarms"].iter().chain(answers) {
            eager.remove(stream);
            aligned.remove(stream);
        }
        prop_assert_eq!(eager, aligned);
    }
}
