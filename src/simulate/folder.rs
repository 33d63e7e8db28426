//! The simulation's files: `events.jsonl`, `contexts.jsonl`, `catalog.json` and `truth.jsonl`.

use std::fmt::Write as _;
use std::fs::File;
use std::io::{self, BufWriter, Write as _};
use std::path::{Path, PathBuf};

use hearth_operators::words::{Catalog, Moment};
use indicatif::{ProgressBar, ProgressStyle};

use super::log::{Counts, Event, PlantedShift, Progress, Sink};
use crate::time;

/// Writes a simulation into a folder, replacing its own four files and touching no other.
pub(super) struct Folder {
    events: Lines,
    contexts: Lines,
    truth: Lines,
    /// By action: `"device":"…","action":"…"`.
    actions: Vec<String>,
    /// Whether lines bear an id.
    ids: bool,
    /// The line in the making.
    line: String,
    bar: ProgressBar,
    homes: u64,
}

impl Folder {
    /// Makes the folder and its files, and writes the catalog.
    ///
    /// # Errors
    /// One of them cannot be written; the message names it.
    pub fn create(dir: &Path, catalog: &Catalog, homes: u32, ids: bool) -> io::Result<Self> {
        std::fs::create_dir_all(dir).map_err(|error| at(dir, "make the folder", &error))?;
        let path = dir.join("catalog.json");
        let text = serde_json::to_string_pretty(catalog)?;
        std::fs::write(&path, text + "\n").map_err(|error| at(&path, "write", &error))?;
        let mut actions = Vec::with_capacity(catalog.actions());
        for action in catalog.action_ids() {
            actions.push(format!(
                "\"device\":{},\"action\":{}",
                serde_json::to_string(catalog.device_name(action))?,
                serde_json::to_string(catalog.action_name(action))?
            ));
        }
        Ok(Folder {
            events: Lines::create(dir, "events.jsonl")?,
            contexts: Lines::create(dir, "contexts.jsonl")?,
            truth: Lines::create(dir, "truth.jsonl")?,
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
    pub fn finish(mut self, counts: &Counts) -> io::Result<()> {
        self.bar.finish_and_clear();
        let Counts {
            lines,
            unique,
            duplicates,
            late,
            reordered,
            anomalies,
            shifts,
        } = counts;
        let homes = self.homes;
        self.truth.write(&format!(
            "{{\"truth\":\"counts\",\"homes\":{homes},\"lines\":{lines},\"unique\":{unique},\"duplicates\":{duplicates},\
             \"late\":{late},\"reordered\":{reordered},\"anomalies\":{anomalies},\"shifts\":{shifts}}}\n"
        ))?;
        for lines in [&mut self.events, &mut self.contexts, &mut self.truth] {
            lines.flush()?;
        }
        Ok(())
    }

    /// `"home":"h-17","time":"…",` and the action.
    fn behavior(&mut self, home: u32, moment: Moment) -> std::fmt::Result {
        let time = time::format(moment.time, moment.offset);
        let action = &self.actions[usize::from(moment.action.0)];
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
        self.contexts.write(&format!("{{{keys}"))?;
        self.truth.write(&format!("{{\"truth\":\"shift\",{keys}"))
    }

    fn event(&mut self, event: &Event) -> io::Result<()> {
        let full = |_| io::Error::from(io::ErrorKind::OutOfMemory);
        self.line.clear();
        self.line.push('{');
        self.behavior(event.home, event.moment).map_err(full)?;
        if self.ids {
            let Event { home, ordinal, .. } = event;
            write!(self.line, ",\"id\":\"h-{home}-{ordinal}\"").map_err(full)?;
        }
        self.line.push_str("}\n");
        self.events.write(&self.line)?;
        if let Some(kind) = event.anomaly.filter(|_| !event.copy) {
            self.line.clear();
            self.line.push_str("{\"truth\":\"anomaly\",");
            self.behavior(event.home, event.moment).map_err(full)?;
            writeln!(self.line, ",\"kind\":\"{}\"}}", kind.name()).map_err(full)?;
            self.truth.write(&self.line)?;
        }
        Ok(())
    }

    fn progress(&mut self, progress: Progress) {
        match progress {
            Progress::Lived(homes) => self.bar.set_position(u64::from(homes)),
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

/// A file that is written line by line, with errors that name it.
struct Lines {
    path: PathBuf,
    file: BufWriter<File>,
}

impl Lines {
    fn create(dir: &Path, name: &str) -> io::Result<Self> {
        let path = dir.join(name);
        match File::create(&path) {
            Ok(file) => Ok(Lines {
                path,
                file: BufWriter::with_capacity(1 << 16, file),
            }),
            Err(error) => Err(at(&path, "write", &error)),
        }
    }

    fn write(&mut self, line: &str) -> io::Result<()> {
        let result = self.file.write_all(line.as_bytes());
        result.map_err(|error| at(&self.path, "write", &error))
    }

    fn flush(&mut self) -> io::Result<()> {
        let result = self.file.flush();
        result.map_err(|error| at(&self.path, "write", &error))
    }
}

fn at(path: &Path, what: &str, error: &io::Error) -> io::Error {
    let sentence = format!("cannot {what} {}: {error}", path.display());
    io::Error::new(error.kind(), sentence)
}
