//! A home's sequences in its cohort's words, for the models, and what they say in the home's own.

use std::sync::Arc;

use hearth_operators::words::{
    ActionId, Candidates, Catalogs, Filtered, HomeId, Regime, Sequence, Verdict,
};

/// How many predictions a score names.
const PREDICTIONS: usize = 5;

/// Judges a home's candidates by its past, in its cohort's words; what comes back is in the home's own.
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
    translated.regime = translated_regime(catalogs, home, &candidates.regime);
    let mut filtered = judge(&translated)?;
    filtered.regime = candidates.regime;
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
    filtered.regime = translated_regime(catalogs, home, &filtered.regime);
    filtered
}

fn translated_regime(catalogs: &Catalogs, home: HomeId, regime: &Regime) -> Arc<Regime> {
    let all = |sequences: &[Sequence]| {
        let translated = sequences.iter().cloned();
        let translated = translated.map(|s| catalogs.sequence_to_cohort(home, s));
        translated.collect()
    };
    Arc::new(Regime {
        shift: regime.shift.clone(),
        source: all(&regime.source),
        target: all(&regime.target),
    })
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

#[cfg(test)]
mod tests {
    use hearth_operators::words::{
        Action, Catalog, CohortId, Device, Foundation, Own, Quadruple, Shift, ShiftKey, ShiftKind,
        Time, Weights,
    };

    use super::*;

    /// Its past as well as its candidates are judged in the cohort's words; what comes back is the home's own.
    #[test]
    fn a_home_with_words_of_its_own_is_judged_in_the_cohorts() {
        let device = |name: &str, kind: &str| Device {
            kind: Some(kind.into()),
            ..Device::new(name, vec![Action::new("on")])
        };
        let own = |home, devices| Own {
            home: HomeId(home),
            cohort: CohortId(0),
            catalog: Arc::new(Catalog::new(devices).unwrap()),
        };
        let lamp_and_fan = vec![device("lamp", "Light"), device("fan", "Fan")];
        let other = own(0, lamp_and_fan);
        let catalogs =
            Catalogs::new(vec![other, own(1, vec![device("x", "Light")])], None).unwrap();
        let of = |action| {
            Sequence(vec![Quadruple {
                weekday: 0,
                hours: 0,
                action,
            }])
        };
        let home = HomeId(1);
        let light = catalogs.to_cohort(home, ActionId(0));
        assert_ne!(light, ActionId(0));
        let regime = Arc::new(Regime {
            shift: Shift {
                home: None,
                time: Time(0),
                offset: 0,
                kind: ShiftKind::Season,
                from: "winter".into(),
                to: "summer".into(),
            },
            source: vec![of(ActionId(0))],
            target: vec![of(ActionId(0))],
        });
        let candidates = Candidates {
            key: ShiftKey { home, regime: 0 },
            regime: regime.clone(),
            candidates: Vec::new(),
            foundation: Arc::new(Foundation {
                cohort: CohortId(0),
                encoder: Weights(Arc::default()),
                models: None,
                counts: Vec::new(),
            }),
        };
        let filtered = judged(&catalogs, candidates, |asked| {
            assert_eq!(asked.regime.source, [of(light)]);
            Ok::<_, ()>(Filtered {
                key: asked.key,
                regime: asked.regime.clone(),
                verdicts: Vec::new(),
                foundation: asked.foundation.clone(),
            })
        });
        assert_eq!(filtered.unwrap().regime, regime);
    }
}
