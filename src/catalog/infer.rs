//! What a log names, read in a pass of its own: the catalog of a whole log, or one of each home.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::PathBuf;
use std::sync::Arc;

use foldhash::fast::RandomState;
use hearth_operators::words::{Catalog, CatalogError, Catalogs, Device, HomeId};
use serde::{Deserialize, Serialize};

use super::measured::{MOST_NUMBERS, is_number};
use super::repeats::Repeats;
use super::vocabulary::{Vocabulary, device};
use crate::config::Keys;
use crate::growing::Growing;
use crate::home_names::HomeNames;
use crate::sources::{Event, Events, SourceError, Stood};
use crate::zones::Zones;

/// The most actions of a home.
const MOST: usize = 65_535;

/// Why there is no catalog of a log.
#[derive(Debug, thiserror::Error)]
pub enum InferenceError {
    /// The log cannot be read.
    #[error(transparent)]
    Log(#[from] SourceError),
    /// The log names more than a catalog can hold.
    #[error("no catalog can be inferred from the log: {0}; give one with --catalog")]
    Catalog(#[from] CatalogError),
    /// A home has more than a catalog can hold.
    #[error(
        "home `{home}` has more than {MOST} different actions, most of them of device `{device}` ({actions}); measured values are no \
         actions: leave the device out of the log or write ranges of its values, or give a catalog of what counts with --catalog"
    )]
    Home {
        /// The home.
        home: String,
        /// Its device of the most actions.
        device: String,
        /// How many that has.
        actions: usize,
    },
}

/// Reads a whole log for its vocabulary: devices and actions sorted by name, [`closings`](super::closings) by the usual word
/// pairs. A log on standard input must be spooled first ([`crate::sources::spool`]), for its events are read in a second pass.
///
/// # Errors
/// The log cannot be read, or names more than a catalog can hold.
pub fn infer(files: &[PathBuf], zones: &Zones, keys: &Keys) -> Result<Catalog, InferenceError> {
    let mut vocabulary = Vocabulary::default();
    let mut events = Events::open(files, keys)?;
    each_event(&mut events, zones, |_, device, action| {
        vocabulary.add(device, action);
        Ok(())
    })?;
    Ok(vocabulary.catalog()?)
}

/// The devices of homes, each different set once.
#[derive(Debug, Default)]
pub struct Inferred {
    /// Sets of devices as a catalog lists them: sorted by name.
    pub devices: Vec<Vec<Device>>,
    /// Each home with the position of its devices, in the order in which the log names the homes.
    pub homes: Vec<(HomeId, usize)>,
    /// Devices whose numbers are left out.
    pub measured: Vec<Measured>,
}

/// A device whose actions are many different numbers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Measured {
    /// Its home.
    pub home: HomeId,
    /// Its name.
    pub device: String,
}

/// What a first pass over a log has found, stage by stage: what it named when it was read first, and what it named beyond that
/// when it was read on, for it had grown.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct FirstPass {
    /// What else it follows from.
    of: String,
    /// The log, and up to where it was read.
    log: Stood,
    names: Vec<Arc<str>>,
    stages: Vec<Stage>,
    /// Of what this pass itself read.
    #[serde(skip)]
    repeats: Repeats,
    /// What the catalogs became of the first of the stages: kept in a file of its own, for it is larger.
    #[serde(skip)]
    pub grown: Option<Grown>,
}

/// What the catalogs of a run's homes became, stage by stage.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Grown {
    /// So many stages are in it.
    pub stages: usize,
    /// The catalogs behind the last of them.
    pub catalogs: Arc<Catalogs>,
    /// Of how many homes these know, where they grow further.
    pub known: Option<usize>,
    /// A sum of the catalogs behind each stage.
    pub sums: Vec<u32>,
    /// A sum of what they grew from, and one of the names of their homes.
    pub of: (u32, u32),
    /// Devices that measure.
    pub measured: Vec<Measured>,
}

/// Homes in the order in which the log names them, each with its devices and their actions, by name. Of numbers, as many as show
/// that a device measures.
type Stage = Vec<(String, Vec<(u32, u32)>)>;

