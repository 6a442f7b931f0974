//! What MQTT allows, checked before anything is queued: a packet that a broker refuses would come
//! again on every connection.

use crate::config::check_broker_address;
use crate::text::{LONGEST_STRING, string, text, topic_filter, topic_name};

use super::{LinkConfig, LinkError, Properties, Publish, PublishError, SpoolPolicy, Subscription, Will};

/// Largest packet there is: five bytes of fixed header and the largest remaining length.
const LARGEST_PACKET: u32 = 268_435_460;
/// More would not leave packet ids for messages.
const MOST_BIRTHS: usize = 1_000;

fn invalid(field: &'static str, problem: impl Into<String>) -> LinkError {
    LinkError::InvalidConfig { field, problem: problem.into() }
}

pub(super) fn config(config: &LinkConfig) -> Result<(), LinkError> {
    brokers(&config.brokers)?;
    text(&config.client_id).map_err(|problem| invalid("client_id", problem))?;
    if let Some(former) = &config.former_client_id {
        text(former).map_err(|problem| invalid("former_client_id", problem))?;
    }
    if let Some(login) = &config.credentials {
        text(&login.user).map_err(|problem| invalid("credentials", format!("user {problem}")))?;
        if login.password.len() > LONGEST_STRING {
            return Err(invalid("credentials", "password is longer than 65,535 bytes"));
        }
    }
    if let Some(own) = &config.will {
        will(own)?;
    }
    sizes(config)?;
    subscriptions(&config.subscriptions)?;
    births(&config.birth, config.max_packet_size)
}

fn brokers(brokers: &[String]) -> Result<(), LinkError> {
    if brokers.is_empty() {
        return Err(invalid("brokers", "is empty"));
    }
    for broker in brokers {
        check_broker_address(broker).map_err(|error| invalid("brokers", error.to_string()))?;
    }
    Ok(())
}

fn will(will: &Will) -> Result<(), LinkError> {
    topic_name(&will.topic)
        .map_err(|problem| invalid("will", format!("topic `{}` {problem}", will.topic)))?;
    if will.payload.len() > LONGEST_STRING {
        return Err(invalid("will", "payload is longer than 65,535 bytes"));
    }
    Ok(())
}

fn sizes(config: &LinkConfig) -> Result<(), LinkError> {
    let (first, last) = config.backoff;
    let dropping = config.spool_policy == SpoolPolicy::DropOldest;
    let problems = [
        ("keep_alive", config.keep_alive.as_secs() > 65_535, "is longer than 65,535 seconds"),
        ("window", config.window == 0, "is 0"),
        ("qos2_window_311", config.qos2_window_311 == 0, "is 0"),
        ("spool_capacity", config.spool_capacity == 0, "is 0"),
        ("spool_capacity", dropping && config.spool_capacity < 2, "is less than 2 with `DropOldest`"),
        ("spool_capacity", config.spool_capacity > MOST_SPOOLED, "is too large"),
        ("incoming_capacity", config.incoming_capacity == 0, "is 0"),
        ("max_packet_size", config.max_packet_size < 128, "is less than 128 bytes"),
        ("max_packet_size", config.max_packet_size > LARGEST_PACKET, "is more than 268,435,460 bytes"),
        ("connect_timeout", config.connect_timeout.is_zero(), "is 0"),
        ("backoff", first.is_zero(), "begins with 0"),
        ("backoff", first > last, "ends before it begins"),
    ];
    match problems.into_iter().find(|(_, wrong, _)| *wrong) {
        Some((field, _, problem)) => Err(invalid(field, problem)),
        None => Ok(()),
    }
}

/// Permits of a tokio semaphore.
const MOST_SPOOLED: usize = tokio::sync::Semaphore::MAX_PERMITS / 2;

pub(super) fn subscriptions(subscriptions: &[Subscription]) -> Result<(), LinkError> {
    for Subscription { filter, no_local, .. } in subscriptions {
        topic_filter(filter)
            .map_err(|problem| invalid("subscriptions", format!("filter `{filter}` {problem}")))?;
        if *no_local && filter.starts_with("$share/") {
            // MQTT-3.8.3-4
            let problem = format!("filter `{filter}` is shared and cannot be `no_local`");
            return Err(invalid("subscriptions", problem));
        }
    }
    Ok(())
}

pub(super) fn births(births: &[Publish], limit: u32) -> Result<(), LinkError> {
    if births.len() > MOST_BIRTHS {
        return Err(invalid("birth", format!("holds more than {MOST_BIRTHS} messages")));
    }
    births
        .iter()
        .try_for_each(|birth| publish(birth, limit))
        .map_err(|error| invalid("birth", error.to_string()))
}

