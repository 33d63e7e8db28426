//! A disk for tests, in memory. It journals what is done to it and keeps what was written, synced and renamed apart, as a disk
//! with a cache does: what a power failure at any moment leaves can be told from the journal, without running anything again.
//!
//! The bytes of a file outlive it once the file was synced, names in a folder once the folder was. What was not synced is lost or
//! kept piece by piece, in any combination, and of a write any first part.

use std::collections::BTreeMap;
use std::fs::TryLockError;
use std::io::{self, ErrorKind, SeekFrom};
use std::path::{Component, Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use super::{Kind, Open};

/// A file or a folder, by the order in which they were made.
type Node = usize;

const ROOT: Node = 0;

#[derive(Clone, Debug, Serialize, Deserialize)]
enum Body {
    File(Vec<u8>),
    Folder(BTreeMap<String, Node>),
}

impl Body {
    /// The same with nothing in it.
    fn empty(&self) -> Self {
        match self {
            Body::File(_) => Body::File(Vec::new()),
            Body::Folder(_) => Body::Folder(BTreeMap::new()),
        }
    }

    fn apply(&mut self, change: &Change) {
        match (self, change) {
            (Body::Folder(now), Change::Names(names)) => {
                for (name, node) in names {
                    match node {
                        Some(node) => now.insert(name.clone(), *node),
                        None => now.remove(name),
                    };
                }
            }
            (Body::File(now), Change::Write(at, bytes)) => {
                let end = at + bytes.len();
                if now.len() < end {
                    now.resize(end, 0);
                }
                now[*at..end].copy_from_slice(bytes);
            }
            (Body::File(now), Change::Length(bytes)) => now.resize(*bytes, 0),
            (body, change) => unreachable!("{change:?} of {body:?}"),
        }
    }
}

/// What can be lost.
#[derive(Clone, Debug, Serialize, Deserialize)]
enum Change {
    /// Names in a folder are now these nodes', or nobody's; all at once.
    Names(Vec<(String, Option<Node>)>),
    Write(usize, Vec<u8>),
    Length(usize),
}

#[derive(Clone, Debug, Serialize, Deserialize)]
enum Operation {
    Change(Node, Change),
    Sync(Node),
    /// Something that is no matter of the disk's, noted to know what came before it.
    Note,
}

/// What a power failure takes of what was not synced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Loss {
    /// Nothing: it was the process that ended.
    None,
    /// All.
    All,
    /// Any part, as the seed has it.
    Some(u64),
}

/// What was done to a disk.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Journal {
    /// What was on it before.
    before: Vec<Body>,
    /// What was on it at the end, for the kinds of what was made.
    after: Vec<Body>,
    operations: Vec<Operation>,
}

impl Journal {
    /// How many operations.
    pub fn operations(&self) -> usize {
        self.operations.len()
    }

    /// How many of the first so many are notes.
    pub fn notes(&self, first: usize) -> usize {
        let first = &self.operations[..first];
        let is_note = |operation: &&Operation| matches!(operation, Operation::Note);
        first.iter().filter(is_note).count()
    }

    /// What an operation was, for people.
    pub fn describe(&self, number: usize) -> String {
        match self.operations.get(number) {
            None => "the end".to_owned(),
            Some(Operation::Note) => "a note".to_owned(),
            Some(Operation::Sync(node)) => format!("sync of {}", self.name(*node)),
            Some(Operation::Change(node, Change::Names(names))) => {
                let names = names.iter().map(|(name, node)| {
                    let sign = if node.is_some() { '+' } else { '-' };
                    format!("{sign}{name}")
                });
                let names: Vec<String> = names.collect();
                format!("in {}: {}", self.name(*node), names.join(" "))
            }
            Some(Operation::Change(node, Change::Write(at, bytes))) => {
                format!("{} bytes at {at} of {}", bytes.len(), self.name(*node))
            }
            Some(Operation::Change(node, Change::Length(bytes))) => {
                format!("{} has {bytes} bytes", self.name(*node))
            }
        }
    }

    /// A name that a node had.
    fn name(&self, node: Node) -> String {
        let named = self
            .operations
            .iter()
            .find_map(|operation| match operation {
                Operation::Change(_, Change::Names(names)) => {
                    names.iter().find(|(_, named)| *named == Some(node))
                }
                _ => None,
            });
        named.map_or_else(|| format!("node {node}"), |(name, _)| name.clone())
    }

