//! Installs the charts and waits until they work, saying what holds them up.

use std::{
    collections::BTreeSet,
    io::Write as _,
    path::PathBuf,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail};
use k8s_openapi::api::{
    apps::v1::Deployment,
    core::v1::{ContainerStatus, Pod, Secret},
};
use kube::{Api, ResourceExt as _, api::ListParams};
use uuid::Uuid;
use voxplane_e2e::world::SYSTEM_NAMESPACE;

use super::{
    cluster::Target,
    helm::{DEFINITIONS, PRODUCT},
    options::Options,
    preflight::Found,
    values,
};

/// How long images may take to be pulled, and migrations to run.
const LIMIT: Duration = Duration::from_secs(300);
/// The Secret that the chart makes of `postgres` values.
const POSTGRES: &str = "voxplane-postgres";

/// Installs or updates everything.
pub async fn all(target: &Target, options: &Options, found: &Found) -> Result<()> {
    let password = match password(target).await? {
        Some(known) => known,
        None => Uuid::new_v4().simple().to_string(),
    };
    let own = values::of(options, &password, &found.api_server)?;
    // A file that nobody else can read, because command lines can be.
    let mut file = tempfile::Builder::new().prefix("voxplane-demo-").suffix(".json").tempfile()?;
    file.write_all(own.to_string().as_bytes())?;
    let files: Vec<PathBuf> = [file.path().to_owned()].into_iter().chain(options.values.iter().cloned()).collect();
    target.helm.template(&files).await.context("the values are not what the chart takes; nothing was changed")?;

    println!("\ninstall     namespace {SYSTEM_NAMESPACE}");
    target.begin().await?;
    let started = Instant::now();
    target.helm.install(DEFINITIONS, &[]).await?;
    println!("            {DEFINITIONS}");
    target.helm.install(PRODUCT, &files).await?;
    println!("            {PRODUCT}");
    wait(target).await?;
    println!("            operator and API are ready after {:.1} s", started.elapsed().as_secs_f64());
    target.helm.test().await.context("the chart's own test")?;
    println!("            helm test: passed");
    Ok(())
}

/// The roles' password, if an earlier run made one.
async fn password(target: &Target) -> Result<Option<String>> {
    let secret = Api::<Secret>::namespaced(target.client.clone(), SYSTEM_NAMESPACE).get_opt(POSTGRES).await?;
    let data = secret.and_then(|secret| secret.data).unwrap_or_default();
    let url = data.get("app-url").and_then(|bytes| String::from_utf8(bytes.0.clone()).ok());
    Ok(url.as_deref().and_then(values::password_in))
}

async fn wait(target: &Target) -> Result<()> {
    let deployments = Api::<Deployment>::namespaced(target.client.clone(), SYSTEM_NAMESPACE);
    let pods = Api::<Pod>::namespaced(target.client.clone(), SYSTEM_NAMESPACE);
    let ours = ListParams::default().labels("app.kubernetes.io/name=voxplane");
    let started = Instant::now();
    let mut said = BTreeSet::new();
    loop {
        let found = deployments.list(&ours).await?.items;
        if !found.is_empty() && found.iter().all(rolled_out) {
            return Ok(());
        }
        let obstacles: Vec<String> = pods.list(&ours).await?.items.iter().flat_map(obstacles).collect();
        for obstacle in &obstacles {
            if said.insert(obstacle.clone()) {
                println!("            waits: {obstacle}");
            }
        }
        if started.elapsed() > LIMIT {
            let reasons = if obstacles.is_empty() { "no pod says why".to_owned() } else { obstacles.join("; ") };
            bail!(
                "operator and API are not ready after {} s: {reasons}. `kubectl -n {SYSTEM_NAMESPACE} get pods`, then \
                 `logs` and `describe`; `make down CONTEXT={}` removes everything",
                LIMIT.as_secs(),
                target.context
            );
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
}

/// What `kubectl rollout status` looks at.
fn rolled_out(deployment: &Deployment) -> bool {
    let wanted = deployment.spec.as_ref().and_then(|spec| spec.replicas).unwrap_or(1);
    deployment.status.as_ref().is_some_and(|status| {
        let all = [status.replicas, status.updated_replicas, status.ready_replicas, status.available_replicas];
        status.observed_generation == deployment.metadata.generation
            && all.iter().all(|count| count.unwrap_or_default() == wanted)
    })
}

/// What keeps a pod from running, in Kubernetes' words, and what to do about what we know.
fn obstacles(pod: &Pod) -> Vec<String> {
    let name = pod.name_any();
    let status = pod.status.as_ref();
    let unscheduled = status
        .iter()
        .flat_map(|status| status.conditions.iter().flatten())
        .find(|condition| condition.type_ == "PodScheduled" && condition.status == "False");
    let containers = status.iter().flat_map(|status| status.container_statuses.iter().flatten());
    unscheduled
        .and_then(|condition| condition.message.as_ref())
        .map(|message| format!("{name} has no node: {message}"))
        .into_iter()
        .chain(containers.filter_map(|container| waiting(&name, container)))
        .collect()
}

fn waiting(pod: &str, container: &ContainerStatus) -> Option<String> {
    let waiting = container.state.as_ref()?.waiting.as_ref()?;
    let hint = match waiting.reason.as_deref()? {
        "ContainerCreating" | "PodInitializing" => return None,
        "ErrImagePull" | "ImagePullBackOff" | "ErrImageNeverPull" | "InvalidImageName" => {
            "push it, or set IMAGES and TAG to where it is"
        }
        "CrashLoopBackOff" => "its log says why (`kubectl logs`): often an address or a password",
        _ => "`kubectl describe` says more",
    };
    Some(format!("{pod}: {} ({}); {hint}", waiting.reason.as_deref()?, container.image))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_image_that_is_not_there_is_named_with_what_to_do() {
        let pod = |reason: &str| -> Pod {
            serde_json::from_value(json!({
                "metadata": {"name": "voxplane-api-1"},
                "status": {"containerStatuses": [{
                    "name": "api", "image": "registry.example.com/voxplane/api:0.1.0", "imageID": "", "ready": false,
                    "restartCount": 0, "state": {"waiting": {"reason": reason}},
                }]},
            }))
            .unwrap()
        };
        let found = obstacles(&pod("ImagePullBackOff"));
        assert_eq!(found.len(), 1);
        assert!(
            found[0].contains("registry.example.com/voxplane/api:0.1.0") && found[0].contains("IMAGES"),
            "{found:?}"
        );
        assert!(obstacles(&pod("ContainerCreating")).is_empty());
    }
}
