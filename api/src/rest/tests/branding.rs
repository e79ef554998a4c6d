use http::StatusCode;
use serde_json::json;

use super::world::{app, get, no_database, token};
use crate::auth::Role;
use crate::fixture::{ACME, DENTAL, Fixture, LAW, RECEPTION};

#[tokio::test]
async fn a_tenant_sees_its_agencys_brand() {
    let mut fixture = Fixture::new();
    let path = format!("/api/v1/tenants/{DENTAL}/branding");
    let tenant = token(Role::TenantUser, Some(ACME), Some(DENTAL));
    let plain = app(fixture.directory.clone(), no_database().await);
    let seen = get(&plain, &path, &tenant).await;
    assert_eq!((seen.status, &seen.body["data"]["productName"]), (StatusCode::OK, &json!("Voxplane")));
    let foreign = get(&plain, &format!("/api/v1/tenants/{LAW}/branding"), &tenant).await;
    assert_eq!(
        foreign.status,
        StatusCode::SERVICE_UNAVAILABLE,
        "as for every id that is not seen: the database is asked"
    );

    let branding = json!({"hidePlatform": true, "logoUrl": "https://acme.example.com/logo.svg",
                          "colours": {"primary": "#112233"}});
    let contact = json!({"email": "help@acme.example.com"});
    fixture.agency("acme", ACME, json!({"displayName": "Acme Voice", "contact": contact, "branding": branding}));
    let seen = get(&plain, &path, &tenant).await.body;
    let expected = json!({
        "productName": "Acme Voice", "logoUrl": "https://acme.example.com/logo.svg",
        "colours": {"primary": "#112233", "secondary": null, "background": null, "text": null},
        "supportEmail": "help@acme.example.com", "hidePlatform": true,
    });
    assert_eq!(seen["data"], expected);
}

#[tokio::test]
async fn tenants_of_an_agency_that_hides_the_platform_never_read_its_name() {
    let mut fixture = Fixture::new();
    fixture.agent_refused("vx-acme--dental", "reception", RECEPTION, "label the Secret voxplane.dev/provider=openai");
    let app = app(fixture.directory.clone(), no_database().await);
    let path = format!("/api/v1/voice-agents/{RECEPTION}");
    let tenant = token(Role::TenantAdmin, Some(ACME), Some(DENTAL));
    let agency = token(Role::AgencyAdmin, Some(ACME), None);
    let says = async |token: &str| {
        let answer = get(&app, &path, token).await;
        assert_eq!(answer.status, StatusCode::OK);
        answer.body["data"]["ready"]["message"].as_str().unwrap().to_owned()
    };
    assert!(says(&tenant).await.contains("voxplane.dev"), "nothing is hidden yet");
    fixture.agency("acme", ACME, json!({"branding": {"hidePlatform": true}}));
    assert_eq!(says(&tenant).await, "label the Secret platform.dev/provider=openai");
    assert!(says(&agency).await.contains("voxplane.dev"), "the agency knows what it sells");
    for path in ["/api/v1/voice-agents", "/api/v1/tenants", "/api/v1/auth/me", "/api/v1/nothing", "/api/v1/calls"] {
        let answer = get(&app, path, &tenant).await;
        let headers = format!("{:?}", answer.headers).to_lowercase();
        assert!(!headers.contains("voxplane"), "{path}: {headers}");
        let body = answer.body.to_string().to_lowercase();
        assert!(!body.contains("voxplane"), "{path}: {body}");
    }
}
