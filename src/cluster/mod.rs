//! A run by several processes, on one machine or many: who they are, how they are linked, and what becomes of all when one fails.
//!
//! Every process opens the same log and has its share of the homes ([`Share`]); what homes of a cohort know together flows
//! between processes as it does between workers, over the links that timely is given ([`Links`]). Beside each of these a second
//! one carries words of our own ([`Peers`]): that a process lives, that it has done its part, or why it ends. So a process that
//! dies or hangs is noticed by all, whatever timely does about it. In a live run a third one goes from the first process, which has the
//! inbox, to each other one.

mod frames;
#[cfg(test)]
mod fuzz;
mod hello;
mod hosts;
mod link;
mod meet;
mod peers;
mod share;
#[cfg(test)]
mod tests;

use std::net::TcpStream;
use std::sync::Arc;

use crate::stop::Stop;
pub use hello::Hello;
pub use hosts::Hosts;
pub use link::{Links, Wires};
pub use meet::MeetError;
pub use peers::{Agreed, Decision, Had, Peers, WholeCut};
pub use share::Share;

/// A process's place in a cluster, all others being there.
pub struct Cluster {
    share: Share,
    peers: Arc<Peers>,
    links: Option<Links>,
    inbox: Vec<Option<TcpStream>>,
}

impl Cluster {
    /// Meets the other processes: waits until each is there, and has said that it is of the same run. From then on each of them
    /// is watched; if one is lost, `stop` fails.
    ///
    /// # Errors
    /// One does not come, or is of another run; this one's address is none of this machine; the run is stopped.
    pub fn meet(hosts: &Hosts, hello: &Hello, stop: &Stop) -> Result<Cluster, MeetError> {
        let met = meet::meet(hosts, hello, stop)?;
        let share = Share::of(hello.process, hosts.len(), hello.workers);
        let peers = Peers::watch(hello.process, hosts, met.words, stop)?;
        let links = Links::new(met.data, peers.clone(), share);
        Ok(Cluster {
            share,
            peers,
            links: Some(links),
            inbox: met.inbox,
        })
    }

    /// Which homes this process has.
    pub fn share(&self) -> Share {
        self.share
    }

    /// The other processes.
    pub fn peers(&self) -> &Arc<Peers> {
        &self.peers
    }

    /// Of a live run: the links by which the first process shares its inbox with the others, by process, once.
    pub fn inbox_links(&mut self) -> Vec<Option<TcpStream>> {
        std::mem::take(&mut self.inbox)
    }

    /// The links that timely is given, once.
    pub fn links(&mut self) -> Option<Links> {
        self.links.take()
    }
}

impl Drop for Cluster {
    /// The last words to the others.
    fn drop(&mut self) {
        self.peers.leave();
    }
}
