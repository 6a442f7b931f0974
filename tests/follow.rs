//! A running lab follows its configuration file and its plugins.

mod support;

#[path = "support/plugin_files.rs"]
mod plugin_files;

use serde_json::Value;
use std::path::PathBuf;
use support::Lab;
use tempfile::TempDir;

const TWO: &str = "\
[[sensor]]
kind = \"temperature\"
id = \"one\"
interval_s = 0.1

[[sensor]]
kind = \"temperature\"
id = \"two\"
interval_s = 0.1
";

/// A lab with a file that can be changed.
struct Followed {
    folder: TempDir,
    file: PathBuf,
    lab: Lab,
}

impl Followed {
    fn start(toml: &str) -> Self {
        let folder = TempDir::new().expect("a folder");
        Self::start_in(folder, toml)
    }

    fn start_in(folder: TempDir, toml: &str) -> Self {
        let file = folder.path().join("lab.toml");
        std::fs::write(&file, toml).expect("writable");
        let lab = Lab::start_file(folder.path(), &file);
        Self { folder, file, lab }
    }

    fn change(&self, toml: &str) {
        std::fs::write(&self.file, toml).expect("writable");
    }

    /// Waits for a notice with that title; its texts and hints.
    fn notice(&self, title: &str) -> String {
        self.lab.poll("/api/v1/lab", |lab| {
            let notice = &lab["notice"];
            (notice["title"] == title).then(|| notice["messages"].to_string())
        })
    }

    /// Since when a device is ready: the same as long as nobody restarted it.
    fn ready_since(&self, device: &str) -> Value {
        self.lab.until_state(&format!("demo/{device}"), "ready")["state_since_ms"].clone()
    }
}

#[test]
fn a_file_that_is_included_is_followed_too() {
    let folder = TempDir::new().expect("a folder");
    let base = folder.path().join("base.toml");
    std::fs::write(&base, "[[actuator]]\nkind = \"led\"\n").expect("writable");
    let followed = Followed::start_in(folder, &format!("include = [\"base.toml\"]\n{TWO}"));
    let one = followed.ready_since("one");
    followed.ready_since("led");
    std::fs::write(&base, "[[actuator]]\nkind = \"dimmer\"\n").expect("writable");
    followed.ready_since("dimmer");
    assert_eq!(followed.ready_since("one"), one, "the others were not touched");
}

#[test]
fn a_changed_file_restarts_only_what_changed() {
    let mut followed = Followed::start(TWO);
    let (one, two) = (followed.ready_since("one"), followed.ready_since("two"));
    followed.change(&TWO.replacen("interval_s = 0.1", "interval_s = 0.2", 1));
    assert!(followed.notice("configuration-changed").contains("\"1 device restarted\""));
    followed.lab.until("configuration changed: 1 device restarted");
    followed.lab.poll("/api/v1/devices/demo/one", |found| {
        (found["state"] == "ready" && found["state_since_ms"] != one).then_some(())
    });
    assert_eq!(followed.ready_since("two"), two, "the other one was not touched");
    followed.change(&TWO.replace("id = \"two\"", "id = \"three\""));
    followed.ready_since("three");
    followed.lab.poll("/api/v1/devices", |all| (!all.to_string().contains("\"two\"")).then_some(()));
    let (_, output) = followed.lab.interrupt();
    assert!(!output.iter().any(|line| line.contains("lost")), "{output:?}");
}

#[test]
fn a_wrong_file_leaves_the_lab_alone_and_says_why() {
    let mut followed = Followed::start(TWO);
    let (one, two) = (followed.ready_since("one"), followed.ready_since("two"));
    followed
        .change(&TWO.replace("kind = \"temperature\"\nid = \"two\"", "kind = \"temprature\"\nid = \"two\""));
    let notice = followed.notice("configuration-refused");
    assert!(notice.contains("lab.toml:7:1: `sensor.kind`: there is no kind `temprature`"), "{notice}");
    assert!(notice.contains("did you mean `temperature`?"), "{notice}");
    followed.lab.until("the changed configuration is not used:");
    followed.lab.until("there is no kind `temprature`");
    assert_eq!((followed.ready_since("one"), followed.ready_since("two")), (one.clone(), two.clone()));
    followed.change(&format!("{TWO}settings.seed = \"many\"\n"));
    followed
        .lab
        .until("lab.toml:10:17: `sensor.settings.seed`: expected a whole number of at least 0, found");
    followed.change("[[sensor]\n");
    followed.lab.until("lab.toml:1:");
    // As it was: nothing to do, and the notice goes.
    followed.change(TWO);
    assert!(followed.notice("configuration-changed").contains("nothing changed"));
    assert_eq!((followed.ready_since("one"), followed.ready_since("two")), (one, two));
}

