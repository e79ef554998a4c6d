//! What a service finds out before it works.

use std::time::{Duration, Instant};

use sqlx::{AssertSqlSafe, Connection as _, PgConnection};
use voxplane_store::testing::TestDb;
use voxplane_store::{Db, DbOptions, Scope, StoreError, migrate, needed_schema_version};

async fn admin(test: &TestDb, statement: String) {
    let mut admin = PgConnection::connect(&test.admin_url()).await.unwrap();
    sqlx::raw_sql(AssertSqlSafe(statement)).execute(&mut admin).await.unwrap();
}

/// The login of the test database.
async fn login(test: &TestDb) -> String {
    let mut app = PgConnection::connect(&test.app_url()).await.unwrap();
    sqlx::query_scalar("SELECT current_user::text").fetch_one(&mut app).await.unwrap()
}

async fn refused(url: &str) -> String {
    let db = Db::connect(url, DbOptions::default()).await.unwrap();
    let ready = db.ready().await.unwrap_err();
    let begin = db.begin(&Scope::platform()).await.unwrap_err();
    assert!(matches!(ready, StoreError::RoleTooPowerful { .. }), "{ready:?}");
    assert_eq!(ready.to_string(), begin.to_string());
    assert!(!ready.is_retryable());
    ready.to_string()
}

#[tokio::test]
async fn a_role_that_could_ignore_the_policies_is_refused() {
    let test = TestDb::create().await;
    test.connect().await.unwrap().ready().await.unwrap();

    assert!(refused(&test.admin_url()).await.contains("superuser"));
    assert!(refused(&test.owner_url()).await.contains("owns tables"));

    let login = login(&test).await;
    admin(&test, format!("ALTER ROLE {login} BYPASSRLS")).await;
    assert!(refused(&test.app_url()).await.contains("BYPASSRLS"));
    admin(&test, format!("ALTER ROLE {login} NOBYPASSRLS")).await;
    admin(&test, format!("GRANT voxplane_owner TO {login}")).await;
    assert!(refused(&test.app_url()).await.contains("owns tables"));
    admin(&test, format!("REVOKE voxplane_owner FROM {login}")).await;
    test.connect().await.unwrap().ready().await.unwrap();
}

#[tokio::test]
async fn a_service_waits_for_the_schema_it_needs() {
    let test = TestDb::create().await;
    let db = test.connect().await.unwrap();
    db.ready().await.unwrap();
    admin(&test, format!("DELETE FROM _sqlx_migrations WHERE version = {}", needed_schema_version())).await;
    let error = db.ready().await.unwrap_err();
    assert!(matches!(error, StoreError::SchemaBehind { found, needed } if found + 1 == needed), "{error:?}");
    assert!(error.is_retryable());
    admin(&test, "DROP TABLE _sqlx_migrations".to_owned()).await;
    assert!(matches!(db.ready().await, Err(StoreError::SchemaBehind { found: 0, .. })));
}

#[tokio::test]
async fn migrating_is_repeatable_and_tolerates_a_newer_schema() {
    let test = TestDb::create().await;
    let version = needed_schema_version();
    let again = tokio::join!(migrate_now(&test), migrate_now(&test));
    assert_eq!(again, ((version, version), (version, version)));
    // A newer release was here and was rolled back.
    let newer = "INSERT INTO _sqlx_migrations VALUES (9999, 'later', now(), true, '\\x00', 0)";
    admin(&test, newer.to_owned()).await;
    assert_eq!(migrate_now(&test).await, (9999, 9999));
    test.connect().await.unwrap().ready().await.unwrap();
}

async fn migrate_now(test: &TestDb) -> (i64, i64) {
    let migrated = migrate(&test.owner_url()).await.unwrap();
    (migrated.from, migrated.to)
}

#[tokio::test]
async fn an_absent_server_is_unavailable_and_soon_known() {
    // Nothing listens on a port that was free a moment ago.
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let url = format!("postgres://voxplane_app:secret@127.0.0.1:{port}/voxplane");
    let options = DbOptions { acquire_timeout: Duration::from_millis(500), ..DbOptions::default() };
    let db = Db::connect(&url, options).await.unwrap();
    let started = Instant::now();
    let error = db.ready().await.unwrap_err();
    assert!(matches!(error, StoreError::Unavailable { .. }) && error.is_retryable(), "{error:?}");
    assert!(started.elapsed() < Duration::from_secs(5));
    assert!(!format!("{error:?}").contains("secret"));
}

#[tokio::test]
async fn without_the_data_key_calls_are_refused_and_the_rest_works() {
    let test = TestDb::create().await;
    let db = Db::connect(&test.app_url(), DbOptions::default()).await.unwrap();
    let tenant = test.tenant(&db, "acme", "dental").await.unwrap();
    let mut tx = db.begin(&Scope::platform()).await.unwrap();
    let error = voxplane_store::calls::create(&mut tx, super::support::new_call(&tenant)).await.unwrap_err();
    assert!(matches!(error, StoreError::Encryption(voxplane_store::EncryptionError::NoDataKey)), "{error:?}");
}
