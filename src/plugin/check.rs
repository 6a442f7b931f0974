//! `mqtt-lab plugin check FILE`.

use super::{LIMIT, article, explained, given, heading, load, table, wanted};
use crate::arguments::CheckOptions;
use crate::failure::Failure;
use crate::terminal::print_line;
use mqtt_lab_core::trial::Trial;
use mqtt_lab_core::{Kind, Role, Settings};

/// Loads a plugin, constructs a device of each kind and shows what it says of itself.
pub(super) async fn check(options: &CheckOptions) -> Result<(), Failure> {
    let settings = given::settings(&options.set)?;
    let plugin = load(options).await?;
    print_line(&heading(&plugin))?;
    let mut mistakes = Vec::new();
    for kind in wanted(&plugin, options.kind.as_deref())? {
        mistakes.extend(check_kind(kind, settings.clone()).await?);
    }
    print_line("")?;
    if !mistakes.is_empty() {
        return Err(Failure::mistakes(mistakes));
    }
    print_line("everything is right")
}

/// What is wrong, and a hint.
type Mistake = (String, Option<String>);

/// What is wrong with a kind, if anything is.
async fn check_kind(kind: &Kind, settings: Settings) -> Result<Option<Mistake>, Failure> {
    let mut lines = vec![format!("\nkind `{}`, {}, asked for by", kind.name(), article(kind.role()))];
    let sample = kind.sample_toml();
    lines.extend(sample.trim_end().lines().map(|line| format!("  {line}").trim_end().to_owned()));
    print_line(&lines.join("\n"))?;
    match Trial::start(kind, settings, LIMIT).await {
        Ok(trial) => {
            let table = table::of(trial.description(), kind.role() == Role::Actuator);
            let table: String = table.into_iter().map(|line| format!("\n  {line}")).collect();
            print_line(&table)?;
            Ok(None)
        }
        Err(error) => Ok(Some(explained(kind, &error))),
    }
}
