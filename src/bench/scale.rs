//! `hearth bench scale`.
/// Later
#[derive(clap::Args, Clone, Debug)]
pub struct ScaleArgs {}
/// Runs the command.
///
/// # Errors
/// As [`super::run`].
pub fn run(_args: &ScaleArgs) -> anyhow::Result<()> { Ok(()) }
