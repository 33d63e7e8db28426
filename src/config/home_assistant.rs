//! Options of Home Assistant's websocket: where it is, who Hearth is there, which home it speaks of.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use clap::Args;
use hearth_operators::words::ShiftKind;

use super::Span;

/// A Home Assistant whose states are read by its websocket.
#[derive(Args, Clone, Debug)]
pub struct HomeAssistantOptions {
    /// A Home Assistant whose states are read, such as ws://homeassistant.local:8123 or wss://ha.example (over TLS)
    #[arg(long, env = "HEARTH_HOME_ASSISTANT", value_name = "URL")]
    pub home_assistant: Option<Hub>,

    /// A file that holds a long-lived access token: in Home Assistant, the profile of a user (who need not be an administrator),
    /// at its end
    #[arg(long, env = "HEARTH_HOME_ASSISTANT_TOKEN_FILE", value_name = "FILE")]
    pub home_assistant_token_file: Option<PathBuf>,

    /// A file with the certificates (PEM) that a Home Assistant over TLS is trusted by; none: those of the system
    #[arg(long, env = "HEARTH_HOME_ASSISTANT_CA", value_name = "FILE")]
    pub home_assistant_ca: Option<PathBuf>,

    /// The home that its states are of
    #[arg(
        long,
        env = "HEARTH_HOME_ASSISTANT_HOME",
        value_name = "NAME",
        default_value = "home",
        value_parser = clap::builder::NonEmptyStringValueParser::new()
    )]
    pub home_assistant_home: String,

    /// How far back its history is read at the first start, where it has any; later starts go on from where the last one ended
    #[arg(
        long,
        env = "HEARTH_HOME_ASSISTANT_HISTORY",
        value_name = "DURATION",
        default_value = "10days"
    )]
    pub home_assistant_history: Span,

    /// Entities whose states are contexts, as ENTITY=KIND, several with spaces between. Of the kinds season, schedule, occupancy and
    /// text each change is a declared shift; while one of the kind away says that nobody is there, or one of the kind guests
    /// that there are some, no alarm is raised, as in `sensor.season=season zone.home=away input_boolean.guests=guests`
    #[arg(
        long,
        env = "HEARTH_HOME_ASSISTANT_CONTEXTS",
        value_name = "ENTITY=KIND..."
    )]
    pub home_assistant_contexts: Option<ContextEntities>,
}

/// Where a Home Assistant listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hub {
    /// Name or address, with the port.
    pub authority: String,
    /// Whether it is spoken to over TLS.
    pub tls: bool,
    /// Where its websocket is there.
    pub path: String,
}

/// Where the websocket of a Home Assistant is.
const PATH: &str = "/api/websocket";

impl FromStr for Hub {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let refused = || {
            format!(
                "`{}` is no address of a Home Assistant; write ws://HOST:8123, or wss://HOST for TLS",
                text.rsplit('@').next().unwrap_or_default()
            )
        };
        let (tls, rest) = match text.split_once("://") {
            Some(("ws" | "http", rest)) => (false, rest),
            Some(("wss" | "https", rest)) => (true, rest),
            Some(_) => return Err(refused()),
            None => (false, text),
        };
        if rest.contains('@') {
            return Err(
                "an address of a Home Assistant holds no user and password: give --home-assistant-token-file"
                    .to_owned(),
            );
        }
        let (authority, path) = match rest.find('/') {
            Some(at) => rest.split_at(at),
            None => (rest, ""),
        };
        let (host, port) = match authority.rsplit_once(':') {
            Some((host, port)) if !port.ends_with(']') => (host, Some(port)),
            _ => (authority, None),
        };
        let odd = |c: char| c.is_whitespace() || c.is_control() || matches!(c, '?' | '#' | '\\');
        let is_bare_v6 = host.contains(':') && !host.starts_with('[');
        if host.is_empty() || is_bare_v6 || rest.contains(odd) {
            return Err(refused());
        }
        let usual = if tls { 443 } else { 8123 };
        let port: u16 = match port {
            Some(port) => port.parse().map_err(|_| refused())?,
            None => usual,
        };
        let path = match path.trim_end_matches('/') {
            "" => PATH,
            path => path,
        };
        Ok(Hub {
            authority: format!("{host}:{port}"),
            tls,
            path: path.to_owned(),
        })
    }
}

impl Hub {
    /// The address of its websocket.
    pub fn websocket(&self) -> String {
        let scheme = if self.tls { "wss" } else { "ws" };
        format!("{scheme}://{}{}", self.authority, self.path)
    }
}

