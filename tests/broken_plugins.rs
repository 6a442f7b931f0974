//! Plugins that are broken in every way we know: each is told in words that help, in every form of a
//! plugin, and no other device is disturbed.

#[path = "../mqtt-lab-core/tests/support/mod.rs"]
mod bench;
#[path = "support/plugin_files.rs"]
mod plugin_files;

use bench::{Observer, broker};
use mqtt_lab_core::config::{DeviceConfig, Isolation, PluginsConfig};
use mqtt_lab_core::plugin::{PluginLoader, PluginSource};
use mqtt_lab_core::{BuildError, Lab, LabBuilder, RunningLab};
use plugin_files::{Patched, bad_plugin, raw_plugin};
use std::path::Path;
use std::time::{Duration, Instant};

/// Memory of a plugin's process: enough for the program itself, little for the test.
const MEMORY_MB: u32 = 256;

#[derive(Clone, Copy, Debug, PartialEq)]
enum Form {
    Static,
    Library,
    Process,
}
use Form::{Library, Process, Static};

fn loader() -> PluginLoader {
    let config = PluginsConfig { memory_mb: MEMORY_MB, ..PluginsConfig::default() };
    PluginLoader::new(config, ".").host([env!("CARGO_BIN_EXE_mqtt-lab"), "plugin", "host"])
}

/// The device under test, in a form.
fn device(form: Form, file: &Path, kind: &str) -> DeviceConfig {
    let mut device = DeviceConfig::new(kind).id("bad");
    device.interval_s = 0.02;
    if form != Static {
        device.plugin = Some(PluginSource::from(file));
        device.isolation = Some(if form == Process { Isolation::Process } else { Isolation::None });
    }
    device
}

fn faulty(form: Form, kind: &str, fault: &str, at: &str) -> DeviceConfig {
    let mut device = device(form, &bad_plugin(), kind).setting("fault", fault).setting("at", at);
    // Short where it is waited for; a process also starts within this time.
    let waited_for = ["loop", "sleep", "pending"].contains(&fault);
    if fault == "loop" && form != Process {
        // Nobody can end it, and it would take a processor from the other tests.
        device = device.setting("loop_s", 3.0);
    }
    device.read_timeout_s = match form {
        Process if waited_for => 3.0,
        _ if waited_for => 0.5,
        _ => 30.0,
    };
    device
}

fn good() -> DeviceConfig {
    let mut good = DeviceConfig::new("counter").id("good");
    good.interval_s = 0.02;
    good
}

async fn build(lab: LabBuilder, device: DeviceConfig) -> Result<Lab, BuildError> {
    let lab = lab.plugin(&static_kinds()).devices([device, good()]);
    lab.load_plugins(&mut loader()).await?.build()
}

/// The kinds of the bad plugin that the good device's plugin does not have, compiled in.
fn static_kinds() -> mqtt_lab_core::Plugin {
    let all = bad_plugin::plugin();
    let kinds = all.kinds().iter().filter(|kind| ["switch", "flood", "quiet", "port"].contains(&kind.name()));
    let plugin = mqtt_lab_core::Plugin::new("static", "0");
    kinds.fold(plugin, |plugin, kind| plugin.kind(kind.clone()))
}

/// Where numbers of lines, or of bytes that were wanted, stand there is a `#`.
fn without_line(message: &str) -> String {
    if let Some((before, rest)) = message.split_once("memory allocation of ") {
        let after = rest.trim_start_matches(|c: char| c.is_ascii_digit());
        return format!("{before}memory allocation of #{after}");
    }
    match message.rsplit_once(".rs:") {
        Some((before, line)) if line.bytes().all(|byte| byte.is_ascii_digit()) => format!("{before}.rs:#"),
        _ => message.to_owned(),
    }
}

async fn goes_on(observer: &mut Observer) {
    // What comes now was measured after all that was seen.
    observer.catch_up().await;
    for _ in 0..3 {
        observer.on("lab/demo/good/count", "").await;
    }
}

