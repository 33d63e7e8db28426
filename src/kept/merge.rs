//! The models of several folders in one: those of the processes of a run.

use std::path::{Path, PathBuf};

use super::{Cohort, Entry, Index, KeptError, Models, create, finish, path};
use crate::codec::Unusable;
use crate::disk::Disk;

/// Writes the models of `dirs`, whose homes differ, into `out`. Where none has any, nothing is written.
///
/// # Errors
/// A file is damaged, or the new one cannot be written.
pub fn merge(dirs: &[PathBuf], out: &Path) -> Result<(), KeptError> {
    let there = dirs.iter().filter(|dir| path(dir).exists());
    let parts: Vec<Models> = there
        .map(|dir| Models::open(dir))
        .collect::<Result<_, _>>()?;
    write(&parts, out).map_err(|why| KeptError::Unusable {
        path: path(out),
        why,
    })
}

fn write(parts: &[Models], out: &Path) -> Result<(), Unusable> {
    let Some(first) = parts.first() else {
        return Ok(());
    };
    let (disk, new) = (Disk::real(), path(out).with_extension("kept.new"));
    disk.create_folder(&out.join("models"))?;
    let mut to = create(&disk, &new)?;
    let mut index = Index {
        terms: first.index.terms.clone(),
        cohorts: Vec::new(),
        homes: Vec::new(),
    };
    for Models {
        file, index: of, ..
    } in parts
    {
        // What a cohort knows is the same on each process.
        let mut places = Vec::new();
        for Cohort { name, part } in &of.cohorts {
            let known = index.cohorts.iter().position(|cohort| cohort.name == *name);
            if known.is_none() {
                let (name, part) = (name.clone(), to.copy(file, *part)?);
                index.cohorts.push(Cohort { name, part });
            }
            places.push(known.unwrap_or(index.cohorts.len() - 1));
        }
        for entry in &of.homes {
            let place = places.get(entry.cohort);
            index.homes.push(Entry {
                cohort: *place.ok_or(Unusable::Damaged("a home is of no cohort"))?,
                part: to.copy(file, entry.part)?,
                ..entry.clone()
            });
        }
    }
    index.homes.sort_by(|a, b| a.home.cmp(&b.home));
    finish(to, &index)?;
    disk.rename(&new, &path(out))?;
    Ok(disk.sync_folder(&out.join("models"))?)
}
