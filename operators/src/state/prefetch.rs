//! Memory that is read ahead of its use.
//!
//! Each event is for another home, whose state is seldom in the processor's cache. A processor waits for many places of
//! memory at once as long as nothing that it does next depends on them, and for one after the other where each decides a
//! branch. So what loops over homes does so a block of items at a time: it touches the memory that the items need, then
//! works on them.

use std::hint::black_box;

/// Items of a block: enough to wait for together, few enough that what they need stays in the innermost caches.
pub(crate) const BLOCK: usize = 64;

/// Reads something of what each item needs; what comes of it does not matter.
pub(crate) fn touch<T>(items: &[T], read: impl Fn(&T) -> i64) {
    black_box(items.iter().fold(0, |sum, item| sum ^ read(item)));
}
