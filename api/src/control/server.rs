//! The control port: TLS with a certificate that can change, gRPC behind it.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use rustls::ServerConfig;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tonic::transport::Server;
use tracing::{debug, warn};
use voxplane_control::v1::control_server::ControlServer;

use super::service::ControlService;

/// A client that does not finish its handshake holds a connection for no longer.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(5);
/// A batch of a thousand events of 64 KiB would not fit; runtimes send far smaller ones.
const MAX_MESSAGE: usize = 16 * 1024 * 1024;
/// Handshakes done and not yet taken by the server.
const ACCEPT_QUEUE: usize = 64;

/// Why the control port does not serve.
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    /// The address is taken.
    #[error("cannot listen on {address}")]
    Bind {
        /// The address.
        address: SocketAddr,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// Serving ended.
    #[error("the control server ended")]
    Serve(#[source] tonic::transport::Error),
}

/// Binds the control port.
///
/// # Errors
/// When the address cannot be used.
pub async fn bind(address: SocketAddr) -> Result<TcpListener, ServerError> {
    TcpListener::bind(address).await.map_err(|source| ServerError::Bind { address, source })
}

/// Serves until `stop`.
///
/// # Errors
/// See [`ServerError`].
pub async fn serve(
    listener: TcpListener,
    tls: Arc<ServerConfig>,
    service: ControlService,
    stop: CancellationToken,
) -> Result<(), ServerError> {
    let (connections, incoming) = mpsc::channel(ACCEPT_QUEUE);
    let accepting = accept(listener, TlsAcceptor::from(tls), connections, stop.clone());
    let service = ControlServer::new(service).max_decoding_message_size(MAX_MESSAGE);
    let serving = Server::builder()
        .http2_keepalive_interval(Some(Duration::from_secs(10)))
        .http2_keepalive_timeout(Some(Duration::from_secs(5)))
        .add_service(service)
        .serve_with_incoming_shutdown(ReceiverStream::new(incoming), stop.cancelled_owned());
    let (served, ()) = tokio::join!(serving, accepting);
    served.map_err(ServerError::Serve)
}

type Connection = Result<TlsStream<TcpStream>, std::io::Error>;

async fn accept(
    listener: TcpListener,
    tls: TlsAcceptor,
    connections: mpsc::Sender<Connection>,
    stop: CancellationToken,
) {
    let handshakes = TaskTracker::new();
    loop {
        let accepted = tokio::select! {
            () = stop.cancelled() => break,
            () = connections.closed() => break,
            accepted = listener.accept() => accepted,
        };
        let stream = match accepted {
            Ok((stream, _)) => stream,
            Err(error) => {
                // Out of file descriptors, most likely: try again when some are free.
                warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            }
        };
        let (tls, connections) = (tls.clone(), connections.clone());
        handshakes.spawn(async move {
            // Small messages that must not wait for each other.
            let _ = stream.set_nodelay(true);
            match timeout(HANDSHAKE_TIMEOUT, tls.accept(stream)).await {
                Ok(Ok(stream)) => {
                    let _ = connections.send(Ok(stream)).await;
                }
                Ok(Err(error)) => debug!(%error, "a TLS handshake failed"),
                Err(_) => debug!("a TLS handshake took too long"),
            }
        });
    }
    drop(connections);
    handshakes.close();
    handshakes.wait().await;
}
