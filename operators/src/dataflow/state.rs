//! What the operators of a worker hold: taken out when the dataflow is suspended, dealt to any number of workers, put back.

use std::cell::Cell;
use std::ops::Range;
use std::sync::Arc;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::compress::CompressState;
use crate::detect::{AlertState, DetectState, QuietState};
use crate::drift::DriftState;
use crate::embed::EmbedState;
use crate::gather::GatherState;
use crate::models::{ModelsState, ReadingState};
use crate::outside::Questions;
use crate::request::RequestState;
use crate::score::ScoreState;
use crate::shift::ShiftState;
use crate::split::SplitState;
use crate::state::{Held, HomeState, Homes, Past, Plain, Stateful, Suspension, Visit};
use crate::warm_up::{WarmUpState, WarmedUp};
use crate::words::{Candidates, Filtered, Request};

/// Lists the operators that hold something, once: name and type of what each holds.
macro_rules! operators {
    ($($name:ident: $state:ty, $what:literal;)*) => {
        /// What all operators of a worker hold: plain data.
        #[derive(Default, Serialize, Deserialize)]
        pub struct State {
            $(#[doc = $what] pub $name: $state,)*
        }

        impl State {
            /// Deals the states of some workers to `workers` others: homes go to where they live then.
            pub fn deal(states: Vec<State>, workers: usize) -> Vec<State> {
                let mut dealt: Vec<State> = Vec::new();
                dealt.resize_with(workers.max(1), State::default);
                for state in states {
                    $(
                        let mut to: Vec<_> = dealt.iter_mut().map(|s| &mut s.$name).collect();
                        state.$name.deal(&mut to);
                    )*
                }
                dealt
            }

            /// Shows what each operator holds, with the operator's name.
            pub fn visit(&mut self, visitor: &mut impl Visit) {
                $(self.$name.visit(stringify!($name), visitor);)*
            }
        }

        /// Where a worker's operators keep their states while the dataflow runs.
        #[derive(Default)]
        pub struct Holds {
            suspension: Suspension,
            /// Nothing of a cut is left to be written.
            is_written: Cell<bool>,
            $(pub(super) $name: Held<$state>,)*
        }

        impl Holds {
            /// States to go on with; blank ones to begin.
            pub fn new(state: State) -> Self {
                let suspension = Suspension::default();
                Holds {
                    $($name: Held::new(state.$name, &suspension),)*
                    suspension,
                    is_written: Cell::new(false),
                }
            }

            /// Goes on with writing a cut while `goes_on`. Whether all of it is written.
            pub fn write(&self, goes_on: &mut impl FnMut() -> bool) -> bool {
                if self.is_written.get() {
                    return true;
                }
                let mut writing = Writing { goes_on, all: true };
                $(self.$name.borrow_mut().visit(stringify!($name), &mut writing);)*
                self.is_written.set(writing.all);
                writing.all
            }

            /// Whether nothing of a cut is left to be written, as far as [`Holds::write`] has found.
            pub fn is_written(&self) -> bool {
                self.is_written.get()
            }

            /// Takes the states out, once the dataflow has run empty.
            pub fn take(&self) -> State {
                State {
                    $($name: self.$name.take(),)*
                }
            }
        }
    };
}

operators! {
    split: SplitState, "Retained behaviours and the shifts that are waited for.";
    shift: ShiftState, "Shifts.";
    past: Past, "The segments of homes.";
    warm_up: WarmUpState, "The warm-up's sequences so far.";
    foundation: Questions<Arc<WarmedUp>>, "Warm-ups that are being learnt.";
    embed: EmbedState, "Epochs that are not embedded, and the encoder.";
    compress: CompressState, "Segments by bucket, with their embeddings.";
    request: RequestState, "Regimes whose end is not complete.";
    synthesize: Questions<Arc<Request>>, "Requests without an answer.";
    gather: GatherState, "Shifts with some of their answers.";
    filter: Questions<Candidates>, "Candidates that are being judged.";
    train: Questions<Filtered>, "Shifts that are being learnt.";
    detect: DetectState, "Detectors of homes, and what their cohorts know together.";
    alerts: AlertState, "Alarms of segments that are open.";
    quiet: QuietState, "When homes are not to be called.";
    drift: DriftState, "The days of homes.";
    models: ModelsState, "Models of homes, pooled counts, and what waits to be judged.";
    readings: ReadingState, "How far open segments are read.";
    score: ScoreState, "Versions that are live and on trial, and what waits to be scored.";
}

impl State {
    /// Deals what some workers of a process held to its workers: those of all `peers` that are in `own`. Nothing goes to other
    /// processes: what does not belong to a home that lives there is asked, or known, here.
    pub fn deal_among(states: Vec<State>, own: Range<usize>, peers: usize) -> Vec<State> {
        let mut others = State::deal(states, peers);
        let mut own: Vec<State> = others.drain(own).collect();
        for other in others {
            deal(other.foundation, &mut own, |state| &mut state.foundation);
            deal(other.synthesize, &mut own, |state| &mut state.synthesize);
            deal(other.filter, &mut own, |state| &mut state.filter);
            deal(other.train, &mut own, |state| &mut state.train);
        }
        own
    }
}

/// Deals questions out; it does not matter which worker asks.
fn deal<Q>(
    questions: Questions<Q>,
    to: &mut [State],
    of: impl Fn(&mut State) -> &mut Questions<Q>,
) {
    questions.deal(&mut to.iter_mut().map(of).collect::<Vec<_>>());
}

impl Holds {
    /// How to suspend the dataflow.
    pub fn suspension(&self) -> &Suspension {
        &self.suspension
    }
}

/// Goes through what is left of a cut.
struct Writing<'a, F> {
    goes_on: &'a mut F,
    all: bool,
}

impl<F: FnMut() -> bool> Visit for Writing<'_, F> {
    fn rest<S: Plain>(&mut self, _operator: &'static str, _rest: &mut S) {}

    fn homes<H>(&mut self, _operator: &'static str, homes: &mut Homes<H>)
    where
        H: HomeState + Serialize + DeserializeOwned + Send + 'static,
    {
        self.all &= homes.write(self.goes_on);
    }
}
