//! What a home's model knows: the dataflow is asked for it.

use std::time::Duration;

use tokio::time::timeout;

use crate::desk::Desk;
use crate::portrait::View;

/// How long is waited for it: a run that is behind answers once it has caught up.
const WAIT: Duration = Duration::from_secs(5);

/// Why it is not known.
pub(super) enum Unknown {
    /// Nothing is learnt of such a home.
    Home,
    /// Too many ask, or the dataflow does not answer soon enough.
    Busy,
}

/// Asks for the model of a home.
///
/// # Errors
/// It cannot be had now, or at all.
pub(super) async fn of(desk: &Desk, home: &str) -> Result<View, Unknown> {
    let queries = desk.inbox.durable().queries();
    let told = queries.ask(home).ok_or(Unknown::Busy)?;
    match timeout(WAIT, told).await {
        Ok(Ok(view)) => view.ok_or(Unknown::Home),
        _ => Err(Unknown::Busy),
    }
}
