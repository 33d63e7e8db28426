//! What others are told of a stream: each line of its file, in order, once a cut has it.
//!
//! What lies before a cut is never written anew, so a line has a place, and its number, for ever: what was told is remembered
//! by that, in the inbox, and what a killed run wrote behind its last cut, and writes otherwise when it goes on, nobody was
//! told. Whoever is told takes each line at least once; one that comes again has the number that it had.

use std::collections::{BTreeSet, VecDeque};
use std::io::{self, BufRead, Read};

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};
use tokio::sync::watch;

use super::feed::Cuts;
use super::files::{Place, between};
use crate::desk::Desk;
use crate::inbox::{InboxError, Mark};
use crate::outputs::Stream;

/// Lines that are taken together, at most.
const TOGETHER: usize = 500;

/// Their bytes, about, at most.
const BYTES: usize = 256 << 10;

/// Which lines are told to whoever is told for the first time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Beginning {
    /// All that there are.
    Whole,
    /// Those that come from now on.
    Now,
}

/// A line that is to be told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Letter {
    pub stream: Stream,
    /// Tells it from all others, for ever.
    pub id: String,
    pub home: String,
    pub line: String,
    /// Bytes of lines before it.
    pub at: u64,
}

/// How far a stream was told.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Progress {
    /// How often the stream was made anew.
    life: u32,
    /// A cut.
    place: Place,
    /// Bytes of lines behind it that were told.
    beyond: u64,
    /// Lines behind these that were told out of turn, by bytes of lines before them, behind all that.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    done: Vec<u64>,
}

impl Progress {
    fn told(&self) -> u64 {
        self.place.lines() + self.beyond
    }
}

/// A stream on its way to somebody.
pub(super) struct Outbox {
    desk: Desk,
    stream: Stream,
    source: String,
    cuts: watch::Receiver<Cuts>,
    progress: Progress,
    /// Cuts at or behind what was told, in order.
    places: VecDeque<Place>,
    /// Lines up to a cut, and how far they were read.
    open: Option<(Box<dyn BufRead + Send>, Place)>,
    read: u64,
    /// What was told out of turn before this process began.
    done: BTreeSet<u64>,
}

impl Outbox {
    /// What is to be told of a stream by a sink of this name; waits until it is known how much there is of it.
    ///
    /// # Errors
    /// The inbox cannot be written.
    pub async fn open(
        desk: &Desk,
        sink: &str,
        stream: Stream,
        beginning: Beginning,
    ) -> Result<Self> {
        let source = format!("{sink}/{}", stream.name());
        let mut cuts = desk.feed.cuts();
        let known = |cuts: &Cuts| cuts.began.is_some() || cuts.over;
        let began = cuts.wait_for(known).await?.began.clone();
        let began = began.unwrap_or_default();
        let began = began.get(&stream).copied().unwrap_or_default();
        let told = desk.inbox.mark(&source);
        let told: Option<Progress> = told.and_then(|told| serde_json::from_str(&told).ok());
        let progress = match told {
            Some(told) if told.told() <= began.lines() => told,
            Some(told) => {
                tracing::warn!(
                    "{sink}: {} was made anew since it was told: it is told from its beginning",
                    stream.name()
                );
                Progress {
                    life: told.life + 1,
                    ..Progress::default()
                }
            }
            None => Progress {
                place: match beginning {
                    Beginning::Whole => Place::default(),
                    Beginning::Now => began,
                },
                ..Progress::default()
            },
        };
        let told = progress.told();
        let mut outbox = Outbox {
            desk: desk.clone(),
            stream,
            source,
            cuts,
            places: VecDeque::from([progress.place]),
            read: told,
            done: progress.done.iter().map(|behind| told + behind).collect(),
            progress,
            open: None,
        };
        outbox.keep().await?;
        Ok(outbox)
    }

