//! Data packets: user messages and telephone digits.

use std::collections::HashMap;

use bytes::Bytes;
use livekit_protocol::data_packet::Value;
use livekit_protocol::{DataPacket, SipDtmf, UserPacket};
use prost::Message as _;

use super::{Destinations, RoomError, RoomEvent};

/// Largest payload of one message. LiveKit's SCTP message limit is 64 000 bytes, envelope included.
const MAX_PAYLOAD: usize = 60_000;

/// The telephone digits in the order of their RFC 4733 event codes.
const DIGITS: &str = "0123456789*#ABCD";

/// One packet per digit.
pub(super) fn dtmf_packets(digits: &str, to: Destinations) -> Result<Vec<DataPacket>, RoomError> {
    let destination_identities = to.into_identities();
    let packet = |digit: char| {
        let code = DIGITS.find(digit.to_ascii_uppercase()).ok_or(RoomError::InvalidDigit { digit })?;
        let dtmf = SipDtmf { code: code as u32, digit: digit.to_ascii_uppercase().to_string() };
        Ok(DataPacket {
            value: Some(Value::SipDtmf(dtmf)),
            destination_identities: destination_identities.clone(),
            ..Default::default()
        })
    };
    digits.chars().map(packet).collect()
}

/// One message.
pub(super) fn user_packet(topic: &str, payload: &Bytes, to: Destinations) -> Result<DataPacket, RoomError> {
    if payload.len() > MAX_PAYLOAD {
        return Err(RoomError::TooLarge { size: payload.len(), limit: MAX_PAYLOAD });
    }
    let user = UserPacket { payload: payload.to_vec(), topic: Some(topic.to_owned()), ..Default::default() };
    Ok(DataPacket {
        value: Some(Value::User(user)),
        destination_identities: to.into_identities(),
        ..Default::default()
    })
}

/// Turns received packets into events and drops repetitions.
#[derive(Debug, Default)]
pub(super) struct Receiver {
    /// Last sequence number of reliable packets by sender session.
    last: HashMap<String, u32>,
}

impl Receiver {
    /// The event of one received packet, if it is one we report.
    pub(super) fn receive(&mut self, bytes: &[u8]) -> Option<RoomEvent> {
        let packet = DataPacket::decode(bytes)
            .inspect_err(|error| tracing::debug!(%error, "a data packet cannot be decoded"))
            .ok()?;
        if packet.sequence > 0 {
            // LiveKit may repeat reliable packets; their numbers grow per sender session.
            let last = self.last.entry(packet.participant_sid.clone()).or_default();
            if packet.sequence <= *last {
                return None;
            }
            *last = packet.sequence;
        }
        match packet.value? {
            Value::User(user) => Some(RoomEvent::Data {
                participant: Some(packet.participant_identity).filter(|identity| !identity.is_empty()),
                topic: user.topic.unwrap_or_default(),
                payload: user.payload.into(),
            }),
            Value::SipDtmf(dtmf) => {
                let digit = dtmf.digit.chars().next().or_else(|| DIGITS.chars().nth(dtmf.code as usize))?;
                Some(RoomEvent::Dtmf { participant: packet.participant_identity, digit, code: dtmf.code })
            }
            _ => None,
        }
    }

    /// Forgets a sender session that ended.
    pub(super) fn forget(&mut self, participant_sid: &str) {
        self.last.remove(participant_sid);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn received(mut packet: DataPacket, sequence: u32) -> Vec<u8> {
        packet.participant_identity = "caller".into();
        packet.participant_sid = "PA_1".into();
        packet.sequence = sequence;
        packet.encode_to_vec()
    }

    #[test]
    fn digits_have_their_rfc_4733_codes() {
        let packets = dtmf_packets("09*#Da", Destinations::one("sip_1")).unwrap();
        let mut receiver = Receiver::default();
        let seen: Vec<_> = packets
            .into_iter()
            .map(|packet| {
                assert_eq!(packet.destination_identities, ["sip_1"]);
                match receiver.receive(&received(packet, 0)) {
                    Some(RoomEvent::Dtmf { participant, digit, code }) if participant == "caller" => (digit, code),
                    other => panic!("{other:?}"),
                }
            })
            .collect();
        assert_eq!(seen, [('0', 0), ('9', 9), ('*', 10), ('#', 11), ('D', 15), ('A', 12)]);
    }

    #[test]
    fn anything_else_is_not_a_digit() {
        assert!(matches!(dtmf_packets("12x", Destinations::Everyone), Err(RoomError::InvalidDigit { digit: 'x' })));
    }

    #[test]
    fn repeated_reliable_packets_are_reported_once() {
        let packet = user_packet("t", &Bytes::from_static(b"hello"), Destinations::Everyone).unwrap();
        let mut receiver = Receiver::default();
        assert!(receiver.receive(&received(packet.clone(), 1)).is_some());
        assert!(receiver.receive(&received(packet.clone(), 1)).is_none());
        assert!(receiver.receive(&received(packet.clone(), 2)).is_some());
        receiver.forget("PA_1");
        assert!(receiver.receive(&received(packet, 1)).is_some());
        assert!(receiver.receive(b"\xff\xff").is_none());
    }

    #[test]
    fn large_messages_are_refused() {
        let payload = Bytes::from(vec![0; MAX_PAYLOAD + 1]);
        assert!(matches!(
            user_packet("t", &payload, Destinations::Everyone),
            Err(RoomError::TooLarge { size: 60_001, .. })
        ));
    }
}
