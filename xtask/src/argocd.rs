//! The settings that teach Argo CD our kinds, from the health checks beside them.

use crate::{GENERATE, generated::Generated};
use anyhow::Context as _;
use std::{fs, path::Path};

const FOLDER: &str = "manifests/argocd";

/// Fields of our kinds that something else than git may own: they are no drift. Written by hand here because Argo CD
/// wants them in the same ConfigMap.
const IGNORED: [(&str, &str); 1] = [(
    "VoiceAgent",
    "# `kubectl scale` and autoscalers set the replicas; what is changed through REST belongs to voxplane-api.\n\
     jsonPointers:\n  - /spec/runtime/replicas\nmanagedFieldsManagers:\n  - voxplane-api\n",
)];

/// Adds the ConfigMap patch.
pub fn add(root: &Path, files: &mut Generated) -> anyhow::Result<Option<String>> {
    let mut text = format!(
        "# Made by `{GENERATE}` from {FOLDER}/health. Do not edit.\n\
         # Teaches Argo CD what the health of our kinds is, and which fields are not git's:\n\
         #   kubectl -n argocd patch configmap argocd-cm --patch-file {FOLDER}/argocd-cm.yaml\n\
         # With Argo CD's Helm chart, put what is below `data` under `configs.cm`.\n\
         data:\n"
    );
    for crd in voxplane_crds::all_crds() {
        let (kind, file) = (&crd.spec.names.kind, format!("{}.lua", crd.spec.names.singular.unwrap_or_default()));
        let path = Path::new(FOLDER).join("health").join(&file);
        let script = fs::read_to_string(root.join(&path)).with_context(|| format!("cannot read {}", path.display()))?;
        text.push_str(&entry("health", kind, &script));
        for (_, ignored) in IGNORED.iter().filter(|(of, _)| of == kind) {
            text.push_str(&entry("ignoreDifferences", kind, ignored));
        }
    }
    files.file(format!("{FOLDER}/argocd-cm.yaml"), text);
    Ok(None)
}

fn entry(what: &str, kind: &str, text: &str) -> String {
    let mut entry = format!("  resource.customizations.{what}.{}_{kind}: |\n", voxplane_crds::GROUP);
    for line in text.lines() {
        if !line.is_empty() {
            entry.push_str("    ");
            entry.push_str(line);
        }
        entry.push('\n');
    }
    entry
}
