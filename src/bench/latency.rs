//! `hearth bench latency`.
/// Later
#[derive(clap::Args, Clone, Debug)]
pub struct LatencyArgs {}
/// Runs the command.
///
/// # Errors
/// As [`super::run`].
pub fn run(_args: &LatencyArgs) -> anyhow::Result<()> { Ok(()) }
