//! The SmartGen authors' data: pickled sequences in their repository, or the same as JSON Lines.
//!
//! Their data has no dates and no homes: [`super::layout`] puts each sequence on a calendar, all of them in one home. The
//! id of a behaviour, `context/sequence/position`, says where in the data it stood (both counted from 0), so that a
//! sequence of the data is found again in the log.

use std::collections::BTreeMap;
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow, bail, ensure};
use hearth_operators::words::{
    ActionId, Catalog, Device, HOURS, Hours, ShiftKind, Time, WEEKDAYS, Weekday,
};
use jiff::civil;
use serde::Deserialize;

use super::layout::{self, Calendar};
use super::output::Output;
use super::pickle;
use crate::catalog;
use crate::sources::context_words;

/// The first instant that a log may not reach: the year 2200, after which a clock counts as broken.
const END: Time = Time(7_258_118_400 * Time::SECOND);

/// Imports one data set: the sequences of one context and, behind a shift, those of another.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  hearth import smartgen SmartGen/ --dataset fr --from winter --to spring --out fr/
  hearth import smartgen SmartGen/ --dataset sp --from daytime --from-split split_trn --to night --to-split split_test --out sp/")]
pub struct Args {
    /// The repository (the folder with SmartGen/IoT_data and SmartGen/dictionary.py), or a folder of its conversion
    /// (DATASET/vocab.json, DATASET/raw/CONTEXT.SPLIT.jsonl).
    repository: PathBuf,
    /// Data set: fr, sp, us ...
    #[arg(long)]
    dataset: String,
    /// The context that the log begins in: winter, daytime, single ...
    #[arg(long)]
    from: String,
    /// The context that follows: spring, night, multiple ... Without it there is no shift.
    #[arg(long)]
    to: Option<String>,
    /// Which file of the first context.
    #[arg(long, default_value = "trn")]
    from_split: String,
    /// Which file of the second context (of spring, night and multiple only the test sets are real).
    #[arg(long, default_value = "test")]
    to_split: String,
    /// Name of the home; the data set's by default.
    #[arg(long)]
    home: Option<String>,
    /// Day on which the calendar begins.
    #[arg(long, default_value = "2000-01-03")]
    start: civil::Date,
    /// Folder to write.
    #[arg(long)]
    out: PathBuf,
}

/// Runs the import.
pub(super) fn run(args: &Args) -> Result<()> {
    let data = DataSet::find(&args.repository, &args.dataset)?;
    let shift = match &args.to {
        Some(to) => Some((to, kind(&args.from, to)?)),
        None => None,
    };
    let vocabulary = data.vocabulary()?;
    let home = args.home.as_deref().unwrap_or(&args.dataset);
    let start =
        jiff::tz::Offset::UTC.to_timestamp(args.start.to_datetime(civil::Time::midnight()))?;

    // Both files are read before anything is written.
    let source = data.sequences(&args.from, &args.from_split)?;
    let target = match &args.to {
        Some(to) => Some(data.sequences(to, &args.to_split)?),
        None => None,
    };
    let mut output = Output::create(&args.out)?;
    let mut log = Log {
        home,
        vocabulary: &vocabulary,
        calendar: Calendar::new(Time(start.as_microsecond())),
        before: Vec::new(),
        output: &mut output,
    };
    log.write(&args.from, &source)?;
    if let (Some((to, kind)), Some(target)) = (shift, target) {
        // Ten hours after the last behaviour, more than a day before the next one.
        let at = Time(log.calendar.last().0 + 10 * Time::HOUR);
        log.write(to, &target)?;
        output.shift(home, at, kind, &args.from, to)?;
    }
    output.finish(Some(vocabulary.catalog))
}

/// The kind of a shift, by the words of its contexts.
fn kind(from: &str, to: &str) -> Result<ShiftKind> {
    [ShiftKind::Season, ShiftKind::Schedule, ShiftKind::Occupancy]
        .into_iter()
        .find(|kind| context_words(*kind).contains(&from) && context_words(*kind).contains(&to) && from != to)
        .ok_or_else(|| {
            anyhow!(
                "`{from}` to `{to}` is no shift; name two seasons, or daytime and night, or single and multiple"
            )
        })
}

