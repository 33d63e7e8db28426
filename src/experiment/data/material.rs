//! A pair of contexts and its real sequences.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use hearth_operators::words::{ActionId, Catalog, Sequence, Shift, ShiftKind};
use serde::{Deserialize, Serialize};

use crate::import::authors::Numbers;
use crate::models::Columns;

/// The paper's three shifts.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    clap::ValueEnum,
)]
pub enum Kind {
    /// Season: winter → spring.
    #[value(name = "ST")]
    ST,
    /// Schedule: daytime → night.
    #[value(name = "TT")]
    TT,
    /// Occupancy: single → multiple.
    #[value(name = "NT")]
    NT,
}

impl Kind {
    /// All three, in the paper's order.
    pub const ALL: [Kind; 3] = [Kind::ST, Kind::TT, Kind::NT];

    /// The context that ends, as the data calls it.
    pub fn from(self) -> &'static str {
        match self {
            Kind::ST => "winter",
            Kind::TT => "daytime",
            Kind::NT => "single",
        }
    }

    /// The context that begins.
    pub fn to(self) -> &'static str {
        match self {
            Kind::ST => "spring",
            Kind::TT => "night",
            Kind::NT => "multiple",
        }
    }

    /// The paper's attack on the new context, as its files call it.
    pub fn attack(self) -> &'static str {
        match self {
            Kind::ST => "heater",
            Kind::TT => "time",
            Kind::NT => "tv",
        }
    }

    /// The one column that the authors' detector reads for this shift.
    pub fn column(self) -> Columns {
        match self {
            Kind::ST => Columns::Action,
            Kind::TT => Columns::Hours,
            Kind::NT => Columns::Device,
        }
    }

    /// What kind of context shifts.
    pub fn shift(self) -> ShiftKind {
        match self {
            Kind::ST => ShiftKind::Season,
            Kind::TT => ShiftKind::Schedule,
            Kind::NT => ShiftKind::Occupancy,
        }
    }
}

/// A data set and a shift in it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Pair {
    /// `fr`, `sp`, `us`, or a simulated home (`sim-1` …; `sim-1-7`: of a simulation with seed 7).
    pub dataset: String,
    /// Which shift.
    pub shift: Kind,
}

impl Pair {
    /// Whether it is a simulated home's: there are no recorded replies of such.
    pub fn simulated(&self) -> bool {
        self.dataset.starts_with("sim-")
    }
}

impl fmt::Display for Pair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {:?}", self.dataset, self.shift)
    }
}

/// An anomalous sequence.
#[derive(Clone, Debug)]
pub struct Attack {
    /// Which of the normal sequences it was made from, where it was.
    pub of: Option<usize>,
    /// What is to be found.
    pub sequence: Sequence,
}

/// The real sequences of a pair.
#[derive(Debug)]
pub struct Material {
    /// The vocabulary.
    pub catalog: Arc<Catalog>,
    /// The shift, as a synthesizer is told of it.
    pub shift: Shift,
    /// The context that ends, split.
    pub source: Vec<Sequence>,
    /// The context that begins, split: what is tested on.
    pub normal: Vec<Sequence>,
    /// Attacks on it.
    pub attacks: Vec<Attack>,
    /// The authors' own numbers, which their protocol of behaviour prediction needs.
    pub numbering: Option<Numbering>,
}

/// The authors' numbers of the sequences that are tested on.
#[derive(Debug)]
pub struct Numbering {
    /// By normal sequence.
    pub normal: Vec<Vec<Numbers>>,
    /// What a number names, read as an action.
    pub actions: BTreeMap<i64, ActionId>,
}
