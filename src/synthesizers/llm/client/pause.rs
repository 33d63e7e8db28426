//! How long to wait before asking again.

use std::time::Duration;

use jiff::Timestamp;
use jiff::fmt::rfc2822;
use reqwest::header::HeaderMap;

/// Pauses do not grow beyond this.
const LONGEST_BACKOFF: Duration = Duration::from_secs(30);

/// The pause after so many failures (from 1): twice as long after each, and of that between three quarters and the
/// whole. So it always grows, and calls that failed together do not come back together.
pub(super) fn backoff(first: Duration, failures: u32) -> Duration {
    let doubled = 2u32.saturating_pow(failures.saturating_sub(1));
    let whole = first.saturating_mul(doubled).min(LONGEST_BACKOFF);
    whole.mul_f64(rand::random_range(0.75..=1.0))
}

/// How long a server asks to be left alone: `retry-after-ms`, else `retry-after` as seconds or as a date.
pub(super) fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = |name| headers.get(name)?.to_str().ok().map(str::trim);
    let number = |name| text(name)?.parse::<f64>().ok();
    let seconds = match number("retry-after-ms") {
        Some(milliseconds) => milliseconds / 1000.0,
        None => match number("retry-after") {
            Some(seconds) => seconds,
            None => {
                // By the server's own clock where it tells it, so that a wrong one does no harm.
                let date = |name| {
                    rfc2822::parse(text(name)?)
                        .ok()
                        .map(|date| date.timestamp())
                };
                let now = date("date").unwrap_or_else(Timestamp::now);
                date("retry-after")?.duration_since(now).as_secs_f64()
            }
        },
    };
    Duration::try_from_secs_f64(seconds.max(0.0)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        let pairs = pairs.iter();
        pairs
            .map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()))
            .collect()
    }

    #[test]
    fn pauses_grow_and_stay_within_their_bounds() {
        let first = Duration::from_millis(100);
        for failures in 1..40 {
            let whole = first.saturating_mul(2u32.saturating_pow(failures - 1));
            let whole = whole.min(LONGEST_BACKOFF);
            let pause = backoff(first, failures);
            assert!(
                pause >= whole.mul_f64(0.74) && pause <= whole,
                "{pause:?} after {failures}"
            );
        }
    }

    #[test]
    fn each_form_of_the_header_is_understood() {
        let wait = |pairs: &[_]| retry_after(&headers(pairs));
        let millis = |n| Some(Duration::from_millis(n));
        assert_eq!(
            wait(&[("retry-after-ms", "1500"), ("retry-after", "9")]),
            millis(1500)
        );
        assert_eq!(wait(&[("retry-after", " 2 ")]), millis(2000));
        assert_eq!(wait(&[("retry-after", "0.25")]), millis(250));
        assert_eq!(wait(&[("retry-after", "-1")]), millis(0));
        let date = ("date", "Sun, 06 Nov 1994 08:49:37 GMT");
        assert_eq!(
            wait(&[date, ("retry-after", "Sun, 06 Nov 1994 08:50:07 GMT")]),
            millis(30_000)
        );
        assert_eq!(
            wait(&[date, ("retry-after", "Sun, 06 Nov 1994 08:49:07 GMT")]),
            millis(0)
        );
        for nonsense in ["soon", "", "NaN", "inf", "1e400"] {
            let waited = wait(&[("retry-after", nonsense)]);
            assert!(
                waited.is_none() || waited == millis(0),
                "{nonsense}: {waited:?}"
            );
        }
        assert_eq!(wait(&[]), None);
    }
}
