//! How two contexts are told to a language model: in pairs of sentences of the same form, so that a context's own word primes
//! nothing that the other's does not, and in several ways, which must agree.

use hearth_operators::words::{Shift, ShiftKind};

/// A sentence of the old context, and one of the new.
pub type Pair = (String, String);

/// What is asked behind a sentence.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Asked {
    /// Which device comes next.
    Devices,
    /// Which hour.
    Hours,
}

impl Asked {
    /// The ways in which it is asked: what comes before the word.
    pub fn ends(self) -> &'static [&'static str] {
        match self {
            Asked::Devices => &[
                "people at home most often switch on the",
                "at home we more and more often use the",
                "the device in our home that is used most is the",
            ],
            Asked::Hours => &[
                "people here are mostly up and busy at",
                "most of what is done in this home is done around",
            ],
        }
    }
}

/// The middle of each three-hour bucket, in words.
pub const HOUR_WORDS: [&str; 8] = [
    "one in the morning",
    "four in the morning",
    "seven in the morning",
    "ten in the morning",
    "one in the afternoon",
    "four in the afternoon",
    "seven in the evening",
    "ten in the evening",
];

/// The contexts of a shift, told in several ways.
pub fn pairs(shift: &Shift) -> Vec<Pair> {
    match shift.kind {
        ShiftKind::Season => each(
            shift,
            &["In {},", "During the {} months,", "When it is {},"],
            str::to_lowercase,
        ),
        ShiftKind::Schedule => each(
            shift,
            &[
                "In this home people {}.",
                "Everybody who lives here would tell you that they {}.",
                "We have a rhythm of our own: we {}.",
            ],
            |schedule| match schedule {
                "night" => "work at night and sleep during the day".to_owned(),
                _ => "work during the day and sleep at night".to_owned(),
            },
        ),
        ShiftKind::Occupancy => each(
            shift,
            &[
                "{} here.",
                "This is a home in which {}.",
                "You should know that {} in this house.",
            ],
            |people| match people {
                "multiple" => "two people live together".to_owned(),
                _ => "one person lives alone".to_owned(),
            },
        ),
        ShiftKind::Text | ShiftKind::Drift => {
            let (from, to) = (sentence(&shift.from), sentence(&shift.to));
            [
                "{}",
                "This is how things are now. {}",
                "A word about our home. {}",
            ]
            .iter()
            .map(|form| (form.replace("{}", &from), form.replace("{}", &to)))
            .collect()
        }
    }
}

fn each(shift: &Shift, forms: &[&str], told: impl Fn(&str) -> String) -> Vec<Pair> {
    let fill = |form: &str, context: &str| sentence(&form.replace("{}", &told(context)));
    let pair = |form: &&str| (fill(form, &shift.from), fill(form, &shift.to));
    forms.iter().map(pair).collect()
}

/// As a sentence: with a capital, and a stop.
fn sentence(text: &str) -> String {
    let text = text.trim();
    let mut letters = text.chars();
    let first = letters.next().into_iter().flat_map(char::to_uppercase);
    let mut sentence: String = first.chain(letters).collect();
    if !sentence.ends_with(['.', '!', '?', ',']) {
        sentence.push('.');
    }
    sentence
}

/// What is asked behind a context: a sentence of its own, or the rest of one.
pub fn text(context: &str, end: &str) -> String {
    match context.ends_with(',') {
        true => format!("{context} {end}"),
        false => format!("{context} {}", sentence(end).trim_end_matches('.')),
    }
}
