//! Prequential lines gathered: figures over seeds, with intervals over homes.

use super::super::prequential::lines::{Line, Slice, Task};

/// A figure: its mean over seeds, and a 95 % interval over homes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Estimate {
    pub mean: f64,
    /// `None` where a single home tells nothing of others.
    pub interval: Option<[f64; 2]>,
}

/// The lines of a folder.
pub(super) struct Gathered {
    lines: Vec<Line>,
}

impl Gathered {
    pub fn of(lines: Vec<Line>) -> Self {
        Gathered { lines }
    }

    /// What was run, in the order of the lines.
    pub fn sources(&self) -> Vec<&str> {
        let sources = self.lines.iter().map(|line| line.source.as_str());
        unique(sources)
    }

    /// All lines of a source.
    pub fn source<'a>(&'a self, name: &'a str) -> Source<'a> {
        let lines = self.lines.iter().filter(|line| line.source == name);
        Source {
            name,
            lines: lines.collect(),
        }
    }
}

/// The lines of a source.
pub(super) struct Source<'a> {
    pub name: &'a str,
    lines: Vec<&'a Line>,
}

impl<'a> Source<'a> {
    /// Methods with a figure of this name, in the order of the lines.
    pub fn methods(&self, task: Task, metric: &str) -> Vec<&'a str> {
        let lines = self.lines.iter();
        let of_task = lines.filter(|l| l.task == task && l.metrics.contains_key(metric));
        unique(of_task.map(|line| line.method.as_str()))
    }

    /// Kinds of shift.
    pub fn kinds(&self) -> Vec<&'a str> {
        unique(
            self.lines
                .iter()
                .filter_map(|line| line.slice.kind.as_deref()),
        )
    }

    /// Whether there is anything of a slice.
    pub fn has(&self, task: Task, slice: &Slice) -> bool {
        self.lines
            .iter()
            .any(|line| line.task == task && line.slice == *slice)
    }

    /// Lines of a method, one a seed.
    fn of(&self, task: Task, method: &str, slice: &Slice) -> Vec<&'a Line> {
        let lines = self.lines.iter().copied();
        lines
            .filter(|line| line.task == task && line.method == method && line.slice == *slice)
            .collect()
    }

    /// How many seeds there are.
    pub fn seeds(&self) -> usize {
        self.lines
            .iter()
            .filter(|line| line.task == Task::Run)
            .count()
    }

    /// The lines of each seed apart, in their order.
    pub fn by_seed(&self) -> Vec<(u64, Source<'a>)> {
        let runs = self.lines.iter().filter(|line| line.task == Task::Run);
        let of = |seed: u64| {
            let lines = self.lines.iter().copied();
            lines.filter(|line| line.seed == seed).collect()
        };
        let each = runs.map(|run| {
            let lines = of(run.seed);
            let name = self.name;
            (run.seed, Source { name, lines })
        });
        each.collect()
    }

    /// The sum over seeds of what the run itself tells.
    pub fn total(&self, of: impl Fn(&Line) -> f64) -> f64 {
        let runs = self.lines.iter().filter(|line| line.task == Task::Run);
        runs.map(|line| of(line)).sum()
    }

    /// How many behaviours a figure is of, all seeds together.
    pub fn behaviors(&self, task: Task, method: &str, slice: &Slice) -> u64 {
        self.of(task, method, slice)
            .iter()
            .map(|line| line.behaviors)
            .sum()
    }

    /// A figure of a method.
    pub fn figure(
        &self,
        task: Task,
        method: &str,
        slice: &Slice,
        metric: &str,
    ) -> Option<Estimate> {
        let lines = self.of(task, method, slice);
        estimate(&lines, |line| {
            let draws = line.draws.get(metric).map_or(&[][..], Vec::as_slice);
            Some((*line.metrics.get(metric)?, draws.to_vec()))
        })
    }

    /// By how much the first method's figure is above the second's, of the same homes.
    pub fn difference(
        &self,
        task: Task,
        methods: [&str; 2],
        slice: &Slice,
        metric: &str,
    ) -> Option<Estimate> {
        let lines = self.of(task, methods[0], slice);
        let others = self.of(task, methods[1], slice);
        estimate(&lines, |line| {
            let other = others.iter().find(|other| other.seed == line.seed)?;
            let mean = line.metrics.get(metric)? - other.metrics.get(metric)?;
            let draws = |line: &'a Line| line.draws.get(metric).map_or(&[][..], Vec::as_slice);
            let pairs = draws(line).iter().zip(draws(other));
            Some((mean, pairs.map(|(a, b)| Some((*a)? - (*b)?)).collect()))
        })
    }
}

