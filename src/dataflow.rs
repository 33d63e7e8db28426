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

use crossbeam_channel::Sender;
use hearth_operators::compress::{Alpha, Compress};
use hearth_operators::embed::Embed;
use hearth_operators::gather::Gather;
use hearth_operators::hints::Hinting;
use hearth_operators::offload::Offload;
use hearth_operators::request::Requests;
use hearth_operators::score::{Scorer, Scoring};
use hearth_operators::shift::Shifts;
use hearth_operators::split::{Account, Notice, Rules, Split};
use hearth_operators::transitions::{Transition, Transitions};
use hearth_operators::validate::{Invalid, Validate};
use hearth_operators::warm_up::{Enough, WarmUp};
use hearth_operators::words::{
    Adaptation, Adjustment, Behavior, Epoch, Foundation, Outcome, Representative, Task, Weights,
};
use timely::dataflow::channels::pact::Pipeline;
use timely::dataflow::operators::generic::Operator;
use timely::dataflow::operators::vec::{Broadcast, Map};
use timely::dataflow::operators::{Input, Probe};
use timely::dataflow::{InputHandleVec, ProbeHandle, Scope, StreamVec};

use crate::services::Services;
use crate::sinks::{ModelOf, Row};

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
    rows: &Sender<Vec<Row>>,
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
    let catalogs = &settings.rules.catalogs;
    let warm_up = segments.clone().warm_up(notices, catalogs.clone(), warm_up);
    let trained = warm_up.offload("Foundation", services.foundation.clone(), 1);
    let foundation = trained.clone().broadcast();
    let encoder = services.encoder.clone();
    let regimes = shifts.regimes;
    let embedded = regimes.embed(foundation.clone(), catalogs.clone(), encoder, limit);
    let representatives = embedded.compress(over, alpha);
    let requests = representatives.clone().requests(shifts.ended, hints);

    let asked = requests.clone().flat_map({
        // Without a synthesizer nothing is asked, and no home waits for an answer.
        let anyone = services.synthesizer.is_some();
        move |request| anyone.then_some(request)
    });
    let keys = asked.clone().map(|request| request.key.shift);
    let replies = asked.offload("Synthesize", services.synthesizer(), settings.requests);
    let (answered, invalid) = replies.validate(catalogs.clone());
    let candidates = answered.gather(foundation.clone(), catalogs.clone());
    let filtered = candidates.offload("Filter", services.filter.clone(), limit);
    let adaptations = filtered
        .clone()
        .offload("Train", services.trainer.clone(), limit);
    let scorer = Scorer {
        catalogs: catalogs.clone(),
        models: services.models.clone(),
        trial,
        limit,
    };
    let scored = segments
        .clone()
        .score(keys, adaptations.clone(), foundation, scorer);

    let (ingested, done) = (ProbeHandle::new(), ProbeHandle::new());
    let out = Out {
        rows,
        probes: &[&ingested, &done],
    };
    out.write(segments.inner, |_, (segment, epoch, diff)| Row::Segment {
        epoch,
        diff,
        segment,
    });
    out.write(
        transitions.inner,
        |_, (Transition { home, from, to }, epoch, diff)| Row::Transition {
            epoch,
            diff,
            home,
            from,
            to,
        },
    );
    out.write(split.accounts, |_, account| match account {
        Account::Counted { applied, duplicate } => Row::Tally { applied, duplicate },
        Account::Late(behavior) => {
            let reason = "it lies before its home's horizon (newest event minus lateness)".into();
            Row::Late { behavior, reason }
        }
        Account::Rejected(behavior) => {
            let reason =
                "it jumps ahead of its home's newest event and no second event confirms it".into();
            Row::Implausible { behavior, reason }
        }
    });
    let out = Out {
        rows,
        probes: &[&done],
    };
    out.write(shifts.refused, |_, shift| Row::Refused { shift });
    out.write(representatives.inner, |_, ((key, segment), epoch, diff)| {
        let regime = key.regime;
        Row::Representative {
            epoch,
            diff,
            representative: Representative { regime, segment },
        }
    });
    out.write(requests, |epoch, request| Row::Request { epoch, request });
    out.write(invalid, |epoch, invalid| match invalid {
        Invalid::Reply { request, reason } => Row::Failure {
            epoch,
            key: request,
            reason,
        },
        Invalid::Sequence {
            request,
            position,
            rows,
            reason,
        } => Row::Invalid {
            epoch,
            key: request,
            position,
            sequence: rows,
            reason,
        },
    });
    out.write(filtered.flat_map(|f| f.verdicts), |epoch, verdict| {
        Row::Verdict { epoch, verdict }
    });
    out.write(trained.flat_map(|f| cohort_models(&f)), |_, row| row);
    out.write(
        adaptations.clone().flat_map(|a| home_models(&a)),
        |_, row| row,
    );
    let adjustment = |epoch, adjustment: Adjustment| Row::Adjustment { epoch, adjustment };
    let versions = adaptations.flat_map(|a| a.versions.into_iter().map(|(_, line)| line));
    out.write(versions, adjustment);
    out.write(scored.adjustments, adjustment);
    out.write(scored.scores, |epoch, score| Row::Score { epoch, score });

    Dataflow {
        behaviors: behaviors_in,
        notices: notices_in,
        ingested,
        done,
    }
}

/// A cohort's first models, to be saved.
fn cohort_models(foundation: &Foundation) -> Vec<Row> {
    let Foundation {
        cohort,
        encoder,
        detector,
        predictor,
    } = foundation;
    let row = |model, weights: &Weights| Row::Model {
        of: ModelOf::Cohort(*cohort),
        model,
        version: 0,
        weights: weights.clone(),
    };
    vec![
        row("encoder", encoder),
        row("detector", &detector.weights),
        row("predictor", &predictor.weights),
    ]
}

/// The versions of a home that went live, to be saved.
fn home_models(adaptation: &Adaptation) -> Vec<Row> {
    let versions = adaptation.versions.iter();
    let promoted = versions.filter(|(_, line)| line.outcome == Outcome::Promoted);
    promoted
        .map(|(version, line)| Row::Model {
            of: ModelOf::Home(adaptation.key.home),
            model: match line.task {
                Task::Detector => "detector",
                Task::Predictor => "predictor",
            },
            version: version.number,
            weights: version.weights.clone(),
        })
        .collect()
}

/// Where streams leave the dataflow.
struct Out<'a> {
    rows: &'a Sender<Vec<Row>>,
    probes: &'a [&'a ProbeHandle<Epoch>],
}

impl Out<'_> {
    /// Hands a stream's records to the writer as rows; the probes tell how far that is done.
    fn write<D: Clone + 'static>(
        &self,
        stream: StreamVec<'_, Epoch, D>,
        row: impl Fn(Epoch, D) -> Row + 'static,
    ) {
        let rows = self.rows.clone();
        let mut written = stream
            .unary::<timely::container::CapacityContainerBuilder<Vec<()>>, _, _, _>(
                Pipeline,
                "Write",
                |_capability, _info| {
                    move |input, _output| {
                        input.for_each_stamp(|capability, data| {
                            let Some(&epoch) = capability.least() else {
                                return;
                            };
                            let batch = data.flat_map(std::mem::take).map(|d| row(epoch, d));
                            let batch: Vec<Row> = batch.collect();
                            // The writer takes rows until the last sender is gone; only its panic ends it sooner, and
                            // that is reported where it is joined.
                            let _ = rows.send(batch);
                        });
                    }
                },
            );
        for probe in self.probes {
            written = written.probe_with(probe);
        }
    }
}
