//! The dataflow, whole: from behaviours to adapted models and scores, one line an operator.
//!
//! ```text
//! behaviors (by home's worker) ─> split ──> segments(±) ─> transitions(±)
//!                                 │         └─> shifts ─┬─> embed ─> compress(±) ─────┐
//! notices ────────────────────────┴──────────────┘      └─> ended regimes ─┬─> hints ─┼─> requests
//!  (shifts, erasures, feedback, queries)                                   └──────────┘
//! requests ═offload(synthesizer)═> validate ─> gather ═offload(filter)═> verdicts
//! segments ─> pooling ══broadcast══> pooled counts
//! segments in regimes, pooled counts, feedback ──> detect ─> judged segments, alarms(±)
//! judged segments, pooled counts, ended regimes, verdicts ──> models ─> scores, what became of what was synthesized
//! shifts that nobody declared: found by shifts ──> drifts, and, if so wished, ended regimes
//! what stands of homes after an erasure: from shifts to detect and models, which learn it anew
//! queries, by what detect and models hold ──> portraits
//! segments ─> warm_up ═offload(foundation)═> what embed and gather begin with
//!
//! where models are trained (the paper's way), instead of pooling and models:
//! verdicts ═offload(trainer)═> adaptations; segments, requests, adaptations ──> score ─> scores, what became of versions
//! ```
//!
//! It is a line from start to end: behind an outside service, an operator that took a feedback edge would have its frontier held back by
//! every open request, so what becomes of a version is decided where it is used. `detect`, which waits for nothing outside, has the one edge
//! back: how far a cohort's scores go is known an epoch later. Two operators share what one of them writes down: `shifts` the segments that
//! stand, for `split` to look back into where something is erased; and `portraits` looks at what `detect` and `models` hold.
//!
//! Replay, benchmarks and the oracle tests build it by [`build`]; what leaves it is theirs to take.

mod state;
mod suspend;

use std::sync::Arc;

use differential_dataflow::VecCollection;
use timely::dataflow::operators::vec::{Broadcast, Map};
use timely::dataflow::operators::{Input, Probe};
use timely::dataflow::{InputHandleVec, ProbeHandle, Scope, StreamVec};

pub use state::{Holds, State};
pub use suspend::{Gate, suspend};

use crate::alarms::Budget;
use crate::compress::{Alpha, Compress};
use crate::detect::{Detect, Raised, Vigilance};
use crate::drift::{Alertness, Drift, Strictness};
use crate::embed::{Embed, ToEmbed};
use crate::gather::Gather;
use crate::hints::Hinting;
use crate::models::{Lessons, Maintenance, Models};
use crate::outside::{Answer, Offload, Outside};
use crate::pooling::Pooling;
use crate::portrait::{Answered, Portraits};
use crate::request::Requests;
use crate::score::{Judgement, Scorer, Scoring, ToScore};
use crate::shift::{Lookout, Placed, Regimes, Shifts, Standing};
use crate::split::{Account, Notice, Rules, Split};
use crate::state::Suspension;
use crate::transitions::{Transition, Transitions};
use crate::validate::{Invalid, Validate};
use crate::warm_up::{Enough, WarmUp, WarmedUp};
use crate::words::{
    Adaptation, Adjustment, Behavior, Candidates, Embedding, Epoch, Filtered, Foundation, Heard,
    Hints, Open, Query, Regime, Reply, Request, Score, Scores, Segment, Shift, ShiftKey,
};

/// What the dataflow is built with.
#[derive(Clone)]
pub struct Settings {
    /// Whether anything is learnt: without it, the dataflow ends with ingestion.
    pub learn: bool,
    /// Limits of the split.
    pub rules: Rules,
    /// Successors of each action in the hints.
    pub top_k: usize,
    /// α of compression.
    pub alpha: Alpha,
    /// What suffices as a warm-up.
    pub warm_up: Enough,
    /// How homes get their models.
    pub models: Fitting,
    /// When what happens is scored, where models are maintained.
    pub scores: Scores,
    /// Segments after which it is judged whether what came of a shift is better.
    pub trial: u32,
    /// How many alarms a person wants to see of a home.
    pub budget: Budget,
    /// Bytes that homes' models take at most, on all workers together, while they are not packed.
    pub model_memory: usize,
    /// Of so many homes at most models work in one go; then what was said leaves. In the log's last epoch all homes end their days.
    pub portion: usize,
    /// When a shift that nobody declared counts as found; `None`: nobody looks for it. Where nothing is learnt, nobody does.
    pub drift: Option<Strictness>,
    /// Whether such a shift ends its home's regime as one that is declared does.
    pub adapts: bool,
    /// Jobs of each kind that a worker has out at a time.
    pub limit: usize,
    /// Requests that a worker has out at a time.
    pub requests: usize,
}

