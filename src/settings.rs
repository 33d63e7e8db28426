//! From the configuration to what the dataflow is built with.

use std::sync::Arc;

use hearth_operators::alarms::Budget;
use hearth_operators::compress::Alpha;
use hearth_operators::dataflow::{Fitting, Settings};
use hearth_operators::drift::Strictness;
use hearth_operators::split::{self, Rules};
use hearth_operators::warm_up::Enough;
use hearth_operators::words::{Catalogs, Scores};

use crate::config::{self, Checker, Config, OnDrift, Span};
use crate::models::Preset;

/// Questions of each kind that a worker has out at a time, for each thread of the pool.
const QUESTIONS: usize = 4;

/// Homes whose models work in one go, at most.
pub const PORTION: usize = 1 << 10;

/// What the dataflow is built with where this is configured.
pub fn settings(config: &Config, catalogs: &Arc<Catalogs>) -> Settings {
    let [max_gap, lateness, max_jump] =
        [config.max_gap, config.lateness, config.max_jump].map(Span::micros);
    let rules = Rules {
        max_gap,
        max_span: config.max_span.micros(),
        lateness,
        max_jump,
        max_lead: Rules::lead(max_gap, lateness, max_jump),
        keep: config.keep.map(Span::micros),
        // Where shifts are found, which of two comes first is known of what is final alone.
        ask_after: config
            .ask_after
            .micros()
            .filter(|_| config.on_drift != OnDrift::Adapt),
        checker: match config.checker {
            Checker::Paired => split::Checker::Paired,
            Checker::Closing => split::Checker::Closing,
            Checker::Off => split::Checker::Off,
        },
        catalogs: catalogs.clone(),
    };
    Settings {
        learn: true,
        rules,
        top_k: config.top_k.get(),
        alpha: match config.representatives {
            Some(most) => Alpha::Budget(most),
            None => Alpha::Above(config.similarity),
        },
        warm_up: Enough {
            behaviors: config.warm_up.get(),
            span: config.warm_up_span.micros(),
        },
        models: match config.preset {
            Preset::Small => Fitting::Maintained,
            Preset::Paper => Fitting::Trained,
        },
        scores: match config.scores {
            config::Scores::Aligned => Scores::Aligned,
            config::Scores::Eager => Scores::Eager,
        },
        trial: u32::try_from(config.trial.get()).unwrap_or(u32::MAX),
        budget: Budget {
            alarms: config.alarm_budget.alarms.get(),
            per: config.alarm_budget.per.micros(),
        },
        portion: PORTION,
        model_memory: usize::try_from(config.model_memory.bytes()).unwrap_or(usize::MAX),
        drift: match config.on_drift {
            OnDrift::Ignore => None,
            OnDrift::Note | OnDrift::Adapt => Some(Strictness::default()),
        },
        adapts: config.on_drift == OnDrift::Adapt,
        limit: config.threads.get() * QUESTIONS,
        requests: (config.threads.get() * QUESTIONS).max(config.llm.llm_concurrency.get() * 2),
    }
}
