//! The live run that is measured, in a process of its own.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use tokio::runtime::Runtime;

use super::LiveArgs;
use super::mqtt::topic;
use crate::config::Span;

/// How long it may take for what it is to learn.
const LEARNS: Duration = Duration::from_secs(600);

/// How often it is asked how far it is.
const ASKED: Duration = Duration::from_millis(100);

pub(super) struct Program {
    child: Child,
    address: String,
}

impl Program {
    /// Starts it, and waits until it listens.
    pub fn start(
        args: &LiveArgs,
        interval: Span,
        catalog: &Path,
        out: &Path,
    ) -> anyhow::Result<Program> {
        let mut command = Command::new(std::env::current_exe()?);
        command.arg("run").arg("--out").arg(out);
        command.arg("--catalog").arg(catalog);
        // One that grows large would go on as another file.
        command.args(["--listen", "127.0.0.1:0", "--output-packing", "none"]);
        // Its length is compared with what was read.
        command.args(["--inbox-keep", "all"]);
        command.args(["--epoch-interval", &interval.to_string()]);
        command.args(["--workers", &args.workers.to_string()]);
        if let Some(broker) = &args.mqtt {
            let events = format!("events:{}", topic(out));
            command.args(["--mqtt", &broker.to_string()]);
            command.args(["--mqtt-in", &events, "--mqtt-out", "false"]);
        }
        command.stdin(Stdio::null()).stdout(Stdio::null());
        let mut child = command.stderr(Stdio::piped()).spawn()?;
        let told = child.stderr.take().context("the run tells nothing")?;
        let (tell, told_by) = std::sync::mpsc::channel();
        // It is read to its end, so that the run never waits for whoever reads it.
        std::thread::spawn(move || {
            for line in BufReader::new(told).lines().map_while(Result::ok) {
                let _ = tell.send(line);
            }
        });
        let mut lines = Vec::new();
        for line in told_by.iter() {
            if let Some((_, said)) = line.split_once("http://") {
                let address = said.split(';').next().unwrap_or(said);
                let address = format!("http://{address}");
                return Ok(Program { child, address });
            }
            lines.push(line);
        }
        anyhow::bail!("the run did not begin: {}", lines.join("\n"))
    }

    pub fn address(&self) -> &str {
        &self.address
    }

    /// Waits until it has read all that is in its inbox, and everything is out.
    pub fn comes_to_rest(
        &self,
        runtime: &Runtime,
        client: &reqwest::Client,
        inbox: &Path,
    ) -> anyhow::Result<()> {
        let began = Instant::now();
        let metrics = format!("{}/metrics", self.address);
        while began.elapsed() < LEARNS {
            std::thread::sleep(ASKED);
            let length = std::fs::metadata(inbox)?.len();
            let asked = async { client.get(&metrics).send().await?.text().await };
            let text = runtime.block_on(asked)?;
            let is = |name: &str, is: f64| value(&text, name) == Some(is);
            let read = is("hearth_inbox_bytes", length as f64);
            if read && is("hearth_inbox_behind_bytes", 0.0) && is("hearth_epochs_open", 0.0) {
                return Ok(());
            }
        }
        anyhow::bail!("the run has not read what came in {LEARNS:?}")
    }

    /// Interrupts it, and waits for its end.
    pub fn end(mut self) -> anyhow::Result<()> {
        let interrupt = ["-INT", &self.child.id().to_string()];
        Command::new("kill").args(interrupt).status()?;
        let status = self.child.wait()?;
        ensure!(status.success(), "the run ended with {status}");
        Ok(())
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // Both fail where it has ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The value of a measure.
fn value(metrics: &str, name: &str) -> Option<f64> {
    let line = metrics
        .lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    line?.trim().parse().ok()
}
