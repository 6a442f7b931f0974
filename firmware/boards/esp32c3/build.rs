//! Reads `settings.toml` and hands it to the program.

use serde::Deserialize;
use std::{error::Error, fs, path::Path};

const OWN: &str = "settings.toml";
const EXAMPLE: &str = "settings.example.toml";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Settings {
    wifi: String,
    wifi_password: String,
    broker: String,
    device: String,
    #[serde(default = "demo")]
    group: String,
    #[serde(default)]
    user: String,
    #[serde(default)]
    password: String,
}

fn demo() -> String {
    "demo".into()
}

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed={OWN}");
    println!("cargo::rerun-if-changed={EXAMPLE}");
    let file = if Path::new(OWN).exists() { OWN } else { EXAMPLE };
    if file == EXAMPLE {
        println!("cargo::warning=there is no {OWN}: the program is built with what {EXAMPLE} says");
    }
    let settings: Settings =
        toml::from_str(&fs::read_to_string(file)?).map_err(|error| format!("{file}: {error}"))?;
    let values = [
        ("WIFI", &settings.wifi),
        ("WIFI_PASSWORD", &settings.wifi_password),
        ("BROKER", &settings.broker),
        ("DEVICE", &settings.device),
        ("GROUP", &settings.group),
        ("USER", &settings.user),
        ("PASSWORD", &settings.password),
    ];
    for (name, value) in values {
        if value.contains('\n') {
            return Err(format!("{file}: a setting is longer than a line").into());
        }
        println!("cargo::rustc-env=NODE_{name}={value}");
    }
    println!("cargo::rustc-link-arg-bins=-Tlinkall.x");
    Ok(())
}
