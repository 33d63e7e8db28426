//! What surrounds a live run, and how each of its replays is tended: when it is to end, and what is measured of it.

use std::collections::VecDeque;
use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use hearth_operators::portrait::Answered;
use hearth_operators::words::Query;

use super::Replay;
use crate::catalog::FirstPass;
use crate::checkpoint::Checkpoints;
use crate::crew::Crew;
use crate::desk::{ByFate, ByKind, ByOperator, Desk, Fate, Gauges, count};
use crate::ends::Ends;
use crate::engine::Reached;
use crate::fates::Fated;
use crate::growing::{Growing, Reach};
use crate::inbox::Keeps;
use crate::mirror::{Mirror, MirrorError, Sharing};
use crate::outputs::{Counts, Names};
use crate::portrait::{View, Whose};
use crate::sinks::feed::Feed;
use crate::sinks::{Positions, Shown};
use crate::sources::{Learnt, Position};
use crate::stop::Stop;
use crate::zones::Zones;

/// A run grows its vocabulary no more often than this: whatever came until then is learnt at once.
const GROWS_AFTER: Duration = Duration::from_secs(1);

/// How often that is doubled at most, where it would abandon jobs again and again: a training takes a minute at most.
const DOUBLED: u32 = 6;

/// So long after its epoch was closed a row is with others.
const SHOWN_AFTER: Duration = Duration::from_millis(2);

/// What a process is to the others of a live run.
#[derive(Clone, Default)]
pub(crate) enum Role {
    /// There are none.
    #[default]
    Alone,
    /// The first one: it has the inbox, and says where epochs end.
    First(Sharing),
    /// Another one.
    Other(Mirror),
}

/// What surrounds a live run.
pub(crate) struct Live {
    /// How far the inbox may be read.
    pub growing: Growing,
    pub feed: Feed,
    pub gauges: Arc<Gauges>,
    pub role: Role,
    crew: Crew,
    /// So much of the inbox stays, once no cut needs it; none: all.
    stays: Option<u64>,
    /// Ends the run; each of its replays has a stop of its own.
    stop: Stop,
    /// Where its last line ends that is to be read.
    lines_end: Arc<AtomicU64>,
    /// Where that was when the process began.
    waited: u64,
    /// How often in a row jobs were abandoned because the vocabulary grew.
    abandoned: AtomicU32,
    /// The first pass over the inbox, as the replay before left it.
    first_pass: Mutex<Option<FirstPass>>,
}

impl Live {
    /// Of a run with this desk, which has just begun and keeps so much of its inbox.
    pub fn of(desk: &Desk, keeps: Keeps, role: Role) -> Self {
        let growing = desk.inbox.durable().clone();
        Live {
            waited: desk.inbox.lines_end().load(Ordering::Relaxed),
            lines_end: desk.inbox.lines_end().clone(),
            growing,
            stays: match role {
                // What was read is of no use any more.
                Role::Other(_) => Some(0),
                _ => keeps.bytes,
            },
            role,
            feed: desk.feed.clone(),
            gauges: desk.gauges.clone(),
            crew: desk.crew.clone(),
            stop: desk.stop.clone(),
            abandoned: AtomicU32::new(0),
            first_pass: Mutex::default(),
        }
    }

    /// The first pass that was [left](Live::leave), if one was.
    pub fn first_pass(&self) -> Option<FirstPass> {
        let mut left = self
            .first_pass
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        left.take()
    }

    /// Leaves the first pass to the replay that goes on.
    pub fn leave(&self, pass: Option<FirstPass>) {
        let mut left = self
            .first_pass
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        *left = pass;
    }

    /// Has others see rows soon, measures what is counted, and tells who asked what became of events, or what is known of homes in these
    /// zones. Who asked a dataflow before, and was not answered, asks this one.
    pub fn shown(&self, zones: Zones) -> Shown {
        let (gauges, asking) = (self.gauges.clone(), self.growing.fates().clone());
        let tell = move |(line, fate)| asking.tell(Fated::event(line, fate));
        let queries = self.growing.queries().clone();
        queries.ask_again();
        let portray = move |(query, portrait): Answered, names: &Names| {
            let home = names.home(query.home);
            let whose = whose(&query, &home, names, &zones);
            let view = portrait.map(|portrait| View::of(&portrait, &whose));
            queries.said(query.number, view);
        };
        Shown {
            after: SHOWN_AFTER,
            counts: Box::new(move |tally| measure(&gauges, &tally.so_far())),
            fates: Box::new(move |fates| fates.into_iter().for_each(&tell)),
            portraits: Box::new(move |all, names| {
                all.into_iter().for_each(|one| portray(one, names));
            }),
            ..Shown::default()
        }
    }

    /// Begins to tend a replay whose vocabulary was learnt of these.
    pub fn tended(&self, learnt: Option<&Learnt>) -> Tending<'_> {
        Tending {
            live: self,
            learnt: learnt.cloned(),
            began: Instant::now(),
            lengths: VecDeque::new(),
            cut: None,
            bytes: 0,
        }
    }
}

