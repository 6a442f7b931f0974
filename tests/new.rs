//! `mqtt-lab new`: what it writes, and what it refuses. `tests/student.rs` builds and runs what it wrote.

mod support;

use std::path::Path;
use support::run;

/// Runs the program; exit code and what was printed.
fn said(arguments: &[&str], folder: &Path) -> (i32, String) {
    let output = run(arguments, folder);
    let text = [output.stdout, output.stderr].concat();
    (output.status.code().unwrap_or(-1), String::from_utf8_lossy(&text).into_owned())
}

/// Makes a plugin; the folder that holds it.
#[track_caller]
fn made(arguments: &[&str]) -> (tempfile::TempDir, String) {
    let folder = tempfile::tempdir().expect("a folder");
    let (code, said) = said(&[&["new"], arguments].concat(), folder.path());
    assert_eq!(code, 0, "{said}");
    (folder, said)
}

/// All files below a folder, sorted.
fn files(folder: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("readable")) {
        let name = entry.file_name().to_string_lossy().into_owned();
        match entry.path().is_dir() {
            true => found.extend(files(&entry.path()).iter().map(|file| format!("{name}/{file}"))),
            false => found.push(name),
        }
    }
    found.sort();
    found
}

fn read(folder: &Path, file: &str) -> String {
    std::fs::read_to_string(folder.join(file)).unwrap_or_else(|error| panic!("{file}: {error}"))
}

/// Lines of code of one's own: without blank ones, comments and the tests.
fn lines_of_code(rust: &str) -> usize {
    let code = rust.split("#[cfg(test)]").next().unwrap_or_default();
    code.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with("//")).count()
}

#[track_caller]
fn refused(arguments: &[&str], expected: &str) {
    let folder = tempfile::tempdir().expect("a folder");
    let (code, said) = said(&[&["new"], arguments].concat(), folder.path());
    assert_eq!((code, said.trim_end()), (78, expected));
    assert!(files(folder.path()).is_empty());
}

#[test]
fn a_sensor_is_fifteen_lines_of_rust() {
    for role in ["sensor", "actuator"] {
        let (folder, _) = made(&[role, "my-thing"]);
        let code = read(folder.path(), "my-thing/src/lib.rs");
        assert!((10..=15).contains(&lines_of_code(&code)), "{role} has {} lines", lines_of_code(&code));
    }
}

#[test]
fn every_language_gets_its_files() {
    let rust = [".gitignore", "Cargo.lock", "Cargo.toml", "README.md", "lab.toml", "src/lib.rs"];
    let python = [".gitignore", "README.md", "lab.toml", "my_thing.py", "test_my_thing.py"];
    let c = [
        ".gitignore",
        "Makefile",
        "README.md",
        "bench.h",
        "lab.toml",
        "mqtt_lab_plugin.h",
        "my-thing.c",
        "test.c",
    ];
    for role in ["sensor", "actuator"] {
        for (language, expected) in [("rust", &rust[..]), ("python", &python[..]), ("c", &c[..])] {
            let (folder, _) = made(&[role, "my-thing", "--lang", language]);
            let folder = folder.path().join("my-thing");
            assert_eq!(files(&folder), expected, "{role} in {language}");
            for file in expected.iter().filter(|file| **file != "Cargo.lock") {
                let text = read(&folder, file);
                let left = [
                    "{name}",
                    "{Type}",
                    "{role}",
                    "{core}",
                    "{program}",
                    "{module}",
                    "{settings}",
                    "{plugin}",
                ];
                assert!(!left.iter().any(|word| text.contains(word)), "{role} in {language}: {file}\n{text}");
                assert!(!text.contains(" `\n") && text.ends_with('\n'), "{role} in {language}: {file}");
            }
        }
    }
}

#[test]
fn its_lab_is_complete() {
    for (role, section) in [("sensor", "sensor"), ("actuator", "actuator")] {
        for (language, plugin) in [("rust", "."), ("python", "my_thing.py"), ("c", "libmy-thing.so")] {
            let (folder, _) = made(&[role, "my-thing", "--lang", language]);
            let lab: toml::Table = read(folder.path(), "my-thing/lab.toml").parse().expect("TOML");
            let device = &lab[section][0];
            assert_eq!(device["kind"].as_str(), Some("my-thing"));
            assert_eq!(device["plugin"].as_str(), Some(plugin));
        }
    }
}

