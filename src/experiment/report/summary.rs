//! Lines gathered: what was repeated over seeds together, and over pairs.

use std::collections::{BTreeMap, BTreeSet};

use super::super::cells::{Cell, Line, Protocol, Task};
use super::super::data::Pair;
use super::super::metrics::{Figure, Figures, Mean, bootstrap, mean};

/// A method and what it learnt: a row of most tables.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Setting {
    pub protocol: Protocol,
    pub task: Task,
    pub method: String,
    pub training: String,
    pub k: usize,
}

impl Setting {
    pub fn new(protocol: Protocol, task: Task, method: &str, training: &str, k: usize) -> Self {
        Setting {
            protocol,
            task,
            method: method.to_owned(),
            training: training.to_owned(),
            k,
        }
    }

    fn of(cell: &Cell) -> Self {
        Setting::new(
            cell.protocol,
            cell.task,
            &cell.method,
            &cell.training,
            cell.k,
        )
    }
}

/// What a run found, by setting, pair and seed.
#[derive(Default)]
pub(super) struct Summary {
    found: BTreeMap<Setting, BTreeMap<Pair, BTreeMap<u64, Found>>>,
    /// Settings in the order in which their first lines stand.
    order: Vec<Setting>,
    /// Reasons why cells failed, with how many did.
    pub failed: BTreeMap<String, usize>,
}

struct Found {
    figures: Figures,
    cpu_seconds: f64,
}

impl Summary {
    /// Gathers lines. Where a cell has several, the last counts.
    pub fn of(lines: Vec<Line>) -> Self {
        let mut summary = Summary::default();
        let mut failed = BTreeMap::new();
        for line in lines {
            let pair = line.cell.pair();
            if let Some(reason) = line.error {
                failed.insert(line.cell, reason);
                continue;
            }
            failed.remove(&line.cell);
            let setting = Setting::of(&line.cell);
            if !summary.found.contains_key(&setting) {
                summary.order.push(setting.clone());
            }
            let pairs = summary.found.entry(setting).or_default();
            let found = Found {
                figures: line.figures,
                cpu_seconds: line.cpu_seconds,
            };
            pairs.entry(pair).or_default().insert(line.cell.seed, found);
        }
        for reason in failed.into_values() {
            *summary.failed.entry(reason).or_default() += 1;
        }
        summary
    }

    /// All settings of a protocol and task that are wanted, in the order of the run.
    pub fn settings(
        &self,
        protocol: Protocol,
        task: Task,
        wanted: impl Fn(&Setting) -> bool,
    ) -> Vec<&Setting> {
        let of = |s: &&Setting| s.protocol == protocol && s.task == task && wanted(s);
        self.order.iter().filter(of).collect()
    }

    /// The pairs that a protocol and task have figures of.
    pub fn pairs(&self, protocol: Protocol, task: Task) -> Vec<Pair> {
        let of = |s: &&Setting| s.protocol == protocol && s.task == task;
        let settings = self.found.keys().filter(of);
        let pairs: BTreeSet<&Pair> = settings.flat_map(|s| self.found[s].keys()).collect();
        pairs.into_iter().cloned().collect()
    }

