//! Folders and files: what is on disk, where streams stand, and what is refused.

use std::path::Path;
use std::time::{Duration, Instant};

use hearth_operators::words::CohortId;

use super::super::Writer;
use super::super::tests::{names, row};
use super::appended::LARGE;
use super::*;
use crate::config::Packing;
use crate::disk::Disk;
use crate::outputs::{ModelOf, read, summary_path};

fn claim(dir: &Path) -> Result<Folder, FolderError> {
    Folder::claim(&Disk::real(), dir, [])
}

fn text(dir: &Path, stream: Stream) -> String {
    std::fs::read_to_string(stream.path(dir)).unwrap()
}

/// Files go back to where a cut left them, whatever was written since, also where that was so much that they are packed now; what
/// was taken from them is missed.
#[test]
fn files_go_back_to_a_cut() {
    let many = (LARGE / 50) as usize;
    for (packing, before, after) in [
        (Packing::Auto, 3, 3),
        (Packing::Auto, 3, many),
        (Packing::Auto, many, 3),
        (Packing::Zstd, 3, 3),
        (Packing::Zstd, 0, 3),
        (Packing::None, 3, many),
    ] {
        let dir = tempfile::tempdir().unwrap();
        let folder = claim(dir.path()).unwrap();
        let all = || {
            let mut lines = Vec::new();
            let line = |line: &str| {
                lines.push(line.to_owned());
                Ok(())
            };
            crate::outputs::read::each(dir.path(), Stream::Transitions, line).unwrap();
            lines
        };
        let write = |files: &mut Files, epoch, rows: usize| {
            files
                .write(epoch, &vec![row(epoch, 1); rows], &names())
                .unwrap();
        };
        let mut files = Files::create(&folder, packing).unwrap();
        write(&mut files, 0, before);
        let (positions, durable) = files.cut().unwrap();
        durable().unwrap();
        write(&mut files, 1, after);
        files.finish().unwrap();
        let undisturbed = all();
        drop(files);
        for _ in 0..2 {
            let mut files = Files::back_to(&folder, packing, &positions).unwrap();
            write(&mut files, 1, after);
            files.finish().unwrap();
            assert_eq!(all(), undisturbed, "{packing:?}: {before}, {after}");
        }
        if before > 0 {
            std::fs::write(Stream::Transitions.found(dir.path()), "cut").unwrap();
            let missed = Files::back_to(&folder, packing, &positions).map(drop);
            let missed = missed.unwrap_err().to_string();
            assert!(missed.contains("transitions.jsonl"), "{missed}");
        }
    }
}

/// Wherever files are sealed and however they are packed: from each cut they go on as if nothing had been written since, and a new run
/// leaves none of them.
#[test]
fn what_is_rolled_goes_back_to_a_cut() {
    let many = (LARGE / 40) as usize;
    let steps = [0, 1, 9, 0, 30, 2, many, 1, 0, 7, 20];
    for packing in [Packing::None, Packing::Auto, Packing::Zstd] {
        let size: Roll = "1000B".parse().unwrap();
        let form = |roll| Form { packing, roll };
        let dir = tempfile::tempdir().unwrap();
        let folder = claim(dir.path()).unwrap();
        let lines = || {
            let mut lines = 0;
            let line = |_: &str| {
                lines += 1;
                Ok(())
            };
            read::each(dir.path(), Stream::Transitions, line).unwrap();
            lines
        };
        let mut files = Files::create(&folder, form(Some(size))).unwrap();
        let (mut cuts, mut written) = (Vec::new(), 0);
        for (epoch, step) in (0..).zip(steps) {
            let rows = vec![row(epoch, 1); step];
            files.write(epoch, &rows, &names()).unwrap();
            written += step;
            let (positions, durable) = files.cut().unwrap();
            durable().unwrap();
            cuts.push((written, positions));
        }
        files.finish().unwrap();
        assert_eq!(lines(), written);
        let sealed = Stream::Transitions.sealed_in(dir.path()).unwrap();
        assert!(sealed.len() >= 3, "{sealed:?}");
        assert!(
            sealed
                .windows(2)
                .all(|two| two[0].lines.end == two[1].lines.start)
        );
        // Also by a run that rolls no more.
        for ((written, positions), roll) in cuts
            .iter()
            .rev()
            .zip([Some(size), None].into_iter().cycle())
        {
            for _ in 0..2 {
                let mut files = Files::back_to(&folder, form(roll), positions).unwrap();
                files.write(99, &vec![row(99, 1); 40], &names()).unwrap();
                drop(files.cut().unwrap());
                files.write(100, &vec![row(100, 1); 5], &names()).unwrap();
                files.finish().unwrap();
                assert_eq!(lines(), written + 45, "{packing:?}, {roll:?}");
            }
        }
        let mut files = Files::create(&folder, packing).unwrap();
        files.finish().unwrap();
        assert_eq!(Stream::Transitions.sealed_in(dir.path()).unwrap(), []);
        assert_eq!(lines(), 0);
    }
}

