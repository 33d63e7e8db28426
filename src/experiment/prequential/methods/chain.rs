//! The chain of contexts of an interpolated n-gram, from the general to the particular.

use hearth_operators::words::Hours;

use super::super::log::Action;
use super::places::{Context, Place};

/// How many actions before are looked at.
const ORDER: usize = 3;

/// Any; the hours; the last one, two and three actions; the hours with the last action.
pub(super) fn chain(place: &Place<'_>) -> Vec<Context> {
    let before = || place.before.iter().rev().map(|b| b.action);
    links(before, place.hours())
}

/// The same of actions in any direction, latest first.
pub(super) fn links<I: Iterator<Item = Action>>(
    latest_first: impl Fn() -> I,
    hours: Hours,
) -> Vec<Context> {
    let mut chain = vec![Context::Any, Context::Hours(hours)];
    chain.extend((1..=ORDER).filter_map(|order| Context::after(latest_first(), order)));
    chain.push(Context::HoursLast(hours, latest_first().next()));
    chain
}
