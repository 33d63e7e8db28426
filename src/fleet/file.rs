//! The homes file, JSON Lines: `{"home":"h-17","timezone":"Europe/Berlin","cohort":"flats","catalog":"h-17.json"}`.

use std::collections::{HashMap, HashSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use hearth_operators::words::{Catalog, CohortId, HomeId};
use jiff::tz::TimeZone;
use serde::Deserialize;

use crate::catalog;
use crate::config::UsageError;
use crate::home_names::HomeNames;
use crate::nfc;

/// A line of the file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    home: String,
    timezone: Option<String>,
    cohort: Option<String>,
    /// Beside the homes file, where it is no absolute path.
    catalog: Option<PathBuf>,
}

/// What the file says of a home.
pub struct Listed {
    pub home: HomeId,
    pub timezone: Option<TimeZone>,
    pub cohort: CohortId,
    pub catalog: Option<Arc<Catalog>>,
}

/// What a homes file says.
#[derive(Default)]
pub struct HomesFile {
    pub homes: Vec<Listed>,
    /// The names of cohorts, by their ids but for the first one, that of homes without a name.
    pub cohorts: Vec<String>,
}

/// Reads a homes file.
///
/// # Errors
/// It cannot be read, or a line is wrong: with its place.
pub fn read(file: &Path, homes: &HomeNames) -> Result<HomesFile, UsageError> {
    let text = fs::read_to_string(file).map_err(|error| {
        UsageError(format!(
            "cannot read the homes file {}: {error}",
            file.display()
        ))
    })?;
    let mut read = HomesFile::default();
    let mut met = HashSet::new();
    let mut catalogs: HashMap<PathBuf, Arc<Catalog>> = HashMap::new();
    let lines = text
        .lines()
        .zip(1..)
        .filter(|(text, _)| !text.trim().is_empty());
    for (text, number) in lines {
        let wrong = |what: String| UsageError(format!("{}:{number}: {what}", file.display()));
        let line: Line = serde_json::from_str(text).map_err(|error| {
            let message = error.to_string();
            let what = message.split(" at line ").next().unwrap_or(&message);
            wrong(format!(
                "{what}; write {{\"home\":\"h-17\",\"timezone\":\"Europe/Berlin\",\"cohort\":\"flats\",\"catalog\":\"h-17.json\"}}, all but \
                 `home` optional"
            ))
        })?;
        if line.home.is_empty() {
            return Err(wrong("the home has no name".to_owned()));
        }
        let name = nfc::composed(line.home.as_str().into());
        let home = homes.intern(&name);
        if !met.insert(home) {
            return Err(wrong(format!("home `{}` stands here twice", line.home)));
        }
        let zone = |name: String| {
            let zone = TimeZone::get(&name);
            zone.map_err(|_| {
                wrong(format!(
                    "`{name}` is no IANA time zone; write one like Europe/Berlin"
                ))
            })
        };
        let cohort = line.cohort.map_or(0, |name| {
            let known = read.cohorts.iter().position(|known| *known == name);
            let place = known.unwrap_or_else(|| {
                read.cohorts.push(name);
                read.cohorts.len() - 1
            });
            place as u32 + 1
        });
        let catalog = line.catalog.map(|path| {
            let path = file.parent().unwrap_or(Path::new("")).join(path);
            if let Some(known) = catalogs.get(&path) {
                return Ok(known.clone());
            }
            let loaded = catalog::load(&path).map_err(|error| wrong(error.to_string()))?;
            let loaded = Arc::new(loaded);
            catalogs.insert(path, loaded.clone());
            Ok(loaded)
        });
        read.homes.push(Listed {
            home,
            timezone: line.timezone.map(zone).transpose()?,
            cohort: CohortId(cohort),
            catalog: catalog.transpose()?,
        });
    }
    Ok(read)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_wrong_line_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("homes.jsonl");
        for (line, expected) in [
            (r#"{"home":""}"#, "the home has no name"),
            (
                r#"{"home":"b","timezone":"Mars/Olympus"}"#,
                "`Mars/Olympus` is no IANA time zone",
            ),
            (r#"{"home":"b","zone":"UTC"}"#, "unknown field `zone`"),
            (r#"{"home":"a"}"#, "home `a` stands here twice"),
            (
                r#"{"home":"b","catalog":"none.json"}"#,
                "cannot read the catalog",
            ),
            ("nonsense", "expected"),
        ] {
            fs::write(&file, format!("{{\"home\":\"a\"}}\n\n{line}\n")).unwrap();
            let error = read(&file, &HomeNames::default())
                .err()
                .unwrap()
                .to_string();
            assert!(error.contains("homes.jsonl:3: "), "{error}");
            assert!(error.contains(expected), "{error}");
        }
    }

    #[test]
    fn cohorts_have_names_and_catalogs_lie_beside() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("homes.jsonl");
        fs::write(folder.path().join("c.json"), r#"{"devices":[]}"#).unwrap();
        let lines = r#"{"home":"a","cohort":"x","catalog":"c.json"}
{"home":"b"}
{"home":"c","cohort":"y","catalog":"c.json","timezone":"Europe/Berlin"}
{"home":"d","cohort":"x"}"#;
        fs::write(&file, lines).unwrap();
        let read = read(&file, &HomeNames::default()).unwrap();
        let cohorts: Vec<u32> = read.homes.iter().map(|home| home.cohort.0).collect();
        assert_eq!(cohorts, [1, 0, 2, 1]);
        assert_eq!(read.cohorts, ["x", "y"]);
        let catalogs: Vec<_> = read
            .homes
            .iter()
            .filter_map(|h| h.catalog.as_ref())
            .collect();
        assert!(matches!(catalogs[..], [a, c] if Arc::ptr_eq(a, c)));
    }
}
