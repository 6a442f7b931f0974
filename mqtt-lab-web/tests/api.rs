//! The HTTP API over real sockets: every route, who may call it, and the live messages.
#![allow(clippy::unwrap_used, reason = "a test")]

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use axum::body::{Body, to_bytes};
use axum::http::{Request, Response, StatusCode, header};
use futures_util::StreamExt;
use mqtt_lab_core::VariableError;
use mqtt_lab_core::link::{Event, Incoming, Publish, Qos};
use mqtt_lab_core::supervisor::{Supervisor, Weight};
use mqtt_lab_web::bus::{Outlet, OutletStatus, Source};
use mqtt_lab_web::store::Store;
use mqtt_lab_web::store::sqlite::SqliteStore;
use mqtt_lab_web::{
    Notice, NoticeLevel, NoticeMessage, NoticeTitle, PublishLog, Seen, StartError, VariableView,
    VariableWish, Web, WebConfig, router,
};
use serde_json::{Value as Json, json};
use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::{Error as SocketError, Message};
use tower::ServiceExt;

/// Far longer than anything here takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);

/// A broker of its own: what is published is kept, what is said is heard.
#[derive(Default)]
struct Broker {
    away: AtomicBool,
    published: Mutex<Vec<Publish>>,
}

#[async_trait]
impl Outlet for Broker {
    async fn deliver(&self, message: Publish) -> Result<(), String> {
        if message.topic.contains("/forbidden/") {
            return Err("refused: not authorized".to_owned());
        }
        self.published.lock().unwrap().push(message);
        Ok(())
    }
    fn listen(&self, _: &str) {}
    async fn broker_listens(&self) -> bool {
        !self.away.load(Ordering::SeqCst)
    }
    fn status(&self) -> OutletStatus {
        let connected = !self.away.load(Ordering::SeqCst);
        let error = (!connected).then(|| "connection refused".to_owned());
        OutletStatus { connected, broker: "127.0.0.1:1883".to_owned(), error }
    }
    async fn close(&self, _: Duration) {}
}

struct Ears(mpsc::Receiver<Event>);

#[async_trait]
impl Source for Ears {
    async fn next(&mut self) -> Option<Event> {
        self.0.recv().await
    }
}

struct Lab {
    web: Web,
    broker: Arc<Broker>,
    mouth: mpsc::Sender<Event>,
    supervisor: Supervisor,
    _folder: tempfile::TempDir,
}

impl Lab {
    async fn new() -> Self {
        Self::with(WebConfig::default()).await
    }

    async fn with(config: WebConfig) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lab.sqlite");
        let store: Arc<dyn Store> = Arc::new(SqliteStore::open(path.to_str().unwrap()).await.unwrap());
        let broker = Arc::new(Broker::default());
        let (mouth, ears) = mpsc::channel(64);
        let config = WebConfig { bind: "127.0.0.1:0".to_owned(), ..config };
        let log: PublishLog = Arc::new(|topic| {
            topic.ends_with("/logged").then_some(Seen { qos: Qos::ExactlyOnce, retain: true })
        });
        let bus = (broker.clone() as Arc<dyn Outlet>, Box::new(Ears(ears)) as Box<dyn Source>);
        let supervisor = Supervisor::default();
        let web = Web::start_with(config, store, "lab".to_owned(), bus, Some(log), supervisor.clone())
            .await
            .unwrap();
        Self { web, broker, mouth, supervisor, _folder: folder }
    }

    /// A lab with one lamp that has spoken.
    async fn with_lamp() -> Self {
        let lab = Self::new().await;
        lab.say("lab/demo/lamp/$info", INFO).await;
        lab.say("lab/demo/lamp/$state", "ready").await;
        lab.say("lab/demo/lamp/on", "false").await;
        lab.stored(1).await;
        lab
    }

    async fn say(&self, topic: &str, payload: &str) {
        let message = Incoming::detached(topic, payload.to_owned());
        self.mouth.send(Event::Message(message)).await.unwrap();
    }

    fn host(&self) -> String {
        self.web.local_addr().to_string()
    }

    async fn call(&self, request: Request<Body>) -> Response<Body> {
        router(self.web.app()).oneshot(request).await.unwrap()
    }

    fn request(&self, method: &str, path: &str) -> axum::http::request::Builder {
        Request::builder().method(method).uri(path).header(header::HOST, self.host())
    }

    async fn get(&self, path: &str) -> (StatusCode, Json) {
        json_of(self.call(self.request("GET", path).body(Body::empty()).unwrap()).await).await
    }

    async fn send(&self, method: &str, path: &str, body: &Json) -> (StatusCode, Json) {
        let request = self.request(method, path).header(header::CONTENT_TYPE, "application/json");
        json_of(self.call(request.body(Body::from(body.to_string())).unwrap()).await).await
    }

    /// Logs in; returns the cookie as a browser sends it back.
    async fn log_in(&self, token: &str) -> String {
        let request = self.request("POST", "/api/v1/login").header(header::CONTENT_TYPE, "application/json");
        let body = Body::from(json!({"token": token}).to_string());
        let response = self.call(request.body(body).unwrap()).await;
        assert_eq!(response.status(), StatusCode::NO_CONTENT);
        let cookie = response.headers()[header::SET_COOKIE].to_str().unwrap();
        let name = format!("mqtt_lab_login_{}=", self.web.local_addr().port());
        assert!(cookie.starts_with(&name) && !cookie.contains(token), "{cookie}");
        for part in ["HttpOnly", "SameSite=Strict", "Path=/", "Max-Age=43200"] {
            assert!(cookie.contains(part), "{cookie}");
        }
        cookie.split(';').next().unwrap().to_owned()
    }

    /// Waits until so many samples are committed.
    async fn stored(&self, count: u64) {
        let enough = async {
            while self.get("/api/v1/lab").await.1["counts"]["stored"].as_u64().unwrap() < count {
                tokio::task::yield_now().await;
            }
        };
        timeout(PATIENCE, enough).await.unwrap();
    }

    /// Waits until a command has ended.
    async fn ended(&self, id: &str) -> Json {
        let ended = async {
            loop {
                let (_, command) = self.get(&format!("/api/v1/commands/{id}")).await;
                if command["state"] != "pending" {
                    return command;
                }
                tokio::task::yield_now().await;
            }
        };
        timeout(PATIENCE, ended).await.unwrap()
    }
}

const INFO: &str = r#"{"schema":1,"role":"actuator","kind":"lamp","label":"Lamp","qos":1,"retain":true,"channels":[
    {"name":"on","datatype":"bool","settable":true},{"name":"power","datatype":"float","unit":"W"},
    {"name":"scene","datatype":"choice","choices":["day","night"],"settable":true}]}"#;

async fn json_of(response: Response<Body>) -> (StatusCode, Json) {
    let status = response.status();
    if status.is_client_error() || status.is_server_error() {
        assert_eq!(response.headers()[header::CONTENT_TYPE], "application/problem+json");
    }
    let bytes = to_bytes(response.into_body(), usize::MAX).await.unwrap();
    let body: Json = serde_json::from_slice(&bytes).unwrap_or(Json::Null);
    if status.is_client_error() || status.is_server_error() {
        // What has a name has the values of its words, if only none of them.
        let kind = body["type"].as_str().unwrap();
        assert!(
            kind == "about:blank" && body["values"].is_null() || kind.starts_with("urn:mqtt-lab:problem:")
        );
        assert_eq!(body["status"], json!(status.as_u16()));
        assert!(body["title"].is_string() && body["detail"].is_string());
    }
    (status, body)
}

