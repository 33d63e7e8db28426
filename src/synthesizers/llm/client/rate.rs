//! How many requests, or tokens, a server gets in a minute.

use std::num::NonZeroU32;
use std::time::Duration;

use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};

const MINUTE: Duration = Duration::from_secs(60);

/// One in this many of a minute's units may be used at once, the rest as they accrue. A burst of all of them would,
/// with what accrues meanwhile, be nearly twice the limit within the first minute.
const BURST: u32 = 10;

/// A limit of units a minute, in *any* minute.
pub(super) struct Rate {
    limiter: DefaultDirectRateLimiter,
    burst: NonZeroU32,
}

impl Rate {
    pub fn new(per_minute: NonZeroU32) -> Self {
        let quota = quota(per_minute);
        Rate {
            burst: quota.burst_size(),
            limiter: RateLimiter::direct(quota),
        }
    }

    /// Waits until so many units may be used, and uses them. More than a burst are gathered burst by burst.
    pub async fn take(&self, mut units: u32) {
        while let Some(some) = NonZeroU32::new(units.min(self.burst.get())) {
            // Never more than the burst, so they can always be had in the end.
            let _ = self.limiter.until_n_ready(some).await;
            units -= some.get();
        }
    }
}

/// A burst, and the rest of the minute's units evenly: together no more than the limit in any minute.
fn quota(per_minute: NonZeroU32) -> Quota {
    let burst = NonZeroU32::new(per_minute.get() / BURST).unwrap_or(NonZeroU32::MIN);
    let accrued = per_minute.get() - burst.get() + 1;
    // Shorter than a nanosecond there is no period, and nothing to limit.
    let quota = Quota::with_period(MINUTE / accrued).unwrap_or(Quota::per_minute(per_minute));
    quota.allow_burst(burst)
}

#[cfg(test)]
mod tests {
    use governor::clock::FakeRelativeClock;
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Whoever takes as much as there is, at any times, never has more than the limit within a minute.
        #[test]
        fn no_minute_sees_more_than_the_limit(
            per_minute in 1u32..2_000,
            pauses in proptest::collection::vec(0u64..3_000, 1..300),
        ) {
            let clock = FakeRelativeClock::default();
            let quota = quota(NonZeroU32::new(per_minute).unwrap());
            let limiter = RateLimiter::direct_with_clock(quota, clock.clone());
            let mut now = 0;
            let mut taken = Vec::new();
            for pause in pauses {
                clock.advance(Duration::from_millis(pause));
                now += pause;
                while limiter.check().is_ok() {
                    taken.push(now);
                }
            }
            for (index, time) in taken.iter().enumerate() {
                let within = taken[index..].partition_point(|later| *later < time + 60_000);
                prop_assert!(within <= per_minute as usize, "{within} from {time} ms on");
            }
        }

        /// And over a long time has nearly all of it.
        #[test]
        fn most_of_the_limit_can_be_used(per_minute in 1u32..2_000) {
            let clock = FakeRelativeClock::default();
            let quota = quota(NonZeroU32::new(per_minute).unwrap());
            let limiter = RateLimiter::direct_with_clock(quota, clock.clone());
            let mut taken = 0;
            for _ in 0..20_000 {
                clock.advance(Duration::from_millis(30));
                while limiter.check().is_ok() {
                    taken += 1;
                }
            }
            prop_assert!(taken >= per_minute * 10 * 88 / 100, "{taken} in ten minutes of {per_minute} each");
        }
    }

    #[tokio::test]
    async fn more_than_a_burst_is_gathered() {
        let rate = Rate::new(NonZeroU32::new(600_000).unwrap());
        let begin = std::time::Instant::now();
        rate.take(63_000).await;
        // A burst of 60 000 is there at once; the rest accrues at 540 001 a minute.
        assert!(begin.elapsed() >= Duration::from_millis(300));
    }
}
