//! One answer: ask, retry while nothing was said yet, then pass the stream on.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use eventsource_stream::{Event, EventStreamError, Eventsource};
use futures::{Stream, StreamExt, stream, stream::BoxStream};
use secrecy::ExposeSecret;
use tokio::time::{sleep, timeout};

use super::{
    Inner,
    calls::Calls,
    status,
    wire::{Chunk, Request},
};
use crate::providers::{
    ProviderError, Result,
    llm::{LlmEvent, LlmRequest, LlmStream, LlmTiming},
};

/// Wait before the second attempt; doubled for each further one.
const BACKOFF: Duration = Duration::from_millis(150);
/// Longest error body that is read.
const MAX_ERROR_BODY: usize = 16 * 1024;
/// Longest answer, in bytes of text: a spoken answer never comes near it.
const MAX_ANSWER: usize = 64 * 1024;
const FIRST_TOKEN: &str = "first token";
const NEXT_TOKEN: &str = "next token";

type Events = BoxStream<'static, Result<Event, EventStreamError<reqwest::Error>>>;

/// Resolves with the first text, or with the error that is left when the retries or the time are used up.
pub(super) async fn start(inner: Arc<Inner>, request: LlmRequest) -> Result<LlmStream> {
    let asked = Instant::now();
    let limit = inner.limits.first_token;
    let mut retries = 0;
    loop {
        let left = limit.saturating_sub(asked.elapsed());
        let attempt = timeout(left, attempt(&inner, &request));
        let error = match attempt.await {
            Err(_) => return Err(ProviderError::Timeout { stage: FIRST_TOKEN, after: limit }),
            Ok(Ok(begun)) => {
                let timing = LlmTiming { first_token: Some(asked.elapsed()), total: Duration::ZERO, retries };
                return Ok(answer(begun, timing, asked, inner.limits.idle).boxed());
            }
            Ok(Err(error)) => error,
        };
        let wait = pause(&error, retries);
        let worth_it = !error.is_fatal() && retries < inner.limits.retries;
        if !worth_it || asked.elapsed() + wait >= limit {
            return Err(error);
        }
        sleep(wait).await;
        retries += 1;
    }
}

/// How long to wait before asking again.
fn pause(error: &ProviderError, retries: u32) -> Duration {
    match error {
        ProviderError::RateLimited { retry_after: Some(wait) } => *wait,
        _ => BACKOFF * 2u32.saturating_pow(retries),
    }
}

/// An answer that has begun.
struct Begun {
    first: Vec<LlmEvent>,
    /// The rest; `None`: there is none.
    events: Option<Events>,
    calls: Calls,
}

/// One request up to its first event that says something.
async fn attempt(inner: &Inner, request: &LlmRequest) -> Result<Begun> {
    let body = Request::new(&inner.model, inner.url.host_str(), request);
    let response = inner
        .client
        .post(inner.url.clone())
        .bearer_auth(inner.key.expose_secret())
        .header(reqwest::header::ACCEPT, "text/event-stream")
        .json(&body)
        .send()
        .await
        .map_err(transport)?;
    if response.status() != reqwest::StatusCode::OK {
        let (status, headers) = (response.status(), response.headers().clone());
        return Err(status::error(status, &headers, &error_body(response).await));
    }
    let mut events: Events = response.bytes_stream().eventsource().boxed();
    let mut calls = Calls::default();
    loop {
        let Some(event) = events.next().await else { return Err(cut()) };
        match read(event, &mut calls)? {
            Read::Events(found) if found.is_empty() => {}
            Read::Events(first) => return Ok(Begun { first, events: Some(events), calls }),
            // An empty answer is an answer.
            Read::Done => return Ok(Begun { first: Vec::new(), events: None, calls }),
        }
    }
}

/// The rest of an answer, as a stream; dropping it closes the connection.
fn answer(
    begun: Begun,
    timing: LlmTiming,
    asked: Instant,
    idle: Duration,
) -> impl Stream<Item = Result<LlmEvent>> + Send {
    let Begun { first, events, calls } = begun;
    let length = 0usize;
    let rest = stream::unfold(Some((events, calls, length)), move |state| async move {
        let (events, mut calls, mut length) = state?;
        let done = |mut calls: Calls| {
            let timing = LlmTiming { total: asked.elapsed(), ..timing };
            let calls = Some(calls.take()).filter(|calls| !calls.is_empty()).map(LlmEvent::ToolCalls);
            (calls.into_iter().chain([LlmEvent::Done(timing)]).map(Ok).collect(), None)
        };
        let Some(mut events) = events else { return Some(done(calls)) };
        let result = match timeout(idle, events.next()).await {
            Err(_) => Err(ProviderError::Timeout { stage: NEXT_TOKEN, after: idle }),
            Ok(None) => Err(cut()),
            Ok(Some(event)) => read(event, &mut calls),
        };
        match result {
            Err(error) => Some((vec![Err(error)], None)),
            Ok(Read::Done) => Some(done(calls)),
            Ok(Read::Events(found)) => {
                length += found
                    .iter()
                    .map(|event| if let LlmEvent::Text(text) = event { text.len() } else { 0 })
                    .sum::<usize>();
                if length > MAX_ANSWER {
                    let error = ProviderError::protocol(format!("an answer longer than {MAX_ANSWER} bytes"));
                    return Some((vec![Err(error)], None));
                }
                Some((found.into_iter().map(Ok).collect(), Some((Some(events), calls, length))))
            }
        }
    });
    stream::iter(first.into_iter().map(Ok)).chain(rest.flat_map(stream::iter))
}

enum Read {
    Events(Vec<LlmEvent>),
    Done,
}

/// One server-sent event.
fn read(event: Result<Event, EventStreamError<reqwest::Error>>, calls: &mut Calls) -> Result<Read> {
    let event = event.map_err(|error| match error {
        EventStreamError::Transport(error) => transport(error),
        other => ProviderError::protocol(format!("not a stream of events: {other}")),
    })?;
    if event.data.trim() == "[DONE]" {
        return Ok(Read::Done);
    }
    let mut chunk: Chunk = serde_json::from_str(&event.data)
        .map_err(|error| ProviderError::protocol(format!("an event that is not a chunk: {error}")))?;
    if let Some(error) = &chunk.error {
        return Err(status::in_stream(error));
    }
    let text = chunk.text().map(LlmEvent::Text);
    let writes = calls.push(chunk.calls())?.then_some(LlmEvent::Writing);
    let usage = chunk.usage().map(LlmEvent::Usage);
    Ok(Read::Events([text, writes, usage].into_iter().flatten().collect()))
}

async fn error_body(response: reqwest::Response) -> Vec<u8> {
    let mut body = Vec::new();
    let mut chunks = response.bytes_stream();
    while let Some(Ok(chunk)) = chunks.next().await {
        body.extend_from_slice(&chunk);
        if body.len() >= MAX_ERROR_BODY {
            break;
        }
    }
    body
}

fn transport(error: reqwest::Error) -> ProviderError {
    // The URL may hold a tenant's host name, which the error's reader knows anyway; the key is in no error.
    ProviderError::unavailable("the language model", error.without_url())
}

fn cut() -> ProviderError {
    ProviderError::Unavailable { what: "the rest of the answer".into(), source: None }
}
