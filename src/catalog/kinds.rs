//! What kinds of devices homes have, told by the words of their names, so that homes that name them differently share models.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, LazyLock};

use hearth_operators::words::Device;

use super::closings::meaning;
use crate::phrases::{Phrase, words};

/// One in so many homes of a cohort makes a name one that they share.
const SHARED: usize = 10;

/// Kinds, and phrases in a device's name that tell them; the first that fits counts.
const KINDS: &[(&str, &[&str])] = &[
    ("Lock", &["lock", "deadbolt"]),
    (
        "MotionSensor",
        &["motion", "pir", "occupancy", "presence", "movement"],
    ),
    ("SmokeDetector", &["smoke", "carbon monoxide"]),
    ("LeakSensor", &["leak", "flood", "water sensor"]),
    (
        "Light",
        &["light", "lamp", "bulb", "spotlight", "chandelier", "led"],
    ),
    ("Thermostat", &["thermostat", "trv"]),
    ("Heater", &["heater", "radiator", "heating", "boiler"]),
    (
        "AirConditioner",
        &[
            "air conditioner",
            "air conditioning",
            "aircon",
            "ac",
            "hvac",
        ],
    ),
    ("AirPurifier", &["air purifier"]),
    ("Dehumidifier", &["dehumidifier"]),
    ("Humidifier", &["humidifier"]),
    ("Fan", &["fan", "ventilator", "ventilation", "hood"]),
    ("Blind", &["blind", "curtain", "shade", "shutter", "cover"]),
    ("GarageDoor", &["garage", "gate"]),
    ("Dishwasher", &["dishwasher", "dish washer"]),
    ("WashingMachine", &["washer", "washing machine"]),
    ("Dryer", &["dryer"]),
    ("Oven", &["oven"]),
    ("Stove", &["stove", "cooktop", "hob", "burner"]),
    ("Microwave", &["microwave"]),
    ("Refrigerator", &["refrigerator", "fridge", "freezer"]),
    ("Kettle", &["kettle"]),
    (
        "CoffeeMachine",
        &["coffee", "coffee machine", "coffee maker"],
    ),
    ("VacuumCleaner", &["vacuum", "robot cleaner"]),
    ("TV", &["tv", "television"]),
    (
        "Speaker",
        &["speaker", "radio", "audio", "stereo", "media player"],
    ),
    ("Camera", &["camera"]),
    ("Doorbell", &["doorbell"]),
    ("Siren", &["siren", "alarm"]),
    ("Toilet", &["toilet"]),
    ("Shower", &["shower"]),
    ("Bed", &["bed"]),
    (
        "ContactSensor",
        &[
            "contact", "door", "window", "cupboard", "cabinet", "drawer", "reed",
        ],
    ),
    ("TemperatureSensor", &["temperature", "thermometer"]),
    ("HumiditySensor", &["humidity"]),
    ("Person", &["person", "device tracker"]),
    ("Plug", &["plug", "outlet", "socket"]),
    ("Switch", &["switch", "button", "relay", "input boolean"]),
    ("Climate", &["climate"]),
    ("BinarySensor", &["binary sensor"]),
    ("Sensor", &["sensor"]),
];

/// Prefixes of CASAS sensors, with a number behind.
const CASAS: &[(&str, &str)] = &[
    ("m", "MotionSensor"),
    ("ma", "MotionSensor"),
    ("d", "ContactSensor"),
    ("t", "TemperatureSensor"),
    ("l", "Light"),
    ("ls", "LightSensor"),
];

/// The devices of homes that have the same ones.
#[derive(Clone, Debug)]
pub struct Group {
    /// The name of one of them.
    pub home: Arc<str>,
    /// How many they are.
    pub homes: usize,
    /// Their devices.
    pub devices: Vec<Device>,
}

