//! A log of three homes with a shift each, and its replay with a language model.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use super::server::Server;
use crate::program::{Ended, Folder, hearth, write};

/// Options that keep a replay short.
pub const SHORT: &str =
    "--warm-up 100 --warm-up-span 1d --max-gap 2h --epoch-events 100 --threads 1";

/// Options with which a client loses patience soon.
pub const IMPATIENT: &str =
    "--llm-attempts 1 --llm-first-token-timeout 300ms --llm-idle-timeout 300ms";

/// The folder with `events.jsonl`, `contexts.jsonl` and `catalog.json`.
pub fn dir() -> &'static Path {
    static DIR: OnceLock<PathBuf> = OnceLock::new();
    DIR.get_or_init(|| {
        let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join("llm");
        let _ = std::fs::remove_dir_all(&dir);
        std::fs::create_dir_all(&dir).unwrap();
        hearth(&dir, "simulate --homes 3 --days 12 --seed 5 --out .").fine();
        write(&dir, "key", "sk-canary-4711\n");
        dir
    })
}

/// Runs a replay of the log into the folder `out`.
pub fn replay(out: &str, options: &str) -> (Ended, Folder) {
    let files = "events.jsonl --contexts contexts.jsonl --catalog catalog.json";
    let ended = hearth(
        dir(),
        &format!("replay {files} --out {out} {SHORT} {options}"),
    );
    (ended, Folder(dir().join(out)))
}

/// Options that ask this server.
pub fn asking(server: &Server) -> String {
    format!(
        "--synthesizer openai --llm-url {} --llm-model parrot-1 --llm-key-file key",
        server.url()
    )
}