impl Live {
    /// So many jobs are abandoned, for the vocabulary grows.
    pub fn abandons(&self, jobs: u64) {
        match jobs {
            0 => self.abandoned.store(0, Ordering::Relaxed),
            _ => {
                self.abandoned.fetch_add(1, Ordering::Relaxed);
            }
        }
    }

    /// For how long a replay goes on at least before the vocabulary grows, with so many jobs open.
    fn grows_after(&self, jobs: u64) -> Duration {
        match jobs {
            0 => GROWS_AFTER,
            _ => GROWS_AFTER * (1 << self.abandoned.load(Ordering::Relaxed).min(DOUBLED)),
        }
    }

    /// Whether no other processes share the run.
    pub fn is_alone(&self) -> bool {
        matches!(self.role, Role::Alone)
    }

    /// Whom it is told where epochs end.
    pub fn shared(&self) -> Option<Sharing> {
        match &self.role {
            Role::First(shared) => Some(shared.clone()),
            _ => None,
        }
    }

    /// Where another process says where epochs end.
    pub fn ends(&self) -> Option<Ends> {
        match &self.role {
            Role::Other(mirror) => Some(mirror.ends().clone()),
            _ => None,
        }
    }

    /// Has what is read of the inbox be here, on from a position or from its beginning.
    ///
    /// # Errors
    /// A file cannot be written; the run ends before.
    pub fn read_from(&self, position: Option<Position>) -> Result<(), MirrorError> {
        let Role::Other(mirror) = &self.role else {
            return Ok(());
        };
        let reach = |position: &Position| Reach {
            bytes: position.offset,
            lines: position.number,
        };
        // One that can only be read rightly behind what stands before it is read from the beginning.
        let from = position.filter(|position| !position.remembers);
        let until = position.map_or(0, |position| position.offset);
        mirror.begin(from.as_ref().map(reach), until)
    }

    /// Whether one of its replays has come before, in this process.
    pub fn has_begun(&self) -> bool {
        self.gauges.vocabularies.get() > 0
    }

    /// Whether the run is to end.
    pub fn is_ending(&self) -> bool {
        self.stop.is_interrupted() || self.stop.is_stopped()
    }
}

/// A replay of an inbox, while it is fed.
pub struct Tending<'a> {
    live: &'a Live,
    learnt: Option<Learnt>,
    began: Instant,
    /// Lengths that the inbox had, and since when; those that were not fed yet.
    lengths: VecDeque<(u64, Instant)>,
    /// Bytes of the inbox that were fed and jobs that were done at the last cut.
    cut: Option<(u64, u64)>,
    /// Bytes of checkpoints that are measured.
    bytes: u64,
}

impl Tending<'_> {
    /// What the process is to others.
    pub fn role(&self) -> Role {
        self.live.role.clone()
    }

    /// Whether something new was read.
    pub fn is_lacking(&self) -> bool {
        self.learnt.as_ref().is_some_and(Learnt::is_lacking)
    }

    /// Whether it is to end, with so many jobs open.
    fn ends(&self, jobs: u64) -> bool {
        let grows = self.is_lacking() && self.began.elapsed() >= self.live.grows_after(jobs);
        self.live.is_ending() || grows
    }

    /// Since when something has been in the inbox that is not fed.
    fn lag(&mut self, fed: u64) -> Duration {
        let length = self.live.lines_end.load(Ordering::Relaxed);
        if self.lengths.back().map_or(fed, |(last, _)| *last) < length {
            self.lengths.push_back((length, Instant::now()));
        }
        while self
            .lengths
            .front()
            .is_some_and(|(length, _)| *length <= fed)
        {
            self.lengths.pop_front();
        }
        let oldest = self.lengths.front();
        oldest.map_or(Duration::ZERO, |(_, since)| since.elapsed())
    }
}

