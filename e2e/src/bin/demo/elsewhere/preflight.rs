//! Looks whether the demo can be installed, before anything is made: every question is answered with what to do about it.

use anyhow::{Result, bail};
use k8s_openapi::api::{
    authorization::v1::{ResourceAttributes, SelfSubjectAccessReview, SelfSubjectAccessReviewSpec},
    discovery::v1::EndpointSlice,
};
use kube::{
    Api,
    api::{ListParams, PostParams},
};

use super::{
    cluster::{Record, Target},
    options::Options,
};

/// The oldest minor version of Kubernetes 1 that the chart takes.
const OLDEST: u32 = 33;
/// What the installation makes outside of namespaces: API group and resource.
const RIGHTS: [(&str, &str); 5] = [
    ("", "namespaces"),
    ("apiextensions.k8s.io", "customresourcedefinitions"),
    ("rbac.authorization.k8s.io", "clusterroles"),
    ("rbac.authorization.k8s.io", "clusterrolebindings"),
    ("admissionregistration.k8s.io", "validatingadmissionpolicies"),
];

/// What was learnt on the way.
#[derive(Debug, Default)]
pub struct Found {
    /// Ports at which pods reach the API server.
    pub api_server: Vec<u16>,
}

/// One question: what was looked at, and the answer or what to do.
struct Answer {
    about: &'static str,
    answer: Result<String, String>,
}

/// Asks everything, prints all answers, and fails if one of them is bad.
pub async fn check(target: &Target, options: &Options) -> Result<Found> {
    println!("preflight   context {}", target.context);
    let mut answers = vec![
        Answer { about: "Kubernetes", answer: kubernetes(target).await },
        Answer { about: "Helm", answer: target.helm.version().await.map_err(|error| text(&error)) },
        Answer { about: "images", answer: images(options) },
        Answer { about: "connections", answer: connections(options) },
    ];
    // Nobody who does not answer the first question answers these.
    if answers[0].answer.is_ok() {
        answers.push(Answer { about: "your rights", answer: rights(target).await });
        answers.push(Answer { about: "the cluster", answer: cluster(target).await });
    }
    for Answer { about, answer } in &answers {
        match answer {
            Ok(good) => println!("  ok        {about}: {good}"),
            Err(bad) => println!("  NO        {about}: {bad}"),
        }
    }
    let bad = answers.iter().filter(|one| one.answer.is_err()).count();
    if bad > 0 {
        bail!("{bad} of {} preflight checks failed; nothing was changed", answers.len());
    }
    Ok(Found { api_server: api_server(target).await? })
}

async fn kubernetes(target: &Target) -> Result<String, String> {
    let version = target.client.apiserver_version().await.map_err(|error| {
        format!("the API server does not answer ({error}): is the context {:?} the right one?", target.context)
    })?;
    recent_enough(&version.major, &version.minor)?;
    Ok(version.git_version)
}

/// Some providers add a `+` to the minor version.
fn recent_enough(major: &str, minor: &str) -> Result<(), String> {
    let minor_number = minor.trim_end_matches('+').parse::<u32>().ok();
    match minor_number {
        Some(number) if major == "1" && number >= OLDEST => Ok(()),
        _ => Err(format!("it is {major}.{minor}; Voxplane needs 1.{OLDEST} or newer")),
    }
}

fn images(options: &Options) -> Result<String, String> {
    match (&options.images, options.values.is_empty()) {
        (Some(prefix), _) => {
            let tag = options.tag.as_deref().unwrap_or("the chart's version as tag");
            Ok(format!("{prefix}/operator, /api, /agent-runtime with {tag}"))
        }
        (None, false) => Ok("as the values file says".to_owned()),
        (None, true) => Err("set IMAGES=<registry and path> to where you pushed them, or where the nodes have them \
                             (docs/installation.md, \"Images\")"
            .to_owned()),
    }
}

