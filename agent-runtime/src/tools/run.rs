//! One use of a tool: the request, attempts as far as they are harmless and worth it, and what the model is told.

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::StreamExt as _;
use reqwest::StatusCode;
use secrecy::ExposeSecret as _;
use tokio::time::{sleep, timeout};
use voxplane_control::v1::HttpTool;
use voxplane_session::{Effect, ToolOutcome, ToolStatus};

use super::client::SendError;
use super::request::{self, BadUse};
use super::{ToolClient, set};
use crate::providers::Credentials;

/// What is read of a response: the model reads less.
const MAX_RESPONSE: usize = 64 * 1024;
/// What the model is told of a refusal, in characters.
const MAX_REFUSAL: usize = 500;
/// Before the second attempt; doubled for each further one.
const BACKOFF: Duration = Duration::from_millis(200);

/// One use.
#[derive(Debug)]
pub struct Job {
    /// What to request.
    pub tool: Arc<HttpTool>,
    /// What doing it twice would do.
    pub effect: Effect,
    /// JSON that was found to be right.
    pub arguments: String,
    /// Names this use for ever: the service can tell a repetition by it.
    pub key: String,
}

/// Does it.
pub async fn run(job: &Job, client: &ToolClient, credentials: &Credentials) -> ToolOutcome {
    let limit = Duration::from_millis(job.tool.timeout_ms.into());
    let began = Instant::now();
    // What must not be done twice is not tried twice, whatever the configuration says.
    let retries = if job.effect == Effect::Once { 0 } else { job.tool.retries };
    let mut attempt = 0;
    loop {
        let left = limit.saturating_sub(began.elapsed());
        let end = match timeout(left, once(job, client, credentials)).await {
            Ok(end) => end,
            Err(_) => End::Silent,
        };
        let wait = BACKOFF * 2u32.saturating_pow(attempt);
        let again = end.is_passing() && attempt < retries && began.elapsed() + wait < limit;
        if !again {
            return end.told(job.effect);
        }
        sleep(wait).await;
        attempt += 1;
    }
}

/// How one attempt ended.
enum End {
    Done(String),
    /// The service answered with an error.
    Refused(StatusCode, String),
    /// The service cannot be reached: nothing was sent.
    Unreachable,
    /// Something was sent, and no whole answer came.
    Silent,
    NotPermitted,
    Bad(BadUse),
}

async fn once(job: &Job, client: &ToolClient, credentials: &Credentials) -> End {
    let request = match prepare(job, credentials) {
        Ok(request) => request,
        Err(bad) => return End::Bad(bad),
    };
    let response = match client.send(request).await {
        Ok(response) => response,
        Err(SendError::NotPermitted) => return End::NotPermitted,
        Err(SendError::Http(error)) if error.is_connect() => return End::Unreachable,
        Err(SendError::Http(_)) => return End::Silent,
    };
    let status = response.status();
    let mut body = Vec::new();
    let mut chunks = response.bytes_stream();
    while let Some(chunk) = chunks.next().await {
        let Ok(chunk) = chunk else { return End::Silent };
        let room = MAX_RESPONSE - body.len();
        body.extend_from_slice(&chunk[..chunk.len().min(room)]);
        if body.len() == MAX_RESPONSE {
            break;
        }
    }
    let text = String::from_utf8_lossy(&body).into_owned();
    if status.is_success() { End::Done(text) } else { End::Refused(status, text) }
}

fn prepare(job: &Job, credentials: &Credentials) -> Result<reqwest::Request, BadUse> {
    let tool = &job.tool;
    let arguments = set::parsed(&job.arguments).ok_or(BadUse::Tool)?;
    if request::needs_credential(tool) {
        // The operator hands out only what is permitted; a key goes nowhere else even so.
        let allowed = credentials.endpoints(&tool.credential).map_err(|_| BadUse::Credential)?;
        if !allowed.contains(&tool.origin) {
            return Err(BadUse::Credential);
        }
    }
    let secret = |key: &str| credentials.value(&tool.credential, key).map(|value| value.expose_secret().to_owned());
    request::build(tool, &arguments, &job.key, secret)
}

impl End {
    /// Whether it may be different in a moment.
    fn is_passing(&self) -> bool {
        match self {
            Self::Unreachable | Self::Silent => true,
            Self::Refused(status, _) => matches!(status.as_u16(), 408 | 425 | 429 | 500 | 502..=504),
            _ => false,
        }
    }

    fn told(self, effect: Effect) -> ToolOutcome {
        let failed = |error, result: &str| ToolOutcome {
            status: ToolStatus::Failed,
            result: result.to_owned(),
            error: Some(error),
        };
        match self {
            Self::Done(text) if text.trim().is_empty() => {
                ToolOutcome { status: ToolStatus::Ok, result: "Done.".to_owned(), error: None }
            }
            Self::Done(text) => ToolOutcome { status: ToolStatus::Ok, result: text, error: None },
            Self::Refused(status, _) if status.is_redirection() => {
                failed("redirect", "The service answered with a redirect, which is not followed.")
            }
            Self::Refused(status, text) => {
                let text: String = text.chars().take(MAX_REFUSAL).collect();
                failed("status", &format!("The service answered with status {}: {text}", status.as_u16()))
            }
            Self::Unreachable => failed("unreachable", "The service cannot be reached at the moment."),
            Self::Silent if effect == Effect::Read => failed("timeout", "The service did not answer in time."),
            Self::Silent => ToolOutcome {
                status: ToolStatus::Unknown,
                result: "The service did not answer: nobody knows whether it was done. Do not repeat it; say so."
                    .to_owned(),
                error: Some("timeout"),
            },
            Self::NotPermitted => failed("not_permitted", "The service's address is not permitted."),
            Self::Bad(BadUse::Argument(problem)) => failed("invalid_arguments", &problem),
            Self::Bad(BadUse::Credential) => {
                failed("credential", "The service's key is missing. It does not work now.")
            }
            Self::Bad(BadUse::Tool) => {
                failed("invalid_tool", "The tool is not set up correctly. It does not work now.")
            }
        }
    }
}
