//! Numbers for Prometheus.

use std::fmt::Write as _;

use axum::extract::State;
use axum::http::header;
use axum::response::IntoResponse;

use crate::app::App;

/// `GET /metrics`: text format 0.0.4.
pub(super) async fn metrics(State(app): State<App>) -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4")], text(&app))
}

fn text(app: &App) -> String {
    let lab = app.lab();
    let counts = &lab.counts;
    let up = |up: bool| u64::from(up);
    let pages = app.registry.hub.listeners() as u64;
    let plain = [
        ("samples_received_total", "counter", "Samples that arrived since the start.", counts.received),
        ("samples_stored_total", "counter", "Samples committed since the start.", counts.stored),
        ("samples_duplicate_total", "counter", "Samples that were there already.", counts.duplicate),
        ("messages_refused_total", "counter", "Messages that were not usable.", counts.refused),
        (
            "messages_set_aside_total",
            "counter",
            "Usable messages that could not be stored.",
            counts.set_aside,
        ),
        ("samples_lost", "gauge", "Samples known to be lost since the start.", counts.lost),
        ("broker_connected", "gauge", "1 while the broker is connected.", up(lab.broker.connected)),
        ("store_up", "gauge", "1 while the store works.", up(lab.store.error.is_none())),
        ("pages_open", "gauge", "Open WebSockets.", pages),
    ];
    let mut text = String::new();
    for (name, kind, help, value) in plain {
        // Writing into a `String` cannot fail.
        let _ = write!(
            text,
            "# HELP mqtt_lab_{name} {help}\n# TYPE mqtt_lab_{name} {kind}\nmqtt_lab_{name} {value}\n"
        );
    }
    text.push_str("# HELP mqtt_lab_part_up 1 while the part works.\n# TYPE mqtt_lab_part_up gauge\n");
    let parts = app.parts();
    for part in &parts {
        let _ = writeln!(text, "mqtt_lab_part_up{{part=\"{}\"}} {}", part.part, up(part.error.is_none()));
    }
    text.push_str("# HELP mqtt_lab_part_restarts_total Restarts since the start.\n");
    text.push_str("# TYPE mqtt_lab_part_restarts_total counter\n");
    for part in &parts {
        let _ = writeln!(text, "mqtt_lab_part_restarts_total{{part=\"{}\"}} {}", part.part, part.restarts);
    }
    text.push_str("# HELP mqtt_lab_part_panics_total Panics since the start.\n");
    text.push_str("# TYPE mqtt_lab_part_panics_total counter\n");
    for part in &parts {
        let _ = writeln!(text, "mqtt_lab_part_panics_total{{part=\"{}\"}} {}", part.part, part.panics);
    }
    text.push_str("# HELP mqtt_lab_part_waiting Messages that wait in memory for the part.\n");
    text.push_str("# TYPE mqtt_lab_part_waiting gauge\n");
    for part in &parts {
        let _ = writeln!(text, "mqtt_lab_part_waiting{{part=\"{}\"}} {}", part.part, part.waiting);
    }
    text.push_str("# HELP mqtt_lab_devices Devices in each state.\n# TYPE mqtt_lab_devices gauge\n");
    for (state, count) in app.registry.census() {
        let _ = writeln!(text, "mqtt_lab_devices{{state=\"{state}\"}} {count}");
    }
    text
}
