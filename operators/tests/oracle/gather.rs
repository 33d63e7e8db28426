//! Gathering: each shift's candidates once, whole and in order, whenever its answers and the foundation come.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use hearth_operators::gather::Gather;
use hearth_operators::state::Held;
use hearth_operators::validate::Answered;
use hearth_operators::words::*;
use proptest::prelude::*;
use timely::dataflow::operators::vec::Broadcast;
use timely::dataflow::operators::{Input, Inspect};

use crate::log::{Random, cases, catalogs, shift};
use crate::services::foundation;

/// A shift's answers: for each request, how many candidates.
type Shifts = Vec<Vec<usize>>;

fn answers(shifts: &Shifts) -> Vec<Answered> {
    let mut answers = Vec::new();
    for (home, requests) in (0..).zip(shifts) {
        let regime = Arc::new(Regime {
            shift: shift(Some(home), Time(0)),
            source: Vec::new(),
            target: Vec::new(),
        });
        for (weekday, candidates) in (0..).zip(requests) {
            let of = ShiftKey {
                home: HomeId(home),
                regime: 0,
            };
            let key = RequestKey {
                shift: of,
                weekday,
                part: 0,
            };
            let request = Request {
                key,
                parts: 1,
                requests: requests.len() as u16,
                representatives: Vec::new(),
                hints: Arc::default(),
                regime: regime.clone(),
            };
            let candidate = |position: usize| Candidate {
                request: key,
                position: position as u32,
                sequence: Sequence(vec![Quadruple {
                    weekday,
                    hours: 0,
                    action: ActionId(0),
                }]),
            };
            let candidates = (0..*candidates).map(candidate).collect();
            answers.push(Answered {
                request: Arc::new(request),
                candidates,
            });
        }
    }
    answers
}

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn a_shift_is_gathered_once_whole_and_in_order(
        shifts in prop::collection::vec(prop::collection::vec(0usize..3, 1..5), 0..6),
        seed in any::<u64>(), late_foundation in any::<bool>(), workers in 1usize..=4,
    ) {
        let mut random = Random(seed);
        let mut order = answers(&shifts);
        (1..order.len()).for_each(|i| order.swap(i, random.below(i + 1)));
        let gathered = Arc::new(Mutex::new(Vec::new()));
        let out = gathered.clone();
        let guards = timely::execute(timely::Config::process(workers), move |worker| {
            let first = worker.index() == 0;
            let out = out.clone();
            let (mut answers, mut base) = worker.dataflow::<Epoch, _, _>(|scope| {
                let (answers, stream) = scope.new_input::<Vec<Answered>>();
                let (base_in, base) = scope.new_input::<Vec<Arc<Foundation>>>();
                stream.gather(base.broadcast(), catalogs(), Held::default()).inspect(move |candidates| {
                    out.lock().expect("no test panics").push(candidates.clone());
                });
                (answers, base_in)
            });
            if first {
                if !late_foundation {
                    base.send(foundation(CohortId(0)));
                    base.flush();
                }
                for answer in order.clone() {
                    answers.send(answer);
                    answers.flush();
                    worker.step();
                }
                if late_foundation {
                    base.send(foundation(CohortId(0)));
                }
            }
        });
        for guard in guards.expect("workers start").join() {
            guard.expect("no worker panics");
        }
        let mut expected: BTreeMap<ShiftKey, Vec<Candidate>> = BTreeMap::new();
        for answered in answers(&shifts) {
            expected.entry(answered.request.key.shift).or_default().extend(answered.candidates);
        }
        let gathered = gathered.lock().expect("no test panics");
        prop_assert_eq!(gathered.len(), expected.len());
        for candidates in gathered.iter() {
            prop_assert_eq!(&candidates.candidates, &expected[&candidates.key]);
        }
    }
}