/// A behaviour as the data has it: weekday, hours, device, action.
type Numbers = [i64; 4];

struct Log<'a> {
    home: &'a str,
    vocabulary: &'a Vocabulary,
    calendar: Calendar,
    /// The actions of the sequence that was placed last.
    before: Vec<ActionId>,
    output: &'a mut Output,
}

impl Log<'_> {
    /// Writes the sequences of a context behind what is written; those that make no sense are left out and counted.
    fn write(&mut self, context: &str, data: &[Result<Vec<Numbers>, String>]) -> Result<()> {
        // By sequence: its position in the data, and its behaviours.
        let mut kept: Vec<(usize, Vec<ActionId>)> = Vec::new();
        let mut slots: Vec<Vec<(Weekday, Hours)>> = Vec::new();
        for (position, numbers) in data.iter().enumerate() {
            let understood: Result<Vec<Understood>, String> = match numbers {
                Ok(numbers) if numbers.is_empty() => Err("the sequence is empty".to_owned()),
                Ok(numbers) => numbers
                    .iter()
                    .map(|n| self.vocabulary.understand(n))
                    .collect(),
                Err(reason) => Err(reason.clone()),
            };
            match understood {
                Ok(behaviors) => {
                    slots.push(behaviors.iter().map(|b| b.when).collect());
                    kept.push((position, behaviors.iter().map(|b| b.action).collect()));
                    for behavior in behaviors {
                        if let Some(device) = behavior.otherwise {
                            let action = self.vocabulary.catalog.full_name(behavior.action);
                            self.output.note(format!(
                                "behaviors of {context} name the device {device} with the action {action}; the action decided"
                            ));
                        }
                    }
                }
                Err(reason) => self
                    .output
                    .skip(format!("sequences of {context}: {reason}")),
            }
        }
        let catalog = &self.vocabulary.catalog;
        let (order, joined) = layout::order(&slots, self.calendar.clone(), |before, after| {
            let closed = kept[after]
                .1
                .first()
                .map_or(&[][..], |&first| catalog.closes(first));
            let before = before.map_or(&self.before, |before| &kept[before].1);
            before.iter().any(|action| closed.contains(action))
        });
        for &at in &order {
            let (position, actions) = &kept[at];
            let times = self.calendar.place(&slots[at]);
            ensure!(
                self.calendar.last() < END,
                "the sequences do not fit on a calendar that ends with the year 2199; begin it earlier, with --start 1900-01-01"
            );
            for (within, (time, &action)) in times.into_iter().zip(actions).enumerate() {
                let id = format!("{context}/{position}/{within}");
                let (device, action) = (catalog.device_name(action), catalog.action_name(action));
                self.output
                    .event(self.home, (time, 0), device, action, Some(&id))?;
            }
        }
        if let Some(&last) = order.last() {
            self.before = kept.swap_remove(last).1;
        }
        for _ in 0..joined {
            self.output.note(format!(
                "sequences of {context} begin by closing what the one before them opened, and will be split as one with it"
            ));
        }
        Ok(())
    }
}

/// Where a data set lies.
enum DataSet {
    /// The authors' repository: the folder that holds `dictionary.py` and `IoT_data`.
    Repository { folder: PathBuf, name: String },
    /// The conversion: the folder that holds `vocab.json` and `raw`.
    Converted(PathBuf),
}

