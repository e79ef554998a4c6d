//! A process's connection to LiveKit: passes requests on, and dies with the process.

use std::convert::Infallible;
use std::io;
use std::sync::Arc;

use axum::Router;
use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{Request, State};
use axum::http::header::{CONTENT_LENGTH, HOST, TRANSFER_ENCODING};
use axum::http::{Response, StatusCode};
use futures::stream;
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use voxplane_operator::config::LiveKitSettings;

use super::cut::{Life, Lost};

/// The largest request and answer.
const LIMIT: usize = 4 * 1024 * 1024;

/// LiveKit's account for tests.
pub fn account() -> LiveKitSettings {
    let variable = |name: &str| std::env::var(format!("VOXPLANE_TEST_LIVEKIT_{name}")).unwrap();
    LiveKitSettings { url: variable("URL"), key: variable("KEY"), secret: variable("SECRET").into() }
}

#[derive(Clone)]
struct Relay {
    life: Arc<Life>,
    upstream: String,
    http: reqwest::Client,
}

/// Serves a process; `tasks` end with it.
pub async fn relay(life: &Arc<Life>, tasks: &mut JoinSet<()>) -> LiveKitSettings {
    let account = account();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let state = Relay { life: Arc::clone(life), upstream: account.url.clone(), http: reqwest::Client::new() };
    let app = Router::new().fallback(pass_on).with_state(state);
    tasks.spawn(async move { axum::serve(listener, app).await.unwrap() });
    LiveKitSettings { url, ..account }
}

async fn pass_on(State(relay): State<Relay>, request: Request) -> Result<Response<Body>, Infallible> {
    let (parts, body) = request.into_parts();
    let method = parts.uri.path().rsplit('/').next().unwrap_or_default().to_owned();
    let body = to_bytes(body, LIMIT).await.unwrap();
    // The same request with the same content is the same effect.
    let name = format!("LiveKit {method} {}", hex::encode(&body));
    let mut headers = parts.headers;
    for own in [HOST, CONTENT_LENGTH, TRANSFER_ENCODING] {
        headers.remove(own);
    }
    let sent = relay.http.request(parts.method, format!("{}{}", relay.upstream, parts.uri)).headers(headers).body(body);
    let answer = async {
        let answer = sent.send().await.unwrap();
        let (status, headers) = (answer.status(), answer.headers().clone());
        (status, headers, answer.bytes().await.unwrap())
    };
    let answer = if method.starts_with("List") {
        Ok(answer.await)
    } else {
        let effect = async {
            let answer = answer.await;
            let happened = answer.0.is_success();
            (answer, happened)
        };
        relay.life.carry_out(&name, effect).await
    };
    Ok(match answer {
        Err(Lost) => cut_off(),
        Ok((status, mut headers, body)) => {
            headers.remove(TRANSFER_ENCODING);
            let mut response = Response::new(Body::from(body));
            *response.status_mut() = status;
            *response.headers_mut() = headers;
            response
        }
    })
}

/// An answer that ends before its content comes: the connection is closed.
fn cut_off() -> Response<Body> {
    let nothing = stream::once(async { Err::<Bytes, _>(io::Error::other("cut")) });
    let mut response = Response::new(Body::from_stream(nothing));
    *response.status_mut() = StatusCode::OK;
    response
}
