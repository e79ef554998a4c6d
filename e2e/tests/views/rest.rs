//! The promises of the REST API towards kubectl users: both write the same resources and never trample each other.

use std::time::Duration;

use anyhow::{Context, Result};
use reqwest::{Method, StatusCode};
use serde_json::json;
use voxplane_e2e::world::{World, of_kind};

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_is_read_patched_and_guarded() -> Result<()> {
    let world = World::open().await?;
    let objects = world.sample("dental-clinic").await?;
    let agent = world.cluster.get(of_kind(&objects, "VoiceAgent")).await?;
    let id = agent.data["status"]["id"].as_str().context("the agent has no id")?.to_owned();

    let read = world.rest.send(Method::GET, &format!("/voice-agents/{id}"), None, None).await?;
    assert_eq!(read.status, StatusCode::OK, "{:#}", read.body);
    assert!(read.etag.is_some());

    // A field the sample does not set is free for the API.
    let words = "All our lines are busy.";
    let patched = world
        .rest
        .send(Method::PATCH, &format!("/voice-agents/{id}"), Some(json!({"spec": {"messages": {"busy": words}}})), None)
        .await?;
    assert_eq!(patched.status, StatusCode::OK, "{:#}", patched.body);
    let stored = world.cluster.get(&agent).await?;
    assert_eq!(stored.data["spec"]["messages"]["busy"], words);
    // A field kubectl owns is not: 409 names who owns what.
    let conflict = world
        .rest
        .send(
            Method::PATCH,
            &format!("/voice-agents/{id}"),
            Some(json!({"spec": {"greeting": {"text": "Mine now."}}})),
            None,
        )
        .await?;
    assert_eq!(conflict.status, StatusCode::CONFLICT, "{:#}", conflict.body);
    assert_eq!(conflict.body["error"]["code"], "RES_CONFLICT");
    let text = conflict.body.to_string();
    assert!(text.contains("kubectl") && text.contains("greeting"), "the conflict names manager and field: {text}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_made_by_rest_is_a_resource_and_gone_means_410() -> Result<()> {
    let world = World::open().await?;
    let objects = world.sample("dental-clinic").await?;
    let tenant = world.cluster.get(of_kind(&objects, "Tenant")).await?;
    let tenant_id = tenant.data["status"]["id"].as_str().context("the tenant has no id")?;

    let body = json!({"tenantId": tenant_id, "name": "night-desk", "spec": {"greeting": {"text": "We are closed."}}});
    let created = world.rest.send(Method::POST, "/voice-agents", Some(body), None).await?;
    assert_eq!(created.status, StatusCode::CREATED, "{:#}", created.body);
    let id = created.body["data"]["id"].as_str().context("a created agent has an id")?.to_owned();

    let deleted = world.rest.send(Method::DELETE, &format!("/voice-agents/{id}"), None, None).await?;
    assert_eq!(deleted.status, StatusCode::NO_CONTENT, "{:#}", deleted.body);
    let mut last = StatusCode::OK;
    for _ in 0..50 {
        last = world.rest.send(Method::GET, &format!("/voice-agents/{id}"), None, None).await?.status;
        if last == StatusCode::GONE {
            break;
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    assert_eq!(last, StatusCode::GONE);
    let unknown =
        world.rest.send(Method::GET, "/voice-agents/01890000-0000-7000-8000-000000000000", None, None).await?;
    assert_eq!(unknown.status, StatusCode::NOT_FOUND);
    assert_eq!(unknown.body["error"]["code"], "RES_NOT_FOUND");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_reads_without_a_token() -> Result<()> {
    let world = World::open().await?;
    let http = reqwest::Client::new();
    for path in ["/voice-agents", "/calls", "/phone-numbers"] {
        let answer = http.get(format!("{}/api/v1{path}", world.env.api_url)).send().await?;
        assert_eq!(answer.status(), StatusCode::UNAUTHORIZED, "{path}");
    }
    Ok(())
}
