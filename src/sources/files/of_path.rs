//! What a file's path says of all its events: `home=h-17/date=2025-03-01/part-0.parquet`, as partitioned data sets lie.

use std::path::Path;

use crate::config::{Key, Keys};

/// The fields that a path tells. What stands in the file precedes them.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct OfPath {
    pub home: Option<String>,
    pub device: Option<String>,
    pub action: Option<String>,
}

impl OfPath {
    /// Reads a path. Where each file is a home, its name is the file's without its endings.
    pub fn read(path: &Path, keys: &Keys) -> Self {
        let mut told = OfPath::default();
        if keys.home_is_file() {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            let bare = name.split_once('.').map_or(&*name, |(bare, _)| bare);
            told.home = (!bare.is_empty()).then(|| bare.to_owned());
        }
        let folders = path.parent().into_iter().flat_map(Path::components);
        for folder in folders {
            let folder = folder.as_os_str().to_string_lossy();
            let Some((column, value)) = folder.split_once('=') else {
                continue;
            };
            let place = match keys.find(column) {
                Some(Key::Home) => &mut told.home,
                Some(Key::Device) => &mut told.device,
                Some(Key::Action) => &mut told.action,
                Some(Key::Time | Key::Id | Key::Seq) | None => continue,
            };
            *place = unescaped(value);
        }
        told
    }
}

/// A value as partitions write it: `%2F` for what no folder's name can hold, a name of its own for none.
fn unescaped(value: &str) -> Option<String> {
    if value == "__HIVE_DEFAULT_PARTITION__" {
        return None;
    }
    let mut bytes = Vec::with_capacity(value.len());
    let mut rest = value.as_bytes();
    while let [byte, after @ ..] = rest {
        let escaped = || {
            let digits = std::str::from_utf8(after.get(..2)?).ok()?;
            u8::from_str_radix(digits, 16).ok()
        };
        match (*byte == b'%').then(escaped).flatten() {
            Some(escaped) => {
                bytes.push(escaped);
                rest = &after[2..];
            }
            None => {
                bytes.push(*byte);
                rest = after;
            }
        }
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_and_files_tell_fields() {
        let read = |path: &str, keys: &str| OfPath::read(Path::new(path), &keys.parse().unwrap());
        let told = read("x/home=h%2F1/date=2025-03-01/part-0.parquet", "");
        assert_eq!(told.home.as_deref(), Some("h/1"));
        assert_eq!(told.device, None);
        let told = read("homes/h-17.csv.gz", "home=");
        assert_eq!(told.home.as_deref(), Some("h-17"));
        let told = read("flat=7/home=x/a.csv", "home=flat");
        assert_eq!(told.home.as_deref(), Some("7"));
        assert_eq!(read("home=__HIVE_DEFAULT_PARTITION__/a.csv", "").home, None);
        assert_eq!(read("home=100%/a.csv", "").home.as_deref(), Some("100%"));
    }
}
