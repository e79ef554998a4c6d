//! A small client of the REST API, as an agency's software would write it.

use std::time::Duration;

use anyhow::{Context, Result, bail};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

/// An authenticated session with the API.
#[derive(Clone)]
pub struct Rest {
    http: reqwest::Client,
    base: String,
    token: String,
}

/// An answer with its status, headers that matter, and body.
#[derive(Debug)]
pub struct Answer {
    /// HTTP status.
    pub status: StatusCode,
    /// `ETag` header, when present.
    pub etag: Option<String>,
    /// JSON body; null when empty.
    pub body: Value,
}

impl Rest {
    /// Logs in with the bootstrap administrator's e-mail and password.
    ///
    /// # Errors
    /// When the API is away or refuses.
    pub async fn login(base: &str, email: &str, password: &str) -> Result<Self> {
        let http = reqwest::Client::builder().timeout(Duration::from_secs(10)).build()?;
        let mut session = Self { http, base: base.trim_end_matches('/').to_owned(), token: String::new() };
        let answer = session
            .send(Method::POST, "/auth/login", Some(json!({"email": email, "password": password})), None)
            .await?;
        if answer.status != StatusCode::OK {
            bail!("login answered {}: {}", answer.status, answer.body);
        }
        session.token = answer.body["data"]["accessToken"].as_str().context("login gave no accessToken")?.to_owned();
        Ok(session)
    }

    /// One request under `/api/v1`.
    ///
    /// # Errors
    /// When there is no HTTP answer; an error status is an [`Answer`].
    pub async fn send(
        &self,
        method: Method,
        path: &str,
        body: Option<Value>,
        if_match: Option<&str>,
    ) -> Result<Answer> {
        let mut request = self.http.request(method, format!("{}/api/v1{path}", self.base));
        if !self.token.is_empty() {
            request = request.bearer_auth(&self.token);
        }
        if let Some(tag) = if_match {
            request = request.header("if-match", tag);
        }
        if let Some(body) = body {
            request = request.json(&body);
        }
        let response = request.send().await.with_context(|| format!("asking the API for {path}"))?;
        let status = response.status();
        let etag = response.headers().get("etag").and_then(|tag| tag.to_str().ok()).map(str::to_owned);
        let bytes = response.bytes().await?;
        let body = if bytes.is_empty() { Value::Null } else { serde_json::from_slice(&bytes)? };
        Ok(Answer { status, etag, body })
    }

    /// GET that must answer 200.
    ///
    /// # Errors
    /// With the API's own error body otherwise.
    pub async fn get(&self, path: &str) -> Result<Value> {
        let answer = self.send(Method::GET, path, None, None).await?;
        if answer.status != StatusCode::OK {
            bail!("GET {path} answered {}: {}", answer.status, answer.body);
        }
        Ok(answer.body)
    }

    /// Ids of all calls known to the API, newest first.
    ///
    /// # Errors
    /// When the API does not answer.
    pub async fn call_ids(&self) -> Result<Vec<String>> {
        let list = self.get("/calls?limit=100").await?;
        let calls = list["data"].as_array().context("no data in the call list")?;
        Ok(calls.iter().filter_map(|call| call["id"].as_str().map(str::to_owned)).collect())
    }

    /// Waits until a call that was not in `before` exists and returns its id.
    ///
    /// # Errors
    /// When none appears within `timeout`.
    pub async fn wait_new_call(&self, before: &[String], timeout: Duration) -> Result<String> {
        let deadline = Instant::now() + timeout;
        loop {
            if let Some(id) = self.call_ids().await?.into_iter().find(|id| !before.contains(id)) {
                return Ok(id);
            }
            if Instant::now() >= deadline {
                bail!("no new call appeared in the API within {timeout:?}");
            }
            sleep(Duration::from_millis(100)).await;
        }
    }

    /// Waits until the call has ended and returns it.
    ///
    /// # Errors
    /// When it is still live after `timeout`.
    pub async fn wait_ended(&self, id: &str, timeout: Duration) -> Result<Value> {
        let deadline = Instant::now() + timeout;
        loop {
            let call = self.get(&format!("/calls/{id}")).await?;
            let status = call["data"]["status"].as_str().unwrap_or_default();
            if !["queued", "ringing", "in_progress"].contains(&status) {
                return Ok(call["data"].clone());
            }
            if Instant::now() >= deadline {
                bail!("call {id} is still {status} after {timeout:?}");
            }
            sleep(Duration::from_millis(200)).await;
        }
    }

    /// All ledger events of a call.
    ///
    /// # Errors
    /// When the API does not answer.
    pub async fn events(&self, id: &str) -> Result<Vec<Value>> {
        let answer = self.get(&format!("/calls/{id}/events?limit=1000")).await?;
        Ok(answer["data"].as_array().cloned().unwrap_or_default())
    }
}
