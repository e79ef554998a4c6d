//! Asking the API server what it thinks of an object, as one who may or may not do what is asked.

use anyhow::Result;
use kube::{
    Api, Client, Config,
    api::{ApiResource, DynamicObject, GroupVersionKind, PostParams},
    config::{KubeConfigOptions, Kubeconfig},
};
use serde_json::{Value, json};

use crate::env::LabEnv;

/// The cluster, as the administrator or as somebody the administrator stands in for.
///
/// # Errors
/// When no lab is named or its kubeconfig cannot be read.
pub async fn client(user: Option<&str>) -> Result<Client> {
    let kubeconfig = Kubeconfig::read_from(LabEnv::load()?.kubeconfig)?;
    let mut config = Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await?;
    config.auth_info.impersonate = user.map(str::to_owned);
    Ok(Client::try_from(config)?)
}

/// What the API server must know about one of our kinds.
pub fn resource(kind: &str) -> ApiResource {
    ApiResource::from_gvk(&GroupVersionKind::gvk("voxplane.dev", "v1alpha1", kind))
}

/// Everything is tried in `default`: the definitions do not ask where an object lies, the operator does.
pub fn api(client: &Client, kind: &str) -> Api<DynamicObject> {
    match kind {
        "Agency" => Api::all_with(client.clone(), &resource(kind)),
        _ => Api::namespaced_with(client.clone(), "default", &resource(kind)),
    }
}

/// An object of one of our kinds.
pub fn object(kind: &str, name: &str, spec: &Value) -> DynamicObject {
    DynamicObject::new(name, &resource(kind)).data(json!({"spec": spec}))
}

/// Judged and not stored.
pub fn dry_run() -> PostParams {
    PostParams { dry_run: true, ..PostParams::default() }
}

/// What the API server says about an object: nothing if it accepts it.
///
/// # Errors
/// When it does not answer.
pub async fn verdict(client: &Client, kind: &str, name: &str, spec: &Value) -> Result<String> {
    match api(client, kind).create(&dry_run(), &object(kind, name, spec)).await {
        Ok(_) => Ok(String::new()),
        Err(kube::Error::Api(status)) => Ok(status.message.clone()),
        Err(error) => Err(error.into()),
    }
}
