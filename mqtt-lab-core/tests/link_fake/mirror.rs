//! A small honest broker for one client: acknowledges, sends every message back, keeps the session.

use std::collections::BTreeSet;

use super::{Client, Packet, Publish, publish_bytes};

#[derive(Default)]
pub struct Mirror {
    /// Ids of QoS 2 messages received and not released.
    held: BTreeSet<u16>,
    /// Messages in order of arrival, as in [`Publish::short`] without DUP; QoS 2 once per id.
    pub received: Vec<String>,
    /// Messages sent back and not acknowledged by the client.
    unacknowledged: Vec<Publish>,
    /// QoS 2 messages of which the client has acknowledged the receipt.
    to_release: BTreeSet<u16>,
    next_id: u16,
    /// Whether messages are sent back.
    echo: bool,
}

impl Mirror {
    /// One that sends every message back.
    pub fn echoing() -> Self {
        Self { echo: true, ..Self::default() }
    }

    /// What the session still has to say on a new connection.
    pub async fn resume(&mut self, client: &mut Client) {
        let version = client.version;
        for publish in &mut self.unacknowledged {
            publish.dup = true;
            client.send(publish_bytes(publish, version)).await;
        }
        for id in self.to_release.clone() {
            client.acknowledge(0x62, id).await;
        }
    }

    /// Serves up to `packets` packets. True: the client has disconnected.
    pub async fn serve(&mut self, client: &mut Client, packets: usize) -> bool {
        for _ in 0..packets {
            let packet = client.read().await;
            match packet {
                Packet::Subscribe { id, filters } => {
                    let [high, low] = id.to_be_bytes();
                    let mut answer = vec![0x90, 0, high, low];
                    if client.version == mqtt_lab_core::link::Version::V5 {
                        answer.push(0);
                    }
                    answer.extend(filters.iter().map(|(_, options)| options & 3));
                    answer[1] = u8::try_from(answer.len() - 2).unwrap();
                    client.send(answer).await;
                }
                Packet::Publish(publish) => self.publish(client, publish).await,
                Packet::Pubrel(id) => {
                    self.held.remove(&id);
                    client.acknowledge(0x70, id).await;
                }
                Packet::Puback(id) => self.unacknowledged.retain(|publish| publish.id != id),
                Packet::Pubrec(id) => {
                    self.unacknowledged.retain(|publish| publish.id != id);
                    self.to_release.insert(id);
                    client.acknowledge(0x62, id).await;
                }
                Packet::Pubcomp(id) => drop(self.to_release.remove(&id)),
                Packet::Disconnect | Packet::End => return true,
                other => panic!("{other:?}"),
            }
        }
        false
    }

    async fn publish(&mut self, client: &mut Client, mut publish: Publish) {
        let new = publish.qos < 2 || self.held.insert(publish.id);
        match publish.qos {
            0 => {}
            1 => client.acknowledge(0x40, publish.id).await,
            _ => client.acknowledge(0x50, publish.id).await,
        }
        if !new {
            return;
        }
        publish.dup = false;
        self.received.push(publish.short());
        if self.echo {
            self.next_id += 1;
            publish.id = self.next_id;
            client.send(publish_bytes(&publish, client.version)).await;
            if publish.qos > 0 {
                self.unacknowledged.push(publish);
            }
        }
    }
}
