//! Tools against a real server on loopback, which behaves well and badly.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use tokio::task::JoinHandle;
use voxplane_control::v1::{HttpHeader, HttpTool, TemplatePart, template_part::Part};
use voxplane_platform::egress::Egress;
use voxplane_session::{Effect, ToolOutcome, ToolStatus};

use super::*;
use crate::providers::Credentials;

/// What the server saw of one request.
#[derive(Debug, Clone)]
struct Seen {
    method: Method,
    uri: Uri,
    key: String,
    authorization: Option<String>,
    body: String,
}

struct Server {
    origin: String,
    seen: Arc<Mutex<Vec<Seen>>>,
    task: JoinHandle<()>,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Server {
    async fn start() -> Self {
        let seen = Arc::new(Mutex::new(Vec::new()));
        let router = Router::new().fallback(answer).with_state(seen.clone());
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let origin = format!("http://{}", listener.local_addr().unwrap());
        let task = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { origin, seen, task }
    }

    fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }
}

async fn answer(
    State(seen): State<Arc<Mutex<Vec<Seen>>>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: String,
) -> Response {
    let text = |name: &str| headers.get(name).map(|value| value.to_str().unwrap().to_owned());
    let (key, authorization) = (text("idempotency-key").unwrap(), text("authorization"));
    let count = {
        let mut seen = seen.lock().unwrap();
        seen.push(Seen { method, uri: uri.clone(), key, authorization, body });
        seen.len()
    };
    match uri.path() {
        "/fine" => "it is fine".into_response(),
        "/empty" => StatusCode::NO_CONTENT.into_response(),
        "/busy-once" if count == 1 => StatusCode::SERVICE_UNAVAILABLE.into_response(),
        "/busy-once" => "now it works".into_response(),
        "/broken" => (StatusCode::INTERNAL_SERVER_ERROR, "oops").into_response(),
        "/taken" => (StatusCode::CONFLICT, "that table is taken").into_response(),
        "/silent" => std::future::pending().await,
        "/endless" => Body::from_stream(futures::stream::repeat_with(|| Ok::<_, std::io::Error>(vec![b'x'; 8_192])))
            .into_response(),
        "/moved" => (StatusCode::TEMPORARY_REDIRECT, [("location", "/stolen")]).into_response(),
        other => panic!("nobody asks for {other}"),
    }
}

fn words(text: &str) -> TemplatePart {
    TemplatePart { part: Some(Part::Text(text.into())) }
}

fn tool(server: &Server, method: &str, target: &str) -> HttpTool {
    HttpTool {
        method: method.into(),
        origin: server.origin.clone(),
        target: vec![words(target)],
        timeout_ms: 1_500,
        ..HttpTool::default()
    }
}

fn loopback() -> ToolClient {
    ToolClient::new(Egress::new(["127.0.0.0/8".parse().unwrap()])).unwrap()
}

async fn used(tool: HttpTool, effect: Effect, client: &ToolClient, credentials: &Credentials) -> ToolOutcome {
    let job = Job { tool: Arc::new(tool), effect, arguments: r#"{"guests":2}"#.into(), key: "call-1-1".into() };
    run(&job, client, credentials).await
}

async fn simply(tool: HttpTool, effect: Effect) -> ToolOutcome {
    used(tool, effect, &loopback(), &Credentials::new("/nowhere")).await
}

fn failed(outcome: &ToolOutcome) -> &'static str {
    assert_eq!(outcome.status, ToolStatus::Failed, "{outcome:?}");
    outcome.error.unwrap()
}

