//! Conduct: in which order, when and how often people do things, counted, and how much of that a sequence lacks.
//!
//! Each behaviour of a sequence is asked about by its place among the others:
//!
//! - in *order*: its device, after the behaviour before; what it does, after what its device did last (a closing of what is not
//!   open, a switch on of what is on), or whether it opens or closes, where its device was not touched before;
//! - in *time*: how many buckets of hours have gone by since the behaviour before; its hours, given its device and action;
//! - in *repetition*: the how manyth of its action it is in the sequence.
//!
//! An answer is measured against chance: what it would be if the same behaviours came in any order, at any time. So a device, an
//! action or an hour that nobody has seen counts neither for nor against a sequence: there is no more surprise in it than
//! chance has.

use std::collections::HashMap;

use foldhash::fast::FixedState;
use hearth_operators::words::{ActionId, Catalog, Count, HOURS, Quadruple, Sequence, WEEKDAYS};

use super::encoding::{Columns, Vocabulary};
use super::error::ModelError;

/// What a sequence is judged in: order, time and repetition.
const ASPECTS: usize = 3;
/// As many of an action as more are told apart from.
const OFTEN: usize = 6;
/// Buckets of hours in a week.
pub(super) const WEEK: usize = WEEKDAYS.len() * HOURS.len();

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Aspect {
    Order,
    Time,
    Repetition,
}

/// Where something is counted. The numbers are stored with a cohort's counts: never change one.
#[derive(Clone, Copy)]
pub(super) enum Place {
    /// Devices that follow any behaviour.
    Following = 0,
    /// Devices that follow this one.
    Followers = 1,
    /// What behaviours do: open, close or neither.
    Roles = 2,
    /// What the first behaviour of any device in a sequence does.
    FirstRoles = 3,
    /// What the first behaviour of this device in a sequence does.
    FirstRolesOf = 4,
    /// Actions of a device.
    Actions = 5,
    /// Its actions after one that does so.
    AfterRole = 6,
    /// Its actions after this one.
    AfterAction = 7,
    /// Buckets gone by.
    Steps = 8,
    /// Buckets gone by since one of these hours.
    StepsFrom = 9,
    /// Hours of all behaviours.
    Hours = 10,
    /// Of this device's.
    HoursOfDevice = 11,
    /// Of this action's.
    HoursOfAction = 12,
    /// The how manyth of its action a behaviour is.
    Times = 13,
    /// Of this action.
    TimesOf = 14,
    /// Devices that follow this action.
    FollowersOfAction = 15,
    /// Actions, and the ends of sequences.
    Next = 16,
    /// What comes after this action, or first.
    NextAfter = 17,
    /// What its device does after this action of it, or first in a sequence.
    NextOwn = 18,
    /// Which of two devices comes first.
    DevicesInTurn = 19,
    /// Which of two actions comes first.
    ActionsInTurn = 20,
}

impl Place {
    pub(super) fn of(self, a: u16, b: u16) -> u64 {
        (self as u64) << 32 | u64::from(a) << 16 | u64::from(b)
    }
}

/// What a behaviour does to its device: nothing closes it, it is closed by another action, or it closes others.
#[derive(Clone, Copy)]
enum Role {
    Neither = 0,
    Opens = 1,
    Closes = 2,
}

/// In how many places an answer is counted at most.
const DEEPEST: usize = 3;

/// Something asked of a behaviour, with its answer. Without a heap of its own, for there are many.
#[derive(Clone, Debug)]
struct Question {
    aspect: Aspect,
    answer: u16,
    /// How many answers there can be.
    answers: usize,
    /// Where it is counted, the general before the particular; so many of them.
    places: ([u64; DEEPEST], usize),
    /// Of how many of these places chance knows the counts.
    chance: usize,
}

impl Question {
    fn new(aspect: Aspect, answer: u16, answers: usize, chance: usize, places: &[u64]) -> Self {
        let mut all = [0; DEEPEST];
        all[..places.len()].copy_from_slice(places);
        Question {
            aspect,
            answer,
            answers,
            places: (all, places.len()),
            chance,
        }
    }

    fn places(&self) -> &[u64] {
        &self.places.0[..self.places.1]
    }
}

/// Reads the sequences of a catalog.
pub(crate) struct Reader<'a> {
    pub(super) catalog: &'a Catalog,
    pub(super) vocabulary: Vocabulary,
    roles: Vec<Role>,
}

/// All that is asked of a sequence's behaviours.
pub(crate) struct Questions(Vec<Question>);