async fn stop(lab: RunningLab) {
    let stopped = tokio::time::timeout(Duration::from_secs(20), lab.stop()).await;
    assert_eq!(format!("{:?}", stopped.expect("stops in time")), "[]", "everything was delivered");
}

/// A device that fails while it runs: the message is shown, the good one goes on, and the broken one is
/// constructed anew (`restarted`).
async fn shows(device: DeviceConfig, message: &str, restarted: bool) {
    let broker = broker().await;
    let mut observer = Observer::connect(&broker).await;
    let lab = build(bench::lab(&broker), device).await.expect("valid");
    let running = lab.start().await.expect("runs");
    let error =
        observer.until("an error", |s| s.topic == "lab/demo/bad/$error" && !s.payload.is_empty()).await;
    assert_eq!(without_line(&error.payload), message);
    goes_on(&mut observer).await;
    if restarted {
        until_restarted(&mut observer).await;
    }
    assert!(!observer.seen.iter().any(|s| s.topic == "lab/demo/bad/value"), "no wrong value is sent");
    stop(running).await;
}

/// `init` after the failure, then `ready` again.
async fn until_restarted(observer: &mut Observer) {
    let init = |s: &bench::Seen| s.topic == "lab/demo/bad/$state" && s.payload == "init";
    if !observer.seen.iter().any(init) {
        observer.until("`init`", init).await;
    }
    observer.on("lab/demo/bad/$state", "ready").await;
}

