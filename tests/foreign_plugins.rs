//! Plugins from outside: in C, in C++, in Python, and in Rust with another tokio.
//!
//! Feature `system-tests`; needs `gcc`, `g++`, `python3`, and what Cargo has downloaded already.

#[path = "../mqtt-lab-core/tests/support/mod.rs"]
mod bench;
mod support;

use bench::{Observer, broker};
use mqtt_lab_core::config::{DeviceConfig, Isolation, PluginsConfig};
use mqtt_lab_core::plugin::{PluginLoader, PluginSource};
use mqtt_lab_core::{BuildError, Lab, RunningLab};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};
use support::signal;

fn loader() -> PluginLoader {
    PluginLoader::new(PluginsConfig::default(), ".").host([env!("CARGO_BIN_EXE_mqtt-lab"), "plugin", "host"])
}

fn device(file: &Path, kind: &str, isolation: Isolation) -> DeviceConfig {
    let mut device = DeviceConfig::new(kind).id("one");
    device.plugin = Some(PluginSource::from(file));
    (device.isolation, device.interval_s, device.read_timeout_s) = (Some(isolation), 0.1, 60.0);
    device
}

/// A lab with one device; the broker lives as long as the test program.
async fn runs(device: DeviceConfig) -> (RunningLab, Observer) {
    let broker = broker().await;
    let observer = Observer::connect(&broker).await;
    let lab = bench::lab(&broker).device(device).load_plugins(&mut loader()).await.expect("loads");
    let running = lab.build().expect("valid").start().await.expect("runs");
    std::mem::forget(broker);
    (running, observer)
}

fn compile(compiler: &str, options: &[&str], folder: &Path) -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let library = folder.join("libcounter.so");
    let mut command = Command::new(compiler);
    command.args(["-Wall", "-Wextra", "-Werror", "-shared", "-fPIC"]).args(options);
    command.arg("-I").arg(root.join("mqtt-lab-core/include")).arg("-o").arg(&library);
    command.arg(root.join("tests/plugins/c/counter.c"));
    let output = command.output().unwrap_or_else(|error| panic!("`{compiler}` is missing: {error}"));
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    library
}

