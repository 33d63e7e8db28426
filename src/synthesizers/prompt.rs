//! The request as a text for a language model: a system and a user message, after the paper's Table 1.
//!
//! Nothing in it tells one home from another: no home id, no date, no clock time; weekdays and three-hour buckets are
//! all that a model needs and sees.

use std::fmt::Write;

use hearth_operators::words::{Catalog, Request, Shift, ShiftKind};
use serde_json::to_string as json;

use super::rows;

/// The two messages of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Prompt {
    /// Who the model is, what it is to do, and how it must answer.
    pub system: String,
    /// What changes, and the home's data.
    pub user: String,
}

const SYSTEM: &str = include_str!("prompt_system.txt");

/// Writes a request for a language model.
pub fn prompt(request: &Request, catalog: &Catalog) -> Prompt {
    let mut user = format!("# Scene\n{}\n", scene(&request.regime.shift));
    user.push_str("\n# Behavior sequences before the change\n");
    user.push_str("One sequence a line, each behavior as [weekday, hours, device, action].\n");
    for sequence in &request.representatives {
        user.push_str(&array(rows(catalog, sequence).iter().map(text)));
        user.push('\n');
    }
    user.push_str("\n# What usually follows each action here, with counts\n");
    let hints = request.hints.0.iter().map(|(action, next)| {
        let next = next.iter().map(|(next, count)| {
            let name = text(&catalog.full_name(*next));
            format!("{{\"next\":{name},\"count\":{count}}}")
        });
        format!("{}:{}", text(&catalog.full_name(*action)), array(next))
    });
    let hints: Vec<String> = hints.collect();
    let _ = writeln!(user, "{{{}}}", hints.join(",\n"));
    user.push_str("\n# Devices and the only actions that each has\n");
    for device in catalog.devices().iter().filter(|d| !d.actions.is_empty()) {
        let actions = array(device.actions.iter().map(|a| text(&a.name)));
        let _ = writeln!(user, "{}: {actions}", text(&device.name));
    }
    Prompt {
        system: SYSTEM.to_owned(),
        user,
    }
}

/// The shift as a sentence. Words from outside are quoted as JSON, so that they cannot pass for the prompt's own.
fn scene(shift: &Shift) -> String {
    let (from, to) = (text(&shift.from), text(&shift.to));
    match shift.kind {
        ShiftKind::Season => format!("The season changes from {from} to {to}."),
        ShiftKind::Schedule => format!(
            "The residents' daily schedule changes: so far they were active in the {from}, from now on in the {to}."
        ),
        ShiftKind::Occupancy => format!(
            "The number of people who live in the home changes from {from} to {to}."
        ),
        ShiftKind::Text if shift.from.trim().is_empty() => {
            format!("What changes in the home, in a resident's words: {to}.")
        }
        ShiftKind::Text => format!(
            "What changes in the home, in a resident's words: before, {from}; from now on, {to}."
        ),
    }
}

/// Anything as JSON on one line.
fn text<T: serde::Serialize + ?Sized>(value: &T) -> String {
    // Strings and lists of strings always serialise.
    json(value).unwrap_or_default()
}

fn array(items: impl Iterator<Item = String>) -> String {
    format!("[{}]", items.collect::<Vec<_>>().join(","))
}
