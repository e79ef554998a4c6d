//! Which Secrets an agent may use, and the set of keys that a pool gets. Pure.

use std::collections::BTreeMap;

use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Secret;
use kube::ResourceExt as _;
use sha2::{Digest as _, Sha256};
use voxplane_crds::conditions::reasons;
use voxplane_crds::effective::SecretUse;
use voxplane_crds::{Effective, VoiceAgent, labels, names};

use super::tools;
use crate::home::Home;
use crate::status::Problem;

/// Key of a user's Secret with the provider's key.
const API_KEY: &str = "api-key";
/// Key of a user's Secret with the addresses its key may be sent to.
pub(super) const ALLOWED_ENDPOINTS: &str = "allowed-endpoints";

/// The keys of one user Secret.
#[derive(Clone, PartialEq, Eq)]
pub struct Key {
    /// By the ending of the file that pods find each in: none for a provider's key, `.key.KEY` for the values of tools.
    pub(super) values: BTreeMap<String, Vec<u8>>,
    pub(super) endpoints: Vec<String>,
}

impl Key {
    /// The provider's key; `None` when it is no text.
    #[must_use]
    pub fn text(&self) -> Option<&str> {
        std::str::from_utf8(self.values.get("")?).ok()
    }

    /// Addresses that it may be sent to.
    #[must_use]
    pub fn endpoints(&self) -> &[String] {
        &self.endpoints
    }
}

impl std::fmt::Debug for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Key").field("endpoints", &self.endpoints).finish_non_exhaustive()
    }
}

/// The keys of a pool by the name under which its pods find them.
pub type KeySet = BTreeMap<String, Key>;

/// The keys that an agent may use. `secrets` are by the same names.
///
/// # Errors
/// A problem for `ResolvedRefs`: a Secret is missing, is not meant to be referenced, or its key would be sent to an
/// address that it does not allow.
pub fn permitted(effective: &Effective<'_>, secrets: &BTreeMap<String, Secret>) -> Result<KeySet, Problem> {
    effective
        .secrets()
        .iter()
        .map(|wanted| {
            let credential = wanted.credential();
            permit(wanted, secrets.get(&credential)).map(|key| (credential, key))
        })
        .collect()
}

fn permit(wanted: &SecretUse<'_>, secret: Option<&Secret>) -> Result<Key, Problem> {
    let SecretUse { origin, name, provider, base_url, .. } = *wanted;
    let whose = if origin.keys_are_the_agencys() { "the agency's" } else { "this" };
    let url_field = origin.path("llm.baseUrl");
    let base_url = base_url.map(|url| (url, url_field.as_str()));
    check(&origin.path(wanted.field), name, provider, base_url, whose, secret)
}

/// The key in a Secret, if it may be used for this: `field` names the Secret, which lies in `whose` namespace; `base_url` is
/// where its key is sent, and the field that says so.
///
/// # Errors
/// A problem for `ResolvedRefs`.
pub fn check(
    field: &str,
    name: &str,
    provider: &str,
    base_url: Option<(&str, &str)>,
    whose: &str,
    secret: Option<&Secret>,
) -> Result<Key, Problem> {
    let secret = meant(field, name, whose, provider, secret)?;
    let refused = |what: String| Problem::new(reasons::REF_NOT_PERMITTED, format!("{field}: Secret {name:?} {what}"));
    let Some(api_key) = value(secret, API_KEY) else {
        return Err(refused(format!("needs the key {API_KEY:?}")));
    };
    let endpoints = endpoints(secret);
    if let Some((url, url_field)) = base_url
        && !endpoints.contains(&normal(url))
    {
        return Err(refused(format!(
            "does not allow its key to be sent to {url_field}: add that address to its key {ALLOWED_ENDPOINTS:?}, one per \
             line"
        )));
    }
    Ok(Key { values: [(String::new(), api_key)].into(), endpoints })
}

