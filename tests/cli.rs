//! What the terminal says: to right and to wrong input, with exit code.

mod support;

use std::path::Path;
use support::run;

/// Checks a configuration; exit code and what was printed.
fn check(toml: &str) -> (i32, String) {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("lab.toml"), toml).expect("writable");
    said(&["check", "lab.toml"], folder.path())
}

fn said(arguments: &[&str], folder: &Path) -> (i32, String) {
    let output = run(arguments, folder);
    let text = [output.stdout, output.stderr].concat();
    (output.status.code().unwrap_or(-1), String::from_utf8_lossy(&text).into_owned())
}

#[track_caller]
fn wrong(toml: &str, expected: &str) {
    let (code, said) = check(toml);
    assert_eq!((code, said.trim_end()), (78, expected));
}

#[test]
fn a_right_file_is_right() {
    let (code, said) = check("[[sensor]]\nkind = \"temperature\"\ncount = 3\n[[actuator]]\nkind = \"led\"\n");
    assert_eq!((code, said.as_str()), (0, "lab.toml: 4 devices, no mistakes\n"));
}

#[test]
fn a_mistake_in_a_variable_has_its_place_like_every_other() {
    let variable = "[[variable]]\nid = \"set-point\"\ndatatype = \"float\"\nmin = 5\nvalue = 21\n";
    let (code, said) = check(&format!("{variable}[[actuator]]\nkind = \"led\"\n"));
    assert_eq!((code, said.as_str()), (0, "lab.toml: 1 devices, 1 variable, no mistakes\n"));
    wrong(
        &variable.replace("float", "flot").replace("min", "minn"),
        "error: lab.toml:3:12: `variable.datatype`: expected \"float\", \"int\", \"bool\", \"text\", \"choice\" or \
         \"color\", found the text \"flot\"\n  hint: did you mean `\"float\"`?\n\
         error: lab.toml:4:1: `variable.minn`: unknown key `minn`\n  hint: did you mean `min`?",
    );
    wrong(
        &variable.replace("value = 21\n", ""),
        "error: lab.toml:1:1: `variable`: the key `value` is missing\n  hint: add a line `value = …`",
    );
    wrong(
        &variable.replace("value = 21", "value = [21]"),
        "error: lab.toml:5:9: `variable.value`: expected a number, a text in quotes or true or false, found a list",
    );
    wrong(
        &variable.replace("value = 21", "value = 2"),
        "error: lab.toml:5:1: `variable.value`: `2` is no value of this variable: expected a number of at least 5",
    );
    wrong(
        &format!("[[sensor]]\nkind = \"host\"\n{variable}{variable}"),
        "error: lab.toml:9:1: `variable.id`: there is already a variable `set-point` in group `demo`\n  hint: give one of \
         them another `id` or `group`",
    );
    wrong(
        &format!("[[actuator]]\nkind = \"led\"\nid = \"variables\"\n{variable}"),
        "error: lab.toml:3:1: `actuator.id`: the variables of group `demo` are the device `variables` already\n  hint: \
         give this device another `id`, or the variables another `group`",
    );
}

#[test]
fn mistakes_come_with_line_column_key_and_hint() {
    wrong(
        "[[sensor]]\nkind = \"temprature\"\n",
        "error: lab.toml:2:1: `sensor.kind`: there is no kind `temprature`\n  hint: did you mean `temperature`?",
    );
    wrong(
        "[[sensor]]\nkind = \"temperature\"\nid = \"Küche 1\"\n",
        "error: lab.toml:3:1: `sensor.id`: `Küche 1` cannot be part of a topic: a name has 1 to 64 of the \
         characters `a-z`, `0-9` and `-`",
    );
    wrong(
        "[[sensor]]\nkind = \"temperature\"\n[[sensor]]\nkind = \"humidity\"\nid = \"temperature\"\n",
        "error: lab.toml:5:1: `sensor.id`: there is already a device `temperature` in group `demo`\n  hint: give one \
         of them another `id` or `group`",
    );
    wrong(
        "[[sensor]]\nkind = \"temperature\"\n[sensor.settings]\nseeed = 3\n",
        "error: lab.toml:4:1: `sensor.settings.seeed`: unknown key `seeed`\n  hint: did you mean `seed`?",
    );
    wrong(
        "[[sensor]]\nkind = \"temperature\"\n[sensor.settings]\nstart_celsius = 200\n",
        "error: lab.toml:4:17: `sensor.settings.start_celsius`: expected a number from -40 to 85, found 200",
    );
    wrong(
        "[[sensor]]\nkind = \"led\"\n",
        "error: lab.toml:2:1: `sensor.kind`: `led` is an actuator\n  hint: write `[[actuator]]`",
    );
}

