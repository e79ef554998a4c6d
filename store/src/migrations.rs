//! Applying the schema. The files lie in `migrations/` at the top of the repository; its README has the rules.

use sqlx::migrate::Migrator;
use sqlx::{Connection as _, PgConnection};

use crate::StoreError;
use crate::db::parse_url;

static MIGRATOR: Migrator = sqlx::migrate!("../migrations");

/// What [`migrate`] did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Migrated {
    /// The schema version before, 0 for an empty database.
    pub from: i64,
    /// The schema version now.
    pub to: i64,
}

/// The newest migration this program knows: the oldest schema it works with.
#[must_use]
pub fn needed_schema_version() -> i64 {
    MIGRATOR.iter().map(|migration| migration.version).max().unwrap_or(0)
}

/// Brings the schema up to date, as the role that owns it (`voxplane_owner`). Safe to run at any time and from several
/// places at once; a schema newer than this program is left alone, so that rolling back a release needs nothing.
///
/// # Errors
/// [`StoreError::Invalid`] for a bad URL or missing roles, [`StoreError::Unavailable`], [`StoreError::Migration`].
pub async fn migrate(owner_url: &str) -> Result<Migrated, StoreError> {
    let mut connection =
        PgConnection::connect_with(&parse_url("owner database URL", owner_url)?.application_name("voxplane-migrate"))
            .await?;
    require_roles(&mut connection).await?;
    let from = version(&mut connection).await?;
    let needed = needed_schema_version();
    tracing::info!(from, needed, "migrating the database");
    let mut migrator = Migrator::with_migrations(MIGRATOR.iter().cloned().collect());
    migrator.set_ignore_missing(true);
    migrator.run(&mut connection).await.map_err(StoreError::Migration)?;
    let to = version(&mut connection).await?;
    tracing::info!(from, to, "the database is migrated");
    connection.close().await?;
    Ok(Migrated { from, to })
}

/// Migrations grant to these roles; without them the first GRANT would fail with less of an explanation.
async fn require_roles(connection: &mut PgConnection) -> Result<(), StoreError> {
    let missing = sqlx::query_scalar!(
        r#"SELECT string_agg(name, ', ') FROM unnest(ARRAY['voxplane_app', 'voxplane_jobs']) AS name
           WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = name)"#
    )
    .fetch_one(connection)
    .await?;
    match missing {
        None => Ok(()),
        Some(roles) => Err(StoreError::Invalid {
            field: "database",
            message: format!("lacks the roles {roles}: create them, or give a superuser URL to do it for you"),
        }),
    }
}

async fn version(connection: &mut PgConnection) -> Result<i64, StoreError> {
    let exists = sqlx::query_scalar!(r#"SELECT to_regclass('_sqlx_migrations') IS NOT NULL AS "exists!""#)
        .fetch_one(&mut *connection)
        .await?;
    if !exists {
        return Ok(0);
    }
    Ok(sqlx::query_scalar!(r#"SELECT coalesce(max(version), 0) AS "version!" FROM _sqlx_migrations WHERE success"#)
        .fetch_one(connection)
        .await?)
}
