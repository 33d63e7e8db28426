//! The key to a server: read from a file or the environment, sent in one header, shown nowhere.

use std::fmt;
use std::path::Path;

use reqwest::header::{HeaderValue, InvalidHeaderValue};

use crate::config::UsageError;

/// Where a key may lie in the environment; the first that is set counts.
const VARIABLES: [&str; 2] = ["HEARTH_LLM_KEY", "OPENAI_API_KEY"];

/// What takes a key's place in a text.
const HIDDEN: &str = "[key]";

/// A piece of the key of this many characters gives enough of it away to be hidden. Servers like to quote keys in part.
const TELLING: usize = 6;

/// A secret. It has no `Display`, and its `Debug` does not show it.
#[derive(Clone)]
pub struct Key(String);

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(HIDDEN)
    }
}

impl Key {
    /// The key in `file`, else the one in the environment (`HEARTH_LLM_KEY`, `OPENAI_API_KEY`), else none: many servers
    /// in the house want none.
    ///
    /// # Errors
    /// The file cannot be read or is empty, or the key could not stand in a header.
    pub fn find(file: Option<&Path>) -> Result<Option<Self>, UsageError> {
        Self::find_among(file, |name| std::env::var(name).ok())
    }

    fn find_among(
        file: Option<&Path>,
        variable: impl Fn(&str) -> Option<String>,
    ) -> Result<Option<Self>, UsageError> {
        if let Some(path) = file {
            let place = format!("the key file {}", path.display());
            let text = std::fs::read_to_string(path)
                .map_err(|error| UsageError(format!("cannot read {place}: {error}")))?;
            return match text.trim() {
                "" => Err(UsageError(format!("{place} is empty"))),
                key => Self::checked(key, &place).map(Some),
            };
        }
        for name in VARIABLES {
            if let Some(text) = variable(name)
                && !text.trim().is_empty()
            {
                return Self::checked(text.trim(), name).map(Some);
            }
        }
        Ok(None)
    }

    fn checked(text: &str, place: &str) -> Result<Self, UsageError> {
        if text.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Ok(Key(text.to_owned()));
        }
        Err(UsageError(format!(
            "{place} holds no key: it must be one line of letters, digits and signs, without spaces"
        )))
    }

    /// The `Authorization` header, marked as a secret for whoever prints headers.
    pub(super) fn header(&self) -> Result<HeaderValue, InvalidHeaderValue> {
        let mut value = HeaderValue::from_str(&format!("Bearer {}", self.0))?;
        value.set_sensitive(true);
        Ok(value)
    }

    /// The text with every piece of the key hidden.
    pub(super) fn scrub(&self, text: &str) -> String {
        let telling = TELLING.min(self.0.len());
        let mut clean = String::with_capacity(text.len());
        let mut rest = text;
        while let Some(first) = rest.chars().next() {
            match self.piece(rest) {
                length if length >= telling => {
                    clean.push_str(HIDDEN);
                    rest = &rest[length..];
                }
                _ => {
                    clean.push(first);
                    rest = &rest[first.len_utf8()..];
                }
            }
        }
        clean
    }

    /// How many bytes at the start of the text are a piece of the key. A key is ASCII, so a piece ends between characters.
    fn piece(&self, text: &str) -> usize {
        let key = self.0.as_bytes();
        let common = |start: usize| {
            let pairs = key[start..].iter().zip(text.as_bytes());
            pairs.take_while(|(a, b)| a == b).count()
        };
        (0..key.len()).map(common).max().unwrap_or(0)
    }
}

#[cfg(test)]
impl Key {
    /// For tests.
    pub(super) fn of(text: &str) -> Self {
        Key(text.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_file_comes_before_the_environment_and_an_empty_variable_is_none() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        std::fs::write(&path, "from-file\n").unwrap();
        let variable = |name: &str| match name {
            "HEARTH_LLM_KEY" => Some(" ".to_owned()),
            _ => Some("from-environment".to_owned()),
        };
        let found = |file| Key::find_among(file, variable).unwrap().unwrap().0;
        assert_eq!(found(Some(path.as_path())), "from-file");
        assert_eq!(found(None), "from-environment");
        assert!(Key::find_among(None, |_| None).unwrap().is_none());
    }

    #[test]
    fn what_is_no_key_is_refused_without_being_shown() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        for text in ["sk-secret one", "sk-secret\nsecond", "sk-sécret"] {
            std::fs::write(&path, text).unwrap();
            let error = Key::find_among(Some(&path), |_| None).unwrap_err();
            assert!(!error.0.contains("sk-s"), "{error}");
        }
        std::fs::write(&path, " \n").unwrap();
        assert!(Key::find_among(Some(&path), |_| None).is_err());
        assert!(Key::find_among(Some(&folder.path().join("none")), |_| None).is_err());
    }

    #[test]
    fn a_key_quoted_in_part_is_hidden_and_the_rest_stays() {
        let key = Key::of("sk-abcdefghijklmnop");
        assert_eq!(
            key.scrub("Incorrect key sk-abcde****klmnop, naïve user"),
            "Incorrect key [key]****[key], naïve user"
        );
        assert_eq!(format!("{key:?}"), "[key]");
    }

    proptest! {
        #[test]
        fn no_telling_piece_survives(
            key in "[ab]{1,12}",
            before in "[abü ]{0,12}",
            after in "[abü ]{0,12}",
        ) {
            let clean = Key::of(&key).scrub(&format!("{before}{key}{after}"));
            let telling = TELLING.min(key.len());
            for piece in clean.split(HIDDEN) {
                for start in 0..=key.len() - telling {
                    prop_assert!(!piece.contains(&key[start..start + telling]), "{clean}");
                }
            }
        }
    }
}
