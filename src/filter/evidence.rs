//! What both stages decide by, whoever measures.

use crate::models::quantile;

/// What stage 2 finds of an outlier.
#[derive(Clone, Copy, Default)]
pub(super) struct Evidence {
    /// What the trial may be at most.
    pub baseline: f32,
    /// What the outlier, or the others beside it, lose: see [`filter`](super::filter).
    pub trial: f32,
}

/// Q3 + 1.5·IQR: what lies above is an outlier (Tukey).
pub(super) fn fence(losses: &[f32]) -> f32 {
    let (q1, q3) = (quantile(losses, 0.25), quantile(losses, 0.75));
    q3 + 1.5 * (q3 - q1)
}
