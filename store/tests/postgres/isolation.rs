//! Row-level security, by statements that ask for everything as the application's role.

use serde_json::json;
use sqlx::{AssertSqlSafe, Connection as _, PgConnection};
use uuid::Uuid;
use voxplane_store::calls::{self, CallFilter, CallStatus, Limits, Page};
use voxplane_store::commands::{self, NewCommand};
use voxplane_store::events::{self, Durability};
use voxplane_store::knowledge::{self, embeddings};
use voxplane_store::number_orders::{self, NewNumberOrder};
use voxplane_store::testing::{TestDb, TestTenant};
use voxplane_store::{CommandId, Db, Scope, ScopedTx, StoreError, keys, resources};

use super::support::{create_call, new_call, open_session, place};

/// Every table with customer data.
const TABLES: [&str; 12] = [
    "resources",
    "calls",
    "call_keys",
    "call_epochs",
    "call_events",
    "call_commands",
    "runtime_sessions",
    "knowledge_documents",
    "knowledge_chunks",
    "knowledge_embeddings",
    "number_orders",
    "usage_months",
];

struct World {
    test: TestDb,
    db: Db,
    /// acme/dental, acme/garage, other/dental
    tenants: [TestTenant; 3],
}

/// Three tenants of two agencies, each with rows in every table.
async fn world() -> World {
    let test = TestDb::create().await;
    let db = test.connect().await.unwrap();
    let tenants = [
        test.tenant(&db, "acme", "dental").await.unwrap(),
        test.tenant(&db, "acme", "garage").await.unwrap(),
        test.tenant(&db, "other", "dental").await.unwrap(),
    ];
    for (index, tenant) in tenants.iter().enumerate() {
        let call = create_call(&db, tenant).await;
        let pod = format!("pod-{index}");
        let session = open_session(&db, tenant, &pod).await;
        place(&db, tenant, call, &pod, session, 1).await;
        spoken_call(&db, tenant).await;
        let mut tx = db.begin(&Scope::tenant(tenant.agency, tenant.tenant)).await.unwrap();
        events::record(&mut tx, call, "call.created", Durability::Soon, json!({})).await.unwrap();
        let command = NewCommand {
            id: CommandId::new(),
            call,
            kind: "hang_up".to_owned(),
            payload: json!({}),
            expires_in: super::support::LEASE,
        };
        commands::enqueue(&mut tx, &command).await.unwrap();
        let passages = super::knowledge::chunks(&["We are open on Saturday."]);
        knowledge::replace_source(&mut tx, tenant.knowledge_base, "hours", "h1", &passages).await.unwrap();
        let embedded = [(passages[0].hash.clone(), vec![0.05; 384])];
        embeddings::put(&mut tx, tenant.knowledge_base, super::embeddings::MODEL, &embedded).await.unwrap();
        // Any resource of the tenant will do.
        let order = NewNumberOrder {
            agency: tenant.agency,
            tenant: tenant.tenant,
            resource: tenant.agent.0,
            carrier: "main".to_owned(),
            search: None,
            number: Some(format!("+1555010{index}")),
        };
        number_orders::open(&mut tx, &order).await.unwrap();
        tx.commit().await.unwrap();
    }
    World { test, db, tenants }
}

/// A call that was answered and is over: its minutes are counted.
async fn spoken_call(db: &Db, tenant: &TestTenant) {
    let call = create_call(db, tenant).await;
    let mut tx = db.begin(&Scope::agency(tenant.agency)).await.unwrap();
    let room = Limits { agency_max: 9, tenant_max: 9, ..Limits::default() };
    calls::admit(&mut tx, call, &room).await.unwrap();
    assert!(calls::answered(&mut tx, call, 0).await.unwrap());
    assert!(calls::end(&mut tx, call, "goodbye", CallStatus::Completed, None).await.unwrap());
    tx.commit().await.unwrap();
}

/// The distinct owners of all rows a connection sees in a table.
async fn owners(connection: &mut PgConnection, table: &str) -> Vec<(Uuid, Option<Uuid>)> {
    let query = AssertSqlSafe(format!("SELECT DISTINCT agency_id, tenant_id FROM {table} ORDER BY 1, 2"));
    sqlx::query_as(query).fetch_all(connection).await.unwrap()
}