/// How homes get their models.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fitting {
    /// They are maintained: learnt with every segment.
    Maintained,
    /// They are trained outside, at each shift (the paper's way).
    Trained,
}

/// Whoever answers requests.
pub type Answers = Arc<dyn Outside<Arc<Request>, Reply>>;

/// What the dataflow asks the outside for.
#[derive(Clone)]
pub struct Services {
    /// Trains a cohort's first models on the warm-up.
    pub foundation: Arc<dyn Outside<Arc<WarmedUp>, Arc<Foundation>>>,
    /// Embeds sequences.
    pub encoder: Arc<dyn Outside<ToEmbed, Vec<Embedding>>>,
    /// Answers requests; `None`: nobody is asked, and no home waits for an answer.
    pub synthesizer: Option<Answers>,
    /// Judges candidates (TOF).
    pub filter: Arc<dyn Outside<Candidates, Filtered>>,
    /// Adapts a home's models.
    pub trainer: Arc<dyn Outside<Filtered, Adaptation>>,
    /// Scores segments.
    pub models: Arc<dyn Outside<ToScore, Judgement>>,
}

/// What a worker feeds.
pub struct Inputs {
    /// Behaviours of the homes that live on this worker ([`HomeId::worker`](crate::words::HomeId::worker)), in order of
    /// ingestion. An epoch closes when all workers have passed it.
    pub behaviors: InputHandleVec<Epoch, Behavior>,
    /// Shifts, erasures, feedback and the end of the log; to be fed on one worker, they reach all.
    pub notices: InputHandleVec<Epoch, Notice>,
}

/// What ingestion maintains: it waits for nothing outside.
pub struct Ingested<'s> {
    /// Segments.
    pub segments: VecCollection<'s, Epoch, Arc<Segment>, i64>,
    /// The accounting of events.
    pub accounts: StreamVec<'s, Epoch, Account>,
    /// The behaviour graph.
    pub transitions: VecCollection<'s, Epoch, Transition, i64>,
    /// Segments in their regimes, with the shifts that began these.
    pub placed: StreamVec<'s, Epoch, Placed>,
    /// Regimes that ended.
    pub ended: StreamVec<'s, Epoch, (ShiftKey, Arc<Regime>)>,
    /// Shifts that came too late.
    pub refused: StreamVec<'s, Epoch, Shift>,
    /// What stands of the homes of which something was erased.
    pub standing: StreamVec<'s, Epoch, Arc<Standing>>,
    /// Shifts that nobody declared.
    pub found: StreamVec<'s, Epoch, Drift>,
    /// Homes' last segments, where what happens is scored at once.
    pub open: StreamVec<'s, Epoch, Open>,
}

/// What is learnt from it.
pub struct Learnt<'s> {
    /// The sequences on which the first models are trained.
    pub warm_up: StreamVec<'s, Epoch, Arc<WarmedUp>>,
    /// The first models.
    pub foundation: StreamVec<'s, Epoch, Arc<Foundation>>,
    /// Hints of regimes that ended.
    pub hints: StreamVec<'s, Epoch, (ShiftKey, Arc<Hints>)>,
    /// Segments that compression keeps.
    pub representatives: VecCollection<'s, Epoch, (ShiftKey, Arc<Segment>), i64>,
    /// Requests for synthesis.
    pub requests: StreamVec<'s, Epoch, Arc<Request>>,
    /// What of the replies did not pass.
    pub invalid: StreamVec<'s, Epoch, Invalid>,
    /// Candidates with their verdicts.
    pub filtered: StreamVec<'s, Epoch, Filtered>,
    /// New versions of homes' models, where they are trained.
    pub adaptations: Option<StreamVec<'s, Epoch, Adaptation>>,
    /// What a person should look at, where models are maintained.
    pub alarms: Option<Alarms<'s>>,
    /// What became of feedback.
    pub heard: StreamVec<'s, Epoch, Heard>,
    /// Answers to queries: none where models are trained.
    pub portraits: StreamVec<'s, Epoch, Answered>,
    /// Scores of behaviours.
    pub scores: StreamVec<'s, Epoch, Score>,
    /// What became of versions on trial, or of what synthesis taught.
    pub adjustments: StreamVec<'s, Epoch, Adjustment>,
}

