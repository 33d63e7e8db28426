//! Lines of a stream's file between two cuts, which nobody writes any more.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom};
use std::path::Path;

use super::appended::Place;
use crate::outputs::Stream;

/// Lines between two places, whatever form the file has now.
///
/// # Errors
/// It cannot be read.
pub(crate) fn between(
    dir: &Path,
    stream: Stream,
    from: &Place,
    to: &Place,
) -> io::Result<Box<dyn BufRead + Send>> {
    let bytes = to.lines().saturating_sub(from.lines());
    let reader: Box<dyn BufRead + Send> = match (from.in_packed(), File::open(stream.path(dir))) {
        (None, Ok(mut plain)) => {
            plain.seek(SeekFrom::Start(from.lines()))?;
            Box::new(BufReader::new(plain))
        }
        (None, Err(error)) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        // It was packed since: then the packed one begins with what it held.
        (None, Err(_)) => {
            let mut unpacked = unpacking(&stream.packed_path(dir), 0)?;
            io::copy(&mut unpacked.by_ref().take(from.lines()), &mut io::sink())?;
            Box::new(unpacked)
        }
        // A cut ends a frame.
        (Some(place), _) => Box::new(unpacking(&stream.packed_path(dir), place)?),
    };
    Ok(Box::new(reader.take(bytes)))
}

fn unpacking(path: &Path, place: u64) -> io::Result<impl BufRead + Send + use<>> {
    let mut file = File::open(path)?;
    file.seek(SeekFrom::Start(place))?;
    let unpacked = zstd::stream::read::Decoder::new(file)?;
    Ok(BufReader::new(unpacked))
}

#[cfg(test)]
mod tests {
    use super::super::appended::{Appended, LARGE};
    use super::super::folder::Folder;
    use super::*;
    use crate::config::Packing;
    use crate::disk::Disk;

    /// Lines of about a kilobyte each, with the number of each.
    fn line(n: usize) -> String {
        format!("{n:01000}\n")
    }

    #[test]
    fn lines_between_cuts_are_read_in_whatever_form_the_file_is_by_then() {
        let cuts = [0, 3, 3, 500, 1_400, 1_401];
        for packing in [Packing::None, Packing::Auto, Packing::Zstd] {
            let dir = tempfile::tempdir().unwrap();
            let folder = Folder::claim(&Disk::real(), dir.path(), []).unwrap();
            let mut file = Appended::create(&folder, Stream::Alarms, packing)
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
            file.append(b"behind the last cut\n").unwrap();
            file.flush().unwrap();
            for from in 0..cuts.len() {
                for to in from..cuts.len() {
                    let mut read = String::new();
                    let (first, last) = (&places[from], &places[to]);
                    let mut lines = between(dir.path(), Stream::Alarms, first, last).unwrap();
                    lines.read_to_string(&mut read).unwrap();
                    let expected: String = (cuts[from]..cuts[to]).map(line).collect();
                    assert!(read == expected, "{packing:?}: {from} to {to}");
                }
            }
        }
    }
}
