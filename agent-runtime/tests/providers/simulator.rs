//! A chat-completions server on loopback that speaks the published protocol
//! (<https://platform.openai.com/docs/api-reference/chat-streaming>), well and badly: the model's name says how.

use std::{
    pin::Pin,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use axum::{
    Json, Router,
    body::{Body, Bytes},
    extract::State,
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
    routing::post,
};
use futures::{Stream, StreamExt, stream};
use serde_json::{Value, json};
use tokio::task::JoinHandle;

/// What it says.
pub const ANSWER: [&str; 4] = ["We are", " open from", " nine to", " five."];
/// The key it accepts.
pub const KEY: &str = "sk-simulated";

/// A running server; ends when dropped.
pub struct Simulator {
    /// `http://127.0.0.1:port/v1`.
    pub base_url: String,
    /// What it has seen.
    pub seen: Arc<Seen>,
    task: JoinHandle<()>,
}

/// What the server has seen.
#[derive(Default)]
pub struct Seen {
    /// Requests so far.
    pub requests: AtomicUsize,
    /// Bodies of the requests.
    pub bodies: Mutex<Vec<Value>>,
    /// A client went away in the middle of an answer.
    pub cancelled: AtomicBool,
}

impl Simulator {
    /// Starts on a free port.
    pub async fn start() -> Self {
        let seen = Arc::new(Seen::default());
        let router = Router::new().route("/v1/chat/completions", post(complete)).with_state(seen.clone());
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base_url = format!("http://{}/v1", listener.local_addr().unwrap());
        let task = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { base_url, seen, task }
    }
}

impl Drop for Simulator {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn complete(State(seen): State<Arc<Seen>>, headers: HeaderMap, Json(body): Json<Value>) -> Response {
    let number = seen.requests.fetch_add(1, Ordering::SeqCst);
    seen.bodies.lock().unwrap().push(body.clone());
    if headers.get("authorization").is_none_or(|key| key != &format!("Bearer {KEY}")) {
        return refusal(StatusCode::UNAUTHORIZED, "invalid_api_key", "Incorrect API key provided", None);
    }
    let first = number == 0;
    match body["model"].as_str().unwrap() {
        "good" => events(seen, spoken(Duration::ZERO).chain(ending())),
        "slow" => events(seen, spoken(Duration::from_millis(80)).chain(ending())),
        "silent" => {
            events(seen, stream::iter([Ok(chunk(&json!({"role": "assistant", "content": ""})))]).chain(forever()))
        }
        "hangs" => std::future::pending().await,
        "stalls" => events(seen, spoken(Duration::ZERO).chain(forever())),
        "cut" => {
            // What was written right before a reset is lost on its way.
            let reset = stream::once(async {
                tokio::time::sleep(Duration::from_millis(100)).await;
                Err(std::io::Error::other("cut"))
            });
            events(seen, spoken(Duration::ZERO).chain(reset))
        }
        "ends early" => events(seen, spoken(Duration::ZERO)),
        "breaks in the middle" => {
            let error = r#"data: {"error": {"message": "The server had an error", "type": "server_error"}}"#;
            events(seen, spoken(Duration::ZERO).chain(stream::iter([Ok(format!("{error}\n\n"))])))
        }
        "talks nonsense" => events(seen, stream::iter([Ok("data: {not json}\n\n".to_owned())])),
        "uses tools" if body["messages"].as_array().unwrap().iter().any(|message| message["role"] == "tool") => {
            events(seen, spoken(Duration::ZERO).chain(ending()))
        }
        "uses tools" => events(seen, calling().chain(ending())),
        "stalls in a call" => events(seen, calling().take(4).chain(forever())),
        "empty" => events(seen, ending()),
        "limited once" if first => {
            refusal(StatusCode::TOO_MANY_REQUESTS, "rate_limit_exceeded", "slow down", Some("0.05"))
        }
        "limited" => refusal(StatusCode::TOO_MANY_REQUESTS, "rate_limit_exceeded", "slow down", Some("30")),
        "broke" => {
            refusal(StatusCode::TOO_MANY_REQUESTS, "insufficient_quota", "You exceeded your current quota", None)
        }
        "down once" if first => refusal(StatusCode::SERVICE_UNAVAILABLE, "overloaded", "try again", None),
        "down" => refusal(StatusCode::INTERNAL_SERVER_ERROR, "server_error", "oops", None),
        "moved" => (StatusCode::TEMPORARY_REDIRECT, [("location", "http://127.0.0.1:1/")]).into_response(),
        "limited once" | "down once" => events(seen, spoken(Duration::ZERO).chain(ending())),
        other => {
            refusal(StatusCode::NOT_FOUND, "model_not_found", &format!("The model '{other}' does not exist"), None)
        }
    }
}

fn refusal(status: StatusCode, code: &str, message: &str, retry_after: Option<&'static str>) -> Response {
    let body = json!({"error": {"message": message, "type": code, "param": null, "code": code}});
    let mut response = (status, Json(body)).into_response();
    if let Some(wait) = retry_after {
        response.headers_mut().insert("retry-after", wait.parse().unwrap());
    }
    response
}

type Piece = Result<String, std::io::Error>;

fn chunk(delta: &Value) -> String {
    let chunk = json!({
        "id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "simulated",
        "choices": [{"index": 0, "delta": delta, "logprobs": null, "finish_reason": null}], "usage": null,
    });
    format!("data: {chunk}\n\n")
}

fn spoken(pause: Duration) -> impl Stream<Item = Piece> + Send {
    let role = chunk(&json!({"role": "assistant", "content": ""}));
    let words = ANSWER.map(|text| chunk(&json!({"content": text})));
    stream::iter([role].into_iter().chain(words)).then(move |piece| async move {
        tokio::time::sleep(pause).await;
        Ok(piece)
    })
}

/// Two calls whose arguments come in fragments, after a few words
/// (<https://platform.openai.com/docs/guides/function-calling>, "Streaming").
fn calling() -> impl Stream<Item = Piece> + Send {
    let begin = |index: u32, id: &str, name: &str| {
        json!({"tool_calls": [{"index": index, "id": id, "type": "function",
                               "function": {"name": name, "arguments": ""}}]})
    };
    let more = |index: u32, text: &str| json!({"tool_calls": [{"index": index, "function": {"arguments": text}}]});
    let pieces = [
        json!({"role": "assistant", "content": null}),
        json!({"content": "One moment."}),
        begin(0, "call_a", "look_up"),
        more(0, "{\"day\":"),
        more(0, "\"monday\"}"),
        begin(1, "call_b", "book"),
        more(1, "{\"day\":\"fri"),
        more(1, "day\"}"),
    ];
    stream::iter(pieces.map(|piece| Ok(chunk(&piece))))
}

/// The last chunk, the usage and the mark of the end; a comment and a CRLF, as some servers send.
fn ending() -> impl Stream<Item = Piece> + Send {
    let stop = json!({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}], "usage": null});
    let usage = json!({"choices": [], "usage": {"prompt_tokens": 21, "completion_tokens": 8, "total_tokens": 29}});
    stream::iter([
        Ok(": keep-alive\n\n".to_owned()),
        Ok(format!("data: {stop}\r\n\r\n")),
        Ok(format!("data: {usage}\n\n")),
        Ok("data: [DONE]\n\n".to_owned()),
    ])
}

fn forever() -> impl Stream<Item = Piece> + Send {
    stream::pending()
}

fn events(seen: Arc<Seen>, pieces: impl Stream<Item = Piece> + Send + 'static) -> Response {
    let watched = Watched { pieces: Box::pin(pieces), seen, finished: false };
    ([("content-type", "text/event-stream")], Body::from_stream(watched)).into_response()
}

/// Notices when the body is dropped before its end: the client hung up.
struct Watched {
    pieces: Pin<Box<dyn Stream<Item = Piece> + Send>>,
    seen: Arc<Seen>,
    finished: bool,
}

impl Stream for Watched {
    type Item = Result<Bytes, std::io::Error>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let item = std::task::ready!(self.pieces.poll_next_unpin(context));
        self.finished |= !matches!(item, Some(Ok(_)));
        Poll::Ready(item.map(|piece| piece.map(Bytes::from)))
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        if !self.finished {
            self.seen.cancelled.store(true, Ordering::SeqCst);
        }
    }
}
