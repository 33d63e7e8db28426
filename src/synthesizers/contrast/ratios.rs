//! How much likelier something is in a new context than in the old, as a language model has it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use hearth_operators::words::{Shift, ShiftKind};

use super::sentences::{self, Asked};

/// Knows how likely a text goes on with one word or another.
pub trait Judge: Send + Sync {
    /// The logarithm (natural) of how likely each of the words comes next.
    ///
    /// # Errors
    /// A sentence saying why that cannot be said.
    fn log_likelihoods(&self, text: &str, words: &[String]) -> Result<Vec<f64>, String>;
}

/// By how much likelier a word is, by way of asking.
type Ways = Vec<f64>;

/// What was said of words when contexts of a kind gave way to others.
type Known = Arc<Mutex<HashMap<String, Ways>>>;

/// What a judge says, asked once for each word and shift, whoever wants to know.
pub struct Ratios {
    judge: Arc<dyn Judge>,
    known: Mutex<HashMap<(ShiftKind, String, String, Asked), Known>>,
}

impl Ratios {
    /// Nothing is known yet.
    pub fn new(judge: Arc<dyn Judge>) -> Self {
        Ratios {
            judge,
            known: Mutex::default(),
        }
    }

    /// By how many nats each word of a list is likelier in the new context than in the old, beside the others.
    ///
    /// What a model prefers anyhow is in both contexts and goes; what a sentence makes of all words alike is taken off (the
    /// median of the list); what is left is averaged over all ways of asking, and drawn to nothing by as much as they disagree
    /// (positive-part James–Stein).
    ///
    /// # Errors
    /// As [`Judge::log_likelihoods`].
    pub fn of(&self, shift: &Shift, asked: Asked, words: &[String]) -> Result<Vec<f64>, String> {
        let key = (shift.kind, shift.from.clone(), shift.to.clone(), asked);
        let known = {
            let mut all = self.known.lock().unwrap_or_else(PoisonError::into_inner);
            all.entry(key).or_default().clone()
        };
        // Whoever else wants to know of this shift waits: it is asked once.
        let mut known = known.lock().unwrap_or_else(PoisonError::into_inner);
        let mut new: Vec<String> = words.to_vec();
        new.retain(|word| !known.contains_key(word));
        new.sort_unstable();
        new.dedup();
        if !new.is_empty() {
            for (word, ways) in new.iter().zip(self.ask(shift, asked, &new)?) {
                known.insert(word.clone(), ways);
            }
        }
        let said: Vec<&Ways> = words.iter().map(|word| &known[word]).collect();
        Ok(centred(&said))
    }

    fn ask(&self, shift: &Shift, asked: Asked, words: &[String]) -> Result<Vec<Ways>, String> {
        let mut said: Vec<Ways> = vec![Ways::new(); words.len()];
        for (old, new) in sentences::pairs(shift) {
            for end in asked.ends() {
                let of = |context: &str| {
                    let text = sentences::text(context, end);
                    self.judge.log_likelihoods(&text, words)
                };
                let (old, new) = (of(&old)?, of(&new)?);
                for (ways, (old, new)) in said.iter_mut().zip(old.into_iter().zip(new)) {
                    ways.push(new - old);
                }
            }
        }
        Ok(said)
    }
}

fn centred(said: &[&Ways]) -> Vec<f64> {
    let ways = said.first().map_or(0, |ways| ways.len());
    let middles = (0..ways).map(|way| median(said.iter().map(|ways| ways[way]).collect()));
    let middles: Vec<f64> = middles.collect();
    let apart = |ways: &&Ways| {
        let apart = ways
            .iter()
            .zip(&middles)
            .map(|(more, middle)| more - middle);
        shrunk(&apart.collect::<Vec<_>>())
    };
    said.iter().map(apart).collect()
}

/// The mean, drawn to nothing by what its error is of it.
fn shrunk(asked: &[f64]) -> f64 {
    let n = asked.len() as f64;
    let mean = asked.iter().sum::<f64>() / n;
    if asked.len() < 2 || mean == 0.0 {
        return mean;
    }
    let variance = asked.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / (n - 1.0);
    mean * (1.0 - variance / n / (mean * mean)).max(0.0)
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(0.0)
}
