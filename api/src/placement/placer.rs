//! Acts on the decisions: finds the caller, and hands the call over or turns it away.

mod full;
mod handover;
mod serve;

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use tokio::sync::{Semaphore, mpsc};
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{error, info, warn};
use voxplane_platform::error_chain::ErrorChain;
use voxplane_store::calls::{self, CallStatus, LiveCall};
use voxplane_store::{AgentId, CallId, Db, Scope, StoreError, TenantId};

use super::answers::Arrival;
use super::resolve::{RefusalReason, Resolution, Route, resolve};
use crate::cluster::Directory;
use crate::control::Registry;
use crate::lifecycle::{Closing, Lifecycle};
use crate::livekit::{JobOffer, JobReport, Leg, LegKind, LiveKitAccount, RoomError, Rooms, shown};
use crate::metrics::Metrics;
use serve::Job;

/// How long a pod keeps a call without renewing; renewed every second.
pub const LEASE: Duration = Duration::from_secs(5);
/// livekit-sip lists the caller before it creates the room; this is for the rare race.
const CALLER_WAIT: Duration = Duration::from_secs(1);
const CALLER_POLL: Duration = Duration::from_millis(50);
/// All of a placement; the carrier's ringing time (20 s at most) must not run out before.
const PLACEMENT_BUDGET: Duration = Duration::from_secs(8);
/// Placements at one time per replica; each is mostly waiting.
const CONCURRENCY: usize = 64;

/// What became of a room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// A pod has the call.
    Placed,
    /// Another replica has the tenant's pods and places the call.
    Deferred,
    /// A pod tells the caller why not.
    RefusedAloud(RefusalReason),
    /// The caller was removed (SIP 486).
    Refused(RefusalReason),
    /// Nobody's number; the caller was removed.
    Stranger,
    /// A number without an agent; the caller was removed.
    Unroutable,
    /// Somebody else serves this room, or the SIP dialog has a call already.
    Duplicate,
    /// No caller to talk to.
    NoCaller,
    /// A fault of ours; the caller was removed.
    Failed,
}

impl Outcome {
    /// Metric label and report to LiveKit.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Placed => "placed",
            Self::Deferred => "deferred",
            // Wanted by the tenant, so not counted among the refusals that somebody is alerted of.
            Self::RefusedAloud(RefusalReason::Closed) | Self::Refused(RefusalReason::Closed) => "closed",
            Self::RefusedAloud(_) => "refused_aloud",
            Self::Refused(_) => "refused",
            Self::Stranger => "stranger",
            Self::Unroutable => "unroutable",
            Self::Duplicate => "duplicate",
            Self::NoCaller => "no_caller",
            Self::Failed => "failed",
        }
    }
}

/// Why a placement failed.
#[derive(Debug, thiserror::Error)]
enum PlaceError {
    #[error("the database failed the placement")]
    Store(#[from] StoreError),
    #[error("LiveKit failed the placement")]
    Rooms(#[from] RoomError),
    #[error("the call's tokens could not be signed")]
    Token(#[from] livekit_api::access_token::AccessTokenError),
    #[error("the placement took longer than {} s", PLACEMENT_BUDGET.as_secs())]
    TooSlow,
}

/// What a placer works with.
#[derive(Debug)]
pub struct PlacerParts {
    /// Calls.
    pub db: Db,
    /// LiveKit's rooms.
    pub rooms: Arc<Rooms>,
    /// Signs the call's tokens.
    pub account: LiveKitAccount,
    /// Custom resources.
    pub directory: Directory,
    /// Connected pods.
    pub registry: Arc<Registry>,
    /// Ends calls.
    pub lifecycle: Arc<Lifecycle>,
    /// Counts.
    pub metrics: Metrics,
    /// Name of this replica, as sessions carry it.
    pub replica: String,
}

/// Places calls.
#[derive(Debug)]
pub struct Placer {
    parts: PlacerParts,
    rooms_in_hand: Mutex<HashSet<String>>,
}

/// What to do with the caller when placing failed by a fault of ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum OnFailure {
    /// Turn them away.
    CleanUp,
    /// Leave them to the sweepers: another replica may be placing the call at this moment.
    Leave,
}

/// Holds a room while it is being placed, so that a job offer, an announcement and the sweeper do not all do it.
struct InHand<'a> {
    placer: &'a Placer,
    room: String,
}

impl Drop for InHand<'_> {
    fn drop(&mut self) {
        self.placer.rooms_in_hand.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.room);
    }
}

impl Placer {
    /// A placer.
    pub fn new(parts: PlacerParts) -> Arc<Self> {
        Arc::new(Self { parts, rooms_in_hand: Mutex::default() })
    }

