//! `status.id`: our own id of an object, registered in Postgres on first sight.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use kube::ResourceExt as _;
use kube::core::ObjectMeta;
use uuid::Uuid;
use voxplane_crds::status::CommonStatus;
use voxplane_store::resources::{self, ResourceKind};
use voxplane_store::{AgencyId, StoreError, TenantId};

use crate::context::Context;
use crate::database::DatabaseAway;
use crate::error::Error;
use crate::kind::Kind;

/// Ids that were registered since the process started, by Kubernetes UID: asking once per process is enough.
#[derive(Debug, Default)]
pub struct Ids {
    known: Mutex<HashMap<String, Uuid>>,
}

impl Ids {
    fn get(&self, uid: &str) -> Option<Uuid> {
        self.lock().get(uid).copied()
    }

    fn put(&self, uid: String, id: Uuid) {
        self.lock().insert(uid, id);
    }

    /// The object is gone.
    pub fn forget(&self, meta: &ObjectMeta) {
        if let Some(uid) = &meta.uid {
            self.lock().remove(uid);
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Uuid>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What is known about an object's id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Identity {
    /// The database has it.
    Registered(Uuid),
    /// The database is away. `last` is what the object's status says: good enough to keep what exists.
    DatabaseAway {
        /// The id in the object's status.
        last: Option<Uuid>,
        /// Why the database cannot be used.
        message: String,
    },
}

impl Identity {
    /// The id, if there is one.
    #[must_use]
    pub fn id(&self) -> Option<Uuid> {
        match self {
            Self::Registered(id) => Some(*id),
            Self::DatabaseAway { last, .. } => *last,
        }
    }

    /// Why the database cannot be used, if it cannot.
    #[must_use]
    pub fn database_problem(&self) -> Option<&str> {
        match self {
            Self::Registered(_) => None,
            Self::DatabaseAway { message, .. } => Some(message),
        }
    }
}

/// The id of an object; registers it if it is new to us.
///
/// # Errors
/// When the database refuses for a reason that is not about being away.
pub async fn identify<K: Kind>(
    ctx: &Context,
    object: &K,
    kind: ResourceKind,
    agency: Option<AgencyId>,
    tenant: Option<TenantId>,
) -> Result<Identity, Error> {
    let uid = object.uid().ok_or(Error::Incomplete { field: "metadata.uid" })?;
    let last = object.status().and_then(|status| status.id()).and_then(|id| id.parse().ok());
    let away = |message| Ok(Identity::DatabaseAway { last, message });
    if let Err(message) = ctx.database.available() {
        return away(message);
    }
    if let Some(id) = ctx.ids.get(&uid) {
        return Ok(Identity::Registered(id));
    }
    let registered = async {
        let mut tx = ctx.database.begin().await?;
        let (namespace, name) = (object.namespace().unwrap_or_default(), object.name_any());
        let id = resources::register(&mut tx, kind, &namespace, &name, &uid, agency, tenant).await?;
        tx.commit().await?;
        Ok::<_, DatabaseAway>(id)
    };
    match registered.await {
        Ok(id) => {
            ctx.ids.put(uid, id);
            Ok(Identity::Registered(id))
        }
        Err(DatabaseAway::NotConfigured(message) | DatabaseAway::Away(message)) => away(message),
        // Tried again within a moment: it may be over by then, and nobody would tell. If it is not, the database counts as
        // away soon.
        Err(DatabaseAway::Failed(error)) => Err(Error::Database(error)),
    }
}

/// The id of an object that goes. It may have been deleted, or the process have ended, between its registration and the
/// writing of its status: what was made in between carries that id.
///
/// # Errors
/// When the database is away and the status has no id: the object waits, because something may be left of it.
pub async fn last<K: Kind>(ctx: &Context, object: &K, kind: ResourceKind) -> Result<Option<Uuid>, Error> {
    if let Some(id) = object.status().and_then(|status| status.id()).and_then(|id| id.parse().ok()) {
        return Ok(Some(id));
    }
    let mut tx = match ctx.database.begin().await {
        Ok(tx) => tx,
        // Nothing can have been registered by this installation.
        Err(DatabaseAway::NotConfigured(_)) => return Ok(None),
        Err(away) => return Err(away.into()),
    };
    let (namespace, name) = (object.namespace().unwrap_or_default(), object.name_any());
    let found = resources::find(&mut tx, kind, &namespace, &name).await?;
    tx.rollback().await?;
    // An earlier object of its name is none of its business.
    Ok(found.filter(|found| object.uid().is_some_and(|uid| uid == found.k8s_uid)).map(|found| found.id))
}

/// Notes in the database that an object is gone. One that never had an id leaves nothing behind.
///
/// # Errors
/// When the database is away: the object waits, because its history would otherwise say that it still exists.
pub async fn retire(ctx: &Context, id: Option<Uuid>) -> Result<(), Error> {
    let Some(id) = id else { return Ok(()) };
    let mut tx = match ctx.database.begin().await {
        Ok(tx) => tx,
        // Nothing can have been registered by this installation.
        Err(DatabaseAway::NotConfigured(_)) => return Ok(()),
        Err(away) => return Err(away.into()),
    };
    match resources::mark_deleted(&mut tx, id).await {
        Ok(()) | Err(StoreError::NotFound { .. }) => Ok(tx.commit().await?),
        Err(error) => Err(Error::Database(error)),
    }
}
