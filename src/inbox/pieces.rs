//! The files of an inbox: one that is appended to, and before it those that are whole, of which the oldest may go.
//!
//! A piece follows another with a head, which says how much of the inbox came before, and with marks that say what all marks before
//! them do: so nothing before it is needed to know how far sources are read. The piece before gets its other name first, so that
//! at no moment bytes have none.

use std::collections::{BTreeMap, HashMap};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::ops::Range;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::{LONGEST_LINE, MARK, Mark, MarkLine, mark_line};
use crate::disk::{Disk, File, Open};
use crate::growing::{Growing, Piece, Reach};
use crate::outputs::{inbox_path, is_inbox, sealed_inbox_path};

/// Into so many pieces what is to stay is cut at least.
const PIECES: u64 = 8;

/// A piece is no longer than this and what is put at once: what goes, goes with it.
const LONGEST: u64 = 64 << 20;

/// So many times as long as the marks that it begins with a piece is at least.
const MARKS: u64 = 4;

/// Of the marks of a source, in their order, fewer that say the same.
pub type Fold = fn(&[String]) -> Vec<String>;

/// Cuts what marks are to hold into parts, each of which leaves room in a line for the rest of a mark.
pub fn parts<T: Serialize>(all: impl IntoIterator<Item = T>) -> Vec<Vec<T>> {
    let (mut parts, mut bytes) = (Vec::<Vec<T>>::new(), 0);
    for one in all {
        // A mark is text in a line: what is in quotes is so twice.
        let text = serde_json::to_string(&one).unwrap_or_default();
        let length = serde_json::to_string(&text).map_or(0, |text| text.len());
        bytes += length;
        match parts.last_mut() {
            Some(part) if bytes <= LONGEST_LINE / 2 => part.push(one),
            _ => {
                parts.push(vec![one]);
                bytes = length;
            }
        }
    }
    parts
}

/// More bytes than an inbox ever had.
const MOST: u64 = i64::MAX as u64;

/// How much of an inbox is kept.
#[derive(Clone, Copy, Debug, Default)]
pub struct Keeps {
    /// So many bytes at least; none: all.
    pub bytes: Option<u64>,
    /// Sources whose marks say what has changed; of others the last one counts.
    pub folds: &'static [(&'static str, Fold)],
}

/// The line that a piece begins with. A reader of logs passes over it, as over a mark.
#[derive(Serialize, Deserialize)]
struct Head {
    mark: Begins,
}

#[derive(Serialize, Deserialize)]
struct Begins {
    /// How far the inbox was whole before it.
    begins: Whole,
}

/// What was found in an inbox.
pub(super) struct Was {
    pub marks: BTreeMap<String, String>,
    pub pieces: Vec<Piece>,
    /// How far it is whole.
    pub whole: Whole,
}

/// How far an inbox is whole.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Whole {
    /// In bytes.
    #[serde(rename = "bytes")]
    pub length: u64,
    /// In lines, marks among them.
    pub lines: u64,
    /// Where the last line ends that is no mark.
    pub lines_end: u64,
}

impl Whole {
    /// The same, where nobody asks where its last line ends that is no mark.
    pub fn up_to(Reach { bytes, lines }: Reach) -> Self {
        Whole {
            length: bytes,
            lines,
            lines_end: bytes,
        }
    }

    fn reach(self) -> Reach {
        Reach {
            bytes: self.length,
            lines: self.lines,
        }
    }
}

/// The last piece, to which is appended.
pub(super) struct Last {
    disk: Disk,
    folder: PathBuf,
    pub file: File,
    keeps: Keeps,
    before: Reach,
    /// How long the inbox may be before another one follows.
    due: u64,
}

