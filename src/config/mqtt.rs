//! Options of MQTT: which broker, what is read of it, what is told to it.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use clap::Args;

/// An MQTT broker, and what goes in and out by it.
#[derive(Args, Clone, Debug)]
pub struct MqttOptions {
    /// An MQTT 5 broker, such as mqtt://localhost or mqtts://broker.example:8883 (over TLS)
    #[arg(long, env = "HEARTH_MQTT", value_name = "URL")]
    pub mqtt: Option<Broker>,

    /// What is read of the broker: SHAPE:TOPIC, several with spaces between. Shapes: `zigbee2mqtt:BASE`, `statestream:BASE` (Home
    /// Assistant's), `events:TOPIC` (events as JSON), and for anything else `state:TOPIC=POINTER` (of which each change is a
    /// behaviour) and `press:TOPIC=POINTER` (of which each message is one), where POINTER says where in the JSON the action stands,
    /// such as /value. A level of a topic may be {home} or {device}
    #[arg(long, env = "HEARTH_MQTT_IN", value_name = "SHAPE:TOPIC...")]
    pub mqtt_in: Option<Routes>,

    /// The home that behaviours are of whose topic names none
    #[arg(
        long,
        env = "HEARTH_MQTT_HOME",
        value_name = "NAME",
        default_value = "home"
    )]
    pub mqtt_home: String,

    /// Whether alarms, drifts, next actions and what was learnt are told to the broker
    #[arg(
        long,
        env = "HEARTH_MQTT_OUT",
        value_name = "BOOL",
        default_value = "true",
        action = clap::ArgAction::Set,
        value_parser = clap::builder::BoolishValueParser::new(),
    )]
    pub mqtt_out: bool,

    /// What topics begin with that are told to the broker; another for each Hearth that shares it
    #[arg(long, env = "HEARTH_MQTT_PREFIX", value_name = "NAME", default_value = "hearth", value_parser = level)]
    pub mqtt_prefix: String,

    /// What Home Assistant's discovery topics begin with, as set there; off: it is told of no entities
    #[arg(
        long,
        env = "HEARTH_MQTT_DISCOVERY",
        value_name = "PREFIX",
        default_value = "homeassistant",
        value_parser = prefix
    )]
    pub mqtt_discovery: String,

    /// The user that the broker knows Hearth by
    #[arg(long, env = "HEARTH_MQTT_USER", value_name = "NAME")]
    pub mqtt_user: Option<String>,

    /// A file that holds the user's password
    #[arg(long, env = "HEARTH_MQTT_PASSWORD_FILE", value_name = "FILE")]
    pub mqtt_password_file: Option<PathBuf>,

    /// A file with the certificates (PEM) that a broker over TLS is trusted by; none: those of the system
    #[arg(long, env = "HEARTH_MQTT_CA", value_name = "FILE")]
    pub mqtt_ca: Option<PathBuf>,

    /// The name of Hearth's session at the broker, which keeps there what comes while Hearth is away; none: one that is made of the
    /// machine's name and the output folder's
    #[arg(long, env = "HEARTH_MQTT_CLIENT_ID", value_name = "NAME")]
    pub mqtt_client_id: Option<String>,
}

/// Where a broker listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Broker {
    /// Name or address.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// Whether it is spoken to over TLS.
    pub tls: bool,
}

impl FromStr for Broker {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let refused = || {
            format!(
                "`{}` is no address of a broker; write mqtt://HOST, or mqtts://HOST for TLS, with :PORT where it is not 1883 or 8883",
                text.rsplit('@').next().unwrap_or_default()
            )
        };
        let (tls, rest) = match text.split_once("://") {
            Some(("mqtt" | "tcp", rest)) => (false, rest),
            Some(("mqtts" | "ssl", rest)) => (true, rest),
            Some(_) => return Err(refused()),
            None => (false, text),
        };
        let rest = rest.strip_suffix('/').unwrap_or(rest);
        if rest.contains('@') {
            return Err(
                "a broker's address holds no user and password: give --mqtt-user and --mqtt-password-file"
                    .to_owned(),
            );
        }
        let bracketed = rest
            .strip_prefix('[')
            .and_then(|rest| rest.split_once(']'))
            .map(|(host, port)| (host, port.strip_prefix(':')));
        let (host, port) = match bracketed {
            Some(parts) => parts,
            None => match rest.split_once(':') {
                Some((host, port)) => (host, Some(port)),
                None => (rest, None),
            },
        };
        let usual = if tls { 8883 } else { 1883 };
        let port = match port {
            Some(port) => port.parse().ok().filter(|port| *port > 0),
            None => Some(usual),
        };
        let odd = |c: char| c.is_whitespace() || c == '/' || c.is_control();
        match port {
            Some(port) if !host.is_empty() && !host.contains(odd) => Ok(Broker {
                host: host.to_owned(),
                port,
                tls,
            }),
            _ => Err(refused()),
        }
    }
}