/// Fills in kinds and meanings where the catalogs of a cohort's homes give none.
///
/// A name that a tenth of the homes (at least two) give a device is a kind of its own: people agreed on what it is called. Else
/// the words of the name tell the kind. The same for actions and their meanings. What neither tells stays open. Since a home has
/// so many names only, few can be shared by a tenth: together the homes have at most ten times as many kinds as one.
pub fn describe(groups: &mut [Group]) {
    let shared = Shared::of(groups);
    let (mut kinds, mut meanings) = (
        Told::new(kind),
        Told::new(|name| Some(meaning(name)?.into())),
    );
    for Group { home, devices, .. } in groups {
        for device in devices {
            if device.kind.is_none() {
                let name = within(home, &device.name);
                let known = shared.devices.get(name).cloned();
                device.kind = known.or_else(|| kinds.of(name));
            }
            for action in device.actions.iter_mut().filter(|a| a.meaning.is_none()) {
                let known = shared.actions.get(&*action.name).cloned();
                action.meaning = known.or_else(|| meanings.of(&action.name));
            }
        }
    }
}

/// What names tell: each is asked once, and each text there once, however many homes there are.
struct Told<F> {
    tell: F,
    names: HashMap<String, Option<Arc<str>>>,
    texts: HashSet<Arc<str>>,
}

impl<F: Fn(&str) -> Option<Arc<str>>> Told<F> {
    fn new(tell: F) -> Self {
        let (names, texts) = Default::default();
        Told { tell, names, texts }
    }

    fn of(&mut self, name: &str) -> Option<Arc<str>> {
        if let Some(known) = self.names.get(name) {
            return known.clone();
        }
        let text = (self.tell)(name).map(|text| {
            let known = self.texts.get(&text).cloned();
            known.unwrap_or_else(|| {
                self.texts.insert(text.clone());
                text
            })
        });
        self.names.insert(name.to_owned(), text.clone());
        text
    }
}

/// Names that homes share.
struct Shared {
    devices: HashSet<Arc<str>>,
    actions: HashSet<Arc<str>>,
}

impl Shared {
    fn of(groups: &[Group]) -> Self {
        let homes: usize = groups.iter().map(|group| group.homes).sum();
        let enough = homes.div_ceil(SHARED).max(2);
        let (mut devices, mut actions) = (HashMap::new(), HashMap::new());
        for group in groups {
            let names = group.devices.iter().map(|d| within(&group.home, &d.name));
            count(&mut devices, names, group.homes);
            let names = group.devices.iter().flat_map(|d| &d.actions);
            count(&mut actions, names.map(|a| a.name.as_str()), group.homes);
        }
        let often = |names: HashMap<&str, usize>| {
            let often = names.into_iter().filter(|(_, homes)| *homes >= enough);
            often.map(|(name, _)| Arc::from(name)).collect()
        };
        Shared {
            devices: often(devices),
            actions: often(actions),
        }
    }
}

/// Counts each of some names once.
fn count<'a>(
    counts: &mut HashMap<&'a str, usize>,
    names: impl Iterator<Item = &'a str>,
    homes: usize,
) {
    for name in names.collect::<HashSet<_>>() {
        *counts.entry(name).or_default() += homes;
    }
}

/// A device's name without that of its home before it (`h-3/Light` of `h-3` is `Light`).
fn within<'a>(home: &str, device: &'a str) -> &'a str {
    let own = |c: char| !c.is_alphanumeric();
    let rest = device
        .strip_prefix(home)
        .filter(|rest| rest.starts_with(own));
    let rest = rest.map(|rest| rest.trim_start_matches(own));
    rest.filter(|rest| !rest.is_empty()).unwrap_or(device)
}

