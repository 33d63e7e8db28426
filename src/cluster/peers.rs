//! What processes say to each other beside the dataflow: that they live, that their part is done, why they end.

use std::collections::BTreeMap;
use std::io::{self, BufRead, BufReader, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use super::hosts::Hosts;
use crate::stop::Stop;

/// How often a process says that it lives.
const BEAT: Duration = Duration::from_millis(500);

/// How long one may say nothing before it is lost, in beats of one's own: a machine that is too busy to let this process say that it
/// lives may let others as little. With what ends a run after that, all others end within ten seconds.
const SILENCE: u32 = 12;

/// Bytes of a word at most: of each cut that a process has a few numbers.
const LONGEST: u64 = 1 << 20;

/// How often a process looks what there is to say.
const LOOK: Duration = Duration::from_millis(50);

/// What is said.
#[derive(Clone, Debug, Serialize, Deserialize)]
enum Word {
    /// It lives.
    Alive,
    /// Its workers have ended, everything being out.
    Ended,
    /// It ends by this, of its own.
    Failed(String),
    /// It ends because another process is lost, and why that is.
    Lost(usize, String),
    /// A person, or the system, wants it to end.
    Interrupted,
    /// Of a live run: something was done since the last cut that one is to have, also where nothing comes in.
    Due,
    /// What it has of the run already.
    Had(Had),
    /// Of the first process: what all do behind so many epochs.
    Decided(u64, Decision),
    /// Its workers have done with all before so many epochs.
    There(u64),
    /// Behind so many epochs: the first epoch of each stream of outputs of which it does not know yet that it is complete; and how many
    /// homes it knows.
    Open(u64, Vec<u64>, u64),
}

/// What a process has of a run already.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Had {
    /// All of it.
    pub complete: bool,
    /// Cuts that it can go on from.
    pub cuts: Vec<WholeCut>,
    /// A sum of the catalogs that it reads the log with.
    pub catalogs: u32,
    /// What it would have this life of the run be told by.
    pub life: u64,
}

/// What tells a cut of all processes from others. The newest one is the largest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct WholeCut {
    /// Behind how many epochs it is.
    pub epochs: u64,
    /// How many processes took it.
    pub processes: usize,
    /// Workers of each.
    pub workers: usize,
    /// In which life of the run: from one start of all processes to the next. Parts of different lives are none of one cut, for what
    /// was open outside differs.
    pub life: u64,
    /// Of a live run, in which two may be behind one epoch: which of its life it is.
    #[serde(default)]
    pub number: u64,
}

/// What all processes do behind an epoch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decision {
    /// They take a cut.
    pub cuts: bool,
    /// Then they end.
    pub ends: bool,
}

/// What all processes have of a run already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Agreed {
    /// Nothing that all have.
    Nothing,
    /// A cut.
    Cut(WholeCut),
    /// All of it.
    Complete,
    /// They read the log with other catalogs, so it is none of one run.
    Apart,
}

/// The other processes.
pub struct Peers {
    me: usize,
    hosts: Hosts,
    stop: Stop,
    /// By process; nobody where one is oneself.
    sockets: Vec<Option<TcpStream>>,
    state: Mutex<State>,
    news: Condvar,
    /// No more is said.
    left: AtomicBool,
}

struct State {
    standing: Vec<Standing>,
    /// How many beats of one's own ago each was heard last.
    silent: Vec<u32>,
    /// The one that is lost, and why; the first.
    lost: Option<(usize, String)>,
    /// Whether it was said why this process ends.
    told: bool,
    interrupted: bool,
    /// What each has said that it has.
    had: Vec<Option<Had>>,
    /// What was decided, and is not done yet.
    decided: BTreeMap<u64, Decision>,
    /// Whether one has said that a cut is due.
    due: bool,
    /// How far the workers of each have come.
    there: Vec<u64>,
    /// Which epochs of its outputs each takes for open, and how many homes it knows, and behind how many epochs that is.
    open: Vec<(u64, Opened)>,
}

/// The first epoch of each stream of outputs that is open, and how many homes are known.
type Opened = (Vec<u64>, u64);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Standing {
    Here,
    Ended,
    Lost,
}

