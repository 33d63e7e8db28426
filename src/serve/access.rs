//! Who may: whoever is on this machine, or knows the token.

use std::fmt;
use std::path::Path;

use axum::http::header::{AUTHORIZATION, COOKIE, HOST, ORIGIN};
use axum::http::{HeaderMap, Method};
use sha2::{Digest, Sha256};

use crate::config::UsageError;

/// A token has as many characters at least, so that guessing is hopeless at the rate at which it is allowed.
const SHORTEST: usize = 16;

/// The cookie of a browser that has shown the token.
pub(super) const COOKIE_NAME: &str = "hearth";

/// Who may use the server. What it knows is shown nowhere.
#[derive(Clone)]
pub struct Access {
    /// The token's digest; none: only this machine is listened to.
    token: Option<[u8; 32]>,
    /// What a browser bears that has shown the token; another one each time that the server begins.
    session: String,
    /// What a form bears that this server made.
    form: String,
}

impl fmt::Debug for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.token {
            Some(_) => "Access(token)",
            None => "Access(local)",
        })
    }
}

/// What a request shows of who makes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shown {
    /// It may.
    Right,
    /// No token.
    Nothing,
    /// A wrong one.
    Wrong,
}

impl Access {
    /// Whoever is on this machine.
    pub fn local() -> Self {
        Access {
            token: None,
            session: secret(),
            form: secret(),
        }
    }

    /// Whoever knows a token.
    ///
    /// # Errors
    /// It is too short, or could not stand in a header.
    pub fn token(token: &str) -> Result<Self, String> {
        if token.len() < SHORTEST || !token.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(format!(
                "a token is {SHORTEST} or more letters, digits and signs, without spaces"
            ));
        }
        Ok(Access {
            token: Some(digest(token)),
            ..Access::local()
        })
    }

    /// Whoever knows the token in a file.
    ///
    /// # Errors
    /// It cannot be read, or holds none.
    pub fn token_in(file: &Path) -> Result<Self, UsageError> {
        let place = format!("the token file {}", file.display());
        let text = std::fs::read_to_string(file)
            .map_err(|error| UsageError(format!("cannot read {place}: {error}")))?;
        Access::token(text.trim()).map_err(|reason| UsageError(format!("{place}: {reason}")))
    }

    /// Whether a token is asked for.
    pub(super) fn is_guarded(&self) -> bool {
        self.token.is_some()
    }

    /// Whether this is the token.
    pub(super) fn is_token(&self, token: &str) -> bool {
        self.token.is_some_and(|right| same(&right, &digest(token)))
    }

    /// What a request shows: the token as `Authorization: Bearer`, or the cookie of a browser that has shown it.
    pub(super) fn shown(&self, headers: &HeaderMap) -> Shown {
        if !self.is_guarded() {
            return Shown::Right;
        }
        if let Some(value) = headers.get(AUTHORIZATION) {
            let token = value
                .to_str()
                .ok()
                .and_then(|it| it.strip_prefix("Bearer "));
            return match token.is_some_and(|token| self.is_token(token.trim())) {
                true => Shown::Right,
                false => Shown::Wrong,
            };
        }
        let cookies = headers
            .get_all(COOKIE)
            .iter()
            .filter_map(|it| it.to_str().ok());
        let mut cookies = cookies.flat_map(|it| it.split(';')).map(str::trim);
        let own = cookies.find_map(|it| it.strip_prefix(COOKIE_NAME)?.strip_prefix('='));
        // A cookie of before the server began anew is no guess.
        match own.is_some_and(|own| same(&digest(own), &digest(&self.session))) {
            true => Shown::Right,
            false => Shown::Nothing,
        }
    }

    /// The cookie that a browser gets once it has shown the token.
    pub(super) fn cookie(&self) -> String {
        format!(
            "{COOKIE_NAME}={}; Path=/; HttpOnly; SameSite=Lax",
            self.session
        )
    }

    /// What forms of this server bear.
    pub(super) fn form(&self) -> &str {
        &self.form
    }

    /// Whether a form is of this server.
    pub(super) fn is_form(&self, shown: &str) -> bool {
        same(&digest(shown), &digest(&self.form))
    }

    /// Whether a request is meant for this server: without a token a page from elsewhere could otherwise give its own name this
    /// machine's address, and would then be of the same origin.
    pub(super) fn is_host(&self, headers: &HeaderMap) -> bool {
        if self.is_guarded() {
            return true;
        }
        let host = headers.get(HOST).and_then(|host| host.to_str().ok());
        host.is_some_and(|host| {
            let name = without_port(host);
            let address: Option<std::net::IpAddr> = name.trim_matches(['[', ']']).parse().ok();
            name.eq_ignore_ascii_case("localhost") || address.is_some_and(|it| it.is_loopback())
        })
    }
}

