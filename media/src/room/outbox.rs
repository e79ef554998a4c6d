//! Messages on their way to the data channel.

use std::collections::VecDeque;

use livekit_protocol::DataPacket;
use prost::Message as _;
use str0m::RtcError;
use tokio::sync::oneshot;

use super::RoomError;
use super::peer::Peer;

/// Messages that wait for the data channel.
const CAPACITY: usize = 64;

type Reply = oneshot::Sender<Result<(), RoomError>>;

/// Reliable messages in order, each with the owner who waits for it.
#[derive(Debug, Default)]
pub(super) struct Outbox {
    waiting: VecDeque<(Vec<u8>, Reply)>,
    open: bool,
    sequence: u32,
}

impl Outbox {
    /// The channel can be written from now on.
    pub(super) fn open(&mut self) {
        self.open = true;
    }

    /// Adds a message; its owner is told when the channel has taken it.
    pub(super) fn push(&mut self, mut packet: DataPacket, reply: Reply) {
        if self.waiting.len() >= CAPACITY {
            // The owner may have stopped waiting.
            let _ = reply.send(Err(RoomError::Backlog));
            return;
        }
        self.sequence += 1;
        packet.sequence = self.sequence;
        self.waiting.push_back((packet.encode_to_vec(), reply));
    }

    /// Hands waiting messages to the channel, in order, as long as it takes them.
    pub(super) fn flush(&mut self, peer: &mut Peer) -> Result<(), RtcError> {
        while self.open
            && let Some((message, _)) = self.waiting.front()
        {
            if !peer.send_data(message)? {
                break;
            }
            if let Some((_, reply)) = self.waiting.pop_front() {
                let _ = reply.send(Ok(()));
            }
        }
        Ok(())
    }
}
