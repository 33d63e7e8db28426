//! What of a home automation's entities is of the household.

/// The domains whose states people change, or are changed by people being there.
pub(crate) const HOUSEHOLD: &str = "alarm_control_panel,binary_sensor,climate,cover,fan,humidifier,input_boolean,input_select,lawn_mower,light,\
                                    lock,media_player,person,siren,switch,vacuum,valve,water_heater";

/// Whether states of this domain are behaviours.
pub(crate) fn is_household(domain: &str) -> bool {
    HOUSEHOLD.split(',').any(|known| known == domain)
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