    /// The disk after the first so many operations and a failure.
    pub fn image(&self, first: usize, loss: Loss) -> Simulated {
        let mut nodes = self.before.clone();
        let made = self.after[nodes.len()..].iter();
        nodes.extend(made.map(Body::empty));
        let mut unsynced: Vec<Vec<&Change>> = vec![Vec::new(); nodes.len()];
        for operation in &self.operations[..first] {
            match operation {
                Operation::Change(node, change) => unsynced[*node].push(change),
                Operation::Sync(node) => {
                    let synced = std::mem::take(&mut unsynced[*node]);
                    synced.into_iter().for_each(|it| nodes[*node].apply(it));
                }
                Operation::Note => {}
            }
        }
        let seed = match loss {
            Loss::Some(seed) => seed,
            Loss::None | Loss::All => 0,
        };
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        for (node, changes) in unsynced.into_iter().enumerate() {
            let kept = match loss {
                Loss::None => changes.into_iter().cloned().collect(),
                Loss::All => Vec::new(),
                Loss::Some(_) => kept(&changes, &mut random),
            };
            kept.iter().for_each(|change| nodes[node].apply(change));
        }
        Simulated::of(nodes)
    }
}

/// Which changes of a node outlive a failure: none, all, the first ones, or any; the last of them perhaps in part.
fn kept(changes: &[&Change], random: &mut ChaCha8Rng) -> Vec<Change> {
    let mut kept: Vec<Change> = match random.random_range(0..4) {
        0 => Vec::new(),
        1 => changes.iter().copied().cloned().collect(),
        2 => {
            let first = random.random_range(0..=changes.len());
            changes[..first].iter().copied().cloned().collect()
        }
        _ => {
            let any = changes.iter().filter(|_| random.random());
            any.copied().cloned().collect()
        }
    };
    if let Some(Change::Write(_, bytes)) = kept.last_mut()
        && random.random()
    {
        bytes.truncate(random.random_range(0..=bytes.len()));
    }
    kept
}

/// The disk; clones are of the same.
#[derive(Clone, Debug)]
pub struct Simulated(Arc<Mutex<World>>);

#[derive(Debug)]
struct World {
    before: Vec<Body>,
    nodes: Vec<Body>,
    operations: Vec<Operation>,
    /// How many more times something may take room; `None`: there is enough.
    room: Option<usize>,
    /// How many times room was taken.
    taken: usize,
    /// What found no room first.
    refused: Option<String>,
}

impl Simulated {
    /// An empty one.
    pub fn empty() -> Self {
        Self::of(vec![Body::Folder(BTreeMap::new())])
    }

    fn of(nodes: Vec<Body>) -> Self {
        Simulated(Arc::new(Mutex::new(World {
            before: nodes.clone(),
            nodes,
            operations: Vec::new(),
            room: None,
            taken: 0,
            refused: None,
        })))
    }

    /// For those who write.
    pub fn disk(&self) -> super::Disk {
        super::Disk(super::Place::Simulated(self.clone()))
    }

    /// What was done to it.
    pub fn journal(&self) -> Journal {
        let world = self.world();
        Journal {
            before: world.before.clone(),
            after: world.nodes.clone(),
            operations: world.operations.clone(),
        }
    }

    /// The same with nothing journaled, and all on it as if synced.
    pub fn settled(&self) -> Self {
        Self::of(self.world().nodes.clone())
    }

    /// Notes in the journal that something happened elsewhere.
    pub fn note(&self) {
        self.world().operations.push(Operation::Note);
    }

    /// From now on, so many more times something may take room, and then nothing.
    pub fn fills_after(&self, times: usize) {
        self.world().room = Some(times);
    }

    /// How many times something took room.
    pub fn taken(&self) -> usize {
        self.world().taken
    }

    /// What first found no room.
    pub fn refused(&self) -> Option<String> {
        self.world().refused.clone()
    }

    /// All files below a folder, with what is in them, in order.
    pub fn files(&self, folder: &Path) -> Vec<(PathBuf, Vec<u8>)> {
        let mut files = Vec::new();
        for path in self.list(folder).unwrap_or_default() {
            match self.kind(&path) {
                Some(Kind::Folder) => files.extend(self.files(&path)),
                _ => files.push((path.clone(), self.read(&path).unwrap_or_default())),
            }
        }
        files
    }

    /// Puts other bytes in the place of a file's, as if they had always been there.
    pub fn put(&self, path: &Path, bytes: Vec<u8>) {
        let mut world = self.world();
        if let Ok(node) = world.find(path) {
            world.nodes[node] = Body::File(bytes);
        }
    }

