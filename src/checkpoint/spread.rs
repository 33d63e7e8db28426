//! Many pieces, read by as many threads as there are cores: nobody waits for a restart longer than need be.

use std::sync::{Mutex, PoisonError};
use std::thread::{ScopedJoinHandle, available_parallelism, scope};

use crate::codec::Unusable;

/// Threads that are worth their while.
pub fn hands() -> usize {
    available_parallelism().map_or(1, usize::from)
}

/// What `read` makes of each piece, in any order, by so many threads. The pieces are handed out one at a time, so an iterator that
/// reads a file does so in order.
///
/// # Errors
/// A piece cannot be read: any one such error.
pub fn over<P, R: Send>(
    hands: usize,
    pieces: impl Iterator<Item = P> + Send,
    read: impl Fn(P) -> Result<R, Unusable> + Sync,
) -> Result<Vec<R>, Unusable> {
    let pieces = Mutex::new(pieces);
    let next = || {
        let mut pieces = pieces.lock().unwrap_or_else(PoisonError::into_inner);
        pieces.next()
    };
    let hand = || {
        std::iter::from_fn(next)
            .map(&read)
            .collect::<Result<Vec<R>, _>>()
    };
    scope(|scope| {
        let others: Vec<_> = (1..hands).map(|_| scope.spawn(hand)).collect();
        let mut all = hand()?;
        for other in others.into_iter().map(ScopedJoinHandle::join) {
            all.extend(other.unwrap_or(Err(Unusable::Damaged("a state makes no sense")))?);
        }
        Ok(all)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_piece_is_read_once_and_an_error_is_told() {
        for hands in 1..4 {
            let mut read = over(hands, 0..1000, |piece| Ok(2 * piece)).unwrap();
            read.sort_unstable();
            assert_eq!(read, (0..1000).map(|piece| 2 * piece).collect::<Vec<_>>());
            let bad = |piece| match piece {
                500 => Err(Unusable::Damaged("the middle one")),
                _ => Ok(piece),
            };
            let told = over(hands, 0..1000, bad).unwrap_err();
            assert_eq!(told.to_string(), "is damaged (the middle one)");
        }
    }
}
