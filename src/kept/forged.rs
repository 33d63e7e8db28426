//! Files of models with a part that somebody made, whose checksums agree.

use super::*;

/// How many parts a folder's file has.
pub(crate) fn parts(dir: &Path) -> usize {
    let models = Models::open(dir).unwrap();
    1 + models.index.cohorts.len() + models.index.homes.len()
}

/// The unpacked bytes of a part: of the index (0), a cohort or a home.
pub(crate) fn part(dir: &Path, number: usize) -> Vec<u8> {
    let models = Models::open(dir).unwrap();
    let Index { cohorts, homes, .. } = &models.index;
    let parts = cohorts.iter().map(|c| c.part);
    let mut parts = parts.chain(homes.iter().map(|entry| entry.part));
    match number.checked_sub(1) {
        Some(place) => models.file.bytes(parts.nth(place).unwrap()).unwrap(),
        None => bincode::serialize(&models.index).unwrap(),
    }
}

/// Writes the file of `from` into `to`, one part of it being `bytes`.
pub(crate) fn write(from: &Path, to: &Path, number: usize, bytes: &[u8]) {
    let models = Models::open(from).unwrap();
    let mut file = Writer::new(Vec::new(), &MODELS).unwrap();
    let mut index = models.index;
    let cohorts = index.cohorts.iter_mut().map(|cohort| &mut cohort.part);
    let homes = index.homes.iter_mut().map(|entry| &mut entry.part);
    for (place, part) in (1..).zip(cohorts.chain(homes)) {
        *part = match place == number {
            true => file.add_bytes(bytes).unwrap(),
            false => file.copy(&models.file, *part).unwrap(),
        };
    }
    let (written, _) = match number {
        0 => file.finish_with(bytes).unwrap(),
        _ => file.finish(&index).unwrap(),
    };
    std::fs::write(path(to), written).unwrap();
}
