//! A disk that is full, at any moment: the run ends with a sentence that names a file, and once there is room the same command
//! leaves what an undisturbed run leaves.

use super::household::OUT;
use super::outputs::{differ, outputs};
use super::{Trial, number};
use crate::disk::simulated::Simulated;

/// Runs until something found no room for the so many-th time, and once more with room. Whether it was full at all.
fn filled(trial: &Trial, times: usize, workers: usize) -> Result<bool, String> {
    let disk = Simulated::empty();
    disk.fills_after(times);
    let ended = trial.run(&disk, workers);
    let Some(refused) = disk.refused() else {
        return ended.map(|()| false);
    };
    match ended {
        // What is only of use to a later run need not be there.
        Ok(()) => differ(&trial.expected, &outputs(&disk))
            .map_err(|why| format!("without room for {refused} it was fine, but {why}"))?,
        Err(told) if told.contains(OUT) && told.contains("storage") => {}
        Err(told) => return Err(format!("without room for {refused} it only said: {told}")),
    }
    let disk = disk.settled();
    trial.run(&disk, 1 + workers % 3)?;
    differ(&trial.expected, &outputs(&disk))?;
    Ok(true)
}

/// `HEARTH_FULL=10000`, or more than there are, for each time that a run takes room.
#[test]
fn a_full_disk_ends_a_run_and_spoils_nothing() {
    let trial = Trial::new(0, false);
    let disk = Simulated::empty();
    trial.run(&disk, 1).unwrap();
    let (moments, wanted) = (disk.taken(), number("HEARTH_FULL", 8));
    let wanted = wanted.min(moments);
    let mut failures = Vec::new();
    let mut full = 0;
    for number in 0..wanted {
        // A run that checkpoints more seldom than the one that was counted has fewer.
        let times = number * moments / wanted;
        match filled(&trial, times, 1 + number % 3) {
            Ok(was) => full += usize::from(was),
            Err(why) => {
                let failure = format!("after {times} times: {why}");
                // At once: a long series may be stopped before its end.
                eprintln!("FAILED {failure}");
                failures.push(failure);
            }
        }
    }
    eprintln!("full at {full} of {wanted} moments, of {moments}");
    assert!(failures.is_empty(), "{}", failures.join("\n"));
    assert!(full >= wanted / 2, "{full}");
}
