//! The definitions of a release, installed by Helm, are upgraded to those of today by Helm, under objects that were
//! stored with the release. For kinds of the same shape under other names, because the lab's own must not change.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use anyhow::{Context as _, Result, ensure};
use kube::{ResourceExt as _, api::DynamicObject};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};
use voxplane_e2e::{
    cluster::{Cluster, condition_of, documents, manifests, title},
    env::LabEnv,
    world::repository,
};

/// Instead of the product's API group.
const GROUP: &str = "upgraded.voxplane.example";
/// Namespace of the release and its objects.
const NAMESPACE: &str = "e2e-upgrade";
const RELEASE: &str = "e2e-upgrade";
/// The oldest Kubernetes that is supported: what Helm assumes without a cluster is older.
const OLDEST: &str = "1.33.0";
const LIMIT: Duration = Duration::from_secs(60);

#[tokio::test(flavor = "multi_thread")]
async fn definitions_are_upgraded_under_the_objects_of_every_release() -> Result<()> {
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let env = LabEnv::load()?;
    let cluster = Cluster::connect(env.kube().await?).await?;
    let namespace = format!("{{apiVersion: v1, kind: Namespace, metadata: {{name: {NAMESPACE}}}}}");
    let namespace = cluster.apply_text(&namespace, LIMIT).await?.remove(0);
    let mut releases: Vec<PathBuf> = fs::read_dir(repository().join("crds/tests/released"))?
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.is_dir())
        .collect();
    releases.sort();
    ensure!(!releases.is_empty(), "no release is recorded");
    let today =
        elsewhere(&documents(&helm(&env, &["template", "--kube-version", OLDEST, RELEASE], &chart_of_today())?)?)?;
    for release in &releases {
        let then = elsewhere(&manifests(&release.join("crds"))?)?;
        upgrade(&env, &cluster, &then, &today, release).await.with_context(|| release.display().to_string())?;
    }
    cluster.delete(&namespace).await?;
    cluster.wait_gone(&namespace, LIMIT).await
}

async fn upgrade(
    env: &LabEnv,
    cluster: &Cluster,
    then: &[DynamicObject],
    today: &[DynamicObject],
    release: &Path,
) -> Result<()> {
    install(env, cluster, then).await?;
    let objects = objects_of(release)?;
    let with_kinds = knowing(env, &objects).await?;
    let mut stored = Vec::new();
    for object in &objects {
        stored.push(with_kinds.apply(object).await?);
    }
    ensure!(stored.len() > 10, "only {} objects were stored", stored.len());

    install(env, cluster, today).await?;
    for before in &stored {
        let after = with_kinds.get(before).await?;
        let (was, is) = (&before.data["spec"], &after.data["spec"]);
        assert!(keeps(was, is), "{} is read otherwise now: it was {was:#}, it is {is:#}", title(before));
        assert_eq!(after.uid(), before.uid(), "{} is another object", title(before));
        let touched = with_kinds.merge(&after, &json!({"metadata": {"labels": {"upgraded": "yes"}}})).await;
        touched.with_context(|| format!("{} cannot be written any more", title(before)))?;
    }

    // Whoever uninstalls the chart keeps the definitions, and with them every object.
    helm(env, &["uninstall", RELEASE, "--namespace", NAMESPACE], Path::new(""))?;
    for before in &stored {
        ensure!(with_kinds.find(before).await?.is_some(), "{} went with the chart", title(before));
    }
    for definition in today {
        cluster.delete(definition).await?;
    }
    for definition in today {
        cluster.wait_gone(definition, LIMIT).await?;
    }
    Ok(())
}

/// Everything that was there is there; newer definitions may have filled in more.
fn keeps(was: &Value, is: &Value) -> bool {
    match (was, is) {
        (Value::Object(was), Value::Object(is)) => {
            was.iter().all(|(key, was)| is.get(key).is_some_and(|is| keeps(was, is)))
        }
        (Value::Array(was), Value::Array(is)) => {
            was.len() == is.len() && was.iter().zip(is).all(|(was, is)| keeps(was, is))
        }
        _ => was == is,
    }
}

