//! Where a server listens.

use std::fmt;
use std::str::FromStr;

use reqwest::Url;

use crate::config::UsageError;

/// The address of a server's chat completions.
#[derive(Clone, PartialEq, Eq)]
pub struct Endpoint(Url);

impl FromStr for Endpoint {
    type Err = UsageError;

    /// From the server's base address: with or without `/v1`, or any other path that its chat completions lie under.
    fn from_str(text: &str) -> Result<Self, UsageError> {
        let wrong = |what: &str| {
            UsageError(format!(
                "this is no address of a server: {what}; write it like http://127.0.0.1:8080/v1"
            ))
        };
        let mut url = Url::parse(text.trim()).map_err(|error| wrong(&error.to_string()))?;
        if !matches!(url.scheme(), "http" | "https") || url.host().is_none() {
            return Err(wrong(
                "it must begin with http:// or https:// and name a host",
            ));
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(UsageError(
                "the server's address holds a user or a password: a key belongs into a file or into HEARTH_LLM_KEY"
                    .to_owned(),
            ));
        }
        url.set_fragment(None);
        let path = match url.path().trim_end_matches('/') {
            "" => "/v1/chat/completions".to_owned(),
            path if path.ends_with("/chat/completions") => path.to_owned(),
            path => format!("{path}/chat/completions"),
        };
        url.set_path(&path);
        if path.contains("/openai/deployments/") && !has_version(&url) {
            return Err(wrong(
                "Azure's deployments ask for a version behind it, as in ?api-version=2024-10-21",
            ));
        }
        Ok(Endpoint(url))
    }
}

/// Whether an address has Azure's `api-version`.
fn has_version(url: &Url) -> bool {
    url.query_pairs().any(|(name, _)| name == "api-version")
}

/// Without the query: some servers take keys there.
impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = self.0.clone();
        shown.set_query(None);
        shown.fmt(f)
    }
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Endpoint {
    /// Whether it is on this machine, so that nothing leaves it.
    pub fn is_loopback(&self) -> bool {
        match self.0.host_str() {
            None => false,
            Some(host) => {
                let bare = host.trim_start_matches('[').trim_end_matches(']');
                match bare.parse::<std::net::IpAddr>() {
                    Ok(address) => address.to_canonical().is_loopback(),
                    Err(_) => host == "localhost" || host.ends_with(".localhost"),
                }
            }
        }
    }

    /// Whether it is OpenAI's own, under any of its regions' names, and nobody can listen on the way there.
    pub fn is_openai(&self) -> bool {
        let host = self.0.host_str().unwrap_or_default();
        self.0.scheme() == "https"
            && self.0.port().is_none()
            && (host == "api.openai.com" || host.ends_with(".api.openai.com"))
    }

    /// Whether it is Azure's, which takes a key in a header of its own.
    pub fn is_azure(&self) -> bool {
        let host = self.0.host_str().unwrap_or_default();
        has_version(&self.0)
            || host.ends_with(".openai.azure.com")
            || host.ends_with(".services.ai.azure.com")
    }

    pub(super) fn url(&self) -> &Url {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_base_address_is_taken_with_and_without_its_path() {
        for (text, url) in [
            ("http://a:8080", "http://a:8080/v1/chat/completions"),
            ("http://a:8080/v1/", "http://a:8080/v1/chat/completions"),
            ("https://a/api/v3", "https://a/api/v3/chat/completions"),
            (
                "https://a/v1/chat/completions",
                "https://a/v1/chat/completions",
            ),
            (
                "https://a/v1?version=2",
                "https://a/v1/chat/completions?version=2",
            ),
        ] {
            assert_eq!(text.parse::<Endpoint>().unwrap().url().as_str(), url);
        }
        let endpoint = "https://a?key=secret".parse::<Endpoint>().unwrap();
        assert_eq!(
            format!("{endpoint} {endpoint:?}"),
            "https://a/v1/chat/completions https://a/v1/chat/completions"
        );
    }

    #[test]
    fn what_is_no_address_is_refused_without_its_password() {
        for text in ["", "a:8080", "ftp://a", "127.0.0.1:8080", "https://"] {
            assert!(text.parse::<Endpoint>().is_err(), "{text}");
        }
        let error = "https://me:secret@a".parse::<Endpoint>().unwrap_err();
        assert!(!error.0.contains("secret"), "{error}");
    }

    #[test]
    fn azure_is_known_by_its_names_and_asked_for_its_version() {
        for (text, azure) in [
            ("https://x.openai.azure.com/openai/v1", true),
            (
                "https://x/openai/deployments/d?api-version=2024-10-21",
                true,
            ),
            ("https://x.openai.azure.com.example.com/v1", false),
            ("https://api.openai.com/v1", false),
        ] {
            assert_eq!(
                text.parse::<Endpoint>().unwrap().is_azure(),
                azure,
                "{text}"
            );
        }
        let deployment = "https://x.openai.azure.com/openai/deployments/d";
        let error = deployment.parse::<Endpoint>().unwrap_err();
        assert!(error.0.contains("api-version"), "{error}");
    }

    #[test]
    fn loopback_is_this_machine_alone() {
        for (text, here) in [
            ("http://127.0.0.1:1", true),
            ("http://127.8.0.1", true),
            ("http://[::1]:8080/v1", true),
            ("http://[::ffff:127.0.0.1]", true),
            ("http://localhost:1", true),
            ("http://api.localhost", true),
            ("http://localhost.example.com", false),
            ("http://192.168.0.2", false),
            ("http://0.0.0.0:8080", false),
            ("https://api.openai.com", false),
        ] {
            assert_eq!(
                text.parse::<Endpoint>().unwrap().is_loopback(),
                here,
                "{text}"
            );
        }
    }

    #[test]
    fn openai_is_what_no_other_name_or_port_can_pretend_to_be() {
        for (text, theirs) in [
            ("https://api.openai.com/v1", true),
            ("https://API.OpenAI.com:443", true),
            ("https://eu.api.openai.com/v1", true),
            ("http://api.openai.com/v1", false),
            ("https://api.openai.com:8443/v1", false),
            ("https://api.openai.com.example.com/v1", false),
            ("https://notapi.openai.com/v1", false),
            ("https://fakeapi.openai.com.example.com", false),
            ("https://xapi.openai.com", false),
            ("https://example.com/api.openai.com/v1", false),
            ("https://example.com/v1?to=api.openai.com", false),
            ("http://127.0.0.1:8080/v1", false),
        ] {
            let endpoint = text.parse::<Endpoint>().unwrap();
            assert_eq!(endpoint.is_openai(), theirs, "{text}");
        }
    }
}
