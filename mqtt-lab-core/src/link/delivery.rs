//! How a published message ended.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::sync::oneshot;

use super::DeliveryError;

/// The way of one message to the broker: a future of its end.
///
/// The link delivers whether or not anybody waits; dropping it is fine.
///
/// # Errors
///
/// Resolves to a [`DeliveryError`] if the broker will not get the message, or nobody knows.
#[derive(Debug)]
pub struct Delivery {
    result: oneshot::Receiver<DeliveryResult>,
}

/// How a delivery ended well.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Delivered {
    /// QoS 0: written to the connection. Whether it arrived is not known.
    Sent,
    /// QoS 1 or 2: the broker has it (PUBACK or PUBCOMP).
    Acked {
        /// The broker said that nobody subscribes to the topic (MQTT 5 reason code 0x10, optional
        /// for the broker).
        no_subscribers: bool,
    },
}

pub(super) type DeliveryResult = Result<Delivered, DeliveryError>;

/// The way back to whoever published.
#[derive(Debug)]
pub(super) struct Reply {
    result: oneshot::Sender<DeliveryResult>,
    /// Its number in the spool on disk.
    pub(super) stored: Option<u64>,
}

impl Reply {
    pub(super) fn send(self, end: DeliveryResult) {
        // The sender need not wait for it.
        let _ = self.result.send(end);
    }
}

impl Delivery {
    pub(super) fn new(stored: Option<u64>) -> (Reply, Self) {
        let (reply, result) = oneshot::channel();
        (Reply { result: reply, stored }, Self { result })
    }
}

impl Future for Delivery {
    type Output = DeliveryResult;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<DeliveryResult> {
        // A link that is gone has dropped the sender.
        Pin::new(&mut self.result).poll(context).map(|end| end.unwrap_or(Err(DeliveryError::Closed)))
    }
}
