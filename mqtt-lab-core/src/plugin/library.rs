//! The host's side of the C ABI: loads a library and asks it for devices.

use super::abi::{self, PluginV1, Sink, Text};
use super::host_table;
use super::inspect::{Inspected, inspect};
use super::library_copy::LibraryCopy;
use super::manifest::{self, KindManifest, Manifest};
use super::{LoadError, collect::Collect};
use crate::device::Interrupt;
use crate::{
    Channel, CreateError, Description, Device, Error, Plugin, Reading, Result, Settings, Value, panicked,
};
use async_trait::async_trait;
use mqtt_lab_wire::Str;
use std::collections::BTreeSet;
use std::ffi::c_void;
use std::future::poll_fn;
use std::mem::offset_of;
use std::path::Path;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

/// Longest wait inside one `read` or `idle` of a plugin that can be woken.
const WAIT_MS: u32 = 10_000;

/// The same of a plugin that cannot: so late it obeys at worst.
const WAIT_UNWOKEN_MS: u32 = 50;

/// Most names of channels that are kept for ever.
const MAX_NAMES: usize = 10_000;

/// The channel with a name that need not be copied for each value of each reading. Every name is kept
/// once, for as long as the program runs; those above [`MAX_NAMES`] are copied.
fn with_kept_name(mut channel: Channel) -> Channel {
    static NAMES: Mutex<BTreeSet<&'static str>> = Mutex::new(BTreeSet::new());
    let mut names = NAMES.lock().unwrap_or_else(PoisonError::into_inner);
    let kept = names.get(channel.name.as_ref()).copied();
    if let Some(name) = kept {
        channel.name = Str::Borrowed(name);
    } else if names.len() < MAX_NAMES {
        let name: &'static str = channel.name.to_string().leak();
        names.insert(name);
        channel.name = Str::Borrowed(name);
    }
    channel
}

/// A loaded library. It is never unloaded: threads and thread-local destructors of the plugin may
/// outlive its devices.
pub(crate) struct Library {
    table: &'static PluginV1,
    pub(crate) manifest: Manifest,
}

/// Loads a library as a plugin.
pub(crate) fn load(path: &Path) -> Result<Plugin, LoadError> {
    let Library { table, manifest } = Library::load(path)?;
    let plugin = Plugin::new(&manifest.name, &manifest.version);
    Ok(manifest.kinds.into_iter().fold(plugin, |plugin, kind| plugin.kind(of_library(table, kind))))
}

impl Library {
    /// Loads a copy of a library, so that a build can replace the file meanwhile.
    pub(crate) fn load(path: &Path) -> Result<Self, LoadError> {
        let table = enter(path, &inspect(path)?)?;
        let failed = |reason: String| LoadError::Failed { path: path.into(), reason };
        let mut collect = Collect::default();
        let sink = collect.sink();
        // SAFETY: the table was checked by `enter`; sink and collector live during the call.
        let code = unsafe { (table.manifest)(&raw const sink) };
        if code != abi::OK {
            return Err(failed(collect.error(code).1.to_string()));
        }
        let manifest = Manifest::parse(&collect.document).map_err(|error| failed(error.to_string()))?;
        Ok(Self { table, manifest })
    }

    /// Constructs a device on the calling thread.
    pub(crate) fn create(&self, kind: &str, settings: Settings) -> Result<LibraryDevice, CreateError> {
        LibraryDevice::create(self.table, kind, settings)
    }
}

fn of_library(table: &'static PluginV1, manifest: KindManifest) -> crate::Kind {
    let name = manifest.name.clone();
    manifest.into_kind(move |settings| {
        let name = name.clone();
        Box::pin(
            async move { Ok(Box::new(LibraryDevice::create(table, &name, settings)?) as Box<dyn Device>) },
        )
    })
}

