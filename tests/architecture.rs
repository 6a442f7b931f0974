//! The invariants of `docs/ARCHITECTURE.md`, each kept by a test.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// Source files of a crate that are part of the product: path below the root, text.
fn sources(folder: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    collect(&root().join(folder), &mut found);
    assert!(!found.is_empty(), "no sources in {folder}");
    found
}

fn all_sources() -> Vec<(String, String)> {
    let crates =
        ["src", "mqtt-lab-wire/src", "mqtt-lab-core/src", "mqtt-lab-plugins/src", "mqtt-lab-web/src"];
    crates.into_iter().flat_map(sources).collect()
}

fn collect(folder: &Path, found: &mut Vec<(String, String)>) {
    for entry in std::fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("readable").path()) {
        if entry.is_dir() {
            collect(&entry, found);
        } else if entry.extension().is_some_and(|extension| extension == "rs") {
            let name = entry.strip_prefix(root()).expect("below").to_string_lossy().replace('\\', "/");
            let is_test = name.ends_with("_test.rs") || name.ends_with("/tests.rs");
            if !is_test {
                let text = std::fs::read_to_string(&entry).expect("text");
                found.push((name, without_tests_and_comments(&text)));
            }
        }
    }
}

/// The code of a file, up to its test module.
fn without_tests_and_comments(text: &str) -> String {
    let code = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
    let lines = code.lines().filter(|line| !line.trim_start().starts_with("//"));
    lines.collect::<Vec<_>>().join("\n")
}

/// Every file in which one of `words` stands must begin with one of `allowed`.
#[track_caller]
fn only_in(words: &[&str], allowed: &[&str]) {
    let mut wrong = Vec::new();
    for (file, text) in all_sources() {
        for line in text.lines().filter(|line| words.iter().any(|word| line.contains(word))) {
            if !allowed.iter().any(|place| file.starts_with(place)) {
                wrong.push(format!("{file}: {}", line.trim()));
            }
        }
    }
    assert!(wrong.is_empty(), "{words:?} may stand only in {allowed:?}:\n{}", wrong.join("\n"));
    for place in allowed {
        let used = all_sources()
            .iter()
            .any(|(file, text)| file.starts_with(place) && words.iter().any(|word| text.contains(word)));
        assert!(used, "{words:?} are not used in {place} any more: shorten the list");
    }
}

fn manifest(path: &str) -> toml::Table {
    let text = std::fs::read_to_string(root().join(path)).expect("a manifest");
    text.parse().expect("TOML")
}

#[test]
fn crates_import_only_downwards() {
    let allowed: BTreeMap<&str, &[&str]> = BTreeMap::from([
        ("mqtt-lab-wire", &[][..]),
        ("mqtt-lab-core", &["mqtt-lab-wire"][..]),
        ("mqtt-lab-plugins", &["mqtt-lab-core"][..]),
        ("mqtt-lab-web", &["mqtt-lab-core", "mqtt-lab-wire"][..]),
    ]);
    for (name, allowed) in allowed {
        let manifest = manifest(&format!("{name}/Cargo.toml"));
        let dependencies =
            manifest.get("dependencies").and_then(toml::Value::as_table).expect("dependencies");
        let own = dependencies.keys().filter(|dependency| dependency.starts_with("mqtt-lab"));
        for dependency in own {
            assert!(allowed.contains(&dependency.as_str()), "{name} must not know {dependency}");
        }
    }
}

/// What a plugin crate compiles: nothing of MQTT, TLS, SQL or HTTP.
#[test]
fn the_core_without_features_is_small() {
    let manifest = manifest("mqtt-lab-core/Cargo.toml");
    let dependencies = manifest["dependencies"].as_table().expect("dependencies");
    let always: Vec<_> = dependencies
        .iter()
        .filter(|(_, value)| value.get("optional").and_then(toml::Value::as_bool) != Some(true))
        .map(|(name, _)| name.as_str())
        .collect();
    let expected = [
        "async-trait",
        "log",
        "mqtt-lab-wire",
        "schemars",
        "serde",
        "serde_ignored",
        "serde_json",
        "serde_path_to_error",
        "tokio",
        "tracing",
    ];
    assert_eq!(always, expected);
}