    /// All of a file; of one that is not there, nothing.
    pub fn read_at(&self, path: &Path) -> Vec<u8> {
        self.read(path).unwrap_or_default()
    }

    fn world(&self) -> MutexGuard<'_, World> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn open(&self, path: &Path, to: Open) -> io::Result<File> {
        let mut world = self.world();
        let (folder, name) = world.place(path)?;
        let node = match (world.names(folder)?.get(&name).copied(), to) {
            (Some(_), Open::New) => return Err(ErrorKind::AlreadyExists.into()),
            (Some(node), _) => match &world.nodes[node] {
                Body::Folder(_) => return Err(ErrorKind::IsADirectory.into()),
                Body::File(bytes) => {
                    if to == Open::Anew && !bytes.is_empty() {
                        world.change(node, Change::Length(0));
                    }
                    node
                }
            },
            (None, Open::Read | Open::Update) => return Err(ErrorKind::NotFound.into()),
            (None, Open::New | Open::Anew | Open::Append) => {
                world.make(folder, name, Body::File(Vec::new()), path)?
            }
        };
        Ok(File {
            world: self.clone(),
            node,
            path: path.to_owned(),
            appends: to == Open::Append,
            at: Arc::default(),
        })
    }

    pub(super) fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        let world = self.world();
        match &world.nodes[world.find(path)?] {
            Body::File(bytes) => Ok(bytes.clone()),
            Body::Folder(_) => Err(ErrorKind::IsADirectory.into()),
        }
    }

    /// What bears a name.
    pub fn kind(&self, path: &Path) -> Option<Kind> {
        let world = self.world();
        Some(match world.nodes[world.find(path).ok()?] {
            Body::File(_) => Kind::File,
            Body::Folder(_) => Kind::Folder,
        })
    }

    pub(super) fn list(&self, folder: &Path) -> io::Result<Vec<PathBuf>> {
        let world = self.world();
        let names = world.names(world.find(folder)?)?;
        Ok(names.keys().map(|name| folder.join(name)).collect())
    }

    pub(super) fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut world = self.world();
        let node = world.find(from)?;
        let (folder, name) = world.place(from)?;
        let (other, new) = world.place(to)?;
        if folder != other {
            return Err(io::Error::other("renamed into another folder"));
        }
        let there = world.names(folder)?.get(&new).map(|it| &world.nodes[*it]);
        if matches!(there, Some(Body::Folder(_))) {
            return Err(ErrorKind::DirectoryNotEmpty.into());
        }
        world.change(folder, Change::Names(vec![(name, None), (new, Some(node))]));
        Ok(())
    }

    pub(super) fn remove(&self, path: &Path) -> io::Result<()> {
        let mut world = self.world();
        let Ok(node) = world.find(path) else {
            return Ok(());
        };
        if matches!(world.nodes[node], Body::Folder(_)) {
            return Err(ErrorKind::IsADirectory.into());
        }
        let (folder, name) = world.place(path)?;
        world.change(folder, Change::Names(vec![(name, None)]));
        Ok(())
    }

    pub(super) fn remove_folder(&self, path: &Path) -> io::Result<()> {
        for inside in self.list(path).unwrap_or_default() {
            match self.kind(&inside) {
                Some(Kind::Folder) => self.remove_folder(&inside)?,
                _ => self.remove(&inside)?,
            }
        }
        let mut world = self.world();
        if world.find(path).is_ok() {
            let (folder, name) = world.place(path)?;
            world.change(folder, Change::Names(vec![(name, None)]));
        }
        Ok(())
    }

    /// As [`super::Disk::create_folder`], but for its names.
    pub(super) fn create_folder(&self, path: &Path) -> io::Result<()> {
        let mut world = self.world();
        for path in path.ancestors().collect::<Vec<_>>().into_iter().rev() {
            if world.find(path).is_err() {
                let (folder, name) = world.place(path)?;
                world.make(folder, name, Body::Folder(BTreeMap::new()), path)?;
            }
        }
        Ok(())
    }

    pub(super) fn sync_folder(&self, path: &Path) -> io::Result<()> {
        let mut world = self.world();
        let node = world.find(path)?;
        world.operations.push(Operation::Sync(node));
        Ok(())
    }
}

