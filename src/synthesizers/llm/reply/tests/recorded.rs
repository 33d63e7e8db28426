//! The replies that the paper's authors recorded, and what they read of them, beside what we read.
//!
//! Theirs drop a behaviour that their dictionaries do not have and keep the rest of the sequence; they do not ask whether
//! an action is its device's. Ours takes a sequence whole or not at all.
//!
//! Of what theirs has and the text says, ours lacks only what breaks the vocabulary, what the model quoted before its
//! answer (theirs takes the longest list of a text), and single behaviours that theirs cut out of a longer sequence.

use std::fmt::Write;

use hearth_operators::validate::check;
use hearth_operators::words::{Row, Sequence};
use serde_json::Value;

use super::*;
use crate::synthesizers::rows;

/// What is counted of a model's replies.
#[derive(Default)]
struct Tally {
    replies: usize,
    /// Replies of which the authors kept nothing.
    unread: usize,
    /// Sequences that they parsed.
    theirs: usize,
    /// Behaviours of those, and how many their dictionaries drop.
    behaviors: usize,
    dropped: usize,
    /// Sequences of theirs that stand nowhere in the recorded text: parsed from another reply.
    elsewhere: usize,
    /// Sequences of theirs that ours accepts too.
    common: usize,
    /// Single behaviours of theirs, cut out of a list of behaviours that ours reads as one sequence.
    within: usize,
    /// Sequences of theirs from before the answer: the old behaviour that the model quotes, or a draft.
    before: usize,
    /// Sequences that ours accepts.
    ours: usize,
    /// Reasons for which sequences of theirs are refused, and for which written ones are.
    refused: BTreeMap<String, usize>,
    rejects: BTreeMap<String, usize>,
}

/// A reason without the words and numbers of the case.
fn kind(reason: &str) -> String {
    let what = reason.split_once(": ").map_or(reason, |(before, after)| {
        if before.starts_with("behaviour ") {
            after
        } else {
            before
        }
    });
    let mut quoted = false;
    let mut kind = String::new();
    for c in what.chars() {
        if c == '`' {
            quoted = !quoted;
            kind.push_str(if quoted { "…" } else { "" });
        } else if !quoted {
            kind.push(if c.is_ascii_digit() { 'n' } else { c });
        }
    }
    kind
}

/// What a text says, without brackets, quotes and white space.
fn said(text: &str) -> String {
    let part = |c: &char| c.is_alphanumeric() || "~:".contains(*c);
    text.chars().filter(part).collect()
}

/// Rows of canonical names as text that is found again in a longer one.
fn canonical(words: &[String]) -> String {
    words.iter().map(|word| format!("{word}\n")).collect()
}

fn names(catalog: &Catalog, sequence: &Sequence) -> Vec<String> {
    rows(catalog, sequence).concat()
}

/// The authors' lists of names: `[[["Monday", "(6~9)", "Blind", "Blind:windowShade open"], …], …]`. Some have other than
/// four names.
fn parsed(reply: &Value) -> Vec<Vec<Vec<String>>> {
    let lists = reply.get("parsed").cloned().unwrap_or_default();
    let lists: Option<_> = serde_json::from_value(lists).unwrap();
    lists.unwrap_or_default()
}

