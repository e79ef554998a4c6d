//! On whose behalf a transaction runs.

use std::sync::Arc;

use sqlx::{PgConnection, Postgres, Transaction};

use crate::crypto::DataKey;
use crate::{AgencyId, EncryptionError, StoreError, TenantId};

/// Which rows a transaction may see and write. Row-level security enforces it; nothing else is visible.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Scope {
    /// Every row: the operator, the sweeper, call placement before the tenant is known.
    Platform,
    /// One agency and all its tenants.
    Agency(AgencyId),
    /// One tenant.
    Tenant(AgencyId, TenantId),
}

impl Scope {
    /// Every row.
    #[must_use]
    pub const fn platform() -> Self {
        Self::Platform
    }

    /// One agency and all its tenants.
    #[must_use]
    pub const fn agency(agency: AgencyId) -> Self {
        Self::Agency(agency)
    }

    /// One tenant.
    #[must_use]
    pub const fn tenant(agency: AgencyId, tenant: TenantId) -> Self {
        Self::Tenant(agency, tenant)
    }

    /// Values of `voxplane.platform`, `voxplane.agency_id` and `voxplane.tenant_id`; the policies read them.
    fn settings(self) -> (&'static str, String, String) {
        match self {
            Self::Platform => ("on", String::new(), String::new()),
            Self::Agency(agency) => ("off", agency.to_string(), "*".to_owned()),
            Self::Tenant(agency, tenant) => ("off", agency.to_string(), tenant.to_string()),
        }
    }
}

/// A transaction bound to a [`Scope`]. Dropping it without [`ScopedTx::commit`] rolls back.
#[derive(Debug)]
pub struct ScopedTx {
    tx: Transaction<'static, Postgres>,
    scope: Scope,
    data_key: Option<Arc<DataKey>>,
}

impl ScopedTx {
    pub(crate) async fn declare(
        mut tx: Transaction<'static, Postgres>,
        scope: Scope,
        data_key: Option<Arc<DataKey>>,
    ) -> Result<Self, StoreError> {
        let (platform, agency, tenant) = scope.settings();
        sqlx::query!(
            "SELECT set_config('voxplane.platform', $1, true) AS platform,
                    set_config('voxplane.agency_id', $2, true) AS agency,
                    set_config('voxplane.tenant_id', $3, true) AS tenant",
            platform,
            agency,
            tenant
        )
        .fetch_one(&mut *tx)
        .await?;
        Ok(Self { tx, scope, data_key })
    }

    /// What this transaction may see.
    #[must_use]
    pub const fn scope(&self) -> Scope {
        self.scope
    }

    /// Makes the changes durable and visible to others.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] when the outcome is unknown: the operation must be idempotent to be repeated.
    pub async fn commit(self) -> Result<(), StoreError> {
        Ok(self.tx.commit().await?)
    }

    /// Undoes the changes now; dropping does the same a little later.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] when the connection is lost; the server then rolls back by itself.
    pub async fn rollback(self) -> Result<(), StoreError> {
        Ok(self.tx.rollback().await?)
    }

    /// For statements of tests and tools that the repositories do not offer; the scope's policies apply to them too.
    pub fn connection(&mut self) -> &mut PgConnection {
        &mut self.tx
    }

    pub(crate) fn data_key(&self) -> Result<Arc<DataKey>, StoreError> {
        self.data_key.clone().ok_or(StoreError::Encryption(EncryptionError::NoDataKey))
    }

    /// Counting an agency's calls from a tenant's scope would count the tenant's only.
    pub(crate) fn needs_whole_agency(&self, agency: AgencyId) -> Result<(), StoreError> {
        match self.scope {
            Scope::Platform => Ok(()),
            Scope::Agency(own) if own == agency => Ok(()),
            _ => Err(StoreError::Scope { needed: "the call's agency or the platform" }),
        }
    }
}
