//! A log that several processes read: together they are given what one is, each line once.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use hearth_operators::words::Catalogs;
use proptest::prelude::*;

use super::{EventLog, Options};
use crate::cluster::Share;
use crate::config::Keys;
use crate::home_names::HomeNames;
use crate::zones::Zones;

/// A line of a log: of an event written in this way or that, of what people say, or of nothing.
fn line() -> impl Strategy<Value = String> {
    let home = 0..6_u32;
    let shape = 0..14_usize;
    (home, shape, 0..24_u32).prop_map(|(home, shape, hour)| {
        let time = format!("2022-08-04T{hour:02}:30:00Z");
        let usual = |device: &str| {
            format!(r#"{{"home":"h-{home}","time":"{time}","device":"{device}","action":"on"}}"#)
        };
        match shape {
            0 => usual("Gramophone"),
            1 => usual("Light").replace("\"h-", "\"\\u0068-"),
            2 => usual("Light").replace("\"home\"", "\"more\":{\"home\":\"h-0\"},\"home\""),
            3 => usual("Light").replace(",\"time\"", ",\"home\":\"h-1\",\"time\""),
            4 => format!(r#"{{"home":"h-{home}","erase":{{}}}}"#),
            5 => format!(r#"{{"home":"h-{home}","alarm":"{time}","fine":true}}"#),
            6 => format!(r#"{{"home":"h-{home}","alarm":"never","fine":true}}"#),
            7 => usual("Light").replace("30:00Z", "99:00Z"),
            8 => "nothing of the kind".to_owned(),
            9 => usual("Light")
                .replace("h-", "Caf\u{e9} ")
                .replace('\u{e9}', "e\u{301}"),
            _ => usual("Light"),
        }
    })
}

/// What a process is given: behaviours, rejected lines, sayings and their homes' names; and how many lines it read.
fn given(log: &Path, share: Share, n: usize) -> (Vec<String>, Vec<usize>, Vec<String>) {
    let catalog = r#"{"devices":[{"name":"Light","actions":[{"name":"on"}]}]}"#;
    let homes = HomeNames::default();
    let options = Options {
        catalogs: Catalogs::shared(Arc::new(serde_json::from_str(catalog).unwrap())),
        homes: homes.clone(),
        zones: Zones::new(None),
        keys: Keys::default(),
    };
    let mut log = EventLog::open(&[log.to_owned()], options)
        .unwrap()
        .shared(share);
    let (mut lines, mut counts) = (Vec::new(), Vec::new());
    loop {
        let (mut behaviors, mut rejected) = (Vec::new(), Vec::new());
        let read = log.read(n, &mut behaviors, &mut rejected).unwrap();
        counts.push(read);
        lines.extend(behaviors.iter().map(|behavior| format!("{behavior:?}")));
        lines.extend(rejected.iter().map(|rejected| format!("{rejected:?}")));
        // The first process tells all; the others keep only where it is.
        let told = log.told();
        if share.is_first() {
            lines.extend(told.notices.iter().map(|notice| format!("{notice:?}")));
            lines.extend(told.refused.iter().map(|refused| format!("{refused:?}")));
        }
        if read == 0 {
            lines.sort();
            return (lines, counts, homes.behind(0));
        }
    }
}

fn holds(log: &Path, processes: usize, n: usize) -> Result<(), TestCaseError> {
    let (whole, counts, homes) = given(log, Share::whole(1), n);
    let mut all = Vec::new();
    for process in 0..processes {
        let (lines, own, names) = given(log, Share::of(process, processes, 2), n);
        prop_assert_eq!(&own, &counts);
        prop_assert_eq!(&names, &homes);
        all.extend(lines);
    }
    all.sort();
    prop_assert_eq!(all, whole);
    Ok(())
}

fn write(folder: &Path, name: &str, text: &str) -> PathBuf {
    let path = folder.join(name);
    std::fs::write(&path, text).unwrap();
    path
}

proptest! {
    #[test]
    fn every_line_is_given_to_one_process(
        lines in proptest::collection::vec(line(), 0..40),
        processes in 1..5_usize,
        n in 1..50_usize,
    ) {
        let folder = tempfile::tempdir().unwrap();
        let log = write(folder.path(), "a.jsonl", &lines.join("\n"));
        holds(&log, processes, n)?;
    }

    #[test]
    fn every_record_is_given_to_one_process(
        records in proptest::collection::vec((0..6_u32, 0..5_usize), 0..40),
        processes in 1..5_usize,
        n in 1..50_usize,
    ) {
        let folder = tempfile::tempdir().unwrap();
        let mut text = "home,time,device,action\n".to_owned();
        for (home, shape) in records {
            text += &match shape {
                0 => format!("h-{home},2022-08-04T18:30:00Z,Gramophone,on\n"),
                1 => format!("h-{home},never,Light,on\n"),
                2 => format!("h-{home},2022-08-04T18:30:00Z\n"),
                _ => format!("h-{home},2022-08-04T18:30:00Z,Light,on\n"),
            };
        }
        holds(&write(folder.path(), "a.csv", &text), processes, n)?;
    }
}