/// The kind that a device's name tells.
fn kind(name: &str) -> Option<Arc<str>> {
    static PHRASES: LazyLock<Vec<(Arc<str>, Vec<Phrase>)>> = LazyLock::new(|| {
        let phrases = |said: &[&str]| said.iter().filter_map(|said| Phrase::new(said)).collect();
        let kinds = KINDS
            .iter()
            .map(|(kind, said)| (Arc::from(*kind), phrases(said)));
        kinds.collect()
    });
    let words = words(name);
    if let [prefix, number, ..] = &words[..]
        && number.len() >= 2
        && number.chars().all(|c| c.is_ascii_digit())
        && let Some((_, kind)) = CASAS.iter().find(|(casas, _)| casas == prefix)
    {
        return Some(Arc::from(*kind));
    }
    let told = |phrases: &[Phrase]| phrases.iter().any(|phrase| phrase.within(&words));
    let found = PHRASES.iter().find(|(_, phrases)| told(phrases));
    found.map(|(kind, _)| kind.clone())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::device;

    #[test]
    fn names_tell_kinds() {
        for (name, expected) in [
            ("KitchenLamp2", Some("Light")),
            ("light.living_room", Some("Light")),
            ("switch.hall_lights", Some("Light")),
            ("switch.pump", Some("Switch")),
            ("binary_sensor.front_door", Some("ContactSensor")),
            ("binary_sensor.0x17", Some("BinarySensor")),
            ("zigbee2mqtt/hall/PIR", Some("MotionSensor")),
            ("FrontDoorLock", Some("Lock")),
            ("AC", Some("AirConditioner")),
            ("AirConditioner", Some("AirConditioner")),
            ("Bathroom radiator", Some("Heater")),
            ("M001", Some("MotionSensor")),
            ("D012", Some("ContactSensor")),
            ("T101", Some("TemperatureSensor")),
            ("TV", Some("TV")),
            ("0x00158d0001f2a3b4", None),
            ("D", None),
            ("backpack", None),
        ] {
            assert_eq!(kind(name).as_deref(), expected, "{name}");
        }
    }

    #[test]
    fn a_home_before_a_device_does_not_matter() {
        assert_eq!(within("h-3", "h-3/Light"), "Light");
        assert_eq!(within("h-3", "h-3 / Light"), "Light");
        assert_eq!(within("h-3", "h-30/Light"), "h-30/Light");
        assert_eq!(within("h-3", "h-3"), "h-3");
        assert_eq!(within("Li", "Light"), "Light");
    }

    fn group(home: &str, homes: usize, devices: &[(&str, &[&str])]) -> Group {
        let devices = devices.iter().map(|(name, actions)| {
            let actions = actions.iter().map(|a| (*a).to_owned());
            device((*name).to_owned(), actions.collect())
        });
        Group {
            home: home.into(),
            homes,
            devices: devices.collect(),
        }
    }

    fn told(group: &Group) -> Vec<(Option<&str>, Vec<Option<&str>>)> {
        let devices = group.devices.iter().map(|device| {
            let actions = device.actions.iter().map(|a| a.meaning.as_deref());
            (device.kind.as_deref(), actions.collect())
        });
        devices.collect()
    }

    #[test]
    fn shared_names_are_kinds_and_words_tell_the_others() {
        let mut groups = [
            group(
                "a",
                1,
                &[("Zither", &["pluck", "Switch ON"]), ("a/lamp", &["77"])],
            ),
            group("b", 1, &[("b/Zither", &["pluck"]), ("b/box", &["on 7"])]),
        ];
        describe(&mut groups);
        let zither = Some("Zither");
        assert_eq!(
            told(&groups[0]),
            [
                (zither, vec![Some("pluck"), Some("on")]),
                (Some("Light"), vec![None])
            ]
        );
        assert_eq!(
            told(&groups[1]),
            [(zither, vec![Some("pluck")]), (None, vec![None])]
        );
    }

    #[test]
    fn what_few_homes_name_is_not_shared_and_what_was_given_stays() {
        let mut given = group("a", 2, &[("Zither", &["pluck"])]);
        given.devices[0].kind = Some("Instrument".into());
        let mut groups = [given, group("b", 28, &[("Lamp", &["on"])])];
        describe(&mut groups);
        assert_eq!(told(&groups[0]), [(Some("Instrument"), vec![None])]);
        assert_eq!(told(&groups[1]), [(Some("Lamp"), vec![Some("on")])]);
    }
}