#[test]
fn a_file_ends_with_its_time() {
    let dir = tempfile::tempdir().unwrap();
    let folder = claim(dir.path()).unwrap();
    let form = Form {
        packing: Packing::None,
        roll: Some("1ms".parse().unwrap()),
    };
    let mut files = Files::create(&folder, form).unwrap();
    for epoch in 0..3 {
        files.write(epoch, &vec![row(epoch, 1)], &names()).unwrap();
        std::thread::sleep(Duration::from_millis(2));
        files.cut().unwrap().1().unwrap();
        // Of one with nothing in it there is no end.
        std::thread::sleep(Duration::from_millis(2));
        files.cut().unwrap().1().unwrap();
    }
    files.finish().unwrap();
    let sealed = Stream::Transitions.sealed_in(dir.path()).unwrap();
    assert_eq!(sealed.len(), 3);
    assert_eq!(text(dir.path(), Stream::Transitions), "");
}

#[test]
fn nothing_of_an_open_epoch_is_on_disk_and_what_is_closed_is_soon() {
    let dir = tempfile::tempdir().unwrap();
    let folder = claim(dir.path()).unwrap();
    let (writer, sender) =
        Writer::start(Files::create(&folder, Packing::Auto).unwrap(), names()).unwrap();
    sender.write(1, vec![row(1, 1); 100_000]);
    sender.write(0, vec![row(0, 1)]);
    sender.close(Stream::Transitions, 0);
    let began = Instant::now();
    while text(dir.path(), Stream::Transitions).is_empty() {
        assert!(began.elapsed() < Duration::from_secs(2), "nothing is seen");
        std::thread::sleep(Duration::from_millis(10));
    }
    let first = text(dir.path(), Stream::Transitions);
    assert_eq!(first.lines().count(), 1);
    drop(sender);
    writer.finish().unwrap();
    assert_eq!(text(dir.path(), Stream::Transitions), first);
}

/// The lines are the same, and positions too, however a file is packed and whenever.
#[test]
fn packed_files_hold_the_same_lines() {
    let written = |packing| {
        let dir = tempfile::tempdir().unwrap();
        let mut files = Files::create(&claim(dir.path()).unwrap(), packing).unwrap();
        for epoch in 0..1000 {
            let rows = vec![row(epoch, 1 + epoch as i64); 500];
            files.write(epoch, &rows, &names()).unwrap();
            if epoch % 100 == 0 {
                files.flush().unwrap();
            }
        }
        files.finish().unwrap();
        let mut lines = Vec::new();
        let take = |line: &str| {
            lines.push(line.to_owned());
            Ok(())
        };
        read::each(dir.path(), Stream::Transitions, take).unwrap();
        read::check(dir.path()).unwrap();
        let plain = Stream::Transitions.path(dir.path()).exists();
        let packed = Stream::Transitions.packed_path(dir.path()).exists();
        assert_ne!(plain, packed);
        assert_eq!(
            Stream::Late.path(dir.path()).exists(),
            packing != Packing::Zstd
        );
        // A later run leaves neither form.
        drop(files);
        Files::create(&claim(dir.path()).unwrap(), Packing::None).unwrap();
        assert!(!Stream::Transitions.packed_path(dir.path()).exists());
        (lines, packed)
    };
    let [auto, none, zstd] = [Packing::Auto, Packing::None, Packing::Zstd].map(written);
    assert_eq!(auto.0.len(), 500_000);
    assert!(auto.0 == none.0 && zstd.0 == none.0);
    assert_eq!([auto.1, none.1, zstd.1], [true, false, true]);
}

