//! Validation: what passes is what was written, and nothing else passes.

use std::sync::Arc;

use hearth_operators::validate::{Invalid, MAX_LENGTH, Validate, check};
use hearth_operators::words::{
    ActionId, Candidate, HOURS, Hints, HomeId, Quadruple, Regime, Reply, Request, RequestKey, Row,
    Sequence, Shift, ShiftKey, ShiftKind, Time, WEEKDAYS, Written,
};
use proptest::prelude::*;
use timely::dataflow::operators::ToStream;
use timely::dataflow::operators::capture::{Capture, Extract};

use crate::log::{cases, catalog, catalogs};

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

/// A home whose days are one segment of hundreds of behaviours is adapted, too.
#[test]
fn an_answer_may_be_as_long_as_twice_its_examples() {
    let quadruple = Quadruple {
        weekday: 1,
        hours: 2,
        action: ActionId(3),
    };
    let long = |n| Ok(vec![row(&quadruple); n]);
    let asked = |examples: usize, answer: usize| {
        let representatives = vec![Sequence(vec![quadruple; examples])];
        let request = Request {
            representatives,
            ..request()
        };
        validated(vec![Reply {
            request: Arc::new(request),
            outcome: Ok(vec![long(answer)]),
        }])
    };
    assert_eq!(asked(400, 800).0.len(), 1);
    assert_eq!(asked(400, 801).1.len(), 1);
    assert_eq!(asked(2, MAX_LENGTH).0.len(), 1);
    assert_eq!(asked(2, MAX_LENGTH + 1).1.len(), 1);
}

/// Every sequence of a reply comes out, as a candidate or with its reason, at the place where it was written.
#[test]
fn what_cannot_be_read_flows_with_its_reason() {
    let good = Quadruple {
        weekday: 1,
        hours: 2,
        action: ActionId(3),
    };
    let foreign = vec![["Monday", "(0~3)", "Sensor", "dim"].map(String::from)];
    let outcome = Ok(vec![
        Err("cut short".to_owned()),
        Ok(vec![row(&good)]),
        Ok(foreign.clone()),
    ]);
    let replies = vec![reply(outcome), reply(Err("no answer".to_owned()))];
    let (candidates, invalid) = validated(replies);
    let candidates: Vec<_> = candidates
        .into_iter()
        .map(|c| (c.position, c.sequence))
        .collect();
    assert_eq!(candidates, [(1, Sequence(vec![good]))]);
    let request = request().key;
    assert_eq!(
        invalid,
        [
            Invalid::Reply {
                request,
                reason: "no answer".to_owned()
            },
            Invalid::Sequence {
                request,
                position: 0,
                rows: Vec::new(),
                reason: "cut short".to_owned()
            },
            Invalid::Sequence {
                request,
                position: 2,
                reason: check(&foreign, &catalog()).unwrap_err(),
                rows: foreign,
            },
        ]
    );
}

fn request() -> Request {
    let shift = Shift {
        home: None,
        time: Time(0),
        offset: 0,
        kind: ShiftKind::Season,
        from: "winter".to_owned(),
        to: "spring".to_owned(),
    };
    Request {
        key: RequestKey {
            shift: ShiftKey {
                home: HomeId(0),
                regime: 0,
            },
            weekday: 0,
            part: 0,
        },
        parts: 1,
        requests: 1,
        representatives: Vec::new(),
        hints: Arc::new(Hints::default()),
        regime: Arc::new(Regime {
            shift,
            source: Vec::new(),
            target: Vec::new(),
        }),
    }
}

fn reply(outcome: Result<Vec<Written>, String>) -> Reply {
    Reply {
        request: Arc::new(request()),
        outcome,
    }
}

/// What the operator makes of replies that arrive in one epoch.
fn validated(replies: Vec<Reply>) -> (Vec<Candidate>, Vec<Invalid>) {
    let (answered, invalid) = timely::example(move |scope| {
        let (answered, invalid) = replies.to_stream(scope).validate(catalogs());
        (answered.capture(), invalid.capture())
    });
    let answered = answered.extract().into_iter().flat_map(|(_, data)| data);
    let invalid = invalid.extract().into_iter().flat_map(|(_, data)| data);
    (
        answered.flat_map(|answered| answered.candidates).collect(),
        invalid.collect(),
    )
}
