//! The routines of a simulated day: chains of device actions, written once for all homes; each home bends them.

use hearth_operators::words::ActionId;

use super::devices::World;

/// Seasons as bits, so that a step can belong to several.
pub(super) type Seasons = u8;
/// Heating season.
pub(super) const WINTER: Seasons = 1;
/// Windows open, some cooling.
pub(super) const SPRING: Seasons = 2;
/// Cooling season.
pub(super) const SUMMER: Seasons = 4;
const WARM: Seasons = SPRING | SUMMER;
const ANY: Seasons = WINTER | WARM;

/// A routine, by its place in a person's day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Routine {
    /// Getting up.
    Wake,
    /// The first meal.
    Breakfast,
    /// Leaving the home; the last to leave closes what is open.
    Leave,
    /// A meal at midday, when somebody is there.
    Lunch,
    /// Coming home.
    Return,
    /// The main meal.
    Cook,
    /// The evening of whoever has the home to themselves, or shares it.
    Evening,
    /// The evening of a second person: television, music, more lights.
    Company,
    /// Going to bed; the last to go closes what is open.
    Bed,
    /// A walk through the dark.
    Night,
    /// Washing, on the home's own weekdays.
    Laundry,
    /// Cleaning, on the home's own weekdays.
    Cleaning,
}

/// All routines, by position.
pub(super) const ROUTINES: [Routine; 12] = [
    Routine::Wake,
    Routine::Breakfast,
    Routine::Leave,
    Routine::Lunch,
    Routine::Return,
    Routine::Cook,
    Routine::Evening,
    Routine::Company,
    Routine::Bed,
    Routine::Night,
    Routine::Laundry,
    Routine::Cleaning,
];

/// A step of a routine: what is done, how long after the step before, how often, in which seasons.
#[derive(Clone, Copy, Debug)]
pub(super) struct Step {
    /// What is done.
    pub action: ActionId,
    /// Typical seconds since the step before.
    pub after: f32,
    /// Probability, given that the step before was done.
    pub chance: f32,
    /// Seasons in which it is done.
    pub seasons: Seasons,
}

type Line = (&'static str, &'static str, f32, f32, Seasons);

#[rustfmt::skip]
const WAKE: &[Line] = &[
    ("AlarmClock", "alarm snooze", 0., 0.3, ANY),
    ("AlarmClock", "alarm dismiss", 300., 0.9, ANY),
    ("BedroomLight", "switch on", 40., 0.85, WINTER),
    ("ElectricBlanket", "switch off", 30., 0.9, WINTER),
    ("Heater", "switch on", 60., 0.9, WINTER),
    ("Heater", "setHeatingSetpoint", 15., 0.4, WINTER),
    ("Blind", "windowShade open", 60., 0.75, ANY),
    ("Blind", "setShadeLevel", 20., 0.6, WARM),
    ("Window", "window open", 40., 0.85, WARM),
    ("BathroomLight", "switch on", 180., 0.9, ANY),
    ("Toothbrush", "switch on", 240., 0.85, ANY),
    ("Toothbrush", "switch off", 120., 0.97, ANY),
    ("BathroomLight", "switch off", 300., 0.9, ANY),
    ("BedroomLight", "switch off", 60., 0.9, ANY),
];

#[rustfmt::skip]
const BREAKFAST: &[Line] = &[
    ("KitchenLight", "switch on", 0., 0.85, ANY),
    ("PetFeeder", "feed", 30., 0.9, ANY),
    ("CoffeeMachine", "switch on", 40., 0.9, ANY),
    ("CoffeeMachine", "brew espresso", 60., 0.85, ANY),
    ("Kettle", "switch on", 40., 0.55, ANY),
    ("Refrigerator", "door open", 60., 0.75, ANY),
    ("Refrigerator", "door close", 25., 0.98, ANY),
    ("Kettle", "switch off", 90., 0.97, ANY),
    ("NetworkAudio", "mediaPlayback play", 60., 0.35, ANY),
    ("CoffeeMachine", "switch off", 600., 0.9, ANY),
    ("KitchenLight", "switch off", 300., 0.85, ANY),
];

#[rustfmt::skip]
const LEAVE: &[Line] = &[
    ("Heater", "setHeaterMode eco", 0., 0.35, WINTER),
    ("Heater", "switch off", 30., 0.85, WINTER),
    ("Window", "window close", 30., 0.9, WARM),
    ("AirConditioner", "switch off", 30., 0.9, WARM),
    ("RobotCleaner", "setMode auto", 60., 0.3, ANY),
    ("Camera", "switch on", 30., 0.85, ANY),
    ("SmartLock", "lock unlock", 30., 0.9, ANY),
    ("GarageDoor", "doorControl open", 40., 0.6, ANY),
    ("SmartLock", "lock lock", 20., 0.98, ANY),
    ("GarageDoor", "doorControl close", 60., 0.97, ANY),
];

