//! The plugin's side of the C ABI: puts a Rust [`Plugin`] behind a [`PluginV1`].
//!
//! A library has its own copy of the standard library, of tokio and of tracing. So every instance has a
//! current-thread runtime of its own, which runs while the host calls `read`, `set` or `idle`, and
//! neither a future nor a panic ever leaves the library.

use super::abi::{self, Host, PluginV1, Sink, Text};
use super::guest_log::{self, contained};
use super::manifest::Manifest;
use crate::actor::{QUEUE, Request, serve};
use crate::{CreateError, Error, Plugin, Reading, Result, Value};
use mqtt_lab_wire::Trigger;
use std::ffi::c_void;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;
use tokio::runtime::Runtime;
use tokio::sync::{Notify, mpsc, oneshot};
use tokio::task::JoinHandle;

static PLUGIN: OnceLock<Plugin> = OnceLock::new();

#[allow(clippy::cast_possible_truncation, reason = "a few bytes")]
static TABLE: PluginV1 = PluginV1 {
    magic: abi::MAGIC,
    abi: abi::ABI,
    size: abi::size::<PluginV1>(),
    built_with: Text::of(concat!("mqtt-lab-core ", env!("CARGO_PKG_VERSION"))),
    manifest,
    create,
    read,
    set,
    destroy,
    idle: Some(idle),
    wake: Some(wake),
};

/// What the symbol of a plugin returns: null when `plugin` panics. For [`export_plugin!`](crate::export_plugin).
#[doc(hidden)]
#[must_use]
pub fn entry(plugin: fn() -> Plugin) -> *const PluginV1 {
    let made = contained(|| {
        PLUGIN.get_or_init(plugin);
    });
    if made.is_some() { &raw const TABLE } else { std::ptr::null() }
}

/// What the host's pointer to an instance points to.
struct Handle {
    /// The one part that other threads touch.
    wake: Notify,
    instance: Mutex<Instance>,
}

impl Handle {
    /// The host makes one call at a time, so nobody waits here.
    fn lock(&self) -> MutexGuard<'_, Instance> {
        self.instance.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One device in this library.
struct Instance {
    runtime: Runtime,
    requests: mpsc::Sender<Request>,
    /// Taken when it has ended.
    device: Option<JoinHandle<()>>,
    /// A reading that was asked for; it outlives calls of `read` that ended without it.
    reading: Option<oneshot::Receiver<Result<Reading>>>,
}

enum Outcome {
    Reading(Result<Reading>),
    Pending,
    Panicked(String),
}

impl Instance {
    fn new(kind: &str, settings: &str) -> Result<(Self, String), CreateError> {
        let refused = |error: &dyn std::fmt::Display| CreateError::Refused(Error::new(error));
        let plugin = PLUGIN.get().ok_or_else(|| refused(&"the plugin was not entered"))?;
        let offered = plugin.kinds().iter().find(|offered| offered.name() == kind);
        let kind = offered.ok_or_else(|| refused(&format_args!("the plugin has no kind `{kind}`")))?;
        let settings = serde_json::from_str(settings).map_err(|error| refused(&error))?;
        let runtime =
            tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(|e| refused(&e))?;
        let mut device = runtime.block_on(kind.create(settings))?;
        let description = runtime.block_on(async { device.describe() });
        let event = description.trigger() == Trigger::Event;
        let json = serde_json::to_string(&description).map_err(|error| refused(&error))?;
        let (requests, mut queue) = mpsc::channel(QUEUE);
        let device = runtime.spawn(async move { serve(&mut *device, event, &mut queue).await });
        Ok((Self { runtime, requests, device: Some(device), reading: None }, json))
    }

    fn read(&mut self, wait: Duration, wake: &Notify) -> Outcome {
        if self.reading.is_none() {
            let (answer, reading) = oneshot::channel();
            // A device that is gone drops `answer`, which the next lines see.
            let _ = self.requests.try_send(Request::Read(answer));
            self.reading = Some(reading);
        }
        let Some(reading) = &mut self.reading else { return Outcome::Pending };
        let answer = self.runtime.block_on(async {
            tokio::select! {
                biased;
                answer = reading => Some(answer),
                () = wake.notified() => None,
                () = tokio::time::sleep(wait) => None,
            }
        });
        match answer {
            None => Outcome::Pending,
            Some(answer) => {
                self.reading = None;
                self.outcome(answer)
            }
        }
    }

    fn set(&mut self, channel: &str, value: Value) -> Outcome {
        let (answer, state) = oneshot::channel();
        let _ = self.requests.try_send(Request::set(channel, value, answer));
        let answer = self.runtime.block_on(state);
        self.outcome(answer)
    }

    fn outcome(&mut self, answer: Result<Result<Reading>, oneshot::error::RecvError>) -> Outcome {
        if let Ok(reading) = answer {
            return Outcome::Reading(reading);
        }
        let ended = self.device.take().map(|device| self.runtime.block_on(device));
        Outcome::Panicked(match ended {
            Some(Err(error)) if error.is_panic() => guest_log::panic_text(error.into_panic()),
            _ => "the device is gone".into(),
        })
    }

