//! Words of a prompt as JSON, so that nothing from outside passes for the prompt's own.

/// Anything as JSON on one line.
pub(super) fn text<T: serde::Serialize + ?Sized>(value: &T) -> String {
    // Strings and lists of strings always serialise.
    serde_json::to_string(value).unwrap_or_default()
}

/// A list of what is JSON already.
pub(super) fn array(items: impl Iterator<Item = String>) -> String {
    format!("[{}]", items.collect::<Vec<_>>().join(","))
}
