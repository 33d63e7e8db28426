//! Where a behaviour stands: what may be known of it before it happens, and the contexts that this gives.

use hearth_operators::words::Hours;

use super::super::log::{Action, Behavior, Home, Segment};

/// The hours where nothing came before.
const NO_HOURS: Hours = 8;
/// How many of the behaviours before make a set.
const SET: usize = 6;

/// A place in a segment: after some of its behaviours, at a time that is not told.
#[derive(Clone, Copy, Debug)]
pub(in super::super) struct Place<'a> {
    pub home: Home,
    /// The behaviours of the segment before this place.
    pub before: &'a [Behavior],
    /// The home's last behaviour before the segment, as far as it was known then.
    pub earlier: Option<&'a Behavior>,
}

impl<'a> Place<'a> {
    /// The places of a segment, one a behaviour.
    pub fn of(
        segment: &'a Segment,
        earlier: Option<&'a Behavior>,
    ) -> impl Iterator<Item = (Place<'a>, Action)> {
        let place = move |i: usize| Place {
            home: segment.home,
            before: &segment.behaviors[..i],
            earlier,
        };
        (0..segment.behaviors.len()).map(move |i| (place(i), segment.behaviors[i].action))
    }

    /// The behaviour before, of this segment or of the one before it.
    pub fn previous(&self) -> Option<&'a Behavior> {
        self.before.last().or(self.earlier)
    }

    /// The hours of the behaviour before.
    pub fn hours(&self) -> Hours {
        self.previous().map_or(NO_HOURS, |b| b.hours)
    }

    /// Whether the behaviour before was at a weekend.
    pub fn weekend(&self) -> bool {
        self.previous().is_some_and(|b| b.weekend)
    }

    /// The last `order` actions of the segment; the beginning of the segment counts as one, and nothing lies before it.
    pub(super) fn last(&self, order: usize) -> Option<Context> {
        Context::after(self.before.iter().rev().map(|b| b.action), order)
    }

    /// The same, filled up where the segment has fewer.
    pub(super) fn padded(&self, order: usize) -> Context {
        let last = self.before.iter().rev().map(|b| Some(b.action));
        let filled = last.chain(std::iter::repeat(None));
        Context::Last(filled.take(order).collect())
    }

    /// The last action with the set of the last six.
    pub(super) fn set(&self) -> Context {
        let mut actions: Vec<Action> = self
            .before
            .iter()
            .rev()
            .take(SET)
            .map(|b| b.action)
            .collect();
        let last = actions.first().copied();
        actions.sort_unstable();
        actions.dedup();
        Context::Set(last, actions)
    }
}

/// What is known of a place.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Context {
    /// Nothing.
    Any,
    Hours(Hours),
    WeekendHours(bool, Hours),
    /// The last actions, latest first; `None`: the segment begins.
    Last(Vec<Option<Action>>),
    HoursLast(Hours, Option<Action>),
    Set(Option<Action>, Vec<Action>),
    /// An action.
    Of(Action),
}

impl Context {
    /// The first `order` of some actions, latest first; their end counts as one. `None` where the end comes sooner, so that
    /// fewer say the same.
    pub fn after(latest_first: impl Iterator<Item = Action>, order: usize) -> Option<Self> {
        let ended = latest_first.map(Some).chain([None]);
        let last: Vec<Option<Action>> = ended.take(order).collect();
        (last.len() == order).then_some(Context::Last(last))
    }
}