/// The Secret, if it exists and is meant to be used by this provider: else anybody who may write agents could read any
/// Secret.
pub(super) fn meant<'a>(
    field: &str,
    name: &str,
    whose: &str,
    provider: &str,
    secret: Option<&'a Secret>,
) -> Result<&'a Secret, Problem> {
    let Some(secret) = secret else {
        let message = format!("{field}: there is no Secret {name:?} in {whose} namespace");
        return Err(Problem::new(reasons::REF_NOT_FOUND, message));
    };
    let refused = |what: String| Problem::new(reasons::REF_NOT_PERMITTED, format!("{field}: Secret {name:?} {what}"));
    if secret.type_.as_deref() != Some(labels::CREDENTIALS_SECRET_TYPE) {
        return Err(refused(format!(
            "is not of type {}: only such Secrets may be used",
            labels::CREDENTIALS_SECRET_TYPE
        )));
    }
    let label = secret.labels().get(labels::PROVIDER).map(String::as_str);
    if label != Some(provider) {
        return Err(refused(format!(
            "is not meant for this provider: it needs the label {}={provider}",
            labels::PROVIDER
        )));
    }
    Ok(secret)
}

/// A value that is there and not empty.
pub(super) fn value(secret: &Secret, key: &str) -> Option<Vec<u8>> {
    let value = secret.data.as_ref().and_then(|data| data.get(key)).map(|bytes| bytes.0.clone());
    value.filter(|value| !value.is_empty())
}

/// Where its keys may be sent.
pub(super) fn endpoints(secret: &Secret) -> Vec<String> {
    let endpoints = String::from_utf8(value(secret, ALLOWED_ENDPOINTS).unwrap_or_default()).unwrap_or_default();
    endpoints.lines().map(|line| normal(line.trim())).filter(|line| !line.is_empty()).collect()
}

fn normal(url: &str) -> String {
    url.trim_end_matches('/').to_owned()
}

/// The set of a pool: the keys of all agents that may use theirs. One agent's mistake takes no keys from the others.
#[must_use]
pub fn of_pool(agents: &[&VoiceAgent], home: &Home, secrets: &BTreeMap<String, Secret>) -> KeySet {
    let of_providers = agents.iter().filter_map(|agent| permitted(&home.effective(agent), secrets).ok()).flatten();
    let of_tools = agents.iter().flat_map(|agent| tools::keys(agent, secrets)).filter_map(Result::ok);
    of_providers.chain(of_tools).collect()
}

/// What pods report when they have read exactly this set. It is derived from the keys and says nothing about them.
#[must_use]
pub fn hash(keys: &KeySet) -> String {
    let mut digest = Sha256::new();
    for (file, content) in files(keys) {
        // Lengths first, so that no two sets read alike.
        digest.update(u64::try_from(file.len()).unwrap_or(u64::MAX).to_be_bytes());
        digest.update(file.as_bytes());
        digest.update(u64::try_from(content.len()).unwrap_or(u64::MAX).to_be_bytes());
        digest.update(&content);
    }
    hex::encode(&digest.finalize()[..16])
}

/// The assembled Secret's data: `NAME`, `NAME.endpoints`, and the hash of all of them.
#[must_use]
pub fn data(keys: &KeySet) -> BTreeMap<String, ByteString> {
    let mut data: BTreeMap<_, _> = files(keys).into_iter().map(|(name, content)| (name, ByteString(content))).collect();
    data.insert(names::CREDENTIALS_HASH_KEY.to_owned(), ByteString(hash(keys).into_bytes()));
    data
}

fn files(keys: &KeySet) -> BTreeMap<String, Vec<u8>> {
    keys.iter()
        .flat_map(|(name, key)| {
            let values = key.values.iter().map(move |(ending, value)| (format!("{name}{ending}"), value.clone()));
            values.chain([(format!("{name}.endpoints"), key.endpoints.join("\n").into_bytes())])
        })
        .collect()
}
