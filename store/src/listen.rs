//! Announcements between replicas: NOTIFY with a call's id, delivered when the announcing transaction commits.

use sqlx::PgPool;
use sqlx::postgres::PgListener;

use crate::{CallId, ScopedTx, StoreError};

/// What an announcement is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Channel {
    /// A command for the call was stored.
    Commands,
    /// The call waits for a replica whose pods can take it.
    Handovers,
}

impl Channel {
    fn name(self) -> &'static str {
        match self {
            Self::Commands => "voxplane_commands",
            Self::Handovers => "voxplane_handovers",
        }
    }
}

/// Announces a call to every listening replica, when the transaction commits.
pub(crate) async fn announce(tx: &mut ScopedTx, channel: Channel, call: CallId) -> Result<(), StoreError> {
    sqlx::query!("SELECT pg_notify($1, $2)", channel.name(), call.to_string()).fetch_one(tx.connection()).await?;
    Ok(())
}

/// Why a listener woke up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wake {
    /// This call was announced.
    Call(CallId),
    /// The connection was lost and is back: announcements may have been missed.
    Reconnected,
}

/// Waits for announcements of calls, on a connection of its own.
#[derive(Debug)]
pub struct CallListener {
    listener: PgListener,
    channel: Channel,
}

impl CallListener {
    pub(crate) async fn connect(pool: &PgPool, channel: Channel) -> Result<Self, StoreError> {
        let mut listener = PgListener::connect_with(pool).await?;
        listener.listen(channel.name()).await?;
        Ok(Self { listener, channel })
    }

    /// The next announcement. Look regularly all the same: announcements get lost, they are only faster.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] while Postgres is away; call it again after a pause.
    pub async fn next(&mut self) -> Result<Wake, StoreError> {
        loop {
            match self.listener.try_recv().await? {
                None => return Ok(Wake::Reconnected),
                Some(notification) => match notification.payload().parse() {
                    Ok(call) => return Ok(Wake::Call(call)),
                    Err(_) => tracing::warn!("an announcement on {} is not a call id", self.channel.name()),
                },
            }
        }
    }
}
