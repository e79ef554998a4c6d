//! Any service that speaks OpenAI's embeddings (<https://platform.openai.com/docs/api-reference/embeddings/create>). The key
//! goes only to addresses that the Secret's owner listed, and never along a redirect.

use std::time::Duration;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use reqwest::{StatusCode, header};
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Serialize};
use url::Url;
use voxplane_platform::endpoint::Endpoint;

use super::{EmbedError, Embedder, Model, normalised};

/// Texts per request: far below what services take, so that one request is not a large share of a rate limit.
const BATCH: usize = 64;
/// Longest time for one request.
const LIMIT: Duration = Duration::from_secs(15);
/// Longest `Retry-After` we believe.
const MAX_RETRY_AFTER: Duration = Duration::from_secs(3600);
/// Longest message of a service that we repeat; it may quote the text, and conditions are not the place for that.
const MAX_MESSAGE: usize = 200;

/// A model behind an address.
#[derive(Debug)]
pub struct OpenAiSettings {
    /// Up to and including the version.
    pub base_url: String,
    /// As the service calls it.
    pub model: String,
    /// Numbers of its embeddings.
    pub dimensions: usize,
    /// The key.
    pub key: SecretString,
    /// Addresses that the key may be sent to.
    pub endpoints: Vec<String>,
}

/// One model behind one address.
#[derive(Debug)]
pub struct OpenAiCompatible {
    client: reqwest::Client,
    url: Url,
    key: SecretString,
    asked: String,
    model: Model,
}

/// The connections of a process to all services.
///
/// # Errors
/// When TLS cannot be set up.
pub fn client() -> reqwest::Result<reqwest::Client> {
    reqwest::Client::builder()
        .connect_timeout(Duration::from_secs(3))
        .timeout(LIMIT)
        .tcp_nodelay(true)
        // A redirect could carry the key elsewhere.
        .redirect(reqwest::redirect::Policy::none())
        .user_agent(concat!("voxplane/", env!("CARGO_PKG_VERSION")))
        .build()
}

impl OpenAiCompatible {
    /// A model as a knowledge base asks for it.
    ///
    /// # Errors
    /// [`EmbedError::Config`] for an address that cannot be used or may not get the key.
    pub fn new(client: reqwest::Client, settings: OpenAiSettings) -> Result<Self, EmbedError> {
        let OpenAiSettings { base_url, model, dimensions, key, endpoints } = settings;
        let url = Endpoint::parse(&base_url)
            .filter(|endpoint| endpoint.is_within(&endpoints))
            .map(|endpoint| endpoint.resource("embeddings"))
            .ok_or_else(|| EmbedError::Config("the Secret's key allowed-endpoints does not list baseUrl".to_owned()))?;
        let host = url.host_str().unwrap_or_default();
        let name = format!("openai-compatible/{model} at {host}");
        Ok(Self { client, key, asked: model, model: Model { name, dimensions }, url })
    }

    async fn ask(&self, texts: Vec<String>) -> Result<Vec<Vec<f32>>, EmbedError> {
        let wanted = texts.len();
        // Others have the dimensions they have, and some services refuse to be told.
        let dimensions = self.asked.starts_with("text-embedding-3").then_some(self.model.dimensions);
        let body = Request { model: &self.asked, input: &texts, dimensions, encoding_format: "float" };
        let request = self.client.post(self.url.clone()).bearer_auth(self.key.expose_secret()).json(&body);
        let away = |error: reqwest::Error| EmbedError::Unavailable { status: None, source: Some(error.without_url()) };
        let response = request.send().await.map_err(away)?;
        let (status, headers) = (response.status(), response.headers().clone());
        let body = response.bytes().await.map_err(away)?;
        if status != StatusCode::OK {
            return Err(refusal(status, &headers, &body));
        }
        let answer: Answer = serde_json::from_slice(&body).map_err(|error| EmbedError::Protocol(error.to_string()))?;
        self.sorted(answer.data, wanted)
    }

