//! Options of the server.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::Args;
use tokio::net::TcpListener;

use super::access::Access;
use crate::config::UsageError;

/// Where the page, the API and the measures are to be had, and by whom.
#[derive(Args, Clone, Debug)]
pub struct ServeArgs {
    /// Address of the page, the API and the measures. One that other machines reach needs --token-file
    #[arg(
        long,
        env = "HEARTH_LISTEN",
        value_name = "ADDRESS:PORT",
        default_value = "127.0.0.1:8470"
    )]
    pub listen: SocketAddr,

    /// A file that holds the token (16 characters or more) that whoever comes must know; none: who is on this machine may
    #[arg(long, env = "HEARTH_TOKEN_FILE", value_name = "FILE")]
    pub token_file: Option<PathBuf>,
}

impl ServeArgs {
    /// Opens the address, if it may be.
    ///
    /// # Errors
    /// The token cannot be read, other machines would reach the address without one, or it is taken.
    pub async fn open(&self) -> Result<(TcpListener, Access), UsageError> {
        let access = match &self.token_file {
            Some(file) => Access::token_in(file)?,
            None if self.listen.ip().is_loopback() => Access::local(),
            None => {
                return Err(UsageError(format!(
                    "--listen {} is reached by other machines: write a secret of 16 characters or more into a file and name it \
                     with --token-file, or listen on 127.0.0.1",
                    self.listen
                )));
            }
        };
        let listener = TcpListener::bind(self.listen).await.map_err(|error| {
            UsageError(format!(
                "cannot listen on {}: {error}; --listen names another address or port",
                self.listen
            ))
        })?;
        Ok((listener, access))
    }
}
