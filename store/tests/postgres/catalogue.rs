//! The database's own catalogue: no table with customer data without protection, now and after any later migration.

use sqlx::{Connection as _, PgConnection};
use voxplane_store::testing::TestDb;

/// Tables without customer data.
const EXEMPT: [&str; 1] = ["_sqlx_migrations"];

#[derive(sqlx::FromRow)]
struct Table {
    name: String,
    enabled: bool,
    forced: bool,
    partition: bool,
    only_the_policy: bool,
    agency: bool,
    tenant: bool,
    too_open: bool,
}

/// What is wrong with any table, one line each.
async fn problems(connection: &mut PgConnection) -> Vec<String> {
    let tables: Vec<Table> = sqlx::query_as(
        "SELECT c.relname::text AS name, c.relrowsecurity AS enabled, c.relforcerowsecurity AS forced,
                c.relispartition AS partition,
                (SELECT count(*) = 1 AND coalesce(bool_and(p.polcmd = '*' AND p.polpermissive
                     AND pg_get_expr(p.polqual, p.polrelid) = 'voxplane_scope_sees(agency_id, tenant_id)'
                     AND pg_get_expr(p.polwithcheck, p.polrelid) = 'voxplane_scope_sees(agency_id, tenant_id)'), false)
                 FROM pg_policy p WHERE p.polrelid = c.oid) AS only_the_policy,
                EXISTS (SELECT FROM pg_attribute a
                        WHERE a.attrelid = c.oid AND a.attname = 'agency_id' AND a.attnotnull) AS agency,
                EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attname = 'tenant_id'
                        AND (a.attnotnull OR c.relname = 'resources')) AS tenant,
                EXISTS (SELECT FROM aclexplode(c.relacl) acl WHERE acl.grantee <> c.relowner
                        AND (c.relispartition OR acl.grantee = 0)) AS too_open
         FROM pg_class c WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
         ORDER BY c.relname",
    )
    .fetch_all(connection)
    .await
    .unwrap();
    assert!(tables.len() > 10, "the catalogue query finds the tables");
    let mut problems = Vec::new();
    for table in tables.iter().filter(|table| !EXEMPT.contains(&table.name.as_str())) {
        let rules = [
            (table.enabled, "row-level security is not enabled"),
            (table.forced, "row-level security is not forced on the owner"),
            (
                table.only_the_policy || table.partition,
                "its one policy must be voxplane_scope_sees(agency_id, tenant_id)",
            ),
            (table.agency, "agency_id must be NOT NULL"),
            (table.tenant, "tenant_id must be NOT NULL"),
            (!table.too_open, "PUBLIC has access, or somebody has access to a partition"),
        ];
        problems.extend(rules.iter().filter(|(holds, _)| !holds).map(|(_, rule)| format!("{}: {rule}", table.name)));
    }
    problems
}

#[tokio::test]
async fn every_table_with_customer_data_is_protected() {
    let test = TestDb::create().await;
    let mut owner = PgConnection::connect(&test.owner_url()).await.unwrap();
    assert_eq!(problems(&mut owner).await, Vec::<String>::new());
}

#[tokio::test]
async fn an_unprotected_table_is_found() {
    let test = TestDb::create().await;
    let mut owner = PgConnection::connect(&test.owner_url()).await.unwrap();
    sqlx::raw_sql(
        "CREATE TABLE invoices (id uuid PRIMARY KEY, agency_id uuid);
         GRANT SELECT ON invoices TO PUBLIC;
         CREATE VIEW all_calls AS SELECT * FROM calls;
         CREATE POLICY wide ON calls USING (true);",
    )
    .execute(&mut owner)
    .await
    .unwrap();
    let problems = problems(&mut owner).await;
    for expected in [
        "all_calls: row-level security is not enabled",
        "calls: its one policy must be voxplane_scope_sees(agency_id, tenant_id)",
        "invoices: row-level security is not enabled",
        "invoices: agency_id must be NOT NULL",
        "invoices: tenant_id must be NOT NULL",
        "invoices: PUBLIC has access, or somebody has access to a partition",
    ] {
        assert!(problems.iter().any(|problem| problem == expected), "{expected} is not in {problems:#?}");
    }
}

#[tokio::test]
async fn functions_that_run_as_the_owner_are_few_pinned_and_not_public() {
    let test = TestDb::create().await;
    let mut owner = PgConnection::connect(&test.owner_url()).await.unwrap();
    let functions: Vec<(String, bool, bool, bool)> = sqlx::query_as(
        "SELECT proname::text, prosecdef,
                coalesce(proconfig::text LIKE '%search_path=pg_catalog, public, pg_temp%', false),
                proacl IS NULL OR EXISTS (SELECT FROM aclexplode(proacl) acl WHERE acl.grantee = 0)
         FROM pg_proc WHERE pronamespace = 'public'::regnamespace AND proname LIKE 'voxplane%' ORDER BY proname",
    )
    .fetch_all(&mut owner)
    .await
    .unwrap();
    assert!(functions.len() >= 6, "{functions:?}");
    for (name, definer, pinned, public) in functions {
        assert!(!definer || pinned, "{name} runs as its owner and must pin its search path");
        assert!(!public, "{name} is executable by PUBLIC");
    }
}

#[tokio::test]
async fn partitions_are_made_ahead_once() {
    let test = TestDb::create().await;
    let db = test.connect().await.unwrap();
    assert_eq!(db.create_event_partitions(3).await.unwrap(), 0);
    assert_eq!(db.create_event_partitions(5).await.unwrap(), 2);
    // By two replicas at once, time and again: each partition is made by one of them, and neither fails.
    let other = test.connect().await.unwrap();
    for months in 6..=24 {
        let (one, two) = tokio::join!(db.create_event_partitions(months), other.create_event_partitions(months));
        assert_eq!(one.unwrap() + two.unwrap(), 1, "{months} months ahead");
    }
    assert!(db.create_event_partitions(99).await.is_err());
}
