//! A running lab follows its files: the configuration, and plugins that are built anew.
//!
//! Files are looked at twice a second. That works on every file system, network folders of universities
//! included, and with every editor's way of saving.

use crate::arguments::RunOptions;
use crate::config::{Source, Told};
use crate::failure::Failure;
use crate::running::Running;
use async_trait::async_trait;
use mqtt_lab_core::plugin::PluginLoader;
use mqtt_lab_core::supervisor::Work;
use mqtt_lab_core::{Changes, FileStamp, failpoint};
use mqtt_lab_web::{Notice, NoticeLevel, NoticeMessage, NoticeTitle};
use std::path::PathBuf;
use std::time::Duration;

/// Time between two looks. A file must be the same twice: one that is being written is waited for.
const LOOK: Duration = Duration::from_millis(500);

/// What the lab follows, and what it runs now.
pub(crate) struct Follower {
    options: RunOptions,
    /// As the lab was started.
    started: Source,
    /// With the devices that run now.
    source: Source,
    /// The files of what was read last.
    paths: Vec<PathBuf>,
    loader: PluginLoader,
    /// The files as they were when they were read, and as they were at the last look.
    read: Stamps,
    last: Stamps,
}

/// The file's stamp and those of the files it includes.
type Stamps = Vec<Option<FileStamp>>;

impl Follower {
    /// Follows the files of a lab that runs. `read` is the stamp of the file from before it was read.
    pub(crate) fn new(
        options: RunOptions,
        source: Source,
        loader: PluginLoader,
        read: Option<FileStamp>,
    ) -> Self {
        let paths = source.layers.paths();
        let mut stamps = stamps(&paths);
        // The stamp from before the file was read counts.
        stamps.iter_mut().take(1).for_each(|first| *first = read);
        let read = stamps;
        Self { options, started: source.clone(), paths, source, loader, last: read.clone(), read }
    }

    /// Follows until it is dropped.
    pub(crate) async fn follow(&mut self, running: &mut Running) {
        let mut looks = tokio::time::interval(LOOK);
        looks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            let asked = tokio::select! {
                _ = looks.tick() => None,
                request = running.asked() => Some(request),
            };
            if let Some(request) = asked {
                // Not dropped half-way by the next look.
                running.serve(request).await;
                continue;
            }
            failpoint::hit("configuration");
            running.show_unconnected();
            if self.file_changed().await {
                self.take_file(running).await;
            } else if self.source.config.plugins.watch && self.loader.changed() {
                self.take_plugins(running).await;
            }
        }
    }

    async fn file_changed(&mut self) -> bool {
        let now = stamps_apart(&self.paths).await;
        let settled = now == self.last;
        self.last.clone_from(&now);
        if !settled || now == self.read {
            return false;
        }
        self.read = now;
        true
    }

    /// Goes over to the changed file, or says why not.
    async fn take_file(&mut self, running: &mut Running) {
        match self.changed_lab(running).await {
            Ok((source, changes)) => {
                let known = self.source.warnings();
                let mut suspicious = source.warnings();
                // What was told of the file before is not told again.
                suspicious.retain(|warning| !known.contains(warning));
                suspicious.extend(changes.warnings.iter().map(|problem| source.told(problem)));
                running.warn(&suspicious);
                let waiting = source.tables_that_need_a_restart(&self.started);
                self.source = self.started.with_devices_of(source);
                running.tell(&changed(&changes, &waiting, suspicious));
            }
            Err(failure) => running.tell(&refused(NoticeTitle::ConfigurationRefused, failure)),
        }
    }

    async fn changed_lab(&mut self, running: &mut Running) -> Result<(Source, Changes), Failure> {
        let source = Source::read_apart(self.options.clone()).await.1?;
        let paths = source.layers.paths();
        if paths != self.paths {
            self.read = stamps_apart(&paths).await;
            self.last.clone_from(&self.read);
        }
        self.paths = paths;
        // Broker, topics and storage stay as they are: the devices alone are exchanged.
        let devices = self.started.with_devices_of(source.clone());
        let changes = running.apply(&devices, &mut self.loader).await?;
        Ok((source, changes))
    }

    /// Exchanges the plugins that were built anew.
    async fn take_plugins(&mut self, running: &mut Running) {
        let notice = match running.apply(&self.source, &mut self.loader).await {
            Ok(changes) => reloaded(&changes),
            Err(failure) => refused(NoticeTitle::PluginRefused, failure),
        };
        running.tell(&notice);
    }
}

/// The task of a follower, as a supervisor restarts it.
pub(crate) struct Following<'a> {
    pub(crate) follower: &'a mut Follower,
    pub(crate) running: &'a mut Running,
}

#[async_trait]
impl Work for Following<'_> {
    async fn run(&mut self) -> Result<(), String> {
        self.follower.follow(self.running).await;
        Ok(())
    }
}

/// On a thread of its own: a file system may hang.
async fn stamps_apart(paths: &[PathBuf]) -> Stamps {
    let paths = paths.to_vec();
    tokio::task::spawn_blocking(move || stamps(&paths)).await.unwrap_or_default()
}

fn stamps(paths: &[PathBuf]) -> Stamps {
    paths.iter().map(|path| FileStamp::of(path)).collect()
}

fn message(text: impl Into<String>) -> NoticeMessage {
    NoticeMessage { text: text.into(), hint: None }
}

fn refused(title: NoticeTitle, failure: Failure) -> Notice {
    let messages = failure.into_messages().into_iter().map(|(text, hint)| NoticeMessage { text, hint });
    Notice { level: NoticeLevel::Error, title, messages: messages.collect() }
}

fn changed(changes: &Changes, waiting: &[String], suspicious: Vec<Told>) -> Notice {
    if !changes.kept_old.is_empty() {
        return reloaded(changes);
    }
    let mut messages = vec![message(changes.to_string())];
    let title = if waiting.is_empty() {
        NoticeTitle::ConfigurationChanged
    } else {
        messages.push(message(format!("not before a restart: {}", waiting.join(", "))));
        NoticeTitle::RestartNeeded
    };
    messages.extend(suspicious.into_iter().map(|(_, text, hint)| NoticeMessage { text, hint }));
    Notice { level: NoticeLevel::Info, title, messages }
}

fn reloaded(changes: &Changes) -> Notice {
    if changes.kept_old.is_empty() {
        let messages = vec![message(changes.to_string())];
        return Notice { level: NoticeLevel::Info, title: NoticeTitle::PluginReloaded, messages };
    }
    let kept = changes.kept_old.iter();
    let messages =
        kept.map(|(device, why)| message(format!("{device} goes on with the old plugin; the new one {why}")));
    Notice { level: NoticeLevel::Error, title: NoticeTitle::PluginRefused, messages: messages.collect() }
}
