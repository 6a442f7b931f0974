//! Panics of devices and tasks: how they are caught, their text, and how one goes on where it is meant to be seen.

use std::any::Any;
#[cfg(feature = "runtime")]
use std::future::{Future, poll_fn};
#[cfg(feature = "runtime")]
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

/// Runs a future; a panic inside becomes an error with the panic's text.
#[cfg(feature = "runtime")]
pub(crate) async fn caught<F: Future + ?Sized>(mut future: Pin<&mut F>) -> Result<F::Output, String> {
    poll_fn(|cx| match catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(cx))) {
        Ok(poll) => poll.map(Ok),
        Err(panic) => Poll::Ready(Err(text(&*panic))),
    })
    .await
}

/// Runs work of this thread; a panic inside becomes an error with the panic's text.
#[cfg(feature = "runtime")]
pub(crate) fn caught_here<T>(work: impl FnOnce() -> T) -> Result<T, String> {
    catch_unwind(AssertUnwindSafe(work)).map_err(|panic| text(&*panic))
}

/// Goes on as the panic of a device that lives elsewhere and has told it there already.
#[cfg(feature = "plugins")]
pub(crate) fn goes_on(text: impl std::fmt::Display) -> ! {
    std::panic::resume_unwind(Box::new(text.to_string()))
}
