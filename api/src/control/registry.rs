//! The runtime pods connected to this replica, and what was promised to each.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;
use voxplane_control::v1::{ApiMessage, LeaseLost, StartCall, api_message, call_refused};
use voxplane_crds::names::PoolId;
use voxplane_store::calls::Owner;
use voxplane_store::{AgencyId, CallId, Scope, SessionId, TenantId};

use crate::placement::{Candidate, RefusalReason};

/// A pod answers an offered call in this time, or the next pod is asked (the contract's 1 s).
const ANSWER_TIMEOUT: Duration = Duration::from_secs(1);

/// Who a connected pod is; does not change during a session.
#[derive(Debug, Clone)]
pub struct PodInfo {
    /// Id of the session.
    pub session: SessionId,
    /// Pool, as the API server or our own credential vouched for.
    pub pool: PoolId,
    /// Name of the pod.
    pub pod: String,
    /// Uid of the pod.
    pub pod_uid: String,
    /// The pool's agency.
    pub agency: AgencyId,
    /// The pool's tenant.
    pub tenant: TenantId,
    /// Calls it can carry.
    pub slots: u32,
    /// What it can do.
    pub capabilities: HashSet<String>,
    /// Its software version, as it says.
    pub version: String,
}

impl PodInfo {
    /// Everything done for this pod happens in its own tenant's scope.
    pub fn scope(&self) -> Scope {
        Scope::tenant(self.agency, self.tenant)
    }

    /// As the store names it.
    pub fn owner(&self) -> Owner {
        Owner {
            pool: self.pool.to_string(),
            pod: self.pod.clone(),
            pod_uid: self.pod_uid.clone(),
            session: self.session,
        }
    }
}

/// What a call is to a pod.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Work {
    /// A conversation.
    Call,
    /// A refusal to be spoken.
    Refusal(RefusalReason),
}

/// A pod's answer to an offered call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// It has the call.
    Accepted,
    /// It does not want it.
    Refused(call_refused::Reason, String),
    /// It did not answer in time; it was told that the call is not its own.
    Silent,
    /// It is not connected any more.
    Gone,
}

/// A connected pod.
#[derive(Debug)]
pub struct Pod {
    /// Who it is.
    pub info: PodInfo,
    outbox: mpsc::Sender<ApiMessage>,
    state: Mutex<State>,
    /// Cancelled when the session ends.
    pub ended: CancellationToken,
}

#[derive(Debug)]
struct State {
    credentials_hash: String,
    draining: bool,
    reported_busy: u32,
    calls: HashMap<CallId, Held>,
}

#[derive(Debug)]
struct Held {
    epoch: u32,
    work: Work,
    answer: Option<oneshot::Sender<Answer>>,
}

