//! Transition counts and hints against their twins.

use crate::log::{Log, epochs, truth};
use crate::run::{Outputs, at, consolidated};
use hearth_operators::reference;
use hearth_operators::transitions::Transition;
use hearth_operators::words::Epoch;
use proptest::prelude::*;

/// After each epoch the graph is what one counts in the segments.
pub fn counts_are_those_of_the_twin(log: &Log, outputs: &Outputs) -> Result<(), TestCaseError> {
    prop_assert!(consolidated(&outputs.transitions));
    for epoch in 0..epochs(log) {
        let mut expected = Vec::new();
        for (home, truth) in truth(log, epoch) {
            for ((from, to), count) in reference::transitions(&truth.segments) {
                expected.push((Transition { home, from, to }, count));
            }
        }
        prop_assert_eq!(
            at(&outputs.transitions, epoch as Epoch),
            expected,
            "after epoch {}",
            epoch
        );
    }
    Ok(())
}

/// The hints of an ended regime are the most frequent successors in its segments.
pub fn hints_are_those_of_the_twin(outputs: &Outputs) -> Result<(), TestCaseError> {
    prop_assert_eq!(outputs.hints.len(), outputs.ended.len());
    for (epoch, key, hints) in &outputs.hints {
        let segments: Vec<_> = at(&outputs.regimes, *epoch)
            .into_iter()
            .filter(|((of, _), _)| of == key)
            .map(|((_, segment), _)| segment.moments.clone())
            .collect();
        let expected = reference::hints(&reference::transitions(&segments), 3);
        prop_assert_eq!(&**hints, &expected);
    }
    Ok(())
}
