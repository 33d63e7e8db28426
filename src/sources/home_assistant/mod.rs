//! Home Assistant, by its websocket: what its entities do is told as it happens, and what happened while nobody listened is read
//! from its history.
//!
//! How far it was heard is kept with the lines. A connection that breaks is made again, and begins where the last one ended.

mod backfill;
mod frames;
mod intake;
mod reader;
mod session;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use hearth_operators::words::Time;
use tokio::time::{interval, sleep};
use tokio_tungstenite::Connector;

use crate::config::{HomeAssistantOptions, UsageError, refuse_alone};
use crate::desk::Desk;
use crate::remote::{Trouble, secret, trusting};
use frames::Frame;
use intake::{Intake, now};
use reader::Reader;
pub(crate) use reader::folded;
use session::{Access, Broken, Session};

/// The name of its marks.
pub(crate) const SOURCE: &str = "home-assistant";

/// How often it is looked whether a state has stayed long enough, and whether the connection lives.
const LOOK: Duration = Duration::from_secs(1);

/// Frames that are taken before they are put, at most.
const TOGETHER: usize = 500;

/// Reads the Home Assistant that the options name, if they name one, until the run ends.
///
/// # Errors
/// The options cannot be carried out: that is said before anything is awaited. Then, that Home Assistant does not know the token, or
/// the inbox cannot be written.
pub fn run(
    options: HomeAssistantOptions,
    desk: Desk,
) -> Result<impl Future<Output = Result<()>>, UsageError> {
    let access = access(&options)?;
    Ok(async move {
        match access {
            Some((access, file)) => hear(access, &file, options, desk).await,
            None => Ok(()),
        }
    })
}

/// How the Home Assistant that the options name is spoken to, if they name one, and in which file the token is.
fn access(options: &HomeAssistantOptions) -> Result<Option<(Access, PathBuf)>, UsageError> {
    let Some(hub) = options.home_assistant.clone() else {
        let alone = [
            (
                "--home-assistant-token-file",
                options.home_assistant_token_file.is_some(),
            ),
            ("--home-assistant-ca", options.home_assistant_ca.is_some()),
            (
                "--home-assistant-contexts",
                options.home_assistant_contexts.is_some(),
            ),
        ];
        return refuse_alone(&alone, "--home-assistant").map(|()| None);
    };
    let Some(file) = options.home_assistant_token_file.clone() else {
        return Err(UsageError(
            "--home-assistant is given, but no --home-assistant-token-file: in Home Assistant make a long-lived access token, at \
             the end of a user's profile, and put it into a file"
                .to_owned(),
        ));
    };
    let tls = match (hub.tls, &options.home_assistant_ca) {
        (true, ca) => Some(trusting(ca.as_deref(), "--home-assistant-ca")?),
        (false, None) => None,
        (false, Some(_)) => {
            return Err(UsageError(format!(
                "--home-assistant-ca is given, but {hub} is not spoken to over TLS: write wss://"
            )));
        }
    };
    let access = Access {
        token: secret(&file, "token")?,
        tls: tls.map_or(Connector::Plain, Connector::Rustls),
        hub,
    };
    Ok(Some((access, file)))
}

async fn hear(
    access: Access,
    file: &Path,
    options: HomeAssistantOptions,
    desk: Desk,
) -> Result<()> {
    let contexts = options.home_assistant_contexts.unwrap_or_default();
    let mut reader = Reader::new(options.home_assistant_home, contexts);
    let inbox = desk.inbox.clone();
    let recalled = tokio::task::spawn_blocking(move || {
        let recalled = inbox.each_mark(SOURCE, |mark| reader.recall(mark));
        recalled.map(|()| reader)
    });
    let reader = recalled.await?.context("cannot read the inbox")?;
    let mut source = Source {
        trouble: Trouble::new(&access.hub, "Home Assistant"),
        access,
        since: Time(now().0 - options.home_assistant_history.micros()),
        intake: Intake::new(reader, &desk),
    };
    let served = tokio::select! {
        // What was taken and not put is read again by the next start.
        () = desk.ending() => Ok(()),
        broken = source.serve() => broken,
    };
    match served {
        Err(Broken::Token(why)) => bail!(
            "{} does not know the token in {}: {why}; make another at the end of a user's profile",
            source.access.hub,
            file.display()
        ),
        served => Ok(served?),
    }
}

/// The source at work.
struct Source {
    access: Access,
    /// From when on its history is read, where nothing was heard before.
    since: Time,
    intake: Intake,
    trouble: Trouble,
}

impl Source {
    /// Makes connections until one ends for good, and says why.
    async fn serve(&mut self) -> Result<(), Broken> {
        loop {
            let broken = self.connection().await;
            self.intake.hears(false);
            // It is known, whatever becomes of the connection.
            self.intake.put().await?;
            match broken {
                Err(Broken::Off(why)) => sleep(self.trouble.pause(&why)).await,
                ended => return ended,
            }
        }
    }

    async fn connection(&mut self) -> Result<(), Broken> {
        let mut session = Session::open(&self.access).await?;
        let live = backfill::catch_up(&mut session, &mut self.intake, self.since).await?;
        self.trouble.over();
        self.intake.hears(true);
        let mut look = interval(LOOK);
        loop {
            tokio::select! {
                frame = session.frame() => {
                    self.take(live, frame?);
                    self.take_waiting(live, &mut session)?;
                }
                _ = look.tick() => {
                    self.intake.settle();
                    session.look().await?;
                }
            }
            self.intake.put().await?;
        }
    }

    /// Takes what has come already, so that it is put together.
    fn take_waiting(&mut self, live: u64, session: &mut Session) -> Result<(), Broken> {
        for _ in 0..TOGETHER {
            match session.frame_if_any()? {
                Some(frame) if !self.intake.reader.is_full() => self.take(live, frame),
                Some(frame) => {
                    self.take(live, frame);
                    break;
                }
                None => break,
            }
        }
        Ok(())
    }

    fn take(&mut self, live: u64, frame: Frame) {
        if let Frame::Event(id, event) = frame
            && id == live
        {
            self.intake.take_event(&event);
        }
    }
}
