//! Calls that another replica announced because its own pods could not take them. Every replica hears of every such
//! call; those with pods of the tenant try, and the first that raises the call's epoch has it.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{debug, warn};
use voxplane_platform::error_chain::ErrorChain;
use voxplane_store::calls::{self, CallStatus, LiveCall};
use voxplane_store::{CallId, CallListener, Scope, StoreError, Wake};

use super::serve::Job;
use super::{CONCURRENCY, Found, OnFailure, Outcome, PlaceError, Placer, is_same, known};

/// Between attempts to listen while Postgres is away.
const RETRY: Duration = Duration::from_secs(1);

impl Placer {
    /// Takes what other replicas hand over until `stop`, then finishes what is in hand. Announcements that get lost
    /// are the sweeper's: it finds every call that nobody has.
    pub async fn take_handovers(self: Arc<Self>, stop: CancellationToken) {
        let (tasks, permits) = (TaskTracker::new(), Arc::new(Semaphore::new(CONCURRENCY)));
        let mut listener: Option<CallListener> = None;
        loop {
            let Ok(permit) = Arc::clone(&permits).acquire_owned().await else { break };
            let heard = tokio::select! {
                () = stop.cancelled() => break,
                heard = self.hear(&mut listener) => heard,
            };
            match heard {
                Ok(Wake::Call(call)) => {
                    let placer = Arc::clone(&self);
                    tasks.spawn(async move {
                        placer.take_over(call).await;
                        drop(permit);
                    });
                }
                Ok(Wake::Reconnected) => {}
                Err(error) => {
                    warn!(error = %ErrorChain(&error), "calls handed over by other replicas are not heard of now");
                    tokio::select! {
                        () = stop.cancelled() => break,
                        () = sleep(RETRY) => {}
                    }
                }
            }
        }
        tasks.close();
        tasks.wait().await;
    }

    async fn hear(&self, listener: &mut Option<CallListener>) -> Result<Wake, StoreError> {
        match listener {
            Some(listener) => listener.next().await,
            None => listener.insert(self.parts.db.listen_handovers().await?).next().await,
        }
    }

    /// Places an announced call if this replica can and nobody else was faster. Until then nothing of it changes, so
    /// the sweeper may always try again.
    pub async fn take_over(&self, id: CallId) -> Outcome {
        let call = match self.handed_over(id).await {
            Ok(Some(call)) => call,
            Ok(None) => return Outcome::Duplicate,
            Err(error) => {
                warn!(call.id = %id, error = %ErrorChain(&error), "a call that was handed over could not be read");
                return Outcome::Failed;
            }
        };
        let is_able = self.parts.registry.all().iter().any(|pod| pod.info.tenant == call.tenant && !pod.is_draining());
        if !is_able {
            debug!(call.id = %id, "a call was handed over, but not to this replica");
            return Outcome::Deferred;
        }
        self.settle(&call.room, OnFailure::Leave, Box::pin(self.try_handed_over(&call))).await
    }

    /// The call, if it still waits for somebody.
    async fn handed_over(&self, id: CallId) -> Result<Option<LiveCall>, StoreError> {
        let mut tx = self.parts.db.begin(&Scope::platform()).await?;
        let call = calls::find_live(&mut tx, id).await?;
        Ok(call.filter(|call| !call.leased && matches!(call.status, CallStatus::Queued | CallStatus::Ringing)))
    }

    async fn try_handed_over(&self, call: &LiveCall) -> Result<Outcome, PlaceError> {
        let caller = match self.caller(&call.room).await? {
            Found::Caller(leg) => *leg,
            Found::Served => return Ok(Outcome::Duplicate),
            Found::Nobody => return Ok(Outcome::NoCaller),
        };
        match self.route(&call.room, &caller, call.created_at, Some(call.agent)).await? {
            Ok(route) if is_same(call, &route) => {
                self.serve(Job { handed_over: true, ..known(call, &caller, &route) }).await
            }
            // Our view of the resources may be older than the other replica's: no reason to turn the caller away.
            _ => Ok(Outcome::Deferred),
        }
    }
}
