//! One call whose owner is known: created, admitted, handed to a pod, or refused.

use std::collections::HashSet;
use std::sync::Arc;

use serde_json::json;
use tracing::{info, warn};
use uuid::Uuid;
use voxplane_control::v1::{Caller, LiveKitAccess, StartCall, caller};
use voxplane_crds::names::PoolId;
use voxplane_store::calls::{self, Admission, CallStatus, Direction, Limit, NewCall, Placement};
use voxplane_store::events::{self, Durability};
use voxplane_store::{AgencyId, AgentId, CallId, Scope, ScopedTx, StoreError, TenantId, sessions};

use super::{LEASE, Outcome, PlaceError, Placer};
use crate::control::{Answer, Pod, Work};
use crate::lifecycle::Closing;
use crate::livekit::{Leg, mint};
use crate::placement::canary::pools;
use crate::placement::pick::{Need, is_elsewhere, pick};
use crate::placement::resolve::{RefusalReason, Route, Verdict};

/// One call in hand.
#[derive(Clone, Copy)]
pub(super) struct Job<'a> {
    pub(super) call: CallId,
    pub(super) room: &'a str,
    pub(super) caller: &'a Leg,
    pub(super) route: &'a Route,
    /// The call's epoch as this replica knows it; whoever raised it meanwhile has the call.
    pub(super) epoch: i32,
    /// It holds a slot of its quotas already.
    pub(super) admitted: bool,
    /// Another replica handed it over: it is not announced again, so that it cannot wander between replicas for ever.
    pub(super) handed_over: bool,
}

/// What a pod is asked to do, and under which epoch.
#[derive(Clone, Copy)]
struct Offer<'a> {
    epoch: i32,
    work: Work,
    /// Words of a refusal.
    words: Option<&'a str>,
    /// The ledger has not been told of the refusal yet.
    is_first: bool,
}

/// What became of an offer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Offered {
    /// The pod has the call.
    Taken,
    /// It does not want it, or did not answer.
    Declined,
    /// Somebody else has the call, or it has ended: hands off.
    Lost,
}

impl Placer {
    pub(super) async fn create(&self, id: CallId, room: &str, caller: &Leg, route: &Route) -> Result<(), StoreError> {
        let mut tx = self.parts.db.begin(&scope(route)).await?;
        let call = NewCall {
            id,
            agency: AgencyId(route.agency),
            tenant: TenantId(route.tenant),
            agent: AgentId(route.agent),
            number: route.number.clone(),
            caller: caller.caller.clone(),
            room: room.to_owned(),
            sip_call_id: caller.sip_call_id.clone(),
            direction: Direction::Inbound,
        };
        calls::create(&mut tx, call).await?;
        events::record(&mut tx, id, "call.created", Durability::Soon, json!({"direction": "inbound"})).await?;
        if let Some(hours) = &route.hours {
            events::record(&mut tx, id, "call.hours", Durability::Soon, hours.clone()).await?;
        }
        tx.commit().await
    }

    pub(super) async fn serve(&self, job: Job<'_>) -> Result<Outcome, PlaceError> {
        if let Verdict::Refuse { reason, message } = &job.route.verdict {
            return self.refuse(job, *reason, message.as_deref()).await;
        }
        let busy = job.route.busy_message.as_deref();
        if let Some(limit) = self.admit(&job).await? {
            return self.refuse(job, RefusalReason::LimitReached(limit), busy).await;
        }
        let need = Need::Call {
            capabilities: &job.route.capabilities,
            credentials_hash: job.route.credentials_hash.as_deref(),
        };
        let mut tried = HashSet::new();
        let mut job = Job { admitted: true, ..job };
        for pool in pools(&job.route.pool, job.route.canary.as_ref(), job.call) {
            while let Some(pod) = self.pick(pool, need, &tried) {
                tried.insert(pod.info.session.0);
                job.epoch += 1;
                let offer = Offer { epoch: job.epoch, work: Work::Call, words: None, is_first: false };
                match self.offer(&job, &pod, offer).await? {
                    Offered::Taken => return Ok(Outcome::Placed),
                    Offered::Declined => {}
                    Offered::Lost => return Ok(Outcome::Duplicate),
                }
            }
            // A call that was handed over for the canary's sake is not sent back: the others answer it.
            let may_leave = *pool == job.route.pool || !job.handed_over;
            if may_leave && self.is_elsewhere(pool, &job, need).await? {
                return self.hand_over(&job).await;
            }
        }
        self.refuse(job, RefusalReason::NoCapacity, busy).await
    }

