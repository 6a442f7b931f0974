//! The users' own control variables: made by the API, followed by devices, and there again after a kill.

mod support;

use mqtt_lab_core::link::Version;
use serde_json::{Value, json};
use std::path::PathBuf;
use support::Lab;
use support::listener::Listener;

const FOLLOWER: &str = "\
[[actuator]]
kind = \"dimmer\"
id = \"lamp\"
inputs.brightness = \"demo/variables/brightness\"
";

const DECLARED: &str = "
[[variable]]
id = \"set-point\"
datatype = \"float\"
unit = \"°C\"
min = 5
max = 35
value = 21.5
";

const VARIABLES: &str = "/api/v1/variables";

struct Setup {
    folder: tempfile::TempDir,
    file: PathBuf,
}

impl Setup {
    fn new(toml: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("lab.toml");
        std::fs::write(&file, toml).expect("writable");
        Self { folder, file }
    }

    fn change(&self, toml: &str) {
        std::fs::write(&self.file, toml).expect("writable");
    }

    fn start(&self) -> Lab {
        Lab::start_file(self.folder.path(), &self.file)
    }
}

fn brightness() -> Value {
    json!({"id": "brightness", "datatype": "float", "unit": "%", "min": 0, "max": 100, "value": 10})
}

fn send(lab: &Lab, method: &str, path: &str, body: &Value) -> (u16, Value) {
    lab.request(method, path, Some(&body.to_string()))
}

fn until_value(lab: &Lab, device: &str, channel: &str, value: &Value) {
    lab.poll(&format!("/api/v1/devices/{device}"), |found| {
        let channels = found["channels"].as_array()?;
        let found = channels.iter().find(|found| found["name"] == channel)?;
        (found["value"].as_f64().is_some_and(|number| Some(number) == value.as_f64())
            || found["value"] == *value)
            .then_some(())
    });
}

fn set(lab: &Lab, channel: &str, value: &Value) -> String {
    let path = format!("/api/v1/devices/demo/variables/{channel}/set");
    let (status, command) = send(lab, "POST", &path, &json!({"value": value}));
    assert_eq!(status, 202, "{command}");
    let id = command["id"].as_str().expect("an id");
    lab.poll(&format!("/api/v1/commands/{id}"), |command| {
        (command["state"] != "pending").then(|| command["state"].as_str().expect("a word").to_owned())
    })
}

#[test]
fn what_a_user_made_and_set_is_there_after_a_kill_and_devices_follow_it() {
    let setup = Setup::new(&format!("{FOLLOWER}{DECLARED}"));
    let lab = setup.start();
    lab.until_state("demo/lamp", "ready");
    until_value(&lab, "demo/variables", "set-point", &json!(21.5));
    let (status, made) = send(&lab, "POST", VARIABLES, &brightness());
    assert_eq!((status, &made["group"], &made["declared"]), (201, &json!("demo"), &json!(false)), "{made}");
    until_value(&lab, "demo/lamp", "brightness", &json!(10));
    assert_eq!(set(&lab, "brightness", &json!(70)), "confirmed");
    assert_eq!(set(&lab, "set-point", &json!(18)), "confirmed");
    until_value(&lab, "demo/lamp", "brightness", &json!(70));
    lab.kill();

    let lab = setup.start();
    until_value(&lab, "demo/lamp", "brightness", &json!(70));
    until_value(&lab, "demo/variables", "brightness", &json!(70));
    until_value(&lab, "demo/variables", "set-point", &json!(18));
    let listed = lab.get(VARIABLES);
    let listed: Vec<_> =
        listed.as_array().expect("a list").iter().map(|v| (&v["id"], &v["declared"])).collect();
    assert_eq!(listed, [(&json!("set-point"), &json!(true)), (&json!("brightness"), &json!(false))]);
    let (status, _) = lab.request("DELETE", &format!("{VARIABLES}/demo/brightness"), None);
    assert_eq!(status, 204);
    lab.poll("/api/v1/devices/demo/variables", |device| {
        (!device.to_string().contains("brightness")).then_some(())
    });
    let lamp = lab.get("/api/v1/devices/demo/lamp");
    assert_eq!(lamp["error"], Value::Null, "who follows a variable that is gone keeps its last value");
    lab.kill();

    let lab = setup.start();
    until_value(&lab, "demo/variables", "set-point", &json!(18));
    assert!(!lab.get(VARIABLES).to_string().contains("brightness"), "deleted for good");
    let (ended, output) = lab.interrupt();
    assert!(ended.success(), "{output:#?}");
}

