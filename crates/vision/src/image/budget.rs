//! A bound on the memory of all decodes in flight: a 15 MB file may hold a hundred megapixels.

use std::sync::{Condvar, Mutex, PoisonError};

use super::MAX_SIDE;

/// What the most costly decode holds for a pixel, that of a progressive CMYK JPEG: three bytes of
/// RGB and four 16-bit coefficients.
const MOST_BYTES_PER_PIXEL: usize = 11;
/// What decodes may hold together, in bytes: as much as the most costly one of the largest
/// dimensions.
const TOTAL: usize = MOST_BYTES_PER_PIXEL * (MAX_SIDE as usize).pow(2);

static DECODES: Budget = Budget::new(TOTAL);

/// Bytes that may be taken, and given back by dropping the [`Share`].
struct Budget {
    total: usize,
    free: Mutex<usize>,
    returned: Condvar,
}

/// Bytes of a [`Budget`], held until dropped.
pub(super) struct Share<'a> {
    budget: &'a Budget,
    bytes: usize,
}

/// Waits until `bytes` are free for a decode. More than there is in total means everything, so that
/// nobody waits for ever.
pub(super) fn reserve(bytes: usize) -> Share<'static> {
    DECODES.take(bytes)
}

impl Budget {
    const fn new(total: usize) -> Self {
        Self { total, free: Mutex::new(total), returned: Condvar::new() }
    }

    fn take(&self, bytes: usize) -> Share<'_> {
        let bytes = bytes.min(self.total);
        let free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
        let mut free = self
            .returned
            .wait_while(free, |free| *free < bytes)
            .unwrap_or_else(PoisonError::into_inner);
        *free -= bytes;
        Share { budget: self, bytes }
    }
}

impl Drop for Share<'_> {
    fn drop(&mut self) {
        *self.budget.free.lock().unwrap_or_else(PoisonError::into_inner) += self.bytes;
        self.budget.returned.notify_all();
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
            for bytes in [10, 40, 70, 100, 500, 30, 60, 90] {
                let (budget, out, peak) = (&budget, &out, &peak);
                scope.spawn(move || {
                    for _ in 0..50 {
                        let share = budget.take(bytes);
                        peak.fetch_max(
                            out.fetch_add(share.bytes, Ordering::SeqCst) + share.bytes,
                            Ordering::SeqCst,
                        );
                        std::thread::yield_now();
                        out.fetch_sub(share.bytes, Ordering::SeqCst);
                    }
                });
            }
        });
        assert!(peak.into_inner() <= 100);
        assert_eq!(*budget.free.lock().expect("no panic"), 100);
    }
}