impl World {
    fn names(&self, folder: Node) -> io::Result<&BTreeMap<String, Node>> {
        match &self.nodes[folder] {
            Body::Folder(names) => Ok(names),
            Body::File(_) => Err(ErrorKind::NotADirectory.into()),
        }
    }

    fn find(&self, path: &Path) -> io::Result<Node> {
        let mut node = ROOT;
        for part in path.components() {
            if let Component::Normal(name) = part {
                let name = name.to_str().ok_or(ErrorKind::InvalidFilename)?;
                let found = self.names(node)?.get(name);
                node = *found.ok_or(ErrorKind::NotFound)?;
            }
        }
        Ok(node)
    }

    /// The folder of a path, and its name there.
    fn place(&self, path: &Path) -> io::Result<(Node, String)> {
        let folder = self.find(path.parent().unwrap_or(Path::new("")))?;
        let name = path.file_name().and_then(|name| name.to_str());
        Ok((folder, name.ok_or(ErrorKind::InvalidFilename)?.to_owned()))
    }

    fn make(&mut self, folder: Node, name: String, body: Body, at: &Path) -> io::Result<Node> {
        self.take_room(at)?;
        let node = self.nodes.len();
        self.nodes.push(body);
        self.change(folder, Change::Names(vec![(name, Some(node))]));
        Ok(node)
    }

    fn change(&mut self, node: Node, change: Change) {
        self.nodes[node].apply(&change);
        self.operations.push(Operation::Change(node, change));
    }

    fn take_room(&mut self, at: &Path) -> io::Result<()> {
        if self.room == Some(0) {
            let what = || at.display().to_string();
            self.refused.get_or_insert_with(what);
            return Err(ErrorKind::StorageFull.into());
        }
        self.room = self.room.map(|room| room - 1);
        self.taken += 1;
        Ok(())
    }
}

/// An open file; clones share the place in it.
#[derive(Clone, Debug)]
pub struct File {
    world: Simulated,
    node: Node,
    path: PathBuf,
    appends: bool,
    at: Arc<Mutex<u64>>,
}

impl File {
    /// There is one process: nobody else has it.
    pub(super) fn try_lock(&self) -> Result<(), TryLockError> {
        Ok(())
    }

    pub(super) fn sync(&self) -> io::Result<()> {
        let mut world = self.world.world();
        world.operations.push(Operation::Sync(self.node));
        Ok(())
    }

    pub(super) fn length(&self) -> u64 {
        match &self.world.world().nodes[self.node] {
            Body::File(bytes) => bytes.len() as u64,
            Body::Folder(_) => 0,
        }
    }

    pub(super) fn set_length(&self, bytes: u64) -> io::Result<()> {
        let mut world = self.world.world();
        world.change(self.node, Change::Length(bytes as usize));
        Ok(())
    }

    pub(super) fn read(&self, into: &mut [u8]) -> usize {
        let world = self.world.world();
        let mut at = self.at.lock().unwrap_or_else(PoisonError::into_inner);
        let Body::File(bytes) = &world.nodes[self.node] else {
            return 0;
        };
        let rest = bytes.get(*at as usize..).unwrap_or_default();
        let read = rest.len().min(into.len());
        into[..read].copy_from_slice(&rest[..read]);
        *at += read as u64;
        read
    }

    pub(super) fn write(&self, bytes: &[u8]) -> io::Result<usize> {
        let mut world = self.world.world();
        let mut at = self.at.lock().unwrap_or_else(PoisonError::into_inner);
        if self.appends
            && let Body::File(bytes) = &world.nodes[self.node]
        {
            *at = bytes.len() as u64;
        }
        // The last room takes a part, and the rest is refused.
        let part = match world.room {
            Some(1) if bytes.len() > 1 => &bytes[..bytes.len() / 2],
            _ => bytes,
        };
        world.take_room(&self.path)?;
        world.change(self.node, Change::Write(*at as usize, part.to_vec()));
        *at += part.len() as u64;
        Ok(part.len())
    }

    pub(super) fn seek(&self, to: SeekFrom) -> io::Result<u64> {
        let length = self.length() as i64;
        let mut at = self.at.lock().unwrap_or_else(PoisonError::into_inner);
        let to = match to {
            SeekFrom::Start(to) => to as i64,
            SeekFrom::End(to) => length + to,
            SeekFrom::Current(to) => *at as i64 + to,
        };
        *at = u64::try_from(to).map_err(|_| ErrorKind::InvalidInput)?;
        Ok(*at)
    }
}
