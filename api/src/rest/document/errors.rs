//! The error answers of every operation, from one table: what a route can answer follows from what it takes.

use std::collections::BTreeMap;

use http::StatusCode;
use serde_json::{Map, Value, json};

use super::super::code::Code;

/// What an operation of the document takes, as far as its errors depend on it.
#[derive(Debug)]
struct Operation {
    path: String,
    method: String,
    needs_token: bool,
    has_id: bool,
    has_query: bool,
    has_body: bool,
}

impl Operation {
    fn needs_token(&self) -> bool {
        self.needs_token
    }

    fn has_id(&self) -> bool {
        self.has_id
    }

    fn has_body(&self) -> bool {
        self.has_body
    }

    fn is(&self, method: &str, end: &str) -> bool {
        self.method == method && self.path.ends_with(end)
    }

    fn is_login(&self) -> bool {
        self.path.ends_with("/auth/login")
    }

    /// Health and this document answer without asking anybody.
    fn does_work(&self) -> bool {
        self.needs_token || self.is_login()
    }

    fn needs_permission(&self) -> bool {
        self.needs_token && !self.path.ends_with("/auth/me")
    }

    fn names_a_scope(&self) -> bool {
        self.is("post", "/voice-agents") || (self.has_query && !self.has_id)
    }

    fn is_of_a_resource(&self) -> bool {
        self.has_id && !self.is_about_calls()
    }

    fn is_about_calls(&self) -> bool {
        self.path.contains("/calls")
    }

    fn writes_an_agent(&self) -> bool {
        self.path.contains("/voice-agents") && self.method != "get"
    }

    fn shapes_an_agent(&self) -> bool {
        self.writes_an_agent() && self.has_body
    }

    fn reads_the_database(&self) -> bool {
        self.has_id || self.is_about_calls() || self.writes_an_agent()
    }
}

