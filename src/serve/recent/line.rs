//! What is read of an output line before anybody asks for the rest of it.

use std::borrow::Cow;

use crate::outputs::Stamp;

/// The home that a line is about. Quotes inside of texts are escaped, so the key is found as it is written.
pub(super) fn home(line: &str) -> Option<Cow<'_, str>> {
    const KEY: &str = "\"home\":\"";
    let from = line.find(KEY)? + KEY.len() - 1;
    let mut escaped = false;
    let end = line[from + 1..].bytes().position(|byte| {
        let ends = byte == b'"' && !escaped;
        escaped = byte == b'\\' && !escaped;
        ends
    })?;
    let quoted = &line[from..from + 1 + end + 1];
    match quoted.contains('\\') {
        true => serde_json::from_str(quoted).ok().map(Cow::Owned),
        false => Some(Cow::Borrowed(&quoted[1..quoted.len() - 1])),
    }
}

/// When a behaviour of a segment that is open happened, of a score of one. Quotes inside of texts are escaped, as above.
pub(super) fn open(line: &str) -> Option<Stamp> {
    const KEY: &str = "\"time\":";
    line.rfind("\"open\":true")?;
    let rest = &line[line.find(KEY)? + KEY.len()..];
    let (time, _) = rest.split_once(',')?;
    serde_json::from_str(time).ok()
}

/// How many more of the rest of the line there are, and that rest: what a later line takes back has the same.
pub(super) fn change(line: &str) -> Option<(i64, &str)> {
    const KEY: &str = "\"diff\":";
    let rest = &line[line.find(KEY)? + KEY.len()..];
    let (diff, rest) = rest.split_once(',')?;
    Some((diff.parse().ok()?, rest))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::outputs::TransitionLine;

    proptest! {
        #[test]
        fn any_name_is_found(name: String, from: String, diff: i64) {
            let line = TransitionLine {
                epoch: 7,
                diff,
                home: name.as_str().into(),
                from: from.as_str().into(),
                to: "\"home\":\"x\"".into(),
            };
            let text = serde_json::to_string(&line).unwrap();
            let found = home(&text);
            prop_assert_eq!(found.as_deref(), Some(name.as_str()));
            let (read, rest) = change(&text).unwrap();
            prop_assert_eq!(read, diff);
            prop_assert!(rest.starts_with("\"home\":"), "{}", rest);
        }
    }
}
