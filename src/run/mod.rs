//! `hearth run`: what comes in goes through the dataflow while it comes.
//!
//! A live run is a replay of its own [inbox](crate::inbox): sources put lines there, and are answered once these are durable; the
//! dataflow follows that log. So restarts, kills and any number of workers are what they are for a replay. Where several processes share the
//! run, the first one has the inbox.

mod args;
mod demo;

use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context;
use futures_util::{FutureExt, TryFutureExt};
use tokio::runtime::{Builder, Runtime};
use tokio::task::JoinHandle;

use crate::cluster::Cluster;
use crate::config::InboxKeep;
use crate::desk::Desk;
use crate::disk::Disk;
use crate::inbox::{Inbox, InboxWriter, Keeps};
use crate::mirror::{Mirror, Sharing};
use crate::outputs::inbox_path;
use crate::replay::{Ends, Live, ReplayArgs, Role, live, live_among, meet_live, of_process};
use crate::sinks::files::Folder;
use crate::sources::follow::{self, follow};
use crate::stop::Stop;
use crate::summary::Summary;
use crate::{serve, sinks, sources};
pub use args::RunArgs;

/// So long sources and servers may take to end.
const GRACE: Duration = Duration::from_secs(2);

/// Threads on which they wait.
const THREADS: usize = 2;

/// Runs until it is interrupted, and prints a summary.
///
/// # Errors
/// A file, an option or the output folder cannot be used ([`UsageError`](crate::config::UsageError), before any work); a line is
/// rejected under `--strict`; a model or the disk fails; another process is lost; the accounting does not agree.
pub fn run(args: &RunArgs, stop: &Stop) -> anyhow::Result<()> {
    let replay = args.replay()?;
    args.logs.iter().try_for_each(|log| follow::check(log))?;
    // An interruption ends the run once its last cut is taken.
    let (_heeded, _keeps) = (stop.heed(), stop.keep());
    // All read its partitions, or none does.
    let topics = args.kafka.kafka_in.iter().flat_map(|topics| &topics.0);
    let topics: Vec<&str> = topics.map(|url| &*url.topic).collect();
    let shared = ("--kafka-in".to_owned(), topics.join(" "));
    let mut cluster = meet_live(&replay, shared, stop)?;
    let ended = through(args, &replay, stop, cluster.as_mut());
    tell(stop, &ended);
    ended
}

/// Has others who share the run be told why it fails.
fn tell<T>(stop: &Stop, ended: &anyhow::Result<T>) {
    if let Err(error) = ended
        && !stop.is_stopped()
    {
        stop.fail(format!("{error:#}"));
    }
}

/// The same, once other processes that share the run are there.
fn through(
    args: &RunArgs,
    replay: &ReplayArgs,
    stop: &Stop,
    mut cluster: Option<&mut Cluster>,
) -> anyhow::Result<()> {
    let (mut replay, state) = (of_process(replay), replay.config.state.as_deref());
    let disk = Disk::real();
    let inputs = args.logs.iter().chain(&args.contexts);
    let inputs = inputs.chain(&args.catalog).chain(&args.homes);
    let folder = Folder::claim(&disk, &args.out, inputs.map(PathBuf::as_path))?;
    if args.demo && replay.catalog.is_none() {
        replay.catalog = Some(demo::catalog_in(folder.path())?);
    }
    let keeps = keeps(args.inbox.inbox_keep);
    let Way {
        inbox,
        writer,
        role,
    } = Way::into(&folder, keeps, cluster.as_deref_mut(), stop)?;
    if let Role::Other(mirror) = &role {
        replay.logs = vec![mirror.name()];
    }
    let mut desk = Desk::new(inbox, folder.path(), replay.config.workers, stop.clone());
    if let Some(cluster) = &cluster {
        desk = desk.among(cluster.share());
    }
    let around = Live::of(&desk, keeps, role.clone());
    let (runtime, tasks) = surround(args, &desk)?;
    let ended = match cluster {
        Some(cluster) => live_among(&replay, &around, &folder, stop, (cluster, state)),
        None => alone(&mut replay, &around, &folder, &desk),
    };
    let ended = match (stop.failure(), ended) {
        // What it came to by that says less.
        (Some(failure), Err(_)) => Err(failed(&failure, args)),
        (_, ended) => ended,
    };
    tell(stop, &ended);
    // Whatever the end is, sources and servers end with it.
    stop.end();
    desk.feed.end();
    leave(runtime, tasks);
    drop(desk);
    match role {
        Role::Alone => {}
        // A process that is lost says no last words.
        Role::First(shared) => shared.close(stop.failure().is_none()),
        Role::Other(mirror) => mirror.close(),
    }
    if let Some(writer) = writer {
        writer.join();
    }
    let summary = ended?;
    if let Some(failure) = stop.failure() {
        return Err(failed(&failure, args));
    }
    println!("{summary}");
    Ok(())
}

fn failed(failure: &str, args: &RunArgs) -> anyhow::Error {
    let out = args.out.display();
    anyhow::anyhow!("{failure}; what was done until then is in {out}")
}

