//! HMM: a hidden Markov model, trained by Baum and Welch (Rabiner, *A Tutorial on Hidden Markov Models and Selected
//! Applications in Speech Recognition*, Proceedings of the IEEE 77(2), 1989).
//!
//! A hidden state emits weekday, hours and action of a behaviour, each on its own; forward and backward probabilities are
//! scaled at every place. Ours: what is told of the next behaviour's time is evidence about its state like any other;
//! counts of emissions begin with a little of what is frequent overall, so that nothing is impossible.

use hearth_operators::words::{HOURS, Quadruple, WEEKDAYS};
use rand::Rng;

use super::answer::{Next, Vetted};
use crate::experiment::methods::{Given, Prediction, Ranker, TrainingData};
use crate::models::{ModelError, Preset, generator};

/// What every emission's counts begin with, in behaviours shared out as they are frequent overall.
const PRIOR: f64 = 1.0;

/// A hidden Markov model and how it is trained. The paper's settings are small enough for both presets.
pub struct Hmm {
    states: usize,
    rounds: usize,
}

impl Hmm {
    /// 30 states, 30 rounds.
    pub fn new(_: Preset) -> Self {
        Hmm {
            states: 30,
            rounds: 30,
        }
    }
}

impl Prediction for Hmm {
    fn name(&self) -> &'static str {
        "HMM"
    }

    fn fit(&self, data: &TrainingData) -> Result<Box<dyn Ranker>, ModelError> {
        let catalog = Vetted::new(data)?;
        let sequences: Vec<&[Quadruple]> = data
            .train
            .iter()
            .map(|s| s.0.as_slice())
            .filter(|s| !s.is_empty())
            .collect();
        let mut chain = Chain::drawn(self.states, catalog.actions(), &sequences, data.seed);
        for _ in 0..self.rounds {
            chain = chain.improved(&sequences);
        }
        Ok(catalog.asking(chain))
    }
}

/// The columns that a state emits, with what is frequent in each.
const COLUMNS: usize = 3;

/// A behaviour by column.
fn columns(q: &Quadruple) -> [usize; COLUMNS] {
    [
        usize::from(q.weekday),
        usize::from(q.hours),
        usize::from(q.action.0),
    ]
}

/// The model. All rows are probabilities and sum to 1.
struct Chain {
    /// By state: that a sequence begins in it.
    start: Vec<f64>,
    /// By state, by next state.
    moves: Vec<Vec<f64>>,
    /// By column, by state, by value.
    emits: [Vec<Vec<f64>>; COLUMNS],
    /// By column, by value: how frequent it is overall.
    overall: [Vec<f64>; COLUMNS],
}

impl Chain {
    /// A beginning: all states alike but for what is drawn, since equal states would stay equal.
    fn drawn(states: usize, actions: usize, sequences: &[&[Quadruple]], seed: u64) -> Self {
        let mut rng = generator(seed, 0);
        let mut overall = [WEEKDAYS.len(), HOURS.len(), actions].map(|values| vec![1.0; values]);
        for q in sequences.iter().copied().flatten() {
            for (counts, value) in overall.iter_mut().zip(columns(q)) {
                counts[value] += 1.0;
            }
        }
        for counts in &mut overall {
            normalise(counts);
        }
        let mut near = |of: &[f64]| {
            let mut row: Vec<f64> = of.iter().map(|p| p * rng.random_range(0.5..1.5)).collect();
            normalise(&mut row);
            row
        };
        let even = vec![1.0; states];
        Chain {
            start: near(&even),
            moves: (0..states).map(|_| near(&even)).collect(),
            emits: [0, 1, 2].map(|c| (0..states).map(|_| near(&overall[c])).collect()),
            overall,
        }
    }

    fn states(&self) -> usize {
        self.start.len()
    }

    /// The probability that a state emits a behaviour.
    fn emission(&self, state: usize, q: &Quadruple) -> f64 {
        let emits = self.emits.iter().zip(columns(q));
        emits.map(|(emits, value)| emits[state][value]).product()
    }

    /// By state, from what is believed of a behaviour's state what to believe of the next one's.
    fn moved(&self, believed: &[f64]) -> Vec<f64> {
        let mut next = vec![0.0; self.states()];
        for (p, moves) in believed.iter().zip(&self.moves) {
            for (next, q) in next.iter_mut().zip(moves) {
                *next += p * q;
            }
        }
        next
    }

