//! Options of Kafka: which topics are read, and which are told what is found out.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use clap::{Args, ValueEnum};

use super::streams::StreamNames;

/// The port of a broker that names none.
const PORT: u16 = 9092;

/// The longest name of a topic.
const LONGEST_TOPIC: usize = 249;

/// What stands for a stream's name in a topic's.
const STREAM: &str = "{stream}";

/// Topics of Kafka, in and out.
#[derive(Args, Clone, Debug)]
pub struct KafkaOptions {
    /// Topics that are read, such as kafka://localhost:9092/events (over TLS: kafkas://), several with spaces between. Messages
    /// are events as JSON; the home of one that names none is the message's key. Each is taken exactly once, by partition and
    /// offset
    #[arg(long, env = "HEARTH_KAFKA_IN", value_name = "URL...")]
    pub kafka_in: Option<Topics>,

    /// Where a topic is begun that was never read
    #[arg(
        long,
        env = "HEARTH_KAFKA_FROM",
        value_name = "WHERE",
        default_value = "earliest"
    )]
    pub kafka_from: KafkaFrom,

    /// The topic that is told what is found out, such as kafka://localhost:9092/hearth.{stream}, where {stream} stands for the
    /// name of each stream. Keys are homes
    #[arg(long, env = "HEARTH_KAFKA_OUT", value_name = "URL")]
    pub kafka_out: Option<TopicUrl>,

    /// Which streams it is told
    #[arg(
        long,
        env = "HEARTH_KAFKA_STREAMS",
        value_name = "STREAM...",
        default_value = "alarms drifts"
    )]
    pub kafka_streams: StreamNames,

    /// The user that the brokers know Hearth by
    #[arg(long, env = "HEARTH_KAFKA_USER", value_name = "NAME")]
    pub kafka_user: Option<String>,

    /// A file that holds the user's password
    #[arg(long, env = "HEARTH_KAFKA_PASSWORD_FILE", value_name = "FILE")]
    pub kafka_password_file: Option<PathBuf>,

    /// How the password is shown (SASL)
    #[arg(
        long,
        env = "HEARTH_KAFKA_SASL",
        value_name = "MECHANISM",
        default_value = "scram-sha-512"
    )]
    pub kafka_sasl: Sasl,

    /// A file with the certificates (PEM) that brokers over TLS are trusted by; none: those of the system
    #[arg(long, env = "HEARTH_KAFKA_CA", value_name = "FILE")]
    pub kafka_ca: Option<PathBuf>,
}

/// Where a topic is begun.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum KafkaFrom {
    /// At the oldest message that there is
    Earliest,
    /// Behind the newest
    Latest,
}

/// How a password is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
#[allow(clippy::enum_variant_names, reason = "they are called so")]
pub enum Sasl {
    /// As it is: over TLS alone
    Plain,
    /// Proven, by SHA-256
    #[value(name = "scram-sha-256")]
    ScramSha256,
    /// Proven, by SHA-512
    #[value(name = "scram-sha-512")]
    ScramSha512,
}

/// Brokers that know each other.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Cluster {
    /// Some of them, as `host:port`.
    pub brokers: Vec<String>,
    /// Whether they are spoken to over TLS.
    pub tls: bool,
}

/// A topic, and where it is; the topic may hold `{stream}`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopicUrl {
    /// Where it is.
    pub cluster: Cluster,
    /// What it is called.
    pub topic: String,
}

impl TopicUrl {
    /// The topic of a stream.
    pub fn of(&self, stream: &str) -> String {
        self.topic.replace(STREAM, stream)
    }

    /// Whether each stream has a topic of its own.
    pub fn tells_streams_apart(&self) -> bool {
        self.topic.contains(STREAM)
    }
}

