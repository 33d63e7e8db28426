//! How an operator's state is reached from outside the dataflow, and how a dataflow is suspended.
//!
//! Suspending must not let any operator take an epoch for complete that is not: an answer from outside may be open, and
//! its capability holds the frontier. So it goes in two steps. First every worker *freezes*: what lies behind an
//! outside service closes no epoch any more. When all have, they *release*: capabilities are given up, what is in flight
//! reaches its operator and is buffered there, and the dataflow runs empty. What then lies in the states is all there is.

use std::cell::{Cell, RefCell, RefMut};
use std::rc::Rc;

use timely::dataflow::Scope;
use timely::scheduling::Activator;

use crate::words::Epoch;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Phase {
    #[default]
    Running,
    Frozen,
    Released,
}

/// Whether a worker's dataflow runs, or is being suspended. Clones share it.
#[derive(Clone, Default)]
pub struct Suspension {
    phase: Rc<Cell<Phase>>,
    /// Operators that hold capabilities though nothing arrives.
    holders: Rc<RefCell<Vec<Activator>>>,
}

impl Suspension {
    /// Whether a frontier means what it says: while a dataflow is being suspended it passes epochs that are not complete.
    pub fn is_running(&self) -> bool {
        self.phase.get() == Phase::Running
    }

    /// From now on, no epoch closes behind an outside service, and no question leaves.
    pub fn freeze(&self) {
        self.phase.set(Phase::Frozen);
    }

    /// Once every worker is frozen: all capabilities are to be given up.
    pub fn release(&self) {
        self.phase.set(Phase::Released);
        for holder in self.holders.borrow().iter() {
            holder.activate();
        }
    }
}

/// An operator's state, shared with whoever suspends the dataflow.
pub struct Held<S> {
    state: Rc<RefCell<S>>,
    suspension: Suspension,
}

impl<S> Clone for Held<S> {
    fn clone(&self) -> Self {
        Held {
            state: self.state.clone(),
            suspension: self.suspension.clone(),
        }
    }
}

impl<S: Default> Default for Held<S> {
    fn default() -> Self {
        Held::new(S::default(), &Suspension::default())
    }
}

impl<S> Held<S> {
    /// A state to begin with.
    pub fn new(state: S, suspension: &Suspension) -> Self {
        Held {
            state: Rc::new(RefCell::new(state)),
            suspension: suspension.clone(),
        }
    }

    /// The state; an operator borrows it while it is scheduled.
    pub fn borrow_mut(&self) -> RefMut<'_, S> {
        self.state.borrow_mut()
    }

    /// Takes the state out.
    pub fn take(&self) -> S
    where
        S: Default,
    {
        self.state.take()
    }

    /// Whether epochs may close and questions may leave.
    pub(crate) fn is_running(&self) -> bool {
        self.suspension.is_running()
    }

    /// Whether capabilities are to be given up.
    pub(crate) fn is_released(&self) -> bool {
        self.suspension.phase.get() == Phase::Released
    }

    /// Has the operator at `address` scheduled when capabilities are to be given up.
    pub(crate) fn wake(&self, scope: Scope<'_, Epoch>, address: Rc<[usize]>) {
        let activator = scope.activator_for(address);
        self.suspension.holders.borrow_mut().push(activator);
    }
}
