//! Reads what is stored, decides, writes, and repeats. Runs on the leader.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Secret;
use kube::api::ObjectMeta;
use kube::{Api, Client};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use voxplane_crds::{labels, names};
use voxplane_platform::error_chain::describe;
use voxplane_platform::health::Check;

use super::issue::{self, IssueError, Server};
use super::state::{Authority, ServerFacts, decide};
use crate::apply::Applier;
use crate::error::Error;
use crate::watch::{Change, Router};

/// Secret with the authorities and their keys.
pub const AUTHORITIES_SECRET: &str = "voxplane-control-ca";
const AUTHORITIES_KEY: &str = "authorities.json";
const FACTS_ANNOTATION: &str = "voxplane.dev/certificate";
const EVERY: Duration = Duration::from_secs(600);
const AFTER_FAILURE: Duration = Duration::from_secs(2);

/// The authorities' certificates, for the ConfigMaps of tenants.
#[derive(Debug)]
pub struct ControlCa {
    bundle: watch::Sender<Option<String>>,
}

impl Default for ControlCa {
    fn default() -> Self {
        Self { bundle: watch::Sender::new(None) }
    }
}

impl ControlCa {
    /// PEM of all valid authorities; `None` before they were first read or made.
    #[must_use]
    pub fn bundle(&self) -> Option<String> {
        self.bundle.borrow().clone()
    }

    /// Waits until the authorities are known.
    pub async fn known(&self) {
        // Fails when nobody can publish any more, and that is `self`.
        let _ = self.bundle.subscribe().wait_for(Option::is_some).await;
    }

    /// Notes the bundle. Returns whether it differs.
    pub fn publish(&self, bundle: String) -> bool {
        self.bundle.send_if_modified(|known| {
            let changed = known.as_deref() != Some(bundle.as_str());
            *known = Some(bundle);
            changed
        })
    }
}

