//! What a page asks of a device's plug, done to the running devices.

use mqtt_lab_core::{Pull, RunningLab};
use mqtt_lab_web::{Plug, PlugRequest};

/// Does what is asked, and answers how the plug is then.
pub(crate) fn serve(devices: &mut RunningLab, request: PlugRequest) {
    let name = format!("{}/{}", request.group, request.device);
    let done = match request.wish.map(wanted) {
        None => Ok(()),
        Some(None) => devices.plug_in(&name),
        Some(Some(how)) => devices.pull(&name, how),
    };
    if let (Ok(()), Some(wish)) = (done, request.wish) {
        tracing::info!(device = name, ?wish, "plug");
    }
    let now = done.and_then(|()| devices.pulled(&name)).map(shown);
    request.answer(now.ok());
}

const fn wanted(plug: Plug) -> Option<Pull> {
    match plug {
        Plug::In => None,
        Plug::Cut => Some(Pull::Cut),
        Plug::Freeze => Some(Pull::Freeze),
        Plug::Kill => Some(Pull::Kill),
        Plug::Stop => Some(Pull::Stop),
    }
}

const fn shown(pulled: Option<Pull>) -> Plug {
    match pulled {
        None => Plug::In,
        Some(Pull::Cut) => Plug::Cut,
        Some(Pull::Freeze) => Plug::Freeze,
        Some(Pull::Kill) => Plug::Kill,
        Some(Pull::Stop) => Plug::Stop,
    }
}
