//! Creating the roles and the database, for installations that hand us a superuser once.

use percent_encoding::percent_decode_str;
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _, PgConnection};
use url::Url;
use voxplane_platform::redact::Redacted;

use crate::StoreError;
use crate::db::parse_url;

/// The URLs the services will use. User names are fixed; all name the same database.
#[derive(Debug, Clone, Copy)]
pub struct RoleUrls<'a> {
    /// Owns the schema and runs migrations: user `voxplane_owner`.
    pub owner: &'a str,
    /// The operator and the API: user `voxplane_app`.
    pub app: &'a str,
    /// Background jobs: user `voxplane_jobs`.
    pub jobs: &'a str,
}

struct Login {
    role: &'static str,
    password: Redacted<String>,
    database: String,
}

/// Creates the database and its roles, or sets the roles' passwords to those of the URLs. Idempotent.
///
/// `admin_url` is a superuser of the server; it is used for nothing else.
///
/// # Errors
/// [`StoreError::Invalid`] names the URL that is wrong; [`StoreError::Unavailable`]; [`StoreError::Database`] when the
/// admin lacks a right.
pub async fn bootstrap_roles(admin_url: &str, urls: &RoleUrls<'_>) -> Result<(), StoreError> {
    let logins = [
        login("owner database URL", "voxplane_owner", urls.owner)?,
        login("database URL", "voxplane_app", urls.app)?,
        login("jobs database URL", "voxplane_jobs", urls.jobs)?,
    ];
    let database = logins[0].database.clone();
    if logins.iter().any(|login| login.database != database) {
        let message = "the owner, app and jobs URLs must name the same database".to_owned();
        return Err(StoreError::Invalid { field: "database URLs", message });
    }
    let admin = parse_url("admin database URL", admin_url)?
        .application_name("voxplane-bootstrap")
        // The statements carry passwords. sqlx would log all of them at debug, and slow ones as a warning.
        .disable_statement_logging();

    let mut server = PgConnection::connect_with(&admin).await?;
    create_roles(&mut server, &logins).await?;
    create_database(&mut server, &database).await?;
    server.close().await?;

    let mut inside = PgConnection::connect_with(&admin.database(&database)).await?;
    prepare_database(&mut inside, &database).await?;
    inside.close().await?;
    Ok(())
}

fn login(field: &'static str, role: &'static str, url: &str) -> Result<Login, StoreError> {
    let invalid = |message: String| StoreError::Invalid { field, message };
    parse_url(field, url)?;
    let parsed = Url::parse(url).map_err(|_| invalid("is not a valid URL".to_owned()))?;
    if parsed.username() != role {
        return Err(invalid(format!("its user must be {role}")));
    }
    let decode = |text: &str| percent_decode_str(text).decode_utf8_lossy().into_owned();
    let password = parsed.password().filter(|password| !password.is_empty());
    let password = password.ok_or_else(|| invalid(format!("it must carry the password of {role}")))?;
    let database = decode(parsed.path().trim_start_matches('/'));
    if database.is_empty() {
        return Err(invalid("it must name a database: postgres://user:password@host:5432/DATABASE".to_owned()));
    }
    Ok(Login { role, password: Redacted::new(decode(password)), database })
}

async fn create_roles(server: &mut PgConnection, logins: &[Login]) -> Result<(), StoreError> {
    let mut tx = server.begin().await?;
    // Two bootstraps at once would both find a role missing. The second waits here.
    sqlx::query!("SELECT pg_advisory_xact_lock(hashtextextended('voxplane.bootstrap', 0))").fetch_one(&mut *tx).await?;
    // The statements below carry passwords; keep them out of the server's log.
    sqlx::raw_sql("SET LOCAL log_statement = 'none'; SET LOCAL log_min_error_statement = 'panic'")
        .execute(&mut *tx)
        .await?;
    for login in logins {
        // Role names and passwords cannot be parameters; the server quotes them for us.
        let statement = sqlx::query_scalar!(
            r#"SELECT format('%s ROLE %I LOGIN PASSWORD %L',
                             CASE WHEN EXISTS (SELECT FROM pg_roles WHERE rolname = $1) THEN 'ALTER' ELSE 'CREATE' END,
                             $1, $2::text) AS "statement!""#,
            login.role,
            login.password.expose()
        )
        .fetch_one(&mut *tx)
        .await?;
        sqlx::raw_sql(AssertSqlSafe(statement)).execute(&mut *tx).await?;
        tracing::info!(role = login.role, "database role is in place");
    }
    Ok(tx.commit().await?)
}

