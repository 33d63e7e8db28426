//! Table 9 and Figures 5 and 6: how much compression takes away, and what is lost by it.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::num::NonZeroUsize;

use anyhow::{Context, Result};
use hearth_operators::compress::Alpha;
use hearth_operators::reference::{compress, cosine};
use hearth_operators::words::Sequence;
use rand::seq::index;

use crate::experiment::cells::{Cell, Measured, timed};
use crate::experiment::data::{Pair, Store};
use crate::experiment::metrics::{Figure, Figures};
use crate::models::{Autoencoder, Embedder, ModelError, WINDOW, generator, mean};
use crate::synthesizers::rows;
use crate::trainer::{Purpose, Settings, learn, losses, split};

/// α, as `replay` has it by default.
const ALPHA: Alpha = Alpha::Above(0.9);

/// A budget of representatives a weekday, to be compared with it.
const BUDGET: usize = 10;

/// Characters of English and of names that make a token of the usual language models.
const CHARACTERS: f64 = 4.0;

/// What is kept of the source.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Rule {
    /// All.
    Full,
    /// One of each distinct sequence.
    Identity,
    /// The representatives that Hearth keeps (SSC).
    Representatives,
    /// Those of all weekdays together.
    Similarity,
    /// As many as SSC keeps, chosen greedily so that all of the source is as near as can be to what is kept (facility location;
    /// Nemhauser, Wolsey and Fisher, *An Analysis of Approximations for Maximizing Submodular Set Functions*, 1978). That
    /// needs the whole source at once.
    Coverage,
    /// As many as SSC keeps, drawn.
    Random,
}

/// A way to compress, by its name in tables: `SSC 10 counted`, where 10 is the budget of a weekday.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Way {
    rule: Rule,
    alpha: Alpha,
    /// Whether what is kept counts as often as it represents a sequence, each being represented by the nearest one kept.
    counted: bool,
}

/// All ways by name, in the order of tables.
fn ways() -> Vec<(String, Way)> {
    let way = |name: String, rule, alpha, counted| {
        let way = Way {
            rule,
            alpha,
            counted,
        };
        (name, way)
    };
    let mut ways = vec![
        way("full".into(), Rule::Full, ALPHA, false),
        way("identity".into(), Rule::Identity, ALPHA, false),
        way("similarity".into(), Rule::Similarity, ALPHA, false),
    ];
    let budget = NonZeroUsize::new(BUDGET).map(|most| (format!(" {most}"), Alpha::Budget(most)));
    for (size, alpha) in [(String::new(), ALPHA)].into_iter().chain(budget) {
        for (name, rule, counted) in [
            ("SSC", Rule::Representatives, false),
            ("SSC", Rule::Representatives, true),
            ("random", Rule::Random, false),
            ("random", Rule::Random, true),
            ("coverage", Rule::Coverage, true),
        ] {
            let word = if counted { " counted" } else { "" };
            ways.push(way(format!("{name}{size}{word}"), rule, alpha, counted));
        }
    }
    ways
}

/// The names of all ways to compress.
pub(super) fn methods() -> impl Iterator<Item = String> {
    ways().into_iter().map(|(name, _)| name)
}

/// Compresses four fifths of the source, trains a detector on what is kept, and takes its mean loss a behaviour on the other
/// fifth. `reduction` is of the split sequences, `reduction:unsplit` what Table 9 gives: kept split ones against unsplit ones.
pub(super) fn measure(cell: &Cell, pair: &Pair, store: &Store) -> Result<Measured> {
    let way = ways().into_iter().find(|(name, _)| *name == cell.method);
    let (_, way) = way.with_context(|| format!("there is no compression `{}`", cell.method))?;
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
        let source = Source::embedded(&parts.train, &embedder)?;
        let places = source.keep(&way, cell.seed);
        let kept: Vec<&Sequence> = places.iter().map(|&at| parts.train[at]).collect();
        let learnt = if way.counted {
            source.stand_ins(&places)
        } else {
            kept.clone()
        };
        let seed = settings.seed_for(Purpose::Detector);
        let preset = settings.preset;
        let model = Autoencoder::fresh(catalog, preset.detector(), &mut generator(seed, 0))?;
        learn(&model, &learnt, WINDOW, &preset.detector_plan(), seed)?;
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

/// Sequences with their embeddings.
struct Source<'a> {
    sequences: &'a [&'a Sequence],
    embeddings: Vec<Vec<f32>>,
    /// The first place of each distinct sequence, in order, with how often it comes.
    distinct: Vec<(usize, usize)>,
}

