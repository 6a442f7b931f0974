//! Client ids, and two programs that run the same device.

mod support;

use mqtt_lab_core::config::{DeviceConfig, MqttVersion};
use mqtt_lab_core::link::{Link, LinkConfig};
use mqtt_lab_core::{Identity, Lab, LabBuilder};
use support::{Observer, becomes_true, broker, plugin};

fn word(text: &str) -> Identity {
    text.parse().expect("a word")
}

fn counter(id: &str) -> DeviceConfig {
    let mut device = DeviceConfig::new("cooperative-counter").id(id);
    device.interval_s = 0.05;
    device
}

fn lab(broker: &mqtt_lab_core::broker::Broker, identity: &str) -> LabBuilder {
    support::lab(broker).identity(&word(identity))
}

fn ids(broker: &mqtt_lab_core::broker::Broker) -> Vec<String> {
    let mut ids: Vec<_> = broker.clients().all().into_iter().map(|client| client.id).collect();
    ids.sort();
    ids
}

#[tokio::test]
async fn each_device_has_a_client_id_of_its_own() {
    let broker = broker().await;
    let mut chosen = counter("chosen");
    (chosen.client_id, chosen.count) = (Some("Board".into()), 2);
    let devices = [counter("a-x"), counter("x").group("demo-a"), chosen];
    let running = lab(&broker, "w0rd").root("school/lab").devices(devices).build().expect("valid");
    let running = running.start().await.expect("runs");
    assert_eq!(running.connected(support::PATIENCE).await, [""; 0]);
    let expected = ["Board-1", "Board-2", "school.lab_demo-a_x_w0rd", "school.lab_demo_a-x_w0rd"];
    assert_eq!(ids(&broker), expected);
    running.stop().await;
    assert_eq!(broker.take_overs(), 0);
}

#[tokio::test]
async fn a_client_id_must_be_usable_and_unique() {
    let problems = |devices: Vec<DeviceConfig>| {
        let lab = Lab::builder().broker("127.0.0.1:1").plugin(&plugin()).identity(&word("w0rd"));
        lab.devices(devices).build().err().map(|error| error.to_string())
    };
    let chosen = |id: &str, client_id: &str| {
        let mut device = counter(id);
        device.client_id = Some(client_id.to_owned());
        device
    };
    let with = |client_id: &str| problems(vec![chosen("x", client_id)]);
    assert_eq!(with("Wemos D1 / Küche"), None);
    assert_eq!(with("").as_deref(), Some("`client_id`: `` is empty"));
    assert_eq!(with("a\nb").as_deref(), Some("`client_id`: `ab` contains a control character"));
    assert!(with(&"x".repeat(257)).is_some_and(|text| text.ends_with("is longer than 256 bytes")));
    let mut several = chosen("x", "board");
    several.count = 3;
    let hint = "(hint: choose another one: a broker disconnects the older of two clients with one id)";
    let twice = problems(vec![chosen("y", "board-3"), several]).expect("twice");
    assert_eq!(twice, format!("`client_id`: device `demo/y` has the client id `board-3`, too {hint}"));
    let twice = problems(vec![chosen("y", "lab_demo_x_w0rd"), counter("x")]).expect("twice");
    assert_eq!(
        twice,
        format!("`client_id`: device `demo/x` has the client id `lab_demo_x_w0rd`, too {hint}")
    );
}

#[tokio::test]
async fn two_programs_with_one_device_notice_each_other() {
    for version in [MqttVersion::V5, MqttVersion::V311] {
        let broker = broker().await;
        let mut observer = Observer::connect(&broker).await;
        let mut device = counter("x");
        device.version = Some(version);
        let start = async |identity: &str| {
            let lab = lab(&broker, identity).device(device.clone()).build().expect("valid");
            let running = lab.start().await.expect("runs");
            running.connected(support::PATIENCE).await;
            running
        };
        let first = start("first").await;
        observer.on("lab/demo/x/$info", "\"boot\"").await;
        let second = start("second").await;
        // Both say so, each with the boot id of the other.
        let error =
            |seen: &support::Seen| seen.topic == "lab/demo/x/$error" && seen.payload.contains("[lab] group");
        let one = observer.until("the report of one", error).await;
        observer.until("the report of the other", |seen| error(seen) && seen.payload != one.payload).await;
        assert_eq!(broker.take_overs(), 0, "they have different client ids");
        first.stop().await;
        second.stop().await;
    }
}

/// In 3.1.1 a broker sends back what this program left in its spool, with the boot id of the run before.
#[cfg(feature = "disk-spool")]
#[tokio::test]
async fn a_restart_of_one_program_is_no_second_program() {
    use mqtt_lab_core::link::DiskSpool;
    for version in [MqttVersion::V5, MqttVersion::V311] {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let mut device = counter("x");
        device.version = Some(version);
        let build = |address: &str, spool: &DiskSpool| {
            let lab = Lab::builder().broker(address).plugin(&plugin()).identity(&word("w0rd"));
            lab.disk_spool(spool.clone()).device(device.clone()).build().expect("valid")
        };
        let broker = broker().await;
        let mut observer = Observer::connect(&broker).await;
        let spool = DiskSpool::open(folder.path(), false).expect("opens");
        // Without a broker, the description stays in the spool.
        let offline = build("127.0.0.1:1", &spool).start().await.expect("runs");
        becomes_true("something waits", || offline.status("demo/x").is_some_and(|s| s.spooled > 5)).await;
        drop(offline);
        for _ in 0..2 {
            let running = build(&broker.address().to_string(), &spool).start().await.expect("runs");
            running.connected(support::PATIENCE).await;
            let answered = || running.status("demo/x").is_some_and(|status| status.acked > 10);
            becomes_true("it runs", answered).await;
            // Killed, not stopped.
            drop(running);
        }
        observer.catch_up().await;
        let errors = observer.payloads("lab/demo/x/$error");
        assert!(errors.iter().all(|text| text.is_empty()), "{version:?}: {errors:?}");
    }
}

#[tokio::test]
async fn the_session_of_a_former_client_id_is_ended() {
    let broker = broker().await;
    for version in [MqttVersion::V5, MqttVersion::V311] {
        let mut former = LinkConfig::new(broker.address().to_string(), "lab-demo-x");
        former.version = version.into();
        let (link, _events) = Link::spawn(former).expect("valid");
        becomes_true("connected", || link.is_connected()).await;
        drop(link.abort());
        let kept = || ids(&broker) == ["lab-demo-x"];
        becomes_true("the session is kept", kept).await;
        let mut device = counter("x");
        device.version = Some(version);
        let lab = lab(&broker, "w0rd").device(device).end_former_sessions().build().expect("valid");
        let running = lab.start().await.expect("runs");
        running.connected(support::PATIENCE).await;
        assert_eq!(ids(&broker), ["lab_demo_x_w0rd"]);
        running.stop().await;
        let mut own = LinkConfig::new(broker.address().to_string(), "lab_demo_x_w0rd");
        own.version = version.into();
        Link::end_session(own).await.expect("ended");
    }
}
