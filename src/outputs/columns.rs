//! What a stream's lines are as rows of a table: a column a key, in the order of the keys.

use super::Stream;

/// What a line has at a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Content {
    /// A text.
    Text,
    /// A time.
    Time,
    /// A whole number.
    Whole,
    /// A number.
    Number,
    /// True or false.
    Truth,
    /// Several of these, as JSON.
    Nested,
}

use Content::{Nested, Number, Text, Time, Truth, Whole};

impl Stream {
    /// The keys of its lines, with what is there; some lines lack some of them.
    pub fn columns(self) -> &'static [(&'static str, Content)] {
        match self {
            Stream::Segments => &[
                ("epoch", Whole),
                ("diff", Whole),
                ("home", Text),
                ("start", Time),
                ("end", Time),
                ("behaviors", Nested),
            ],
            Stream::Transitions => &[
                ("epoch", Whole),
                ("diff", Whole),
                ("home", Text),
                ("from", Text),
                ("to", Text),
            ],
            Stream::Representatives => &[
                ("epoch", Whole),
                ("diff", Whole),
                ("home", Text),
                ("regime", Whole),
                ("weekday", Text),
                ("start", Time),
                ("behaviors", Nested),
            ],
            Stream::Requests => &[
                ("epoch", Whole),
                ("request", Text),
                ("home", Text),
                ("shift", Nested),
                ("weekday", Text),
                ("representatives", Nested),
                ("hints", Nested),
                ("prompt", Nested),
            ],
            Stream::Verdicts => &[
                ("epoch", Whole),
                ("request", Text),
                ("home", Text),
                ("position", Whole),
                ("sequence", Nested),
                ("verdict", Text),
                ("stage", Whole),
                ("loss", Number),
                ("bound", Number),
                ("baseline", Number),
                ("trial", Number),
                ("reason", Text),
            ],
            Stream::Adaptations => &[
                ("epoch", Whole),
                ("home", Text),
                ("shift", Nested),
                ("task", Text),
                ("model", Text),
                ("version", Whole),
                ("event", Text),
                ("before", Number),
                ("after", Number),
                ("evidence", Text),
            ],
            Stream::Scores => &[
                ("epoch", Whole),
                ("home", Text),
                ("time", Time),
                ("action", Text),
                ("score", Number),
                ("threshold", Number),
                ("anomaly", Truth),
                ("predictions", Nested),
                ("versions", Nested),
                ("open", Truth),
                ("next", Nested),
            ],
            Stream::Alarms => &[
                ("epoch", Whole),
                ("diff", Whole),
                ("alarm", Time),
                ("home", Text),
                ("start", Time),
                ("end", Time),
                ("behaviors", Nested),
                ("score", Number),
                ("threshold", Number),
                ("once_in_days", Number),
                ("severity", Whole),
                ("reasons", Nested),
            ],
            Stream::Feedback => &[
                ("epoch", Whole),
                ("home", Text),
                ("alarm", Time),
                ("applied", Truth),
                ("reason", Text),
                ("source", Text),
            ],
            Stream::Erasures => &[
                ("epoch", Whole),
                ("home", Text),
                ("from", Time),
                ("to", Time),
                ("device", Text),
                ("events", Whole),
                ("source", Text),
            ],
            Stream::Drifts => &[
                ("epoch", Whole),
                ("home", Text),
                ("time", Time),
                ("since", Time),
                ("evidence", Number),
                ("days", Nested),
                ("rate", Nested),
                ("devices", Nested),
                ("hours", Nested),
                ("adapted", Truth),
            ],
            Stream::Late | Stream::Rejected => {
                &[("line", Text), ("source", Text), ("reason", Text)]
            }
        }
    }
}
