//! `mqtt-lab check FILE`.

use crate::config::Source;
use crate::failure::Failure;
use std::path::Path;

/// Checks a file as `run` does, constructs every device once, and starts nothing.
pub(crate) fn check(file: &Path) -> Result<(), Failure> {
    let source = Source::read(Some(file))?;
    source.check_tables()?;
    source.config.broker.check().map_err(|error| Failure::in_config(&error, None))?;
    let builder = source.lab();
    let builder = if source.has_own_broker() { builder.broker(source.config.broker.bind) } else { builder };
    let runtime = tokio::runtime::Runtime::new().map_err(|error| Failure::of(&error, None))?;
    let devices = runtime.block_on(async {
        let lab = builder.load_plugins(&mut source.loader()).await?.build()?;
        let devices = lab.devices().len();
        lab.check().await.map(|()| devices)
    });
    let devices = devices.map_err(|error| source.explain(&error))?;
    println!("{}: {devices} devices, no mistakes", file.display());
    Ok(())
}
