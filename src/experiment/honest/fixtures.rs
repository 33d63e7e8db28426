//! What this protocol's tests are made of.

use std::sync::Arc;

use hearth_operators::words::{ActionId, Catalog, Quadruple, Sequence, Shift, ShiftKind, Time};

use crate::experiment::data::Material;

/// These actions on a Monday, each at an hour of its own.
pub(super) fn sequence(actions: &[u16]) -> Sequence {
    let quadruple = |&action: &u16| Quadruple {
        weekday: 0,
        hours: (action % 8) as u8,
        action: ActionId(action),
    };
    Sequence(actions.iter().map(quadruple).collect())
}

/// What a home did before winter became spring, and does since. Nobody attacks it.
pub(super) fn material(catalog: Catalog, source: Vec<Sequence>, normal: Vec<Sequence>) -> Material {
    Material {
        catalog: Arc::new(catalog),
        shift: Shift {
            home: None,
            time: Time(0),
            offset: 0,
            kind: ShiftKind::Season,
            from: "winter".into(),
            to: "spring".into(),
        },
        source,
        normal,
        attacks: Vec::new(),
        numbering: None,
    }
}