/// Loads the library and calls its one function.
fn enter(path: &Path, inspected: &Inspected) -> Result<&'static PluginV1, LoadError> {
    let unreadable = |source| LoadError::Unreadable { path: path.into(), source };
    let copy = LibraryCopy::of(&inspected.bytes).map_err(unreadable)?;
    let copied = copy.path().display().to_string();
    let refused = |error: libloading::Error| {
        // The path of the copy means nothing to anybody.
        let reason = error.to_string().replace(&copied, &path.display().to_string());
        LoadError::Refused { path: path.into(), reason }
    };
    // SAFETY: the file is a plugin by its symbol; what its initializers do is the user's own choice, as
    // with any program they start. `isolation = "process"` is for those they do not trust.
    let library = unsafe { libloading::Library::new(copy.path()) }.map_err(refused)?;
    let library = Box::leak(Box::new(library));
    copy.keep();
    // SAFETY: a function of this name has this type by the ABI.
    let entry =
        unsafe { library.get::<unsafe extern "C" fn() -> *const PluginV1>(inspected.symbol.as_bytes()) };
    // SAFETY: as above.
    let table = unsafe { entry.map_err(refused)?() };
    // SAFETY: what the function returned is null or points to a table that begins with magic, version and
    // size, and is valid until the program ends, as the library is never unloaded.
    unsafe { checked(table) }.map_err(|wrong| match wrong {
        WrongTable::Version(found) => LoadError::OtherAbi { path: path.into(), found, needed: abi::ABI },
        WrongTable::Other(reason) => LoadError::Failed { path: path.into(), reason },
    })
}

enum WrongTable {
    /// It is of another version of the ABI, so long.
    Version(String),
    Other(String),
}

/// The functions without which there is no plugin, by their place in the table.
const REQUIRED: [(&str, usize); 5] = [
    ("manifest", offset_of!(PluginV1, manifest)),
    ("create", offset_of!(PluginV1, create)),
    ("read", offset_of!(PluginV1, read)),
    ("set", offset_of!(PluginV1, set)),
    ("destroy", offset_of!(PluginV1, destroy)),
];

/// The table, once nothing in it can be taken for what it is not.
///
/// # Safety
///
/// `table` is null, or what a plugin's function returned.
unsafe fn checked(table: *const PluginV1) -> Result<&'static PluginV1, WrongTable> {
    let wrong = |reason: &str| WrongTable::Other(reason.into());
    if table.is_null() {
        return Err(wrong("panicked when it was asked for its kinds"));
    }
    if !table.is_aligned() {
        return Err(wrong("its function returned no plugin table"));
    }
    // SAFETY: the caller's promise; a reference to the whole would promise more.
    let (magic, abi, size) = unsafe {
        (
            (&raw const (*table).magic).read(),
            (&raw const (*table).abi).read(),
            (&raw const (*table).size).read(),
        )
    };
    if magic != abi::MAGIC {
        return Err(wrong("its function returned no plugin table"));
    }
    if abi != abi::ABI {
        return Err(WrongTable::Version(abi.to_string()));
    }
    if (size as usize) < size_of::<PluginV1>() {
        let needed = size_of::<PluginV1>();
        return Err(WrongTable::Other(format!(
            "its plugin table has {size} bytes, at least {needed} are needed"
        )));
    }
    for (name, at) in REQUIRED {
        // SAFETY: the table is as long as it must be. A null is no `fn`, so it is looked at as a number.
        let function = unsafe { table.byte_add(at).cast::<usize>().read() };
        if function == 0 {
            return Err(WrongTable::Other(format!("its plugin table lacks the function `{name}`")));
        }
    }
    // SAFETY: as long as a `PluginV1`, aligned, never changed, and no `fn` in it is null.
    Ok(unsafe { &*table })
}

/// An instance in a library; dropping it destroys it.
struct Instance {
    table: &'static PluginV1,
    /// None once it is destroyed: `wake` may be called by others that late.
    alive: Arc<Mutex<Option<Pointer>>>,
    pointer: Pointer,
}

#[derive(Clone, Copy)]
struct Pointer(*mut c_void);

// SAFETY: the pointer is only handed back to the plugin, by one call at a time (`&mut self`), and by
// `wake`, which the ABI allows from any thread.
unsafe impl Send for Pointer {}

impl Drop for Instance {
    fn drop(&mut self) {
        *self.alive.lock().unwrap_or_else(PoisonError::into_inner) = None;
        // SAFETY: the pointer came from `create` and is used for the last time.
        unsafe { (self.table.destroy)(self.pointer.0) };
    }
}

/// A device that lives in a library. It blocks the thread that asks it: the runtime gives it one of its
/// own.
pub(crate) struct LibraryDevice {
    instance: Instance,
    description: Description,
}

