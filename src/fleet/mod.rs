//! What is known of the homes of a run before any event: catalogs, cohorts and zones.

mod file;
#[cfg(test)]
mod fuzz;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use hearth_operators::words::{Catalog, Catalogs, CohortId, Device, HomeId, Own};
use jiff::tz::TimeZone;

use crate::catalog::{self, FirstPass, Group, Grown, Inferred, Measured, describe};
use crate::config::{Keys, UsageError};
use crate::growing::Growing;
use crate::home_names::HomeNames;
use crate::sources::Learnt;
use crate::zones::Zones;
use file::{HomesFile, Listed};

/// The homes of a run.
pub struct Fleet {
    /// Their names; those that were met already are known.
    pub homes: HomeNames,
    /// Their catalogs.
    pub catalogs: Arc<Catalogs>,
    /// Their zones.
    pub zones: Zones,
    /// The names of their cohorts, by id but for the first one.
    pub cohorts: Vec<String>,
    /// Devices that measure: what they show is no action, but for what was let in before that was known.
    pub measured: Vec<Measured>,
    /// Events that say what their device said last, of how many, where the log seems to report states.
    pub repeats: Option<(usize, usize)>,
    /// Sums of the catalogs as they are, and of what they grew from.
    pub sums: Vec<u32>,
    /// The pass over the log in which catalogs were inferred.
    pub first_pass: Option<FirstPass>,
    /// Whether it read something now: then it is to be kept.
    pub has_read: bool,
    /// Homes of the homes file.
    pub listed: Vec<HomeId>,
    /// Where catalogs were inferred: of which homes.
    pub learnt: Option<Learnt>,
}

/// What a user says of a run's homes.
pub struct Given<'a> {
    /// The log: read here where there is no catalog of all homes.
    pub logs: &'a [PathBuf],
    /// A catalog for all homes that have none of their own.
    pub catalog: Option<&'a Path>,
    /// The homes file.
    pub homes: Option<&'a Path>,
    /// What the fields of an event are called in the log.
    pub keys: &'a Keys,
    /// The zone of all homes that have none of their own.
    pub timezone: Option<TimeZone>,
    /// A first pass over the log that was made before.
    pub first_pass: Option<FirstPass>,
    /// How far the log may be read, where it is one that is appended to.
    pub growing: Option<&'a Growing>,
    /// Homes that have their ids already.
    pub known: HomeNames,
}

impl Fleet {
    /// Reads what is given. Where there is no catalog for all homes, that of each home is inferred from the log.
    ///
    /// # Errors
    /// A file cannot be used, or the log names more than catalogs can hold.
    pub fn open(given: Given) -> Result<Self, UsageError> {
        let homes = given.known;
        let listed = match given.homes {
            Some(file) => file::read(file, &homes)?,
            None => HomesFile::default(),
        };
        let mut zones = Zones::new(given.timezone.clone());
        for home in &listed.homes {
            if let Some(zone) = &home.timezone {
                zones.set(home.home, &homes.name(home.home), zone.clone());
            }
        }
        let refused = |error: &dyn std::fmt::Display| UsageError(error.to_string());
        let default = given.catalog.map(catalog::load).transpose();
        let default = default.map_err(|error| refused(&error))?.map(Arc::new);
        let alike = |home: &Listed| home.catalog.is_none() && home.cohort == CohortId::default();
        let (mut sums, mut first_pass, mut learnt) = (Vec::new(), None, None);
        let (mut measured, mut repeats, mut has_read) = (Vec::new(), None, false);
        let catalogs = match default {
            Some(default) if listed.homes.iter().all(alike) => Catalogs::shared(default),
            Some(default) => apart(&listed, &homes, &Inferred::default(), Some(&default))?,
            None => {
                // A pass of other columns found something else.
                let homes_file = text_of(given.homes);
                let of = format!("{:?} {homes_file} {:?}", given.timezone, given.keys);
                let shape = (&zones, given.keys);
                let pass = FirstPass::over(given.logs, &of, shape, given.growing, given.first_pass);
                let (mut pass, new) = pass.map_err(|error| refused(&error))?;
                (repeats, has_read) = (pass.repeats(), new);
                let grown = grown(&mut pass, &listed, &homes)?;
                learnt = Some(of_whom(pass.homes(&homes), &listed));
                (sums, measured) = (grown.sums.clone(), grown.measured.clone());
                let catalogs = grown.catalogs.clone();
                pass.grown = Some(grown);
                first_pass = Some(pass);
                catalogs
            }
        };
        if sums.is_empty() {
            sums.push(sum(&catalogs));
        }
        Ok(Fleet {
            homes,
            catalogs,
            zones,
            cohorts: listed.cohorts,
            measured,
            repeats,
            sums,
            first_pass,
            has_read,
            listed: listed.homes.iter().map(|home| home.home).collect(),
            learnt,
        })
    }
}

