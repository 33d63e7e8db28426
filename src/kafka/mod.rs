//! The connection to Kafka that the source and the sink each have: which brokers, who Hearth is there, whom it trusts, and that
//! no wait for them is for ever.

use std::sync::Arc;
use std::time::Duration;

use rskafka::BackoffConfig;
use rskafka::client::error::{Error, ProtocolError};
use rskafka::client::{Client, ClientBuilder, Credentials, SaslConfig};
use rumqttc::tokio_rustls::rustls::ClientConfig;
use tokio::time::timeout;

use crate::config::{Cluster, KafkaOptions, Sasl, UsageError};
use crate::remote::{secret, trusting};

/// The largest answer that is taken, in bytes.
const LARGEST: usize = 64 << 20;

/// How long brokers may take over an answer.
const PATIENCE: Duration = Duration::from_secs(15);

/// How Hearth calls itself.
const NAME: &str = "hearth";

/// Brokers, and how they are spoken to.
#[derive(Clone)]
pub(crate) struct Access {
    cluster: Cluster,
    trusting: Option<Arc<ClientConfig>>,
    sasl: Option<SaslConfig>,
}

impl Access {
    /// As the options say.
    ///
    /// # Errors
    /// A file that is named cannot be read, or the options contradict each other.
    pub fn new(cluster: &Cluster, options: &KafkaOptions) -> Result<Self, UsageError> {
        let trusting = match (cluster.tls, &options.kafka_ca) {
            (true, ca) => Some(trusting(ca.as_deref(), "--kafka-ca")?),
            (false, Some(_)) => {
                return Err(UsageError(format!(
                    "--kafka-ca is given, but {cluster} is not spoken to over TLS: write kafkas://"
                )));
            }
            (false, None) => None,
        };
        Ok(Access {
            cluster: cluster.clone(),
            trusting,
            sasl: sasl(cluster, options)?,
        })
    }

    /// What is wrong, in a few words, and what it may come of.
    pub fn explained(&self, error: &Error) -> String {
        let error = error.to_string();
        // What the client tried says nothing of why it failed.
        let told = error.rsplit("Retry exceeded deadline. Source: ").next();
        let told = told.unwrap_or_default();
        let broke = told.contains("early eof") || told.contains("reset by peer");
        let hint = match (self.trusting.is_some(), self.sasl.is_some()) {
            (true, _) if told.contains("Timeout") => "; is TLS spoken there (kafkas://)?",
            (false, false) if broke => {
                "; is TLS spoken there (kafkas://), or a user wanted (--kafka-user)?"
            }
            _ => "",
        };
        format!("{told}{hint}")
    }

    /// Connects.
    ///
    /// # Errors
    /// No broker answers as it should.
    pub async fn connect(&self) -> Result<Client, Error> {
        let builder = ClientBuilder::new(self.cluster.brokers.clone())
            .client_id(NAME)
            .max_message_size(LARGEST)
            .backoff_config(at_once());
        let builder = match &self.trusting {
            Some(trusting) => builder.tls_config(trusting.clone()),
            None => builder,
        };
        let builder = match &self.sasl {
            Some(sasl) => builder.sasl_config(sasl.clone()),
            None => builder,
        };
        patiently(builder.build()).await
    }
}

/// Waits for an answer, not for ever.
///
/// # Errors
/// It is none, or it does not come.
pub(crate) async fn patiently<T>(
    answer: impl Future<Output = Result<T, Error>>,
) -> Result<T, Error> {
    timeout(PATIENCE, answer)
        .await
        .unwrap_or(Err(Error::Timeout))
}

/// The partitions of a topic; none, where there is no such topic.
///
/// # Errors
/// The brokers do not say.
pub(crate) async fn partitions(client: &Client, topic: &str) -> Result<Vec<i32>, Error> {
    let topics = patiently(client.list_topics()).await?;
    let found = topics.into_iter().find(|found| found.name == topic);
    Ok(found.map_or_else(Vec::new, |found| found.partitions.into_iter().collect()))
}

