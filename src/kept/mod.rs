//! The models of a run's homes in one file of its output folder, `models/homes.kept`: what is needed to use a home's model later.

#[cfg(test)]
pub(crate) mod forged;
mod merge;

use std::fs::File;
use std::io::{self, BufWriter};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use hearth_operators::alarms::Budget;
use hearth_operators::dataflow::Settings;
use hearth_operators::kept::{CohortModel, HomeModel, Kept};
use hearth_operators::split::{Checker, Rules};
use hearth_operators::words::{ActionId, Catalog, Catalogs, CohortId, HomeId, Shift, Time};
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};

use crate::codec::{MODELS, Part, Reader, Unusable, Writer};
use crate::disk::{self, Disk, Open};
use crate::fleet::Fleet;
use crate::home_names::HomeNames;
use crate::zones::Zones;
pub use merge::merge;

/// Where it lies in an output folder.
pub fn path(dir: &Path) -> PathBuf {
    dir.join("models").join("homes.kept")
}

/// Why there is no model to be had.
#[derive(Debug, thiserror::Error)]
pub enum KeptError {
    /// The folder has none.
    #[error(
        "{0} holds no models of homes (models/homes.kept): they are written at the end of a hearth replay that was not \
         interrupted, in the preset small, of homes with segments"
    )]
    None(PathBuf),
    /// The file cannot be used.
    #[error("{path} {why}; replay the log again")]
    Unusable {
        /// Which.
        path: PathBuf,
        /// Why.
        why: Unusable,
    },
    /// There is no such home.
    #[error("{path} holds no home `{home}`; it holds {nearest}")]
    NoHome {
        /// The file.
        path: PathBuf,
        /// Who was asked for.
        home: String,
        /// Who it may be.
        nearest: String,
    },
}

/// How the run was configured, as far as that is part of its models.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Terms {
    max_gap: i64,
    max_span: i64,
    lateness: i64,
    max_jump: i64,
    checker: Checker,
    /// How many alarms a person wants to see.
    pub budget: Budget,
    /// Segments after which what was synthesized is kept or dropped.
    pub trial: u32,
}

impl Terms {
    /// Of a run.
    pub fn of(settings: &Settings) -> Self {
        let rules = &settings.rules;
        Terms {
            max_gap: rules.max_gap,
            max_span: rules.max_span,
            lateness: rules.lateness,
            max_jump: rules.max_jump,
            checker: rules.checker,
            budget: settings.budget,
            trial: settings.trial,
        }
    }

    /// The rules of its split, for other catalogs.
    pub fn rules(&self, catalogs: Arc<Catalogs>) -> Rules {
        Rules {
            max_gap: self.max_gap,
            max_span: self.max_span,
            lateness: self.lateness,
            max_jump: self.max_jump,
            max_lead: Rules::lead(self.max_gap, self.lateness, self.max_jump),
            keep: None,
            ask_after: None,
            checker: self.checker,
            catalogs,
        }
    }
}

/// What is known of a home without reading its model.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Entry {
    /// Its name.
    pub home: String,
    /// Its cohort, by position.
    cohort: usize,
    /// Behaviours that were learnt.
    pub behaviors: i64,
    /// When the first segment that its detector counts started.
    pub since: Option<Time>,
    /// When its newest segment ended.
    pub until: Option<Time>,
    /// The shift that began its regime.
    pub shift: Option<Shift>,
    /// Its zone, where that was given.
    zone: Option<String>,
    /// Where its model lies.
    pub part: Part,
}

impl Entry {
    /// Its zone, where that was given.
    pub fn zone(&self) -> Option<TimeZone> {
        TimeZone::get(self.zone.as_deref()?).ok()
    }
}

#[derive(Serialize, Deserialize)]
struct Cohort {
    name: Option<String>,
    part: Part,
}

#[derive(Serialize, Deserialize)]
struct Index {
    terms: Terms,
    cohorts: Vec<Cohort>,
    /// In order of names.
    homes: Vec<Entry>,
}

/// A catalog as its file is written, for its ids are positions in that.
type CatalogText = String;

/// Who the homes of a run are.
pub struct Homes {
    /// Their names.
    pub names: HomeNames,
    /// Their catalogs.
    pub catalogs: Arc<Catalogs>,
    /// The names of their cohorts, by id but for the first one.
    pub cohorts: Vec<String>,
    /// Their zones.
    pub zones: Zones,
}

