//! The recorder's database (SQLite), of any schema: times as seconds since 1970 or, in old ones, as texts; entities named in
//! `states_meta` or in `states` itself. It is opened read-only and left as it is.

use std::path::Path;

use anyhow::{Context, Result, bail};
use hearth_operators::words::Time;
use jiff::tz::TimeZone;
use rusqlite::{Connection, OpenFlags};

use super::Row;
use crate::sources::instant;

/// How such a file begins.
pub(super) const MAGIC: &[u8] = b"SQLite format 3\0";

/// What a database holds beside its rows.
pub(super) struct Recorder {
    database: Connection,
    query: String,
    /// When Home Assistant was started.
    pub starts: Vec<Time>,
}

impl Recorder {
    /// Opens a database.
    ///
    /// # Errors
    /// It is none, or no recorder's.
    pub fn open(file: &Path) -> Result<Self> {
        let none = || {
            format!(
                "`{}` is no recorder database that can be read",
                file.display()
            )
        };
        let database = connect(file)?;
        let query = query(&database).with_context(none)?;
        let starts = starts(&database).with_context(none)?;
        Ok(Recorder {
            database,
            query,
            starts,
        })
    }

    /// Hands over each row in the order of time, or why it says nothing.
    ///
    /// # Errors
    /// The database cannot be read to its end, or `take` fails.
    pub fn each(&self, mut take: impl FnMut(Result<Row, String>) -> Result<()>) -> Result<()> {
        let mut statement = self.database.prepare(&self.query)?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            // A column may hold anything in SQLite; a value of another type counts as missing.
            let text = |column| row.get::<_, Option<String>>(column).unwrap_or_default();
            let seconds = |column| row.get::<_, Option<f64>>(column).unwrap_or_default();
            let at = |number, written| {
                let told = text(written).and_then(|text| clock(&text));
                seconds(number).and_then(of_seconds).or(told)
            };
            let entities: i64 = row.get(8).unwrap_or(1);
            if entities > 1 {
                let of = text(0).unwrap_or_default();
                take(Err(format!(
                    "rows of one metadata_id that several entities have: {of}"
                )))?;
                continue;
            }
            let Some(entity) = text(0) else {
                let reason = match row.get::<_, Option<i64>>(7).unwrap_or_default() {
                    Some(_) => "rows whose metadata_id is not in states_meta",
                    None => "rows with neither metadata_id nor entity_id",
                };
                take(Err(reason.to_owned()))?;
                continue;
            };
            // No time of change means: as that of the update.
            let updated = at(4, 5);
            take(Ok(Row {
                entity,
                state: text(1),
                changed: at(2, 3).or(updated),
                updated,
                attributes: text(6),
            }))?;
        }
        Ok(())
    }
}

/// A time as the recorder wrote it before it wrote numbers: of UTC.
fn clock(text: &str) -> Option<Time> {
    instant(text, &TimeZone::UTC).ok().map(|(time, _)| time)
}

/// An instant from epoch seconds, if a home's clock can mean it.
fn of_seconds(seconds: f64) -> Option<Time> {
    let possible = -2_208_988_800.0..7_258_118_400.0;
    possible
        .contains(&seconds)
        .then(|| Time((seconds * Time::SECOND as f64).round() as i64))
}

/// Opens the database without the least change to it.
fn connect(file: &Path) -> Result<Connection> {
    let path = file
        .to_str()
        .with_context(|| format!("the path `{}` is no UTF-8", file.display()))?;
    let escaped = path
        .replace('%', "%25")
        .replace('?', "%3f")
        .replace('#', "%23");
    // Changes that are still in the write-ahead log are seen only by a reader that takes part in SQLite's locking; without
    // such a log the file is read as it lies, even from a read-only disk.
    let mut log = file.as_os_str().to_owned();
    log.push("-wal");
    let logged = std::fs::metadata(log).is_ok_and(|log| log.len() > 0);
    let uri = format!(
        "file:{escaped}?{}",
        if logged { "mode=ro" } else { "immutable=1" }
    );
    Connection::open_with_flags(
        uri,
        OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_URI,
    )
    .with_context(|| format!("cannot open the database `{}`", file.display()))
}

/// The names of a table's columns; none if there is no such table.
fn columns(database: &Connection, table: &str) -> Result<Vec<String>> {
    let mut statement = database.prepare("select name from pragma_table_info(?1)")?;
    let names = statement.query_map([table], |row| row.get(0))?;
    Ok(names.collect::<Result<_, _>>()?)
}

/// When Home Assistant was started, as far as it is written down.
fn starts(database: &Connection) -> Result<Vec<Time>> {
    if !columns(database, "recorder_runs")?
        .iter()
        .any(|name| name == "start")
    {
        return Ok(Vec::new());
    }
    let mut statement = database.prepare("select cast(start as text) from recorder_runs")?;
    let rows = statement.query_map([], |row| row.get::<_, Option<String>>(0))?;
    let mut starts = Vec::new();
    for row in rows {
        starts.extend(row?.and_then(|text| clock(&text)));
    }
    starts.sort_unstable();
    Ok(starts)
}

/// The query that gives the fields of a row in order of time, for the schema at hand.
fn query(database: &Connection) -> Result<String> {
    let states = columns(database, "states")?;
    let has = |column: &str| states.iter().any(|name| name == column);
    let field = |column: &str| match has(column) {
        true => format!("s.{column}"),
        false => "null".to_owned(),
    };
    if states.is_empty() {
        bail!("it has no table `states`");
    }
    if !has("last_updated_ts") && !has("last_updated") {
        bail!("its states have no times");
    }
    let meta = has("metadata_id") && !columns(database, "states_meta")?.is_empty();
    let shared = has("attributes_id") && !columns(database, "state_attributes")?.is_empty();
    let entity = match (meta, has("entity_id")) {
        (true, true) => "coalesce(m.entity_id, s.entity_id)",
        (true, false) => "m.entity_id",
        (false, true) => "s.entity_id",
        (false, false) => bail!("its states name no entity"),
    };
    let attributes = match (shared, has("attributes")) {
        (true, true) => "coalesce(a.shared_attrs, s.attributes)",
        (true, false) => "a.shared_attrs",
        (false, true) => "s.attributes",
        (false, false) => "null",
    };
    let [changed, updated] = ["last_changed", "last_updated"].map(|name| {
        let number = field(&format!("{name}_ts"));
        (number, field(name))
    });
    let ((changed, changed_text), (updated, updated_text)) = (changed, updated);
    let (id, named) = match meta {
        true => (field("metadata_id"), "coalesce(m.entities, 1)"),
        false => ("null".to_owned(), "1"),
    };
    let mut query = format!(
        "select {entity}, s.state, {changed}, {changed_text}, {updated}, {updated_text}, {attributes}, {id}, {named} from states s"
    );
    if meta {
        query += " left join (select metadata_id, group_concat(entity_id, ', ') as entity_id, count(*) as entities \
                  from states_meta group by metadata_id) m on m.metadata_id = s.metadata_id";
    }
    if shared {
        query += " left join state_attributes a on a.attributes_id = s.attributes_id";
    }
    query += &format!(
        " order by coalesce({updated}, (julianday({updated_text}) - 2440587.5) * 86400.0), s.state_id"
    );
    Ok(query)
}
