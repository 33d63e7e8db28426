//! What is given to somebody who is to find out what is wrong.

use serde_json::Value;

use super::household::{dir, first};
use super::program::hearth;

#[test]
fn support_has_figures_and_no_word_of_a_home() {
    let first = first();
    let ended = hearth(dir(), "support first").fine();
    let told: Value = serde_json::from_str(&ended.stdout).unwrap();
    assert_eq!(told["summary"]["events"], first.summary()["events"]);
    assert!(told["files"]["scores.jsonl"]["bytes"].as_u64() > Some(0));
    assert_eq!(told["versions"]["hearth"], env!("CARGO_PKG_VERSION"));
    let catalog = std::fs::read_to_string(dir().join("catalog.json")).unwrap();
    let catalog: Value = serde_json::from_str(&catalog).unwrap();
    let devices = catalog["devices"].as_array().unwrap();
    let mut private: Vec<&str> = devices
        .iter()
        .map(|d| d["name"].as_str().unwrap())
        .collect();
    private.extend([
        "h-1",
        "h-2",
        dir().to_str().unwrap(),
        "events.jsonl",
        "switch",
    ]);
    for word in private {
        assert!(!ended.stdout.contains(word), "{word} in {}", ended.stdout);
    }
    let full = std::fs::File::options().write(true).open("/dev/full");
    if let Ok(full) = full {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_hearth"));
        let told = command.current_dir(dir()).args(["support", "first"]);
        let told = told.stdout(full).output().unwrap();
        let said = String::from_utf8(told.stderr).unwrap();
        assert_eq!(told.status.code(), Some(1), "{said}");
        assert!(said.starts_with("hearth: No space"), "{said}");
    }
    let other = hearth(dir(), "support nowhere");
    assert_eq!(other.code, Some(2), "{}", other.stderr);
}
