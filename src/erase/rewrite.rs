//! A file of lines, rewritten: another beside it takes its name once it is whole.

use std::io::{BufWriter, IntoInnerError, Write};
use std::path::Path;

use anyhow::Context;

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
    let file = tempfile::NamedTempFile::new_in(folder).with_context(writing)?;
    let mut out = BufWriter::with_capacity(1 << 18, file);
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
        let file = out.into_inner().map_err(IntoInnerError::into_error);
        let file = file.with_context(writing)?;
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
