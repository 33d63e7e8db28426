//! The connection to an MQTT broker that the source and the sink each have: who Hearth is there, and whom it trusts.

mod connection;

pub(crate) use connection::{connection, trouble};

/// Who makes the devices that Home Assistant is told of: by that they are known there.
pub(crate) const MAKER: &str = "Hearth";
