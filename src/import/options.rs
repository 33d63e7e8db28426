//! What the imports' options have in common.

/// A time zone by its IANA name.
pub(super) fn time_zone(name: &str) -> Result<jiff::tz::TimeZone, String> {
    jiff::tz::TimeZone::get(name)
        .map_err(|_| format!("`{name}` is no IANA time zone; write one like Europe/Berlin or UTC"))
}

/// A home's name out of a file's: `houseA.sensors` gives `houseA`.
pub(super) fn home_of(file: &std::path::Path) -> String {
    file.file_stem()
        .map_or_else(|| "home".into(), |stem| stem.to_string_lossy().into_owned())
}
