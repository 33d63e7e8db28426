//! What ends a command before it did anything.

/// The command was called in a way that cannot work; nothing was done. The program ends with code 2.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct UsageError(pub String);

/// Refuses the first of some options that is given, for each means nothing without `another`.
pub(crate) fn refuse_alone(options: &[(&str, bool)], another: &str) -> Result<(), UsageError> {
    match options.iter().find(|(_, given)| *given) {
        None => Ok(()),
        Some((option, _)) => Err(UsageError(format!(
            "{option} is given, but no {another} that it is for: give both, or neither"
        ))),
    }
}