async fn seen(tx: &mut ScopedTx, table: &str) -> Vec<(Uuid, Option<Uuid>)> {
    owners(tx.connection(), table).await
}

#[tokio::test]
async fn without_a_scope_there_are_no_rows() {
    let world = world().await;
    let mut connection = PgConnection::connect(&world.test.app_url()).await.unwrap();
    for table in TABLES {
        assert_eq!(owners(&mut connection, table).await, [], "{table}");
    }
    // An agency alone, without a tenant, is not a scope either.
    let agency = format!("SET voxplane.agency_id = '{}'", world.tenants[0].agency);
    sqlx::raw_sql(AssertSqlSafe(agency)).execute(&mut connection).await.unwrap();
    for table in TABLES {
        assert_eq!(owners(&mut connection, table).await, [], "{table}");
    }
    // The positive control: the rows are there.
    let mut tx = world.db.begin(&Scope::platform()).await.unwrap();
    for table in TABLES {
        let tenants = seen(&mut tx, table).await.iter().filter(|(_, tenant)| tenant.is_some()).count();
        assert_eq!(tenants, 3, "{table}");
    }
}

#[tokio::test]
async fn a_tenant_sees_itself_and_an_agency_its_tenants() {
    let world = world().await;
    let [dental, garage, _] = world.tenants;
    let mut tx = world.db.begin(&Scope::tenant(dental.agency, dental.tenant)).await.unwrap();
    for table in TABLES {
        assert_eq!(seen(&mut tx, table).await, [(dental.agency.0, Some(dental.tenant.0))], "{table}");
    }
    drop(tx);
    let mut tx = world.db.begin(&Scope::agency(dental.agency)).await.unwrap();
    for table in TABLES {
        let mut tenants: Vec<_> = seen(&mut tx, table).await;
        assert!(tenants.iter().all(|(agency, _)| *agency == dental.agency.0), "{table}");
        tenants.retain(|(_, tenant)| tenant.is_some());
        let mut expected = [(dental.agency.0, Some(dental.tenant.0)), (dental.agency.0, Some(garage.tenant.0))];
        expected.sort();
        assert_eq!(tenants, expected, "{table}");
    }
    drop(tx);
    // A tenant named together with a foreign agency is nobody.
    let mut tx = world.db.begin(&Scope::tenant(world.tenants[2].agency, dental.tenant)).await.unwrap();
    for table in TABLES {
        assert_eq!(seen(&mut tx, table).await, [], "{table}");
    }
}

#[tokio::test]
async fn a_scope_does_not_outlive_its_transaction() {
    let world = world().await;
    let options = voxplane_store::DbOptions { max_connections: 1, ..Default::default() };
    let db = world.test.connect_with(options).await.unwrap();
    db.begin(&Scope::platform()).await.unwrap().commit().await.unwrap();
    let dental = world.tenants[0];
    let mut tx = db.begin(&Scope::tenant(dental.agency, dental.tenant)).await.unwrap();
    assert_eq!(seen(&mut tx, "calls").await.len(), 1);
}

#[tokio::test]
async fn nobody_writes_into_another_tenant() {
    let world = world().await;
    let [dental, garage, _] = world.tenants;
    let scope = Scope::tenant(dental.agency, dental.tenant);

    let mut tx = world.db.begin(&scope).await.unwrap();
    let error = calls::create(&mut tx, new_call(&garage)).await.unwrap_err();
    assert!(matches!(error, StoreError::Database { .. }), "{error:?}");
    drop(tx);

    // Updating everything touches the own rows only.
    let mut tx = world.db.begin(&scope).await.unwrap();
    let changed = sqlx::query("UPDATE calls SET end_reason = 'mine'").execute(tx.connection()).await.unwrap();
    assert_eq!(changed.rows_affected(), 2);
    let deleted = sqlx::query("DELETE FROM knowledge_documents").execute(tx.connection()).await.unwrap();
    assert_eq!(deleted.rows_affected(), 1);
    drop(tx);

    // Moving a row to another tenant is refused.
    let mut tx = world.db.begin(&scope).await.unwrap();
    let moved = sqlx::query("UPDATE knowledge_documents SET tenant_id = $1")
        .bind(garage.tenant.0)
        .execute(tx.connection())
        .await;
    assert!(moved.is_err());
    drop(tx);

    // Even where the scope would allow it, the keys do not: a tenant's call cannot have another tenant's agent.
    let mut tx = world.db.begin(&Scope::platform()).await.unwrap();
    let mut call = new_call(&dental);
    call.agent = garage.agent;
    let error = calls::create(&mut tx, call).await.unwrap_err();
    assert!(matches!(error, StoreError::NotFound { what: "voice agent of this tenant" }), "{error:?}");
}

