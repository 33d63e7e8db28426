//! Table 9 and Figures 5 and 6: how much compression takes away, and what is lost by it.

use std::collections::BTreeSet;

use anyhow::{Result, bail};
use hearth_operators::reference::compress;
use hearth_operators::words::Sequence;
use rand::seq::index;

use crate::experiment::cells::{Cell, Measured, timed};
use crate::experiment::data::{Pair, Store};
use crate::experiment::metrics::{Figure, Figures};
use crate::models::{Autoencoder, Embedder, WINDOW, generator, mean};
use crate::synthesizers::rows;
use crate::trainer::{Purpose, Settings, learn, losses, split};

/// What is kept of the source: all; one of each distinct sequence; the representatives that Hearth keeps (SSC); those of all
/// weekdays together; as many drawn at random as SSC keeps.
pub(super) const METHODS: [&str; 5] = ["full", "identity", "SSC", "similarity", "random"];

/// α, as `replay` has it by default.
const SIMILARITY: f32 = 0.9;

/// Characters of English and of names that make a token of the usual language models.
const CHARACTERS: f64 = 4.0;

/// Compresses four fifths of the source, trains a detector on what is kept, and takes its mean loss a behaviour on the other
/// fifth. `reduction` is of the split sequences, `reduction:unsplit` what Table 9 gives: kept split ones against unsplit ones.
pub(super) fn measure(cell: &Cell, pair: &Pair, store: &Store) -> Result<Measured> {
    let material = store.material(pair)?;
    let catalog = &material.catalog;
    let settings = Settings {
        preset: store.preset(),
        seed: cell.seed,
    };
    let foundation = store.foundation(pair)?;
    let unsplit = match store.repository(pair) {
        Ok(repository) => repository.whole_source(pair.shift).ok(),
        Err(_) => None,
    };
    let parts = split(
        material.source.iter().collect(),
        settings.seed_for(Purpose::Split),
    );
    timed(|| {
        let embedder = Embedder::load(catalog, settings.preset, &foundation.encoder)?;
        let leaders = |by_weekday: bool| -> Result<Vec<&Sequence>> {
            let mut kept = Vec::new();
            for weekday in 0..if by_weekday { 7 } else { 1 } {
                let bucket = parts.train.iter().copied();
                let bucket: Vec<&Sequence> = bucket
                    .filter(|s| !by_weekday || s.weekday() == weekday)
                    .collect();
                let embedded = bucket.iter().map(|s| embedder.embed(s));
                let embedded = embedded.collect::<Result<Vec<_>, _>>()?;
                let chosen = compress(&embedded, SIMILARITY);
                let chosen = bucket.into_iter().zip(chosen);
                kept.extend(chosen.filter(|(_, kept)| *kept).map(|(s, _)| s));
            }
            Ok(kept)
        };
        let kept: Vec<&Sequence> = match cell.method.as_str() {
            "full" => parts.train.clone(),
            "identity" => {
                let distinct: BTreeSet<&Sequence> = parts.train.iter().copied().collect();
                distinct.into_iter().collect()
            }
            "SSC" => leaders(true)?,
            "similarity" => leaders(false)?,
            "random" => {
                let count = leaders(true)?.len();
                let mut rng = generator(cell.seed, 0);
                let drawn = index::sample(&mut rng, parts.train.len(), count);
                drawn.into_iter().map(|at| parts.train[at]).collect()
            }
            other => bail!("there is no compression `{other}`"),
        };
        let seed = settings.seed_for(Purpose::Detector);
        let preset = settings.preset;
        let model = Autoencoder::fresh(catalog, preset.detector(), &mut generator(seed, 0))?;
        learn(&model, &kept, WINDOW, &preset.detector_plan(), seed)?;
        let loss = mean(&losses(&model, &parts.held, WINDOW)?);

        let characters = |sequences: &[&Sequence]| -> usize {
            let texts = sequences
                .iter()
                .map(|s| format!("{:?}", rows(catalog, s)).len());
            texts.sum()
        };
        let saved = characters(&parts.train) - characters(&kept).min(characters(&parts.train));
        let mut figures = Figures::new();
        let mut put = |name: &str, number: f64| {
            figures.insert(name.to_owned(), Figure::One(number));
        };
        let all = parts.train.len() as f64;
        put("kept", kept.len() as f64);
        put("sequences", all);
        put("reduction", 1.0 - kept.len() as f64 / all);
        if let Some(unsplit) = unsplit {
            // Four fifths of the split sequences are compressed here.
            let unsplit = 0.8 * unsplit as f64;
            put("reduction:unsplit", 1.0 - kept.len() as f64 / unsplit);
        }
        put("saved_tokens_k", saved as f64 / CHARACTERS / 1000.0);
        put("loss", f64::from(loss));
        Ok(figures)
    })
}
