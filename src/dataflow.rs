//! Where the streams of the dataflow leave it: into the outputs, one line a stream.

use hearth_operators::dataflow::Streams;
use hearth_operators::words::Epoch;
use timely::dataflow::ProbeHandle;
use timely::dataflow::operators::Concat;
use timely::dataflow::operators::vec::Map;

use crate::outputs::{Judged, Late, Model, Rejection};
use crate::sinks::{Out, RowSender};

/// How far a worker's dataflow has come.
#[derive(Clone, Default)]
pub struct Probes {
    /// How far events are accounted for and segments and transitions are out.
    pub ingested: ProbeHandle<Epoch>,
    /// How far everything is out.
    pub done: ProbeHandle<Epoch>,
}

/// Hands all streams to the writer.
pub fn write(streams: Streams<'_>, rows: &RowSender) -> Probes {
    let probes = Probes::default();
    let Streams { ingested, learnt } = streams;
    let out = Out {
        rows,
        probes: &[&probes.ingested, &probes.done],
    };
    out.write(ingested.segments.inner);
    out.write(ingested.transitions.inner);
    out.count(ingested.accounts.clone());
    out.write(ingested.accounts.clone().flat_map(Late::of));
    let refused = ingested.refused.map(Rejection::Shift);
    out.write(ingested.accounts.flat_map(Rejection::of).concat(refused));
    let out = Out {
        rows,
        probes: &[&probes.done],
    };
    let Some(learnt) = learnt else {
        return probes;
    };
    out.write(learnt.representatives.inner);
    out.write(learnt.requests);
    let filtered = learnt.filtered.flat_map(|f| f.verdicts);
    let invalid = learnt.invalid.map(Judged::Invalid);
    out.write(invalid.concat(filtered.map(Judged::Filtered)));
    let versions = learnt.adaptations.clone().flat_map(|a| a.versions);
    let versions = versions.map(|(_, line)| line);
    out.write(versions.concat(learnt.adjustments));
    out.write(learnt.scores);
    out.save(learnt.foundation.flat_map(|f| Model::of_cohort(&f)));
    out.save(learnt.adaptations.flat_map(|a| Model::of_home(&a)));
    probes
}
