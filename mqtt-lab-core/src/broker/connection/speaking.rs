//! What each packet of a client does, and what is answered.

use bytes::BytesMut;
use mqtt_lab_wire::Qos;

use super::super::message::Message;
use super::super::state::{Ending, Handle, State};
use super::super::wire::{Packet, Wrong, acknowledgement, answers, short};
use super::{Connection, End};
use crate::link::Version;
use crate::reason;

const PUBACK: u8 = 0x40;
const PUBREC: u8 = 0x50;
const PUBREL: u8 = 0x62;
const PUBCOMP: u8 = 0x70;
const SUBACK: u8 = 0x90;
const UNSUBACK: u8 = 0xB0;
const PINGRESP: u8 = 0xD0;

impl<S> Connection<S> {
    /// Does what packets say, all under one lock.
    pub(super) fn speak(&mut self, packets: Vec<Packet>) -> Result<(), End> {
        for packet in &packets {
            if let Packet::Publish { message, .. } = packet {
                self.hub.seen.note(&message.topic, message.qos, message.retain);
            }
        }
        let ends = packets.iter().any(|packet| matches!(packet, Packet::Disconnect { .. }));
        let mut speaker = Speaker { version: self.version, handle: self.handle, out: self.output.fresh() };
        let work = |state: &mut State| {
            // What a client said before another one took its session over is not done behind that one's back.
            if !state.is_current(speaker.handle) {
                return Err(End::Told(reason::TAKEN_OVER));
            }
            packets.into_iter().try_for_each(|packet| speaker.take(state, packet))
        };
        let (result, change) = if ends { self.hub.with_due(work) } else { self.hub.with(work) };
        self.output.caused_by(change);
        result
    }
}

struct Speaker<'a> {
    version: Version,
    handle: Handle,
    out: &'a mut BytesMut,
}

impl Speaker<'_> {
    fn take(&mut self, state: &mut State, packet: Packet) -> Result<(), End> {
        match packet {
            Packet::Publish { id, message } => self.publish(state, id, message),
            Packet::Puback { id } => {
                state.acknowledged(self.handle, |outbox, record| outbox.puback(id, record))
            }
            Packet::Pubrec { id, failed: true } => {
                state.acknowledged(self.handle, |outbox, record| outbox.refused(id, record));
            }
            Packet::Pubrec { id, failed: false } => {
                let mut known = false;
                state.acknowledged(self.handle, |outbox, record| known = outbox.pubrec(id, record));
                self.acknowledge(PUBREL, id, if known { 0 } else { reason::ID_NOT_FOUND });
            }
            Packet::Pubcomp { id } => {
                state.acknowledged(self.handle, |outbox, record| outbox.pubcomp(id, record))
            }
            Packet::Pubrel { id } => {
                let known = state.release(self.handle, id);
                self.acknowledge(PUBCOMP, id, if known { 0 } else { reason::ID_NOT_FOUND });
            }
            Packet::Subscribe { id, filters } => {
                let codes = state.subscribe(self.handle, filters).map_err(End::Wrong)?;
                let codes: Vec<u8> = codes.into_iter().map(|code| self.suback_code(code)).collect();
                answers(self.version, SUBACK, id, &codes, self.out);
            }
            Packet::Unsubscribe { id, filters } => {
                let codes = state.unsubscribe(self.handle, &filters);
                let codes = if self.version == Version::V5 { &codes[..] } else { &[] };
                answers(self.version, UNSUBACK, id, codes, self.out);
            }
            Packet::PingReq => short(PINGRESP, self.out),
            Packet::Disconnect { with_will, expiry_s } => {
                return Err(disconnect(state, self.handle, with_will, expiry_s));
            }
        }
        Ok(())
    }

    fn publish(&mut self, state: &mut State, id: u16, message: Message) {
        let code = |wanted: bool| if wanted { 0 } else { reason::NO_SUBSCRIBERS };
        match message.qos {
            Qos::AtMostOnce => {
                state.publish(self.handle, message);
            }
            Qos::AtLeastOnce => {
                let wanted = state.publish(self.handle, message);
                self.acknowledge(PUBACK, id, code(wanted));
            }
            Qos::ExactlyOnce => {
                let wanted = state.publish_once(self.handle, id, message).unwrap_or(true);
                self.acknowledge(PUBREC, id, code(wanted));
            }
        }
    }

    fn acknowledge(&mut self, head: u8, id: u16, code: u8) {
        acknowledgement(self.version, head, id, code, self.out);
    }

    /// 3.1.1 knows one code for every failure.
    fn suback_code(&self, code: u8) -> u8 {
        if self.version == Version::V311 { code.min(reason::FAILURE) } else { code }
    }
}

fn disconnect(state: &State, handle: Handle, with_will: bool, expiry_s: Option<u32>) -> End {
    if expiry_s.is_some_and(|expiry| expiry > 0) && !state.lasts(handle) {
        // MQTT 5.0 section 3.14.2.2.2
        let problem = "DISCONNECT gives a session an expiry that had none";
        return End::Wrong(Wrong::new(reason::PROTOCOL_ERROR, problem));
    }
    End::Disconnect(if with_will { Ending::WithWill { expiry_s } } else { Ending::Orderly { expiry_s } })
}
