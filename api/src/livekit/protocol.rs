//! The agent worker protocol as pure data: what a server message asks of us, and the messages we send.
//!
//! Source of the outside facts: LiveKit's `livekit_agent.proto` and livekit-server's `pkg/agent/worker.go`.

use livekit_protocol::{
    AvailabilityResponse, JobStatus, JobType, RegisterWorkerRequest, ServerMessage, UpdateJobStatus,
    UpdateWorkerStatus, WorkerMessage, WorkerPing, WorkerStatus, server_message, worker_message,
};
use prost::Message as _;

use super::access::AGENT_IDENTITY;
use super::worker::AGENT_NAME;

/// What a message of the server means to us.
#[derive(Debug, PartialEq, Eq)]
pub enum Heard {
    /// We are registered under this worker id.
    Registered(String),
    /// A room needs an agent; answer at once.
    Offered {
        /// Job id.
        job: String,
        /// Room name.
        room: String,
    },
    /// The job ended on LiveKit's side.
    Ended(String),
    /// The server is going away: register again.
    GoAway,
    /// Nothing to do.
    Nothing,
}

/// Reads one binary frame.
///
/// # Errors
/// When it is not a server message.
pub fn hear(frame: &[u8]) -> Result<Heard, prost::DecodeError> {
    use server_message::Message as M;
    Ok(match ServerMessage::decode(frame)?.message {
        Some(M::Register(answer)) => Heard::Registered(answer.worker_id),
        Some(M::Availability(offer)) => match offer.job {
            Some(job) => Heard::Offered { room: job.room.map(|room| room.name).unwrap_or_default(), job: job.id },
            None => Heard::Nothing,
        },
        Some(M::Termination(end)) => Heard::Ended(end.job_id),
        Some(M::GoAway(_)) => Heard::GoAway,
        Some(M::Assignment(_) | M::Pong(_)) | None => Heard::Nothing,
    })
}

fn frame(message: worker_message::Message) -> Vec<u8> {
    WorkerMessage { message: Some(message) }.encode_to_vec()
}

/// Registers as the one worker name every dispatch rule names.
pub fn register(version: &str) -> Vec<u8> {
    frame(worker_message::Message::Register(RegisterWorkerRequest {
        r#type: JobType::JtRoom.into(),
        agent_name: AGENT_NAME.to_owned(),
        version: version.to_owned(),
        ..RegisterWorkerRequest::default()
    }))
}

/// Load is always 0: admission is ours, and LiveKit picks among replicas evenly.
pub fn load(accepting: bool) -> Vec<u8> {
    let status = if accepting { WorkerStatus::WsAvailable } else { WorkerStatus::WsFull };
    frame(worker_message::Message::UpdateWorker(UpdateWorkerStatus {
        status: Some(status.into()),
        load: 0.0,
        draining: !accepting,
        ..UpdateWorkerStatus::default()
    }))
}

/// Takes or leaves an offered job. The token LiveKit then assigns is not used: runtimes get tokens of our own.
pub fn availability(job: &str, available: bool) -> Vec<u8> {
    frame(worker_message::Message::Availability(AvailabilityResponse {
        job_id: job.to_owned(),
        available,
        participant_identity: AGENT_IDENTITY.to_owned(),
        participant_name: AGENT_IDENTITY.to_owned(),
        ..AvailabilityResponse::default()
    }))
}

/// Reports how a job goes.
pub fn job_status(job: &str, status: JobStatus, error: &str) -> Vec<u8> {
    frame(worker_message::Message::UpdateJob(UpdateJobStatus {
        job_id: job.to_owned(),
        status: status.into(),
        error: error.to_owned(),
    }))
}

/// Keep-alive.
pub fn ping(unix_ms: i64) -> Vec<u8> {
    frame(worker_message::Message::Ping(WorkerPing { timestamp: unix_ms }))
}

#[cfg(test)]
mod tests {
    use livekit_protocol::{AvailabilityRequest, Job, Room};

    use super::*;

    #[test]
    fn an_offer_names_job_and_room() {
        let offer = ServerMessage {
            message: Some(server_message::Message::Availability(AvailabilityRequest {
                job: Some(Job {
                    id: "AJ_1".into(),
                    room: Some(Room { name: "vx-1".into(), ..Room::default() }),
                    ..Job::default()
                }),
                resuming: false,
            })),
        };
        let heard = hear(&offer.encode_to_vec()).unwrap();
        assert_eq!(heard, Heard::Offered { job: "AJ_1".into(), room: "vx-1".into() });
    }

    #[test]
    fn noise_is_an_error_and_an_empty_message_is_nothing() {
        assert!(hear(b"\xff\xff\xff").is_err());
        assert_eq!(hear(b"").unwrap(), Heard::Nothing);
    }
}
