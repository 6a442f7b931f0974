//! The way to the broker.

/// The way to the broker: a TCP connection of whatever network the board has.
#[allow(async_fn_in_trait, reason = "a board has one core and one network: nothing needs to be Send")]
pub trait Network {
    /// A connection.
    ///
    /// Its `read` must fail when the network is found to be down: that is how a dead connection is noticed
    /// before the keep-alive is over. Its `flush` must not wait for the other side.
    type Socket<'a>: minimq::Io
    where
        Self: 'a;

    /// Waits for the network and connects, or says in a word why not.
    ///
    /// # Errors
    ///
    /// A text for the log.
    async fn connect(&mut self) -> Result<Self::Socket<'_>, &'static str>;

    /// Resolves when the network is down, or will be, and can be used again: then the next attempt to
    /// connect is made at once. By default it never does.
    async fn returned(&mut self) {
        core::future::pending().await
    }

    /// Closes a connection after everything that was written has arrived.
    async fn close<'a>(socket: Self::Socket<'a>)
    where
        Self: 'a;
}
