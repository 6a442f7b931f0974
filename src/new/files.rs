//! The files of a new plugin.

use super::Language;
use super::name::Name;
use mqtt_lab_core::Role;
use std::path::Path;

/// The header of the C ABI, as it belongs to this program.
const HEADER: &str = include_str!("../../mqtt-lab-core/include/mqtt_lab_plugin.h");

macro_rules! template {
    ($name:literal) => {
        include_str!(concat!("templates/", $name))
    };
}

/// What the templates are filled with.
#[derive(Debug)]
pub(super) struct Plan<'a> {
    pub(super) name: &'a Name,
    pub(super) role: Role,
    pub(super) language: Language,
    /// The folder of `mqtt-lab-core`.
    pub(super) core: &'a Path,
    /// How this program is called from any folder.
    pub(super) program: &'a str,
}

impl Plan<'_> {
    /// Names and contents.
    pub(super) fn files(&self) -> Vec<(String, String)> {
        let mut files: Vec<(String, String)> = self
            .templates()
            .into_iter()
            .map(|(name, text)| (self.filled(&name), self.filled(&text)))
            .collect();
        if self.language == Language::C {
            files.push(("mqtt_lab_plugin.h".into(), HEADER.into()));
        }
        files
    }

    fn templates(&self) -> Vec<(String, String)> {
        let sensor = self.role == Role::Sensor;
        let files = match self.language {
            Language::Rust => rust(sensor),
            Language::Python => python(sensor),
            Language::C => c(sensor),
        };
        let lab = ("lab.toml", template!("lab.toml.in").to_owned());
        files.into_iter().chain([lab]).map(|(name, text)| (name.to_owned(), text)).collect()
    }

    /// Replaces the `{word}`s that mean something; all other braces stay.
    fn filled(&self, template: &str) -> String {
        let mut filled = String::new();
        let mut rest = template;
        while let Some((before, after)) = rest.split_once('{') {
            filled.push_str(before);
            let word = after.split_once('}').and_then(|(word, behind)| Some((self.word(word)?, behind)));
            rest = match word {
                Some((value, behind)) => {
                    filled.push_str(&value);
                    behind
                }
                None => {
                    filled.push('{');
                    after
                }
            };
        }
        filled + rest
    }

    fn word(&self, word: &str) -> Option<String> {
        let sensor = self.role == Role::Sensor;
        Some(match word {
            "name" => self.name.word().into(),
            "ident" => self.name.identifier(),
            "module" => self.name.module(),
            "Type" => self.name.type_name(),
            "role" => self.role.as_str().into(),
            "a" => (if sensor { "a" } else { "an" }).into(),
            "A" => (if sensor { "A" } else { "An" }).into(),
            "core" => toml::Value::from(self.core.display().to_string()).to_string(),
            "program" => self.program.into(),
            "plugin" => self.plugin(),
            "look" => (if sensor { "watch its readings" } else { "give it a command" }).into(),
            "set" => self.needed().into(),
            "trial" if sensor => self.needed().into(),
            "trial" => " --send power=75".into(),
            "settings" if sensor => format!("\n[{}.settings]\nperiod_s = 10.0\n", self.role.as_str()),
            "settings" => String::new(),
            _ => return None,
        })
    }

    /// What a trial cannot do without.
    fn needed(&self) -> &'static str {
        let needed = self.role == Role::Sensor && self.language == Language::Rust;
        if needed { " --set period_s=10" } else { "" }
    }

    /// What `plugin = "…"` says, from the folder of the plugin.
    fn plugin(&self) -> String {
        match self.language {
            Language::Rust => ".".into(),
            Language::Python => format!("{}.py", self.name.module()),
            Language::C => format!("lib{}.so", self.name.word()),
        }
    }

    /// The commands to type next, from the folder in which this program was called.
    pub(super) fn next(&self, folder: &Path, program: &str) -> [String; 3] {
        let of = |file: &str| quoted(&folder.join(file).display().to_string());
        let here = quoted(&folder.display().to_string());
        let run = format!("{program} run {}", of("lab.toml"));
        match self.language {
            Language::Rust => {
                let manifest = of("Cargo.toml");
                [
                    format!("cargo test --manifest-path {manifest}"),
                    format!("cargo build --release --manifest-path {manifest}"),
                    run,
                ]
            }
            Language::Python => {
                let check = format!("{program} plugin check {}", of(&self.plugin()));
                [format!("python3 -m unittest discover -s {here}"), check, run]
            }
            Language::C => {
                let check = format!("{program} plugin check {}", of(&self.plugin()));
                [format!("make -C {here} test"), check, run]
            }
        }
    }
}

/// Templates with the names of their files.
type Templates = Vec<(&'static str, String)>;

fn rust(sensor: bool) -> Templates {
    let code = if sensor { template!("rust/sensor.rs.in") } else { template!("rust/actuator.rs.in") };
    vec![
        ("Cargo.toml", template!("rust/Cargo.toml.in").to_owned()),
        ("src/lib.rs", code.to_owned()),
        (".gitignore", template!("rust/gitignore.in").to_owned()),
        ("README.md", template!("rust/README.md.in").to_owned()),
    ]
}

/// What the student edits, and the protocol below it.
fn python(sensor: bool) -> Templates {
    let code = if sensor { template!("python/sensor.py.in") } else { template!("python/actuator.py.in") };
    let test =
        if sensor { template!("python/test_sensor.py.in") } else { template!("python/test_actuator.py.in") };
    vec![
        ("{module}.py", code.to_owned() + template!("python/protocol.py.in")),
        ("test_{module}.py", test.to_owned()),
        (".gitignore", template!("python/gitignore.in").to_owned()),
        ("README.md", template!("python/README.md.in").to_owned()),
    ]
}

fn c(sensor: bool) -> Templates {
    let code = if sensor { template!("c/sensor.c.in") } else { template!("c/actuator.c.in") };
    let test = if sensor { template!("c/test_sensor.c.in") } else { template!("c/test_actuator.c.in") };
    vec![
        ("{name}.c", code.to_owned()),
        ("test.c", test.to_owned()),
        ("bench.h", template!("c/bench.h.in").to_owned()),
        ("Makefile", template!("c/Makefile.in").to_owned()),
        (".gitignore", template!("c/gitignore.in").to_owned()),
        ("README.md", template!("c/README.md.in").to_owned()),
    ]
}

/// A word as a shell takes it.
pub(super) fn quoted(word: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/._-+=:,@%".contains(&byte) || !byte.is_ascii();
    if !word.is_empty() && word.bytes().all(plain) {
        word.into()
    } else {
        format!("'{}'", word.replace('\'', "'\\''"))
    }
}
