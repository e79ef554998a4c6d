//! Joining: socket, offer, signalling, task.

use std::time::Instant;

use livekit_signaling::{SignalClient, SignalError, SignalOptions};
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use super::event;
use super::peer::Peer;
use super::task::{Parts, RoomTask};
use super::{JoinError, JoinOptions, Participant, ParticipantKind, Room, RoomEvents, address};

/// Requests that may wait for the task.
const COMMANDS: usize = 64;

/// The newest protocol whose data channels are opened in band; from 18 on their ids are fixed.
const PROTOCOL: u32 = 17;

pub(super) async fn join(options: JoinOptions) -> Result<(Room, RoomEvents), JoinError> {
    let started = Instant::now();
    let deadline = started + options.timeout;
    let url = options.url.as_str();

    let unanswered = || SignalError::Timeout("no answer in the time allowed for joining".into());

    // Resolving the server's name may take long, too.
    let socket = tokio::time::timeout_at(deadline.into(), address::bind(options.bind, url))
        .await
        .unwrap_or_else(|_| Err(JoinError::Unreachable { url: url.to_owned(), source: unanswered() }))?;
    let local_address = socket.local_addr().map_err(|source| JoinError::Socket { address: "?".into(), source })?;
    let (peer, offer) = Peer::new(local_address, started).map_err(|error| JoinError::WebRtc(error.into()))?;

    let connecting = SignalClient::connect(url, &options.token, signal_options(&options), Some(offer));
    let (signal, answer, signals) = tokio::time::timeout_at(deadline.into(), connecting)
        .await
        .unwrap_or_else(|_| Err(unanswered()))
        .map_err(|error| signalling_error(url, error))?;
    if !signal.is_single_pc_mode_active() {
        // Nothing depends on how it closes.
        let _ = tokio::time::timeout_at(deadline.into(), signal.close()).await;
        return Err(JoinError::UnsupportedServer { url: url.to_owned() });
    }

    let info = answer.participant.unwrap_or_default();
    let local = Participant {
        sid: info.sid,
        identity: info.identity,
        kind: ParticipantKind::from_wire(info.kind),
        attributes: info.attributes,
    };
    let (commands, receiver) = mpsc::channel(COMMANDS);
    let (connected, outcome) = oneshot::channel();
    let (sender, events) = event::channel();
    let stop = CancellationToken::new();
    let task = RoomTask::new(Parts {
        peer,
        socket,
        signal,
        signals,
        commands: receiver,
        events: sender,
        stop: stop.clone(),
        clock: options.clock,
        local_sid: local.sid.clone(),
        others: answer.other_participants,
        connected,
        deadline,
        timeout: options.timeout,
    });
    // Dropping this future before the room is connected must not leave the task behind.
    let guard = stop.clone().drop_guard();
    let task = tokio::spawn(task.run());
    match outcome.await {
        Ok(Ok(())) => {
            guard.disarm();
            let name = answer.room.map(|room| room.name).unwrap_or_default();
            let room = Room { commands, stop, task: Some(task), clock: options.clock, local, name };
            Ok((room, events))
        }
        Ok(Err(error)) => Err(error),
        Err(_) => Err(JoinError::Internal),
    }
}

fn signal_options(options: &JoinOptions) -> SignalOptions {
    let mut signal = SignalOptions::default();
    signal.single_peer_connection = true;
    signal.protocol_version = PROTOCOL;
    // What the defaults promise is the official client's, not ours.
    signal.client_capabilities = Vec::new();
    signal.client_protocol = 0;
    signal.region_failover = false;
    signal.connect_timeout = signal.connect_timeout.min(options.timeout);
    signal
}

fn signalling_error(url: &str, error: SignalError) -> JoinError {
    let url = url.to_owned();
    let status = match &error {
        SignalError::Client(status, _) | SignalError::Server(status, _) | SignalError::Handshake { status } => {
            Some(status.as_u16())
        }
        _ => None,
    };
    match (status, error) {
        (Some(status @ (400 | 401 | 403 | 404)), _) => JoinError::TokenRejected { url, status },
        (_, source @ (SignalError::Connection(_) | SignalError::Timeout(_) | SignalError::Closed)) => {
            JoinError::Unreachable { url, source }
        }
        (_, SignalError::UrlParse(_)) => JoinError::InvalidUrl { url, problem: "the signalling client refused it" },
        (_, SignalError::TokenFormat) => JoinError::TokenRejected { url, status: 400 },
        (_, source) => JoinError::Signalling { url, source },
    }
}
