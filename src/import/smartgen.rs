//! The SmartGen authors' data: pickled sequences in their repository, or the same as JSON Lines.
//!
//! Their data has no dates and no homes: [`super::layout`] puts each sequence on a calendar, all of them in one home. The
//! id of a behaviour, `context/sequence/position`, says where in the data it stood (both counted from 0), so that a
//! sequence of the data is found again in the log.

use std::path::PathBuf;

use anyhow::{Result, anyhow, ensure};
use hearth_operators::words::{ActionId, Hours, ShiftKind, Time, Weekday};
use jiff::civil;

use super::authors::{DataSet, Numbers, Understood, Vocabulary};
use super::layout::{self, Calendar};
use super::output::{Destination, Output};
use crate::sources::context_words;

/// The first instant that a log may not reach: the year 2200, after which a clock counts as broken.
const END: Time = Time(7_258_118_400 * Time::SECOND);

/// Imports one data set: the sequences of one context and, behind a shift, those of another.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  hearth import smartgen SmartGen/ --dataset fr --from winter --to spring --out fr/
  hearth import smartgen SmartGen/ --dataset sp --from daytime --from-split split_trn --to night --to-split split_test --out sp/")]
pub struct Args {
    /// The repository (the folder with SmartGen/IoT_data and SmartGen/dictionary.py), or a folder of its conversion
    /// (DATASET/vocab.json, DATASET/raw/CONTEXT.SPLIT.jsonl).
    repository: PathBuf,
    /// Data set: fr, sp, us ...
    #[arg(long)]
    dataset: String,
    /// The context that the log begins in: winter, daytime, single ...
    #[arg(long)]
    from: String,
    /// The context that follows: spring, night, multiple ... Without it there is no shift.
    #[arg(long)]
    to: Option<String>,
    /// Which file of the first context.
    #[arg(long, default_value = "trn")]
    from_split: String,
    /// Which file of the second context (of spring, night and multiple only the test sets are real).
    #[arg(long, default_value = "test")]
    to_split: String,
    /// Name of the home; the data set's by default.
    #[arg(long)]
    home: Option<String>,
    /// Day on which the calendar begins.
    #[arg(long, default_value = "2000-01-03")]
    start: civil::Date,
    #[command(flatten)]
    destination: Destination,
}

/// Runs the import.
pub(super) fn run(args: &Args) -> Result<()> {
    let data = DataSet::find(&args.repository, &args.dataset)?;
    let shift = match &args.to {
        Some(to) => Some((to, kind(&args.from, to)?)),
        None => None,
    };
    let vocabulary = data.vocabulary()?;
    let home = args.home.as_deref().unwrap_or(&args.dataset);
    let start =
        jiff::tz::Offset::UTC.to_timestamp(args.start.to_datetime(civil::Time::midnight()))?;

    // Both files are read before anything is written.
    let source = data.sequences(&args.from, &args.from_split)?;
    let target = match &args.to {
        Some(to) => Some(data.sequences(to, &args.to_split)?),
        None => None,
    };
    let mut output = Output::create(&args.destination)?;
    let mut log = Log {
        home,
        vocabulary: &vocabulary,
        calendar: Calendar::new(Time(start.as_microsecond())),
        before: Vec::new(),
        output: &mut output,
    };
    log.write(&args.from, &source)?;
    if let (Some((to, kind)), Some(target)) = (shift, target) {
        // Ten hours after the last behaviour, more than a day before the next one.
        let at = Time(log.calendar.last().0 + 10 * Time::HOUR);
        log.write(to, &target)?;
        output.shift(home, at, kind, &args.from, to)?;
    }
    output.finish(Some(vocabulary.catalog))
}

/// The kind of a shift, by the words of its contexts.
fn kind(from: &str, to: &str) -> Result<ShiftKind> {
    [ShiftKind::Season, ShiftKind::Schedule, ShiftKind::Occupancy]
        .into_iter()
        .find(|kind| context_words(*kind).contains(&from) && context_words(*kind).contains(&to) && from != to)
        .ok_or_else(|| {
            anyhow!(
                "`{from}` to `{to}` is no shift; name two seasons, or daytime and night, or single and multiple"
            )
        })
}

struct Log<'a> {
    home: &'a str,
    vocabulary: &'a Vocabulary,
    calendar: Calendar,
    /// The actions of the sequence that was placed last.
    before: Vec<ActionId>,
    output: &'a mut Output,
}

impl Log<'_> {
    /// Writes the sequences of a context behind what is written; those that make no sense are left out and counted.
    fn write(&mut self, context: &str, data: &[Result<Vec<Numbers>, String>]) -> Result<()> {
        // By sequence: its position in the data, and its behaviours.
        let mut kept: Vec<(usize, Vec<ActionId>)> = Vec::new();
        let mut slots: Vec<Vec<(Weekday, Hours)>> = Vec::new();
        for (position, numbers) in data.iter().enumerate() {
            let understood: Result<Vec<Understood>, String> = match numbers {
                Ok(numbers) if numbers.is_empty() => Err("the sequence is empty".to_owned()),
                Ok(numbers) => numbers
                    .iter()
                    .map(|n| self.vocabulary.understand(n))
                    .collect(),
                Err(reason) => Err(reason.clone()),
            };
            match understood {
                Ok(behaviors) => {
                    slots.push(behaviors.iter().map(|b| b.when).collect());
                    kept.push((position, behaviors.iter().map(|b| b.action).collect()));
                    for behavior in behaviors {
                        if let Some(device) = behavior.otherwise {
                            let action = self.vocabulary.catalog.full_name(behavior.action);
                            self.output.note(format!(
                                "behaviors of {context} name the device {device} with the action {action}; the action decided"
                            ));
                        }
                    }
                }
                Err(reason) => self
                    .output
                    .skip(format!("sequences of {context}: {reason}")),
            }
        }
        let catalog = &self.vocabulary.catalog;
        let (order, joined) = layout::order(&slots, self.calendar.clone(), |before, after| {
            let closed = kept[after]
                .1
                .first()
                .map_or(&[][..], |&first| catalog.closes(first));
            let before = before.map_or(&self.before, |before| &kept[before].1);
            before.iter().any(|action| closed.contains(action))
        });
        for &at in &order {
            let (position, actions) = &kept[at];
            let times = self.calendar.place(&slots[at]);
            ensure!(
                self.calendar.last() < END,
                "the sequences do not fit on a calendar that ends with the year 2199; begin it earlier, with --start 1900-01-01"
            );
            for (within, (time, &action)) in times.into_iter().zip(actions).enumerate() {
                let id = format!("{context}/{position}/{within}");
                let (device, action) = (catalog.device_name(action), catalog.action_name(action));
                self.output
                    .event(self.home, (time, 0), device, action, Some(&id))?;
            }
        }
        if let Some(&last) = order.last() {
            self.before = kept.swap_remove(last).1;
        }
        for _ in 0..joined {
            self.output.note(format!(
                "sequences of {context} begin by closing what the one before them opened, and will be split as one with it"
            ));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn contexts_of_different_kinds_are_no_shift() {
        assert_eq!(kind("winter", "spring").unwrap(), ShiftKind::Season);
        assert_eq!(kind("single", "multiple").unwrap(), ShiftKind::Occupancy);
        assert!(kind("winter", "night").is_err());
        assert!(kind("winter", "winter").is_err());
    }
}