/// Opens an inbox at its end, and reads the last marks. What was put with a mark and is not there whole goes.
pub(super) fn open(disk: &Disk, folder: &Path, keeps: Keeps) -> io::Result<(Last, Was)> {
    let mut pieces = sealed(disk, folder)?;
    let path = inbox_path(folder);
    if disk.kind(&path).is_none()
        && let Some(piece) = pieces.pop()
    {
        // It has its other name, and none followed it yet.
        disk.rename(&piece.path, &path)?;
    }
    let mut file = disk.open(&path, Open::Append)?;
    let (begins, head) = head(&mut file)?.unwrap_or_default();
    let before = begins.reach();
    for (piece, next) in pieces
        .iter()
        .zip(pieces.iter().skip(1).map(Some).chain([None]))
    {
        let next = next.map_or(before, |next| next.before);
        ends_before(disk, piece, next)?;
    }
    file.seek(SeekFrom::Start(head))?;
    let mut marks = BTreeMap::new();
    let put = |mark: Mark| drop(marks.insert(mark.source, mark.at));
    let whole = scan(io::BufReader::new(&mut file), begins, put)?;
    let there = whole.length - before.bytes + head;
    if file.length()? > there {
        file.set_length(there)?;
    }
    file.seek(SeekFrom::End(0))?;
    file.sync()?;
    disk.sync_folder(folder)?;
    pieces.push(Piece { path, before, head });
    let last = Last {
        disk: disk.clone(),
        folder: folder.to_owned(),
        file,
        keeps,
        before,
        due: keeps.due(before.bytes, 0),
    };
    let was = Was {
        marks,
        pieces,
        whole,
    };
    Ok((last, was))
}

impl Keeps {
    /// How long an inbox may be before a piece follows one that begins there, with so many bytes of marks.
    fn due(self, begins: u64, marks: u64) -> u64 {
        let most = |bytes: u64| (bytes / PIECES).clamp(1, LONGEST);
        let longest = self.bytes.map_or(u64::MAX, most);
        let longest = longest.saturating_add(MARKS * marks);
        begins.saturating_add(longest)
    }

    /// Fewer marks that say what these do, given in the order in which they were put.
    fn folded(self, marks: Vec<Mark>) -> Vec<Mark> {
        let mut by_source = BTreeMap::<String, (Option<Fold>, Vec<String>)>::new();
        let folds: HashMap<&str, Fold> = self.folds.iter().copied().collect();
        for mark in marks {
            let fold = folds.get(mark.place().1).copied();
            let (_, marks) = by_source.entry(mark.source).or_insert((fold, Vec::new()));
            marks.push(mark.at);
        }
        let folded = by_source
            .into_iter()
            .flat_map(|(source, (fold, mut marks))| {
                let marks = match fold {
                    Some(fold) => fold(&marks),
                    None => marks.split_off(marks.len() - 1),
                };
                let source = std::iter::repeat(source);
                source.zip(marks).map(|(source, at)| Mark { source, at })
            });
        folded.collect()
    }
}

impl Last {
    /// Has another piece follow where that is due, the inbox being whole so far. How far it is then, behind the marks that this
    /// begins with.
    ///
    /// # Errors
    /// It cannot be written. What was put is there all the same, but nothing more may be.
    pub fn follow(&mut self, growing: &Growing, at: Whole) -> io::Result<Option<Whole>> {
        if at.length < self.due {
            return Ok(None);
        }
        let path = inbox_path(&self.folder);
        let mut marks = Vec::new();
        let bytes = growing.bytes(self.before.bytes);
        let begins = Whole::up_to(self.before);
        scan(io::BufReader::new(bytes), begins, |mark| marks.push(mark))?;
        let (mut head, mut begins) = (written_head(at)?, Vec::new());
        let marks = self.keeps.folded(marks);
        let longer = marks.len() as u64;
        for mark in marks {
            begins.extend(mark_line(mark, 0)?);
        }
        let new = self.folder.join(NEW);
        self.disk.remove(&new)?;
        let mut file = self.disk.open(&new, Open::Append)?;
        let piece = Piece {
            path: path.clone(),
            before: at.reach(),
            head: head.len() as u64,
        };
        let (disk, sealed) = (
            &self.disk,
            sealed_inbox_path(&self.folder, self.before.bytes),
        );
        head.extend(&begins);
        file.write_all(&head)?;
        file.sync()?;
        growing.follow(sealed.clone(), piece, || {
            disk.rename(&path, &sealed)?;
            // Else a power failure could leave the new one in place of the old one, which had no other name.
            disk.sync_folder(&self.folder)?;
            disk.rename(&new, &path)?;
            disk.sync_folder(&self.folder)
        })?;
        (self.file, self.before) = (file, at.reach());
        self.due = self.keeps.due(at.length, begins.len() as u64);
        Ok(Some(Whole {
            length: at.length + begins.len() as u64,
            lines: at.lines + longer,
            ..at
        }))
    }
}

