//! Answers without the platform's name, for tenants of agencies that hide it (`spec.branding.hidePlatform`).
//!
//! The name occurs in what the platform says: conditions, errors, names of pods. All of an answer is looked through,
//! so that a new view cannot forget it, but not what people wrote or said themselves.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::body::{Body, to_bytes};
use axum::response::Response;
use http::StatusCode;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use serde_json::Value;

use super::router::App;
use crate::auth::{Principal, Reach};
use crate::cluster::id_of;

/// What is not said.
const PLATFORM: &str = "voxplane";
/// What is said in its place.
const NEUTRAL: &str = "platform";
/// Keys of what people wrote or said, and of what is sent back to us.
const THEIRS: [&str; 6] = ["spec", "name", "text", "heard", "productName", "nextCursor"];
/// Larger than any answer.
const MAX_ANSWER: usize = 64 * 1024 * 1024;

/// Whether the answer to a request must not name the platform. Known once the caller is, and needed afterwards.
#[derive(Debug, Clone, Default)]
pub struct WhiteLabel(Arc<AtomicBool>);

impl WhiteLabel {
    /// Notes who asks.
    pub fn ask(&self, app: &App, principal: &Principal) {
        self.0.store(hides(app, principal), Ordering::Relaxed);
    }

    /// The answer, without the name where it must not be.
    pub async fn apply(&self, response: Response) -> Response {
        let is_json = response.headers().get(CONTENT_TYPE).is_some_and(|kind| kind.as_bytes() == b"application/json");
        if !self.0.load(Ordering::Relaxed) || !is_json {
            return response;
        }
        let (mut parts, body) = response.into_parts();
        let read = to_bytes(body, MAX_ANSWER).await.ok();
        let Some(mut value) = read.and_then(|bytes| serde_json::from_slice::<Value>(&bytes).ok()) else {
            parts.status = StatusCode::INTERNAL_SERVER_ERROR;
            return Response::from_parts(parts, Body::empty());
        };
        neutralise(&mut value);
        parts.headers.remove(CONTENT_LENGTH);
        Response::from_parts(parts, Body::from(value.to_string()))
    }
}

/// Agencies know what they sell; their tenants may not.
fn hides(app: &App, principal: &Principal) -> bool {
    let Reach::Tenant { agency, .. } = principal.reach() else { return false };
    let found = app.directory.agencies.find(|found| id_of(found.status.as_ref()) == Some(agency));
    found.and_then(|agency| agency.spec.branding.as_ref().map(|branding| branding.hide_platform)).unwrap_or_default()
}

fn neutralise(value: &mut Value) {
    match value {
        Value::String(text) => {
            if let Some(neutral) = neutral(text) {
                *text = neutral;
            }
        }
        Value::Array(items) => items.iter_mut().for_each(neutralise),
        Value::Object(fields) => {
            fields
                .iter_mut()
                .filter(|(key, _)| !THEIRS.contains(&key.as_str()))
                .for_each(|(_, value)| neutralise(value));
        }
        _ => {}
    }
}

/// The text with another word for the name; `None`: it is not in it.
fn neutral(text: &str) -> Option<String> {
    // Of ASCII letters the lower-case text has the same length, so places agree.
    let lower = text.to_ascii_lowercase();
    let mut neutral = String::with_capacity(text.len());
    let mut done = 0;
    for (at, name) in lower.match_indices(PLATFORM) {
        neutral.push_str(text.get(done..at)?);
        neutral.push_str(NEUTRAL);
        done = at + name.len();
    }
    neutral.push_str(text.get(done..)?);
    (done > 0).then_some(neutral)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_name_is_replaced_in_what_the_platform_says_and_nowhere_else() {
        let mut answer = json!({"data": {
            "name": "voxplane-fans", "spec": {"persona": "You know Voxplane."}, "pod": "voxplane-runtime-1",
            "conditions": [{"message": "Größe: label it voxplane.dev/provider; Voxplane reads it", "at": 1}],
        }});
        neutralise(&mut answer);
        let expected = json!({"data": {
            "name": "voxplane-fans", "spec": {"persona": "You know Voxplane."}, "pod": "platform-runtime-1",
            "conditions": [{"message": "Größe: label it platform.dev/provider; platform reads it", "at": 1}],
        }});
        assert_eq!(answer, expected);
        assert_eq!(neutral("nothing of it"), None);
    }
}