    fn sorted(&self, data: Vec<Datum>, wanted: usize) -> Result<Vec<Vec<f32>>, EmbedError> {
        let mut vectors: Vec<Option<Vec<f32>>> = vec![None; wanted];
        for Datum { index, embedding } in data {
            if embedding.len() != self.model.dimensions {
                let (found, asked) = (embedding.len(), self.model.dimensions);
                return Err(EmbedError::Protocol(format!(
                    "{found} dimensions instead of {asked}: correct `dimensions`"
                )));
            }
            let slot = vectors.get_mut(index).ok_or_else(|| EmbedError::Protocol(format!("an embedding {index}")))?;
            *slot = normalised(embedding);
        }
        let missing = || EmbedError::Protocol("an embedding is missing or empty".to_owned());
        vectors.into_iter().map(|vector| vector.ok_or_else(missing)).collect()
    }
}

impl Embedder for OpenAiCompatible {
    fn model(&self) -> &Model {
        &self.model
    }

    fn batch(&self) -> usize {
        BATCH
    }

    fn embed(&self, texts: Vec<String>) -> BoxFuture<'_, Result<Vec<Vec<f32>>, EmbedError>> {
        self.ask(texts).boxed()
    }
}

#[derive(Serialize)]
struct Request<'a> {
    model: &'a str,
    input: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    dimensions: Option<usize>,
    encoding_format: &'static str,
}

#[derive(Deserialize)]
struct Answer {
    data: Vec<Datum>,
}