/// All streams that leave the dataflow.
pub struct Streams<'s> {
    /// From ingestion.
    pub ingested: Ingested<'s>,
    /// From learning, where anything is learnt.
    pub learnt: Option<Learnt<'s>>,
    /// Tells whether their frontiers mean anything.
    pub suspension: Suspension,
}

/// Builds the dataflow on a worker. Its operators go on with what `state` holds, and keep there what they hold.
pub fn build<'s>(
    scope: Scope<'s, Epoch>,
    settings: &Settings,
    services: &Services,
    state: &Holds,
) -> (Inputs, Streams<'s>) {
    let (behaviors_in, behaviors) = scope.new_input::<Vec<Behavior>>();
    let (notices_in, notices) = scope.new_input::<Vec<Notice>>();
    let inputs = Inputs {
        behaviors: behaviors_in,
        notices: notices_in,
    };
    let notices = notices.broadcast();
    let ingested = ingest(behaviors, notices.clone(), settings, state);
    let learnt = settings
        .learn
        .then(|| learn(&ingested, notices, settings, services, state));
    let suspension = state.suspension().clone();
    let streams = Streams {
        ingested,
        learnt,
        suspension,
    };
    (inputs, streams)
}

/// From behaviours to segments, the behaviour graph and regimes.
fn ingest<'s>(
    behaviors: StreamVec<'s, Epoch, Behavior>,
    notices: StreamVec<'s, Epoch, Notice>,
    settings: &Settings,
    state: &Holds,
) -> Ingested<'s> {
    let rules = settings.rules.clone();
    let split = behaviors.split(
        notices.clone(),
        rules,
        settings.scores,
        state.split.clone(),
        state.past.clone(),
    );
    let segments = split.segments;
    let shifts = segments.clone().shifts(
        (split.settled, split.revised),
        notices,
        lookout(settings, state),
        state.shift.clone(),
        state.past.clone(),
    );
    Ingested {
        transitions: segments.clone().transitions(),
        segments,
        accounts: split.accounts,
        placed: shifts.placed,
        ended: shifts.ended,
        refused: shifts.refused,
        standing: shifts.standing,
        found: shifts.found,
        open: split.open,
    }
}

/// Who looks for shifts that nobody declared.
fn lookout(settings: &Settings, state: &Holds) -> Option<Lookout> {
    let alertness = Alertness {
        catalogs: settings.rules.catalogs.clone(),
        lateness: settings.rules.lateness,
        strictness: settings.drift.filter(|_| settings.learn)?,
        adapts: settings.adapts,
    };
    let state = state.drift.clone();
    Some(Lookout { alertness, state })
}

