//! The authors' data as it lies on disk: names and sequences, pickled in their repository or converted to JSON Lines.

use std::collections::BTreeMap;
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow, bail, ensure};
use hearth_operators::words::{ActionId, Catalog, Device, HOURS, Hours, WEEKDAYS, Weekday};
use serde::Deserialize;

use super::pickle;
use crate::catalog;

/// A behaviour as the data has it: weekday, hours, device, action.
pub(crate) type Numbers = [i64; 4];

/// Where a data set lies.
pub(crate) enum DataSet {
    /// The authors' repository: the folder that holds `dictionary.py` and `IoT_data`.
    Repository { folder: PathBuf, name: String },
    /// The conversion: the folder that holds `vocab.json` and `raw`.
    Converted(PathBuf),
}

impl DataSet {
    /// Finds a data set by name.
    pub fn find(folder: &Path, name: &str) -> Result<Self> {
        ensure!(
            folder.is_dir(),
            "`{}` is no folder; name the authors' repository",
            folder.display()
        );
        for inner in [folder.join("SmartGen"), folder.to_owned()] {
            if inner.join("IoT_data").join(name).is_dir() {
                return Ok(DataSet::Repository {
                    folder: inner,
                    name: name.to_owned(),
                });
            }
        }
        let converted = folder.join(name);
        if converted.join("vocab.json").is_file() {
            return Ok(DataSet::Converted(converted));
        }
        bail!(
            "`{}` holds no data set `{name}`: neither SmartGen/IoT_data/{name} nor {name}/vocab.json is there",
            folder.display()
        )
    }

    /// What its numbers name.
    pub fn vocabulary(&self) -> Result<Vocabulary> {
        match self {
            DataSet::Repository { folder, name } => {
                let file = folder.join("dictionary.py");
                let text = fs::read_to_string(&file)
                    .with_context(|| format!("cannot read the names in `{}`", file.display()))?;
                let named = |what: &str| {
                    python_dict(&text, what)
                        .map_err(|reason| anyhow!("{}: {reason}", file.display()))
                };
                let devices = named(&format!("{name}_devices_dict"))?;
                let actions = named(&format!("{name}_actions"))?;
                Vocabulary::new(devices, &actions)
                    .with_context(|| format!("the names in `{}` make no catalog", file.display()))
            }
            DataSet::Converted(folder) => {
                #[derive(Deserialize)]
                struct Names {
                    devices: BTreeMap<i64, String>,
                    actions: BTreeMap<i64, String>,
                }
                let file = folder.join("vocab.json");
                let text = fs::read_to_string(&file)
                    .with_context(|| format!("cannot read the names in `{}`", file.display()))?;
                let names: Names = serde_json::from_str(&text).with_context(|| {
                    format!(
                        "`{}` does not hold devices and actions by number",
                        file.display()
                    )
                })?;
                Vocabulary::new(names.devices, &names.actions)
                    .with_context(|| format!("the names in `{}` make no catalog", file.display()))
            }
        }
    }

    /// The sequences of a file, each with what is wrong with it if it is none.
    pub fn sequences(
        &self,
        context: &str,
        split: &str,
    ) -> Result<Vec<Result<Vec<Numbers>, String>>> {
        match self {
            DataSet::Repository { folder, name } => {
                let file = folder
                    .join("IoT_data")
                    .join(name)
                    .join(context)
                    .join(format!("{split}.pkl"));
                read_sequences(&file)
            }
            DataSet::Converted(folder) => {
                read_sequences(&folder.join("raw").join(format!("{context}.{split}.jsonl")))
            }
        }
    }
}

/// The sequences of a file: `.pkl`, or `.jsonl` (`{"seq":[[...]]}` a line), which may also lie there packed, as
/// `.jsonl.gz`.
pub(crate) fn read_sequences(file: &Path) -> Result<Vec<Result<Vec<Numbers>, String>>> {
    if file.extension().is_some_and(|end| end == "pkl") {
        let bytes = read(file)?;
        let sequences = pickle::sequences(&bytes)
            .map_err(|what| anyhow!("`{}` is no pickle of sequences: {what}", file.display()))?;
        return Ok(sequences.iter().map(|flat| quadruples(flat)).collect());
    }
    #[derive(Deserialize)]
    struct Line {
        seq: Vec<Numbers>,
    }
    let text = read_lines(file)?;
    let lines = text.lines().filter(|line| !line.trim().is_empty());
    Ok(lines
        .map(|line| {
            let line: Result<Line, _> = serde_json::from_str(line);
            line.map(|line| line.seq)
                .map_err(|_| "no list of four numbers each".to_owned())
        })
        .collect())
}

