//! Parquet: streams as tables in files that other programs read while more of them come.
//!
//! A file holds the lines behind those of the file before, as rows; it is written beside, synced and given its name, and never
//! changes. It is named by how many bytes of lines came before. So each line is in one file, once: what a kill leaves behind what is
//! remembered is removed and written again.

mod rows;
#[cfg(test)]
mod tests;

use std::io::BufWriter;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use tokio::task::JoinSet;

use super::outbox::{Beginning, Outbox, more, streams};
use crate::config::{ParquetOptions, Roll, UsageError};
use crate::desk::{Desk, Gauges};
use crate::disk::{Disk, File, Open};
use crate::outputs::Stream;
use crate::table::Table;

/// The name of its marks.
const SINK: &str = "parquet";

/// Held by the run that writes into the folder. It stays.
const LOCK: &str = ".hearth.parquet.lock";

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ByStream {
    stream: &'static str,
}

/// How writing goes; clones share it.
#[derive(Clone, Debug, Default)]
struct Measures {
    rows: Family<ByStream, Counter>,
    files: Family<ByStream, Counter>,
    behind: Family<ByStream, Gauge>,
}

impl Measures {
    fn of(gauges: &Gauges) -> Self {
        let all = Measures::default();
        let help = "Rows in files of Parquet";
        gauges.register("parquet_rows", help, all.rows.clone());
        let help = "Files of Parquet that were written";
        gauges.register("parquet_files", help, all.files.clone());
        let help = "Bytes of lines that a checkpoint has and that no file of Parquet has yet";
        gauges.register("parquet_behind_bytes", help, all.behind.clone());
        all
    }
}

/// Writes the tables that the options name, if they name a folder, until the run is over.
///
/// # Errors
/// The folder cannot be written, or another run writes into it: that is said before anything is awaited. Then, that a file or an
/// output cannot be written or read, or the inbox cannot be written.
pub fn run(
    options: ParquetOptions,
    desk: Desk,
) -> Result<impl Future<Output = Result<()>>, UsageError> {
    let disk = Disk::real();
    let folder = options.parquet.clone();
    let lock = folder.as_deref().map(|folder| lock(&disk, folder));
    let locked = folder.zip(lock.transpose()?);
    Ok(async move {
        match locked {
            Some((folder, lock)) => tell(&disk, (folder, lock), &options, desk).await,
            None => Ok(()),
        }
    })
}

/// Makes the folder, and holds it for this run.
fn lock(disk: &Disk, folder: &Path) -> Result<File, UsageError> {
    let path = folder.display();
    let cannot = |error| UsageError(format!("cannot write into {path}: {error}"));
    disk.create_folder(folder).map_err(cannot)?;
    let lock = disk.open(&folder.join(LOCK), Open::Append);
    let lock = lock.map_err(cannot)?;
    match lock.try_lock() {
        Ok(()) => Ok(lock),
        Err(_) => Err(UsageError(format!(
            "another run writes into {path}; name another folder with --parquet"
        ))),
    }
}

async fn tell(
    disk: &Disk,
    (folder, lock): (PathBuf, File),
    options: &ParquetOptions,
    desk: Desk,
) -> Result<()> {
    let measures = Measures::of(&desk.gauges);
    // Side by side: each waits for the disk.
    let mut shelves = JoinSet::new();
    for stream in streams(&options.parquet_streams.0) {
        let shelf = Shelf {
            disk: disk.clone(),
            folder: folder.clone(),
            stream,
            roll: options.parquet_roll,
            outbox: Outbox::open(&desk, SINK, stream, Beginning::Whole).await?,
            begun: options.parquet_roll.period(),
            measures: measures.clone(),
            desk: desk.clone(),
        };
        shelves.spawn(shelf.serve());
    }
    while let Some(ended) = shelves.join_next().await {
        ended??;
    }
    drop(lock);
    Ok(())
}

/// The files of a stream.
struct Shelf {
    disk: Disk,
    folder: PathBuf,
    stream: Stream,
    roll: Roll,
    outbox: Outbox,
    /// The period in which the first line came that is in no file yet.
    begun: u64,
    measures: Measures,
    desk: Desk,
}

