//! Kubernetes outcome → HTTP, in one function.

use kube::core::Status;
use kube::core::response::StatusCause;

use super::code::Code;
use super::error::{ApiError, Detail};

/// What a failed request to the Kubernetes API means to the caller of ours.
pub fn refused(error: &kube::Error) -> ApiError {
    match error {
        kube::Error::Api(status) => from_status(status).caused_by(error),
        // Everything else is the way there: connection, TLS, decoding.
        _ => ApiError::new(Code::SrvExternalService, "the Kubernetes API did not answer; try again")
            .retry_in(1)
            .caused_by(error),
    }
}

fn from_status(status: &Status) -> ApiError {
    let causes = status.details.as_ref().map(|details| details.causes.as_slice()).unwrap_or_default();
    let retry = status.details.as_ref().map_or(0, |details| details.retry_after_seconds);
    match (status.code, status.reason.as_str()) {
        (404, _) => ApiError::not_found(),
        (409, "AlreadyExists") => ApiError::new(Code::ResAlreadyExists, "a resource of this name exists"),
        (409, _) => conflict(causes),
        (410, _) => ApiError::new(Code::ResDeleted, "the resource was deleted"),
        (403, _) if status.message.contains("exceeded quota") => {
            ApiError::new(Code::BizQuotaExceeded, "a quota of the tenant is used up; ask for a higher one")
        }
        (403, _) if status.message.contains("being terminated") => {
            ApiError::new(Code::BizInvalidState, "the tenant is being deleted")
        }
        // An admission policy's refusal is a rule; anything else means that our own rights are wrong.
        (403, _) if status.message.contains("ValidatingAdmissionPolicy") || status.message.contains("set-limits") => {
            ApiError::new(Code::BizOperationFailed, after_policy(&status.message))
        }
        (400 | 422, _) => invalid(causes, &status.message),
        // Server-side apply answers 500 to fields the schema does not have.
        (500, _) if status.message.contains("field not declared in schema") => undeclared(&status.message),
        (429 | 503, _) => ApiError::new(Code::SrvMaintenance, "the Kubernetes API is busy; try again")
            .retry_in(u64::from(retry.max(1))),
        (504, _) => ApiError::new(Code::SrvTimeout, "the Kubernetes API took too long; try again").retry_in(1),
        _ => ApiError::new(Code::SrvInternalError, "something went wrong on our side"),
    }
}

/// Conflicts with other field managers name the manager and the fields; a stale version has no causes.
fn conflict(causes: &[StatusCause]) -> ApiError {
    let details: Vec<Detail> = causes
        .iter()
        .filter(|cause| cause.reason == "FieldManagerConflict")
        .map(|cause| {
            let manager = cause.message.split('"').nth(1).unwrap_or("another manager");
            ownership(&cause.field, manager)
        })
        .collect();
    if details.is_empty() {
        return ApiError::new(Code::ResConflict, "the resource changed meanwhile; read it again and repeat");
    }
    owned_by_others(details)
}

/// One field that belongs to another manager.
pub fn ownership(field: &str, manager: &str) -> Detail {
    Detail {
        field: field.trim_start_matches('.').to_owned(),
        code: Code::ResConflict,
        message: format!("this field is managed by `{manager}`; change it there, or remove it there first"),
    }
}

/// The 409 that names every manager and field.
pub fn owned_by_others(details: Vec<Detail>) -> ApiError {
    let message = "some fields are managed by somebody else; nothing was changed".to_owned();
    ApiError { details, ..ApiError::new(Code::ResConflict, message) }
}

/// Shape and value are 400; rules of the schema (CEL) are 422.
fn invalid(causes: &[StatusCause], message: &str) -> ApiError {
    let details: Vec<Detail> = causes
        .iter()
        // The server's note that it stopped checking names no field.
        .filter(|cause| cause.field != "<nil>")
        .map(|cause| Detail {
            field: cause.field.clone(),
            code: fault(&cause.reason, &cause.message),
            message: cause.message.clone(),
        })
        .collect();
    let Some(first) = details.first() else {
        return ApiError::new(Code::ValInvalidFormat, message.to_owned());
    };
    let code = if details.iter().any(|detail| detail.code == Code::BizOperationFailed) {
        Code::BizOperationFailed
    } else {
        first.code
    };
    ApiError { details, ..ApiError::new(code, "the resource is not valid; see details") }
}

/// The code of one cause; the reasons are those of `k8s.io/apimachinery/pkg/util/validation/field`.
pub fn fault(reason: &str, message: &str) -> Code {
    match reason {
        "FieldValueRequired" => Code::ValRequired,
        "FieldValueTypeInvalid" => Code::ValInvalidType,
        "FieldValueNotSupported" => Code::ValInvalidEnum,
        "FieldValueTooLong" | "FieldValueTooMany" => Code::ValTooLong,
        "FieldValueForbidden" => Code::BizOperationFailed,
        _ if message.contains("less than or equal to") || message.contains("greater than or equal to") => {
            Code::ValOutOfRange
        }
        _ if message.contains("at least") => Code::ValTooShort,
        _ if message.contains("should match") => Code::ValInvalidFormat,
        _ => Code::BizOperationFailed,
    }
}

