//! A fresh, migrated database per test, on a real Postgres.
//!
//! `VOXPLANE_TEST_DATABASE_URL` is a superuser of a server that is used for tests only. Every [`TestDb`] has a database
//! and a login of its own, so tests run in parallel; both are dropped with it.

use std::sync::mpsc;
use std::time::Duration;

use sqlx::{AssertSqlSafe, Connection as _, PgConnection};
use url::Url;
use uuid::Uuid;

use crate::{AgencyId, AgentId, DataKey, Db, DbOptions, KnowledgeBaseId, Scope, StoreError, TenantId};
use crate::{migrate, resources};

/// The environment variable with the superuser's URL.
pub const URL_ENV: &str = "VOXPLANE_TEST_DATABASE_URL";

/// How long a test waits for its database to be gone.
const PATIENCE: Duration = Duration::from_millis(500);

/// A database of one test.
#[derive(Debug)]
pub struct TestDb {
    name: String,
    admin: Url,
    app: Url,
    data_key: String,
}

/// An agency with a tenant, an agent and a knowledge base, registered.
#[derive(Debug, Clone, Copy)]
pub struct TestTenant {
    /// The agency.
    pub agency: AgencyId,
    /// The tenant.
    pub tenant: TenantId,
    /// An agent of the tenant.
    pub agent: AgentId,
    /// A knowledge base of the tenant.
    pub knowledge_base: KnowledgeBaseId,
}

impl TestDb {
    /// Creates and migrates a database. Panics with what is missing, as a test should.
    ///
    /// # Panics
    /// When `VOXPLANE_TEST_DATABASE_URL` is unset or the server cannot be used.
    #[allow(clippy::panic, reason = "a test helper fails by panicking")]
    pub async fn create() -> Self {
        match Self::try_create().await {
            Ok(db) => db,
            Err(error) => {
                panic!("cannot create a test database: {}", voxplane_platform::error_chain::describe(&error))
            }
        }
    }