impl LibraryDevice {
    fn create(table: &'static PluginV1, kind: &str, settings: Settings) -> Result<Self, CreateError> {
        let settings = serde_json::Value::Object(settings).to_string();
        let mut collect = Collect::default();
        let mut pointer = std::ptr::null_mut();
        let host = std::ptr::from_ref(host_table::host());
        // SAFETY: all pointers and texts live during the call; the host table lives for ever.
        let code = unsafe {
            let sink = collect.sink();
            (table.create)(host, Text::of(kind), Text::of(&settings), &raw const sink, &raw mut pointer)
        };
        if code != abi::OK {
            return Err(match (code, collect.error(code)) {
                (abi::PANIC, (_, error)) => panicked::goes_on(error),
                (_, (Some(path), error)) => CreateError::Setting { path, message: error.to_string() },
                (_, (None, error)) => CreateError::Refused(error),
            });
        }
        let pointer = Pointer(pointer);
        let instance = Instance { table, alive: Arc::new(Mutex::new(Some(pointer))), pointer };
        let description = manifest::description(serde_json::from_str(&collect.document))?;
        Ok(Self { instance, description: description.map_channels(with_kept_name) })
    }

    /// How long a call into the library may wait.
    pub(crate) fn wait_ms(&self) -> u32 {
        if self.instance.table.wake.is_some() { WAIT_MS } else { WAIT_UNWOKEN_MS }
    }

    /// One call into the library.
    #[inline]
    fn ask(
        &mut self,
        call: impl FnOnce(&PluginV1, *mut c_void, *const Sink) -> i32,
    ) -> Poll<Result<Reading>> {
        let mut collect = Collect::of(&self.description);
        let sink = collect.sink();
        match call(self.instance.table, self.instance.pointer.0, &raw const sink) {
            abi::OK => Poll::Ready(collect.reading()),
            abi::PENDING => Poll::Pending,
            abi::PANIC => panicked::goes_on(collect.error(abi::PANIC).1),
            code => Poll::Ready(Err(collect.error(code).1)),
        }
    }

    pub(crate) const fn description(&self) -> &Description {
        &self.description
    }

    /// A reading, or pending after `wait_ms`.
    #[inline]
    pub(crate) fn read_for(&mut self, wait_ms: u32) -> Poll<Result<Reading>> {
        // SAFETY: the pointer is alive as long as `self`; the sink lives during the call.
        self.ask(|table, instance, sink| unsafe { (table.read)(instance, wait_ms, sink) })
    }

    /// Hands over a value; the new state.
    pub(crate) fn set_now(&mut self, channel: &str, value: Value) -> Result<Reading> {
        let handed = abi::Value::of(&value);
        let text = Text::of(channel);
        // SAFETY: as in `read_for`; value and texts live during the call.
        let answer =
            self.ask(|table, instance, sink| unsafe { (table.set)(instance, text, &raw const handed, sink) });
        match answer {
            Poll::Ready(Ok(state)) if state.is_empty() => Ok(Reading::new().with(channel.to_owned(), value)),
            Poll::Ready(answer) => answer,
            Poll::Pending => Err(Error::new("the plugin answered a command with `pending`")),
        }
    }

    /// Lets background work go on for at most `wait_ms`; false: there is none.
    pub(crate) fn idle(&self, wait_ms: u32) -> bool {
        let Some(idle) = self.instance.table.idle else { return false };
        // SAFETY: the pointer is alive as long as `self`.
        unsafe { idle(self.instance.pointer.0, wait_ms) };
        true
    }
}

#[async_trait]
impl Device for LibraryDevice {
    fn describe(&self) -> Description {
        self.description.clone()
    }

    /// Written out: an `async fn` would move the reading once more, which a plugin in C notices.
    fn read<'a, 'future>(&'a mut self) -> Pin<Box<dyn Future<Output = Result<Reading>> + Send + 'future>>
    where
        'a: 'future,
        Self: 'future,
    {
        Box::pin(poll_fn(|cx| {
            let answer = self.read_for(self.wait_ms());
            if answer.is_pending() {
                // Asked again as soon as the task has looked whether there is something else to do.
                cx.waker().wake_by_ref();
            }
            answer
        }))
    }

    async fn set(&mut self, channel: &str, value: Value) -> Result<Reading> {
        self.set_now(channel, value)
    }

    fn poll_idle(&mut self, cx: &mut Context<'_>) {
        if self.idle(self.wait_ms()) {
            cx.waker().wake_by_ref();
        }
    }

    fn interrupt(&self) -> Option<Interrupt> {
        let wake = self.instance.table.wake?;
        let alive = Arc::clone(&self.instance.alive);
        Some(Arc::new(move || {
            if let Some(Pointer(instance)) = *alive.lock().unwrap_or_else(PoisonError::into_inner) {
                // SAFETY: not destroyed yet, and cannot be while the lock is held.
                unsafe { wake(instance) };
            }
        }))
    }
}
