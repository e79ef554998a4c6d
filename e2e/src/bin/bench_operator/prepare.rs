//! What the product's charts would do in a cluster: the definitions of our kinds, the system namespace, the schema.

use std::{path::Path, process::Command, time::Duration};

use anyhow::{Context as _, Result, ensure};
use kube::{Client, api::DynamicObject};
use voxplane_e2e::{
    cluster::{Cluster, condition_of},
    env::LabEnv,
    world::SYSTEM_NAMESPACE,
};

/// Passwords of the lab's database roles: the database is gone with the lab.
const PASSWORD: &str = "benchmark";
/// How long a new kind may take to be served.
const SERVED_WITHIN: Duration = Duration::from_secs(60);

/// Database URLs.
#[derive(Clone, Debug)]
pub struct Databases {
    /// As the superuser, to read statistics.
    pub superuser: String,
    /// As the operator's role.
    pub app: String,
}

/// Prepares a lab that has nothing of the product in it. Safe to repeat.
pub async fn all(env: &LabEnv, client: &Client) -> Result<Databases> {
    let cluster = Cluster::connect(client.clone()).await?;
    let definitions = voxplane_e2e::world::repository().join("charts/voxplane-crds/templates");
    let applied = cluster.apply_directory(&definitions, SERVED_WITHIN).await?;
    for definition in &applied {
        let served =
            |found: &DynamicObject| condition_of(found, "Established").is_some_and(|one| one["status"] == "True");
        cluster.wait_until(definition, "being served", SERVED_WITHIN, served).await?;
    }
    let namespace = format!("{{apiVersion: v1, kind: Namespace, metadata: {{name: {SYSTEM_NAMESPACE}}}}}");
    cluster.apply_text(&namespace, SERVED_WITHIN).await?;
    migrate(&env.postgres_url)
}

fn migrate(superuser: &str) -> Result<Databases> {
    let role = |name: &str| -> Result<String> {
        let (_, rest) = superuser.rsplit_once('@').context("the lab's Postgres URL has no user")?;
        Ok(format!("postgres://{name}:{PASSWORD}@{rest}"))
    };
    let app = role("voxplane_app")?;
    let migrated = Command::new(beside("voxplane-api")?)
        .arg("migrate")
        .env("VOXPLANE_ADMIN_DATABASE_URL", superuser)
        .env("VOXPLANE_OWNER_DATABASE_URL", role("voxplane_owner")?)
        .env("VOXPLANE_DATABASE_URL", &app)
        .env("VOXPLANE_JOBS_DATABASE_URL", role("voxplane_jobs")?)
        .output()
        .context("running voxplane-api migrate")?;
    ensure!(migrated.status.success(), "voxplane-api migrate: {}", String::from_utf8_lossy(&migrated.stdout));
    Ok(Databases { superuser: superuser.to_owned(), app })
}

/// A program that was compiled together with this one.
pub fn beside(program: &str) -> Result<std::path::PathBuf> {
    let own = std::env::current_exe()?;
    let path = own.parent().unwrap_or(Path::new(".")).join(program);
    ensure!(path.exists(), "{} is missing: compile the workspace (`make build`)", path.display());
    Ok(path)
}
