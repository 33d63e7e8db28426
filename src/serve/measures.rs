//! The server's own measures, told beside those of the run.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;

use crate::desk::Gauges;

/// The label of answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct ByStatus {
    /// Of HTTP.
    pub status: u16,
}

/// The label of lines that came.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct ByKind {
    /// What they were meant to be.
    pub kind: &'static str,
}

macro_rules! measures {
    ($($name:ident: $type:ty, $key:literal, $help:literal;)*) => {
        /// The measures; clones share them.
        #[derive(Clone, Debug, Default)]
        pub(super) struct Measures {
            $(#[doc = $help] pub $name: $type,)*
        }

        impl Measures {
            /// Those that are told with a run's own.
            pub fn of(gauges: &Gauges) -> Self {
                let measures = Measures::default();
                $(gauges.register($key, $help, measures.$name.clone());)*
                measures
            }
        }
    };
}

// A counter's name is told with `_total` behind it.
measures! {
    answers: Family<ByStatus, Counter>, "http_answers", "Answers given over HTTP, by status";
    connections: Gauge, "http_connections", "Connections over HTTP that are open";
    guesses: Counter, "http_wrong_tokens", "Wrong tokens that were shown";
    accepted: Family<ByKind, Counter>, "http_lines_accepted", "Lines that came over HTTP and are in the inbox, by kind";
    refused: Family<ByKind, Counter>, "http_lines_refused", "Lines that came over HTTP and are not what they were meant to be, by kind";
    streams: Gauge, "http_alarm_streams", "Clients that listen for alarms";
    shown_homes: Gauge, "shown_homes", "Homes that the page and the API know";
    shown_bytes: Gauge, "shown_bytes", "Memory of what the page and the API show";
    shown_missed: Gauge, "shown_missed_lines", "Lines of outputs that the page and the API missed, because they came too fast";
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::desk::{self, ByFate, Fate};

    #[test]
    fn the_dashboard_asks_for_measures_that_there_are() {
        let gauges = Gauges::default();
        let measures = Measures::of(&gauges);
        // Of a family nothing is told before there is one of it.
        drop(gauges.events.get_or_create(&ByFate {
            fate: Fate::applied,
        }));
        drop(gauges.jobs.get_or_create(&desk::ByKind { kind: "score" }));
        drop(gauges.checkpoint_held.get_or_create(&desk::ByOperator {
            operator: "past".to_owned(),
        }));
        drop(measures.answers.get_or_create(&ByStatus { status: 200 }));
        for lines in [&measures.accepted, &measures.refused] {
            drop(lines.get_or_create(&ByKind { kind: "event" }));
        }
        let text = gauges.text().unwrap();
        let lines = text.lines().filter(|line| !line.starts_with('#'));
        let told: BTreeSet<&str> = lines.filter_map(|l| l.split(['{', ' ']).next()).collect();
        let dashboard = include_str!("../../docs/grafana.json");
        let words = dashboard.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
        let asked: BTreeSet<&str> = words.filter(|w| w.starts_with("hearth_")).collect();
        assert!(asked.len() > 15, "{asked:?}");
        let missing: Vec<_> = asked.difference(&told).collect();
        assert!(missing.is_empty(), "{missing:?} of {told:?}");
    }
}