impl Homes {
    /// The homes of a fleet.
    pub fn of(fleet: Fleet) -> Self {
        Homes {
            names: fleet.homes,
            catalogs: fleet.catalogs,
            cohorts: fleet.cohorts,
            zones: fleet.zones,
        }
    }
}

/// Writes the models of a run into its output folder; whole, or not at all.
///
/// # Errors
/// The file cannot be written.
pub fn write(
    disk: &Disk,
    dir: &Path,
    homes: &Homes,
    terms: Terms,
    mut kept: Kept,
) -> io::Result<()> {
    let path = path(dir);
    let new = path.with_extension("kept.new");
    disk.create_folder(&dir.join("models"))?;
    let mut file = create(disk, &new)?;
    for home in kept.homes.keys() {
        let cohort = homes.catalogs.cohort_of(*home);
        kept.cohorts.entry(cohort).or_default();
    }
    let ids: Vec<CohortId> = kept.cohorts.keys().copied().collect();
    let mut index = Index {
        terms,
        cohorts: Vec::new(),
        homes: Vec::new(),
    };
    for (id, model) in kept.cohorts {
        let catalog = text(homes.catalogs.cohort(id))?;
        let named =
            id.0.checked_sub(1)
                .and_then(|place| homes.cohorts.get(place as usize));
        index.cohorts.push(Cohort {
            name: named.cloned(),
            part: file.add(&(model, catalog))?,
        });
    }
    for (home, model) in kept.homes {
        index
            .homes
            .push(entry(&mut file, homes, &ids, home, &model.open())?);
    }
    index.homes.sort_by(|a, b| a.home.cmp(&b.home));
    finish(file, &index)?;
    disk.rename(&new, &path)?;
    disk.sync_folder(&dir.join("models"))
}

/// A new file; whatever stood there is gone.
fn create(disk: &Disk, path: &Path) -> io::Result<Writer<BufWriter<disk::File>>> {
    let out = BufWriter::with_capacity(1 << 18, disk.open(path, Open::Anew)?);
    Writer::new(out, &MODELS)
}

/// The file is whole, and on the disk.
fn finish(file: Writer<BufWriter<disk::File>>, index: &Index) -> io::Result<()> {
    let (out, _) = file.finish(index)?;
    out.into_inner()?.sync()
}

/// Takes a home's model out of a folder's file of models. Whether it was there.
///
/// # Errors
/// The file is damaged, or another cannot be written in its place.
pub fn remove(dir: &Path, home: &str) -> Result<bool, KeptError> {
    if !path(dir).exists() {
        return Ok(false);
    }
    let models = Models::open(dir)?;
    if !models.homes().iter().any(|entry| entry.home == home) {
        return Ok(false);
    }
    let unusable = |why| KeptError::Unusable {
        path: path(dir),
        why,
    };
    models.without(home, dir).map_err(unusable)?;
    Ok(true)
}

fn entry(
    file: &mut Writer<BufWriter<disk::File>>,
    homes: &Homes,
    cohorts: &[CohortId],
    home: HomeId,
    model: &HomeModel,
) -> io::Result<Entry> {
    let catalogs = &homes.catalogs;
    let own = match catalogs.own_words(home) {
        Some(to) => Some((text(catalogs.of(home))?, to.to_vec())),
        None => None,
    };
    let cohort = catalogs.cohort_of(home);
    let zone = homes.zones.of(home).and_then(|zone| zone.iana_name());
    Ok(Entry {
        home: homes.names.name(home).to_string(),
        cohort: cohorts.partition_point(|known| *known < cohort),
        behaviors: model.habits().learnt_behaviors(),
        since: model.detector().since(),
        until: model.newest(),
        shift: model.shift().cloned(),
        zone: zone.map(str::to_owned),
        part: file.add(&(model, own))?,
    })
}

fn text(catalog: &Catalog) -> io::Result<CatalogText> {
    serde_json::to_string(catalog).map_err(io::Error::other)
}

/// The models of an output folder.
pub struct Models {
    path: PathBuf,
    file: Reader<File>,
    index: Index,
}

/// A home's model, with all that its use takes.
pub struct Opened {
    /// What is known of it.
    pub entry: Entry,
    /// The name of its cohort, where it has one.
    pub cohort_name: Option<String>,
    /// The model.
    pub model: HomeModel,
    /// What its cohort knows.
    pub cohort: CohortModel,
    /// How it speaks: it is the first home of these.
    pub catalogs: Arc<Catalogs>,
}

