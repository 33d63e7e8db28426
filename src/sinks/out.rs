//! Where streams leave the dataflow.

use hearth_operators::portrait::Answered;
use hearth_operators::split::Account;
use hearth_operators::state::Suspension;
use hearth_operators::words::Epoch;
use timely::container::CapacityContainerBuilder;
use timely::dataflow::channels::pact::Pipeline;
use timely::dataflow::operators::Probe;
use timely::dataflow::operators::generic::Operator;
use timely::dataflow::{ProbeHandle, StreamVec};

use super::RowSender;
use crate::outputs::{Model, Record};

/// Hands streams to the writer; the probes tell how far that is done.
pub struct Out<'a> {
    /// The way to the writer.
    pub rows: &'a RowSender,
    /// Pass an epoch once its rows are sent and, on this process's first worker, its close is.
    pub probes: &'a [&'a ProbeHandle<Epoch>],
    /// Once it is suspended, nothing closes: what goes on from there gives the rest of the epochs that are open.
    pub suspension: &'a Suspension,
}

impl Out<'_> {
    /// A stream of records, whole: each kind of record leaves the dataflow at one place, whose frontier closes its epochs.
    ///
    /// Rows are sent the moment they come, a batch at a time. A worker tells of its progress after it has sent its rows, and
    /// the frontier is that of all workers: so when it passes an epoch, all rows of the epoch are in the channel, and it
    /// suffices that one worker says so.
    pub fn write<R: Record + Clone>(&self, stream: StreamVec<'_, Epoch, R>) {
        let rows = self.rows.clone();
        let closes = stream.scope().index() == rows.closer();
        let suspension = self.suspension.clone();
        let written = stream.unary_frontier::<CapacityContainerBuilder<Vec<()>>, _, _, _>(
            Pipeline,
            "Write",
            |_capability, _info| {
                // The first epoch that was not closed; none: all are.
                let mut open = Some(0);
                move |(input, frontier), _output| {
                    input.for_each_stamp(|capability, batches| {
                        if let Some(&epoch) = capability.least() {
                            batches.for_each(|batch| rows.write(epoch, std::mem::take(batch)));
                        }
                    });
                    let now = frontier.frontier().first().copied();
                    if closes && now != open && suspension.is_running() {
                        rows.close(R::STREAM, now.map_or(Epoch::MAX, |next| next - 1));
                        open = now;
                    }
                }
            },
        );
        self.probe(written);
    }

    /// The accounting, as far as it leaves no lines: summed up, since there is an account for every home; and what somebody asked for.
    pub fn count(&self, accounts: StreamVec<'_, Epoch, Account>) {
        let rows = self.rows.clone();
        self.each_batch(accounts, "Count", move |accounts| {
            let (mut all, mut twice, mut fates) = (0, 0, Vec::new());
            for account in accounts {
                match account {
                    Account::Counted { applied, duplicate } => {
                        all += applied;
                        twice += duplicate;
                    }
                    Account::Told(line, fate) => fates.push((line, fate)),
                    Account::Late(_) | Account::Rejected(_) | Account::Erased(_) => {}
                }
            }
            rows.events(all, twice);
            rows.fates(fates);
        });
    }

    /// Answers to whoever asks for homes' models.
    pub fn answer(&self, portraits: StreamVec<'_, Epoch, Answered>) {
        let rows = self.rows.clone();
        self.each_batch(portraits, "Answer", move |all| rows.portraits(all));
    }

    /// Models to be saved.
    pub fn save(&self, models: StreamVec<'_, Epoch, Model>) {
        let rows = self.rows.clone();
        self.each_batch(models, "Save", move |models| {
            models.into_iter().for_each(|model| rows.save(model));
        });
    }

    fn each_batch<D: Clone + 'static>(
        &self,
        stream: StreamVec<'_, Epoch, D>,
        name: &str,
        mut tell: impl FnMut(Vec<D>) + 'static,
    ) {
        let told = stream.unary::<CapacityContainerBuilder<Vec<()>>, _, _, _>(
            Pipeline,
            name,
            |_capability, _info| {
                move |input, _output| {
                    input.for_each_stamp(|_, batches| {
                        batches.for_each(|batch| tell(std::mem::take(batch)));
                    });
                }
            },
        );
        self.probe(told);
    }

    fn probe(&self, mut stream: StreamVec<'_, Epoch, ()>) {
        for probe in self.probes {
            stream = stream.probe_with(probe);
        }
    }
}