#[test]
fn what_the_file_format_itself_refuses_has_a_place_too() {
    let (code, said) = check("[[sensor]]\nkind = \"temperature\"\nintervall_s = 2\n");
    assert_eq!(code, 78);
    assert!(
        said.starts_with("error: lab.toml:3:1: `sensor.intervall_s`: unknown key `intervall_s`"),
        "{said}"
    );
    let (code, said) = check("[[sensor]]\nkind = \"temperature\"\nqos = 3\n");
    assert_eq!(code, 78);
    assert!(said.starts_with("error: lab.toml:3:7: `sensor.qos`: expected 0, 1 or 2, found 3"), "{said}");
    let (code, said) = check("[[sensor]]\nkind = \"temperature\"\ncount = \"many\"\n");
    assert_eq!(code, 78);
    assert!(
        said.starts_with(
            "error: lab.toml:3:9: `sensor.count`: expected a whole number from 1 to 20000, found the text"
        ),
        "{said}"
    );
    let (code, said) = check("[broker]\nbind = \"here\"\n");
    assert_eq!(code, 78);
    assert!(
        said.starts_with("error: lab.toml:2:8: `broker.bind`: `here` is not of the form `host:port`"),
        "{said}"
    );
    let (code, said) = check("[lab\n");
    assert_eq!(code, 78);
    assert!(said.starts_with("error: lab.toml:1:5: "), "{said}");
}

/// Thirty mistakes that lecturers make, each with what must be told of its line.
const THIRTY: &str = r#"[lab]
sead = 3                            # did you mean `seed`?
root = 5                            # expected a text in quotes, found 5
grop = "a"                          # did you mean `group`?
[web]
bnd = "127.0.0.1:0"                 # did you mean `bind`?
enabled = "true"                    # write it without quotes: `true`
allowed_hosts = "lab.example.org"   # put it in brackets: `["lab.example.org"]`
[mqqt]                              # did you mean `mqtt`?
[mqtt]
qos = 3                             # expected 0, 1 or 2, found 3
version = "3.11"                    # did you mean `"3.1.1"`?
brokers = [1883]                    # put it in quotes
interval_s = 2                      # `interval_s` is an option of `[[actuator]]` or `[[sensor]]`
keepalive_s = 20                    # did you mean `keep_alive_s`?
[broker]
queue_message = 5                   # did you mean `queue_messages`?
max_clients = 0                     # expected a whole number of at least 1, found 0
[store]
path = "lab.sqlite"                 # the options here are: url
[plugins]
isolation = "proces"                # did you mean `"process"`?
[[sensor]]                          # the key `kind` is missing
id = "a"
[[sensor]]
kind = "temprature"                 # did you mean `temperature`?
[[sensor]]
kind = "led"                        # write `[[actuator]]`
[[sensor]]
kind = "temperature"
intervall_s = 2                     # did you mean `interval_s`?
interval_s = -1                     # expected a number from 0.001 to 604800, found -1
payload = "jsn"                     # did you mean `"json"`?
count = "3"                         # write it without quotes: `3`
when_full = "blok"                  # did you mean `"block"`?
retain = 1                          # expected true or false, found 1
will.topc = "a"                     # did you mean `topic`?
id = "Küche 1"                      # cannot be part of a topic
inputs.power = "heater"             # must be `group/device/channel`
[[actuator]]
kind = "dimmer"
keep_alive_s = 2                    # expected a whole number from 5 to 65535, found 2
[[actuators]]                       # did you mean `actuator`?
"#;

#[test]
fn each_of_thirty_mistakes_is_told_with_its_place_its_key_and_the_right_word() {
    let (code, said) = check(THIRTY);
    assert_eq!(code, 78);
    let told: Vec<&str> = said.split("error: ").skip(1).collect();
    let (mut count, mut table) = (0, "");
    for (at, line) in THIRTY.lines().enumerate() {
        let header = line.starts_with('[');
        if header {
            table = line.split(['[', ']']).find(|word| !word.is_empty()).unwrap_or_default();
        }
        let Some((typed, expected)) = line.split_once("# ") else { continue };
        count += 1;
        let place = format!("lab.toml:{}:", at + 1);
        let mut found = told.iter().filter_map(|told| told.strip_prefix(&place));
        let found =
            found.next().unwrap_or_else(|| panic!("nothing is told of line {}: {line}\n{said}", at + 1));

        let (key, value) = typed.trim_end().split_once(" = ").unwrap_or((table, ""));
        let path = if header { table.to_owned() } else { format!("{table}.{key}") };
        let (column, told) = found.split_once(": ").expect("a column");
        assert!(told.starts_with(&format!("`{path}`: ")), "{line}\n{found}");
        let pointed_at = &typed[column.parse::<usize>().expect("a number") - 1..];
        // At the last word of the key, at the value (in a list at what is in it), or at a table that lacks something.
        let word = key.rsplit('.').next().unwrap_or(key);
        let right = [format!("{word}]"), format!("{word} = "), format!("[[{word}]]")];
        let right = right.iter().any(|right| pointed_at.starts_with(right));
        assert!(
            right
                || (!value.is_empty()
                    && [value, value.trim_start_matches('[')].contains(&pointed_at.trim_end())),
            "{line}\n{found}"
        );

        // What is expected is told as what is wrong, what to do as a hint.
        let (wrong, hint) = told.split_once("\n  hint: ").unwrap_or((told, ""));
        let advice = ["did you mean", "put it", "write", "the options here", "is an option of"];
        let is_advice = advice.iter().any(|advice| expected.contains(advice));
        assert!(if is_advice { hint } else { wrong }.contains(expected), "{line}\n{found}");
    }
    assert_eq!((count, told.len()), (30, 30), "{said}");
}

