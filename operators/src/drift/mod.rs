//! Shifts that nobody declared: each home's days against those before them, by a test that may be looked at every day.

mod changes;
mod day;
mod home;
mod views;
mod watch;

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use timely::dataflow::StreamVec;
use timely::dataflow::channels::pact::Pipeline;
use timely::dataflow::operators::generic::OutputBuilder;
use timely::dataflow::operators::generic::builder_rc::OperatorBuilder;

use crate::shift::Placed;
use crate::state::{EpochBuffer, Held, Homes, Stateful, Visit, give};
use crate::words::{Catalogs, Epoch, HomeId, Time};
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
}

/// Finds shifts that nobody declared.
pub trait Drifts<'s> {
    /// Judges each home's days, in order of time and once each, by the days before them.
    ///
    /// A day lasts from four to four on the home's own clock and is judged once it is final: what is final is taken in behaviour by
    /// behaviour in order of event time, so that what is found does not depend on how behaviours came; the epoch is the first in
    /// which it can be known. Days without any behaviour count for nothing. A home is silent until it has been learnt for some
    /// days, and after each shift, found or declared, it is learnt anew. A shift declared for days that were judged already makes it
    /// forget these.
    ///
    /// State per home: the behaviours that are not final, 16 bytes each, and four bytes for each action and three hours of at most
    /// 60 days. Cost: constant per behaviour; tens of microseconds per day.
    ///
    /// # Examples
    /// ```
    /// use std::sync::Arc;
    /// use hearth_operators::drift::{Alertness, Drifts, Strictness};
    /// use hearth_operators::shift::Placed;
    /// use hearth_operators::state::Held;
    /// use hearth_operators::words::*;
    /// use timely::dataflow::operators::{ToStream, capture::{Capture, Extract}, vec::Map};
    ///
    /// let devices = ["Lamp", "Heater", "Fan"].map(|name| Device::new(name, vec![Action::new("on")]));
    /// let catalog = Arc::new(Catalog::new(devices.to_vec()).unwrap());
    /// let catalogs = Catalogs::shared(catalog);
    /// let alertness = Alertness { catalogs, lateness: Time::DAY, strictness: Strictness::default() };
    /// // For thirty days the lamp and the heater, then lamp and fan, at another hour.
    /// let segments = (0..40).map(|day| {
    ///     let (hour, other) = if day < 30 { (8, 1) } else { (20, 2) };
    ///     let moment = |(minute, action)| Moment {
    ///         time: Time(day * Time::DAY + hour * Time::HOUR + minute * Time::HOUR / 60),
    ///         action: ActionId(action), offset: 0,
    ///     };
    ///     let (home, moments) = (HomeId(0), [(0, 0), (5, other)].map(moment).to_vec());
    ///     let key = ShiftKey { home, regime: 0 };
    ///     Placed { key, began: None, segment: Arc::new(Segment { home, moments }), diff: 1 }
    /// });
    /// let found = timely::example(|scope| {
    ///     let found = segments.collect::<Vec<_>>().to_stream(scope).drifts(alertness, Held::default());
    ///     found.map(|drift| drift.time).capture()
    /// });
    /// let found = found.extract().remove(0).1;
    /// assert_eq!(found.len(), 1);
    /// let days = found[0].0 as f64 / Time::DAY as f64;
    /// assert!((31.0..35.0).contains(&days));
    /// ```
    fn drifts(self, alertness: Alertness, state: Held<DriftState>) -> StreamVec<'s, Epoch, Drift>;
}

/// What looking for drift holds.
#[derive(Debug, Default, Serialize, Deserialize)]
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

    fn update(&mut self, mut updates: Vec<Placed>, alertness: &Alertness) -> Vec<Drift> {
        let mut found = Vec::new();
        updates.sort_by_key(|update| update.key.home);
        for own in updates.chunk_by(|a, b| a.key.home == b.key.home) {
            let home = own[0].key.home;
            let state = self.homes.of(home).get_or_insert_default();
            found.extend(state.update(home, own, alertness));
        }
        found
    }
}

impl<'s> Drifts<'s> for StreamVec<'s, Epoch, Placed> {
    fn drifts(self, alertness: Alertness, held: Held<DriftState>) -> StreamVec<'s, Epoch, Drift> {
        let scope = self.scope();
        let (index, peers) = (scope.index(), scope.peers());
        let mut builder = OperatorBuilder::new("Drifts".to_owned(), scope);
        let mut updates = builder.new_input(self, Pipeline);
        let (output, drifts) = builder.new_output::<Vec<_>>();
        let mut drifts_out = OutputBuilder::from(output);
        builder.build(move |_capabilities| {
            held.borrow_mut().homes.settle(index, peers);
            let mut buffer = EpochBuffer::<Vec<Placed>>::new(1);
            move |frontiers| {
                buffer.gather(&mut updates, |arrived, came| arrived.extend(came));
                while let Some((at, updates)) = buffer.next(frontiers) {
                    let found = held.borrow_mut().update(updates, &alertness);
                    give(&mut drifts_out, &at[0], found);
                }
            }
        });
        drifts
    }
}

#[cfg(test)]
mod tests;
