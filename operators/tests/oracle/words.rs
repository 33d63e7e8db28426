//! Homes with words of their own: everything is as if they shared theirs.

use std::sync::Arc;

use hearth_operators::words::*;
use proptest::prelude::*;

use crate::log::{Log, cases, catalog, logs};
use crate::run::{Outputs, at, run};

/// The shared catalog in the words of a home: other names, and `home` more actions before all others.
fn own(home: u32) -> Own {
    let more = (0..home).map(|n| Action::new(format!("more {n}")));
    let more = Device {
        kind: Some("Zither".into()),
        ..Device::new(format!("{home} A"), more.collect())
    };
    let devices = catalog()
        .devices()
        .to_vec()
        .into_iter()
        .map(|device| Device {
            kind: Some(device.name.as_str().into()),
            name: format!("{home} {}", device.name),
            actions: (0..)
                .zip(device.actions)
                .map(|(n, action)| Action {
                    // The cohort's actions stand in the order of their meanings.
                    meaning: Some(format!("{n} {}", action.name).into()),
                    ..action
                })
                .collect(),
        });
    let devices = std::iter::once(more).chain(devices).collect();
    Own {
        home: HomeId(home),
        cohort: CohortId(0),
        catalog: Arc::new(Catalog::new(devices).expect("a good catalog")),
    }
}

/// The log as the homes themselves would write it.
fn in_own_words(log: &Log) -> Log {
    let mut log = log.clone();
    let catalogs = Catalogs::new((0..3).map(own).collect(), None);
    log.rules.catalogs = Arc::new(catalogs.expect("few actions"));
    for behavior in log.epochs.iter_mut().flatten() {
        behavior.moment.action.0 += behavior.home.0 as u16;
    }
    log
}

fn in_shared_words(segment: &Segment) -> Segment {
    let mut segment = segment.clone();
    for moment in &mut segment.moments {
        moment.action.0 -= segment.home.0 as u16;
    }
    segment
}

/// Segments, transitions and representatives at the end, in the shared words.
fn ends(
    outputs: &Outputs,
    shared: impl Fn(&Segment) -> Segment,
) -> impl PartialEq + std::fmt::Debug {
    let segments = at(&outputs.segments, Epoch::MAX).into_iter();
    let segments: Vec<_> = segments.map(|(s, n)| (shared(&s), n)).collect();
    let transitions = at(&outputs.transitions, Epoch::MAX);
    let counts: Vec<_> = transitions.iter().map(|(t, n)| (t.home, *n)).collect();
    let kept = at(&outputs.representatives, Epoch::MAX).into_iter();
    let kept: Vec<_> = kept.map(|((key, s), n)| (key, shared(&s), n)).collect();
    (segments, counts, kept, outputs.warm_up.clone())
}

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn homes_with_words_of_their_own_are_as_those_that_share_theirs(log in logs()) {
        let shared = run(&log);
        let own = run(&in_own_words(&log));
        let shared = format!("{:?}", ends(&shared, Segment::clone));
        prop_assert_eq!(shared, format!("{:?}", ends(&own, in_shared_words)));
    }
}