/// Whether brokers have nothing at an offset.
pub(crate) fn is_out_of_range(error: &Error) -> bool {
    let protocol = match error {
        Error::ServerError { protocol_error, .. } => protocol_error,
        _ => return false,
    };
    *protocol == ProtocolError::OffsetOutOfRange
}

/// The client tries little by itself: who uses it says what is wrong, and tries for as long as it takes.
fn at_once() -> BackoffConfig {
    BackoffConfig {
        init_backoff: Duration::from_millis(50),
        max_backoff: Duration::from_millis(200),
        base: 2.0,
        deadline: Some(Duration::from_millis(300)),
    }
}

fn sasl(cluster: &Cluster, options: &KafkaOptions) -> Result<Option<SaslConfig>, UsageError> {
    let (user, file) = match (&options.kafka_user, &options.kafka_password_file) {
        (None, None) => return Ok(None),
        (Some(user), Some(file)) => (user.clone(), file),
        _ => {
            return Err(UsageError(
                "--kafka-user and --kafka-password-file belong together: give both, or neither"
                    .to_owned(),
            ));
        }
    };
    let credentials = Credentials::new(user, secret(file, "password")?);
    Ok(Some(match options.kafka_sasl {
        Sasl::Plain if !cluster.tls => {
            return Err(UsageError(format!(
                "--kafka-sasl plain would show the password to whoever listens on the way to {cluster}: write kafkas://, or \
                 --kafka-sasl scram-sha-512"
            )));
        }
        Sasl::Plain => SaslConfig::Plain(credentials),
        Sasl::ScramSha256 => SaslConfig::ScramSha256(credentials),
        Sasl::ScramSha512 => SaslConfig::ScramSha512(credentials),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{TopicUrl, options_of};

    fn refusal(url: &str, arguments: &[&str]) -> Option<String> {
        let url: TopicUrl = url.parse().unwrap();
        let options = options_of(arguments);
        let made = Access::new(&url.cluster, &options);
        made.err().map(|error| format!("{error:#}"))
    }

    #[test]
    fn faults_are_told_without_what_the_client_tried() {
        let explained = |url: &str, arguments: &[&str], text: &str| {
            let url: TopicUrl = url.parse().unwrap();
            let access = Access::new(&url.cluster, &options_of(arguments)).unwrap();
            access.explained(&Error::InvalidResponse(text.to_owned()))
        };
        let tried = "all retries failed: Retry exceeded deadline. Source: ";
        let twice = format!("{tried}Connection error: {tried}early eof");
        let told = explained("kafka://b/t", &[], &twice);
        assert!(told.starts_with("early eof; is TLS spoken"), "{told}");
        assert!(told.contains("--kafka-user"), "{told}");
        assert_eq!(
            explained("kafkas://b/t", &[], "early eof").find("; is"),
            None
        );
        let told = explained("kafkas://b/t", &[], "Timeout");
        assert!(told.ends_with("(kafkas://)?"), "{told}");
    }

    #[test]
    fn secrets_come_from_files_and_go_nowhere_unproven() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("password");
        std::fs::write(&file, "s3cret\n").unwrap();
        let password = format!("--kafka-password-file={}", file.display());
        let ca = format!("--kafka-ca={}", file.display());
        let (url, user) = ("kafka://b/t", "--kafka-user=me");
        assert_eq!(refusal(url, &[user, &password]), None);
        for (url, arguments, word) in [
            (url, vec![user], "belong together"),
            (url, vec![&*password], "belong together"),
            (
                url,
                vec![user, &password, "--kafka-sasl=plain"],
                "kafkas://",
            ),
            (url, vec![&*ca], "kafkas://"),
            ("kafkas://b/t", vec![&*ca], "no certificate"),
        ] {
            let error = refusal(url, &arguments).unwrap();
            assert!(error.contains(word) && !error.contains("s3cret"), "{error}");
        }
    }
}
