//! A file of lines, rewritten: another beside it takes its name once it is whole.

use std::io::{self, BufWriter, Write};
use std::path::Path;

use anyhow::Context;
use tempfile::NamedTempFile;
use zstd::stream::write::Encoder;

use crate::outputs::read;

/// Keeps of each line what `take` hands on; how many lines fewer there are than before. A file of which nothing changes stays as it is.
///
/// # Errors
/// The file cannot be read, its folder takes no other, or `take` refuses a line.
pub fn rewrite(
    path: &Path,
    mut take: impl FnMut(Option<&str>, &mut dyn FnMut(&str)) -> anyhow::Result<()>,
) -> anyhow::Result<u64> {
    let folder = path.parent().unwrap_or(Path::new("."));
    let writing = || format!("cannot write beside {}", path.display());
    let file = NamedTempFile::new_in(folder).with_context(writing)?;
    let packed = path.extension().is_some_and(|it| it == "zst");
    let mut out = Out::new(file, packed).with_context(writing)?;
    let (mut before, mut after) = (0_u64, 0_u64);
    let mut written = Ok(());
    let mut changed = false;
    let mut one = |text: Option<&str>| {
        let mut kept = false;
        let taken = take(text, &mut |line| {
            kept |= text == Some(line);
            changed |= text != Some(line);
            after += 1;
            if written.is_ok() {
                written = out
                    .write_all(line.as_bytes())
                    .and_then(|()| out.write_all(b"\n"));
            }
        });
        before += u64::from(text.is_some());
        changed |= text.is_some() && !kept;
        taken
    };
    read::each_line(path, |text| one(Some(text)))?;
    // What is to stand behind the last line.
    one(None)?;
    written.with_context(writing)?;
    if changed {
        let file = out.finish().with_context(writing)?;
        file.as_file().sync_all().with_context(writing)?;
        if let Ok(known) = std::fs::metadata(path) {
            file.as_file()
                .set_permissions(known.permissions())
                .with_context(writing)?;
        }
        file.persist(path).with_context(writing)?;
    }
    Ok(before.saturating_sub(after))
}

/// The other file, packed as the one before was.
enum Out {
    Plain(BufWriter<NamedTempFile>),
    Packed(Encoder<'static, BufWriter<NamedTempFile>>),
}

impl Out {
    fn new(file: NamedTempFile, packed: bool) -> io::Result<Self> {
        let file = BufWriter::with_capacity(1 << 18, file);
        match packed {
            true => Ok(Out::Packed(Encoder::new(file, 1)?)),
            false => Ok(Out::Plain(file)),
        }
    }

    fn finish(self) -> io::Result<NamedTempFile> {
        let file = match self {
            Out::Plain(file) => file,
            Out::Packed(file) => file.finish()?,
        };
        file.into_inner().map_err(io::IntoInnerError::into_error)
    }
}

impl Write for Out {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Out::Plain(file) => file.write(bytes),
            Out::Packed(file) => file.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Out::Plain(file) => file.flush(),
            Out::Packed(file) => file.flush(),
        }
    }
}