#[test]
fn what_the_authors_read_we_read_unless_it_breaks_the_vocabulary() {
    let mut counts: BTreeMap<(String, String), Tally> = BTreeMap::new();
    let mut missing = Vec::new();
    for set in ["fr", "sp"] {
        let Some((catalog, replies)) = recorded_replies(set) else {
            return;
        };
        let reader = Reader::new(catalog.clone());
        for reply in &replies {
            let model = reply["model"].as_str().unwrap().to_owned();
            let text = reply["text"].as_str().unwrap();
            let count = counts.entry((set.to_owned(), model)).or_default();
            count.replies += 1;
            let mut ours: Vec<Sequence> = Vec::new();
            let mut said_by_ours = String::new();
            match reader.read(text, &[]) {
                Ok(written) => {
                    let rows = written.iter().flatten();
                    rows.for_each(|rows| said_by_ours += &canonical(&rows.concat()));
                    for sequence in written {
                        match sequence.and_then(|rows| check(&rows, &catalog)) {
                            Ok(sequence) => ours.push(sequence),
                            Err(reason) => *count.rejects.entry(kind(&reason)).or_default() += 1,
                        }
                    }
                }
                Err(reason) => *count.rejects.entry(kind(&reason)).or_default() += 1,
            }
            count.ours += ours.len();
            let theirs = parsed(reply);
            count.unread += usize::from(theirs.is_empty());
            let said_here = said(text);
            let said_before = said(text.rfind("<seq [").map_or("", |at| &text[..at]));
            for rows in theirs {
                count.theirs += 1;
                count.behaviors += rows.len();
                // Their dictionaries know devices, and actions written `Device:action`.
                let in_theirs = |names: &&Vec<String>| match names.as_slice() {
                    [_, _, device, action] => {
                        let full = action.split_once(':');
                        full.is_some_and(|(d, a)| catalog.lookup(d, a).is_some())
                            && catalog.has_device(device)
                    }
                    _ => false,
                };
                count.dropped += rows.len() - rows.iter().filter(in_theirs).count();
                let saying = said(&rows.concat().concat());
                if !said_here.contains(&saying) {
                    count.elsewhere += 1;
                    continue;
                }
                let rows: Option<Vec<Row>> = rows.into_iter().map(|r| r.try_into().ok()).collect();
                let checked = match &rows {
                    Some(rows) => check(rows, &catalog),
                    None => Err("a behaviour has not four words".to_owned()),
                };
                match checked {
                    Ok(sequence) => match ours.iter().position(|own| *own == sequence) {
                        Some(at) => {
                            ours.swap_remove(at);
                            count.common += 1;
                        }
                        None if said_before.contains(&saying) => count.before += 1,
                        None if said_by_ours.contains(&canonical(&names(&catalog, &sequence))) => {
                            count.within += 1;
                        }
                        None => missing.push(format!("{set} {}: {sequence:?}", reply["file"])),
                    },
                    Err(reason) => *count.refused.entry(kind(&reason)).or_default() += 1,
                }
            }
        }
    }
    println!("{}", table(&counts));
    assert_eq!(missing, Vec::<String>::new());
}

/// The counts as Markdown.
fn table(counts: &BTreeMap<(String, String), Tally>) -> String {
    let mut table = String::from(
        "| data | model | replies (theirs kept nothing) | their sequences | their behaviours (dropped) | not in the text | broken vocabulary | both accept | quoted before the answer | part of a longer sequence | ours accepts | ours rejects |\n|---|---|---|---|---|---|---|---|---|---|---|---|\n",
    );
    for ((set, model), c) in counts {
        let _ = writeln!(
            table,
            "| {set} | {model} | {} ({}) | {} | {} ({}) | {} | {} | {} | {} | {} | {} | {} |",
            c.replies,
            c.unread,
            c.theirs,
            c.behaviors,
            c.dropped,
            c.elsewhere,
            c.refused.values().sum::<usize>(),
            c.common,
            c.before,
            c.within,
            c.ours,
            c.rejects.values().sum::<usize>(),
        );
    }
    let list = |reasons: &dyn Fn(&Tally) -> &BTreeMap<String, usize>| {
        let mut all: BTreeMap<&str, usize> = BTreeMap::new();
        for (reason, n) in counts.values().flat_map(reasons) {
            *all.entry(reason.as_str()).or_default() += n;
        }
        let lines = all.iter().map(|(reason, n)| format!("- {n}: {reason}\n"));
        lines.collect::<String>()
    };
    table += "\nSequences of theirs that ours refuses:\n";
    table += &list(&|c| &c.refused);
    table += "\nWhat ours rejects, sequences or whole replies:\n";
    table + &list(&|c| &c.rejects)
}
