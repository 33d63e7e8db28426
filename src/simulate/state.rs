//! Which devices of a home are open, so that nothing is switched off that is not on.

use hearth_operators::words::ActionId;

use super::devices::{Kind, World};

/// The open devices of a home.
pub(super) struct State<'a> {
    world: &'a World,
    /// By action: whether it opened its device and was not closed since.
    open: Vec<bool>,
}

impl<'a> State<'a> {
    /// Everything closed.
    pub fn new(world: &'a World) -> Self {
        State {
            world,
            open: vec![false; world.catalog.actions()],
        }
    }

    /// Whether the action changes something: opens what is closed, closes or sets what is open.
    pub fn accepts(&self, action: ActionId) -> bool {
        match self.world.kind(action) {
            Kind::Opens => !self.open[usize::from(action.0)],
            Kind::Closes => self.closed_by(action).next().is_some(),
            Kind::Sets => self.is_open(self.world.device(action)),
            Kind::Free => true,
        }
    }

    /// Takes note of an action.
    pub fn apply(&mut self, action: ActionId) {
        if self.world.kind(action) == Kind::Opens {
            self.open[usize::from(action.0)] = true;
        }
        for &closed in self.world.catalog.closes(action) {
            self.open[usize::from(closed.0)] = false;
        }
    }

    /// Whether a device is open in any way.
    pub fn is_open(&self, device: usize) -> bool {
        let actions = self.world.actions(device);
        actions.iter().any(|a| self.open[usize::from(a.0)])
    }

    /// The first action that closes something open on the device.
    pub fn closing(&self, device: usize) -> Option<ActionId> {
        let mut actions = self.world.actions(device).iter().copied();
        actions.find(|&action| self.closed_by(action).next().is_some())
    }

    /// A device is put away, whatever its state.
    pub fn forget(&mut self, device: usize) {
        for action in self.world.actions(device) {
            self.open[usize::from(action.0)] = false;
        }
    }

    fn closed_by(&self, action: ActionId) -> impl Iterator<Item = ActionId> + '_ {
        let closes = self.world.catalog.closes(action);
        closes
            .iter()
            .copied()
            .filter(|a| self.open[usize::from(a.0)])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_open_can_be_closed_or_set() {
        let world = World::new().unwrap();
        let action = |name| world.catalog.lookup("Light", name).unwrap();
        let [on, off, level] = ["switch on", "switch off", "setLevel"].map(action);
        let mut state = State::new(&world);
        assert!(state.accepts(on) && !state.accepts(off) && !state.accepts(level));
        state.apply(on);
        assert!(!state.accepts(on) && state.accepts(off) && state.accepts(level));
        assert_eq!(state.closing(world.device(on)), Some(off));
        state.apply(off);
        assert_eq!(state.closing(world.device(on)), None);
    }
}