/// Whether a request that changes something comes from a page of somebody else's. Browsers say so; whatever else makes requests
/// does nothing in another's name.
pub(super) fn is_foreign(method: &Method, headers: &HeaderMap) -> bool {
    if [Method::GET, Method::HEAD, Method::OPTIONS].contains(method) {
        return false;
    }
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    if let Some(site) = text("sec-fetch-site") {
        return !["same-origin", "none"].contains(&site);
    }
    match headers.get(ORIGIN) {
        None => false,
        Some(origin) => {
            let origin = origin.to_str().unwrap_or_default();
            let named = origin.split_once("://").map(|(_, host)| host);
            named.is_none() || named != text("host")
        }
    }
}

fn without_port(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    }
}

fn secret() -> String {
    let bytes: [u8; 16] = rand::random();
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn digest(text: &str) -> [u8; 32] {
    Sha256::digest(text.as_bytes()).into()
}

/// Looks at every byte, whatever it finds: how long it takes tells nothing.
fn same(a: &[u8; 32], b: &[u8; 32]) -> bool {
    let differing = a
        .iter()
        .zip(b)
        .fold(0, |differing, (a, b)| differing | (a ^ b));
    std::hint::black_box(differing) == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        let pair =
            |(name, value): &(&'static str, &str)| (name.parse().unwrap(), value.parse().unwrap());
        pairs
            .iter()
            .map(pair)
            .collect::<Vec<_>>()
            .into_iter()
            .collect()
    }

    #[test]
    fn a_token_is_asked_for_where_one_was_given() {
        assert!(Access::token("short").is_err());
        assert!(Access::token("a secret with spaces").is_err());
        let access = Access::token("0123456789abcdef").unwrap();
        assert_eq!(access.shown(&headers(&[])), Shown::Nothing);
        let bearer = |token: &str| access.shown(&headers(&[("authorization", token)]));
        assert_eq!(bearer("Bearer 0123456789abcdef"), Shown::Right);
        assert_eq!(bearer("Bearer 0123456789abcdeg"), Shown::Wrong);
        assert_eq!(bearer("Basic 0123456789abcdef"), Shown::Wrong);
        let cookie = access.cookie();
        let cookie = cookie.split(';').next().unwrap();
        let shown = |cookie: &str| access.shown(&headers(&[("cookie", cookie)]));
        assert_eq!(shown(&format!("other=1; {cookie}")), Shown::Right);
        assert_eq!(shown("hearth=0123456789abcdef"), Shown::Nothing);
        assert_eq!(shown("hearth="), Shown::Nothing);
        assert_eq!(Access::local().shown(&headers(&[])), Shown::Right);
        let shown = format!("{access:?}");
        assert!(!shown.contains("0123"), "{shown}");
    }

    #[test]
    fn without_a_token_only_names_of_this_machine_are_answered() {
        let local = Access::local();
        for (host, answered) in [
            ("127.0.0.1:8470", true),
            ("localhost:8470", true),
            ("LOCALHOST", true),
            ("[::1]:8470", true),
            ("evil.example:8470", false),
            ("127.0.0.1.evil.example", false),
            ("192.168.1.7:8470", false),
            ("", false),
        ] {
            assert_eq!(
                local.is_host(&headers(&[("host", host)])),
                answered,
                "{host}"
            );
        }
        assert!(!local.is_host(&headers(&[])));
        let guarded = Access::token("0123456789abcdef").unwrap();
        assert!(guarded.is_host(&headers(&[("host", "hearth.example")])));
    }

    #[test]
    fn what_another_page_sends_is_foreign() {
        let post = |pairs: &[(&'static str, &str)]| is_foreign(&Method::POST, &headers(pairs));
        let host = ("host", "localhost:8470");
        assert!(!post(&[host]), "no browser");
        assert!(!post(&[host, ("origin", "http://localhost:8470")]));
        assert!(post(&[host, ("origin", "http://localhost:9999")]));
        assert!(post(&[host, ("origin", "null")]));
        assert!(post(&[host, ("sec-fetch-site", "cross-site")]));
        assert!(post(&[host, ("sec-fetch-site", "same-site")]));
        assert!(!post(&[host, ("sec-fetch-site", "same-origin")]));
        let get = headers(&[host, ("sec-fetch-site", "cross-site")]);
        assert!(!is_foreign(&Method::GET, &get));
    }
}