/// From segments and regimes to models and scores.
fn learn<'s>(
    ingested: &Ingested<'s>,
    notices: StreamVec<'s, Epoch, Notice>,
    settings: &Settings,
    services: &Services,
    state: &Holds,
) -> Learnt<'s> {
    let limit = settings.limit;
    let catalogs = &settings.rules.catalogs;
    let (segments, ended) = (ingested.segments.clone(), ingested.ended.clone());
    let over = ended.clone().map(|(key, _)| key);
    let hints = ended.clone().hints(settings.top_k);
    let warm_up = segments.clone().warm_up(
        notices.clone(),
        catalogs.clone(),
        settings.warm_up,
        state.warm_up.clone(),
    );
    let trained = warm_up.clone().offload(
        "Foundation",
        services.foundation.clone(),
        1,
        state.foundation.clone(),
    );
    let foundation = trained.clone().broadcast();
    let embedded = ingested.placed.clone().regimes().embed(
        foundation.clone(),
        catalogs.clone(),
        services.encoder.clone(),
        limit,
        state.embed.clone(),
    );
    let compressed = embedded.compress(over, settings.alpha, state.compress.clone());
    let asked = compressed
        .sources
        .requests(ended, hints.clone(), state.request.clone());

    let judged = judge(&asked.requests, &foundation, settings, services, state);
    let fitted = match settings.models {
        Fitting::Maintained => {
            // Without a synthesizer nobody waits for answers.
            let anyone = services.synthesizer.is_some();
            let over = ingested.ended.clone();
            let lessons = Lessons {
                awaited: over.flat_map(move |(key, _)| anyone.then_some(key)),
                unasked: asked.unasked.flat_map(move |key| anyone.then_some(key)),
                filtered: judged.filtered.clone(),
            };
            maintain(ingested, notices, lessons, settings, state)
        }
        Fitting::Trained => {
            let ways = (&judged, foundation, notices);
            train(ingested, ways, settings, services, state)
        }
    };
    Learnt {
        warm_up,
        foundation: trained,
        hints,
        representatives: compressed.representatives,
        requests: asked.requests,
        invalid: judged.invalid,
        filtered: judged.filtered,
        adaptations: fitted.adaptations,
        alarms: fitted.alarms,
        heard: fitted.heard,
        portraits: fitted.portraits,
        scores: fitted.scores,
        adjustments: fitted.adjustments,
    }
}

/// What becomes of requests.
struct Judged<'s> {
    /// The shifts whose requests went out.
    keys: StreamVec<'s, Epoch, ShiftKey>,
    invalid: StreamVec<'s, Epoch, Invalid>,
    filtered: StreamVec<'s, Epoch, Filtered>,
}

/// From requests to verdicts.
fn judge<'s>(
    requests: &StreamVec<'s, Epoch, Arc<Request>>,
    foundation: &StreamVec<'s, Epoch, Arc<Foundation>>,
    settings: &Settings,
    services: &Services,
    state: &Holds,
) -> Judged<'s> {
    let (catalogs, limit) = (&settings.rules.catalogs, settings.limit);
    // Without a synthesizer nothing is asked.
    let anyone = services.synthesizer.is_some();
    let asked = requests.clone().flat_map(move |r| anyone.then_some(r));
    let keys = asked.clone().map(|request| request.key.shift);
    let replies = asked.offload(
        "Synthesize",
        services.synthesizer(),
        settings.requests,
        state.synthesize.clone(),
    );
    let (answered, invalid) = replies.validate(catalogs.clone());
    let candidates = answered.gather(foundation.clone(), catalogs.clone(), state.gather.clone());
    let filtered = candidates.offload(
        "Filter",
        services.filter.clone(),
        limit,
        state.filter.clone(),
    );
    Judged {
        keys,
        invalid,
        filtered,
    }
}

/// Alarms that are raised and withdrawn.
pub type Alarms<'s> = StreamVec<'s, Epoch, (Arc<Raised>, Epoch, i64)>;

/// Models that follow what happens, and what they say.
struct Fitted<'s> {
    adaptations: Option<StreamVec<'s, Epoch, Adaptation>>,
    alarms: Option<Alarms<'s>>,
    heard: StreamVec<'s, Epoch, Heard>,
    portraits: StreamVec<'s, Epoch, Answered>,
    scores: StreamVec<'s, Epoch, Score>,
    adjustments: StreamVec<'s, Epoch, Adjustment>,
}

