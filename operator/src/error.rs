//! Why a pass over a resource failed. These are failures of the world around us; a mistake of the user is a condition.

use kube::core::response::Status;
use voxplane_store::StoreError;

use crate::database::DatabaseAway;
use crate::livekit::LiveKitError;

/// Why a pass failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The API server did not do what was asked.
    #[error("cannot {action}")]
    Kubernetes {
        /// What we tried.
        action: String,
        /// What it answered.
        #[source]
        source: Box<kube::Error>,
    },
    /// Postgres did not do what was asked.
    #[error("the database failed")]
    Database(#[from] StoreError),
    /// Postgres could not be used a moment ago.
    #[error("the database is away: {reason}")]
    DatabaseAway {
        /// Why.
        reason: String,
    },
    /// LiveKit did not do what was asked.
    #[error("LiveKit failed")]
    LiveKit(#[from] LiveKitError),
    /// The pass took too long, so that something hangs.
    #[error("the pass took longer than {seconds} s")]
    TooLong {
        /// How long it was given.
        seconds: u64,
    },
    /// The object lacks something that the API server sets on every object.
    #[error("the object has no {field}")]
    Incomplete {
        /// Path of the field.
        field: &'static str,
    },
}

impl Error {
    /// For `map_err`: says what was tried when the API server failed.
    pub fn kubernetes(action: impl Into<String>) -> impl FnOnce(kube::Error) -> Self {
        move |source| Self::Kubernetes { action: action.into(), source: Box::new(source) }
    }

    /// The cause in one PascalCase word: metric label and event reason.
    #[must_use]
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Kubernetes { .. } if self.is_conflict() => "Conflict",
            Self::Kubernetes { .. } if self.is_forbidden() => "Forbidden",
            Self::Kubernetes { .. } => "KubernetesError",
            Self::Database(error) => error.reason(),
            Self::DatabaseAway { .. } => "DatabaseUnavailable",
            Self::LiveKit(_) => "LiveKitError",
            Self::TooLong { .. } => "Timeout",
            Self::Incomplete { .. } => "IncompleteObject",
        }
    }

    /// Another writer was first: the next pass sees what it wrote.
    #[must_use]
    pub fn is_conflict(&self) -> bool {
        self.api_status().is_some_and(|status| status.is_conflict() || status.is_already_exists())
    }

    /// The object is gone.
    #[must_use]
    pub fn is_not_found(&self) -> bool {
        self.api_status().is_some_and(Status::is_not_found)
    }

    /// Our rights do not suffice (yet: a RoleBinding takes a moment to be seen).
    #[must_use]
    pub fn is_forbidden(&self) -> bool {
        self.api_status().is_some_and(Status::is_forbidden)
    }

    fn api_status(&self) -> Option<&Status> {
        match self {
            Self::Kubernetes { source, .. } => match source.as_ref() {
                kube::Error::Api(status) => Some(status),
                _ => None,
            },
            _ => None,
        }
    }
}

impl From<DatabaseAway> for Error {
    fn from(away: DatabaseAway) -> Self {
        match away {
            DatabaseAway::Failed(error) => Self::Database(error),
            DatabaseAway::Away(reason) | DatabaseAway::NotConfigured(reason) => Self::DatabaseAway { reason },
        }
    }
}
