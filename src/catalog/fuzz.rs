//! Catalogs of bytes that nobody meant.

use std::fs;

use super::{load, save};
use crate::fuzz::{fuzz, reasons};

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
