//! `hearth.toml`: a flat table whose keys are the options' names.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use clap::Command;
use toml::de::{DeTable, DeValue};

use super::error::UsageError;
use super::{check, options};

/// The values that a configuration file gives; each is known and checked.
#[derive(Clone, Debug, Default)]
pub struct File {
    path: PathBuf,
    /// By key: the value as a flag would write it, and its line from 1.
    pub(super) values: BTreeMap<String, (String, usize)>,
}

impl File {
    /// The file that is used when none is named, where it exists.
    pub const DEFAULT: &str = "hearth.toml";

    /// Reads `path`; without one [`File::DEFAULT`] if that exists, else nothing.
    ///
    /// # Errors
    /// The file cannot be read, is no TOML, or holds an unknown key or a value that the option refuses: said with
    /// file and line.
    pub fn read(path: Option<&Path>) -> Result<Self, UsageError> {
        let (path, named) = match path {
            Some(path) => (path, true),
            None => (Path::new(Self::DEFAULT), false),
        };
        match std::fs::read_to_string(path) {
            Ok(text) => Self::parse(path, &text),
            Err(error) if !named && error.kind() == std::io::ErrorKind::NotFound => {
                Ok(Self::default())
            }
            Err(error) => Err(UsageError(format!(
                "cannot read the configuration {}: {error}",
                path.display()
            ))),
        }
    }

    /// Reads the text of a configuration file; `path` is for messages.
    ///
    /// # Errors
    /// As [`File::read`].
    pub fn parse(path: &Path, text: &str) -> Result<Self, UsageError> {
        let at = |offset: usize, reason: String| {
            let line = line_of(text, offset);
            UsageError(format!("{}:{line}: {reason}", path.display()))
        };
        let table = DeTable::parse(text).map_err(|error| {
            let start = error.span().map_or(0, |span| span.start);
            at(start, format!("no TOML: {}", error.message()))
        })?;
        let known: Vec<String> = keys();
        let mut values = BTreeMap::new();
        for (key, value) in table.get_ref() {
            let name: &str = key.get_ref();
            let start = key.span().start;
            if !known.iter().any(|known| known == name) {
                let nearest = nearest(name, &known);
                return Err(at(
                    start,
                    format!("unknown key `{name}`; did you mean `{nearest}`?"),
                ));
            }
            let text_value = as_flag(value.get_ref())
                .ok_or_else(|| at(start, format!("`{name}` takes a single value")))?;
            check(name, &text_value).map_err(|reason| at(start, format!("`{name}`: {reason}")))?;
            values.insert(name.to_owned(), (text_value, line_of(text, start)));
        }
        Ok(File {
            path: path.to_owned(),
            values,
        })
    }

    /// Makes the file's values the defaults of the command's flags, so that flags and environment precede them. A command has not
    /// every option: those of a live run are of no use to a replay.
    pub fn apply(&self, mut command: Command) -> Command {
        for (key, (value, _)) in &self.values {
            if !command.get_arguments().any(|option| option.get_id() == key) {
                continue;
            }
            command = command.mut_arg(key, |flag| flag.default_value(value.clone()));
        }
        command
    }

    /// Where the file gives a key: `file:line`.
    pub fn place(&self, key: &str) -> Option<String> {
        let (_, line) = self.values.get(key)?;
        Some(format!("{}:{line}", self.path.display()))
    }
}

/// Checks every `HEARTH_*` variable that is an option, so that a bad one is named as such.
///
/// # Errors
/// The first variable whose value its option refuses.
pub fn check_environment() -> Result<(), UsageError> {
    for key in keys() {
        let variable = variable(&key);
        let Some(value) = std::env::var_os(&variable) else {
            continue;
        };
        check(&key, &value.to_string_lossy()).map_err(|reason| {
            UsageError(format!(
                "environment variable {variable}: {reason}; correct or unset it"
            ))
        })?;
    }
    Ok(())
}

/// Variables that are no options and yet are known.
const OTHERS: [&str; 4] = [
    "HEARTH_CONFIG",
    "HEARTH_LISTEN",
    "HEARTH_LLM_KEY",
    "HEARTH_TOKEN_FILE",
];