impl<'a> Reader<'a> {
    pub fn new(catalog: &'a Catalog) -> Self {
        let closes = |a: ActionId| !catalog.closes(a).is_empty();
        let mut roles: Vec<Role> = vec![Role::Neither; catalog.actions()];
        for opened in catalog.action_ids().flat_map(|a| catalog.closes(a)) {
            roles[usize::from(opened.0)] = Role::Opens;
        }
        for action in catalog.action_ids().filter(|a| closes(*a)) {
            roles[usize::from(action.0)] = Role::Closes;
        }
        Reader {
            catalog,
            vocabulary: Vocabulary::new(catalog, Columns::All),
            roles,
        }
    }

    /// What is asked of a sequence.
    ///
    /// # Errors
    /// The sequence is not of the catalog.
    pub fn read(&self, sequence: &Sequence) -> Result<Questions, ModelError> {
        self.vocabulary.check(sequence)?;
        let mut questions = Vec::with_capacity(6 * sequence.0.len());
        for (i, behavior) in sequence.0.iter().enumerate() {
            let before = &sequence.0[..i];
            self.order(before, behavior, &mut questions);
            self.time(before, behavior, &mut questions);
            questions.push(repetition(before, behavior));
        }
        Ok(Questions(questions))
    }

    pub(super) fn device(&self, q: &Quadruple) -> u16 {
        self.catalog.device_of(q.action).0
    }

    fn role(&self, action: ActionId) -> u16 {
        self.roles[usize::from(action.0)] as u16
    }

    fn order(&self, before: &[Quadruple], q: &Quadruple, questions: &mut Vec<Question>) {
        let device = self.device(q);
        let mut ask = |answer, answers, places: &[u64]| {
            questions.push(Question::new(Aspect::Order, answer, answers, 1, places));
        };
        if let Some(last) = before.last() {
            let places = [
                Place::Following.of(0, 0),
                Place::Followers.of(self.device(last), 0),
                Place::FollowersOfAction.of(last.action.0, 0),
            ];
            ask(device, self.vocabulary.devices(), &places);
        }
        let (role, roles) = (self.role(q.action), Place::Roles.of(0, 0));
        let own = &self.catalog.devices()[usize::from(device)];
        let (answers, actions) = (own.actions.len(), Place::Actions.of(device, 0));
        // What is asked with no more than chance knows is counted and says nothing.
        match before.iter().rfind(|b| self.device(b) == device) {
            None => {
                let first = Place::FirstRoles.of(0, 0);
                ask(role, 3, &[roles, first, Place::FirstRolesOf.of(device, 0)]);
                ask(q.action.0, answers, &[actions]);
            }
            Some(last) => {
                let after = Place::AfterRole.of(device, self.role(last.action));
                let places = [actions, after, Place::AfterAction.of(device, last.action.0)];
                ask(role, 3, &[roles]);
                ask(q.action.0, answers, &places);
            }
        }
    }

    fn time(&self, before: &[Quadruple], q: &Quadruple, questions: &mut Vec<Question>) {
        if let Some(last) = before.last() {
            let step = step(last, q);
            let from = Place::StepsFrom.of(u16::from(last.hours), 0);
            let places = [Place::Steps.of(0, 0), from];
            questions.push(Question::new(Aspect::Time, step, WEEK, 0, &places));
        }
        let places = [
            Place::Hours.of(0, 0),
            Place::HoursOfDevice.of(self.device(q), 0),
            Place::HoursOfAction.of(q.action.0, 0),
        ];
        let hours = u16::from(q.hours);
        questions.push(Question::new(Aspect::Time, hours, HOURS.len(), 1, &places));
    }
}

/// How many buckets of hours go by from a behaviour to the next.
pub(super) fn step(from: &Quadruple, to: &Quadruple) -> u16 {
    let bucket = |q: &Quadruple| usize::from(q.weekday) * HOURS.len() + usize::from(q.hours);
    ((WEEK + bucket(to) - bucket(from)) % WEEK) as u16
}

fn repetition(before: &[Quadruple], q: &Quadruple) -> Question {
    let same = before.iter().filter(|b| b.action == q.action).count();
    let times = same.min(OFTEN - 1) as u16;
    let places = [Place::Times.of(0, 0), Place::TimesOf.of(q.action.0, 0)];
    Question::new(Aspect::Repetition, times, OFTEN, 0, &places)
}

/// The answers that some sequences gave.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Conduct(HashMap<u64, Answers, FixedState>);

/// The answers in a place.
#[derive(Clone, Debug, Default, PartialEq)]
struct Answers {
    total: u32,
    /// How often each came, in order of the answers.
    times: Vec<(u16, u32)>,
}

impl Conduct {
    /// What [`Conduct::counts`] gave.
    pub fn of(counts: &[Count]) -> Self {
        let mut conduct = Conduct::default();
        for count in counts {
            conduct.add(count.context, count.outcome, count.times);
        }
        conduct
    }

