//! The pass over one object, the same for every kind: decode, finalizer, reconcile or clean up, count, back off.

mod going;

use std::fmt::Debug;
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt as _;
use kube::core::ObjectMeta;
use kube::runtime::controller::{self, Action};
use kube::runtime::events::EventType;
use kube::runtime::reflector::{ObjectRef, Store};
use kube::{Api, Client, Resource, ResourceExt as _};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio_util::sync::CancellationToken;
use voxplane_crds::conditions::{self, reasons, types};
use voxplane_crds::status::CommonStatus;
use voxplane_platform::error_chain::ErrorChain;

use crate::apply::Applier;
use crate::backoff::Backoff;
use crate::context::Context;
use crate::error::Error;
use crate::status::same;
use crate::watch::{Guarded, ObjectKey, Queue};

pub use going::waiting_for_all;

/// Everything is looked at again after this time even if nothing was seen to change: repairs what the watches do not
/// cover, inside and outside the cluster.
pub const RESYNC: Duration = Duration::from_secs(300);
/// Longest time for one pass. LiveKit's client gives up after 10 s, the database after 10 s.
pub(crate) const LONGEST_PASS: Duration = Duration::from_secs(60);
/// A refusal that is over before waits get this long is nothing to report.
const SETTLING: Duration = Duration::from_secs(2);
/// Passes of one kind at a time.
const CONCURRENCY: u16 = 8;

/// A kind of resource that the operator works for.
pub trait Kind:
    Resource<DynamicType = ()> + Clone + Debug + Serialize + DeserializeOwned + Send + Sync + 'static
{
    /// Its status.
    type Status: CommonStatus + Serialize + Send + Sync;
    /// Name in metrics, logs and the field manager.
    const LABEL: &'static str;

    /// Access to the object `self` is.
    fn api(&self, client: Client) -> Api<Self>;
    /// The present status.
    fn status(&self) -> Option<&Self::Status>;
    /// Makes the world be as the object says, and writes its status.
    fn reconcile(&self, ctx: &Context, apply: &Applier) -> impl Future<Output = Result<Action, Error>> + Send;
    /// Undoes everything outside the object. Called again until it is done.
    fn cleanup(&self, ctx: &Context, apply: &Applier) -> impl Future<Output = Result<Cleanup, Error>> + Send;
}

/// How far the clean-up of a deleted object is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cleanup {
    /// Nothing is left; the object may go.
    Done,
    /// Something must happen first.
    Waiting {
        /// Why, in one word.
        reason: &'static str,
        /// For what, in a sentence for people.
        message: String,
        /// When to look again, if no change is seen before.
        look_again: Duration,
    },
}

impl Cleanup {
    /// Something must happen first; a change is expected to be seen.
    pub fn waiting(message: impl Into<String>) -> Self {
        Self::waiting_for(reasons::TERMINATING, message)
    }

    /// Something must happen first that has a reason of its own.
    pub fn waiting_for(reason: &'static str, message: impl Into<String>) -> Self {
        Self::Waiting { reason, message: message.into(), look_again: Duration::from_secs(2) }
    }
}

/// Runs the controller of one kind until `stop` is cancelled; passes under way are finished.
pub async fn run<K: Kind>(
    ctx: Arc<Context>,
    store: Store<Guarded<K>>,
    queue: impl Fn(&Context) -> &Queue + Send + Sync + Clone + 'static,
    stop: CancellationToken,
) {
    let backoff = Arc::new(Backoff::default());
    let apply = Applier::new(ctx.client.clone(), K::LABEL).remembering(Arc::clone(&ctx.router.applied));
    let keys = futures::stream::unfold(Arc::clone(&ctx), {
        let queue = queue.clone();
        move |ctx| {
            let queue = queue.clone();
            async move {
                let key = queue(&ctx).next().await;
                Some((key, ctx))
            }
        }
    })
    .take_until(stop.cancelled_owned())
    .map(|key| {
        let mut reference = ObjectRef::<Guarded<K>>::new(&key.name);
        reference.namespace = key.namespace;
        Ok::<_, std::convert::Infallible>(reference)
    });
    let passes = controller::Config::default().concurrency(CONCURRENCY);
    let run_pass = {
        let (apply, backoff) = (apply.clone(), Arc::clone(&backoff));
        move |object: Arc<Guarded<K>>, ctx: Arc<Context>| {
            let (apply, backoff) = (apply.clone(), Arc::clone(&backoff));
            Box::pin(async move {
                let result = pass(&object, &ctx, &apply).await;
                if result.is_ok() {
                    backoff.forget(&ObjectKey::of(&*object));
                }
                result
            })
        }
    };
    let failed = {
        let backoff = Arc::clone(&backoff);
        move |object: Arc<Guarded<K>>, error: &Error, _: Arc<Context>| {
            let key = ObjectKey::of(&*object);
            let wait = backoff.failed(&key, rand::random());
            // A RoleBinding just made takes a moment to be seen.
            let settling = error.is_forbidden() && wait < SETTLING;
            let chain = ErrorChain(error);
            if error.is_conflict() || settling {
                tracing::debug!(kind = K::LABEL, object = %key, error = %chain, ?wait, "pass failed for a moment");
            } else {
                tracing::warn!(kind = K::LABEL, object = %key, error = %chain, ?wait, "pass failed, trying again");
            }
            Action::requeue(wait)
        }
    };
    controller::applier(run_pass, failed, Arc::clone(&ctx), store, keys, passes)
        .for_each(|result| {
            // An object that went between the change and its pass needs no more passes.
            if let Err(controller::Error::ObjectNotFound(gone)) = &result {
                backoff.forget(&ObjectKey { namespace: gone.namespace.clone(), name: gone.name.clone() });
            }
            ctx.metrics.waiting(K::LABEL, backoff.waiting(), queue(&ctx).depth());
            std::future::ready(())
        })
        .await;
}

