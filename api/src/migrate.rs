//! `voxplane-api migrate`: roles, then schema. Run as a Job before the services start; safe to repeat.

use secrecy::{ExposeSecret, SecretString};
use tracing::info;
use voxplane_store::{RoleUrls, StoreError, bootstrap_roles};

use crate::config::{ConfigError, MigrateArgs};

/// Why migrating failed.
#[derive(Debug, thiserror::Error)]
pub enum MigrateError {
    /// Configuration.
    #[error("the configuration is not usable")]
    Config(#[from] ConfigError),
    /// Database.
    #[error("the database could not be prepared")]
    Store(#[from] StoreError),
}

/// Creates roles when an administrator's URL is given, and migrates.
///
/// # Errors
/// See [`MigrateError`].
pub async fn run(args: &MigrateArgs) -> Result<(), MigrateError> {
    let owner = args.owner_database_url.expose_secret();
    if let Some(admin) = given(args.admin_database_url.as_ref()) {
        let urls = RoleUrls {
            owner,
            app: role_url("VOXPLANE_DATABASE_URL", args.database_url.as_ref())?,
            jobs: role_url("VOXPLANE_JOBS_DATABASE_URL", args.jobs_database_url.as_ref())?,
        };
        bootstrap_roles(admin, &urls).await?;
        info!("the roles voxplane_owner, voxplane_app and voxplane_jobs are there");
    } else {
        info!("VOXPLANE_ADMIN_DATABASE_URL is not set: roles are taken as they are");
    }
    let migrated = voxplane_store::migrate(owner).await?;
    info!(from = migrated.from, to = migrated.to, "the schema is up to date");
    Ok(())
}

fn given(url: Option<&SecretString>) -> Option<&str> {
    url.map(ExposeSecret::expose_secret).filter(|url| !url.is_empty())
}

fn role_url<'a>(variable: &'static str, url: Option<&'a SecretString>) -> Result<&'a str, ConfigError> {
    given(url).ok_or(ConfigError::RoleUrl { variable })
}