#[rustfmt::skip]
const LUNCH: &[Line] = &[
    ("KitchenLight", "switch on", 0., 0.5, WINTER),
    ("Refrigerator", "door open", 40., 0.85, ANY),
    ("Refrigerator", "door close", 20., 0.98, ANY),
    ("Microwave", "start", 60., 0.8, ANY),
    ("Microwave", "stop", 180., 0.98, ANY),
    ("CoffeeMachine", "switch on", 900., 0.5, ANY),
    ("CoffeeMachine", "brew filter", 60., 0.8, ANY),
    ("CoffeeMachine", "switch off", 500., 0.9, ANY),
    ("KitchenLight", "switch off", 60., 0.9, ANY),
];

#[rustfmt::skip]
const RETURN: &[Line] = &[
    ("GarageDoor", "doorControl open", 0., 0.55, ANY),
    ("GarageDoor", "doorControl close", 60., 0.97, ANY),
    ("SmartLock", "lock unlock", 30., 0.92, ANY),
    ("SmartLock", "lock lock", 25., 0.97, ANY),
    ("Camera", "switch off", 20., 0.9, ANY),
    ("Light", "switch on", 20., 0.9, ANY),
    ("Heater", "switch on", 60., 0.9, WINTER),
    ("Heater", "setHeaterMode comfort", 15., 0.4, WINTER),
    ("Window", "window open", 60., 0.7, SPRING),
    ("AirConditioner", "switch on", 40., 0.6, SPRING),
    ("AirConditioner", "switch on", 40., 0.92, SUMMER),
    ("AirConditioner", "setAirConditionerMode cool", 15., 0.6, WARM),
    ("AirConditioner", "setCoolingSetpoint", 15., 0.5, SUMMER),
    ("Fan", "switch on", 60., 0.5, SPRING),
    ("Fan", "switch on", 60., 0.8, SUMMER),
    ("Fan", "setFanSpeed", 20., 0.4, WARM),
    ("AirPurifier", "switch on", 60., 0.6, ANY),
];

#[rustfmt::skip]
const COOK: &[Line] = &[
    ("KitchenLight", "switch on", 0., 0.9, ANY),
    ("Refrigerator", "door open", 60., 0.9, ANY),
    ("Refrigerator", "door close", 25., 0.98, ANY),
    ("Oven", "switch on", 90., 0.35, ANY),
    ("Oven", "setTemperature", 20., 0.9, ANY),
    ("Cooktop", "switch on", 90., 0.85, ANY),
    ("ExhaustFan", "switch on", 20., 0.85, ANY),
    ("Cooktop", "setLevel low", 420., 0.5, ANY),
    ("Cooktop", "switch off", 700., 0.98, ANY),
    ("Oven", "switch off", 120., 0.98, ANY),
    ("ExhaustFan", "switch off", 60., 0.95, ANY),
    ("Dishwasher", "setProgram eco", 2400., 0.3, ANY),
    ("Dishwasher", "start", 30., 0.55, ANY),
    ("KitchenLight", "switch off", 120., 0.9, ANY),
    ("Dishwasher", "finish", 4800., 0.98, ANY),
];

#[rustfmt::skip]
const EVENING: &[Line] = &[
    ("Light", "setLevel", 0., 0.5, ANY),
    ("Humidifier", "switch on", 60., 0.7, WINTER),
    ("Television", "switch on", 60., 0.8, ANY),
    ("Television", "setChannel", 30., 0.7, ANY),
    ("Television", "setVolume", 20., 0.5, ANY),
    ("Computer", "switch on", 600., 0.45, ANY),
    ("AirConditioner", "temperatureDown", 600., 0.4, SUMMER),
    ("Heater", "temperatureUp", 600., 0.3, WINTER),
    ("Television", "setChannel", 1500., 0.45, ANY),
    ("Computer", "switch off", 1500., 0.9, ANY),
    ("Television", "switch off", 900., 0.8, ANY),
];

#[rustfmt::skip]
const COMPANY: &[Line] = &[
    ("Light", "setColor", 0., 0.6, ANY),
    ("NetworkAudio", "mediaPlayback play", 60., 0.85, ANY),
    ("NetworkAudio", "setVolume", 20., 0.6, ANY),
    ("NetworkAudio", "nextTrack", 240., 0.5, ANY),
    ("BedroomLight", "switch on", 200., 0.5, ANY),
    ("NetworkAudio", "mediaPlayback stop", 900., 0.9, ANY),
    ("Television", "switch on", 60., 0.9, ANY),
    ("Television", "setInputSource", 20., 0.6, ANY),
    ("GameConsole", "switch on", 30., 0.6, ANY),
    ("GameConsole", "start game", 40., 0.95, ANY),
    ("Television", "volumeUp", 300., 0.6, ANY),
    ("Projector", "switch on", 900., 0.3, ANY),
    ("GameConsole", "switch off", 1800., 0.95, ANY),
    ("Projector", "switch off", 1200., 0.95, ANY),
    ("Television", "switch off", 300., 0.9, ANY),
];