impl FirstPass {
    /// Reads a log for the vocabulary of each home; of one that was read before, and of which `before` is the pass, only what is
    /// new. Whether there was anything to be read. Of a log that is `growing`, the one file, what may be read of it.
    ///
    /// # Errors
    /// The log cannot be read, or a home has more actions than a catalog can hold.
    pub fn over(
        files: &[PathBuf],
        of: &str,
        (zones, keys): (&Zones, &Keys),
        growing: Option<&Growing>,
        before: Option<Self>,
    ) -> Result<(Self, bool), InferenceError> {
        let here = files.iter().all(|file| file.is_file());
        let log = here.then(|| match (growing, files) {
            (Some(growing), [file]) => Stood::in_growing(file, growing, None),
            _ => Stood::at_its_beginning(files),
        });
        let before = before.filter(|pass| pass.of == of);
        let grown = before
            .as_ref()
            .map(|pass| pass.log.has_grown(files, growing));
        let mut pass = match (before, grown) {
            (Some(pass), Some(Ok(false))) => return Ok((pass, false)),
            (Some(pass), Some(Ok(true))) => pass,
            _ => FirstPass::default(),
        };
        let mut events = match (growing, files) {
            (Some(growing), [file]) => Events::grow(file, keys, growing)?,
            _ => Events::open(files, keys)?,
        };
        // What is no longer there was read, and named nothing that is new: whoever reads stops before that until a pass has it.
        let gone = growing.map_or(0, |growing| growing.begins().bytes);
        if pass.log.position.offset >= gone {
            events.go_to(pass.log.position)?;
        }
        let (mut names, mut met) = pass.met();
        each_event(&mut events, zones, |event, device, action| {
            let home = met.home(&event.home);
            let device = names.intern(device);
            pass.repeats.meet(home, device, action);
            match met.add(home, device, is_number(action), || names.intern(action)) {
                true => Ok(()),
                false => Err(met.too_many(home, &names)),
            }
        })?;
        let stage = met.newest();
        if !stage.is_empty() || pass.stages.is_empty() {
            pass.stages.push(stage);
        }
        pass.of = of.to_owned();
        pass.names = names.names;
        // What cannot be read again is no log that a pass goes on with.
        pass.log = log.and_then(Result::ok).unwrap_or_default();
        pass.log.position = events.end();
        Ok((pass, true))
    }

    /// How many events say what their device said last, of how many, where these are so many that the log reports states.
    pub fn repeats(&self) -> Option<(usize, usize)> {
        self.repeats.many()
    }

    /// What was met, all of it old.
    fn met(&self) -> (Names, Met) {
        let (mut names, mut met) = (Names::default(), Met::default());
        self.names.iter().for_each(|name| {
            names.intern(name);
        });
        for stage in &self.stages {
            met.add_stage(stage, &self.names);
        }
        met.new.clear();
        (names, met)
    }

    /// Whether it makes sense: what was kept is bytes from outside.
    pub fn is_sound(&self) -> bool {
        let known = |id: &u32| (*id as usize) < self.names.len();
        let mut all = self
            .stages
            .iter()
            .flatten()
            .flat_map(|(_, actions)| actions);
        all.all(|(device, action)| known(device) && known(action))
    }

    /// How many stages there are.
    pub fn stages(&self) -> usize {
        self.stages.len()
    }

    /// A sum of what the first so many stages found.
    pub fn sum(&self, stages: usize) -> u32 {
        let mut sum = crc32fast::Hasher::new();
        let mut add = |text: &str| {
            sum.update(&(text.len() as u64).to_le_bytes());
            sum.update(text.as_bytes());
        };
        add(&self.of);
        for (home, actions) in self.stages.iter().take(stages).flatten() {
            add(home);
            for (device, action) in actions {
                add(&self.names[*device as usize]);
                add(&self.names[*action as usize]);
            }
        }
        sum.finalize()
    }

    /// The homes that were met. They get their ids as they came.
    pub fn homes(&self, homes: &HomeNames) -> Vec<HomeId> {
        let met = self.stages.iter().flatten();
        let mut met: Vec<HomeId> = met.map(|(name, _)| homes.intern(name)).collect();
        met.sort_unstable();
        met.dedup();
        met
    }