#[tokio::test]
async fn repositories_answer_not_found_for_foreign_rows() {
    let world = world().await;
    let [dental, garage, _] = world.tenants;
    let foreign = create_call(&world.db, &garage).await;
    let mut tx = world.db.begin(&Scope::tenant(dental.agency, dental.tenant)).await.unwrap();
    assert!(matches!(calls::get(&mut tx, foreign).await, Err(StoreError::NotFound { .. })));
    assert!(matches!(events::list(&mut tx, foreign, None, 10).await, Err(StoreError::NotFound { .. })));
    assert!(matches!(keys::destroy(&mut tx, foreign).await, Err(StoreError::NotFound { .. })));
    assert!(resources::get(&mut tx, garage.agent.0).await.unwrap().is_none());
    let found = knowledge::search(&mut tx, &[garage.knowledge_base], "saturday", 3).await.unwrap();
    assert_eq!(found, []);
    let page = Page::Offset { offset: 0, limit: 10 };
    let filter = CallFilter { tenant: Some(garage.tenant), ..CallFilter::default() };
    assert_eq!(calls::list(&mut tx, &filter, page).await.unwrap().total, 0);
    let mine = calls::list(&mut tx, &CallFilter::default(), page).await.unwrap();
    assert_eq!(mine.calls.iter().map(|call| call.tenant).collect::<Vec<_>>(), [dental.tenant; 2]);
}

#[tokio::test]
async fn partitions_and_key_material_have_no_side_door() {
    let world = world().await;
    let mut tx = world.db.begin(&Scope::platform()).await.unwrap();
    let partitions: Vec<String> = sqlx::query_scalar(
        "SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = 'call_events'::regclass",
    )
    .fetch_all(tx.connection())
    .await
    .unwrap();
    assert!(partitions.len() >= 5, "{partitions:?}");
    drop(tx);
    let mut connection = PgConnection::connect(&world.test.app_url()).await.unwrap();
    for statement in [
        format!("SELECT * FROM {}", partitions[0]),
        "DELETE FROM call_events".to_owned(),
        "DELETE FROM resources".to_owned(),
        "ALTER TABLE calls DISABLE ROW LEVEL SECURITY".to_owned(),
        "DROP POLICY calls_scope ON calls".to_owned(),
        "CREATE TABLE mine (id integer)".to_owned(),
        "SET ROLE voxplane_owner".to_owned(),
    ] {
        let result = sqlx::raw_sql(AssertSqlSafe(statement.clone())).execute(&mut connection).await;
        let error = result.err().unwrap_or_else(|| panic!("allowed: {statement}")).to_string();
        assert!(error.contains("permission denied") || error.contains("must be owner"), "{statement}: {error}");
    }
}

#[tokio::test]
async fn what_is_stored_of_a_call_shows_no_number_and_no_words() {
    let world = world().await;
    let mut tx = world.db.begin(&Scope::platform()).await.unwrap();
    for table in ["calls", "call_keys", "call_epochs", "call_events", "call_commands"] {
        let query = AssertSqlSafe(format!("SELECT coalesce(string_agg(t::text, ' '), '') FROM {table} t"));
        let text: String = sqlx::query_scalar(query).fetch_one(tx.connection()).await.unwrap();
        assert!(!text.is_empty());
        // Bytes are printed in hex.
        for canary in ["+15550100", "+15550199"] {
            let hex: String = canary.bytes().map(|byte| format!("{byte:02x}")).collect();
            assert!(!text.contains(canary) && !text.contains(&hex), "{table} shows {canary}");
        }
    }
}
