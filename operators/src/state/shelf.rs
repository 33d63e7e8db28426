//! What homes hold, packed where nobody has asked for it for long, or where all of it together would be too much.

use std::collections::VecDeque;

use bincode::Options;
use serde::de::{DeserializeOwned, Error};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::packing::Packing;
use super::{HomeState, Homes, packing};
use crate::words::HomeId;

/// Homes that are lent in a round at most before it is ended: in one epoch all homes may have something to do.
const LENT: usize = 1 << 12;

/// Rounds after which a home that nobody asked for is packed.
const IDLE: u64 = 64;

/// What of a home can be packed: plain data, of which the first is a number or a length.
pub(crate) trait Shelved: Default + Serialize + DeserializeOwned {
    /// Bytes that it takes, roughly.
    fn bytes(&self) -> usize;

    /// Whether nothing will be asked of it until something new comes.
    fn is_idle(&self) -> bool {
        true
    }
}

/// The states of a worker's homes. Those that rest are packed: what is read of them is the same, whether or not they were.
///
/// Work comes in rounds. A home that was asked for in none of the last [`IDLE`] is packed, and, while those that are open take
/// more than the budget, those that were asked for longest ago. A cut has the packed forms, and says which of them are idle:
/// what is read back of those is opened when somebody asks for it.
#[derive(Clone, Debug)]
pub(crate) struct Shelf<S> {
    homes: Homes<Form<S>>,
    round: u64,
    /// Open homes with the round in which they were asked for last, in order of it; older entries of a home count for nothing.
    open: VecDeque<(u64, HomeId)>,
    /// Homes that were asked for in this round.
    lent: Vec<HomeId>,
    /// Bytes of all that are open.
    bytes: usize,
    budget: usize,
}

/// What is held of a home, in one form or the other.
#[derive(Clone, Debug, Default)]
pub(crate) enum Form<S> {
    #[default]
    Blank,
    Open {
        state: Box<S>,
        /// The round in which it was asked for last.
        round: u64,
        /// What it took then.
        bytes: usize,
    },
    Packed(Box<[u8]>),
}

impl<S> HomeState for Form<S> {
    fn is_blank(&self) -> bool {
        matches!(self, Form::Blank)
    }
}

impl<S: Shelved> Form<S> {
    fn new(state: S) -> Self {
        let (state, round, bytes) = (Box::new(state), 0, 0);
        Form::Open {
            state,
            round,
            bytes,
        }
    }

    /// The state itself.
    pub fn open(self) -> Box<S> {
        match self {
            Form::Blank => Box::default(),
            Form::Open { state, .. } => state,
            Form::Packed(bytes) => Box::new(opened(&bytes)),
        }
    }
}

impl<S> Default for Shelf<S> {
    fn default() -> Self {
        Shelf {
            homes: Homes::default(),
            round: 1,
            open: VecDeque::new(),
            lent: Vec::new(),
            bytes: 0,
            budget: usize::MAX,
        }
    }
}

impl<S: Shelved> Shelf<S> {
    /// Says whose states these are, and how many bytes they may take while they are open.
    pub fn settle(&mut self, (index, peers): (usize, usize), budget: usize) {
        self.homes.settle(index, peers);
        self.budget = budget;
        (self.bytes, self.open) = Default::default();
        self.lent = self.homes.iter().map(|(home, _)| home).collect();
        for home in &self.lent {
            if let Some(Form::Open { bytes, .. }) = self.homes.quietly(*home) {
                *bytes = 0;
            }
        }
        self.rest();
    }

    /// What is held, home by home.
    pub fn by_home(&mut self) -> &mut Homes<Form<S>> {
        &mut self.homes
    }

    /// A home's state, to be changed.
    pub fn of(&mut self, home: HomeId) -> &mut S {
        lend(self.homes.of(home), home, self.round, &mut self.lent)
    }

    /// A home's state, to be looked at, if it has one: it does not count as changed.
    pub fn seen(&mut self, home: HomeId) -> Option<&S> {
        let kept = self.homes.quietly(home).filter(|kept| !kept.is_blank())?;
        Some(lend(kept, home, self.round, &mut self.lent))
    }

    /// Whether a home has a state.
    pub fn knows(&self, home: HomeId) -> bool {
        self.homes.get(home).is_some_and(|kept| !kept.is_blank())
    }

