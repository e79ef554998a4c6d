//! What surrounds every route: request ids, error bodies, one log line.

use std::time::Instant;

use axum::extract::{MatchedPath, Request};
use axum::middleware::Next;
use axum::response::Response;
use http::{HeaderName, HeaderValue};
use tracing::info;
use uuid::Uuid;

use super::error::finish;
use super::white_label::WhiteLabel;

/// Header that carries the request id both ways.
pub const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Takes the caller's request id or makes one, completes error bodies, logs the request. The log has the route, never
/// the path: paths carry ids, and query strings may carry numbers.
pub async fn around(mut request: Request, next: Next) -> Response {
    let started = Instant::now();
    let id = given_id(&request).unwrap_or_else(|| Uuid::now_v7().to_string());
    let method = request.method().clone();
    let route = request.extensions().get::<MatchedPath>().map_or("-", MatchedPath::as_str).to_owned();
    let label = WhiteLabel::default();
    request.extensions_mut().insert(label.clone());
    let mut response = label.apply(finish(next.run(request).await, &id)).await;
    if let Ok(value) = HeaderValue::from_str(&id) {
        response.headers_mut().insert(REQUEST_ID, value);
    }
    info!(
        request.id = id,
        http.method = %method,
        http.route = route,
        http.status = response.status().as_u16(),
        elapsed_ms = started.elapsed().as_millis(),
        "request served"
    );
    response
}

/// A caller's own id is taken when it is short and plain: it ends up in our log.
fn given_id(request: &Request) -> Option<String> {
    let id = request.headers().get(REQUEST_ID)?.to_str().ok()?;
    let plain =
        !id.is_empty() && id.len() <= 64 && id.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b));
    plain.then(|| id.to_owned())
}

#[cfg(test)]
mod tests {
    use axum::body::Body;

    use super::*;

    #[test]
    fn only_plain_ids_are_taken_over() {
        let with = |id: &str| Request::builder().header(REQUEST_ID, id).body(Body::empty()).unwrap();
        assert_eq!(given_id(&with("abc-1")).as_deref(), Some("abc-1"));
        assert_eq!(given_id(&with("a b")), None);
        assert_eq!(given_id(&with(&"x".repeat(65))), None);
    }
}