impl FromStr for TopicUrl {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let refused = |why: &str| {
            let shown = text.rsplit('@').next().unwrap_or_default();
            format!("`{shown}`: {why}")
        };
        let (tls, rest) = match text.split_once("://") {
            Some(("kafka", rest)) => (false, rest),
            Some(("kafkas", rest)) => (true, rest),
            _ => {
                return Err(refused(
                    "write kafka://HOST:PORT/TOPIC, or kafkas:// for TLS; several brokers have commas between",
                ));
            }
        };
        if rest.contains('@') {
            return Err(
                "the address of a topic holds no user and password: give --kafka-user and --kafka-password-file"
                    .to_owned(),
            );
        }
        let (brokers, topic) = rest
            .split_once('/')
            .ok_or_else(|| refused("it names no topic: write kafka://HOST:PORT/TOPIC"))?;
        let brokers = brokers.split(',').map(broker);
        let brokers: Option<Vec<String>> = brokers.collect();
        let brokers =
            brokers.ok_or_else(|| refused("a broker is a name or an address, and a port"))?;
        let name = topic.replace(STREAM, "");
        let plain = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
        let odd = matches!(topic, "" | "." | "..") || topic.len() > LONGEST_TOPIC;
        if odd || !name.chars().all(plain) {
            return Err(refused(
                "the name of a topic is of letters, digits, dots, dashes and underscores",
            ));
        }
        Ok(TopicUrl {
            cluster: Cluster { brokers, tls },
            topic: topic.to_owned(),
        })
    }
}

/// A broker with its port.
fn broker(text: &str) -> Option<String> {
    let (host, port) = match text.rsplit_once(':') {
        Some((host, port)) => (host, port.parse().ok().filter(|port: &u16| *port > 0)?),
        None => (text, PORT),
    };
    let plain = |c: char| c.is_ascii_alphanumeric() || ".-_".contains(c);
    (!host.is_empty() && host.chars().all(plain)).then(|| format!("{host}:{port}"))
}

impl fmt::Display for Cluster {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.tls { "kafkas" } else { "kafka" };
        write!(f, "{scheme}://{}", self.brokers.join(","))
    }
}

impl fmt::Display for TopicUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.cluster, self.topic)
    }
}

/// All topics that are read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Topics(pub Vec<TopicUrl>);

impl FromStr for Topics {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut topics: Vec<TopicUrl> = Vec::new();
        for topic in text.split_whitespace() {
            let topic: TopicUrl = topic.parse()?;
            if topic.tells_streams_apart() {
                return Err(format!(
                    "`{topic}`: {{stream}} is for --kafka-out; name each topic that is read"
                ));
            }
            if topics.iter().any(|other| other.topic == topic.topic) {
                return Err(format!(
                    "`{topic}`: two topics of one name are not read by one run, for positions are kept by name"
                ));
            }
            topics.push(topic);
        }
        match topics.is_empty() {
            true => Err("it names no topic; write kafka://HOST:PORT/TOPIC".to_owned()),
            false => Ok(Topics(topics)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn topics_are_read_and_secrets_in_them_refused() {
        for (text, shown) in [
            ("kafka://localhost/events", "kafka://localhost:9092/events"),
            ("kafkas://a,b:9093/x.y", "kafkas://a:9092,b:9093/x.y"),
            (
                "kafka://10.0.0.2:1/hearth.{stream}",
                "kafka://10.0.0.2:1/hearth.{stream}",
            ),
        ] {
            assert_eq!(text.parse::<TopicUrl>().unwrap().to_string(), shown);
        }
        for text in [
            "localhost/events",
            "http://x/y",
            "kafka://x",
            "kafka://x/",
            "kafka:///y",
            "kafka://x:0/y",
            "kafka://x:y/y",
            "kafka://x,/y",
            "kafka://x/a b",
            "kafka://x/a/b",
            "kafka://x/{home}",
            "kafka://x/..",
        ] {
            assert!(text.parse::<TopicUrl>().is_err(), "{text}");
        }
        for text in ["kafka://me:secret@x/y", "http://me:secret@x/y"] {
            let refused = text.parse::<TopicUrl>().unwrap_err();
            assert!(!refused.contains("secret"), "{refused}");
        }
    }

    #[test]
    fn topics_that_are_read_have_names_of_their_own() {
        let topics: Topics = "kafka://a/x\n  kafka://a/y".parse().unwrap();
        assert_eq!(topics.0.len(), 2);
        for text in ["", "kafka://a/x kafka://b/x", "kafka://a/{stream}"] {
            assert!(text.parse::<Topics>().is_err(), "{text}");
        }
    }
}
