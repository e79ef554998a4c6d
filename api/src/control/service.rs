//! The gRPC service: one stream per pod, and questions about knowledge.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use futures::Stream;
use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_stream::StreamExt as _;
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tonic::{Request, Response, Status, Streaming};
use tracing::info;
use voxplane_control::v1::control_server::Control;
use voxplane_control::v1::{
    ApiMessage, RuntimeMessage, SearchKnowledgeRequest, SearchKnowledgeResponse, runtime_message,
};
use voxplane_store::Db;

use super::knowledge::Knowledge;
use super::registry::Registry;
use super::{hello, search, session};
use crate::auth::Tokens;
use crate::cluster::Directory;
use crate::lifecycle::Lifecycle;
use crate::metrics::Metrics;

/// The first message must be there in this time.
const HELLO_TIMEOUT: Duration = Duration::from_secs(5);
/// Messages waiting for a pod that does not read; more means it is gone.
const OUTBOX: usize = 256;

/// What the service works with.
#[derive(Debug)]
pub struct ControlParts {
    /// Calls, ledger, sessions.
    pub db: Db,
    /// Reviews ServiceAccount tokens.
    pub kube: KubeClient,
    /// Signs and checks session credentials.
    pub tokens: Arc<Tokens>,
    /// Pool → tenant.
    pub directory: Directory,
    /// Connected pods.
    pub registry: Arc<Registry>,
    /// Ends calls.
    pub lifecycle: Arc<Lifecycle>,
    /// What callers' questions mean.
    pub knowledge: Knowledge,
    /// Counts.
    pub metrics: Metrics,
    /// Name of this replica.
    pub replica: String,
}

/// A Kubernetes client with a `Debug` that says nothing.
#[derive(Clone)]
pub struct KubeClient(pub kube::Client);

impl std::fmt::Debug for KubeClient {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("KubeClient")
    }
}

/// The service.
#[derive(Debug, Clone)]
pub struct ControlService {
    parts: Arc<ControlParts>,
    stop: CancellationToken,
    tasks: TaskTracker,
}

impl ControlService {
    /// Serves until `stop`; the sessions' tasks are in `tasks`.
    pub fn new(parts: Arc<ControlParts>, stop: CancellationToken, tasks: TaskTracker) -> Self {
        Self { parts, stop, tasks }
    }
}

type Outgoing = Pin<Box<dyn Stream<Item = Result<ApiMessage, Status>> + Send>>;

#[tonic::async_trait]
impl Control for ControlService {
    type SessionStream = Outgoing;

    async fn session(&self, request: Request<Streaming<RuntimeMessage>>) -> Result<Response<Outgoing>, Status> {
        let mut inbound = request.into_inner();
        let first = match timeout(HELLO_TIMEOUT, inbound.message()).await {
            Ok(first) => first?,
            Err(_) => return Err(Status::deadline_exceeded("no Hello came in 5 s")),
        };
        let Some(runtime_message::Body::Hello(hello)) = first.and_then(|message| message.body) else {
            return Err(Status::failed_precondition("the first message must be Hello"));
        };
        let (outbox, messages) = mpsc::channel(OUTBOX);
        let pod = hello::admit(&self.parts, hello, outbox).await?;
        info!(pod = pod.info.pod, pool = %pod.info.pool, session = %pod.info.session, "a runtime pod is connected");
        let run = session::run(Arc::clone(&self.parts), Arc::clone(&pod), inbound, self.stop.clone());
        self.tasks.spawn(run);
        // The session's end closes the stream: the pod sees it and dials again.
        let ended = pod.ended.clone().cancelled_owned();
        let messages = ReceiverStream::new(messages).map(Ok);
        Ok(Response::new(Box::pin(futures::StreamExt::take_until(messages, ended))))
    }

    async fn search_knowledge(
        &self,
        request: Request<SearchKnowledgeRequest>,
    ) -> Result<Response<SearchKnowledgeResponse>, Status> {
        search::search(&self.parts, request).await.map(Response::new)
    }
}
