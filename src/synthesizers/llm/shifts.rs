//! What is asked once a shift is shared by all its requests.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use hearth_operators::words::{Request, ShiftKey};
use tokio::sync::OnceCell;

/// Shifts of which requests are open. A shift is forgotten as soon as its last request has its answer, so what is kept is
/// bounded by what is under way.
pub(super) struct Shifts<T>(Mutex<HashMap<ShiftKey, Open<T>>>);

struct Open<T> {
    /// Requests that have no answer yet.
    left: u16,
    answer: Arc<OnceCell<T>>,
}

impl<T> Default for Shifts<T> {
    fn default() -> Self {
        Shifts(Mutex::default())
    }
}

impl<T: Clone> Shifts<T> {
    /// What `ask` of the shift's first request comes to, failures too; the others wait for it.
    pub async fn once<F>(&self, request: &Request, ask: impl FnOnce() -> F) -> T
    where
        F: Future<Output = T>,
    {
        let shift = request.key.shift;
        let answer = {
            let mut open = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            let open = open.entry(shift).or_insert_with(|| Open {
                left: request.requests.max(1),
                answer: Arc::default(),
            });
            Arc::clone(&open.answer)
        };
        let answer = answer.get_or_init(ask).await.clone();
        let mut open = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(shift_open) = open.get_mut(&shift) {
            shift_open.left -= 1;
            if shift_open.left == 0 {
                open.remove(&shift);
            }
        }
        answer
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use futures_util::future::join_all;
    use hearth_operators::words::{Hints, HomeId, Regime, RequestKey, Shift, ShiftKind, Time};

    use super::*;

    fn request(regime: u32, weekday: u8) -> Request {
        let shift = Shift {
            home: None,
            time: Time(0),
            offset: 0,
            kind: ShiftKind::Season,
            from: "winter".to_owned(),
            to: "spring".to_owned(),
        };
        Request {
            key: RequestKey {
                shift: ShiftKey {
                    home: HomeId(1),
                    regime,
                },
                weekday,
                part: 0,
            },
            parts: 1,
            requests: 7,
            representatives: Vec::new(),
            hints: Arc::new(Hints::default()),
            regime: Arc::new(Regime {
                shift,
                source: Vec::new(),
                target: Vec::new(),
            }),
        }
    }

    #[tokio::test]
    async fn a_shift_is_asked_for_once_whatever_comes_of_it() {
        let (shifts, asked) = (Shifts::default(), AtomicUsize::new(0));
        let ask = || async {
            let number = asked.fetch_add(1, Ordering::SeqCst);
            tokio::task::yield_now().await;
            Err::<(), usize>(number)
        };
        let requests: Vec<Request> = (0..14).map(|i| request(i / 7, (i % 7) as u8)).collect();
        let answers = join_all(requests.iter().map(|r| shifts.once(r, ask))).await;
        assert_eq!(asked.load(Ordering::SeqCst), 2);
        assert!(answers[..7].iter().all(|a| *a == answers[0]));
        assert!(answers[7..].iter().all(|a| *a == answers[7]));
        assert_ne!(answers[0], answers[7]);
        assert!(shifts.0.lock().unwrap().is_empty(), "nothing is kept");
    }
}
