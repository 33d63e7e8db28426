//! Arrangement: is a sequence in an order in which such things happen, or in any?
//!
//! Behaviours that go together still do when they are shuffled; so a sequence is compared with its own behaviours in other
//! orders, window by window. How likely an order is follows from counts at several distances:
//!
//! - what comes right after what, and how many buckets of hours later,
//! - what a device does after what it did last,
//! - of each two, which comes first.
//!
//! The evidence for an order is ln(its likelihood / the mean likelihood of this and other orders, drawn evenly). Were the
//! sequence shuffled, all of these would be alike: so of shuffled windows, whatever was counted, no more than one in eˣ has x
//! nats or more.

use hearth_operators::words::{ActionId, Quadruple, Sequence};
use rand::seq::SliceRandom;

use super::conduct::{Conduct, Place, Reader, WEEK, step};
use super::fit::generator;
use super::preset::WINDOW;

/// Orders that a window is compared with, its own included.
const ORDERS: usize = 200;
/// What stands beyond either end of a sequence: no catalog has an action of that id.
const BORDER: u16 = u16::MAX;
/// What is said of pairs counts as much as what is said of twice as many behaviours.
const PAIRS: f64 = 2.0;

/// Other orders, the same for all windows of a length.
pub(crate) struct Orders([Vec<[u8; WINDOW]>; WINDOW + 1]);

impl Default for Orders {
    fn default() -> Self {
        Orders(std::array::from_fn(|length| {
            let own: [u8; WINDOW] = std::array::from_fn(|i| i as u8);
            let mut rng = generator(0, length as u64);
            let shuffled = std::iter::repeat_with(|| {
                let mut order = own;
                order[..length].shuffle(&mut rng);
                order
            });
            std::iter::once(own).chain(shuffled).take(ORDERS).collect()
        }))
    }
}

/// How some sequences are arranged.
#[derive(Default)]
pub(crate) struct Arranged(Conduct);

impl Arranged {
    /// Counts a sequence of the reader's catalog.
    pub fn learn(&mut self, reader: &Reader<'_>, sequence: &Sequence) {
        said(reader, sequence, |place, answer| {
            self.0.add(place, answer, 1);
        });
    }

    /// Takes back what a sequence that was learnt counted.
    pub fn forget(&mut self, reader: &Reader<'_>, sequence: &Sequence) {
        said(reader, sequence, |place, answer| {
            self.0.remove(place, answer);
        });
    }
}

/// Says what a sequence answers in which place.
fn said(reader: &Reader<'_>, sequence: &Sequence, mut say: impl FnMut(u64, u16)) {
    let all = &sequence.0;
    let mut last = BORDER;
    for (i, q) in all.iter().enumerate() {
        let action = q.action.0;
        say(Place::Next.of(0, 0), action);
        say(Place::NextAfter.of(last, 0), action);
        if let Some(before) = i.checked_sub(1) {
            let step = step(&all[before], q);
            say(Place::Steps.of(0, 0), step);
            say(Place::StepsFrom.of(all[before].hours.into(), 0), step);
        }
        let device = reader.device(q);
        let own = all[..i].iter().rfind(|b| reader.device(b) == device);
        say(Place::Actions.of(device, 0), action);
        say(
            Place::NextOwn.of(device, own.map_or(BORDER, |b| b.action.0)),
            action,
        );
        for later in all[i + 1..].iter().take(WINDOW - 1) {
            let (turn, places) = in_turn(reader, q, later);
            for place in places.into_iter().flatten() {
                say(place, turn);
            }
        }
        last = action;
    }
    say(Place::Next.of(0, 0), BORDER);
    say(Place::NextAfter.of(last, 0), BORDER);
}

/// Which of two behaviours comes first, and where that is counted, the general before the particular.
fn in_turn(reader: &Reader<'_>, first: &Quadruple, second: &Quadruple) -> (u16, [Option<u64>; 2]) {
    let (a, b) = (first.action.0, second.action.0);
    let (d, e) = (reader.device(first), reader.device(second));
    let place = |place: Place, a: u16, b: u16| (a != b).then(|| place.of(a.min(b), a.max(b)));
    // Devices before actions, so that both places have the same turn.
    let turn = u16::from((d, a) > (e, b));
    let places = [
        place(Place::DevicesInTurn, d, e),
        place(Place::ActionsInTurn, a, b),
    ];
    (turn, places)
}

