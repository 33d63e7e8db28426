//! How models read behaviours: windows of them as batches of ids, and one table of embeddings for all columns.

use candle_core::{Device, Tensor};
use hearth_operators::words::{Catalog, HOURS, Quadruple, Sequence, WEEKDAYS};

use super::error::ModelError;
use super::layers::sum_rows;
use super::parameters::{Init, Source};

/// Which columns of a behaviour a model reads and reconstructs. The authors' models read one at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Columns {
    /// Weekday, hours, device and action: an embedding each, summed.
    All,
    /// The weekday alone.
    Weekday,
    /// The three-hour bucket alone.
    Hours,
    /// The device alone.
    Device,
    /// The action alone.
    Action,
}

/// Consecutive behaviours that a model reads at once.
pub(crate) type Window<'a> = &'a [Quadruple];

/// Place of each column's rows in the table: the start token, weekdays, hours, devices, actions.
const WEEKDAY: u32 = 1;
const HOUR: u32 = WEEKDAY + WEEKDAYS.len() as u32;
const DEVICE: u32 = HOUR + HOURS.len() as u32;

/// The ids of a catalog as rows of one table.
pub(crate) struct Vocabulary {
    columns: Columns,
    devices: usize,
    /// By action: its device.
    device_of: Vec<u32>,
}

impl Vocabulary {
    pub fn new(catalog: &Catalog, columns: Columns) -> Self {
        Vocabulary {
            columns,
            devices: catalog.devices().len(),
            device_of: catalog
                .action_ids()
                .map(|a| u32::from(catalog.device_of(a).0))
                .collect(),
        }
    }

    /// The first ids of a catalog, as many as a table of so many rows is of; all of it where none fits. A catalog that
    /// [grows](Catalog::grown) gives new ids behind the old ones, so a model stays what it was trained to be.
    pub fn first(catalog: &Catalog, columns: Columns, rows: usize) -> Self {
        let mut vocabulary = Vocabulary::new(catalog, columns);
        if vocabulary.rows() <= rows {
            return vocabulary;
        }
        let mut devices = 0;
        for (before, device) in vocabulary.device_of.iter().enumerate() {
            devices = devices.max(*device as usize + 1);
            if DEVICE as usize + devices + before + 1 == rows {
                vocabulary.device_of.truncate(before + 1);
                vocabulary.devices = devices;
                break;
            }
        }
        vocabulary
    }

    /// Whether a behaviour is of this catalog.
    pub fn knows(&self, q: &Quadruple) -> bool {
        usize::from(q.action.0) < self.actions()
    }

    pub fn devices(&self) -> usize {
        self.devices
    }

    pub fn actions(&self) -> usize {
        self.device_of.len()
    }

    fn action_row(&self, action: usize) -> u32 {
        DEVICE + (self.devices + action) as u32
    }

    fn rows(&self) -> usize {
        self.action_row(self.actions()) as usize
    }

    /// Refuses what is not of this catalog, a weekday above 6 and a bucket above 7.
    pub fn check(&self, sequence: &Sequence) -> Result<(), ModelError> {
        let fits = |q: &&Quadruple| {
            self.knows(q)
                && usize::from(q.weekday) < WEEKDAYS.len()
                && usize::from(q.hours) < HOURS.len()
        };
        match sequence.0.iter().find(|q| !fits(q)) {
            None => Ok(()),
            Some(q) => Err(ModelError::Unknown {
                action: q.action.0,
                weekday: q.weekday,
                hours: q.hours,
            }),
        }
    }

    /// How many rows of the table make up a behaviour.
    fn parts(&self) -> usize {
        if self.columns == Columns::All { 4 } else { 1 }
    }

    fn push(&self, q: &Quadruple, rows: &mut Vec<u32>) {
        let action = usize::from(q.action.0);
        let weekday = WEEKDAY + u32::from(q.weekday);
        let hours = HOUR + u32::from(q.hours);
        let device = DEVICE + self.device_of[action];
        match self.columns {
            Columns::All => rows.extend([weekday, hours, device, self.action_row(action)]),
            Columns::Weekday => rows.push(weekday),
            Columns::Hours => rows.push(hours),
            Columns::Device => rows.push(device),
            Columns::Action => rows.push(self.action_row(action)),
        }
    }
}

/// The embeddings of start token, weekdays, hours, devices and actions.
pub(crate) struct Embeddings {
    table: Tensor,
    parts: usize,
    /// Rows `[device, action]` of every action, flat.
    actions: Tensor,
    devices: Tensor,
}

impl Embeddings {
    /// The table of a model that has one.
    pub fn new(source: &mut Source, of: &Vocabulary, width: usize) -> Result<Self, ModelError> {
        Self::named(source, "table", of, width)
    }

