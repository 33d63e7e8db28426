//! The measures of a live run, as Prometheus reads them. Each is declared once, with its meaning beside it.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use prometheus_client::encoding::text::encode;
use prometheus_client::encoding::{EncodeLabelSet, EncodeLabelValue};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::{Metric, Registry};

use crate::memory::rss;

/// A measure with a fraction.
pub type Seconds = Gauge<f64, AtomicU64>;

/// What became of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelValue)]
#[allow(
    non_camel_case_types,
    reason = "they are the labels' values as they stand"
)]
pub enum Fate {
    /// It takes part.
    applied,
    /// It was there already.
    duplicate,
    /// It came from before its home's horizon.
    late,
    /// It is no event, or one that cannot be true.
    rejected,
    /// It was taken in, and erased.
    erased,
}

/// The label of [`Gauges::events`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct ByFate {
    /// What became of them.
    pub fate: Fate,
}

/// The label of [`Gauges::jobs`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct ByKind {
    /// What they are about.
    pub kind: &'static str,
}

/// The label of [`Gauges::checkpoint_held`].
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct ByOperator {
    /// Which operator.
    pub operator: String,
}

macro_rules! gauges {
    ($($name:ident: $type:ty, $key:literal, $help:literal;)*) => {
        /// The measures. Counters go on where they were when a run is begun again, for they count what is in the outputs.
        pub struct Gauges {
            registry: Mutex<Registry>,
            caught_up: AtomicBool,
            awaited: Mutex<BTreeMap<String, String>>,
            $(#[doc = $help] pub $name: $type,)*
        }

        impl Default for Gauges {
            fn default() -> Self {
                let mut registry = Registry::with_prefix("hearth");
                $(let $name = <$type>::default(); registry.register($key, $help, $name.clone());)*
                Gauges {
                    registry: Mutex::new(registry),
                    caught_up: AtomicBool::new(false),
                    awaited: Mutex::default(),
                    $($name,)*
                }
            }
        }
    };
}

// A counter's name is told with `_total` behind it.
gauges! {
    events: Family<ByFate, Counter>, "events", "Events that are accounted for, by what became of them";
    homes: Gauge, "homes", "Homes with a segment, also one that is open and scored";
    segments: Gauge, "segments", "Segments that hold";
    transitions: Gauge, "transitions", "Transitions that hold";
    requests: Counter, "requests", "Synthesis requests made";
    requests_open: Gauge, "requests_open", "Synthesis requests and shifts on their way to an adaptation";
    adaptations: Counter, "adaptations", "Versions of models that went live";
    alarms: Gauge, "alarms", "Alarms that stand";
    drifts: Counter, "drifts", "Shifts found that nobody declared";
    scores: Counter, "scores", "Scores written, repeated ones included";
    jobs: Family<ByKind, Gauge>, "jobs_open", "Jobs beside the dataflow that are not done, by kind";
    spent: Seconds, "llm_spent", "What language models have cost, in the currency of their prices";
    epochs: Counter, "epochs", "Epochs that were fed";
    epochs_open: Gauge, "epochs_open", "Epochs that were fed and whose segments are not out";
    lag_seconds: Seconds, "lag_seconds", "For how long there has been something in the inbox that is not accounted for";
    inbox_bytes: Gauge, "inbox_bytes", "Bytes of the inbox that are kept";
    inbox_behind_bytes: Gauge, "inbox_behind_bytes", "Bytes of the inbox that were not fed yet";
    vocabularies: Counter, "vocabularies", "How often the run began again in place because devices or actions were new";
    checkpoints: Counter, "checkpoints", "Checkpoints taken since the process began";
    checkpoint_bytes: Counter, "checkpoint_bytes", "Bytes written for them";
    checkpoint_held: Family<ByOperator, Gauge>, "checkpoint_held_bytes",
        "Bytes that each operator has in what the newest checkpoint rests on, unpacked; what changed since counts as often as it was written";
    checkpoint_time: Seconds, "checkpoint_timestamp_seconds", "When the newest checkpoint was taken, in seconds since 1970";
    checkpoint_still: Seconds, "checkpoint_still_seconds", "For how long the newest checkpoint had the dataflow stand still";
    memory: Gauge, "resident_memory_bytes", "Memory that the process holds";
}

impl Gauges {
    /// Takes in a measure of somebody else's.
    pub fn register(&self, name: &str, help: &str, metric: impl Metric) {
        self.registry().register(name, help, metric);
    }

    /// All measures, in Prometheus' text form.
    ///
    /// # Errors
    /// A measure cannot be written.
    pub fn text(&self) -> Result<String, std::fmt::Error> {
        let held = rss().and_then(|bytes| i64::try_from(bytes).ok());
        self.memory.set(held.unwrap_or(0));
        let mut text = String::new();
        encode(&mut text, &self.registry())?;
        Ok(text)
    }

    /// Whether everything that was in the inbox when the run began is accounted for: it is ready.
    pub fn is_caught_up(&self) -> bool {
        self.caught_up.load(Ordering::Relaxed)
    }

    /// It is, or not yet.
    pub fn catch_up(&self, caught_up: bool) {
        self.caught_up.store(caught_up, Ordering::Relaxed);
    }

    /// Whoever brings events waits for something, or no more: until then the run is not ready.
    pub fn wait_for(&self, who: &str, why: Option<String>) {
        let mut awaited = self.awaited.lock().unwrap_or_else(PoisonError::into_inner);
        match why {
            Some(why) => awaited.insert(who.to_owned(), why),
            None => awaited.remove(who),
        };
    }

    /// Who waits, and for what.
    pub fn awaited(&self) -> Vec<String> {
        let awaited = self.awaited.lock().unwrap_or_else(PoisonError::into_inner);
        let awaited = awaited.iter();
        awaited.map(|(who, why)| format!("{who}: {why}")).collect()
    }

    fn registry(&self) -> std::sync::MutexGuard<'_, Registry> {
        self.registry.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Lets a counter say what was counted elsewhere.
pub fn count(counter: &Counter, all: u64) {
    counter.inner().store(all, Ordering::Relaxed);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn measures_are_told_with_their_meaning() {
        let gauges = Gauges::default();
        let fate = Fate::late;
        count(&gauges.events.get_or_create(&ByFate { fate }), 3);
        gauges.lag_seconds.set(0.5);
        let own = Counter::<u64>::default();
        gauges.register("own", "Somebody's own", own.clone());
        own.inc();
        let text = gauges.text().unwrap();
        for line in [
            "# HELP hearth_events Events that are accounted for, by what became of them.",
            "hearth_events_total{fate=\"late\"} 3",
            "hearth_lag_seconds 0.5",
            "hearth_own_total 1",
        ] {
            assert!(text.lines().any(|l| l == line), "{line} in {text}");
        }
    }
}
