//! Resources of a test's own: an agency that no other test knows, removed at the end with all that was made for it.

use std::{panic::resume_unwind, sync::Arc, time::Duration};

use anyhow::{Context, Result};
use kube::api::DynamicObject;
use tokio::time::timeout;

use crate::{
    cluster::{documents, title},
    world::World,
};

/// How long a whole test may take; then it counts as hung.
const TEST_LIMIT: Duration = Duration::from_secs(300);
/// How long the removal of an agency may take: its pods end, three namespaces are emptied.
pub const REMOVAL_LIMIT: Duration = Duration::from_secs(120);
/// What [`hold`] puts on objects.
const HOLD: &str = "e2e.voxplane.dev/hold";

/// Runs a test with cluster-scoped objects of its own (agencies, namespaces), named in `manifest` (YAML: kind and name
/// are enough). They are deleted before it, if an earlier run left them, and after it, also when it fails or panics.
///
/// # Errors
/// What the test returned; else what kept the objects from going.
pub async fn with_own<T>(manifest: &str, test: impl FnOnce(Arc<World>) -> T) -> Result<()>
where
    T: Future<Output = Result<()>> + Send + 'static,
{
    let world = Arc::new(World::open().await?);
    let own = documents(manifest)?;
    remove(&world, &own).await.context("removing what an earlier run left")?;
    // A task of its own, so that a failed assertion does not skip the removal.
    let outcome = tokio::spawn(timeout(TEST_LIMIT, test(Arc::clone(&world)))).await;
    let removed = remove(&world, &own).await;
    match outcome {
        Ok(in_time) => in_time.with_context(|| format!("the test did not end within {TEST_LIMIT:?}"))??,
        Err(error) => match error.try_into_panic() {
            Ok(panic) => resume_unwind(panic),
            Err(error) => return Err(error.into()),
        },
    }
    removed.context("removing the test's own objects")
}

async fn remove(world: &World, own: &[DynamicObject]) -> Result<()> {
    for object in own {
        if let Some(found) = world.cluster.find(object).await? {
            world.cluster.delete(&found).await?;
        }
    }
    for object in own {
        world.cluster.wait_gone(object, REMOVAL_LIMIT).await?;
    }
    Ok(())
}

/// Keeps an object from going when it is deleted, until [`release`] is called for it.
///
/// # Errors
/// When the server refuses, also because the object changed in between.
pub async fn hold(world: &World, object: &DynamicObject) -> Result<()> {
    change_finalizers(world, object, |finalizers| finalizers.push(HOLD.to_owned())).await
}

/// Lets go of an object that [`hold`] keeps.
///
/// # Errors
/// When the server refuses, also because the object changed in between.
pub async fn release(world: &World, object: &DynamicObject) -> Result<()> {
    change_finalizers(world, object, |finalizers| finalizers.retain(|finalizer| finalizer != HOLD)).await
}

async fn change_finalizers(world: &World, object: &DynamicObject, change: impl FnOnce(&mut Vec<String>)) -> Result<()> {
    let current = world.cluster.get(object).await.with_context(|| format!("reading {}", title(object)))?;
    let mut finalizers = current.metadata.finalizers.unwrap_or_default();
    change(&mut finalizers);
    let version = current.metadata.resource_version;
    let patch = serde_json::json!({"metadata": {"resourceVersion": version, "finalizers": finalizers}});
    world.cluster.merge(object, &patch).await.map(drop)
}

/// An agency with one tenant that has one of everything.
pub fn one_of_everything(agency: &str, number: &str) -> String {
    format!(
        r#"
apiVersion: voxplane.dev/v1alpha1
kind: Agency
metadata: {{name: {agency}}}
spec:
  carriers:
    - name: main
      type: sip
      sip: {{allowedAddresses: [192.0.2.10]}}
      numbers: [{{pattern: "{number}"}}]
---
apiVersion: voxplane.dev/v1alpha1
kind: Tenant
metadata: {{name: shop, namespace: vx-{agency}}}
spec:
  quotas: {{voiceAgents: 2, phoneNumbers: 3}}
---
apiVersion: voxplane.dev/v1alpha1
kind: KnowledgeBase
metadata: {{name: faq, namespace: vx-{agency}--shop}}
spec:
  sources: [{{name: hours, inline: {{text: We open at nine.}}}}]
---
{agent}
---
apiVersion: voxplane.dev/v1alpha1
kind: PhoneNumber
metadata: {{name: main, namespace: vx-{agency}--shop}}
spec: {{number: "{number}", carrier: main, agentRef: {{name: clerk}}}}
"#,
        agent = agent(agency)
    )
}

/// The agent of [`one_of_everything`].
pub fn agent(agency: &str) -> String {
    format!(
        r"
apiVersion: voxplane.dev/v1alpha1
kind: VoiceAgent
metadata: {{name: clerk, namespace: vx-{agency}--shop}}
spec: {{knowledgeBases: [{{name: faq}}]}}
"
    )
}

/// Just the name, for [`with_own`].
pub fn only_the_agency(agency: &str) -> String {
    format!("{{apiVersion: voxplane.dev/v1alpha1, kind: Agency, metadata: {{name: {agency}}}, spec: {{}}}}")
}