async fn a_c_plugin_works(compiler: &str, options: &[&str]) {
    let folder = tempfile::tempdir().expect("a folder");
    let library = compile(compiler, options, folder.path());
    for isolation in [Isolation::None, Isolation::Process] {
        let wrong = [
            ("port", serde_json::json!(12), "settings.port", "must be from 1 to 9"),
            ("port", serde_json::json!("one"), "settings.port", "a number is needed"),
            ("name", serde_json::json!(1), "settings.name", "must be a text"),
            ("quiet", serde_json::json!("no"), "settings.quiet", "must be true or false"),
        ];
        for (key, value, path, message) in wrong {
            let device = device(&library, "counter", isolation).setting("port", 2).setting(key, value);
            let lab = Lab::builder().broker("127.0.0.1:1").device(device);
            let lab = lab.load_plugins(&mut loader()).await.expect("loads").build().expect("valid");
            let BuildError::Devices(problems) = lab.check().await.expect_err("refused") else { panic!() };
            assert_eq!((problems[0].key.join(".").as_str(), problems[0].message.as_str()), (path, message));
        }
        let good = device(&library, "counter", isolation).setting("port", 2).setting("name", "tank");
        let (running, mut observer) = runs(good).await;
        observer.on("lab/demo/one/count", "{\"v\":2,").await;
        observer.publish("lab/demo/one/step/set", r#"{"v":50,"id":"a"}"#).await;
        observer.on("lab/demo/one/step", "{\"v\":50,").await;
        observer.on("lab/demo/one/step/result", "\"ok\":true").await;
        observer.publish("lab/demo/one/step/set", r#"{"v":13,"id":"b"}"#).await;
        observer.on("lab/demo/one/step/result", "not on a Friday").await;
        assert_eq!(format!("{:?}", running.stop().await), "[]", "everything was delivered");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_plugin_in_c_works_and_its_header_agrees_with_rust() {
    a_c_plugin_works("gcc", &["-std=c99", "-pedantic"]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_plugin_in_cpp_works() {
    a_c_plugin_works("g++", &["-std=c++17", "-x", "c++"]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_plugin_with_another_tokio_works() {
    let crate_folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/plugins/foreign");
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).join("foreign");
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["build", "--offline", "--locked"]).current_dir(crate_folder).env("CARGO_TARGET_DIR", &target);
    let output = cargo.output().expect("cargo runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let file = format!("{}foreign_plugin{}", std::env::consts::DLL_PREFIX, std::env::consts::DLL_SUFFIX);
    let library = target.join("debug").join(file);
    for isolation in [Isolation::None, Isolation::Process] {
        let mut device = device(&library, "foreign", isolation);
        device.interval_s = 0.5;
        let (running, mut observer) = runs(device).await;
        observer.on("lab/demo/one/echo", "{\"v\":42,").await;
        observer.on("lab/demo/one/blocking", "{\"v\":42,").await;
        observer.on("lab/demo/one/thread", "{\"v\":7,").await;
        observer.on("lab/demo/one/file", "{\"v\":1,").await;
        // One reading takes some 10 ms: what counts above this counted between two readings.
        let many = observer.until("progress in the background", |s| {
            let value = s.payload.strip_prefix("{\"v\":").and_then(|rest| rest.split(',').next());
            s.topic == "lab/demo/one/background" && value.is_some_and(|v| v.parse().unwrap_or(0) > 150)
        });
        many.await;
        let readings = observer.seen.iter().filter(|s| s.topic == "lab/demo/one/background").count();
        assert!(readings <= 10, "it took {readings} readings");
        assert_eq!(format!("{:?}", running.stop().await), "[]", "everything was delivered");
    }
}

const LOOP_PY: &str = r#"
import json, os, sys
for line in sys.stdin:
    request = json.loads(line)
    ok = None
    if request["op"] == "manifest":
        ok = {"name": "loop", "kinds": [{"name": "loop", "role": "sensor"}]}
    elif request["op"] == "create":
        open(request["settings"]["pid"], "w").write(str(os.getpid()))
        ok = {"channels": [{"name": "value", "datatype": "float"}]}
    else:
        while True:
            pass
    print(json.dumps({"id": request["id"], "ok": ok}), flush=True)
"#;

/// Sent to a process that has ended, a signal fails.
fn alive(pid: u32) -> bool {
    let sent = Command::new("sh").args(["-c", &format!("kill -0 {pid} 2>/dev/null")]).status();
    sent.expect("sh").success()
}

#[cfg(target_os = "linux")]
#[test]
fn a_killed_lab_takes_a_python_script_in_an_endless_loop_along() {
    for how in ["KILL", "INT"] {
        let folder = tempfile::tempdir().expect("a folder");
        let (script, pid) = (folder.path().join("loop.py"), folder.path().join("pid"));
        std::fs::write(&script, LOOP_PY).expect("written");
        let toml = format!(
            "[[sensor]]\nkind = \"loop\"\ninterval_s = 0.1\nread_timeout_s = 600\nplugin = {script:?}\nsettings.pid = {pid:?}\n"
        );
        let mut lab = support::Lab::start(folder.path(), Some(&toml));
        lab.until_state("demo/loop", "ready");
        let python: u32 = std::fs::read_to_string(&pid).expect("written").parse().expect("a number");
        assert!(alive(python));
        signal(how, lab.pid());
        if how == "INT" {
            lab.until("stopped");
        }
        let deadline = Instant::now() + Duration::from_secs(10);
        while alive(python) {
            assert!(Instant::now() < deadline, "it outlives the lab");
            std::thread::park_timeout(Duration::from_millis(20));
        }
        drop(lab);
    }
}
