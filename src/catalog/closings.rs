//! Which action closes which: by the usual word pairs.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::LazyLock;

/// The usual word pairs: a word (or words) that ends a state, and those that begin it.
const PAIRS: &[(&str, &[&str])] = &[
    // Switches; alarms (`alarm both`); the modes that a thermostat leaves when it goes off.
    (
        "off",
        &[
            "on",
            "both",
            "siren",
            "strobe",
            "playing",
            "heat",
            "cool",
            "heat cool",
            "auto",
            "dry",
            "fan only",
        ],
    ),
    ("close", &["open"]),
    ("closed", &["open", "opened"]),
    ("closing", &["opening"]),
    ("shut", &["open"]),
    ("lock", &["unlock"]),
    ("locked", &["unlocked"]),
    ("locking", &["unlocking"]),
    ("stop", &["start", "run", "play"]),
    ("stopped", &["started", "running", "playing"]),
    ("end", &["start", "begin"]),
    ("pause", &["play", "run"]),
    ("paused", &["playing", "cleaning"]),
    ("idle", &["playing"]),
    ("docked", &["cleaning"]),
    ("deactivate", &["activate"]),
    ("inactive", &["active"]),
    ("disable", &["enable"]),
    ("disabled", &["enabled"]),
    ("disarm", &["arm"]),
    (
        "disarmed",
        &[
            "armed",
            "armed away",
            "armed home",
            "armed night",
            "triggered",
        ],
    ),
    ("unmute", &["mute"]),
    ("unmuted", &["muted"]),
    ("disconnect", &["connect"]),
    ("disconnected", &["connected"]),
    ("absent", &["present"]),
    ("leave", &["arrive"]),
    ("not home", &["home"]),
];

/// For each action of one device, the actions that it closes.
///
/// An action closes another if their names are the same but for one place, where the one has the closing and the other
/// an opening word of a pair: `off` closes `on`, `switch off` closes `switch on`, `windowShade close` closes `windowShade
/// open`, `powerCool deactivate` closes `powerCool activate`. Letter case does not matter, and words end at anything but
/// a letter or digit (`turn_off` closes `turn_on`).
///
/// | closes | what |
/// |---|---|
/// | off | on, both, siren, strobe (alarms), playing, heat, cool, auto, dry … (modes) |
/// | close, closed, closing, shut | open, opened, opening |
/// | lock, locked, locking | unlock, unlocked, unlocking |
/// | stop, stopped, end | start, run, play, begin and their past forms |
/// | pause, paused, idle, docked | play, run, playing, cleaning |
/// | deactivate, inactive, disable, disarm, disconnect | activate, active, enable, arm, connect |
/// | unmute | mute |
/// | absent, leave, not home | present, arrive, home |
///
/// ```
/// let actions = ["switch on", "switch off", "toggle"].map(String::from);
/// assert_eq!(hearth::catalog::closings(&actions), [vec![], vec!["switch on".to_string()], vec![]]);
/// ```
pub fn closings(actions: &[String]) -> Vec<Vec<String>> {
    let split: Vec<Vec<String>> = actions.iter().map(|action| words(action)).collect();
    let mut by_words: BTreeMap<&[String], Vec<usize>> = BTreeMap::new();
    for (i, words) in split.iter().enumerate() {
        by_words.entry(words).or_default().push(i);
    }
    split
        .iter()
        .map(|name| {
            let mut closed = BTreeSet::new();
            for (closing, openings) in PAIRS {
                let closing = words(closing);
                for at in 0..name.len() {
                    if !name[at..].starts_with(&closing) {
                        continue;
                    }
                    for opening in *openings {
                        let mut opened = name[..at].to_vec();
                        opened.extend(words(opening));
                        opened.extend_from_slice(&name[at + closing.len()..]);
                        closed.extend(by_words.get(&opened[..]).into_iter().flatten().copied());
                    }
                }
            }
            closed.into_iter().map(|i| actions[i].clone()).collect()
        })
        .collect()
}

/// Words that say the same with or without them: `switch on`, `turned on`.
const FILLERS: [&str; 6] = ["switch", "switched", "turn", "turned", "set", "state"];

/// Other words that usually name what a device does or finds.
const REPORTS: [&str; 18] = [
    "motion", "no", "clear", "cleared", "detected", "detect", "occupied", "empty", "wet", "press",
    "pressed", "toggle", "up", "down", "brighten", "dim", "ring", "button",
];

/// What an action's name says, if it does so in usual words: those of the pairs and a few others, in lower case and without
/// what says nothing (`Switch ON` says `on`).
pub fn meaning(name: &str) -> Option<String> {
    static USUAL: LazyLock<HashSet<String>> = LazyLock::new(|| {
        let paired = PAIRS.iter().flat_map(|(closing, openings)| {
            let all = std::iter::once(closing).chain(*openings);
            all.flat_map(|said| words(said))
        });
        paired.chain(REPORTS.map(str::to_owned)).collect()
    });
    let mut words = words(name);
    words.retain(|word| !FILLERS.contains(&word.as_str()));
    let usual = !words.is_empty() && words.iter().all(|word| USUAL.contains(word));
    usual.then(|| words.join(" "))
}

/// The words of an action's name, in lower case.
fn words(name: &str) -> Vec<String> {
    name.split(|c: char| !c.is_alphanumeric())
        .filter(|word| !word.is_empty())
        .map(str::to_lowercase)
        .collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn closed_by(actions: &[&str], closing: &str) -> Vec<String> {
        let actions: Vec<String> = actions.iter().map(ToString::to_string).collect();
        let at = actions.iter().position(|a| a == closing).unwrap();
        closings(&actions)[at].clone()
    }

    #[test]
    fn pairs_are_found_whatever_stands_around_them() {
        for (closing, opening) in [
            ("off", "on"),
            ("Switch OFF", "switch on"),
            ("turn_off", "turn_on"),
            ("CLOSE", "OPEN"),
            ("windowShade close", "windowShade open"),
            ("set mode off now", "set mode on now"),
            ("lock lock", "lock unlock"),
            (
                "samsungce.powerCool deactivate",
                "samsungce.powerCool activate",
            ),
            (
                "washerOperatingState setMachineState stop",
                "washerOperatingState setMachineState run",
            ),
            ("not_home", "home"),
            ("alarm off", "alarm both"),
        ] {
            let actions = [opening, "unrelated on top", closing];
            assert_eq!(closed_by(&actions, closing), [opening], "{closing}");
            assert!(closed_by(&actions, opening).is_empty(), "{opening}");
        }
    }

    #[test]
    fn other_capabilities_are_left_alone() {
        let actions = [
            "powerCool activate",
            "powerFreeze deactivate",
            "office on",
            "setOff",
        ];
        for action in actions {
            assert!(closed_by(&actions, action).is_empty(), "{action}");
        }
    }

    proptest! {
        /// Nothing closes itself, and what is closed exists.
        #[test]
        fn closings_name_other_actions(actions in prop::collection::btree_set("(off|on|close|open|not|home|[a-z]{1,3})( (off|on|lock|unlock))?", 0..12)) {
            let actions: Vec<String> = actions.into_iter().collect();
            for (action, closed) in actions.iter().zip(closings(&actions)) {
                prop_assert!(closed.iter().all(|c| c != action && actions.contains(c)));
            }
        }
    }
}
