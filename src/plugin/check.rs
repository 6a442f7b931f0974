//! `mqtt-lab plugin check FILE`.

use super::{LIMIT, article, explained, given, heading, load, say, table, wanted};
use crate::arguments::CheckOptions;
use crate::failure::Failure;
use mqtt_lab_core::trial::Trial;
use mqtt_lab_core::{Kind, Role, Settings};

/// Loads a plugin, constructs a device of each kind and shows what it says of itself.
pub(super) async fn check(options: &CheckOptions) -> Result<(), Failure> {
    let settings = given::settings(&options.set)?;
    let plugin = load(options).await?;
    say(&heading(&plugin));
    let mut mistakes = Vec::new();
    for kind in wanted(&plugin, options.kind.as_deref())? {
        mistakes.extend(check_kind(kind, settings.clone()).await);
    }
    say("");
    if !mistakes.is_empty() {
        return Err(Failure::mistakes(mistakes));
    }
    say("everything is right");
    Ok(())
}

/// What is wrong with a kind, if anything is.
async fn check_kind(kind: &Kind, settings: Settings) -> Option<(String, Option<String>)> {
    say(&format!("\nkind `{}`, {}, asked for by", kind.name(), article(kind.role())));
    for line in kind.sample_toml().trim_end().lines() {
        say(format!("  {line}").trim_end());
    }
    match Trial::start(kind, settings, LIMIT).await {
        Ok(trial) => {
            say("");
            for line in table::of(trial.description(), kind.role() == Role::Actuator) {
                say(&format!("  {line}"));
            }
            None
        }
        Err(error) => Some(explained(kind, &error)),
    }
}
