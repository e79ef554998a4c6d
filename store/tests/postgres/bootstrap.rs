//! Creating roles and database on a bare server.

use std::io::Write;
use std::sync::{Arc, Mutex};

use url::Url;
use uuid::Uuid;
use voxplane_store::{Db, DbOptions, RoleUrls, StoreError, bootstrap_roles, migrate};

/// Characters that need quoting in URLs and in SQL, and a word that stays readable however they are quoted.
const PASSWORD: &str = "p@ss/'\"\\word-hush";

/// Everything that is logged.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn a_superuser_url_is_all_it_takes() {
    let admin = Url::parse(&std::env::var(voxplane_store::testing::URL_ENV).unwrap()).unwrap();
    let database = format!("voxplane_bootstrap_{}", Uuid::new_v4().simple());
    let role = |user: &str| {
        let mut url = admin.clone();
        url.set_username(user).unwrap();
        url.set_password(Some(PASSWORD)).unwrap();
        url.set_path(&database);
        url.to_string()
    };
    let (owner, app, jobs) = (role("voxplane_owner"), role("voxplane_app"), role("voxplane_jobs"));
    let urls = RoleUrls { owner: &owner, app: &app, jobs: &jobs };

    let log = Log::default();
    let writer = log.clone();
    let subscriber =
        tracing_subscriber::fmt().with_max_level(tracing::Level::TRACE).with_writer(move || writer.clone()).finish();
    let logging = tracing::subscriber::set_default(subscriber);
    // Twice at once, and once more: replicas of a Job, and a retry.
    let both = tokio::join!(bootstrap_roles(admin.as_str(), &urls), bootstrap_roles(admin.as_str(), &urls));
    both.0.unwrap();
    both.1.unwrap();
    bootstrap_roles(admin.as_str(), &urls).await.unwrap();
    drop(logging);
    let log = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    assert!(log.contains("database role is in place"), "{log}");
    assert!(!log.contains("hush"), "a password was logged");

    let migrated = migrate(&owner).await.unwrap();
    assert_eq!(migrated.from, 0);
    for url in [&app, &jobs] {
        let db = Db::connect(url, DbOptions::default()).await.unwrap();
        db.ready().await.unwrap();
        db.close().await;
    }
    // The owner may not serve.
    let db = Db::connect(&owner, DbOptions::default()).await.unwrap();
    assert!(matches!(db.ready().await, Err(StoreError::RoleTooPowerful { .. })));
    db.close().await;

    let mut server = <sqlx::PgConnection as sqlx::Connection>::connect(admin.as_str()).await.unwrap();
    let drop = format!("DROP DATABASE {database} WITH (FORCE)");
    sqlx::raw_sql(sqlx::AssertSqlSafe(drop)).execute(&mut server).await.unwrap();
}