    /// All counts, in order.
    pub fn counts(&self) -> Vec<Count> {
        let places = self.0.iter();
        let mut counts: Vec<Count> = places
            .flat_map(|(&context, answers)| {
                let times = answers.times.iter();
                times.map(move |&(outcome, times)| Count {
                    context,
                    outcome,
                    times,
                })
            })
            .collect();
        counts.sort_unstable();
        counts
    }

    /// Counts a sequence.
    pub fn learn(&mut self, sequence: &Questions) {
        for question in &sequence.0 {
            for &place in question.places() {
                self.add(place, question.answer, 1);
            }
        }
    }

    /// Takes back what a sequence that was learnt counted.
    pub fn forget(&mut self, sequence: &Questions) {
        for question in &sequence.0 {
            for place in question.places() {
                self.remove(*place, question.answer);
            }
        }
    }

    /// Takes back one answer that was counted.
    pub(super) fn remove(&mut self, place: u64, answer: u16) {
        if let Some(answers) = self.0.get_mut(&place) {
            answers.remove(answer);
        }
    }

    /// Counts an answer.
    pub(super) fn add(&mut self, place: u64, answer: u16, times: u32) {
        let answers = self.0.entry(place).or_default();
        answers.total += times;
        match answers.times.binary_search_by_key(&answer, |t| t.0) {
            Ok(at) => answers.times[at].1 += times,
            Err(at) => answers.times.insert(at, (answer, times)),
        }
    }

    /// The probability of an answer by what chance knows, and by all, smoothed from place to place (Witten and Bell 1991).
    fn probabilities(&self, q: &Question) -> (f64, f64) {
        let mut found = 1.0 / q.answers as f64;
        let mut chance = found;
        for (depth, place) in q.places().iter().enumerate() {
            if depth == q.chance {
                chance = found;
            }
            found = self.over(*place, q.answer, found);
        }
        (chance, found)
    }

    /// The probability of an answer in a place over that in a more general one.
    pub(super) fn over(&self, place: u64, answer: u16, general: f64) -> f64 {
        let seen = self.0.get(&place).filter(|seen| seen.total > 0);
        seen.map_or(general, |seen| {
            let kinds = seen.times.len() as f64;
            (seen.of(answer) + kinds * general) / (f64::from(seen.total) + kinds)
        })
    }
}

impl Answers {
    fn of(&self, answer: u16) -> f64 {
        let at = self.times.binary_search_by_key(&answer, |t| t.0);
        at.map_or(0.0, |at| f64::from(self.times[at].1))
    }

    fn remove(&mut self, answer: u16) {
        if let Ok(at) = self.times.binary_search_by_key(&answer, |t| t.0) {
            self.total -= 1;
            self.times[at].1 -= 1;
            if self.times[at].1 == 0 {
                self.times.remove(at);
            }
        }
    }
}

