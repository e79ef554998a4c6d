//! Counts what is asked of the API server, by verb and kind of object: what an operator costs a cluster.

use std::task::{Context, Poll};

use http::header::CONTENT_TYPE;
use http::{Method, Request};
use kube::client::Body;
use tower::{Layer, Service};

use crate::metrics::Metrics;

/// Puts [`Counted`] around a client's connection.
#[derive(Clone, Debug)]
pub struct Counting {
    metrics: Metrics,
}

impl Counting {
    /// Counts into these metrics.
    #[must_use]
    pub fn new(metrics: Metrics) -> Self {
        Self { metrics }
    }
}

impl<S> Layer<S> for Counting {
    type Service = Counted<S>;

    fn layer(&self, inner: S) -> Counted<S> {
        Counted { inner, metrics: self.metrics.clone() }
    }
}

/// A connection to the API server whose requests are counted when they are sent.
#[derive(Clone, Debug)]
pub struct Counted<S> {
    inner: S,
    metrics: Metrics,
}

impl<S: Service<Request<Body>>> Service<Request<Body>> for Counted<S> {
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<Body>) -> S::Future {
        let content = request.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let uri = request.uri();
        let (verb, resource) = classify(request.method(), uri.path(), uri.query().unwrap_or_default(), content);
        self.metrics.asked(verb, resource);
        self.inner.call(request)
    }
}

/// Verb and resource of a request, as the API server's own metrics name them: `apply` and `voiceagents/status`. The names
/// of objects are not among them, so there are few different answers.
fn classify(method: &Method, path: &str, query: &str, content: &str) -> (&'static str, String) {
    let mut parts = path.split('/').filter(|part| !part.is_empty());
    // /api/v1/… or /apis/<group>/<version>/…
    let groups = if parts.next() == Some("api") { 1 } else { 2 };
    let mut parts: Vec<&str> = parts.skip(groups).collect();
    if parts.len() > 2 && parts[0] == "namespaces" {
        parts.drain(..2);
    }
    let named = parts.len() > 1;
    let verb = match *method {
        Method::GET if named => "get",
        Method::GET if query.split('&').any(|pair| pair == "watch=true") => "watch",
        Method::GET => "list",
        Method::POST => "create",
        Method::PUT => "update",
        Method::PATCH if content.starts_with("application/apply-patch") => "apply",
        Method::PATCH => "patch",
        Method::DELETE => "delete",
        _ => "other",
    };
    let resource = match parts.as_slice() {
        [] => "none".to_owned(),
        [resource, _, subresource, ..] => format!("{resource}/{subresource}"),
        [resource, ..] => (*resource).to_owned(),
    };
    (verb, resource)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_named_as_the_api_server_names_them() {
        let agents = "/apis/voxplane.dev/v1alpha1/namespaces/vx-a--t/voiceagents";
        let apply = "application/apply-patch+yaml";
        for (method, path, query, content, verb, resource) in [
            (Method::GET, "/apis/voxplane.dev/v1alpha1/voiceagents", "limit=500", "", "list", "voiceagents"),
            (Method::GET, "/api/v1/pods", "timeoutSeconds=290&watch=true", "", "watch", "pods"),
            (Method::GET, "/api/v1/namespaces/vx-a", "", "", "get", "namespaces"),
            (Method::GET, "/api/v1/namespaces/vx-a/secrets/key", "", "", "get", "secrets"),
            (Method::POST, "/api/v1/namespaces", "", "application/json", "create", "namespaces"),
            (Method::PATCH, &format!("{agents}/r/status"), "fieldManager=x", apply, "apply", "voiceagents/status"),
            (Method::PATCH, &format!("{agents}/r"), "", "application/merge-patch+json", "patch", "voiceagents"),
            (Method::DELETE, &format!("{agents}/r"), "", "", "delete", "voiceagents"),
        ] {
            assert_eq!(classify(&method, path, query, content), (verb, resource.to_owned()), "{method} {path}");
        }
    }
}