impl Shelf {
    async fn serve(mut self) -> Result<()> {
        // Before anything is read: what is cut meanwhile is noticed.
        let mut cuts = self.desk.feed.cuts();
        self.clear()?;
        let mut over = false;
        loop {
            while self.is_due(over) {
                self.write(over).await?;
            }
            if over {
                return Ok(());
            }
            over = tokio::select! {
                over = more(&mut cuts) => over,
                () = end_of_period(self.roll.left()) => false,
            };
        }
    }

    /// Whether there is enough for a file.
    fn is_due(&mut self, over: bool) -> bool {
        let behind = self.outbox.behind();
        if behind == 0 {
            self.begun = self.roll.period();
        }
        let gauge = self.measures.behind.get_or_create(&self.labels());
        gauge.set(i64::try_from(behind).unwrap_or(i64::MAX));
        behind > 0 && (over || self.roll.is_due(behind, self.begun))
    }

    /// Removes what is not remembered.
    fn clear(&self) -> Result<()> {
        let cannot = || format!("cannot clear {}", self.folder.display());
        for path in self.disk.list(&self.folder).with_context(cannot)? {
            if self
                .start_of(&path)
                .is_some_and(|start| start >= self.outbox.reached())
            {
                self.disk.remove(&path).with_context(cannot)?;
            }
        }
        self.disk.remove(&self.part()).with_context(cannot)
    }

    /// Bytes of lines before those of a file, if it is one of these.
    fn start_of(&self, path: &Path) -> Option<u64> {
        let name = path.file_name()?.to_str()?.strip_suffix(".parquet")?;
        let start = name.strip_prefix(self.stream.name())?.strip_prefix('-')?;
        start.parse().ok()
    }

    /// A file that has no name yet.
    fn part(&self) -> PathBuf {
        let name = self.stream.name();
        self.folder.join(format!(".hearth.{name}.part"))
    }

    /// Writes a file, the last one with all that is left, and remembers it.
    async fn write(&mut self, last: bool) -> Result<()> {
        let rows = tokio::task::block_in_place(|| self.file(last))?;
        let reached = self.outbox.reached();
        self.outbox.told(reached, std::iter::empty()).await?;
        self.begun = self.roll.period();
        let labels = self.labels();
        self.measures.rows.get_or_create(&labels).inc_by(rows);
        self.measures.files.get_or_create(&labels).inc();
        Ok(())
    }

    fn labels(&self) -> ByStream {
        let stream = self.stream.name();
        ByStream { stream }
    }

    /// Writes a file of what cuts have. How many rows it has.
    fn file(&mut self, last: bool) -> Result<u64> {
        let (start, part) = (self.outbox.reached(), self.part());
        let name = format!("{}-{start:015}.parquet", self.stream.name());
        let path = self.folder.join(name);
        let cannot = || format!("cannot write {}", path.display());
        // One that is there was begun by an attempt that failed.
        self.disk.remove(&part).with_context(cannot)?;
        let file = self.disk.open(&part, Open::New).with_context(cannot)?;
        let (file, rows) = self.fill(file, last).with_context(cannot)?;
        file.sync()
            .and_then(|()| self.disk.rename(&part, &path))
            .and_then(|()| self.disk.sync_folder(&self.folder))
            .with_context(cannot)?;
        Ok(rows)
    }

    fn fill(&mut self, file: File, last: bool) -> Result<(File, u64)> {
        let start = self.outbox.reached();
        let columns = self.stream.columns();
        let fields = rows::fields(columns);
        let mut table = Table::new(BufWriter::new(file), self.stream.name(), &fields)?;
        let mut rows = 0;
        while last || !self.roll.is_long(self.outbox.reached() - start) {
            let letters = self.outbox.read()?;
            if letters.is_empty() {
                break;
            }
            for letter in letters {
                table.row(rows::row(columns, &letter.line)?)?;
                rows += 1;
            }
        }
        let file = table.finish()?.into_inner();
        Ok((file.map_err(std::io::IntoInnerError::into_error)?, rows))
    }
}

async fn end_of_period(left: Option<Duration>) {
    match left {
        Some(left) => tokio::time::sleep(left).await,
        None => std::future::pending().await,
    }
}