/// The mean of some lines' figures. Seeds are of different homes: a draw of all is a draw of each.
fn estimate<'a>(
    lines: &[&'a Line],
    of: impl Fn(&'a Line) -> Option<(f64, Vec<Option<f64>>)>,
) -> Option<Estimate> {
    let found: Vec<(f64, Vec<Option<f64>>)> = lines.iter().filter_map(|line| of(line)).collect();
    let count = found.len() as f64;
    if found.is_empty() {
        return None;
    }
    let mean = found.iter().map(|(mean, _)| mean).sum::<f64>() / count;
    let draws = found
        .iter()
        .map(|(_, draws)| draws.len())
        .min()
        .unwrap_or(0);
    let draw = |i: usize| {
        let sum = found.iter().map(|(_, draws)| draws[i]).sum::<Option<f64>>();
        sum.map(|sum| sum / count)
    };
    let mut draws: Vec<f64> = (0..draws).filter_map(draw).collect();
    draws.sort_by(f64::total_cmp);
    let at = |share: f64| draws[((draws.len() - 1) as f64 * share).round() as usize];
    let several = lines.iter().all(|line| line.homes > 1) && !draws.is_empty();
    Some(Estimate {
        mean,
        interval: several.then(|| [at(0.025), at(0.975)]),
    })
}

fn unique<'a>(names: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    let mut unique = Vec::new();
    for name in names {
        if !unique.contains(&name) {
            unique.push(name);
        }
    }
    unique
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(seed: u64, method: &str, homes: u64, value: f64, draws: &[Option<f64>]) -> Line {
        Line {
            source: "s".into(),
            seed,
            task: Task::NextAction,
            method: method.into(),
            slice: Slice::default(),
            homes,
            behaviors: 10,
            metrics: [("x".to_owned(), value)].into(),
            draws: [("x".to_owned(), draws.to_vec())].into(),
        }
    }

    #[test]
    fn means_and_differences_are_of_equal_draws() {
        let gathered = Gathered::of(vec![
            line(1, "a", 2, 0.5, &[Some(0.4), Some(0.6), None]),
            line(2, "a", 2, 0.7, &[Some(0.6), Some(0.8), Some(0.9)]),
            line(1, "b", 2, 0.4, &[Some(0.3), Some(0.5), Some(0.4)]),
            line(2, "b", 2, 0.5, &[Some(0.4), Some(0.6), Some(0.7)]),
        ]);
        let source = gathered.source("s");
        let slice = Slice::default();
        let close = |found: Option<Estimate>, mean: f64, [low, high]: [f64; 2]| {
            let found = found.unwrap();
            let [l, h] = found.interval.unwrap();
            let off = [(found.mean - mean), l - low, h - high];
            assert!(off.iter().all(|d| d.abs() < 1e-12), "{found:?}");
        };
        close(
            source.figure(Task::NextAction, "a", &slice, "x"),
            0.6,
            [0.5, 0.7],
        );
        // .1 and .2 in either draw: the homes differ, the difference hardly does.
        let difference = source.difference(Task::NextAction, ["a", "b"], &slice, "x");
        close(difference, 0.15, [0.15, 0.15]);
        assert_eq!(source.figure(Task::NextAction, "a", &slice, "y"), None);
    }

    #[test]
    fn one_home_has_no_interval() {
        let gathered = Gathered::of(vec![line(1, "a", 1, 0.5, &[Some(0.5); 4])]);
        let figure = gathered
            .source("s")
            .figure(Task::NextAction, "a", &Slice::default(), "x");
        assert_eq!(figure.unwrap().interval, None);
    }
}
