//! What the READMEs show is true (their Rust is compiled by the doctests of `mqtt-lab-core`).

mod support;

use std::path::{Path, PathBuf};
use support::{Lab, run};

fn readme(name: &str) -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(name)).expect("the README")
}

/// The code blocks of a language.
fn blocks(text: &str, language: &str) -> Vec<String> {
    let fence = format!("```{language}\n");
    let blocks = text.split(&fence).skip(1);
    blocks.map(|rest| rest.split("```").next().unwrap_or_default().to_owned()).collect()
}

#[test]
fn every_setup_is_right() {
    let folder = tempfile::tempdir().expect("a folder");
    for name in ["README.md", "README.de.md"] {
        let setups = blocks(&readme(name), "toml");
        assert_eq!(setups.len(), 4, "{name}");
        for setup in setups {
            std::fs::write(folder.path().join("lab.toml"), &setup).expect("writable");
            let output = run(&["check", "lab.toml"], folder.path());
            assert!(output.status.success(), "{name}: {setup}\n{}", String::from_utf8_lossy(&output.stderr));
        }
    }
}

#[test]
fn the_output_shown_is_the_output() {
    let folder = tempfile::tempdir().expect("a folder");
    let lab = Lab::start(folder.path(), None);
    let printed = lab.output.join("\n");
    // The test takes free ports and a folder of its own.
    let store = folder.path().join("lab.sqlite").display().to_string();
    let printed = printed.replace(&lab.web, "127.0.0.1:8080").replace(&lab.broker, "127.0.0.1:1883");
    let printed = printed.replace(&store, "mqtt-lab-data/lab.sqlite");
    for name in ["README.md", "README.de.md"] {
        let shown = blocks(&readme(name), "console").swap_remove(0);
        assert_eq!(shown.trim_end(), format!("$ cargo run --release\n{printed}"), "{name}");
    }
    lab.interrupt();
}

#[test]
fn the_mistake_shown_is_the_mistake() {
    let folder = tempfile::tempdir().expect("a folder");
    for (name, file) in [("README.md", "my-lab.toml"), ("README.de.md", "mein-labor.toml")] {
        std::fs::write(folder.path().join(file), "[[sensor]]\nkind = \"temprature\"\n").expect("writable");
        let output = run(&["check", file], folder.path());
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(readme(name).contains(&said), "{name} does not show:\n{said}");
    }
}

/// Without comments and empty lines.
fn code_alone(text: &str) -> String {
    let lines = text.lines().filter(|line| !line.trim().is_empty() && !line.trim_start().starts_with("//"));
    lines.collect::<Vec<_>>().join("\n")
}

#[test]
fn the_sensor_shown_is_the_sensor_made() {
    let folder = tempfile::tempdir().expect("a folder");
    let made = run(&["new", "sensor", "my-sensor"], folder.path());
    let said = String::from_utf8_lossy(&made.stdout)
        .replace(env!("CARGO_BIN_EXE_mqtt-lab"), "target/release/mqtt-lab");
    let code = std::fs::read_to_string(folder.path().join("my-sensor/src/lib.rs")).expect("the sensor");
    let code = code.split("#[cfg(test)]").next().unwrap_or_default();
    for name in ["README.md", "README.de.md"] {
        let shown = format!("```console\n$ cargo run --release -- new sensor my-sensor\n{said}```\n");
        assert!(readme(name).contains(&shown), "{name} does not show:\n{shown}");
        assert_eq!(code_alone(&blocks(&readme(name), "rust")[0]), code_alone(code), "{name}");
    }
}

/// They compile as doctests there.
#[test]
fn the_first_devices_in_the_docs_of_the_core_are_the_examples() {
    let docs = readme("mqtt-lab-core/src/lib.rs").replace("//! ", "").replace("//!", "");
    let shown: Vec<_> = docs.split("```\n").map(code_alone).collect();
    for name in ["first-sensor", "first-actuator"] {
        let example = readme(&format!("examples/{name}/src/lib.rs"));
        let code = code_alone(example.split("#[cfg(test)]").next().unwrap_or_default());
        assert!(shown.contains(&code), "the docs of the core do not show {name}:\n{code}");
    }
}

/// The options of plugins exist; whether the plugins do is not asked.
#[test]
fn every_option_of_plugins_exists() {
    use mqtt_lab_core::config::{DeviceConfig, PluginsConfig};
    for name in ["docs/plugins.md", "docs/plugins.de.md"] {
        let blocks = blocks(&readme(name), "toml");
        assert_eq!(blocks.len(), 1, "{name}");
        let mut table: toml::Table = blocks[0].parse().expect("TOML");
        let plugins = table.remove("plugins").expect("the table");
        plugins.try_into::<PluginsConfig>().unwrap_or_else(|error| panic!("{name}: {error}"));
        for devices in table.into_iter().map(|(_, devices)| devices) {
            devices.try_into::<Vec<DeviceConfig>>().unwrap_or_else(|error| panic!("{name}: {error}"));
        }
    }
}

/// The Markdown files below a folder, hidden ones and those that cargo makes left out.
fn pages(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("readable").path());
    let named =
        |path: &PathBuf, bad: &str| path.file_name().is_some_and(|name| name.to_string_lossy() == bad);
    let hidden =
        |path: &PathBuf| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.'));
    let wanted = entries.filter(|path| !hidden(path) && !named(path, "target"));
    let pages = wanted.flat_map(|path| if path.is_dir() { pages(&path) } else { vec![path] });
    pages.filter(|path| path.extension().is_some_and(|extension| extension == "md")).collect()
}

#[test]
fn every_link_leads_to_a_file() {
    let pages = pages(Path::new(env!("CARGO_MANIFEST_DIR")));
    let mut count = 0;
    for page in &pages {
        let text = std::fs::read_to_string(page).expect("the page");
        let links = text.split("](").skip(1).filter_map(|rest| rest.split([')', '#']).next());
        for link in links.filter(|link| !link.is_empty() && !link.contains(['`', ' ', ':'])) {
            let there = page.with_file_name("").join(link).exists();
            // In what rustdoc shows, a path is one of Rust.
            let rust = !link.contains('.') && !link.contains('/');
            assert!(there || rust, "{}: {link}", page.display());
            count += usize::from(there);
        }
    }
    println!("{} pages, {count} links", pages.len());
    assert!(pages.len() > 20 && count > 50, "{} pages, {count} links", pages.len());
}

/// Both languages have the same parts, and show the same.
#[test]
fn the_pages_of_plugins_say_the_same() {
    let [english, german] = ["docs/plugins.md", "docs/plugins.de.md"].map(readme);
    assert_eq!(blocks(&english, "text"), blocks(&german, "text"));
    let shape = |text: &str| {
        let starts = text.lines().filter_map(|line| line.split(' ').next());
        starts.filter(|start| ["#", "##", "-", "|"].contains(start)).map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(shape(&english), shape(&german));
}