/// A sequence that is to be judged, by those who know something; they are believed equally.
pub(crate) struct Arrangement<'a> {
    pub reader: &'a Reader<'a>,
    pub orders: &'a Orders,
    pub knowing: &'a [&'a Arranged],
}

impl Arrangement<'_> {
    /// The evidence, in nats, for the order of a sequence of the reader's catalog.
    pub fn evidence(&self, sequence: &Sequence) -> f64 {
        let starts = (0..sequence.0.len()).step_by(WINDOW);
        let windows = starts.map(|at| self.of_window(&sequence.0, at));
        windows.sum()
    }

    /// That of the window that begins there; what comes before and after it stands.
    fn of_window(&self, all: &[Quadruple], at: usize) -> f64 {
        let length = (all.len() - at).min(WINDOW);
        if length < 2 {
            return 0.0;
        }
        let table = Table::new(self, all, at, length);
        let orders = &self.orders.0[length];
        let likely: Vec<f32> = orders
            .iter()
            .map(|order| table.of(&order[..length]))
            .collect();
        let most = likely.iter().copied().fold(f32::MIN, f32::max);
        let mean = likely.iter().map(|l| (l - most).exp()).sum::<f32>() / likely.len() as f32;
        f64::from(likely[0] - most - mean.ln())
    }

    /// The logarithm of the probability of an answer, in the last of some places.
    fn ln(&self, answer: u16, answers: usize, places: &[u64]) -> f64 {
        let of = |who: &&Arranged| {
            let places = places.iter();
            places.fold(1.0 / answers as f64, |lower, place| {
                who.0.over(*place, answer, lower)
            })
        };
        (self.knowing.iter().map(of).sum::<f64>() / self.knowing.len() as f64).ln()
    }

    /// That one behaviour comes right after another; beyond the ends of a sequence there is none.
    fn follows(&self, before: Option<&Quadruple>, after: Option<&Quadruple>) -> f64 {
        let action = |q: Option<&Quadruple>| q.map_or(BORDER, |q| q.action.0);
        let places = [Place::Next.of(0, 0), Place::NextAfter.of(action(before), 0)];
        let next = self.ln(action(after), self.reader.vocabulary.actions() + 1, &places);
        let (Some(before), Some(after)) = (before, after) else {
            return next;
        };
        let from = Place::StepsFrom.of(before.hours.into(), 0);
        next + self.ln(step(before, after), WEEK, &[Place::Steps.of(0, 0), from])
    }

    /// That a device does something after what it did last.
    fn own(&self, last: Option<ActionId>, q: &Quadruple) -> f64 {
        let device = self.reader.device(q);
        let actions = self.reader.catalog.devices()[usize::from(device)]
            .actions
            .len();
        let after = Place::NextOwn.of(device, last.map_or(BORDER, |last| last.0));
        self.ln(q.action.0, actions, &[Place::Actions.of(device, 0), after])
    }

    /// That one behaviour comes before another one, at any distance.
    fn earlier(&self, first: &Quadruple, second: &Quadruple) -> f64 {
        let (turn, places) = in_turn(self.reader, first, second);
        match places {
            [Some(devices), Some(actions)] => self.ln(turn, 2, &[devices, actions]),
            [None, Some(actions)] => self.ln(turn, 2, &[actions]),
            _ => 0.0,
        }
    }
}

/// What is said of a window's behaviours by their places in it; the last place is of what lies outside.
struct Table {
    length: usize,
    follows: [[f32; WINDOW + 1]; WINDOW + 1],
    own: [[f32; WINDOW + 1]; WINDOW + 1],
    earlier: [[f32; WINDOW]; WINDOW],
    /// By behaviour: which of the window's devices.
    device: [u8; WINDOW],
    /// Whether each is of a device of its own.
    apart: bool,
}

