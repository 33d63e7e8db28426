//! The synthesizer: a request becomes a prompt, a call, a completion, and sequences in the house's own names. Where the
//! model writes edits, all requests of a shift share the completion, or the failure.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use hearth_operators::outside::{Answer, Outside};
use hearth_operators::words::{Reply, Request, Written};
use tokio::runtime::Runtime;

use super::Purse;
use super::calls::Calls;
use super::cassette::{self, Cassette};
use super::client::Client;
use super::edits::{Edited, Editor};
use super::gguf::LocalModel;
use super::ledger::Ledger;
use super::prompt::Outward;
use super::reply::Reader;
use super::shifts::Shifts;
use super::tokens::ceiling;
use super::{Call, CallError, Completion, Finish};
use crate::home_names::HomeNames;
use crate::outputs::{LlmSummary, request_id, shift_id};
use crate::pool::Work;
use crate::stop::Stop;
use crate::synthesizers::Synthesizer;
use crate::synthesizers::per_catalog::PerCatalog;

/// Who completes calls that are not recorded.
pub enum Engine {
    /// A server.
    Server(Box<Client>),
    /// A model file, run here.
    Local(Arc<LocalModel>),
    /// Nobody: recorded answers alone.
    Nobody,
}

impl Engine {
    /// Where answers come from, to be noted beside them.
    fn place(&self) -> String {
        match self {
            Engine::Server(client) => client.endpoint().to_string(),
            Engine::Local(model) => model.name().to_owned(),
            Engine::Nobody => String::new(),
        }
    }
}

/// Answers requests by a language model, on threads of its own: workers and pool never wait for it.
pub struct Llm {
    shared: Arc<Shared>,
    work: Arc<Work>,
    runtime: Option<Runtime>,
}

/// What an [`Llm`] is made of.
pub struct Parts {
    /// Requests into calls.
    pub calls: Calls,
    /// Replies into sequences, by catalog; or why that cannot be.
    pub reading: PerCatalog<Result<Arc<Reading>, String>>,
    /// Names of homes: for the ledger and the cassette's labels, which stay in the house.
    pub homes: HomeNames,
    /// Who is asked.
    pub engine: Arc<Engine>,
    /// What was answered before.
    pub cassette: Cassette,
    /// What may be spent; recorded answers cost nothing.
    pub ledger: Option<Ledger>,
    /// Whether to stop.
    pub stop: Stop,
}

/// What a reply is read as.
pub enum Reading {
    /// Sequences, in the names that were told.
    Sequences(Reader, Arc<Outward>),
    /// Edits of a shift's whole past.
    Edits(Box<Editor>),
}

struct Shared {
    parts: Parts,
    tally: Tally,
    /// Where edits are asked for: what they made of a shift's past, and whether they were recorded.
    shifts: Shifts<Result<(Arc<Edited>, bool), CallError>>,
}

/// What became of requests.
#[derive(Default)]
struct Tally {
    asked: AtomicU64,
    recorded: AtomicU64,
    changed: AtomicU64,
    first_change: OnceLock<String>,
    failed: AtomicU64,
    unaffordable: AtomicU64,
    refused: Mutex<Option<String>>,
}

impl Llm {
    /// Starts the threads on which calls wait; `work` counts requests.
    ///
    /// # Errors
    /// The system gives no more threads.
    pub fn start(parts: Parts, work: Arc<Work>) -> std::io::Result<Self> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            // Calls wait; what they compute is prompts and the reading of replies.
            .worker_threads(2)
            .thread_name("llm")
            .enable_all()
            .build()?;
        let tally = Tally::default();
        Ok(Llm {
            shared: Arc::new(Shared {
                parts,
                tally,
                shifts: Shifts::default(),
            }),
            work,
            runtime: Some(runtime),
        })
    }

    /// What came of it so far.
    pub fn summary(&self) -> LlmSummary {
        let Shared { parts, tally, .. } = &*self.shared;
        let count = |n: &AtomicU64| n.load(Ordering::Relaxed);
        LlmSummary {
            model: parts.calls.model().to_owned(),
            requests: count(&tally.asked),
            recorded: count(&tally.recorded),
            changed: count(&tally.changed),
            first_change: tally.first_change.get().cloned(),
            failed: count(&tally.failed),
            unaffordable: count(&tally.unaffordable),
            refused: lock(&tally.refused).clone(),
            spent: parts.ledger.as_ref().map(Ledger::totals),
        }
    }
}