    /// Forgets a home.
    pub fn forget(&mut self, home: HomeId) {
        if let Form::Open { bytes, .. } = std::mem::take(self.homes.of(home)) {
            self.bytes -= bytes;
        }
    }

    /// The homes that are open, with what they hold: all that are not idle.
    pub fn open(&self) -> impl Iterator<Item = (HomeId, &S)> {
        self.homes.iter().filter_map(|(home, kept)| match kept {
            Form::Open { state, .. } => Some((home, &**state)),
            Form::Blank | Form::Packed(_) => None,
        })
    }

    /// A round is over: nobody holds any state for now. One in which nobody asked for anything is none.
    pub fn rest(&mut self) {
        if self.lent.is_empty() {
            return;
        }
        for home in std::mem::take(&mut self.lent) {
            if let Some(Form::Open {
                state,
                round,
                bytes,
            }) = self.homes.quietly(home)
            {
                let now = state.bytes();
                self.bytes = self.bytes - *bytes + now;
                (*bytes, *round) = (now, self.round);
                self.open.push_back((self.round, home));
            }
        }
        self.round += 1;
        for _ in 0..self.open.len() {
            let is_due = |(asked, _): &mut (u64, HomeId)| *asked + IDLE < self.round;
            let next = match self.bytes > self.budget {
                true => self.open.pop_front(),
                false => self.open.pop_front_if(is_due),
            };
            let Some((asked, home)) = next else { break };
            self.pack(asked, home);
        }
    }

    /// Ends a round in which many homes were asked for; nobody holds any state for now.
    pub fn pause(&mut self) {
        if self.lent.len() >= LENT {
            self.rest();
        }
    }

    fn pack(&mut self, asked: u64, home: HomeId) {
        let Some(kept) = self.homes.quietly(home) else {
            return;
        };
        match kept {
            Form::Open { round, .. } if *round != asked => {}
            Form::Open { state, .. } if !state.is_idle() => {
                self.open.push_back((asked, home));
            }
            Form::Open { state, bytes, .. } => {
                self.bytes -= *bytes;
                *kept = Form::Packed(packed(&**state));
            }
            Form::Blank | Form::Packed(_) => {}
        }
    }

    /// All homes with what is held of them, as it is: what is packed stays so until it is [`Form::open`]ed.
    pub fn into_all(self) -> impl Iterator<Item = (HomeId, Form<S>)> {
        let Shelf { mut homes, .. } = self;
        let all = homes
            .iter_mut()
            .map(|(home, kept)| (home, std::mem::take(kept)));
        let all: Vec<_> = all.collect();
        all.into_iter().filter(|(_, kept)| !kept.is_blank())
    }

    /// Moves every state to the worker on which its home lives now.
    pub fn deal<'a>(self, to: impl IntoIterator<Item = &'a mut Shelf<S>>)
    where
        S: 'a,
    {
        let to = to.into_iter().map(|shelf| &mut shelf.homes);
        self.homes.deal(to);
    }
}

/// Opens what is held of a home, in a round in which it is lent.
fn lend<'a, S: Shelved>(
    kept: &'a mut Form<S>,
    home: HomeId,
    now: u64,
    lent: &mut Vec<HomeId>,
) -> &'a mut S {
    match kept {
        Form::Open { round, .. } if *round == now => {}
        Form::Open { round, .. } => {
            *round = now;
            lent.push(home);
        }
        Form::Blank | Form::Packed(_) => {
            *kept = match kept {
                Form::Packed(bytes) => Form::new(opened(bytes)),
                _ => Form::new(S::default()),
            };
            if let Form::Open { round, .. } = kept {
                *round = now;
            }
            lent.push(home);
        }
    }
    match kept {
        Form::Open { state, .. } => state,
        Form::Blank | Form::Packed(_) => unreachable!("it was opened"),
    }
}

/// Stands before the form of a state that is idle. No number of a packed form begins with it, so what an older Hearth wrote
/// without is told from it.
const IDLE_FORM: u8 = u8::MAX;

fn packed(state: &impl Serialize) -> Box<[u8]> {
    let bytes = bincode::DefaultOptions::new().serialize(state);
    bytes.expect("plain data has a form of bytes").into()
}

fn opened<S: DeserializeOwned>(bytes: &[u8]) -> S {
    let state = bincode::DefaultOptions::new().deserialize(bytes);
    state.expect("it was packed by this worker, or by one whose checkpoint has the right checksum")
}

