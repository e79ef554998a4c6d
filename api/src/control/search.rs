//! Passages for a running call: only the call's own pool may ask, and only the agent's knowledge bases are searched.

use std::time::Instant;

use tonic::{Request, Status};
use tracing::warn;
use voxplane_control::v1::{Passage, SearchKnowledgeRequest, SearchKnowledgeResponse};
use voxplane_knowledge::search::{self, Found};
use voxplane_platform::error_chain::ErrorChain;
use voxplane_store::{AgencyId, Scope, StoreError, TenantId, calls};

use super::registry::call_id;
use super::service::ControlParts;
use super::wire::epoch;
use crate::auth::SessionIdentity;
use crate::cluster::ids;

/// More passages than this no model reads; the store's own bound is higher.
const MAX_PASSAGES: u32 = 20;

/// Answers one question.
pub async fn search(
    parts: &ControlParts,
    request: Request<SearchKnowledgeRequest>,
) -> Result<SearchKnowledgeResponse, Status> {
    let identity = identify(parts, &request)?;
    let started = Instant::now();
    let question = request.into_inner();
    let call = call_id(&question.call_id).ok_or_else(|| Status::invalid_argument("call_id is not a UUID"))?;
    let namespace = identity.pool.split('/').next().unwrap_or_default();
    let (agency, tenant) = parts
        .directory
        .owners(namespace)
        .and_then(|(agency, tenant)| ids(&agency, &tenant))
        .ok_or_else(|| Status::permission_denied("the pod's tenant does not exist"))?;
    let scope = Scope::tenant(AgencyId(agency), TenantId(tenant));
    let found = async {
        let mut tx = parts.db.begin(&scope).await?;
        let Some(live) = calls::find_live(&mut tx, call).await? else { return Ok(None) };
        drop(tx);
        let own = live.epoch == epoch(question.epoch)
            && live.owner.as_ref().is_some_and(|owner| owner.pod_uid == identity.pod_uid);
        let Some(agent) = parts.directory.agent_by_id(live.agent.0).filter(|_| own) else { return Ok(None) };
        let bases = parts.directory.bases_of(&agent);
        // Without a connection to the database in hand: a service may take its time.
        let (lenses, asked) = parts.knowledge.ask(&bases, &question.query, &parts.metrics).await;
        let limit = question.limit.clamp(1, MAX_PASSAGES) as usize;
        let mut tx = parts.db.begin(&scope).await?;
        search::search(&mut tx, &lenses, &asked, limit).await.map(Some)
    };
    match found.await {
        Ok(Some(passages)) => {
            parts.metrics.rag_latency.observe(started.elapsed().as_secs_f64());
            Ok(SearchKnowledgeResponse { passages: passages.into_iter().map(passage).collect() })
        }
        Ok(None) => Err(Status::not_found("this pod has no such call")),
        Err(error) => {
            parts.metrics.error("knowledge_search");
            warn!(call.id = %call, error = %ErrorChain(&error), "a knowledge search failed");
            Err(if StoreError::is_retryable(&error) {
                Status::unavailable("the database is not available")
            } else {
                Status::internal("the search failed")
            })
        }
    }
}

fn identify(parts: &ControlParts, request: &Request<SearchKnowledgeRequest>) -> Result<SessionIdentity, Status> {
    let refused = || Status::unauthenticated("send the session credential as `authorization: Bearer …`");
    let header = request.metadata().get("authorization").ok_or_else(refused)?;
    let token = header.to_str().ok().and_then(|text| text.strip_prefix("Bearer ")).ok_or_else(refused)?;
    parts.tokens.verify_session(token).map_err(|_| refused())
}

fn passage(found: Found) -> Passage {
    Passage {
        id: found.id.to_string(),
        text: found.text,
        score: found.score,
        knowledge_base: found.knowledge_base.to_string(),
        source: found.source,
    }
}