#[tokio::test]
async fn a_part_that_does_not_work_is_listed_with_its_cause() {
    let lab = Lab::new().await;
    let spool = lab.supervisor.part("spool", Weight::Essential);
    let (_, all) = lab.get("/api/v1/parts").await;
    let names: Vec<_> = all.as_array().unwrap().iter().map(|part| part["part"].as_str().unwrap()).collect();
    assert_eq!(names, ["ingest", "writer", "database", "live", "server", "clock", "spool"]);
    assert!(lab.get("/api/v1/lab").await.1["parts"].as_array().unwrap().is_empty(), "all of them work");
    spool.fails("disk full");
    spool.waiting(7);
    let (_, body) = lab.get("/api/v1/lab").await;
    let failing = &body["parts"][0];
    assert!(failing["since_ms"].as_f64().unwrap() > 1.7e12);
    assert_eq!(
        (&failing["part"], &failing["essential"], &failing["error"], &failing["waiting"]),
        (&json!("spool"), &json!(true), &json!("disk full"), &json!(7))
    );
    let (status, body) = lab.get("/readyz").await;
    assert_eq!((status, &body["values"]["parts"]), (StatusCode::SERVICE_UNAVAILABLE, &json!(["spool"])));
    spool.works();
    assert_eq!(lab.get("/readyz").await.0, StatusCode::OK);
}

#[tokio::test]
async fn what_any_part_set_aside_is_counted_and_listed() {
    let lab = Lab::new().await;
    let spool = lab.supervisor.part("spool", Weight::Essential);
    lab.supervisor.set_aside(&spool, "a message", "it is damaged");
    assert_eq!(lab.get("/api/v1/lab").await.1["counts"]["set_aside"], json!(1));
    let (_, body) = lab.get("/api/v1/set-aside").await;
    let entry = &body["last"][0];
    assert_eq!(
        (&body["total"], &entry["part"], &entry["what"], &entry["reason"]),
        (&json!(1), &json!("spool"), &json!("a message"), &json!("it is damaged"))
    );
}

#[tokio::test]
async fn the_lab_says_how_it_is() {
    let lab = Lab::with_lamp().await;
    let (status, body) = lab.get("/api/v1/lab").await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(
        body["broker"],
        json!({"address": "127.0.0.1:1883", "embedded": false, "connected": true, "error": null})
    );
    assert_eq!(body["store"], json!({"engine": "sqlite", "error": null}));
    assert_eq!(
        body["counts"],
        json!({"received": 1, "stored": 1, "duplicate": 0, "refused": 0, "lost": 0, "set_aside": 0})
    );
    assert_eq!((&body["root"], &body["name"]), (&json!("lab"), &json!("mqtt-lab")));
    assert!(body["started_ms"].as_f64().unwrap() > 1.7e12);
}

fn refused(text: &str) -> Notice {
    let messages = vec![NoticeMessage { text: text.to_owned(), hint: Some("a hint".to_owned()) }];
    Notice { level: NoticeLevel::Error, title: NoticeTitle::ConfigurationRefused, messages }
}

#[tokio::test]
async fn a_notice_is_shown_until_it_is_replaced_or_taken_back() {
    let lab = Lab::new().await;
    let notice = async || lab.get("/api/v1/lab").await.1["notice"].clone();
    assert_eq!(notice().await, Json::Null);
    let mut early = connect(lab.web.local_addr(), &[]).await.unwrap();
    assert_eq!(next(&mut early).await.unwrap()["type"], "devices");
    assert_eq!(next(&mut early).await.unwrap(), json!({"type": "notice", "notice": null}));

    lab.web.notify(Some(refused("lab.toml:3:1: unknown key `<b>`\n  more")));
    let shown = notice().await;
    assert_eq!(
        shown["messages"],
        json!([{"text": "lab.toml:3:1: unknown key `<b>`\n  more", "hint": "a hint"}])
    );
    assert_eq!((&shown["level"], &shown["title"]), (&json!("error"), &json!("configuration-refused")));
    assert!(shown["at_ms"].as_f64().unwrap() > 1.7e12);
    let mut late = connect(lab.web.local_addr(), &[]).await.unwrap();
    for socket in [&mut early, &mut late] {
        assert_eq!(wait_for(socket, "notice").await["notice"], shown);
        assert!(wait_for(socket, "lab").await["lab"].get("notice").is_none(), "not again each second");
    }

    lab.web.notify(Some(Notice {
        level: NoticeLevel::Info,
        title: NoticeTitle::RestartNeeded,
        messages: vec![],
    }));
    assert_eq!(wait_for(&mut early, "notice").await["notice"]["title"], "restart-needed");
    lab.web.notify(None);
    assert_eq!(wait_for(&mut early, "notice").await["notice"], Json::Null);
    assert_eq!(notice().await, Json::Null);
}

#[tokio::test]
async fn a_notice_is_not_for_everyone_where_a_token_is_set() {
    let lab = Lab::with(WebConfig { token: Some("geheim-7".to_owned()), ..WebConfig::default() }).await;
    lab.web.notify(Some(refused("lab.toml:3:1: secret")));
    let (status, body) = lab.get("/api/v1/lab").await;
    assert_eq!((status, &body["notice"]), (StatusCode::UNAUTHORIZED, &Json::Null));
    assert!(matches!(connect(lab.web.local_addr(), &[]).await, Err(SocketError::Http(_))));
}

