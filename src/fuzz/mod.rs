//! Parsers of bytes from outside, under mutated seeds: what is called fuzzing, by nothing but a test.
//!
//! A target is a test beside its parser, in a module `fuzz`, that calls [`fuzz`] with seeds and a closure which says what holds
//! of any input. `cargo test --release --lib fuzz::` gives each a second; `HEARTH_FUZZ_SECONDS=3600` an hour. The seed decides all
//! but how far one comes: `HEARTH_SEED=2` for other mutations. There is no feedback from the code (that needs another compiler); a
//! parser's own words serve: an input of which the closure gives an account that none gave before is mutated further.
//!
//! Each target runs in a process of its own, so that a stack overflow or an endless loop has a name too. An input must not take a
//! second of processor time, nor a hundred megabytes. What is found is written to `tests/seeds/TARGET/`: commit it with the
//! repair, for all that lies there is tried first, every time.

mod mutate;

use std::collections::HashSet;
use std::env;
use std::fs::{self, File};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::Read;
use std::os::unix::fs::FileExt;
use std::panic;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rustix::time::{ClockId, clock_gettime};

use crate::memory;
use mutate::Mutator;

/// Processor time that an input may take. Hearth is not optimised in tests.
const LONGEST: Duration = Duration::from_secs(1);

/// Memory that an input may take.
const MOST_MEMORY: u64 = 100 << 20;

/// Inputs that are kept to be mutated further.
const KEPT: usize = 4096;

/// Where the child writes each input before it is tried.
const CHILD: &str = "HEARTH_FUZZ_CHILD";

/// Tries mutations of the seeds, and of what lies in the target's folder. `words` are put in here and there. `holds` panics where
/// something is wrong with what comes of an input, and gives an account of it.
///
/// Called by a test of its own that does nothing else: a process is started that runs this test alone.
pub(crate) fn fuzz<H: FnMut(&[u8]) -> String>(seeds: &[&[u8]], words: &[&str], holds: H) {
    // The type of a closure is named by the path of the function that it stands in.
    let path = std::any::type_name::<H>().trim_end_matches("::{{closure}}");
    let (_, path) = path.split_once("::").unwrap();
    let target = path.rsplit("::").next().unwrap();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/seeds");
    let folder = folder.join(target);
    match env::var_os(CHILD) {
        Some(current) => {
            let mut corpus: Vec<Vec<u8>> = seeds.iter().map(|seed| seed.to_vec()).collect();
            corpus.extend(found(&folder));
            let current = File::create(current).unwrap();
            Trial::new(corpus, words, current).run(holds);
        }
        None => parent(path, &folder),
    }
}

fn number(variable: &str, default: u64) -> u64 {
    let given = env::var(variable).ok();
    given.map_or(default, |text| text.parse().expect(variable))
}

/// What was found before, and seeds that are files.
fn found(folder: &Path) -> Vec<Vec<u8>> {
    let files = fs::read_dir(folder).into_iter().flatten();
    let mut files: Vec<PathBuf> = files.map(|file| file.unwrap().path()).collect();
    files.sort();
    files.iter().map(|file| fs::read(file).unwrap()).collect()
}

/// Starts the child, waits for it and says what became of it.
fn parent(path: &str, folder: &Path) {
    let current = tempfile::NamedTempFile::new().unwrap();
    let mut child = Command::new(env::current_exe().unwrap())
        .args([path, "--exact", "--nocapture", "--test-threads=1"])
        .env(CHILD, current.path())
        // Resolving one takes more memory and time than any input may.
        .env("RUST_BACKTRACE", "0")
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stderr = child.stderr.take().unwrap();
    let reader = std::thread::spawn(move || {
        let mut said = Vec::new();
        stderr.read_to_end(&mut said).unwrap();
        String::from_utf8_lossy(&said).into_owned()
    });
    // An input that never ends is found here alone: far beyond what anything takes.
    let until = Instant::now() + Duration::from_secs(seconds() + 120);
    let ended = loop {
        match child.try_wait().unwrap() {
            Some(status) => break status.success(),
            None if Instant::now() > until => {
                child.kill().unwrap();
                child.wait().unwrap();
                break false;
            }
            None => std::thread::sleep(Duration::from_millis(20)),
        }
    };
    let said = reader.join().unwrap();
    let account = said.lines().find(|line| line.contains(EXECUTIONS));
    if let (true, Some(account)) = (ended, account) {
        eprintln!("{path}: {account}");
        return;
    }
    let input = fs::read(current.path()).unwrap();
    let file = folder.join(format!("found-{:08x}", crc32fast::hash(&input)));
    fs::create_dir_all(folder).unwrap();
    fs::write(&file, &input).unwrap();
    panic!("{said}\n{path}: the input is in {}", file.display());
}

