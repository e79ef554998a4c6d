//! Connections, and the checks before they are used.

use std::sync::Arc;
use std::time::Duration;

use sqlx::PgPool;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use tokio::sync::OnceCell;

use crate::crypto::DataKey;
use crate::listen::{CallListener, Channel};
use crate::migrations::needed_schema_version;
use crate::scope::{Scope, ScopedTx};
use crate::{StoreError, timestamp};

/// How to use the database.
#[derive(Debug)]
pub struct DbOptions {
    /// Shown in `pg_stat_activity`.
    pub application_name: String,
    /// Connections at most.
    pub max_connections: u32,
    /// How long to wait for a connection before the database counts as unavailable.
    pub acquire_timeout: Duration,
    /// How long one statement may take, and how long a transaction may wait for the next one; the server ends it.
    pub statement_timeout: Duration,
    /// Needed to read and write anything about calls; the operator has none.
    pub data_key: Option<DataKey>,
}

impl Default for DbOptions {
    fn default() -> Self {
        Self {
            application_name: "voxplane".to_owned(),
            max_connections: 10,
            acquire_timeout: Duration::from_secs(2),
            statement_timeout: Duration::from_secs(10),
            data_key: None,
        }
    }
}

/// A pool of connections as one database role. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Db {
    pool: PgPool,
    data_key: Option<Arc<DataKey>>,
    role_checked: Arc<OnceCell<()>>,
}

impl Db {
    /// Prepares a pool. Nothing is connected yet, so a process starts while Postgres is away; see [`Db::ready`].
    ///
    /// # Errors
    /// [`StoreError::Invalid`] when the URL cannot be used.
    #[allow(clippy::unused_async, reason = "callers must be inside the runtime: the pool spawns its upkeep there")]
    pub async fn connect(url: &str, options: DbOptions) -> Result<Self, StoreError> {
        let limit = options.statement_timeout.as_millis().to_string();
        let connect = parse_url("database URL", url)?.application_name(&options.application_name).options([
            ("statement_timeout", limit.as_str()),
            // A machine that is gone closes no connection: its locks, such as an agency's turn to admit, would stay
            // for the hours until TCP notices.
            ("idle_in_transaction_session_timeout", &limit),
        ]);
        let pool = PgPoolOptions::new()
            .max_connections(options.max_connections)
            .acquire_timeout(options.acquire_timeout)
            .connect_lazy_with(connect);
        Ok(Self { pool, data_key: options.data_key.map(Arc::new), role_checked: Arc::default() })
    }

    /// Whether the database can be used: reachable, schema new enough, and our role bound by row-level security.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] and [`StoreError::SchemaBehind`] pass by themselves;
    /// [`StoreError::RoleTooPowerful`] needs somebody to change the configuration.
    pub async fn ready(&self) -> Result<(), StoreError> {
        self.check_role().await?;
        let needed = needed_schema_version();
        let found = match sqlx::query_scalar!(
            r#"SELECT coalesce(max(version), 0) AS "version!" FROM _sqlx_migrations WHERE success"#
        )
        .fetch_one(&self.pool)
        .await
        {
            Ok(version) => version,
            // Undefined table, or not granted yet: no migration has run.
            Err(sqlx::Error::Database(error)) if matches!(error.code().as_deref(), Some("42P01" | "42501")) => 0,
            Err(error) => return Err(error.into()),
        };
        if found < needed { Err(StoreError::SchemaBehind { found, needed }) } else { Ok(()) }
    }

    /// Begins a transaction that sees what `scope` allows.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`], and [`StoreError::RoleTooPowerful`] instead of ever working without protection.
    pub async fn begin(&self, scope: &Scope) -> Result<ScopedTx, StoreError> {
        self.check_role().await?;
        ScopedTx::declare(self.pool.begin().await?, *scope, self.data_key.clone()).await
    }

    /// Listens for commands enqueued by any process.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] when Postgres cannot be reached.
    pub async fn listen_commands(&self) -> Result<CallListener, StoreError> {
        CallListener::connect(&self.pool, Channel::Commands).await
    }

    /// Listens for calls that another process hands over, see [`crate::calls::hand_over`].
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] when Postgres cannot be reached.
    pub async fn listen_handovers(&self) -> Result<CallListener, StoreError> {
        CallListener::connect(&self.pool, Channel::Handovers).await
    }

    /// Creates the ledger's partitions from last month to `months_ahead` (0 to 24) ahead; returns how many were
    /// missing. Call it daily; a call whose month is missing all the same creates its own.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`], [`StoreError::Database`].
    pub async fn create_event_partitions(&self, months_ahead: i32) -> Result<i32, StoreError> {
        self.check_role().await?;
        Ok(sqlx::query_scalar!(r#"SELECT voxplane_create_event_partitions($1) AS "created!""#, months_ahead)
            .fetch_one(&self.pool)
            .await?)
    }

    /// The database's clock.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn now(&self) -> Result<jiff::Timestamp, StoreError> {
        let now = sqlx::query_scalar!(r#"SELECT clock_timestamp() AS "now!""#).fetch_one(&self.pool).await?;
        timestamp::from_db(now)
    }

    /// Closes every connection, waiting for those in use.
    pub async fn close(&self) {
        self.pool.close().await;
    }

    /// Once per process; a role's powers do not change under a running one.
    async fn check_role(&self) -> Result<(), StoreError> {
        self.role_checked.get_or_try_init(|| refuse_powerful_role(&self.pool)).await.copied()
    }
}

pub(crate) fn parse_url(field: &'static str, url: &str) -> Result<PgConnectOptions, StoreError> {
    if !url.starts_with("postgres://") && !url.starts_with("postgresql://") {
        let message = "must look like postgres://user:password@host:5432/database".to_owned();
        return Err(StoreError::Invalid { field, message });
    }
    // The parser's message may quote the URL, which holds a password.
    url.parse().map_err(|_| StoreError::Invalid { field, message: "is not a valid Postgres URL".to_owned() })
}

/// A superuser and a role with BYPASSRLS ignore policies, and an owner could drop them.
async fn refuse_powerful_role(pool: &PgPool) -> Result<(), StoreError> {
    let role = sqlx::query!(
        r#"SELECT current_user::text AS "name!",
                  EXISTS (SELECT FROM pg_roles WHERE rolsuper AND pg_has_role(current_user, oid, 'MEMBER'))
                      AS "superuser!",
                  EXISTS (SELECT FROM pg_roles WHERE rolbypassrls AND pg_has_role(current_user, oid, 'MEMBER'))
                      AS "bypasses!",
                  EXISTS (SELECT FROM pg_class WHERE relnamespace = 'public'::regnamespace
                          AND pg_has_role(current_user, relowner, 'MEMBER')) AS "owns!""#
    )
    .fetch_one(pool)
    .await?;
    let why = match role {
        _ if role.superuser => "it is a superuser or a member of one",
        _ if role.bypasses => "it has BYPASSRLS or is a member of a role that has",
        _ if role.owns => "it owns tables or is a member of their owner",
        _ => return Ok(()),
    };
    Err(StoreError::RoleTooPowerful { role: role.name, why })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bad_url_is_named_and_not_quoted() {
        for url in ["", "mysql://u:secret@h/d", "postgres://u:secret@h:notaport/d"] {
            let error = parse_url("VOXPLANE_DATABASE_URL", url).unwrap_err().to_string();
            assert!(error.starts_with("VOXPLANE_DATABASE_URL: "), "{error}");
            assert!(!error.contains("secret"), "{error}");
        }
    }
}