#[tokio::test]
async fn a_device_is_shown_as_the_contract_says() {
    let lab = Lab::with_lamp().await;
    lab.say("lab/demo/x/logged", "1").await;
    lab.stored(2).await;
    let (_, devices) = lab.get("/api/v1/devices").await;
    let names: Vec<_> =
        devices.as_array().unwrap().iter().map(|device| device["id"].as_str().unwrap()).collect();
    assert_eq!(names, ["lamp", "x"]);
    let (status, lamp) = lab.get("/api/v1/devices/demo/lamp").await;
    assert_eq!((status, &lamp), (StatusCode::OK, &devices[0]));
    let keys: BTreeSet<_> = lamp.as_object().unwrap().keys().map(String::as_str).collect();
    let wanted = "group id name label kind role hidden announced state state_since_ms error last_seen_ms trigger \
                  payload version keep_alive_s downgrades will plugin counts channels refusal refusals no_readings clock";
    assert_eq!(keys, wanted.split_whitespace().collect());
    assert_eq!(
        (&lamp["role"], &lamp["state"], &lamp["announced"]),
        (&json!("actuator"), &json!("ready"), &json!(true))
    );
    let on = &lamp["channels"][0];
    let keys: BTreeSet<_> = on.as_object().unwrap().keys().map(String::as_str).collect();
    let wanted = "series name label datatype unit quantity min max step max_len choices settable qos retain value time_ms bytes \
                  described_by settings no_reading note proposal earlier";
    assert_eq!(keys, wanted.split_whitespace().collect());
    assert_eq!(
        (&on["value"], &on["bytes"], &on["qos"], &on["settable"]),
        (&json!(false), &json!(5), &json!(1), &json!(true))
    );
    assert_eq!(lamp["channels"][1]["series"], Json::Null);
    assert_eq!(lamp["channels"][2]["choices"], json!(["day", "night"]));
    let logged = &devices[1]["channels"][0];
    assert_eq!((&logged["qos"], &logged["retain"]), (&json!(2), &json!(true)));
    let (status, _) = lab.get("/api/v1/devices/demo/nobody").await;
    assert_eq!(status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_device_says_from_which_plugin_it_came() {
    let lab = Lab::with_lamp().await;
    assert_eq!(lab.get("/api/v1/devices/demo/lamp").await.1["plugin"], Json::Null);
    let mut socket = connect(lab.web.local_addr(), &[]).await.unwrap();
    for loads in [1, 2] {
        let plugin = json!({"name": "tank", "version": "0.1.0", "form": "library", "loads": loads});
        let info = json!({"schema": 1, "kind": "tank", "plugin": plugin, "channels": []});
        lab.say("lab/demo/tank/$info", &info.to_string()).await;
        while wait_for(&mut socket, "device").await["device"]["plugin"] != plugin {}
        assert_eq!(lab.get("/api/v1/devices/demo/tank").await.1["plugin"], plugin);
    }
}

#[tokio::test]
async fn a_person_describes_a_channel_that_its_device_does_not() {
    let lab = Lab::with_lamp().await;
    lab.say("lab/demo/x/a-t", "21.5 C").await;
    lab.stored(2).await;
    let path = "/api/v1/devices/demo/x/channels/a-t";
    let change = json!({"datatype": "float", "unit": "°C", "quantity": "temperature", "label": "Air"});
    let (status, device) = lab.send("PATCH", path, &change).await;
    let channel = &device["channels"][0];
    assert_eq!((status, &channel["described_by"]), (StatusCode::OK, &json!("person")));
    for (field, value) in change.as_object().unwrap() {
        assert_eq!(&channel[field], value, "{field}");
    }
    assert_eq!((&channel["series"], &channel["earlier"][0]["datatype"]), (&Json::Null, &json!("text")));
    assert_eq!(channel["settings"]["datatype"], "float");
    let (_, device) = lab.send("PATCH", path, &json!({"datatype": null, "label": null})).await;
    assert_eq!(device["channels"][0]["settings"]["datatype"], Json::Null);
    let channel = &device["channels"][0];
    assert_eq!(
        (&channel["datatype"], &channel["unit"], &channel["value"]),
        (&json!("text"), &json!("°C"), &json!("21.5 C"))
    );
    assert_eq!((&channel["label"], &channel["note"]), (&Json::Null, &json!("number_with_unit")));
    // Another one may be described before its first message.
    let (_, device) =
        lab.send("PATCH", "/api/v1/devices/demo/x/channels/b%2Fc", &json!({"datatype": "int"})).await;
    assert_eq!(
        (&device["channels"][1]["name"], &device["channels"][1]["datatype"]),
        (&json!("b/c"), &json!("int"))
    );
    let choices = json!({"datatype": "choice", "choices": ["eco", "boost"]});
    let (_, device) = lab.send("PATCH", path, &choices).await;
    assert_eq!(device["channels"][0]["choices"], choices["choices"]);

    for (path, change, status) in [
        ("/api/v1/devices/demo/nobody/channels/t", json!({"unit": "K"}), StatusCode::NOT_FOUND),
        ("/api/v1/devices/demo/x/channels/$interval", json!({"unit": "K"}), StatusCode::BAD_REQUEST),
        ("/api/v1/devices/demo/x/channels/a%2Fset", json!({"unit": "K"}), StatusCode::BAD_REQUEST),
        ("/api/v1/devices/demo/lamp/channels/on", json!({"unit": "K"}), StatusCode::CONFLICT),
        (path, json!({"datatype": "number"}), StatusCode::BAD_REQUEST),
        (path, json!({"unit": "x".repeat(65)}), StatusCode::BAD_REQUEST),
        (path, json!({"unit": "a\nb"}), StatusCode::BAD_REQUEST),
        (path, json!({"datatype": "choice"}), StatusCode::BAD_REQUEST),
        (path, json!({"datatype": "float", "choices": ["a"]}), StatusCode::BAD_REQUEST),
        (path, json!({"choices": []}), StatusCode::BAD_REQUEST),
        (path, json!({"colour": "red"}), StatusCode::BAD_REQUEST),
    ] {
        assert_eq!(lab.send("PATCH", path, &change).await.0, status, "{path} {change}");
    }
}

#[tokio::test]
async fn a_device_can_be_named_and_hidden() {
    let lab = Lab::with_lamp().await;
    let path = "/api/v1/devices/demo/lamp";
    let (status, lamp) = lab.send("PATCH", path, &json!({"name": " Licht "})).await;
    assert_eq!((status, &lamp["name"], &lamp["hidden"]), (StatusCode::OK, &json!("Licht"), &json!(false)));
    let (_, lamp) = lab.send("PATCH", path, &json!({"hidden": true})).await;
    assert_eq!((&lamp["name"], &lamp["hidden"]), (&json!("Licht"), &json!(true)));
    assert_eq!(lab.get("/api/v1/recent").await.1, json!({"points": {}}));
    let (_, lamp) = lab.send("PATCH", path, &json!({"name": null, "hidden": false})).await;
    assert_eq!((&lamp["name"], &lamp["hidden"]), (&Json::Null, &json!(false)));
    for bad in [
        json!({}),
        json!({"name": ""}),
        json!({"name": "x".repeat(101)}),
        json!({"color": 1}),
        json!([]),
        json!({"name": "a\nb"}),
    ] {
        assert_eq!(lab.send("PATCH", path, &bad).await.0, StatusCode::BAD_REQUEST, "{bad}");
    }
    let unknown = lab.send("PATCH", "/api/v1/devices/demo/nobody", &json!({"hidden": true})).await;
    assert_eq!(unknown.0, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn states_and_values_can_be_read() {
    let lab = Lab::with_lamp().await;
    lab.say("lab/demo/lamp/$state", "lost").await;
    lab.say("lab/demo/lamp/on", "true").await;
    lab.stored(2).await;
    let (_, states) = lab.get("/api/v1/devices/demo/lamp/states").await;
    let states: Vec<_> =
        states.as_array().unwrap().iter().map(|s| (s["state"].clone(), s["cause"].clone())).collect();
    assert_eq!(states, [(json!("lost"), json!("will")), (json!("ready"), json!("announced"))]);
    let (_, newest) = lab.get("/api/v1/devices/demo/lamp/states?limit=1").await;
    assert_eq!(newest.as_array().unwrap().len(), 1);
    let (_, series) = lab.get("/api/v1/series").await;
    assert_eq!(
        series,
        json!([{"id": 1, "group": "demo", "device": "lamp", "channel": "on", "datatype": "bool", "unit": null}])
    );
    let (_, points) = lab.get("/api/v1/series/1/points?max_points=4").await;
    assert_eq!((&points["series"], &points["datatype"]), (&json!(1), &json!("bool")));
    let values: Vec<_> = points["points"].as_array().unwrap().iter().map(|point| point[1].clone()).collect();
    assert_eq!(values, [json!(false), json!(true)]);
    assert_eq!(lab.get("/api/v1/series/1/points?from_ms=0&to_ms=5.5").await.1["points"], json!([]));
    let (_, recent) = lab.get("/api/v1/recent?window_ms=60000&max_points=120").await;
    assert_eq!(recent["points"]["1"], points["points"]);
}

#[tokio::test]
async fn what_makes_no_sense_is_refused_with_a_reason() {
    let lab = Lab::with_lamp().await;
    for path in [
        "/api/v1/series/1/points?from_ms=2&to_ms=1",
        "/api/v1/series/1/points?from_ms=soon",
        "/api/v1/series/1/points?from_ms=NaN",
        "/api/v1/series/1/points?max_points=3",
        "/api/v1/series/1/points?max_points=5001",
        "/api/v1/series/1/points?max_point=10",
        "/api/v1/series/one/points",
        "/api/v1/recent?window_ms=0",
        "/api/v1/devices/demo/lamp/states?limit=0",
        "/api/v1/devices/demo/lamp/commands?limit=x",
        "/api/v1/devices/demo/%ff",
        "/api/v1/live",
    ] {
        assert_eq!(lab.get(path).await.0, StatusCode::BAD_REQUEST, "{path}");
    }
    for path in [
        "/api/v1/series/99/points",
        "/api/v1/commands/none",
        "/api/v1/nothing",
        "/nothing.js",
        "/../Cargo.toml",
    ] {
        assert_eq!(lab.get(path).await.0, StatusCode::NOT_FOUND, "{path}");
    }
    assert_eq!(lab.send("DELETE", "/api/v1/lab", &json!({})).await.0, StatusCode::METHOD_NOT_ALLOWED);
    let set = "/api/v1/devices/demo/lamp/on/set";
    let long = json!({"value": "x".repeat(70_000)});
    assert_eq!(lab.send("POST", set, &long).await.0, StatusCode::PAYLOAD_TOO_LARGE);
    let form = lab.request("POST", set).body(Body::from("value=true")).unwrap();
    assert_eq!(json_of(lab.call(form).await).await.0, StatusCode::UNSUPPORTED_MEDIA_TYPE);
}

#[tokio::test]
async fn a_command_goes_out_and_its_answer_comes_back() {
    let lab = Lab::with_lamp().await;
    let (status, command) =
        lab.send("POST", "/api/v1/devices/demo/lamp/on/set", &json!({"value": 1, "ttl_ms": 60_000})).await;
    assert_eq!(
        (status, &command["state"], &command["value"]),
        (StatusCode::ACCEPTED, &json!("pending"), &json!(true))
    );
    let id = command["id"].as_str().unwrap().to_owned();
    let sent = async {
        loop {
            if let Some(sent) = lab.broker.published.lock().unwrap().first() {
                return sent.clone();
            }
            tokio::task::yield_now().await;
        }
    };
    let sent = timeout(PATIENCE, sent).await.unwrap();
    assert_eq!(
        (sent.topic.as_str(), sent.qos, sent.retain),
        ("lab/demo/lamp/on/set", Qos::AtLeastOnce, false)
    );
    let wire = mqtt_lab_wire::Command::decode(&sent.payload).unwrap();
    assert_eq!((wire.id, wire.ttl_ms), (Some(id.as_str()), Some(60_000)));
    lab.say("lab/demo/lamp/on/result", &format!(r#"{{"id":"{id}","ok":true,"v":true}}"#)).await;
    let ended = lab.ended(&id).await;
    assert_eq!((&ended["state"], &ended["error"]), (&json!("confirmed"), &Json::Null));
    assert_eq!(lab.get("/api/v1/devices/demo/lamp/commands").await.1, json!([ended]));
}

#[tokio::test]
async fn a_command_without_answer_times_out() {
    let lab = Lab::with_lamp().await;
    let (_, command) =
        lab.send("POST", "/api/v1/devices/demo/lamp/on/set", &json!({"value": true, "ttl_ms": 1})).await;
    let ended = lab.ended(command["id"].as_str().unwrap()).await;
    assert_eq!(ended["state"], "timed_out");
    assert!(ended["ended_ms"].as_f64().unwrap() >= ended["sent_ms"].as_f64().unwrap() + 1_000.0);
}

#[tokio::test]
async fn a_command_that_the_broker_refuses_is_refused() {
    let lab = Lab::new().await;
    lab.say("lab/forbidden/x/y", "1").await;
    lab.stored(1).await;
    let (_, command) = lab.send("POST", "/api/v1/devices/forbidden/x/y/set", &json!({"value": 2})).await;
    let ended = lab.ended(command["id"].as_str().unwrap()).await;
    assert_eq!((&ended["state"], &ended["error"]), (&json!("refused"), &json!("refused: not authorized")));
}

#[tokio::test]
async fn a_command_that_does_not_fit_is_not_sent() {
    let lab = Lab::with_lamp().await;
    for (channel, body, status) in [
        ("on", json!({"value": "maybe"}), StatusCode::UNPROCESSABLE_ENTITY),
        ("on", json!({"value": null}), StatusCode::UNPROCESSABLE_ENTITY),
        ("on", json!({"value": [1]}), StatusCode::UNPROCESSABLE_ENTITY),
        ("scene", json!({"value": "dusk"}), StatusCode::UNPROCESSABLE_ENTITY),
        ("power", json!({"value": 1}), StatusCode::UNPROCESSABLE_ENTITY),
        ("on", json!({"value": true, "ttl_ms": 0}), StatusCode::BAD_REQUEST),
        ("on", json!({}), StatusCode::BAD_REQUEST),
        ("a%2B", json!({"value": true}), StatusCode::BAD_REQUEST),
        ("$state", json!({"value": true}), StatusCode::BAD_REQUEST),
    ] {
        let path = format!("/api/v1/devices/demo/lamp/{channel}/set");
        assert_eq!(lab.send("POST", &path, &body).await.0, status, "{channel} {body}");
    }
    let path = "/api/v1/devices/demo/nobody/on/set";
    assert_eq!(lab.send("POST", path, &json!({"value": true})).await.0, StatusCode::NOT_FOUND);
    lab.broker.away.store(true, Ordering::SeqCst);
    let path = "/api/v1/devices/demo/lamp/on/set";
    assert_eq!(lab.send("POST", path, &json!({"value": true})).await.0, StatusCode::SERVICE_UNAVAILABLE);
    assert!(lab.broker.published.lock().unwrap().is_empty());
    assert_eq!(lab.get("/api/v1/devices/demo/lamp/commands").await.1, json!([]));
}

#[tokio::test]
async fn health_readiness_and_metrics() {
    let lab = Lab::with_lamp().await;
    assert_eq!(lab.get("/healthz").await.0, StatusCode::OK);
    assert_eq!(lab.get("/readyz").await, (StatusCode::OK, json!({"status": "ready", "degraded": []})));
    lab.web.show_unconnected(vec!["demo/lamp".to_owned()]);
    assert_eq!(
        lab.get("/readyz").await,
        (StatusCode::OK, json!({"status": "ready", "degraded": ["demo/lamp"]}))
    );
    let response = lab.call(lab.request("GET", "/metrics").body(Body::empty()).unwrap()).await;
    let text = to_bytes(response.into_body(), usize::MAX).await.unwrap();
    let text = std::str::from_utf8(&text).unwrap();
    for line in [
        "mqtt_lab_samples_stored_total 1",
        "mqtt_lab_broker_connected 1",
        "mqtt_lab_part_up{part=\"writer\"} 1",
        "mqtt_lab_part_restarts_total{part=\"writer\"} 0",
        "mqtt_lab_devices{state=\"ready\"} 1",
    ] {
        assert!(text.lines().any(|found| found == line), "{line}");
    }
    lab.broker.away.store(true, Ordering::SeqCst);
    let (status, problem) = lab.get("/readyz").await;
    assert_eq!(
        (status, &problem["detail"]),
        (StatusCode::SERVICE_UNAVAILABLE, &json!("ingest: no broker: connection refused"))
    );
    assert_eq!(problem["values"]["parts"], json!(["ingest"]));
    assert_eq!(lab.get("/healthz").await.0, StatusCode::OK);
}

#[tokio::test]
async fn the_description_lists_every_route() {
    let lab = Lab::new().await;
    let (_, description) = lab.get("/api/openapi.json").await;
    assert_eq!(description["openapi"], "3.1.0");
    let source = include_str!("../src/api/mod.rs");
    let served: BTreeSet<_> =
        source.split(".route(\"").skip(1).filter_map(|rest| rest.split('"').next()).collect();
    let listed: BTreeSet<_> = description["paths"].as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(listed, served);
    for (path, operations) in description["paths"].as_object().unwrap() {
        for method in operations.as_object().unwrap().keys() {
            let path = path.replace("{id}", "1").replace(['{', '}'], "");
            let request = lab.request(&method.to_uppercase(), &path).body(Body::empty()).unwrap();
            let status = lab.call(request).await.status();
            assert_ne!(status, StatusCode::METHOD_NOT_ALLOWED, "{method} {path}");
        }
    }
}

#[tokio::test]
async fn foreign_hosts_and_foreign_pages_are_refused() {
    let lab =
        Lab::with(WebConfig { allowed_hosts: vec!["lab.example.org".to_owned()], ..WebConfig::default() })
            .await;
    let status = async |method: &str, host: Option<&str>, origin: Option<&str>| {
        let mut request = Request::builder().method(method).uri("/api/v1/lab");
        if let Some(host) = host {
            request = request.header(header::HOST, host);
        }
        if let Some(origin) = origin {
            request = request.header(header::ORIGIN, origin);
        }
        lab.call(request.body(Body::empty()).unwrap()).await.status()
    };
    let (own, port) = (lab.host(), lab.web.local_addr().port());
    let (named, origin) = (format!("localhost:{port}"), format!("http://{own}"));
    assert_eq!(status("GET", Some(&own), None).await, StatusCode::OK);
    assert_eq!(status("GET", Some(&named), None).await, StatusCode::OK);
    assert_eq!(status("GET", Some("lab.example.org"), None).await, StatusCode::OK);
    assert_eq!(
        status("GET", Some(&own), Some("http://evil.example")).await,
        StatusCode::OK,
        "the browser keeps it from the page"
    );
    assert_eq!(status("GET", Some("evil.example"), None).await, StatusCode::FORBIDDEN);
    assert_eq!(status("GET", Some("localhost"), None).await, StatusCode::FORBIDDEN);
    assert_eq!(status("GET", None, None).await, StatusCode::FORBIDDEN);
    // 405: it passed the guard.
    assert_eq!(status("POST", Some(&own), Some(&origin)).await, StatusCode::METHOD_NOT_ALLOWED);
    assert_eq!(status("POST", Some(&own), None).await, StatusCode::METHOD_NOT_ALLOWED);
    for foreign in ["http://evil.example", "null", "http://localhost:1", "http://127.0.0.1"] {
        assert_eq!(status("POST", Some(&own), Some(foreign)).await, StatusCode::FORBIDDEN, "{foreign}");
    }
}

#[tokio::test]
async fn a_token_is_needed_where_one_is_set() {
    let lab = Lab::with(WebConfig { token: Some("geheim-7".to_owned()), ..WebConfig::default() }).await;
    let get = async |path: &str, name: header::HeaderName, value: &str| {
        let request = lab.request("GET", path).header(name, value);
        lab.call(request.body(Body::empty()).unwrap()).await.status()
    };
    for path in ["/api/v1/lab", "/api/v1/devices", "/api/v1/live", "/api/openapi.json", "/metrics", "/readyz"]
    {
        assert_eq!(lab.get(path).await.0, StatusCode::UNAUTHORIZED, "{path}");
    }
    assert_eq!(get("/api/v1/lab", header::AUTHORIZATION, "Bearer geheim-7").await, StatusCode::OK);
    assert_eq!(get("/api/v1/lab", header::AUTHORIZATION, "Bearer geheim-8").await, StatusCode::UNAUTHORIZED);
    for cookie in ["mqtt_lab_token=geheim-7", "mqtt_lab_login_PORT=geheim-7", "mqtt_lab_login_PORT="] {
        let cookie = cookie.replace("PORT", &lab.web.local_addr().port().to_string());
        assert_eq!(get("/api/v1/lab", header::COOKIE, &cookie).await, StatusCode::UNAUTHORIZED, "{cookie}");
    }
    assert_eq!(lab.get("/healthz").await.0, StatusCode::OK);
    let (status, _) = lab.send("POST", "/api/v1/login", &json!({"token": "falsch"})).await;
    assert_eq!(status, StatusCode::UNAUTHORIZED);
    let pair = lab.log_in("geheim-7").await;
    assert_eq!(get("/api/v1/lab", header::COOKIE, &pair).await, StatusCode::OK);
    assert_eq!(get("/api/v1/lab", header::COOKIE, &format!("{pair}; {pair}")).await, StatusCode::BAD_REQUEST);
    let several = lab.request("GET", "/api/v1/lab").header(header::COOKIE, &pair);
    let several = several.header(header::AUTHORIZATION, "Bearer geheim-7").body(Body::empty()).unwrap();
    assert_eq!(lab.call(several).await.status(), StatusCode::BAD_REQUEST);
    // A foreign page may not log in, whatever it knows.
    let foreign = lab.request("POST", "/api/v1/login").header(header::ORIGIN, "http://evil.example");
    assert_eq!(lab.call(foreign.body(Body::empty()).unwrap()).await.status(), StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn the_page_is_served_with_protection_and_without_reloading() {
    let lab = Lab::new().await;
    let request =
        lab.request("GET", "/").header(header::ACCEPT_ENCODING, "gzip").body(Body::empty()).unwrap();
    let response = lab.call(request).await;
    let headers = response.headers().clone();
    assert_eq!(
        (response.status(), &headers[header::CONTENT_ENCODING]),
        (StatusCode::OK, &"gzip".parse().unwrap())
    );
    assert_eq!(headers[header::CONTENT_TYPE], "text/html; charset=utf-8");
    assert_eq!(headers[header::X_CONTENT_TYPE_OPTIONS], "nosniff");
    assert_eq!(headers[header::REFERRER_POLICY], "no-referrer");
    let policy = headers[header::CONTENT_SECURITY_POLICY].to_str().unwrap();
    assert!(policy.starts_with("default-src 'none'; script-src 'self'") && !policy.contains("unsafe"));
    let again = lab.request("GET", "/").header(header::IF_NONE_MATCH, &headers[header::ETAG]);
    let response = lab.call(again.body(Body::empty()).unwrap()).await;
    assert_eq!(response.status(), StatusCode::NOT_MODIFIED);
    let script = lab.call(lab.request("GET", "/js/main.js").body(Body::empty()).unwrap()).await;
    assert_eq!(script.headers()[header::CONTENT_TYPE], "text/javascript; charset=utf-8");
    let values = lab.call(lab.request("GET", "/api/v1/lab").body(Body::empty()).unwrap()).await;
    assert_eq!(values.headers()[header::CACHE_CONTROL], "no-store");
}

type Socket = tokio_tungstenite::WebSocketStream<tokio_tungstenite::MaybeTlsStream<tokio::net::TcpStream>>;

async fn connect(address: SocketAddr, headers: &[(&str, &str)]) -> Result<Socket, SocketError> {
    let mut request = format!("ws://{address}/api/v1/live").into_client_request().unwrap();
    for (name, value) in headers {
        let name: header::HeaderName = name.parse().unwrap();
        request.headers_mut().insert(name, value.parse().unwrap());
    }
    tokio_tungstenite::connect_async(request).await.map(|(socket, _)| socket)
}

/// The next message; `None` once the server said goodbye.
async fn next(socket: &mut Socket) -> Option<Json> {
    match timeout(PATIENCE, socket.next()).await.unwrap() {
        Some(Ok(Message::Text(text))) => Some(serde_json::from_str(&text).unwrap()),
        _ => None,
    }
}

/// The next message of a type.
async fn wait_for(socket: &mut Socket, kind: &str) -> Json {
    loop {
        let message = next(socket).await.unwrap();
        if message["type"] == kind {
            return message;
        }
    }
}

#[tokio::test]
async fn the_live_socket_tells_what_changes() {
    let lab = Lab::with_lamp().await;
    let mut socket =
        connect(lab.web.local_addr(), &[("origin", &format!("http://{}", lab.host()))]).await.unwrap();
    let first = next(&mut socket).await.unwrap();
    assert_eq!((&first["type"], &first["devices"][0]["id"]), (&json!("devices"), &json!("lamp")));
    lab.say("lab/demo/lamp/on", "true").await;
    let samples = wait_for(&mut socket, "samples").await;
    let row = samples["samples"][0].as_array().unwrap();
    assert_eq!((&row[0], &row[2], &row[3], &row[4]), (&json!(1), &json!(true), &json!(4), &json!(1)));
    lab.say("lab/new/device/t", "1").await;
    // It is known before its samples come.
    let mut known = Vec::new();
    loop {
        let message = next(&mut socket).await.unwrap();
        match message["type"].as_str().unwrap() {
            "device" => known.extend(
                message["device"]["channels"].as_array().unwrap().iter().map(|c| c["series"].clone()),
            ),
            "samples" if message["samples"].as_array().unwrap().iter().any(|row| row[0] == 2) => break,
            _ => {}
        }
    }
    assert!(known.contains(&json!(2)));
    lab.say("lab/demo/lamp/$state", "lost").await;
    loop {
        let message = wait_for(&mut socket, "device").await;
        if message["device"]["state"] == "lost" {
            break;
        }
    }
    lab.send("POST", "/api/v1/devices/demo/lamp/on/set", &json!({"value": true})).await;
    assert_eq!(wait_for(&mut socket, "command").await["command"]["state"], "pending");
    assert_eq!(wait_for(&mut socket, "lab").await["lab"]["broker"]["connected"], true);
    lab.say("lab/demo/lamp/$info", "").await;
    assert_eq!(
        wait_for(&mut socket, "removed").await,
        json!({"type": "removed", "group": "demo", "id": "lamp"})
    );
    lab.web.shutdown(PATIENCE).await;
    while next(&mut socket).await.is_some() {}
}

#[tokio::test]
async fn counts_are_told_within_a_tick() {
    let lab = Lab::new().await;
    let mut socket = connect(lab.web.local_addr(), &[]).await.unwrap();
    lab.say("lab/demo/x/t", r#"{"v":1,"t":1795435200000000,"b":"k3f9","n":1}"#).await;
    lab.say("lab/demo/x/t", r#"{"v":2,"t":1795435200000001,"b":"k3f9","n":5}"#).await;
    loop {
        let message = wait_for(&mut socket, "device").await;
        if message["device"]["counts"]["lost"] == 3 {
            break;
        }
    }
}

#[tokio::test]
async fn a_logout_ends_the_login_and_what_was_opened_under_it() {
    let lab = Lab::with(WebConfig { token: Some("geheim-7".to_owned()), ..WebConfig::default() }).await;
    let (pair, other) = (lab.log_in("geheim-7").await, lab.log_in("geheim-7").await);
    let mut page = connect(lab.web.local_addr(), &[("cookie", &pair)]).await.unwrap();
    let status = async |method: &str, path: &str, pair: &str| {
        let request = lab.request(method, path).header(header::COOKIE, pair);
        lab.call(request.body(Body::empty()).unwrap()).await.status()
    };
    assert_eq!(status("POST", "/api/v1/logout", &pair).await, StatusCode::NO_CONTENT);
    let end = async { while !matches!(page.next().await, None | Some(Err(_) | Ok(Message::Close(_)))) {} };
    timeout(PATIENCE, end).await.unwrap();
    assert_eq!(status("GET", "/api/v1/lab", &pair).await, StatusCode::UNAUTHORIZED);
    assert_eq!(status("GET", "/api/v1/lab", &other).await, StatusCode::OK);
    assert_eq!(
        status("POST", "/api/v1/logout", &pair).await,
        StatusCode::NO_CONTENT,
        "nothing is left to end"
    );
}

#[tokio::test]
async fn names_that_browsers_take_out_of_an_address_have_another_form() {
    let lab = Lab::new().await;
    for (n, name) in [".", "..", "~", "~.", "a.b", "<script>alert(1)</script>"].into_iter().enumerate() {
        lab.say(&format!("lab/demo/{name}/x"), "1").await;
        lab.stored(u64::try_from(n).unwrap() + 1).await;
    }
    for (written, id) in [
        ("~.", "."),
        ("~..", ".."),
        ("~~", "~"),
        ("~~.", "~."),
        ("a.b", "a.b"),
        ("%3Cscript%3Ealert(1)%3C%2Fscript%3E", ""),
    ] {
        let (status, device) = lab.get(&format!("/api/v1/devices/demo/{written}")).await;
        if id.is_empty() {
            assert_eq!(status, StatusCode::NOT_FOUND, "`/` ends a topic level");
        } else {
            assert_eq!((status, device["id"].as_str()), (StatusCode::OK, Some(id)), "{written}");
        }
    }
}

#[tokio::test]
async fn what_a_client_says_is_bounded_in_the_api() {
    let lab = Lab::new().await;
    let long = "\u{202e}<script>".repeat(5_000);
    let long = long.get(..60_000).unwrap_or(&long);
    let info = |members: String| format!(r#"{{"schema":1,{members}}}"#);
    lab.say("lab/demo/a/$info", &info(format!(r#""label":"{long}","channels":[]"#))).await;
    lab.say("lab/demo/b/$info", &info(format!(r#""role":"{long}""#))).await;
    let will =
        |topic: &str| info(format!(r#""will":{{"topic":"{topic}","payload":"x","qos":0,"retain":false}}"#));
    for (n, topic) in ["#", "+", "a/#", "a/+/b", "", "\\u0000", "$SYS/x", long].into_iter().enumerate() {
        lab.say(&format!("lab/demo/will-{n}/$info"), &will(topic)).await;
    }
    lab.say("lab/demo/c/$error", long).await;
    lab.say("lab/demo/c/text", long).await;
    lab.say("lab/demo/last/x", "1").await;
    lab.stored(1).await;
    let (_, devices) = lab.get("/api/v1/devices").await;
    let devices = devices.as_array().unwrap();
    assert_eq!(devices.len(), 12);
    for device in devices {
        let size = device.to_string().len();
        assert!(size < 8_000, "{size} bytes: {}", device["id"]);
        let id = device["id"].as_str().unwrap();
        let refused = ["b", "c"].contains(&id) || id.starts_with("will-");
        assert_eq!(device["refusal"].is_string() && device["announced"] == false, refused, "{device}");
    }
}

#[tokio::test]
async fn a_foreign_page_cannot_listen() {
    let lab = Lab::with(WebConfig { token: Some("geheim-7".to_owned()), ..WebConfig::default() }).await;
    let address = lab.web.local_addr();
    let status = async |headers: &[(&str, &str)]| match connect(address, headers).await {
        Ok(_) => StatusCode::SWITCHING_PROTOCOLS,
        Err(SocketError::Http(response)) => response.status(),
        Err(other) => panic!("{other}"),
    };
    let own = format!("http://{address}");
    let pair = lab.log_in("geheim-7").await;
    let cookie = ("cookie", pair.as_str());
    assert_eq!(status(&[("origin", &own), cookie]).await, StatusCode::SWITCHING_PROTOCOLS);
    assert_eq!(status(&[("origin", "http://evil.example"), cookie]).await, StatusCode::FORBIDDEN);
    assert_eq!(status(&[("origin", &own)]).await, StatusCode::UNAUTHORIZED);
    let open = Lab::new().await;
    let refused = connect(open.web.local_addr(), &[("host", "evil.example")]).await;
    assert!(
        matches!(refused, Err(SocketError::Http(response)) if response.status() == StatusCode::FORBIDDEN)
    );
}

#[tokio::test]
async fn what_was_said_is_there_after_a_restart() {
    let lab = Lab::with_lamp().await;
    for i in 0..40 {
        lab.say("lab/demo/lamp/power", &i.to_string()).await;
    }
    // All of it was received when the 41st is taken; the shutdown commits what is on its way.
    lab.stored(2).await;
    let Lab { web, _folder: folder, mouth, .. } = lab;
    let taken = async {
        while mouth.capacity() < mouth.max_capacity() {
            tokio::task::yield_now().await;
        }
    };
    timeout(PATIENCE, taken).await.unwrap();
    web.shutdown(PATIENCE).await;
    let path = folder.path().join("lab.sqlite");
    let store: Arc<dyn Store> = Arc::new(SqliteStore::open(path.to_str().unwrap()).await.unwrap());
    let (_mouth, ears) = mpsc::channel(1);
    let bus = (Arc::new(Broker::default()) as Arc<dyn Outlet>, Box::new(Ears(ears)) as Box<dyn Source>);
    let config = WebConfig { bind: "127.0.0.1:0".to_owned(), ..WebConfig::default() };
    let web =
        Web::start_with(config, store, "lab".to_owned(), bus, None, Supervisor::default()).await.unwrap();
    let request = Request::get("/api/v1/series/2/points").header(header::HOST, web.local_addr().to_string());
    let response = router(web.app()).oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
    let (_, body) = json_of(response).await;
    assert_eq!(body["points"].as_array().unwrap().len(), 40);
}

async fn start_at(bind: &str, token: Option<&str>, root: &str) -> Result<Web, StartError> {
    let config = WebConfig { bind: bind.to_owned(), token: token.map(str::to_owned), ..WebConfig::default() };
    start_as(config, root).await
}

async fn start_as(config: WebConfig, root: &str) -> Result<Web, StartError> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("lab.sqlite");
    let store: Arc<dyn Store> = Arc::new(SqliteStore::open(path.to_str().unwrap()).await.unwrap());
    let (_, ears) = mpsc::channel(1);
    let bus = (Arc::new(Broker::default()) as Arc<dyn Outlet>, Box::new(Ears(ears)) as Box<dyn Source>);
    Web::start_with(config, store, root.to_owned(), bus, None, Supervisor::default()).await
}

#[tokio::test]
async fn an_address_that_cannot_be_served_is_named() {
    let taken = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let error = start_at(&address, None, "lab").await.unwrap_err();
    assert!(matches!(error, StartError::AddressTaken { .. }), "{error:?}");
    assert!(error.to_string().contains(&address) && error.hint().contains("web.bind"));
    let elsewhere = WebConfig {
        bind: "192.0.2.1:0".to_owned(),
        allow_remote: true,
        token: Some("geheim-7".to_owned()),
        ..WebConfig::default()
    };
    let error = start_as(elsewhere, "lab").await.unwrap_err();
    assert!(matches!(error, StartError::Listen { .. }), "{error:?}");
    let error = start_at("8080", None, "lab").await.unwrap_err();
    assert!(matches!(error, StartError::Address { .. }), "{error:?}");
    let error = start_at("0.0.0.0:0", None, "lab").await.unwrap_err();
    assert!(matches!(error, StartError::Unprotected { .. }), "{error:?}");
    let error = start_at("0.0.0.0:0", Some("geheim-7"), "lab").await.unwrap_err();
    assert!(matches!(error, StartError::Unprotected { .. }), "{error:?}");
    let bind = "0.0.0.0:0".to_owned();
    let open = WebConfig { bind, allow_remote: true, ..WebConfig::default() };
    let error = start_as(open.clone(), "lab").await.unwrap_err();
    assert!(matches!(error, StartError::Unprotected { .. }), "{error:?}");
    let guarded = WebConfig { token: Some("geheim-7".to_owned()), ..open };
    start_as(guarded, "lab").await.unwrap().shutdown(PATIENCE).await;
    let error = start_at("127.0.0.1:0", Some("a b"), "lab").await.unwrap_err();
    assert!(matches!(error, StartError::BadToken), "{error:?}");
    let error = start_at("127.0.0.1:0", None, "lab/#").await.unwrap_err();
    assert!(matches!(error, StartError::BadRoot { .. }), "{error:?}");
}

#[tokio::test]
async fn the_last_message_of_every_topic_can_be_read() {
    let lab = Lab::with_lamp().await;
    lab.say("lab/demo/lamp/on/set", "true").await;
    lab.say("lab/demo/lamp/$nothing", "refused, and shown").await;
    lab.say("lab/demo/x/logged", "1").await;
    lab.stored(2).await;
    let (status, list) = lab.get("/api/v1/topics?prefix=lab/demo/").await;
    assert_eq!(status, StatusCode::OK);
    let topics: Vec<_> = list["topics"].as_array().unwrap().iter().map(|row| row["topic"].clone()).collect();
    let names = ["lamp/$info", "lamp/$nothing", "lamp/$state", "lamp/on", "lamp/on/set", "x/logged"];
    assert_eq!(topics, names.map(|name| json!(format!("lab/demo/{name}"))));
    assert_eq!((&list["total"], &list["left_out"], &list["unkept"]), (&json!(6), &json!(0), &json!(0)));
    let mut row = list["topics"][5].clone();
    assert!(row["time_ms"].take().as_f64().unwrap() > 1.7e12);
    let expected = json!({"topic": "lab/demo/x/logged", "preview": "1", "bytes": 1, "qos": 2,
        "retained": true, "keeps_older": false, "time_ms": null, "count": 1});
    assert_eq!(row, expected);

    let (status, message) = lab.get("/api/v1/topics/message?topic=lab/demo/lamp/on/set").await;
    assert_eq!((status, &message["text"], &message["qos"]), (StatusCode::OK, &json!("true"), &Json::Null));
    let packet = json!({"version": 5, "qos": 1, "fixed_header": 2, "topic": 22, "packet_id": 2, "properties": 1,
        "payload": 4, "total": 31});
    assert_eq!(message["packet"], packet);

    let since = format!("/api/v1/topics?since={}&limit=1", list["next"]);
    assert_eq!(lab.get(&since).await.1["topics"], json!([]));
    lab.say("lab/demo/x/logged", "2").await;
    lab.stored(3).await;
    assert_eq!(lab.get(&since).await.1["topics"][0]["preview"], "2");
    assert_eq!(lab.get("/api/v1/topics/message?topic=lab/nobody").await.0, StatusCode::NOT_FOUND);
    for bad in ["?limit=0", "?limit=20001", "?since=-1", "?prefx=a", "/message"] {
        assert_eq!(lab.get(&format!("/api/v1/topics{bad}")).await.0, StatusCode::BAD_REQUEST, "{bad}");
    }
}

#[tokio::test]
async fn a_message_can_be_published_by_hand_anywhere() {
    let lab = Lab::new().await;
    let wish = json!({"topic": "elsewhere/<b>", "payload": "ä", "qos": 2, "retain": true});
    let (status, published) = lab.send("POST", "/api/v1/publish", &wish).await;
    assert_eq!((status, &published["qos"], &published["retain"]), (StatusCode::OK, &json!(2), &json!(true)));
    assert_eq!(published["packet"]["payload"], 2);
    let (status, _) = lab.send("POST", "/api/v1/publish", &json!({"topic": "a", "payload": ""})).await;
    assert_eq!(status, StatusCode::OK);
    let large = json!({"topic": "a", "payload": "\u{1}".repeat(64 * 1024)});
    assert_eq!(lab.send("POST", "/api/v1/publish", &large).await.0, StatusCode::OK);
    let sent = lab.broker.published.lock().unwrap().clone();
    let expected = Publish::new("elsewhere/<b>", "ä").qos(Qos::ExactlyOnce).retain(true);
    assert_eq!(sent[0], expected);
    assert_eq!((sent[1].qos, sent[1].retain, sent.len()), (Qos::AtMostOnce, false, 3));
}

#[tokio::test]
async fn a_message_that_mqtt_does_not_allow_is_not_published() {
    let lab = Lab::new().await;
    for bad in [
        json!({"topic": "", "payload": ""}),
        json!({"topic": "a/#", "payload": ""}),
        json!({"topic": "a/+/b", "payload": ""}),
        json!({"topic": "a\u{0}", "payload": ""}),
        json!({"topic": "t".repeat(65_536), "payload": ""}),
        json!({"topic": "a", "payload": "", "qos": 3}),
        json!({"topic": "a", "payload": "x".repeat(65_537)}),
        json!({"topic": "a/forbidden/b", "payload": ""}),
    ] {
        assert_eq!(lab.send("POST", "/api/v1/publish", &bad).await.0, StatusCode::UNPROCESSABLE_ENTITY);
    }
    for bad in [json!({"topic": "a"}), json!({"topic": "a", "payload": 1}), json!([])] {
        assert_eq!(lab.send("POST", "/api/v1/publish", &bad).await.0, StatusCode::BAD_REQUEST);
    }
    let huge = json!({"topic": "a", "payload": "x".repeat(600_000)});
    assert_eq!(lab.send("POST", "/api/v1/publish", &huge).await.0, StatusCode::PAYLOAD_TOO_LARGE);
    let (fine, retained) = (json!({"topic": "a", "payload": ""}), "/api/v1/topics/retained?topic=a");
    for (method, path) in [("POST", "/api/v1/publish"), ("DELETE", retained)] {
        let foreign = lab.request(method, path).header(header::ORIGIN, "http://evil.example");
        let foreign = foreign.header(header::CONTENT_TYPE, "application/json");
        let answer = lab.call(foreign.body(Body::from(fine.to_string())).unwrap()).await;
        assert_eq!(json_of(answer).await.0, StatusCode::FORBIDDEN, "{method}");
    }
    lab.broker.away.store(true, Ordering::SeqCst);
    let (status, problem) = lab.send("POST", "/api/v1/publish", &fine).await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(problem["detail"], "the broker is away: connection refused");
    assert_eq!(lab.send("DELETE", retained, &Json::Null).await.0, StatusCode::SERVICE_UNAVAILABLE);
    assert!(lab.broker.published.lock().unwrap().is_empty());
}

#[tokio::test]
async fn a_retained_message_is_taken_back_by_an_empty_one() {
    let lab = Lab::new().await;
    let (status, _) =
        lab.send("DELETE", "/api/v1/topics/retained?topic=lab/demo/x%20%26/t", &Json::Null).await;
    assert_eq!(status, StatusCode::NO_CONTENT);
    let sent = lab.broker.published.lock().unwrap().clone();
    assert_eq!(sent, [Publish::new("lab/demo/x &/t", "").retain(true)]);
    let (status, _) = lab.send("DELETE", "/api/v1/topics/retained?topic=a/%23", &Json::Null).await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
}

#[tokio::test]
async fn topics_are_not_for_everyone_where_a_token_is_set() {
    let lab = Lab::with(WebConfig { token: Some("geheim-7".to_owned()), ..WebConfig::default() }).await;
    for path in ["/api/v1/topics", "/api/v1/topics/message?topic=a"] {
        assert_eq!(lab.get(path).await.0, StatusCode::UNAUTHORIZED, "{path}");
    }
    let wish = json!({"topic": "a", "payload": ""});
    assert_eq!(lab.send("POST", "/api/v1/publish", &wish).await.0, StatusCode::UNAUTHORIZED);
    assert!(lab.broker.published.lock().unwrap().is_empty());
}

#[tokio::test]
async fn variables_are_asked_of_the_program_and_not_for_everyone() {
    let lab = Lab::new().await;
    let new = json!({"id": "level", "datatype": "float", "value": 1.5});
    let (status, problem) = lab.send("POST", "/api/v1/variables", &new).await;
    let nobody = "the program that runs the devices does not answer";
    assert_eq!((status, &problem["detail"]), (StatusCode::SERVICE_UNAVAILABLE, &json!(nobody)));
    let mut requests = lab.web.variable_requests();
    let program = async {
        while let Some(request) = requests.recv().await {
            let answer = match request.wish.clone() {
                VariableWish::Create(variable) => {
                    Ok(vec![VariableView { variable: *variable, declared: false }])
                }
                VariableWish::Delete { group, id } => Err(VariableError::Declared(format!("{group}/{id}"))),
                _ => Ok(Vec::new()),
            };
            request.answer(answer);
        }
    };
    let pages = async {
        let (status, made) = lab.send("POST", "/api/v1/variables", &new).await;
        assert_eq!(
            (status, &made["id"], &made["declared"]),
            (StatusCode::CREATED, &json!("level"), &json!(false))
        );
        assert_eq!(lab.get("/api/v1/variables").await, (StatusCode::OK, json!([])));
        let (status, _) = lab.send("DELETE", "/api/v1/variables/demo/level", &json!({})).await;
        assert_eq!(status, StatusCode::CONFLICT);
        let wrong = json!({"id": "level", "datatype": "number", "value": 1.5});
        assert_eq!(lab.send("POST", "/api/v1/variables", &wrong).await.0, StatusCode::BAD_REQUEST);
        for (method, path) in [("POST", ""), ("PATCH", "/demo/level"), ("DELETE", "/demo/level")] {
            let request = lab.request(method, &format!("/api/v1/variables{path}"));
            let request = request.header(header::ORIGIN, "http://evil.example").body(Body::empty()).unwrap();
            assert_eq!(lab.call(request).await.status(), StatusCode::FORBIDDEN, "{method}");
        }
    };
    tokio::select! {
        () = program => unreachable!("the lab is there"),
        () = pages => {}
    }
    let lab = Lab::with(WebConfig { token: Some("geheim-7".to_owned()), ..WebConfig::default() }).await;
    assert_eq!(lab.get("/api/v1/variables").await.0, StatusCode::UNAUTHORIZED);
}
