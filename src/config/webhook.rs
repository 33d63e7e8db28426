//! Options of webhooks: who is told what is found out, by HTTP.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use clap::Args;

use super::streams::StreamNames;

/// A receiver of what is found out.
#[derive(Args, Clone, Debug)]
pub struct WebhookOptions {
    /// Where each line of the streams is posted as JSON, such as https://example.org/hearth; plain http:// to this machine or by
    /// --webhook-plain alone
    #[arg(long, env = "HEARTH_WEBHOOK", value_name = "URL")]
    pub webhook: Option<WebhookUrl>,

    /// Which streams it is told
    #[arg(
        long,
        env = "HEARTH_WEBHOOK_STREAMS",
        value_name = "STREAM...",
        default_value = "alarms drifts"
    )]
    pub webhook_streams: StreamNames,

    /// A file that holds the secret which messages are signed with (HMAC-SHA256)
    #[arg(long, env = "HEARTH_WEBHOOK_SECRET_FILE", value_name = "FILE")]
    pub webhook_secret_file: Option<PathBuf>,

    /// Whether messages may go to another machine unencrypted
    #[arg(
        long,
        env = "HEARTH_WEBHOOK_PLAIN",
        value_name = "BOOL",
        default_value = "false",
        action = clap::ArgAction::Set,
        value_parser = clap::builder::BoolishValueParser::new(),
    )]
    pub webhook_plain: bool,
}

/// Where a receiver listens. It shows itself without its path and query, which may hold a token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WebhookUrl {
    /// All of it.
    whole: String,
    /// What may be shown.
    shown: String,
    /// Whether it is on this machine.
    is_here: bool,
    /// Whether it is spoken to over TLS.
    tls: bool,
}

impl WebhookUrl {
    /// All of it: for whoever connects, never to be shown.
    pub fn whole(&self) -> &str {
        &self.whole
    }

    /// Whether what goes there can be read on the way.
    pub fn is_exposed(&self) -> bool {
        !self.tls && !self.is_here
    }
}

impl FromStr for WebhookUrl {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let refused = || "it is no address: write https://HOST/PATH".to_owned();
        let url: reqwest::Url = text.parse().map_err(|_| refused())?;
        if !matches!(url.scheme(), "https" | "http") {
            return Err(refused());
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(
                "the address of a webhook holds no user and password: messages are signed"
                    .to_owned(),
            );
        }
        let host = url.host_str().ok_or_else(refused)?;
        let address = host.trim_matches(['[', ']']).parse::<std::net::IpAddr>();
        let is_here = host == "localhost" || address.is_ok_and(|address| address.is_loopback());
        let port = url.port().map(|port| format!(":{port}"));
        Ok(WebhookUrl {
            shown: format!("{}://{host}{}", url.scheme(), port.unwrap_or_default()),
            is_here,
            tls: url.scheme() == "https",
            whole: url.into(),
        })
    }
}

impl fmt::Display for WebhookUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_and_shown_without_their_tokens() {
        for (text, shown, exposed) in [
            ("https://a.example/t/s3cret", "https://a.example", false),
            ("http://127.0.0.1:81/x?s3cret", "http://127.0.0.1:81", false),
            ("http://[::1]:81/", "http://[::1]:81", false),
            ("http://a.example/", "http://a.example", true),
        ] {
            let url: WebhookUrl = text.parse().unwrap();
            assert_eq!(
                (url.to_string().as_str(), url.is_exposed()),
                (shown, exposed)
            );
            assert_eq!(url.whole(), text);
        }
        for text in [
            "a.example",
            "ftp://a/s3cret",
            "https://me:s3cret@a/",
            "https://",
        ] {
            let refused = text.parse::<WebhookUrl>().unwrap_err();
            assert!(!refused.contains("s3cret"), "{refused}");
        }
    }
}