/// Replays the inbox until the run is to end, however often the vocabulary grows.
fn alone(
    replay: &mut ReplayArgs,
    around: &Live,
    folder: &Folder,
    desk: &Desk,
) -> anyhow::Result<Box<Summary>> {
    loop {
        replay.config.workers = desk.crew.workers();
        if let Ends::Over(summary) = live(replay, around, folder)? {
            return Ok(summary);
        }
    }
}

/// The way into the inbox.
struct Way {
    inbox: Inbox,
    /// Who writes it, where that is this process.
    writer: Option<InboxWriter>,
    role: Role,
}

impl Way {
    /// Into the inbox of a run's folder, or into that of the first process, where others share the run.
    fn into(
        folder: &Folder,
        keeps: Keeps,
        cluster: Option<&mut Cluster>,
        stop: &Stop,
    ) -> anyhow::Result<Self> {
        let (disk, path) = (folder.disk(), folder.path());
        let (peers, mut links, is_first) = match cluster {
            Some(cluster) => {
                let (peers, first) = (cluster.peers().clone(), cluster.share().is_first());
                (Some(peers), cluster.inbox_links(), first)
            }
            None => (None, Vec::new(), true),
        };
        if let Some(peers) = peers.as_ref().filter(|_| !is_first) {
            let link = links.first_mut().and_then(Option::take);
            let link = link.context("there is no link to the inbox; this is a bug in Hearth")?;
            let (inbox, mirror) = Mirror::open(disk, path, link, (peers, stop))?;
            let role = Role::Other(mirror);
            return Ok(Way {
                inbox,
                writer: None,
                role,
            });
        }
        let (inbox, writer) = Inbox::open(disk, path, keeps)?;
        let role = match &peers {
            Some(peers) => {
                let name = inbox_path(path).display().to_string();
                Role::First(Sharing::begin(&inbox, &name, links, peers)?)
            }
            None => Role::Alone,
        };
        Ok(Way {
            inbox,
            writer: Some(writer),
            role,
        })
    }
}

/// What is kept of the inbox, and of whom it holds marks that say what has changed.
fn keeps(keep: InboxKeep) -> Keeps {
    Keeps {
        bytes: match keep {
            InboxKeep::All => None,
            InboxKeep::Newest(size) => Some(size.bytes()),
        },
        folds: &[
            (sources::mqtt::SOURCE, sources::mqtt::folded),
            (
                sources::home_assistant::SOURCE,
                sources::home_assistant::folded,
            ),
            (sinks::mqtt::SINK, sinks::mqtt::folded),
        ],
    }
}

/// Starts what surrounds the dataflow: sources, sinks and the server, once all of them can be. What fails then ends the run.
fn surround(args: &RunArgs, desk: &Desk) -> anyhow::Result<(Runtime, Vec<JoinHandle<()>>)> {
    let mut builder = Builder::new_multi_thread();
    let builder = builder.worker_threads(THREADS).thread_name("around");
    let runtime = builder.enable_all().build()?;
    let opened = runtime.block_on(args.serve.open())?;
    let mut tasks = Vec::new();
    let hub = args.home_assistant.clone();
    tasks.push(sources::home_assistant::run(hub, desk.clone())?.boxed());
    let mqtt = args.mqtt.clone();
    tasks.push(sources::mqtt::run(mqtt.clone(), desk.clone())?.boxed());
    tasks.push(sinks::mqtt::run(mqtt, desk.clone())?.boxed());
    tasks.push(sources::kafka::run(&args.kafka, desk)?.boxed());
    tasks.push(sinks::kafka::run(&args.kafka, desk)?.boxed());
    let webhook = args.webhook.clone();
    tasks.push(sinks::webhook::run(webhook, desk.clone())?.boxed());
    let parquet = args.parquet.clone();
    tasks.push(sinks::parquet::run(parquet, desk.clone())?.boxed());
    for log in &args.logs {
        tasks.push(follow(log.clone(), args.config.columns.clone(), desk.clone()).boxed());
    }
    if args.demo {
        tasks.push(demo::demo(desk.clone()).boxed());
    }
    if let Some((listener, access)) = opened {
        let page = listener.local_addr()?;
        tracing::info!("the page is at http://{page}; Ctrl-C ends the run");
        let served = serve::serve(listener, desk.clone(), access);
        tasks.push(served.map_err(anyhow::Error::from).boxed());
    }
    let begin = |task| runtime.spawn(heeded(task, desk.stop.clone()));
    let tasks = tasks.into_iter().map(begin).collect();
    Ok((runtime, tasks))
}

/// Lets them end by themselves, if they do so soon.
fn leave(runtime: Runtime, tasks: Vec<JoinHandle<()>>) {
    let ends = async {
        for task in tasks {
            // Its panic was told on the terminal.
            let _ = task.await;
        }
    };
    let _ = runtime.block_on(async { tokio::time::timeout(GRACE, ends).await });
    runtime.shutdown_timeout(GRACE);
}

/// Has a source or sink that fails end the run.
async fn heeded(task: impl Future<Output = anyhow::Result<()>>, stop: Stop) {
    if let Err(error) = task.await {
        stop.fail(format!("{error:#}"));
    }
}