impl fmt::Display for Hub {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let address = self.websocket();
        f.write_str(address.strip_suffix(PATH).unwrap_or(&address))
    }
}

/// What an entity's states say of a home.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ContextKind {
    /// A context; each change is a declared shift.
    Shift(ShiftKind),
    /// Whether nobody is there: `not_home`, `away`, `armed_away`, `on`, or no persons in a zone.
    Away,
    /// Whether guests are there: `on`, `guests`, or how many.
    Guests,
}

impl ContextKind {
    const ALL: [ContextKind; 6] = [
        ContextKind::Shift(ShiftKind::Season),
        ContextKind::Shift(ShiftKind::Schedule),
        ContextKind::Shift(ShiftKind::Occupancy),
        ContextKind::Shift(ShiftKind::Text),
        ContextKind::Away,
        ContextKind::Guests,
    ];

    /// As it is written.
    pub fn name(self) -> &'static str {
        match self {
            ContextKind::Shift(kind) => kind.name(),
            ContextKind::Away => "away",
            ContextKind::Guests => "guests",
        }
    }
}

/// Entities whose states are contexts, with what kind of context they are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ContextEntities(pub Vec<(String, ContextKind)>);

impl FromStr for ContextEntities {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut entities = Vec::new();
        for part in text.split_whitespace() {
            let (entity, kind) = part
                .split_once('=')
                .filter(|(entity, _)| entity.split('.').filter(|p| !p.is_empty()).count() == 2)
                .ok_or_else(|| {
                    format!("`{part}` is not written ENTITY=KIND, as in input_select.season=season")
                })?;
            let mut known = ContextKind::ALL.into_iter();
            let kind = known.find(|known| known.name() == kind).ok_or_else(|| {
                let names = ContextKind::ALL.map(ContextKind::name).join(", ");
                format!("`{part}`: kinds are {names}")
            })?;
            if entities.iter().any(|(known, _)| known == entity) {
                return Err(format!("`{entity}` is named twice"));
            }
            entities.push((entity.to_owned(), kind));
        }
        match entities.is_empty() {
            true => Err("it names nothing; write ENTITY=KIND".to_owned()),
            false => Ok(ContextEntities(entities)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_and_secrets_in_them_refused() {
        for (text, shown, websocket) in [
            (
                "homeassistant.local",
                "ws://homeassistant.local:8123",
                "ws://homeassistant.local:8123/api/websocket",
            ),
            (
                "http://10.0.0.2:8123/",
                "ws://10.0.0.2:8123",
                "ws://10.0.0.2:8123/api/websocket",
            ),
            (
                "https://ha.example",
                "wss://ha.example:443",
                "wss://ha.example:443/api/websocket",
            ),
            (
                "ws://[::1]:8123",
                "ws://[::1]:8123",
                "ws://[::1]:8123/api/websocket",
            ),
            (
                "ws://supervisor:80/core/websocket",
                "ws://supervisor:80/core/websocket",
                "ws://supervisor:80/core/websocket",
            ),
        ] {
            let hub: Hub = text.parse().unwrap();
            assert_eq!(hub.to_string(), shown);
            assert_eq!(hub.websocket(), websocket);
        }
        for text in [
            "mqtt://x", "ws://", "ws://a:b", "ws://a b", "::1", "ws://a?b",
        ] {
            assert!(text.parse::<Hub>().is_err(), "{text}");
        }
        let refused = "ws://me:secret@ha".parse::<Hub>().unwrap_err();
        assert!(refused.contains("token-file") && !refused.contains("secret"));
        let refused = "ftp://me:secret@ha".parse::<Hub>().unwrap_err();
        assert!(!refused.contains("secret"), "{refused}");
    }

    #[test]
    fn contexts_name_an_entity_and_a_kind() {
        let read: ContextEntities =
            "sensor.season=season input_select.shift=schedule zone.home=away"
                .parse()
                .unwrap();
        let season = ContextKind::Shift(ShiftKind::Season);
        assert_eq!(read.0[0], ("sensor.season".into(), season));
        assert_eq!(read.0[1].1, ContextKind::Shift(ShiftKind::Schedule));
        assert_eq!(read.0[2].1, ContextKind::Away);
        for text in [
            "",
            "season=season",
            "sensor.season",
            "sensor.season=weather",
            "sensor.season=drift",
            "a.b=text a.b=season",
        ] {
            assert!(text.parse::<ContextEntities>().is_err(), "{text}");
        }
    }
}
