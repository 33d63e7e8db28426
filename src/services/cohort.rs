//! A home's sequences in its cohort's words, for the models, and what they say in the home's own.

use std::sync::Arc;

use hearth_operators::words::{
    ActionId, Candidates, Catalogs, Filtered, HomeId, Regime, Sequence, Verdict,
};

/// How many predictions a score names.
const PREDICTIONS: usize = 5;

/// Judges a home's candidates in its cohort's words; the verdicts are of the candidates as the home has them.
pub fn judged<E>(
    catalogs: &Catalogs,
    candidates: Candidates,
    judge: impl FnOnce(&Candidates) -> Result<Filtered, E>,
) -> Result<Filtered, E> {
    let home = candidates.key.home;
    if catalogs.speaks_as_cohort(home) {
        return judge(&candidates);
    }
    let mut translated = candidates.clone();
    for candidate in &mut translated.candidates {
        translate(catalogs, home, &mut candidate.sequence);
    }
    let mut filtered = judge(&translated)?;
    for (Verdict { candidate, .. }, own) in filtered.verdicts.iter_mut().zip(candidates.candidates)
    {
        *candidate = own;
    }
    Ok(filtered)
}

/// What a home's models are to learn, in its cohort's words.
pub fn lesson(catalogs: &Catalogs, mut filtered: Filtered) -> Filtered {
    let home = filtered.key.home;
    if catalogs.speaks_as_cohort(home) {
        return filtered;
    }
    for verdict in &mut filtered.verdicts {
        translate(catalogs, home, &mut verdict.candidate.sequence);
    }
    let all = |sequences: &[Sequence]| {
        let translated = sequences.iter().cloned();
        let translated = translated.map(|s| catalogs.sequence_to_cohort(home, s));
        translated.collect()
    };
    filtered.regime = Arc::new(Regime {
        shift: filtered.regime.shift.clone(),
        source: all(&filtered.regime.source),
        target: all(&filtered.regime.target),
    });
    filtered
}

/// The home's most probable actions, of the probabilities of all of its cohort; ties broken by action id.
pub fn best(catalogs: &Catalogs, home: HomeId, probabilities: &[f32]) -> Vec<(ActionId, f32)> {
    let own = catalogs.of(home).action_ids();
    let probability = |own| probabilities[usize::from(catalogs.to_cohort(home, own).0)];
    let mut ranked: Vec<(ActionId, f32)> = own.map(|own| (own, probability(own))).collect();
    ranked.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
    ranked.truncate(PREDICTIONS);
    ranked
}

fn translate(catalogs: &Catalogs, home: HomeId, sequence: &mut Sequence) {
    let own = std::mem::replace(sequence, Sequence(Vec::new()));
    *sequence = catalogs.sequence_to_cohort(home, own);
}
