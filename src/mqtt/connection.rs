//! From the options to what the client connects with.

use std::path::Path;
use std::time::Duration;

use rumqttc::v5::mqttbytes::v5::{ConnectProperties, ConnectReturnCode};
use rumqttc::v5::{ConnectionError, MqttOptions as Connection};
use rumqttc::{TlsConfiguration, Transport};

use crate::config::{Broker, MqttOptions, UsageError, refuse_alone};
use crate::remote::{secret, trusting};

/// The largest message that a broker gives, in bytes; it keeps larger ones to itself.
const LARGEST: u32 = 1 << 20;

/// For how long a broker that hears nothing keeps the session, and what comes for it meanwhile.
const SESSION: Duration = Duration::from_secs(30 * 24 * 3600);

/// Silence after which the connection is tried.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// How long a connection may take to be made, in seconds.
const PATIENCE: u64 = 10;

/// What a client connects with, as this `end` (`in` or `out`) of a run whose outputs are in `out`; `None`: no broker is named.
///
/// # Errors
/// A file that is named cannot be read, or holds no password or certificate; the options contradict each other.
pub(crate) fn connection(
    options: &MqttOptions,
    end: &str,
    out: &Path,
) -> Result<Option<(Broker, Connection)>, UsageError> {
    let Some(broker) = &options.mqtt else {
        let alone = [
            ("--mqtt-in", options.mqtt_in.is_some()),
            ("--mqtt-user", options.mqtt_user.is_some()),
            ("--mqtt-password-file", options.mqtt_password_file.is_some()),
            ("--mqtt-ca", options.mqtt_ca.is_some()),
            ("--mqtt-client-id", options.mqtt_client_id.is_some()),
        ];
        return refuse_alone(&alone, "--mqtt").map(|()| None);
    };
    let name = match &options.mqtt_client_id {
        Some(name) => name.clone(),
        None => usual_name(out),
    };
    let mut connection = Connection::new(format!("{name}-{end}"), &broker.host, broker.port);
    let mut properties = ConnectProperties::new();
    properties.max_packet_size = Some(LARGEST);
    connection
        .set_connect_properties(properties)
        .set_session_expiry_interval(Some(SESSION.as_secs() as u32))
        .set_keep_alive(KEEP_ALIVE)
        .set_connection_timeout(PATIENCE);
    if let Some(user) = &options.mqtt_user {
        let password = match &options.mqtt_password_file {
            Some(file) => secret(file, "password")?,
            None => String::new(),
        };
        connection.set_credentials(user, password);
    } else if options.mqtt_password_file.is_some() {
        return Err(UsageError(
            "--mqtt-password-file is given, but no --mqtt-user whose password it is".to_owned(),
        ));
    }
    if broker.tls {
        let trusting = trusting(options.mqtt_ca.as_deref(), "--mqtt-ca")?;
        connection.set_transport(Transport::Tls(TlsConfiguration::Rustls(trusting)));
    } else if options.mqtt_ca.is_some() {
        return Err(UsageError(format!(
            "--mqtt-ca is given, but {broker} is not spoken to over TLS: write mqtts://"
        )));
    }
    Ok(Some((broker.clone(), connection)))
}

/// Why there is no connection, with what helps.
pub(crate) fn trouble(error: &ConnectionError) -> String {
    use ConnectReturnCode::{BadUserNamePassword, NotAuthorized};
    match error {
        ConnectionError::ConnectionRefused(NotAuthorized | BadUserNamePassword) => {
            "it does not know this user or password (--mqtt-user, --mqtt-password-file)".to_owned()
        }
        other => other.to_string(),
    }
}

/// The same at each start of the same run, and another for each run that may share a broker.
fn usual_name(out: &Path) -> String {
    let out = std::path::absolute(out).unwrap_or_else(|_| out.to_owned());
    let machine = std::fs::read("/etc/hostname").unwrap_or_default();
    let mut sum = crc32fast::Hasher::new();
    sum.update(&machine);
    sum.update(out.as_os_str().as_encoded_bytes());
    format!("hearth-{:08x}", sum.finalize())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::options_of;

    #[test]
    fn a_user_that_is_not_known_is_told_which_options_say_who_it_is() {
        let refused = |code| trouble(&ConnectionError::ConnectionRefused(code));
        assert!(refused(ConnectReturnCode::NotAuthorized).contains("--mqtt-user"));
        assert!(refused(ConnectReturnCode::ServerBusy).contains("ServerBusy"));
    }

    #[test]
    fn secrets_come_from_files_and_errors_do_not_show_them() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("password");
        std::fs::write(&file, "s3cret\n").unwrap();
        let path = file.to_str().unwrap();
        let made = |arguments: &[&str], end| {
            let made = connection(&options_of(arguments), end, folder.path());
            made.map(|made| made.map(|(_, connection)| connection))
        };
        let plain = "--mqtt=mqtt://b";
        let known = [plain, "--mqtt-user=me", "--mqtt-password-file", path];
        let first = made(&known, "in").unwrap().unwrap();
        assert_eq!(first.credentials().unwrap().password, "s3cret");
        let again = made(&known, "in").unwrap().unwrap();
        assert_eq!(first.client_id(), again.client_id());
        let other = made(&known, "out").unwrap().unwrap();
        assert_ne!(first.client_id(), other.client_id());
        assert!(made(&[], "in").unwrap().is_none());
        for (arguments, word) in [
            (vec![plain, "--mqtt-password-file", path], "--mqtt-user"),
            (vec![plain, "--mqtt-ca", path], "mqtts://"),
            (
                vec!["--mqtt=mqtts://b", "--mqtt-ca", path],
                "no certificate",
            ),
            (vec!["--mqtt-in=events:x"], "no --mqtt "),
            (vec!["--mqtt-user=me"], "no --mqtt "),
        ] {
            let UsageError(error) = made(&arguments, "in").unwrap_err();
            assert!(error.contains(word) && !error.contains("s3cret"), "{error}");
        }
    }
}
