//! The task that answers requests.

use async_trait::async_trait;
use mqtt_lab_core::supervisor::Work;
use tokio::net::TcpListener;
use tokio::sync::watch;

use crate::app::App;
use crate::stop::stopped;

/// Answers requests.
pub(super) struct Server {
    pub(super) listener: std::net::TcpListener,
    pub(super) app: App,
    pub(super) stop: watch::Receiver<bool>,
}

#[async_trait]
impl Work for Server {
    async fn run(&mut self) -> Result<(), String> {
        let listener = self.listener.try_clone().and_then(TcpListener::from_std);
        let listener = listener.map_err(|error| error.to_string())?;
        let mut stop = self.stop.clone();
        let service = crate::router(self.app.clone());
        let graceful = async move { stopped(&mut stop).await };
        axum::serve(listener, service)
            .with_graceful_shutdown(graceful)
            .await
            .map_err(|error| error.to_string())
    }
}