/// Of whom a first pass has learnt, and for whom a catalog was given.
fn of_whom(met: Vec<HomeId>, listed: &HomesFile) -> Learnt {
    let given = listed.homes.iter().filter(|home| home.catalog.is_some());
    Learnt::new(
        met.into_iter().collect(),
        given.map(|home| home.home).collect(),
    )
}

/// The catalogs that a first pass found, grown stage by stage, from those that it is known to have come to before.
fn grown(pass: &mut FirstPass, listed: &HomesFile, homes: &HomeNames) -> Result<Grown, UsageError> {
    // They get their ids as they came, whatever is known.
    pass.homes(homes);
    let before = pass.grown.take();
    let mut grown = before
        .filter(|grown| {
            grown.stages <= pass.stages() && grown.of == origin(pass, grown.stages, homes, grown)
        })
        .unwrap_or_else(|| Grown {
            stages: 0,
            catalogs: Catalogs::shared(Arc::default()),
            known: None,
            sums: Vec::new(),
            of: (0, 0),
            measured: Vec::new(),
        });
    for mut inferred in pass.inferred(grown.stages, homes) {
        // What was learnt of nobody is nothing that grows.
        let nothing = inferred.homes.is_empty() && listed.homes.is_empty();
        let last = inferred.homes.iter().map(|(home, _)| home.0 as usize + 1);
        let known = listed.homes.len().max(last.max().unwrap_or(0));
        let alike = |home: &Listed| home.catalog.is_none() && home.cohort == CohortId::default();
        let met = if inferred.devices.len() == 1 && listed.homes.iter().all(alike) {
            let only = Catalog::new(inferred.devices.remove(0));
            let only = only.map_err(|error| UsageError(error.to_string()))?;
            Catalogs::shared(Arc::new(only))
        } else {
            apart(listed, homes, &inferred, None)?
        };
        grown.catalogs = match grown.known {
            None => met,
            Some(known) => {
                let now = grown.catalogs.grown(&met, known);
                Arc::new(now.map_err(|error| UsageError(error.to_string()))?)
            }
        };
        grown.sums.push(sum(&grown.catalogs));
        grown.known = (!nothing).then_some(known);
        grown.measured = inferred.measured;
        grown.stages += 1;
    }
    grown.of = origin(pass, grown.stages, homes, &grown);
    Ok(grown)
}

/// What catalogs rest on: what was found in the first so many stages, and which homes have which ids.
fn origin(pass: &FirstPass, stages: usize, homes: &HomeNames, grown: &Grown) -> (u32, u32) {
    let mut names = crc32fast::Hasher::new();
    let known = grown.catalogs.homes().count().max(grown.known.unwrap_or(0));
    for name in homes.behind(0).iter().take(known) {
        names.update(&(name.len() as u64).to_le_bytes());
        names.update(name.as_bytes());
    }
    (pass.sum(stages), names.finalize())
}

/// A sum of catalogs.
fn sum(catalogs: &Catalogs) -> u32 {
    let mut sum = crc32fast::Hasher::new();
    let mut met = HashSet::new();
    for home in catalogs.homes() {
        let place = catalogs.place_of(home);
        sum.update(&place.to_le_bytes());
        if met.insert(place) {
            sum.update(format!("{:?}", catalogs.of(home).devices()).as_bytes());
        }
    }
    sum.update(format!("{:?}", catalogs.others().devices()).as_bytes());
    sum.finalize()
}

/// A sum of a file's text; that it cannot be read is said elsewhere.
fn text_of(file: Option<&Path>) -> u32 {
    let text = file.and_then(|file| std::fs::read(file).ok());
    crc32fast::hash(&text.unwrap_or_default())
}

