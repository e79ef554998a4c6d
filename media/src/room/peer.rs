//! The WebRTC peer: str0m with our settings, one offer in flight, RTP in and out.

use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use livekit_protocol as proto;
use str0m::change::{SdpAnswer, SdpPendingOffer};
use str0m::channel::{ChannelConfig, ChannelId, Reliability};
use str0m::crypto::CryptoProvider;
use str0m::format::Codec;
use str0m::media::{Direction, MediaKind, Mid};
use str0m::net::{Protocol, Receive, Transmit};
use str0m::rtp::RtpWrite;
use str0m::{Candidate, Event, Input, Output, Rtc, RtcError};

use super::negotiation::Negotiation;
use crate::clock::Position;

/// Labels LiveKit expects.
const RELIABLE: &str = "_reliable";
const LOSSY: &str = "_lossy";

/// How often the path to the server is checked, so that a living server is heard twice a second at least.
const PATH_CHECK: Duration = Duration::from_millis(500);

/// What the peer wants done, in order.
pub(super) enum Step {
    /// Send this datagram.
    Transmit(Transmit),
    /// Something happened.
    Event(PeerEvent),
    /// Nothing until this instant or the next input.
    Wait(Instant),
}

/// Something that happened on the peer connection.
pub(super) enum PeerEvent {
    /// ICE and DTLS are up.
    Connected,
    /// The reliable data channel can be written.
    DataReady,
    /// A message arrived.
    Data(Vec<u8>),
    /// An RTP packet arrived.
    Audio { mid: Mid, arrival: Instant, seq: u64, rtp_time: u64, payload: Arc<[u8]> },
    /// The server closed the connection.
    Closed,
}

/// See the [module's documentation](self).
pub(super) struct Peer {
    rtc: Rtc,
    local: SocketAddr,
    remote: Vec<SocketAddr>,
    negotiation: Negotiation,
    pending: Option<SdpPendingOffer>,
    offers: u32,
    answered: bool,
    /// Candidates that came before the answer.
    early: Vec<Candidate>,
    receive: Vec<Mid>,
    send: Option<Mid>,
    seq: u64,
    reliable: ChannelId,
}

fn crypto() -> Arc<CryptoProvider> {
    static PROVIDER: OnceLock<Arc<CryptoProvider>> = OnceLock::new();
    PROVIDER.get_or_init(|| Arc::new(str0m::crypto::from_feature_flags())).clone()
}

impl Peer {
    /// A peer and its first offer: data channels and one receive section.
    pub(super) fn new(local: SocketAddr, now: Instant) -> Result<(Self, proto::SessionDescription), RtcError> {
        let mut config =
            Rtc::builder().set_crypto_provider(crypto()).clear_codecs().enable_opus(true, false).set_rtp_mode(true);
        config.set_max_stun_rto(PATH_CHECK);
        let mut rtc = config.build(now);
        rtc.add_local_candidate(Candidate::host(local, "udp")?);

        let mut changes = rtc.sdp_api();
        let channel = |label: &str, ordered, reliability| ChannelConfig {
            label: label.to_owned(),
            ordered,
            reliability,
            negotiated: None,
            protocol: String::new(),
        };
        let reliable = changes.add_channel_with_config(channel(RELIABLE, true, Reliability::Reliable));
        changes.add_channel_with_config(channel(LOSSY, false, Reliability::MaxRetransmits { retransmits: 0 }));
        let receive = vec![changes.add_media(MediaKind::Audio, Direction::RecvOnly, None, None, None)];
        let (offer, pending) = changes.apply().expect("added sections need an offer");

        let peer = Self {
            rtc,
            local,
            remote: Vec::new(),
            negotiation: Negotiation::default(),
            pending: Some(pending),
            offers: 1,
            answered: false,
            early: Vec::new(),
            receive,
            send: None,
            seq: 0,
            reliable,
        };
        Ok((peer, description(offer.to_sdp_string(), 1)))
    }

