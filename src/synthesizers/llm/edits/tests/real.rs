//! On the paper's homes: skipped where the data is not.

use std::collections::BTreeMap;

use hearth_operators::reference::hints;
use hearth_operators::words::Catalogs;

use super::super::super::prompt::{Prompts, Templates};
use super::super::super::{CallSettings, Calls, Estimator, Format, Writes};
use super::*;
use crate::home_names::HomeNames;

/// A source context of the French home, read as one home's, with its catalog.
fn french(context: &str) -> Option<(Arc<Catalog>, Vec<Sequence>)> {
    let data = std::env::var_os("HEARTH_DATA").map_or_else(
        || std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data"),
        Into::into,
    );
    let folder = data.join("smartgen/fr");
    let Ok(vocab) = std::fs::read_to_string(folder.join("vocab.json")) else {
        eprintln!("SKIPPED: no {} (set HEARTH_DATA)", folder.display());
        return None;
    };
    let vocab: Value = serde_json::from_str(&vocab).unwrap();
    let names = vocab["actions"].as_object().unwrap();
    let mut devices = BTreeMap::<&str, Vec<Action>>::new();
    for name in names.values() {
        let (device, action) = name.as_str().unwrap().split_once(':').unwrap();
        devices.entry(device).or_default().push(Action::new(action));
    }
    let devices = devices.into_iter();
    let devices = devices.map(|(name, actions)| Device::new(name, actions));
    let catalog = Arc::new(Catalog::new(devices.collect()).unwrap());
    let lines = std::fs::read_to_string(folder.join(format!("raw/{context}.trn.jsonl"))).unwrap();
    let sequences = lines.lines().map(|line| {
        let line: Value = serde_json::from_str(line).unwrap();
        let behaviors = line["seq"].as_array().unwrap().iter().map(|q| {
            let number = |i: usize| q[i].as_u64().unwrap();
            let name = names[&number(3).to_string()].as_str().unwrap();
            let (device, action) = name.split_once(':').unwrap();
            Quadruple {
                weekday: number(0) as u8,
                hours: number(1) as u8,
                action: catalog.lookup(device, action).unwrap(),
            }
        });
        Sequence(behaviors.collect())
    });
    let sequences = sequences.collect();
    Some((catalog, sequences))
}

/// One message for a whole shift has to stay short, and is paid once.
#[test]
fn a_shift_of_a_real_home_fits_one_short_prompt() {
    for context in ["winter", "daytime", "single"] {
        let Some((catalog, source)) = french(context) else {
            return;
        };
        let mut request = request(source, 0);
        let mut counts = BTreeMap::new();
        for pair in request.regime.source.iter().flat_map(|s| s.0.windows(2)) {
            *counts.entry((pair[0].action, pair[1].action)).or_default() += 1;
        }
        request.hints = Arc::new(hints(&counts, 5));
        let catalogs = Catalogs::shared(catalog);
        let homes = HomeNames::default();
        for home in 0..4 {
            homes.intern(&format!("h-{home}"));
        }
        let templates = Templates::load(None, Writes::Edits).unwrap();
        let calls = Calls::new(
            Arc::new(Prompts::new(catalogs, Naming::Public, templates, homes)),
            CallSettings {
                model: "m".to_owned(),
                format: Format::Paper,
                temperature: 0.0,
                seed: 1,
                max_tokens: 1_000,
            },
        );
        let home = request.key.shift.home;
        let call = calls.call(home, calls.prompts().write(&request).unwrap());
        let call = call.unwrap();
        let outward = calls.prompts().outward(home).unwrap();
        let pseudonyms = outward.pseudonyms.catalog();
        for action in pseudonyms.action_ids() {
            assert!(
                call.user
                    .contains(&format!("\"{}\"", pseudonyms.action_name(action)))
            );
        }
        let estimator = Estimator::new().unwrap();
        let tokens = estimator.estimate(&call).input;
        let schema = estimator.count(&call.form.schema.to_string());
        eprintln!("fr {context}: {tokens} tokens, and {schema} of a schema");
        assert!(tokens <= 2_500, "{tokens}");
    }
}
