//! On the paper's source contexts, read as one home's: skipped where the data is not.

use super::*;

/// The paper's data, if it is there: the catalog, and the sequences of a source context as one home's.
fn smartgen(set: &str, context: &str) -> Option<(Arc<Catalog>, Vec<Sequence>)> {
    let data = std::env::var_os("HEARTH_DATA").map_or_else(
        || std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data"),
        Into::into,
    );
    let folder = data.join("smartgen").join(set);
    let Ok(vocab) = std::fs::read_to_string(folder.join("vocab.json")) else {
        eprintln!("SKIPPED: no {} (set HEARTH_DATA)", folder.display());
        return None;
    };
    let vocab: serde_json::Value = serde_json::from_str(&vocab).unwrap();
    let actions = vocab["actions"].as_object().unwrap();
    let mut devices = BTreeMap::<&str, Vec<&str>>::new();
    for name in actions.values() {
        let (device, action) = name.as_str().unwrap().split_once(':').unwrap();
        devices.entry(device).or_default().push(action);
    }
    let devices: Vec<(&str, &[&str])> = devices.iter().map(|(d, a)| (*d, a.as_slice())).collect();
    let catalog = catalog_of(&devices);
    let lines = std::fs::read_to_string(folder.join(format!("raw/{context}.trn.jsonl"))).unwrap();
    let source = lines.lines().map(|line| {
        let line: serde_json::Value = serde_json::from_str(line).unwrap();
        let seq = line["seq"].as_array().unwrap().iter().map(|q| {
            let number = |i: usize| q[i].as_u64().unwrap();
            let name = actions[&number(3).to_string()].as_str().unwrap();
            let (device, action) = name.split_once(':').unwrap();
            Quadruple {
                weekday: number(0) as u8,
                hours: number(1) as u8,
                action: catalog.lookup(device, action).unwrap(),
            }
        });
        Sequence(seq.collect())
    });
    let source = source.collect();
    Some((catalog, source))
}

/// Source and answer over a whole week, parts of 30 as the engine makes them.
fn week(catalog: &Arc<Catalog>, source: &[Sequence], shift: &Shift) -> Vec<Sequence> {
    let embedded = embedded(catalog);
    let mut answer = Vec::new();
    for weekday in 0..7 {
        let mut asked = request(source.to_vec(), weekday, shift.clone());
        let routines = source.iter().filter(|s| s.weekday() == weekday).count();
        asked.parts = routines.div_ceil(30).max(1) as u16;
        for part in 0..asked.parts {
            asked.key.part = part;
            answer.extend(embedded.sequences(&asked).unwrap());
        }
    }
    answer
}

#[test]
fn real_homes_change_as_their_shift_says() {
    let length =
        |s: &[Sequence]| s.iter().map(|s| s.0.len()).sum::<usize>() as f64 / s.len() as f64;
    let variety = |catalog: &Catalog, s: &[Sequence]| {
        let each = s
            .iter()
            .map(|s| devices(catalog, std::slice::from_ref(s)).len());
        each.sum::<usize>() as f64 / s.len() as f64
    };
    let Some((catalog, winter)) = smartgen("fr", "winter") else {
        return;
    };
    let heater = |s: &[Sequence]| {
        let all = s.iter().flat_map(|s| &s.0);
        all.filter(|q| catalog.device_name(q.action) == "Heater")
            .count()
    };
    for to in ["spring", "summer"] {
        let answer = week(&catalog, &winter, &shift(ShiftKind::Season, "winter", to));
        let same = answer.iter().filter(|s| winter.contains(s)).count();
        eprintln!(
            "fr winter → {to}: {} → {} sequences, {same} as they were, heater {} → {}",
            winter.len(),
            answer.len(),
            heater(&winter),
            heater(&answer),
        );
        assert!(heater(&winter) > 0 && heater(&answer) == 0);
        assert!(answer.len() * 100 >= winter.len() * 98);
        // A spring needs cooling now and then, and leaves the rest alone.
        assert!(to != "spring" || same * 100 >= answer.len() * 75);
        assert!(same < answer.len());
    }
    for set in ["fr", "sp"] {
        let Some((catalog, daytime)) = smartgen(set, "daytime") else {
            return;
        };
        let answer = week(
            &catalog,
            &daytime,
            &shift(ShiftKind::Schedule, "daytime", "night"),
        );
        let hours: BTreeSet<u8> = answer.iter().flat_map(|s| &s.0).map(|q| q.hours).collect();
        eprintln!(
            "{set} daytime → night: {} sequences in the hours {hours:?}",
            answer.len()
        );
        assert_eq!(answer.len(), daytime.len());
        assert_eq!(hours, BTreeSet::from([0, 1, 6, 7]));
    }
    let Some((catalog, single)) = smartgen("fr", "single") else {
        return;
    };
    let answer = week(
        &catalog,
        &single,
        &shift(ShiftKind::Occupancy, "single", "multiple"),
    );
    eprintln!(
        "fr single → multiple: length {:.2} → {:.2}, devices a sequence {:.2} → {:.2}",
        length(&single),
        length(&answer),
        variety(&catalog, &single),
        variety(&catalog, &answer),
    );
    assert!(variety(&catalog, &answer) > variety(&catalog, &single) + 0.5);
}
