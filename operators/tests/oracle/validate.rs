//! Validation: what passes is what was written, and nothing else passes.

use hearth_operators::validate::{MAX_LENGTH, check};
use hearth_operators::words::{ActionId, HOURS, Quadruple, Row, Sequence, WEEKDAYS};
use proptest::prelude::*;

use crate::log::{cases, catalog};

fn row(quadruple: &Quadruple) -> Row {
    let catalog = catalog();
    [
        WEEKDAYS[usize::from(quadruple.weekday)].into(),
        HOURS[usize::from(quadruple.hours)].into(),
        catalog.device_name(quadruple.action).into(),
        catalog.action_name(quadruple.action).into(),
    ]
}

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn a_good_sequence_passes_as_it_is(quadruples in prop::collection::vec((0u8..7, 0u8..8, 0u16..8), 1..40)) {
        let make = |(weekday, hours, action)| Quadruple { weekday, hours, action: ActionId(action) };
        let sequence = Sequence(quadruples.into_iter().map(make).collect());
        let rows: Vec<Row> = sequence.0.iter().map(row).collect();
        prop_assert_eq!(check(&rows, &catalog()), Ok(sequence));
    }

    /// One foreign word, anywhere, and the sequence is out, with the place named.
    #[test]
    fn a_foreign_word_is_refused(
        length in 1usize..10, at in any::<prop::sample::Index>(), column in 0usize..4, word in "\\PC{0,80}",
    ) {
        let quadruple = Quadruple { weekday: 1, hours: 2, action: ActionId(3) };
        let mut rows = vec![row(&quadruple); length];
        let at = at.index(length);
        let good = rows[at][column].clone();
        rows[at][column] = word.clone();
        let outcome = check(&rows, &catalog());
        match outcome {
            // The word may by chance be another good one of its column.
            Ok(sequence) => {
                let read = row(&sequence.0[at]);
                prop_assert_eq!(read[column].trim(), word.trim());
            }
            Err(reason) => {
                prop_assert_ne!(word, good);
                let place = format!("behaviour {}:", at + 1);
                prop_assert!(reason.starts_with(&place), "{}", reason);
            }
        }
    }
}

#[test]
fn empty_and_endless_sequences_are_refused() {
    let quadruple = Quadruple {
        weekday: 0,
        hours: 0,
        action: ActionId(0),
    };
    assert!(check(&[], &catalog()).is_err());
    assert!(check(&vec![row(&quadruple); MAX_LENGTH], &catalog()).is_ok());
    assert!(check(&vec![row(&quadruple); MAX_LENGTH + 1], &catalog()).is_err());
    // An action of another device is none of this one's.
    let mixed = ["Monday", "(0~3)", "Sensor", "dim"].map(String::from);
    assert!(check(&[mixed], &catalog()).is_err());
}
