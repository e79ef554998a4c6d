//! Installs the product with its own Helm charts and waits until it is ready.

use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::context::Context;
use super::{images, postgres};
use crate::command::output;
use crate::env::ADMIN_EMAIL;
use crate::error::{LabError, Result};
use crate::layout::{LIVEKIT_PORT, REST_NODE_PORT, SIP_PORT};
use crate::state::write_private;
use crate::tools::repository;

/// Namespace of the product.
pub const NAMESPACE: &str = "voxplane-system";
const PART: &str = "chart";
const LIMIT: Duration = Duration::from_secs(180);
/// How often the pods are shown while they are not ready.
const SHOW_PODS: Duration = Duration::from_secs(20);
const HINT: &str = "`lab exec -- kubectl -n voxplane-system describe pods` and `… logs`";

/// Installs or upgrades both charts and waits for the Deployments.
pub fn install(context: &Context) -> Result<String> {
    let values = context.paths.join("values.json");
    write_private(&values, format!("{:#}", values_of(context)?).as_bytes())?;
    helm(context, "voxplane-crds", None)?;
    helm(context, "voxplane", Some(&values))?;
    wait(context)?;
    Ok("installed, Deployments ready".to_owned())
}

/// Whether every Deployment of the product is ready.
pub fn probe(context: &Context) -> Result<(), String> {
    let deployments = deployments(context).map_err(|error| error.to_string())?;
    if deployments.is_empty() {
        return Err("the chart is not installed".to_owned());
    }
    let waiting: Vec<_> = deployments.iter().filter(|(_, ready)| !ready).map(|(name, _)| name.as_str()).collect();
    if waiting.is_empty() { Ok(()) } else { Err(format!("not ready: {}", waiting.join(", "))) }
}

/// The chart's values in a lab.
fn values_of(context: &Context) -> Result<Value> {
    let (node, secrets) = (context.network().node(), &context.state.secrets);
    let tags = images::tags(context)?;
    let tag = |image: &str| tags.get(image).cloned().unwrap_or_default();
    // The tag is the same for every build; this makes a new build roll the pods.
    let built = |image: &str| json!({"voxplane.dev/image": tag(image)});
    let role = |name: &str, password: &str| postgres::url(context, name, password);
    Ok(json!({
        "image": {"repository": "voxplane", "tag": images::TAG, "pullPolicy": "Never"},
        "operator": {"podAnnotations": built("operator")},
        "api": {
            "podAnnotations": built("api"),
            "service": {"type": "NodePort", "nodePort": REST_NODE_PORT},
        },
        "runtime": {"image": format!("voxplane/agent-runtime:{}", tag("agent-runtime"))},
        "postgres": {
            "adminUrl": postgres::superuser_url(context),
            "ownerUrl": role("voxplane_owner", &secrets.postgres_owner),
            "appUrl": role("voxplane_app", &secrets.postgres_app),
            "jobsUrl": role("voxplane_jobs", &secrets.postgres_jobs),
        },
        "livekit": {
            "url": format!("http://{node}:{LIVEKIT_PORT}"),
            "apiKey": secrets.livekit_key,
            "apiSecret": secrets.livekit_secret,
            "sipAddress": format!("{node}:{SIP_PORT}"),
        },
        "auth": {"bootstrapEmail": ADMIN_EMAIL, "bootstrapPassword": secrets.admin_password},
    }))
}

fn helm(context: &Context, chart: &str, values: Option<&PathBuf>) -> Result<()> {
    let mut helm = Command::new(context.program("helm").unwrap_or_else(|| PathBuf::from("helm")));
    // Helm's own files go with the lab.
    for (variable, dir) in [("HELM_CACHE_HOME", "cache"), ("HELM_CONFIG_HOME", "config"), ("HELM_DATA_HOME", "data")] {
        helm.env(variable, context.paths.join("tmp/helm").join(dir));
    }
    helm.env("KUBECONFIG", context.paths.kubeconfig());
    helm.args(["upgrade", "--install", chart]).arg(repository().join("charts").join(chart));
    // Component tests apply the CRDs themselves before the chart comes.
    helm.args(["--namespace", NAMESPACE, "--create-namespace", "--history-max", "3", "--take-ownership"]);
    if let Some(values) = values {
        helm.arg("--values").arg(values);
    }
    output(&mut helm).map(drop).map_err(|error| LabError::Part {
        part: PART.to_owned(),
        message: error.to_string(),
        tail: String::new(),
        hint: "check the chart with `helm lint` and `helm template`".to_owned(),
    })
}

fn wait(context: &Context) -> Result<()> {
    let start = Instant::now();
    let mut shown = start;
    while let Err(reason) = probe(context) {
        let pods = || context.kubectl(&["get", "pods", "--namespace", NAMESPACE]);
        if start.elapsed() > LIMIT {
            let events =
                context.kubectl(&["get", "events", "--namespace", NAMESPACE, "--sort-by", ".lastTimestamp"])?;
            let events = crate::command::last_lines(&events, 12);
            let message = format!("after {} s: {reason}", LIMIT.as_secs());
            let tail = format!("{}\n{events}\n", pods()?);
            return Err(LabError::Part { part: PART.to_owned(), message, tail, hint: HINT.to_owned() });
        }
        if shown.elapsed() > SHOW_PODS {
            shown = Instant::now();
            context.report.line(&format!("chart: {reason}\n{}", pods()?.trim_end()));
        }
        std::thread::sleep(Duration::from_millis(250));
    }
    Ok(())
}

/// Deployments of the product and whether their newest pods are ready.
fn deployments(context: &Context) -> Result<Vec<(String, bool)>> {
    let text = context.kubectl(&["get", "deployments", "--namespace", NAMESPACE, "--output", "json"])?;
    let list: Value = serde_json::from_str(&text)
        .map_err(|source| LabError::Document { what: "the list of Deployments".to_owned(), source })?;
    let items = list["items"].as_array().into_iter().flatten();
    Ok(items.map(|item| (item["metadata"]["name"].as_str().unwrap_or_default().to_owned(), rolled_out(item))).collect())
}

/// What `kubectl rollout status` looks at.
fn rolled_out(deployment: &Value) -> bool {
    let (status, wanted) = (&deployment["status"], deployment["spec"]["replicas"].as_i64().unwrap_or(1));
    let count = |field: &str| status[field].as_i64().unwrap_or(0);
    status["observedGeneration"] == deployment["metadata"]["generation"]
        && ["replicas", "updatedReplicas", "readyReplicas", "availableReplicas"]
            .iter()
            .all(|field| count(field) == wanted)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn old_pods_and_stale_status_do_not_count_as_rolled_out() {
        let deployment = |generation: i64, replicas: i64, updated: i64| {
            json!({
                "metadata": {"generation": 2},
                "spec": {"replicas": 1},
                "status": {"observedGeneration": generation, "replicas": replicas, "updatedReplicas": updated,
                           "readyReplicas": 1, "availableReplicas": 1},
            })
        };
        assert!(rolled_out(&deployment(2, 1, 1)));
        assert!(!rolled_out(&deployment(1, 1, 1)), "the controller has not seen the change");
        assert!(!rolled_out(&deployment(2, 2, 1)), "an old pod is still there");
        assert!(!rolled_out(&deployment(2, 1, 0)), "no new pod yet");
    }
}
