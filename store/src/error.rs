//! What can go wrong between us and Postgres.

use std::borrow::Cow;

use sqlx::error::ErrorKind;

use crate::crypto::EncryptionError;

/// Why a store operation failed.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Postgres cannot be reached, is overloaded, or gave up on a lock. The same call may work later.
    #[error("the database is not available")]
    Unavailable {
        /// What happened.
        #[source]
        source: sqlx::Error,
    },
    /// Something with this identity exists already, or another writer was first.
    #[error("conflict: {what}")]
    Conflict {
        /// What collided.
        what: Cow<'static, str>,
    },
    /// No such row, or none that the scope may see.
    #[error("{what} not found")]
    NotFound {
        /// What was looked for.
        what: &'static str,
    },
    /// The caller passed something that cannot be stored.
    #[error("{field}: {message}")]
    Invalid {
        /// The argument or field.
        field: &'static str,
        /// What is wrong and what would be right.
        message: String,
    },
    /// The scope does not cover what was asked.
    #[error("the scope of the transaction does not allow this: {needed}")]
    Scope {
        /// What scope is needed.
        needed: &'static str,
    },
    /// A payload cannot be encrypted or decrypted.
    #[error("encryption")]
    Encryption(#[from] EncryptionError),
    /// The database role could ignore row-level security.
    #[error("database role {role} is too powerful: {why}; connect as voxplane_app")]
    RoleTooPowerful {
        /// The role we are connected as.
        role: String,
        /// What it could do.
        why: &'static str,
    },
    /// Migrations have not run yet.
    #[error("the database schema is at version {found}, this program needs {needed}: run `voxplane-api migrate`")]
    SchemaBehind {
        /// The newest applied migration, 0 if none.
        found: i64,
        /// The newest migration this program knows.
        needed: i64,
    },
    /// Stored data is not what this program writes.
    #[error("stored data cannot be read: {what}")]
    Corrupt {
        /// What was being read.
        what: &'static str,
    },
    /// Migrations could not be applied.
    #[error("the database schema could not be migrated")]
    Migration(#[source] sqlx::migrate::MigrateError),
    /// Postgres refused a statement: a bug of ours or a changed schema.
    #[error("the database refused a statement")]
    Database {
        /// What it said.
        #[source]
        source: sqlx::Error,
    },
}

impl StoreError {
    /// Whether the same operation may succeed later without anybody changing anything.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        matches!(self, Self::Unavailable { .. } | Self::SchemaBehind { .. })
    }

    /// A PascalCase word for conditions, events and metric labels.
    #[must_use]
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Unavailable { .. } => "DatabaseUnavailable",
            Self::Conflict { .. } => "Conflict",
            Self::NotFound { .. } => "NotFound",
            Self::Invalid { .. } => "Invalid",
            Self::Scope { .. } => "ScopeTooNarrow",
            Self::Encryption(_) => "EncryptionError",
            Self::RoleTooPowerful { .. } => "DatabaseRoleTooPowerful",
            Self::SchemaBehind { .. } => "DatabaseSchemaBehind",
            Self::Corrupt { .. } => "DataCorrupt",
            Self::Migration(_) => "MigrationFailed",
            Self::Database { .. } => "DatabaseError",
        }
    }
}

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        use sqlx::Error as E;
        match &error {
            E::Io(_) | E::Tls(_) | E::PoolTimedOut | E::PoolClosed | E::WorkerCrashed | E::BeginFailed => {
                Self::Unavailable { source: error }
            }
            // A connection that dies in the middle of a message surfaces as a protocol error.
            E::Protocol(_) => Self::Unavailable { source: error },
            E::Database(database) => match database.kind() {
                ErrorKind::UniqueViolation => Self::Conflict {
                    what: database.constraint().map_or(Cow::Borrowed("unique key"), |name| name.to_owned().into()),
                },
                _ if database.code().as_deref().is_some_and(is_transient) => Self::Unavailable { source: error },
                _ => Self::Database { source: error },
            },
            _ => Self::Database { source: error },
        }
    }
}

/// SQLSTATEs (<https://www.postgresql.org/docs/16/errcodes-appendix.html>) that pass by themselves.
fn is_transient(code: &str) -> bool {
    // Connection exceptions; insufficient resources; operator intervention; the server's disk.
    ["08", "53", "57", "58"].iter().any(|class| code.starts_with(class))
        // Serialisation failure, deadlock, lock not available, idle transaction ended, too long.
        || matches!(code, "40001" | "40P01" | "55P03" | "25P03" | "25P04")
        // Read only: after a failover we are still connected to the former primary, or already to a standby.
        || code == "25006"
        // Passwords and roles appear when the bootstrap has run.
        || matches!(code, "28P01" | "28000" | "3D000")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_that_pass_by_themselves_are_retryable() {
        assert!(StoreError::from(sqlx::Error::PoolTimedOut).is_retryable());
        assert!(StoreError::from(sqlx::Error::Io(std::io::Error::other("reset"))).is_retryable());
        assert!(!StoreError::from(sqlx::Error::RowNotFound).is_retryable());
        assert!(is_transient("57P01") && is_transient("40001") && !is_transient("42501"));
        assert!(is_transient("25006"), "a failover passes; events must not be dropped for it");
        assert!(is_transient("58030") && !is_transient("25001"));
    }
}