/// What `check` finds is found in a file that changes, too: in every table, and in what devices follow.
#[test]
fn a_changed_file_is_judged_as_one_that_is_started() {
    let mut followed = Followed::start(TWO);
    let one = followed.ready_since("one");
    let follower = "[[actuator]]\nkind = \"dimmer\"\ninputs.brightness = ";
    followed.change(&format!("{TWO}{follower}\"demo/one/temprature\"\n"));
    let notice = followed.notice("configuration-refused");
    assert!(
        notice.contains("`actuator.inputs.brightness`: `demo/one` has no channel `temprature`"),
        "{notice}"
    );
    assert!(notice.contains("did you mean `demo/one/temperature`?"), "{notice}");
    followed.change(&format!("{TWO}[store]\nurl = \"postgres://host/lab\"\n[web]\ntoken = \"\"\n"));
    followed.lab.until("`web.token`: the web token is not");
    followed.change(&format!("{TWO}{follower}\"demo/board/light\"\n"));
    let notice = followed.notice("configuration-changed");
    assert!(notice.contains("`demo/board` is no device of this lab"), "{notice}");
    followed.lab.until("`demo/board` is no device of this lab");
    assert_eq!(followed.ready_since("one"), one);
}

#[test]
fn what_needs_a_restart_is_said() {
    let followed = Followed::start(TWO);
    followed.change(&format!("[web]\nname = \"Room 7\"\n\n{}", TWO.replace("0.1", "0.3")));
    let notice = followed.notice("restart-needed");
    assert!(notice.contains("2 devices restarted") && notice.contains("[web]"), "{notice}");
}

/// A plugin's file with another time of change, as a build makes it.
fn build_again(file: &std::path::Path, from: &std::path::Path) {
    // By another name first: the file that is loaded is not written to.
    let new = file.with_extension("new");
    std::fs::copy(from, &new).expect("copied");
    std::fs::File::options()
        .append(true)
        .open(&new)
        .expect("open")
        .set_modified(std::time::SystemTime::now())
        .expect("set");
    std::fs::rename(new, file).expect("renamed");
}

#[test]
fn a_plugin_that_is_built_anew_replaces_the_running_one() {
    let folder = TempDir::new().expect("a folder");
    let plugin = folder.path().join(format!("libswapped{}", std::env::consts::DLL_SUFFIX));
    build_again(&plugin, &plugin_files::bad_plugin());
    let toml = format!(
        "[plugins]\nwatch = true\n\n[[sensor]]\nkind = \"bad\"\nid = \"swapped\"\nplugin = {:?}\ninterval_s = 0.05\n",
        plugin.file_name().expect("a name").to_string_lossy()
    );
    let mut followed = Followed::start_in(folder, &toml);
    let since = followed.ready_since("swapped");
    build_again(&plugin, &plugin_files::bad_plugin());
    let loads = |n: u64| move |found: &Value| (found["plugin"]["loads"] == n).then_some(());
    followed.lab.poll("/api/v1/devices/demo/swapped", loads(2));
    assert!(followed.notice("plugin-reloaded").contains("1 device"));
    assert_eq!(followed.ready_since("swapped"), since, "the connection goes on");
    // What is no plugin is refused, and the running one goes on.
    std::fs::write(plugin.with_extension("new"), "no library").expect("writable");
    std::fs::rename(plugin.with_extension("new"), &plugin).expect("renamed");
    let notice = followed.notice("plugin-refused");
    assert!(notice.contains("is no library"), "{notice}");
    assert_eq!(followed.ready_since("swapped"), since);
    build_again(&plugin, &plugin_files::bad_plugin());
    followed.lab.poll("/api/v1/devices/demo/swapped", loads(3));
    assert_eq!(followed.ready_since("swapped"), since);
    assert!(followed.folder.path().exists());
    followed.lab.until("plugin reloaded: ");
}
