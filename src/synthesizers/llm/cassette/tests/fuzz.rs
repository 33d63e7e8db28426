//! Recordings of bytes that nobody meant, packed rightly or not.

use std::io::Write;

use super::*;
use crate::fuzz::{fuzz, reasons};

#[test]
fn cassettes() {
    let (folder, first) = cassette(CassetteMode::Record);
    let call = call("a");
    first.store("a", "", &call, &completion("text")).unwrap();
    let path = folder.path().join(Key::of(&call).file());
    let packed = fs::read(&path).unwrap();
    let mut text = Vec::new();
    flate2::read::GzDecoder::new(&packed[..])
        .read_to_end(&mut text)
        .unwrap();
    let words = [
        "\"version\":",
        "\"key\":",
        "\"labels\":",
        "\"completion\":",
        "0.7000000000000001",
    ];
    fuzz(&[&packed, &text], &words, |bytes| {
        let mut file = fs::File::create(&path).unwrap();
        if bytes.starts_with(&packed[..2]) {
            file.write_all(bytes).unwrap();
        } else {
            let mut packer = flate2::write::GzEncoder::new(file, flate2::Compression::fast());
            packer.write_all(bytes).unwrap();
            packer.finish().unwrap();
        }
        match reopened(&folder, CassetteMode::Replay).lookup("a", &call) {
            // A recording that is believed is of this very call.
            Ok(found) => format!("{:?}", found.unwrap().finish),
            Err(error) => {
                let error = error.to_string();
                assert!(error.contains(".json.gz"), "{error}");
                reasons([error.as_str()])
            }
        }
    });
}
