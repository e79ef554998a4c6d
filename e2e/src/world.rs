//! Everything a test touches at once: the lab's cluster, its API, its telephone line, and the samples.

use std::{path::PathBuf, time::Duration};

use anyhow::{Context, Result};
use k8s_openapi::api::core::v1::{Pod, Secret};
use kube::{
    Api, Client, ResourceExt,
    api::{DynamicObject, ListParams},
};
use serde_json::Value;

use crate::{
    cluster::{Cluster, manifests},
    env::LabEnv,
    rest::Rest,
    scenario::Conversation,
    voice,
};

/// Namespace of operator and API.
pub const SYSTEM_NAMESPACE: &str = "voxplane-system";
/// Secret with the API's keys and the first administrator, unless the chart is told of another.
pub const AUTH_SECRET: &str = "voxplane-auth";
/// Namespace of the sample clinic.
pub const CLINIC_NAMESPACE: &str = "vx-brightline--dental-clinic";
/// Namespace of the sample law office.
pub const LAW_NAMESPACE: &str = "vx-brightline--law-office";
/// The clinic's number.
pub const CLINIC_NUMBER: &str = "+15550100";
/// The law office's number.
pub const LAW_NUMBER: &str = "+15550200";
/// Labels of the pods that carry calls.
pub const RUNTIME: &str = "voxplane.dev/component=runtime";
/// Labels of those that carry one now, or did a moment ago.
pub const BUSY: &str = "voxplane.dev/component=runtime,voxplane.dev/busy=true";
/// Who call one after another until one understands what is said.
const CALLERS: u32 = 3;
/// How long a sample may take from `kubectl apply` to Ready, on a slow machine with images already loaded.
pub const READY_LIMIT: Duration = Duration::from_secs(120);

/// A lab with the product installed.
pub struct World {
    /// Addresses.
    pub env: LabEnv,
    /// kubectl.
    pub cluster: Cluster,
    /// The REST API as the bootstrap administrator.
    pub rest: Rest,
}

impl World {
    /// Connects to the lab named by the environment.
    ///
    /// # Errors
    /// When no lab is named, or the product does not answer.
    pub async fn open() -> Result<Self> {
        // Another test of this process may have installed it already; either way one is installed.
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let env = LabEnv::load()?;
        let client = env.kube().await?;
        let cluster = Cluster::connect(client.clone()).await?;
        let rest = administrator(client, AUTH_SECRET, &env.api_url).await?;
        Ok(Self { env, cluster, rest })
    }

    /// Applies a sample directory and waits until all of it is Ready.
    ///
    /// # Errors
    /// When something is refused, or not Ready within [`READY_LIMIT`].
    pub async fn sample(&self, name: &str) -> Result<Vec<DynamicObject>> {
        self.cluster.apply_all(&sample(name)?, READY_LIMIT).await
    }

    /// Dials a number and waits for the answer.
    ///
    /// # Errors
    /// When it is not answered.
    pub async fn dial(&self, number: &str) -> Result<Conversation> {
        Conversation::dial(self.env.sip_uri(number)).await
    }

    /// Calls, listens to the first words and hangs up. Which of `candidates` they were, or `None` when no caller
    /// understood them: words that are like none of them were garbled on the way, by a machine that is too busy for
    /// audio in real time, so somebody calls again, three times at most.
    ///
    /// # Errors
    /// When a call is not answered, or nothing is said.
    #[allow(clippy::print_stdout, reason = "part of the test's report")]
    pub async fn first_words(&self, number: &str, candidates: &[&str]) -> Result<Option<String>> {
        for attempt in 1..=CALLERS {
            let mut call = self.dial(number).await?;
            let words = call.listen(Duration::from_secs(20)).await?;
            call.hang_up().await?;
            match voice::understood(&words.samples, candidates)? {
                Some(text) => return Ok(Some(text)),
                None => println!(
                    "caller {attempt} did not understand {} ms of speech: {:?}",
                    words.segment.millis(),
                    call.recording().arrivals
                ),
            }
        }
        Ok(None)
    }

