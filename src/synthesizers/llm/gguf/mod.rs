//! A language model inside Hearth: a GGUF file, run on the CPU. No server, no network; what a home's prompt says does not
//! leave the process.
//!
//! Everything comes from the one file: the weights, the tokenizer, the chat template. Many calls may run at once, each on the
//! thread that makes it: they share the weights, and each has its own memory of keys and values. That suits a process in
//! which tensor arithmetic stays on the calling thread (`main` sees to that), because homes are what runs side by side.

mod decoder;
mod file;
mod likelihood;
mod template;
#[cfg(test)]
mod tests;
mod tokenizer;

use std::path::{Path, PathBuf};

use rand::SeedableRng;
use rand::distr::Distribution;
use rand::distr::weighted::WeightedIndex;
use rand_chacha::ChaCha8Rng;

use super::{Call, CallError, Completion, Finish, Format, Usage};
use decoder::Decoder;
use file::File;
use template::ChatTemplate;
use tokenizer::Tokenizer;

/// Tokens of a prompt that are read at once: more are little faster, take more memory, and a run that is to stop waits for them.
const CHUNK: usize = 128;

/// A model, loaded.
pub struct LocalModel {
    name: String,
    decoder: Decoder,
    tokenizer: Tokenizer,
    template: ChatTemplate,
}

/// Why a model file does not serve.
#[derive(Debug, thiserror::Error)]
#[error("the model file {} {reason}", path.display())]
pub struct LoadError {
    path: PathBuf,
    reason: String,
}

impl LocalModel {
    /// Reads a GGUF file whole: takes about its size in memory. Of any file, however damaged, it says what is wrong.
    ///
    /// # Errors
    /// What is wrong with the file, or which of its kinds is not known.
    pub fn load(path: &Path) -> Result<LocalModel, LoadError> {
        let read = || {
            let mut file = File::open(path)?;
            let within = |reason| format!("does not serve: {reason}");
            let tokenizer = Tokenizer::read(&file).map_err(within)?;
            let source = file.text("tokenizer.chat_template").map_err(|reason| {
                within(format!(
                    "{reason}; a model that was taught to answer has one"
                ))
            })?;
            let template =
                ChatTemplate::new(source, &tokenizer.bos, &tokenizer.eos).map_err(within)?;
            let name = match file.text("general.name") {
                Ok(name) => name.to_owned(),
                Err(_) => path
                    .file_stem()
                    .unwrap_or_default()
                    .to_string_lossy()
                    .into_owned(),
            };
            let decoder = Decoder::read(&mut file).map_err(within)?;
            Ok(LocalModel {
                name,
                decoder,
                tokenizer,
                template,
            })
        };
        read().map_err(|reason| LoadError {
            path: path.to_owned(),
            reason,
        })
    }

    /// The model, as its file names it.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Tokens that a prompt and its answer may have together.
    #[must_use]
    pub fn context(&self) -> usize {
        self.decoder.context()
    }

    /// Tokens of a call's prompt, exactly as [`complete`](Self::complete) counts them.
    ///
    /// # Errors
    /// [`CallError::Failed`] if the prompt cannot be written down.
    pub fn tokens(&self, call: &Call) -> Result<u64, CallError> {
        Ok(self.prompt(call)?.len() as u64)
    }

