//! The dataflow, whole: from behaviours to adapted models and scores, one line an operator.
//!
//! ```text
//! behaviors ══exchange(home)══> split ──> segments(±) ─> transitions(±)
//!                                 │         └─> shifts ─┬─> embed ─> compress(±) ─────┐
//! notices ────────────────────────┴──────────────┘      └─> ended regimes ─┬─> hints ─┼─> requests
//!                                                                          └──────────┘
//! requests ═offload(synthesizer)═> validate ─> gather ═offload(filter)═> verdicts ═offload(trainer)═> adaptations
//! segments, requests, adaptations ──> score ─> scores, what became of versions
//! segments ─> warm_up ═offload(foundation)═> what embed, gather and score begin with
//! ```
//!
//! It is a line from start to end: an operator that took a feedback edge would have its frontier held back by every open
//! request, so versions on trial are judged inside `score`.

use hearth_operators::compress::{Alpha, Compress};
use hearth_operators::embed::Embed;
use hearth_operators::gather::Gather;
use hearth_operators::hints::Hinting;
use hearth_operators::offload::Offload;
use hearth_operators::request::Requests;
use hearth_operators::score::Scoring;
use hearth_operators::shift::Shifts;
use hearth_operators::split::{Notice, Rules, Split};
use hearth_operators::transitions::Transitions;
use hearth_operators::validate::Validate;
use hearth_operators::warm_up::{Enough, WarmUp};
use hearth_operators::words::{Behavior, Epoch};
use timely::dataflow::operators::vec::{Broadcast, Map};
use timely::dataflow::operators::{Concat, Input};
use timely::dataflow::{InputHandleVec, ProbeHandle, Scope};

use crate::outputs::{Judged, Late, Model, Rejection};
use crate::services::Services;
use crate::sinks::{Out, RowSender};

/// What the dataflow is built with.
#[derive(Clone)]
pub struct Settings {
    /// Limits of the split.
    pub rules: Rules,
    /// Successors of each action in the hints.
    pub top_k: usize,
    /// α of compression.
    pub alpha: Alpha,
    /// What suffices as a warm-up.
    pub warm_up: Enough,
    /// Segments after which a version on trial is judged.
    pub trial: u32,
    /// Jobs of each kind that a worker has out at a time.
    pub limit: usize,
    /// Requests that a worker has out at a time.
    pub requests: usize,
}

/// A worker's hold on its dataflow.
pub struct Dataflow {
    /// Behaviours, in order of ingestion; to be fed on one worker.
    pub behaviors: InputHandleVec<Epoch, Behavior>,
    /// Shifts and the end of the log; to be fed on one worker, they reach all.
    pub notices: InputHandleVec<Epoch, Notice>,
    /// How far events are accounted for and segments and transitions are out.
    pub ingested: ProbeHandle<Epoch>,
    /// How far everything is out.
    pub done: ProbeHandle<Epoch>,
}

/// Builds the dataflow on a worker.
pub fn build(
    scope: Scope<'_, Epoch>,
    settings: &Settings,
    services: &Services,
    rows: &RowSender,
) -> Dataflow {
    let (behaviors_in, behaviors) = scope.new_input::<Vec<Behavior>>();
    let (notices_in, notices) = scope.new_input::<Vec<Notice>>();
    let Settings {
        top_k,
        alpha,
        warm_up,
        trial,
        limit,
        ..
    } = *settings;
    let notices = notices.broadcast();

    let split = behaviors.split(notices.clone(), settings.rules.clone());
    let segments = split.segments;
    let shifts = segments.clone().shifts(split.settled, notices.clone());
    let over = shifts.ended.clone().map(|(key, _)| key);
    let transitions = segments.clone().transitions();
    let hints = shifts.ended.clone().hints(top_k);
    let warm_up = segments.clone().warm_up(notices, warm_up);
    let trained = warm_up.offload("Foundation", services.foundation.clone(), 1);
    let foundation = trained.clone().broadcast();
    let embedded = shifts
        .regimes
        .embed(foundation.clone(), services.encoder.clone(), limit);
    let representatives = embedded.compress(over, alpha);
    let requests = representatives.clone().requests(shifts.ended, hints);

    let asked = requests.clone().flat_map({
        // Without a synthesizer nothing is asked, and no home waits for an answer.
        let anyone = services.synthesizer.is_some();
        move |request| anyone.then_some(request)
    });
    let keys = asked.clone().map(|request| request.key.shift);
    let replies = asked.offload("Synthesize", services.synthesizer(), settings.requests);
    let (answered, invalid) = replies.validate(settings.rules.catalog.clone());
    let candidates = answered.gather(foundation.clone());
    let filtered = candidates.offload("Filter", services.filter.clone(), limit);
    let adaptations = filtered
        .clone()
        .offload("Train", services.trainer.clone(), limit);
    let models = services.models.clone();
    let scored =
        segments
            .clone()
            .score(keys, adaptations.clone(), foundation, models, trial, limit);

    let (ingested, done) = (ProbeHandle::new(), ProbeHandle::new());
    let out = Out {
        rows,
        probes: &[&ingested, &done],
    };
    out.write(segments.inner);
    out.write(transitions.inner);
    out.count(split.accounts.clone());
    out.write(split.accounts.clone().flat_map(Late::of));
    let refused = shifts.refused.map(Rejection::Shift);
    out.write(split.accounts.flat_map(Rejection::of).concat(refused));
    let out = Out {
        rows,
        probes: &[&done],
    };
    out.write(representatives.inner);
    out.write(requests);
    let filtered = filtered.flat_map(|f| f.verdicts).map(Judged::Filtered);
    out.write(invalid.map(Judged::Invalid).concat(filtered));
    let versions = adaptations.clone().flat_map(|a| a.versions);
    out.write(versions.map(|(_, line)| line).concat(scored.adjustments));
    out.write(scored.scores);
    out.save(trained.flat_map(|f| Model::of_cohort(&f)));
    out.save(adaptations.flat_map(|a| Model::of_home(&a)));

    Dataflow {
        behaviors: behaviors_in,
        notices: notices_in,
        ingested,
        done,
    }
}