    /// The next lines, if a cut has some.
    ///
    /// # Errors
    /// The stream's file cannot be read.
    pub fn read(&mut self) -> Result<Vec<Letter>> {
        let (mut letters, mut bytes) = (Vec::new(), 0);
        while letters.len() < TOGETHER && bytes < BYTES {
            let Some((reader, _)) = &mut self.open else {
                if self.open_next()? {
                    continue;
                }
                break;
            };
            let mut line = String::new();
            let read = reader.read_line(&mut line);
            let read = read.with_context(|| format!("cannot read {}", self.stream.name()))?;
            if read == 0 {
                if let Some((_, end)) = self.open.take() {
                    self.places.push_back(end);
                    // Whatever the file had, the cut has it until there.
                    self.read = end.lines();
                }
                continue;
            }
            let at = self.read;
            self.read += read as u64;
            bytes += read;
            if !self.done.remove(&at) {
                letters.extend(self.letter(at, line.trim_end()));
            }
        }
        Ok(letters)
    }

    /// Opens what lies between what was read and the newest cut, if there is something.
    fn open_next(&mut self) -> Result<bool> {
        let newest = self.cuts.borrow().newest.clone();
        let to = newest.get(&self.stream).copied().unwrap_or_default();
        let from = self.places.back().copied().unwrap_or_default();
        if to.lines() <= self.read {
            return Ok(false);
        }
        let (dir, stream) = (&self.desk.out, self.stream);
        let opened = between(dir, stream, &from, &to).and_then(|mut lines| {
            let told = self.read - from.lines();
            io::copy(&mut lines.by_ref().take(told), &mut io::sink())?;
            Ok(lines)
        });
        let opened = opened.with_context(|| format!("cannot read {}", stream.path(dir).display()));
        self.open = Some((opened?, to));
        Ok(true)
    }

    fn letter(&self, at: u64, line: &str) -> Option<Letter> {
        #[derive(Deserialize)]
        struct Of<'a> {
            #[serde(borrow)]
            home: std::borrow::Cow<'a, str>,
        }
        // Each line of these streams names its home.
        let of: Of<'_> = serde_json::from_str(line).ok()?;
        Some(Letter {
            stream: self.stream,
            id: format!("{}-{}-{at}", self.stream.name(), self.progress.life),
            home: of.home.into_owned(),
            line: line.to_owned(),
            at,
        })
    }

    /// Bytes of lines that a cut has and that were not told.
    pub fn behind(&self) -> u64 {
        let cuts = self.cuts.borrow();
        let newest = cuts.newest.get(&self.stream).map_or(0, Place::lines);
        newest.saturating_sub(self.progress.told())
    }

    /// Whose lines they are.
    pub fn stream(&self) -> Stream {
        self.stream
    }

    /// How far it was read: everything before is told once nothing of what was read is not.
    pub fn reached(&self) -> u64 {
        self.read
    }

    /// Remembers that all lines before a place were told, and these behind it.
    ///
    /// # Errors
    /// The inbox cannot be written.
    pub async fn told(
        &mut self,
        before: u64,
        done: impl Iterator<Item = u64>,
    ) -> Result<(), InboxError> {
        while self
            .places
            .get(1)
            .is_some_and(|place| place.lines() <= before)
        {
            self.places.pop_front();
        }
        let place = self.places.front().copied().unwrap_or_default();
        let earlier = self.done.iter().copied();
        let mut done: Vec<u64> = done.chain(earlier).map(|at| at - before).collect();
        done.sort_unstable();
        self.progress = Progress {
            life: self.progress.life,
            place,
            beyond: before - place.lines(),
            done,
        };
        self.keep().await
    }

    async fn keep(&mut self) -> Result<(), InboxError> {
        let mark = Mark {
            source: self.source.clone(),
            at: serde_json::to_string(&self.progress).unwrap_or_default(),
        };
        self.desk.inbox.put::<&str>([], Some(mark)).await
    }
}

