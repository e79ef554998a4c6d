//! Messages on their way to the data channel.

use std::collections::VecDeque;

use livekit_protocol::DataPacket;
use prost::Message as _;
use str0m::RtcError;
use tokio::sync::oneshot;

use super::RoomError;

/// Messages that wait for the data channel.
const CAPACITY: usize = 64;

type Reply = oneshot::Sender<Result<(), RoomError>>;

/// Reliable messages in order, each with the owner who waits for it.
#[derive(Debug, Default)]
pub(super) struct Outbox {
    waiting: VecDeque<(DataPacket, Reply)>,
    open: bool,
    sequence: u32,
}

impl Outbox {
    /// The channel can be written from now on.
    pub(super) fn open(&mut self) {
        self.open = true;
    }

    /// Adds a message; its owner is told when the channel has taken it.
    pub(super) fn push(&mut self, packet: DataPacket, reply: Reply) {
        if self.waiting.len() >= CAPACITY {
            // The owner may have stopped waiting.
            let _ = reply.send(Err(RoomError::Backlog));
            return;
        }
        self.waiting.push_back((packet, reply));
    }

    /// Hands waiting messages to the channel, in order, as long as `send` takes them; says whether it took one. To be
    /// called until nothing waits: a full channel does not say when it has room again.
    pub(super) fn flush(&mut self, mut send: impl FnMut(&[u8]) -> Result<bool, RtcError>) -> Result<bool, RtcError> {
        let mut has_sent = false;
        while self.open
            && let Some((packet, reply)) = self.waiting.front_mut()
        {
            // Who waited was told that it failed: a digit must not be dialled after that.
            if !reply.is_closed() {
                packet.sequence = self.sequence + 1;
                if !send(&packet.encode_to_vec())? {
                    break;
                }
                self.sequence += 1;
                has_sent = true;
            }
            if let Some((_, reply)) = self.waiting.pop_front() {
                let _ = reply.send(Ok(()));
            }
        }
        Ok(has_sent)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Answer = oneshot::Receiver<Result<(), RoomError>>;

    fn push(outbox: &mut Outbox, name: &str) -> Answer {
        let (reply, answer) = oneshot::channel();
        outbox.push(DataPacket { participant_identity: name.into(), ..Default::default() }, reply);
        answer
    }

    /// What is taken by a channel with room for `room` messages.
    fn flush(outbox: &mut Outbox, mut room: usize) -> Vec<(String, u32)> {
        let mut taken = Vec::new();
        let has_sent = outbox.flush(|bytes| {
            let fits = room > 0;
            if fits {
                room -= 1;
                let packet = DataPacket::decode(bytes).unwrap();
                taken.push((packet.participant_identity, packet.sequence));
            }
            Ok(fits)
        });
        assert_eq!(has_sent.unwrap(), !taken.is_empty());
        taken
    }

    #[test]
    fn messages_leave_in_order_as_the_channel_has_room() {
        let mut outbox = Outbox::default();
        let mut answers: Vec<Answer> = ["a", "b", "c"].iter().map(|name| push(&mut outbox, name)).collect();
        assert_eq!(flush(&mut outbox, 9), [], "the channel is not open yet");
        outbox.open();
        assert_eq!(flush(&mut outbox, 2), [("a".into(), 1), ("b".into(), 2)]);
        assert!(answers[1].try_recv().is_ok() && answers[2].try_recv().is_err());
        assert_eq!(flush(&mut outbox, 0), []);
        assert_eq!(flush(&mut outbox, 1), [("c".into(), 3)]);
        assert!(answers[2].try_recv().is_ok());
    }

    #[test]
    fn what_nobody_waits_for_any_more_is_not_sent() {
        let mut outbox = Outbox::default();
        outbox.open();
        let (first, _second) = (push(&mut outbox, "5"), push(&mut outbox, "6"));
        drop(first);
        assert_eq!(flush(&mut outbox, 9), [("6".into(), 1)], "and leaves no gap in the numbers");
    }
}
