//! Puts right what got lost: every two seconds, on every replica, each action safe to do twice.

mod decide;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use tokio::sync::Semaphore;
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{debug, info, warn};
use voxplane_platform::error_chain::{ErrorChain, describe};
use voxplane_store::calls::{self, LiveCall};
use voxplane_store::sessions::{self, STALE_AFTER};
use voxplane_store::{CallId, Db, Scope, StoreError, commands};

use crate::control::Registry;
use crate::lifecycle::{Closing, Lifecycle};
use crate::livekit::{RoomError, Rooms, shown};
use crate::metrics::{Metrics, TenantLabel};
use crate::placement::Placer;

pub use decide::{Action, ROOM_PREFIX, Seen, decide};

const PERIOD: Duration = Duration::from_secs(2);
/// Placements of the sweeper at one time.
const CONCURRENCY: usize = 16;
/// Partitions of the ledger are made this many months ahead, once a day.
const PARTITIONS_AHEAD: i32 = 3;
const DAILY: Duration = Duration::from_secs(24 * 3600);

/// A pass could not look or act.
#[derive(Debug, thiserror::Error)]
enum SweepError {
    #[error("the database failed the sweep")]
    Store(#[from] StoreError),
    #[error("LiveKit failed the sweep")]
    Rooms(#[from] RoomError),
}

/// The sweeper of this replica.
#[derive(Debug)]
pub struct Sweeper {
    /// Calls.
    pub db: Db,
    /// LiveKit's rooms.
    pub rooms: Arc<Rooms>,
    /// Places callers whose job offer was lost.
    pub placer: Arc<Placer>,
    /// Ends calls.
    pub lifecycle: Arc<Lifecycle>,
    /// Pods, for the gauge of live calls.
    pub registry: Arc<Registry>,
    /// Counts.
    pub metrics: Metrics,
}

/// Placements started by the sweeper. After an outage every caller waits at once, and the database has few connections.
#[derive(Debug)]
struct Placements {
    tasks: TaskTracker,
    permits: Arc<Semaphore>,
}

impl Default for Placements {
    fn default() -> Self {
        Self { tasks: TaskTracker::new(), permits: Arc::new(Semaphore::new(CONCURRENCY)) }
    }
}

impl Placements {
    /// Starts one, unless so many are running that it is better off in the next pass.
    fn start(&self, placement: impl Future<Output = ()> + Send + 'static) {
        if let Ok(permit) = Arc::clone(&self.permits).try_acquire_owned() {
            self.tasks.spawn(async move {
                placement.await;
                drop(permit);
            });
        }
    }
}

impl Sweeper {
    /// Sweeps until `stop`.
    pub async fn run(self, stop: CancellationToken) {
        let sweeper = Arc::new(self);
        let placements = Placements::default();
        let mut ticks = interval(PERIOD);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let (mut steady_since, mut maintained) = (Timestamp::now(), None::<Instant>);
        loop {
            tokio::select! {
                () = stop.cancelled() => break,
                _ = ticks.tick() => {}
            }
            sweeper.measure();
            match sweeper.pass(steady_since, &placements).await {
                Ok(()) => {}
                Err(error) => {
                    // Leases may have run out while nobody could renew them: pods get their time again.
                    steady_since = Timestamp::now();
                    sweeper.metrics.error("sweep");
                    warn!(error = %ErrorChain(&error), "the sweep failed; the next one is in 2 s");
                    continue;
                }
            }
            if maintained.is_none_or(|at| at.elapsed() > DAILY) {
                match sweeper.db.create_event_partitions(PARTITIONS_AHEAD).await {
                    Ok(_) => maintained = Some(Instant::now()),
                    Err(error) => warn!(error = %ErrorChain(&error), "the ledger's partitions could not be made"),
                }
            }
        }
        placements.tasks.close();
        placements.tasks.wait().await;
    }

    async fn pass(self: &Arc<Self>, steady_since: Timestamp, placements: &Placements) -> Result<(), SweepError> {
        let rooms = self.rooms.list().await?;
        let mut tx = self.db.begin(&Scope::platform()).await?;
        let live = calls::live(&mut tx).await?;
        let holding = calls::holding_slots(&mut tx).await?;
        commands::expire(&mut tx).await?;
        for session in sessions::reap(&mut tx, STALE_AFTER).await? {
            info!(session = %session, "a session went silent with its replica and was closed");
        }
        tx.commit().await?;
        let seen = Seen { rooms: &rooms, live: &live, holding: &holding, now: Timestamp::now(), steady_since };
        let actions = decide(&seen);
        let by_id: HashMap<CallId, &LiveCall> = live.iter().chain(&holding).map(|call| (call.id, call)).collect();
        for action in actions {
            let what = action.name();
            // One call that cannot be ended must not keep all others waiting.
            if let Err(error) = self.act(action, &by_id, placements).await {
                self.metrics.error("sweep");
                warn!(action = what, error = %ErrorChain(&error), "the sweeper could not act; it tries again in 2 s");
            }
        }
        Ok(())
    }

    async fn act(
        self: &Arc<Self>,
        action: Action,
        calls_by_id: &HashMap<CallId, &LiveCall>,
        placements: &Placements,
    ) -> Result<(), SweepError> {
        match action {
            Action::Place { room } => {
                info!(livekit.room = shown(&room), "a caller waits without a call; placing it");
                let placer = Arc::clone(&self.placer);
                placements.start(async move {
                    placer.place(&room).await;
                });
            }
            Action::PlaceAgain { call } => {
                let Some(call) = calls_by_id.get(&call).map(|call| (*call).clone()) else { return Ok(()) };
                let placer = Arc::clone(&self.placer);
                placements.start(async move {
                    placer.place_again(&call).await;
                });
            }
            Action::End { call, reason } => {
                let Some(known) = calls_by_id.get(&call) else { return Ok(()) };
                // Taken first: a replica that is just placing the call must not lose its room under its feet.
                let epoch = known.epoch + 1;
                let scope = Scope::tenant(known.agency, known.tenant);
                let mut tx = self.db.begin(&scope).await?;
                match calls::take(&mut tx, call, epoch).await {
                    Ok(()) => tx.commit().await?,
                    Err(StoreError::Conflict { .. }) => return Ok(()),
                    Err(error) => return Err(error.into()),
                }
                warn!(call.id = %call, reason, "a call without an owner is ended");
                let closing = Closing { call, scope, epoch: Some(epoch), reason: reason.to_owned(), status: None };
                self.lifecycle.close(&closing).await?;
            }
            Action::FreeSlot { call } => {
                let Some(known) = calls_by_id.get(&call) else { return Ok(()) };
                let mut tx = self.db.begin(&Scope::tenant(known.agency, known.tenant)).await?;
                calls::free_slot(&mut tx, call).await?;
                tx.commit().await?;
                debug!(call.id = %call, "a slot is free again");
            }
            Action::DeleteRoom { room } => {
                if let Err(error) = self.rooms.delete(&room).await {
                    debug!(livekit.room = shown(&room), error = describe(&error), "a room lingers");
                }
            }
        }
        Ok(())
    }

    /// Live calls on this replica's pods; summed over replicas they are all.
    fn measure(&self) {
        let mut calls: HashMap<uuid::Uuid, i64> = HashMap::new();
        for pod in self.registry.all() {
            let held = i64::try_from(pod.leases().len()).unwrap_or(i64::MAX);
            *calls.entry(pod.info.tenant.0).or_default() += held;
        }
        self.metrics.calls_active.clear();
        for (tenant, held) in calls {
            self.metrics.calls_active.get_or_create(&TenantLabel::from(tenant)).set(held);
        }
    }
}
