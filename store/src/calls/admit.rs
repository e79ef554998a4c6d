//! Admission: quotas as a hierarchy, exact across replicas.

use std::collections::BTreeMap;

use uuid::Uuid;

use super::usage;
use crate::{CallId, ScopedTx, StoreError, TenantId};

/// How long to queue for the agency's turn before admission counts as unavailable; the whole of it has 1.5 s.
const LOCK_TIMEOUT: &str = "1000ms";

/// What may run at once, and in a month or an hour.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Limits {
    /// Calls of the whole agency.
    pub agency_max: i32,
    /// Calls of the tenant.
    pub tenant_max: i32,
    /// Calls the tenant gets even when its siblings are busy.
    pub tenant_guaranteed: i32,
    /// What is guaranteed to the agency's other tenants. Unused guarantees are kept free for them.
    pub other_guarantees: Vec<(TenantId, i32)>,
    /// Minutes of the whole agency in a calendar month (UTC); `None`: unlimited.
    pub agency_minutes: Option<i32>,
    /// Minutes of the tenant in a calendar month (UTC); `None`: unlimited.
    pub tenant_minutes: Option<i32>,
    /// Calls of the agent in 60 minutes; `None`: unlimited.
    pub agent_hourly: Option<i32>,
}

/// Which limit refused a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Limit {
    /// The agency's calls at once.
    Agency,
    /// The tenant's calls at once.
    Tenant,
    /// What is left of the agency's envelope is guaranteed to other tenants.
    Guarantees,
    /// The agency's minutes of this month.
    AgencyMinutes,
    /// The tenant's minutes of this month.
    TenantMinutes,
    /// The agent's calls of the last hour.
    AgentHourly,
}

impl Limit {
    /// A word for reasons and metric labels.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Agency => "agency_concurrent_calls",
            Self::Tenant => "tenant_concurrent_calls",
            Self::Guarantees => "guaranteed_to_other_tenants",
            Self::AgencyMinutes => "agency_monthly_minutes",
            Self::TenantMinutes => "tenant_monthly_minutes",
            Self::AgentHourly => "agent_calls_per_hour",
        }
    }
}

/// The outcome of [`admit`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Admission {
    /// The call holds a slot until [`free_slot`](super::free_slot).
    Admitted,
    /// The call holds nothing.
    Refused(Limit),
}

