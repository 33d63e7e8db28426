//! Values as they may be shown: people put passwords into addresses, also where these are refused for it.

use std::borrow::Cow;

use clap::error::ContextValue;
use reqwest::Url;

/// A value without what may be a password in it: all of its address before the last `@`.
pub(super) fn shown(value: &str) -> Cow<'_, str> {
    let Some(end) = value.rfind('@') else {
        return Cow::Borrowed(value);
    };
    let scheme = value.find("://").map_or(0, |at| at + 3);
    let begin = if scheme > end { 0 } else { scheme };
    Cow::Owned(format!("{}***{}", &value[..begin], &value[end..]))
}

/// A value that its option takes, the same way: only an address that names a user has a password to hide.
pub(super) fn shown_if_sound(value: &str) -> Cow<'_, str> {
    let is_plain = |url: Url| url.username().is_empty() && url.password().is_none();
    match !value.contains("://") || Url::parse(value).is_ok_and(is_plain) {
        true => Cow::Borrowed(value),
        false => shown(value),
    }
}

/// What clap says of a mistake, without what may be a password in it.
pub(crate) fn discreet(mut error: clap::Error) -> clap::Error {
    let values = error.context().filter_map(|(kind, value)| match value {
        ContextValue::String(value) => Some((kind, shown(value).into_owned())),
        _ => None,
    });
    for (kind, value) in values.collect::<Vec<_>>() {
        error.insert(kind, ContextValue::String(value));
    }
    error
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_in_addresses_are_not_shown() {
        for (value, seen) in [
            ("mqtt://me:s3cret@host:1883", "mqtt://***@host:1883"),
            ("mqtt://me:s3/c:r@e t@host", "mqtt://***@host"),
            ("me:s3cret@host", "***@host"),
            ("kafka://a/x kafka://me:s3cret@b/y", "kafka://***@b/y"),
            ("s3cret@b/y kafka://a/x", "***@b/y kafka://a/x"),
            ("mqtt://host", "mqtt://host"),
            ("9h", "9h"),
        ] {
            assert_eq!(shown(value), seen);
        }
        for (value, seen) in [
            ("https://me:s3cret@a/v1", "https://***@a/v1"),
            ("https://me:s3/cret@a/v1", "https://***@a/v1"),
            ("https://a/@team/hook", "https://a/@team/hook"),
            ("me@house", "me@house"),
        ] {
            assert_eq!(shown_if_sound(value), seen);
        }
    }
}