    /// What was known after each stage behind the first so many. Homes get their ids as they come. The numbers of a device count together
    /// over all stages: once it measures, it does in all that follow.
    pub fn inferred(&self, first: usize, homes: &HomeNames) -> impl Iterator<Item = Inferred> {
        let (names, mut met) = (&self.names, Met::default());
        let stages = self.stages.iter().enumerate().map(move |(number, stage)| {
            met.add_stage(stage, names);
            stage.iter().for_each(|(name, _)| {
                homes.intern(name);
            });
            (number >= first).then(|| met.inferred(names, homes))
        });
        stages.flatten()
    }
}

/// Reads each event of a log that names a device and an action.
fn each_event(
    events: &mut Events,
    zones: &Zones,
    mut take: impl FnMut(&Event<'_>, &str, &str) -> Result<(), InferenceError>,
) -> Result<(), InferenceError> {
    let mut more = true;
    let mut taken = Ok(());
    while more && taken.is_ok() {
        more = match events.next(zones, |event| {
            // What is wrong with a line is said when its events are read.
            if let Ok(event) = event
                && let Ok((device, action)) = event.names()
            {
                taken = take(&event, device, action);
            }
        }) {
            Ok(more) => more,
            // A file that breaks off counts as far as it is readable, here as there.
            Err(SourceError::Broken { .. } | SourceError::Damaged { .. }) => true,
            Err(error) => return Err(error.into()),
        };
    }
    taken
}

/// Names, each kept once.
#[derive(Default)]
struct Names {
    names: Vec<Arc<str>>,
    ids: HashMap<Arc<str>, u32, RandomState>,
}

impl Names {
    fn intern(&mut self, name: &str) -> u32 {
        if let Some(id) = self.ids.get(name) {
            return *id;
        }
        let name: Arc<str> = name.into();
        let id = self.names.len() as u32;
        self.names.push(name.clone());
        self.ids.insert(name, id);
        id
    }
}

/// The actions of devices of homes that were met.
#[derive(Default)]
struct Met {
    /// Homes by name, in the order of their first events.
    homes: Names,
    all: HashSet<(u32, u32, u32), RandomState>,
    /// Actions that are numbers, by home and device, until these are too many.
    numbers: BTreeMap<(u32, u32), Vec<u32>>,
    /// By home: how many actions that are no numbers.
    counts: Vec<usize>,
    /// What was added and not taken yet.
    new: Vec<(u32, u32, u32)>,
}

impl Met {
    fn home(&mut self, name: &str) -> u32 {
        let home = self.homes.intern(name);
        self.counts.resize(self.homes.names.len(), 0);
        home
    }

    /// Adds what a pass met before.
    fn add_stage(&mut self, stage: &Stage, names: &[Arc<str>]) {
        for (home, actions) in stage {
            let home = self.home(home);
            for &(device, action) in actions {
                self.add(home, device, is_number(&names[action as usize]), || action);
            }
        }
    }

    /// Whether there is room for it. Numbers of a device that measures are not even named.
    fn add(&mut self, home: u32, device: u32, number: bool, action: impl FnOnce() -> u32) -> bool {
        if number {
            let numbers = self.numbers.entry((home, device)).or_default();
            if numbers.len() <= MOST_NUMBERS {
                let action = action();
                if !numbers.contains(&action) {
                    numbers.push(action);
                    self.new.push((home, device, action));
                }
            }
            return true;
        }
        let action = action();
        if !self.all.insert((home, device, action)) {
            return true;
        }
        self.new.push((home, device, action));
        let count = &mut self.counts[home as usize];
        *count += 1;
        *count <= MOST
    }

    /// Why there is no room: the device that has the most actions.
    fn too_many(&self, home: u32, names: &Names) -> InferenceError {
        let mut counts = BTreeMap::<u32, usize>::new();
        for (_, device, _) in self.all.iter().filter(|(of, _, _)| *of == home) {
            *counts.entry(*device).or_default() += 1;
        }
        let largest = counts.into_iter().max_by_key(|(_, count)| *count);
        let (device, actions) = largest.unwrap_or_default();
        InferenceError::Home {
            home: self.homes.names[home as usize].to_string(),
            device: names.names[device as usize].to_string(),
            actions,
        }
    }

    /// Takes what was added, by home.
    fn newest(&mut self) -> Stage {
        let mut stage = Stage::new();
        let mut places = HashMap::new();
        for (home, device, action) in self.new.drain(..) {
            let place = *places.entry(home).or_insert_with(|| {
                let name = self.homes.names[home as usize].to_string();
                stage.push((name, Vec::new()));
                stage.len() - 1
            });
            stage[place].1.push((device, action));
        }
        stage
    }

    fn inferred(&self, names: &[Arc<str>], homes: &HomeNames) -> Inferred {
        let mut own: Vec<Vec<(u32, u32)>> = vec![Vec::new(); self.counts.len()];
        for &(home, device, action) in &self.all {
            own[home as usize].push((device, action));
        }
        let mut inferred = Inferred::default();
        for (&(home, device), numbers) in &self.numbers {
            if numbers.len() > MOST_NUMBERS {
                inferred.measured.push(Measured {
                    home: homes.intern(&self.homes.names[home as usize]),
                    device: names[device as usize].to_string(),
                });
                continue;
            }
            let actions = numbers.iter().map(|action| (device, *action));
            own[home as usize].extend(actions);
        }
        let mut known: HashMap<Vec<(u32, u32)>, usize> = HashMap::new();
        // Other homes have the same devices.
        let mut made: HashMap<Vec<(u32, u32)>, Device> = HashMap::new();
        for (home, mut actions) in self.homes.names.iter().zip(own) {
            let name = |id: u32| &names[id as usize];
            actions.sort_unstable_by_key(|(device, action)| (name(*device), name(*action)));
            let next = inferred.devices.len();
            let place = *known.entry(actions).or_insert_with_key(|actions| {
                let devices = actions.chunk_by(|a, b| a.0 == b.0).map(|actions| {
                    if let Some(made) = made.get(actions) {
                        return made.clone();
                    }
                    let own = actions.iter().map(|(_, action)| name(*action).to_string());
                    let new = device(name(actions[0].0).to_string(), own.collect());
                    made.insert(actions.to_vec(), new.clone());
                    new
                });
                inferred.devices.push(devices.collect());
                next
            });
            inferred.homes.push((homes.intern(home), place));
        }
        inferred
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_log_is_read_for_its_vocabulary() {
        let folder = tempfile::tempdir().unwrap();
        let jsonl = folder.path().join("a.jsonl");
        let csv = folder.path().join("b.csv");
        let empty = folder.path().join("c.jsonl");
        fs::write(
            &jsonl,
            "{\"home\":\"h\",\"time\":\"2022-08-04T18:30:00Z\",\"action\":\"Light:switch on\"}\nrubbish\n",
        )
        .unwrap();
        fs::write(
            &csv,
            "time,home,action,device\n2022-08-04T18:30:00Z,h,Light:switch off,Light\n",
        )
        .unwrap();
        fs::write(&empty, "").unwrap();
        let keys = Keys::default();
        let catalog = infer(&[jsonl, csv, empty.clone()], &Zones::new(None), &keys).unwrap();
        let on = catalog.lookup("Light", "switch on").unwrap();
        let off = catalog.lookup("Light", "switch off").unwrap();
        assert_eq!(catalog.closes(off), [on]);
        assert_eq!(catalog.actions(), 2);
        assert_eq!(
            infer(&[empty], &Zones::new(None), &keys).unwrap().actions(),
            0
        );
    }

    fn event(home: &str, action: &str) -> String {
        format!(
            "{{\"home\":\"{home}\",\"time\":\"2022-08-04T18:30:00Z\",\"action\":\"{action}\"}}\n"
        )
    }

    /// A log that has grown is read on from where it ended, and gives what one pass over all of it gives.
    #[test]
    fn a_pass_goes_on_where_the_log_ended() {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("a.jsonl");
        let files = [log.clone()];
        let zones = Zones::new(None);
        let first = event("h-1", "Light:on") + &event("h-2", "Light:on");
        fs::write(&log, &first).unwrap();
        let keys = Keys::default();
        let over = |before| FirstPass::over(&files, "of", (&zones, &keys), None, before).unwrap();
        let (pass, read) = over(None);
        assert!(read);
        let (pass, read) = over(Some(pass));
        assert!(!read, "nothing is new");
        let more = event("h-3", "Fan:on") + &event("h-1", "Light:off") + &event("h-1", "Light:on");
        fs::write(&log, first.clone() + &more).unwrap();
        let kept: FirstPass = serde_json::from_slice(&serde_json::to_vec(&pass).unwrap()).unwrap();
        let (grown, read) = over(Some(kept));
        assert!(read);
        assert_eq!(grown.stages.len(), 2);
        assert_eq!(
            grown.stages[1]
                .iter()
                .map(|(_, new)| new.len())
                .sum::<usize>(),
            2
        );
        let (at_once, homes) = (over(None).0, HomeNames::default());
        let [whole] = &at_once.inferred(0, &homes).collect::<Vec<_>>()[..] else {
            panic!("one stage");
        };
        let (own, others) = (HomeNames::default(), HomeNames::default());
        let stages: Vec<_> = grown.inferred(0, &own).collect();
        assert_eq!(format!("{:?}", stages[1]), format!("{whole:?}"));
        let last = grown.inferred(1, &HomeNames::default()).next();
        assert_eq!(format!("{:?}", last.unwrap()), format!("{whole:?}"));
        let first = pass.inferred(0, &others).next().unwrap();
        assert_eq!(stages[0].homes, first.homes);
        assert_ne!(grown.sum(1), grown.sum(2));
        assert_eq!(grown.sum(1), pass.sum(1));
        // Of another log, or where something else differs, it is made anew.
        fs::write(&log, event("x", "Light:on")).unwrap();
        let (anew, read) = over(Some(grown));
        assert!(read && anew.stages.len() == 1 && anew.stages[0].len() == 1);
        assert!(
            FirstPass::over(&files, "other", (&zones, &keys), None, Some(anew))
                .unwrap()
                .1
        );
    }

    /// What an inference knows of a device, by name.
    fn actions(inferred: &Inferred, device: &str) -> Vec<String> {
        let devices = inferred.devices.iter().flatten();
        let own = devices.filter(|known| known.name == device);
        let actions = own.flat_map(|known| &known.actions);
        actions.map(|action| action.name.clone()).collect()
    }

    /// The numbers of a device count over all stages: what an earlier one let in it has known, once there are too many none is let in,
    /// and that stays so.
    #[test]
    fn numbers_are_counted_over_all_stages() {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("a.jsonl");
        let (zones, keys) = (Zones::new(None), Keys::default());
        let numbers = |device: &str, from: usize, to: usize| -> String {
            let values = (from..to).map(|n| event("h", &format!("{device}:{n}.5 lx")));
            values.collect()
        };
        let parts = [
            event("h", "Door:on") + &numbers("Dial", 0, MOST_NUMBERS) + &numbers("Lux", 0, 40),
            numbers("Dial", 3, MOST_NUMBERS + 1) + &event("h", "Dial:on"),
            numbers("Lux", 50, 52) + &numbers("Dial", 70, 71) + &numbers("Fan", 0, 2),
        ];
        let (mut text, mut kept) = (String::new(), None);
        for part in &parts {
            text += part;
            fs::write(&log, &text).unwrap();
            let files = std::slice::from_ref(&log);
            let (pass, read) = FirstPass::over(files, "of", (&zones, &keys), None, kept).unwrap();
            assert!(read);
            let bytes = serde_json::to_vec(&pass).unwrap();
            kept = Some(serde_json::from_slice(&bytes).unwrap());
        }
        let (homes, others) = (HomeNames::default(), HomeNames::default());
        let stages: Vec<_> = kept.unwrap().inferred(0, &homes).collect();
        let of = |device: &str| -> Vec<usize> {
            let known = stages.iter().map(|stage| actions(stage, device).len());
            known.collect()
        };
        assert_eq!(of("Door"), [1, 1, 1]);
        assert_eq!(of("Dial"), [MOST_NUMBERS, 1, 1]);
        assert_eq!(of("Lux"), [0, 0, 0]);
        assert_eq!(of("Fan"), [0, 0, 2]);
        let measured = |stage: &Inferred| -> Vec<String> {
            let all = stage.measured.iter();
            all.map(|measured| measured.device.clone()).collect()
        };
        let measured: Vec<_> = stages.iter().map(measured).collect();
        assert_eq!(
            measured,
            [vec!["Lux"], vec!["Dial", "Lux"], vec!["Dial", "Lux"]]
        );
        // In one pass over all of it the end is the same.
        let (pass, _) = FirstPass::over(&[log], "of", (&zones, &keys), None, None).unwrap();
        let whole = pass.inferred(0, &others).next().unwrap();
        assert_eq!(format!("{whole:?}"), format!("{:?}", stages[2]));
    }
}
