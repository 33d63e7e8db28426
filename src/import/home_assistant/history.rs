//! What Home Assistant hands out of its history: the CSV of its History page, an export of the table of states by another
//! database's means, and answers of its REST and WebSocket interfaces.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use anyhow::{Context, Result, bail, ensure};
use hearth_operators::words::Time;
use jiff::tz::TimeZone;
use serde_json::Value;

use super::Row;
use crate::sources::{instant, unpacked};

/// Reads a file whose content is one of these, plain or packed by gzip or zstd; rows in the order of time, and how many have none.
///
/// # Errors
/// It is none of these.
pub(super) fn read(file: &Path) -> Result<(Vec<Row>, u64)> {
    let unreadable = || format!("cannot read `{}`", file.display());
    let mut bytes = Vec::new();
    File::open(file)
        .and_then(unpacked)
        .and_then(|mut input| input.read_to_end(&mut bytes))
        .with_context(unreadable)?;
    let text = String::from_utf8_lossy(&bytes);
    let text = text.trim_start_matches('\u{feff}');
    let read = match text.trim_start().starts_with(['[', '{']) {
        true => json(text),
        false => csv(text),
    };
    let mut rows = read.with_context(|| {
        format!(
            "`{}` is neither a recorder database nor a history that can be read",
            file.display()
        )
    })?;
    let all = rows.len();
    rows.retain(|row| row.updated.is_some());
    rows.sort_by_key(|row| row.updated);
    let timeless = (all - rows.len()) as u64;
    Ok((rows, timeless))
}

/// When: of UTC where nothing else is said.
fn at(text: &str) -> Option<Time> {
    instant(text, &TimeZone::UTC).ok().map(|(time, _)| time)
}

/// A table with the columns `entity_id`, `state` and `last_changed` or `last_updated`, texts or (`…_ts`) numbers.
fn csv(text: &str) -> Result<Vec<Row>> {
    let header = text.lines().next().unwrap_or_default();
    let separator = [b',', b';', b'\t'].into_iter();
    let separator = separator.max_by_key(|s| header.matches(char::from(*s)).count());
    let mut reader = csv::ReaderBuilder::new();
    let mut reader = reader
        .delimiter(separator.unwrap_or(b','))
        .flexible(true)
        .from_reader(text.as_bytes());
    let header = reader.headers()?.clone();
    let find = |names: &[&str]| {
        let is = |column: &str, name: &&&str| column.trim().eq_ignore_ascii_case(name);
        let named = |column: &str| names.iter().any(|name| is(column, &name));
        header.iter().position(named)
    };
    let (Some(entity), Some(state)) = (find(&["entity_id"]), find(&["state"])) else {
        bail!("its header names no `entity_id` and `state`, as in entity_id,state,last_changed");
    };
    let changed = find(&["last_changed", "last_changed_ts"]);
    let updated = find(&["last_updated", "last_updated_ts"]);
    ensure!(
        changed.or(updated).is_some(),
        "its header names neither `last_changed` nor `last_updated`"
    );
    let attributes = find(&["attributes", "shared_attrs"]);
    let mut rows = Vec::new();
    for record in reader.records() {
        let record = record?;
        let field = |column: usize| record.get(column).filter(|text| !text.is_empty());
        let time = |column: Option<usize>| column.and_then(field).and_then(at);
        let (changed, updated) = (time(changed), time(updated));
        rows.push(Row {
            entity: field(entity).unwrap_or_default().to_owned(),
            state: field(state).map(str::to_owned),
            changed: changed.or(updated),
            updated: updated.or(changed),
            attributes: attributes.and_then(field).map(str::to_owned),
        });
    }
    Ok(rows)
}

/// Lists of states, one an entity; or an object with such a list for each entity, its keys short.
fn json(text: &str) -> Result<Vec<Row>> {
    let mut rows = Vec::new();
    match serde_json::from_str(text)? {
        Value::Array(all) => {
            for states in all {
                match states {
                    Value::Array(states) => of_entity(None, &states, &mut rows),
                    state => of_entity(None, &[state], &mut rows),
                }
            }
        }
        Value::Object(entities) => {
            let entities = match entities.get("result") {
                Some(Value::Object(result)) => result.clone(),
                _ => entities,
            };
            for (entity, states) in &entities {
                let states = states.as_array().map_or(&[][..], Vec::as_slice);
                of_entity(Some(entity), states, &mut rows);
            }
        }
        _ => bail!("it is neither a list nor an object of states"),
    }
    Ok(rows)
}

/// States of one entity; all but the first need not name it.
fn of_entity(entity: Option<&str>, states: &[Value], rows: &mut Vec<Row>) {
    let mut entity = entity.map(str::to_owned);
    for state in states {
        let text = |name: &str| state[name].as_str().map(str::to_owned);
        let time = |names: [&str; 2]| {
            let value = names.into_iter().find_map(|name| state.get(name))?;
            let text = value
                .as_str()
                .map_or_else(|| value.to_string(), str::to_owned);
            at(&text)
        };
        entity = text("entity_id").or(entity);
        let changed = time(["last_changed", "lc"]);
        let updated = time(["last_updated", "lu"]);
        let attributes = state.get("attributes").or(state.get("a"));
        rows.push(Row {
            entity: entity.clone().unwrap_or_default(),
            state: text("state").or(text("s")),
            changed: changed.or(updated),
            updated: updated.or(changed),
            attributes: attributes.map(Value::to_string),
        });
    }
}
