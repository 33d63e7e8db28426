//! Checkpoints in a bucket, of servers that others wrote: moto's, and rclone's, which keeps what it has when it is killed.

use std::path::Path;
use std::time::Duration;

use serde_json::Value;

use super::household::{dir, first};
use super::killed::{command, counted};
use super::program::{Ended, Folder, STREAMS, end, same_lines, start_with};
use server::Server;

#[path = "../llm/server.rs"]
mod server;

const SECRETS: [&str; 2] = ["AKIAHEARTHTEST", "the-secret-of-this-test"];

type Variables<'a> = [(&'a str, &'a str); 5];

fn variables(server: &str) -> Variables<'_> {
    [
        ("AWS_ACCESS_KEY_ID", SECRETS[0]),
        ("AWS_SECRET_ACCESS_KEY", SECRETS[1]),
        ("AWS_REGION", "us-east-1"),
        ("AWS_ENDPOINT", server),
        ("AWS_ALLOW_HTTP", "true"),
    ]
}

/// Runs it to its end; what it says holds no secret.
fn run(arguments: &str, variables: &Variables<'_>) -> Ended {
    let mut child = start_with(dir(), arguments, variables);
    drop(child.stdin.take());
    let ended = end(child);
    untold(&ended.stdout);
    untold(&ended.stderr);
    ended
}

fn untold(text: &str) {
    assert!(SECRETS.iter().all(|it| !text.contains(it)), "{text}");
}

fn cuts(place: &str, variables: &Variables<'_>) -> usize {
    let shown = run(&format!("state show {place} --json"), variables);
    let shown: Value = serde_json::from_str(&shown.stdout).unwrap_or_default();
    shown["cuts"].as_array().map_or(0, Vec::len)
}

/// When the first run is killed.
const SOON: Duration = Duration::from_millis(300);

/// Kills runs, each later than the one before, until one leaves something to go on from; `before` each kill something happens.
fn kept(out: &str, place: &str, variables: &Variables<'_>, mut before: impl FnMut()) {
    let _ = std::fs::remove_dir_all(dir().join(out));
    let command = command(out, &format!("--state {place} --fresh"));
    let mut wait = SOON;
    loop {
        let mut child = start_with(dir(), &command, variables);
        drop(child.stdin.take());
        std::thread::sleep(wait);
        before();
        let _ = child.kill();
        untold(&end(child).stderr);
        // One that came to its end was killed too late.
        let late = dir().join(out).join("summary.json").exists();
        if !late && cuts(place, variables) > 0 {
            return;
        }
        wait = if late { SOON } else { wait + wait / 4 };
        assert!(wait < Duration::from_secs(60), "nothing is ever kept");
    }
}

/// What a run left is that of the undisturbed one, and no file of it holds a secret.
fn as_undisturbed(out: &Path) {
    same_lines(first(), &Folder(out.to_owned()), &STREAMS);
    assert_eq!(counted(&Folder(out.to_owned())), counted(first()));
    let files = std::fs::read_dir(out).unwrap().map(|it| it.unwrap().path());
    for file in files.filter(|path| path.is_file()) {
        untold(&String::from_utf8_lossy(&std::fs::read(file).unwrap()));
    }
}

#[test]
fn checkpoints_lie_in_a_bucket() {
    let Some(server) = Server::start("s3", &[]) else {
        return;
    };
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let made = reqwest::Client::new().put(format!("{}/homes", server.url));
    assert!(runtime.block_on(made.send()).unwrap().status().is_success());
    let (variables, place) = (variables(&server.url), "s3://homes/some/run");
    let (out, options) = (dir().join("afar"), format!("--state {place}"));
    kept("afar", place, &variables, || {});
    assert!(!out.join("state").exists());
    // Whoever names the output folder finds them, too.
    for named in [place, "afar"] {
        let verified = run(&format!("state verify {named}"), &variables).fine();
        assert!(
            verified.stdout.contains("sound: cuts"),
            "{}",
            verified.stdout
        );
    }
    run(&format!("state compact {place}"), &variables).fine();
    let ended = run(
        &command("afar", &format!("{options} --workers 3")),
        &variables,
    )
    .fine();
    assert!(
        ended.stderr.contains("goes on at epoch"),
        "{}",
        ended.stderr
    );
    as_undisturbed(&out);

    // What is erased is nowhere gone on with.
    run("erase afar --home h-2", &variables).fine();
    assert_eq!(cuts(place, &variables), 0);

    let elsewhere = "--state s3://nobodys/run --fresh";
    let refused = run(&command("afar", elsewhere), &variables);
    assert_ne!(refused.code, Some(0));
    assert!(
        refused.stderr.contains("s3://nobodys/run"),
        "{}",
        refused.stderr
    );
    let keyed = "--state s3://me:the-secret-of-this-test@homes/run";
    let refused = run(&command("afar", keyed), &variables);
    assert_eq!(refused.code, Some(2), "{}", refused.stderr);
}

/// Run and server are killed at any moment, and then the server once more under a run that is left alone: outputs are those of the
/// undisturbed run.
#[test]
fn a_bucket_whose_server_is_killed_is_gone_on_with() {
    let buckets = dir().join("rclone");
    let _ = std::fs::remove_dir_all(&buckets);
    std::fs::create_dir_all(buckets.join("homes")).unwrap();
    let (key, folder) = (SECRETS.join(","), buckets.to_str().unwrap());
    let Some(mut server) = Server::start("rclone", &["--auth-key", &key, folder]) else {
        return;
    };
    let url = server.url.clone();
    let (variables, place) = (variables(&url), "s3://homes/run");
    let out = dir().join("away");
    kept("away", place, &variables, || server.restart());
    let options = format!("--state {place} --workers 2");
    let mut child = start_with(dir(), &command("away", &options), &variables);
    drop(child.stdin.take());
    std::thread::sleep(SOON);
    server.restart();
    let ended = end(child).fine();
    untold(&ended.stderr);
    assert!(
        ended.stderr.contains("goes on at epoch"),
        "{}",
        ended.stderr
    );
    as_undisturbed(&out);
    // A key that the server does not know is no reason to tell it.
    let mut strange = variables;
    strange[1].1 = "the-secret-of-this-test-is-another";
    let refused = run(&format!("state verify {place}"), &strange);
    assert_ne!(refused.code, Some(0));
}
