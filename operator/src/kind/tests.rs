//! The order of requests to the API server, against a scripted one.

use http::{Method, Request, Response, StatusCode};
use kube::client::Body;
use serde_json::{Value, json};
use tower_test::mock::{self, Handle};
use voxplane_crds::{KnowledgeBase, labels};

use super::*;
use crate::carriers::Carriers;
use crate::config::{Cli, Command};
use crate::control_tls::ControlCa;
use crate::database::Database;
use crate::events::Events;
use crate::identity::Ids;
use crate::knowledge_base::Tools;
use crate::livekit::Programmed;
use crate::metrics::Metrics;
use crate::phone_number::fallback::memory::Fallbacks;
use crate::pool::Pools;
use crate::testing::{guarded, object};
use crate::watch::{Router, Stores};

type Server = Handle<Request<Body>, Response<Body>>;

async fn context() -> (Context, Server) {
    let (service, server) = mock::pair::<Request<Body>, Response<Body>>();
    let client = Client::new(service, "default");
    let arguments = ["voxplane-operator", "run", "--runtime-image", "runtime"];
    let Command::Run(run) = <Cli as clap::Parser>::try_parse_from(arguments).unwrap().command;
    let settings = run.check().unwrap();
    let context = Context {
        events: Events::new(client.clone(), "test"),
        router: Arc::new(Router::new(Stores::new().0)),
        database: Database::open(None).await.unwrap(),
        carriers: Carriers::default(),
        fallbacks: Fallbacks::default(),
        livekit: None,
        programmed: Programmed::default(),
        pools: Pools::default(),
        control_ca: ControlCa::default(),
        ids: Ids::default(),
        metrics: Metrics::register(&mut prometheus_client::registry::Registry::default()),
        knowledge: Tools::new(&settings).unwrap(),
        settings,
        client,
    };
    (context, server)
}

/// Takes the next request and answers it.
async fn answer(server: &mut Server, status: StatusCode, body: Value) -> (Method, String, Value) {
    let (request, send) = server.next_request().await.expect("a request");
    let (parts, sent) = request.into_parts();
    let sent = serde_json::from_slice(&sent.collect_bytes().await.unwrap()).unwrap_or(Value::Null);
    let body = Body::from(serde_json::to_vec(&body).unwrap());
    send.send_response(Response::builder().status(status).body(body).unwrap());
    (parts.method, parts.uri.to_string(), sent)
}

fn homeless(finalizers: &str, more: &str) -> KnowledgeBase {
    object(&format!(
        "{{metadata: {{name: faq, namespace: nowhere, resourceVersion: '7', finalizers: {finalizers} {more}}}, \
         spec: {{}}}}"
    ))
}

async fn run_pass(ctx: &Context, base: KnowledgeBase) -> Result<Action, Error> {
    let apply = Applier::new(ctx.client.clone(), KnowledgeBase::LABEL);
    pass(&*guarded(base), ctx, &apply).await
}

#[tokio::test]
async fn the_finalizer_comes_first_under_the_version_that_was_read_and_then_the_status_and_an_event() {
    let (ctx, mut server) = context().await;
    let base = homeless("[other.dev/x]", "");
    let echo = serde_json::to_value(&base).unwrap();
    let serving = tokio::spawn(async move {
        let (method, uri, sent) = answer(&mut server, StatusCode::OK, echo.clone()).await;
        assert_eq!(method, Method::PATCH);
        assert!(uri.starts_with("/apis/voxplane.dev/v1alpha1/namespaces/nowhere/knowledgebases/faq?"), "{uri}");
        assert_eq!(sent["metadata"]["resourceVersion"], "7");
        assert_eq!(sent["metadata"]["finalizers"], json!(["other.dev/x", labels::FINALIZER]));

        let (_, uri, sent) = answer(&mut server, StatusCode::OK, echo).await;
        assert!(uri.contains("/knowledgebases/faq/status?"), "{uri}");
        assert!(
            uri.contains("fieldManager=voxplane-operator%2Fknowledge-base-status") && uri.contains("force=true"),
            "{uri}"
        );
        let conditions = sent["status"]["conditions"].as_array().unwrap();
        assert_eq!(conditions[0]["reason"], reasons::WRONG_NAMESPACE);

        let (method, uri, sent) = answer(&mut server, StatusCode::CREATED, json!({})).await;
        assert_eq!(method, Method::POST);
        assert!(uri.starts_with("/apis/events.k8s.io/v1/namespaces/nowhere/events"), "{uri}");
        assert_eq!((&sent["reason"], &sent["type"]), (&json!(reasons::WRONG_NAMESPACE), &json!("Warning")));
    });
    run_pass(&ctx, base).await.unwrap();
    serving.await.unwrap();
}