#[test]
fn topic_strings_are_built_only_in_the_wire() {
    let words = ["\"$state", "\"$info", "\"$stats", "\"$error", "/$state", "/$info", "/$stats", "/$error"];
    only_in(&words, &["mqtt-lab-wire/src/topic.rs"]);
}

#[test]
fn sql_stands_only_in_the_store() {
    only_in(&["sqlx", "select ", "SELECT ", "insert into", "INSERT INTO"], &["mqtt-lab-web/src/store/"]);
}

#[test]
fn http_stands_only_in_the_web() {
    only_in(&["axum", "tower_http"], &["mqtt-lab-web/src/"]);
}

#[test]
fn the_mqtt_codecs_are_known_in_two_modules() {
    only_in(&["rumqttc"], &["mqtt-lab-core/src/link/", "mqtt-lab-core/src/broker/wire/"]);
}

/// What decides knows neither sockets nor disks: it is tested without them.
#[test]
fn the_state_of_the_broker_does_no_io() {
    for (file, text) in sources("mqtt-lab-core/src/broker") {
        let decides = ["state", "outbox", "filters", "retained", "session", "journal"];
        let name = file.trim_start_matches("mqtt-lab-core/src/broker/");
        if decides.iter().any(|module| name.starts_with(module)) {
            for word in ["tokio::net", "tokio::io", "fjall", "std::fs", ".await"] {
                assert!(!text.contains(word), "{file} uses `{word}`");
            }
        }
    }
}

/// Whoever reviews what the compiler does not check reads one folder.
#[test]
fn unsafe_stands_only_in_the_plugin_abi() {
    let words = ["unsafe {", "unsafe fn", "unsafe impl", "unsafe extern", "#[unsafe("];
    // The macro there writes a plugin's one exported symbol.
    only_in(&words, &["mqtt-lab-core/src/plugin/", "mqtt-lab-core/src/registry.rs"]);
}

#[test]
fn every_queue_is_bounded() {
    let wrong: Vec<_> = all_sources()
        .into_iter()
        .filter(|(_, text)| text.contains("unbounded"))
        .map(|(file, _)| file)
        .collect();
    assert!(wrong.is_empty(), "{wrong:?}");
}

/// A student's sensor and a built-in one are written alike.
#[test]
fn plugins_know_no_mqtt() {
    for (file, text) in sources("mqtt-lab-plugins/src") {
        for word in ["link::", "mqtt_lab_wire", "mqtt_lab_web", "static mut", "OnceLock", "LazyLock"] {
            assert!(!text.contains(word), "{file} uses `{word}`");
        }
        // What a user recorded is a file; nothing else that a device needs is one.
        let reads_recordings = file == "mqtt-lab-plugins/src/signal/recording.rs";
        assert!(reads_recordings || !text.contains("std::fs"), "{file} uses `std::fs`");
    }
}

#[test]
fn every_plugin_has_its_readme_and_its_sample() {
    let kinds = mqtt_lab_plugins::plugin();
    for kind in kinds.kinds() {
        let folder = root().join("mqtt-lab-plugins/src").join(kind.name());
        for file in ["mod.rs", "README.md", "sample.toml"] {
            assert!(folder.join(file).exists(), "{}", folder.join(file).display());
        }
    }
}

/// The map in `docs/ARCHITECTURE.md` names every module.
#[test]
fn the_map_names_every_module() {
    let map = std::fs::read_to_string(root().join("docs/ARCHITECTURE.md")).expect("the map");
    for folder in
        ["src", "mqtt-lab-wire/src", "mqtt-lab-core/src", "mqtt-lab-plugins/src", "mqtt-lab-web/src"]
    {
        for entry in std::fs::read_dir(root().join(folder)).expect("a folder") {
            let name = entry.expect("readable").file_name().to_string_lossy().into_owned();
            if ["lib.rs", "main.rs"].contains(&name.as_str()) {
                continue;
            }
            let word = format!("`{}`", name.trim_end_matches(".rs"));
            assert!(map.contains(&word), "{folder}/{name} is not in docs/ARCHITECTURE.md");
        }
    }
}
