//! Who a pod is, which version it speaks, and which of its calls are still its own.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::mpsc;
use tonic::Status;
use tracing::{info, warn};
use voxplane_control::v1::hello::Credential;
use voxplane_control::v1::{ApiMessage, Hello, LiveCall, SessionCredential, Welcome, api_message};
use voxplane_control::version;
use voxplane_crds::names::PoolId;
use voxplane_platform::error_chain::ErrorChain;
use voxplane_store::sessions::{self, NewSession};
use voxplane_store::{AgencyId, CallId, Scope, SessionId, StoreError, TenantId, calls};

use super::registry::{Pod, PodInfo, call_id};
use super::service::ControlParts;
use super::session::HEARTBEAT;
use super::wire::{count, epoch};
use crate::auth::{SessionIdentity, Tokens};
use crate::cluster::{ReviewError, ids, review};
use crate::placement::LEASE;

/// A pod that drains for the longest possible call (4 h, the schema's maximum) and an hour more can still come back.
const CREDENTIAL_LIFE: Duration = Duration::from_secs(5 * 3600);
/// No pod carries more; a larger claim is a mistake or worse.
const MAX_SLOTS: u32 = 1_000;

/// Admits a pod and welcomes it, or says why not.
pub async fn admit(parts: &ControlParts, hello: Hello, outbox: mpsc::Sender<ApiMessage>) -> Result<Arc<Pod>, Status> {
    let chosen = version::choose((version::MIN, version::MAX), (hello.min_version, hello.max_version))
        .ok_or_else(|| unsupported(&hello))?;
    let identity = identify(parts, hello.credential.as_ref()).await?;
    let pool = PoolId::of_service_account(&service_account(&identity.pool))
        .ok_or_else(|| Status::permission_denied("the pod's pool is not a tenant's"))?;
    let (agency, tenant) = owners(parts, &pool)?;
    if hello.slots > MAX_SLOTS {
        return Err(Status::invalid_argument(format!("slots is {}: at most {MAX_SLOTS}", hello.slots)));
    }
    let opened = open(parts, &hello, &identity, agency, tenant).await.map_err(|error| {
        warn!(pod = identity.pod_name, error = %ErrorChain(&error), "a pod cannot be admitted now");
        Status::unavailable("the database is not available")
    })?;
    let info = PodInfo {
        session: opened.session,
        pool,
        pod: identity.pod_name.clone(),
        pod_uid: identity.pod_uid.clone(),
        agency,
        tenant,
        slots: hello.slots,
        capabilities: hello.capabilities.into_iter().collect(),
        version: hello.runtime_version,
    };
    let pod = Arc::new(Pod::new(info, outbox, hello.credentials_hash, hello.draining));
    for (call, epoch) in &opened.kept {
        pod.resume(*call, *epoch);
    }
    if !opened.kept.is_empty() || !opened.lost.is_empty() {
        let (kept, lost) = (opened.kept.len(), opened.lost.len());
        info!(pod = identity.pod_name, kept, lost, "a pod came back with live calls");
    }
    let welcome = Welcome {
        version: chosen,
        session_id: opened.session.to_string(),
        credential: Some(credential(&parts.tokens, &identity)?),
        heartbeat_interval_ms: u32::try_from(HEARTBEAT.as_millis()).unwrap_or(300),
        lost_calls: opened
            .lost
            .into_iter()
            .map(|(call, epoch)| LiveCall { call_id: call.to_string(), epoch })
            .collect(),
    };
    // Welcome first: once the registry knows the pod, a call may be offered to it.
    pod.send(api_message::Body::Welcome(welcome));
    parts.registry.insert(Arc::clone(&pod));
    Ok(pod)
}

fn unsupported(hello: &Hello) -> Status {
    let (low, high) = (version::MIN, version::MAX);
    Status::failed_precondition(format!(
        "RuntimeVersionUnsupported: the API speaks versions {low} to {high}, runtime {} speaks {} to {}; use a runtime \
         image of the API's release",
        hello.runtime_version, hello.min_version, hello.max_version
    ))
}

