//! The definitions of the five kinds, as plain manifests and as a chart.

use crate::{GENERATE, generated::Generated};
use anyhow::Context as _;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use std::path::Path;

const MANIFESTS: &str = "manifests/crds";
const CHART: &str = "charts/voxplane-crds/templates";

/// Adds one manifest and one chart template per kind.
pub fn add(_: &Path, files: &mut Generated) -> anyhow::Result<Option<String>> {
    files.owns(MANIFESTS);
    files.owns(CHART);
    for crd in voxplane_crds::all_crds() {
        let plural = crd.spec.names.plural.clone();
        files.file(format!("{MANIFESTS}/{plural}.yaml"), yaml(&crd)?);
        files.file(format!("{CHART}/{plural}.yaml"), template(crd)?);
    }
    Ok(None)
}

fn yaml(crd: &CustomResourceDefinition) -> anyhow::Result<String> {
    let body = serde_yaml_ng::to_string(crd).context("a definition is a plain tree")?;
    Ok(format!("# Made by `{GENERATE}` from the crate `crds`. Do not edit.\n{body}"))
}

/// Uninstalling the chart must not delete the definitions: with them every agency, agent and number would go.
fn template(mut crd: CustomResourceDefinition) -> anyhow::Result<String> {
    crd.metadata.annotations.get_or_insert_default().insert("helm.sh/resource-policy".to_owned(), "keep".to_owned());
    let yaml = yaml(&crd)?;
    // `{{ name }}` may one day stand in a description; Helm must print it as it is.
    Ok(yaml.replace("{{", "{{ \"{{\" }}"))
}
