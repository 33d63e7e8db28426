//! Events on their way into the run.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::ensure;
use reqwest::Client;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use super::log::Line;
use super::scores::Scores;

/// Events of a request while the run learns.
const LEARNT_AT_ONCE: usize = 10_000;

/// Requests that are open at a time: as many as the run takes in.
const OPEN: usize = 32;

/// Sends events as quickly as they are taken.
pub(super) async fn learn(client: &Client, address: &str, lines: &[Line]) -> anyhow::Result<()> {
    for lines in lines.chunks(LEARNT_AT_ONCE) {
        post(client, address, body(lines)).await?;
    }
    Ok(())
}

/// Sends bodies when they are due, one `every` so long. A late answer delays no other, while not too many are open.
pub(super) async fn send<'a>(
    client: &Client,
    address: &str,
    bodies: impl Iterator<Item = &'a [Line]>,
    scores: &Scores,
    every: Duration,
) -> anyhow::Result<()> {
    let began = Instant::now();
    let places = Arc::new(Semaphore::new(OPEN));
    let mut sent = JoinSet::new();
    for (number, lines) in bodies.enumerate() {
        let due = began + every.mul_f64(number as f64);
        tokio::time::sleep_until(due.into()).await;
        for line in lines {
            scores.wait(line.key.clone(), due);
        }
        let place = places.clone().acquire_owned().await?;
        let (client, address, body) = (client.clone(), address.to_owned(), body(lines));
        sent.spawn(async move {
            let posted = post(&client, &address, body).await;
            drop(place);
            posted
        });
        while let Some(posted) = sent.try_join_next() {
            posted??;
        }
    }
    while let Some(posted) = sent.join_next().await {
        posted??;
    }
    Ok(())
}

fn body(lines: &[Line]) -> String {
    let mut body = String::new();
    for line in lines {
        body.push_str(&line.text);
        body.push('\n');
    }
    body
}

async fn post(client: &Client, address: &str, body: String) -> anyhow::Result<()> {
    let answer = client.post(format!("{address}/events")).body(body);
    let answer = answer.send().await?;
    let status = answer.status();
    let text = answer.text().await?;
    ensure!(
        status.is_success(),
        "the run answered {status} to events: {text}"
    );
    Ok(())
}
