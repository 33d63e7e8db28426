//! What a run says of itself where standard error is no terminal.

use std::io::{BufRead, BufReader};

use super::household::{SHORT, asking, dir};
use super::server::{Act, Server};
use crate::killed::signal;
use crate::program::{end, start};

/// A line now and then, also when all is read and what lasts is that homes are adapted: here a server keeps silent for ever.
#[test]
fn a_run_without_a_terminal_says_how_far_it_is() {
    let server = Server::start(|_| Act::Silence);
    let files = "events.jsonl --contexts contexts.jsonl --catalog catalog.json";
    let asking = asking(&server);
    let mut child = start(
        dir(),
        &format!("replay {files} --out silent {SHORT} {asking}"),
    );
    let mut stderr = BufReader::new(child.stderr.take().unwrap());
    let mut said = String::new();
    let is_all_read =
        |line: &str| line.contains("100 %, ") && line.contains(" of 3 shifts adapted to");
    // The run ends of its own where it never says so.
    while !said.lines().last().is_some_and(is_all_read) && stderr.read_line(&mut said).unwrap() > 0
    {
    }
    let _ = signal(&child, "-INT");
    end(child);
    let line = said.lines().last().unwrap_or_default();
    assert!(is_all_read(line), "{said}");
    assert!(
        line.contains(" 3 homes, ") && line.contains(", 0 answered"),
        "{said}"
    );
    assert!(
        !said.contains(['\r', '\u{1b}']),
        "for people at a terminal alone: {said:?}"
    );
}
