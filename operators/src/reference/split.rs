//! The split as one reads it: sort, then walk (Algorithm 1); and the rules of admission before it.

use crate::split::{Checker, Rules};
use crate::words::{Behavior, HomeId, Moment, Time};

/// Splits a home's behaviours, in event-time order, into segments.
///
/// A behaviour that semantically belongs to the current segment is appended; else a gap over `max_gap` to the one before
/// or a distance over `max_span` to the segment's start begins a new segment; else it is appended.
pub fn split(home: HomeId, moments: &[Moment], rules: &Rules) -> Vec<Vec<Moment>> {
    let mut segments: Vec<Vec<Moment>> = Vec::new();
    for moment in moments {
        match segments.last_mut() {
            Some(current) if belongs(home, current, moment, rules) => current.push(*moment),
            _ => segments.push(vec![*moment]),
        }
    }
    segments
}

fn belongs(home: HomeId, current: &[Moment], moment: &Moment, rules: &Rules) -> bool {
    let catalog = rules.catalogs.of(home);
    let closes = |a: &Moment, b: &Moment| catalog.closes(a.action).contains(&b.action);
    let semantic = match rules.checker {
        Checker::Off => false,
        Checker::Closing => !catalog.closes(moment.action).is_empty(),
        // Some behaviour that this one closes, and that nothing since has closed.
        Checker::Paired => (0..current.len()).any(|i| {
            closes(moment, &current[i]) && !current[i + 1..].iter().any(|c| closes(c, &current[i]))
        }),
    };
    let gap = moment.time.0 - current[current.len() - 1].time.0;
    let span = moment.time.0 - current[0].time.0;
    semantic || (gap <= rules.max_gap && span <= rules.max_span)
}

/// What a home's log comes to: each event's fate.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Applied {
    /// Behaviours that count, in event-time order.
    pub moments: Vec<Moment>,
    /// Events that were taken in and erased.
    pub erased: u64,
    /// Events that were there already.
    pub duplicate: u64,
    /// Events before the horizon.
    pub late: Vec<Behavior>,
    /// Events that jumped ahead, unconfirmed, once the log has ended.
    pub rejected: Vec<Behavior>,
    /// What would lie before this is late in the next epoch; `None` before any event.
    pub horizon: Option<Time>,
}

/// Decides the fate of one home's events, ingested epoch by epoch, each epoch in the order of ingestion.
///
/// An event is late if it lies before the newest time accepted by the end of the previous epoch minus `lateness`; a
/// duplicate if an event of the same id (without ids: of the same time and action) came before and is not late; it waits while
/// it lies more than `max_lead` ahead of the newest accepted event, unless another waiting one follows it within `max_jump` or a
/// later one is accepted; and is rejected if it still waits when the log has ended, further ahead than `max_jump`.
///
/// Whether an event that was ingested before an epoch is `erased` in that is asked before the epoch's own are taken in: then it is as
/// if it had never come, but what was late, or a duplicate, stays so, and the horizon goes back no more.
pub fn admit(
    epochs: &[Vec<Behavior>],
    erased: impl Fn(usize, &Moment) -> bool,
    ended: bool,
    rules: &Rules,
) -> Applied {
    let mut result = Applied::default();
    let mut seen: Vec<Behavior> = Vec::new();
    let mut waiting: Vec<Behavior> = Vec::new();
    let mut newest: Option<Time> = None;
    let mut horizon = i64::MIN;
    for (number, epoch) in epochs.iter().enumerate() {
        horizon = newest.map_or(horizon, |n| horizon.max(n.0 - rules.lateness));
        let before = result.moments.len() + waiting.len();
        seen.retain(|b| !erased(number, &b.moment));
        waiting.retain(|b| !erased(number, &b.moment));
        result.moments.retain(|moment| !erased(number, moment));
        result.erased += (before - result.moments.len() - waiting.len()) as u64;
        newest = result.moments.iter().map(|moment| moment.time).max();
        for behavior in epoch {
            let same = |other: &Behavior| match (&behavior.id, &other.id) {
                (Some(a), Some(b)) => a == b && other.moment.time.0 >= horizon,
                (None, None) => {
                    (behavior.moment.time, behavior.moment.action)
                        == (other.moment.time, other.moment.action)
                }
                _ => false,
            };
            if behavior.moment.time.0 < horizon {
                result.late.push(behavior.clone());
            } else if seen.iter().any(same) {
                result.duplicate += 1;
            } else {
                seen.push(behavior.clone());
                waiting.push(behavior.clone());
            }
        }
        waiting.sort_by_key(|b| b.moment);
        let mut admitted = 0;
        for i in 0..waiting.len() {
            let time = waiting[i].moment.time.0;
            let reachable = newest.is_some_and(|n| time - n.0 <= rules.max_lead);
            let next = waiting.get(i + 1);
            if reachable || next.is_some_and(|n| n.moment.time.0 - time <= rules.max_jump) {
                newest = newest.max(Some(waiting[i].moment.time));
                admitted = i + 1;
            }
        }
        let accepted = waiting.drain(..admitted);
        result.moments.extend(accepted.map(|b| b.moment));
    }
    if ended {
        for behavior in waiting {
            let time = behavior.moment.time;
            if newest.is_none_or(|n| time.0 - n.0 <= rules.max_jump) {
                newest = Some(time);
                result.moments.push(behavior.moment);
            } else {
                result.rejected.push(behavior);
            }
        }
    }
    let lateness = |newest: Time| newest.0 - rules.lateness;
    let horizon = newest.map_or(horizon, |newest| horizon.max(lateness(newest)));
    result.horizon = (horizon > i64::MIN).then_some(Time(horizon));
    result.moments.sort();
    result
}