/// Models that are maintained.
fn maintain<'s>(
    ingested: &Ingested<'s>,
    notices: StreamVec<'s, Epoch, Notice>,
    lessons: Lessons<'s>,
    settings: &Settings,
    state: &Holds,
) -> Fitted<'s> {
    let catalogs = &settings.rules.catalogs;
    let pooled = ingested.placed.clone().pooled(catalogs.clone()).broadcast();
    let watch = Vigilance {
        catalogs: catalogs.clone(),
        lateness: settings.rules.lateness,
        budget: settings.budget,
        // Detectors have a half of it, models the other.
        memory: settings.model_memory / 2,
    };
    let standing = ingested.standing.clone();
    let queries = queries(notices.clone());
    let detected = ingested.placed.clone().detect(
        (standing.clone(), ingested.open.clone()),
        notices,
        pooled.clone(),
        watch,
        (
            state.detect.clone(),
            state.alerts.clone(),
            state.quiet.clone(),
        ),
    );
    let maintenance = Maintenance {
        catalogs: catalogs.clone(),
        lateness: settings.rules.lateness,
        trial: settings.trial,
        scores: settings.scores,
        memory: settings.model_memory / 2,
        portion: settings.portion,
    };
    let (judged, scored) = <(ProbeHandle<_>, ProbeHandle<_>)>::default();
    let models = detected.judged.probe_with(&judged).models(
        (standing, detected.looked),
        pooled,
        lessons,
        maintenance,
        (state.models.clone(), state.readings.clone()),
    );
    let scores = models.scores.probe_with(&scored);
    let closed = match settings.scores {
        Scores::Eager => scored,
        // Scores wait for what is synthesized; who asks does not.
        Scores::Aligned => judged,
    };
    let portraits = queries.portraits(
        closed,
        catalogs.clone(),
        settings.budget,
        (state.detect.clone(), state.models.clone()),
    );
    Fitted {
        adaptations: None,
        alarms: Some(detected.alarms),
        heard: detected.heard,
        portraits,
        scores,
        adjustments: models.adjustments,
    }
}

/// Queries for the homes that live on this worker.
fn queries<'s>(notices: StreamVec<'s, Epoch, Notice>) -> StreamVec<'s, Epoch, Query> {
    let (index, peers) = (notices.scope().index(), notices.scope().peers());
    notices.flat_map(move |notice| notice.query_at(index, peers))
}

/// Feedback where there are no alarms.
fn unheard<'s>(notices: StreamVec<'s, Epoch, Notice>) -> StreamVec<'s, Epoch, Heard> {
    let (index, peers) = (notices.scope().index(), notices.scope().peers());
    let feedback = notices.flat_map(move |notice| notice.feedback_at(index, peers));
    feedback.map(|feedback| Heard {
        feedback,
        known: false,
    })
}

/// Models that are trained at each shift.
fn train<'s>(
    ingested: &Ingested<'s>,
    (judged, foundation, notices): (
        &Judged<'s>,
        StreamVec<'s, Epoch, Arc<Foundation>>,
        StreamVec<'s, Epoch, Notice>,
    ),
    settings: &Settings,
    services: &Services,
    state: &Holds,
) -> Fitted<'s> {
    let limit = settings.limit;
    let adaptations = judged.filtered.clone().offload(
        "Train",
        services.trainer.clone(),
        limit,
        state.train.clone(),
    );
    let scorer = Scorer {
        catalogs: settings.rules.catalogs.clone(),
        models: services.models.clone(),
        trial: settings.trial,
        limit,
    };
    let scored = ingested.segments.clone().score(
        judged.keys.clone(),
        adaptations.clone(),
        foundation,
        scorer,
        state.score.clone(),
    );
    Fitted {
        adaptations: Some(adaptations),
        alarms: None,
        heard: unheard(notices.clone()),
        portraits: queries(notices).map(|query| (query, None)),
        scores: scored.scores,
        adjustments: scored.adjustments,
    }
}

impl Services {
    /// Services that never answer: for a dataflow that learns nothing.
    pub fn nobody() -> Self {
        /// Drops every question.
        struct Nobody;
        impl<Q, A> Outside<Q, A> for Nobody {
            fn ask(&self, _question: Q, _answer: Answer<A>) {}
        }
        Services {
            foundation: Arc::new(Nobody),
            encoder: Arc::new(Nobody),
            synthesizer: None,
            filter: Arc::new(Nobody),
            trainer: Arc::new(Nobody),
            models: Arc::new(Nobody),
        }
    }

    fn synthesizer(&self) -> Answers {
        match &self.synthesizer {
            Some(answers) => answers.clone(),
            // A question whose answer is dropped has none.
            None => Arc::new(|_, answer| drop::<Answer<Reply>>(answer)),
        }
    }
}