impl Peers {
    /// Watches the others over these links.
    pub(super) fn watch(
        me: usize,
        hosts: &Hosts,
        sockets: Vec<Option<TcpStream>>,
        stop: &Stop,
    ) -> io::Result<Arc<Self>> {
        for socket in sockets.iter().flatten() {
            socket.set_read_timeout(Some(BEAT))?;
        }
        let peers = Arc::new(Peers::new(me, hosts, sockets, stop));
        for (peer, socket) in peers.sockets.iter().enumerate() {
            let Some(socket) = socket else { continue };
            let (of, socket) = (peers.clone(), socket.try_clone()?);
            thread(format!("hears-{peer}"), move || of.hear(peer, socket))?;
        }
        let of = peers.clone();
        thread("heartbeat".to_owned(), move || of.beat())?;
        Ok(peers)
    }

    /// Others that have said nothing yet.
    pub(super) fn new(
        me: usize,
        hosts: &Hosts,
        sockets: Vec<Option<TcpStream>>,
        stop: &Stop,
    ) -> Self {
        Peers {
            me,
            hosts: hosts.clone(),
            stop: stop.clone(),
            state: Mutex::new(State {
                standing: vec![Standing::Here; sockets.len()],
                silent: vec![0; sockets.len()],
                lost: None,
                told: false,
                interrupted: false,
                had: vec![None; hosts.len()],
                decided: BTreeMap::new(),
                due: false,
                there: vec![0; hosts.len()],
                open: vec![(0, Opened::default()); hosts.len()],
            }),
            sockets,
            news: Condvar::new(),
            left: AtomicBool::new(false),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until a process has said that its part is done, or is lost. Whether it has.
    pub(super) fn has_ended(&self, peer: usize) -> bool {
        let here = |state: &mut State| state.standing[peer] == Standing::Here;
        let waited = self.news.wait_while(self.state(), here);
        let state = waited.unwrap_or_else(PoisonError::into_inner);
        state.standing[peer] == Standing::Ended
    }

    /// Says what this process has of the run, and waits until all have; what all have, and by what this life of the run is told: as
    /// the first process would have it. `None`: the run is stopped.
    pub fn agree(&self, own: Had) -> Option<(Agreed, u64)> {
        self.say(&Word::Had(own.clone()));
        self.state().had[self.me] = Some(own);
        let state = self.wait(|state| state.had.iter().flatten().count() == state.had.len())?;
        let had: Vec<&Had> = state.had.iter().flatten().collect();
        let agreed = if had.iter().any(|one| one.catalogs != had[0].catalogs) {
            Agreed::Apart
        } else if had.iter().all(|had| had.complete) {
            Agreed::Complete
        } else {
            let own = had[self.me].cuts.iter().copied();
            let common = own.filter(|cut| had.iter().all(|had| had.cuts.contains(cut)));
            common.max().map_or(Agreed::Nothing, Agreed::Cut)
        };
        Some((agreed, had[0].life))
    }

    /// What all do behind so many epochs: what the first process says; `None`: the run is stopped.
    pub fn decide(&self, epochs: u64, own: Decision) -> Option<Decision> {
        if self.me == 0 {
            self.state().due = false;
            self.say(&Word::Decided(epochs, own));
            return Some(own);
        }
        let mut state = self.wait(|state| state.decided.contains_key(&epochs))?;
        state.decided.remove(&epochs)
    }

    /// Says to the first process that something was done since the last cut.
    pub fn wish_for_cut(&self) {
        self.say(&Word::Due);
    }

    /// Whether another process has said so since the last decision.
    pub fn wishes_for_cut(&self) -> bool {
        self.state().due
    }

    /// What the first process has decided and is not done yet, and behind how many epochs it is; waits for so long.
    pub fn decided(&self, within: Duration) -> Option<(u64, Decision)> {
        let nothing = |state: &mut State| state.decided.is_empty() && state.lost.is_none();
        let waited = self.news.wait_timeout_while(self.state(), within, nothing);
        let mut state = waited.unwrap_or_else(PoisonError::into_inner).0;
        state.decided.pop_first()
    }

    /// Says that this process's workers have done with all before so many epochs, and waits for the others. Whether they have.
    pub fn meet(&self, epochs: u64) -> bool {
        self.say(&Word::There(epochs));
        self.state().there[self.me] = epochs;
        let all = self.wait(|state| state.there.iter().all(|there| *there >= epochs));
        all.is_some()
    }

    /// Says which epochs of its outputs this process takes for open behind a cut for which all have [met](Peers::meet), and waits
    /// until all have. What is complete for one is complete for all, whoever has heard of it: the first epoch of each stream that
    /// is open for all. Of the homes that this process knows, how many all know: one may have read further. `None`: the run is stopped.
    pub fn open(&self, epochs: u64, own: Opened) -> Option<Opened> {
        self.say(&Word::Open(epochs, own.0.clone(), own.1));
        self.state().open[self.me] = (epochs, own);
        // Nobody is past the next cut before all have done with this one.
        let all_said = |state: &State| state.open.iter().all(|(at, _)| *at == epochs);
        let state = self.wait(all_said)?;
        let mut all = state.open.iter().map(|(_, open)| open.clone());
        let first = all.next()?;
        let both = |(a, homes): Opened, (b, others): Opened| {
            let later = a.into_iter().zip(b).map(|(a, b)| a.max(b));
            (later.collect(), homes.min(others))
        };
        Some(all.fold(first, both))
    }

    /// Waits for something that others say; `None`: one is lost, or the run is stopped.
    fn wait(&self, until: impl Fn(&State) -> bool) -> Option<MutexGuard<'_, State>> {
        let mut state = self.state();
        while !until(&state) {
            if self.stop.is_stopped() || state.lost.is_some() {
                return None;
            }
            let waited = self.news.wait_timeout(state, LOOK);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        Some(state)
    }

    /// This process's workers have ended, everything being out.
    pub(super) fn ended(&self) {
        self.say(&Word::Ended);
    }

    /// A link to a process was closed, or says what makes no sense, by which that is lost, unless it has said before why it ends.
    pub fn broke(&self, peer: usize, why: &str) {
        // What it said last may be on its way, by another link.
        let gone = |state: &mut State| state.standing[peer] == Standing::Here && !self.over();
        drop(self.news.wait_timeout_while(self.state(), BEAT, gone));
        if !self.over() {
            self.lost(peer, why);
        }
    }

    /// Whether this process ends, for whatever reason.
    fn over(&self) -> bool {
        self.stop.is_stopped() || self.stop.is_interrupted() || self.left.load(Ordering::SeqCst)
    }

    /// A process is lost, by which the run fails.
    pub(super) fn lost(&self, peer: usize, why: &str) {
        let mut state = self.state();
        if state.standing[peer] != Standing::Here {
            return;
        }
        state.standing[peer] = Standing::Lost;
        let first = state.lost.is_none();
        if first {
            state.lost = Some((peer, why.to_owned()));
        }
        drop(state);
        self.news.notify_all();
        if self.stop.is_interrupted() {
            // It ends for the same reason.
            self.stop.stop();
        } else if first {
            let who = self.hosts.name(peer);
            self.stop.fail(format!("{who} is lost: {why}"));
        }
    }

    /// Says why this process ends, or that its part is done, and nothing more.
    pub(super) fn leave(&self) {
        self.tell();
        if self.stop.failure().is_none() && !self.stop.is_interrupted() {
            self.ended();
        }
        self.left.store(true, Ordering::SeqCst);
        for socket in self.sockets.iter().flatten() {
            // What was said is still sent.
            let _ = socket.shutdown(std::net::Shutdown::Write);
        }
    }

    /// Says something to all that are there.
    fn say(&self, word: &Word) {
        let Ok(mut line) = serde_json::to_vec(word) else {
            return;
        };
        line.push(b'\n');
        // One word at a time.
        let _state = self.state();
        for mut socket in self.sockets.iter().flatten() {
            // One that does not take it is lost, which is noticed where it is heard; one that is taken for lost may live.
            let _ = socket.write_all(&line);
        }
    }

    /// Says why this process ends, once it does.
    fn tell(&self) {
        let mut state = self.state();
        if let Some(failure) = self.stop.failure().filter(|_| !state.told) {
            state.told = true;
            let word = match state.lost.clone() {
                Some((peer, why)) => Word::Lost(peer, why),
                None => Word::Failed(failure),
            };
            drop(state);
            return self.say(&word);
        }
        if self.stop.is_interrupted() && !std::mem::replace(&mut state.interrupted, true) {
            drop(state);
            self.say(&Word::Interrupted);
        }
    }

    /// Says now and then that this process lives, and looks whether the others do.
    fn beat(&self) {
        let mut last: Option<Instant> = None;
        while !self.left.load(Ordering::SeqCst) {
            self.tell();
            if last.is_none_or(|last| last.elapsed() >= BEAT) {
                last = Some(Instant::now());
                self.say(&Word::Alive);
                self.look();
            }
            std::thread::sleep(LOOK);
        }
    }

    fn look(&self) {
        let mut state = self.state();
        state.silent.iter_mut().for_each(|beats| *beats += 1);
        let silent = |peer: &usize| {
            self.sockets[*peer].is_some()
                && state.standing[*peer] == Standing::Here
                && state.silent[*peer] > SILENCE
        };
        let silent: Vec<usize> = (0..self.sockets.len()).filter(silent).collect();
        drop(state);
        for peer in silent {
            let seconds = (BEAT * SILENCE).as_secs();
            let why =
                format!("it has said nothing for {seconds} s, so it hangs or cannot be reached");
            self.lost(peer, &why);
        }
    }

    /// Hears what a process says, until it says no more.
    pub(super) fn hear(&self, peer: usize, socket: impl Read) {
        let mut reader = BufReader::new(socket);
        let mut line = Vec::new();
        while !self.left.load(Ordering::SeqCst) {
            let room = LONGEST.saturating_sub(line.len() as u64);
            match reader.by_ref().take(room).read_until(b'\n', &mut line) {
                Ok(_) if line.last() != Some(&b'\n') && line.len() as u64 >= LONGEST => {
                    return self.lost(peer, "it says what is no word: there is no end of it");
                }
                Ok(_) if line.last() != Some(&b'\n') => {
                    return self.lost(peer, "it ended without a word");
                }
                Ok(_) => {
                    let word = serde_json::from_slice(&line);
                    line.clear();
                    self.state().silent[peer] = 0;
                    match word {
                        Ok(word) => self.take(peer, word),
                        Err(error) => self.lost(peer, &format!("it says what is no word: {error}")),
                    }
                }
                // Part of a line may have come; the rest follows.
                Err(error) if waits(&error) => {}
                Err(error) => return self.lost(peer, &format!("its link broke off: {error}")),
            }
        }
    }

    fn note(&self, note: impl FnOnce(&mut State)) {
        note(&mut self.state());
        self.news.notify_all();
    }

    fn take(&self, peer: usize, word: Word) {
        match word {
            Word::Alive => {}
            Word::Ended => {
                let mut state = self.state();
                if state.standing[peer] == Standing::Here {
                    state.standing[peer] = Standing::Ended;
                }
                drop(state);
                self.news.notify_all();
            }
            Word::Failed(why) => self.lost(peer, &format!("it failed: {why}")),
            // It may be this process that hung, or was cut off.
            Word::Lost(other, why) if other == self.me => {
                self.lost(peer, &format!("it goes on without this process: {why}"));
            }
            Word::Lost(other, why) if other < self.sockets.len() => self.lost(other, &why),
            Word::Lost(..) => {}
            Word::Had(had) => self.note(|state| state.had[peer] = Some(had)),
            Word::Decided(epochs, decision) => {
                self.note(|state| state.decided.extend([(epochs, decision)]));
            }
            Word::Due => self.note(|state| state.due = true),
            Word::There(epochs) => self.note(|state| state.there[peer] = epochs),
            Word::Open(epochs, open, homes) => {
                self.note(|state| state.open[peer] = (epochs, (open, homes)));
            }
            Word::Interrupted => {
                if !self.stop.is_interrupted() && !self.stop.is_stopped() {
                    tracing::info!(
                        "{} was asked to end, so this one ends",
                        self.hosts.name(peer)
                    );
                }
                // It is passed on: others may hear of this process's end before they hear of that.
                self.stop.end();
            }
        }
    }
}

/// Whether nothing is wrong: nothing has come yet.
fn waits(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted
    )
}

fn thread(name: String, work: impl FnOnce() + Send + 'static) -> io::Result<()> {
    std::thread::Builder::new().name(name).spawn(work).map(drop)
}
