//! A home's model as it stands, shown to whoever asks while the dataflow runs.

use std::sync::Arc;

use timely::container::CapacityContainerBuilder;
use timely::dataflow::channels::pact::Pipeline;
use timely::dataflow::operators::Capability;
use timely::dataflow::operators::generic::Operator;
use timely::dataflow::{ProbeHandle, StreamVec};

use crate::alarms::{self, Budget, Tails};
use crate::detect::{DetectState, HomeDetector};
use crate::models::{HomeModels, ModelsState};
use crate::state::Held;
use crate::words::{ActionId, Catalogs, Epoch, Query, Shift, Time};

/// What a home's model knows, counted by whoever looks at it.
#[derive(Clone, Debug, PartialEq)]
pub struct Portrait {
    /// How many behaviours were learnt, also those that were dropped since.
    pub behaviors: i64,
    /// When the first segment that its detector counts started.
    pub since: Option<Time>,
    /// When the newest segment that it has learnt ended.
    pub until: Option<Time>,
    /// The shift that began its regime; none where it is the first.
    pub shift: Option<Arc<Shift>>,
    /// How its alarms stand.
    pub alarms: alarms::Standing,
    /// How many a person wants to see.
    pub budget: Budget,
    /// What is kept of what the home did, in its order: action, hour of the day, and whether a segment begins there.
    pub kept: Vec<(ActionId, u16, bool)>,
}

impl Portrait {
    /// Of a home by its models and its cohort's tails.
    pub(crate) fn of(
        detector: &HomeDetector,
        models: &HomeModels,
        tails: &Tails,
        budget: Budget,
    ) -> Self {
        let habits = models.habits();
        Portrait {
            behaviors: habits.learnt_behaviors(),
            since: detector.detector().since(),
            until: models.newest(),
            shift: models.began_by().cloned(),
            alarms: detector.standing(tails, budget),
            budget,
            kept: habits.kept().collect(),
        }
    }
}

/// An answer: none where nothing is known of the home.
pub type Answered = (Query, Option<Arc<Portrait>>);

/// Answers queries.
pub trait Portraits<'s> {
    /// Answers each query for a home that lives on this worker, once its epoch is `closed`, by what detectors and models hold
    /// then: all of its epoch and of those before it, and of later ones what is known by then. Where homes wait for what is
    /// synthesized, a home's model may be behind its detector, and says until when it has learnt.
    ///
    /// Nothing is kept of queries: who asked while the dataflow is suspended asks again. Cost: what is kept of a home, once a
    /// query.
    ///
    /// # Examples
    /// ```
    /// use std::sync::Arc;
    /// use hearth_operators::alarms::Budget;
    /// use hearth_operators::portrait::*;
    /// use hearth_operators::state::Held;
    /// use hearth_operators::words::*;
    /// use timely::dataflow::ProbeHandle;
    /// use timely::dataflow::operators::{Input, capture::{Capture, Extract}, vec::Map};
    ///
    /// let catalogs = Catalogs::shared(Arc::new(Catalog::new(vec![]).unwrap()));
    /// let budget = Budget { alarms: 1, per: 30 * Time::DAY };
    /// let answers = timely::execute_directly(move |worker| {
    ///     let (mut queries, answers) = worker.dataflow(|scope| {
    ///         let (input, queries) = scope.new_input::<Vec<_>>();
    ///         // Of a probe at which nothing comes by all epochs are closed; and these detectors and models have met no home.
    ///         let of = (Held::default(), Held::default());
    ///         let answers = queries.portraits(ProbeHandle::new(), catalogs, budget, of);
    ///         (input, answers.map(|(query, portrait)| (query.number, portrait.is_some())).capture())
    ///     });
    ///     queries.send(Query { home: HomeId(0), number: 7 });
    ///     answers
    /// });
    /// assert_eq!(answers.extract(), [(0, vec![(7, false)])]);
    /// ```
    fn portraits(
        self,
        closed: ProbeHandle<Epoch>,
        catalogs: Arc<Catalogs>,
        budget: Budget,
        of: (Held<DetectState>, Held<ModelsState>),
    ) -> StreamVec<'s, Epoch, Answered>;
}

impl<'s> Portraits<'s> for StreamVec<'s, Epoch, Query> {
    fn portraits(
        self,
        closed: ProbeHandle<Epoch>,
        catalogs: Arc<Catalogs>,
        budget: Budget,
        (detect, models): (Held<DetectState>, Held<ModelsState>),
    ) -> StreamVec<'s, Epoch, Answered> {
        let scope = self.scope();
        let running = detect.clone();
        let portrait = move |query: Query| {
            let (mut detect, mut models) = (detect.borrow_mut(), models.borrow_mut());
            let cohort = catalogs.cohort_of(query.home);
            let portrait = detect.seen(query.home, cohort).map(|(detector, tails)| {
                let blank = HomeModels::default();
                let models = models.seen(query.home).unwrap_or(&blank);
                Arc::new(Portrait::of(detector, models, &tails, budget))
            });
            detect.rest();
            models.rest();
            (query, portrait)
        };
        self.unary::<CapacityContainerBuilder<Vec<_>>, _, _, _>(
            Pipeline,
            "Portraits",
            |_capability, info| {
                let again = scope.activator_for(info.address);
                let mut open: Vec<(Capability<Epoch>, Query)> = Vec::new();
                move |input, output| {
                    input.for_each_stamp(|capability, data| {
                        if let Some(epoch) = capability.least() {
                            let at = capability.delayed(epoch, 0);
                            let came = data.flat_map(std::mem::take);
                            open.extend(came.map(|query| (at.clone(), query)));
                        }
                    });
                    if !running.is_running() {
                        open.clear();
                    }
                    let due = |(at, _): &mut (Capability<Epoch>, _)| !closed.less_equal(at.time());
                    for (at, query) in open.extract_if(.., due) {
                        output.session(&at).give(portrait(query));
                    }
                    // Nobody says when an epoch is closed that is looked at from outside.
                    if !open.is_empty() {
                        again.activate();
                    }
                }
            },
        )
    }
}
