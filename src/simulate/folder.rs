//! The simulation's files: the event log, `contexts.jsonl`, `catalog.json` and `truth.jsonl`.

use std::fmt::Write as _;
use std::fs::File;
use std::io::{self, BufWriter, Write as _};
use std::path::{Path, PathBuf};

use hearth_operators::words::{Catalog, Moment};
use indicatif::{ProgressBar, ProgressStyle};

use super::log::{Event, PlantedShift, Progress, Sink, Totals};
use crate::sources::{self, LogFormat, LogWriter, Packing};
use crate::time;

/// Writes a simulation into a folder, replacing its own four files and touching no other.
pub(super) struct Folder {
    events: LogWriter<NamedFile>,
    contexts: NamedFile,
    truth: NamedFile,
    /// By action.
    actions: Vec<Names>,
    /// Whether lines bear an id.
    ids: bool,
    /// The line in the making.
    line: String,
    bar: ProgressBar,
    homes: u64,
}

/// An action.
struct Names {
    device: String,
    action: String,
    /// `"device":"…","action":"…"`.
    json: String,
}

impl Folder {
    /// Makes the folder and its files, and writes the catalog.
    ///
    /// # Errors
    /// One of them cannot be written; the message names it.
    pub fn create(
        dir: &Path,
        format: LogFormat,
        catalog: &Catalog,
        homes: u32,
        ids: bool,
    ) -> io::Result<Self> {
        std::fs::create_dir_all(dir).map_err(|error| at(dir, "make the folder", &error))?;
        let path = dir.join("catalog.json");
        let text = serde_json::to_string_pretty(catalog)?;
        std::fs::write(&path, text + "\n").map_err(|error| at(&path, "write", &error))?;
        let mut actions = Vec::with_capacity(catalog.actions());
        for action in catalog.action_ids() {
            let (device, action) = (catalog.device_name(action), catalog.action_name(action));
            actions.push(Names {
                device: device.to_owned(),
                action: action.to_owned(),
                json: format!(
                    "\"device\":{},\"action\":{}",
                    serde_json::to_string(device)?,
                    serde_json::to_string(action)?
                ),
            });
        }
        let log = NamedFile::create(dir, &format!("events.{}", format.extension()))?;
        Ok(Folder {
            events: LogWriter::new(format, Packing::default(), log)?,
            contexts: NamedFile::create(dir, "contexts.jsonl")?,
            truth: NamedFile::create(dir, "truth.jsonl")?,
            actions,
            ids,
            line: String::new(),
            bar: bar(u64::from(homes), "homes lived"),
            homes: u64::from(homes),
        })
    }

    /// Writes the last line of `truth.jsonl` and everything that is still in memory.
    ///
    /// # Errors
    /// A file cannot be written; the message names it.
    pub fn finish(mut self, counts: &Totals) -> io::Result<()> {
        self.bar.finish_and_clear();
        let Totals {
            lines,
            unique,
            duplicates,
            late,
            reordered,
            anomalies,
            shifts,
        } = counts;
        let homes = self.homes;
        writeln!(
            self.truth,
            "{{\"truth\":\"counts\",\"homes\":{homes},\"lines\":{lines},\"unique\":{unique},\"duplicates\":{duplicates},\
             \"late\":{late},\"reordered\":{reordered},\"anomalies\":{anomalies},\"shifts\":{shifts}}}"
        )?;
        self.contexts.flush()?;
        self.truth.flush()?;
        self.events.finish()
    }

    /// `"home":"h-17","time":"…",` and the action.
    fn behavior(&mut self, home: u32, moment: Moment) -> std::fmt::Result {
        let time = time::format(moment.time, moment.offset);
        let action = &self.actions[usize::from(moment.action.0)].json;
        write!(
            self.line,
            "\"home\":\"h-{home}\",\"time\":\"{time}\",{action}"
        )
    }
}

impl Sink for Folder {
    fn shift(&mut self, shift: &PlantedShift) -> io::Result<()> {
        let PlantedShift { home, from, to, .. } = shift;
        let time = time::format(shift.time, shift.offset);
        let kind = shift.kind.name();
        let keys = format!(
            "\"home\":\"h-{home}\",\"time\":\"{time}\",\"kind\":\"{kind}\",\"from\":\"{from}\",\"to\":\"{to}\"}}\n"
        );
        write!(self.contexts, "{{{keys}")?;
        write!(self.truth, "{{\"truth\":\"shift\",{keys}")
    }

    fn event(&mut self, event: &Event) -> io::Result<()> {
        let full = |_| io::Error::from(io::ErrorKind::OutOfMemory);
        let Event {
            home,
            moment,
            ordinal,
            ..
        } = event;
        let names = &self.actions[usize::from(moment.action.0)];
        let id = self.ids.then(|| format!("h-{home}-{ordinal}").into());
        self.events.event(&sources::Event {
            home: format!("h-{home}").into(),
            time: moment.time,
            offset: moment.offset,
            device: Some((&*names.device).into()),
            action: (&*names.action).into(),
            id,
            how: sources::How::default(),
        })?;
        if let Some(kind) = event.anomaly.filter(|_| !event.copy) {
            self.line.clear();
            self.line.push_str("{\"truth\":\"anomaly\",");
            self.behavior(event.home, event.moment).map_err(full)?;
            writeln!(self.line, ",\"kind\":\"{}\"}}", kind.name()).map_err(full)?;
            self.truth.write_all(self.line.as_bytes())?;
        }
        Ok(())
    }

    fn progress(&mut self, progress: Progress) {
        match progress {
            Progress::Simulated(homes) => self.bar.set_position(u64::from(homes)),
            Progress::Written(lines, of) => {
                if self.bar.message() != "lines written" {
                    self.bar.finish_and_clear();
                    self.bar = bar(of, "lines written");
                }
                self.bar.set_position(lines);
            }
        }
    }
}

/// A progress bar on standard error; nothing where that is no terminal.
fn bar(length: u64, of_what: &'static str) -> ProgressBar {
    let bar = ProgressBar::new(length).with_message(of_what);
    match ProgressStyle::with_template("{bar:30} {human_pos}/{human_len} {msg}, {eta} left") {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}

/// A file whose errors name it.
struct NamedFile {
    path: PathBuf,
    file: BufWriter<File>,
}

impl NamedFile {
    fn create(dir: &Path, name: &str) -> io::Result<Self> {
        let path = dir.join(name);
        match File::create(&path) {
            Ok(file) => Ok(NamedFile {
                path,
                file: BufWriter::with_capacity(1 << 16, file),
            }),
            Err(error) => Err(at(&path, "write", &error)),
        }
    }
}

impl io::Write for NamedFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.file.write(bytes);
        written.map_err(|error| at(&self.path, "write", &error))
    }

    fn flush(&mut self) -> io::Result<()> {
        let flushed = self.file.flush();
        flushed.map_err(|error| at(&self.path, "write", &error))
    }
}

fn at(path: &Path, what: &str, error: &io::Error) -> io::Error {
    let sentence = format!("cannot {what} {}: {error}", path.display());
    io::Error::new(error.kind(), sentence)
}