#[tokio::test]
async fn nothing_is_written_when_nothing_changed() {
    let (ctx, mut server) = context().await;
    let base = homeless(&format!("[{}]", labels::FINALIZER), "");
    let echo = serde_json::to_value(&base).unwrap();
    let first = tokio::spawn(async move {
        let (.., sent) = answer(&mut server, StatusCode::OK, echo).await;
        answer(&mut server, StatusCode::CREATED, json!({})).await;
        (server, sent["status"].clone())
    });
    run_pass(&ctx, base.clone()).await.unwrap();
    let (mut server, status) = first.await.unwrap();
    let mut base = base;
    base.status = serde_json::from_value(status).unwrap();
    run_pass(&ctx, base).await.unwrap();
    let more = tokio::time::timeout(Duration::from_millis(50), server.next_request()).await;
    assert!(more.is_err(), "a request was made");
}

#[tokio::test]
async fn a_conflict_ends_the_pass_before_anything_else_is_written() {
    let (ctx, mut server) = context().await;
    let base = homeless("[]", "");
    let serving = tokio::spawn(async move {
        let conflict =
            json!({"kind": "Status", "status": "Failure", "reason": "Conflict", "code": 409, "message": "changed"});
        answer(&mut server, StatusCode::CONFLICT, conflict).await;
        tokio::time::timeout(Duration::from_millis(50), server.next_request()).await.is_err()
    });
    let error = run_pass(&ctx, base).await.unwrap_err();
    assert!(error.is_conflict());
    assert_eq!(error.reason(), "Conflict");
    assert!(serving.await.unwrap(), "a second request was made");
}

#[tokio::test]
async fn the_finalizer_goes_when_nothing_is_left_and_others_keep_theirs() {
    let (ctx, mut server) = context().await;
    let finalizers = format!("[other.dev/x, {}]", labels::FINALIZER);
    let base = homeless(&finalizers, ", deletionTimestamp: '2026-07-01T12:00:00Z'");
    let echo = serde_json::to_value(&base).unwrap();
    let serving = tokio::spawn(async move {
        let (method, _, sent) = answer(&mut server, StatusCode::OK, echo).await;
        assert_eq!(method, Method::PATCH);
        assert_eq!(sent["metadata"]["finalizers"], json!(["other.dev/x"]));
        assert_eq!(sent["metadata"]["resourceVersion"], "7");
    });
    run_pass(&ctx, base).await.unwrap();
    serving.await.unwrap();
}

#[tokio::test]
async fn an_object_that_cannot_be_read_is_left_alone() {
    let (ctx, mut server) = context().await;
    let unreadable: Guarded<KnowledgeBase> = serde_json::from_value(json!({
        "apiVersion": "voxplane.dev/v1alpha1",
        "kind": "KnowledgeBase",
        "metadata": {"name": "faq", "namespace": "nowhere"},
        "spec": {"sources": "from a later version"},
    }))
    .unwrap();
    let apply = Applier::new(ctx.client.clone(), KnowledgeBase::LABEL);
    pass(&unreadable, &ctx, &apply).await.unwrap();
    assert!(tokio::time::timeout(Duration::from_millis(50), server.next_request()).await.is_err());
}
