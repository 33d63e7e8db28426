//! Lines as rows.

use anyhow::{Context, Result, bail};
use serde_json::{Map, Value};

use crate::outputs::{Content, Stamp};
use crate::table::{Cell, Field, Kind};

/// The column that says by how many minutes east of UTC the clock was that showed a row's times, as in event logs.
const OFFSET: &str = "offset";

type Columns = [(&'static str, Content)];

/// The columns of a table.
pub(super) fn fields(columns: &Columns) -> Vec<Field> {
    let field = |&(name, content): &(&'static str, Content)| Field {
        name,
        kind: match content {
            // For nested ones no two programs agree; all take JSON apart.
            Content::Text | Content::Nested => Kind::Text,
            Content::Time => Kind::Time,
            Content::Whole => Kind::Whole,
            Content::Number => Kind::Number,
            Content::Truth => Kind::Truth,
        },
        required: false,
    };
    let offset = has_times(columns).then_some(Field {
        name: OFFSET,
        kind: Kind::Small,
        required: false,
    });
    columns.iter().map(field).chain(offset).collect()
}

fn has_times(columns: &Columns) -> bool {
    columns.iter().any(|column| column.1 == Content::Time)
}

/// A line as a row of these.
///
/// # Errors
/// It is no line of the stream.
pub(super) fn row(columns: &Columns, line: &str) -> Result<Vec<Cell>> {
    let mut values: Map<String, Value> = serde_json::from_str(line)?;
    let mut offset = Cell::Missing;
    let mut row = Vec::with_capacity(columns.len() + 1);
    for (key, content) in columns {
        let value = values.remove(*key).unwrap_or(Value::Null);
        let cell = cell(*content, value, &mut offset);
        row.push(cell.with_context(|| format!("`{key}` is not as it should be: {line}"))?);
    }
    if let Some(key) = values.keys().next() {
        bail!("there is no column for `{key}`: {line}");
    }
    if has_times(columns) {
        row.push(offset);
    }
    Ok(row)
}

/// What a line has, if it is of the kind; of times, `offset` is told that of the first.
fn cell(content: Content, value: Value, offset: &mut Cell) -> Option<Cell> {
    Some(match (content, value) {
        // Where lines leave it out it is not so.
        (Content::Truth, Value::Null) => Cell::Truth(false),
        (_, Value::Null) => Cell::Missing,
        (Content::Nested, value) => Cell::Text(value.to_string().as_str().into()),
        (Content::Text, Value::String(text)) => Cell::Text(text.as_str().into()),
        (Content::Time, value) => {
            let stamp: Stamp = serde_json::from_value(value).ok()?;
            if let Cell::Missing = offset {
                *offset = Cell::Small(stamp.offset.into());
            }
            Cell::Whole(stamp.time.0)
        }
        (Content::Whole, value) => Cell::Whole(value.as_i64()?),
        (Content::Number, value) => Cell::Number(value.as_f64()?),
        (Content::Truth, value) => Cell::Truth(value.as_bool()?),
        (Content::Text, _) => return None,
    })
}
