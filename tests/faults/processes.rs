//! Plugins in processes of their own that stop answering.

use std::path::Path;

use crate::support::program::{Program, command};

/// A sensor that announces events, and loops in its third `read`.
const SCRIPT: &str = r#"
import json, sys
reads = 0
for line in sys.stdin:
    ask = json.loads(line)
    answer = {"id": ask["id"]}
    if ask["op"] == "manifest":
        answer["ok"] = {"name": "loops", "version": "1", "kinds": [{"name": "loops", "role": "sensor"}]}
    elif ask["op"] == "create":
        answer["ok"] = {"channels": [{"name": "n", "datatype": "int"}], "trigger": "event"}
    else:
        reads += 1
        while reads > 2:
            pass
        answer["ok"] = reads
    print(json.dumps(answer), flush=True)
"#;

fn lab(folder: &Path) -> Program {
    std::fs::write(folder.join("loops.py"), SCRIPT).expect("writable");
    let toml = "[broker]\nbind = \"127.0.0.1:0\"\n[[sensor]]\nkind = \"loops\"\nplugin = \"loops.py\"\n";
    let (command, web) = command(folder, toml);
    Program::start(folder, command, web)
}

#[test]
fn a_plugins_process_that_loops_while_it_waits_for_an_event_is_recreated() {
    let folder = tempfile::tempdir().expect("a folder");
    let program = lab(folder.path());
    let device = |program: &Program| program.get("/api/v1/devices/demo/loops");
    program.until("it has measured", |program| device(program)["counts"]["stored"].as_u64() >= Some(2));
    program.until("it is shown as stuck", |program| {
        device(program)["error"]
            .as_str()
            .is_some_and(|error| error.contains("has not answered a `read` for 10 s"))
    });
    program.until("it measures again", |program| device(program)["counts"]["stored"].as_u64() >= Some(4));
    program.stop("INT");
}