/// Why the certificate could not be kept.
#[derive(Debug, thiserror::Error)]
pub enum KeepError {
    /// The API server failed or refused.
    #[error(transparent)]
    Kubernetes(#[from] Error),
    /// No certificate could be made.
    #[error(transparent)]
    Issue(#[from] IssueError),
    /// The stored authorities cannot be read.
    #[error("Secret {AUTHORITIES_SECRET}, key {AUTHORITIES_KEY}, cannot be read; delete the Secret to begin anew")]
    Stored(#[source] serde_json::Error),
}

/// Keeps the certificate until `stop` is cancelled.
#[derive(Debug)]
pub struct Keeper {
    apply: Applier,
    secrets: Api<Secret>,
    namespace: String,
    names: Vec<String>,
}

impl Keeper {
    /// Keeps the Secrets in `namespace`.
    #[must_use]
    pub fn new(client: Client, namespace: &str) -> Self {
        Self {
            apply: Applier::new(client.clone(), "control-tls"),
            secrets: Api::namespaced(client, namespace),
            namespace: namespace.to_owned(),
            names: server_names(namespace),
        }
    }

    /// Runs until `stop` is cancelled.
    pub async fn run(self, ca: &ControlCa, router: &Router, check: &Check, stop: &CancellationToken) {
        loop {
            let wait = match Box::pin(self.ensure(Timestamp::now())).await {
                Ok(bundle) => {
                    if ca.publish(bundle) {
                        router.announce(&Change::ControlCa);
                    }
                    check.pass();
                    EVERY
                }
                Err(error) => {
                    check.fail(describe(&error));
                    AFTER_FAILURE
                }
            };
            tokio::select! {
                () = tokio::time::sleep(wait) => {}
                () = stop.cancelled() => return,
            }
        }
    }

    /// Makes what is missing or about to expire; returns the authorities' certificates.
    ///
    /// # Errors
    /// [`KeepError`].
    pub async fn ensure(&self, now: Timestamp) -> Result<String, KeepError> {
        let mut authorities = self.stored_authorities().await?;
        let server = self.stored_server().await?;
        let decision = decide(&authorities, server.as_ref().map(|(facts, _)| facts), &self.names, now);
        let before = authorities.len();
        authorities.retain(|authority| decision.keep.contains(&authority.serial));
        if decision.new_authority {
            authorities.push(issue::authority(now)?);
        }
        if decision.new_authority || authorities.len() != before {
            self.apply.apply(&self.authorities_secret(&authorities)?).await?;
            tracing::info!(authorities = authorities.len(), "control authorities changed");
        }
        let bundle: String = authorities.iter().map(|authority| authority.certificate.as_str()).collect();
        if let Some(signer) = decision.new_server {
            let signer = match &signer {
                Some(serial) => authorities.iter().find(|authority| authority.serial == *serial),
                None => authorities.last(),
            };
            if let Some(signer) = signer {
                let server = issue::server(signer, &self.names, now)?;
                self.apply.apply(&self.server_secret(&server, &bundle)?).await?;
                tracing::info!(not_after = %server.facts.not_after, "control certificate issued");
            }
        } else if let Some((_, stored)) = server
            && secret_text(&stored, "ca.crt").as_deref() != Some(bundle.as_str())
            && let (Some(certificate), Some(key), Some(facts)) =
                (secret_text(&stored, "tls.crt"), secret_text(&stored, "tls.key"), facts(&stored))
        {
            self.apply.apply(&self.server_secret(&Server { certificate, key, facts }, &bundle)?).await?;
        }
        Ok(bundle)
    }

    async fn stored_authorities(&self) -> Result<Vec<Authority>, KeepError> {
        let Some(secret) = self.get(AUTHORITIES_SECRET).await? else { return Ok(Vec::new()) };
        match secret_text(&secret, AUTHORITIES_KEY) {
            None => Ok(Vec::new()),
            Some(json) => serde_json::from_str(&json).map_err(KeepError::Stored),
        }
    }

    async fn stored_server(&self) -> Result<Option<(ServerFacts, Secret)>, Error> {
        let Some(secret) = self.get(names::CONTROL_TLS_SECRET).await? else { return Ok(None) };
        let complete = ["tls.crt", "tls.key"].iter().all(|key| secret_text(&secret, key).is_some());
        Ok(facts(&secret).filter(|_| complete).map(|facts| (facts, secret)))
    }

    async fn get(&self, name: &str) -> Result<Option<Secret>, Error> {
        self.secrets.get_opt(name).await.map_err(Error::kubernetes(format!("read Secret {}/{name}", self.namespace)))
    }

    fn authorities_secret(&self, authorities: &[Authority]) -> Result<Secret, KeepError> {
        let json = serde_json::to_vec(authorities).map_err(KeepError::Stored)?;
        Ok(self.secret(AUTHORITIES_SECRET, None, None, [(AUTHORITIES_KEY, json)]))
    }

    fn server_secret(&self, server: &Server, bundle: &str) -> Result<Secret, KeepError> {
        let facts = serde_json::to_string(&server.facts).map_err(KeepError::Stored)?;
        let text = |text: &str| text.as_bytes().to_vec();
        Ok(self.secret(
            names::CONTROL_TLS_SECRET,
            Some("kubernetes.io/tls"),
            Some(facts),
            [("ca.crt", text(bundle)), ("tls.crt", text(&server.certificate)), ("tls.key", text(&server.key))],
        ))
    }

    fn secret<const N: usize>(
        &self,
        name: &str,
        type_: Option<&str>,
        facts: Option<String>,
        data: [(&str, Vec<u8>); N],
    ) -> Secret {
        Secret {
            metadata: ObjectMeta {
                name: Some(name.to_owned()),
                namespace: Some(self.namespace.clone()),
                labels: Some([(labels::MANAGED_BY.to_owned(), labels::MANAGED_BY_OPERATOR.to_owned())].into()),
                annotations: facts.map(|facts| [(FACTS_ANNOTATION.to_owned(), facts)].into()),
                ..ObjectMeta::default()
            },
            type_: type_.map(str::to_owned),
            data: Some(
                data.into_iter().map(|(key, value)| (key.to_owned(), ByteString(value))).collect::<BTreeMap<_, _>>(),
            ),
            ..Secret::default()
        }
    }
}

/// The names under which pods reach the API's control port.
#[must_use]
pub fn server_names(namespace: &str) -> Vec<String> {
    let service = format!("{}.{namespace}.svc", names::API_SERVICE);
    vec![format!("{service}.cluster.local"), service]
}

fn secret_text(secret: &Secret, key: &str) -> Option<String> {
    let bytes = &secret.data.as_ref()?.get(key)?.0;
    String::from_utf8(bytes.clone()).ok().filter(|text| !text.is_empty())
}

fn facts(secret: &Secret) -> Option<ServerFacts> {
    serde_json::from_str(secret.metadata.annotations.as_ref()?.get(FACTS_ANNOTATION)?).ok()
}
