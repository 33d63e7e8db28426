//! A webhook: lines of streams posted to a receiver as JSON, signed.
//!
//! A line is told once a cut has it, at least once, in order by home: a home whose message is not taken holds up its own alone.
//! Who is told knows by the signature that it was Hearth, and by the number what it had already. What cannot be told is counted
//! and said.

mod delivery;
mod queues;
mod signature;

use std::time::Duration;

use anyhow::Result;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout_at};

use super::feed::Cuts;
use super::outbox::{Beginning, Letter, Outbox, more, streams};
use crate::config::{UsageError, WebhookOptions};
use crate::desk::{Desk, Gauges};
use crate::remote::Complaints;
use delivery::{Fate, Receiver};
use queues::{Queues, Taken};

/// The name of its marks.
const SINK: &str = "webhook";

/// How long a receiver has to take the last messages.
const FAREWELL: Duration = Duration::from_secs(1);

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ByFate {
    fate: &'static str,
}

/// Tells the receiver that the options name, if they name one, until the run is over.
///
/// # Errors
/// The options cannot be carried out: that is said before anything is awaited. Then, that an output cannot be read, or the inbox
/// cannot be written.
pub fn run(
    options: WebhookOptions,
    desk: Desk,
) -> Result<impl Future<Output = Result<()>>, UsageError> {
    let (failures, failed) = mpsc::unbounded_channel();
    let receiver = Receiver::new(&options, failures)?;
    Ok(async move {
        match receiver {
            Some(receiver) => tell(receiver, failed, &options, desk).await,
            None => Ok(()),
        }
    })
}

async fn tell(
    receiver: Receiver,
    failed: mpsc::UnboundedReceiver<String>,
    options: &WebhookOptions,
    desk: Desk,
) -> Result<()> {
    let mut outboxes = Vec::new();
    for stream in streams(&options.webhook_streams.0) {
        // What was found before somebody wanted to be told is no news.
        outboxes.push(Outbox::open(&desk, SINK, stream, Beginning::Now).await?);
    }
    let (messages, waiting) = measures(&desk.gauges);
    let cuts = desk.feed.cuts();
    let teller = Teller {
        receiver,
        failed,
        outboxes,
        queues: Queues::default(),
        under_way: JoinSet::new(),
        complaints: Complaints::new("webhook"),
        messages,
        waiting,
    };
    teller.serve(cuts).await
}

fn measures(gauges: &Gauges) -> (Family<ByFate, Counter>, Gauge) {
    let (messages, waiting) = <(Family<ByFate, Counter>, Gauge)>::default();
    let help = "Messages for the webhook, by what became of them";
    gauges.register("webhook_messages", help, messages.clone());
    let help = "Messages that wait for the webhook's receiver";
    gauges.register("webhook_waiting", help, waiting.clone());
    (messages, waiting)
}

/// The sink at work.
struct Teller {
    receiver: Receiver,
    failed: mpsc::UnboundedReceiver<String>,
    outboxes: Vec<Outbox>,
    queues: Queues,
    /// A message of each home that has some: the home, and what became of it.
    under_way: JoinSet<(String, Fate)>,
    complaints: Complaints,
    messages: Family<ByFate, Counter>,
    waiting: Gauge,
}

impl Teller {
    async fn serve(mut self, mut cuts: watch::Receiver<Cuts>) -> Result<()> {
        loop {
            self.read()?;
            tokio::select! {
                Some(ended) = self.under_way.join_next() => self.ended(ended).await?,
                Some(reason) = self.failed.recv() => self.complaints.say("the receiver", &reason),
                over = more(&mut cuts) => if over {
                    return self.end().await;
                },
            }
        }
    }

    /// Reads what there is, as far as there is room for it.
    fn read(&mut self) -> Result<()> {
        for at in 0..self.outboxes.len() {
            while self.queues.has_room() {
                let letters = self.outboxes[at].read()?;
                if letters.is_empty() {
                    break;
                }
                for letter in letters {
                    self.take(letter);
                }
            }
        }
        self.waiting
            .set(i64::try_from(self.queues.len()).unwrap_or(i64::MAX));
        Ok(())
    }

    fn take(&mut self, letter: Letter) {
        match self.queues.take(letter.clone()) {
            Taken::Goes => self.go(letter),
            Taken::Waits => {}
            Taken::InPlaceOf(id) => {
                self.count("dropped");
                let reason = format!("{id} goes untold, for more of its home wait than may");
                self.complaints.say("the receiver", &reason);
            }
        }
    }

    fn go(&mut self, letter: Letter) {
        let receiver = self.receiver.clone();
        self.under_way.spawn(async move {
            let home = letter.home.clone();
            (home, receiver.deliver(letter).await)
        });
    }

    fn count(&self, fate: &'static str) {
        self.messages.get_or_create(&ByFate { fate }).inc();
    }

    /// Messages have come to an end: what follows them goes, and it is remembered how far all is told.
    async fn ended(&mut self, first: Result<(String, Fate), tokio::task::JoinError>) -> Result<()> {
        let mut next = Some(first);
        while let Some(ended) = next {
            // What panics was told on the terminal, and is told again after a restart.
            if let Ok((home, fate)) = ended {
                self.count(match fate {
                    Fate::Told => "told",
                    Fate::Refused => "refused",
                    Fate::GivenUp => "given_up",
                });
                if let Some(letter) = self.queues.ended(&home) {
                    self.go(letter);
                }
            }
            next = self.under_way.try_join_next();
        }
        for outbox in &mut self.outboxes {
            let (before, done) = self.queues.told(outbox.stream(), outbox.reached());
            outbox.told(before, done.iter().copied()).await?;
        }
        Ok(())
    }

    /// Tells what the last cut has, for as long as there is time.
    async fn end(mut self) -> Result<()> {
        self.read()?;
        let until = Instant::now() + FAREWELL;
        while let Ok(Some(ended)) = timeout_at(until, self.under_way.join_next()).await {
            self.ended(ended).await?;
        }
        Ok(())
    }
}