    /// The limit that is in the way, if any.
    async fn admit(&self, job: &Job<'_>) -> Result<Option<Limit>, PlaceError> {
        if job.admitted {
            return Ok(None);
        }
        let mut tx = self.parts.db.begin(&Scope::agency(AgencyId(job.route.agency))).await?;
        let admission = calls::admit(&mut tx, job.call, &job.route.limits).await?;
        if admission == Admission::Admitted {
            events::record(&mut tx, job.call, "call.admitted", Durability::Soon, json!({})).await?;
        }
        tx.commit().await?;
        Ok(match admission {
            Admission::Admitted => None,
            Admission::Refused(limit) => {
                info!(call.id = %job.call, limit = limit.as_str(), "a call exceeds a limit");
                Some(limit)
            }
        })
    }

    fn pick(&self, pool: &PoolId, need: Need<'_>, tried: &HashSet<Uuid>) -> Option<Arc<Pod>> {
        let candidates = self.parts.registry.candidates(pool);
        let session = pick(&candidates, need, tried)?;
        self.parts.registry.get(session.into())
    }

    async fn is_elsewhere(&self, pool: &PoolId, job: &Job<'_>, need: Need<'_>) -> Result<bool, PlaceError> {
        let mut tx = self.parts.db.begin(&scope(job.route)).await?;
        let pods = sessions::pods(&mut tx, &pool.to_string()).await?;
        Ok(is_elsewhere(&pods, &self.parts.replica, need))
    }

    /// Leaves the call to the replica that holds the tenant's pods; if that one cannot either, to the sweepers.
    async fn hand_over(&self, job: &Job<'_>) -> Result<Outcome, PlaceError> {
        let mut tx = self.parts.db.begin(&scope(job.route)).await?;
        let taken = if job.handed_over {
            calls::take(&mut tx, job.call, job.epoch + 1).await
        } else {
            calls::hand_over(&mut tx, job.call, job.epoch + 1).await
        };
        if !still_ours(taken)? {
            return Ok(Outcome::Duplicate);
        }
        tx.commit().await?;
        info!(call.id = %job.call, "the tenant's pods are connected to another replica, which places the call");
        Ok(Outcome::Deferred)
    }

