//! One connection to Home Assistant: who this is, commands and their answers.

use std::time::{Duration, Instant};

use futures_util::{FutureExt, SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{
    Connector, MaybeTlsStream, WebSocketStream, connect_async_tls_with_config,
};

use super::frames::{Frame, Refusal, frame};
use crate::config::Hub;
use crate::inbox::InboxError;

/// The largest message that is read, in bytes: the states of thousands of entities.
const LARGEST: usize = 32 << 20;

/// How long a connection may take to be made, and a command to be answered.
const PATIENCE: Duration = Duration::from_secs(60);

/// Silence after which it is asked whether it lives; after twice that it does not.
const SILENCE: Duration = Duration::from_secs(30);

/// Why a connection ends.
#[derive(Debug, thiserror::Error)]
pub(super) enum Broken {
    /// It will not get better by itself.
    #[error("Home Assistant does not know the token: {0}")]
    Token(String),
    /// It may be better next time.
    #[error("{0}")]
    Off(String),
    /// Nothing more is taken in here.
    #[error(transparent)]
    Inbox(#[from] InboxError),
}

impl Broken {
    /// For this reason it may be better next time.
    pub fn of(why: impl Into<String>) -> Self {
        Broken::Off(why.into())
    }
}

impl From<Error> for Broken {
    fn from(error: Error) -> Self {
        Broken::Off(error.to_string())
    }
}

/// What a connection is made with.
pub(super) struct Access {
    pub hub: Hub,
    pub token: String,
    pub tls: Connector,
}

/// A connection that is known.
pub(super) struct Session {
    socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
    /// The number of the last command.
    commands: u64,
    heard: Instant,
    asked: bool,
}

/// What has come while an answer was waited for.
pub(super) type Events = Vec<(u64, Value)>;

impl Session {
    /// Connects, and says who this is.
    ///
    /// # Errors
    /// Nobody is there, it is no Home Assistant, or it does not know the token.
    pub async fn open(access: &Access) -> Result<Self, Broken> {
        let known = timeout(PATIENCE, Self::known(access)).await;
        known.unwrap_or_else(|_| Err(Broken::of("it does not answer")))
    }

    async fn known(access: &Access) -> Result<Self, Broken> {
        let limits = WebSocketConfig::default();
        let limits = limits
            .max_message_size(Some(LARGEST))
            .max_frame_size(Some(LARGEST));
        let (address, tls) = (access.hub.websocket(), access.tls.clone());
        let connected = connect_async_tls_with_config(address, Some(limits), true, Some(tls));
        let (socket, _) = connected.await?;
        let mut session = Session {
            socket,
            commands: 0,
            heard: Instant::now(),
            asked: false,
        };
        let stranger = || Broken::of("it does not speak as Home Assistant does");
        match session.frame().await? {
            Frame::AuthRequired => {}
            _ => return Err(stranger()),
        }
        let auth = json!({"type": "auth", "access_token": access.token});
        session.send(&auth).await?;
        match session.frame().await? {
            Frame::AuthOk => Ok(session),
            Frame::AuthInvalid(why) => Err(Broken::Token(why)),
            _ => Err(stranger()),
        }
    }

    /// Asks for something, and says the number by which it will be answered.
    ///
    /// # Errors
    /// The connection has ended.
    pub async fn ask(&mut self, mut command: Value) -> Result<u64, Broken> {
        self.commands += 1;
        command["id"] = self.commands.into();
        self.send(&command).await?;
        Ok(self.commands)
    }

    /// Asks for something, and waits for the answer. Events that come before it go into `events`.
    ///
    /// # Errors
    /// The connection has ended, or the answer does not come.
    pub async fn answer(
        &mut self,
        command: Value,
        events: &mut Events,
    ) -> Result<Result<Value, Refusal>, Broken> {
        let asked = self.ask(command).await?;
        self.answered(asked, events).await
    }

    /// Waits for the answer to what was asked.
    ///
    /// # Errors
    /// As [`Session::answer`].
    pub async fn answered(
        &mut self,
        asked: u64,
        events: &mut Events,
    ) -> Result<Result<Value, Refusal>, Broken> {
        let answered = async {
            loop {
                match self.frame().await? {
                    Frame::Answer(id, answer) if id == asked => return Ok(answer),
                    Frame::Event(id, event) => keep(events, id, event)?,
                    _ => {}
                }
            }
        };
        let answered = timeout(PATIENCE, answered).await;
        answered.unwrap_or_else(|_| Err(Broken::of("it does not answer a question")))
    }

    /// The next event of a number; others go into `events`. Nothing: it does not come for as long as this.
    ///
    /// # Errors
    /// The connection has ended.
    pub async fn event(
        &mut self,
        number: u64,
        patience: Duration,
        events: &mut Events,
    ) -> Result<Option<Value>, Broken> {
        let told = async {
            loop {
                match self.frame().await? {
                    Frame::Event(id, event) if id == number => return Ok(event),
                    Frame::Event(id, event) => keep(events, id, event)?,
                    _ => {}
                }
            }
        };
        timeout(patience, told).await.ok().transpose()
    }

    /// The next frame. It may be left half way: nothing is lost.
    ///
    /// # Errors
    /// The connection has ended, or says what Home Assistant does not.
    pub async fn frame(&mut self) -> Result<Frame, Broken> {
        loop {
            let message = self.socket.next().await;
            if let Some(frame) = self.heard(message)? {
                return Ok(frame);
            }
        }
    }

    /// The next frame, if there is one.
    ///
    /// # Errors
    /// As [`Session::frame`].
    pub fn frame_if_any(&mut self) -> Result<Option<Frame>, Broken> {
        self.frame().now_or_never().transpose()
    }

    /// Asks whether it lives, where it has been silent for long.
    ///
    /// # Errors
    /// It does not.
    pub async fn look(&mut self) -> Result<(), Broken> {
        let silence = self.heard.elapsed();
        if silence > 2 * SILENCE {
            return Err(Broken::of("it has fallen silent"));
        }
        if silence > SILENCE && !self.asked {
            self.asked = true;
            self.ask(json!({"type": "ping"})).await?;
        }
        Ok(())
    }

    fn heard(&mut self, message: Option<Result<Message, Error>>) -> Result<Option<Frame>, Broken> {
        let message = message.unwrap_or(Ok(Message::Close(None)));
        let message = message?;
        (self.heard, self.asked) = (Instant::now(), false);
        match message {
            Message::Text(text) => frame(&text).map(Some).map_err(Broken::Off),
            Message::Close(_) => Err(Broken::of("it has closed the connection")),
            Message::Binary(_) => Err(Broken::of("it says what is no text")),
            Message::Ping(_) | Message::Pong(_) | Message::Frame(_) => Ok(None),
        }
    }

    async fn send(&mut self, message: &Value) -> Result<(), Broken> {
        let sent = self.socket.send(Message::text(message.to_string()));
        let sent = timeout(PATIENCE, sent).await;
        let sent = sent.map_err(|_| Broken::of("it takes nothing"))?;
        Ok(sent?)
    }
}

/// Events that are kept while something else is waited for, at most.
const KEPT: usize = 20_000;

fn keep(events: &mut Events, id: u64, event: Value) -> Result<(), Broken> {
    if events.len() >= KEPT {
        return Err(Broken::of("more happens there than can be read"));
    }
    events.push((id, event));
    Ok(())
}