    /// Places every offered job until `stop`, then finishes those in hand.
    pub async fn run(
        self: Arc<Self>,
        mut offers: mpsc::Receiver<JobOffer>,
        reports: mpsc::Sender<JobReport>,
        stop: CancellationToken,
    ) {
        let (tasks, permits) = (TaskTracker::new(), Arc::new(Semaphore::new(CONCURRENCY)));
        loop {
            let Ok(permit) = Arc::clone(&permits).acquire_owned().await else { break };
            let offer = tokio::select! {
                () = stop.cancelled() => break,
                offer = offers.recv() => offer,
            };
            let Some(offer) = offer else { break };
            let (placer, reports) = (Arc::clone(&self), reports.clone());
            tasks.spawn(async move {
                let outcome = placer.place(&offer.room).await;
                let report = match outcome {
                    Outcome::Placed | Outcome::Deferred | Outcome::RefusedAloud(_) => JobReport::Running(offer.job),
                    other => JobReport::Failed(offer.job, other.as_str()),
                };
                // The worker may be reconnecting; LiveKit can do without the report.
                let _ = reports.try_send(report);
                drop(permit);
            });
        }
        tasks.close();
        tasks.wait().await;
    }

    /// Places the caller of a room that has no call yet. Never leaves a caller without an answer.
    pub async fn place(&self, room: &str) -> Outcome {
        self.settle(room, OnFailure::CleanUp, Box::pin(self.try_place(room))).await
    }

    /// Places an unanswered call again whose pod was lost.
    pub async fn place_again(&self, call: &LiveCall) -> Outcome {
        self.settle(&call.room, OnFailure::CleanUp, Box::pin(self.try_again(call))).await
    }

    /// One attempt at a room, unless there is one already; counted, and bounded in time. Attempts come on the heap: they
    /// hold everything a placement holds.
    async fn settle(
        &self,
        room: &str,
        on_failure: OnFailure,
        attempt: impl Future<Output = Result<Outcome, PlaceError>>,
    ) -> Outcome {
        let Some(_in_hand) = self.take(room) else { return Outcome::Duplicate };
        let started = Instant::now();
        let result = match timeout(PLACEMENT_BUDGET, attempt).await {
            Ok(result) => result,
            Err(_) => Err(PlaceError::TooSlow),
        };
        let outcome = match result {
            Ok(outcome) => outcome,
            Err(error) => {
                self.failed(room, &error, on_failure).await;
                Outcome::Failed
            }
        };
        self.parts.metrics.placement(outcome.as_str());
        if outcome == Outcome::Placed {
            self.parts.metrics.placement_seconds.observe(started.elapsed().as_secs_f64());
        }
        info!(
            livekit.room = shown(room),
            outcome = outcome.as_str(),
            elapsed_ms = started.elapsed().as_millis(),
            "placement ended"
        );
        outcome
    }

