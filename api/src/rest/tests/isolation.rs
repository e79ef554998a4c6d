//! Every operation of the OpenAPI document × every kind of caller. A new route without a row here fails the test.

#![allow(clippy::unwrap_used, clippy::panic, clippy::needless_pass_by_value, missing_docs, reason = "helpers of tests")]

use std::collections::BTreeSet;

use axum::Router;
use http::{Method, StatusCode};
use serde_json::{Value, json};
use uuid::Uuid;
use voxplane_platform::redact::Redacted;
use voxplane_store::calls::{self, Direction, NewCall};
use voxplane_store::commands::{self, NewCommand};
use voxplane_store::testing::TestDb;
use voxplane_store::{CallId, CommandId, Db, KnowledgeBaseId, Scope};

use super::super::document::openapi;
use super::world::{Answer, app, send, token};
use crate::auth::Role;
use crate::fixture::Fixture;

/// One tenant's things.
struct Side {
    agency: Uuid,
    tenant: Uuid,
    agent: Uuid,
    base: Uuid,
    number: Uuid,
    call: Uuid,
    command: Uuid,
}

struct World {
    app: Router,
    own: Side,
    other: Side,
    /// Dropping it drops the database.
    _db: TestDb,
    _fixture: Fixture,
}

async fn world() -> World {
    let test = TestDb::create().await;
    let db = test.connect().await.unwrap();
    let mut fixture = Fixture::new();
    let own = side(&test, &db, &mut fixture, "north", "bakery", "+15550301").await;
    let other = side(&test, &db, &mut fixture, "south", "garage", "+15550302").await;
    World { app: app(fixture.directory.clone(), db), own, other, _db: test, _fixture: fixture }
}

async fn side(test: &TestDb, db: &Db, fixture: &mut Fixture, agency: &str, tenant: &str, number: &str) -> Side {
    let ids = test.tenant(db, agency, tenant).await.unwrap();
    let namespace = format!("vx-{agency}--{tenant}");
    let number_id = Uuid::now_v7();
    let KnowledgeBaseId(base) = ids.knowledge_base;
    fixture.agency(agency, ids.agency.0, json!({}));
    fixture.tenant(agency, tenant, ids.tenant.0, json!({}));
    fixture.agent(&namespace, "agent", ids.agent.0, json!({}));
    fixture.base(&namespace, "knowledge", base, json!({}));
    let spec = json!({"number": number, "carrier": "sip", "agentRef": {"name": "agent"}});
    fixture.number(&namespace, "main", number_id, spec, None);
    let call = CallId::new();
    let mut tx = db.begin(&Scope::platform()).await.unwrap();
    let new = NewCall {
        id: call,
        agency: ids.agency,
        tenant: ids.tenant,
        agent: ids.agent,
        number: Redacted::new(number.to_owned()),
        caller: Some(Redacted::new("+15559999".to_owned())),
        room: format!("vx-{tenant}"),
        sip_call_id: None,
        direction: Direction::Inbound,
    };
    calls::create(&mut tx, new).await.unwrap();
    let command = NewCommand {
        id: CommandId::new(),
        call,
        kind: "hang_up".into(),
        payload: json!({}),
        expires_in: std::time::Duration::from_secs(60),
    };
    commands::enqueue(&mut tx, &command).await.unwrap();
    tx.commit().await.unwrap();
    Side {
        agency: ids.agency.0,
        tenant: ids.tenant.0,
        agent: ids.agent.0,
        base,
        number: number_id,
        call: call.0,
        command: command.id.0,
    }
}

/// How an operation is called, and what its owner gets. `None`: not about one object.
struct Row {
    operation: &'static str,
    id: Option<fn(&Side) -> Uuid>,
    body: Option<Value>,
    /// Roles that may not do it at all, whatever the object.
    denied: &'static [Role],
    /// What the owner gets; the cluster of these tests does not answer, so writes get as far as 502.
    own: u16,
}

const READERS: &[Role] = &[Role::AgencyUser, Role::TenantUser];

