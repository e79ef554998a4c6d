//! The key of a service that makes embeddings: the operator uses it for passages, the API for questions. The API sees no
//! Secrets but the one that is assembled here, in the tenant's own namespace, and a role that names it.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::Secret;
use k8s_openapi::api::rbac::v1::{RoleBinding, Subject};
use kube::ResourceExt as _;
use voxplane_crds::{KnowledgeBase, labels, names};
use voxplane_knowledge::settings::{Service, Wish, wish};

use super::observe;
use crate::apply::Applier;
use crate::context::Context;
use crate::error::Error;
use crate::home::Home;
use crate::namespaces::{binding, meta};
use crate::status::Problem;
use crate::voice_agent::credentials::{self, Key, KeySet};
use crate::watch::decoded;

/// The key that a knowledge base may use.
///
/// # Errors
/// A problem for `ResolvedRefs`.
pub fn permitted(service: &Service, secret: Option<&Secret>) -> Result<Key, Problem> {
    let url = (service.base_url.as_str(), "spec.embedding.baseUrl");
    let provider = voxplane_crds::knowledge_base::EmbeddingProvider::OpenaiCompatible.as_str();
    credentials::check("spec.embedding.secretRef", &service.secret, provider, Some(url), "this", secret)
}

/// Hands the keys of all knowledge bases of a tenant to the API. Does nothing for a tenant that never had any.
///
/// # Errors
/// When the API server fails.
pub async fn hand_over(base: &KnowledgeBase, home: &Home, ctx: &Context, apply: &Applier) -> Result<(), Error> {
    let namespace = base.namespace().unwrap_or_default();
    let found = ctx.stores().knowledge.within(&namespace);
    let siblings = found.iter().filter_map(|one| decoded(one)).filter(|one| one.name_any() != base.name_any());
    let living: Vec<&KnowledgeBase> =
        siblings.chain([base]).filter(|one| one.metadata.deletion_timestamp.is_none()).collect();
    let mut keys = KeySet::new();
    for one in living {
        let Wish::Service(service) = wish(&one.spec) else { continue };
        let secret = observe::secret(&service.secret, one, ctx).await?;
        keys.extend(permitted(&service, secret.as_ref()).ok().map(|key| (service.secret, key)));
    }
    if !keys.is_empty() {
        let (secret, reader) = build(&namespace, home, &ctx.settings.system_namespace, &keys);
        apply.ensure(&secret).await?;
        apply.ensure(&reader).await?;
    } else if had_service(base) {
        apply.delete::<Secret>(&namespace, names::KNOWLEDGE_CREDENTIALS).await?;
        apply.delete::<RoleBinding>(&namespace, names::KNOWLEDGE_READER_ROLE).await?;
    }
    Ok(())
}

/// Whether a service was, or is, to make the embeddings of a knowledge base.
fn had_service(base: &KnowledgeBase) -> bool {
    let shown = base.status.as_ref().and_then(|status| status.embedding_model.as_deref()).unwrap_or_default();
    shown.starts_with("openai-compatible/") || matches!(wish(&base.spec), Wish::Service(_))
}

/// The Secret and the right to read it. Pure.
fn build(namespace: &str, home: &Home, system_namespace: &str, keys: &KeySet) -> (Secret, RoleBinding) {
    let own: BTreeMap<String, String> =
        labels::for_tenant(&home.agency.name_any(), &home.tenant.name_any(), &home.tenant_id.to_string());
    let api = Subject {
        kind: "ServiceAccount".to_owned(),
        name: names::API_SERVICE_ACCOUNT.to_owned(),
        namespace: Some(system_namespace.to_owned()),
        ..Subject::default()
    };
    let secret = Secret {
        metadata: meta(namespace, names::KNOWLEDGE_CREDENTIALS, &own),
        data: Some(credentials::data(keys)),
        ..Secret::default()
    };
    (secret, binding(meta(namespace, names::KNOWLEDGE_READER_ROLE, &own), names::KNOWLEDGE_READER_ROLE, vec![api]))
}
