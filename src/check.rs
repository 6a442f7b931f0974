//! `mqtt-lab check FILE`.

use crate::config::Source;
use crate::failure::Failure;
use crate::open_files;
use crate::terminal::{complain, print_line};
use mqtt_lab_core::BuildError;
use std::path::Path;

/// Checks a file as `run` does, constructs every device once, and starts nothing. Tells all mistakes.
pub(crate) fn check(file: &Path) -> Result<(), Failure> {
    let source = Source::read(Some(file))?;
    let mut mistakes = Vec::new();
    let mut note = |checked: Result<(), Failure>| mistakes.extend(checked.err().map(Failure::into_messages));
    note(source.check_tables());
    note(source.config.broker.check().map_err(|error| Failure::in_config(&error, None)));
    let runtime = tokio::runtime::Runtime::new().map_err(|error| Failure::of(&error, None))?;
    let devices = runtime.block_on(check_devices(&source));
    match &devices {
        // That was told.
        Ok(_) | Err(BuildError::NoBroker) => {}
        Err(error) => note(Err(source.explain(error))),
    }
    match devices {
        Ok(devices) if mistakes.is_empty() => {
            let variables = match source.config.variable.len() {
                0 => String::new(),
                1 => ", 1 variable".to_owned(),
                several => format!(", {several} variables"),
            };
            let limit = open_files::raise();
            if let Some((problem, hint)) =
                open_files::shortage(&source.config, source.has_own_broker(), limit)
            {
                complain(&format!("warning: {problem}\n  hint: {hint}\n"));
            }
            print_line(&format!("{}: {devices} devices{variables}, no mistakes", file.display()))
        }
        _ => Err(Failure::mistakes(mistakes.concat())),
    }
}

async fn check_devices(source: &Source) -> Result<usize, BuildError> {
    let lab = source.lab_to_check().load_plugins(&mut source.loader()).await?.build()?;
    let devices = lab.devices().count();
    lab.check().await.map(|()| devices)
}