    /// Answers a call, on this thread. At temperature 0 the answer is the most probable one, else it is drawn from the call's
    /// seed (0 without one): the same call has the same answer. `call.model` is not looked at: there is one model.
    ///
    /// No grammar holds this model to a schema: [`Format::Schema`] is asked for in words, as the paper's form is.
    /// [`Format::Auto`] is the paper's form, as it is wherever no schema is known.
    ///
    /// `stopped` is asked before every token and every 128 of the prompt; once it says true, the call fails.
    ///
    /// # Errors
    /// [`CallError::Failed`]: the prompt leaves no room in the context, the run stopped, or the arithmetic failed.
    pub fn complete(
        &self,
        call: &Call,
        stopped: &dyn Fn() -> bool,
    ) -> Result<Completion, CallError> {
        let failed = |error| CallError::Failed(format!("the local model failed: {error}"));
        let going = || match stopped() {
            true => Err(CallError::Failed("the run was stopped".to_owned())),
            false => Ok(()),
        };
        let prompt = self.prompt(call)?;
        if prompt.len() >= self.context() {
            return Err(CallError::Failed(format!(
                "the prompt has {} tokens, and the context of {} only {}: ask for fewer sequences at once, or use a model with \
                 a longer context",
                prompt.len(),
                self.name,
                self.context()
            )));
        }
        let mut memory = self.decoder.memory();
        let mut hidden = None;
        for chunk in prompt.chunks(CHUNK) {
            going()?;
            hidden = Some(self.decoder.read_on(chunk, &mut memory).map_err(failed)?);
        }
        let Some(mut hidden) = hidden else {
            return Err(CallError::Failed("the prompt is empty".to_owned()));
        };

        let mut pick = Pick::of(call);
        let room = self.context() - prompt.len();
        let most = room.min(usize::try_from(call.max_tokens).unwrap_or(room));
        let mut answer = Vec::new();
        let mut finish = Finish::Length;
        let mut drawn = 0;
        while drawn < most {
            going()?;
            let token = pick.token(&self.decoder.logits(&hidden).map_err(failed)?)?;
            drawn += 1;
            if self.tokenizer.ends(token) {
                finish = Finish::Stop;
                break;
            }
            answer.push(token);
            if drawn < most {
                let next = self.decoder.read_on(&[token], &mut memory);
                hidden = next.map_err(failed)?;
            }
        }
        Ok(Completion {
            text: self.tokenizer.decode(&answer).map_err(CallError::Failed)?,
            finish,
            usage: Some(Usage {
                input: prompt.len() as u64,
                output: drawn as u64,
            }),
            model: self.name.clone(),
            format: format(call),
        })
    }

    /// The tokens of both messages in the model's own form. Nothing in a message passes for that form's marks.
    fn prompt(&self, call: &Call) -> Result<Vec<u32>, CallError> {
        let words = match format(call) {
            Format::Schema => &call.form.schema_words,
            Format::Auto | Format::Paper => &call.form.paper_words,
        };
        let mut system = call.system.clone();
        if !words.is_empty() && !system.is_empty() && !system.ends_with('\n') {
            system.push('\n');
        }
        system.push_str(words);
        // A character that no text means anything by, and that neither message holds.
        let unused =
            ('\u{e000}'..='\u{f8ff}').find(|c| !system.contains(*c) && !call.user.contains(*c));
        let guard = unused.ok_or_else(|| {
            CallError::Failed("the prompt is made of every private character".to_owned())
        })?;
        let guarded = |message: &str| self.tokenizer.guarded(message, guard);
        let text = self
            .template
            .render(&guarded(&system), &guarded(&call.user));
        text.and_then(|text| self.tokenizer.encode(&text, guard))
            .map_err(CallError::Failed)
    }
}

/// The form that is asked for in the end.
fn format(call: &Call) -> Format {
    match call.form.format {
        Format::Schema => Format::Schema,
        Format::Auto | Format::Paper => Format::Paper,
    }
}

/// How the next token is chosen.
enum Pick {
    Likeliest,
    Drawn {
        temperature: f64,
        chance: Box<ChaCha8Rng>,
    },
}

impl Pick {
    fn of(call: &Call) -> Self {
        if call.temperature > 0.0 {
            Pick::Drawn {
                temperature: call.temperature,
                chance: Box::new(ChaCha8Rng::seed_from_u64(call.seed.unwrap_or(0))),
            }
        } else {
            Pick::Likeliest
        }
    }

    /// One token by the logits of all; of equals the first.
    fn token(&mut self, logits: &[f32]) -> Result<u32, CallError> {
        let damaged = || {
            CallError::Failed("the local model computes no numbers: its file is damaged".to_owned())
        };
        let mut best = None;
        for (token, logit) in (0_u32..).zip(logits) {
            if logit.is_nan() {
                return Err(damaged());
            }
            if best.is_none_or(|(_, most)| *logit > most) {
                best = Some((token, *logit));
            }
        }
        let (likeliest, most) = best.ok_or_else(damaged)?;
        match self {
            Pick::Likeliest => Ok(likeliest),
            Pick::Drawn {
                temperature,
                chance,
            } => {
                let weight = |logit: &f32| (f64::from(logit - most) / *temperature).exp();
                let weights = WeightedIndex::new(logits.iter().map(weight));
                let weights = weights.map_err(|_| damaged())?;
                Ok(u32::try_from(weights.sample(chance)).unwrap_or(likeliest))
            }
        }
    }
}
