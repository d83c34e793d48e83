//! A bound on the memory of all images in flight, first come, first served.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::DecodeError;

/// What images may hold together unless [`limit_memory`] states less, in bytes.
pub const MOST_MEMORY: usize = 1 << 30;
/// How long an image waits for others to be finished with.
const PATIENCE: Duration = Duration::from_secs(10);

static IMAGES: Budget = Budget::new(MOST_MEMORY);

/// Bounds what the pixels of all images of this process may hold together, in bytes. Images that
/// are decoded already keep what they have.
pub fn limit_memory(bytes: usize) {
    IMAGES.state().total = bytes;
    IMAGES.changed.notify_all();
}

/// How many bytes the pixels of all images of this process may hold, and how many they hold.
pub fn memory() -> (usize, usize) {
    let state = IMAGES.state();
    (state.total, state.held)
}

/// Waits until `bytes` are free for an image of `width` x `height`.
pub(super) fn reserve(bytes: usize, (width, height): (u32, u32)) -> Result<Room, DecodeError> {
    match IMAGES.take(bytes, PATIENCE) {
        Ok(()) => Ok(Room { budget: &IMAGES, bytes }),
        Err(Refusal::TooMuch) => Err(DecodeError::NoRoom { width, height }),
        Err(Refusal::Late) => Err(DecodeError::Busy),
    }
}

struct Budget {
    state: Mutex<State>,
    changed: Condvar,
}

struct State {
    total: usize,
    held: usize,
    /// Who waits, first come first.
    queue: VecDeque<u64>,
    next: u64,
}

#[derive(Debug, PartialEq, Eq)]
enum Refusal {
    /// More than everything.
    TooMuch,
    Late,
}

/// Bytes of the budget, held until dropped.
#[derive(Debug)]
pub(super) struct Room {
    budget: &'static Budget,
    bytes: usize,
}

impl std::fmt::Debug for Budget {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Budget")
    }
}

impl Room {
    /// Gives back what is above `bytes`.
    pub fn shrink_to(&mut self, bytes: usize) {
        let surplus = self.bytes.saturating_sub(bytes);
        self.bytes -= surplus;
        self.budget.give_back(surplus);
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        self.budget.give_back(self.bytes);
    }
}

impl Budget {
    const fn new(total: usize) -> Self {
        let state = State { total, held: 0, queue: VecDeque::new(), next: 0 };
        Self { state: Mutex::new(state), changed: Condvar::new() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take(&self, bytes: usize, patience: Duration) -> Result<(), Refusal> {
        let deadline = Instant::now() + patience;
        let mut state = self.state();
        let turn = state.next;
        state.next += 1;
        state.queue.push_back(turn);
        let taken = loop {
            if bytes > state.total {
                break Err(Refusal::TooMuch);
            }
            if state.queue.front() == Some(&turn) && state.held + bytes <= state.total {
                state.held += bytes;
                break Ok(());
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break Err(Refusal::Late);
            }
            state =
                self.changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        };
        state.queue.retain(|waiting| *waiting != turn);
        self.changed.notify_all();
        taken
    }

    fn give_back(&self, bytes: usize) {
        self.state().held -= bytes;
        self.changed.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[test]
    fn never_more_than_the_total_is_out() {
        let budget = Budget::new(100);
        let (out, peak) = (AtomicUsize::new(0), AtomicUsize::new(0));
        std::thread::scope(|scope| {
            for bytes in [10, 40, 70, 100, 30, 60, 90] {
                let (budget, out, peak) = (&budget, &out, &peak);
                scope.spawn(move || {
                    for _ in 0..50 {
                        budget.take(bytes, Duration::from_mins(1)).expect("its turn comes");
                        let now = out.fetch_add(bytes, Ordering::SeqCst) + bytes;
                        peak.fetch_max(now, Ordering::SeqCst);
                        std::thread::yield_now();
                        out.fetch_sub(bytes, Ordering::SeqCst);
                        budget.give_back(bytes);
                    }
                });
            }
        });
        assert!(peak.into_inner() <= 100);
        assert_eq!(budget.state().held, 0);
    }

    #[test]
    fn what_never_fits_is_refused_at_once_and_what_waits_too_long_later() {
        let budget = Budget::new(100);
        assert_eq!(budget.take(101, Duration::from_mins(1)), Err(Refusal::TooMuch));
        assert_eq!(budget.take(60, Duration::ZERO), Ok(()));
        assert_eq!(budget.take(60, Duration::from_millis(20)), Err(Refusal::Late));
        assert_eq!(budget.take(40, Duration::ZERO), Ok(()));
        assert!(budget.state().queue.is_empty());
    }
}