/// The text of a JSON Lines file, which may lie there packed, with `.gz` behind its name.
pub(crate) fn read_lines(file: &Path) -> Result<String> {
    let packed = PathBuf::from(format!("{}.gz", file.display()));
    let file = if packed.is_file() { &packed } else { file };
    let bytes = read(file)?;
    if bytes.starts_with(&[0x1f, 0x8b]) {
        let mut text = String::new();
        flate2::read::MultiGzDecoder::new(&bytes[..])
            .read_to_string(&mut text)
            .with_context(|| format!("`{}` is damaged", file.display()))?;
        Ok(text)
    } else {
        String::from_utf8(bytes).with_context(|| format!("`{}` is no text", file.display()))
    }
}

/// The text of a pickle that holds one.
pub(crate) fn read_text(file: &Path) -> Result<String> {
    pickle::text(&read(file)?)
        .map_err(|what| anyhow!("`{}` is no pickled text: {what}", file.display()))
}

fn read(file: &Path) -> Result<Vec<u8>> {
    fs::read(file)
        .with_context(|| format!("cannot read `{}`; check context and split", file.display()))
}

/// Cuts a flat list of numbers into behaviours.
fn quadruples(flat: &[i64]) -> Result<Vec<Numbers>, String> {
    let (fours, rest) = flat.as_chunks::<4>();
    if rest.is_empty() {
        Ok(fours.to_vec())
    } else {
        Err("its length is no multiple of four".into())
    }
}

/// A behaviour of the data.
#[derive(Debug, PartialEq)]
pub(crate) struct Understood<'a> {
    /// Weekday and three-hour bucket.
    pub when: (Weekday, Hours),
    /// What was done.
    pub action: ActionId,
    /// The device that the data names, where it is not the action's: in all of the authors' data `None:location` stands
    /// with the device `Other`. The action decides.
    pub otherwise: Option<&'a str>,
}

/// The data's numbers and what they name.
pub(crate) struct Vocabulary {
    /// The names with their ids, devices and actions in the order of their numbers.
    pub catalog: Catalog,
    /// By the data's number of an action.
    actions: BTreeMap<i64, ActionId>,
    /// By the data's number of a device.
    devices: BTreeMap<i64, String>,
}

impl Vocabulary {
    /// Actions are written `Device:action`. Devices and actions keep the order of their numbers.
    fn new(devices: BTreeMap<i64, String>, actions: &BTreeMap<i64, String>) -> Result<Self> {
        let mut by_device: Vec<(String, Vec<String>)> = devices
            .values()
            .map(|name| (name.clone(), Vec::new()))
            .collect();
        for full in actions.values() {
            let (device, action) = full
                .split_once(':')
                .with_context(|| format!("the action `{full}` is not written `Device:action`"))?;
            match by_device.iter_mut().find(|(name, _)| name == device) {
                Some((_, actions)) => actions.push(action.to_owned()),
                // A device that only its actions name.
                None => by_device.push((device.to_owned(), vec![action.to_owned()])),
            }
        }
        let listed: Vec<Device> = by_device
            .into_iter()
            .filter(|(_, actions)| !actions.is_empty())
            .map(|(name, actions)| catalog::device(name, actions))
            .collect();
        let catalog = Catalog::new(listed)?;
        let mut ids = BTreeMap::new();
        for (number, full) in actions {
            let (device, action) = full.split_once(':').unwrap_or_default();
            let id = catalog.lookup(device, action);
            ids.insert(
                *number,
                id.with_context(|| format!("the action `{full}` got no id"))?,
            );
        }
        Ok(Vocabulary {
            catalog,
            actions: ids,
            devices,
        })
    }

    /// The data's numbers of actions, with their ids.
    pub fn actions(&self) -> impl Iterator<Item = (i64, ActionId)> {
        self.actions.iter().map(|(&number, &id)| (number, id))
    }