impl<S: Shelved> Serialize for Form<S> {
    fn serialize<Z: Serializer>(&self, to: Z) -> Result<Z::Ok, Z::Error> {
        match self {
            Form::Blank => to.serialize_bytes(&[]),
            Form::Open { state, .. } if !state.is_idle() => to.serialize_bytes(&packed(&**state)),
            Form::Open { state, .. } => to.serialize_bytes(&idle(&packed(&**state))),
            Form::Packed(bytes) => to.serialize_bytes(&idle(bytes)),
        }
    }
}

impl<'de, S: Shelved> Deserialize<'de> for Form<S> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let Whole(bytes) = packing::deserialize(from)?;
        if let Some((&IDLE_FORM, bytes)) = bytes.split_first() {
            return Ok(Form::Packed(bytes.into()));
        }
        let state = bincode::DefaultOptions::new().deserialize(&bytes);
        state.map(Form::new).map_err(D::Error::custom)
    }
}

fn idle(packed: &[u8]) -> Vec<u8> {
    [&[IDLE_FORM], packed].concat()
}

struct Whole(Vec<u8>);

impl Packing for Whole {
    fn pack(&self) -> Vec<u8> {
        self.0.clone()
    }

    fn unpack(bytes: &[u8]) -> Option<Self> {
        Some(Whole(bytes.to_vec()))
    }
}

impl<S: Shelved> Serialize for Shelf<S> {
    fn serialize<Z: Serializer>(&self, to: Z) -> Result<Z::Ok, Z::Error> {
        self.homes.serialize(to)
    }
}

impl<'de, S: Shelved> Deserialize<'de> for Shelf<S> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let homes = Homes::deserialize(from)?;
        let shelf = Shelf::default();
        Ok(Shelf { homes, ..shelf })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
    struct Count {
        sum: u64,
        busy: bool,
    }

    impl Shelved for Count {
        fn bytes(&self) -> usize {
            100
        }

        fn is_idle(&self) -> bool {
            !self.busy
        }
    }

    proptest! {
        /// Whatever the budget, and whoever is busy: as a plain array; and no more is open than the budget, but for who is busy.
        #[test]
        fn is_as_if_nothing_was_packed(
            rounds in prop::collection::vec(prop::collection::vec((0u32..9, 0u64..9, any::<bool>(), any::<bool>()), 0..6), 0..90),
            budget in 0usize..600,
        ) {
            let mut shelf = Shelf::<Count>::default();
            shelf.settle((0, 1), budget);
            let mut plain: [Option<Count>; 9] = Default::default();
            for round in rounds {
                for (home, more, busy, forget) in round {
                    let known = &mut plain[home as usize];
                    prop_assert_eq!(shelf.knows(HomeId(home)), known.is_some());
                    if forget && more == 0 {
                        shelf.forget(HomeId(home));
                        *known = None;
                        continue;
                    }
                    let known = known.get_or_insert_default();
                    let state = shelf.of(HomeId(home));
                    prop_assert_eq!(&*state, &*known);
                    for state in [state, known] {
                        state.sum += more;
                        state.busy = busy;
                    }
                }
                shelf.rest();
                let busy = plain.iter().flatten().filter(|count| count.busy).count();
                prop_assert_eq!(shelf.bytes, 100 * shelf.open().count());
                prop_assert!(shelf.bytes <= budget.max(100 * busy));
            }
            let bytes = bincode::serialize(&shelf).unwrap();
            let mut read: Shelf<Count> = bincode::deserialize(&bytes).unwrap();
            read.settle((0, 1), budget);
            let busy = plain.iter().flatten().filter(|count| count.busy).count();
            prop_assert_eq!(read.open().count(), busy);
            let mut dealt = [Shelf::default(), Shelf::default()];
            read.deal(&mut dealt);
            for (index, shelf) in dealt.iter_mut().enumerate() {
                shelf.settle((index, 2), budget);
                prop_assert_eq!(shelf.bytes, 100 * shelf.open().count());
            }
            let found = dealt.into_iter().flat_map(Shelf::into_all);
            let mut found: Vec<_> = found.map(|(home, form)| (home.0, *form.open())).collect();
            found.sort_by_key(|(home, _)| *home);
            let plain = (0..).zip(plain).filter_map(|(home, count)| Some((home, count?)));
            prop_assert_eq!(found, plain.collect::<Vec<_>>());
        }
    }
}