/// The same for a device that is told something first.
async fn answers(device: DeviceConfig, channel: &str, value: &str, reason: &str) {
    let broker = broker().await;
    let mut observer = Observer::connect(&broker).await;
    let lab = build(bench::lab(&broker), device).await.expect("valid");
    let running = lab.start().await.expect("runs");
    assert!(running.connected(Duration::from_secs(30)).await.is_empty());
    observer.publish(&format!("lab/demo/bad/{channel}/set"), &format!(r#"{{"v":{value},"id":"a"}}"#)).await;
    let answer = observer.on(&format!("lab/demo/bad/{channel}/result"), "\"a\"").await;
    assert!(
        without_line(answer.payload.trim_end_matches("\"}")).ends_with(&format!("\"{reason}"))
            || answer.payload.contains(&format!("\"{reason}\"")),
        "{}",
        answer.payload
    );
    goes_on(&mut observer).await;
    stop(running).await;
}

/// A device that does not even start, and no lab with it: one problem, its key and its message.
async fn refused(device: DeviceConfig, key: &str, message: &str, hint: &str) {
    let lab = Lab::builder().broker("127.0.0.1:1").plugin(&bench::plugin());
    let error = match build(lab, device).await {
        Ok(lab) => lab.check().await.expect_err("refused"),
        Err(error) => error,
    };
    let BuildError::Devices(problems) = error else { panic!("{error}") };
    let [problem] = problems.as_slice() else { panic!("{problems:?}") };
    assert_eq!((problem.device, problem.key.join(".").as_str()), (0, key));
    assert_eq!(problem.message, message);
    let found = problem.hint.as_deref().unwrap_or_default();
    assert!(found.contains(hint), "{found}");
}

macro_rules! rows {
    ($($name:ident: $check:ident($($argument:expr),* $(,)?);)+) => {$(
        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $name() {
            $check($($argument),*).await;
        }
    )+};
}

// Faults of devices ------------------------------------------------------------------------------

const PANIC: &str = "panicked: no wire, at tests/plugins/bad/src/lib.rs:#";

const PAYLOAD: &str = "panicked: without a message, at tests/plugins/bad/src/lib.rs:#";

async fn in_read(form: Form, fault: &str, message: &str) {
    // In a library a blocked thread is left behind, so that the next life may hang as well.
    shows(faulty(form, "bad", fault, "read"), message, form == Process).await;
}

rows! {
    an_error_static: in_read_static("error", "wire broken");
    an_error_library: in_read(Library, "error", "wire broken");
    an_error_process: in_read(Process, "error", "wire broken");
    a_fatal_error_static: in_read_static("fatal", "wire burnt");
    a_fatal_error_library: in_read(Library, "fatal", "wire burnt");
    a_fatal_error_process: in_read(Process, "fatal", "wire burnt");
    a_panic_static: in_read_static("panic", "panicked: no wire");
    a_panic_library: in_read(Library, "panic", PANIC);
    a_panic_process: in_read(Process, "panic", PANIC);
    a_panic_whose_payload_panics_library: in_read(Library, "payload", PAYLOAD);
    a_panic_whose_payload_panics_process: in_read(Process, "payload", PAYLOAD);
    an_endless_loop_library: in_read(Library, "loop", "did not answer within 500ms");
    an_endless_loop_process: in_read(Process, "loop", "did not answer within 3s");
    an_endless_sleep_library: in_read(Library, "sleep", "did not answer within 500ms");
    an_endless_sleep_process: in_read(Process, "sleep", "did not answer within 3s");
    a_future_that_is_never_ready_static: in_read_static("pending", "did not answer within 500ms");
    a_future_that_is_never_ready_library: in_read(Library, "pending", "did not answer within 500ms");
    a_future_that_is_never_ready_process: in_read(Process, "pending", "did not answer within 3s");
    nan_library: in_read(Library, "nan", NAN);
    nan_process: in_read(Process, "nan", NAN);
    infinity_library: in_read(Library, "infinity", INFINITY);
    infinity_process: in_read(Process, "infinity", INFINITY);
    an_undeclared_channel_library: in_read(Library, "undeclared", UNDECLARED);
    an_undeclared_channel_process: in_read(Process, "undeclared", UNDECLARED);
    a_value_out_of_range_library: in_read(Library, "out_of_range", OUT_OF_RANGE);
    a_value_out_of_range_process: in_read(Process, "out_of_range", OUT_OF_RANGE);
    a_wrong_datatype_library: in_read(Library, "datatype", DATATYPE);
    a_wrong_datatype_process: in_read(Process, "datatype", DATATYPE);
    an_exit_process: in_read(Process, "exit", "its process ended with exit code 3");
    an_abort_process: in_read(Process, "abort", "its process was ended by signal 6 (abort)");
    a_segmentation_fault_process: in_read(Process, "segfault", SEGFAULT);
    a_stack_overflow_process: in_read(Process, "stack_overflow", OVERFLOW);
    a_memory_hog_process: in_read(Process, "memory", MEMORY);
}

const NAN: &str = "channel `value` does not take `NaN V`: NaN and infinity are not values";
const INFINITY: &str = "channel `value` does not take `inf V`: NaN and infinity are not values";
const UNDECLARED: &str = "the reading has a channel `humidity`, the description has: value, level";
const OUT_OF_RANGE: &str = "channel `value` does not take `11 V`: expected a number from 0 to 10";
const DATATYPE: &str = "channel `value` does not take `warm`: expected a number";
const SEGFAULT: &str = "its process was ended by signal 11 (segmentation fault)";
const OVERFLOW: &str =
    "its process was ended by signal 6 (abort): fatal runtime error: stack overflow, aborting";
const MEMORY: &str = "its process was ended by signal 6 (abort): memory allocation of # bytes failed \
                      (`plugins.memory_mb` is 256)";

/// Compiled in: the kind of the test bench has another name there, so that it is given alone.
async fn in_read_static(fault: &str, message: &str) {
    let kinds = bad_plugin::plugin();
    let kind = kinds.kinds().iter().find(|kind| kind.name() == "bad").expect("a kind").clone();
    let broker = broker().await;
    let mut observer = Observer::connect(&broker).await;
    let plugin = mqtt_lab_core::Plugin::new("alone", "0").kind(kind);
    let counter = bench::plugin().kinds().iter().find(|kind| kind.name() == "counter").cloned();
    let plugin = plugin.kind(counter.expect("a kind"));
    let lab = Lab::builder().broker(broker.address()).plugin(&plugin);
    let lab = lab.devices([faulty(Static, "bad", fault, "read"), good()]).build().expect("valid");
    let running = lab.start().await.expect("runs");
    let error =
        observer.until("an error", |s| s.topic == "lab/demo/bad/$error" && !s.payload.is_empty()).await;
    assert_eq!(error.payload, message);
    goes_on(&mut observer).await;
    stop(running).await;
}

/// While it is constructed: no mistake of the configuration, so the lab runs.
async fn in_birth(form: Form, fault: &str, at: &str, message: &str) {
    shows(faulty(form, "bad", fault, at), message, false).await;
}

rows! {
    a_panic_in_the_constructor_library: in_birth(Library, "panic", "new", PANIC);
    a_panic_in_the_constructor_process: in_birth(Process, "panic", "new", PANIC);
    a_payload_that_panics_in_the_constructor_library: in_birth(Library, "payload", "new", PAYLOAD);
    a_payload_that_panics_in_the_constructor_process: in_birth(Process, "payload", "new", PAYLOAD);
    a_panic_in_describe_library: in_birth(Library, "panic", "describe", PANIC);
    a_panic_in_describe_process: in_birth(Process, "panic", "describe", PANIC);
    a_loop_in_the_constructor_library: in_birth(Library, "loop", "new", "did not answer within 500ms");
    a_loop_in_the_constructor_process: in_birth(Process, "loop", "new", "did not answer within 3s");
    a_fatal_error_of_the_constructor_library:
        in_birth(Library, "fatal", "new", "cannot be constructed: wire burnt");
    a_fatal_error_of_the_constructor_process:
        in_birth(Process, "fatal", "new", "cannot be constructed: wire burnt");
    an_exit_in_the_constructor_process:
        in_birth(Process, "exit", "new", "cannot be constructed: its process ended with exit code 3");
    a_segmentation_fault_in_the_constructor_process:
        in_birth(Process, "segfault", "new", &format!("cannot be constructed: {SEGFAULT}"));
}

async fn in_set(form: Form, kind: &str, fault: &str, reason: &str) {
    let (channel, value) = if kind == "switch" { ("on", "true") } else { ("level", "3") };
    answers(faulty(form, kind, fault, "set"), channel, value, reason).await;
}

rows! {
    a_panic_in_set_library: in_set(Library, "bad", "panic", PANIC);
    a_panic_in_set_process: in_set(Process, "bad", "panic", PANIC);
    a_payload_that_panics_in_set_library: in_set(Library, "bad", "payload", PAYLOAD);
    a_panic_in_apply_static: in_set(Static, "switch", "panic", "panicked: no wire");
    a_panic_in_apply_library: in_set(Library, "switch", "panic", PANIC);
    a_panic_in_apply_process: in_set(Process, "switch", "panic", PANIC);
    an_error_in_set_library: in_set(Library, "bad", "error", "wire broken");
    an_error_in_set_process: in_set(Process, "bad", "error", "wire broken");
    a_loop_in_apply_library: in_set(Library, "switch", "loop", "did not answer within 500ms");
    a_loop_in_apply_process: in_set(Process, "switch", "loop", "did not answer within 3s");
    an_exit_in_apply_process: in_set(Process, "switch", "exit", "its process ended with exit code 3");
}

/// What waits for an event still obeys at once, in every form.
async fn obeys(form: Form, kind: &str) {
    let broker = broker().await;
    let mut observer = Observer::connect(&broker).await;
    let lab = build(bench::lab(&broker), device(form, &bad_plugin(), kind)).await.expect("valid");
    let running = lab.start().await.expect("runs");
    assert!(running.connected(Duration::from_secs(30)).await.is_empty());
    for level in 1..=5 {
        let (asked, id) = (Instant::now(), format!("level-{level}"));
        observer.publish("lab/demo/bad/level/set", &format!(r#"{{"v":{level},"id":"{id}"}}"#)).await;
        let answer = observer.on("lab/demo/bad/level/result", &id).await;
        assert!(answer.payload.contains("\"ok\":true"), "{}", answer.payload);
        // A wait in the plugin lasts ten seconds when nothing interrupts it.
        assert!(asked.elapsed() < Duration::from_secs(5), "{:?}", asked.elapsed());
    }
    if kind == "flood" {
        let told = "measures faster than 1000 times a second; the rest is not taken";
        if !observer.seen.iter().any(|s| s.topic == "lab/demo/bad/$error" && s.payload == told) {
            observer.on("lab/demo/bad/$error", told).await;
        }
        let values = |seen: &[bench::Seen]| seen.iter().filter(|s| s.topic == "lab/demo/bad/value").count();
        let (before, start) = (values(&observer.seen), Instant::now());
        goes_on(&mut observer).await;
        let (most, most_ms) = (values(&observer.seen) - before, start.elapsed().as_millis());
        // Those that were already on their way when the count began may come in addition.
        assert!(most as u128 <= most_ms + 2000, "{most} in {most_ms} ms");
        let said = observer.seen.iter().filter(|s| s.topic == "lab/demo/bad/$error" && s.payload == told);
        assert!(said.count() <= 3, "said once, not with every reading");
    }
    stop(running).await;
}

rows! {
    ten_thousand_readings_a_second_static: obeys(Static, "flood");
    ten_thousand_readings_a_second_library: obeys(Library, "flood");
    ten_thousand_readings_a_second_process: obeys(Process, "flood");
    a_command_interrupts_the_wait_for_an_event_static: obeys(Static, "quiet");
    a_command_interrupts_the_wait_for_an_event_library: obeys(Library, "quiet");
    a_command_interrupts_the_wait_for_an_event_process: obeys(Process, "quiet");
}

/// Fails again and again: the pauses grow.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_process_that_ends_is_started_again_with_growing_pauses() {
    let broker = broker().await;
    let mut observer = Observer::connect(&broker).await;
    let lab = build(bench::lab(&broker), faulty(Process, "bad", "exit", "read")).await.expect("valid");
    let running = lab.start().await.expect("runs");
    observer.on("lab/demo/bad/$error", "exit code 3").await;
    until_restarted(&mut observer).await;
    observer.on("lab/demo/bad/$state", "init").await;
    let failed = Instant::now();
    observer.on("lab/demo/bad/$state", "ready").await;
    let pause = failed.elapsed();
    // The first pause was 1 s, this one is 2 s.
    assert!(pause > Duration::from_millis(1900), "{pause:?}");
    goes_on(&mut observer).await;
    stop(running).await;
}

// Settings ---------------------------------------------------------------------------------------

fn port(form: Form, address: impl Into<toml::Value>, baud: Option<toml::Value>) -> DeviceConfig {
    let line: toml::Table = baud.into_iter().map(|baud| ("baud".to_owned(), baud)).collect();
    let address: toml::Value = address.into();
    let device = device(form, &bad_plugin(), "port");
    let json = |value: toml::Value| serde_json::to_value(value).expect("JSON");
    device.setting("address", json(address)).setting("line", json(line.into()))
}

async fn wrong_settings(form: Form) {
    let wrong_type = "expected a whole number from 0 to 255, found the text \"far\"";
    refused(port(form, "far", Some(9600.into())), "settings.address", wrong_type, "").await;
    let range = "expected a whole number from 0 to 255, found 300";
    refused(port(form, 300, Some(9600.into())), "settings.address", range, "").await;
    let nested = "expected a whole number from 0 to 4294967295, found the text \"fast\"";
    refused(port(form, 1, Some("fast".into())), "settings.line.baud", nested, "").await;
    refused(port(form, 1, None), "settings.line", "the setting `baud` is missing", "").await;
    let unknown = "unknown field `parity`, expected `address` or `line`";
    let device = port(form, 1, Some(9600.into())).setting("parity", "odd");
    refused(device, "settings.parity", unknown, "").await;
    let missing = device_without_settings(form);
    refused(missing, "settings", "the setting `address` is missing", "").await;
    let refusal = "there is no address 200 on the bus";
    refused(port(form, 200, Some(9600.into())), "settings", refusal, "").await;
}

fn device_without_settings(form: Form) -> DeviceConfig {
    device(form, &bad_plugin(), "port")
}

rows! {
    wrong_settings_static: wrong_settings(Static);
    wrong_settings_library: wrong_settings(Library);
    wrong_settings_process: wrong_settings(Process);
}

// Files ------------------------------------------------------------------------------------------

/// In both forms the same words.
async fn no_plugin(file: &Path, reason: &str, hint: &str) {
    for form in [Library, Process] {
        let message = format!("plugin `{}`: {reason}", file.display());
        refused(device(form, file, "counter"), "plugin", &message, hint).await;
    }
}

fn folder() -> tempfile::TempDir {
    tempfile::tempdir().expect("a folder")
}

#[tokio::test]
async fn a_missing_file() {
    let folder = folder();
    let file = folder.path().join("libtank.so");
    no_plugin(&file, "there is no such file", "cargo build --release").await;
    std::fs::write(folder.path().join("libtonk.so"), "").expect("written");
    no_plugin(&file, "there is no such file; the folder has: libtonk.so", "cargo build --release").await;
}

#[tokio::test]
async fn a_text_file() {
    let folder = folder();
    let file = folder.path().join("libtank.so");
    std::fs::write(&file, "not a library at all").expect("written");
    no_plugin(&file, "is no library", "crate-type").await;
    std::fs::write(&file, "").expect("written");
    no_plugin(&file, "is no library", "crate-type").await;
}

#[tokio::test]
async fn a_crate_that_is_not_built() {
    let folder = folder();
    std::fs::write(folder.path().join("Cargo.toml"), "[package]\nname = \"my-tank\"\n").expect("written");
    let library = format!("{}my_tank{}", std::env::consts::DLL_PREFIX, std::env::consts::DLL_SUFFIX);
    let reason = format!("the crate is not built yet, there is no `{library}` below `target`");
    no_plugin(folder.path(), &reason, "cargo build --release").await;
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_device_file_is_not_read() {
    no_plugin(Path::new("/dev/zero"), "is no library", "").await;
}

#[tokio::test]
async fn a_library_that_is_no_plugin_and_whose_code_does_not_run() {
    let Some(library) = plugin_files::some_proc_macro() else { return };
    no_plugin(&library, "is a library, but exports no mqtt-lab plugin", "export_plugin!").await;
    let loaded = std::fs::read_to_string("/proc/self/maps").unwrap_or_default();
    assert!(!loaded.contains(&*library.to_string_lossy()), "it was never mapped");
}

#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
#[tokio::test]
async fn a_library_for_another_platform() {
    let needed = "this program needs Linux on x86-64";
    let arm = Patched::bad(|bytes| bytes[18..20].copy_from_slice(&183_u16.to_le_bytes()));
    no_plugin(&arm.file, &format!("is built for Linux on ARM64, {needed}"), "on this computer").await;
    let mac = Patched::bad(|bytes| *bytes = plugin_files::mach_o());
    no_plugin(&mac.file, &format!("is built for macOS on ARM64, {needed}"), "on this computer").await;
    let windows = Patched::bad(|bytes| *bytes = plugin_files::pe());
    no_plugin(&windows.file, &format!("is built for Windows on x86-64, {needed}"), "on this computer").await;
}

#[tokio::test]
async fn a_library_of_another_abi() {
    let other = Patched::bad(|bytes| {
        plugin_files::replace(bytes, b"mqtt_lab_plugin_v1__", b"mqtt_lab_plugin_v9__");
    });
    let reason = "speaks version 9 of the plugin ABI, this program speaks 1";
    no_plugin(&other.file, reason, "mqtt-lab-core that belongs to this program").await;
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_library_that_is_cut_off() {
    let cut = Patched::bad(|bytes| bytes.truncate(bytes.len() / 2));
    no_plugin(&cut.file, "is no library", "").await;
}

async fn wrong_table(variant: u8, reason: &str, form: Form) {
    let raw = Patched::raw(variant);
    let message = format!("plugin `{}`: {reason}", raw.file.display());
    refused(device(form, &raw.file, "counter"), "plugin", &message, "").await;
}

rows! {
    a_table_of_another_abi_library:
        wrong_table(b'2', "speaks version 2 of the plugin ABI, this program speaks 1", Library);
    a_table_of_another_abi_process:
        wrong_table(b'2', "speaks version 2 of the plugin ABI, this program speaks 1", Process);
    a_table_that_is_too_small_library:
        wrong_table(b'3', "its plugin table has 64 bytes, at least 88 are needed", Library);
    a_table_that_is_too_small_process:
        wrong_table(b'3', "its plugin table has 64 bytes, at least 88 are needed", Process);
    no_table_library: wrong_table(b'4', "its function returned no plugin table", Library);
    no_table_process: wrong_table(b'4', "its function returned no plugin table", Process);
    a_panic_while_it_is_loaded_library:
        wrong_table(b'5', "panicked when it was asked for its kinds", Library);
    a_panic_while_it_is_loaded_process:
        wrong_table(b'5', "panicked when it was asked for its kinds", Process);
    a_function_is_forgotten_library:
        wrong_table(b'6', "its plugin table lacks the function `read`", Library);
    a_function_is_forgotten_process:
        wrong_table(b'6', "its plugin table lacks the function `read`", Process);
}

#[tokio::test]
async fn it_never_says_what_it_offers() {
    let reason = "did not list its kinds within 10 s";
    tokio::join!(wrong_table(b'7', reason, Library), wrong_table(b'7', reason, Process));
}

// What the C ABI allows and Rust does not ---------------------------------------------------------

async fn by_hand(kind: &str, message: &str) {
    for form in [Library, Process] {
        let mut device = device(form, &raw_plugin(), kind);
        device.read_timeout_s = 30.0;
        shows(device, message, false).await;
    }
}

rows! {
    a_text_that_is_no_utf8: by_hand("text", "the text for channel `note` is no UTF-8 from byte 3 on");
    an_error_that_is_no_utf8: by_hand("error", "caf\u{fffd}");
    an_error_without_words: by_hand("silent", "the plugin failed without saying why");
    a_return_code_that_means_nothing: by_hand("code", "the plugin returned 7, which means nothing");
    a_qos_that_does_not_exist: by_hand("qos", "the reading asks for QoS 3; there are 0, 1 and 2");
    a_reading_without_end: by_hand("values", "the reading has more than 1024 values");
}

#[tokio::test]
async fn what_a_plugin_by_hand_says_of_itself_is_checked() {
    for form in [Library, Process] {
        let wrong = device(form, &raw_plugin(), "setting");
        refused(wrong, "settings.line.a/b", "must be even", "").await;
        let wrong = device(form, &raw_plugin(), "description");
        let message = "its description cannot be read: invalid type: integer `1`, expected a string at line 1 column 23";
        refused(wrong, "settings", message, "").await;
        let unknown = device(form, &raw_plugin(), "countr");
        refused(unknown, "kind", "there is no kind `countr`", "did you mean `counter`?").await;
    }
}

/// A newer plugin has a larger table, and is taken for what is known of it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_larger_table_of_a_newer_plugin_is_taken() {
    for (variant, form) in [(b'0', Library), (b'0', Process), (b'1', Library), (b'1', Process)] {
        let raw = Patched::raw(variant);
        let broker = broker().await;
        let mut observer = Observer::connect(&broker).await;
        let lab = build(bench::lab(&broker), device(form, &raw.file, "counter")).await.expect("valid");
        let running = lab.start().await.expect("runs");
        observer.on("lab/demo/bad/value", "\"v\":3").await;
        stop(running).await;
    }
}
