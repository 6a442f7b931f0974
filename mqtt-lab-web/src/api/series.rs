//! Values over time.

use std::collections::BTreeMap;
use std::ops::Range;

use axum::Json;
use axum::extract::State;
use mqtt_lab_wire::{Datatype, Value};
use serde::{Deserialize, Serialize};

use super::ApiError;
use super::extract::{Names, Params};
use crate::app::App;
use crate::clock::{Millis, now_us};
use crate::registry::SeriesView;
use crate::store::{Point, SeriesId};

const HOUR_US: i64 = 3_600_000_000;
/// Devices whose clock is ahead a little are shown, too.
const AHEAD_US: i64 = 60_000_000;
/// The end of the year 9999.
const LAST_MS: f64 = 253_402_300_799_999.0;
/// Points in one answer of `recent`; with very many series each gets fewer.
const RECENT_POINTS: usize = 500_000;

/// `GET /api/v1/series`.
pub(super) async fn all(State(app): State<App>) -> Json<Vec<SeriesView>> {
    Json(app.registry.series())
}

/// What part of a series is wanted.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PointsQuery {
    from_ms: Option<f64>,
    to_ms: Option<f64>,
    max_points: Option<usize>,
}

impl PointsQuery {
    /// The range in microseconds since the Unix epoch, and how many points.
    fn validate(&self, now_us: i64) -> Result<(Range<i64>, usize), ApiError> {
        let to_us = self.to_ms.map(|ms| micros("to_ms", ms)).transpose()?;
        let from_us = self.from_ms.map(|ms| micros("from_ms", ms)).transpose()?;
        let from_us = from_us.unwrap_or_else(|| to_us.unwrap_or(now_us).saturating_sub(HOUR_US));
        let to_us = to_us.unwrap_or(now_us + AHEAD_US);
        if self.from_ms.is_some() && from_us > to_us {
            return Err(ApiError::bad_request("`from_ms` is after `to_ms`"));
        }
        Ok((from_us..to_us.saturating_add(1), bounded("max_points", self.max_points, 1_000, 4..=5_000)?))
    }
}

#[allow(clippy::cast_possible_truncation, reason = "checked")]
fn micros(name: &str, ms: f64) -> Result<i64, ApiError> {
    if (0.0..=LAST_MS).contains(&ms) {
        return Ok((ms * 1_000.0).round() as i64);
    }
    Err(ApiError::bad_request(format!("`{name}` is a time in milliseconds since 1970")))
}

fn bounded(
    name: &str,
    given: Option<usize>,
    default: usize,
    range: std::ops::RangeInclusive<usize>,
) -> Result<usize, ApiError> {
    let value = given.unwrap_or(default);
    if range.contains(&value) {
        return Ok(value);
    }
    Err(ApiError::bad_request(format!("`{name}` is from {} to {}", range.start(), range.end())))
}

type Row = (Millis, Value);

#[derive(Serialize)]
pub(super) struct PointsView {
    series: SeriesId,
    datatype: Datatype,
    points: Vec<Row>,
}

/// `GET /api/v1/series/{id}/points?from_ms&to_ms&max_points`: one series, thinned for drawing.
pub(super) async fn points(
    State(app): State<App>,
    Names(id): Names<i64>,
    Params(query): Params<PointsQuery>,
) -> Result<Json<PointsView>, ApiError> {
    let (range, max_points) = query.validate(now_us())?;
    let series = app.store.series(SeriesId(id)).await?;
    let series = series.ok_or_else(|| ApiError::not_found(format!("there is no series {id}")))?;
    let points = rows(app.store.points(&series, range, max_points).await?);
    Ok(Json(PointsView { series: series.id, datatype: series.datatype, points }))
}

fn rows(points: Vec<Point>) -> Vec<Row> {
    points.into_iter().map(|point| (Millis(point.t_us), point.value)).collect()
}

/// How much of the recent past is wanted.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RecentQuery {
    window_ms: Option<usize>,
    max_points: Option<usize>,
}

#[derive(Serialize)]
pub(super) struct RecentView {
    points: BTreeMap<SeriesId, Vec<Row>>,
}

/// `GET /api/v1/recent?window_ms&max_points`: the near past of everything shown, in one call.
pub(super) async fn recent(
    State(app): State<App>,
    Params(query): Params<RecentQuery>,
) -> Result<Json<RecentView>, ApiError> {
    let window_ms = bounded("window_ms", query.window_ms, 60_000, 1_000..=86_400_000)?;
    let max_points = bounded("max_points", query.max_points, 120, 4..=5_000)?;
    let now_us = now_us();
    let from_us = now_us - i64::try_from(window_ms).unwrap_or(i64::MAX / 1_000) * 1_000;
    let series = app.registry.recent_series(from_us);
    let max_points = max_points.min(RECENT_POINTS / series.len().max(1)).max(4);
    let mut points = BTreeMap::new();
    for series in series {
        let found = app.store.points(&series, from_us..now_us + AHEAD_US, max_points).await?;
        points.insert(series.id, rows(found));
    }
    Ok(Json(RecentView { points }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(from_ms: Option<f64>, to_ms: Option<f64>, expected: Option<Range<i64>>) {
        let range = PointsQuery { from_ms, to_ms, max_points: None }.validate(2 * HOUR_US).ok();
        assert_eq!(range.map(|(range, _)| range), expected);
    }

    #[test]
    fn the_last_hour_is_the_default() {
        check(None, None, Some(HOUR_US..2 * HOUR_US + AHEAD_US + 1));
        check(None, Some(7_200_000.0), Some(HOUR_US..2 * HOUR_US + 1));
        check(Some(1.5), Some(2.0), Some(1_500..2_001));
    }

    #[test]
    fn impossible_times_are_refused() {
        check(Some(2.0), Some(1.0), None);
        check(Some(f64::NAN), None, None);
        check(None, Some(f64::INFINITY), None);
        check(Some(-1.0), None, None);
    }
}
