//! Servers that a run speaks to and that may fail: what it shows them of secrets, whom it trusts, what is said, and how long is
//! waited, while they are away.

mod complaints;
mod secrets;
mod trouble;
mod trust;

pub(crate) use complaints::Complaints;
pub(crate) use secrets::secret;
pub(crate) use trouble::Trouble;
pub(crate) use trust::trusting;