    /// Gives the call to a pod under a new epoch.
    async fn offer(&self, job: &Job<'_>, pod: &Arc<Pod>, offer: Offer<'_>) -> Result<Offered, PlaceError> {
        let Offer { epoch, work, words, is_first } = offer;
        let tokens = mint(&self.parts.account, job.room, job.route.max_duration)?;
        // The lease is committed before the pod hears of the call: its first event needs the epoch.
        let mut tx = self.parts.db.begin(&scope(job.route)).await?;
        let placement = Placement { owner: pod.info.owner(), epoch, lease: LEASE };
        if !still_ours(calls::place(&mut tx, job.call, &placement).await)? {
            return Ok(Offered::Lost);
        }
        if let (Work::Refusal(reason), true) = (work, is_first) {
            record_refusal(&mut tx, job.call, reason).await?;
        }
        let placed = json!({
            "pool": pod.info.pool.to_string(), "pod": pod.info.pod, "epoch": epoch,
            "config_hash": job.route.config_hash, "runtime_version": pod.info.version
        });
        events::record(&mut tx, job.call, "call.placed", Durability::Soon, placed).await?;
        tx.commit().await?;
        let start = StartCall {
            call_id: job.call.to_string(),
            epoch: u32::try_from(epoch).unwrap_or_default(),
            livekit: Some(LiveKitAccess {
                url: self.parts.account.runtime_url.clone(),
                room: job.room.to_owned(),
                join_token: tokens.join,
                admin_token: tokens.admin,
            }),
            caller: Some(Caller {
                participant_identity: job.caller.identity.clone(),
                transport: caller::Transport::Sip.into(),
            }),
            config: Some(job.route.config.clone()),
            config_hash: job.route.config_hash.clone(),
            refusal_message: words.unwrap_or_default().to_owned(),
        };
        match pod.offer(job.call, work, start).await {
            Answer::Accepted => {
                info!(call.id = %job.call, pod = pod.info.pod, epoch, "a pod has the call");
                Ok(Offered::Taken)
            }
            other => {
                warn!(call.id = %job.call, pod = pod.info.pod, epoch, answer = ?other, "a pod did not take the call");
                Ok(Offered::Declined)
            }
        }
    }

    /// Refuses aloud when there are words and a pod to speak them, on whichever replica, else with SIP 486.
    async fn refuse(&self, job: Job<'_>, reason: RefusalReason, message: Option<&str>) -> Result<Outcome, PlaceError> {
        let mut tried = HashSet::new();
        let mut epoch = job.epoch;
        if message.is_some() {
            let need = Need::Refusal { capabilities: &job.route.capabilities };
            while let Some(pod) = self.pick(&job.route.pool, need, &tried) {
                let is_first = tried.is_empty();
                tried.insert(pod.info.session.0);
                epoch += 1;
                let offer = Offer { epoch, work: Work::Refusal(reason), words: message, is_first };
                match self.offer(&job, &pod, offer).await? {
                    Offered::Taken => return Ok(Outcome::RefusedAloud(reason)),
                    Offered::Declined => {}
                    Offered::Lost => return Ok(Outcome::Duplicate),
                }
            }
            if tried.is_empty() && self.is_elsewhere(&job.route.pool, &job, need).await? {
                return self.hand_over(&job).await;
            }
        }
        epoch += 1;
        let mut tx = self.parts.db.begin(&scope(job.route)).await?;
        if !still_ours(calls::take(&mut tx, job.call, epoch).await)? {
            return Ok(Outcome::Duplicate);
        }
        if tried.is_empty() {
            record_refusal(&mut tx, job.call, reason).await?;
        }
        tx.commit().await?;
        self.parts.rooms.remove(job.room, &job.caller.identity).await?;
        let closing = Closing {
            call: job.call,
            scope: scope(job.route),
            epoch: Some(epoch),
            reason: "refused".to_owned(),
            status: Some(if reason.is_busy() { CallStatus::Busy } else { CallStatus::Rejected }),
        };
        self.parts.lifecycle.close(&closing).await?;
        Ok(Outcome::Refused(reason))
    }
}

/// Every step raises the epoch that this replica knows: a conflict means that another replica was faster.
fn still_ours(step: Result<(), StoreError>) -> Result<bool, StoreError> {
    match step {
        Ok(()) => Ok(true),
        Err(StoreError::Conflict { .. }) => Ok(false),
        Err(error) => Err(error),
    }
}

async fn record_refusal(tx: &mut ScopedTx, call: CallId, reason: RefusalReason) -> Result<(), StoreError> {
    let mut why = json!({"reason": reason.as_str()});
    if let RefusalReason::LimitReached(limit) = reason {
        why["limit"] = limit.as_str().into();
    }
    events::record(tx, call, "call.rejected", Durability::Soon, why).await.map(drop)
}

fn scope(route: &Route) -> Scope {
    Scope::tenant(AgencyId(route.agency), TenantId(route.tenant))
}