/// A code, when it is answered, and by which operations.
type Fault = (Code, &'static str, fn(&Operation) -> bool);

const FAULTS: [Fault; 28] = [
    (Code::AuthTokenMissing, "there is no Authorization header", Operation::needs_token),
    (Code::AuthTokenInvalid, "the token is not ours", Operation::needs_token),
    (Code::AuthTokenExpired, "the token has expired: log in again", Operation::needs_token),
    (Code::AuthInvalidCredentials, "wrong e-mail address or password", Operation::is_login),
    (Code::AuthzPermissionDenied, "your role lacks the permission", Operation::needs_permission),
    (Code::AuthzTenantMismatch, "this is not your tenant", Operation::names_a_scope),
    (Code::AuthzAgencyMismatch, "this is not your agency", |operation| {
        operation.names_a_scope() && operation.method == "get" && !operation.is_about_calls()
    }),
    (Code::ValRequired, "a required field is missing", Operation::has_body),
    (Code::ValInvalidFormat, "a field or parameter is unknown or has the wrong form", |operation| {
        operation.has_body || operation.has_query || operation.writes_an_agent()
    }),
    (Code::ValInvalidType, "a field or parameter has the wrong type", |operation| {
        operation.has_body || operation.has_query
    }),
    (Code::ValOutOfRange, "a number is out of its range", |operation| {
        operation.has_query || operation.shapes_an_agent()
    }),
    (Code::ValTooLong, "a text, a list or the body is too long", Operation::has_body),
    (Code::ValTooShort, "a text or list is too short", Operation::shapes_an_agent),
    (Code::ValInvalidEnum, "a value is not one of the allowed ones", |operation| {
        operation.shapes_an_agent() || operation.is("get", "/calls")
    }),
    (Code::ValInvalidUuid, "the id in the path is not a UUID", Operation::has_id),
    (Code::ResNotFound, "there is no such resource, or it is not yours", |operation| {
        operation.has_id || operation.is("post", "/voice-agents")
    }),
    (Code::ResAlreadyExists, "a resource of this name exists", |operation| operation.is("post", "/voice-agents")),
    (
        Code::ResConflict,
        "somebody else changed or manages what you want to change; details name manager and fields",
        Operation::writes_an_agent,
    ),
    (Code::ResDeleted, "the resource was deleted", Operation::is_of_a_resource),
    (Code::BizQuotaExceeded, "a quota of the tenant is used up", Operation::shapes_an_agent),
    (Code::BizInvalidState, "the call has ended, or the tenant is being deleted", |operation| {
        operation.shapes_an_agent() || operation.is("post", "/hang-up")
    }),
    (
        Code::BizOperationFailed,
        "a rule of the product forbids this; details name the fields",
        Operation::writes_an_agent,
    ),
    (Code::RateLimitMinute, "too many failed logins: see Retry-After", Operation::is_login),
    (Code::SrvInternalError, "a fault of ours", Operation::does_work),
    (Code::SrvDatabaseError, "the database failed", Operation::reads_the_database),
    (Code::SrvExternalService, "the Kubernetes API did not answer: see Retry-After", Operation::writes_an_agent),
    (Code::SrvMaintenance, "not able to serve now: see Retry-After", Operation::reads_the_database),
    (Code::SrvTimeout, "it took longer than 15 s: see Retry-After", Operation::does_work),
];

/// Adds its error answers to every operation of the document, each with its codes and an example.
pub fn insert_errors(document: &mut Value) {
    let Some(paths) = document.get_mut("paths").and_then(Value::as_object_mut) else { return };
    for (path, item) in paths {
        let Some(methods) = item.as_object_mut() else { continue };
        for (method, description) in methods {
            let errors = answers(&read(path, method, description));
            if let Some(answers) = description.get_mut("responses").and_then(Value::as_object_mut) {
                answers.extend(errors);
            }
        }
    }
}

fn read(path: &str, method: &str, description: &Value) -> Operation {
    let parameters = description["parameters"].as_array().map(Vec::as_slice).unwrap_or_default();
    Operation {
        path: path.to_owned(),
        method: method.to_owned(),
        needs_token: description["security"] == json!([{"bearer": []}]),
        has_id: path.contains("{id}"),
        has_query: parameters.iter().any(|parameter| parameter["in"] == "query"),
        has_body: description.get("requestBody").is_some(),
    }
}

fn answers(operation: &Operation) -> Map<String, Value> {
    let mut by_status: BTreeMap<StatusCode, Vec<(Code, &str)>> = BTreeMap::new();
    for (code, meaning, _) in FAULTS.iter().filter(|(_, _, applies)| applies(operation)) {
        by_status.entry(code.status()).or_default().push((*code, meaning));
    }
    by_status.iter().map(|(status, faults)| (status.as_str().to_owned(), answer(faults))).collect()
}

fn answer(faults: &[(Code, &str)]) -> Value {
    let lines: Vec<String> = faults.iter().map(|(code, meaning)| format!("- `{}`: {meaning}", word(*code))).collect();
    let examples: Map<String, Value> =
        faults.iter().map(|(code, meaning)| (word(*code), json!({"value": example(*code, meaning)}))).collect();
    json!({
        "description": lines.join("\n"),
        "content": {"application/json": {"schema": {"$ref": "#/components/schemas/ErrorBody"}, "examples": examples}}
    })
}

fn example(code: Code, message: &str) -> Value {
    let request_id = "0199c0de-7a11-7000-8000-000000000000";
    json!({"error": {"code": word(code), "message": message, "details": [], "request_id": request_id}})
}

/// The code as it is sent.
fn word(code: Code) -> String {
    serde_json::to_value(code).ok().and_then(|word| word.as_str().map(str::to_owned)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_code_is_in_the_table_once() {
        let schema = serde_json::to_value(<Code as utoipa::PartialSchema>::schema()).unwrap();
        let all: BTreeSet<String> =
            schema["enum"].as_array().unwrap().iter().map(|word| word.as_str().unwrap().to_owned()).collect();
        let described: BTreeSet<String> = FAULTS.iter().map(|(code, ..)| word(*code)).collect();
        assert_eq!(described, all);
        assert_eq!(FAULTS.len(), all.len());
    }
}
