//! Postgres, which may be away: existing things are kept, nothing new is made, and everybody can ask why.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use secrecy::{ExposeSecret as _, SecretString};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use voxplane_platform::error_chain::{ErrorChain, describe};
use voxplane_platform::health::Check;
use voxplane_store::{Db, DbOptions, Scope, ScopedTx, StoreError};

use crate::watch::{Change, Router};

/// How often the database is asked whether it can be used.
const ASK_EVERY: Duration = Duration::from_secs(3);

/// A database that has not answered after this time is away. Long enough for everything that is registered when a
/// process starts with thousands of objects: taking a busy database for one that is away would change all their statuses.
const ANSWERS_WITHIN: Duration = Duration::from_secs(5);

/// The database and whether it can be used.
#[derive(Clone, Debug)]
pub struct Database {
    db: Option<Db>,
    state: Arc<watch::Sender<Result<(), String>>>,
    detail: Arc<Mutex<Option<String>>>,
    /// Whether the last question was not answered, and the one before was.
    missed: Arc<AtomicBool>,
}

impl Database {
    /// Prepares access; nothing is connected yet. Without a URL it is away for good.
    ///
    /// # Errors
    /// When the URL cannot be used.
    pub async fn open(url: Option<&SecretString>) -> Result<Self, StoreError> {
        let db = match url {
            None => None,
            Some(url) => {
                let options = DbOptions {
                    application_name: "voxplane-operator".to_owned(),
                    acquire_timeout: ANSWERS_WITHIN,
                    ..DbOptions::default()
                };
                Some(Db::connect(url.expose_secret(), options).await?)
            }
        };
        let state = match db {
            Some(_) => "not asked yet",
            None => "no database is configured: set VOXPLANE_DATABASE_URL",
        };
        Ok(Self {
            db,
            state: Arc::new(watch::channel(Err(state.to_owned())).0),
            detail: Arc::default(),
            missed: Arc::default(),
        })
    }

    /// `Ok` when the database could be used a moment ago, else why not.
    ///
    /// # Errors
    /// Why it cannot be used, in a sentence for people.
    pub fn available(&self) -> Result<(), String> {
        self.state.borrow().clone()
    }

    /// A transaction that sees everything: the operator works for all tenants.
    ///
    /// # Errors
    /// When the database cannot be used.
    pub async fn begin(&self) -> Result<ScopedTx, DatabaseAway> {
        match (&self.db, self.available()) {
            (None, state) => Err(DatabaseAway::NotConfigured(state.err().unwrap_or_default())),
            // Everybody waits for the same answer; no need to ask once per object.
            (Some(_), Err(reason)) => Err(DatabaseAway::Away(reason)),
            (Some(db), Ok(())) => Ok(db.begin(&Scope::platform()).await?),
        }
    }

    /// Asks the database now. Returns whether the answer changed: to away only when it has missed two questions.
    pub async fn ask(&self) -> bool {
        let Some(db) = &self.db else { return false };
        // Statuses are read by tenants: they learn that it is away, the log and /readyz say why.
        let answer = db.ready().await.map_err(|error| {
            tracing::debug!(error = %ErrorChain(&error), "the database cannot be used");
            (error.to_string(), describe(&error))
        });
        *self.detail.lock().unwrap_or_else(PoisonError::into_inner) =
            answer.as_ref().err().map(|(_, detail)| detail.clone());
        let answer = answer.map_err(|(public, _)| public);
        // Once may be because we are busy ourselves, and would have the status of every object written twice.
        if !self.missed.swap(answer.is_err(), Ordering::Relaxed) && answer.is_err() && self.available().is_ok() {
            return false;
        }
        self.state.send_if_modified(|state| {
            let changed = state.is_ok() != answer.is_ok();
            *state = answer;
            changed
        })
    }

    /// Asks the database again and again until `stop` is cancelled, and has everything looked at when it comes back or
    /// goes away.
    pub async fn observe(self, router: Arc<Router>, check: Check, stop: CancellationToken) {
        loop {
            if self.ask().await {
                router.announce(&Change::Database);
            }
            let detail = self.detail.lock().unwrap_or_else(PoisonError::into_inner).clone();
            match (self.available(), &self.db) {
                (Ok(()), _) => check.pass(),
                (Err(reason), Some(_)) => check.fail(detail.unwrap_or(reason)),
                (Err(reason), None) => check.pass_with(format!("off: {reason}")),
            }
            tokio::select! {
                () = tokio::time::sleep(ASK_EVERY) => {}
                () = stop.cancelled() => return,
            }
        }
    }
}

/// Why there is no transaction.
#[derive(Debug, thiserror::Error)]
pub enum DatabaseAway {
    /// No URL was given.
    #[error("{0}")]
    NotConfigured(String),
    /// It could not be used a moment ago.
    #[error("{0}")]
    Away(String),
    /// The database failed.
    #[error("the database failed")]
    Failed(#[from] StoreError),
}
