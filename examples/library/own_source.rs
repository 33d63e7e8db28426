//! A source of one's own, into an output folder as `hearth replay` writes it.

use std::sync::Arc;
use std::time::Instant;

use hearth::config::{Config, Packing};
use hearth::disk::Disk;
use hearth::home_names::HomeNames;
use hearth::outputs::Names;
use hearth::sinks::Writer;
use hearth::sinks::files::{Files, Folder};
use hearth::sources::{Batch, Flow, Source, SourceError};
use hearth_operators::words::{ActionId, Behavior, HomeId, Line, Moment, Time};

/// A lamp that is switched on at seven each evening, and off at ten.
pub struct Lamp {
    pub home: HomeId,
    pub days: i64,
    /// Events that were given.
    pub given: u64,
}

impl Source for Lamp {
    fn read(&mut self, limit: usize, _: Instant, batch: &mut Batch) -> Result<Flow, SourceError> {
        for _ in 0..limit {
            let (day, on) = (self.given as i64 / 2, self.given.is_multiple_of(2));
            if day == self.days {
                return Ok(Flow::Ended);
            }
            self.given += 1;
            let hour = if on { 19 } else { 22 };
            batch.behaviors.push(Behavior {
                home: self.home,
                moment: Moment {
                    time: Time(day * Time::DAY + hour * Time::HOUR),
                    action: ActionId(u16::from(on)),
                    offset: 0,
                },
                id: None,
                line: Line {
                    file: 0,
                    line: self.given,
                },
            });
            batch.position.line = self.given;
        }
        Ok(Flow::Open)
    }
}

/// Writes thirty evenings of a lamp; how many segments came of them.
pub fn run() -> anyhow::Result<i64> {
    let out = tempfile::tempdir()?;
    let folder = Folder::claim(&Disk::real(), &out.path().join("out"), [])?;
    let homes = HomeNames::default();
    let lamp = Lamp {
        home: homes.intern("flat"),
        days: 30,
        given: 0,
    };
    let models = Config::default().preset.model_names();
    let names = Names::new(homes, super::lamps()?, models, vec!["the lamp".into()]);
    let (writer, rows) = Writer::start(Files::create(&folder, Packing::None)?, names)?;
    super::ingest(lamp, Arc::new(rows))?;
    Ok(writer.finish()?.segments)
}

#[test]
fn each_evening_is_a_segment() {
    assert_eq!(run().unwrap(), 30);
}