fn rows() -> Vec<Row> {
    let row = |operation, id: Option<fn(&Side) -> Uuid>| Row { operation, id, body: None, denied: &[], own: 200 };
    let tenants: &[Role] = &[Role::TenantAdmin, Role::TenantUser];
    vec![
        row("get /api/v1/auth/me", None),
        Row { denied: tenants, ..row("get /api/v1/agencies", None) },
        Row { denied: tenants, ..row("get /api/v1/agencies/{id}", Some(|side| side.agency)) },
        row("get /api/v1/tenants", None),
        row("get /api/v1/tenants/{id}", Some(|side| side.tenant)),
        row("get /api/v1/tenants/{id}/branding", Some(|side| side.tenant)),
        row("get /api/v1/phone-numbers", None),
        row("get /api/v1/phone-numbers/{id}", Some(|side| side.number)),
        row("get /api/v1/knowledge-bases", None),
        row("get /api/v1/knowledge-bases/{id}", Some(|side| side.base)),
        row("get /api/v1/voice-agents", None),
        row("get /api/v1/voice-agents/{id}", Some(|side| side.agent)),
        Row {
            body: Some(json!({"name": "x", "tenantId": "TENANT"})),
            denied: READERS,
            own: 502,
            ..row("post /api/v1/voice-agents", Some(|side| side.tenant))
        },
        Row {
            body: Some(json!({"spec": {"paused": true}})),
            denied: READERS,
            own: 502,
            ..row("patch /api/v1/voice-agents/{id}", Some(|side| side.agent))
        },
        Row {
            body: Some(json!({"spec": {"paused": true}})),
            denied: READERS,
            own: 502,
            ..row("put /api/v1/voice-agents/{id}", Some(|side| side.agent))
        },
        Row { denied: READERS, own: 502, ..row("delete /api/v1/voice-agents/{id}", Some(|side| side.agent)) },
        row("get /api/v1/calls", None),
        row("get /api/v1/calls/{id}", Some(|side| side.call)),
        row("get /api/v1/calls/{id}/transcript", Some(|side| side.call)),
        row("get /api/v1/calls/{id}/events", Some(|side| side.call)),
        Row { denied: READERS, own: 202, ..row("post /api/v1/calls/{id}/hang-up", Some(|side| side.call)) },
        row("get /api/v1/calls/{id}/commands/{commandId}", Some(|side| side.call)),
    ]
}

/// Routes that need no token have nothing to isolate. May only shrink.
const OPEN: [&str; 3] = ["get /api/v1/health", "get /api/v1/openapi.json", "post /api/v1/auth/login"];

async fn call(world: &World, row: &Row, side: Option<&Side>, unknown: bool, token: Option<&str>) -> Answer {
    let (method, path) = row.operation.split_once(' ').unwrap();
    let id = match (row.id, side) {
        (Some(_), _) if unknown => Uuid::now_v7(),
        (Some(of), Some(side)) => of(side),
        _ => Uuid::nil(),
    };
    let command = side.filter(|_| !unknown).map_or_else(Uuid::now_v7, |side| side.command);
    let path = path.replace("{id}", &id.to_string()).replace("{commandId}", &command.to_string());
    let body = row.body.as_ref().map(|body| {
        let mut body = body.clone();
        if body.get("tenantId").is_some() {
            body["tenantId"] = json!(id);
        }
        body
    });
    let method = Method::from_bytes(method.to_uppercase().as_bytes()).unwrap();
    send(&world.app, method, &path, token, body).await
}

