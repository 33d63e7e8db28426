//! What holds of any answer, for random catalogs, homes and shifts.

use hearth_operators::words::{HOURS, WEEKDAYS};
use proptest::prelude::*;

use super::*;

/// A catalog of some of the devices, and a home's sequences over it.
fn homes() -> impl Strategy<Value = (Vec<usize>, Vec<Vec<(u8, u8, u16)>>)> {
    let behavior = (0..7_u8, 0..8_u8, any::<u16>());
    let source = prop::collection::vec(prop::collection::vec(behavior, 1..12), 0..90);
    (
        prop::sample::subsequence((0..DEVICES.len()).collect::<Vec<_>>(), 1..=DEVICES.len()),
        source,
    )
}

fn shifts() -> impl Strategy<Value = (ShiftKind, &'static str, &'static str)> {
    let season = ["winter", "spring", "summer", "autumn", "fall"];
    let season = (
        prop::sample::select(season.to_vec()),
        prop::sample::select(season.to_vec()),
    );
    let text = [
        "no more heater",
        "new television",
        "works nights, it is summer and a guest is here",
        "moved out",
        "nonsense",
        "",
    ];
    prop_oneof![
        4 => season.prop_map(|(from, to)| (ShiftKind::Season, from, to)),
        1 => Just((ShiftKind::Schedule, "daytime", "night")),
        1 => Just((ShiftKind::Schedule, "night", "daytime")),
        2 => Just((ShiftKind::Occupancy, "single", "multiple")),
        1 => Just((ShiftKind::Occupancy, "multiple", "single")),
        1 => Just((ShiftKind::Occupancy, "", "multiple")),
        3 => prop::sample::select(text.to_vec()).prop_map(|text| (ShiftKind::Text, "", text)),
    ]
}

proptest! {
    #[test]
    fn any_answer_is_closed_capped_and_repeatable(
        (chosen, source) in homes(),
        (kind, from, to) in shifts(),
        (weekday, part, parts, seed) in (0..7_u8, 0..3_u16, 1..4_u16, any::<u64>()),
    ) {
        let chosen: Vec<_> = chosen.into_iter().map(|d| DEVICES[d]).collect();
        let catalog = catalog_of(&chosen);
        let actions = catalog.actions() as u16;
        let source: Vec<Sequence> = source
            .into_iter()
            .map(|s| {
                let quadruple = |(weekday, hours, a)| Quadruple { weekday, hours, action: ActionId(a % actions) };
                Sequence(s.into_iter().map(quadruple).collect())
            })
            .collect();
        let mut asked = request(source.clone(), weekday, shift(kind, from, to));
        (asked.parts, asked.key.part) = (parts, part.min(parts - 1));
        let embedded = Embedded::new(catalog.clone(), Knowledge::builtin(), seed);
        let answer = embedded.synthesize(&asked);
        prop_assert_eq!(&answer, &embedded.synthesize(&asked));
        let rows = match answer {
            Ok(rows) => rows,
            Err(error) => {
                prop_assert!(error.ends_with("nothing was invented"), "{}", error);
                return Ok(());
            }
        };
        prop_assert!(rows.len() <= MAX_SEQUENCES);
        for sequence in &rows {
            let sequence = sequence.as_ref().expect("written by rules");
            prop_assert!(!sequence.is_empty());
            for [day, hours, device, action] in sequence {
                prop_assert!(WEEKDAYS.contains(&day.as_str()) && HOURS.contains(&hours.as_str()));
                prop_assert!(catalog.lookup(device, action).is_some());
            }
        }
        // What was asked about, where nothing of it was left out by the cap or emptied.
        let routines: Vec<&Sequence> = source.iter().filter(|s| s.weekday() == weekday).collect();
        let own = crate::synthesizers::sampling::part(&routines, &asked);
        let answer = embedded.sequences(&asked).unwrap();
        let ended: &[&str] = match (kind, from, to) {
            (ShiftKind::Season, "winter", "spring" | "summer" | "autumn" | "fall") => &["Heater", "humidifier.bedroom"],
            (ShiftKind::Season, "summer", "winter") => &["AirConditioner", "fan.ceiling_fan"],
            (ShiftKind::Text, _, "no more heater") => &["Heater"],
            _ => &[],
        };
        for q in answer.iter().flat_map(|s| &s.0) {
            prop_assert!(!ended.contains(&catalog.device_name(q.action)), "{}", catalog.full_name(q.action));
        }
        if own.len() <= MAX_SEQUENCES && answer.len() == own.len() {
            for (before, after) in own.iter().zip(&answer) {
                match (kind, to) {
                    (ShiftKind::Occupancy, "multiple") => {
                        prop_assert!(is_subsequence(&before.0, &after.0));
                        prop_assert!(after.0.len() <= before.0.len() + before.0.len().max(4));
                    }
                    (ShiftKind::Occupancy, _) => prop_assert!(is_subsequence(&after.0, &before.0)),
                    (ShiftKind::Schedule, _) => {
                        let moved = before.0.iter().map(|q| ((q.hours + 4) % 8, q.action));
                        let seen = after.0.iter().map(|q| (q.hours, q.action));
                        prop_assert!(moved.eq(seen));
                    }
                    (ShiftKind::Season, _) if from == to => prop_assert_eq!(*before, after),
                    _ => {}
                }
            }
        }
    }
}
