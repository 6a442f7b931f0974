//! The live hub: what changed goes to every open page, at most ten times a second, and a slow page
//! never slows the others.

mod hub;
mod session;

pub(crate) use hub::{Fresh, Hub, run};
pub(crate) use session::serve;