/// `failed to create typed patch object (…): .spec.greting: field not declared in schema`, one per line or comma.
fn undeclared(message: &str) -> ApiError {
    let details: Vec<Detail> = message
        .split([' ', ',', '\n'])
        .filter_map(|word| word.strip_prefix('.')?.strip_suffix(':'))
        .map(|field| Detail {
            field: field.to_owned(),
            code: Code::ValInvalidFormat,
            message: "there is no such field; check its spelling".to_owned(),
        })
        .collect();
    ApiError { details, ..ApiError::new(Code::ValInvalidFormat, "the resource has fields that do not exist") }
}

/// The part of a policy's refusal that speaks to the user.
fn after_policy(message: &str) -> String {
    message.rsplit_once("denied request: ").map_or(message, |(_, rule)| rule).to_owned()
}

#[cfg(test)]
mod tests {
    use http::StatusCode;
    use kube::core::response::StatusDetails;

    use super::*;

    fn answer(code: u16, reason: &str, message: &str, causes: Vec<StatusCause>) -> ApiError {
        let details = StatusDetails { causes, ..empty() };
        let status = Status::failure(message, reason).with_code(code).with_details(details);
        refused(&kube::Error::Api(Box::new(status)))
    }

    fn empty() -> StatusDetails {
        serde_json::from_str("{}").unwrap()
    }

    fn cause(reason: &str, field: &str, message: &str) -> StatusCause {
        StatusCause { reason: reason.into(), field: field.into(), message: message.into() }
    }

    #[test]
    fn every_row_of_the_mapping() {
        let rows = [
            (404, "NotFound", "x", Code::ResNotFound, StatusCode::NOT_FOUND),
            (409, "AlreadyExists", "x", Code::ResAlreadyExists, StatusCode::CONFLICT),
            (409, "Conflict", "the object has been modified", Code::ResConflict, StatusCode::CONFLICT),
            (410, "Expired", "x", Code::ResDeleted, StatusCode::GONE),
            (403, "Forbidden", "exceeded quota: tenant", Code::BizQuotaExceeded, StatusCode::UNPROCESSABLE_ENTITY),
            (
                403,
                "Forbidden",
                "namespace is being terminated",
                Code::BizInvalidState,
                StatusCode::UNPROCESSABLE_ENTITY,
            ),
            (
                403,
                "Forbidden",
                "ValidatingAdmissionPolicy 'x' denied request: runtime.image needs the right set-limits",
                Code::BizOperationFailed,
                StatusCode::UNPROCESSABLE_ENTITY,
            ),
            (403, "Forbidden", "cannot patch", Code::SrvInternalError, StatusCode::INTERNAL_SERVER_ERROR),
            (400, "BadRequest", "not JSON", Code::ValInvalidFormat, StatusCode::BAD_REQUEST),
            (429, "TooManyRequests", "x", Code::SrvMaintenance, StatusCode::SERVICE_UNAVAILABLE),
            (503, "ServiceUnavailable", "x", Code::SrvMaintenance, StatusCode::SERVICE_UNAVAILABLE),
            (504, "Timeout", "x", Code::SrvTimeout, StatusCode::GATEWAY_TIMEOUT),
            (500, "InternalError", "x", Code::SrvInternalError, StatusCode::INTERNAL_SERVER_ERROR),
        ];
        for (code, reason, message, expected, status) in rows {
            let error = answer(code, reason, message, vec![]);
            assert_eq!((error.code, error.code.status()), (expected, status), "{code} {reason} {message}");
        }
    }

    #[test]
    fn a_field_conflict_names_manager_and_field() {
        let error = answer(
            409,
            "Conflict",
            "Apply failed with 1 conflict",
            vec![cause(
                "FieldManagerConflict",
                ".spec.greeting.text",
                "conflict with \"argocd\" using voxplane.dev/v1alpha1",
            )],
        );
        assert_eq!(error.code, Code::ResConflict);
        assert_eq!(error.details[0].field, "spec.greeting.text");
        assert!(error.details[0].message.contains("`argocd`"));
    }

    #[test]
    fn undeclared_fields_are_the_callers_mistake() {
        let message = "failed to create typed patch object (ns/x; voxplane.dev/v1alpha1, Kind=VoiceAgent): \
                       .spec.greting: field not declared in schema";
        let error = answer(500, "", message, vec![]);
        assert_eq!((error.code, error.details[0].field.as_str()), (Code::ValInvalidFormat, "spec.greting"));
    }

    #[test]
    fn notes_of_the_server_are_no_fields() {
        let note = "some validation rules were not checked because the object was invalid";
        let causes =
            vec![cause("FieldValueTooLong", "spec.persona", "too long"), cause("FieldValueInvalid", "<nil>", note)];
        let error = answer(422, "Invalid", "x", causes);
        assert_eq!((error.code, error.details.len()), (Code::ValTooLong, 1));
    }

    #[test]
    fn shape_is_400_and_rules_are_422() {
        let shape = answer(422, "Invalid", "x", vec![cause("FieldValueRequired", "spec.greeting", "Required value")]);
        assert_eq!(shape.code, Code::ValRequired);
        let range = cause("FieldValueInvalid", "spec.runtime.replicas", "should be less than or equal to 50");
        assert_eq!(answer(422, "Invalid", "x", vec![range]).code, Code::ValOutOfRange);
        let rule = cause("FieldValueInvalid", "spec.vad", "set either preset or custom, not both");
        assert_eq!(answer(422, "Invalid", "x", vec![rule]).code.status(), StatusCode::UNPROCESSABLE_ENTITY);
    }
}
