//! Ids of Kubernetes objects. They outlive the objects, survive restore and re-creation, and are what REST paths,
//! foreign keys and labels of external systems use.

use jiff::Timestamp;
use uuid::Uuid;

use crate::text_enum::text_enum;
use crate::{AgencyId, ScopedTx, StoreError, TenantId, timestamp};

text_enum! {
    /// The kinds that have ids.
    ResourceKind {
        /// Cluster-scoped; owns itself.
        Agency => "Agency",
        /// Lives in its agency's namespace.
        Tenant => "Tenant",
        /// Lives in its tenant's namespace.
        VoiceAgent => "VoiceAgent",
        /// Lives in its tenant's namespace.
        PhoneNumber => "PhoneNumber",
        /// Lives in its tenant's namespace.
        KnowledgeBase => "KnowledgeBase",
    }
}

/// A registered object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resource {
    /// Its id with us.
    pub id: Uuid,
    /// Its kind.
    pub kind: ResourceKind,
    /// The agency it belongs to; its own id for an Agency.
    pub agency: AgencyId,
    /// The tenant it belongs to; its own id for a Tenant, none for an Agency.
    pub tenant: Option<TenantId>,
    /// Empty for an Agency.
    pub namespace: String,
    /// `metadata.name`.
    pub name: String,
    /// `metadata.uid` of the present or last object.
    pub k8s_uid: String,
    /// When the id was given.
    pub created_at: Timestamp,
    /// When the object was deleted from the cluster.
    pub deleted_at: Option<Timestamp>,
}

/// Gives an object its id, or the id it had when it was seen before under the same kind, namespace and name.
/// Idempotent, and safe from several processes at once.
///
/// `agency` and `tenant` are the owners: none for an Agency, the agency for a Tenant, both for the other kinds.
///
/// # Errors
/// [`StoreError::Conflict`] when the name is taken under another owner, [`StoreError::Invalid`] when owners do not fit
/// the kind, [`StoreError::NotFound`] when an owner is not registered.
pub async fn register(
    tx: &mut ScopedTx,
    kind: ResourceKind,
    namespace: &str,
    name: &str,
    k8s_uid: &str,
    agency: Option<AgencyId>,
    tenant: Option<TenantId>,
) -> Result<Uuid, StoreError> {
    let fresh = Uuid::now_v7();
    let (agency, tenant) = owners(kind, agency, tenant)?;
    // With an owner of its own kind missing, a new row owns itself and an old one keeps its owner.
    let row = sqlx::query!(
        r#"INSERT INTO resources AS r (id, kind, agency_id, tenant_id, namespace, name, k8s_uid)
           VALUES ($1::uuid, $2::text, coalesce($3::uuid, $1), CASE WHEN $2 = 'Tenant' THEN $1 ELSE $4::uuid END,
                   $5, $6, $7)
           ON CONFLICT (kind, namespace, name) WHERE purged_at IS NULL
           DO UPDATE SET k8s_uid = excluded.k8s_uid, deleted_at = NULL, updated_at = now()
               WHERE ($3::uuid IS NULL OR r.agency_id = $3) AND ($4::uuid IS NULL OR r.tenant_id = $4)
           RETURNING r.id"#,
        fresh,
        kind.as_str(),
        agency.map(Uuid::from),
        tenant.map(Uuid::from),
        namespace,
        name,
        k8s_uid
    )
    .fetch_optional(tx.connection())
    .await
    .map_err(missing_owner)?;
    row.map(|row| row.id).ok_or_else(|| StoreError::Conflict {
        what: format!("{kind} {namespace}/{name} is registered under another owner").into(),
    })
}

fn owners(
    kind: ResourceKind,
    agency: Option<AgencyId>,
    tenant: Option<TenantId>,
) -> Result<(Option<AgencyId>, Option<TenantId>), StoreError> {
    let invalid = |field, message: &str| Err(StoreError::Invalid { field, message: message.to_owned() });
    match (kind, agency, tenant) {
        (ResourceKind::Agency, Some(_), _) => invalid("agency", "an Agency has no owner: pass none"),
        (ResourceKind::Agency | ResourceKind::Tenant, _, Some(_)) => {
            invalid("tenant", "an Agency and a Tenant belong to no tenant: pass none")
        }
        (ResourceKind::Agency, None, None) => Ok((None, None)),
        (_, None, _) => invalid("agency", "this kind belongs to an agency: pass its id"),
        (ResourceKind::Tenant, Some(_), None) => Ok((agency, None)),
        (_, Some(_), None) => invalid("tenant", "this kind belongs to a tenant: pass its id"),
        (_, Some(_), Some(_)) => Ok((agency, tenant)),
    }
}

