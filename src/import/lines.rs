//! Files of text that are read line by line.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::Path;

use anyhow::{Context, Result};

/// Hands over each line of a file that holds anything, with its number; what is no UTF-8 is replaced.
///
/// # Errors
/// The file is missing or breaks off, or `take` fails.
pub(super) fn each_line(file: &Path, mut take: impl FnMut(u64, &str) -> Result<()>) -> Result<()> {
    let input = File::open(file).with_context(|| format!("cannot read `{}`", file.display()))?;
    let mut input = BufReader::new(input);
    let mut line = Vec::new();
    for number in 1_u64.. {
        line.clear();
        let read = input.read_until(b'\n', &mut line);
        let broken = || format!("{}:{number}: the file breaks off", file.display());
        if read.with_context(broken)? == 0 {
            break;
        }
        let text = String::from_utf8_lossy(&line);
        if !text.trim().is_empty() {
            take(number, &text)?;
        }
    }
    Ok(())
}