    /// A setting's figures of a pair, by seed.
    pub fn figures<'a>(
        &'a self,
        setting: &Setting,
        pair: &Pair,
    ) -> impl Iterator<Item = (u64, &'a Figures)> {
        let seeds = self.found.get(setting).and_then(|pairs| pairs.get(pair));
        let seeds = seeds.into_iter().flatten();
        seeds.map(|(seed, found)| (*seed, &found.figures))
    }

    /// One figure of a pair, by seed.
    pub fn values(&self, setting: &Setting, pair: &Pair, figure: &str) -> BTreeMap<u64, f64> {
        let one = |(seed, figures): (u64, &Figures)| match figures.get(figure) {
            Some(Figure::One(number)) => Some((seed, *number)),
            _ => None,
        };
        self.figures(setting, pair).filter_map(one).collect()
    }

    /// The mean over seeds.
    pub fn mean(&self, setting: &Setting, pair: &Pair, figure: &str) -> Option<Mean> {
        let values: Vec<f64> = self.values(setting, pair, figure).into_values().collect();
        mean(&values)
    }

    /// The mean over pairs of a setting's figure, with its bootstrap interval.
    pub fn overall(
        &self,
        setting: &Setting,
        pairs: &[Pair],
        figure: &str,
    ) -> Option<(f64, [f64; 2])> {
        let groups: Vec<Vec<f64>> = pairs
            .iter()
            .map(|pair| self.values(setting, pair, figure).into_values().collect())
            .collect();
        // A mean over some of the pairs is not comparable with one over all.
        if groups.iter().any(Vec::is_empty) {
            return None;
        }
        bootstrap(&groups)
    }

    /// How much higher `a` is than `b`, on the cells that both have, with the paired bootstrap's interval; and how many pairs
    /// that are.
    pub fn difference(
        &self,
        a: &Setting,
        b: &Setting,
        pairs: &[Pair],
        figure: &str,
    ) -> Option<(f64, [f64; 2], usize)> {
        let groups: Vec<Vec<f64>> = pairs
            .iter()
            .map(|pair| {
                let b = self.values(b, pair, figure);
                let both = self.values(a, pair, figure).into_iter();
                both.filter_map(|(seed, a)| Some(a - b.get(&seed)?))
                    .collect()
            })
            .filter(|group: &Vec<f64>| !group.is_empty())
            .collect();
        let (mean, interval) = bootstrap(&groups)?;
        Some((mean, interval, groups.len()))
    }

    /// CPU seconds a cell, by task and method, of either protocol.
    pub fn cpu(&self) -> BTreeMap<(Protocol, Task, &str), (f64, usize)> {
        let mut cpu = BTreeMap::<_, (f64, usize)>::new();
        for (setting, pairs) in &self.found {
            let key = (setting.protocol, setting.task, setting.method.as_str());
            let sum = cpu.entry(key).or_default();
            for found in pairs.values().flat_map(BTreeMap::values) {
                sum.0 += found.cpu_seconds;
                sum.1 += 1;
            }
        }
        cpu
    }

    /// Whether there is anything of a protocol.
    pub fn has(&self, protocol: Protocol) -> bool {
        self.found.keys().any(|s| s.protocol == protocol)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::experiment::data::Kind;

    fn line(dataset: &str, training: &str, seed: u64, f1: Option<f64>) -> Line {
        Line {
            cell: Cell {
                protocol: Protocol::Honest,
                task: Task::Ad,
                dataset: dataset.into(),
                shift: Kind::ST,
                method: "SmartGen".into(),
                training: training.into(),
                k: 0,
                seed,
            },
            figures: f1
                .map(|f1| ("f1".to_owned(), Figure::One(f1)))
                .into_iter()
                .collect(),
            cpu_seconds: 2.0,
            error: f1.is_none().then(|| "no file".to_owned()),
        }
    }

    #[test]
    fn pairs_and_seeds_are_matched() {
        let summary = Summary::of(vec![
            line("fr", "source", 1, Some(0.2)),
            line("fr", "source", 2, Some(0.4)),
            line("fr", "embedded", 1, Some(0.5)),
            line("fr", "embedded", 2, Some(0.7)),
            line("fr", "embedded", 3, Some(0.0)),
            line("sp", "source", 1, Some(0.1)),
            line("sp", "embedded", 1, None),
            line("sp", "embedded", 2, None),
        ]);
        let setting = |training| Setting::new(Protocol::Honest, Task::Ad, "SmartGen", training, 0);
        let pairs = summary.pairs(Protocol::Honest, Task::Ad);
        assert_eq!(pairs.len(), 2);
        let (mean, _, count) = summary
            .difference(&setting("embedded"), &setting("source"), &pairs, "f1")
            .unwrap();
        assert!((mean - 0.3).abs() < 1e-12 && count == 1);
        assert_eq!(summary.overall(&setting("embedded"), &pairs, "f1"), None);
        let (whole, _) = summary.overall(&setting("source"), &pairs, "f1").unwrap();
        assert!((whole - 0.2).abs() < 1e-12);
        assert_eq!(summary.failed["no file"], 2);
        assert_eq!(
            summary.cpu()[&(Protocol::Honest, Task::Ad, "SmartGen")],
            (12.0, 6)
        );
    }
}
