//! What has changed between two calls, in a few lines for people.

use std::fmt::Write;

use serde_json::{Value, to_string_pretty, to_value};
use similar::{ChangeTag, TextDiff};

use super::super::Call;

/// Lines shown of a text's changes.
const LINES: usize = 6;
/// Characters shown of a line.
const WIDTH: usize = 100;

/// One line a field that differs, and under a text's its first changed lines.
pub(super) fn between(before: &Call, after: &Call) -> String {
    let mut out = String::new();
    values(
        &mut out,
        "model",
        before.model.as_str(),
        after.model.as_str(),
    );
    texts(&mut out, "system message", &before.system, &after.system);
    texts(&mut out, "user message", &before.user, &after.user);
    let (form, new) = (&before.form, &after.form);
    let [format, new_format] = [form.format, new.format].map(|f| to_value(f).unwrap_or_default());
    values(&mut out, "format", format, new_format);
    let [schema, new_schema] =
        [&form.schema, &new.schema].map(|schema| to_string_pretty(schema).unwrap_or_default());
    texts(&mut out, "schema", &schema, &new_schema);
    texts(
        &mut out,
        "form in words (schema)",
        &form.schema_words,
        &new.schema_words,
    );
    texts(
        &mut out,
        "form in words (paper)",
        &form.paper_words,
        &new.paper_words,
    );
    values(
        &mut out,
        "temperature",
        before.temperature,
        after.temperature,
    );
    values(&mut out, "seed", before.seed, after.seed);
    values(&mut out, "max tokens", before.max_tokens, after.max_tokens);
    out.truncate(out.trim_end().len());
    out
}

fn values(out: &mut String, name: &str, before: impl Into<Value>, after: impl Into<Value>) {
    let (before, after) = (before.into(), after.into());
    if before != after {
        let [before, after] = [before, after].map(|value| match value {
            Value::String(text) => shown(&text),
            Value::Null => "none".to_owned(),
            other => other.to_string(),
        });
        let _ = writeln!(out, "  {name}: {before} → {after}");
    }
}

fn texts(out: &mut String, name: &str, before: &str, after: &str) {
    if before == after {
        return;
    }
    let difference = TextDiff::from_lines(before, after);
    let changes = || {
        difference
            .iter_all_changes()
            .filter_map(|change| match change.tag() {
                ChangeTag::Delete => Some(('-', change.value())),
                ChangeTag::Insert => Some(('+', change.value())),
                ChangeTag::Equal => None,
            })
    };
    let removed = changes().filter(|(sign, _)| *sign == '-').count();
    let added = changes().count() - removed;
    let _ = writeln!(out, "  {name}: {removed} lines removed, {added} added");
    for (sign, line) in changes().take(LINES) {
        let _ = writeln!(out, "    {sign} {}", shown(line));
    }
    if removed + added > LINES {
        let _ = writeln!(out, "    … and {} more", removed + added - LINES);
    }
}

/// A line that fits, with nothing in it that moves a terminal's cursor.
fn shown(line: &str) -> String {
    let line = line.trim_end();
    let mut shown: String = line
        .chars()
        .take(WIDTH)
        .map(|c| if c.is_control() { '�' } else { c })
        .collect();
    if line.chars().nth(WIDTH).is_some() {
        shown.push('…');
    }
    shown
}