    /// What a behaviour's numbers mean.
    pub fn understand(&self, numbers: &Numbers) -> Result<Understood<'_>, String> {
        let [weekday, hours, device, action] = *numbers;
        let within = |number: i64, count: usize| {
            u8::try_from(number)
                .ok()
                .filter(|&n| usize::from(n) < count)
        };
        let weekday = within(weekday, WEEKDAYS.len()).ok_or("a weekday is not 0 to 6")?;
        let hours = within(hours, HOURS.len()).ok_or("a three-hour bucket is not 0 to 7")?;
        let id = *self
            .actions
            .get(&action)
            .ok_or("an action's number has no name")?;
        let device = self.devices.get(&device).map(String::as_str);
        let device = device.ok_or("a device's number has no name")?;
        Ok(Understood {
            when: (weekday, hours),
            action: id,
            otherwise: (device != self.catalog.device_name(id)).then_some(device),
        })
    }
}

/// Reads `name = {'text': number, ...}` out of a Python source, running nothing. Returns the texts by number.
fn python_dict(source: &str, name: &str) -> Result<BTreeMap<i64, String>, String> {
    let start = source
        .lines()
        .scan(0, |at, line| {
            let here = *at;
            *at += line.len() + 1;
            Some((here, line))
        })
        .find(|(_, line)| {
            let rest = line.strip_prefix(name).map(str::trim_start);
            rest.is_some_and(|rest| rest.starts_with('=') && !rest.starts_with("=="))
        })
        .map(|(at, _)| at)
        .ok_or_else(|| format!("it defines no `{name}`"))?;
    let malformed = || format!("`{name}` is not written {{'text': number, ...}}");
    let body = source
        .get(start..)
        .and_then(|rest| rest.split_once('{'))
        .ok_or_else(malformed)?
        .1;
    let mut out = BTreeMap::new();
    let mut rest = body.trim_start();
    loop {
        if rest.starts_with('}') {
            return Ok(out);
        }
        let quote = rest
            .chars()
            .next()
            .filter(|c| matches!(c, '\'' | '"'))
            .ok_or_else(malformed)?;
        let (text, after) = rest[1..].split_once(quote).ok_or_else(malformed)?;
        let after = after
            .trim_start()
            .strip_prefix(':')
            .ok_or_else(malformed)?
            .trim_start();
        let digits = after
            .find(|c: char| !c.is_ascii_digit())
            .ok_or_else(malformed)?;
        let number = after[..digits].parse().map_err(|_| malformed())?;
        if out.insert(number, text.to_owned()).is_some() {
            return Err(format!("`{name}` gives the number {number} twice"));
        }
        rest = after[digits..].trim_start();
        rest = rest.strip_prefix(',').unwrap_or(rest).trim_start();
        // A comment runs to the end of its line.
        while let Some(comment) = rest.strip_prefix('#') {
            rest = comment
                .split_once('\n')
                .ok_or_else(malformed)?
                .1
                .trim_start();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_out_of_python() {
        let source = "import os\nfr_actions_off = {'Light:off': 7}\nfr_actions = {\n  'Light:on': 1, # first\n  \"Light:off\": 7,\n}\n";
        let names = python_dict(source, "fr_actions").unwrap();
        assert_eq!(
            names.into_iter().collect::<Vec<_>>(),
            [(1, "Light:on".into()), (7, "Light:off".into())]
        );
        assert!(
            python_dict(source, "us_actions")
                .unwrap_err()
                .contains("no `us_actions`")
        );
        assert!(python_dict("a = {'x': os.system('y')}", "a").is_err());
        assert!(python_dict("a = {'x': 1", "a").is_err());
        assert!(python_dict("a = ", "a").is_err());
    }

    #[test]
    fn numbers_must_agree_with_the_names() {
        let devices = BTreeMap::from([(0, "Light".into()), (3, "Door".into())]);
        let actions = BTreeMap::from([(1, "Light:on".into()), (7, "Door:open".into())]);
        let vocabulary = Vocabulary::new(devices, &actions).unwrap();
        let open = vocabulary.catalog.lookup("Door", "open").unwrap();
        let understood = |otherwise| {
            Ok(Understood {
                when: (6, 7),
                action: open,
                otherwise,
            })
        };
        assert_eq!(vocabulary.understand(&[6, 7, 3, 7]), understood(None));
        assert_eq!(
            vocabulary.understand(&[6, 7, 0, 7]),
            understood(Some("Light"))
        );
        for wrong in [
            [7, 0, 0, 1],
            [0, 8, 0, 1],
            [0, 0, 9, 1],
            [0, 0, 0, 2],
            [-1, 0, 0, 1],
        ] {
            assert!(vocabulary.understand(&wrong).is_err(), "{wrong:?}");
        }
    }
}
