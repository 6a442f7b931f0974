//! `mqtt-lab check FILE`.

use crate::arguments::RunOptions;
use crate::config::{Source, told};
use crate::failure::Failure;
use crate::open_files;
use crate::terminal::{complain, print_line};
use mqtt_lab_core::BuildError;
use mqtt_lab_core::config::Problem;
use std::path::Path;

/// Checks a file as `run` does, constructs every device once, and starts nothing. Tells all mistakes.
pub(crate) fn check(file: &Path) -> Result<(), Failure> {
    let options = RunOptions { file: Some(file.into()), ..RunOptions::default() };
    let (source, mistakes) = Source::judge(&options)?;
    let mut warnings = source.warnings();
    let mut failures: Vec<_> = if mistakes.is_empty() { Vec::new() } else { told(mistakes).into_messages() };
    let mut devices = 0;
    // Of a table from which wrong lines were removed, too little is left to construct its device.
    if source.layers.mistakes.is_empty() {
        let runtime = tokio::runtime::Runtime::new().map_err(|error| Failure::of(&error, None))?;
        match runtime.block_on(check_devices(&source)) {
            Ok((count, suspicious)) => {
                devices = count;
                warnings.extend(suspicious.iter().map(|problem| source.told(problem)));
            }
            // These were told.
            Err(BuildError::NoBroker | BuildError::Word { .. }) => {}
            Err(BuildError::Plugins(_)) if source.missing_plugins().is_some() => {}
            Err(error) => failures.extend(source.explain(&error).into_messages()),
        }
    }
    for (_, warning, hint) in &warnings {
        complain(&in_words(warning, hint.as_deref()));
    }
    if !failures.is_empty() {
        return Err(Failure::mistakes(failures));
    }
    let limit = open_files::raise();
    if let Some((problem, hint)) = open_files::shortage(&source.config, source.has_own_broker(), limit) {
        complain(&in_words(&problem, Some(&hint)));
    }
    let variables = match source.config.variable.len() {
        0 => String::new(),
        1 => ", 1 variable".to_owned(),
        several => format!(", {several} variables"),
    };
    print_line(&format!("{}: {devices} devices{variables}, no mistakes", file.display()))
}

fn in_words(warning: &str, hint: Option<&str>) -> String {
    let hint = hint.map(|hint| format!("  hint: {hint}\n")).unwrap_or_default();
    format!("warning: {warning}\n{hint}")
}

/// How many devices there are, and what is suspicious about them.
async fn check_devices(source: &Source) -> Result<(usize, Vec<Problem>), BuildError> {
    let lab = source.lab_to_check().load_plugins(&mut source.loader()).await?.build()?;
    let devices = lab.devices().count();
    lab.check().await.map(|suspicious| (devices, suspicious))
}
