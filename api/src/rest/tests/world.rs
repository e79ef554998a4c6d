//! A router over a hand-filled directory. Its database and cluster are whatever the test brings; without one they do
//! not answer, which is a case of its own.

#![allow(clippy::unwrap_used, clippy::panic, clippy::needless_pass_by_value, missing_docs, reason = "helpers of tests")]

use std::sync::Arc;

use axum::Router;
use axum::body::{Body, to_bytes};
use http::{Method, Request, StatusCode};
use jiff::Timestamp;
use kube::{Client, Config};
use secrecy::SecretString;
use serde_json::Value;
use tower::ServiceExt as _;
use uuid::Uuid;
use voxplane_platform::health::Health;
use voxplane_store::{Db, DbOptions};

use super::super::document::openapi;
use super::super::router::{App, router};
use crate::auth::{BootstrapAdmin, Principal, Role, Tokens};
use crate::cluster::Directory;

/// Made for tests with `openssl genpkey -algorithm ed25519`; PKCS#8 version 1, as Helm makes them.
pub const TEST_KEY: &str = "-----BEGIN PRIVATE KEY-----
MC4CAQAwBQYDK2VwBCIEIA1EEfqlCUvVnip7wSXq0djlucp9Alxg/uL8Y46aDgEo
-----END PRIVATE KEY-----
";

pub fn tokens() -> Arc<Tokens> {
    Arc::new(Tokens::from_pem(TEST_KEY.as_bytes()).unwrap())
}

/// A client of a cluster that does not answer.
pub fn no_cluster() -> Client {
    voxplane_platform::tls::install_crypto_provider();
    Client::try_from(Config::new("http://127.0.0.1:1".parse().unwrap())).unwrap()
}

pub async fn no_database() -> Db {
    let options = DbOptions { acquire_timeout: std::time::Duration::from_millis(200), ..DbOptions::default() };
    Db::connect("postgres://nobody:x@127.0.0.1:1/none", options).await.unwrap()
}

pub fn app(directory: Directory, db: Db) -> Router {
    router(Arc::new(App {
        tokens: tokens(),
        admin: BootstrapAdmin::new("admin@example.com".into(), SecretString::from("secret")),
        directory,
        db,
        kube: no_cluster(),
        health: Health::new(),
    }))
}

pub fn token(role: Role, agency: Option<Uuid>, tenant: Option<Uuid>) -> String {
    let principal = Principal::new("subject".into(), "user@example.com".into(), role, agency, tenant).unwrap();
    tokens().issue_access(&principal, Timestamp::now()).unwrap()
}

pub struct Answer {
    pub status: StatusCode,
    pub headers: http::HeaderMap,
    pub body: Value,
}

impl Answer {
    pub fn code(&self) -> &str {
        self.body["error"]["code"].as_str().unwrap_or_default()
    }

    #[cfg(feature = "test-postgres")]
    /// The body without what differs between any two answers.
    pub fn comparable(&self) -> Value {
        let mut body = self.body.clone();
        if let Some(error) = body.get_mut("error").and_then(Value::as_object_mut) {
            error.remove("request_id");
        }
        body
    }
}

/// Every error answer of a described operation is described too, with its code.
fn check_described(method: &Method, path: &str, status: StatusCode, body: &Value) {
    let path = path.split('?').next().unwrap_or_default();
    let fits = |pattern: &str| {
        pattern.split('/').count() == path.split('/').count()
            && pattern.split('/').zip(path.split('/')).all(|(part, given)| part.starts_with('{') || part == given)
    };
    let document = openapi();
    let (_, item) = match document["paths"].as_object().unwrap().iter().find(|(pattern, _)| fits(pattern)) {
        Some(found) => found,
        None => return,
    };
    let Some(operation) = item.get(method.as_str().to_lowercase()) else { return };
    let code = body["error"]["code"].as_str().unwrap();
    let described = &operation["responses"][status.as_str()]["content"]["application/json"]["examples"][code];
    assert!(described.is_object(), "{method} {path} answered {status} {code}, which the document does not describe");
}

pub async fn send(app: &Router, method: Method, path: &str, token: Option<&str>, body: Option<Value>) -> Answer {
    let mut request = Request::builder().method(method.clone()).uri(path);
    if let Some(token) = token {
        request = request.header("authorization", format!("Bearer {token}"));
    }
    let body = match body {
        Some(body) => {
            request = request.header("content-type", "application/json");
            Body::from(body.to_string())
        }
        None => Body::empty(),
    };
    let response = app.clone().oneshot(request.body(body).unwrap()).await.unwrap();
    let (status, headers) = (response.status(), response.headers().clone());
    let bytes = to_bytes(response.into_body(), 4 << 20).await.unwrap();
    let body = if bytes.is_empty() { Value::Null } else { serde_json::from_slice(&bytes).unwrap() };
    if body.get("error").is_some() {
        check_described(&method, path, status, &body);
    }
    Answer { status, headers, body }
}

pub async fn get(app: &Router, path: &str, token: &str) -> Answer {
    send(app, Method::GET, path, Some(token), None).await
}