async fn create_database(server: &mut PgConnection, database: &str) -> Result<(), StoreError> {
    let exists = async |server: &mut PgConnection| {
        sqlx::query_scalar!(r#"SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1) AS "exists!""#, database)
            .fetch_one(server)
            .await
    };
    if !exists(&mut *server).await? {
        let create = sqlx::query_scalar!(
            r#"SELECT format('CREATE DATABASE %I OWNER voxplane_owner', $1::text) AS "statement!""#,
            database
        )
        .fetch_one(&mut *server)
        .await?;
        // CREATE DATABASE cannot run in a transaction, hence under no lock: another bootstrap may be first.
        if let Err(error) = sqlx::raw_sql(AssertSqlSafe(create)).execute(&mut *server).await
            && !exists(&mut *server).await?
        {
            return Err(error.into());
        }
        tracing::info!(database, "database created");
    }
    Ok(())
}

async fn prepare_database(inside: &mut PgConnection, database: &str) -> Result<(), StoreError> {
    let mut tx = inside.begin().await?;
    sqlx::query!("SELECT pg_advisory_xact_lock(hashtextextended('voxplane.bootstrap', 0))").fetch_one(&mut *tx).await?;
    let statements = sqlx::query_scalar!(
        r#"SELECT format('ALTER DATABASE %1$I OWNER TO voxplane_owner;
                          REVOKE ALL ON DATABASE %1$I FROM PUBLIC;
                          GRANT CONNECT ON DATABASE %1$I TO voxplane_app, voxplane_jobs;
                          ALTER SCHEMA public OWNER TO voxplane_owner', $1::text) AS "statements!""#,
        database
    )
    .fetch_one(&mut *tx)
    .await?;
    sqlx::raw_sql(AssertSqlSafe(statements)).execute(&mut *tx).await?;
    let vector = sqlx::query_scalar!(
        r#"SELECT EXISTS (SELECT FROM pg_available_extensions WHERE name = 'vector') AS "available!""#
    )
    .fetch_one(&mut *tx)
    .await?;
    if vector {
        sqlx::raw_sql("CREATE EXTENSION IF NOT EXISTS vector").execute(&mut *tx).await?;
    } else {
        tracing::warn!(
            "this Postgres has no pgvector (the extension vector): the migrations will fail, install it first"
        );
    }
    Ok(tx.commit().await?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(url: &str) -> String {
        login("database URL", "voxplane_app", url).err().unwrap().to_string()
    }

    #[test]
    fn a_wrong_url_says_what_to_change_and_keeps_the_password() {
        for (url, expected) in [
            ("postgres://somebody:secret@h/d", "database URL: its user must be voxplane_app"),
            ("postgres://voxplane_app@h/d", "database URL: it must carry the password of voxplane_app"),
            ("postgres://voxplane_app:secret@h", "database URL: it must name a database"),
            ("http://voxplane_app:secret@h/d", "database URL: must look like postgres://"),
        ] {
            let message = message(url);
            assert!(message.starts_with(expected), "{message}");
            assert!(!message.contains("secret"), "{message}");
        }
    }

    #[test]
    fn passwords_are_decoded() {
        let login = login("url", "voxplane_app", "postgres://voxplane_app:p%40ss%2F@h/d").unwrap();
        assert_eq!(login.password.expose(), "p@ss/");
        assert_eq!(login.database, "d");
    }
}