impl Questions {
    /// By how many nats chance explains the sequence better than those who know something do: in order, in time, in repetition.
    /// Those who know are believed equally.
    pub fn disorder(&self, knowing: &[&Conduct]) -> [f64; ASPECTS] {
        let mut disorder = [0.0; ASPECTS];
        for q in self.0.iter().filter(|q| q.chance < q.places().len()) {
            let (mut by_chance, mut by_all) = (0.0, 0.0);
            for who in knowing {
                let (chance, all) = who.probabilities(q);
                by_chance += chance;
                by_all += all;
            }
            disorder[q.aspect as usize] += f64::ln(by_chance / by_all);
        }
        disorder
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::catalog::catalog_of;

    /// `on`, which nothing closes here, `open`, and `close`, which closes it.
    fn catalog() -> Catalog {
        let actions: &[&str] = &["on", "open", "close"];
        catalog_of(&["Fan", "Blind"].map(|name| (name, actions)))
    }

    fn any_sequences(most: usize) -> impl Strategy<Value = Vec<Sequence>> {
        let behavior = (0u8..7, 0u8..8, 0u16..6).prop_map(|(weekday, hours, action)| Quadruple {
            weekday,
            hours,
            action: ActionId(action),
        });
        let sequence = prop::collection::vec(behavior, 1..9).prop_map(Sequence);
        prop::collection::vec(sequence, 1..=most)
    }

    /// What was seen where: places as words, the particular extending the general.
    type Seen = Vec<(String, usize)>;

    /// The probability of an answer by its definition.
    fn smoothed(seen: &Seen, places: &[String], answer: usize, answers: usize) -> f64 {
        places.iter().fold(1.0 / answers as f64, |lower, place| {
            let there = seen.iter().filter(|(at, _)| at == place);
            let mut there: Vec<usize> = there.map(|(_, answer)| *answer).collect();
            let all = there.len() as f64;
            let times = there.iter().filter(|a| **a == answer).count() as f64;
            there.sort_unstable();
            there.dedup();
            match there.len() as f64 {
                0.0 => lower,
                kinds => (times + kinds * lower) / (all + kinds),
            }
        })
    }

    /// Aspect, answer, how many there can be, the places, and how many of these chance knows.
    type Asked = (usize, usize, usize, Vec<String>, usize);

    /// All that is asked of a sequence, by its definition. Actions 0 to 2 are the fan's, of them 1 opens and 2 closes.
    fn asked(s: &Sequence) -> Vec<Asked> {
        let device = |a: u16| usize::from(a / 3);
        let role = |a: u16| usize::from(a % 3);
        let week = |q: &Quadruple| i32::from(q.weekday) * 8 + i32::from(q.hours);
        let words = |words: &[String]| words.to_vec();
        let mut all = Vec::new();
        for (i, q) in s.0.iter().enumerate() {
            let (a, d) = (q.action.0, device(q.action.0));
            if i > 0 {
                let last = &s.0[i - 1];
                let after = format!("after device {}", device(last.action.0));
                let next = format!("after action {} any", last.action.0);
                all.push((0, d, 2, words(&["after any".into(), after, next]), 1));
                let step = (week(q) - week(last)).rem_euclid(56) as usize;
                let from = format!("steps from {}", last.hours);
                all.push((1, step, 56, words(&["steps".into(), from]), 0));
            }
            let mut roles = vec!["roles".to_owned()];
            let mut actions = vec![format!("of device {d}")];
            match s.0[..i].iter().rfind(|b| device(b.action.0) == d) {
                None => roles.extend(["first".to_owned(), format!("first of {d}")]),
                Some(last) => actions.extend([
                    format!("{d} after role {}", role(last.action.0)),
                    format!("after action {}", last.action.0),
                ]),
            }
            all.push((0, role(a), 3, roles, 1));
            all.push((0, usize::from(a), 3, actions, 1));
            let hours = [
                "hours".into(),
                format!("hours of device {d}"),
                format!("hours of {a}"),
            ];
            all.push((1, q.hours.into(), 8, words(&hours), 1));
            let times = s.0[..i].iter().filter(|b| b.action == q.action).count();
            let of = format!("times of {a}");
            all.push((2, times.min(5), 6, words(&["times".into(), of]), 0));
        }
        all
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        /// Disorder is what its definition says, of two who know; what is stored is the same again; what is forgotten was never
        /// there.
        #[test]
        fn disorder_keeps_to_its_definition(
            home in any_sequences(6),
            cohort in any_sequences(6),
            guest in any_sequences(1),
            probe in any_sequences(1),
        ) {
            let catalog = catalog();
            let reader = Reader::new(&catalog);
            let read = |s: &Sequence| reader.read(s).unwrap();
            let learnt = |sequences: &[Sequence]| {
                let mut conduct = Conduct::default();
                sequences.iter().for_each(|s| conduct.learn(&read(s)));
                conduct
            };
            let seen = |sequences: &[Sequence]| -> Seen {
                let all = sequences.iter().flat_map(asked);
                all.flat_map(|(_, answer, _, places, _)| places.into_iter().map(move |p| (p, answer)))
                    .collect()
            };
            let mut knowing = [learnt(&home), learnt(&cohort)];
            let naive = [seen(&home), seen(&cohort)];
            let mut expected = [0.0; ASPECTS];
            for (aspect, answer, answers, places, chance) in asked(&probe[0]) {
                let with = |places: &[String]| -> f64 {
                    naive.iter().map(|seen| smoothed(seen, places, answer, answers)).sum()
                };
                expected[aspect] += (with(&places[..chance]) / with(&places)).ln();
            }
            let disorder = read(&probe[0]).disorder(&[&knowing[0], &knowing[1]]);
            for (found, expected) in disorder.iter().zip(expected) {
                prop_assert!((found - expected).abs() < 1e-9, "{found} {expected}");
            }
            prop_assert_eq!(&Conduct::of(&knowing[0].counts()), &knowing[0]);
            let before = knowing[0].counts();
            knowing[0].learn(&read(&guest[0]));
            knowing[0].forget(&read(&guest[0]));
            prop_assert_eq!(knowing[0].counts(), before);
            let again = read(&probe[0]).disorder(&[&knowing[0], &knowing[1]]);
            prop_assert_eq!(again, disorder);
        }
    }

    #[test]
    fn what_is_not_of_the_catalog_is_refused() {
        let catalog = catalog();
        let stranger = Quadruple {
            weekday: 0,
            hours: 0,
            action: ActionId(6),
        };
        let read = Reader::new(&catalog).read(&Sequence(vec![stranger]));
        assert!(matches!(read, Err(ModelError::Unknown { action: 6, .. })));
    }
}
