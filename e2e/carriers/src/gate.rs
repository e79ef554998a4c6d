//! Every request passes here: it is noted, and fails if a fault says so.

use axum::body::{Body, to_bytes};
use axum::extract::{ConnectInfo, Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use bytes::Bytes;
use futures::stream;

use crate::Vendor;
use crate::fault::{Act, strike};
use crate::wire::Cutter;
use crate::world::{Seen, Shared, lock};
use crate::{goto_connect, telnyx, twilio};

/// What the gate needs.
#[derive(Clone)]
pub(crate) struct Gate {
    pub(crate) vendor: Vendor,
    pub(crate) world: Shared,
}

pub(crate) async fn pass(
    State(gate): State<Gate>,
    ConnectInfo(cutter): ConnectInfo<Cutter>,
    request: Request,
    next: Next,
) -> Response {
    let (method, path) = (request.method().to_string(), request.uri().path().to_owned());
    let act = {
        let mut world = lock(&gate.world);
        let act = strike(&mut world.faults, &method, &path);
        world.requests.push(Seen { method, path });
        act
    };
    match act {
        None => next.run(request).await,
        Some(Act::Answer { status, retry_after }) => error(gate.vendor, status, retry_after),
        Some(Act::Hang) => std::future::pending().await,
        Some(Act::Cut) => {
            cutter.cut();
            StatusCode::OK.into_response()
        }
        Some(Act::HangAfter) => {
            next.run(request).await;
            std::future::pending().await
        }
        Some(Act::CutAfter) => {
            let response = next.run(request).await;
            cutter.cut();
            response
        }
        Some(Act::AnswerAfter { status }) => {
            next.run(request).await;
            error(gate.vendor, status, None)
        }
        Some(Act::TruncateAfter) => truncated(next.run(request).await).await,
        Some(Act::MalformedAfter) => {
            let (mut parts, _) = next.run(request).await.into_parts();
            parts.headers.remove(header::CONTENT_LENGTH);
            Response::from_parts(parts, Body::from(r#"{"unexpected": [1, 2"#))
        }
    }
}

fn error(vendor: Vendor, status: u16, retry_after: Option<u32>) -> Response {
    let mut response = match vendor {
        Vendor::Twilio => twilio::fault(status),
        Vendor::Telnyx => telnyx::fault(status),
        Vendor::GotoConnect => goto_connect::fault(status),
    };
    if let Some(seconds) = retry_after {
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
    response
}

/// Announces the whole content and breaks off in the middle.
async fn truncated(response: Response) -> Response {
    let (mut parts, body) = response.into_parts();
    let body = to_bytes(body, usize::MAX).await.unwrap_or_default();
    // An answer without content has no middle.
    let whole = if body.is_empty() { Bytes::from_static(b"{}") } else { body };
    if parts.status == StatusCode::NO_CONTENT {
        parts.status = StatusCode::OK;
    }
    parts.headers.insert(header::CONTENT_LENGTH, HeaderValue::from(whole.len()));
    let half = whole.slice(..whole.len() / 2);
    let broken = stream::iter([Ok(half), Err(std::io::Error::other("cut"))]);
    Response::from_parts(parts, Body::from_stream(broken))
}
