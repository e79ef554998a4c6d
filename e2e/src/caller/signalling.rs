//! The SIP side of one call: INVITE with our offer, the answer, and the end from either side.

use std::{
    net::{IpAddr, SocketAddr},
    sync::Arc,
};

use anyhow::{Context, Result};
use rsipstack::{
    dialog::{
        authenticate::Credential,
        dialog::{DialogState, TerminatedReason},
        dialog_layer::DialogLayer,
        invitation::InviteOption,
        invite_dialog::InviteDialog,
    },
    sip::{Method, StatusCode, Uri},
    transaction::TransactionReceiver,
};
use tokio::{
    sync::{mpsc, watch},
    task::JoinSet,
};
use tokio_util::sync::CancellationToken;

use super::{
    DialOptions, endpoint,
    sdp::{self, FarMedia},
};

/// Where a call is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CallState {
    /// INVITE sent, and at most heard that it arrived (100).
    Calling,
    /// It rings (180, 183).
    Ringing,
    /// 200 OK with this media description.
    Answered {
        /// Where our audio goes.
        media: FarMedia,
    },
    /// Over.
    Ended(EndCause),
}

/// Why a call is over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EndCause {
    /// We sent BYE or CANCEL.
    ByUs,
    /// The far end sent BYE.
    ByFarEnd,
    /// The far end refused with this status.
    Refused(u16),
    /// Nothing usable came.
    Failed(String),
}

/// One call's dialog and the tasks that serve it; dropping it ends them.
pub struct Signalling {
    dialog: InviteDialog,
    stop: CancellationToken,
    _tasks: JoinSet<()>,
}

impl Signalling {
    /// Sends INVITE; the receiver follows the call.
    ///
    /// # Errors
    /// When the socket cannot be opened or an URI is malformed.
    pub async fn invite(
        options: &DialOptions,
        local: IpAddr,
        remote: SocketAddr,
        rtp_port: u16,
    ) -> Result<(Self, watch::Receiver<CallState>)> {
        let stop = CancellationToken::new();
        let (endpoint, port) = endpoint::open(local, "voxplane-caller", &stop).await?;
        let incoming = endpoint.incoming_transactions()?;
        let dialogs = Arc::new(DialogLayer::new(endpoint.inner.clone()));
        let (state, follow) = watch::channel(CallState::Calling);
        let (sender, receiver) = mpsc::unbounded_channel();

        let mut tasks = JoinSet::new();
        tasks.spawn(async move { endpoint.serve().await });
        tasks.spawn(serve_requests(incoming, dialogs.clone()));
        tasks.spawn(follow_dialog(receiver, state.clone(), sdp::describe(local, rtp_port)));

        let invite = InviteOption {
            caller: uri(&format!("sip:{}@{local}:{port}", options.from))?,
            callee: uri(&options.target)?,
            contact: uri(&format!("sip:caller@{local}:{port}"))?,
            destination: Some(remote.into()),
            content_type: Some("application/sdp".to_owned()),
            offer: Some(sdp::describe(local, rtp_port).into_bytes()),
            credential: options.auth.as_ref().map(|(username, password)| Credential {
                username: username.clone(),
                password: password.clone(),
                ..Default::default()
            }),
            ..Default::default()
        };
        let (dialog, outcome) = dialogs.do_invite_async(invite, sender)?;
        tasks.spawn(async move {
            let end = match outcome.await {
                Ok(Ok((_, Some(response)))) if response.status_code.code() < 300 => return,
                Ok(Ok((_, Some(response)))) => EndCause::Refused(response.status_code.code()),
                Ok(Ok((_, None))) => EndCause::Failed("no final response".to_owned()),
                Ok(Err(error)) => EndCause::Failed(error.to_string()),
                Err(error) => EndCause::Failed(error.to_string()),
            };
            end_with(&state, end);
        });
        Ok((Self { dialog, stop, _tasks: tasks }, follow))
    }

    /// BYE, or CANCEL before the answer.
    ///
    /// # Errors
    /// When the transport fails.
    pub async fn hang_up(&self) -> Result<()> {
        self.dialog.hangup().await.context("hanging up")
    }
}