/// The home of [`Opened::catalogs`].
pub const HOME: HomeId = HomeId(0);

impl Models {
    /// Opens those of an output folder; no model is read.
    ///
    /// # Errors
    /// There are none, or they cannot be used.
    pub fn open(dir: &Path) -> Result<Self, KeptError> {
        let path = path(dir);
        if !path.is_file() {
            return Err(KeptError::None(dir.to_owned()));
        }
        let opened = File::open(&path).map_err(Unusable::from);
        match opened.and_then(|file| Reader::open(file, &MODELS)) {
            Ok((file, index)) => Ok(Models { path, file, index }),
            Err(why) => Err(KeptError::Unusable { path, why }),
        }
    }

    /// All homes, in order of names.
    pub fn homes(&self) -> &[Entry] {
        &self.index.homes
    }

    /// The name of a home's cohort, where it has one.
    pub fn cohort_of(&self, entry: &Entry) -> Option<&str> {
        self.index.cohorts.get(entry.cohort)?.name.as_deref()
    }

    /// How the run was configured.
    pub fn terms(&self) -> &Terms {
        &self.index.terms
    }

    /// Reads a home's model.
    ///
    /// # Errors
    /// There is no such home, or its part of the file is damaged.
    pub fn home(&self, name: &str) -> Result<Opened, KeptError> {
        let found = self
            .homes()
            .binary_search_by(|entry| entry.home.as_str().cmp(name));
        let Ok(found) = found else {
            return Err(self.no_home(name));
        };
        let read = self.read(&self.homes()[found]);
        read.map_err(|why| KeptError::Unusable {
            path: self.path.clone(),
            why,
        })
    }

    fn read(&self, entry: &Entry) -> Result<Opened, Unusable> {
        let senseless = || Unusable::Damaged("a catalog makes no sense");
        let catalog = |text: &str| -> Result<Arc<Catalog>, Unusable> {
            serde_json::from_str(text)
                .map(Arc::new)
                .map_err(|_| senseless())
        };
        let cohort = self.index.cohorts.get(entry.cohort).ok_or_else(senseless)?;
        let (known, words): (CohortModel, CatalogText) = self.file.part(cohort.part)?;
        let (model, own): (HomeModel, Option<(CatalogText, Vec<ActionId>)>) =
            self.file.part(entry.part)?;
        let own = match own {
            Some((words, to)) => Some((catalog(&words)?, to)),
            None => None,
        };
        let catalogs = Catalogs::of_one(catalog(&words)?, own).ok_or_else(senseless)?;
        Ok(Opened {
            entry: entry.clone(),
            cohort_name: cohort.name.clone(),
            model,
            cohort: known,
            catalogs,
        })
    }

    /// Writes all but one home's in place of the file.
    fn without(&self, home: &str, dir: &Path) -> Result<(), Unusable> {
        let Models { file, index, .. } = self;
        let new = path(dir).with_extension("kept.new");
        let disk = Disk::real();
        let mut to = create(&disk, &new)?;
        let mut left = Index {
            terms: index.terms.clone(),
            cohorts: Vec::new(),
            homes: Vec::new(),
        };
        for Cohort { name, part } in &index.cohorts {
            let (name, part) = (name.clone(), to.copy(file, *part)?);
            left.cohorts.push(Cohort { name, part });
        }
        for entry in index.homes.iter().filter(|entry| entry.home != home) {
            let part = to.copy(file, entry.part)?;
            left.homes.push(Entry {
                part,
                ..entry.clone()
            });
        }
        finish(to, &left)?;
        Ok(disk.rename(&new, &path(dir))?)
    }

    fn no_home(&self, name: &str) -> KeptError {
        let mut names: Vec<&str> = self
            .homes()
            .iter()
            .map(|entry| entry.home.as_str())
            .collect();
        names.sort_by_key(|known| strsim::damerau_levenshtein(known, name));
        let nearest = names.iter().take(3).map(|name| format!("`{name}`"));
        let nearest: Vec<String> = nearest.collect();
        let more = match names.len().saturating_sub(nearest.len()) {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        KeptError::NoHome {
            path: self.path.clone(),
            home: name.to_owned(),
            nearest: format!("{}{more}", nearest.join(", ")),
        }
    }
}
