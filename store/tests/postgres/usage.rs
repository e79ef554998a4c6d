//! Limits over time: minutes in a month, calls in an hour.

use sqlx::{Connection as _, PgConnection};
use voxplane_store::calls::{self, Admission, CallStatus, Limit, Limits};
use voxplane_store::testing::{TestDb, TestTenant};
use voxplane_store::{CallId, Db, Scope};

use super::support::{create_call, one_tenant};

const ROOM: Limits = Limits {
    agency_max: 100,
    tenant_max: 100,
    tenant_guaranteed: 0,
    other_guarantees: Vec::new(),
    agency_minutes: None,
    tenant_minutes: None,
    agent_hourly: None,
};

async fn admit(db: &Db, tenant: &TestTenant, limits: &Limits) -> (CallId, Admission) {
    let call = create_call(db, tenant).await;
    let mut tx = db.begin(&Scope::agency(tenant.agency)).await.unwrap();
    let admission = calls::admit(&mut tx, call, limits).await.unwrap();
    tx.commit().await.unwrap();
    (call, admission)
}

/// A call that was answered so long ago, by the database's clock; it has not ended.
async fn talking(test: &TestDb, db: &Db, tenant: &TestTenant, since: &str) -> CallId {
    let (call, admission) = admit(db, tenant, &ROOM).await;
    assert_eq!(admission, Admission::Admitted);
    let mut owner = PgConnection::connect(&test.owner_url()).await.unwrap();
    let mut tx = owner.begin().await.unwrap();
    sqlx::query("SELECT set_config('voxplane.platform', 'on', true)").execute(&mut *tx).await.unwrap();
    let answer =
        "UPDATE calls SET status = 'in_progress', answered_at = clock_timestamp() - $2::text::interval WHERE id = $1";
    sqlx::query(answer).bind(call.0).bind(since).execute(&mut *tx).await.unwrap();
    tx.commit().await.unwrap();
    call
}

async fn end(db: &Db, call: CallId) {
    let mut tx = db.begin(&Scope::platform()).await.unwrap();
    assert!(calls::end(&mut tx, call, "goodbye", CallStatus::Completed, None).await.unwrap());
    // A second end adds nothing.
    assert!(!calls::end(&mut tx, call, "goodbye", CallStatus::Completed, None).await.unwrap());
    tx.commit().await.unwrap();
}

/// (month, seconds) of a tenant.
async fn months(test: &TestDb, tenant: &TestTenant) -> Vec<(String, i64)> {
    let mut owner = PgConnection::connect(&test.owner_url()).await.unwrap();
    let mut tx = owner.begin().await.unwrap();
    sqlx::query("SELECT set_config('voxplane.platform', 'on', true)").execute(&mut *tx).await.unwrap();
    sqlx::query_as("SELECT month::text, seconds FROM usage_months WHERE tenant_id = $1 ORDER BY month")
        .bind(tenant.tenant.0)
        .fetch_all(&mut *tx)
        .await
        .unwrap()
}

#[tokio::test]
async fn minutes_of_this_month_count_those_of_earlier_ones_do_not() {
    let (test, db, tenant) = one_tenant().await;
    let minutes = |tenant_minutes| Limits { tenant_minutes: Some(tenant_minutes), ..ROOM };
    assert_eq!(admit(&db, &tenant, &minutes(0)).await.1, Admission::Refused(Limit::TenantMinutes), "none at all");

    let old = talking(&test, &db, &tenant, "40 days").await;
    assert_eq!(admit(&db, &tenant, &minutes(1)).await.1, Admission::Admitted, "it began in another month");
    end(&db, old).await;
    assert_eq!(admit(&db, &tenant, &minutes(1)).await.1, Admission::Admitted);

    let live = talking(&test, &db, &tenant, "0 seconds").await;
    assert_eq!(admit(&db, &tenant, &minutes(1)).await.1, Admission::Admitted);
    end(&db, live).await;
    let months = months(&test, &tenant).await;
    assert_eq!(months.len(), 2, "{months:?}");
    assert!(months[0].1 >= 40 * 86_400, "{months:?}");
    assert!((0..60).contains(&months[1].1), "{months:?}");
}

#[tokio::test]
async fn minutes_are_used_up_by_calls_that_ended_and_by_those_under_way() {
    let (test, db, tenant) = one_tenant().await;
    let sibling = test.tenant(&db, "acme", "garage").await.unwrap();
    let call = talking(&test, &db, &tenant, "0 seconds").await;
    // So that it does not depend on the day: as if this month had brought 119 seconds so far.
    let mut owner = PgConnection::connect(&test.owner_url()).await.unwrap();
    let mut tx = owner.begin().await.unwrap();
    sqlx::query("SELECT set_config('voxplane.platform', 'on', true)").execute(&mut *tx).await.unwrap();
    sqlx::query(
        "INSERT INTO usage_months (agency_id, tenant_id, month, seconds)
         VALUES ($1, $2, (date_trunc('month', now(), 'UTC') AT TIME ZONE 'UTC')::date, 119)",
    )
    .bind(tenant.agency.0)
    .bind(tenant.tenant.0)
    .execute(&mut *tx)
    .await
    .unwrap();
    tx.commit().await.unwrap();

    let own = Limits { tenant_minutes: Some(2), ..ROOM };
    let all = Limits { agency_minutes: Some(2), ..ROOM };
    assert_eq!(
        admit(&db, &tenant, &own).await.1,
        Admission::Refused(Limit::TenantMinutes),
        "the live call fills it up"
    );
    assert_eq!(admit(&db, &sibling, &own).await.1, Admission::Admitted, "its own quota is untouched");
    assert_eq!(admit(&db, &sibling, &all).await.1, Admission::Refused(Limit::AgencyMinutes));
    end(&db, call).await;
    assert_eq!(admit(&db, &tenant, &own).await.1, Admission::Refused(Limit::TenantMinutes));
    assert_eq!(admit(&db, &tenant, &Limits { tenant_minutes: Some(3), ..ROOM }).await.1, Admission::Admitted);
}

#[tokio::test]
async fn an_agent_takes_so_many_calls_in_an_hour_and_refused_ones_do_not_count() {
    let (_test, db, tenant) = one_tenant().await;
    let limits = Limits { agent_hourly: Some(2), ..ROOM };
    let (first, _) = admit(&db, &tenant, &limits).await;
    assert_eq!(admit(&db, &tenant, &limits).await.1, Admission::Admitted);
    for _ in 0..3 {
        assert_eq!(admit(&db, &tenant, &limits).await.1, Admission::Refused(Limit::AgentHourly));
    }
    end(&db, first).await;
    assert_eq!(
        admit(&db, &tenant, &limits).await.1,
        Admission::Refused(Limit::AgentHourly),
        "an end gives nothing back"
    );
    assert_eq!(admit(&db, &tenant, &Limits { agent_hourly: Some(3), ..ROOM }).await.1, Admission::Admitted);
}

#[tokio::test]
async fn who_was_refused_in_words_has_used_nothing() {
    let (test, db, tenant) = one_tenant().await;
    let call = talking(&test, &db, &tenant, "0 seconds").await;
    let mut tx = db.begin(&Scope::platform()).await.unwrap();
    calls::end(&mut tx, call, "refused", CallStatus::Busy, None).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(months(&test, &tenant).await, []);
    assert_eq!(admit(&db, &tenant, &Limits { agent_hourly: Some(1), ..ROOM }).await.1, Admission::Admitted);
}