#[test]
fn a_value_that_does_not_fit_the_changed_file_gives_way_to_the_first_one() {
    let setup = Setup::new(DECLARED);
    let lab = setup.start();
    until_value(&lab, "demo/variables", "set-point", &json!(21.5));
    assert_eq!(set(&lab, "set-point", &json!(34)), "confirmed");
    lab.kill();
    setup.change(&DECLARED.replace("max = 35", "max = 30"));
    let mut lab = setup.start();
    lab.until("the value `34` from before does not fit any more; the variable starts with `21.5`");
    until_value(&lab, "demo/variables", "set-point", &json!(21.5));
    lab.kill();
    setup.change(DECLARED);
    let lab = setup.start();
    until_value(&lab, "demo/variables", "set-point", &json!(21.5));
    let (_, output) = lab.interrupt();
    assert!(!output.iter().any(|line| line.contains("WARN")), "given up for good: {output:#?}");
}

#[test]
fn a_changed_file_changes_its_variables_without_a_restart() {
    let setup = Setup::new(DECLARED);
    let lab = setup.start();
    until_value(&lab, "demo/variables", "set-point", &json!(21.5));
    let since = lab.until_state("demo/variables", "ready")["state_since_ms"].clone();
    assert_eq!(send(&lab, "POST", VARIABLES, &brightness()).0, 201);
    setup.change(&format!("{DECLARED}[[variable]]\nid = \"lamp\"\ndatatype = \"bool\"\nvalue = true\n"));
    until_value(&lab, "demo/variables", "lamp", &json!(true));
    until_value(&lab, "demo/variables", "brightness", &json!(10));
    assert_eq!(lab.until_state("demo/variables", "ready")["state_since_ms"], since, "the connection goes on");
    let notice = |title: &str| {
        lab.poll("/api/v1/lab", |lab| {
            (lab["notice"]["title"] == title).then(|| lab["notice"]["messages"].to_string())
        })
    };
    assert!(notice("configuration-changed").contains("1 device with other variables"));
    // One that a user made, and a device that is called as the variables are.
    setup
        .change(&format!("{DECLARED}[[variable]]\nid = \"brightness\"\ndatatype = \"bool\"\nvalue = true\n"));
    let told = notice("configuration-refused");
    assert!(
        told.contains("lab.toml:10:1: `variable.id`: a variable `brightness` of group `demo` was made"),
        "{told}"
    );
    setup.change(&format!("[[actuator]]\nkind = \"led\"\nid = \"variables\"\n{DECLARED}"));
    lab.poll("/api/v1/lab", |lab| {
        let told = lab["notice"]["messages"].to_string();
        told.contains("lab.toml:3:1: `actuator.id`: the variables of group `demo` are the device")
            .then_some(())
    });
    setup.change("");
    lab.poll("/api/v1/devices/demo/variables", |device| {
        (device["channels"].as_array()?.len() == 1).then_some(())
    });
    until_value(&lab, "demo/variables", "brightness", &json!(10));
}

