//! Log and panics of a library, forwarded to the host with file and line.
//!
//! A library has its own copy of tracing, of log and of the standard library's panic hook, so setting
//! them here touches nobody else.

use super::abi::{Host, Text};
use crate::panicked;
use std::any::Any;
use std::cell::RefCell;
use std::fmt::{Debug, Write as _};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::OnceLock;
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Metadata, Subscriber, span};

static HOST: OnceLock<&'static Host> = OnceLock::new();

thread_local! {
    /// Text and place of this thread's last panic.
    static PANIC: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// Sends log and panics to the host from now on; later calls change nothing.
pub(crate) fn forward_to(host: &'static Host) {
    HOST.get_or_init(|| {
        // An error means that the plugin has chosen a subscriber or logger of its own.
        let _ = tracing::subscriber::set_global_default(Forward);
        let _ = log::set_logger(&Forward);
        log::set_max_level(level_filter(host.max_level));
        std::panic::set_hook(Box::new(|info| {
            let text = panicked::text(info.payload());
            let (file, line) = info.location().map_or(("", 0), |at| (at.file(), at.line()));
            send(1, "panic", &format!("panicked: {text}"), file, line);
            let text = if file.is_empty() { text } else { format!("{text}, at {file}:{line}") };
            // A thread may also panic while it ends, when this is gone.
            let _ = PANIC.try_with(|last| last.replace(Some(text)));
        }));
        host
    });
}

/// What a caught panic says, with file and line where the hook saw it. Drops what the panic carried.
pub(crate) fn panic_text(panic: Box<dyn Any + Send>) -> String {
    let last = || PANIC.try_with(RefCell::take).ok().flatten();
    let text = last().unwrap_or_else(|| panicked::text(&*panic));
    panicked::discard(panic);
    // If that panicked, too, it is not the text of the next panic.
    last();
    text
}

/// Runs `call`; a panic in it, which has been logged, goes nowhere else.
pub(crate) fn contained<T>(call: impl FnOnce() -> T) -> Option<T> {
    catch_unwind(AssertUnwindSafe(call)).map_err(panic_text).ok()
}

fn send(level: u32, target: &str, message: &str, file: &str, line: u32) {
    let Some(host) = HOST.get() else { return };
    // SAFETY: the host is valid until the program ends, the texts during the call.
    unsafe { (host.log)(level, Text::of(target), Text::of(message), Text::of(file), line) };
}

struct Forward;

/// The number of a level in the ABI.
pub(crate) const fn number(level: Level) -> u32 {
    match level {
        Level::ERROR => 1,
        Level::WARN => 2,
        Level::INFO => 3,
        Level::DEBUG => 4,
        Level::TRACE => 5,
    }
}

const fn level_filter(level: u32) -> log::LevelFilter {
    match level {
        0 => log::LevelFilter::Off,
        1 => log::LevelFilter::Error,
        2 => log::LevelFilter::Warn,
        3 => log::LevelFilter::Info,
        4 => log::LevelFilter::Debug,
        _ => log::LevelFilter::Trace,
    }
}

/// Message and fields of an event in one line: `message key=value`.
#[derive(Default)]
struct Line(String);

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        // Writing to a String cannot fail.
        let _ = if field.name() == "message" {
            let rest = std::mem::take(&mut self.0);
            write!(self.0, "{value:?}{rest}")
        } else {
            write!(self.0, " {}={value:?}", field.name())
        };
    }
}

impl Subscriber for Forward {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.is_event() && HOST.get().is_some_and(|host| number(*metadata.level()) <= host.max_level)
    }

    fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(1)
    }

    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}

    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut line = Line::default();
        event.record(&mut line);
        let of = event.metadata();
        let (file, at) = (of.file().unwrap_or_default(), of.line().unwrap_or_default());
        send(number(*of.level()), of.target(), line.0.trim_start(), file, at);
    }

    fn enter(&self, _: &span::Id) {}

    fn exit(&self, _: &span::Id) {}
}

impl log::Log for Forward {
    fn enabled(&self, metadata: &log::Metadata<'_>) -> bool {
        HOST.get().is_some_and(|host| metadata.level() as u32 <= host.max_level)
    }

    fn log(&self, record: &log::Record<'_>) {
        let (file, line) = (record.file().unwrap_or_default(), record.line().unwrap_or_default());
        send(record.level() as u32, record.target(), &record.args().to_string(), file, line);
    }

    fn flush(&self) {}
}