impl Drop for Llm {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            // Nobody waits for what is still open, and a hung server must not hold the end of a run.
            runtime.shutdown_background();
        }
    }
}

impl Outside<Arc<Request>, Reply> for Llm {
    fn ask(&self, request: Arc<Request>, answer: Answer<Reply>) {
        let (shared, work) = (self.shared.clone(), self.work.clone());
        work.asked.fetch_add(1, Ordering::Relaxed);
        if let Some(runtime) = &self.runtime {
            runtime.spawn(async move {
                let outcome = shared.answer(&request).await;
                if !shared.parts.stop.is_stopped() {
                    answer.send(Reply { request, outcome });
                }
                work.done.fetch_add(1, Ordering::Relaxed);
            });
        }
    }
}

/// For those who have a thread to wait on.
impl Synthesizer for Llm {
    fn synthesize(&self, request: &Request) -> Result<Vec<Written>, String> {
        match &self.runtime {
            Some(runtime) => runtime.block_on(self.shared.answer(request)),
            None => Err("the language model's threads are gone".to_owned()),
        }
    }

    fn name(&self) -> &str {
        self.shared.parts.calls.model()
    }
}

impl Shared {
    async fn answer(&self, request: &Request) -> Result<Vec<Written>, String> {
        let Tally {
            asked,
            failed,
            unaffordable,
            refused,
            ..
        } = &self.tally;
        asked.fetch_add(1, Ordering::Relaxed);
        let outcome = self.sequences(request).await;
        outcome.map_err(|error| {
            failed.fetch_add(1, Ordering::Relaxed);
            match &error {
                CallError::Refused(reason) => {
                    lock(refused).get_or_insert_with(|| reason.clone());
                }
                CallError::Unaffordable(_) => {
                    unaffordable.fetch_add(1, Ordering::Relaxed);
                }
                CallError::Failed(_) => {}
            }
            error.to_string()
        })
    }

    async fn sequences(&self, request: &Request) -> Result<Vec<Written>, CallError> {
        let home = self.parts.homes.name(request.key.shift.home);
        let reading = self.parts.reading.of(request.key.shift.home);
        let reading = Result::clone(&reading).map_err(CallError::Failed)?;
        let (written, recorded) = match &*reading {
            Reading::Sequences(reader, outward) => {
                let label = request_id(&home, &request.key);
                let (call, answer) = self.answered(request, &home, &label).await?;
                let written = reader.read(&answer.completion.text, &[&call.system, &call.user]);
                let own = |row| outward.pseudonyms.own(row);
                let own = |rows: Vec<_>| rows.into_iter().map(own).collect();
                let written = written.map_err(CallError::Failed)?.into_iter();
                let written = written.map(|sequence| sequence.map(own)).collect();
                (written, answer.recorded)
            }
            Reading::Edits(editor) => {
                let ask = || self.edited(editor, request, &home);
                let (edited, recorded) = self.shifts.once(request, ask).await?;
                (editor.answer(request, &edited), recorded)
            }
        };
        if recorded {
            self.tally.recorded.fetch_add(1, Ordering::Relaxed);
        }
        Ok(written)
    }

    /// What the model's edits make of a shift's past, and whether they were recorded. Any of the shift's requests may ask.
    async fn edited(
        &self,
        editor: &Editor,
        request: &Request,
        home: &str,
    ) -> Result<(Arc<Edited>, bool), CallError> {
        let label = shift_id(home, request.key.shift);
        let (call, answer) = self.answered(request, home, &label).await?;
        let asked = [&call.system, &call.user, &call.form.schema_words];
        let edited = editor.edit(request, &answer.completion.text, &asked.map(String::as_str));
        let edited = edited.map_err(CallError::Failed)?;
        Ok((Arc::new(edited), answer.recorded))
    }

