//! Topics and their last messages; publishing by hand.

use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use mqtt_lab_core::link::{Publish, Qos};
use serde::{Deserialize, Serialize};
use tokio::time::timeout;

use super::ApiError;
use super::extract::{Body, Params};
use crate::app::App;
use crate::problem::Problem;
use crate::topics::{MAX_TOPICS, Packet, PacketBytes, TopicList, TopicMessage};

const DEFAULT_LIMIT: usize = 1_000;
/// Longest payload that is published, in bytes.
const MAX_PAYLOAD: usize = 64 * 1024;
/// Longest body of such a request: JSON writes a character in up to six bytes.
pub(super) const MAX_PUBLISH_BODY: usize = 8 * MAX_PAYLOAD;
/// Longest topic of MQTT, in bytes.
const MAX_TOPIC: usize = 65_535;
/// Longest wait for the broker.
const PATIENCE: Duration = Duration::from_secs(10);

/// Which topics are wanted.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Part {
    #[serde(default)]
    prefix: String,
    #[serde(default)]
    since: u64,
    limit: Option<usize>,
}

/// `GET /api/v1/topics?prefix&since&limit`.
pub(super) async fn list(
    State(app): State<App>,
    Params(part): Params<Part>,
) -> Result<Json<TopicList>, ApiError> {
    let limit = part.limit.unwrap_or(DEFAULT_LIMIT);
    if !(1..=MAX_TOPICS).contains(&limit) {
        return Err(ApiError::bad_request(format!("`limit` is from 1 to {MAX_TOPICS}")));
    }
    Ok(Json(app.topics.list(&part.prefix, part.since, limit)))
}

/// One topic.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct One {
    topic: String,
}

/// `GET /api/v1/topics/message?topic`.
pub(super) async fn message(
    State(app): State<App>,
    Params(One { topic }): Params<One>,
) -> Result<Json<TopicMessage>, ApiError> {
    let message = app.topics.message(&topic, app.outlet.version());
    message.map(Json).ok_or_else(|| Problem::TopicUnheard.into())
}

/// A message as a page asks for it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Wish {
    topic: String,
    payload: String,
    #[serde(default)]
    qos: u8,
    #[serde(default)]
    retain: bool,
}

/// What was published.
#[derive(Serialize)]
pub(super) struct Published {
    topic: String,
    qos: Qos,
    retain: bool,
    packet: Packet,
}

/// `POST /api/v1/publish`: answered once the broker has it.
pub(super) async fn publish(
    State(app): State<App>,
    Body(wish): Body<Wish>,
) -> Result<Json<Published>, ApiError> {
    let Wish { topic, payload, qos, retain } = wish;
    let qos = Qos::from_level(qos).ok_or_else(|| ApiError::unprocessable("`qos` is 0, 1 or 2"))?;
    if payload.len() > MAX_PAYLOAD {
        return Err(Problem::PayloadLong { most: MAX_PAYLOAD }.into());
    }
    check_topic(&topic)?;
    let version = app.outlet.version();
    let bytes = PacketBytes::new(topic.len(), payload.len(), 0, qos, version);
    deliver(&app, Publish::new(topic.clone(), payload).qos(qos).retain(retain)).await?;
    Ok(Json(Published { topic, qos, retain, packet: Packet::new(bytes, qos, version) }))
}

/// `DELETE /api/v1/topics/retained?topic`: an empty retained message takes the topic's one back.
pub(super) async fn forget(
    State(app): State<App>,
    Params(One { topic }): Params<One>,
) -> Result<StatusCode, ApiError> {
    check_topic(&topic)?;
    deliver(&app, Publish::new(topic, "").retain(true)).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// A topic name without wildcards (MQTT-3.3.2-2, MQTT-4.7.3-1 to 3).
fn check_topic(topic: &str) -> Result<(), Problem> {
    match topic {
        "" => Err(Problem::TopicEmpty),
        wild if wild.contains(['+', '#']) => Err(Problem::TopicWildcard),
        nul if nul.contains('\0') => Err(Problem::TopicNul),
        long if long.len() > MAX_TOPIC => Err(Problem::TopicLong { most: MAX_TOPIC }),
        _ => Ok(()),
    }
}

/// Publishes and waits for the broker.
async fn deliver(app: &App, message: Publish) -> Result<(), ApiError> {
    let away = || {
        let status = app.outlet.status();
        (!status.connected).then(|| ApiError::from(status.away()))
    };
    if let Some(error) = away() {
        return Err(error);
    }
    match timeout(PATIENCE, app.outlet.deliver(message)).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(reason)) => Err(away().unwrap_or_else(|| ApiError::unprocessable(reason))),
        Err(_) => Err(Problem::NotConfirmed.into()),
    }
}
