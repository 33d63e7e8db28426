//! What experts say of one behaviour: by action and expert.

use super::expert::{EXPERTS, Expert};
use super::numbers::ln_1p;
use crate::words::ActionId;

/// A number by expert.
pub(super) type ByExpert = [f32; EXPERTS];

/// What experts say of one behaviour. Only actions that one of them counted are spoken of: of all others all say the same.
#[derive(Debug)]
pub(super) struct Said {
    /// By action: where it stands below.
    slots: Vec<u16>,
    /// The actions that are spoken of, as they came up.
    actions: Vec<ActionId>,
    /// How often each came, by expert; then what is said of it.
    of: Vec<ByExpert>,
    /// How often anything came.
    totals: ByExpert,
    /// How many different actions came.
    different: ByExpert,
}

/// An action that nobody speaks of.
const NO_SLOT: u16 = u16::MAX;

impl Said {
    /// Nothing yet, for a home with so many actions.
    pub fn new(actions: usize) -> Self {
        Said {
            slots: vec![NO_SLOT; actions],
            actions: Vec::new(),
            of: Vec::new(),
            totals: [0.0; EXPERTS],
            different: [0.0; EXPERTS],
        }
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        for action in self.actions.drain(..) {
            self.slots[usize::from(action.0)] = NO_SLOT;
        }
        self.of.clear();
        self.totals = [0.0; EXPERTS];
        self.different = [0.0; EXPERTS];
    }

    /// An expert counts an action.
    #[inline(always)]
    pub fn add(&mut self, expert: Expert, action: ActionId, n: f32) {
        let slot = &mut self.slots[usize::from(action.0)];
        if *slot == NO_SLOT {
            *slot = self.actions.len() as u16;
            self.actions.push(action);
            self.of.push([0.0; EXPERTS]);
        }
        let count = &mut self.of[usize::from(*slot)][expert as usize];
        if *count == 0.0 {
            self.different[expert as usize] += 1.0;
        }
        *count += n;
        self.totals[expert as usize] += n;
    }

    /// Turns counts n into what is said of an action: ln((n + k/V) / (k/V)), with V actions, of which k came: how much likelier
    /// it is than one that never came, by p = (n + k/V) / (N + k). `devices` says it by itself.
    pub fn conclude(&mut self, mut devices: impl FnMut(ActionId) -> f32) {
        let actions = self.slots.len() as f32;
        let each = self.different.map(|k| actions / k.max(1.0));
        for (of, action) in self.of.iter_mut().zip(&self.actions) {
            for (said, each) in of.iter_mut().zip(each) {
                *said = ln_1p(*said * each);
            }
            of[Expert::Device as usize] = devices(*action);
        }
        self.totals[Expert::Device as usize] = 1.0;
    }

    /// The actions that are spoken of, in no order that means anything.
    pub fn actions(&self) -> &[ActionId] {
        &self.actions
    }

    /// What is said, by action (as in [`Said::actions`]) and expert.
    pub fn of(&self) -> &[ByExpert] {
        &self.of
    }

    /// How often anything came, by expert.
    pub fn totals(&self) -> &ByExpert {
        &self.totals
    }

    /// How many actions nobody speaks of.
    pub fn silent(&self) -> usize {
        self.slots.len() - self.actions.len()
    }

    /// Where an action stands, if anybody speaks of it.
    pub fn slot(&self, action: ActionId) -> Option<usize> {
        let slot = self.slots[usize::from(action.0)];
        (slot != NO_SLOT).then_some(usize::from(slot))
    }
}
