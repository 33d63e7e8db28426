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
