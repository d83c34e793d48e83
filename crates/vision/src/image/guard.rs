//! Keeps a panic of a decoder to the image that caused it.

use std::any::Any;
use std::cell::Cell;
use std::panic::{self, AssertUnwindSafe};
use std::sync::Once;

use super::DecodeError;

thread_local! {
    static GUARDED: Cell<bool> = const { Cell::new(false) };
}

/// Runs a decoder. Its panic becomes [`DecodeError::Broken`] with the message, and is not reported
/// as one of the process: whoever sends images could fill the log with backtraces.
///
/// What the decoder held is dropped by the unwinding, so nothing half changed is left behind.
pub(super) fn guarded<T>(
    decode: impl FnOnce() -> Result<T, DecodeError>,
) -> Result<T, DecodeError> {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let report = panic::take_hook();
        panic::set_hook(Box::new(move |panic| {
            if !GUARDED.get() {
                report(panic);
            }
        }));
    });
    GUARDED.set(true);
    let result = panic::catch_unwind(AssertUnwindSafe(decode));
    GUARDED.set(false);
    result.unwrap_or_else(|panic| {
        Err(DecodeError::Broken(format!("the decoder panicked: {}", message(&*panic))))
    })
}

fn message(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("no message")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_a_broken_image() {
        let index = std::hint::black_box(5);
        let error = guarded(|| Ok([1, 2, 3][index])).expect_err("outside");
        assert!(
            matches!(&error, DecodeError::Broken(text) if text.contains("out of bounds")),
            "{error}"
        );
        assert!(!GUARDED.get());
        assert!(matches!(guarded(|| Ok(7)), Ok(7)));
    }
}
