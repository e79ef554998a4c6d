use http::{Method, StatusCode};
use serde_json::json;

use super::world::{app, get, no_database, send, token};
use crate::auth::Role;
use crate::fixture::{ACME, DENTAL, FAQ, Fixture, LAW, RECEPTION};

#[tokio::test]
async fn logging_in_gives_a_token_that_works() {
    let fixture = Fixture::new();
    let app = app(fixture.directory.clone(), no_database().await);
    let login = json!({"email": "admin@example.com", "password": "secret"});
    let answer = send(&app, Method::POST, "/api/v1/auth/login", None, Some(login)).await;
    assert_eq!(answer.status, StatusCode::OK);
    let token = answer.body["data"]["accessToken"].as_str().unwrap();
    let me = get(&app, "/api/v1/auth/me", token).await;
    assert_eq!((me.status, me.body["data"]["role"].as_str()), (StatusCode::OK, Some("platform_admin")));

    let wrong = json!({"email": "admin@example.com", "password": "guess"});
    let answer = send(&app, Method::POST, "/api/v1/auth/login", None, Some(wrong)).await;
    assert_eq!((answer.status, answer.code()), (StatusCode::UNAUTHORIZED, "AUTH_INVALID_CREDENTIALS"));
}

#[tokio::test]
async fn every_error_has_the_same_shape_and_a_request_id() {
    let fixture = Fixture::new();
    let app = app(fixture.directory.clone(), no_database().await);
    let admin = token(Role::PlatformAdmin, None, None);
    let agent = format!("/api/v1/voice-agents/{RECEPTION}");
    let rows = [
        (Method::GET, "/api/v1/nothing".to_owned(), Some(admin.as_str()), None, 404, "RES_NOT_FOUND"),
        (Method::GET, "/api/v1/calls".to_owned(), None, None, 401, "AUTH_TOKEN_MISSING"),
        (Method::GET, "/api/v1/calls".to_owned(), Some("x.y.z"), None, 401, "AUTH_TOKEN_INVALID"),
        (Method::GET, "/api/v1/calls/not-an-id".to_owned(), Some(&admin), None, 400, "VAL_INVALID_UUID"),
        (Method::GET, "/api/v1/calls?limit=1000".to_owned(), Some(&admin), None, 400, "VAL_OUT_OF_RANGE"),
        (Method::GET, "/api/v1/calls?limt=1".to_owned(), Some(&admin), None, 400, "VAL_INVALID_FORMAT"),
        (Method::GET, "/api/v1/calls?limit=x".to_owned(), Some(&admin), None, 400, "VAL_INVALID_TYPE"),
        (Method::GET, "/api/v1/calls?status=odd".to_owned(), Some(&admin), None, 400, "VAL_INVALID_ENUM"),
        (Method::GET, "/api/v1/calls?cursor=x&offset=1".to_owned(), Some(&admin), None, 400, "VAL_INVALID_FORMAT"),
        (Method::POST, "/api/v1/voice-agents".to_owned(), Some(&admin), Some(json!({})), 400, "VAL_REQUIRED"),
        (
            Method::POST,
            "/api/v1/voice-agents".to_owned(),
            Some(&admin),
            Some(json!({"name": "A B", "tenantId": DENTAL})),
            400,
            "VAL_INVALID_FORMAT",
        ),
        (
            Method::POST,
            "/api/v1/voice-agents".to_owned(),
            Some(&admin),
            Some(json!({"name": "x"})),
            400,
            "VAL_REQUIRED",
        ),
        (Method::PATCH, agent.clone(), Some(&admin), Some(json!({"spec": 1})), 400, "VAL_INVALID_TYPE"),
        (Method::PATCH, agent.clone(), Some(&admin), Some(json!({"spce": {}})), 400, "VAL_INVALID_FORMAT"),
        (Method::DELETE, "/api/v1/calls".to_owned(), Some(&admin), None, 405, "VAL_INVALID_FORMAT"),
        // The database does not answer; that is said, and that trying again may help.
        (Method::GET, "/api/v1/calls".to_owned(), Some(&admin), None, 503, "SRV_MAINTENANCE"),
        // Nor does the cluster.
        (Method::PATCH, agent, Some(&admin), Some(json!({"spec": {}})), 502, "SRV_EXTERNAL_SERVICE"),
    ];
    for (method, path, token, body, status, code) in rows {
        let answer = send(&app, method.clone(), &path, token, body).await;
        assert_eq!((answer.status.as_u16(), answer.code()), (status, code), "{method} {path}: {}", answer.body);
        let id = answer.headers.get("x-request-id").unwrap().to_str().unwrap();
        assert_eq!(answer.body["error"]["request_id"], id, "{method} {path}");
        assert!(answer.body["error"]["details"].is_array());
    }
}

