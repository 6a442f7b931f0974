//! Panics of devices and tasks: how they are caught, their text, and how one goes on where it is meant to be seen.

use std::any::Any;
#[cfg(feature = "runtime")]
use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
#[cfg(feature = "runtime")]
use std::pin::Pin;
#[cfg(feature = "runtime")]
use std::task::Poll;

/// What a caught panic says.
pub(crate) fn text(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(ToString::to_string);
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "without a message".into())
}

/// Runs `call`; a panic in it becomes its text.
#[cfg(any(feature = "runtime", test))]
pub(crate) fn caught<T>(call: impl FnOnce() -> T) -> Result<T, String> {
    catch_unwind(AssertUnwindSafe(call)).map_err(|panic| {
        let text = text(&*panic);
        discard(panic);
        text
    })
}

/// Runs a future; a panic in it becomes its text.
#[cfg(feature = "runtime")]
pub(crate) async fn caught_in<F: Future + ?Sized>(mut future: Pin<&mut F>) -> Result<F::Output, String> {
    poll_fn(|cx| match caught(|| future.as_mut().poll(cx)) {
        Ok(poll) => poll.map(Ok),
        Err(text) => Poll::Ready(Err(text)),
    })
    .await
}

/// Drops what a panic carried, which may panic itself.
pub(crate) fn discard(panic: Box<dyn Any + Send>) {
    if let Err(another) = catch_unwind(AssertUnwindSafe(|| drop(panic))) {
        // Its destructor might do the same again.
        std::mem::forget(another);
    }
}

/// Goes on as the panic of a device that lives elsewhere and has told it there already.
#[cfg(feature = "plugins")]
pub(crate) fn goes_on(text: impl std::fmt::Display) -> ! {
    std::panic::resume_unwind(Box::new(text.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Panics when it is dropped, with another of its kind.
    struct Nested;

    impl Drop for Nested {
        fn drop(&mut self) {
            std::panic::panic_any(Self);
        }
    }

    #[test]
    fn a_panic_is_its_text() {
        assert_eq!(caught(|| 7), Ok(7));
        assert_eq!(caught(|| panic!("no wire")), Err::<(), _>("no wire".into()));
        assert_eq!(caught(|| panic!("no {}", "wire")), Err::<(), _>("no wire".into()));
    }

    #[test]
    fn a_payload_that_panics_when_it_is_dropped_harms_nobody() {
        assert_eq!(caught(|| std::panic::panic_any(Nested)), Err::<(), _>("without a message".into()));
    }
}
