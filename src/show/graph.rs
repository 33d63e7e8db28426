//! A home's behaviour graph for Graphviz.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write};

/// Writes a directed graph: actions are nodes, grouped by device; an edge's width follows its count.
pub(super) fn write(
    out: &mut impl Write,
    home: &str,
    transitions: &BTreeMap<(String, String), i64>,
) -> io::Result<()> {
    writeln!(out, "digraph {} {{", quoted(home))?;
    // Graphviz reads names as UTF-8 then, whatever the machine's language.
    writeln!(out, "  charset=\"UTF-8\";")?;
    writeln!(out, "  rankdir=LR;\n  node [shape=box, style=rounded];")?;
    let mut devices: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for action in transitions.keys().flat_map(|(from, to)| [from, to]) {
        let device = action.split_once(':').map_or("", |(device, _)| device);
        devices.entry(device).or_default().insert(action);
    }
    for (device, actions) in devices {
        writeln!(
            out,
            "  subgraph {} {{",
            quoted(&format!("cluster {device}"))
        )?;
        writeln!(out, "    label={};", label(device))?;
        for action in actions {
            let name = action.split_once(':').map_or(action, |(_, name)| name);
            writeln!(out, "    {} [label={}];", quoted(action), label(name))?;
        }
        writeln!(out, "  }}")?;
    }
    let most = transitions.values().copied().max().unwrap_or(1).max(1);
    for ((from, to), count) in transitions {
        let width = 0.5 + 4.5 * *count as f64 / most as f64;
        writeln!(
            out,
            "  {} -> {} [label=\"{count}\", penwidth={width:.2}];",
            quoted(from),
            quoted(to)
        )?;
    }
    writeln!(out, "}}")
}

/// A label: in one, `&` begins an entity of HTML.
fn label(text: &str) -> String {
    quoted(&text.replace('&', "&amp;"))
}

/// A quoted identifier of the dot language, in which only quotes end a string and backslashes begin escapes.
fn quoted(text: &str) -> String {
    let escaped = text.replace('\\', "\\\\").replace('"', "\\\"");
    let escaped = escaped.replace('\n', "\\n");
    let shown: String = escaped.chars().filter(|c| !c.is_control()).collect();
    format!("\"{shown}\"")
}
