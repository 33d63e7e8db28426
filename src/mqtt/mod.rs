//! The connection to an MQTT broker that the source and the sink each have: who Hearth is there, and whom it trusts.

mod connection;

pub(crate) use connection::{connection, trouble};