/// Each `HEARTH_*` variable that nothing reads, with the one that may have been meant.
pub fn unknown_variables() -> Vec<(String, Option<String>)> {
    let known: Vec<String> = keys().iter().map(|key| variable(key)).collect();
    let names = std::env::vars_os().filter_map(|(name, _)| name.into_string().ok());
    let mut unknown: Vec<_> = names
        .filter(|name| name.starts_with("HEARTH_") && !OTHERS.contains(&name.as_str()))
        .filter(|name| !known.contains(name))
        .map(|name| {
            let near = nearest(&name, &known);
            let meant = strsim::damerau_levenshtein(&name, near) <= 3;
            let meant = meant.then(|| near.to_owned());
            (name, meant)
        })
        .collect();
    unknown.sort();
    unknown
}

/// The environment variable of an option.
pub(super) fn variable(key: &str) -> String {
    format!("HEARTH_{}", key.to_uppercase())
}

fn keys() -> Vec<String> {
    let options = options();
    let keys = options.get_arguments().map(|key| key.get_id().to_string());
    keys.collect()
}

fn nearest<'a>(key: &str, known: &'a [String]) -> &'a str {
    let distance = |known: &&String| strsim::damerau_levenshtein(known, key);
    known.iter().min_by_key(distance).map_or("", String::as_str)
}

fn line_of(text: &str, offset: usize) -> usize {
    let before = text.as_bytes().get(..offset).unwrap_or(text.as_bytes());
    1 + before.iter().filter(|&&byte| byte == b'\n').count()
}

/// A TOML value as a flag would write it; nothing for tables, arrays and dates.
fn as_flag(value: &DeValue<'_>) -> Option<String> {
    match value {
        DeValue::String(text) => Some(text.to_string()),
        DeValue::Boolean(truth) => Some(truth.to_string()),
        DeValue::Float(number) => Some(number.as_str().to_owned()),
        DeValue::Integer(number) if number.radix() == 10 => Some(number.as_str().to_owned()),
        DeValue::Integer(number) => i64::from_str_radix(number.as_str(), number.radix())
            .ok()
            .map(|number| number.to_string()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<File, UsageError> {
        File::parse(Path::new("hearth.toml"), text)
    }

    #[test]
    fn reads_every_kind_of_value() {
        let file = parse(
            "# a comment\nworkers = 4\nseed = 0x10\nepoch_events = 10_000\nmax_gap = \"9h\"\nsimilarity = 0.8\nstrict = true\n",
        )
        .unwrap();
        let value = |key: &str| file.values[key].0.as_str();
        assert_eq!(value("workers"), "4");
        assert_eq!(value("seed"), "16");
        assert_eq!(value("epoch_events"), "10000");
        assert_eq!(value("similarity"), "0.8");
        assert_eq!(value("strict"), "true");
        assert_eq!(file.place("max_gap").unwrap(), "hearth.toml:5");
    }

    #[test]
    fn refusals_name_line_and_remedy() {
        for (text, expected) in [
            (
                "workers = 1\nmax-gap = \"9h\"",
                "hearth.toml:2: unknown key `max-gap`; did you mean `max_gap`?",
            ),
            (
                "\n\nsimilarty = 0.9",
                "hearth.toml:3: unknown key `similarty`; did you mean `similarity`?",
            ),
            (
                "checker = \"pair\"",
                "hearth.toml:1: `checker`: `pair` is none of paired, closing, off",
            ),
            (
                "workers = [1]",
                "hearth.toml:1: `workers` takes a single value",
            ),
        ] {
            assert_eq!(parse(text).unwrap_err().to_string(), expected);
        }
        let error = parse("workers = 1\nworkers = 2").unwrap_err().to_string();
        assert!(error.starts_with("hearth.toml:2: no TOML"), "{error}");
    }

    #[test]
    fn every_variable_is_named_after_its_key() {
        for option in super::super::all_options().get_arguments() {
            let key = option.get_id().as_str();
            let env = option.get_env().and_then(|env| env.to_str());
            assert_eq!(env, Some(variable(key).as_str()));
            assert_eq!(option.get_long(), Some(key.replace('_', "-").as_str()));
        }
    }
}