    fn idle(&self, wait: Duration, wake: &Notify) {
        self.runtime.block_on(async {
            tokio::select! {
                () = wake.notified() => {}
                () = tokio::time::sleep(wait) => {}
            }
        });
    }
}

// The functions of the table ---------------------------------------------------------------------
//
// SAFETY, for all of them: the host keeps the contract of `PluginV1`: pointers and texts are valid
// during the call, an instance comes from `create`, is used by one call at a time and not after
// `destroy`; `wake` alone overlaps others, and a `Handle` may be shared.

unsafe extern "C" fn manifest(sink: *const Sink) -> i32 {
    unsafe {
        guarded(sink, || {
            let manifest = PLUGIN.get().map(|plugin| Manifest::of(plugin).to_json()).unwrap_or_default();
            ((*sink).document)((*sink).ctx, Text::of(&manifest));
            abi::OK
        })
    }
}

unsafe extern "C" fn create(
    host: *const Host,
    kind: Text,
    settings: Text,
    sink: *const Sink,
    instance: *mut *mut c_void,
) -> i32 {
    unsafe {
        guarded(sink, || {
            guest_log::forward_to(&*host);
            match Instance::new(&kind.lossy(), &settings.lossy()) {
                Ok((made, description)) => {
                    ((*sink).document)((*sink).ctx, Text::of(&description));
                    let handle = Handle { wake: Notify::new(), instance: Mutex::new(made) };
                    *instance = Box::into_raw(Box::new(handle)).cast();
                    abi::OK
                }
                Err(CreateError::Setting { path, message }) => {
                    let pointer = pointer(&path);
                    ((*sink).error)((*sink).ctx, Text::of(&pointer), Text::of(&message));
                    abi::ERROR
                }
                Err(CreateError::Refused(error)) => fail(sink, code_of(&error), &error.to_string()),
            }
        })
    }
}

unsafe extern "C" fn read(instance: *mut c_void, wait_ms: u32, sink: *const Sink) -> i32 {
    unsafe {
        guarded(sink, || {
            let handle = &*instance.cast::<Handle>();
            let outcome = handle.lock().read(Duration::from_millis(wait_ms.into()), &handle.wake);
            answer(sink, outcome)
        })
    }
}

unsafe extern "C" fn set(
    instance: *mut c_void,
    channel: Text,
    value: *const abi::Value,
    sink: *const Sink,
) -> i32 {
    unsafe {
        guarded(sink, || {
            let handle = &*instance.cast::<Handle>();
            let outcome = handle.lock().set(&channel.lossy(), owned(&*value));
            answer(sink, outcome)
        })
    }
}

unsafe extern "C" fn destroy(instance: *mut c_void) {
    contained(|| {
        let handle = unsafe { Box::from_raw(instance.cast::<Handle>()) };
        let instance = handle.instance.into_inner().unwrap_or_else(PoisonError::into_inner);
        // Threads that the plugin blocks are not waited for.
        instance.runtime.shutdown_background();
    });
}

unsafe extern "C" fn idle(instance: *mut c_void, wait_ms: u32) {
    contained(|| {
        let handle = unsafe { &*instance.cast::<Handle>() };
        handle.lock().idle(Duration::from_millis(wait_ms.into()), &handle.wake);
    });
}

unsafe extern "C" fn wake(instance: *mut c_void) {
    contained(|| {
        let handle = unsafe { &*instance.cast::<Handle>() };
        handle.wake.notify_one();
    });
}

// Helpers ----------------------------------------------------------------------------------------

/// Runs `call`; a panic becomes an error with text, file and line.
unsafe fn guarded(sink: *const Sink, call: impl FnOnce() -> i32) -> i32 {
    catch_unwind(AssertUnwindSafe(call))
        .unwrap_or_else(|panic| unsafe { fail(sink, abi::PANIC, &guest_log::panic_text(panic)) })
}

unsafe fn fail(sink: *const Sink, code: i32, message: &str) -> i32 {
    unsafe { ((*sink).error)((*sink).ctx, Text::of(""), Text::of(message)) };
    code
}

const fn code_of(error: &Error) -> i32 {
    if error.is_fatal() { abi::FATAL } else { abi::ERROR }
}

unsafe fn answer(sink: *const Sink, outcome: Outcome) -> i32 {
    let reading = match outcome {
        Outcome::Pending => return abi::PENDING,
        Outcome::Panicked(text) => return unsafe { fail(sink, abi::PANIC, &text) },
        Outcome::Reading(Err(error)) => {
            return unsafe { fail(sink, code_of(&error), &error.to_string()) };
        }
        Outcome::Reading(Ok(reading)) => reading,
    };
    let sink = unsafe { &*sink };
    for (channel, value) in reading.values() {
        let channel = Text::of(channel);
        unsafe {
            match value {
                Value::Float(number) => (sink.number)(sink.ctx, channel, *number),
                Value::Int(integer) => (sink.integer)(sink.ctx, channel, *integer),
                Value::Bool(boolean) => (sink.boolean)(sink.ctx, channel, (*boolean).into()),
                Value::Text(text) => (sink.text)(sink.ctx, channel, Text::of(text)),
            }
        }
    }
    unsafe {
        if let Some(qos) = reading.qos_override() {
            (sink.qos)(sink.ctx, qos.level());
        }
        if let Some(retain) = reading.retain_override() {
            (sink.retain)(sink.ctx, retain.into());
        }
    }
    abi::OK
}

unsafe fn owned(value: &abi::Value) -> Value {
    match value.datatype {
        0 => Value::Float(value.number),
        1 => Value::Int(value.integer),
        2 => Value::Bool(value.boolean != 0),
        _ => Value::Text(unsafe { value.text.lossy() }),
    }
}

/// The JSON Pointer (RFC 6901) of a way into the settings.
fn pointer(path: &[String]) -> String {
    path.iter().map(|part| format!("/{}", part.replace('~', "~0").replace('/', "~1"))).collect()
}