fn connections(options: &Options) -> Result<String, String> {
    let unreadable: Vec<_> = options.values.iter().filter(|path| !path.is_file()).map(|path| path.display()).collect();
    if let Some(path) = unreadable.first() {
        return Err(format!("VALUES: there is no file {path}"));
    }
    let missing = options.connections.missing();
    match (missing.is_empty(), options.values.is_empty()) {
        (true, _) => Ok("Postgres and LiveKit from the environment".to_owned()),
        (false, false) => Ok("Postgres and LiveKit from the values file".to_owned()),
        (false, true) => Err(format!(
            "set {} in the environment, or VALUES=<file> with `postgres` and `livekit` (docs/installation.md)",
            missing.join(", ")
        )),
    }
}

async fn rights(target: &Target) -> Result<String, String> {
    let reviews = Api::<SelfSubjectAccessReview>::all(target.client.clone());
    let mut lacking = Vec::new();
    for (group, resource) in RIGHTS {
        let attributes = ResourceAttributes {
            group: Some(group.to_owned()),
            resource: Some(resource.to_owned()),
            verb: Some("create".to_owned()),
            ..ResourceAttributes::default()
        };
        let spec = SelfSubjectAccessReviewSpec { resource_attributes: Some(attributes), ..Default::default() };
        let review = SelfSubjectAccessReview { spec, ..SelfSubjectAccessReview::default() };
        let answer = reviews.create(&PostParams::default(), &review).await.map_err(|error| error.to_string())?;
        if !answer.status.is_some_and(|status| status.allowed) {
            lacking.push(resource);
        }
    }
    if lacking.is_empty() {
        Ok("definitions, cluster roles and policies may be made".to_owned())
    } else {
        Err(format!("you may not create {}; an administrator of the cluster may", lacking.join(", ")))
    }
}

async fn cluster(target: &Target) -> Result<String, String> {
    let record = target.record().await.map_err(|error| text(&error))?;
    let definitions = target.definitions().await.map_err(|error| text(&error))?;
    ours(record, &definitions)
}

/// Somebody else's installation is left alone: the demo would change its settings, and its removal would end it.
fn ours(record: Option<Record>, definitions: &[String]) -> Result<String, String> {
    match (record, definitions.is_empty()) {
        (Some(_), _) => Ok("the demo is installed, and is brought up to date".to_owned()),
        (None, true) => Ok("nothing of Voxplane is there".to_owned()),
        (None, false) => Err(format!(
            "Voxplane is installed already, and not by this demo (the definition {} is there): use it as it is, or take \
             another cluster",
            definitions.first().map_or("", String::as_str)
        )),
    }
}

/// The network policies let operator and API reach only ports that are named.
async fn api_server(target: &Target) -> Result<Vec<u16>> {
    let slices = Api::<EndpointSlice>::namespaced(target.client.clone(), "default");
    let found = slices.list(&ListParams::default().labels("kubernetes.io/service-name=kubernetes")).await?;
    let ports = found.items.iter().flat_map(|slice| slice.ports.iter().flatten()).filter_map(|port| port.port);
    Ok(ports.filter_map(|port| u16::try_from(port).ok()).collect())
}

fn text(error: &anyhow::Error) -> String {
    format!("{error:#}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_old_cluster_is_named_with_what_is_needed() {
        assert_eq!(recent_enough("1", "36"), Ok(()));
        assert_eq!(recent_enough("1", "33+"), Ok(()));
        let error = recent_enough("1", "29").unwrap_err();
        assert!(error.contains("1.29") && error.contains("1.33 or newer"), "{error}");
    }

    #[test]
    fn an_installation_of_somebody_else_is_left_alone() {
        let definitions = ["agencies.voxplane.dev".to_owned()];
        assert!(ours(None, &[]).is_ok());
        assert!(ours(Some(Record { namespace_is_ours: false }), &definitions).is_ok());
        let error = ours(None, &definitions).unwrap_err();
        assert!(error.contains("not by this demo") && error.contains("agencies.voxplane.dev"), "{error}");
    }
}
