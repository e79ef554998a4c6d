//! RTP packets (RFC 3550) and telephone events (RFC 4733), as far as a telephone needs them.

/// Samples in one 20 ms frame of telephone audio.
pub const FRAME: usize = 160;

/// The parts of an RTP packet we use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Packet<'a> {
    /// Payload type.
    pub payload_type: u8,
    /// Sequence number.
    pub sequence: u16,
    /// Media time in samples.
    pub timestamp: u32,
    /// Codec bytes.
    pub payload: &'a [u8],
}

/// Writes a packet with a 12-byte header.
pub fn write(packet: &Packet<'_>, marker: bool, ssrc: u32) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(12 + packet.payload.len());
    bytes.extend([0x80, packet.payload_type | if marker { 0x80 } else { 0 }]);
    bytes.extend(packet.sequence.to_be_bytes());
    bytes.extend(packet.timestamp.to_be_bytes());
    bytes.extend(ssrc.to_be_bytes());
    bytes.extend(packet.payload);
    bytes
}

/// Reads a packet; `None` when it is not RTP version 2 or is cut short.
pub fn read(bytes: &[u8]) -> Option<Packet<'_>> {
    let (&first, &second) = (bytes.first()?, bytes.get(1)?);
    if first >> 6 != 2 {
        return None;
    }
    let mut start = 12 + 4 * usize::from(first & 0x0f);
    if first & 0x10 != 0 {
        let words = u16::from_be_bytes(bytes.get(start + 2..start + 4)?.try_into().ok()?);
        start += 4 + 4 * usize::from(words);
    }
    let padding = if first & 0x20 != 0 { usize::from(*bytes.last()?) } else { 0 };
    Some(Packet {
        payload_type: second & 0x7f,
        sequence: u16::from_be_bytes(bytes.get(2..4)?.try_into().ok()?),
        timestamp: u32::from_be_bytes(bytes.get(4..8)?.try_into().ok()?),
        payload: bytes.get(start..bytes.len().checked_sub(padding)?)?,
    })
}

/// The four bytes of a telephone event; `duration` in samples since its start.
pub fn event(digit: u8, end: bool, duration: u16) -> [u8; 4] {
    let [high, low] = duration.to_be_bytes();
    [digit, if end { 0x8a } else { 0x0a }, high, low]
}

/// RFC 4733 event code of a key.
pub fn event_code(digit: char) -> Option<u8> {
    match digit {
        '0'..='9' => Some(digit as u8 - b'0'),
        '*' => Some(10),
        '#' => Some(11),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_packet_reads_back() {
        let packet = Packet { payload_type: 0, sequence: 65_535, timestamp: 7, payload: &[1, 2, 3] };
        assert_eq!(read(&write(&packet, true, 9)), Some(packet));
    }

    #[test]
    fn extensions_and_padding_are_skipped() {
        let mut bytes = vec![0xb0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3];
        bytes.extend([0xbe, 0xde, 0, 1, 9, 9, 9, 9]);
        bytes.extend([5, 6, 0, 2]);
        assert_eq!(read(&bytes).unwrap().payload, &[5, 6]);
    }

    #[test]
    fn short_or_foreign_bytes_are_no_packet() {
        assert_eq!(read(&[0x80, 0, 1]), None);
        assert_eq!(read(b"OPTIONS sip:x SIP/2.0"), None);
    }
}
