//! Homes files of bytes that nobody meant.

use std::fs;

use super::file::read;
use crate::fuzz::{fuzz, reasons};
use crate::home_names::HomeNames;

#[test]
fn homes_file() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("c.json"), r#"{"devices":[]}"#).unwrap();
    let file = folder.path().join("homes.jsonl");
    let seed = r#"{"home":"a","timezone":"Europe/Berlin","cohort":"x","catalog":"c.json"}

{"home":"b"}
{"home":"c","cohort":"y"}
"#;
    let words = [
        "\"home\":",
        "\"catalog\":\".\"",
        "UTC",
        "Etc/GMT+1",
        "c.json",
    ];
    fuzz(&[seed.as_bytes()], &words, |bytes| {
        fs::write(&file, bytes).unwrap();
        match read(&file, &HomeNames::default()) {
            Ok(read) => {
                let text = std::str::from_utf8(bytes).unwrap();
                let lines = text.lines().filter(|line| !line.trim().is_empty());
                assert_eq!(read.homes.len(), lines.count());
                let most = read.homes.iter().map(|home| home.cohort.0).max();
                assert_eq!(most.unwrap_or(0) as usize, read.cohorts.len());
                String::new()
            }
            Err(error) => {
                let error = error.to_string();
                assert!(error.contains("homes.jsonl"), "{error}");
                reasons([error.as_str()])
            }
        }
    });
}