/// Gives a call a slot if the limits allow it. Asking again for an admitted call answers the same.
///
/// Admissions of one agency take turns, so the limits hold exactly whichever replica asks; a turn lasts until the
/// transaction ends, so commit at once. The scope must see the whole agency.
///
/// # Errors
/// [`StoreError::Unavailable`] when no turn comes within a second; [`StoreError::NotFound`]; [`StoreError::Conflict`]
/// when the call has ended; [`StoreError::Scope`].
pub async fn admit(tx: &mut ScopedTx, call: CallId, limits: &Limits) -> Result<Admission, StoreError> {
    let row = sqlx::query!(r#"SELECT agency_id, tenant_id, agent_id FROM calls WHERE id = $1"#, call.0)
        .fetch_optional(tx.connection())
        .await?
        .ok_or(StoreError::NotFound { what: "call" })?;
    tx.needs_whole_agency(row.agency_id.into())?;
    sqlx::query!("SELECT set_config('lock_timeout', $1, true)", LOCK_TIMEOUT).fetch_one(tx.connection()).await?;
    sqlx::query!(
        "SELECT pg_advisory_xact_lock(hashtextextended('voxplane.admission.' || $1::uuid::text, 0))",
        row.agency_id
    )
    .fetch_one(tx.connection())
    .await?;
    // From here on a new snapshot: everything earlier turns have committed is visible.
    let call_now = sqlx::query!(
        r#"SELECT admitted_at IS NOT NULL AS "admitted!", ended_at IS NOT NULL AS "ended!"
           FROM calls WHERE id = $1 FOR UPDATE"#,
        call.0
    )
    .fetch_one(tx.connection())
    .await?;
    if call_now.ended {
        return Err(StoreError::Conflict { what: "the call has ended".into() });
    }
    if call_now.admitted {
        return Ok(Admission::Admitted);
    }
    let active = slots_in_use(tx, row.agency_id).await?;
    if let Err(limit) = decide(&active, row.tenant_id.into(), limits) {
        return Ok(Admission::Refused(limit));
    }
    if let Some(limit) = used_up(tx, row.agency_id, row.tenant_id, row.agent_id, limits).await? {
        return Ok(Admission::Refused(limit));
    }
    sqlx::query!("UPDATE calls SET admitted_at = clock_timestamp() WHERE id = $1", call.0)
        .execute(tx.connection())
        .await?;
    Ok(Admission::Admitted)
}

async fn slots_in_use(tx: &mut ScopedTx, agency: Uuid) -> Result<BTreeMap<TenantId, i64>, StoreError> {
    let rows = sqlx::query!(
        r#"SELECT tenant_id, count(*) AS "calls!" FROM calls
           WHERE agency_id = $1 AND admitted_at IS NOT NULL AND slot_freed_at IS NULL GROUP BY tenant_id"#,
        agency
    )
    .fetch_all(tx.connection())
    .await?;
    Ok(rows.into_iter().map(|row| (row.tenant_id.into(), row.calls)).collect())
}

/// The first of the limits over time that has nothing left. What is unlimited is not counted.
async fn used_up(
    tx: &mut ScopedTx,
    agency: Uuid,
    tenant: Uuid,
    agent: Uuid,
    limits: &Limits,
) -> Result<Option<Limit>, StoreError> {
    if let Some(most) = limits.agent_hourly
        && usage::calls_in_an_hour(tx, agent, most).await? >= i64::from(most)
    {
        return Ok(Some(Limit::AgentHourly));
    }
    if limits.agency_minutes.or(limits.tenant_minutes).is_none() {
        return Ok(None);
    }
    let month = usage::this_month(tx, agency, tenant).await?;
    let over = |seconds: i64, minutes: Option<i32>| minutes.is_some_and(|minutes| seconds >= i64::from(minutes) * 60);
    Ok(if over(month.tenant_seconds, limits.tenant_minutes) {
        Some(Limit::TenantMinutes)
    } else if over(month.agency_seconds, limits.agency_minutes) {
        Some(Limit::AgencyMinutes)
    } else {
        None
    })
}

/// Whether one more call of `tenant` fits, given the slots in use per tenant of its agency.
fn decide(active: &BTreeMap<TenantId, i64>, tenant: TenantId, limits: &Limits) -> Result<(), Limit> {
    let used = |tenant: &TenantId| active.get(tenant).copied().unwrap_or(0);
    let own = used(&tenant);
    if own >= i64::from(limits.tenant_max) {
        return Err(Limit::Tenant);
    }
    let free = i64::from(limits.agency_max) - active.values().sum::<i64>();
    if free <= 0 {
        return Err(Limit::Agency);
    }
    if own < i64::from(limits.tenant_guaranteed) {
        return Ok(());
    }
    let kept_for_others: i64 = limits
        .other_guarantees
        .iter()
        .filter(|(other, _)| *other != tenant)
        .map(|(other, guaranteed)| (i64::from(*guaranteed) - used(other)).max(0))
        .sum();
    if free > kept_for_others { Ok(()) } else { Err(Limit::Guarantees) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn tenants(count: usize) -> Vec<TenantId> {
        (0..count).map(|_| TenantId::new()).collect()
    }

    fn limits(agency_max: i32, tenant_max: i32, tenant_guaranteed: i32) -> Limits {
        Limits { agency_max, tenant_max, tenant_guaranteed, ..Limits::default() }
    }

    #[test]
    fn the_first_limit_in_the_way_is_named() {
        let ids = tenants(2);
        let active = BTreeMap::from([(ids[0], 2), (ids[1], 3)]);
        assert_eq!(decide(&active, ids[0], &limits(10, 2, 0)), Err(Limit::Tenant));
        assert_eq!(decide(&active, ids[0], &limits(5, 3, 0)), Err(Limit::Agency));
        assert_eq!(decide(&active, ids[0], &limits(6, 3, 0)), Ok(()));
        assert_eq!(decide(&BTreeMap::new(), ids[0], &limits(1, 0, 0)), Err(Limit::Tenant));
    }

    #[test]
    fn unused_guarantees_are_kept_for_their_tenants() {
        let ids = tenants(3);
        let active = BTreeMap::from([(ids[0], 2), (ids[1], 1)]);
        let mut limits = limits(6, 10, 0);
        limits.other_guarantees = vec![(ids[1], 2), (ids[2], 2)];
        // 3 of 6 are in use and 3 are kept (1 + 2).
        assert_eq!(decide(&active, ids[0], &limits), Err(Limit::Guarantees));
        limits.tenant_guaranteed = 3;
        assert_eq!(decide(&active, ids[0], &limits), Ok(()));
    }

    proptest! {
        /// Whatever the order of arrivals, no limit is exceeded and no tenant is denied what it is guaranteed.
        #[test]
        fn limits_and_guarantees_hold_in_any_order(
            arrivals in prop::collection::vec(0usize..4, 0..60),
            guarantees in prop::collection::vec(0i32..4, 4),
            spare in 0i32..5,
            tenant_max in 1i32..8,
        ) {
            let ids = tenants(4);
            let guarantees: Vec<i32> = guarantees.iter().map(|guaranteed| (*guaranteed).min(tenant_max)).collect();
            let agency_max = guarantees.iter().sum::<i32>() + spare;
            let mut active = BTreeMap::new();
            for arrival in arrivals {
                let tenant = ids[arrival];
                let limits = Limits {
                    agency_max,
                    tenant_max,
                    tenant_guaranteed: guarantees[arrival],
                    other_guarantees: ids.iter().copied().zip(guarantees.iter().copied()).collect(),
                    ..Limits::default()
                };
                let own = active.get(&tenant).copied().unwrap_or(0);
                match decide(&active, tenant, &limits) {
                    Ok(()) => *active.entry(tenant).or_insert(0) += 1,
                    Err(_) => prop_assert!(own >= i64::from(guarantees[arrival]), "a guarantee was denied"),
                }
                prop_assert!(active.values().sum::<i64>() <= i64::from(agency_max));
                prop_assert!(active.values().all(|calls| *calls <= i64::from(tenant_max)));
            }
        }
    }
}