    async fn try_create() -> Result<Self, StoreError> {
        let admin = std::env::var(URL_ENV).ok().and_then(|url| Url::parse(&url).ok()).ok_or_else(|| {
            let message = "must be the URL of a superuser of a Postgres used for tests only".to_owned();
            StoreError::Invalid { field: URL_ENV, message }
        })?;
        let name = format!("voxplane_test_{}", Uuid::new_v4().simple());
        let password = Uuid::new_v4().simple().to_string();
        let mut server = PgConnection::connect(admin.as_str()).await?;
        // The name and the password are ours: letters, digits and underscores.
        let statements = [
            "DO $$ BEGIN
                 PERFORM pg_advisory_xact_lock(hashtextextended('voxplane.bootstrap', 0));
                 IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'voxplane_owner') THEN
                     CREATE ROLE voxplane_owner;
                 END IF;
                 IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'voxplane_app') THEN
                     CREATE ROLE voxplane_app;
                 END IF;
                 IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'voxplane_jobs') THEN
                     CREATE ROLE voxplane_jobs;
                 END IF;
             END $$"
                .to_owned(),
            format!("CREATE ROLE {name} LOGIN PASSWORD '{password}' IN ROLE voxplane_app"),
            format!("CREATE DATABASE {name} OWNER voxplane_owner"),
        ];
        for statement in statements {
            sqlx::raw_sql(AssertSqlSafe(statement)).execute(&mut server).await?;
        }
        server.close().await?;

        let db = Self {
            app: with(&admin, &name, Some((&name, &password))),
            admin: with(&admin, &name, None),
            name,
            data_key: DataKey::generate_base64(),
        };
        // As `bootstrap` does; no owner of a database may.
        let mut own = PgConnection::connect(db.admin.as_str()).await?;
        sqlx::raw_sql("CREATE EXTENSION IF NOT EXISTS vector").execute(&mut own).await?;
        own.close().await?;
        migrate(&db.owner_url()).await?;
        Ok(db)
    }

    /// A URL that works as `voxplane_owner`.
    #[must_use]
    pub fn owner_url(&self) -> String {
        let mut url = self.admin.clone();
        url.query_pairs_mut().append_pair("options[role]", "voxplane_owner");
        url.into()
    }

    /// A URL that works with the rights of `voxplane_app`.
    #[must_use]
    pub fn app_url(&self) -> String {
        self.app.to_string()
    }

    /// The superuser's URL for this database.
    #[must_use]
    pub fn admin_url(&self) -> String {
        self.admin.to_string()
    }

    /// The data key of this database, base64.
    #[must_use]
    pub fn data_key(&self) -> &str {
        &self.data_key
    }

    /// A pool with the rights of `voxplane_app`, as another replica would have.
    ///
    /// # Errors
    /// Never in practice; tests unwrap.
    pub async fn connect(&self) -> Result<Db, StoreError> {
        self.connect_with(DbOptions::default()).await
    }

    /// As [`TestDb::connect`], with options; the data key is added.
    ///
    /// # Errors
    /// Never in practice; tests unwrap.
    pub async fn connect_with(&self, options: DbOptions) -> Result<Db, StoreError> {
        let data_key = DataKey::from_base64(&self.data_key)?;
        Db::connect(self.app.as_str(), DbOptions { data_key: Some(data_key), ..options }).await
    }

    /// Registers `<agency>` with `<tenant>`, an agent `agent` and a knowledge base `knowledge`.
    ///
    /// # Errors
    /// As [`resources::register`].
    pub async fn tenant(&self, db: &Db, agency: &str, tenant: &str) -> Result<TestTenant, StoreError> {
        use resources::ResourceKind as Kind;
        let mut tx = db.begin(&Scope::platform()).await?;
        let agency_id: AgencyId =
            resources::register(&mut tx, Kind::Agency, "", agency, "uid", None, None).await?.into();
        let namespace = format!("vx-{agency}");
        let tenant_id: TenantId =
            resources::register(&mut tx, Kind::Tenant, &namespace, tenant, "uid", Some(agency_id), None).await?.into();
        let namespace = format!("{namespace}--{tenant}");
        let mut register = async |kind, name| {
            resources::register(&mut tx, kind, &namespace, name, "uid", Some(agency_id), Some(tenant_id)).await
        };
        let agent = register(Kind::VoiceAgent, "agent").await?.into();
        let knowledge_base = register(Kind::KnowledgeBase, "knowledge").await?.into();
        tx.commit().await?;
        Ok(TestTenant { agency: agency_id, tenant: tenant_id, agent, knowledge_base })
    }
}

/// The same server with another database and, if given, another login.
fn with(url: &Url, database: &str, login: Option<(&str, &str)>) -> Url {
    let mut url = url.clone();
    url.set_path(database);
    if let Some((user, password)) = login {
        // Err only for URLs without a host, and this one has been connected to.
        let _ = url.set_username(user);
        let _ = url.set_password(Some(password));
    }
    url
}

impl Drop for TestDb {
    fn drop(&mut self) {
        let (name, mut server) = (self.name.clone(), self.admin.clone());
        server.set_path("postgres");
        // Dropping happens inside a test's runtime, where blocking on a future is not allowed.
        let (done, dropped) = mpsc::channel();
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().ok()?;
            let result = runtime.block_on(async {
                let mut server = PgConnection::connect(server.as_str()).await.ok()?;
                // Pools of the test log in again as soon as they are thrown out.
                let statements = [
                    format!("ALTER DATABASE {name} ALLOW_CONNECTIONS false"),
                    format!("DROP DATABASE {name} WITH (FORCE)"),
                    format!("DROP ROLE {name}"),
                ];
                for statement in statements {
                    sqlx::raw_sql(AssertSqlSafe(statement)).execute(&mut server).await.ok()?;
                }
                server.close().await.ok()
            });
            done.send(result.is_some()).ok()
        });
        // A pool that is logging in while this thread, and so its runtime, stands still here keeps Postgres waiting for
        // a password, and the drop waits for that login: a minute, Postgres's limit. It goes on as soon as we do.
        if dropped.recv_timeout(PATIENCE) == Ok(false) {
            tracing::warn!(database = self.name, "the test database could not be dropped");
        }
    }
}
