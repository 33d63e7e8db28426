//! What is put beside Hearth: a file a method, each plain enough to be checked by hand.
//!
//! A method judges a segment by what it learnt before, then learns it. All are of fixed form: nothing is tuned, nothing drawn
//! but by the random answer's own generator.

mod chain;
mod counts;
mod habits;
mod lezi;
mod mixture;
mod ngram;
mod places;
mod ppm;
#[cfg(test)]
mod tests;
mod trivial;

use super::log::{Behavior, Home, Segment};
pub(super) use places::Place;

/// Says what comes next in a home, nothing of it given.
pub(super) trait Predictor {
    /// Its name in tables.
    fn name(&self) -> &'static str;

    /// Whether its scores are probabilities.
    fn is_distribution(&self) -> bool {
        true
    }

    /// A segment begins; what was known before it, and the clock, are all there is.
    fn begin(&mut self, _segment: &Opening) {}

    /// A score for each action, the higher the more expected. `scores` has a place for each and holds anything.
    fn predict(&mut self, place: &Place<'_>, scores: &mut [f64]);

    /// Learns a segment; the home's last behaviour before it stands beside it.
    fn learn(&mut self, segment: &Segment, earlier: Option<&Behavior>);
}

/// What is known of a segment that begins.
#[derive(Clone, Copy, Debug)]
pub(super) struct Opening {
    pub epoch: u64,
    pub home: Home,
    /// When it begins.
    pub time: i64,
    /// The local day of that.
    pub day: i64,
}

impl Opening {
    pub fn of(segment: &Segment) -> Self {
        Opening {
            epoch: segment.epoch,
            home: segment.home,
            time: segment.first().time,
            day: segment.first().day,
        }
    }
}

/// Says how strange each behaviour of a segment is, the whole segment being known.
pub(super) trait Detector {
    /// Its name in tables.
    fn name(&self) -> &'static str;

    /// The higher, the stranger; one score a behaviour.
    fn judge(&mut self, segment: &Segment) -> Vec<f64>;

    /// Learns a segment.
    fn learn(&mut self, segment: &Segment);
}

/// All predictors, in the order of the tables, for a log of so many actions.
pub(super) fn predictors(actions: usize) -> Vec<Box<dyn Predictor>> {
    use ngram::Memory::{Daily, Everything, FirstWeek, LastWeek};
    vec![
        Box::new(ngram::Ngram::new("n-gram, first week alone", FirstWeek)),
        Box::new(ngram::Ngram::new("n-gram, last 7 days", LastWeek)),
        Box::new(ngram::Ngram::new("n-gram, all, refitted daily", Daily)),
        Box::new(ngram::Ngram::new("n-gram, online", Everything)),
        Box::new(ngram::OverCohort::default()),
        Box::new(mixture::Mixture::new(actions)),
        Box::new(lezi::ActiveLezi::default()),
        Box::new(ppm::Ppm::default()),
        Box::new(trivial::MostFrequent::default()),
        Box::new(trivial::LastFollower::default()),
    ]
}

/// All detectors, in the order of the tables, for a log of so many actions.
pub(super) fn detectors(actions: usize, seed: u64) -> Vec<Box<dyn Detector>> {
    vec![
        Box::new(habits::Habits::alone(actions)),
        Box::new(habits::Habits::over_cohort(actions)),
        Box::new(trivial::Rarity::new(actions)),
        Box::new(trivial::Random::new(seed)),
    ]
}