    /// One of several.
    pub fn named(
        source: &mut Source,
        name: &str,
        of: &Vocabulary,
        width: usize,
    ) -> Result<Self, ModelError> {
        // Four summed embeddings and a position of size one make a row of size about one.
        let spread = Init::Spread(0.5 / (width as f32).sqrt());
        let mut actions = Vec::with_capacity(2 * of.actions());
        for (action, device) in of.device_of.iter().enumerate() {
            actions.extend([DEVICE + device, of.action_row(action)]);
        }
        let devices = DEVICE..DEVICE + of.devices as u32;
        Ok(Embeddings {
            table: source.take(name, &[of.rows(), width], spread)?,
            parts: of.parts(),
            actions: Tensor::from_vec(actions, 2 * of.actions(), &Device::Cpu)?,
            devices: Tensor::from_iter(devices, &Device::Cpu)?,
        })
    }

    /// Vectors of a batch's slots, `[rows × slots, width]`.
    pub fn slots(&self, batch: &Batch) -> Result<Tensor, ModelError> {
        self.sum(&batch.ids, self.parts)
    }

    /// When each behaviour of a batch happened, without what: `[rows × places, width]`.
    pub fn times(&self, batch: &Batch) -> Result<Tensor, ModelError> {
        self.sum(&batch.times, 2)
    }

    /// The vector of each action with its device's, `[actions, width]`: what a prediction is compared with. Actions of one
    /// device thus share what is learnt of it, which serves the rare ones.
    pub fn actions(&self) -> Result<Tensor, ModelError> {
        self.sum(&self.actions, 2)
    }

    /// The vector of each device, `[devices, width]`.
    pub fn devices(&self) -> Result<Tensor, ModelError> {
        Ok(self.table.index_select(&self.devices, 0)?)
    }

    fn sum(&self, ids: &Tensor, parts: usize) -> Result<Tensor, ModelError> {
        let found = self.table.index_select(ids, 0)?;
        if parts == 1 {
            return Ok(found);
        }
        sum_rows(&found, parts)
    }
}

/// Windows side by side, padded to the longest. Slot 0 of a row is the start token, slot `i + 1` behaviour `i`; so a
/// decoder that reads slots `0..places` predicts behaviour `i` from those before it.
pub(crate) struct Batch {
    /// How many windows.
    pub rows: usize,
    /// Behaviours of the longest window.
    pub places: usize,
    /// Rows of the table by slot.
    ids: Tensor,
    /// Rows of the table (weekday, hours) by place.
    times: Tensor,
    /// Targets by place, `[rows × places]`; 0 where padded.
    pub weekday: Tensor,
    /// As `weekday`.
    pub hours: Tensor,
    /// As `weekday`.
    pub device: Tensor,
    /// As `weekday`.
    pub action: Tensor,
    /// Lengths of the windows.
    pub lengths: Vec<usize>,
}

impl Batch {
    /// `windows` must not be empty, nor any of them.
    pub fn new(of: &Vocabulary, windows: &[Window]) -> Result<Self, ModelError> {
        let rows = windows.len();
        let lengths: Vec<usize> = windows.iter().map(|w| w.len()).collect();
        let places = lengths.iter().copied().max().unwrap_or(0);
        let mut ids = Vec::with_capacity(rows * (places + 1) * of.parts());
        let mut times = Vec::with_capacity(rows * places * 2);
        let [mut weekday, mut hours, mut device, mut action] =
            [(); 4].map(|()| Vec::with_capacity(rows * places));
        for window in windows {
            ids.extend(std::iter::repeat_n(0, of.parts()));
            for q in *window {
                of.push(q, &mut ids);
                times.extend([WEEKDAY + u32::from(q.weekday), HOUR + u32::from(q.hours)]);
                weekday.push(u32::from(q.weekday));
                hours.push(u32::from(q.hours));
                device.push(of.device_of[usize::from(q.action.0)]);
                action.push(u32::from(q.action.0));
            }
            let padding = places - window.len();
            ids.extend(std::iter::repeat_n(0, padding * of.parts()));
            times.extend(std::iter::repeat_n(0, padding * 2));
            for column in [&mut weekday, &mut hours, &mut device, &mut action] {
                column.extend(std::iter::repeat_n(0, padding));
            }
        }
        let tensor = |ids: Vec<u32>| {
            let size = ids.len();
            Tensor::from_vec(ids, size, &Device::Cpu)
        };
        Ok(Batch {
            rows,
            places,
            ids: tensor(ids)?,
            times: tensor(times)?,
            weekday: tensor(weekday)?,
            hours: tensor(hours)?,
            device: tensor(device)?,
            action: tensor(action)?,
            lengths,
        })
    }

    /// The mean over a window's behaviours as weights of its places, `[rows, places]`; padding weighs nothing.
    pub fn mean(&self) -> Result<Tensor, ModelError> {
        let mut weights = vec![0f32; self.rows * self.places];
        for (row, &length) in self.lengths.iter().enumerate() {
            weights[row * self.places..][..length].fill(1.0 / length as f32);
        }
        Ok(Tensor::from_vec(
            weights,
            (self.rows, self.places),
            &Device::Cpu,
        )?)
    }
}