    /// A request's call and its whole answer. `label` names what it is for.
    async fn answered(
        &self,
        request: &Request,
        home: &str,
        label: &str,
    ) -> Result<(Call, cassette::Answer), CallError> {
        let failed = |reason: String| CallError::Failed(reason);
        let calls = &self.parts.calls;
        let prompt = calls.prompts().write(request);
        let call = prompt.and_then(|prompt| calls.call(request.key.shift.home, prompt));
        let call = call.map_err(|error| failed(error.to_string()))?;
        let answer = self.recorded_or_asked(&call, home, label).await?;
        let stopped = match &answer.completion.finish {
            Finish::Stop => None,
            Finish::Length => Some(cut(&call, &answer.completion)),
            Finish::ContentFilter => {
                Some("the server's content filter withheld the answer".to_owned())
            }
            Finish::Other(reason) => Some(format!("the answer ended for the reason `{reason}`")),
        };
        match stopped {
            Some(reason) => Err(failed(reason)),
            None => Ok((call, answer)),
        }
    }

    /// From the cassette, else from the model.
    async fn recorded_or_asked(
        &self,
        call: &Call,
        home: &str,
        label: &str,
    ) -> Result<cassette::Answer, CallError> {
        let Parts {
            cassette, engine, ..
        } = &self.parts;
        let ask = || self.ask(call, home);
        let answer = cassette.once(label, &engine.place(), call, ask).await?;
        if let Some(changed) = &answer.changed {
            self.tally.changed.fetch_add(1, Ordering::Relaxed);
            self.tally
                .first_change
                .get_or_init(|| format!("{label}: {changed}"));
        }
        Ok(answer)
    }

    async fn ask(&self, call: &Call, home: &str) -> Result<Completion, CallError> {
        let Parts { engine, ledger, .. } = &self.parts;
        let nobody = || CallError::Failed("nobody is asked".to_owned());
        let purse = ledger
            .as_ref()
            .ok_or_else(nobody)?
            .purse(home, ceiling(call));
        match &**engine {
            Engine::Server(client) => client.complete(call, &purse).await,
            Engine::Local(model) => {
                let reservation = purse.reserve().await?;
                let (model, call, stop) = (model.clone(), call.clone(), self.parts.stop.clone());
                let answer = tokio::task::spawn_blocking(move || {
                    model.complete(&call, &|| stop.is_stopped())
                });
                let gone = |_| CallError::Failed("the local model's thread is gone".to_owned());
                let completion = answer.await.map_err(gone)?;
                // What this machine computes is charged by nobody, unless somebody set a price.
                match &completion {
                    Ok(completion) => reservation.settle(completion.usage),
                    Err(_) => reservation.release(),
                }
                completion
            }
            Engine::Nobody => Err(nobody()),
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Where an answer was cut, and by whom: some servers have a window for prompt and answer that is smaller than what was allowed.
fn cut(call: &Call, completion: &Completion) -> String {
    let allowed = u64::from(call.max_tokens);
    match completion.usage {
        Some(usage) if usage.output < allowed => format!(
            "the answer was cut at {} tokens, before the {allowed} of --llm-max-tokens: with a prompt of {} tokens the server's context \
             window is full, or it allows no more; give it a larger one (Ollama: OLLAMA_CONTEXT_LENGTH; llama.cpp: --ctx-size; vLLM: \
             --max-model-len)",
            usage.output, usage.input
        ),
        _ => format!("the answer was cut at {allowed} tokens (--llm-max-tokens)"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::synthesizers::llm::{Finish, Form, Format, Usage};

    #[test]
    fn a_window_that_is_too_small_is_called_so() {
        let form = Form {
            format: Format::Auto,
            schema: serde_json::Value::Null,
            schema_words: String::new(),
            paper_words: String::new(),
        };
        let call = Call {
            model: String::new(),
            system: String::new(),
            user: String::new(),
            form,
            temperature: 0.0,
            seed: None,
            max_tokens: 4000,
        };
        let told = |output| {
            let completion = Completion {
                text: String::new(),
                finish: Finish::Length,
                usage: Some(Usage {
                    input: 3900,
                    output,
                }),
                model: String::new(),
                format: Format::Schema,
            };
            cut(&call, &completion)
        };
        assert!(told(196).contains("OLLAMA_CONTEXT_LENGTH"), "{}", told(196));
        assert!(told(4000).ends_with("cut at 4000 tokens (--llm-max-tokens)"));
    }
}
