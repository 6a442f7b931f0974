//! The whole lab as a lecturer runs it: one program, real broker, real database, real dashboard.

mod support;

use futures_util::StreamExt;
use mqtt_lab_core::link::Version;
use serde_json::{Value, json};
use support::{Lab, publish};

/// The value of a channel in a device's view.
fn channel<'a>(device: &'a Value, name: &str) -> &'a Value {
    let channels = device["channels"].as_array().map(Vec::as_slice).unwrap_or_default();
    channels.iter().find(|channel| channel["name"] == name).unwrap_or(&Value::Null)
}

#[test]
fn the_default_lab_lives_is_stored_obeys_and_remembers() {
    let folder = tempfile::tempdir().expect("a folder");
    let lab = Lab::start(folder.path(), None);
    let devices = lab.poll("/api/v1/devices", |devices| {
        let ready = devices.as_array()?.iter().filter(|device| device["state"] == "ready").count();
        (ready == 6).then(|| devices.clone())
    });
    let ids: Vec<_> = devices.as_array().expect("a list").iter().filter_map(|d| d["id"].as_str()).collect();
    assert_eq!(ids, ["dimmer", "host", "humidity", "led", "motion", "temperature"]);

    // Sensor to storage.
    let temperature = lab.poll("/api/v1/devices/demo/temperature", |device| {
        channel(device, "temperature")["value"].is_number().then(|| device.clone())
    });
    let measured = channel(&temperature, "temperature");
    assert_eq!((&measured["unit"], &measured["qos"]), (&json!("°C"), &json!(0)));
    let series = measured["series"].as_i64().expect("a series");
    let points = format!("/api/v1/series/{series}/points");
    let before = lab.poll(&points, |answer| {
        let points = answer["points"].as_array()?;
        (points.len() >= 2).then(|| points.clone())
    });

    // Page to actuator and back.
    let (status, command) = lab.request("POST", "/api/v1/devices/demo/led/on/set", Some(r#"{"value":true}"#));
    assert_eq!((status, &command["state"]), (202, &json!("pending")), "{command}");
    let path = format!("/api/v1/commands/{}", command["id"].as_str().expect("an id"));
    lab.poll(&path, |command| (command["state"] == "confirmed").then_some(()));
    lab.poll("/api/v1/devices/demo/led", |led| (channel(led, "on")["value"] == true).then_some(()));
    let (status, refused) =
        lab.request("POST", "/api/v1/devices/demo/dimmer/brightness/set", Some(r#"{"value":140}"#));
    assert_eq!(status, 422, "{refused}");

    assert_eq!(lab.get("/api/v1/lab")["notice"], Value::Null, "nobody changed anything");
    let (ended, output) = lab.interrupt();
    assert!(ended.success(), "{output:?}");
    assert!(!output.iter().any(|line| line.contains("WARN") || line.contains("ERROR")), "{output:#?}");

    // After a restart: what was, and that it stopped in order.
    let lab = Lab::start(folder.path(), None);
    let again = lab.poll(&points, |answer| {
        let points = answer["points"].as_array()?;
        (points.len() > before.len()).then(|| points.clone())
    });
    assert_eq!(again[..before.len()], before[..]);
    lab.until_state("demo/temperature", "ready");
    let states = lab.get("/api/v1/devices/demo/temperature/states");
    let states: Vec<_> = states.as_array().expect("a list").iter().collect();
    assert!(states.iter().any(|s| s["state"] == "disconnected" && s["cause"] == "orderly"), "{states:#?}");
    assert!(!states.iter().any(|s| s["state"] == "lost"), "{states:#?}");
    lab.interrupt();
}

#[test]
fn a_killed_process_leaves_the_wills_of_its_devices() {
    let folder = tempfile::tempdir().expect("a folder");
    let lab = Lab::start(folder.path(), None);
    let other = format!(
        "[mqtt]\nbrokers = [\"{}\"]\n[web]\nenabled = false\n[[sensor]]\nkind = \"temperature\"\nid = \"far\"\n",
        lab.broker
    );
    let other = Lab::start(folder.path(), Some(&other));
    lab.until_state("demo/far", "ready");
    other.kill();
    lab.until_state("demo/far", "lost");
    let lost = lab.poll("/api/v1/devices/demo/far/states", |states| {
        (states[0]["state"] == "lost").then(|| states[0].clone())
    });
    assert_eq!(lost["cause"], "will");
    assert_eq!(lab.get("/api/v1/devices/demo/temperature")["state"], "ready", "no other is disturbed");
    lab.interrupt();
}

#[tokio::test(flavor = "multi_thread")]
async fn foreign_clients_of_both_versions_appear_by_themselves() {
    let folder = tempfile::tempdir().expect("a folder");
    let lab = Lab::start(folder.path(), None);
    for (version, id) in [(Version::V311, "old"), (Version::V5, "new")] {
        let client = lab.client(version).await;
        publish(&client, &format!("lab/demo/{id}/temperature"), "21.5").await;
        let device = lab.poll(&format!("/api/v1/devices/demo/{id}"), |device| {
            (channel(device, "temperature")["value"] == 21.5).then(|| device.clone())
        });
        assert_eq!(channel(&device, "temperature")["qos"], 1, "the broker saw it enter");
        assert_eq!(device["counts"]["lost"], Value::Null, "a bare value has no number");
        let info =
            r#"{"schema":1,"kind":"mine","channels":[{"name":"temperature","datatype":"float","unit":"K"}]}"#;
        publish(&client, &format!("lab/demo/{id}/$info"), info).await;
        lab.poll(&format!("/api/v1/devices/demo/{id}"), |device| {
            (channel(device, "temperature")["unit"] == "K").then_some(())
        });
    }
    lab.interrupt();
}

#[test]
fn a_will_on_any_topic_makes_its_device_lost() {
    let folder = tempfile::tempdir().expect("a folder");
    let lab = Lab::start(folder.path(), None);
    let other = format!(
        "[mqtt]\nbrokers = [\"{}\"]\n[web]\nenabled = false\n[[sensor]]\nkind = \"temperature\"\nid = \"far\"\n\
         interval_s = 0.1\nwill = {{ topic = \"alarm/far\", payload = \"help\", qos = 2, retain = false }}\n",
        lab.broker
    );
    let other = Lab::start(folder.path(), Some(&other));
    // With the description the storage learns of the topic; some samples later it listens there.
    lab.poll("/api/v1/devices/demo/far", |far| (far["counts"]["received"].as_u64()? > 10).then_some(()));
    other.kill();
    lab.until_state("demo/far", "lost");
    lab.interrupt();
}

#[tokio::test(flavor = "multi_thread")]
async fn rubbish_is_counted_and_harms_nobody() {
    let folder = tempfile::tempdir().expect("a folder");
    let lab = Lab::start(folder.path(), None);
    // Before its description a device's channel takes anything.
    lab.until_state("demo/temperature", "ready");
    let client = lab.client(Version::V5).await;
    let rubbish: [(&str, &[u8]); 7] = [
        ("lab/demo/temperature/temperature", b"\xff\xfe\x00\x01"),
        ("lab/demo/temperature/temperature", b"{\"v\":"),
        ("lab/demo/temperature/temperature", b"warm"),
        ("lab/demo/temperature/temperature", b"1e999"),
        ("lab/demo/temperature/$info", b"[]"),
        ("lab/demo/temperature/$state", b"asleep"),
        ("lab/short", b"1"),
    ];
    let before = lab.get("/api/v1/lab")["counts"]["refused"].as_u64().expect("a count");
    for (topic, payload) in rubbish {
        publish(&client, topic, payload).await;
    }
    lab.poll("/api/v1/lab", |lab| (lab["counts"]["refused"].as_u64()? >= before + 7).then_some(()));
    // Two megabytes are more than a packet may have: the broker closes that connection, and only that.
    let big = lab.client(Version::V311).await;
    let big_publish = mqtt_lab_core::link::Publish::new("lab/demo/big/x", vec![b'1'; 2 * 1024 * 1024]);
    assert!(big.publish(big_publish).await.is_err(), "our own link refuses it before the broker does");
    flood(&lab.broker);
    let html = "lab/demo/<img src=x onerror=alert(1)>/t";
    publish(&client, html, "1").await;
    let devices = lab.poll("/api/v1/devices", |devices| {
        let found = devices.as_array()?.iter().any(|d| d["id"] == "<img src=x onerror=alert(1)>");
        found.then(|| devices.clone())
    });
    assert!(devices.as_array().expect("a list").iter().all(|d| d["id"] != "big"));
    lab.until_state("demo/temperature", "ready");
    lab.interrupt();
}

/// Sends a PUBLISH of two megabytes past the link, byte by byte as a careless client would.
fn flood(broker: &str) {
    use std::io::{Read, Write};
    let mut stream = std::net::TcpStream::connect(broker).expect("the broker listens");
    stream.write_all(b"\x10\x0f\0\x04MQTT\x04\x02\0\x3c\0\x03big").expect("CONNECT");
    let mut connack = [0; 4];
    stream.read_exact(&mut connack).expect("CONNACK");
    let mut packet = vec![0x30, 0x80, 0x80, 0x80, 0x01, 0, 14];
    packet.extend_from_slice(b"lab/demo/big/x");
    packet.resize(2 * 1024 * 1024 + 5, b'1');
    // The broker may close before it has read everything.
    let _ = stream.write_all(&packet);
    let mut rest = Vec::new();
    let _ = stream.read_to_end(&mut rest);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sample_reaches_an_open_page() {
    let folder = tempfile::tempdir().expect("a folder");
    let lab = Lab::start(folder.path(), None);
    let (mut socket, _) =
        tokio_tungstenite::connect_async(format!("ws://{}/api/v1/live", lab.web)).await.expect("a WebSocket");
    let client = lab.client(Version::V5).await;
    publish(&client, "lab/demo/mine/x", "41.5").await;
    let found = async {
        while let Some(Ok(message)) = socket.next().await {
            let Ok(text) = message.to_text() else { continue };
            let message: Value = serde_json::from_str(text).unwrap_or_default();
            let samples = message["samples"].as_array().cloned().unwrap_or_default();
            if samples.iter().any(|sample| sample[2] == 41.5) {
                return true;
            }
        }
        false
    };
    assert!(tokio::time::timeout(support::PATIENCE, found).await.expect("in time"));
    lab.interrupt();
}

#[test]
fn other_computers_need_users_and_a_token() {
    let folder = tempfile::tempdir().expect("a folder");
    let toml = "[broker]\nallow_remote = true\nusers = [{ name = \"board\", password = \"geheim\" }]\n\
                [[sensor]]\nkind = \"temperature\"\n";
    let lab = Lab::start(folder.path(), Some(toml));
    lab.until_state("demo/temperature", "ready");
    let refused = |user: &[u8]| {
        use std::io::{Read, Write};
        let mut stream = std::net::TcpStream::connect(&lab.broker).expect("the broker listens");
        stream.write_all(user).expect("CONNECT");
        let mut connack = [0; 4];
        stream.read_exact(&mut connack).expect("CONNACK");
        connack[3]
    };
    let anonymous = b"\x10\x0f\0\x04MQTT\x04\x02\0\x3c\0\x03bad";
    let wrong = b"\x10\x1d\0\x04MQTT\x04\xc2\0\x3c\0\x03bad\0\x05board\0\x05wrong";
    let right = b"\x10\x1e\0\x04MQTT\x04\xc2\0\x3c\0\x03bad\0\x05board\0\x06geheim";
    assert_ne!(refused(anonymous), 0);
    assert_ne!(refused(wrong), 0);
    assert_eq!(refused(right), 0);
    let (_, output) = lab.interrupt();
    assert!(!output.iter().any(|line| line.contains("geheim")), "no secrets in logs: {output:#?}");
}

/// How the plug of a device is, after it was asked to be `plug`.
fn plug(lab: &Lab, device: &str, plug: &str) -> (u16, Value) {
    let path = format!("/api/v1/devices/{device}/plug");
    lab.request("POST", &path, Some(&json!({ "plug": plug }).to_string()))
}

#[test]
fn a_plug_is_pulled_over_the_api_and_the_history_tells_what_the_will_did() {
    let folder = tempfile::tempdir().expect("a folder");
    let lab = Lab::start(folder.path(), None);
    let device = "demo/humidity";
    lab.until_state(device, "ready");
    for (how, state) in [("cut", "lost"), ("kill", "lost"), ("stop", "disconnected")] {
        assert_eq!(plug(&lab, device, how), (200, json!({ "plug": how })));
        lab.until_state(device, state);
        assert_eq!(lab.get(&format!("/api/v1/devices/{device}/plug")), json!({ "plug": how }));
        assert_eq!(plug(&lab, device, "in"), (200, json!({ "plug": "in" })));
        lab.until_state(device, "ready");
    }
    lab.poll(&format!("/api/v1/devices/{device}/states"), |states| {
        let states = states.as_array()?.iter().map(|state| (&state["state"], &state["cause"]));
        let lost = states.clone().filter(|state| *state == (&json!("lost"), &json!("will"))).count();
        let orderly = states.clone().filter(|state| state.1 == "orderly").count();
        ((lost, orderly) == (2, 1)).then_some(())
    });
    assert_eq!(plug(&lab, "demo/nobody", "cut").0, 404);
    assert_eq!(plug(&lab, device, "burn").0, 400);
    assert_eq!(lab.get("/api/v1/devices/demo/nobody/plug"), json!({ "plug": null }));
    let (ended, output) = lab.interrupt();
    assert!(ended.success() && !output.iter().any(|line| line.contains("ERROR")), "{output:#?}");
}

#[test]
fn a_page_lists_the_clients_of_the_broker() {
    let data = tempfile::tempdir().expect("a folder");
    let lab = Lab::start(data.path(), None);
    let led = lab.poll("/api/v1/clients?search=demo_led", |clients| {
        let led = &clients["clients"][0];
        (led["subscription_count"] == 2).then(|| led.clone())
    });
    assert_eq!(led["subscriptions"], json!(["lab/demo/led/$info", "lab/demo/led/+/set"]));
    assert_eq!(led["connection"]["will"], "lab/demo/led/$state");
    assert_eq!((&led["connection"]["version"], &led["dropped"]), (&5.into(), &0.into()));
    // Six devices and the storage.
    let all = lab.poll("/api/v1/clients?limit=1", |all| (all["connected"] == 7).then(|| all.clone()));
    assert_eq!((&all["known"], &all["total"]), (&true.into(), &7.into()));
    assert_eq!(all["clients"].as_array().map(Vec::len), Some(1));
    assert_eq!(lab.request("GET", "/api/v1/clients?limit=0", None).0, 400);
    lab.interrupt();
}
