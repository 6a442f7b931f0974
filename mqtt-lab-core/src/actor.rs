//! The one task that owns a device and answers for it.

use crate::{Device, Reading, Result, Value};
use std::future::poll_fn;
use std::task::Poll;
use tokio::sync::{mpsc, oneshot};

/// Requests that wait while a device is busy.
pub(crate) const QUEUE: usize = 16;

/// What a device is asked; the answer is dropped unsent when the device is gone.
pub(crate) enum Request {
    Read(oneshot::Sender<Result<Reading>>),
    /// Boxed: a queue keeps room for 32 requests, and thousands of devices have one.
    Set(Box<Setting>),
    /// Whether it is alive: the answer is empty. It does not interrupt a `read`.
    #[cfg_attr(
        not(feature = "runtime"),
        expect(dead_code, reason = "a library is asked by the runtime's process")
    )]
    Ping(oneshot::Sender<Result<Reading>>),
}

/// A control variable, its new value, and who waits.
pub(crate) struct Setting {
    channel: String,
    value: Value,
    answer: oneshot::Sender<Result<Reading>>,
}

impl Request {
    pub(crate) fn set(channel: &str, value: Value, answer: oneshot::Sender<Result<Reading>>) -> Self {
        Self::Set(Box::new(Setting { channel: channel.to_owned(), value, answer }))
    }
}

/// Answers until the queue is closed. Of an event sensor a request interrupts the `read`, which is
/// called again afterwards.
pub(crate) async fn serve(device: &mut dyn Device, event: bool, queue: &mut mpsc::Receiver<Request>) {
    while let Some(request) = next(device, queue).await {
        match request {
            Request::Set(setting) => set(device, *setting).await,
            Request::Read(mut answer) if event => {
                if !wait_for_event(device, &mut answer, queue).await {
                    return;
                }
            }
            Request::Read(answer) => {
                let _ = answer.send(device.read().await);
            }
            Request::Ping(answer) => pong(answer),
        }
        let_others_run().await;
    }
}

/// Lets the task that was answered run before the device goes on. On a shared worker it is next in line, where
/// no other worker can take it over: if the device blocked now, nobody would notice.
async fn let_others_run() {
    let mut done = false;
    poll_fn(|cx| {
        if std::mem::replace(&mut done, true) {
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

fn pong(answer: oneshot::Sender<Result<Reading>>) {
    let _ = answer.send(Ok(Reading::new()));
}

async fn set(device: &mut dyn Device, setting: Setting) {
    let Setting { channel, value, answer } = setting;
    let _ = answer.send(device.set(&channel, value).await);
}

/// The next request; meanwhile the device's background work goes on.
async fn next(device: &mut dyn Device, queue: &mut mpsc::Receiver<Request>) -> Option<Request> {
    poll_fn(|cx| {
        let request = queue.poll_recv(cx);
        if request.is_pending() {
            device.poll_idle(cx);
        }
        request
    })
    .await
}

enum Waited {
    Event(Result<Reading>),
    Request(Option<Request>),
    NobodyWaits,
}

/// Waits in an event sensor's `read`; a control change interrupts it and it is called again.
/// False: the queue is closed.
async fn wait_for_event(
    device: &mut dyn Device,
    answer: &mut oneshot::Sender<Result<Reading>>,
    queue: &mut mpsc::Receiver<Request>,
) -> bool {
    loop {
        let mut read = device.read();
        let waited = loop {
            let waited = tokio::select! {
                biased;
                request = queue.recv() => Waited::Request(request),
                () = answer.closed() => Waited::NobodyWaits,
                event = &mut read => Waited::Event(event),
            };
            match waited {
                // A wait for something that takes long must not begin again and again.
                Waited::Request(Some(Request::Ping(answer))) => {
                    pong(answer);
                    let_others_run().await;
                }
                waited => break waited,
            }
        };
        drop(read);
        match waited {
            Waited::Event(event) => {
                let (unused, _) = oneshot::channel();
                let _ = std::mem::replace(answer, unused).send(event);
                return true;
            }
            Waited::NobodyWaits => return true,
            Waited::Request(Some(Request::Set(setting))) => {
                set(device, *setting).await;
                let_others_run().await;
            }
            Waited::Request(Some(Request::Ping(answer))) => pong(answer),
            // A newer read replaces this one.
            Waited::Request(Some(Request::Read(newer))) => *answer = newer,
            Waited::Request(None) => return false,
        }
    }
}