/// Proves who a pod is: the API server vouches on first contact, our own signature afterwards.
async fn identify(parts: &ControlParts, credential: Option<&Credential>) -> Result<SessionIdentity, Status> {
    match credential {
        Some(Credential::SessionCredential(token)) => parts
            .tokens
            .verify_session(token)
            .map_err(|_| Status::unauthenticated("the session credential is not valid; use the ServiceAccount token")),
        Some(Credential::ServiceAccountToken(token)) => match review(parts.kube.0.clone(), token.clone()).await {
            Ok(pod) => Ok(SessionIdentity { pod_uid: pod.uid, pod_name: pod.name, pool: pod.pool.to_string() }),
            Err(error @ ReviewError::Unavailable(_)) => {
                warn!(error = %ErrorChain(&error), "a pod cannot be identified now");
                Err(Status::unavailable("the token could not be reviewed; try again"))
            }
            Err(error) => Err(Status::unauthenticated(error.to_string())),
        },
        None => Err(Status::unauthenticated("Hello needs a credential")),
    }
}

/// The identity names the pool as `<namespace>/<deployment>`; only what the naming rules know is taken.
fn service_account(pool: &str) -> String {
    format!("system:serviceaccount:{}", pool.replacen('/', ":", 1))
}

fn owners(parts: &ControlParts, pool: &PoolId) -> Result<(AgencyId, TenantId), Status> {
    parts
        .directory
        .owners(pool.namespace())
        .and_then(|(agency, tenant)| ids(&agency, &tenant))
        .map(|(agency, tenant)| (AgencyId(agency), TenantId(tenant)))
        .ok_or_else(|| Status::unavailable("the pod's tenant is not registered yet; try again"))
}

struct Opened {
    session: SessionId,
    kept: Vec<(CallId, u32)>,
    lost: Vec<(CallId, u32)>,
}

async fn open(
    parts: &ControlParts,
    hello: &Hello,
    identity: &SessionIdentity,
    agency: AgencyId,
    tenant: TenantId,
) -> Result<Opened, StoreError> {
    let claimed: Vec<(CallId, i32)> =
        hello.live_calls.iter().filter_map(|live| Some((call_id(&live.call_id)?, epoch(live.epoch)))).collect();
    let mut tx = parts.db.begin(&Scope::tenant(agency, tenant)).await?;
    let new = NewSession {
        agency,
        tenant,
        pool: identity.pool.clone(),
        pod_name: identity.pod_name.clone(),
        pod_uid: identity.pod_uid.clone(),
        api_replica: parts.replica.clone(),
        slots: count(hello.slots),
        busy: i32::try_from(claimed.len()).unwrap_or(i32::MAX),
        credentials_hash: hello.credentials_hash.clone(),
        version: hello.runtime_version.clone(),
        draining: hello.draining,
    };
    let session = sessions::open(&mut tx, &new).await?;
    let lost = calls::renew_leases(&mut tx, session, &claimed, LEASE).await?;
    tx.commit().await?;
    let number = |(call, epoch): (CallId, i32)| (call, u32::try_from(epoch).unwrap_or_default());
    let kept = claimed.into_iter().filter(|call| !lost.contains(call)).map(number).collect();
    Ok(Opened { session, kept, lost: lost.into_iter().map(number).collect() })
}

/// A fresh credential for a pod.
pub fn credential(tokens: &Tokens, identity: &SessionIdentity) -> Result<SessionCredential, Status> {
    let expires = Timestamp::now() + CREDENTIAL_LIFE;
    let token = tokens
        .issue_session(identity, expires)
        .map_err(|_| Status::internal("no session credential could be signed"))?;
    Ok(SessionCredential { token, expires_at_unix_ms: expires.as_millisecond() })
}
