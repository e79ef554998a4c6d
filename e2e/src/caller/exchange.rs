//! The other end: an exchange that takes calls as a carrier does. It asks for a login, notes who calls whom, and answers.

use std::{
    net::{IpAddr, SocketAddr, UdpSocket},
    sync::Arc,
    time::Duration,
};

use anyhow::{Context, Result, bail};
use rsipstack::{
    dialog::{authenticate::verify_digest, dialog_layer::DialogLayer},
    sip::{
        ContentType, Method, Request, StatusCode, Uri, WwwAuthenticate, prelude::HeadersExt as _, typed::Authorization,
    },
    transaction::{TransactionReceiver, transaction::Transaction},
};
use tokio::{sync::mpsc, task::JoinSet, time::timeout};
use tokio_util::sync::CancellationToken;

use super::{endpoint, sdp};

const CHALLENGE: &str = r#"Digest realm="exchange", nonce="7c9e6679f4d34c9b", algorithm=MD5"#;

/// What became of a call that came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Arrival {
    /// The user part of From: the number that the one who is called sees.
    pub from: String,
    /// The user part of the request URI: who is called.
    pub to: String,
    /// Whether the login was right, and so whether it was answered.
    pub answered: bool,
}

/// An exchange; it is gone when this is dropped.
pub struct Exchange {
    address: SocketAddr,
    arrivals: mpsc::UnboundedReceiver<Arrival>,
    stop: CancellationToken,
    _tasks: JoinSet<()>,
}

/// What it needs for each call.
struct Desk {
    username: String,
    password: String,
    contact: Uri,
    description: String,
    arrivals: mpsc::UnboundedSender<Arrival>,
    dialogs: DialogLayer,
    /// Where audio would arrive. Nobody listens, and nothing is said.
    _audio: UdpSocket,
}

impl Exchange {
    /// Opens an exchange at an address of this machine. Whoever calls must know the user name and the password.
    ///
    /// # Errors
    /// When no port is free.
    pub async fn open(local: IpAddr, username: &str, password: &str) -> Result<Self> {
        let stop = CancellationToken::new();
        let (endpoint, port) = endpoint::open(local, "voxplane-exchange", &stop).await?;
        let incoming = endpoint.incoming_transactions()?;
        let audio = UdpSocket::bind((local, 0)).context("opening the RTP socket")?;
        let (sender, arrivals) = mpsc::unbounded_channel();
        let contact = format!("sip:exchange@{local}:{port}");
        let desk = Desk {
            username: username.to_owned(),
            password: password.to_owned(),
            contact: Uri::try_from(contact.as_str()).with_context(|| format!("{contact} is not a SIP URI"))?,
            description: sdp::describe(local, audio.local_addr()?.port()),
            arrivals: sender,
            dialogs: DialogLayer::new(endpoint.inner.clone()),
            _audio: audio,
        };
        let mut tasks = JoinSet::new();
        tasks.spawn(async move { endpoint.serve().await });
        tasks.spawn(serve(incoming, Arc::new(desk)));
        Ok(Self { address: SocketAddr::new(local, port), arrivals, stop, _tasks: tasks })
    }

    /// Where it takes calls.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// The next call that came, answered or refused.
    ///
    /// # Errors
    /// When none comes within `limit`.
    pub async fn next(&mut self, limit: Duration) -> Result<Arrival> {
        match timeout(limit, self.arrivals.recv()).await {
            Ok(Some(arrival)) => Ok(arrival),
            Ok(None) => bail!("the exchange has closed"),
            Err(_) => bail!("no call came within {limit:?}"),
        }
    }
}

