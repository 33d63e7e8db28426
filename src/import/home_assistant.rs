//! Home Assistant's recorder database: changes of an entity's state are behaviours of that entity.
//!
//! Schemas from 31 (Home Assistant 2022.11) on are read: times as epoch seconds, entities named in `states_meta` or, before
//! schema 38, in `states` itself. The database is opened read-only and left as it is.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use hearth_operators::words::Time;
use jiff::tz::TimeZone;
use rusqlite::{Connection, OpenFlags};

use super::options::time_zone;
use super::output::{Destination, Output};

use crate::time;

/// The domains whose states people change, or are changed by people being there.
const DOMAINS: &str = "alarm_control_panel,binary_sensor,climate,cover,fan,humidifier,input_boolean,input_select,lawn_mower,light,\
                       lock,media_player,person,siren,switch,vacuum,valve,water_heater";

/// Imports a recorder database: the entity is the device, its new state the action.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "A state is a behaviour where it differs from the entity's last one. The first state of an entity, `unknown`,
`unavailable` and states that are numbers are none.

Examples:
  hearth import home-assistant /config/home-assistant_v2.db --timezone Europe/Berlin --out mine/
  hearth import home-assistant home-assistant_v2.db --domains light,climate --attributes climate.temperature --out mine/"
)]
pub struct Args {
    /// The database, home-assistant_v2.db.
    database: PathBuf,
    /// Domains of the entities that become devices.
    #[arg(long, value_delimiter = ',', default_value = DOMAINS)]
    domains: Vec<String>,
    /// Attributes whose changes are behaviours too, as DOMAIN.ATTRIBUTE: `climate.temperature` gives the action
    /// `set temperature`.
    #[arg(long, value_delimiter = ',', value_parser = attribute)]
    attributes: Vec<(String, String)>,
    /// Name of the home.
    #[arg(long, default_value = "home")]
    home: String,
    /// Time zone of the home.
    #[arg(long, default_value = "UTC", value_parser = time_zone)]
    timezone: TimeZone,
    #[command(flatten)]
    destination: Destination,
}

fn attribute(text: &str) -> Result<(String, String), String> {
    let (domain, name) = text
        .split_once('.')
        .filter(|(domain, name)| !domain.is_empty() && !name.is_empty())
        .ok_or_else(|| {
            format!("`{text}` is not written DOMAIN.ATTRIBUTE, as in climate.temperature")
        })?;
    Ok((domain.to_owned(), name.to_owned()))
}

/// A row of the recorder's states, with its entity and attributes.
struct Row {
    entity: Option<String>,
    state: Option<String>,
    changed: Option<f64>,
    updated: Option<f64>,
    attributes: Option<String>,
}

/// What is known of an entity.
#[derive(Default)]
struct Known {
    state: Option<String>,
    /// By position in the chosen attributes: the last value.
    attributes: HashMap<usize, serde_json::Value>,
}

/// Runs the import.
pub(super) fn run(args: &Args) -> Result<()> {
    let database = open(&args.database)?;
    let query = query(&database).with_context(|| {
        format!(
            "`{}` is no recorder database that can be read",
            args.database.display()
        )
    })?;
    let broken = || format!("`{}` cannot be read to its end", args.database.display());
    let mut statement = database.prepare(&query).with_context(broken)?;
    let mut output = Output::create(&args.destination)?;
    let mut entities: HashMap<String, Known> = HashMap::new();
    let rows = statement
        .query_map([], |row| {
            // A column may hold anything in SQLite; a value of another type counts as missing.
            Ok(Row {
                entity: row.get(0).unwrap_or_default(),
                state: row.get(1).unwrap_or_default(),
                changed: row.get(2).unwrap_or_default(),
                updated: row.get(3).unwrap_or_default(),
                attributes: row.get(4).unwrap_or_default(),
            })
        })
        .with_context(broken)?;
    for row in rows {
        let row = row.with_context(broken)?;
        if let Err(reason) = take(args, &row, &mut entities, &mut output)? {
            output.skip(reason);
        }
    }
    output.finish(None)
}

