//! A home's past in a table that is short enough for one message: what it does, how often, when, and what then.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use hearth_operators::words::{ActionId, Catalog, HOURS, Hints, Sequence};

use super::json::text;

/// Of an action's hours the most frequent ones are told.
const OFTENEST: usize = 2;

/// Actions whose successors are told.
const FREQUENT: usize = 6;

/// Successors that are told of each.
const NEXT: usize = 2;

/// Each device's actions with their counts and the hours in which they are done most, most first; one device a line.
pub(super) fn habits(catalog: &Catalog, source: &[Sequence]) -> String {
    let mut times: BTreeMap<ActionId, [u32; HOURS.len()]> = BTreeMap::new();
    for behavior in source.iter().flat_map(|sequence| &sequence.0) {
        let hours = times.entry(behavior.action).or_default();
        if let Some(count) = hours.get_mut(usize::from(behavior.hours)) {
            *count += 1;
        }
    }
    let mut devices: BTreeMap<_, (Vec<String>, Vec<String>)> = BTreeMap::new();
    for action in catalog.action_ids() {
        let (done, never) = devices.entry(catalog.device_of(action)).or_default();
        let name = text(catalog.action_name(action));
        match times.get(&action) {
            Some(hours) => done.push(format!("{name} {}", count(hours))),
            None => never.push(name),
        }
    }
    let lines = devices.into_iter().map(|(device, (done, never))| {
        let device = catalog.devices().get(usize::from(device.0));
        let mut line = text(device.map_or("", |device| &device.name));
        if !done.is_empty() {
            line.push_str(": ");
            line.push_str(&done.join("; "));
        }
        if !never.is_empty() {
            line.push_str("; never: ");
            line.push_str(&never.join(", "));
        }
        line
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// `9 (6~9) (18~21)`: how often in all, then the most frequent hours.
fn count(hours: &[u32; HOURS.len()]) -> String {
    let mut most: Vec<_> = HOURS.iter().zip(hours).filter(|(_, n)| **n > 0).collect();
    most.sort_by_key(|(_, n)| Reverse(**n));
    most.truncate(OFTENEST);
    let all: u32 = hours.iter().sum();
    let each = most.into_iter().map(|(name, _)| format!(" {name}"));
    format!("{all}{}", each.collect::<String>())
}

/// The top successors of the actions that are followed most often. That an action follows itself says nothing of where another
/// may go.
pub(super) fn successors(catalog: &Catalog, hints: &Hints) -> String {
    let followed = |next: &[(ActionId, u32)]| next.iter().map(|(_, n)| u64::from(*n)).sum::<u64>();
    let others = hints.0.iter().map(|(action, next)| {
        let others = next.iter().filter(|(other, _)| other != action);
        (*action, others.copied().collect::<Vec<_>>())
    });
    let mut frequent: Vec<_> = others.filter(|(_, next)| !next.is_empty()).collect();
    frequent.sort_by_key(|(action, next)| (Reverse(followed(next)), *action));
    frequent.truncate(FREQUENT);
    let lines = frequent.into_iter().map(|(action, next)| {
        let next = next.iter().take(NEXT);
        let next = next.map(|(action, n)| format!("{} {n}", text(&catalog.full_name(*action))));
        let next = next.collect::<Vec<_>>().join(", ");
        format!("{}: {next}", text(&catalog.full_name(action)))
    });
    lines.collect::<Vec<_>>().join("\n")
}
