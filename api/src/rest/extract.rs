//! Extractors whose refusals speak our error contract.

use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::{JsonRejection, PathRejection, QueryRejection};
use axum::extract::{FromRequest, FromRequestParts, Path, Query, Request};
use http::HeaderMap;
use http::header::{AUTHORIZATION, IF_MATCH};
use http::request::Parts;
use serde::de::DeserializeOwned;
use uuid::Uuid;

use super::code::Code;
use super::error::ApiError;
use super::router::App;
use super::white_label::WhiteLabel;
use crate::auth::{Permission, Principal, TokenError};

/// The authenticated caller. A handler that takes it cannot be reached without a valid token.
#[derive(Debug)]
pub struct Caller(pub Principal);

impl Caller {
    /// Refuses callers whose role lacks the permission.
    ///
    /// # Errors
    /// `AUTHZ_PERMISSION_DENIED`.
    pub fn may(&self, permission: Permission) -> Result<&Principal, ApiError> {
        if self.0.role.allows(permission) {
            return Ok(&self.0);
        }
        let message = format!("your role lacks the permission {}", permission.name());
        Err(ApiError::new(Code::AuthzPermissionDenied, message))
    }
}

impl FromRequestParts<Arc<App>> for Caller {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, ApiError> {
        let token = bearer(&parts.headers)?;
        match app.tokens.verify_access(token) {
            Ok(principal) => {
                if let Some(label) = parts.extensions.get::<WhiteLabel>() {
                    label.ask(app, &principal);
                }
                Ok(Self(principal))
            }
            Err(TokenError::Expired) => {
                Err(ApiError::new(Code::AuthTokenExpired, "the token has expired; log in again"))
            }
            Err(_) => Err(ApiError::new(Code::AuthTokenInvalid, "the token is not valid; log in again")),
        }
    }
}

fn bearer(headers: &HeaderMap) -> Result<&str, ApiError> {
    let missing = || {
        ApiError::new(
            Code::AuthTokenMissing,
            "send the header `Authorization: Bearer <token>`; POST /api/v1/auth/login gives one",
        )
    };
    let header = headers.get(AUTHORIZATION).ok_or_else(missing)?;
    let text = header.to_str().map_err(|_| ApiError::new(Code::AuthTokenInvalid, "the token is not valid"))?;
    match text.split_once(' ') {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => Ok(token.trim()),
        _ => Err(missing()),
    }
}

/// A JSON body.
#[derive(Debug)]
pub struct Body<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Body<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Self, ApiError> {
        match Json::<T>::from_request(request, state).await {
            Ok(Json(value)) => Ok(Self(value)),
            Err(JsonRejection::JsonDataError(error)) => Err(shape(&error.body_text())),
            Err(JsonRejection::MissingJsonContentType(_)) => {
                Err(ApiError::new(Code::ValInvalidFormat, "send JSON with `Content-Type: application/json`"))
            }
            Err(JsonRejection::BytesRejection(error)) if error.status() == http::StatusCode::PAYLOAD_TOO_LARGE => {
                Err(ApiError::new(Code::ValTooLong, "the body is larger than 1 MiB"))
            }
            Err(error) => {
                Err(ApiError::new(Code::ValInvalidFormat, format!("the body is not JSON: {}", error.body_text())))
            }
        }
    }
}

/// serde's messages name the field between backquotes, or as a path before the first colon.
pub fn shape(text: &str) -> ApiError {
    let text = text.strip_prefix("Failed to deserialize the JSON body into the target type: ").unwrap_or(text);
    let named = || text.split('`').nth(1).unwrap_or("body").to_owned();
    let path = text.split_once(": ").map(|(path, _)| path).filter(|path| !path.contains(' '));
    if text.contains("missing field") {
        return ApiError::field(named(), Code::ValRequired, format!("{} is required", named()));
    }
    let code = if text.contains("unknown variant") {
        Code::ValInvalidEnum
    } else if text.contains("unknown field") {
        Code::ValInvalidFormat
    } else {
        Code::ValInvalidType
    };
    let field = match path {
        Some(path) => path.to_owned(),
        None if text.contains("unknown field") => named(),
        None => "body".to_owned(),
    };
    ApiError::field(field, code, text)
}

/// Query parameters.
#[derive(Debug)]
pub struct Params<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Params<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        match Query::<T>::from_request_parts(parts, state).await {
            Ok(Query(value)) => Ok(Self(value)),
            Err(QueryRejection::FailedToDeserializeQueryString(error)) => {
                let text = error.body_text();
                let text = text.strip_prefix("Failed to deserialize query string: ").unwrap_or(&text);
                Err(shape(text))
            }
            Err(_) => Err(ApiError::new(Code::ValInvalidFormat, "the query string is malformed")),
        }
    }
}

/// The id in the path.
#[derive(Debug, Clone, Copy)]
pub struct Id(pub Uuid);

impl<S: Send + Sync> FromRequestParts<S> for Id {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let wrong = || ApiError::field("id", Code::ValInvalidUuid, "the id in the path must be a UUID");
        let path: Result<Path<String>, PathRejection> =
            <Path<String> as FromRequestParts<S>>::from_request_parts(parts, state).await;
        let Ok(Path(text)) = path else { return Err(wrong()) };
        text.parse().map(Self).map_err(|_| wrong())
    }
}

/// The version in `If-Match`, without its quotes; `None` when the header is missing or `*`.
#[derive(Debug, Clone)]
pub struct IfMatch(pub Option<String>);

impl<S: Send + Sync> FromRequestParts<S> for IfMatch {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, ApiError> {
        let Some(header) = parts.headers.get(IF_MATCH) else { return Ok(Self(None)) };
        let wrong = || {
            ApiError::field("If-Match", Code::ValInvalidFormat, "send one ETag as an earlier answer gave it, in quotes")
        };
        let text = header.to_str().map_err(|_| wrong())?.trim();
        if text == "*" {
            return Ok(Self(None));
        }
        let tag = text.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).ok_or_else(wrong)?;
        if tag.is_empty() || tag.contains('"') { Err(wrong()) } else { Ok(Self(Some(tag.to_owned()))) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shape_errors_name_the_field() {
        let missing = shape("Failed to deserialize the JSON body into the target type: missing field `name` at line 1");
        assert_eq!((missing.code, missing.details[0].field.as_str()), (Code::ValRequired, "name"));
        let typed = shape("spec.paused: invalid type: string \"x\", expected a boolean at line 1 column 9");
        assert_eq!((typed.code, typed.details[0].field.as_str()), (Code::ValInvalidType, "spec.paused"));
        let unknown = shape("unknown field `limt`, expected `limit` or `offset`");
        assert_eq!((unknown.code, unknown.details[0].field.as_str()), (Code::ValInvalidFormat, "limt"));
    }

    #[test]
    fn bearer_tokens_are_found() {
        let mut headers = HeaderMap::new();
        assert_eq!(bearer(&headers).unwrap_err().code, Code::AuthTokenMissing);
        headers.insert(AUTHORIZATION, "bearer abc".parse().unwrap());
        assert_eq!(bearer(&headers).unwrap(), "abc");
        headers.insert(AUTHORIZATION, "Basic abc".parse().unwrap());
        assert_eq!(bearer(&headers).unwrap_err().code, Code::AuthTokenMissing);
    }
}