/// Writes the behaviours of a row; otherwise says why it holds none.
fn take(
    args: &Args,
    row: &Row,
    entities: &mut HashMap<String, Known>,
    output: &mut Output,
) -> Result<Result<(), String>> {
    let Some((entity, domain)) = row
        .entity
        .as_deref()
        .and_then(|e| Some((e, e.split_once('.')?.0)))
    else {
        return Ok(Err("rows without an entity".into()));
    };
    if !args.domains.iter().any(|chosen| chosen.trim() == domain) {
        return Ok(Err(format!(
            "states of the domain {domain}, which is not chosen"
        )));
    }
    let Some(state) = row
        .state
        .as_deref()
        .filter(|s| !matches!(*s, "" | "unknown" | "unavailable"))
    else {
        return Ok(Err("states that are unknown, unavailable or removed".into()));
    };
    // NULL in `last_changed_ts` means: as `last_updated_ts`.
    let at = |seconds: Option<f64>| {
        instant(seconds?).map(|at| (at, time::offset_at(at, &args.timezone)))
    };
    let (Some(updated), Some(changed)) = (at(row.updated), at(row.changed.or(row.updated))) else {
        return Ok(Err("rows without a possible time".into()));
    };
    let known = entities.entry(entity.to_owned()).or_default();
    let first = known.state.is_none();
    let mut behaviors = 0;
    let mut reason = "states that did not change";
    if known.state.as_deref() != Some(state) {
        known.state = Some(state.to_owned());
        if first {
            reason = "first states, from before the recording";
        } else if state.parse::<f64>().is_ok() {
            reason = "states that are numbers";
        } else {
            output.event(&args.home, changed, entity, state, None)?;
            behaviors += 1;
        }
    }
    let chosen = args
        .attributes
        .iter()
        .enumerate()
        .filter(|(_, (of, _))| of == domain);
    let mut values: Option<serde_json::Value> = None;
    for (i, (_, name)) in chosen {
        let values = values.get_or_insert_with(|| {
            let text = row.attributes.as_deref().unwrap_or("null");
            serde_json::from_str(text).unwrap_or_default()
        });
        let Some(value) = values.get(name).filter(|value| !value.is_null()) else {
            continue;
        };
        let before = known.attributes.insert(i, value.clone());
        if before.is_some_and(|before| before != *value) {
            output.event(&args.home, updated, entity, &format!("set {name}"), None)?;
            behaviors += 1;
        }
    }
    Ok(if behaviors > 0 {
        Ok(())
    } else {
        Err(reason.into())
    })
}

/// An instant from epoch seconds, if a home's clock can mean it.
fn instant(seconds: f64) -> Option<Time> {
    let possible = -2_208_988_800.0..7_258_118_400.0;
    possible
        .contains(&seconds)
        .then(|| Time((seconds * Time::SECOND as f64).round() as i64))
}

/// Opens the database without the least change to it.
fn open(file: &Path) -> Result<Connection> {
    ensure!(
        file.is_file(),
        "`{}` is no file; name the recorder's home-assistant_v2.db",
        file.display()
    );
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

/// The query that gives the fields of [`Row`] in order of time, for the schema at hand.
fn query(database: &Connection) -> Result<String> {
    let columns = |table: &str| -> Result<Vec<String>> {
        let mut statement = database.prepare("select name from pragma_table_info(?1)")?;
        let names = statement.query_map([table], |row| row.get(0))?;
        Ok(names.collect::<Result<_, _>>()?)
    };
    let states = columns("states")?;
    let has = |column: &str| states.iter().any(|name| name == column);
    if states.is_empty() {
        bail!("it has no table `states`");
    }
    if !has("last_updated_ts") {
        bail!(
            "its schema is older than 31; start it once with Home Assistant 2023.4 or newer, which migrates it"
        );
    }
    let meta = has("metadata_id") && !columns("states_meta")?.is_empty();
    let shared = has("attributes_id") && !columns("state_attributes")?.is_empty();
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
    let changed = if has("last_changed_ts") {
        "s.last_changed_ts"
    } else {
        "null"
    };
    let mut query = format!(
        "select {entity}, s.state, {changed}, s.last_updated_ts, {attributes} from states s"
    );
    if meta {
        query += " left join states_meta m on m.metadata_id = s.metadata_id";
    }
    if shared {
        query += " left join state_attributes a on a.attributes_id = s.attributes_id";
    }
    query += " order by s.last_updated_ts, s.state_id";
    Ok(query)
}