    /// What is to be done next. To be called until it says [`Step::Wait`], after every other call.
    pub(super) fn poll(&mut self) -> Result<Step, RtcError> {
        loop {
            return Ok(match self.rtc.poll_output()? {
                Output::Timeout(at) => Step::Wait(at),
                Output::Transmit(transmit) => Step::Transmit(transmit),
                Output::Event(event) => match self.event(event) {
                    Some(event) => Step::Event(event),
                    None => continue,
                },
            });
        }
    }

    fn event(&mut self, event: Event) -> Option<PeerEvent> {
        match event {
            Event::Connected => Some(PeerEvent::Connected),
            Event::ChannelOpen(id, _) if id == self.reliable => Some(PeerEvent::DataReady),
            Event::ChannelData(data) => Some(PeerEvent::Data(data.data)),
            Event::RtpPacket(packet) if !packet.payload.is_empty() => {
                let mid = self.rtc.direct_api().stream_rx(&packet.header.ssrc)?.mid();
                Some(PeerEvent::Audio {
                    mid,
                    arrival: packet.timestamp,
                    seq: *packet.seq_no,
                    rtp_time: packet.time.numer(),
                    payload: packet.payload,
                })
            }
            Event::Closed => Some(PeerEvent::Closed),
            _ => None,
        }
    }

    /// A datagram arrived. `false` if it does not belong to this connection.
    pub(super) fn receive(&mut self, datagram: &[u8], source: SocketAddr, now: Instant) -> Result<bool, RtcError> {
        // Anybody can send us datagrams; what is not part of WebRTC is dropped.
        let Ok(contents) = datagram.try_into() else { return Ok(false) };
        let receive = Receive { proto: Protocol::Udp, source, destination: self.local, contents };
        let input = Input::Receive(now, receive);
        let is_ours = self.rtc.accepts(&input);
        if is_ours {
            self.rtc.handle_input(input)?;
        }
        Ok(is_ours)
    }

    /// The instant of [`Step::Wait`] has come.
    pub(super) fn timeout(&mut self, now: Instant) -> Result<(), RtcError> {
        self.rtc.handle_input(Input::Timeout(now))
    }

    /// The server asked for an offer with this many more audio sections.
    pub(super) fn require_sections(&mut self, audio: u32) {
        self.negotiation.require(audio);
    }

    /// A track with this client id is to be published.
    pub(super) fn publish(&mut self, cid: String) {
        self.negotiation.publish(cid);
    }

    /// The next offer to send, if one is due and none is in flight.
    pub(super) fn offer(&mut self) -> Option<proto::SessionDescription> {
        if self.pending.is_some() {
            return None;
        }
        let rtc = &self.rtc;
        let is_idle = |mid: &&Mid| {
            rtc.media(**mid).is_some_and(|media| media.direction() == Direction::Inactive && !media.disabled())
        };
        let idle = self.receive.iter().filter(is_idle).copied().collect();
        let plan = self.negotiation.next(idle)?;

        let mut changes = self.rtc.sdp_api();
        for mid in plan.reopen {
            changes.set_direction(mid, Direction::RecvOnly);
        }
        for _ in 0..plan.add {
            self.receive.push(changes.add_media(MediaKind::Audio, Direction::RecvOnly, None, None, None));
        }
        if let Some(cid) = plan.publish {
            // LiveKit recognises the announced track by the track id of its media section.
            let stream = Some("voxplane".to_owned());
            self.send = Some(changes.add_media(MediaKind::Audio, Direction::SendOnly, stream, Some(cid), None));
        }
        let (offer, pending) = changes.apply()?;
        self.pending = Some(pending);
        self.offers += 1;
        Some(description(offer.to_sdp_string(), self.offers))
    }

    /// The server answered the offer in flight.
    pub(super) fn answer(&mut self, answer: &proto::SessionDescription) -> Result<(), RtcError> {
        if answer.id != 0 && answer.id != self.offers {
            tracing::debug!(answer = answer.id, offer = self.offers, "an answer to an earlier offer is ignored");
            return Ok(());
        }
        let Some(pending) = self.pending.take() else { return Ok(()) };
        self.note_remote(&answer.sdp);
        let answer = SdpAnswer::from_sdp_string(&answer.sdp).map_err(|error| RtcError::RemoteSdp(error.to_string()))?;
        self.rtc.sdp_api().accept_answer(pending, answer)?;
        self.answered = true;
        for candidate in std::mem::take(&mut self.early) {
            self.rtc.add_remote_candidate(candidate);
        }
        Ok(())
    }