/// Comes back when there may be more to read; whether the run is over, and no more comes.
pub(super) async fn more(cuts: &mut watch::Receiver<Cuts>) -> bool {
    // Whoever takes cuts may be gone: the run is over.
    cuts.borrow().over || cuts.changed().await.is_err() || cuts.borrow().over
}

/// Streams by their names.
pub(super) fn streams(names: &[&str]) -> Vec<Stream> {
    let named = |name: &&str| {
        Stream::ALL
            .into_iter()
            .find(|stream| stream.name() == *name)
    };
    names.iter().filter_map(named).collect()
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroUsize;
    use std::path::Path;

    use super::*;
    use crate::disk::Disk;
    use crate::inbox::{Inbox, Keeps};
    use crate::sinks::Positions;
    use crate::stop::Stop;

    /// A process that begins in a folder, where a cut has so many bytes of alarms.
    fn process(folder: &Path, began: u64) -> (Desk, crate::inbox::InboxWriter) {
        let (inbox, writer) = Inbox::open(&Disk::real(), folder, Keeps::default()).unwrap();
        let desk = Desk::new(inbox, folder, NonZeroUsize::MIN, Stop::default());
        desk.feed.begin(&at(began));
        (desk, writer)
    }

    fn at(bytes: u64) -> Positions {
        Positions::from([(Stream::Alarms, Place::plain(bytes))])
    }

    async fn open(desk: &Desk, beginning: Beginning) -> Outbox {
        Outbox::open(desk, "sink", Stream::Alarms, beginning)
            .await
            .unwrap()
    }

    fn ids(outbox: &mut Outbox) -> Vec<String> {
        let letters = outbox.read().unwrap();
        letters.into_iter().map(|letter| letter.id).collect()
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn what_a_cut_has_is_told_from_where_it_was_told() {
        let folder = tempfile::tempdir().unwrap();
        // Lines of one length.
        let line = |n: u8| format!("{{\"home\":\"h\",\"n\":{n}}}\n");
        let lines: String = (0..9).map(line).collect();
        let bytes = line(0).len() as u64;
        std::fs::write(Stream::Alarms.path(folder.path()), lines).unwrap();
        let id = |life: u32, n: u64| format!("alarms-{life}-{}", n * bytes);
        {
            let (desk, _writer) = process(folder.path(), 2 * bytes);
            let mut outbox = open(&desk, Beginning::Whole).await;
            assert_eq!(ids(&mut outbox), [id(0, 0), id(0, 1)]);
            // What no cut has is nobody's yet.
            assert!(ids(&mut outbox).is_empty());
            desk.feed.cut(&at(5 * bytes));
            assert_eq!(ids(&mut outbox).len(), 3);
            // All before the third, and the fourth.
            outbox
                .told(2 * bytes, [3 * bytes].into_iter())
                .await
                .unwrap();
            assert_eq!(outbox.behind(), 3 * bytes);
        }
        {
            let (desk, _writer) = process(folder.path(), 6 * bytes);
            let mut outbox = open(&desk, Beginning::Whole).await;
            assert_eq!(ids(&mut outbox), [id(0, 2), id(0, 4), id(0, 5)]);
            outbox.told(6 * bytes, std::iter::empty()).await.unwrap();
            assert_eq!(outbox.behind(), 0);
            // Whoever is told from now on.
            let mut other = Outbox::open(&desk, "other", Stream::Alarms, Beginning::Now)
                .await
                .unwrap();
            assert!(ids(&mut other).is_empty());
            desk.feed.cut(&at(7 * bytes));
            assert_eq!(ids(&mut other), [id(0, 6)]);
        }
        // The outputs were made anew.
        for told in [3, 2] {
            let (desk, _writer) = process(folder.path(), told * bytes);
            let mut outbox = open(&desk, Beginning::Whole).await;
            let life = 4 - told as u32;
            assert_eq!(ids(&mut outbox).first(), Some(&id(life, 0)));
            outbox.told(told * bytes, std::iter::empty()).await.unwrap();
        }
    }
}