impl fmt::Display for Broker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.tls { "mqtts" } else { "mqtt" };
        match self.host.contains(':') {
            true => write!(f, "{scheme}://[{}]:{}", self.host, self.port),
            false => write!(f, "{scheme}://{}:{}", self.host, self.port),
        }
    }
}

/// What messages of a topic look like.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Shape {
    /// Events as JSON, as a log has them.
    Events,
    /// What Zigbee2MQTT says below its base topic.
    Zigbee2Mqtt,
    /// What Home Assistant's `mqtt_statestream` says below its base topic.
    StateStream,
    /// A state, at this JSON pointer.
    State(String),
    /// Something that happens, at this JSON pointer.
    Press(String),
}

/// A level of a topic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Level {
    /// These words.
    Is(String),
    /// The home's name.
    Home,
    /// The device's name.
    Device,
    /// Whatever.
    Any,
    /// Whatever comes from here on.
    Rest,
}

/// Messages that are read: of which topics, and what they look like.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    /// What they look like.
    pub shape: Shape,
    /// Of which topics.
    pub levels: Vec<Level>,
}

/// What a topic says by its place in a route.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Place<'a> {
    /// The home, where it names one.
    pub home: Option<&'a str>,
    /// The device, where it names one.
    pub device: Option<&'a str>,
    /// What is below the route's base.
    pub rest: &'a str,
}

impl Route {
    /// The filter by which a broker gives its messages.
    pub fn filter(&self) -> String {
        let level = |level: &Level| match level {
            Level::Is(words) => words.clone(),
            Level::Home | Level::Device | Level::Any => "+".to_owned(),
            Level::Rest => "#".to_owned(),
        };
        let levels: Vec<String> = self.levels.iter().map(level).collect();
        levels.join("/")
    }

    /// The place of a topic in it, if it is one of its topics.
    pub fn place<'a>(&self, topic: &'a str) -> Option<Place<'a>> {
        let mut place = Place::default();
        let mut rest = Some(topic);
        for level in &self.levels {
            if *level == Level::Rest {
                place.rest = rest.unwrap_or_default();
                return Some(place);
            }
            let (here, below) = match rest?.split_once('/') {
                Some((here, below)) => (here, Some(below)),
                None => (rest?, None),
            };
            match level {
                Level::Is(words) if words != here => return None,
                Level::Home => place.home = Some(here),
                Level::Device => place.device = Some(here),
                _ => {}
            }
            rest = below;
        }
        rest.is_none().then_some(place)
    }
}

impl FromStr for Route {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let refused = |why: &str| format!("`{text}`: {why}");
        let (shape, topic) = text.split_once(':').ok_or_else(|| {
            refused("it is not written SHAPE:TOPIC, as in zigbee2mqtt:zigbee2mqtt")
        })?;
        let (topic, pointer) = match topic.split_once('=') {
            Some((topic, pointer)) => (topic, Some(pointer)),
            None => (topic, None),
        };
        let at = pointer.unwrap_or_default().to_owned();
        if !at.is_empty() && !at.starts_with('/') {
            return Err(refused("a JSON pointer begins with a slash, as in /value"));
        }
        let based = matches!(shape, "zigbee2mqtt" | "statestream");
        let shape = match shape {
            "events" => Shape::Events,
            "zigbee2mqtt" => Shape::Zigbee2Mqtt,
            "statestream" => Shape::StateStream,
            "state" => Shape::State(at),
            "press" => Shape::Press(at),
            _ => {
                return Err(refused(
                    "shapes are events, zigbee2mqtt, statestream, state and press",
                ));
            }
        };
        if pointer.is_some() && !matches!(shape, Shape::State(_) | Shape::Press(_)) {
            return Err(refused("only `state` and `press` take a JSON pointer"));
        }
        let topic = topic.trim_end_matches('/');
        let mut levels = Vec::new();
        for level in topic.split('/') {
            levels.push(match level {
                _ if levels.contains(&Level::Rest) => {
                    return Err(refused("nothing comes behind `#` in a topic"));
                }
                "{home}" => Level::Home,
                "{device}" => Level::Device,
                "+" => Level::Any,
                "#" => Level::Rest,
                words if words.contains(['+', '#', '{', '}', '\0']) => {
                    return Err(refused(
                        "a level of a topic is a name, {home}, {device}, + or #",
                    ));
                }
                words => Level::Is(words.to_owned()),
            });
        }
        if topic.is_empty() || topic.starts_with("$share") {
            return Err(refused("it names no topic"));
        }
        if matches!(shape, Shape::State(_) | Shape::Press(_)) && !levels.contains(&Level::Device) {
            return Err(refused("one level of the topic must be {device}"));
        }
        if based && levels.last() != Some(&Level::Rest) {
            levels.push(Level::Rest);
        }
        Ok(Route { shape, levels })
    }
}