#[rustfmt::skip]
const BED: &[Line] = &[
    ("BathroomLight", "switch on", 0., 0.85, ANY),
    ("Toothbrush", "switch on", 120., 0.9, ANY),
    ("Toothbrush", "switch off", 120., 0.97, ANY),
    ("BathroomLight", "switch off", 120., 0.92, ANY),
    ("BedroomLight", "switch on", 30., 0.85, ANY),
    ("Blind", "windowShade close", 40., 0.9, ANY),
    ("Window", "window close", 40., 0.7, SPRING),
    ("ElectricBlanket", "switch on", 40., 0.8, WINTER),
    ("AlarmClock", "alarm set", 60., 0.8, ANY),
    ("Heater", "switch off", 40., 0.85, WINTER),
    ("Fan", "setOscillation", 40., 0.5, SUMMER),
    ("Light", "switch off", 60., 0.95, ANY),
    ("BedroomLight", "switch off", 300., 0.95, ANY),
];

#[rustfmt::skip]
const NIGHT: &[Line] = &[
    ("BathroomLight", "switch on", 0., 0.95, ANY),
    ("BathroomLight", "switch off", 200., 0.97, ANY),
];

#[rustfmt::skip]
const LAUNDRY: &[Line] = &[
    ("Washer", "setProgram cotton", 0., 0.6, ANY),
    ("Washer", "run", 40., 0.97, ANY),
    ("Washer", "finish", 4200., 0.98, ANY),
    ("Dryer", "run", 600., 0.85, WINTER),
    ("Dryer", "run", 600., 0.4, WARM),
    ("Dryer", "finish", 3600., 0.98, ANY),
    ("Iron", "switch on", 900., 0.35, ANY),
    ("Iron", "switch off", 1200., 0.98, ANY),
];

#[rustfmt::skip]
const CLEANING: &[Line] = &[
    ("RobotCleaner", "movement cleaning", 0., 0.95, ANY),
    ("RobotCleaner", "setTurbo on", 60., 0.3, ANY),
    ("SmartPlug", "switch on", 200., 0.4, ANY),
    ("SmartPlug", "switch off", 1200., 0.97, ANY),
    ("RobotCleaner", "movement homing", 1800., 0.98, ANY),
];

/// Devices that are closed when the last person leaves or goes to bed: what a careful person switches off.
pub(super) const SWEPT: [&str; 18] = [
    "AirConditioner",
    "AirPurifier",
    "BathroomLight",
    "BedroomLight",
    "CoffeeMachine",
    "Computer",
    "Cooktop",
    "ExhaustFan",
    "Fan",
    "GameConsole",
    "Heater",
    "Humidifier",
    "KitchenLight",
    "Light",
    "NetworkAudio",
    "Oven",
    "Projector",
    "Television",
];

/// Devices that come with a second person.
pub(super) const COMPANIONS: [&str; 4] = ["GameConsole", "NetworkAudio", "Projector", "Television"];

/// The actions that make no sense in a season, as device and action.
pub(super) fn against(season: Seasons) -> &'static [(&'static str, &'static str)] {
    if season == WINTER {
        &[
            ("AirConditioner", "switch on"),
            ("AirConditioner", "setCoolingSetpoint"),
            ("AirConditioner", "setAirConditionerMode cool"),
            ("Fan", "switch on"),
            ("Fan", "setOscillation"),
        ]
    } else {
        &[
            ("Heater", "switch on"),
            ("Heater", "setHeatingSetpoint"),
            ("Heater", "temperatureUp"),
            ("ElectricBlanket", "switch on"),
            ("Humidifier", "switch on"),
        ]
    }
}

impl Routine {
    fn lines(self) -> &'static [Line] {
        match self {
            Self::Wake => WAKE,
            Self::Breakfast => BREAKFAST,
            Self::Leave => LEAVE,
            Self::Lunch => LUNCH,
            Self::Return => RETURN,
            Self::Cook => COOK,
            Self::Evening => EVENING,
            Self::Company => COMPANY,
            Self::Bed => BED,
            Self::Night => NIGHT,
            Self::Laundry => LAUNDRY,
            Self::Cleaning => CLEANING,
        }
    }

    /// Its steps, with ids. A test keeps the tables within the catalog.
    pub fn steps(self, world: &World) -> Vec<Step> {
        self.lines()
            .iter()
            .filter_map(|&(device, action, after, chance, seasons)| {
                Some(Step {
                    action: world.catalog.lookup(device, action)?,
                    after,
                    chance,
                    seasons,
                })
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_in_the_tables_is_in_the_catalog() {
        let world = World::new().unwrap();
        for routine in ROUTINES {
            for (device, action, ..) in routine.lines() {
                assert!(
                    world.catalog.lookup(device, action).is_some(),
                    "{device}:{action}"
                );
            }
        }
        for (device, action) in against(WINTER).iter().chain(against(SUMMER)) {
            assert!(
                world.catalog.lookup(device, action).is_some(),
                "{device}:{action}"
            );
        }
        for device in SWEPT.iter().chain(&COMPANIONS) {
            assert!(world.named(device).is_some(), "{device}");
        }
    }

    #[test]
    fn routines_stand_at_their_position() {
        for (position, &routine) in ROUTINES.iter().enumerate() {
            assert_eq!(routine as usize, position);
        }
    }
}
