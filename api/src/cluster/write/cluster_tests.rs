//! Against a real kube-apiserver (KUBECONFIG), whose field management is what this module is about.

#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests")]

use k8s_openapi::api::core::v1::Namespace;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::api::PostParams;
use kube::runtime::conditions::is_crd_established;
use kube::runtime::wait::await_condition;
use serde_json::json;

use super::*;

struct Bench {
    writer: AgentWriter,
    client: Client,
    namespace: String,
}

impl Bench {
    async fn new() -> Self {
        voxplane_platform::tls::install_crypto_provider();
        let client = Client::try_default().await.expect("KUBECONFIG must name a cluster used for tests only");
        let crds: Api<CustomResourceDefinition> = Api::all(client.clone());
        for crd in voxplane_crds::all_crds() {
            let name = crd.name_any();
            crds.patch(&name, &PatchParams::apply("voxplane-test").force(), &Patch::Apply(&crd)).await.unwrap();
            await_condition(crds.clone(), &name, is_crd_established()).await.unwrap();
        }
        let namespace = format!("write-test-{}", &uuid::Uuid::new_v4().simple().to_string()[..8]);
        let object: Namespace = serde_json::from_value(json!({"metadata": {"name": namespace}})).unwrap();
        Api::<Namespace>::all(client.clone()).create(&PostParams::default(), &object).await.unwrap();
        Self { writer: AgentWriter::new(client.clone(), &namespace), client, namespace }
    }

    async fn end(self) {
        let namespaces: Api<Namespace> = Api::all(self.client.clone());
        namespaces.delete(&self.namespace, &DeleteParams::default()).await.unwrap();
    }

    /// Somebody else applies fields.
    async fn apply_as(&self, manager: &str, name: &str, spec: Value) {
        let agents: Api<VoiceAgent> = Api::namespaced(self.client.clone(), &self.namespace);
        let document = json!({"apiVersion": "voxplane.dev/v1alpha1", "kind": "VoiceAgent",
                              "metadata": {"name": name}, "spec": spec});
        agents.patch(name, &PatchParams::apply(manager), &Patch::Apply(&document)).await.unwrap();
    }
}

fn text(agent: &VoiceAgent) -> &str {
    agent.spec.greeting.as_ref().map_or("", |greeting| &greeting.text)
}

fn foreign(error: WriteError) -> Vec<(String, String)> {
    match error {
        WriteError::Owned(foreign) => foreign.into_iter().map(|f| (f.field, f.manager)).collect(),
        other => panic!("expected ownership, got {other:?}"),
    }
}

#[tokio::test]
async fn changes_merge_with_what_we_own_and_stop_at_what_others_own() {
    let bench = Bench::new().await;
    let writer = &bench.writer;
    let made = writer.create("desk", &json!({"greeting": {"text": "Hello"}, "paused": true})).await.unwrap();
    assert_eq!((text(&made), made.spec.paused), ("Hello", true));
    let again = writer.create("desk", &json!({})).await.unwrap_err();
    assert!(matches!(&again, WriteError::Kube(kube::Error::Api(status)) if status.reason == "AlreadyExists"));

    bench.apply_as("argocd", "desk", json!({"language": "en-GB"})).await;
    // Our change neither drops what we set before nor what Argo set.
    let merge = |patch| Change::Merge(patch);
    let changed = writer.change("desk", &merge(json!({"greeting": {"text": "Hi"}})), None).await.unwrap();
    assert_eq!((text(&changed), changed.spec.paused, changed.spec.language.as_deref()), ("Hi", true, Some("en-GB")));

    // A field that Argo owns: the API server names manager and field.
    let error = writer.change("desk", &merge(json!({"language": "de-DE"})), None).await.unwrap_err();
    let WriteError::Kube(kube::Error::Api(status)) = &error else { panic!("{error:?}") };
    let causes = &status.details.as_ref().unwrap().causes;
    assert_eq!(
        (status.code, causes[0].reason.as_str(), causes[0].field.as_str()),
        (409, "FieldManagerConflict", ".spec.language")
    );
    assert!(causes[0].message.contains("\"argocd\""), "{}", causes[0].message);

    // Removing it would silently do nothing; it is refused.
    let error = writer.change("desk", &merge(json!({"language": null})), None).await.unwrap_err();
    assert_eq!(foreign(error), [("spec.language".to_owned(), "argocd".to_owned())]);

    // Null gives a field of ours back its default.
    let cleared = writer.change("desk", &merge(json!({"greeting": {"text": null}})), None).await.unwrap();
    assert_eq!(text(&cleared), "Hello, how can I help you?");

    // Deleting what somebody else describes is refused.
    assert_eq!(foreign(writer.delete("desk", None).await.unwrap_err()).len(), 1);
    bench.end().await;
}

#[tokio::test]
async fn replacing_versions_and_deleting() {
    let bench = Bench::new().await;
    let writer = &bench.writer;
    let made = writer.create("desk", &json!({"greeting": {"text": "Hello"}, "paused": true})).await.unwrap();
    let replaced = writer.change("desk", &Change::Replace(json!({"persona": "brisk"})), None).await.unwrap();
    assert_eq!((replaced.spec.persona.as_deref(), replaced.spec.paused), (Some("brisk"), false), "left out is default");
    assert_eq!(replaced.spec.greeting, None, "nothing is filled in that would hide what the agent inherits");

    let stale = made.resource_version().unwrap();
    let patch = Change::Merge(json!({"paused": true}));
    assert!(matches!(writer.change("desk", &patch, Some(&stale)).await, Err(WriteError::Precondition)));
    let fresh = replaced.resource_version().unwrap();
    assert!(writer.change("desk", &patch, Some(&fresh)).await.unwrap().spec.paused);
    assert!(matches!(writer.delete("desk", Some(&fresh)).await, Err(WriteError::Precondition)));

    // Unknown fields are an error, not silence.
    let error = writer.change("desk", &Change::Merge(json!({"greting": {}})), None).await.unwrap_err();
    let WriteError::Kube(kube::Error::Api(status)) = &error else { panic!("{error:?}") };
    assert!(status.message.contains("greting"), "{status:?}");

    writer.delete("desk", None).await.unwrap();
    let gone = writer.read("desk").await.unwrap_err();
    assert!(matches!(&gone, WriteError::Kube(kube::Error::Api(status)) if status.code == 404));
    bench.end().await;
}

#[tokio::test]
async fn scaling_by_kubectl_is_not_undone() {
    let bench = Bench::new().await;
    let writer = &bench.writer;
    writer.create("desk", &json!({"persona": "calm"})).await.unwrap();
    let agents: Api<VoiceAgent> = Api::namespaced(bench.client.clone(), &bench.namespace);
    let scale = json!({"spec": {"replicas": 3}});
    let as_kubectl = PatchParams { field_manager: Some("kubectl".into()), ..PatchParams::default() };
    agents.patch_scale("desk", &as_kubectl, &Patch::Merge(&scale)).await.unwrap();
    let changed = writer.change("desk", &Change::Merge(json!({"persona": "brisk"})), None).await.unwrap();
    assert_eq!(changed.spec.runtime.replicas, 3);
    bench.end().await;
}