/// The catalogs of homes that do not share one: each home's own from the file, else inferred, else the default.
fn apart(
    listed: &HomesFile,
    homes: &HomeNames,
    inferred: &Inferred,
    default: Option<&Arc<Catalog>>,
) -> Result<Arc<Catalogs>, UsageError> {
    let mut cohorts: BTreeMap<CohortId, Cohort> = BTreeMap::new();
    let mut known: HashMap<HomeId, CohortId> = HashMap::new();
    for home in &listed.homes {
        if let Some(catalog) = home.catalog.as_ref().or(default) {
            let cohort = cohorts.entry(home.cohort).or_default();
            cohort.add(homes, home.home, Of::File(Arc::as_ptr(catalog)), || {
                catalog.devices().to_vec()
            });
        } else {
            known.insert(home.home, home.cohort);
        }
    }
    let own: HashMap<HomeId, &Listed> = listed.homes.iter().map(|l| (l.home, l)).collect();
    for &(home, place) in &inferred.homes {
        if own
            .get(&home)
            .is_some_and(|listed| listed.catalog.is_some())
        {
            continue;
        }
        let cohort = known.get(&home).copied().unwrap_or_default();
        let devices = || inferred.devices[place].clone();
        let cohort = cohorts.entry(cohort).or_default();
        cohort.add(homes, home, Of::Log(place), devices);
    }
    if let Some(default) = default {
        let cohort = cohorts.entry(CohortId::default()).or_default();
        cohort.others(Of::File(Arc::as_ptr(default)), || {
            default.devices().to_vec()
        });
    }
    let mut all = Vec::new();
    let mut others = None;
    for (id, cohort) in cohorts {
        others = others.or(cohort.place(id, &mut all)?);
    }
    let catalogs = Catalogs::new(all, others).map_err(|error| {
        let name = error
            .cohort
            .0
            .checked_sub(1)
            .and_then(|c| listed.cohorts.get(c as usize));
        let cohort = name.map_or(String::new(), |name| format!("cohort `{name}`: "));
        UsageError(format!("{cohort}{error} (--homes, --catalog)"))
    })?;
    Ok(Arc::new(catalogs))
}

/// Where a home's devices come from: equal ones are equal.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Of {
    File(*const Catalog),
    Log(usize),
}

/// The homes of a cohort, by what they have.
#[derive(Default)]
struct Cohort {
    groups: Vec<Group>,
    places: HashMap<Of, usize>,
    homes: Vec<(HomeId, usize)>,
    /// What homes have that nobody named.
    others: Option<usize>,
}

impl Cohort {
    fn add(
        &mut self,
        homes: &HomeNames,
        home: HomeId,
        of: Of,
        devices: impl FnOnce() -> Vec<Device>,
    ) {
        let groups = &mut self.groups;
        let place = *self.places.entry(of).or_insert_with(|| {
            groups.push(Group {
                home: homes.name(home),
                homes: 0,
                devices: devices(),
            });
            groups.len() - 1
        });
        self.groups[place].homes += 1;
        self.homes.push((home, place));
    }

    fn others(&mut self, of: Of, devices: impl FnOnce() -> Vec<Device>) {
        let groups = &mut self.groups;
        let place = *self.places.entry(of).or_insert_with(|| {
            groups.push(Group {
                home: "".into(),
                homes: 1,
                devices: devices(),
            });
            groups.len() - 1
        });
        self.others = Some(place);
    }

    /// Adds its homes to `all`, their kinds described. What the others have.
    fn place(
        mut self,
        id: CohortId,
        all: &mut Vec<Own>,
    ) -> Result<Option<Arc<Catalog>>, UsageError> {
        describe(&mut self.groups);
        let catalogs = self.groups.into_iter().map(|group| {
            let catalog = Catalog::new(group.devices);
            catalog.map(Arc::new).map_err(|error| {
                UsageError(format!("the catalog of home `{}`: {error}", group.home))
            })
        });
        let catalogs: Vec<Arc<Catalog>> = catalogs.collect::<Result<_, _>>()?;
        all.extend(self.homes.into_iter().map(|(home, place)| Own {
            home,
            cohort: id,
            catalog: catalogs[place].clone(),
        }));
        Ok(self.others.map(|place| catalogs[place].clone()))
    }
}