#[test]
fn the_header_is_that_of_the_program() {
    let (folder, _) = made(&["sensor", "my-thing", "--lang", "c"]);
    let header = Path::new(env!("CARGO_MANIFEST_DIR")).join("mqtt-lab-core/include/mqtt_lab_plugin.h");
    let header = std::fs::read_to_string(header).expect("the header");
    assert_eq!(read(folder.path(), "my-thing/mqtt_lab_plugin.h"), header);
}

#[test]
fn it_says_what_to_type_next() {
    let program = env!("CARGO_BIN_EXE_mqtt-lab");
    let next = |said: &str| said.split("Type next:\n").nth(1).unwrap_or_default().to_owned();
    let (_folder, said) = made(&["sensor", "tank"]);
    assert!(said.starts_with("sensor `tank` in tank:\n  Cargo.toml\n  src/lib.rs\n"), "{said}");
    assert_eq!(
        next(&said),
        format!(
            "  cargo test --manifest-path tank/Cargo.toml\n  cargo build --release --manifest-path tank/Cargo.toml\n  \
             {program} run tank/lab.toml\n"
        )
    );
    let (_folder, said) = made(&["sensor", "tank", "--lang", "python", "--dir", "my own/tank"]);
    assert_eq!(
        next(&said),
        format!(
            "  python3 -m unittest discover -s 'my own/tank'\n  {program} plugin check 'my own/tank/tank.py'\n  \
             {program} run 'my own/tank/lab.toml'\n"
        )
    );
    let (_folder, said) = made(&["actuator", "lamp", "--lang", "c"]);
    assert_eq!(
        next(&said),
        format!(
            "  make -C lamp test\n  {program} plugin check lamp/liblamp.so\n  {program} run lamp/lab.toml\n"
        )
    );
}

#[test]
fn nothing_is_ever_overwritten() {
    let (folder, _) = made(&["sensor", "tank"]);
    std::fs::write(folder.path().join("tank/src/lib.rs"), "my work").expect("writable");
    for language in ["rust", "python", "c"] {
        let (code, said) = said(&["new", "sensor", "tank", "--lang", language], folder.path());
        let expected = "error: `tank` exists already\n  hint: take another name, or another folder with `--dir \
                        FOLDER`; nothing was changed\n";
        assert_eq!((code, said.as_str()), (78, expected));
    }
    assert_eq!(read(folder.path(), "tank/src/lib.rs"), "my work");
    assert_eq!(files(&folder.path().join("tank")).len(), 6);
}

#[test]
fn a_place_that_cannot_be_written_is_told() {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("file"), "").expect("writable");
    let (code, said) = said(&["new", "sensor", "tank", "--dir", "file/tank"], folder.path());
    assert_eq!(code, 1);
    assert!(said.starts_with("error: cannot write `file/tank`: ") && said.contains("hint: "), "{said}");
}

#[test]
fn a_wrong_name_is_answered_with_the_right_one() {
    refused(
        &["sensor", "My_Sensor"],
        "error: `My_Sensor` cannot be a name: it has up to 64 of the characters `a-z`, `0-9` and `-`, begins with a \
         letter and ends without `-`\n  hint: did you mean `my-sensor`?",
    );
    refused(
        &["actuator", "match"],
        "error: `match` means something else to Rust or the system\n  hint: did you mean `my-match`?",
    );
    refused(
        &["sensor", "42"],
        "error: `42` cannot be a name: it has up to 64 of the characters `a-z`, `0-9` and `-`, begins with a letter and \
         ends without `-`",
    );
}

#[test]
fn a_type_never_hides_what_the_code_needs() {
    let (folder, _) = made(&["sensor", "sensor"]);
    let code = read(folder.path(), "sensor/src/lib.rs");
    assert!(code.contains("impl Sensor for MySensor {"), "{code}");
    let (folder, _) = made(&["sensor", "json", "--lang", "python"]);
    assert!(folder.path().join("json/my_json.py").exists());
}

#[test]
fn a_core_that_is_not_there_is_told() {
    let hint = "hint: name the folder `mqtt-lab-core` of a checkout of mqtt-lab: `--core PATH`";
    let expected = format!("error: there is no mqtt-lab-core in `elsewhere`\n  {hint}");
    refused(&["sensor", "tank", "--core", "elsewhere"], &expected);
    let web = Path::new(env!("CARGO_MANIFEST_DIR")).join("mqtt-lab-web").display().to_string();
    let expected = format!("error: there is no mqtt-lab-core in `{web}`\n  {hint}");
    refused(&["sensor", "tank", "--core", &web], &expected);
    // A script needs none.
    made(&["sensor", "tank", "--lang", "python", "--core", "elsewhere"]);
}