#[test]
fn an_earlier_output_is_replaced_a_strangers_folder_is_not() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("thesis.tex"), "x").unwrap();
    let refused = claim(dir.path()).unwrap_err();
    assert!(matches!(refused, FolderError::Occupied(_)), "{refused}");
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);

    let old = Stream::Scores.path(dir.path());
    std::fs::write(summary_path(dir.path()), "{}").unwrap();
    std::fs::write(&old, "old\n").unwrap();
    std::fs::create_dir_all(dir.path().join("models/homes/h")).unwrap();
    let folder = claim(dir.path()).unwrap();
    assert_eq!(text(dir.path(), Stream::Scores), "old\n", "only claimed");
    Files::create(&folder, Packing::Auto).unwrap();
    assert_eq!(text(dir.path(), Stream::Scores), "");
    assert!(!summary_path(dir.path()).exists());
    assert!(!dir.path().join("models").exists());
    assert!(dir.path().join("thesis.tex").exists());
}

#[test]
fn a_missing_folder_is_created_and_a_file_refused() {
    let dir = tempfile::tempdir().unwrap();
    Files::create(&claim(&dir.path().join("a/b")).unwrap(), Packing::Auto).unwrap();
    assert!(Stream::Late.path(&dir.path().join("a/b")).exists());
    let file = dir.path().join("file");
    std::fs::write(&file, "x").unwrap();
    let refused = claim(&file).unwrap_err();
    assert!(matches!(refused, FolderError::Create { .. }), "{refused}");
}

#[test]
fn one_run_at_a_time() {
    let dir = tempfile::tempdir().unwrap();
    let first = claim(dir.path()).unwrap();
    let refused = claim(dir.path()).unwrap_err();
    assert!(matches!(refused, FolderError::InUse(_)), "{refused}");
    drop(first);
    // The lock that is left is nothing that occupies the folder.
    claim(dir.path()).unwrap();
}

#[test]
fn a_folder_in_the_way_is_told_before_anything_is_removed() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(Stream::Late.path(dir.path()), "old\n").unwrap();
    std::fs::create_dir(Stream::Scores.path(dir.path())).unwrap();
    let refused = claim(dir.path()).unwrap_err();
    assert!(matches!(refused, FolderError::InTheWay(_)), "{refused}");
    assert_eq!(text(dir.path(), Stream::Late), "old\n");
}

#[cfg(unix)]
#[test]
fn links_are_removed_and_not_followed() {
    use std::os::unix::fs::symlink;
    let outside = tempfile::tempdir().unwrap();
    let kept = outside.path().join("kept.txt");
    std::fs::write(&kept, "kept").unwrap();
    let dir = tempfile::tempdir().unwrap();
    symlink(&kept, Stream::Segments.path(dir.path())).unwrap();
    symlink(&kept, summary_path(dir.path())).unwrap();
    symlink(outside.path(), dir.path().join("models")).unwrap();
    let folder = claim(dir.path()).unwrap();
    let mut files = Files::create(&folder, Packing::Auto).unwrap();
    let model = Model {
        of: ModelOf::Cohort(CohortId(0)),
        model: "encoder",
        version: 0,
        weights: hearth_operators::words::Weights(vec![1].into()),
    };
    files.save(&model, &names()).unwrap();
    Disk::real()
        .replace(&summary_path(dir.path()), b"{}")
        .unwrap();
    assert_eq!(std::fs::read_to_string(&kept).unwrap(), "kept");
    assert_eq!(std::fs::read_dir(outside.path()).unwrap().count(), 1);
    assert!(
        dir.path()
            .join("models/cohort/encoder-0.safetensors")
            .is_file()
    );

    let dir = tempfile::tempdir().unwrap();
    symlink(&kept, dir.path().join(".hearth.lock")).unwrap();
    let refused = claim(dir.path()).unwrap_err();
    assert!(matches!(refused, FolderError::InTheWay(_)), "{refused}");
}

/// A full disk: senders go on, the error comes out at the end.
#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_is_told() {
    let dir = tempfile::tempdir().unwrap();
    let mut files = Files::create(&claim(dir.path()).unwrap(), Packing::Auto).unwrap();
    let full = std::fs::File::options()
        .write(true)
        .open("/dev/full")
        .unwrap();
    files.files[Stream::Transitions as usize].replace(full.into());
    let (writer, sender) = Writer::start(files, names()).unwrap();
    for epoch in 0..1000 {
        sender.write(epoch, vec![row(epoch, 1); 100]);
        sender.close(Stream::Transitions, epoch);
    }
    drop(sender);
    let error = writer.finish().unwrap_err().to_string();
    assert!(error.contains("transitions.jsonl failed"), "{error}");
}
