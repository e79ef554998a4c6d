//! A port of this machine that leads to the API in the cluster, as `kubectl port-forward` makes it.

use std::net::SocketAddr;

use anyhow::{Context as _, Result};
use k8s_openapi::api::core::v1::Pod;
use kube::{Api, Client, ResourceExt as _, api::ListParams};
use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
    task::{JoinHandle, JoinSet},
};
use voxplane_e2e::world::SYSTEM_NAMESPACE;

/// The API's port in its pods.
const HTTP: u16 = 8080;
const PODS: &str = "app.kubernetes.io/name=voxplane,app.kubernetes.io/component=api";

/// An open port; dropping it closes it and everything that goes through it.
pub struct Forward {
    /// Where it listens.
    pub address: SocketAddr,
    task: JoinHandle<()>,
}

impl Drop for Forward {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Forward {
    /// To a pod of the API that is ready.
    pub async fn to_api(client: Client) -> Result<Self> {
        let pods = Api::<Pod>::namespaced(client, SYSTEM_NAMESPACE);
        let found = pods.list(&ListParams::default().labels(PODS)).await?;
        let pod = found.items.iter().find(|pod| is_ready(pod)).context("no pod of the API is ready")?.name_any();
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let task = tokio::spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                while connections.try_join_next().is_some() {}
                let (pods, pod) = (pods.clone(), pod.clone());
                // Whoever connected sees that it ended, and asks again or says so.
                connections.spawn(async move { carry(&pods, &pod, stream).await.ok() });
            }
        });
        Ok(Self { address, task })
    }
}

async fn carry(pods: &Api<Pod>, pod: &str, mut stream: TcpStream) -> Result<()> {
    let mut forwarded = pods.portforward(pod, &[HTTP]).await?;
    let mut far = forwarded.take_stream(HTTP).context("no stream for the port")?;
    copy_bidirectional(&mut stream, &mut far).await?;
    Ok(())
}

fn is_ready(pod: &Pod) -> bool {
    let conditions = pod.status.iter().flat_map(|status| status.conditions.iter().flatten());
    let mut ready = conditions.filter(|condition| condition.type_ == "Ready");
    pod.metadata.deletion_timestamp.is_none() && ready.any(|condition| condition.status == "True")
}
