//! What of a home automation's entities is of the household.

/// The domains whose states people change, or are changed by people being there.
pub(crate) const HOUSEHOLD: &str = "alarm_control_panel,binary_sensor,climate,cover,fan,humidifier,input_boolean,input_select,lawn_mower,light,\
                                    lock,media_player,person,siren,switch,vacuum,valve,water_heater";

/// Whether states of this domain are behaviours.
pub(crate) fn is_household(domain: &str) -> bool {
    HOUSEHOLD.split(',').any(|known| known == domain)
}

/// Kinds of sensors (`device_class`) that say something of the device itself, not of the house.
const OF_ITSELF: [&str; 6] = [
    "battery",
    "battery_charging",
    "connectivity",
    "problem",
    "tamper",
    "update",
];

/// Whether a sensor of this kind says something of the device itself.
pub(crate) fn says_of_itself(class: &str) -> bool {
    OF_ITSELF.contains(&class)
}

/// Whether a state is a measured value.
pub(crate) fn is_measured(state: &str) -> bool {
    state.parse::<f64>().is_ok()
}

/// Properties of Zigbee2MQTT's messages that say something of the device itself, not of the house.
pub(crate) const OF_THE_DEVICE: [&str; 12] = [
    "last_seen",
    "update",
    "update_available",
    "color_mode",
    "power_on_behavior",
    "effect",
    "linkquality",
    "battery_low",
    "tamper",
    "test",
    "device",
    "friendly_name",
];

/// Those of which each message is a behaviour, not a state.
pub(crate) const PRESSED: [&str; 3] = ["action", "click", "event"];