#[test]
fn a_mistake_in_an_included_file_is_told_with_that_file() {
    let folder = tempfile::tempdir().expect("a folder");
    let write = |name: &str, toml: &str| std::fs::write(folder.path().join(name), toml).expect("writable");
    write("base.toml", "[[sensor]]\nkind = \"temprature\"\n[lab]\nsead = 1\n");
    write("lab.toml", "include = [\"base.toml\"]\n[[sensor]]\nkind = \"humidity\"\nid = \"Ä\"\n");
    let (code, said) = said(&["check", "lab.toml"], folder.path());
    assert_eq!(code, 78);
    for place in ["base.toml:2:1: `sensor.kind`", "base.toml:4:1: `lab.sead`", "lab.toml:4:1: `sensor.id`"] {
        assert!(said.contains(place), "{place}\n{said}");
    }
}

#[test]
fn what_holds_is_shown_with_where_it_came_from() {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("lab.toml"), "[lab]\nseed = 7\n").expect("writable");
    let (code, said) = said(&["config", "lab.toml"], folder.path());
    assert_eq!(code, 0, "{said}");
    let line =
        |begin: &str| said.lines().find(|line| line.starts_with(begin)).unwrap_or_else(|| panic!("{said}"));
    assert!(line("seed = 7").ends_with("# lab.toml:2") && line("root = ").ends_with("# default"), "{said}");
}

#[test]
fn the_schema_names_every_table() {
    let folder = tempfile::tempdir().expect("a folder");
    let (code, said) = said(&["schema"], folder.path());
    let schema: serde_json::Value = serde_json::from_str(&said).expect("JSON");
    let tables: Vec<_> = schema["properties"].as_object().expect("tables").keys().collect();
    let expected = [
        "actuator", "broker", "include", "lab", "mqtt", "plugins", "sensor", "spool", "store", "variable",
        "web",
    ];
    assert_eq!((code, tables), (0, expected.map(String::from).iter().collect()));
}

#[test]
fn a_missing_file_is_named() {
    let folder = tempfile::tempdir().expect("a folder");
    let (code, said) = said(&["run", "none.toml"], folder.path());
    assert_eq!(code, 78);
    assert!(said.starts_with("error: cannot read configuration file `none.toml`: "), "{said}");
}

#[test]
fn a_taken_port_says_what_to_do() {
    let folder = tempfile::tempdir().expect("a folder");
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let taken = taken.local_addr().map(|address| (taken, address.to_string())).expect("an address");
    let (code, text) = said(&["run", "--broker", &taken.1, "--web", "127.0.0.1:0"], folder.path());
    assert_eq!(code, 1);
    assert!(
        text.contains(&format!("error: cannot listen for MQTT on `{}`: Address already in use", taken.1)),
        "{text}"
    );
    assert!(text.contains("hint: another broker may run there"), "{text}");
    let (code, text) = said(&["run", "--web", &taken.1, "--broker", "127.0.0.1:0"], folder.path());
    assert_eq!(code, 1);
    assert!(text.contains(&format!("error: cannot serve the dashboard at `{}`", taken.1)), "{text}");
    assert!(text.contains("hint: stop the other program"), "{text}");
}

#[test]
fn other_addresses_than_loopback_need_consent_and_credentials() {
    let folder = tempfile::tempdir().expect("a folder");
    let (code, text) = said(&["run", "--broker", "0.0.0.0:0", "--web", "127.0.0.1:0"], folder.path());
    assert_eq!(code, 78);
    assert!(
        text.contains("`0.0.0.0:0` can be reached from other computers, which needs `allow_remote = true`"),
        "{text}"
    );
    let (code, text) = said(&["run", "--broker", "127.0.0.1:0", "--web", "0.0.0.0:0"], folder.path());
    assert_eq!(code, 78);
    assert!(text.contains("which needs `allow_remote = true` and a `token`"), "{text}");
}