#[derive(Deserialize)]
struct Datum {
    index: usize,
    embedding: Vec<f32>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct ErrorBody {
    message: String,
    code: Option<serde_json::Value>,
    #[serde(rename = "type")]
    kind: Option<String>,
}

#[derive(Deserialize)]
struct ErrorAnswer {
    error: ErrorBody,
}

/// The class of an answer that is not 200. Pure.
fn refusal(status: StatusCode, headers: &header::HeaderMap, body: &[u8]) -> EmbedError {
    let body = serde_json::from_slice::<ErrorAnswer>(body).map(|answer| answer.error).unwrap_or_default();
    let empty_account = body.code.as_ref().is_some_and(|code| code == "insufficient_quota")
        || body.kind.as_deref() == Some("insufficient_quota");
    match status.as_u16() {
        401 | 403 => EmbedError::Unauthorized,
        // Waiting fills no account.
        429 if !empty_account => EmbedError::RateLimited { retry_after: retry_after(headers) },
        status @ (408 | 409 | 425 | 500..) => EmbedError::Unavailable { status: Some(status), source: None },
        300..=399 => EmbedError::Protocol(format!("status {status}; redirects are not followed, correct `baseUrl`")),
        status => {
            let message = body.message.chars().filter(|c| !c.is_control()).take(MAX_MESSAGE).collect();
            EmbedError::Rejected { status, message }
        }
    }
}

/// `Retry-After` in seconds; the date form is not used by any vendor we know.
fn retry_after(headers: &header::HeaderMap) -> Option<Duration> {
    let seconds: f64 = headers.get(header::RETRY_AFTER)?.to_str().ok()?.trim().parse().ok()?;
    Duration::try_from_secs_f64(seconds).ok().map(|wait| wait.min(MAX_RETRY_AFTER))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(status: u16, body: &str) -> EmbedError {
        let mut headers = header::HeaderMap::new();
        headers.insert("retry-after", "1.5".parse().unwrap());
        refusal(StatusCode::from_u16(status).unwrap(), &headers, body.as_bytes())
    }

    #[test]
    fn every_status_has_a_class() {
        assert!(matches!(of(401, ""), EmbedError::Unauthorized));
        assert!(matches!(of(429, ""), EmbedError::RateLimited { retry_after: Some(wait) } if wait.as_millis() == 1500));
        assert!(of(503, "").is_passing() && of(408, "").is_passing() && of(429, "").is_passing());
        let empty = of(429, r#"{"error": {"message": "You exceeded your quota", "code": "insufficient_quota"}}"#);
        assert!(!empty.is_passing() && empty.to_string().contains("You exceeded your quota"));
        let wrong = of(400, r#"{"error": {"message": "no such\u0007 model", "code": 7}}"#);
        assert_eq!(wrong.to_string(), "the embedding service refuses (status 400): no such model");
        assert!(matches!(of(302, ""), EmbedError::Protocol(_)));
    }

    #[test]
    fn a_key_is_not_sent_where_its_owner_did_not_say() {
        let settings = |base: &str| OpenAiSettings {
            base_url: base.to_owned(),
            model: "m".to_owned(),
            dimensions: 384,
            key: "very-secret".into(),
            endpoints: vec!["https://a.example/v1".to_owned()],
        };
        let made = |base| OpenAiCompatible::new(reqwest::Client::new(), settings(base));
        assert_eq!(made("https://a.example/v1").unwrap().model().name, "openai-compatible/m at a.example");
        assert!(made("https://b.example/v1").unwrap_err().to_string().contains("allowed-endpoints"));
        assert!(!format!("{:?}", made("https://a.example/v1").unwrap()).contains("very-secret"));
    }

    /// A service that answers in another order than it is asked, and is overloaded at first.
    async fn service() -> std::net::SocketAddr {
        use axum::http::StatusCode as Status;
        use axum::response::IntoResponse as _;
        use std::sync::atomic::{AtomicUsize, Ordering};
        static ASKED: AtomicUsize = AtomicUsize::new(0);
        let answer = async |headers: axum::http::HeaderMap, axum::Json(body): axum::Json<serde_json::Value>| {
            assert_eq!(headers["authorization"], "Bearer very-secret");
            assert_eq!(body["dimensions"].as_u64(), (body["model"] == "text-embedding-3-small").then_some(384));
            if ASKED.fetch_add(1, Ordering::Relaxed) == 0 {
                return (Status::TOO_MANY_REQUESTS, [("retry-after", "7")]).into_response();
            }
            let texts = body["input"].as_array().unwrap();
            let data = texts.iter().enumerate().rev().map(|(index, text)| {
                let mut embedding = vec![0.0; 384];
                embedding[text.as_str().unwrap().len()] = 2.0;
                serde_json::json!({"object": "embedding", "index": index, "embedding": embedding})
            });
            axum::Json(serde_json::json!({"object": "list", "data": data.collect::<Vec<_>>()})).into_response()
        };
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let routes = axum::Router::new().route("/v1/embeddings", axum::routing::post(answer));
        tokio::spawn(async move { axum::serve(listener, routes).await });
        address
    }

    #[tokio::test]
    async fn a_service_is_asked_with_the_key_and_its_answer_is_put_in_order() {
        let base_url = format!("http://{}/v1", service().await);
        let model = |name: &str, dimensions| {
            let settings = OpenAiSettings {
                base_url: base_url.clone(),
                model: name.to_owned(),
                dimensions,
                key: "very-secret".into(),
                endpoints: vec![base_url.clone()],
            };
            OpenAiCompatible::new(client().unwrap(), settings).unwrap()
        };
        let small = model("text-embedding-3-small", 384);
        let texts = || vec!["one".to_owned(), "three".to_owned()];
        let busy = small.embed(texts()).await.unwrap_err();
        assert!(matches!(busy, EmbedError::RateLimited { retry_after: Some(wait) } if wait.as_secs() == 7), "{busy}");
        let vectors = small.embed(texts()).await.unwrap();
        assert_eq!((vectors[0][3], vectors[1][5]), (1.0, 1.0), "in the order of the texts, and of length 1");
        let wrong = model("other", 768).embed(texts()).await.unwrap_err();
        assert!(wrong.to_string().contains("384 dimensions instead of 768"), "{wrong}");
    }
}
