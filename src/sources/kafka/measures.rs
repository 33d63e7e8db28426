//! How reading goes, by topic.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;

use crate::desk::Gauges;

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct ByFate {
    pub topic: String,
    pub fate: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct ByTopic {
    pub topic: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct ByPartition {
    pub topic: String,
    pub partition: i32,
}

/// Clones share them.
#[derive(Clone, Debug, Default)]
pub(super) struct Measures {
    pub messages: Family<ByFate, Counter>,
    pub lost: Family<ByTopic, Counter>,
    pub anew: Family<ByTopic, Counter>,
    pub behind: Family<ByPartition, Gauge>,
    pub up: Family<ByTopic, Gauge>,
}

impl Measures {
    /// Those that are told with a run's own.
    pub fn of(gauges: &Gauges) -> Self {
        let all = Measures::default();
        let help = "Messages of Kafka that were read, by what became of them";
        gauges.register("kafka_messages", help, all.messages.clone());
        let help = "Messages of Kafka that its brokers had deleted before they were read";
        gauges.register("kafka_lost_messages", help, all.lost.clone());
        let help =
            "Partitions of Kafka that were found to be others than before, and were begun anew";
        gauges.register("kafka_partitions_anew", help, all.anew.clone());
        let help = "Messages of Kafka that are not read yet";
        gauges.register("kafka_behind", help, all.behind.clone());
        let help = "Whether a topic of Kafka is being read (1), or its brokers are away (0)";
        gauges.register("kafka_reading", help, all.up.clone());
        all
    }
}
