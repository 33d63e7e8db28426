//! Checkpoints of which bytes were flipped, cut off or exchanged: they are refused by name or the cut before is used, and what
//! comes of them is never something else.

use std::path::PathBuf;

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::outputs::{differ, outputs, state};
use super::{Point, Trial, number};
use crate::disk::simulated::{Loss, Simulated};

/// Does harm to the checkpoints on a disk, as the seed has it.
fn harm(disk: &Simulated, seed: u64) -> String {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let files = disk.files(&state());
    let (path, bytes) = &files[random.random_range(0..files.len())];
    let mut bytes = bytes.clone();
    let at = random.random_range(0..bytes.len().max(1));
    let how = match random.random_range(0..4) {
        _ if bytes.is_empty() => "nothing".to_owned(),
        0 => {
            bytes[at] ^= 1 << random.random_range(0..8);
            format!("flipped at {at}")
        }
        1 => {
            bytes.truncate(at);
            format!("cut at {at}")
        }
        2 => {
            let other = random.random_range(0..bytes.len());
            bytes.swap(at, other);
            format!("{at} and {other} exchanged")
        }
        _ => {
            let (other, content) = &files[random.random_range(0..files.len())];
            bytes.clone_from(content);
            format!("exchanged with {}", other.display())
        }
    };
    disk.put(path, bytes);
    format!("{}: {how}", path.display())
}

/// `HEARTH_MUTATIONS=10000` for that many, `HEARTH_SEED=500` for those behind others.
#[test]
fn harmed_checkpoints_are_refused_or_passed_over() {
    let trial = Trial::new(0, false);
    let run = trial.record(2);
    // Where the most is kept: before the run removes it all.
    let kept = |operations: usize| {
        let image = run.journal.image(operations, Loss::None);
        image.files(&state()).len()
    };
    let points = (0..run.journal.operations()).step_by(7);
    let most = points.max_by_key(|operations| kept(*operations)).unwrap();
    assert!(kept(most) > 4, "{} files", kept(most));
    let mut failures = Vec::new();
    let (mut refused, mut gone_on) = (0, 0);
    let first = number("HEARTH_SEED", 0);
    for seed in (first..first + number("HEARTH_MUTATIONS", 12)).map(|seed| seed as u64) {
        let point = Point::of(seed as usize, usize::MAX, most);
        let disk = run.journal.image(most, Loss::None).settled();
        let how = harm(&disk, seed);
        let named = |told: &str| {
            let names: Vec<PathBuf> = disk.files(&state()).into_iter().map(|it| it.0).collect();
            names
                .iter()
                .any(|name| told.contains(&*name.to_string_lossy()))
        };
        let ended = match trial.run(&disk, point.workers) {
            Ok(()) => {
                gone_on += 1;
                differ(&trial.expected, &outputs(&disk))
            }
            Err(told) if named(&told) => {
                refused += 1;
                Ok(())
            }
            Err(told) => Err(told),
        };
        if let Err(why) = ended {
            let failure = format!("seed {seed}, {how}: {why}");
            // At once: a long series may be stopped before its end.
            eprintln!("FAILED {failure}");
            failures.push(failure);
        }
    }
    eprintln!("{refused} refused, {gone_on} gone on with");
    assert!(failures.is_empty(), "{}", failures.join("\n"));
    assert!(gone_on > 0);
}