impl DataSet {
    fn find(folder: &Path, name: &str) -> Result<Self> {
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

    fn vocabulary(&self) -> Result<Vocabulary> {
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
                Vocabulary::new(devices, actions)
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
                Vocabulary::new(names.devices, names.actions)
                    .with_context(|| format!("the names in `{}` make no catalog", file.display()))
            }
        }
    }

    /// The sequences of a file, each with what is wrong with it if it is none.
    fn sequences(&self, context: &str, split: &str) -> Result<Vec<Result<Vec<Numbers>, String>>> {
        match self {
            DataSet::Repository { folder, name } => {
                let file = folder
                    .join("IoT_data")
                    .join(name)
                    .join(context)
                    .join(format!("{split}.pkl"));
                let bytes = fs::read(&file).with_context(|| {
                    format!("cannot read `{}`; check context and split", file.display())
                })?;
                let sequences = pickle::sequences(&bytes).map_err(|what| {
                    anyhow!("`{}` is no pickle of sequences: {what}", file.display())
                })?;
                Ok(sequences.iter().map(|flat| quadruples(flat)).collect())
            }
            DataSet::Converted(folder) => {
                let plain = folder.join("raw").join(format!("{context}.{split}.jsonl"));
                let packed = folder
                    .join("raw")
                    .join(format!("{context}.{split}.jsonl.gz"));
                let file = if plain.is_file() { plain } else { packed };
                let bytes = fs::read(&file).with_context(|| {
                    format!("cannot read `{}`; check context and split", file.display())
                })?;
                let mut text = String::new();
                if bytes.starts_with(&[0x1f, 0x8b]) {
                    flate2::read::MultiGzDecoder::new(&bytes[..])
                        .read_to_string(&mut text)
                        .with_context(|| format!("`{}` is damaged", file.display()))?;
                } else {
                    text = String::from_utf8(bytes)
                        .with_context(|| format!("`{}` is no text", file.display()))?;
                }
                #[derive(Deserialize)]
                struct Line {
                    seq: Vec<Numbers>,
                }
                let lines = text.lines().filter(|line| !line.trim().is_empty());
                Ok(lines
                    .map(|line| {
                        let line: Result<Line, _> = serde_json::from_str(line);
                        line.map(|line| line.seq)
                            .map_err(|_| "no list of four numbers each".to_owned())
                    })
                    .collect())
            }
        }
    }
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
struct Understood<'a> {
    when: (Weekday, Hours),
    action: ActionId,
    /// The device that the data names, where it is not the action's: in all of the authors' data `None:location` stands
    /// with the device `Other`. The action decides.
    otherwise: Option<&'a str>,
}

/// The data's numbers and what they name.
struct Vocabulary {
    catalog: Catalog,
    /// By the data's number of an action.
    actions: BTreeMap<i64, ActionId>,
    /// By the data's number of a device.
    devices: BTreeMap<i64, String>,
}

impl Vocabulary {
    /// Actions are written `Device:action`. Devices and actions keep the order of their numbers.
    fn new(devices: BTreeMap<i64, String>, actions: BTreeMap<i64, String>) -> Result<Self> {
        let mut by_device: Vec<(String, Vec<String>)> = devices
            .values()
            .map(|name| (name.clone(), Vec::new()))
            .collect();
        for full in actions.values() {
            let (device, action) = full
                .split_once(':')
                .with_context(|| format!("the action `{full}` is not written `Device:action`"))?;
            let of = by_device
                .iter_mut()
                .find(|(name, _)| name == device)
                .with_context(|| format!("the action `{full}` is of an unknown device"))?;
            of.1.push(action.to_owned());
        }
        let listed: Vec<Device> = by_device
            .into_iter()
            .filter(|(_, actions)| !actions.is_empty())
            .map(|(name, actions)| catalog::device(name, actions))
            .collect();
        let catalog = Catalog::new(listed)?;
        let mut ids = BTreeMap::new();
        for (number, full) in &actions {
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

    /// What a behaviour's numbers mean.
    fn understand(&self, numbers: &Numbers) -> Result<Understood<'_>, String> {
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
        let vocabulary = Vocabulary::new(devices, actions).unwrap();
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

    #[test]
    fn contexts_of_different_kinds_are_no_shift() {
        assert_eq!(kind("winter", "spring").unwrap(), ShiftKind::Season);
        assert_eq!(kind("single", "multiple").unwrap(), ShiftKind::Occupancy);
        assert!(kind("winter", "night").is_err());
        assert!(kind("winter", "winter").is_err());
    }
}
