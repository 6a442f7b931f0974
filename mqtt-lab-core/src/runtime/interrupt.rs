//! Wakes a device also out of a wait that blocks its thread.
//!
//! A library waits for an event inside a call. When a command comes, the sender's thread wakes the
//! device's task; the waker made here interrupts that call, too.

use crate::Interrupt;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Wake, Waker};
use std::thread::ThreadId;

/// Where a device leaves what interrupts it.
#[derive(Default)]
pub(super) struct Hook(Arc<Inner>);

#[derive(Default)]
struct Inner(Mutex<State>);

#[derive(Default)]
struct State {
    task: Option<Waker>,
    interrupt: Option<Interrupt>,
    /// Whom the task runs on: a wake from there interrupts nothing, as nothing waits then.
    thread: Option<ThreadId>,
}

impl Hook {
    pub(super) fn set(&self, interrupt: Option<Interrupt>) {
        self.0.lock().interrupt = interrupt;
    }
}

impl Inner {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Wake for Inner {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        let (task, interrupt) = {
            let state = self.lock();
            let elsewhere = state.thread != Some(std::thread::current().id());
            (state.task.clone(), state.interrupt.clone().filter(|_| elsewhere))
        };
        if let Some(task) = task {
            task.wake();
        }
        if let Some(interrupt) = interrupt {
            interrupt();
        }
    }
}

/// Runs a future whose waker interrupts as well.
pub(super) async fn interruptible<F: Future>(mut future: Pin<&mut F>, hook: &Hook) -> F::Output {
    let waker = Waker::from(Arc::clone(&hook.0));
    poll_fn(|cx| {
        {
            let mut state = hook.0.lock();
            if !state.task.as_ref().is_some_and(|task| task.will_wake(cx.waker())) {
                state.task = Some(cx.waker().clone());
            }
            state.thread = Some(std::thread::current().id());
        }
        future.as_mut().poll(&mut Context::from_waker(&waker))
    })
    .await
}
