//! The error codes this API answers with, and their HTTP statuses.

use http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A stable, machine-readable error code. Codes are added, never changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Code {
    /// No `Authorization` header.
    AuthTokenMissing,
    /// The token is malformed or not ours.
    AuthTokenInvalid,
    /// The token's time is over.
    AuthTokenExpired,
    /// Wrong e-mail address or password.
    AuthInvalidCredentials,
    /// The role lacks the permission.
    AuthzPermissionDenied,
    /// The request names a tenant that is not the caller's.
    AuthzTenantMismatch,
    /// The request names an agency that is not the caller's.
    AuthzAgencyMismatch,
    /// A required field is missing.
    ValRequired,
    /// A field has the wrong form.
    ValInvalidFormat,
    /// A field has the wrong type.
    ValInvalidType,
    /// A number is out of its range.
    ValOutOfRange,
    /// A text or list is too long.
    ValTooLong,
    /// A text or list is too short.
    ValTooShort,
    /// A value is not one of the allowed ones.
    ValInvalidEnum,
    /// An id is not a UUID.
    ValInvalidUuid,
    /// No such resource, or not yours.
    ResNotFound,
    /// A resource of this name exists.
    ResAlreadyExists,
    /// Somebody else's change or ownership is in the way.
    ResConflict,
    /// The resource existed and was deleted.
    ResDeleted,
    /// A quota is used up.
    BizQuotaExceeded,
    /// The resource is not in a state that allows this.
    BizInvalidState,
    /// A rule of the product forbids this.
    BizOperationFailed,
    /// Too many requests this minute.
    RateLimitMinute,
    /// A fault of ours.
    SrvInternalError,
    /// The database did not answer.
    SrvDatabaseError,
    /// Kubernetes or LiveKit did not answer.
    SrvExternalService,
    /// It took too long.
    SrvTimeout,
    /// Not able to serve right now; worth trying again.
    SrvMaintenance,
}

impl Code {
    /// The HTTP status of this code.
    pub fn status(self) -> StatusCode {
        match self {
            Self::AuthTokenMissing | Self::AuthTokenInvalid | Self::AuthTokenExpired | Self::AuthInvalidCredentials => {
                StatusCode::UNAUTHORIZED
            }
            Self::AuthzPermissionDenied | Self::AuthzTenantMismatch | Self::AuthzAgencyMismatch => {
                StatusCode::FORBIDDEN
            }
            Self::ValRequired
            | Self::ValInvalidFormat
            | Self::ValInvalidType
            | Self::ValOutOfRange
            | Self::ValTooLong
            | Self::ValTooShort
            | Self::ValInvalidEnum
            | Self::ValInvalidUuid => StatusCode::BAD_REQUEST,
            Self::ResNotFound => StatusCode::NOT_FOUND,
            Self::ResAlreadyExists | Self::ResConflict => StatusCode::CONFLICT,
            Self::ResDeleted => StatusCode::GONE,
            Self::BizQuotaExceeded | Self::BizInvalidState | Self::BizOperationFailed => {
                StatusCode::UNPROCESSABLE_ENTITY
            }
            Self::RateLimitMinute => StatusCode::TOO_MANY_REQUESTS,
            Self::SrvInternalError | Self::SrvDatabaseError => StatusCode::INTERNAL_SERVER_ERROR,
            Self::SrvExternalService => StatusCode::BAD_GATEWAY,
            Self::SrvTimeout => StatusCode::GATEWAY_TIMEOUT,
            Self::SrvMaintenance => StatusCode::SERVICE_UNAVAILABLE,
        }
    }
}