impl Replay<'_> {
    /// Whether it is to end because it is a live run's.
    pub(super) fn live_ends(&self) -> bool {
        let live = self.live.as_ref();
        live.is_some_and(|live| live.ends(self.jobs_open()))
    }

    /// Whether nothing has happened since the last cut: that somebody asks something is an epoch, and changes nothing.
    pub(super) fn is_idle(&self, reached: &Reached) -> bool {
        let cut = self.live.as_ref().and_then(|live| live.cut);
        // Of which homes lines are does not matter.
        cut == Some((reached.position.offset, self.jobs_done()))
    }

    /// Tells how it goes.
    pub(super) fn told_live(&mut self, reached: &Reached) {
        let open = self.workload.open_requests();
        let spent = self.llm.as_ref().and_then(|llm| llm.summary().spent);
        let Some(tending) = &mut self.live else {
            return;
        };
        let (live, gauges) = (tending.live, &tending.live.gauges);
        let fed = reached.position.offset;
        let out = reached.out == reached.epochs;
        let (length, end) = (
            live.growing.length(),
            live.lines_end.load(Ordering::Relaxed),
        );
        count(&gauges.epochs, reached.epochs);
        gauges.epochs_open.set(signed(reached.epochs - reached.out));
        let kept = length.saturating_sub(live.growing.begins().bytes);
        gauges.inbox_bytes.set(signed(kept));
        gauges
            .inbox_behind_bytes
            .set(signed(end.saturating_sub(fed)));
        gauges.lag_seconds.set(tending.lag(fed).as_secs_f64());
        gauges.requests_open.set(signed(open));
        for (kind, work) in self.workload.all() {
            let jobs = gauges.jobs.get_or_create(&ByKind { kind });
            jobs.set(signed(work.open()));
        }
        if let Some(spent) = spent {
            gauges.spent.set(spent.spent.number());
        }
        gauges.catch_up(gauges.is_caught_up() || out && fed >= live.waited);
    }

    /// Others may rest on what a cut has of the streams.
    pub(super) fn cut_live(&self, positions: &Positions) {
        if let Some(tending) = &self.live {
            tending.live.feed.cut(positions);
        }
    }

    /// How many workers somebody wishes for, and whom to tell of it.
    pub(super) fn wished_live(&self) -> Option<(NonZeroUsize, Crew)> {
        let crew = &self.live.as_ref()?.live.crew;
        Some((crew.wished()?, crew.clone()))
    }

    /// Who was not answered by the dataflow that a cut took down asks the one that goes on.
    pub(super) fn ask_again_live(&self) {
        if let Some(tending) = &self.live {
            tending.live.growing.queries().ask_again();
        }
    }

    /// Drops what came in before all cuts were taken, and is more than is to stay.
    pub(super) fn drop_live(&self, checkpoints: &Checkpoints) {
        let Some(live) = self.live.as_ref().map(|tending| tending.live) else {
            return;
        };
        let surplus = live.stays.and_then(|stays| live.growing.surplus(stays));
        // Where one cannot be read, it may be so for now: nothing goes then.
        let behind = surplus.and_then(|surplus| Some(surplus.min(checkpoints.all_behind()?)));
        let Some(before) = behind else { return };
        match live.growing.forget(before) {
            Ok(()) => tracing::debug!("the inbox begins at byte {}", live.growing.begins().bytes),
            Err(error) => tracing::warn!("what the inbox no longer needs stays for now: {error}"),
        }
    }

    /// A cut was taken behind so many bytes of the inbox.
    pub(super) fn kept_live(&mut self, bytes: u64, checkpoints: &Checkpoints) {
        let jobs = self.jobs_done();
        let still = self.still.last().copied().unwrap_or_default();
        let kept_bytes = self.kept_bytes;
        let Some(tending) = &mut self.live else {
            return;
        };
        tending.cut = Some((bytes, jobs));
        let gauges = tending.live.gauges.clone();
        gauges.checkpoints.inc();
        gauges.checkpoint_bytes.inc_by(kept_bytes - tending.bytes);
        tending.bytes = kept_bytes;
        gauges.checkpoint_still.set(still.as_secs_f64());
        // One that cannot be read now is found out by whoever goes on from it.
        for (operator, bytes) in checkpoints.held().unwrap_or_default() {
            let held = gauges
                .checkpoint_held
                .get_or_create(&ByOperator { operator });
            held.set(signed(bytes));
        }
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        gauges
            .checkpoint_time
            .set(now.unwrap_or_default().as_secs_f64());
    }

    pub(super) fn jobs_open(&self) -> u64 {
        let all = self.workload.all();
        all.iter().map(|(_, work)| work.open()).sum()
    }

    fn jobs_done(&self) -> u64 {
        let all = self.workload.all();
        all.iter()
            .map(|(_, work)| work.done.load(Ordering::Relaxed))
            .sum()
    }
}

/// Whose model somebody asks for.
fn whose<'a>(query: &Query, home: &'a str, names: &'a Names, zones: &'a Zones) -> Whose<'a> {
    let catalogs = names.catalogs();
    Whose {
        home,
        cohort: names.cohort(catalogs.cohort_of(query.home)),
        catalog: catalogs.of(query.home),
        zone: zones.of(query.home),
    }
}

/// Measures what is counted.
fn measure(gauges: &Gauges, counts: &Counts) {
    let fates = [
        (Fate::applied, counts.applied.max(0).cast_unsigned()),
        (Fate::duplicate, counts.duplicate),
        (Fate::late, counts.late),
        (Fate::rejected, counts.rejected),
        (Fate::erased, counts.erased),
    ];
    for (fate, events) in fates {
        count(&gauges.events.get_or_create(&ByFate { fate }), events);
    }
    gauges.homes.set(signed(counts.homes));
    gauges.segments.set(counts.segments);
    gauges.transitions.set(counts.transitions);
    gauges.alarms.set(counts.alarms);
    count(&gauges.requests, counts.requests);
    count(&gauges.adaptations, counts.promoted);
    count(&gauges.drifts, counts.drifts);
    count(&gauges.scores, counts.scores);
}

fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
