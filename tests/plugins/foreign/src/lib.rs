//! Uses what only this crate's own tokio has: tasks, timers, sockets, files and blocking threads.

use mqtt_lab_core::prelude::*;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Settings {}

struct Foreign {
    /// What the background task has counted; started by the first `read`.
    background: Option<Arc<AtomicI64>>,
}

impl Foreign {
    fn background(&mut self) -> i64 {
        let counted = self.background.get_or_insert_with(|| {
            let counted = Arc::new(AtomicI64::new(0));
            let counter = Arc::downgrade(&counted);
            tokio::spawn(async move {
                while let Some(counter) = counter.upgrade() {
                    counter.fetch_add(1, Ordering::Relaxed);
                    drop(counter);
                    tokio::time::sleep(Duration::from_millis(1)).await;
                }
            });
            counted
        });
        counted.load(Ordering::Relaxed)
    }
}

/// Sends a byte through a connection of its own.
async fn over_the_loopback(sent: u8) -> Result<u8> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let server = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await?;
        let mut byte = [0];
        stream.read_exact(&mut byte).await?;
        stream.write_all(&byte).await
    });
    let mut stream = TcpStream::connect(address).await?;
    stream.write_all(&[sent]).await?;
    let mut byte = [0];
    stream.read_exact(&mut byte).await?;
    server.await??;
    Ok(byte[0])
}

#[async_trait]
impl Sensor for Foreign {
    fn describe(&self) -> Description {
        Description::sensor()
            .channel(Channel::int("background"))
            .channel(Channel::int("echo"))
            .channel(Channel::int("blocking"))
            .channel(Channel::int("thread"))
            .channel(Channel::int("file"))
    }

    async fn read(&mut self) -> Result<Reading> {
        // Counted while nobody asked: between the last reading and this one.
        let background = self.background();
        tokio::time::sleep(Duration::from_millis(5)).await;
        let echo = over_the_loopback(42).await?;
        let blocking = tokio::task::spawn_blocking(|| 6 * 7).await?;
        let (sender, receiver) = tokio::sync::oneshot::channel();
        std::thread::spawn(move || sender.send(7));
        let thread = receiver.await?;
        let file = tokio::fs::metadata("/").await?.is_dir();
        Ok(Reading::new()
            .with("background", background)
            .with("echo", i64::from(echo))
            .with("blocking", blocking)
            .with("thread", thread)
            .with("file", i64::from(file)))
    }
}

export_plugin! { sensor "foreign" => |_settings: Settings| Foreign { background: None } }
