//! What is asked of an API server, and how its refusals are understood.

use std::sync::{Arc, Mutex};

use http::{Request, Response};
use kube::client::Body;
use serde_json::json;

use super::*;

/// Method, path with query, and body of every request.
type Asked = Arc<Mutex<Vec<(String, String, Value)>>>;

/// A cluster that answers as `answer` says: a status code and a body for a method and a path.
fn cluster(answer: fn(&str, &str) -> (u16, Value)) -> (Cluster, Asked) {
    let asked = Asked::default();
    let seen = asked.clone();
    let service = tower::service_fn(move |request: Request<Body>| {
        let seen = seen.clone();
        async move {
            let (parts, body) = request.into_parts();
            let (method, path) = (parts.method.to_string(), parts.uri.to_string());
            let body = body.collect_bytes().await.unwrap();
            let (code, answer) = answer(&method, &path);
            seen.lock().unwrap().push((method, path, serde_json::from_slice(&body).unwrap_or_default()));
            let answer = Response::builder().status(code).body(Body::from(answer.to_string().into_bytes()));
            Ok::<_, std::convert::Infallible>(answer.unwrap())
        }
    });
    (Cluster::new(Client::new(service, "default"), "default", "voxplane-system"), asked)
}

fn refusal(code: u16) -> (u16, Value) {
    let reason = if code == 404 { "NotFound" } else { "Refused" };
    let status = json!({"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": code, "reason": reason,
        "message": "no"});
    (code, status)
}

fn list(items: &Value) -> (u16, Value) {
    (200, json!({"kind": "List", "apiVersion": "v1", "metadata": {}, "items": items}))
}

fn pod() -> Pod {
    serde_json::from_value(json!({"metadata": {"name": "p", "namespace": "vx-a--b", "uid": "u-1"}})).unwrap()
}

#[tokio::test]
async fn what_may_not_be_read_is_noted_and_the_rest_is_read() {
    let (cluster, _) = cluster(|_, path| {
        if path.contains("/agencies") || path.contains("/pods") {
            refusal(403)
        } else if path.contains("/voiceagents") {
            list(&json!([{"metadata": {"name": "clerk", "namespace": "vx-a--b"}, "spec": {}}]))
        } else if path.contains("/tenants/") {
            refusal(404)
        } else {
            list(&json!([]))
        }
    });
    let scope = Scope::of_namespace("vx-a--b").unwrap();
    let world = cluster.world(&scope).await.unwrap();
    assert_eq!(world.hidden, BTreeSet::from([Kind::Agency, Kind::Pod]));
    assert_eq!(world.agents.len(), 1);
}

#[tokio::test]
async fn a_tenants_user_asks_for_nothing_outside_of_the_tenant() {
    let (cluster, asked) = cluster(|_, _| list(&json!([])));
    // The single objects cannot be read from a list; only what is asked matters here.
    let _ = cluster.world(&Scope::of_namespace("vx-a--b").unwrap()).await;
    let asked = asked.lock().unwrap();
    assert!(!asked.is_empty());
    for (_, path, _) in asked.iter() {
        let allowed = ["/namespaces/vx-a--b/", "/namespaces/vx-a/tenants/b", "/agencies/a"];
        assert!(allowed.iter().any(|part| path.contains(part)), "{path}");
    }
}

#[tokio::test]
async fn nothing_readable_and_nothing_installed_are_different_answers() {
    let (forbidden, _) = cluster(|_, _| refusal(403));
    assert!(matches!(forbidden.world(&Scope::All).await, Err(Error::Forbidden { .. })));
    let (empty, _) = cluster(|_, _| refusal(404));
    assert!(matches!(empty.world(&Scope::All).await, Err(Error::NotInstalled { .. })));
}

/// The promise of `drain`: a pod gets its own grace period, and no other pod of its name is ended.
#[tokio::test]
async fn pods_are_ended_with_their_own_grace_and_only_themselves() {
    let (cluster, asked) = cluster(|_, _| (200, json!({"kind": "Status", "apiVersion": "v1", "status": "Success"})));
    cluster.delete(&pod()).await.unwrap();
    assert_eq!(cluster.evict(&pod()).await.unwrap(), Told::Ends);
    let asked = asked.lock().unwrap();
    let (method, path, body) = &asked[0];
    assert_eq!((method.as_str(), path.split('?').next()), ("DELETE", Some("/api/v1/namespaces/vx-a--b/pods/p")));
    assert_eq!(body["preconditions"]["uid"], "u-1");
    let (method, path, eviction) = &asked[1];
    assert_eq!(method, "POST");
    assert!(path.starts_with("/api/v1/namespaces/vx-a--b/pods/p/eviction"), "{path}");
    assert_eq!(eviction["deleteOptions"]["preconditions"]["uid"], "u-1", "{eviction}");
    for (_, path, body) in asked.iter() {
        assert!(!path.contains("gracePeriod") && !body.to_string().contains("gracePeriod"), "{path} {body}");
    }
}

#[tokio::test]
async fn a_refused_eviction_is_no_failure() {
    let (refusing, _) = cluster(|_, _| refusal(429));
    assert_eq!(refusing.evict(&pod()).await.unwrap(), Told::Refused);
    let (gone, _) = cluster(|_, _| refusal(404));
    assert_eq!(gone.evict(&pod()).await.unwrap(), Told::Ends);
    let (forbidden, _) = cluster(|_, _| refusal(403));
    assert!(matches!(forbidden.evict(&pod()).await, Err(Error::Forbidden { .. })));
}

#[tokio::test]
async fn a_pod_that_has_ended_or_was_replaced_is_not_there() {
    let (running, _) = cluster(|_, _| (200, json!({"metadata": {"name": "p", "uid": "u-1"}})));
    assert!(running.pod_again(&pod()).await.unwrap().is_some());
    let (replaced, _) = cluster(|_, _| (200, json!({"metadata": {"name": "p", "uid": "u-2"}})));
    assert!(replaced.pod_again(&pod()).await.unwrap().is_none());
    let (ended, _) =
        cluster(|_, _| (200, json!({"metadata": {"name": "p", "uid": "u-1"}, "status": {"phase": "Succeeded"}})));
    assert!(ended.pod_again(&pod()).await.unwrap().is_none());
}

#[tokio::test]
async fn pods_are_asked_for_their_calls_through_the_api_server() {
    let (cluster, asked) = cluster(|_, _| (200, json!({"state": "draining", "slots": 4, "busy": 2})));
    assert_eq!(cluster.calls_of(&pod()).await, Some(2));
    assert_eq!(asked.lock().unwrap()[0].1, "/api/v1/namespaces/vx-a--b/pods/p:9090/proxy/state");
    let (closed, _) = self::cluster(|_, _| refusal(403));
    assert_eq!(closed.calls_of(&pod()).await, None, "a pod that cannot be asked is no failure");
}

#[test]
fn the_chart_has_the_config_map_that_is_read() {
    let template = include_str!("../../../charts/voxplane/templates/installation.yaml");
    assert!(template.contains(&format!("\n  name: {INSTALLATION}\n")), "{template}");
    assert!(template.contains(&format!("\n  {SIP_ADDRESS}: ")), "{template}");
}
