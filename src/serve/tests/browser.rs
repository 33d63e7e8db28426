//! The page in a real browser: Chromium, spoken to by its DevTools protocol.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

use super::{Live, lines};

/// How long a page may take.
const PATIENCE: Duration = Duration::from_secs(20);

/// A browser without a window.
struct Chromium {
    process: Child,
    socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
    sent: u64,
    _profile: tempfile::TempDir,
}

impl Drop for Chromium {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Chromium {
    /// Starts one; none, said aloud, where it is not installed.
    async fn start() -> Option<Self> {
        let profile = tempfile::tempdir().unwrap();
        let mut command = Command::new("chromium");
        command.args([
            "--headless=new",
            "--no-sandbox",
            "--disable-gpu",
            "--remote-debugging-port=0",
        ]);
        command.arg(format!("--user-data-dir={}", profile.path().display()));
        command.stdout(Stdio::null()).stderr(Stdio::piped());
        let Ok(mut process) = command.spawn() else {
            eprintln!("SKIPPED: no chromium here (Debian: apt-get install chromium)");
            return None;
        };
        let said = BufReader::new(process.stderr.take().unwrap());
        let listens = |line: std::io::Result<String>| {
            let line = line.unwrap();
            line.strip_prefix("DevTools listening on ")
                .map(str::to_owned)
        };
        let mut said = said.lines();
        let address = said.by_ref().find_map(listens).expect("it listens");
        // Who does not listen holds it up.
        std::thread::spawn(move || said.for_each(drop));
        let (socket, _) = connect_async(address).await.unwrap();
        Some(Chromium {
            process,
            socket,
            sent: 0,
            _profile: profile,
        })
    }

    /// Says something to a tab, or to the browser, and hears the answer; none: it takes too long.
    async fn say(&mut self, tab: Option<&str>, method: &str, params: Value) -> Option<Value> {
        self.sent += 1;
        let id = self.sent;
        let mut message = json!({"id": id, "method": method, "params": params});
        if let Some(tab) = tab {
            message["sessionId"] = tab.into();
        }
        let message = Message::text(message.to_string());
        self.socket.send(message).await.unwrap();
        let answer = self.hear(|heard| heard["id"] == id).await?;
        assert!(answer.get("error").is_none(), "{method}: {answer}");
        Some(answer["result"].clone())
    }

    async fn hear(&mut self, is_it: impl Fn(&Value) -> bool) -> Option<Value> {
        let hear = async {
            loop {
                let message = self.socket.next().await.unwrap().unwrap();
                let Ok(text) = message.into_text() else {
                    continue;
                };
                let heard = serde_json::from_str(&text).unwrap_or_default();
                if is_it(&heard) {
                    return heard;
                }
            }
        };
        timeout(PATIENCE, hear).await.ok()
    }

    /// Another tab, in front of the others.
    async fn tab(&mut self) -> String {
        let target = json!({"url": "about:blank"});
        let target = self.say(None, "Target.createTarget", target).await.unwrap();
        let attach = json!({"targetId": target["targetId"], "flatten": true});
        let attached = self.say(None, "Target.attachToTarget", attach).await;
        let tab = attached.unwrap()["sessionId"].as_str().unwrap().to_owned();
        self.say(Some(&tab), "Page.enable", json!({})).await;
        self.say(Some(&tab), "Page.bringToFront", json!({})).await;
        tab
    }

    /// Goes to a page; whether it was loaded.
    async fn goes_to(&mut self, tab: &str, url: &str) -> bool {
        let went = self
            .say(Some(tab), "Page.navigate", json!({"url": url}))
            .await;
        went.is_some()
            && self
                .hear(|heard| heard["method"] == "Page.loadEventFired" && heard["sessionId"] == tab)
                .await
                .is_some()
    }

    /// What a script gives in a tab.
    async fn gives(&mut self, tab: &str, script: &str) -> Value {
        let params = json!({"expression": script, "awaitPromise": true});
        let given = self.say(Some(tab), "Runtime.evaluate", params).await;
        given.unwrap()["result"]["value"].clone()
    }
}

/// Each page hears of alarms over a connection of its own, and a browser has six for all of a server's.
#[tokio::test]
async fn pages_that_were_left_take_no_connections() {
    let Some(mut chromium) = Chromium::start().await else {
        return;
    };
    let live = Live::local().await;
    live.tell(&lines::all("h")).await;
    let tab = chromium.tab().await;
    for page in 0..16 {
        let path = ["/", "/home?name=h", "/alarms"][page % 3];
        assert!(
            chromium.goes_to(&tab, &live.url(path)).await,
            "page {page}, {path}, does not come"
        );
    }
    // Nor do those that are behind others.
    for number in 0..8 {
        let tab = chromium.tab().await;
        let loaded = chromium.goes_to(&tab, &live.url("/")).await;
        assert!(loaded, "tab {number} does not come");
    }
    let tab = chromium.tab().await;
    assert!(chromium.goes_to(&tab, &live.url("/home?name=h")).await);
    // What is raised is shown, also to who comes back to a page.
    let until = |holds: &str| {
        format!(
            "new Promise((is) => {{ const look = () => {holds} ? is(true) : setTimeout(look, 20); look(); }})"
        )
    };
    let seen = |alarm: u32| {
        until(&format!(
            "document.getElementById('news').textContent.includes('odd {alarm}')"
        ))
    };
    let alarm = |n: u32| {
        let start = format!("2025-02-{n:02}T09:00:00+01:00");
        lines::alarm(u64::from(n), 1, "h", &start, &format!("odd {n}"))
    };
    assert_eq!(chromium.gives(&tab, &until("last !== ''")).await, true);
    live.tell(&[alarm(7)]).await;
    assert_eq!(chromium.gives(&tab, &seen(7)).await, true);
    chromium
        .gives(&tab, "dispatchEvent(new Event('pagehide'))")
        .await;
    live.tell(&[alarm(8)]).await;
    chromium
        .gives(&tab, "dispatchEvent(new Event('pageshow'))")
        .await;
    assert_eq!(chromium.gives(&tab, &seen(8)).await, true);
    live.end().await;
}
