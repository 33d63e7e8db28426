//! What a replay looks at while it runs.

use std::sync::atomic::{AtomicU64, Ordering};

use hearth_operators::words::Epoch;

use crate::engine::{Dealt, Watch};
use crate::services::Workload;
use crate::stop::Stop;

/// Keeps account of what is fed to the dataflow; what was only read does not count.
pub struct Fed {
    lines: AtomicU64,
    bytes: AtomicU64,
    during_adaptation: AtomicU64,
    workload: Workload,
    /// What a rejected line ends, if it ends anything.
    strict: Option<Stop>,
}

impl Fed {
    /// Nothing yet. `strict`: what the first rejected line stops.
    pub fn new(workload: Workload, strict: Option<Stop>) -> Self {
        Fed {
            lines: AtomicU64::new(0),
            bytes: AtomicU64::new(0),
            during_adaptation: AtomicU64::new(0),
            workload,
            strict,
        }
    }

    /// Lines.
    pub fn lines(&self) -> u64 {
        self.lines.load(Ordering::Relaxed)
    }

    /// Bytes of the source.
    pub fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    /// Events that were fed while requests were open.
    pub fn during_adaptation(&self) -> u64 {
        self.during_adaptation.load(Ordering::Relaxed)
    }
}

impl Watch for Fed {
    fn feeds(&self, _epoch: Epoch, dealt: &Dealt) {
        let lines = dealt.lines() as u64;
        self.lines.fetch_add(lines, Ordering::Relaxed);
        self.bytes.store(dealt.position.bytes, Ordering::Relaxed);
        if self.workload.open_requests() > 0 {
            let events = dealt.events as u64;
            self.during_adaptation.fetch_add(events, Ordering::Relaxed);
        }
        if let (Some(stop), Some(first)) = (&self.strict, dealt.rejected.first()) {
            stop.fail(format!("{}: {} (--strict)", first.source, first.reason));
        }
    }
}
