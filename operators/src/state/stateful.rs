//! What an operator holds, in pieces that can be written one by one: home by home, and the rest.

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{HomeState, Homes};

/// What can be kept, and written beside the dataflow: large things in it are shared with its clones.
pub trait Plain: Clone + Serialize + DeserializeOwned + Send + 'static {}

impl<S: Clone + Serialize + DeserializeOwned + Send + 'static> Plain for S {}

/// Is shown what operators hold, each with its name.
pub trait Visit {
    /// What it holds that is of no home.
    fn rest<S: Plain>(&mut self, operator: &'static str, rest: &mut S);

    /// What it holds by home.
    fn homes<H>(&mut self, operator: &'static str, homes: &mut Homes<H>)
    where
        H: HomeState + Serialize + DeserializeOwned + Send + Sync + 'static;

    /// A state of which a part is by home: the rest is the state without any home.
    fn in_pieces<S, H>(
        &mut self,
        operator: &'static str,
        state: &mut S,
        by_home: impl Fn(&mut S) -> &mut Homes<H>,
    ) where
        S: Plain,
        H: HomeState + Serialize + DeserializeOwned + Send + Sync + 'static,
    {
        let mut homes = std::mem::take(by_home(state));
        self.rest(operator, state);
        self.homes(operator, &mut homes);
        *by_home(state) = homes;
    }
}

/// All that an operator of a worker holds: plain data.
pub trait Stateful: Plain {
    /// Shows it in pieces. Here: none of it is by home.
    fn visit(&mut self, operator: &'static str, visitor: &mut impl Visit) {
        visitor.rest(operator, self);
    }
}
