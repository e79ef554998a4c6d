//! The HTTP server for probes and metrics: `/healthz` (the process runs), `/readyz` (every required check passes; the
//! body lists all checks) and `/metrics` (OpenMetrics text).

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use prometheus_client::registry::Registry;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::health::Health;

/// The default address: every interface, port 9090.
pub const DEFAULT_ADDRESS: &str = "0.0.0.0:9090";

const OPENMETRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Why the admin server does not run.
#[derive(Debug, thiserror::Error)]
pub enum AdminError {
    /// The address is taken or not allowed.
    #[error("cannot listen on the admin address {address}")]
    Bind {
        /// The address asked for.
        address: SocketAddr,
        /// The operating system's reason.
        #[source]
        source: std::io::Error,
    },
    /// Accepting connections failed.
    #[error("the admin server stopped")]
    Serve(#[source] std::io::Error),
}

/// A bound admin server. Bind it first, so that probes answer while the rest starts.
#[derive(Debug)]
pub struct AdminServer {
    listener: TcpListener,
    address: SocketAddr,
    router: Router,
}

impl AdminServer {
    /// Listens on `address`; port 0 picks a free one.
    ///
    /// # Errors
    /// [`AdminError::Bind`] when the address cannot be used.
    pub async fn bind(address: SocketAddr, health: Health, registry: Registry) -> Result<Self, AdminError> {
        let fail = |source| AdminError::Bind { address, source };
        let listener = TcpListener::bind(address).await.map_err(fail)?;
        let local = listener.local_addr().map_err(fail)?;
        Ok(Self { listener, address: local, router: router(health, registry) })
    }

    /// Adds routes of the binary's own, e.g. `/state`.
    #[must_use]
    pub fn merge(mut self, routes: Router) -> Self {
        self.router = self.router.merge(routes);
        self
    }

    /// Where it listens.
    #[must_use]
    pub fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// Serves until `stop` is cancelled. Stop it last: probes should answer during a drain.
    ///
    /// # Errors
    /// [`AdminError::Serve`] when accepting connections fails.
    pub async fn serve(self, stop: CancellationToken) -> Result<(), AdminError> {
        tracing::info!(address = %self.address, "admin server listens");
        axum::serve(self.listener, self.router)
            .with_graceful_shutdown(stop.cancelled_owned())
            .await
            .map_err(AdminError::Serve)
    }
}

/// The routes alone, for a binary that serves them from a listener of its own.
pub fn router(health: Health, registry: Registry) -> Router {
    Router::new()
        .route("/healthz", get(async || "ok\n"))
        .route("/readyz", get(readyz).with_state(health))
        .route("/metrics", get(metrics).with_state(Arc::new(registry)))
}

async fn readyz(State(health): State<Health>) -> Response {
    let report = health.report();
    let status = if report.is_ready() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, report.to_string()).into_response()
}

async fn metrics(State(registry): State<Arc<Registry>>) -> Response {
    let mut text = String::new();
    match prometheus_client::encoding::text::encode(&mut text, &registry) {
        Ok(()) => ([(header::CONTENT_TYPE, OPENMETRICS)], text).into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, format!("cannot encode metrics: {error}\n")).into_response(),
    }
}

#[cfg(test)]
mod tests {
    use axum::body::{Body, to_bytes};
    use axum::http::Request;
    use tower::ServiceExt as _;

    use super::*;
    use crate::metrics::{Build, registry};

    const BUILD: Build = Build { service: "voxplane-test", version: "0", revision: "0" };

    async fn ask(router: &Router, path: &str) -> (StatusCode, String) {
        let request = Request::get(path).body(Body::empty()).unwrap();
        let response = router.clone().oneshot(request).await.unwrap();
        let status = response.status();
        let body = to_bytes(response.into_body(), 1 << 20).await.unwrap();
        (status, String::from_utf8(body.to_vec()).unwrap())
    }

    #[tokio::test]
    async fn readiness_follows_the_checks_and_liveness_does_not() {
        let health = Health::new();
        let database = health.check("database");
        let router = router(health, registry(BUILD));
        database.fail("connection refused");
        let unready = (StatusCode::SERVICE_UNAVAILABLE, "[-] database: connection refused\nnot ready\n".to_owned());
        assert_eq!(ask(&router, "/readyz").await, unready);
        assert_eq!(ask(&router, "/healthz").await.0, StatusCode::OK);
        database.pass();
        assert_eq!(ask(&router, "/readyz").await, (StatusCode::OK, "[+] database\nready\n".to_owned()));
    }

    #[tokio::test]
    async fn metrics_are_openmetrics_text() {
        let (status, text) = ask(&router(Health::new(), registry(BUILD)), "/metrics").await;
        assert_eq!(status, StatusCode::OK);
        assert!(text.contains("voxplane_build_info{"), "{text}");
        assert!(text.ends_with("# EOF\n"), "{text}");
    }

    #[tokio::test]
    async fn it_serves_on_a_socket_and_stops_when_told() {
        let server = AdminServer::bind("127.0.0.1:0".parse().unwrap(), Health::new(), registry(BUILD)).await.unwrap();
        let taken = server.local_addr();
        let error = AdminServer::bind(taken, Health::new(), registry(BUILD)).await.unwrap_err();
        assert!(error.to_string().contains(&taken.to_string()), "{error}");
        let stop = CancellationToken::new();
        let running = tokio::spawn(server.serve(stop.clone()));
        tokio::net::TcpStream::connect(taken).await.unwrap();
        stop.cancel();
        running.await.unwrap().unwrap();
    }
}
