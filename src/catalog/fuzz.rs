//! Catalogs of bytes that nobody meant.

use std::fs;

use hearth_operators::words::{Catalog, Catalogs, CohortId, HomeId, Own};

use super::vocabulary::catalog_of;
use super::{FirstPass, load, save};
use crate::config::Keys;
use crate::fuzz::{fuzz, reasons};
use crate::home_names::HomeNames;
use crate::zones::Zones;

#[test]
fn catalog() {
    let folder = tempfile::tempdir().unwrap();
    let [file, again] = ["catalog.json", "again.json"].map(|name| folder.path().join(name));
    let seed = r#"{"devices":[
{"name":"Light","kind":"light","actions":[{"name":"switch on"},{"name":"switch off","closes":["switch on"]}]},
{"name":"Blind","actions":[{"name":"open","kind":"open"},{"name":"close","closes":["open","open half"]},{"name":"open half"}]}]}"#;
    let words = ["\"closes\":", "\"kind\":", "\"actions\":[]", "switch on"];
    fuzz(&[seed.as_bytes()], &words, |bytes| {
        fs::write(&file, bytes).unwrap();
        match load(&file) {
            Ok(catalog) => {
                save(&catalog, &again).unwrap();
                let read = load(&again).unwrap();
                assert_eq!(read.devices(), catalog.devices());
                let ids: Vec<_> = catalog.action_ids().collect();
                for id in ids {
                    let (device, action) = (catalog.device_name(id), catalog.action_name(id));
                    assert_eq!(catalog.lookup(device, action), Some(id));
                }
                String::new()
            }
            Err(error) => reasons([error.to_string().as_str()]),
        }
    });
}

/// What is kept of a first pass.
#[test]
fn first_pass() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("log.csv");
    let (zones, keys) = (Zones::new(None), Keys::default());
    let mut pass = None;
    let mut text = "home,time,device,action\n".to_owned();
    for more in [
        "a,1740816000,Lamp,on\na,1740816000,Lamp,7\n",
        "b,1740816000,Fan,on\na,1740816000,Fan,off\n",
    ] {
        text += more;
        fs::write(&log, &text).unwrap();
        let read = FirstPass::over(
            std::slice::from_ref(&log),
            "of",
            (&zones, &keys),
            None,
            pass,
        );
        pass = Some(read.unwrap().0);
    }
    let seed = serde_json::to_vec(&pass).unwrap();
    let words = ["[0,4]", "\"h-2\"", "[]", "4294967295"];
    fuzz(&[&seed], &words, |bytes| {
        match serde_json::from_slice::<FirstPass>(bytes) {
            Ok(pass) if pass.is_sound() => {
                let homes = HomeNames::default();
                let stages = pass.inferred(0, &homes).count();
                assert_eq!(stages, pass.stages());
                pass.sum(stages);
                String::new()
            }
            Ok(_) => "unsound".to_owned(),
            Err(error) => reasons([error.to_string().as_str()]),
        }
    });
}

/// What is kept of what catalogs became by it.
#[test]
fn kept_catalogs() {
    let lamp = catalog_of(&[("Lamp", &["on", "off"])]);
    let more = catalog_of(&[("Lamp", &["on"]), ("Fan", &["on", "off"])]);
    let own = |home, catalog: &Catalog| Own {
        home: HomeId(home),
        cohort: CohortId(home % 2),
        catalog: catalog.clone().into(),
    };
    let all = vec![own(0, &lamp), own(1, &more), own(2, &more)];
    let met = Catalogs::new(all, None).unwrap();
    let seed = serde_json::to_vec(&met).unwrap();
    let words = ["\"closes\":", "\"ids\":", "null", "[0,1]", "65535"];
    fuzz(&[&seed], &words, |bytes| {
        match serde_json::from_slice::<Catalogs>(bytes) {
            Ok(catalogs) => {
                for home in (0..4).map(HomeId) {
                    for action in catalogs.of(home).action_ids() {
                        let there = catalogs.to_cohort(home, action);
                        assert_eq!(catalogs.from_cohort(home, there), Some(action));
                    }
                }
                if let Ok(grown) = catalogs.grown(&met, 1) {
                    assert!(grown.of(HomeId(1)).lookup("Fan", "on").is_some());
                }
                String::new()
            }
            Err(error) => reasons([error.to_string().as_str()]),
        }
    });
}
