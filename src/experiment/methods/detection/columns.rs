//! A behaviour as the methods that count or measure read it: one number a column.

use hearth_operators::words::{Catalog, HOURS, Quadruple, Sequence, WEEKDAYS};

use super::TrainingData;
use crate::models::{Columns, ModelError, Vocabulary};

/// Reads the columns that a method is shown.
pub(super) struct ColumnReader {
    vocabulary: Vocabulary,
    columns: &'static [Columns],
    /// By column: how many numbers there are.
    sizes: Vec<usize>,
    /// By action: its device.
    device_of: Vec<u16>,
}

impl ColumnReader {
    pub fn new(catalog: &Catalog, columns: Columns) -> Self {
        let columns = match columns {
            Columns::All => &[
                Columns::Weekday,
                Columns::Hours,
                Columns::Device,
                Columns::Action,
            ][..],
            Columns::Weekday => &[Columns::Weekday],
            Columns::Hours => &[Columns::Hours],
            Columns::Device => &[Columns::Device],
            Columns::Action => &[Columns::Action],
        };
        let size = |column: &Columns| match column {
            Columns::Weekday => WEEKDAYS.len(),
            Columns::Hours => HOURS.len(),
            Columns::Device => catalog.devices().len(),
            Columns::Action | Columns::All => catalog.actions(),
        };
        let devices = catalog.action_ids().map(|a| catalog.device_of(a).0);
        ColumnReader {
            vocabulary: Vocabulary::new(catalog, Columns::All),
            columns,
            sizes: columns.iter().map(size).collect(),
            device_of: devices.collect(),
        }
    }

    /// Refuses an empty sequence and one that is not of the catalog.
    pub fn check(&self, sequence: &Sequence) -> Result<(), ModelError> {
        if sequence.0.is_empty() {
            return Err(ModelError::Empty);
        }
        self.vocabulary.check(sequence)
    }

    /// The sequences to learn, all of them checked, in an order that does not depend on theirs.
    pub fn train<'a>(&self, data: &TrainingData<'a>) -> Result<Vec<&'a Sequence>, ModelError> {
        let mut train: Vec<&Sequence> = data.train.iter().collect();
        if train.is_empty() {
            return Err(ModelError::NoData);
        }
        train.iter().try_for_each(|s| self.check(s))?;
        train.sort_unstable();
        Ok(train)
    }

    /// By column: how many numbers there are.
    pub fn sizes(&self) -> &[usize] {
        &self.sizes
    }

    /// A checked behaviour, by column.
    pub fn numbers(&self, q: &Quadruple) -> impl Iterator<Item = usize> {
        let action = usize::from(q.action.0);
        self.columns.iter().map(move |column| match column {
            Columns::Weekday => usize::from(q.weekday),
            Columns::Hours => usize::from(q.hours),
            Columns::Device => usize::from(self.device_of[action]),
            Columns::Action | Columns::All => action,
        })
    }
}