impl Pod {
    /// A pod whose session has just begun.
    pub fn new(info: PodInfo, outbox: mpsc::Sender<ApiMessage>, credentials_hash: String, draining: bool) -> Self {
        let state = State { credentials_hash, draining, reported_busy: 0, calls: HashMap::new() };
        Self { info, outbox, state: Mutex::new(state), ended: CancellationToken::new() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts a message into the pod's queue. A full queue means that the pod does not read: the session ends.
    pub fn send(&self, body: api_message::Body) -> bool {
        let sent = self.outbox.try_send(ApiMessage { body: Some(body) }).is_ok();
        if !sent {
            self.ended.cancel();
        }
        sent
    }

    /// Notes what a heartbeat says.
    pub fn heartbeat(&self, busy: u32, credentials_hash: &str) {
        let mut state = self.state();
        state.reported_busy = busy;
        if state.credentials_hash != credentials_hash {
            credentials_hash.clone_into(&mut state.credentials_hash);
        }
    }

    /// The pod takes nothing new from now on.
    pub fn drain(&self) {
        self.state().draining = true;
    }

    /// Whether it takes nothing new.
    pub fn is_draining(&self) -> bool {
        self.state().draining
    }

    /// Calls it carries, refusals included, and the hash of the keys it has read: what the database is told.
    pub fn report(&self) -> (u32, String) {
        let state = self.state();
        (state.busy(), state.credentials_hash.clone())
    }

    /// Calls it holds, for renewing their leases.
    pub fn leases(&self) -> Vec<(CallId, u32)> {
        self.state().calls.iter().map(|(call, held)| (*call, held.epoch)).collect()
    }

    /// Whether it holds this call at this epoch.
    pub fn holds(&self, call: CallId, epoch: u32) -> bool {
        self.state().calls.get(&call).is_some_and(|held| held.epoch == epoch)
    }

    /// Notes a call that was alive on the pod when it connected.
    pub fn resume(&self, call: CallId, epoch: u32) {
        self.state().calls.insert(call, Held { epoch, work: Work::Call, answer: None });
    }

    /// Forgets a call; returns what it was.
    pub fn release(&self, call: CallId, epoch: u32) -> Option<Work> {
        let mut state = self.state();
        if state.calls.get(&call).is_some_and(|held| held.epoch == epoch) {
            return state.calls.remove(&call).map(|held| held.work);
        }
        None
    }

    /// Forgets a call whose lease is another's now, and tells the pod to leave it.
    pub fn lose(&self, call: CallId, epoch: u32) {
        self.release(call, epoch);
        self.send(api_message::Body::LeaseLost(LeaseLost { call_id: call.to_string(), epoch }));
    }

    /// A pod's answer arrived. One that comes too late, or for a call it was not offered, is answered `LeaseLost`.
    pub fn answered(&self, call: CallId, epoch: u32, answer: Answer) {
        let accepted = answer == Answer::Accepted;
        let mut state = self.state();
        let waiting = match state.calls.get_mut(&call) {
            Some(held) if held.epoch == epoch => held.answer.take(),
            _ => None,
        };
        let known = waiting.is_some_and(|waiting| waiting.send(answer).is_ok());
        if !accepted {
            state.calls.retain(|id, held| *id != call || held.epoch != epoch);
        }
        drop(state);
        if accepted && !known {
            self.lose(call, epoch);
        }
    }

    /// Offers a call and waits for the answer. The slot counts as taken from here on.
    pub async fn offer(&self, call: CallId, work: Work, start: StartCall) -> Answer {
        let epoch = start.epoch;
        let (sender, receiver) = oneshot::channel();
        self.state().calls.insert(call, Held { epoch, work, answer: Some(sender) });
        if !self.send(api_message::Body::StartCall(start)) {
            self.release(call, epoch);
            return Answer::Gone;
        }
        let answer = tokio::select! {
            () = self.ended.cancelled() => Answer::Gone,
            answer = timeout(ANSWER_TIMEOUT, receiver) => match answer {
                Ok(Ok(answer)) => answer,
                Ok(Err(_)) => Answer::Gone,
                Err(_) => Answer::Silent,
            },
        };
        match answer {
            Answer::Accepted => {}
            Answer::Silent => self.lose(call, epoch),
            _ => {
                self.release(call, epoch);
            }
        }
        answer
    }

    /// How placement sees it.
    fn candidate(&self) -> Candidate {
        let state = self.state();
        let refusals = state.calls.values().filter(|held| held.work != Work::Call).count();
        Candidate {
            session: self.info.session.0,
            slots: self.info.slots,
            busy: state.busy(),
            overflow_busy: u32::try_from(refusals).unwrap_or(u32::MAX),
            draining: state.draining,
            credentials_hash: state.credentials_hash.clone(),
            capabilities: self.info.capabilities.clone(),
        }
    }
}

impl State {
    /// What we promised, or what the pod says, whichever is more: a report is a heartbeat old.
    fn busy(&self) -> u32 {
        let promised = self.calls.values().filter(|held| held.work == Work::Call).count();
        u32::try_from(promised).unwrap_or(u32::MAX).max(self.reported_busy)
    }
}

/// All connected pods.
#[derive(Debug, Default)]
pub struct Registry {
    pods: Mutex<HashMap<SessionId, Arc<Pod>>>,
}

impl Registry {
    fn pods(&self) -> MutexGuard<'_, HashMap<SessionId, Arc<Pod>>> {
        self.pods.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a pod. An older session of the same pod ends: a pod has one stream.
    pub fn insert(&self, pod: Arc<Pod>) {
        let mut pods = self.pods();
        for older in pods.values().filter(|older| older.info.pod_uid == pod.info.pod_uid) {
            older.ended.cancel();
        }
        pods.insert(pod.info.session, pod);
    }

    /// Removes a session.
    pub fn remove(&self, session: SessionId) {
        self.pods().remove(&session);
    }

    /// A connected pod.
    pub fn get(&self, session: SessionId) -> Option<Arc<Pod>> {
        self.pods().get(&session).cloned()
    }

    /// Every connected pod.
    pub fn all(&self) -> Vec<Arc<Pod>> {
        self.pods().values().cloned().collect()
    }

    /// The pods of a pool, as placement sees them.
    pub fn candidates(&self, pool: &PoolId) -> Vec<Candidate> {
        self.pods().values().filter(|pod| pod.info.pool == *pool).map(|pod| pod.candidate()).collect()
    }

    /// Whether the pod is connected to this replica again, with another session.
    pub fn is_connected(&self, pod_uid: &str) -> bool {
        self.pods().values().any(|pod| pod.info.pod_uid == pod_uid)
    }

    /// How many pods are connected.
    pub fn len(&self) -> usize {
        self.pods().len()
    }

    /// Whether none is.
    pub fn is_empty(&self) -> bool {
        self.pods().is_empty()
    }
}

/// The id of a pod's answer may be anything; sessions ignore what is no id.
pub fn call_id(text: &str) -> Option<CallId> {
    text.parse::<Uuid>().ok().map(CallId)
}

#[cfg(test)]
mod tests;
