//! Chance: independent seeded streams, one for each home and purpose, so that no option disturbs what it does not concern.

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// The stream of a home for a purpose.
pub(super) fn stream(seed: u64, home: u32, purpose: &str) -> ChaCha8Rng {
    // FNV-1a: any stable hash that keeps the few purposes apart will do.
    let purpose = purpose.bytes().fold(0x811c_9dc5_u32, |hash, byte| {
        (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193)
    });
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    rng.set_stream(u64::from(home) << 32 | u64::from(purpose));
    rng
}

/// Roughly normal, mean 0, standard deviation 1, never beyond 3: people oversleep by an hour, not by a day.
pub(super) fn bell(rng: &mut ChaCha8Rng) -> f32 {
    let sum: f32 = (0..3).map(|_| rng.random_range(-1.0..1.0)).sum();
    sum
}