impl Table {
    fn new(asked: &Arrangement<'_>, all: &[Quadruple], at: usize, length: usize) -> Self {
        let window = &all[at..at + length];
        let before = at.checked_sub(1).map(|i| &all[i]);
        let after = all.get(at + length);
        let device = |q: &Quadruple| asked.reader.device(q);
        let first_of = |q: &Quadruple| window.iter().position(|b| device(b) == device(q));
        let mut table = Table {
            length,
            follows: Default::default(),
            own: Default::default(),
            earlier: Default::default(),
            device: [0; WINDOW],
            apart: true,
        };
        let pairs = PAIRS / (length - 1) as f64;
        for (j, q) in window.iter().enumerate() {
            table.device[j] = first_of(q).unwrap_or(j) as u8;
            table.apart &= usize::from(table.device[j]) == j;
            table.follows[length][j] = asked.follows(before, Some(q)) as f32;
            table.follows[j][length] = asked.follows(Some(q), after) as f32;
            for (i, p) in window.iter().enumerate().filter(|(i, _)| *i != j) {
                table.follows[i][j] = asked.follows(Some(p), Some(q)) as f32;
                table.earlier[i][j] = (pairs * asked.earlier(p, q)) as f32;
            }
        }
        if !table.apart {
            for (j, q) in window.iter().enumerate() {
                let outside = all[..at].iter().rfind(|b| device(b) == device(q));
                table.own[length][j] = asked.own(outside.map(|b| b.action), q) as f32;
                for (i, p) in window.iter().enumerate() {
                    if i != j && device(p) == device(q) {
                        table.own[i][j] = asked.own(Some(p.action), q) as f32;
                    }
                }
            }
        }
        table
    }