/// The name of a piece that is being written.
const NEW: &str = ".hearth.inbox.new";

fn written_head(begins: Whole) -> io::Result<Vec<u8>> {
    let head = Head {
        mark: Begins { begins },
    };
    let mut line = serde_json::to_vec(&head)?;
    line.push(b'\n');
    Ok(line)
}

/// What a file says came before it, and how long that is; nothing, where it says nothing.
fn head(file: &mut (impl Read + Seek)) -> io::Result<Option<(Whole, u64)>> {
    file.seek(SeekFrom::Start(0))?;
    let mut line = Vec::new();
    let mut reader = io::BufReader::new(file.by_ref().take(LONGEST_LINE as u64));
    let read = io::BufRead::read_until(&mut reader, b'\n', &mut line)?;
    let head = serde_json::from_slice::<Head>(&line).ok();
    let begins = head.map(|head| head.mark.begins);
    // Of what claims more than any disk holds nothing is ours.
    let ours = |begins: &Whole| {
        let most = begins.length.max(begins.lines).max(begins.lines_end);
        most <= MOST && line.ends_with(b"\n")
    };
    Ok(begins.filter(ours).map(|begins| (begins, read as u64)))
}

/// How much of its inbox came before what a file holds, where it is a piece of one.
///
/// # Errors
/// It cannot be read.
pub fn comes_before(file: &Path) -> io::Result<Reach> {
    let head = head(&mut std::fs::File::open(file)?)?;
    Ok(head.unwrap_or_default().0.reach())
}

/// The pieces that another one follows, the oldest first.
fn sealed(disk: &Disk, folder: &Path) -> io::Result<Vec<Piece>> {
    let (mut pieces, last) = (Vec::new(), inbox_path(folder));
    for path in disk.list(folder)? {
        if path == last || !is_inbox(&path) {
            continue;
        }
        let (begins, head) = head(&mut disk.open(&path, Open::Read)?)?.unwrap_or_default();
        let before = begins.reach();
        pieces.push(Piece { path, before, head });
    }
    pieces.sort_by_key(|piece| piece.before.bytes);
    Ok(pieces)
}

/// Refuses a piece behind which something is missing.
fn ends_before(disk: &Disk, piece: &Piece, next: Reach) -> io::Result<()> {
    let length = disk.open(&piece.path, Open::Read)?.length()?;
    let ends = piece.before.bytes + length - piece.head.min(length);
    if ends == next.bytes {
        return Ok(());
    }
    Err(io::Error::other(format!(
        "{} ends at byte {ends} of the inbox, and what follows it begins at byte {}: a file between them is missing, or is not what \
         it was; without the files up to there the run goes on with what is behind",
        piece.path.display(),
        next.bytes
    )))
}

/// Calls `put` with each mark whose lines are all there, of an inbox of which so much came before. How far it is whole.
pub(super) fn scan(
    mut reader: impl io::BufRead,
    mut whole: Whole,
    mut put: impl FnMut(Mark),
) -> io::Result<Whole> {
    let mut line = Vec::new();
    // A mark whose lines are not all read: what is whole before it, and where its lines begin and end.
    let mut open: Option<(Mark, Whole, Range<u64>)> = None;
    loop {
        line.clear();
        let read = reader.read_until(b'\n', &mut line)?;
        if line.last() != Some(&b'\n') {
            break;
        }
        let before = whole;
        whole.length += read as u64;
        whole.lines += 1;
        let mark = line
            .starts_with(MARK)
            .then(|| serde_json::from_slice(&line));
        if let Some(Ok(MarkLine { mark, bytes })) = mark {
            // The lines that another one stands among are not whole, so that mark does not count; should this one's be missing too,
            // both go.
            let before = open.take().map_or(before, |(_, before, _)| before);
            let lines = whole.length..whole.length.saturating_add(bytes);
            open = Some((mark, before, lines));
        } else if open.is_none() {
            whole.lines_end = whole.length;
        }
        if let Some((mark, _, lines)) = open.take_if(|(_, _, lines)| whole.length >= lines.end) {
            put(mark);
            if !lines.is_empty() {
                whole.lines_end = whole.length;
            }
        }
    }
    Ok(open.map_or(whole, |(_, before, _)| before))
}
