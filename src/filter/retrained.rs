//! The paper's stage 2: does the held-out loss rise if an outlier is learnt too?
//!
//! One sequence among many hardly moves that loss, and not by how absurd it is. See `held_out` for what Hearth asks instead.

use std::collections::BTreeMap;

use hearth_operators::words::Sequence;

use super::losses::{Evidence, Start};
use crate::models::{ModelError, WINDOW, fit, mean, windows};
use crate::trainer::{Purpose, losses, split};

/// Retrains once without and once with each outlier, which is all that the two runs differ in.
pub(super) fn judge(
    start: &Start,
    inliers: Vec<&Sequence>,
    outliers: &mut BTreeMap<&Sequence, Evidence>,
) -> Result<(), ModelError> {
    let settings = start.settings;
    let parts = split(inliers, settings.seed_for(Purpose::Split));
    let train = windows(parts.train.iter().copied(), WINDOW);
    let seed = settings.seed_for(Purpose::Trial);
    let retrained = |guest: Option<&Sequence>| {
        let model = start.model()?;
        let guest = windows(guest, WINDOW);
        fit(&model, &train, &guest, &settings.preset.filter_plan(), seed)?;
        Ok::<f32, ModelError>(mean(&losses(&model, &parts.held, WINDOW)?))
    };
    let baseline = retrained(None)?;
    for (outlier, evidence) in outliers {
        *evidence = Evidence {
            baseline,
            trial: retrained(Some(outlier))?,
        };
    }
    Ok(())
}
