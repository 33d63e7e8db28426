//! Replies on file: `cases/*.txt` hold a reply and, below a line, what is read of it.

use std::path::Path;

use hearth_operators::validate::check;

use super::*;

/// Parts a reply from what is expected of it.
const LINE: &str = "\n=== read\n";

/// The folder of the cases. `asked.md` in it is the message that every one of them answers.
fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src/synthesizers/llm/reply/tests/cases")
}

/// The message, and by case its file and the reply in it.
pub(super) fn cases() -> (String, Vec<(PathBuf, String)>) {
    let asked = std::fs::read_to_string(folder().join("asked.md")).unwrap();
    let files = std::fs::read_dir(folder())
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let mut files: Vec<PathBuf> = files
        .filter(|path| path.extension().is_some_and(|e| e == "txt"))
        .collect();
    files.sort();
    let reply = |path: PathBuf| {
        let text = std::fs::read_to_string(&path).unwrap();
        let reply = text
            .split_once(LINE)
            .map_or(text.as_str(), |(reply, _)| reply);
        let reply = reply.to_owned();
        (path, reply)
    };
    (asked, files.into_iter().map(reply).collect())
}

/// What became of a reply, a line a sequence: as it passed validation, or why it did not.
fn report(reply: &str, asked: &str) -> String {
    let catalog = small_catalog();
    let written = match Reader::new(catalog.clone()).read(reply, &[asked]) {
        Ok(written) => written,
        Err(reason) => return format!("nothing: {reason}\n"),
    };
    let lines = written.into_iter().map(|written| match written {
        Ok(rows) => match check(&rows, &catalog) {
            Ok(_) => {
                let rows: Vec<String> = rows.iter().map(|row| row.join(" ")).collect();
                format!("sequence: {}\n", rows.join(", "))
            }
            Err(reason) => format!("invalid: {reason}\n"),
        },
        Err(reason) => format!("unreadable: {reason}\n"),
    });
    lines.collect()
}

/// Compares with the text on file; `UPDATE_EXPECT=1` writes it anew.
#[test]
fn replies_are_read_as_on_file() {
    let (asked, cases) = cases();
    assert!(
        cases.len() >= 40,
        "{} cases in {}",
        cases.len(),
        folder().display()
    );
    let mut wrong = String::new();
    for (path, reply) in cases {
        let whole = format!("{reply}{LINE}{}", report(&reply, &asked));
        if std::env::var_os("UPDATE_EXPECT").is_some() {
            std::fs::write(&path, whole).unwrap();
        } else if std::fs::read_to_string(&path).unwrap() != whole {
            wrong += &format!("{}: now\n{whole}\n", path.display());
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}
