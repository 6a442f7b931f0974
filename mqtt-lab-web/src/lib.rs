//! SQL storage, HTTP API and live dashboard of `mqtt-lab`.
//!
//! [`Web::start`] subscribes to everything below the lab's root, keeps it in a [`store`], and serves
//! the dashboard with its API (`docs/http-api.md`). It knows devices only by what they publish.
//!
//! A sample's way: the link → decoded in `ingest` → `registry` (what is known now) → the live hub,
//! which sends it to the open pages, and → the writer → the [`store`], after whose commit the broker
//! gets its acknowledgement.

mod api;
mod app;
mod assets;
pub mod bus;
mod clients;
mod clock;
mod commands;
mod config;
mod error;
mod guard;
mod health;
mod ingest;
mod keeper;
mod live;
mod notice;
mod plugs;
mod problem;
mod registry;
mod stop;
pub mod store;
mod thin;
mod topics;
mod variables;
mod web;

pub use api::router;
pub use app::App;
pub use clients::{BrokerClient, BrokerConnection, ClientList};
pub use config::{IngestConfig, PublishLog, Seen, StoreConfig, WebConfig};
pub use error::StartError;
pub use notice::{Notice, NoticeLevel, NoticeMessage, NoticeTitle};
pub use plugs::{Plug, PlugRequest};
pub use variables::{VariableAnswer, VariableChange, VariableRequest, VariableView, VariableWish};
pub use web::{NotStored, Web};