    /// One round of Baum and Welch.
    fn improved(&self, sequences: &[&[Quadruple]]) -> Chain {
        let states = self.states();
        // Counts expected under this model, each beginning with its prior.
        let mut start = vec![PRIOR / states as f64; states];
        let mut moves = vec![start.clone(); states];
        let mut emits = [0, 1, 2].map(|column: usize| {
            let prior: Vec<f64> = self.overall[column].iter().map(|p| p * PRIOR).collect();
            vec![prior; states]
        });
        for sequence in sequences {
            let emissions: Vec<Vec<f64>> = sequence
                .iter()
                .map(|q| (0..states).map(|s| self.emission(s, q)).collect())
                .collect();
            // By place, by state: of the state given the behaviours up to it; and what each place was scaled by.
            let mut forward: Vec<Vec<f64>> = Vec::with_capacity(sequence.len());
            let mut scales = Vec::with_capacity(sequence.len());
            for emissions in &emissions {
                let mut believed = forward
                    .last()
                    .map_or_else(|| self.start.clone(), |p| self.moved(p));
                for (p, emission) in believed.iter_mut().zip(emissions) {
                    *p *= emission;
                }
                scales.push(normalise(&mut believed));
                forward.push(believed);
            }
            let mut backward = vec![1.0; states];
            for place in (0..sequence.len()).rev() {
                for (state, (p, b)) in forward[place].iter().zip(&backward).enumerate() {
                    for (emits, value) in emits.iter_mut().zip(columns(&sequence[place])) {
                        emits[state][value] += p * b;
                    }
                }
                let seen: Vec<f64> = emissions[place]
                    .iter()
                    .zip(&backward)
                    .map(|(e, b)| e * b / scales[place])
                    .collect();
                let Some(before) = place.checked_sub(1) else {
                    for ((count, p), b) in start.iter_mut().zip(&self.start).zip(&seen) {
                        *count += p * b;
                    }
                    break;
                };
                for (state, p) in forward[before].iter().enumerate() {
                    let row = moves[state].iter_mut().zip(&self.moves[state]);
                    for ((count, q), b) in row.zip(&seen) {
                        *count += p * q * b;
                    }
                }
                for (b, moves) in backward.iter_mut().zip(&self.moves) {
                    *b = moves.iter().zip(&seen).map(|(q, b)| q * b).sum();
                }
            }
        }
        normalise(&mut start);
        for row in moves.iter_mut().chain(emits.iter_mut().flatten()) {
            normalise(row);
        }
        Chain {
            start,
            moves,
            emits,
            overall: self.overall.clone(),
        }
    }
}

impl Next for Chain {
    fn next(&self, before: &[Quadruple], given: &Given) -> Result<Vec<f32>, ModelError> {
        let mut believed = self.start.clone();
        for q in before {
            for (state, p) in believed.iter_mut().enumerate() {
                *p *= self.emission(state, q);
            }
            normalise(&mut believed);
            believed = self.moved(&believed);
        }
        let [days, hours, actions] = &self.emits;
        for (state, p) in believed.iter_mut().enumerate() {
            let told = |emits: &[Vec<f64>], value: Option<u8>| {
                // What no calendar has is no evidence.
                let emitted = value.and_then(|value| emits[state].get(usize::from(value)));
                emitted.copied().unwrap_or(1.0)
            };
            *p *= told(days, given.weekday) * told(hours, given.hours);
        }
        normalise(&mut believed);
        let mut mixture = vec![0.0; self.overall[2].len()];
        for (p, emits) in believed.iter().zip(actions) {
            for (sum, q) in mixture.iter_mut().zip(emits) {
                *sum += p * q;
            }
        }
        Ok(mixture.into_iter().map(|p| p as f32).collect())
    }
}

/// Scales a row to sum 1 and returns what the sum was.
fn normalise(row: &mut [f64]) -> f64 {
    let sum: f64 = row.iter().sum();
    row.iter_mut().for_each(|p| *p /= sum);
    sum
}

#[cfg(test)]
mod tests {
    use super::*;
    use hearth_operators::words::ActionId;

    /// The likelihood of everything that could be hidden, summed one by one.
    fn by_hand(chain: &Chain, sequence: &[Quadruple]) -> f64 {
        let mut paths: Vec<(usize, f64)> = (0..chain.states())
            .map(|s| (s, chain.start[s] * chain.emission(s, &sequence[0])))
            .collect();
        for q in &sequence[1..] {
            paths = paths
                .iter()
                .flat_map(|&(from, p)| {
                    let on = move |to| (to, p * chain.moves[from][to] * chain.emission(to, q));
                    (0..chain.states()).map(on)
                })
                .collect();
        }
        paths.iter().map(|(_, p)| p).sum()
    }

    #[test]
    fn each_round_makes_the_data_likelier() {
        let at = |hours, action| Quadruple {
            weekday: 0,
            hours,
            action: ActionId(action),
        };
        let morning = [at(2, 0), at(2, 1), at(3, 0)];
        let evening = [at(6, 2), at(6, 0), at(7, 2), at(7, 3)];
        // Enough of them that the prior, which is no data, hardly counts.
        let sequences: Vec<&[Quadruple]> = [&morning[..], &evening[..]].repeat(500);
        let mut chain = Chain::drawn(3, 4, &sequences, 1);
        let of = |chain: &Chain| by_hand(chain, &morning).ln() + by_hand(chain, &evening).ln();
        let first = of(&chain);
        let mut likelihood = first;
        for _ in 0..30 {
            chain = chain.improved(&sequences);
            assert!(of(&chain) > likelihood - 1e-3);
            likelihood = of(&chain);
        }
        assert!(likelihood > first + 5.0, "{first} -> {likelihood}");
    }

    #[test]
    fn the_next_action_is_conditioned_by_bayes() {
        let at = |hours, action| Quadruple {
            weekday: 0,
            hours,
            action: ActionId(action),
        };
        let sequences = [[at(2, 0), at(2, 1)], [at(6, 2), at(7, 0)]];
        let sequences: Vec<&[Quadruple]> = sequences.iter().map(<[_; 2]>::as_slice).collect();
        let mut chain = Chain::drawn(3, 3, &sequences, 1);
        chain = chain.improved(&sequences).improved(&sequences);
        let given = Given {
            weekday: Some(0),
            hours: Some(7),
            device: None,
        };
        let next = chain.next(&[at(6, 2)], &given).unwrap();
        let joint: Vec<f64> = (0..3)
            .map(|a| by_hand(&chain, &[at(6, 2), at(7, a)]))
            .collect();
        let sum: f64 = joint.iter().sum();
        for (p, joint) in next.iter().zip(joint) {
            assert!((f64::from(*p) - joint / sum).abs() < 1e-6);
        }
    }
}
