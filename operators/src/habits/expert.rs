//! Which experts there are.

/// How many experts there are.
pub(super) const EXPERTS: usize = 17;

/// Who speaks. A home's own experts count what came, at home, …
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(usize)]
pub(super) enum Expert {
    /// … after the last action.
    Last,
    /// … after the last two.
    Two,
    /// … after the last three.
    Three,
    /// … after the last action, near this time of the day.
    LastNear,
    /// … after what is like what was before: the more actions agree, the nearer the time of the day, the fewer days ago.
    Alike,
    /// … near this time of the day, lately and in this regime.
    Regime,
    /// The cohort: after the last action.
    CohortLast,
    /// The cohort: after the last two.
    CohortTwo,
    /// The cohort: at this hour.
    CohortHour,
    /// The cohort: after the last action in these three hours.
    CohortHoursLast,
    /// The cohort in this context: in these three hours.
    ContextHours,
    /// The cohort in this context: after the last action in these three hours.
    ContextHoursLast,
    /// What was imagined: in these three hours.
    ImaginedHours,
    /// What was imagined: after the last action in these three hours.
    ImaginedHoursLast,
    /// What was imagined: after what is like what was before.
    ImaginedAlike,
    /// The cohort: what a device does after what it did last. It says it of every device that others speak of.
    Device,
    /// The home itself: lately, whatever was before. It is for the cohort to say what people do at all; this speaks where a home is
    /// alone.
    Any,
}
