//! What is known of those who connect: how many connections they hold, and how often they guessed wrong.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Wrong tokens that one may show in [`SPAN`] before none of its tokens is looked at any more.
const GUESSES: u32 = 10;
const SPAN: Duration = Duration::from_secs(60);

/// Addresses that are told apart; those beyond count as one.
const ADDRESSES: usize = 4_096;

/// Those who connect; clones share it.
#[derive(Clone, Debug, Default)]
pub(super) struct Peers(Arc<Mutex<HashMap<IpAddr, Peer>>>);

#[derive(Debug, Default)]
struct Peer {
    connections: usize,
    guesses: u32,
    since: Option<Instant>,
}

impl Peer {
    fn is_idle(&self, now: Instant) -> bool {
        self.connections == 0 && self.since.is_none_or(|since| now - since >= SPAN)
    }
}

impl Peers {
    /// Counts a connection, for as long as what is returned lives; none where it holds `most` already.
    pub fn connect(&self, address: IpAddr, most: usize) -> Option<Connected> {
        let mut peers = self.lock();
        let address = place(&mut peers, address);
        let peer = peers.entry(address).or_default();
        // Whoever is on this machine may be a proxy, behind which many are.
        if peer.connections >= most && !address.is_loopback() {
            return None;
        }
        peer.connections += 1;
        Some(Connected(self.clone(), address))
    }

    /// Whether one has guessed so often that nothing that it shows is looked at now.
    pub fn is_guessing(&self, address: IpAddr) -> bool {
        let mut peers = self.lock();
        let address = place(&mut peers, address);
        peers.get(&address).is_some_and(|peer| {
            let lately = peer.since.is_some_and(|since| since.elapsed() < SPAN);
            lately && peer.guesses >= GUESSES
        })
    }

    /// One has shown a wrong token.
    pub fn guessed(&self, address: IpAddr) {
        let mut peers = self.lock();
        let address = place(&mut peers, address);
        let peer = peers.entry(address).or_default();
        if peer.since.is_none_or(|since| since.elapsed() >= SPAN) {
            (peer.guesses, peer.since) = (0, Some(Instant::now()));
        }
        peer.guesses += 1;
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<IpAddr, Peer>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Under which address one is kept: of IPv6 its network, of which anybody has as many addresses as he likes.
fn place(peers: &mut HashMap<IpAddr, Peer>, address: IpAddr) -> IpAddr {
    let address = match address.to_canonical() {
        IpAddr::V6(address) if !address.is_loopback() => {
            IpAddr::from((u128::from(address) >> 64 << 64).to_be_bytes())
        }
        address => address,
    };
    if peers.len() >= ADDRESSES && !peers.contains_key(&address) {
        let now = Instant::now();
        peers.retain(|_, peer| !peer.is_idle(now));
        if peers.len() >= ADDRESSES {
            return Ipv4Addr::UNSPECIFIED.into();
        }
    }
    address
}

/// A connection that counts.
#[derive(Debug)]
pub(super) struct Connected(Peers, IpAddr);

impl Drop for Connected {
    fn drop(&mut self) {
        let mut peers = self.0.lock();
        if let Some(peer) = peers.get_mut(&self.1) {
            peer.connections -= 1;
            if peer.is_idle(Instant::now()) {
                peers.remove(&self.1);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_and_guesses_are_counted_by_address() {
        let peers = Peers::default();
        let far: IpAddr = "192.0.2.1".parse().unwrap();
        let held: Vec<_> = (0..3).map(|_| peers.connect(far, 3)).collect();
        assert!(held.iter().all(Option::is_some) && peers.connect(far, 3).is_none());
        drop(held);
        assert!(peers.connect(far, 3).is_some());
        for _ in 0..GUESSES {
            assert!(!peers.is_guessing(far));
            peers.guessed(far);
        }
        assert!(peers.is_guessing(far));
        assert!(!peers.is_guessing("192.0.2.2".parse().unwrap()));
        let network = |text: &str| text.parse::<IpAddr>().unwrap();
        (0..GUESSES).for_each(|_| peers.guessed(network("2001:db8::1")));
        assert!(
            peers.is_guessing(network("2001:db8::ffff:2")),
            "the same network"
        );
    }

    #[test]
    fn many_addresses_take_bounded_memory() {
        let peers = Peers::default();
        for n in 0..ADDRESSES as u32 + 100 {
            peers.guessed(Ipv4Addr::from(0x0a00_0000 + n).into());
        }
        assert!(peers.lock().len() <= ADDRESSES + 1);
    }
}
