//! Names in one Unicode form: `é` is one character or two, and both look and mean the same.

use std::borrow::Cow;

use unicode_normalization::UnicodeNormalization;

/// Whether a name is in the composed form (NFC) already.
pub fn is_composed(name: &str) -> bool {
    name.is_ascii() || unicode_normalization::is_nfc(name)
}

/// The composed form of a name.
///
/// ```
/// assert_eq!(hearth::nfc::composed("Cafe\u{301}".into()), "Caf\u{e9}");
/// ```
pub fn composed(name: Cow<'_, str>) -> Cow<'_, str> {
    match is_composed(&name) {
        true => name,
        false => Cow::Owned(name.nfc().collect()),
    }
}
