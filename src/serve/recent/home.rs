//! What is kept of one home.

use std::borrow::Cow;
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use hearth_operators::words::{Epoch, Time};

use super::line;
use super::shifts::Shifts;
use crate::outputs::{
    AlarmLine, ErasureLine, RequestLine, ScoreLine, SegmentLine, Stamp, Stream, TransitionLine,
    VerdictLine,
};

/// Lines that are kept of a home, by kind: two days of a home that does much.
const SEGMENTS: usize = 200;
const SCORES: usize = 1_500;
const ALARMS: usize = 50;
const SAID: usize = 20;

/// Transitions that are told apart in a home.
const TRANSITIONS: usize = 4_096;

/// How long a segment is kept behind the newest: the two days before today.
const DAYS: i64 = 3 * Time::DAY;

/// Memory of an entry beside its text, roughly.
const BESIDE: usize = 96;

/// A segment or an alarm: what can be taken back.
#[derive(Clone, Debug)]
pub struct Entry {
    /// When its segment starts.
    pub start: Stamp,
    /// When its segment ends.
    pub end: Stamp,
    /// The line.
    pub line: Arc<str>,
}

/// What was seen last of a home, kept also where nothing else is.
#[derive(Clone, Copy, Debug, Default)]
pub struct Glance {
    /// The end of its newest segment, or what happened last in one that is open.
    pub newest: Option<Stamp>,
    /// The end of its last alarm that stands, and how severe it is.
    pub alarm: Option<(Stamp, u8)>,
    /// When a drift was found last.
    pub drift: Option<Stamp>,
}

/// What is kept of one home, from when it was first heard of since it was last forgotten.
#[derive(Clone, Debug, Default)]
pub struct Home {
    /// Its last segments, in the order of coming.
    pub segments: VecDeque<Entry>,
    /// Its last scores; of a behaviour that was scored again the later one holds.
    pub scores: VecDeque<Arc<str>>,
    /// Its last alarms that stand.
    pub alarms: VecDeque<Entry>,
    /// What became of its last versions.
    pub adaptations: VecDeque<Arc<str>>,
    /// Its last drifts.
    pub drifts: VecDeque<Arc<str>>,
    /// What was said of its alarms.
    pub feedback: VecDeque<Arc<str>>,
    /// Its last shifts.
    pub shifts: Shifts,
    /// How often what followed what.
    pub transitions: BTreeMap<(Arc<str>, Arc<str>), i64>,
    /// When the last behaviour happened that was scored in an open segment.
    open: Option<Stamp>,
    /// Memory that all of that takes, roughly.
    pub(super) bytes: usize,
    /// Whether all of it was erased, and nothing came since.
    forgotten: bool,
}

/// Why a line was not taken in: it is not as its stream has it.
type Odd = serde_json::Error;

