//! Shifts that nobody declared: each home's days against those before them, by a test that may be looked at every day.
//!
//! A day lasts from four to four on the home's own clock and is judged once it is final: what is final is taken in behaviour by
//! behaviour in order of event time, so that what is found does not depend on how behaviours came; the epoch is the first in
//! which it can be known. Days without any behaviour count for nothing. A home is silent until it has been learnt for some
//! days, and after each shift, found or declared, it is learnt anew. A shift declared for days that were judged already makes it
//! forget these. [`Shifts`](crate::shift::Shifts) looks out for them, and ends regimes where they are found, if so wished.

mod changes;
mod day;
mod home;
mod views;
mod watch;

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::state::{Homes, Stateful, Visit};
use crate::words::{Catalog, Catalogs, HomeId, Segment, Shift, ShiftKind, Time};
use home::HomeDrift;

pub use changes::{Changes, Rates};
pub(crate) use views::e_value;
pub use watch::Strictness;
pub(crate) use watch::{MEMORY, SUSPECTS, SUSPICION};

/// How drift is looked for.
#[derive(Clone)]
pub struct Alertness {
    /// How homes speak.
    pub catalogs: Arc<Catalogs>,
    /// How far behind its newest behaviour a home may still change, in µs of event time.
    pub lateness: i64,
    /// When a shift counts as found.
    pub strictness: Strictness,
    /// Whether a shift that is found ends its home's regime.
    pub adapts: bool,
}

/// A shift that was found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Drift {
    /// Whose.
    pub home: HomeId,
    /// The end of the day that made it certain.
    pub time: Time,
    /// Minutes east of UTC of the home's clock then.
    pub offset: i16,
    /// When the first day began that differs.
    pub since: Time,
    /// How strong the case is: at least what [`Strictness`] asks for.
    pub evidence: f64,
    /// What differs.
    pub changes: Changes,
    /// Whether it ended its home's regime.
    pub adapted: bool,
}

impl Drift {
    /// As a shift, in the words of what differs.
    pub(crate) fn shift(&self, catalog: &Catalog) -> Shift {
        let (from, to) = self.changes.in_words(catalog);
        Shift {
            home: Some(self.home),
            time: self.since,
            offset: self.offset,
            kind: ShiftKind::Drift,
            from,
            to,
        }
    }
}

/// What looking for drift holds. Per home: the behaviours that are not final, 16 bytes each, and four bytes for each action and three
/// hours of at most 60 days. Cost: constant per behaviour; tens of microseconds per day.
///
/// # Examples
/// ```
/// use std::sync::Arc;
/// use hearth_operators::drift::{Alertness, DriftState, Strictness};
/// use hearth_operators::words::*;
///
/// let devices = ["Lamp", "Heater", "Fan"].map(|name| Device::new(name, vec![Action::new("on")]));
/// let catalogs = Catalogs::shared(Arc::new(Catalog::new(devices.to_vec()).unwrap()));
/// let strictness = Strictness::default();
/// let alertness = Alertness { catalogs, lateness: Time::DAY, strictness, adapts: false };
/// // For thirty days the lamp and the heater, then lamp and fan, at another hour.
/// let segments = (0..40).map(|day| {
///     let (hour, other) = if day < 30 { (8, 1) } else { (20, 2) };
///     let moment = |(minute, action)| Moment {
///         time: Time(day * Time::DAY + hour * Time::HOUR + minute * Time::HOUR / 60),
///         action: ActionId(action), offset: 0,
///     };
///     let (home, moments) = (HomeId(0), [(0, 0), (5, other)].map(moment).to_vec());
///     (Arc::new(Segment { home, moments }), 1)
/// });
/// let declared = |_| std::iter::empty();
/// let found = DriftState::default().update(segments.collect(), declared, &alertness);
/// assert_eq!(found.len(), 1);
/// let days = found[0].time.0 as f64 / Time::DAY as f64;
/// assert!((31.0..35.0).contains(&days));
/// ```
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct DriftState {
    homes: Homes<Option<Box<HomeDrift>>>,
}

impl Stateful for DriftState {
    fn visit(&mut self, operator: &'static str, visitor: &mut impl Visit) {
        visitor.in_pieces(operator, self, |state| &mut state.homes);
    }
}

impl DriftState {
    pub(crate) fn deal(self, to: &mut [&mut Self]) {
        self.homes
            .deal(to.iter_mut().map(|worker| &mut worker.homes));
    }

    pub(crate) fn settle(&mut self, index: usize, peers: usize) {
        self.homes.settle(index, peers);
    }

    /// Takes in the segments that come and go in an epoch, given the shifts that are declared of each home. What is found, home by home in
    /// order of time.
    pub fn update<S: Iterator<Item = Time>>(
        &mut self,
        mut updates: Vec<(Arc<Segment>, i64)>,
        shifts: impl Fn(HomeId) -> S,
        alertness: &Alertness,
    ) -> Vec<Drift> {
        let mut found = Vec::new();
        updates.sort_by_key(|(segment, _)| segment.home);
        for own in updates.chunk_by(|a, b| a.0.home == b.0.home) {
            let home = own[0].0.home;
            let state = self.homes.of(home).get_or_insert_default();
            found.extend(state.update(home, own, shifts(home), alertness));
        }
        found
    }

    /// Whether all days of a home before the one in which a time lies are judged.
    pub(crate) fn is_judged(&self, home: HomeId, time: Time) -> bool {
        let state = self.homes.get(home).and_then(Option::as_ref);
        state.is_some_and(|state| state.is_judged(time))
    }
}

#[cfg(test)]
mod tests;
