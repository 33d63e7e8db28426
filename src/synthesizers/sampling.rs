//! A request's share of a shift: which of the home's sequences it answers for, and what it draws by.

use hearth_operators::words::{Request, RequestKey, Sequence, ShiftKey};
use rand::{Rng, SeedableRng, seq::index};
use rand_chacha::ChaCha8Rng;

/// At most this many sequences a request: of a longer source a sample without replacement is taken, so that a home with
/// years of data asks no more of the filter and the trainer than one with months.
pub const MAX_SEQUENCES: usize = 60;

/// Whether a sequence of the source is one of the request's weekday.
pub fn is_routine(source: &Sequence, request: &Request) -> bool {
    source.weekday() == request.key.weekday && !source.0.is_empty()
}

/// The request's part of a weekday's routines: its parts are equal runs of them, in event-time order.
pub fn part<'a, T>(routines: &'a [T], request: &Request) -> &'a [T] {
    let parts = usize::from(request.parts.max(1));
    let part = usize::from(request.key.part).min(parts - 1);
    &routines[routines.len() * part / parts..routines.len() * (part + 1) / parts]
}

/// The request's part of a weekday's routines, [`MAX_SEQUENCES`] of them at most, in their order.
pub fn sample<T: Clone>(routines: &[T], request: &Request, rng: &mut impl Rng) -> Vec<T> {
    let part = part(routines, request);
    if part.len() <= MAX_SEQUENCES {
        return part.to_vec();
    }
    let mut sample = index::sample(rng, part.len(), MAX_SEQUENCES).into_vec();
    sample.sort_unstable();
    sample.into_iter().map(|i| part[i].clone()).collect()
}

/// What a request draws by: the same on every machine and in every version.
pub fn rng_of_request(seed: u64, key: RequestKey) -> ChaCha8Rng {
    let [home, regime] = fields(key.shift);
    seeded(
        seed,
        &[home, regime, u64::from(key.weekday), u64::from(key.part)],
    )
}

/// What the `number`th edit of a shift's whole source draws by.
pub fn rng_of_edit(seed: u64, shift: ShiftKey, number: usize) -> ChaCha8Rng {
    let [home, regime] = fields(shift);
    seeded(seed, &[home, regime, number as u64])
}

fn fields(shift: ShiftKey) -> [u64; 2] {
    [u64::from(shift.home.0), u64::from(shift.regime)]
}

fn seeded(seed: u64, fields: &[u64]) -> ChaCha8Rng {
    let mix = |state: u64, field: &u64| split_mix(state ^ field);
    ChaCha8Rng::seed_from_u64(fields.iter().fold(split_mix(seed), mix))
}

/// SplitMix64's step: every bit of the result depends on every bit of the input.
fn split_mix(state: u64) -> u64 {
    let mut z = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}
