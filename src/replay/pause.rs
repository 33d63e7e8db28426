//! A replay that is suspended on the way: the engine goes, and another one goes on from what it held. The pool, the writer and
//! what is counted stay.

use std::num::{NonZeroU64, NonZeroUsize};
use std::sync::Arc;
use std::time::Duration;

use hearth_operators::dataflow::{Services, Settings};

use super::watch::Fed;
use crate::cluster::Links;
use crate::engine::{self, Engine, Epochs, Outcome, Resumed, Setup, StartError};
use crate::sinks::RowSender;
use crate::sources::{Files, Position, SourceError};
use crate::stop::Stop;

/// Where a run is suspended, and how it goes on.
#[derive(Clone, Copy, Debug)]
pub struct Pause {
    /// Epochs that are fed before it, from the start or the pause before. At least one: declared shifts come with the first.
    pub epochs: NonZeroU64,
    /// Workers from then on.
    pub workers: NonZeroUsize,
}

/// What each engine of a run is started with.
pub struct Start {
    pub dataflow: Settings,
    pub services: Services,
    pub rows: RowSender,
    pub epochs: Epochs,
    pub stop: Stop,
    pub fed: Arc<Fed>,
}

impl Start {
    /// Starts an engine that goes on from there, as a part of a cluster where there are links.
    ///
    /// # Errors
    /// The system gives no more threads.
    pub fn engine(
        &self,
        workers: NonZeroUsize,
        resumed: Resumed,
        source: Files,
        links: Option<Links>,
    ) -> Result<Engine, StartError> {
        let setup = Setup {
            workers: workers.get(),
            dataflow: self.dataflow.clone(),
            services: self.services.clone(),
            outlet: Arc::new(self.rows.clone()),
            resumed,
            epochs: self.epochs,
            stop: self.stop.clone(),
            watch: self.fed.clone(),
        };
        engine::start_among(setup, source, links)
    }
}

/// What the engines before the one that runs have done.
pub struct Past {
    /// Lines that were fed.
    pub lines: u64,
    /// Of these, what people say.
    pub told: u64,
    /// Whether the log had ended.
    pub ended: bool,
    /// Whether the dataflow was told so.
    pub closed: bool,
    /// Where the source stood.
    pub position: Position,
    ingested: Duration,
    /// The first error that the source met.
    source: Result<(), SourceError>,
}

impl Default for Past {
    fn default() -> Self {
        Past {
            lines: 0,
            told: 0,
            ended: false,
            closed: false,
            position: Position::default(),
            ingested: Duration::ZERO,
            source: Ok(()),
        }
    }
}

impl Past {
    /// So many lines were fed by a run that is no more; of these so many are what people say.
    pub fn behind(lines: u64, told: u64, closed: bool, position: Position) -> Self {
        Past {
            lines,
            told,
            ended: closed,
            closed,
            position,
            ..Past::default()
        }
    }

    /// Up to the end of this one.
    pub fn of(outcome: Outcome) -> Self {
        Past {
            lines: outcome.reached.lines,
            told: outcome.reached.told,
            ended: outcome.reached.ended,
            closed: outcome.reached.closed,
            position: outcome.reached.position,
            ingested: outcome.ingested,
            source: outcome.source,
        }
    }

    /// The outcome of all, this one being the last.
    pub fn then(self, mut last: Outcome) -> Outcome {
        last.reached.lines += self.lines;
        last.reached.told += self.told;
        last.ingested += self.ingested;
        last.source = self.source.and(last.source);
        last
    }
}