/// What a child's account has in it.
const EXECUTIONS: &str = " executions in ";

/// What each target is given.
fn seconds() -> u64 {
    number("HEARTH_FUZZ_SECONDS", 1)
}

/// The child's work.
struct Trial<'a> {
    corpus: Vec<Vec<u8>>,
    /// How many of the corpus were given.
    given: usize,
    accounts: HashSet<u64>,
    mutator: Mutator<'a>,
    current: File,
    executions: u64,
    /// The most that the process has held.
    peak: u64,
}

impl<'a> Trial<'a> {
    fn new(corpus: Vec<Vec<u8>>, words: &'a [&'a str], current: File) -> Self {
        let random = ChaCha8Rng::seed_from_u64(number("HEARTH_SEED", 1));
        Trial {
            given: corpus.len(),
            corpus,
            accounts: HashSet::new(),
            mutator: Mutator { random, words },
            current,
            executions: 0,
            peak: 0,
        }
    }

    fn run(mut self, mut holds: impl FnMut(&[u8]) -> String) {
        // On whichever thread: a panic of Hearth that is caught is one as well. Those of what it stands on, it may catch.
        let tell = panic::take_hook();
        panic::set_hook(Box::new(move |why| {
            let file = why.location().map_or("", |place| place.file());
            if !file.contains("/registry/src/") {
                tell(why);
                std::process::abort();
            }
        }));
        let began = Instant::now();
        for input in self.corpus.clone() {
            let account = self.execute(&input, &mut holds);
            self.accounts.insert(account);
        }
        while began.elapsed().as_secs() < seconds() {
            let input = self.next();
            let account = self.execute(&input, &mut holds);
            if self.corpus.len() < self.given + KEPT && self.accounts.insert(account) {
                self.corpus.push(input);
            }
        }
        eprintln!(
            "{}{EXECUTIONS}{:.0} s, {} accounts, {} MB",
            self.executions,
            began.elapsed().as_secs_f64(),
            self.accounts.len(),
            self.peak >> 20
        );
    }

    /// As often of what was given as of what was found to be of another kind.
    fn next(&mut self) -> Vec<u8> {
        let Trial {
            corpus, mutator, ..
        } = self;
        let (given, kept) = corpus.split_at(self.given);
        let from = match kept.is_empty() || mutator.random.random() {
            true => given,
            false => kept,
        };
        let mut input = from.choose(&mut mutator.random).unwrap().clone();
        let other = corpus.choose(&mut mutator.random).unwrap();
        mutator.mutate(&mut input, other);
        input
    }

    /// Tries an input, and gives the kind of what came of it.
    fn execute(&mut self, input: &[u8], holds: &mut impl FnMut(&[u8]) -> String) -> u64 {
        self.current.set_len(input.len() as u64).unwrap();
        self.current.write_all_at(input, 0).unwrap();
        let before = clock_gettime(ClockId::ThreadCPUTime);
        let account = holds(input);
        let after = clock_gettime(ClockId::ThreadCPUTime);
        let took = Duration::try_from(after - before).unwrap();
        assert!(took < LONGEST, "{took:?} for {} bytes", input.len());
        let peak = memory::peak_rss().unwrap_or(0);
        let more = peak.saturating_sub(self.peak);
        // Of the first is also what the process itself takes.
        assert!(
            self.executions == 0 || more < MOST_MEMORY,
            "{more} bytes of memory for {} bytes",
            input.len()
        );
        (self.peak, self.executions) = (peak.max(self.peak), self.executions + 1);
        kind(&account)
    }
}

/// What an account says, but for names, numbers and how often something is said.
fn kind(account: &str) -> u64 {
    let mut quoted = None;
    let words = account.chars().filter(|c| match quoted {
        Some(quote) => {
            if *c == quote {
                quoted = None;
            }
            false
        }
        None => {
            if matches!(c, '`' | '"' | '“') {
                quoted = Some(if *c == '“' { '”' } else { *c });
            }
            c.is_ascii_alphabetic()
        }
    });
    let mut hasher = DefaultHasher::new();
    words.collect::<String>().hash(&mut hasher);
    hasher.finish()
}

/// The reasons of what was refused, each once: an account.
pub(crate) fn reasons<'a>(reasons: impl IntoIterator<Item = &'a str>) -> String {
    let mut reasons: Vec<&str> = reasons.into_iter().collect();
    reasons.sort_unstable();
    reasons.dedup();
    reasons.truncate(3);
    reasons.join(";")
}

#[test]
fn an_account_is_known_by_its_words() {
    assert_eq!(
        kind("unknown device `a7` (column 3)"),
        kind("unknown device `b` (column 44)")
    );
    assert_ne!(kind("unknown device `a`"), kind("unknown action `a`"));
    assert_eq!(reasons(["b", "a", "b"]), "a;b");
}