    /// The server trickled a candidate (the JSON of `RTCIceCandidateInit`).
    pub(super) fn candidate(&mut self, init: &str) {
        let parsed: Option<serde_json::Value> = serde_json::from_str(init).ok();
        let line = parsed.as_ref().and_then(|init| init.get("candidate")).and_then(serde_json::Value::as_str);
        let Some(candidate) = line.and_then(|line| Candidate::from_sdp_string(line).ok()) else { return };
        if candidate.proto() != Protocol::Udp {
            return;
        }
        self.remote.push(candidate.addr());
        if self.answered {
            self.rtc.add_remote_candidate(candidate);
        } else {
            self.early.push(candidate);
        }
    }

    /// The server's UDP addresses, for the error that names them.
    pub(super) fn remote(&self) -> Vec<SocketAddr> {
        let mut remote = self.remote.clone();
        remote.sort();
        remote.dedup();
        remote
    }

    /// Our UDP address.
    pub(super) fn local(&self) -> SocketAddr {
        self.local
    }

    /// The published track can carry audio.
    pub(super) fn can_send(&self) -> bool {
        self.send.and_then(|mid| self.rtc.media(mid)).is_some_and(|media| media.direction().is_sending())
    }

    /// Sends one Opus packet. `at` becomes its RTP timestamp.
    pub(super) fn send_audio(
        &mut self,
        at: Position,
        talkspurt_start: bool,
        payload: Vec<u8>,
        now: Instant,
    ) -> Result<(), RtcError> {
        let Some((mid, pt)) = self.send.and_then(|mid| {
            let offered = self.rtc.media(mid)?.remote_pts();
            let opus = |params: &&str0m::format::PayloadParams| {
                params.spec().codec == Codec::Opus && offered.contains(&params.pt())
            };
            Some((mid, self.rtc.codec_config().params().iter().find(opus)?.pt()))
        }) else {
            return Ok(());
        };
        // RTP timestamps are the low 32 bits of the call clock.
        let timestamp = at.samples() as u32;
        let write = RtpWrite::new(pt, self.seq.into(), timestamp, now, payload).marker(talkspurt_start);
        if let Some(stream) = self.rtc.direct_api().stream_tx_by_mid(mid, None) {
            stream.write_rtp(write);
            self.seq += 1;
        }
        // str0m sends what was written when its time next moves.
        self.rtc.handle_input(Input::Timeout(now))
    }

    /// Sends a message on the reliable channel. `false` if the channel's buffer is full.
    pub(super) fn send_data(&mut self, message: &[u8]) -> Result<bool, RtcError> {
        match self.rtc.channel(self.reliable) {
            Some(mut channel) => channel.write(true, message),
            None => Ok(false),
        }
    }

    /// Begins an orderly shutdown; the datagrams of [`Peer::poll`] complete it.
    pub(super) fn close(&mut self) {
        if let Err(error) = self.rtc.close() {
            tracing::debug!(%error, "the peer connection was not closed in order");
        }
    }

    /// The peer connection is of use.
    pub(super) fn is_alive(&self) -> bool {
        self.rtc.is_alive()
    }

    fn note_remote(&mut self, sdp: &str) {
        let candidates = sdp.lines().filter_map(|line| line.trim().strip_prefix("a=candidate:"));
        for candidate in candidates.filter_map(|rest| Candidate::from_sdp_string(&format!("candidate:{rest}")).ok()) {
            if candidate.proto() == Protocol::Udp {
                self.remote.push(candidate.addr());
            }
        }
    }
}

fn description(sdp: String, id: u32) -> proto::SessionDescription {
    proto::SessionDescription { r#type: "offer".into(), sdp, id, mid_to_track_id: Default::default() }
}
