//! `mqtt-lab run`: starts a lab, keeps it running, and ends it when it is asked to.

use crate::arguments::RunOptions;
use crate::config::{Config, Source};
use crate::failure::Failure;
use crate::follow::{Follower, Following};
use crate::open_files;
use crate::private_files;
use crate::running::Running;
use crate::signals::Signals;
use crate::terminal::{Printer, has_colors};
use mqtt_lab_core::supervisor::{Supervisor, Weight};
use std::convert::Infallible;
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::JoinError;
use tracing_subscriber::EnvFilter;

/// What is worth a line in the terminal without `RUST_LOG`.
const LOG: &str = "warn,mqtt_lab=info,mqtt_lab_core=info,mqtt_lab_core::link=warn,mqtt_lab_web=info";

/// Longest time of a stop. Every step has a limit of its own; this one is for what ignores it, a file system that
/// hangs for instance.
const PATIENCE: Duration = Duration::from_secs(30);
/// Longest wait for the terminal at the end.
const FLUSH: Duration = Duration::from_secs(1);

/// Runs a lab until Ctrl-C, SIGTERM or SIGHUP.
pub(crate) fn run(options: &RunOptions) -> Result<(), Failure> {
    private_files::only_for_this_user();
    let printer = Printer::start().map_err(|error| Failure::of(&error, None))?;
    log_to(&printer);
    let outcome = conduct(options, &printer);
    printer.flush(FLUSH);
    outcome
}

fn log_to(printer: &Printer) {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(LOG));
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_target(false).with_ansi(has_colors());
    let writer = printer.clone();
    // What cannot be logged is no reason to panic.
    log.log_internal_errors(false).with_writer(move || writer.log()).init();
    std::panic::set_hook(Box::new(|panic| {
        let thread = std::thread::current();
        tracing::error!(thread = thread.name().unwrap_or("unnamed"), "{panic}");
    }));
}

/// Signals are waited for on this thread, the lab lives on others: nothing that blocks it keeps Ctrl-C from being
/// heard.
fn conduct(options: &RunOptions, printer: &Printer) -> Result<(), Failure> {
    let failed = |error: std::io::Error| Failure::of(&error, None);
    let own = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(failed)?;
    let runtime = tokio::runtime::Runtime::new().map_err(failed)?;
    let outcome = own.block_on(async {
        let mut signals = Signals::listen().map_err(failed)?;
        let (stop, stopping) = watch::channel(false);
        let mut lab = runtime.spawn(live(options.clone(), printer.clone(), stopping));
        tokio::select! {
            ended = &mut lab => return outcome(ended),
            () = signals.received() => {}
        }
        printer.say("stopping (Ctrl-C again gives up what is not delivered)");
        stop.send_replace(true);
        tokio::select! {
            ended = &mut lab => outcome(ended).inspect(|()| printer.say("stopped")),
            () = signals.received_again() => {
                printer.say("stopped at once");
                Ok(())
            }
            () = tokio::time::sleep(PATIENCE) => {
                let message = format!("the lab did not stop within {} s and was ended", PATIENCE.as_secs());
                Err(Failure::failed(message, Some("a disk that does not answer may be the reason".into())))
            }
        }
    });
    // What hangs is not waited for.
    runtime.shutdown_background();
    outcome
}

fn outcome(ended: Result<Result<(), Failure>, JoinError>) -> Result<(), Failure> {
    ended.unwrap_or_else(|error| Err(Failure::internal(format!("the lab ended: {error}"))))
}

/// The life of a lab, which is stopped in order whatever ends it.
async fn live(
    options: RunOptions,
    printer: Printer,
    mut stopping: watch::Receiver<bool>,
) -> Result<(), Failure> {
    let supervisor = Supervisor::default();
    let mut running = Running::new(supervisor.clone(), printer);
    let outcome = tokio::select! {
        biased;
        _ = stopping.wait_for(|stopping| *stopping) => Ok(()),
        text = supervisor.exhausted() => Err(Failure::internal(text)),
        ended = start_and_follow(options, &supervisor, &mut running) => ended.map(|never| match never {}),
    };
    running.stop().await;
    outcome
}

/// Safe to drop at any await: what was started by then is in `running`.
async fn start_and_follow(
    options: RunOptions,
    supervisor: &Supervisor,
    running: &mut Running,
) -> Result<Infallible, Failure> {
    // Before it is read: what is changed while the lab starts is noticed, too.
    let (stamp, source) = Source::read_apart(options.clone()).await;
    let source = source?;
    let limit = open_files::raise();
    if let Some((problem, hint)) = open_files::shortage(&source.config, source.has_own_broker(), limit) {
        tracing::warn!("{problem}\n  hint: {hint}");
    }
    running.warn(&source.warnings());
    let mut loader = source.loader();
    running.start(&source, &mut loader).await?;
    running.announce(&source);
    running.warn_of_missing().await;
    let mut follower = Follower::new(options, source, loader, stamp);
    let part = supervisor.part("configuration", Weight::Helpful);
    loop {
        supervisor.keep(&part, &mut Following { follower: &mut follower, running }).await;
    }
}

/// Puts the options of the command line into the configuration.
pub(crate) fn override_with(config: &mut Config, options: &RunOptions) {
    if let Some(web) = options.web {
        config.web.bind = web.to_string();
    }
    if let Some(broker) = options.broker {
        config.broker.bind = broker;
    }
    if let Some(store) = &options.store {
        config.store.url = format!("sqlite:{}", store.display());
    }
}
