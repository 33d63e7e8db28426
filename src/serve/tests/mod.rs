//! The server over real connections, with an inbox on a disk and a feed that the tests fill.

mod api;
mod browser;
mod hostile;
mod intake;
mod lines;
mod page;

use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use reqwest::{Client, RequestBuilder, Response};
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use super::limits::Limits;
use super::{Access, serve_within};
use crate::desk::Desk;
use crate::disk::Disk;
use crate::inbox::{Inbox, InboxWriter, Keeps};
use crate::outputs::{Stream, inbox_path};
use crate::sinks::feed::Told;
use crate::stop::Stop;

const TOKEN: &str = "a-long-and-secret-token";

/// A server that runs.
struct Live {
    folder: tempfile::TempDir,
    desk: Desk,
    writer: InboxWriter,
    address: SocketAddr,
    serves: JoinHandle<std::io::Result<()>>,
    client: Client,
}

impl Live {
    async fn local() -> Live {
        Live::with(
            Access::local(),
            Limits::default(),
            tempfile::tempdir().unwrap(),
        )
        .await
    }

    async fn guarded() -> Live {
        let access = Access::token(TOKEN).unwrap();
        Live::with(access, Limits::default(), tempfile::tempdir().unwrap()).await
    }

    async fn with(access: Access, limits: Limits, folder: tempfile::TempDir) -> Live {
        let (inbox, writer) = Inbox::open(&Disk::real(), folder.path(), Keeps::default()).unwrap();
        let desk = Desk::new(inbox, folder.path(), NonZeroUsize::MIN, Stop::default());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let serves = tokio::spawn(serve_within(listener, desk.clone(), access, limits));
        Live {
            folder,
            desk,
            writer,
            address,
            serves,
            client: Client::builder()
                .redirect(reqwest::redirect::Policy::none())
                .build()
                .unwrap(),
        }
    }

    fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    fn get(&self, path: &str) -> RequestBuilder {
        self.client.get(self.url(path))
    }

    fn post(&self, path: &str, body: impl Into<reqwest::Body>) -> RequestBuilder {
        self.client.post(self.url(path)).body(body)
    }

    async fn json(&self, path: &str) -> Value {
        let response = self.get(path).send().await.unwrap();
        assert_eq!(response.status(), 200, "{path}");
        json(response).await
    }

    async fn text(&self, path: &str) -> String {
        let response = self.get(path).send().await.unwrap();
        assert_eq!(response.status(), 200, "{path}");
        response.text().await.unwrap()
    }

    /// Tells lines, as the writer does, and waits until the server has taken them.
    async fn tell(&self, lines: &[(Stream, u64, String)]) {
        let seen = |summary: &Value| summary["lines"].as_u64().unwrap_or_default();
        // Before the server listens, nobody is told anything.
        while !self.desk.feed.is_heard() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        let before = seen(&self.json("/api/summary").await);
        for (stream, epoch, line) in lines {
            self.desk.feed.tell(Told {
                stream: *stream,
                epoch: *epoch,
                line: Arc::from(line.as_str()),
            });
        }
        while seen(&self.json("/api/summary").await) < before + lines.len() as u64 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }

    /// The lines of the inbox.
    fn inbox(&self) -> Vec<String> {
        let text = std::fs::read_to_string(inbox_path(self.folder.path())).unwrap();
        text.lines().map(str::to_owned).collect()
    }

    /// Ends it, as Ctrl-C does; the folder is left.
    async fn end(self) -> tempfile::TempDir {
        let Live {
            folder,
            desk,
            writer,
            serves,
            ..
        } = self;
        desk.stop.interrupt();
        serves.await.unwrap().unwrap();
        drop(desk);
        tokio::task::spawn_blocking(|| writer.join()).await.unwrap();
        folder
    }
}

async fn json(response: Response) -> Value {
    serde_json::from_str(&response.text().await.unwrap()).unwrap()
}