/// Checks a message against the protocol and a packet size of `limit` bytes.
pub(super) fn publish(publish: &Publish, limit: u32) -> Result<(), PublishError> {
    topic_name(&publish.topic).map_err(|problem| {
        let topic = publish.topic.chars().take(64).collect();
        PublishError::InvalidTopic { topic, problem }
    })?;
    let properties = publish.properties.as_deref();
    properties.map_or(Ok(()), properties_allowed)?;
    // At most: header 5, topic length 2, id 2, length of the properties 4.
    let size = 13 + publish.topic.len() + publish.payload.len() + properties.map_or(0, properties_size);
    match u32::try_from(size) {
        Ok(fits) if fits <= limit => Ok(()),
        _ => Err(PublishError::TooLarge { size, limit }),
    }
}

fn properties_allowed(properties: &Properties) -> Result<(), PublishError> {
    let refuse = |name| move |problem| PublishError::InvalidProperty { name, problem };
    if let Some(topic) = &properties.response_topic {
        topic_name(topic).map_err(refuse("response_topic"))?;
    }
    let too_long = properties.correlation_data.as_ref().is_some_and(|data| data.len() > LONGEST_STRING);
    if too_long {
        return Err(refuse("correlation_data")("is longer than 65,535 bytes"));
    }
    if let Some(content_type) = &properties.content_type {
        string(content_type).map_err(refuse("content_type"))?;
    }
    let mut parts = properties.user_properties.iter().flat_map(|(name, value)| [name, value]);
    parts.try_for_each(|part| string(part)).map_err(refuse("user_properties"))
}

fn properties_size(properties: &Properties) -> usize {
    let user = properties.user_properties.iter().map(|(name, value)| 5 + name.len() + value.len());
    5 + properties.response_topic.as_ref().map_or(0, |topic| 3 + topic.len())
        + properties.correlation_data.as_ref().map_or(0, |data| 3 + data.len())
        + properties.content_type.as_ref().map_or(0, |text| 3 + text.len())
        + user.sum::<usize>()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test")]
mod tests {
    use super::*;
    use crate::link::{Credentials, Qos};

    #[track_caller]
    fn check(field: &str, change: impl FnOnce(&mut LinkConfig)) {
        let mut settings = LinkConfig::new("127.0.0.1:1883", "lamp");
        config(&settings).unwrap();
        change(&mut settings);
        let error = config(&settings).unwrap_err().to_string();
        assert!(error.starts_with(&format!("link setting `{field}`")), "{error}");
    }

    #[test]
    fn what_mqtt_does_not_allow_is_refused_before_the_start() {
        check("brokers", |c| c.brokers.clear());
        check("brokers", |c| c.brokers.push("nowhere".into()));
        check("brokers", |c| c.brokers[0] = ":1883".into());
        check("brokers", |c| c.brokers[0] = "host:0".into());
        check("client_id", |c| c.client_id.clear());
        check("client_id", |c| c.client_id = "a\0b".into());
        check("credentials", |c| c.credentials = Some(Credentials::new("", "secret")));
        check("will", |c| c.will = Some(Will::new("lab/+/x", "gone")));
        check("will", |c| c.will = Some(Will::new("lab/x", vec![0; 65_536])));
        check("window", |c| c.window = 0);
        check("qos2_window_311", |c| c.qos2_window_311 = 0);
        check("spool_capacity", |c| c.spool_capacity = 0);
        check("incoming_capacity", |c| c.incoming_capacity = 0);
        check("max_packet_size", |c| c.max_packet_size = 5);
        check("backoff", |c| c.backoff.1 = c.backoff.0 / 2);
        check("subscriptions", |c| c.subscriptions.push(Subscription::new("a/#/b", Qos::AtMostOnce)));
        check("birth", |c| c.birth.push(Publish::new("#", "")));
    }

    #[test]
    fn a_topic_has_one_to_65_535_bytes_and_no_wildcard() {
        let check = |topic: &str| publish(&Publish::new(topic, "x"), 1_000_000).is_ok();
        assert!(check("a") && check("$SYS/x") && check(&"t".repeat(65_535)));
        assert!(!check("") && !check("a/+") && !check("#") && !check("a\0") && !check(&"t".repeat(65_536)));
    }

    #[test]
    fn a_packet_may_be_as_large_as_the_limit() {
        let check = |bytes: usize| publish(&Publish::new("t", vec![0; bytes]), 128);
        assert_eq!(check(128 - 14), Ok(()));
        assert_eq!(check(128 - 13), Err(PublishError::TooLarge { size: 129, limit: 128 }));
    }

    #[test]
    fn properties_are_checked_too() {
        let check = |properties| publish(&Publish::new("t", "x").properties(properties), 1_000_000);
        let response = Properties { response_topic: Some("a/#".into()), ..Properties::default() };
        assert!(check(response).is_err());
        let user = Properties { user_properties: vec![("a".into(), "\0".into())], ..Properties::default() };
        assert!(check(user).is_err());
        let fine = Properties { user_properties: vec![("a".into(), String::new())], ..Properties::default() };
        assert_eq!(check(fine), Ok(()));
    }
}