fn missing_owner(error: sqlx::Error) -> StoreError {
    match &error {
        sqlx::Error::Database(database) if database.is_foreign_key_violation() => {
            StoreError::NotFound { what: "the agency or tenant that owns this resource" }
        }
        _ => error.into(),
    }
}

/// Notes that the object is gone from the cluster; its history stays. Idempotent: the first time counts.
///
/// # Errors
/// [`StoreError::NotFound`].
pub async fn mark_deleted(tx: &mut ScopedTx, id: Uuid) -> Result<(), StoreError> {
    let changed = sqlx::query!(
        "UPDATE resources SET deleted_at = coalesce(deleted_at, now()), updated_at = now() WHERE id = $1",
        id
    )
    .execute(tx.connection())
    .await?;
    if changed.rows_affected() == 0 { Err(StoreError::NotFound { what: "resource" }) } else { Ok(()) }
}

/// Frees the name for a new id. The row stays for history that refers to it.
///
/// # Errors
/// [`StoreError::NotFound`] when there is no such deleted resource.
pub async fn purge(tx: &mut ScopedTx, id: Uuid) -> Result<(), StoreError> {
    let changed = sqlx::query!(
        "UPDATE resources SET purged_at = coalesce(purged_at, now()), updated_at = now()
         WHERE id = $1 AND deleted_at IS NOT NULL",
        id
    )
    .execute(tx.connection())
    .await?;
    if changed.rows_affected() == 0 { Err(StoreError::NotFound { what: "deleted resource" }) } else { Ok(()) }
}

struct Row {
    id: Uuid,
    kind: String,
    agency_id: Uuid,
    tenant_id: Option<Uuid>,
    namespace: String,
    name: String,
    k8s_uid: String,
    created_at: time::OffsetDateTime,
    deleted_at: Option<time::OffsetDateTime>,
}

impl TryFrom<Row> for Resource {
    type Error = StoreError;

    fn try_from(row: Row) -> Result<Self, StoreError> {
        Ok(Self {
            id: row.id,
            kind: row.kind.parse()?,
            agency: row.agency_id.into(),
            tenant: row.tenant_id.map(TenantId::from),
            namespace: row.namespace,
            name: row.name,
            k8s_uid: row.k8s_uid,
            created_at: timestamp::from_db(row.created_at)?,
            deleted_at: timestamp::from_db_opt(row.deleted_at)?,
        })
    }
}

/// The resource with this id, deleted or not.
///
/// # Errors
/// [`StoreError::Unavailable`], [`StoreError::Database`].
pub async fn get(tx: &mut ScopedTx, id: Uuid) -> Result<Option<Resource>, StoreError> {
    sqlx::query_as!(
        Row,
        "SELECT id, kind, agency_id, tenant_id, namespace, name, k8s_uid, created_at, deleted_at
         FROM resources WHERE id = $1",
        id
    )
    .fetch_optional(tx.connection())
    .await?
    .map(Resource::try_from)
    .transpose()
}

/// The unpurged resource of this kind, namespace and name, deleted or not.
///
/// # Errors
/// [`StoreError::Unavailable`], [`StoreError::Database`].
pub async fn find(
    tx: &mut ScopedTx,
    kind: ResourceKind,
    namespace: &str,
    name: &str,
) -> Result<Option<Resource>, StoreError> {
    sqlx::query_as!(
        Row,
        "SELECT id, kind, agency_id, tenant_id, namespace, name, k8s_uid, created_at, deleted_at
         FROM resources WHERE kind = $1 AND namespace = $2 AND name = $3 AND purged_at IS NULL",
        kind.as_str(),
        namespace,
        name
    )
    .fetch_optional(tx.connection())
    .await?
    .map(Resource::try_from)
    .transpose()
}

/// Whether this id belongs to a deleted object that the scope could see: the difference between 410 and 404.
///
/// # Errors
/// [`StoreError::Unavailable`], [`StoreError::Database`].
pub async fn was_deleted(tx: &mut ScopedTx, id: Uuid) -> Result<bool, StoreError> {
    Ok(get(tx, id).await?.is_some_and(|resource| resource.deleted_at.is_some()))
}
