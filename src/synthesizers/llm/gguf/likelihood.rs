//! How likely a text goes on in one way or another: no answer is drawn, nothing is parsed.

use super::{CallError, LocalModel};
use crate::synthesizers::Judge;

/// What is in no text, so that nothing in one passes for a mark of the model's form.
const GUARD: char = '\u{e000}';

impl LocalModel {
    /// The logarithm (natural) of how likely each of some words is what comes next in a text: whole words, all of their tokens together.
    /// The text is read once for all of them. `text` is taken as it stands, without a form of conversation.
    ///
    /// # Errors
    /// [`CallError::Failed`]: all of it has no room in the context, or the arithmetic failed.
    pub fn log_likelihoods(&self, text: &str, words: &[String]) -> Result<Vec<f64>, CallError> {
        let failed = |error| CallError::Failed(format!("the local model failed: {error}"));
        let tokens = |text: &str| {
            let guarded = self.tokenizer.guarded(&text.replace(GUARD, " "), GUARD);
            self.tokenizer.encode(&guarded, GUARD)
        };
        let text = tokens(text).map_err(CallError::Failed)?;
        let first = text.first().copied();
        let ways: Vec<Vec<u32>> = words
            .iter()
            .map(|word| {
                let mut way = tokens(&format!(" {word}")).map_err(CallError::Failed)?;
                // The token that a whole text begins with, where a model has one, begins no word.
                if way.len() > 1 && way.first().copied() == first && self.tokenizer.begins(way[0]) {
                    way.remove(0);
                }
                Ok(way)
            })
            .collect::<Result<_, CallError>>()?;
        let length = text.len() + ways.iter().map(Vec::len).sum::<usize>();
        if text.is_empty() || ways.iter().any(Vec::is_empty) || length > self.context() {
            return Err(CallError::Failed(format!(
                "{} words cannot be compared behind a text of {} tokens by {}, which reads {} at once",
                words.len(),
                text.len(),
                self.name,
                self.context()
            )));
        }
        let branches: Vec<&[u32]> = ways.iter().map(Vec::as_slice).collect();
        let hidden = self
            .decoder
            .read_branches(&text, &branches)
            .map_err(failed)?;
        let row = |at: usize| {
            let logits = self
                .decoder
                .logits(&hidden.narrow(0, at, 1).map_err(failed)?);
            logits.map(Next::new).map_err(failed)
        };
        let first = row(0)?;
        let mut at = 1;
        ways.iter()
            .map(|way| {
                let mut sum = first.of(way[0]);
                for token in &way[1..] {
                    sum += row(at)?.of(*token);
                    at += 1;
                }
                Ok(sum)
            })
            .collect()
    }
}

impl Judge for LocalModel {
    fn log_likelihoods(&self, text: &str, words: &[String]) -> Result<Vec<f64>, String> {
        LocalModel::log_likelihoods(self, text, words).map_err(|error| error.to_string())
    }
}

/// How likely each token is the next.
struct Next {
    logits: Vec<f32>,
    /// The logarithm of the sum of all.
    whole: f64,
}

impl Next {
    fn new(logits: Vec<f32>) -> Self {
        let most = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        let sum: f64 = logits.iter().map(|x| f64::from(x - most).exp()).sum();
        let whole = f64::from(most) + sum.ln();
        Next { logits, whole }
    }

    fn of(&self, token: u32) -> f64 {
        f64::from(self.logits[token as usize]) - self.whole
    }
}