impl Home {
    /// Takes a line of this home.
    ///
    /// # Errors
    /// It is not as its stream has it.
    pub(super) fn take(
        &mut self,
        stream: Stream,
        text: &Arc<str>,
        glance: &mut Glance,
    ) -> Result<(), Odd> {
        if stream != Stream::Erasures && line::change(text).is_none_or(|(diff, _)| diff > 0) {
            self.forgotten = false;
        }
        match stream {
            Stream::Segments => self.segment(text, glance)?,
            Stream::Alarms => self.alarm(text, glance)?,
            Stream::Transitions => self.transition(&serde_json::from_str(text)?),
            Stream::Scores => {
                keep(&mut self.scores, text, SCORES, &mut self.bytes);
                if let Some(time) = line::open(text) {
                    self.open = Some(time);
                    glance.newest = glance.newest.max(self.open);
                }
            }
            Stream::Adaptations => keep(&mut self.adaptations, text, SAID, &mut self.bytes),
            Stream::Feedback => keep(&mut self.feedback, text, SAID, &mut self.bytes),
            Stream::Drifts => {
                glance.drift =
                    Some(serde_json::from_str::<crate::outputs::DriftLine<'_>>(text)?.since);
                keep(&mut self.drifts, text, SAID, &mut self.bytes);
            }
            Stream::Requests => {
                let request: RequestLine<'_> = serde_json::from_str(text)?;
                if self.shifts.request(&request) {
                    self.catch_up()?;
                }
            }
            Stream::Verdicts => self
                .shifts
                .verdict(&serde_json::from_str::<VerdictLine<'_>>(text)?),
            Stream::Erasures => {
                self.erase(&Erased::read(text)?);
                let ends = self.segments.iter().map(|entry| entry.end);
                glance.newest = ends.max().max(self.open);
            }
            Stream::Representatives | Stream::Late | Stream::Rejected => {}
        }
        Ok(())
    }

    /// Scores of the segment that is open, with the times of their behaviours: those behind all that are closed.
    pub fn opened(&self) -> impl Iterator<Item = (Stamp, &Arc<str>)> + Clone {
        let closed = self.segments.iter().map(|entry| entry.end.time).max();
        let scores = self.scores.iter();
        let opened = scores.filter_map(|text| Some((line::open(text)?, text)));
        opened.filter(move |(at, _)| closed.is_none_or(|closed| closed < at.time))
    }

    /// Whether it was erased, and nothing is left.
    pub(super) fn is_gone(&self) -> bool {
        self.forgotten && self.bytes == 0
    }

    fn held(&self) -> usize {
        let entries = self.segments.iter().chain(&self.alarms);
        let entries = entries.map(|entry| entry.line.len() + BESIDE);
        let names = self.transitions.keys();
        let names = names.map(|(from, to)| BESIDE + from.len() + to.len());
        entries.chain(names).sum()
    }

    fn segment(&mut self, text: &Arc<str>, glance: &mut Glance) -> Result<(), Odd> {
        let segment: SegmentLine<'_> = serde_json::from_str(text)?;
        self.shifts.happened(&segment.behaviors, segment.diff);
        let entry = Entry {
            start: segment.start,
            end: segment.end,
            line: text.clone(),
        };
        change(&mut self.segments, entry, SEGMENTS, &mut self.bytes);
        let newest = self.segments.iter().map(|entry| entry.end).max();
        glance.newest = newest.max(self.open);
        let old = |entry: &Entry| newest.is_some_and(|it| it.time.0 - entry.end.time.0 > DAYS);
        while self.segments.front().is_some_and(old) {
            drop_first(&mut self.segments, &mut self.bytes);
        }
        Ok(())
    }

    fn alarm(&mut self, text: &Arc<str>, glance: &mut Glance) -> Result<(), Odd> {
        let alarm: AlarmLine<'_> = serde_json::from_str(text)?;
        let entry = Entry {
            start: alarm.start,
            end: alarm.end,
            line: text.clone(),
        };
        change(&mut self.alarms, entry, ALARMS, &mut self.bytes);
        let last = self.alarms.iter().max_by_key(|entry| entry.end);
        glance.alarm = last.and_then(|entry| {
            let alarm: AlarmLine<'_> = serde_json::from_str(&entry.line).ok()?;
            Some((alarm.end, alarm.severity))
        });
        Ok(())
    }

    fn transition(&mut self, line: &TransitionLine<'_>) {
        let key = (Arc::from(&*line.from), Arc::from(&*line.to));
        let bytes = BESIDE + line.from.len() + line.to.len();
        if let Some(count) = self.transitions.get_mut(&key) {
            *count += line.diff;
            if *count <= 0 {
                self.transitions.remove(&key);
                self.bytes = self.bytes.saturating_sub(bytes);
            }
        } else if line.diff > 0 && self.transitions.len() < TRANSITIONS {
            self.bytes += bytes;
            self.transitions.insert(key, line.diff);
        }
    }

    /// A shift becomes known long after it was: what has happened since then is counted for it.
    fn catch_up(&mut self) -> Result<(), Odd> {
        let Some(newest) = self.shifts.iter().next_back().map(|shift| shift.time) else {
            return Ok(());
        };
        for entry in self
            .segments
            .iter()
            .filter(|entry| entry.end.time >= newest.time)
        {
            let segment: SegmentLine<'_> = serde_json::from_str(&entry.line)?;
            self.shifts.happened(&segment.behaviors, 1);
        }
        Ok(())
    }

    /// Forgets what no line takes back.
    fn erase(&mut self, erased: &Erased) {
        if erased.is_whole() {
            *self = Home {
                segments: std::mem::take(&mut self.segments),
                alarms: std::mem::take(&mut self.alarms),
                transitions: std::mem::take(&mut self.transitions),
                forgotten: true,
                ..Home::default()
            };
            self.bytes = self.held();
            return;
        }
        let bytes = &mut self.bytes;
        self.scores.retain(|text| {
            let goes = erased.holds_score(text);
            if goes {
                *bytes = bytes.saturating_sub(text.len() + BESIDE);
            }
            !goes
        });
        let opens = self.scores.iter().filter_map(|text| line::open(text));
        self.open = opens.max();
        // What was imagined of the home rests on what was erased.
        self.shifts = Shifts::default();
    }
}

/// What was erased of a home: of what came in before an epoch.
#[derive(Clone, Debug)]
pub(super) struct Erased {
    before: Epoch,
    from: Option<Time>,
    to: Option<Time>,
    device: Option<String>,
}

impl Erased {
    /// By its line.
    pub fn read(text: &str) -> Result<Self, Odd> {
        let line: ErasureLine<'_> = serde_json::from_str(text)?;
        Ok(Erased {
            before: line.epoch,
            from: line.from.map(|from| from.time),
            to: line.to.map(|to| to.time),
            device: line.device.map(Cow::into_owned),
        })
    }

    fn is_whole(&self) -> bool {
        self.from.is_none() && self.to.is_none() && self.device.is_none()
    }

    /// Whether a line of the home, of an epoch, is of what is gone. Streams come apart, so it may come behind the erasure. Where
    /// lines are taken back, they are.
    pub fn holds(&self, stream: Stream, epoch: Epoch, text: &str) -> bool {
        let taken_back = matches!(
            stream,
            Stream::Segments | Stream::Transitions | Stream::Alarms
        );
        let score = stream == Stream::Scores;
        epoch < self.before
            && !taken_back
            && stream != Stream::Erasures
            && (self.is_whole() || score && self.holds_score(text))
    }

    /// The same of a score; one that cannot be read is none that is kept.
    fn holds_score(&self, text: &str) -> bool {
        let Ok(score) = serde_json::from_str::<ScoreLine<'_>>(text) else {
            return true;
        };
        let time = score.time.time;
        let device = self.device.as_deref();
        self.from.is_none_or(|from| from <= time)
            && self.to.is_none_or(|to| time < to)
            && device.is_none_or(|device| is_of(&score.action, device))
    }
}

/// Whether an action, `Device:action`, is of a device.
fn is_of(action: &str, device: &str) -> bool {
    let rest = action.strip_prefix(device);
    rest.is_some_and(|rest| rest.starts_with(':'))
}

fn keep(lines: &mut VecDeque<Arc<str>>, text: &Arc<str>, most: usize, bytes: &mut usize) {
    lines.push_back(text.clone());
    *bytes += text.len() + BESIDE;
    if lines.len() > most
        && let Some(first) = lines.pop_front()
    {
        *bytes = bytes.saturating_sub(first.len() + BESIDE);
    }
}

/// Adds an entry, or takes the one away that it takes back.
fn change(entries: &mut VecDeque<Entry>, entry: Entry, most: usize, bytes: &mut usize) {
    let Some((diff, rest)) = line::change(&entry.line) else {
        return;
    };
    if diff > 0 {
        *bytes += entry.line.len() + BESIDE;
        entries.push_back(entry);
        if entries.len() > most {
            drop_first(entries, bytes);
        }
        return;
    }
    let same = |it: &Entry| {
        it.start == entry.start && line::change(&it.line).is_some_and(|(_, its)| its == rest)
    };
    if let Some(at) = entries.iter().position(same)
        && let Some(gone) = entries.remove(at)
    {
        *bytes = bytes.saturating_sub(gone.line.len() + BESIDE);
    }
}

fn drop_first(entries: &mut VecDeque<Entry>, bytes: &mut usize) {
    if let Some(first) = entries.pop_front() {
        *bytes = bytes.saturating_sub(first.line.len() + BESIDE);
    }
}