impl Drop for Exchange {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

async fn serve(mut incoming: TransactionReceiver, desk: Arc<Desk>) {
    // Ends with this task, and with them all calls.
    let mut calls = JoinSet::new();
    while let Some(mut transaction) = incoming.recv().await {
        if let Some(mut dialog) = desk.dialogs.match_dialog(&transaction) {
            calls.spawn(async move {
                // A failed reply means the transport is gone.
                let _ = dialog.handle(&mut transaction).await;
            });
            continue;
        }
        match transaction.original.method {
            Method::Invite => {
                let desk = desk.clone();
                calls.spawn(async move {
                    let _ = take(&desk, transaction).await;
                });
            }
            Method::Ack => {}
            Method::Options => drop(transaction.reply(StatusCode::OK).await),
            _ => drop(transaction.reply(StatusCode::CallTransactionDoesNotExist).await),
        }
    }
}

/// Answers an INVITE: who has no login is asked for one, who has a wrong one is refused.
async fn take(desk: &Desk, mut transaction: Transaction) -> Result<()> {
    let request = &transaction.original;
    if request.authorization_header().is_none() {
        let challenge = WwwAuthenticate::new(CHALLENGE).into();
        transaction.reply_with(StatusCode::Unauthorized, vec![challenge], None).await?;
        acknowledged(transaction).await;
        return Ok(());
    }
    let answered = knows(request, &desk.username, &desk.password);
    let from = request.from_header()?.uri()?.user().unwrap_or_default().to_owned();
    let to = request.uri.user().unwrap_or_default().to_owned();
    if answered {
        // The dialog's own states are of no interest.
        let (events, _) = mpsc::unbounded_channel();
        let mut dialog =
            desk.dialogs.get_or_create_server_invite(&transaction, events, None, Some(desk.contact.clone()))?;
        let headers = vec![ContentType::new("application/sdp").into()];
        dialog.accept(Some(headers), Some(desk.description.clone().into_bytes()))?;
        let _ = desk.arrivals.send(Arrival { from, to, answered });
        dialog.handle(&mut transaction).await?;
    } else {
        transaction.reply(StatusCode::Forbidden).await?;
        let _ = desk.arrivals.send(Arrival { from, to, answered });
        acknowledged(transaction).await;
    }
    Ok(())
}

/// Stays with a refusal until the other side has it.
async fn acknowledged(mut transaction: Transaction) {
    while transaction.receive().await.is_some() {}
}

fn knows(request: &Request, username: &str, password: &str) -> bool {
    let Some(header) = request.authorization_header() else { return false };
    Authorization::parse(header.value()).is_ok_and(|login| {
        login.username == username && verify_digest(&login, password, &Method::Invite, header.value())
    })
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;
    use crate::caller::{Call, DialOptions, EndCause};

    const LIMIT: Duration = Duration::from_secs(5);

    async fn dial(exchange: &Exchange, login: Option<(&str, &str)>) -> Call {
        let auth = login.map(|(username, password)| (username.to_owned(), password.to_owned()));
        let target = format!("sip:+4930123456@{}", exchange.address());
        Call::dial(DialOptions { auth, ..DialOptions::to(target) }).await.unwrap()
    }

    #[tokio::test]
    async fn who_knows_the_password_is_answered_and_nobody_else() {
        let mut exchange = Exchange::open(Ipv4Addr::LOCALHOST.into(), "office", "correct-horse").await.unwrap();
        for wrong in [("office", "battery-staple"), ("shop", "correct-horse")] {
            let cause = dial(&exchange, Some(wrong)).await.ended(LIMIT).await.unwrap();
            assert_eq!(cause, EndCause::Refused(403), "{wrong:?}");
            assert!(!exchange.next(LIMIT).await.unwrap().answered, "{wrong:?}");
        }
        let cause = dial(&exchange, None).await.ended(LIMIT).await.unwrap();
        // The stack tells every question for a login that it cannot answer as 407.
        assert_eq!(cause, EndCause::Refused(407));

        let mut call = dial(&exchange, Some(("office", "correct-horse"))).await;
        call.answered(LIMIT).await.unwrap();
        let arrival = exchange.next(LIMIT).await.unwrap();
        assert_eq!((arrival.from.as_str(), arrival.to.as_str()), ("+15550999", "+4930123456"));
        assert!(arrival.answered);
        assert_eq!(call.hang_up().await.unwrap(), EndCause::ByUs);
    }
}
