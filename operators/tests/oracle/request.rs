//! Requests against what an ended regime must ask for.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::run::{Outputs, at};
use hearth_operators::request::MAX_REPRESENTATIVES;
use hearth_operators::words::{Epoch, Request, RequestKey, Sequence};
use proptest::prelude::*;

/// Each ended regime asks once per weekday of its representatives, with its hints, at the epoch of its end.
pub fn an_ended_regime_asks_for_each_weekday(outputs: &Outputs) -> Result<(), TestCaseError> {
    let mut expected: BTreeMap<RequestKey, (Epoch, Vec<Sequence>)> = BTreeMap::new();
    for (epoch, shift, _) in &outputs.ended {
        for ((key, segment), _) in at(&outputs.representatives, *epoch) {
            if key == *shift {
                let key = RequestKey {
                    shift: *shift,
                    weekday: segment.weekday(),
                    part: 0,
                };
                expected
                    .entry(key)
                    .or_insert((*epoch, Vec::new()))
                    .1
                    .push(segment.sequence());
            }
        }
    }
    let asked: BTreeMap<_, _> = outputs
        .requests
        .iter()
        .map(|(epoch, request)| (request.key, (*epoch, request.representatives.clone())))
        .collect();
    prop_assert_eq!(asked.len(), outputs.requests.len());
    // These logs never fill a weekday.
    prop_assert!(
        expected
            .values()
            .all(|(_, r)| r.len() <= MAX_REPRESENTATIVES)
    );
    prop_assert_eq!(asked, expected);
    for (_, request) in &outputs.requests {
        let same = |r: &(Epoch, Arc<Request>)| r.1.key.shift == request.key.shift;
        let requests = outputs.requests.iter().filter(|r| same(r)).count();
        prop_assert_eq!(usize::from(request.requests), requests);
        let hints = outputs
            .hints
            .iter()
            .find(|(_, key, _)| *key == request.key.shift);
        prop_assert_eq!(
            &request.hints,
            &hints.expect("hints of each ended regime").2
        );
    }
    Ok(())
}
