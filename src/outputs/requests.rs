//! Requests: what a synthesizer is asked.

use std::borrow::Cow;
use std::sync::Arc;

use hearth_operators::words::{ActionId, Epoch, HomeId, Quadruple, Request, Sequence};
use serde::{Deserialize, Serialize, Serializer};

use super::ids::request_id;
use super::parts::{ShiftLine, Word4, hours, shift_line, weekday};
use super::{Names, Record, Stream, Tally};

/// The two messages of a request.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct PromptLine {
    /// The system message.
    pub system: String,
    /// The user message.
    pub user: String,
}

/// Top-k successors of each action with their counts, most frequent first: an object of objects.
#[derive(Clone, Debug, Default)]
pub struct HintsLine(pub Vec<(String, Vec<(String, u32)>)>);

impl Serialize for HintsLine {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        struct Successors<'a>(&'a [(String, u32)]);
        impl Serialize for Successors<'_> {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_map(self.0.iter().map(|(action, count)| (action, count)))
            }
        }
        serializer.collect_map(self.0.iter().map(|(from, to)| (from, Successors(to))))
    }
}

/// `requests.jsonl`: what a synthesizer was asked.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct RequestLine<'a> {
    /// See [the module](super).
    pub epoch: u64,
    /// Its name, see [`request_id`].
    #[serde(borrow)]
    pub request: Cow<'a, str>,
    /// The home's name.
    #[serde(borrow)]
    pub home: Cow<'a, str>,
    /// The shift that it is for.
    #[serde(borrow)]
    pub shift: ShiftLine<'a>,
    /// Weekday of the representatives' first behaviours.
    #[serde(borrow)]
    pub weekday: Cow<'a, str>,
    /// The representatives as quadruples `["Monday","(6~9)","Light","switch on"]`.
    pub representatives: Vec<Vec<Word4>>,
    /// The graph of the regime that ended. Not read back.
    #[serde(skip_deserializing)]
    pub hints: HintsLine,
    /// The messages.
    pub prompt: PromptLine,
}

impl Record for Arc<Request> {
    const STREAM: Stream = Stream::Requests;

    fn line(&self, epoch: Epoch, names: &Names, line: &mut Vec<u8>) -> serde_json::Result<()> {
        let id = self.key.shift.home;
        let home = names.home(id);
        let full = |action: ActionId| names.action(id, action).into_owned();
        let successors = |&(action, count): &(ActionId, u32)| (full(action), count);
        let hints = self.hints.0.iter();
        let hints = hints.map(|(from, to)| (full(*from), to.iter().map(successors).collect()));
        let (system, user) = names.prompt(self);
        let value = RequestLine {
            epoch,
            request: request_id(&home, &self.key).into(),
            home: Cow::Borrowed(&home),
            shift: shift_line(&self.regime.shift),
            weekday: weekday(self.key.weekday),
            representatives: self
                .representatives
                .iter()
                .map(|sequence| words(id, sequence, names))
                .collect(),
            hints: HintsLine(hints.collect()),
            prompt: PromptLine { system, user },
        };
        serde_json::to_writer(line, &value)
    }

    fn count(&self, tally: &mut Tally) {
        tally.counts.requests += 1;
        tally.asked(self.key.shift);
    }
}

fn words(home: HomeId, sequence: &Sequence, names: &Names) -> Vec<Word4> {
    let words = |q: &Quadruple| {
        [
            weekday(q.weekday).into_owned(),
            hours(q.hours).into_owned(),
            names.device(home, q.action).to_owned(),
            names.action_alone(home, q.action).to_owned(),
        ]
    };
    sequence.0.iter().map(words).collect()
}