    /// [`World::first_words`], and what the API remembers of the call.
    ///
    /// # Errors
    /// When a call is not answered, nothing is said, or the API does not answer.
    pub async fn remembered_call(&self, number: &str, candidates: &[&str]) -> Result<RememberedCall> {
        let before = self.rest.call_ids().await?;
        let heard = self.first_words(number, candidates).await?;
        let id = self.rest.wait_new_call(&before, Duration::from_secs(15)).await?;
        let record = self.rest.wait_ended(&id, Duration::from_secs(30)).await?;
        Ok(RememberedCall { heard, record, events: self.rest.events(&id).await? })
    }

    /// Running pods of a namespace with a label.
    ///
    /// # Errors
    /// When the API server does not answer.
    pub async fn pods(&self, namespace: &str, labels: &str) -> Result<Vec<Pod>> {
        let pods = Api::<Pod>::namespaced(self.cluster.client(), namespace);
        Ok(pods.list(&ListParams::default().labels(labels)).await?.items)
    }

    /// Which runtime pods a namespace has, and how often their containers were restarted: the same as before if nothing
    /// was replaced or restarted.
    ///
    /// # Errors
    /// When the API server does not answer.
    pub async fn incarnations(&self, namespace: &str) -> Result<Vec<(Option<String>, i32)>> {
        let restarts = |pod: &Pod| -> i32 {
            let containers = pod.status.iter().flat_map(|status| status.container_statuses.iter().flatten());
            containers.map(|container| container.restart_count).sum()
        };
        let pods = self.pods(namespace, RUNTIME).await?;
        let mut seen: Vec<_> = pods.iter().map(|pod| (pod.uid(), restarts(pod))).collect();
        seen.sort();
        Ok(seen)
    }

    /// The lines of a call's transcript as (role, text).
    ///
    /// # Errors
    /// When the API does not answer.
    pub async fn transcript(&self, call: &str) -> Result<Vec<(String, String)>> {
        let answer = self.rest.get(&format!("/calls/{call}/transcript")).await?;
        let text = |line: &Value, key: &str| line[key].as_str().unwrap_or_default().to_owned();
        let lines = answer["data"]["lines"].as_array().or_else(|| answer["data"].as_array());
        Ok(lines.into_iter().flatten().map(|line| (text(line, "role"), text(line, "text"))).collect())
    }
}

/// A call that is over.
#[derive(Debug)]
pub struct RememberedCall {
    /// The first words, if they were understood.
    pub heard: Option<String>,
    /// The call as the API shows it.
    pub record: Value,
    /// Its ledger.
    pub events: Vec<Value>,
}

impl RememberedCall {
    /// What the first event of a type says; null when there is none.
    #[must_use]
    pub fn said(&self, kind: &str) -> &Value {
        self.events.iter().find(|event| event["type"] == kind).map_or(&Value::Null, |event| &event["payload"])
    }
}

/// The object of a kind among those applied.
///
/// # Panics
/// When a sample lacks it: the test is wrong then.
pub fn of_kind<'a>(objects: &'a [DynamicObject], kind: &str) -> &'a DynamicObject {
    objects
        .iter()
        .find(|object| object.types.as_ref().is_some_and(|types| types.kind == kind))
        .expect("the sample declares an object of this kind")
}

/// The REST API at `url` as the bootstrap administrator, whose credential is in `secret`.
///
/// # Errors
/// When the credential cannot be read, or the API does not answer.
pub async fn administrator(client: Client, secret: &str, url: &str) -> Result<Rest> {
    let secret = Api::<Secret>::namespaced(client, SYSTEM_NAMESPACE)
        .get(secret)
        .await
        .with_context(|| format!("reading the bootstrap administrator's credential (Secret {secret})"))?;
    let field = |key: &str| -> Result<String> {
        let bytes = secret.data.as_ref().and_then(|data| data.get(key)).with_context(|| format!("no {key}"))?;
        Ok(String::from_utf8(bytes.0.clone())?)
    };
    Rest::login(url, &field("bootstrap-email")?, &field("bootstrap-password")?).await
}

/// The objects of a sample as they are in the repository, in the order in which they are applied.
///
/// # Errors
/// When there is no such sample.
pub fn sample(name: &str) -> Result<Vec<DynamicObject>> {
    manifests(&repository().join("manifests/samples").join(name))
}

/// The repository's top folder.
pub fn repository() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).parent().map(PathBuf::from).unwrap_or_default()
}