/// All that is read of a broker; of routes that both have a topic the first counts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Routes(pub Vec<Route>);

impl FromStr for Routes {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let routes = text.split_whitespace().map(str::parse);
        let routes: Vec<Route> = routes.collect::<Result<_, _>>()?;
        match routes.is_empty() {
            true => {
                Err("it names nothing; write SHAPE:TOPIC, as in zigbee2mqtt:zigbee2mqtt".into())
            }
            false => Ok(Routes(routes)),
        }
    }
}

/// A level of a topic, as an option.
fn level(text: &str) -> Result<String, String> {
    match text.is_empty() || text.contains(['/', '+', '#', '\0', '$']) {
        true => Err(format!(
            "`{text}` is no level of a topic: a name without /, +, # and $"
        )),
        false => Ok(text.to_owned()),
    }
}

/// The beginning of topics, as an option.
fn prefix(text: &str) -> Result<String, String> {
    let text = text.trim_end_matches('/');
    for part in text.split('/') {
        level(part)?;
    }
    Ok(text.to_owned())
}

impl MqttOptions {
    /// What Home Assistant's discovery topics begin with, if it is to be told.
    pub fn discovery(&self) -> Option<&str> {
        Some(self.mqtt_discovery.as_str()).filter(|prefix| *prefix != "off")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn brokers_are_read_and_secrets_in_them_refused() {
        for (text, shown) in [
            ("mqtt://localhost", "mqtt://localhost:1883"),
            ("broker.lan", "mqtt://broker.lan:1883"),
            ("mqtts://broker.lan/", "mqtts://broker.lan:8883"),
            ("mqtt://[::1]:1884", "mqtt://[::1]:1884"),
            ("10.0.0.2:1885", "mqtt://10.0.0.2:1885"),
        ] {
            assert_eq!(text.parse::<Broker>().unwrap().to_string(), shown);
        }
        for text in [
            "http://x",
            "mqtt://",
            "mqtt://x:0",
            "mqtt://x:y",
            "mqtt://a b",
        ] {
            assert!(text.parse::<Broker>().is_err(), "{text}");
        }
        let refused = "mqtt://me:secret@broker".parse::<Broker>().unwrap_err();
        assert!(refused.contains("--mqtt-user") && !refused.contains("secret"));
        let refused = "http://me:secret@broker".parse::<Broker>().unwrap_err();
        assert!(!refused.contains("secret"), "{refused}");
    }

    #[test]
    fn routes_say_what_a_topic_names() {
        let routes: Routes =
            "zigbee2mqtt:zigbee2mqtt\n state:acme/{home}/{device}/state=/value events:in/#"
                .parse()
                .unwrap();
        let [zigbee, acme, events] = &routes.0[..] else {
            panic!("{routes:?}");
        };
        assert_eq!(zigbee.filter(), "zigbee2mqtt/#");
        assert_eq!(zigbee.place("zigbee2mqtt/a/b").unwrap().rest, "a/b");
        assert_eq!(zigbee.place("zigbee2mqttx/a"), None);
        assert_eq!(acme.filter(), "acme/+/+/state");
        let place = acme.place("acme/h1/door/state").unwrap();
        assert_eq!((place.home, place.device), (Some("h1"), Some("door")));
        assert_eq!(acme.place("acme/h1/door"), None);
        assert_eq!(acme.place("acme/h1/door/state/x"), None);
        assert_eq!(events.place("in").unwrap().rest, "");
        for text in [
            "zigbee",
            "acme:x",
            "state:x/{home}",
            "state:x/{device}=value",
            "events:x=/y",
            "events:#/x",
            "events:a{home}b",
            "events:",
            "",
        ] {
            assert!(text.parse::<Routes>().is_err(), "{text}");
        }
    }
}
