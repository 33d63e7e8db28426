//! Where the streams of the dataflow leave it.

use hearth_operators::dataflow::Streams;
use hearth_operators::words::{Epoch, Saying};
use timely::dataflow::ProbeHandle;
use timely::dataflow::operators::Concat;
use timely::dataflow::operators::vec::Map;

use crate::outputs::{Judged, Late, Model, Rejection, erased};
use crate::sinks::{Out, RowSender};
use crate::sources::Rejected;

/// How far a worker's dataflow has come.
#[derive(Clone, Default)]
pub struct Probes {
    /// How far events are accounted for and segments and transitions are out.
    pub ingested: ProbeHandle<Epoch>,
    /// How far alarms are out, where any are raised.
    pub judged: ProbeHandle<Epoch>,
    /// How far everything is out.
    pub done: ProbeHandle<Epoch>,
}

impl Probes {
    /// Epochs of which everything is out: the first so many; `None`: all.
    pub(super) fn complete(&self) -> Option<Epoch> {
        let first = |frontier: timely::progress::frontier::AntichainRef<'_, Epoch>| {
            frontier.first().copied()
        };
        self.done.with_frontier(first)
    }
}

/// Takes what the dataflow gives.
pub trait Outlet: Send + Sync {
    /// Connects the streams of a worker.
    fn connect(&self, streams: Streams<'_>) -> Probes;

    /// Takes what was refused before it reached the dataflow: lines of the log, and declared contexts, of an epoch.
    fn refuse(&self, epoch: Epoch, lines: Vec<Rejected>, contexts: Vec<Rejected>);

    /// Takes lines of what people say that cannot be used.
    fn mishear(&self, _epoch: Epoch, _lines: Vec<(Saying, Rejected)>) {}
}

/// Into the outputs, one line a stream.
impl Outlet for RowSender {
    fn connect(&self, streams: Streams<'_>) -> Probes {
        let probes = Probes::default();
        let Streams {
            ingested,
            learnt,
            suspension,
        } = streams;
        let out = Out {
            rows: self,
            probes: &[&probes.ingested, &probes.done],
            suspension: &suspension,
        };
        out.write(ingested.segments.inner);
        out.write(ingested.transitions.inner);
        out.count(ingested.accounts.clone());
        out.write(ingested.accounts.clone().flat_map(Late::of));
        out.write(
            ingested
                .accounts
                .clone()
                .flat_map(|account| erased(&account)),
        );
        let refused = ingested.refused.map(Rejection::Shift);
        out.write(ingested.accounts.flat_map(Rejection::of).concat(refused));
        let Some(learnt) = learnt else {
            return probes;
        };
        let out = Out {
            rows: self,
            probes: &[&probes.done],
            suspension: &suspension,
        };
        out.write(learnt.representatives.inner);
        out.write(learnt.requests);
        let filtered = learnt.filtered.flat_map(|f| f.verdicts);
        let invalid = learnt.invalid.map(Judged::Invalid);
        out.write(invalid.concat(filtered.map(Judged::Filtered)));
        let mut lines = learnt.adjustments;
        if let Some(adaptations) = learnt.adaptations {
            let versions = adaptations.clone().flat_map(|a| a.versions);
            lines = lines.concat(versions.map(|(_, line)| line));
            out.save(adaptations.flat_map(|a| Model::of_home(&a)));
        }
        out.write(lines);
        if let Some(alarms) = learnt.alarms {
            let out = Out {
                probes: &[&probes.judged, &probes.done],
                ..out
            };
            out.write(alarms);
        }
        out.write(learnt.heard);
        out.answer(learnt.portraits);
        out.write(ingested.found);
        out.write(learnt.scores);
        out.save(learnt.foundation.flat_map(|f| Model::of_cohort(&f)));
        probes
    }

    fn refuse(&self, epoch: Epoch, lines: Vec<Rejected>, contexts: Vec<Rejected>) {
        let lines = lines.into_iter().map(|r| Rejection::Line {
            line: r.line,
            source: r.source,
            reason: r.reason,
        });
        let contexts = contexts.into_iter().map(|r| Rejection::Context {
            line: r.line,
            source: r.source,
            reason: r.reason,
        });
        self.write(epoch, contexts.chain(lines).collect());
    }

    fn mishear(&self, epoch: Epoch, lines: Vec<(Saying, Rejected)>) {
        let lines = lines.into_iter().map(|(of, r)| Rejection::Told {
            of,
            line: r.line,
            source: r.source,
            reason: r.reason,
        });
        self.write(epoch, lines.collect());
    }
}
