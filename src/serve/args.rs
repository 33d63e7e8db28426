//! Options of the server.

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::str::FromStr;

use clap::Args;
use tokio::net::TcpListener;

use super::access::Access;
use crate::config::UsageError;

/// Where to listen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Listen {
    /// Nowhere.
    Off,
    /// There.
    At(SocketAddr),
}

impl FromStr for Listen {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.trim() {
            "off" => Ok(Listen::Off),
            address => address.parse().map(Listen::At).map_err(|_| {
                format!("`{text}` is no address with a port; write it like 127.0.0.1:8470, or off")
            }),
        }
    }
}

impl fmt::Display for Listen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Listen::Off => f.write_str("off"),
            Listen::At(address) => address.fmt(f),
        }
    }
}

/// Where the page, the API and the measures are to be had, and by whom.
#[derive(Args, Clone, Debug)]
pub struct ServeArgs {
    /// Address of the page, the API and the measures. One that other machines reach needs --token-file
    #[arg(
        long,
        env = "HEARTH_LISTEN",
        value_name = "ADDRESS:PORT|off",
        default_value = "127.0.0.1:8470"
    )]
    pub listen: Listen,

    /// A file that holds the token (16 characters or more) that whoever comes must know; none: who is on this machine may
    #[arg(long, env = "HEARTH_TOKEN_FILE", value_name = "FILE")]
    pub token_file: Option<PathBuf>,
}

impl ServeArgs {
    /// Opens the address, if it may be; none where nothing is to be served.
    ///
    /// # Errors
    /// The token cannot be read, other machines would reach the address without one, or it is taken.
    pub async fn open(&self) -> Result<Option<(TcpListener, Access)>, UsageError> {
        let Listen::At(address) = self.listen else {
            return Ok(None);
        };
        let access = match &self.token_file {
            Some(file) => Access::token_in(file)?,
            None if address.ip().is_loopback() => Access::local(),
            None => {
                return Err(UsageError(format!(
                    "--listen {} is reached by other machines: write a secret of 16 characters or more into a file and name it \
                     with --token-file, or listen on 127.0.0.1",
                    self.listen
                )));
            }
        };
        let listener = TcpListener::bind(address).await.map_err(|error| {
            UsageError(format!(
                "cannot listen on {}: {error}; --listen names another address or port",
                self.listen
            ))
        })?;
        Ok(Some((listener, access)))
    }
}