    fn take(&self, room: &str) -> Option<InHand<'_>> {
        let mut rooms = self.rooms_in_hand.lock().unwrap_or_else(PoisonError::into_inner);
        rooms.insert(room.to_owned()).then(|| InHand { placer: self, room: room.to_owned() })
    }

    async fn try_place(&self, room: &str) -> Result<Outcome, PlaceError> {
        let caller = match self.caller(room).await? {
            Found::Caller(leg) => *leg,
            Found::Served => return Ok(Outcome::Duplicate),
            Found::Nobody => return Ok(Outcome::NoCaller),
        };
        let route = match self.route(room, &caller, Timestamp::now(), None).await? {
            Ok(route) => route,
            Err(outcome) => {
                // No call row: nobody owns this call. The carrier gets 486.
                self.parts.rooms.remove(room, &caller.identity).await?;
                return Ok(outcome);
            }
        };
        let id = CallId::new();
        match self.create(id, room, &caller, &route).await {
            Ok(()) => {}
            Err(StoreError::Conflict { what }) if what == "sip_call_id" => {
                // livekit-sip takes a re-INVITE of an existing dialog for a new call.
                warn!(livekit.room = shown(room), "a repeated INVITE of a live call was removed");
                self.parts.rooms.remove(room, &caller.identity).await?;
                return Ok(Outcome::Duplicate);
            }
            Err(StoreError::Conflict { .. }) => return Ok(Outcome::Duplicate),
            Err(error) => return Err(error.into()),
        }
        let job = Job { call: id, room, caller: &caller, route: &route, epoch: 0, admitted: false, handed_over: false };
        self.serve(job).await
    }

    async fn try_again(&self, call: &LiveCall) -> Result<Outcome, PlaceError> {
        let caller = match self.caller(&call.room).await? {
            Found::Caller(leg) => *leg,
            Found::Served => return Ok(Outcome::Duplicate),
            Found::Nobody => return Ok(Outcome::NoCaller),
        };
        match self.route(&call.room, &caller, call.created_at, Some(call.agent)).await? {
            // Else re-pointed or removed meanwhile: this call's owner is not the number's any more.
            Ok(route) if is_same(call, &route) => self.serve(known(call, &caller, &route)).await,
            _ => {
                self.parts.rooms.remove(&call.room, &caller.identity).await?;
                Ok(Outcome::Unroutable)
            }
        }
    }

    /// Waits for the caller, unless an agent is there already.
    async fn caller(&self, room: &str) -> Result<Found, PlaceError> {
        let deadline = Instant::now() + CALLER_WAIT;
        loop {
            let legs = self.parts.rooms.legs(room).await?;
            if legs.iter().any(|leg| leg.kind == LegKind::Agent) {
                return Ok(Found::Served);
            }
            let sip = legs.into_iter().find(|leg| leg.kind == LegKind::Sip && leg.is_caller() && leg.dialled.is_some());
            match sip {
                Some(leg) => return Ok(Found::Caller(Box::new(leg))),
                None if Instant::now() >= deadline => return Ok(Found::Nobody),
                None => sleep(CALLER_POLL).await,
            }
        }
    }

    /// Whose call it is; else why nobody's. The time is that of its arrival, and `agent` the one that has it already, so
    /// that a call that is placed again is still the same agent's when the tenant has closed meanwhile.
    async fn route(
        &self,
        room: &str,
        caller: &Leg,
        arrived: Timestamp,
        agent: Option<AgentId>,
    ) -> Result<Result<Route, Outcome>, PlaceError> {
        let dialled = caller.dialled.as_ref().map(|number| number.expose().as_str()).unwrap_or_default();
        let full =
            if agent.is_none() { self.full_pools(dialled, caller.trunk_id.as_deref()).await? } else { HashSet::new() };
        let arrival = Arrival { at: arrived, room, agent: agent.map(|agent| agent.0), full };
        Ok(match resolve(&self.parts.directory, dialled, caller.trunk_id.as_deref(), arrival) {
            Resolution::Routed(route) => Ok(*route),
            Resolution::Stranger => {
                info!(livekit.room = shown(room), "a caller dialled a number that no tenant has");
                Err(Outcome::Stranger)
            }
            Resolution::Unroutable { namespace, phone_number, reason } => {
                warn!(livekit.room = shown(room), namespace, phone_number, reason, "a call cannot be routed");
                Err(Outcome::Unroutable)
            }
        })
    }

    /// Whatever went wrong: the caller hears no dead air, and a call row that exists ends.
    async fn failed(&self, room: &str, error: &PlaceError, then: OnFailure) {
        self.parts.metrics.error("placement");
        error!(livekit.room = shown(room), error = %ErrorChain(error), "a call could not be placed");
        if then == OnFailure::CleanUp
            && let Err(error) = self.clean_up(room).await
        {
            warn!(livekit.room = shown(room), error = %ErrorChain(&error), "cleaning up failed; the sweeper does it");
        }
    }

    async fn clean_up(&self, room: &str) -> Result<(), PlaceError> {
        let call = match self.live_call(room).await {
            Ok(call) => call,
            Err(error) => {
                // Without a database no replica can place the caller either.
                self.parts.rooms.delete(room).await?;
                return Err(error.into());
            }
        };
        let Some(call) = call else { return Ok(self.parts.rooms.delete(room).await?) };
        let owner = call.owner.as_ref().filter(|_| call.leased);
        if owner.is_some_and(|owner| self.parts.registry.get(owner.session).is_none()) {
            // Another replica was faster; the caller is in good hands.
            return Ok(());
        }
        self.parts.rooms.delete(room).await?;
        let closing = Closing {
            call: call.id,
            scope: Scope::tenant(call.agency, call.tenant),
            epoch: Some(call.epoch),
            reason: "error".to_owned(),
            status: Some(CallStatus::Failed),
        };
        self.parts.lifecycle.close(&closing).await?;
        Ok(())
    }

    async fn live_call(&self, room: &str) -> Result<Option<LiveCall>, StoreError> {
        let mut tx = self.parts.db.begin(&Scope::platform()).await?;
        calls::find_live_by_room(&mut tx, room).await
    }
}

/// A call that has a row already.
fn known<'a>(call: &'a LiveCall, caller: &'a Leg, route: &'a Route) -> Job<'a> {
    Job {
        call: call.id,
        room: &call.room,
        caller,
        route,
        epoch: call.epoch,
        admitted: call.holds_slot,
        handed_over: false,
    }
}

/// Whether the number still leads to the call's own agent.
fn is_same(call: &LiveCall, route: &Route) -> bool {
    TenantId(route.tenant) == call.tenant && AgentId(route.agent) == call.agent
}

enum Found {
    Caller(Box<Leg>),
    Served,
    Nobody,
}

#[cfg(all(test, feature = "test-postgres", feature = "test-livekit"))]
mod tests;