#[test]
fn a_database_that_cannot_be_used_is_named() {
    let folder = tempfile::tempdir().expect("a folder");
    let ports = ["--broker", "127.0.0.1:0", "--web", "127.0.0.1:0"];
    let file = folder.path().join("broken.sqlite");
    std::fs::write(&file, "this is no database, and long enough to be looked at as one".repeat(100))
        .expect("writable");
    let path = file.display().to_string();
    let (code, text) = said(&[&["run", "--store", &path][..], &ports[..]].concat(), folder.path());
    assert_eq!(code, 78);
    assert!(
        text.contains("error: option `--store`: `store.url`: cannot keep samples")
            && text.contains(&path)
            && text.contains("hint: "),
        "{text}"
    );
    let below_a_file = file.join("lab.sqlite").display().to_string();
    let (code, text) = said(&[&["run", "--store", &below_a_file][..], &ports[..]].concat(), folder.path());
    assert_eq!(code, 78);
    assert!(
        text.contains("error: option `--store`: `store.url`: cannot keep samples") && text.contains("hint: "),
        "{text}"
    );
}

#[test]
fn a_broker_that_refuses_is_shown_and_tried_again() {
    let folder = tempfile::tempdir().expect("a folder");
    // A port that was free a moment ago: nobody listens there.
    let nobody =
        std::net::TcpListener::bind("127.0.0.1:0").and_then(|l| l.local_addr()).expect("a free port");
    let toml = format!("[mqtt]\nbrokers = [\"{nobody}\"]\n[[sensor]]\nkind = \"temperature\"\n");
    let mut lab = support::Lab::start(folder.path(), Some(&toml));
    lab.until("not connected");
    assert_eq!(lab.request("GET", "/readyz", None).0, 503);
    assert_eq!(lab.request("GET", "/healthz", None).0, 200);
    let broker = lab.get("/api/v1/lab")["broker"].clone();
    assert!(broker["connected"] == false && broker["error"].is_string(), "{broker}");
    support::signal("INT", lab.pid());
    lab.until("stopping");
    // What the broker never took cannot be delivered.
    lab.until("stopped");
    assert!(lab.output.iter().any(|line| line.starts_with("lost: demo/temperature: ")), "{:#?}", lab.output);
}

#[test]
fn kinds_are_listed_and_shown() {
    let folder = tempfile::tempdir().expect("a folder");
    let (code, text) = said(&["kinds"], folder.path());
    assert_eq!(code, 0);
    for kind in ["temperature  sensor", "motion       sensor", "host         sensor", "led          actuator"]
    {
        assert!(text.contains(kind), "{text}");
    }
    let (code, text) = said(&["kinds", "dimmer"], folder.path());
    assert_eq!(code, 0);
    assert!(text.starts_with("[[actuator]]\nkind = \"dimmer\"\n"), "{text}");
    let (code, text) = said(&["kinds", "dinner"], folder.path());
    assert_eq!(code, 78);
    assert!(text.starts_with("error: there is no kind `dinner`\n  hint: the kinds are: "), "{text}");
}

/// How to get what this program lacks is said, not what a wrong word could have meant.
#[cfg(not(feature = "serial"))]
#[test]
fn a_kind_that_needs_a_feature_is_named_with_it() {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("lab.toml"), "[[sensor]]\nkind = \"serial\"\n").expect("writable");
    let missing = "this program was built without the kind `serial`\n  hint: build the program with `--features serial`\n";
    let (code, text) = said(&["check", "lab.toml"], folder.path());
    assert_eq!((code, text), (78, format!("error: lab.toml:2:1: `sensor.kind`: {missing}")));
    let (code, text) = said(&["kinds", "serial"], folder.path());
    assert_eq!((code, text), (78, format!("error: {missing}")));
}

#[test]
#[cfg(unix)]
fn a_lab_that_needs_too_many_open_files_says_so() {
    let folder = tempfile::tempdir().expect("a folder");
    let toml = "[[sensor]]\nkind = \"temperature\"\ncount = 1000\n";
    std::fs::write(folder.path().join("lab.toml"), toml).expect("writable");
    let line = format!("ulimit -n 500; '{}' check lab.toml 2>&1", env!("CARGO_BIN_EXE_mqtt-lab"));
    let said = support::typed(folder.path(), &line);
    assert!(
        said.contains(
            "warning: this lab needs about 2128 open files and connections, and the system allows 500"
        ),
        "{said}"
    );
    assert!(said.contains("1000 devices, no mistakes"), "it is a warning: {said}");
}
