//! Panics: their text, how they are caught, and how one goes on where it is meant to be seen.

use std::any::Any;
#[cfg(feature = "runtime")]
use std::{
    fmt,
    future::{Future, poll_fn},
    panic::{AssertUnwindSafe, catch_unwind},
    pin::Pin,
    sync::Arc,
    task::Poll,
};

/// What a caught panic says.
pub(crate) fn text(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(ToString::to_string);
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "without a message".into())
}

/// Goes on as the panic of a device that lives elsewhere and has told it there already.
#[cfg(feature = "plugins")]
pub(crate) fn goes_on(text: impl std::fmt::Display) -> ! {
    std::panic::resume_unwind(Box::new(text.to_string()))
}

/// Runs a future; a panic inside becomes an error with the panic's text.
#[cfg(feature = "runtime")]
pub(crate) async fn caught<T>(mut future: Pin<&mut impl Future<Output = T>>) -> Result<T, String> {
    poll_fn(|cx| match catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(cx))) {
        Ok(poll) => poll.map(Ok),
        Err(panic) => Poll::Ready(Err(text(&*panic))),
    })
    .await
}

/// What is called when a task of the lab has panicked and goes on: with the part of the program, and the
/// panic's text.
#[cfg(feature = "runtime")]
#[derive(Clone)]
pub struct OnPanic(Arc<dyn Fn(&str, &str) + Send + Sync>);

#[cfg(feature = "runtime")]
impl OnPanic {
    /// Calls `callback`, which must not block.
    pub fn new(callback: impl Fn(&str, &str) + Send + Sync + 'static) -> Self {
        Self(Arc::new(callback))
    }

    pub(crate) fn call(&self, part: &str, text: &str) {
        (self.0)(part, text);
    }
}

#[cfg(feature = "runtime")]
impl From<Arc<dyn Fn(&str, &str) + Send + Sync>> for OnPanic {
    fn from(callback: Arc<dyn Fn(&str, &str) + Send + Sync>) -> Self {
        Self(callback)
    }
}

#[cfg(feature = "runtime")]
impl fmt::Debug for OnPanic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OnPanic").finish_non_exhaustive()
    }
}
