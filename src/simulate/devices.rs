//! The simulated catalog: what can stand in a home, what it can do, and which action closes which.

use hearth_operators::words::{Action, ActionId, Catalog, CatalogError, Device};

/// A device as the table writes it: name, share of homes that own it, actions. `off > on` means that `off` closes `on`.
pub(super) struct Entry(pub &'static str, pub f32, pub &'static [&'static str]);

/// Every device of the simulated world, in alphabetical order.
#[rustfmt::skip]
pub(super) const DEVICES: &[Entry] = &[
    Entry("AirConditioner", 0.6, &["switch on", "switch off > switch on", "setAirConditionerMode cool", "setAirConditionerMode dry", "setCoolingSetpoint", "setFanMode", "temperatureUp", "temperatureDown", "notification"]),
    Entry("AirPurifier", 0.4, &["switch on", "switch off > switch on", "setFanSpeed", "setAirPurifierMode auto", "setAirPurifierMode sleep", "notification"]),
    Entry("AlarmClock", 0.75, &["alarm set", "alarm snooze", "alarm dismiss"]),
    Entry("BathroomLight", 0.9, &["switch on", "switch off > switch on", "setLevel"]),
    Entry("BedroomLight", 0.9, &["switch on", "switch off > switch on", "setLevel", "setColorTemperature"]),
    Entry("Blind", 0.7, &["windowShade open", "windowShade close > windowShade open", "setShadeLevel", "presetPosition"]),
    Entry("Camera", 0.5, &["switch on", "switch off > switch on", "imageCapture take", "notification"]),
    Entry("ClothingCareMachine", 0.15, &["start", "stop > start", "notification"]),
    Entry("CoffeeMachine", 0.7, &["switch on", "switch off > switch on", "brew espresso", "brew filter", "notification"]),
    Entry("Computer", 0.7, &["switch on", "switch off > switch on", "refresh"]),
    Entry("Cooktop", 0.85, &["switch on", "switch off > switch on", "setLevel high", "setLevel low", "setTimer"]),
    Entry("Dishwasher", 0.65, &["start", "finish > start", "setProgram eco", "setProgram intensive", "notification"]),
    Entry("Dryer", 0.45, &["run", "finish > run", "pause", "setProgram cotton", "setProgram delicate"]),
    Entry("ElectricBlanket", 0.35, &["switch on", "switch off > switch on", "setLevel"]),
    Entry("ExhaustFan", 0.55, &["switch on", "switch off > switch on", "setFanSpeed"]),
    Entry("Fan", 0.55, &["switch on", "switch off > switch on", "setFanSpeed", "setOscillation"]),
    Entry("GameConsole", 0.35, &["switch on", "switch off > switch on", "start game"]),
    Entry("GarageDoor", 0.4, &["doorControl open", "doorControl close > doorControl open", "notification"]),
    Entry("Heater", 0.9, &["switch on", "switch off > switch on", "setHeatingSetpoint", "setHeaterMode eco", "setHeaterMode comfort", "temperatureUp", "temperatureDown", "notification"]),
    Entry("Humidifier", 0.45, &["switch on", "switch off > switch on", "setHumidity", "notification"]),
    Entry("Iron", 0.4, &["switch on", "switch off > switch on", "setLevel"]),
    Entry("Kettle", 0.7, &["switch on", "switch off > switch on"]),
    Entry("KitchenLight", 0.9, &["switch on", "switch off > switch on", "setLevel"]),
    Entry("Light", 1.0, &["switch on", "switch off > switch on", "setLevel", "setColor", "setColorTemperature", "setLightingMode", "refresh"]),
    Entry("Microwave", 0.6, &["start", "stop > start", "setPower"]),
    Entry("NetworkAudio", 0.5, &["mediaPlayback play", "mediaPlayback pause > mediaPlayback play", "mediaPlayback stop > mediaPlayback play", "nextTrack", "setVolume", "audioMute mute", "audioMute unmute > audioMute mute"]),
    Entry("Oven", 0.6, &["switch on", "switch off > switch on", "setTemperature", "setProgram", "notification"]),
    Entry("PetFeeder", 0.2, &["feed", "notification"]),
    Entry("Projector", 0.2, &["switch on", "switch off > switch on", "setInputSource", "setPictureMode"]),
    Entry("Refrigerator", 0.9, &["door open", "door close > door open", "powerCool activate", "powerCool deactivate > powerCool activate", "setCoolTemperature", "notification"]),
    Entry("RobotCleaner", 0.5, &["movement cleaning", "movement homing > movement cleaning", "movement pause", "setMode auto", "setMode part", "setTurbo on", "setTurbo silence", "notification"]),
    Entry("Siren", 0.3, &["alarm both", "alarm off > alarm both"]),
    Entry("SmartLock", 0.85, &["lock unlock", "lock lock > lock unlock", "notification", "refresh"]),
    Entry("SmartPlug", 0.5, &["switch on", "switch off > switch on", "refresh"]),
    Entry("Television", 0.85, &["switch on", "switch off > switch on", "setChannel", "setVolume", "volumeUp", "volumeDown", "audioMute mute", "audioMute unmute > audioMute mute", "setInputSource", "setPictureMode"]),
    Entry("Toothbrush", 0.4, &["switch on", "switch off > switch on"]),
    Entry("Washer", 0.8, &["run", "finish > run", "pause", "setProgram cotton", "setProgram quick", "notification"]),
    Entry("WaterHeater", 0.4, &["switch on", "switch off > switch on", "setTemperature"]),
    Entry("WaterValve", 0.25, &["valve open", "valve close > valve open"]),
    Entry("Window", 0.6, &["window open", "window close > window open", "setTilt"]),
];

/// What an action means for the state of its device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Another action closes it.
    Opens,
    /// It closes others.
    Closes,
    /// It changes a device that is open.
    Sets,
    /// It is possible at any time.
    Free,
}

/// The simulated catalog with the meaning of each action.
pub(super) struct World {
    /// The catalog as it is written.
    pub catalog: Catalog,
    kinds: Vec<Kind>,
    /// By device: its actions.
    actions: Vec<Vec<ActionId>>,
}

impl World {
    /// Builds the catalog of the table.
    ///
    /// # Errors
    /// The table contradicts itself (a test keeps it from that).
    pub fn new() -> Result<Self, CatalogError> {
        let catalog = Catalog::new(DEVICES.iter().map(device).collect())?;
        let mut actions = vec![Vec::new(); catalog.devices().len()];
        let mut closed = vec![false; catalog.actions()];
        for action in catalog.action_ids() {
            actions[usize::from(catalog.device_of(action).0)].push(action);
            for counterpart in catalog.closes(action) {
                closed[usize::from(counterpart.0)] = true;
            }
        }
        let kind = |action: ActionId| {
            let siblings = &actions[usize::from(catalog.device_of(action).0)];
            let name = catalog.action_name(action);
            if closed[usize::from(action.0)] {
                Kind::Opens
            } else if !catalog.closes(action).is_empty() {
                Kind::Closes
            } else if matches!(name, "notification" | "refresh")
                || !siblings.iter().any(|a| closed[usize::from(a.0)])
            {
                Kind::Free
            } else {
                Kind::Sets
            }
        };
        let kinds = catalog.action_ids().map(kind).collect();
        Ok(World {
            catalog,
            kinds,
            actions,
        })
    }

    /// What `action` means for its device.
    pub fn kind(&self, action: ActionId) -> Kind {
        self.kinds[usize::from(action.0)]
    }

    /// The position of an action's device.
    pub fn device(&self, action: ActionId) -> usize {
        usize::from(self.catalog.device_of(action).0)
    }

    /// The actions of the device at a position.
    pub fn actions(&self, device: usize) -> &[ActionId] {
        &self.actions[device]
    }

    /// The position of the device of that name in the table.
    pub fn named(&self, name: &str) -> Option<usize> {
        DEVICES.iter().position(|entry| entry.0 == name)
    }

    /// How many devices there are.
    pub fn devices(&self) -> usize {
        self.actions.len()
    }

    /// All actions of a kind on the devices at the given positions.
    pub fn of_kind(
        &self,
        devices: impl Iterator<Item = usize>,
        wanted: impl Fn(Kind) -> bool,
    ) -> Vec<ActionId> {
        devices
            .flat_map(|device| self.actions(device).iter().copied())
            .filter(|&action| wanted(self.kind(action)))
            .collect()
    }
}

fn device(entry: &Entry) -> Device {
    let action = |text: &&str| match text.split_once(" > ") {
        Some((name, closes)) => Action {
            closes: vec![closes.to_owned()],
            ..Action::new(name)
        },
        None => Action::new(*text),
    };
    Device::new(entry.0, entry.2.iter().map(action).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_a_catalog_of_the_size_of_the_papers() {
        let world = World::new().unwrap();
        assert!((35..=40).contains(&world.devices()), "{}", world.devices());
        let actions = world.catalog.actions();
        assert!((150..=220).contains(&actions), "{actions}");
        assert!(DEVICES.windows(2).all(|pair| pair[0].0 < pair[1].0));
    }

    #[test]
    fn kinds_follow_from_what_closes_what() {
        let world = World::new().unwrap();
        let kind = |device, action| world.kind(world.catalog.lookup(device, action).unwrap());
        assert_eq!(kind("Light", "switch on"), Kind::Opens);
        assert_eq!(kind("Light", "switch off"), Kind::Closes);
        assert_eq!(kind("Light", "setLevel"), Kind::Sets);
        assert_eq!(kind("Light", "refresh"), Kind::Free);
        assert_eq!(kind("PetFeeder", "feed"), Kind::Free);
    }
}