impl Drop for Signalling {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

/// The address in a SIP URI such as `sip:+15550100@10.243.0.1:5060`.
///
/// # Errors
/// When there is no `host:port` with an IP address.
pub fn remote_address(target: &str) -> Result<SocketAddr> {
    let host = target.rsplit('@').next().unwrap_or_default().split(';').next().unwrap_or_default();
    host.parse()
        .or_else(|_| format!("{host}:5060").parse())
        .with_context(|| format!("{target} is not of the form sip:<number>@<ip address>[:port]"))
}

fn uri(text: &str) -> Result<Uri> {
    Uri::try_from(text).with_context(|| format!("{text} is not a SIP URI"))
}

/// Hands requests inside the dialog (BYE, re-INVITE) to it, and answers OPTIONS pings outside.
async fn serve_requests(mut incoming: TransactionReceiver, dialogs: Arc<DialogLayer>) {
    while let Some(mut transaction) = incoming.recv().await {
        if let Some(mut dialog) = dialogs.match_dialog(&transaction) {
            // A failed reply means the transport is gone; the call's state tells.
            let _ = dialog.handle(&mut transaction).await;
            continue;
        }
        let status = match transaction.original.method {
            Method::Ack => continue,
            Method::Options => StatusCode::OK,
            _ => StatusCode::CallTransactionDoesNotExist,
        };
        let _ = transaction.reply(status).await;
    }
}

/// Turns the stack's dialog events into our call state; a re-INVITE is accepted with the offer we made first.
async fn follow_dialog(
    mut events: mpsc::UnboundedReceiver<DialogState>,
    state: watch::Sender<CallState>,
    description: String,
) {
    while let Some(event) = events.recv().await {
        match event {
            DialogState::Early(..) => {
                state.send_if_modified(|now| {
                    let first = *now == CallState::Calling;
                    if first {
                        *now = CallState::Ringing;
                    }
                    first
                });
            }
            DialogState::Confirmed(_, response) => match sdp::parse(&String::from_utf8_lossy(&response.body)) {
                Ok(media) => {
                    state.send_if_modified(|now| {
                        let first = !matches!(now, CallState::Answered { .. } | CallState::Ended(_));
                        if first {
                            *now = CallState::Answered { media };
                        }
                        first
                    });
                }
                Err(error) => end_with(&state, EndCause::Failed(format!("{error:#}"))),
            },
            DialogState::Updated(_, _, handle) => {
                let _ = handle.respond(StatusCode::OK, None, Some(description.clone().into_bytes())).await;
            }
            DialogState::Notify(_, _, handle)
            | DialogState::Info(_, _, handle)
            | DialogState::Message(_, _, handle)
            | DialogState::Options(_, _, handle) => {
                let _ = handle.reply(StatusCode::OK).await;
            }
            DialogState::Refer(_, _, handle) | DialogState::Publish(_, _, handle) => {
                let _ = handle.reply(StatusCode::NotImplemented).await;
            }
            DialogState::Terminated(_, reason) => end_with(&state, cause(&reason)),
            DialogState::Calling(_) | DialogState::Trying(_) | DialogState::WaitAck(..) => {}
        }
    }
}

fn cause(reason: &TerminatedReason) -> EndCause {
    match reason {
        TerminatedReason::UacBye | TerminatedReason::UacCancel => EndCause::ByUs,
        TerminatedReason::UasBye => EndCause::ByFarEnd,
        TerminatedReason::UasBusy => EndCause::Refused(486),
        TerminatedReason::UasDecline => EndCause::Refused(603),
        // Asked again after a password was given: it is the wrong one.
        TerminatedReason::ProxyAuthRequired => EndCause::Refused(407),
        TerminatedReason::ProxyError(status)
        | TerminatedReason::UasOther(status)
        | TerminatedReason::UacOther(status) => EndCause::Refused(status.code()),
        other => EndCause::Failed(format!("{other:?}")),
    }
}

/// The first cause stays.
fn end_with(state: &watch::Sender<CallState>, cause: EndCause) {
    state.send_if_modified(|now| {
        let first = !matches!(now, CallState::Ended(_));
        if first {
            *now = CallState::Ended(cause);
        }
        first
    });
}

#[cfg(test)]
mod tests {
    use super::remote_address;

    #[test]
    fn the_address_is_read_from_the_uri() {
        assert_eq!(remote_address("sip:+15550100@10.1.2.3:5070").unwrap(), "10.1.2.3:5070".parse().unwrap());
        assert_eq!(remote_address("sip:+1@10.1.2.3;transport=udp").unwrap(), "10.1.2.3:5060".parse().unwrap());
        assert!(remote_address("sip:clinic").unwrap_err().to_string().contains("sip:<number>@<ip address>"));
    }
}
