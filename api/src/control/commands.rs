//! Delivers commands to the calls on this replica's pods: woken by NOTIFY, and polled, because announcements get lost.

use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};
use voxplane_control::v1::{Command as WireCommand, HangUp, Say, api_message, command};
use voxplane_platform::error_chain::ErrorChain;
use voxplane_store::commands::{self, Command, CommandState};
use voxplane_store::{CallListener, StoreError, Wake};

use super::registry::Pod;
use super::service::ControlParts;

const POLL: Duration = Duration::from_secs(1);

/// Delivers until `stop`.
pub async fn deliver(parts: Arc<ControlParts>, stop: CancellationToken) {
    let mut listener: Option<CallListener> = None;
    // On its own clock: announcements, also those for other replicas' calls, must not put it off.
    let mut polls = interval(POLL);
    polls.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        if listener.is_none() {
            listener = parts.db.listen_commands().await.ok();
        }
        let woken = tokio::select! {
            () = stop.cancelled() => return,
            woken = next(listener.as_mut()) => woken,
            _ = polls.tick() => Ok(Wake::Reconnected),
        };
        match woken {
            Ok(wake) => look(&parts, wake).await,
            // Connect anew at the next poll.
            Err(_) => listener = None,
        }
    }
}

async fn next(listener: Option<&mut CallListener>) -> Result<Wake, StoreError> {
    match listener {
        Some(listener) => listener.next().await,
        None => std::future::pending().await,
    }
}

async fn look(parts: &ControlParts, wake: Wake) {
    for pod in parts.registry.all() {
        let held = pod.leases();
        let concerned = match wake {
            Wake::Call(call) => held.iter().any(|(own, _)| *own == call),
            Wake::Reconnected => !held.is_empty(),
        };
        if concerned && let Err(error) = send_open(parts, &pod).await {
            warn!(pod = pod.info.pod, error = %ErrorChain(&error), "commands could not be fetched; trying again");
        }
    }
}

async fn send_open(parts: &ControlParts, pod: &Pod) -> Result<(), StoreError> {
    let mut tx = parts.db.begin(&pod.info.scope()).await?;
    let open = commands::claim_for(&mut tx, pod.info.session).await?;
    let mut sendable = Vec::new();
    for command in open {
        match action(&command) {
            Some(action) => sendable.push((command, action)),
            None => {
                commands::finish(&mut tx, command.id, CommandState::Unsupported, "unknown kind").await?;
            }
        }
    }
    tx.commit().await?;
    for (command, action) in sendable {
        info!(call.id = %command.call, command = %command.id, kind = command.kind, "a command goes to its pod");
        pod.send(api_message::Body::Command(wire(&command, action)));
    }
    Ok(())
}

fn wire(command: &Command, action: command::Action) -> WireCommand {
    WireCommand {
        id: command.id.to_string(),
        call_id: command.call.to_string(),
        epoch: u32::try_from(command.epoch).unwrap_or_default(),
        action: Some(action),
    }
}

fn action(command: &Command) -> Option<command::Action> {
    let text = |name: &str| command.payload.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    match command.kind.as_str() {
        "hang_up" => Some(command::Action::HangUp(HangUp { reason: text("reason") })),
        "say" => Some(command::Action::Say(Say {
            text: text("text"),
            interruptible: command.payload.get("interruptible").and_then(Value::as_bool).unwrap_or(true),
        })),
        _ => None,
    }
}

/// The kind of the command that hangs up.
pub const HANG_UP: &str = "hang_up";

#[cfg(test)]
mod tests {
    use serde_json::json;
    use voxplane_store::{CallId, CommandId};

    use super::*;

    #[test]
    fn kinds_become_actions() {
        let command = |kind: &str, payload| Command {
            id: CommandId::new(),
            call: CallId::new(),
            epoch: 1,
            kind: kind.into(),
            payload,
        };
        let hang_up = action(&command(HANG_UP, json!({"reason": "operator"})));
        assert_eq!(hang_up, Some(command::Action::HangUp(HangUp { reason: "operator".into() })));
        assert!(
            matches!(action(&command("say", json!({"text": "hi"}))), Some(command::Action::Say(say)) if say.interruptible)
        );
        assert_eq!(action(&command("dance", json!({}))), None);
    }
}
