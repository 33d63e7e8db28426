//! An operator of one's own on the segments: how many there are of each length, maintained by differential dataflow.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use differential_dataflow::operators::CountTotal;
use hearth::engine::{Outlet, Probes};
use hearth::sources::Rejected;
use hearth_operators::dataflow::Streams;
use hearth_operators::words::{Epoch, HomeId};
use timely::dataflow::operators::Probe;

use super::own_source::Lamp;

/// How many segments there are, by how many behaviours they have.
type Lengths = BTreeMap<usize, isize>;

/// Takes the segments from the dataflow.
#[derive(Clone, Default)]
struct ByLength(Arc<Mutex<Lengths>>);

impl Outlet for ByLength {
    fn connect(&self, streams: Streams<'_>) -> Probes {
        let (probes, lengths) = (Probes::default(), self.0.clone());
        let segments = streams.ingested.segments;
        segments
            .map(|segment| segment.moments.len())
            .count_total()
            .inspect(move |((length, count), _epoch, diff)| {
                let mut lengths = lengths.lock().unwrap_or_else(PoisonError::into_inner);
                *lengths.entry(*length).or_default() += *count as isize * *diff;
            })
            .inner
            .probe_with(&probes.ingested)
            .probe_with(&probes.done);
        probes
    }

    fn refuse(&self, _: Epoch, _lines: Vec<Rejected>, _contexts: Vec<Rejected>) {}
}

/// The lengths of the segments of a lamp's evenings.
pub fn run() -> anyhow::Result<Lengths> {
    let (lengths, home) = (ByLength::default(), HomeId(0));
    let lamp = Lamp {
        home,
        days: 30,
        given: 0,
    };
    super::ingest(lamp, Arc::new(lengths.clone()))?;
    let mut lengths = lengths.0.lock().unwrap_or_else(PoisonError::into_inner);
    lengths.retain(|_, count| *count != 0);
    Ok(lengths.clone())
}

#[test]
fn all_have_two_behaviors() {
    assert_eq!(run().unwrap(), Lengths::from([(2, 30)]));
}