    /// The logarithm of how likely an order is, but for what is the same of all.
    fn of(&self, order: &[u8]) -> f32 {
        let mut sum = 0.0;
        let mut before = self.length;
        let mut last = [self.length; WINDOW];
        for (n, &j) in order.iter().enumerate() {
            let j = usize::from(j);
            sum += self.follows[before][j];
            if !self.apart {
                let own = &mut last[usize::from(self.device[j])];
                sum += self.own[*own][j];
                *own = j;
            }
            for &later in &order[n + 1..] {
                sum += self.earlier[j][usize::from(later)];
            }
            before = j;
        }
        sum + self.follows[before][self.length]
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::catalog::catalog_of;

    fn any_sequences(most: usize) -> impl Strategy<Value = Vec<Sequence>> {
        let behavior = (0u8..7, 0u8..8, 0u16..6).prop_map(|(weekday, hours, action)| Quadruple {
            weekday,
            hours,
            action: ActionId(action),
        });
        let sequence = prop::collection::vec(behavior, 1..13).prop_map(Sequence);
        prop::collection::vec(sequence, 1..=most)
    }

    /// What was seen where: places as words.
    type Seen = Vec<(String, usize)>;

    /// The logarithm of a probability by its definition, of those who saw something, believed equally.
    fn ln(who: &[Seen], answer: usize, answers: usize, places: &[String]) -> f64 {
        let of = |seen: &Seen| {
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
        };
        (who.iter().map(of).sum::<f64>() / who.len() as f64).ln()
    }

    /// Answer, how many there can be, and places. Of two devices with three actions each.
    type Questions = Vec<(usize, usize, Vec<String>)>;

    /// All that is asked of a sequence that goes on from some behaviours, and ends or goes on; pairs by themselves.
    fn asked(
        past: &[Quadruple],
        now: &[Quadruple],
        future: &[Quadruple],
    ) -> (Questions, Questions) {
        let all = [past, now, future].concat();
        let name = |q: Option<&Quadruple>| q.map_or("end".into(), |q| q.action.0.to_string());
        let (mut single, mut pairs) = (Vec::new(), Vec::new());
        let until = all.len().min(past.len() + now.len());
        for i in past.len()..=until {
            let before = i.checked_sub(1).map(|i| &all[i]);
            let at = all.get(i);
            let places = vec!["next".into(), format!("after {}", name(before))];
            single.push((at.map_or(6, |q| usize::from(q.action.0)), 7, places));
            if let (Some(before), Some(at)) = (before, at) {
                let week = |q: &Quadruple| i32::from(q.weekday) * 8 + i32::from(q.hours);
                let steps = (week(at) - week(before)).rem_euclid(56) as usize;
                let places = vec!["steps".into(), format!("steps from {}", before.hours)];
                single.push((steps, 56, places));
            }
            let Some(q) = at.filter(|_| i < until) else {
                continue;
            };
            let device = q.action.0 / 3;
            let last = all[..i].iter().rfind(|b| b.action.0 / 3 == device);
            let places = vec![
                format!("of {device}"),
                format!("{device} after {}", name(last)),
            ];
            single.push((usize::from(q.action.0), 3, places));
            for later in all[i + 1..until].iter().take(9) {
                let (a, b) = (q.action.0, later.action.0);
                let mut places = Vec::new();
                if a / 3 != b / 3 {
                    places.push("devices".to_owned());
                }
                if a != b {
                    places.push(format!("actions {} {}", a.min(b), a.max(b)));
                    pairs.push((usize::from(a > b), 2, places));
                }
            }
        }
        (single, pairs)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        /// The evidence is what its definition says, of two who know; what is forgotten was never there.
        #[test]
        fn evidence_keeps_to_its_definition(
            home in any_sequences(5),
            others in any_sequences(5),
            guest in any_sequences(1),
            probe in any_sequences(1),
        ) {
            let actions: &[&str] = &["on", "off", "dim"];
            let catalog = catalog_of(&["Fan", "Lamp"].map(|name| (name, actions)));
            let reader = Reader::new(&catalog);
            let orders = Orders::default();
            let learnt = |sequences: &[Sequence]| {
                let mut arranged = Arranged::default();
                sequences.iter().for_each(|s| arranged.learn(&reader, s));
                arranged
            };
            let (mut home_knows, others_know) = (learnt(&home), learnt(&others));
            let before = home_knows.0.counts();
            home_knows.learn(&reader, &guest[0]);
            home_knows.forget(&reader, &guest[0]);
            prop_assert_eq!(home_knows.0.counts(), before);
            let knowing = [&home_knows, &others_know];
            let found = Arrangement { reader: &reader, orders: &orders, knowing: &knowing };
            let found = found.evidence(&probe[0]);

            let seen = |sequences: &[Sequence]| -> Seen {
                let all = sequences.iter().flat_map(|s| {
                    let (single, pairs) = asked(&[], &s.0, &[]);
                    [single, pairs].concat()
                });
                let each = all.flat_map(|(answer, _, places)| {
                    places.into_iter().map(move |place| (place, answer))
                });
                each.collect()
            };
            let who = [seen(&home), seen(&others)];
            let mut expected = 0.0;
            for at in (0..probe[0].0.len()).step_by(WINDOW) {
                let (past, rest) = probe[0].0.split_at(at);
                let (now, future) = rest.split_at(rest.len().min(WINDOW));
                let likely = |order: &[u8; WINDOW]| -> f64 {
                    let now: Vec<_> = order[..now.len()].iter().map(|i| now[usize::from(*i)]).collect();
                    let (single, pairs) = asked(past, &now, future);
                    let sum = |of: Questions| -> f64 {
                        of.iter().map(|(answer, answers, places)| ln(&who, *answer, *answers, places)).sum()
                    };
                    sum(single) + sum(pairs) * PAIRS / (now.len() as f64 - 1.0).max(1.0)
                };
                let own = likely(&orders.0[now.len()][0]);
                let each = orders.0[now.len()].iter().map(|order| (likely(order) - own).exp());
                expected -= (each.sum::<f64>() / ORDERS as f64).ln();
            }
            prop_assert!((found - expected).abs() < 1e-3, "{found} {expected}");
        }
    }

    /// Whatever was counted, shuffled windows seldom have evidence for their order.
    #[test]
    fn what_is_shuffled_has_little_evidence() {
        let actions: &[&str] = &["on", "off", "dim"];
        let catalog = catalog_of(&["Fan", "Lamp"].map(|name| (name, actions)));
        let reader = Reader::new(&catalog);
        let behavior = |i: u16| Quadruple {
            weekday: 0,
            hours: (i / 2) as u8,
            action: ActionId(i),
        };
        let usual = Sequence((0..6).map(behavior).collect());
        let mut arranged = Arranged::default();
        (0..9).for_each(|_| arranged.learn(&reader, &usual));
        let asked = Arrangement {
            reader: &reader,
            orders: &Orders::default(),
            knowing: &[&arranged],
        };
        assert!(asked.evidence(&usual) > 3.0);
        let mut rng = generator(7, 0);
        let shuffled = std::iter::repeat_with(|| {
            let mut other = usual.clone();
            other.0.shuffle(&mut rng);
            other
        });
        let likely = shuffled.take(300).filter(|s| asked.evidence(s) > 2.0);
        assert!(likely.count() < 300 / 7);
        assert_eq!(asked.evidence(&Sequence(vec![behavior(3)])), 0.0);
    }
}