/// The objects that a release stored, with names of their own: samples name theirs alike.
fn objects_of(release: &Path) -> Result<Vec<DynamicObject>> {
    let mut objects = Vec::new();
    for file in sorted(&release.join("objects"))? {
        for mut object in documents(&fs::read_to_string(&file)?)? {
            renamed(&mut object);
            object.metadata.name = Some(format!("old-{}", objects.len()));
            object.metadata.namespace = object.metadata.namespace.map(|_| NAMESPACE.to_owned());
            objects.push(object);
        }
    }
    Ok(objects)
}

/// The cluster with the kinds of these objects, which it announces a moment after it serves them.
async fn knowing(env: &LabEnv, objects: &[DynamicObject]) -> Result<Cluster> {
    let deadline = Instant::now() + LIMIT;
    loop {
        let cluster = Cluster::connect(env.kube().await?).await?;
        let mut unknown = None;
        for object in objects {
            unknown = unknown.or(cluster.find(object).await.err());
        }
        match unknown {
            None => return Ok(cluster),
            Some(error) if Instant::now() > deadline => return Err(error),
            Some(_) => sleep(Duration::from_millis(250)).await,
        }
    }
}

/// Installs definitions as a chart, as `charts/voxplane-crds` is one, and waits until they are served.
async fn install(env: &LabEnv, cluster: &Cluster, definitions: &[DynamicObject]) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let chart = folder.path().join("definitions");
    fs::create_dir_all(chart.join("templates"))?;
    fs::copy(chart_of_today().join("Chart.yaml"), chart.join("Chart.yaml"))?;
    for definition in definitions {
        // What stands in double braces would be Helm's.
        let text = serde_json::to_string(definition)?.replace("{{", r#"{{ "{{" }}"#);
        fs::write(chart.join("templates").join(format!("{}.yaml", definition.name_any())), text)?;
    }
    helm(env, &["upgrade", "--install", RELEASE, "--namespace", NAMESPACE], &chart)?;
    for definition in definitions {
        let served =
            |found: &DynamicObject| condition_of(found, "Established").is_some_and(|one| one["status"] == "True");
        cluster.wait_until(definition, "being served", LIMIT, served).await?;
    }
    Ok(())
}

fn chart_of_today() -> PathBuf {
    repository().join("charts/voxplane-crds")
}

fn sorted(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut files: Vec<_> = fs::read_dir(folder)?.filter_map(|entry| Some(entry.ok()?.path())).collect();
    files.sort();
    Ok(files)
}

/// The definitions in a group of their own, with other names, so that no `kubectl get agencies` means these.
fn elsewhere(definitions: &[DynamicObject]) -> Result<Vec<DynamicObject>> {
    let moved = definitions.iter().map(|definition| {
        let mut moved = definition.clone();
        let spec = &mut moved.data["spec"];
        spec["group"] = GROUP.into();
        let names = spec["names"].as_object_mut().context("a definition without names")?;
        names.retain(|key, _| key != "categories" && key != "shortNames");
        for (key, name) in names {
            let text = name.as_str().context("a name is a text")?;
            *name = if key == "kind" { format!("Old{text}") } else { format!("old{text}") }.into();
        }
        let plural = moved.data["spec"]["names"]["plural"].as_str().unwrap_or_default();
        moved.metadata.name = Some(format!("{plural}.{GROUP}"));
        anyhow::Ok(moved)
    });
    moved.collect()
}

fn renamed(object: &mut DynamicObject) {
    if let Some(types) = &mut object.types {
        let version = types.api_version.rsplit('/').next().unwrap_or_default().to_owned();
        types.api_version = format!("{GROUP}/{version}");
        types.kind = format!("Old{}", types.kind);
    }
}

/// Runs Helm for the lab's cluster; an empty `chart` is none.
fn helm(env: &LabEnv, words: &[&str], chart: &Path) -> Result<String> {
    let program = std::env::var_os("HELM").filter(|program| !program.is_empty()).unwrap_or_else(|| "helm".into());
    let mut command = Command::new(program);
    command.args(words).args(Some(chart).filter(|chart| !chart.as_os_str().is_empty()));
    command.env("KUBECONFIG", &env.kubeconfig);
    let output = command.output().context("starting Helm: set HELM (`lab tools --env`)")?;
    ensure!(output.status.success(), "helm {words:?}: {}", String::from_utf8_lossy(&output.stderr));
    Ok(String::from_utf8(output.stdout)?)
}
