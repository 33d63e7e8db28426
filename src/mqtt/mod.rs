//! The connection to an MQTT broker that the source and the sink each have: who Hearth is there, how it is trusted, and what is said
//! when it breaks.

mod connection;
mod trouble;

pub(crate) use connection::connection;
pub(crate) use trouble::Trouble;
