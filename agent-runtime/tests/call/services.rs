//! The services of a call with tools: a language model that speaks the OpenAI chat completions protocol and asks for a
//! tool once, and the service behind that tool.

use std::sync::{Arc, Mutex};

use axum::extract::{Path, State};
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde_json::{Value, json};
use tokio::task::JoinHandle;

/// The value of the tool's secret.
pub const TOKEN: &str = "t-1";

/// Both, on one port; ends when dropped.
pub struct Services {
    /// `http://127.0.0.1:port`.
    pub origin: String,
    seen: Arc<Seen>,
    task: JoinHandle<()>,
}

#[derive(Default)]
struct Seen {
    asked: Mutex<Vec<Value>>,
    used: Mutex<Vec<(String, String, String)>>,
    answer: String,
}

impl Services {
    /// A model that says `answer` once it has read a result.
    pub async fn start(answer: &str) -> Self {
        let seen = Arc::new(Seen { answer: answer.into(), ..Seen::default() });
        let router = Router::new()
            .route("/v1/chat/completions", post(complete))
            .route("/hours/{day}", get(hours))
            .with_state(seen.clone());
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let origin = format!("http://{}", listener.local_addr().unwrap());
        let task = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { origin, seen, task }
    }

    /// The conversations that the model was given.
    pub fn asked(&self) -> Vec<Value> {
        self.seen.asked.lock().unwrap().iter().map(|body| body["messages"].clone()).collect()
    }

    /// Uses of the tool: the day, the key of the use, the authorisation.
    pub fn used(&self) -> Vec<(String, String, String)> {
        self.seen.used.lock().unwrap().clone()
    }
}

impl Drop for Services {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn hours(State(seen): State<Arc<Seen>>, Path(day): Path<String>, headers: HeaderMap) -> Json<Value> {
    let header = |name: &str| headers.get(name).map(|value| value.to_str().unwrap().to_owned()).unwrap_or_default();
    seen.used.lock().unwrap().push((day, header("idempotency-key"), header("authorization")));
    Json(json!({"opens": "09:00"}))
}

async fn complete(State(seen): State<Arc<Seen>>, Json(body): Json<Value>) -> Response {
    seen.asked.lock().unwrap().push(body.clone());
    let has_result = body["messages"].as_array().unwrap().iter().any(|message| message["role"] == "tool");
    let deltas = if has_result {
        vec![json!({"content": seen.answer})]
    } else {
        let piece = |function: Value| json!({"tool_calls": [{"index": 0, "id": "call_1", "function": function}]});
        vec![
            piece(json!({"name": "opening_hours", "arguments": ""})),
            piece(json!({"arguments": "{\"day\": \"mon"})),
            piece(json!({"arguments": "day\"}"})),
        ]
    };
    let events: String = deltas
        .into_iter()
        .map(|delta| format!("data: {}\n\n", json!({"choices": [{"index": 0, "delta": delta}]})))
        .chain(["data: [DONE]\n\n".to_owned()])
        .collect();
    ([("content-type", "text/event-stream")], events).into_response()
}
