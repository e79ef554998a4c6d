//! How often the API server is asked, against a scripted one.

use std::time::Duration;

use http::{Method, Request, Response};
use k8s_openapi::api::core::v1::LimitRange;
use kube::client::Body;
use serde_json::{Value, json};
use tower_test::mock::{self, Handle};

use super::*;

type Server = Handle<Request<Body>, Response<Body>>;

fn applier() -> (Applier, Server) {
    let (service, server) = mock::pair::<Request<Body>, Response<Body>>();
    (Applier::new(Client::new(service, "default"), "test"), server)
}

fn limits(memory: &str) -> LimitRange {
    serde_json::from_value(json!({
        "metadata": {"name": "voxplane", "namespace": "vx-a--t"},
        "spec": {"limits": [{"type": "Container", "default": {"memory": memory}}]},
    }))
    .unwrap()
}

fn deployment(metadata: &Value, replicas: i32) -> Deployment {
    let mut value = json!({
        "metadata": {"name": "voxplane-runtime", "namespace": "vx-a--t", "annotations": {"hash": "1"}},
        "spec": {"replicas": replicas, "selector": {}, "template": {}},
    });
    if let (Some(own), Some(more)) = (value["metadata"].as_object_mut(), metadata.as_object()) {
        own.extend(more.clone());
    }
    serde_json::from_value(value).unwrap()
}

/// Answers the next request with `object` in a version.
async fn answer(server: &mut Server, object: impl Serialize, version: &str, generation: i64) -> Method {
    let (request, send) = server.next_request().await.expect("a request");
    let mut body = serde_json::to_value(object).unwrap();
    body["metadata"]["resourceVersion"] = json!(version);
    body["metadata"]["generation"] = json!(generation);
    send.send_response(Response::new(Body::from(serde_json::to_vec(&body).unwrap())));
    request.method().clone()
}

async fn is_silent(server: &mut Server) -> bool {
    tokio::time::timeout(Duration::from_millis(50), server.next_request()).await.is_err()
}

#[tokio::test]
async fn the_same_object_is_applied_once_until_it_goes_with_its_namespace() {
    let (apply, mut server) = applier();
    let (first, other) = (limits("1Gi"), limits("2Gi"));
    let made = tokio::join!(apply.ensure(&first), answer(&mut server, &first, "1", 1));
    assert!(made.0.unwrap().is_some());
    assert_eq!(made.1, Method::PATCH);
    assert!(apply.ensure(&first).await.unwrap().is_none());
    assert!(is_silent(&mut server).await);
    let changed = tokio::join!(apply.ensure(&other), answer(&mut server, &other, "2", 1));
    assert!(changed.0.unwrap().is_some());
    apply.applied.forget_namespace("vx-a--t");
    let again = tokio::join!(apply.ensure(&other), answer(&mut server, &other, "3", 1));
    assert!(again.0.unwrap().is_some());
}

#[tokio::test]
async fn a_deployment_is_applied_again_when_the_watch_shows_that_somebody_changed_it() {
    let (apply, mut server) = applier();
    let desired = deployment(&json!({}), 1);
    let made = tokio::join!(apply.ensure_deployment(&desired, None), answer(&mut server, &desired, "1", 1));
    made.0.unwrap();
    let as_made = deployment(&json!({"generation": 1}), 1);
    for seen in [None, Some(&as_made)] {
        apply.ensure_deployment(&desired, seen).await.unwrap();
    }
    assert!(is_silent(&mut server).await);
    let scaled = deployment(&json!({"generation": 2}), 5);
    let relabelled = deployment(&json!({"generation": 1, "annotations": {"hash": "2"}}), 1);
    for seen in [scaled, relabelled] {
        let repaired =
            tokio::join!(apply.ensure_deployment(&desired, Some(&seen)), answer(&mut server, &desired, "2", 3));
        repaired.0.unwrap();
    }
}
