//! What a terminal may be shown.

/// Text from outside as a terminal may see it: a point for each control character.
pub(super) fn plain(text: &str) -> String {
    text.replace(char::is_control, "·")
}
