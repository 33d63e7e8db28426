//! The key to a server: read from a file or the environment, sent in one header to the server that it is for, shown nowhere.

use std::fmt;
use std::path::Path;

use reqwest::header::{HeaderValue, InvalidHeaderValue};

use super::Endpoint;
use crate::config::UsageError;

/// The variable of the key to whichever server Hearth is told to ask.
const HEARTH: &str = "HEARTH_LLM_KEY";

/// The variable in which many programs look for the key to OpenAI: it lies in environments that were not made for Hearth.
const OPENAI: &str = "OPENAI_API_KEY";

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
    /// The key to the server at `endpoint`: in `file`, or in the variable of this name; where neither is named in
    /// `HEARTH_LLM_KEY`, and for OpenAI's own server in `OPENAI_API_KEY`. None of these: none, as many servers in the house want
    /// none.
    ///
    /// # Errors
    /// Both a file and a variable are named, what is named cannot be read or is empty, or the key could not stand in a
    /// header.
    pub fn find(
        file: Option<&Path>,
        variable: Option<&str>,
        endpoint: &Endpoint,
    ) -> Result<Option<Self>, UsageError> {
        Self::find_among(file, variable, endpoint, |name| std::env::var(name).ok())
    }

    fn find_among(
        file: Option<&Path>,
        variable: Option<&str>,
        endpoint: &Endpoint,
        value: impl Fn(&str) -> Option<String>,
    ) -> Result<Option<Self>, UsageError> {
        // Whoever takes the name for the key itself must not find it in a message.
        const NAMED: &str = "the environment variable that --llm-key-env names";
        let (place, text) = match (file, variable) {
            (Some(_), Some(_)) => {
                return Err(UsageError(
                    "which key is meant? --llm-key-file and --llm-key-env both name one: keep one of them".to_owned(),
                ));
            }
            (Some(path), None) => {
                let place = format!("the key file {}", path.display());
                let text = std::fs::read_to_string(path)
                    .map_err(|error| UsageError(format!("cannot read {place}: {error}")))?;
                (place, text)
            }
            (None, Some(name)) => (NAMED.to_owned(), value(name).unwrap_or_default()),
            (None, None) => {
                let variables: &[&str] = if endpoint.is_openai() {
                    &[HEARTH, OPENAI]
                } else {
                    &[HEARTH]
                };
                let set = |name: &&str| {
                    let text = value(name).filter(|text| !text.trim().is_empty())?;
                    Some(((*name).to_owned(), text))
                };
                match variables.iter().find_map(set) {
                    Some(found) => found,
                    None => return Ok(None),
                }
            }
        };
        match text.trim() {
            "" => Err(UsageError(format!("{place} is empty or not set"))),
            key => Self::checked(key, &place).map(Some),
        }
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
        secret(&format!("Bearer {}", self.0))
    }

    /// The same for a header that holds the key alone.
    pub(super) fn plain(&self) -> Result<HeaderValue, InvalidHeaderValue> {
        secret(&self.0)
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

fn secret(text: &str) -> Result<HeaderValue, InvalidHeaderValue> {
    let mut value = HeaderValue::from_str(text)?;
    value.set_sensitive(true);
    Ok(value)
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

    const ABROAD: &str = "https://llm.example.com/v1";
    const HOUSE: &str = "http://127.0.0.1:8080/v1";
    const OPENAIS: &str = "https://api.openai.com/v1";

    /// The key that a server would be sent, in an environment of these variables.
    fn sent(
        server: &str,
        file: Option<&Path>,
        named: Option<&str>,
        environment: &[(&str, &str)],
    ) -> Result<Option<String>, UsageError> {
        let value = |name: &str| {
            let found = environment.iter().find(|(set, _)| *set == name)?;
            Some(found.1.to_owned())
        };
        let endpoint = server.parse().unwrap();
        let key = Key::find_among(file, named, &endpoint, value)?;
        Ok(key.map(|key| key.0))
    }

    #[test]
    fn openais_key_goes_to_openai_alone_unless_it_is_named() {
        let all = [
            (HEARTH, "for-hearth"),
            (OPENAI, "for-openai"),
            ("OTHER", "for-other"),
        ];
        let openai = &all[1..];
        for (server, unnamed) in [(ABROAD, None), (HOUSE, None), (OPENAIS, Some("for-openai"))] {
            let key = |named, environment| sent(server, None, named, environment).unwrap();
            assert_eq!(key(None, openai).as_deref(), unnamed, "{server}");
            assert_eq!(key(None, &all).as_deref(), Some("for-hearth"), "{server}");
            for (name, value) in [(OPENAI, "for-openai"), ("OTHER", "for-other")] {
                assert_eq!(key(Some(name), &all).as_deref(), Some(value), "{server}");
            }
            assert_eq!(key(None, &[]), None);
            let blank = [(HEARTH, " "), (OPENAI, "for-openai")];
            assert_eq!(key(None, &blank).as_deref(), unnamed, "{server}");
        }
    }

    #[test]
    fn what_is_named_must_be_there_and_be_one() {
        let folder = tempfile::tempdir().unwrap();
        let [path, none] = ["key", "none"].map(|name| folder.path().join(name));
        std::fs::write(&path, "from-file\n").unwrap();
        let environment = [(HEARTH, "for-hearth"), ("BLANK", " ")];
        let sent = |file, named| sent(OPENAIS, file, named, &environment);
        assert_eq!(
            sent(Some(&path), None).unwrap().as_deref(),
            Some("from-file")
        );
        assert!(sent(Some(&path), Some(HEARTH)).is_err(), "two keys");
        assert!(sent(Some(&none), None).is_err());
        std::fs::write(&path, " \n").unwrap();
        assert!(sent(Some(&path), None).is_err());
        assert!(sent(None, Some("BLANK")).is_err());
        // A key in the name's place is no key of any server, and is not shown.
        let error = sent(None, Some("sk-secret")).unwrap_err();
        assert!(!error.0.contains("sk-s"), "{error}");
    }

    #[test]
    fn what_is_no_key_is_refused_without_being_shown() {
        for text in ["sk-secret one", "sk-secret\nsecond", "sk-sécret"] {
            let error = sent(ABROAD, None, None, &[(HEARTH, text)]).unwrap_err();
            assert!(!error.0.contains("sk-s"), "{error}");
        }
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