impl<'a> Source<'a> {
    fn embedded(sequences: &'a [&'a Sequence], embedder: &Embedder) -> Result<Self, ModelError> {
        let mut known: BTreeMap<&Sequence, (usize, Vec<f32>)> = BTreeMap::new();
        let mut embeddings = Vec::with_capacity(sequences.len());
        let mut distinct: Vec<(usize, usize)> = Vec::new();
        for (at, sequence) in sequences.iter().copied().enumerate() {
            if let Some((place, embedding)) = known.get(sequence) {
                distinct[*place].1 += 1;
                embeddings.push(embedding.clone());
                continue;
            }
            let embedding = embedder.embed(sequence)?;
            known.insert(sequence, (distinct.len(), embedding.clone()));
            distinct.push((at, 1));
            embeddings.push(embedding);
        }
        Ok(Source {
            sequences,
            embeddings,
            distinct,
        })
    }

    /// The places of what is kept.
    fn keep(&self, way: &Way, seed: u64) -> Vec<usize> {
        let all = self.sequences.len();
        match way.rule {
            Rule::Full => (0..all).collect(),
            Rule::Identity => self.distinct.iter().map(|&(at, _)| at).collect(),
            Rule::Similarity => self.leaders(way.alpha, |_| true),
            Rule::Representatives => self.representatives(way.alpha),
            Rule::Coverage => self.coverage(self.representatives(way.alpha).len()),
            Rule::Random => {
                let count = self.representatives(way.alpha).len();
                index::sample(&mut generator(seed, 0), all, count).into_vec()
            }
        }
    }

    fn representatives(&self, alpha: Alpha) -> Vec<usize> {
        let of = |weekday| self.leaders(alpha, move |s: &Sequence| s.weekday() == weekday);
        (0..7).flat_map(of).collect()
    }

    fn leaders(&self, alpha: Alpha, bucket: impl Fn(&Sequence) -> bool) -> Vec<usize> {
        let places = (0..self.sequences.len()).filter(|&at| bucket(self.sequences[at]));
        let places: Vec<usize> = places.collect();
        let embeddings: Vec<Vec<f32>> = places
            .iter()
            .map(|&at| self.embeddings[at].clone())
            .collect();
        let chosen = places.into_iter().zip(compress(&embeddings, alpha));
        chosen.filter(|(_, kept)| *kept).map(|(at, _)| at).collect()
    }

    /// Adds what brings the most sequences nearer, again and again.
    fn coverage(&self, count: usize) -> Vec<usize> {
        let mut nearest = vec![-1f32; self.distinct.len()];
        let alike = |a: usize, b: usize| cosine(&self.embeddings[a], &self.embeddings[b]);
        let gain = |nearest: &[f32], at: usize| -> f32 {
            let gains = nearest.iter().zip(&self.distinct);
            gains
                .map(|(old, &(other, times))| (alike(at, other) - old).max(0.0) * times as f32)
                .sum()
        };
        // The more is kept, the less another brings: an earlier gain is a bound, and mostly the next one is the best already. The
        // bits of numbers that are not negative are in their order.
        let places = self.distinct.iter().map(|&(at, _)| at);
        let mut bounds: BinaryHeap<(u32, Reverse<usize>)> = places
            .map(|at| (gain(&nearest, at).to_bits(), Reverse(at)))
            .collect();
        let mut kept = Vec::new();
        while let Some((_, Reverse(at))) = bounds.pop().filter(|_| kept.len() < count) {
            let own = (gain(&nearest, at).to_bits(), Reverse(at));
            if bounds.peek().is_some_and(|next| *next > own) {
                bounds.push(own);
                continue;
            }
            for (old, &(other, _)) in nearest.iter_mut().zip(&self.distinct) {
                *old = old.max(alike(at, other));
            }
            kept.push(at);
        }
        kept
    }

    /// Each sequence replaced by the nearest that is kept.
    fn stand_ins(&self, kept: &[usize]) -> Vec<&'a Sequence> {
        let near = |at: usize, kept: usize| cosine(&self.embeddings[at], &self.embeddings[kept]);
        let nearest = |at: usize| {
            let kept = kept.iter().copied();
            kept.max_by(|&a, &b| near(at, a).total_cmp(&near(at, b)))
        };
        let all = (0..self.sequences.len()).filter_map(nearest);
        all.map(|at| self.sequences[at]).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hearth_operators::words::{ActionId, Quadruple};

    /// Sequences told apart by one action each, in a circle.
    fn circle(times: &[usize]) -> Vec<Sequence> {
        let sequence = |(action, &times): (usize, &usize)| {
            let behavior = Quadruple {
                weekday: 0,
                hours: 0,
                action: ActionId(action as u16),
            };
            vec![Sequence(vec![behavior]); times]
        };
        times.iter().enumerate().flat_map(sequence).collect()
    }

    fn source<'a>(sequences: &'a [&'a Sequence], angles: &[f32]) -> Source<'a> {
        let mut distinct: Vec<(usize, usize)> = Vec::new();
        for (at, sequence) in sequences.iter().enumerate() {
            match distinct
                .iter_mut()
                .find(|(first, _)| sequences[*first] == *sequence)
            {
                Some((_, times)) => *times += 1,
                None => distinct.push((at, 1)),
            }
        }
        let angle = |s: &&Sequence| angles[usize::from(s.0[0].action.0)];
        let angles = sequences.iter().map(angle);
        Source {
            sequences,
            embeddings: angles.map(|angle| vec![angle.cos(), angle.sin()]).collect(),
            distinct,
        }
    }

    #[test]
    fn coverage_takes_what_stands_for_the_most() {
        // Two near each other, of which the second is frequent, and one alone.
        let all = circle(&[1, 5, 1]);
        let all: Vec<&Sequence> = all.iter().collect();
        let source = source(&all, &[0.0, 0.2, 2.0]);
        assert_eq!(source.coverage(1), [1]);
        assert_eq!(source.coverage(2), [1, 6]);
        assert_eq!(source.coverage(9).len(), 3);
    }

    #[test]
    fn stand_ins_are_the_nearest_that_are_kept() {
        let all = circle(&[2, 1, 1]);
        let all: Vec<&Sequence> = all.iter().collect();
        let source = source(&all, &[0.0, 0.3, 2.0]);
        assert_eq!(source.stand_ins(&[0, 3]), [all[0], all[0], all[0], all[3]]);
        // One of each distinct sequence, counted, is all.
        let identity = source.distinct.iter().map(|&(at, _)| at);
        assert_eq!(source.stand_ins(&identity.collect::<Vec<_>>()), all);
    }

    #[test]
    fn a_way_is_named_once() {
        let mut names: Vec<String> = methods().collect();
        let count = names.len();
        names.sort();
        names.dedup();
        assert_eq!(names.len(), count);
    }
}