#[tokio::test]
async fn what_the_service_says_is_the_result() {
    let server = Server::start().await;
    let outcome = simply(tool(&server, "POST", "/fine"), Effect::Once).await;
    assert_eq!((outcome.status, outcome.result.as_str()), (ToolStatus::Ok, "it is fine"));
    assert_eq!(simply(tool(&server, "GET", "/fine"), Effect::Read).await.result, "it is fine");
    assert_eq!(simply(tool(&server, "DELETE", "/empty"), Effect::Idempotent).await.result, "Done.");
    let outcome = simply(tool(&server, "POST", "/taken"), Effect::Once).await;
    assert_eq!(failed(&outcome), "status");
    assert_eq!(outcome.result, "The service answered with status 409: that table is taken");
    let seen = server.seen();
    assert_eq!((seen[0].method.as_str(), seen[0].body.as_str()), ("POST", r#"{"guests":2}"#));
    assert_eq!((seen[1].uri.query(), seen[1].body.as_str()), (Some("guests=2"), ""));
}

#[tokio::test]
async fn only_what_is_harmless_is_tried_again_and_under_the_same_key() {
    for (effect, requests, status) in [
        (Effect::Read, 2, ToolStatus::Ok),
        (Effect::Idempotent, 2, ToolStatus::Ok),
        (Effect::Once, 1, ToolStatus::Failed),
    ] {
        let server = Server::start().await;
        let again = HttpTool { retries: 2, ..tool(&server, "PUT", "/busy-once") };
        assert_eq!(simply(again, effect).await.status, status, "{effect:?}");
        let seen = server.seen();
        assert_eq!(seen.len(), requests, "{effect:?}");
        assert!(seen.iter().all(|seen| seen.key == "call-1-1"));
    }
    let server = Server::start().await;
    let outcome = simply(HttpTool { retries: 2, ..tool(&server, "GET", "/broken") }, Effect::Read).await;
    assert_eq!((failed(&outcome), server.seen().len()), ("status", 3));
    let server = Server::start().await;
    let outcome = simply(HttpTool { retries: 2, ..tool(&server, "GET", "/taken") }, Effect::Read).await;
    assert_eq!((failed(&outcome), server.seen().len()), ("status", 1), "the same again would be the same");
}

#[tokio::test]
async fn time_and_length_are_bounded() {
    let server = Server::start().await;
    let began = Instant::now();
    let outcome = simply(HttpTool { retries: 3, ..tool(&server, "GET", "/silent") }, Effect::Read).await;
    assert_eq!(failed(&outcome), "timeout");
    assert!(began.elapsed() < Duration::from_secs(3), "retries included");
    let outcome = simply(tool(&server, "POST", "/silent"), Effect::Once).await;
    assert_eq!((outcome.status, outcome.error), (ToolStatus::Unknown, Some("timeout")), "perhaps it was done");
    let outcome = simply(tool(&server, "GET", "/endless"), Effect::Read).await;
    assert_eq!((outcome.status, outcome.result.len()), (ToolStatus::Ok, 64 * 1024));
}

#[tokio::test]
async fn what_cannot_be_reached_was_not_done() {
    let server = Server::start().await;
    let mut gone = tool(&server, "POST", "/fine");
    // A port of this machine that nobody listens on.
    gone.origin = "http://127.0.0.1:9".into();
    assert_eq!(failed(&simply(gone, Effect::Once).await), "unreachable");
}

#[tokio::test]
async fn private_addresses_are_out_of_reach_however_they_are_written() {
    let server = Server::start().await;
    let port = server.origin.rsplit(':').next().unwrap();
    let public_only = ToolClient::new(Egress::default()).unwrap();
    for host in ["127.0.0.1", "localhost", "[::ffff:7f00:1]", "[::1]"] {
        let mut private = tool(&server, "POST", "/fine");
        private.origin = format!("http://{host}:{port}");
        let outcome = used(private, Effect::Once, &public_only, &Credentials::new("/nowhere")).await;
        assert_eq!(failed(&outcome), "not_permitted", "{host}");
    }
    // Other ways of writing the same are no origin at all.
    for host in ["2130706433", "0x7f.1", "127.1"] {
        let mut private = tool(&server, "POST", "/fine");
        private.origin = format!("http://{host}:{port}");
        assert_eq!(failed(&simply(private, Effect::Once).await), "invalid_tool", "{host}");
    }
    assert!(server.seen().is_empty());
    // A name is permitted by what it resolves to.
    let mut named = tool(&server, "POST", "/fine");
    named.origin = format!("http://localhost:{port}");
    assert_eq!(simply(named, Effect::Once).await.status, ToolStatus::Ok);
}

#[tokio::test]
async fn a_secret_is_sent_where_it_may_and_never_along_a_redirect() {
    let server = Server::start().await;
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("crm.key.token"), "t-1\n").unwrap();
    let credentials = Credentials::new(directory.path());
    let with_secret = |target: &str| HttpTool {
        credential: "crm".into(),
        headers: vec![HttpHeader {
            name: "authorization".into(),
            value: vec![words("Bearer "), TemplatePart { part: Some(Part::Secret("token".into())) }],
        }],
        ..tool(&server, "GET", target)
    };
    for endpoints in ["", "https://crm.example", &format!("{}0", server.origin)] {
        std::fs::write(directory.path().join("crm.endpoints"), endpoints).unwrap();
        let outcome = used(with_secret("/fine"), Effect::Read, &loopback(), &credentials).await;
        assert_eq!(failed(&outcome), "credential", "{endpoints}");
    }
    assert!(server.seen().is_empty());
    std::fs::write(directory.path().join("crm.endpoints"), &server.origin).unwrap();
    let outcome = used(with_secret("/fine"), Effect::Read, &loopback(), &credentials).await;
    assert_eq!(outcome.status, ToolStatus::Ok);
    assert_eq!(server.seen()[0].authorization.as_deref(), Some("Bearer t-1"));
    let outcome = used(with_secret("/moved"), Effect::Read, &loopback(), &credentials).await;
    assert_eq!(failed(&outcome), "redirect");
    assert_eq!(server.seen().len(), 2, "nobody went to /stolen");
    assert!(!format!("{outcome:?}").contains("t-1"));
}
