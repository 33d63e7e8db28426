//! What of a home automation's entities is of the household.

/// The domains whose states people change, or are changed by people being there.
const DOMAINS: [&str; 18] = [
    "alarm_control_panel",
    "binary_sensor",
    "climate",
    "cover",
    "fan",
    "humidifier",
    "input_boolean",
    "input_select",
    "lawn_mower",
    "light",
    "lock",
    "media_player",
    "person",
    "siren",
    "switch",
    "vacuum",
    "valve",
    "water_heater",
];

/// Whether states of this domain are behaviours.
pub(crate) fn household(domain: &str) -> bool {
    DOMAINS.contains(&domain)
}