#[tokio::test]
async fn nobody_reaches_what_is_not_theirs() {
    let world = world().await;
    let rows = rows();
    let described: BTreeSet<String> = openapi()["paths"]
        .as_object()
        .unwrap()
        .iter()
        .flat_map(|(path, item)| item.as_object().unwrap().keys().map(move |method| format!("{method} {path}")))
        .collect();
    let covered: BTreeSet<String> = rows.iter().map(|row| row.operation).chain(OPEN).map(str::to_owned).collect();
    assert_eq!(covered, described, "every operation of the document has a row, and no row is stale");

    let own = &world.own;
    let roles = [
        (Role::PlatformAdmin, None, None),
        (Role::AgencyAdmin, Some(own.agency), None),
        (Role::AgencyUser, Some(own.agency), None),
        (Role::TenantAdmin, Some(own.agency), Some(own.tenant)),
        (Role::TenantUser, Some(own.agency), Some(own.tenant)),
    ];
    for row in &rows {
        let missing = call(&world, row, Some(own), false, None).await;
        assert_eq!(missing.code(), "AUTH_TOKEN_MISSING", "{}", row.operation);
        let bad = call(&world, row, Some(own), false, Some("bad.token.here")).await;
        assert_eq!(bad.code(), "AUTH_TOKEN_INVALID", "{}", row.operation);
        for (role, agency, tenant) in roles {
            let token = token(role, agency, tenant);
            let case = format!("{} as {role:?}", row.operation);
            let answer = call(&world, row, Some(own), false, Some(&token)).await;
            if row.denied.contains(&role) {
                assert_eq!(answer.status, StatusCode::FORBIDDEN, "{case}: {}", answer.body);
                assert_eq!(answer.code(), "AUTHZ_PERMISSION_DENIED", "{case}");
                continue;
            }
            assert_eq!(answer.status.as_u16(), row.own, "{case} on its own: {}", answer.body);
            let seen = answer.body.to_string();
            let foreign = [world.other.agency, world.other.tenant, world.other.agent, world.other.call];
            if role != Role::PlatformAdmin {
                assert!(foreign.iter().all(|id| !seen.contains(&id.to_string())), "{case} sees foreign ids: {seen}");
            }
            if row.id.is_some() {
                foreign_equals_unknown(&world, row, role, &token, &case).await;
            }
        }
    }
}

/// What is not yours is indistinguishable from what is not there.
async fn foreign_equals_unknown(world: &World, row: &Row, role: Role, token: &str, case: &str) {
    let foreign = call(world, row, Some(&world.other), false, Some(token)).await;
    let unknown = call(world, row, Some(&world.other), true, Some(token)).await;
    if role == Role::PlatformAdmin {
        assert_eq!(foreign.status.as_u16(), row.own, "{case}: a platform administrator sees everything");
        assert_eq!(unknown.code(), "RES_NOT_FOUND", "{case}");
        return;
    }
    assert_eq!(foreign.status, unknown.status, "{case}: foreign {} unknown {}", foreign.body, unknown.body);
    assert_eq!(foreign.comparable(), unknown.comparable(), "{case}");
    // A tenant role that names another tenant names its own scope wrongly; everything else is simply not there.
    let expected = if row.body.as_ref().is_some_and(|body| body.get("tenantId").is_some())
        && matches!(role, Role::TenantAdmin | Role::TenantUser)
    {
        "AUTHZ_TENANT_MISMATCH"
    } else {
        "RES_NOT_FOUND"
    };
    assert_eq!(foreign.code(), expected, "{case}");
}

#[tokio::test]
async fn a_deleted_agent_is_gone_for_its_owner_and_unknown_to_others() {
    let world = world().await;
    let test = &world._db;
    let db = test.connect().await.unwrap();
    let mut tx = db.begin(&Scope::platform()).await.unwrap();
    let gone = voxplane_store::resources::register(
        &mut tx,
        voxplane_store::resources::ResourceKind::VoiceAgent,
        "vx-north--bakery",
        "gone",
        "uid",
        Some(world.own.agency.into()),
        Some(world.own.tenant.into()),
    )
    .await
    .unwrap();
    voxplane_store::resources::mark_deleted(&mut tx, gone).await.unwrap();
    tx.commit().await.unwrap();
    let path = format!("/api/v1/voice-agents/{gone}");
    let owner = token(Role::TenantAdmin, Some(world.own.agency), Some(world.own.tenant));
    let stranger = token(Role::TenantAdmin, Some(world.other.agency), Some(world.other.tenant));
    let answer = send(&world.app, Method::GET, &path, Some(&owner), None).await;
    assert_eq!((answer.status, answer.code()), (StatusCode::GONE, "RES_DELETED"));
    let answer = send(&world.app, Method::GET, &path, Some(&stranger), None).await;
    assert_eq!((answer.status, answer.code()), (StatusCode::NOT_FOUND, "RES_NOT_FOUND"));
}

#[tokio::test]
async fn numbers_are_shown_to_those_who_may_see_the_call() {
    let world = world().await;
    let owner = token(Role::TenantUser, Some(world.own.agency), Some(world.own.tenant));
    let path = format!("/api/v1/calls/{}", world.own.call);
    let answer = send(&world.app, Method::GET, &path, Some(&owner), None).await;
    assert_eq!(answer.body["data"]["from"], "+15559999");
    assert_eq!(answer.body["data"]["to"], "+15550301");
    assert_eq!(answer.body["data"]["status"], "queued");
}