#[tokio::test]
async fn fields_at_fault_are_named() {
    let fixture = Fixture::new();
    let app = app(fixture.directory.clone(), no_database().await);
    let admin = token(Role::PlatformAdmin, None, None);
    // The schema's own rules apply before the cluster is asked; here the shape of one field is wrong.
    let body = json!({"name": "front-desk", "tenantId": DENTAL, "spec": {"greeting": {"mode": "Sing"}}});
    let answer = send(&app, Method::POST, "/api/v1/voice-agents", Some(&admin), Some(body)).await;
    assert_eq!((answer.status, answer.code()), (StatusCode::BAD_REQUEST, "VAL_INVALID_ENUM"), "{}", answer.body);
    assert_eq!(answer.body["error"]["details"][0]["field"], "spec.greeting.mode");
    let body = json!({"name": "front-desk", "tenantId": DENTAL,
                      "spec": {"vad": {"preset": "Noisy", "custom": {"thresholdPercent": 50}}}});
    let answer = send(&app, Method::POST, "/api/v1/voice-agents", Some(&admin), Some(body)).await;
    assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{}", answer.body);
    assert_eq!(answer.body["error"]["details"][0]["field"], "spec.vad");
}

#[tokio::test]
async fn lists_are_scoped_sorted_and_cut() {
    let mut fixture = Fixture::new();
    for name in ["b-agent", "a-agent"] {
        fixture.agent("vx-acme--dental", name, uuid::Uuid::now_v7(), json!({}));
    }
    let app = app(fixture.directory.clone(), no_database().await);
    let admin = token(Role::PlatformAdmin, None, None);
    let tenant = token(Role::TenantAdmin, Some(ACME), Some(DENTAL));

    let all = get(&app, "/api/v1/voice-agents", &admin).await;
    assert_eq!(all.body["pagination"]["total"], 4);
    let own = get(&app, "/api/v1/voice-agents?limit=2", &tenant).await;
    let names: Vec<_> = own.body["data"].as_array().unwrap().iter().map(|agent| agent["name"].clone()).collect();
    assert_eq!(names, ["a-agent", "b-agent"]);
    assert_eq!(
        (own.body["pagination"]["total"].as_u64(), own.body["pagination"]["hasMore"].as_bool()),
        (Some(3), Some(true))
    );
    assert_eq!(own.body["data"][0]["tenantId"], DENTAL.to_string());
    assert_eq!(own.body["data"][0]["ready"]["status"], "Unknown");

    let bases = get(&app, "/api/v1/knowledge-bases", &tenant).await;
    assert_eq!(bases.body["data"][0]["id"], FAQ.to_string());
}

#[tokio::test]
async fn naming_a_foreign_scope_is_its_own_error() {
    let fixture = Fixture::new();
    let app = app(fixture.directory.clone(), no_database().await);
    let tenant = token(Role::TenantAdmin, Some(ACME), Some(DENTAL));
    let agency = token(Role::AgencyAdmin, Some(ACME), None);
    let answer = get(&app, &format!("/api/v1/voice-agents?tenantId={LAW}"), &tenant).await;
    assert_eq!((answer.status, answer.code()), (StatusCode::FORBIDDEN, "AUTHZ_TENANT_MISMATCH"));
    let other = crate::fixture::OTHER;
    let answer = get(&app, &format!("/api/v1/tenants?agencyId={other}"), &agency).await;
    assert_eq!((answer.status, answer.code()), (StatusCode::FORBIDDEN, "AUTHZ_AGENCY_MISMATCH"));
    // An agency does not learn whether a foreign tenant exists.
    let foreign = get(&app, &format!("/api/v1/voice-agents?tenantId={LAW}"), &agency).await;
    let unknown = get(&app, &format!("/api/v1/voice-agents?tenantId={}", uuid::Uuid::now_v7()), &agency).await;
    assert_eq!((foreign.status, &foreign.body), (unknown.status, &unknown.body));
    assert_eq!(foreign.body["data"], json!([]));
}

#[tokio::test]
async fn an_object_has_an_etag() {
    let fixture = Fixture::new();
    let app = app(fixture.directory.clone(), no_database().await);
    let admin = token(Role::PlatformAdmin, None, None);
    let answer = get(&app, &format!("/api/v1/voice-agents/{RECEPTION}"), &admin).await;
    assert_eq!(answer.status, StatusCode::OK);
    assert_eq!(answer.headers["etag"], "\"1\"");
    assert_eq!(answer.body["data"]["spec"]["greeting"]["text"], "Hello");
}