#[test]
fn what_makes_no_sense_is_refused_in_words() {
    let setup = Setup::new(DECLARED);
    let lab = setup.start();
    lab.until_state("demo/variables", "ready");
    assert_eq!(send(&lab, "POST", VARIABLES, &brightness()).0, 201);
    let path = |id: &str| format!("{VARIABLES}/demo/{id}");
    let with = |key: &str, value: Value| {
        let mut variable = brightness();
        variable["id"] = json!("other");
        variable[key] = value;
        variable
    };
    let cases = [
        ("POST", VARIABLES.to_owned(), brightness(), 409, "there is already a variable `demo/brightness`"),
        ("POST", VARIABLES.to_owned(), with("value", json!(101)), 422, "`value`: `101` is no value of this"),
        ("POST", VARIABLES.to_owned(), with("id", json!("Ö")), 422, "`id`: `Ö` cannot be part of a topic"),
        ("POST", VARIABLES.to_owned(), with("colour", json!(1)), 400, "unknown field `colour`"),
        (
            "POST",
            VARIABLES.to_owned(),
            with("label", json!("x".repeat(101))),
            422,
            "must have 1 to 100 characters",
        ),
        ("PATCH", path("brightness"), json!({"max": 5}), 422, "`value`: `10` is no value of this variable"),
        ("PATCH", path("brightness"), json!({"id": "x"}), 422, "the `id` of a variable stays"),
        ("PATCH", path("set-point"), json!({"max": 50}), 409, "stands in the lab's file: change it there"),
        ("DELETE", path("set-point"), json!({}), 409, "stands in the lab's file: change it there"),
        ("DELETE", path("nothing"), json!({}), 404, "there is no variable `demo/nothing`"),
    ];
    for (method, path, body, status, detail) in cases {
        let (got, problem) = send(&lab, method, &path, &body);
        assert!(
            got == status && problem["detail"].as_str().is_some_and(|said| said.contains(detail)),
            "{method} {path} {body}: {got} {problem}"
        );
    }
    let change = json!({"label": "Helligkeit", "max": 50, "unit": null});
    let (status, changed) = send(&lab, "PATCH", &path("brightness"), &change);
    assert_eq!((status, &changed["label"], &changed["unit"]), (200, &json!("Helligkeit"), &Value::Null));
    lab.poll("/api/v1/devices/demo/variables", |device| {
        device.to_string().contains("Helligkeit").then_some(())
    });
}

#[test]
fn a_clash_that_only_the_database_knows_ends_the_start_with_the_place() {
    let setup = Setup::new("");
    let lab = setup.start();
    assert_eq!(send(&lab, "POST", VARIABLES, &brightness()).0, 201);
    lab.kill();
    let toml = "[[variable]]\nid = \"brightness\"\ndatatype = \"bool\"\nvalue = true\n";
    setup.change(toml);
    let store = setup.folder.path().join("lab.sqlite").display().to_string();
    let arguments = ["run", "lab.toml", "--web", "127.0.0.1:0", "--broker", "127.0.0.1:0", "--store", &store];
    let output = support::run(&arguments, setup.folder.path());
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(78), "{said}");
    assert!(
        said.contains("lab.toml:2:1: `variable.id`: a variable `brightness` of group `demo` was made"),
        "{said}"
    );
    assert!(said.contains("hint: give this one another `id`"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_lab_leaves_a_variable_s_last_will_and_value_with_the_broker() {
    let setup = Setup::new("");
    let broker = Setup::new("[web]\nenabled = false\n");
    let (broker, lab) = tokio::task::block_in_place(|| {
        let broker = broker.start();
        let toml = format!("[mqtt]\nbrokers = [\"{}\"]\n{DECLARED}", broker.broker);
        setup.change(&toml);
        let lab = setup.start();
        lab.until_state("demo/variables", "ready");
        assert_eq!(set(&lab, "set-point", &json!(30)), "confirmed");
        (broker, lab)
    });
    lab.kill();
    let mut listener = Listener::start(&broker.broker, Version::V5, "lab/demo/variables/#").await;
    let (mut lost, mut kept) = (false, false);
    while !(lost && kept) {
        let (payload, _) =
            listener.until(|_, payload| payload == "lost" || payload.contains("\"v\":30,")).await;
        if payload == "lost" { lost = true } else { kept = true }
    }
}