async fn pass<K: Kind>(object: &Guarded<K>, ctx: &Context, apply: &Applier) -> Result<Action, Error> {
    let measured = ctx.metrics.pass(K::LABEL);
    let result = match tokio::time::timeout(LONGEST_PASS, Box::pin(steps(object, ctx, apply))).await {
        Ok(result) => result,
        Err(_) => Err(Error::TooLong { seconds: LONGEST_PASS.as_secs() }),
    };
    measured.finish(result.as_ref().map_or_else(Error::reason, |_| "ok"));
    result
}

async fn steps<K: Kind>(object: &Guarded<K>, ctx: &Context, apply: &Applier) -> Result<Action, Error> {
    let object = match &object.0 {
        Ok(object) => object,
        Err(unreadable) => {
            // Nothing can be written to its status by the usual way; what exists for it is left as it is.
            let meta: &ObjectMeta = &unreadable.metadata;
            tracing::error!(
                kind = K::LABEL,
                namespace = meta.namespace,
                name = meta.name,
                error = unreadable.error,
                "this version of the operator cannot read the object; nothing is changed for it"
            );
            if meta.deletion_timestamp.is_some() {
                // Its status cannot be written, but whoever looks why it stays should find something.
                let message = "cannot be removed by this version of the operator, which cannot read it: update the \
                               operator, or write the object as this version's schema wants it";
                ctx.events.publish(object.object_ref(&()), EventType::Warning, reasons::INVALID, message).await;
            }
            return Ok(Action::await_change());
        }
    };
    let api = object.api(ctx.client.clone());
    if object.meta().deletion_timestamp.is_none() {
        apply.ensure_finalizer(&api, object).await?;
        return object.reconcile(ctx, apply).await;
    }
    if object.finalizers().iter().all(|name| name != voxplane_crds::labels::FINALIZER) {
        return Ok(Action::await_change());
    }
    let outcome = match object.cleanup(ctx, apply).await {
        Ok(Cleanup::Done) => apply.remove_finalizer(&api, object).await.map(|()| Cleanup::Done),
        other => other,
    };
    if let Some(desired) = going::said(&outcome) {
        let mut status = object.status().cloned().unwrap_or_default();
        conditions::set(status.conditions_mut(), desired, object.meta().generation, ctx.now());
        let said = write_status(object, status, ctx, apply).await;
        // Of two failures, the first is the one to be told of.
        if outcome.is_ok() {
            said?;
        }
    }
    match outcome? {
        Cleanup::Done => {
            ctx.ids.forget(object.meta());
            Ok(Action::await_change())
        }
        Cleanup::Waiting { look_again, .. } => Ok(Action::requeue(look_again)),
    }
}

/// Writes the status if it differs from the present one, and an event when readiness or its reason changed.
///
/// # Errors
/// What the API server answered.
pub async fn write_status<K: Kind>(object: &K, status: K::Status, ctx: &Context, apply: &Applier) -> Result<(), Error> {
    if object.status().is_some_and(|previous| same(previous, &status)) {
        return Ok(());
    }
    match apply.status(&object.api(ctx.client.clone()), object, &status).await {
        // Deleted in the meantime: nobody is left to read it.
        Err(error) if error.is_not_found() => return Ok(()),
        other => other?,
    }
    let readiness = |status: &K::Status| {
        conditions::find(status.conditions(), types::READY)
            .map(|ready| (ready.status.clone(), ready.reason.clone(), ready.message.clone()))
    };
    let before = object.status().and_then(readiness);
    if let Some((now, reason, message)) = readiness(&status)
        && before.as_ref().is_none_or(|(was, why, _)| *was != now || *why != reason)
    {
        let type_ = if now == "False" { EventType::Warning } else { EventType::Normal };
        ctx.events.publish(object.object_ref(&()), type_, &reason, &message).await;
    }
    Ok(())
}

#[cfg(test)]
mod tests;
