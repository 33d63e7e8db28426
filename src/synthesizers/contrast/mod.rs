//! The synthesizer that asks a language model for no answer: how likely it holds a device, or an hour, in the new context beside
//! the old says how a home's past is to be weighed. Nothing is parsed, nothing outside the catalog can be written, and contexts
//! may be free words.

mod ratios;
mod reweigh;
mod sentences;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use hearth_operators::words::{Catalog, Catalogs, Request, Sequence, ShiftKind, Written};

use super::per_catalog::Each;
use super::sampling::{is_routine, rng_of_request, sample};
use super::vocabulary::{BEGINS, Vocabulary};
use super::{Synthesizer, rows, schedule};
use crate::phrases::{Phrase, words};
pub use ratios::{Judge, Ratios};
use reweigh::{Reweighed, STRANGERS};
use sentences::{Asked, HOUR_WORDS};

/// As flags and messages call it.
const NAME: &str = "contrast";

/// The contrast synthesizer for homes of one catalog.
pub struct Contrast {
    vocabulary: Vocabulary,
    /// By device, its name in plain words.
    names: Vec<String>,
    begins: Vec<Phrase>,
    ratios: Arc<Ratios>,
    seed: u64,
}

impl Contrast {
    /// For homes with catalogs of their own.
    pub fn of_each(catalogs: Arc<Catalogs>, ratios: Arc<Ratios>, seed: u64) -> impl Synthesizer {
        let known = catalogs.clone();
        let of = move |home| Contrast::new(known.of(home).clone(), ratios.clone(), seed);
        Each::new(NAME, catalogs, of)
    }

    /// For the homes of a catalog. Answers depend on the model, the seed and the request alone.
    pub fn new(catalog: Arc<Catalog>, ratios: Arc<Ratios>, seed: u64) -> Self {
        let devices = catalog.devices().iter();
        Contrast {
            names: devices.map(|device| plain(&device.name)).collect(),
            begins: BEGINS.iter().copied().filter_map(Phrase::new).collect(),
            vocabulary: Vocabulary::new(catalog),
            ratios,
            seed,
        }
    }

    /// What the model makes of the home's past.
    ///
    /// # Errors
    /// A sentence saying why it can say nothing of the shift.
    pub(super) fn sequences(&self, request: &Request) -> Result<Vec<Sequence>, String> {
        let mut rng = rng_of_request(self.seed, request.key);
        let regime = &request.regime;
        let routines = regime.source.iter().filter(|s| is_routine(s, request));
        let routines: Vec<&Sequence> = routines.collect();
        let hours = match regime.shift.kind {
            // Neither moves a day.
            ShiftKind::Season | ShiftKind::Occupancy => Vec::new(),
            _ => {
                let words = HOUR_WORDS.map(str::to_owned);
                self.said(request, Asked::Hours, &words)?
            }
        };
        let reweighed = self.reweighed(request, &regime.source, STRANGERS, &hours)?;
        let past = sample(&routines, request, &mut rng);
        let new = past
            .into_iter()
            .map(|source| reweighed.apply(&self.vocabulary, source, &mut rng));
        let left = new.filter(|sequence| !sequence.0.is_empty());
        Ok(left
            .map(|new| schedule::moved(&new, &[reweighed.moves; 8]))
            .collect())
    }

    /// Sequences that are of the new context already, weighed by what the model says of their devices. What is not in them does not
    /// come in: nothing times any ratio is nothing.
    ///
    /// # Errors
    /// As [`Contrast::sequences`].
    pub(super) fn weighed(
        &self,
        request: &Request,
        sequences: &[Sequence],
    ) -> Result<Vec<Sequence>, String> {
        let mut rng = rng_of_request(self.seed, request.key);
        let reweighed = self.reweighed(request, sequences, 0, &[])?;
        let new = sequences
            .iter()
            .map(|sequence| reweighed.apply(&self.vocabulary, sequence, &mut rng));
        Ok(new.filter(|sequence| !sequence.0.is_empty()).collect())
    }

    fn reweighed(
        &self,
        request: &Request,
        sequences: &[Sequence],
        newcomers: usize,
        hours: &[f64],
    ) -> Result<Reweighed, String> {
        let devices = self.said(request, Asked::Devices, &self.names)?;
        let (vocabulary, begins) = (&self.vocabulary, &self.begins);
        Ok(Reweighed::new(
            sequences, newcomers, vocabulary, begins, &devices, hours,
        ))
    }

    fn said(&self, request: &Request, asked: Asked, words: &[String]) -> Result<Vec<f64>, String> {
        let shift = &request.regime.shift;
        if shift.kind == ShiftKind::Drift {
            return Err("a shift that was found has no words to compare".to_owned());
        }
        self.ratios.of(shift, asked, words)
    }
}

/// A device's name in plain words: `AirConditioner 2` is an air conditioner.
fn plain(name: &str) -> String {
    let all = words(name);
    let named = all
        .iter()
        .filter(|word| !word.chars().all(char::is_numeric));
    let plain: Vec<&str> = named.map(String::as_str).collect();
    match plain.is_empty() {
        true => name.to_owned(),
        false => plain.join(" "),
    }
}

impl Synthesizer for Contrast {
    fn synthesize(&self, request: &Request) -> Result<Vec<Written>, String> {
        let sequences = self.sequences(request)?;
        let catalog = &self.vocabulary.catalog;
        Ok(sequences.iter().map(|s| Ok(rows(catalog, s))).collect())
    }

    fn name(&self) -> &str {
        NAME
    }
}
