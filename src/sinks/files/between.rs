//! Lines of a stream's file between two cuts, which nobody writes any more.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use super::appended::Place;
use crate::outputs::{Sealed, Stream};

/// Lines between two places, whatever form the files have now.
///
/// # Errors
/// They cannot be read.
pub(crate) fn between(
    dir: &Path,
    stream: Stream,
    from: &Place,
    to: &Place,
) -> io::Result<Box<dyn BufRead + Send>> {
    let bytes = to.lines().saturating_sub(from.lines());
    loop {
        let sealed = stream.sealed_in(dir)?;
        let opened = behind(dir, stream, &sealed, from, to.lines());
        // What was opened may have been sealed before, and would be taken for what follows it; or nothing was there for a moment.
        if stream.sealed_in(dir)? == sealed {
            return Ok(Box::new(opened?.take(bytes)));
        }
    }
}

/// Lines from a place on, as far as to the end of the file in which so many bytes of lines are, where these files are sealed.
fn behind(
    dir: &Path,
    stream: Stream,
    sealed: &[Sealed],
    from: &Place,
    end: u64,
) -> io::Result<Box<dyn BufRead + Send>> {
    let mut lines: Box<dyn BufRead + Send> = Box::new(io::empty());
    let mut at = sealed.first().map_or(0, |first| first.lines.start);
    if at > from.lines() {
        let gone = format!("the bytes before {at} of {} are gone", stream.name());
        return Err(io::Error::new(io::ErrorKind::NotFound, gone));
    }
    for file in sealed {
        at = file.lines.end;
        if file.lines.start < end && at > from.lines() {
            let found = if file.packed {
                Found::Packed(file.path.clone())
            } else {
                Found::Plain(File::open(&file.path)?)
            };
            lines = Box::new(lines.chain(found.lines(file.lines.start, from)?));
        }
    }
    if at < end {
        let found = match File::open(stream.path(dir)) {
            Ok(plain) => Found::Plain(plain),
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            Err(_) => Found::Packed(stream.packed_path(dir)),
        };
        lines = Box::new(lines.chain(found.lines(at, from)?));
    }
    Ok(lines)
}

/// A file of a stream.
enum Found {
    Plain(File),
    Packed(PathBuf),
}

impl Found {
    /// Its lines from a place on, or all, if that lies before; so many bytes of lines come before it.
    fn lines(self, before: u64, from: &Place) -> io::Result<Box<dyn BufRead + Send>> {
        let skipped = from.lines().saturating_sub(before);
        Ok(match (self, from.in_packed()) {
            (Found::Plain(mut plain), _) => {
                plain.seek(SeekFrom::Start(skipped))?;
                Box::new(BufReader::new(plain))
            }
            // A cut ends a frame.
            (Found::Packed(path), Some(place)) if skipped > 0 => Box::new(unpacking(&path, place)?),
            // It was packed since: then the packed one begins with what it held.
            (Found::Packed(path), _) => {
                let mut unpacked = unpacking(&path, 0)?;
                io::copy(&mut unpacked.by_ref().take(skipped), &mut io::sink())?;
                Box::new(unpacked)
            }
        })
    }
}

fn unpacking(path: &Path, place: u64) -> io::Result<impl BufRead + Send + use<>> {
    let mut file = File::open(path)?;
    file.seek(SeekFrom::Start(place))?;
    let unpacked = zstd::stream::read::Decoder::new(file)?;
    Ok(BufReader::new(unpacked))
}

#[cfg(test)]
mod tests {
    use super::super::Form;
    use super::super::appended::{Appended, LARGE};
    use super::super::folder::Folder;
    use super::*;
    use crate::config::{Packing, Roll};
    use crate::disk::Disk;

    /// Lines of about a kilobyte each, with the number of each.
    fn line(n: usize) -> String {
        format!("{n:01000}\n")
    }

    #[test]
    fn lines_between_cuts_are_read_in_whatever_form_the_file_is_by_then() {
        let cuts = [0, 3, 3, 500, 1_400, 1_401];
        let rolls = [None, Some("100000B"), Some("600000B")];
        let rolls = rolls.map(|roll| roll.map(|roll| roll.parse::<Roll>().unwrap()));
        let packings = [Packing::None, Packing::Auto, Packing::Zstd];
        for (packing, roll) in packings.into_iter().flat_map(|p| rolls.map(|r| (p, r))) {
            let dir = tempfile::tempdir().unwrap();
            let folder = Folder::claim(&Disk::real(), dir.path(), []).unwrap();
            let mut file = Appended::create(&folder, Stream::Alarms, Form { packing, roll })
                .map_err(|(_, error)| error)
                .unwrap();
            let mut places = Vec::new();
            for (from, to) in std::iter::once(&0).chain(&cuts).zip(&cuts) {
                for n in *from..*to {
                    file.append(line(n).as_bytes()).unwrap();
                }
                places.push(file.cut().unwrap().0);
            }
            assert!(
                places[5].lines() > LARGE,
                "one of them is packed on the way"
            );
            let sealed = Stream::Alarms.sealed_in(dir.path()).unwrap();
            assert_eq!(
                sealed.len(),
                [0, 2, 1][rolls.iter().position(|r| *r == roll).unwrap()]
            );
            file.append(b"behind the last cut\n").unwrap();
            file.flush().unwrap();
            for from in 0..cuts.len() {
                for to in from..cuts.len() {
                    let mut read = String::new();
                    let (first, last) = (&places[from], &places[to]);
                    let mut lines = between(dir.path(), Stream::Alarms, first, last).unwrap();
                    lines.read_to_string(&mut read).unwrap();
                    let expected: String = (cuts[from]..cuts[to]).map(line).collect();
                    assert!(read == expected, "{packing:?}, {roll:?}: {from} to {to}");
                }
            }
        }
    }
}
